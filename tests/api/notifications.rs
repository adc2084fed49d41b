//! What callers are told, and how long.

use local::inbox::Answer;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World};

/// An ACTIVE recurring payment whose activation was tried to be told once.
async fn activated(world: &World) -> Value {
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.status, StatusCode::OK);
    id
}

#[tokio::test]
async fn an_activation_is_told_at_once_signed_and_once() {
    let mut world = World::new().await;
    let id = activated(&world).await;
    let [told] = &world.local.inbox().received()[..] else { panic!("told once") };
    assert_eq!(
        (told.path.as_str(), told.content_type.as_deref()),
        (&*format!("/inbox/{id}"), Some("application/json"))
    );
    assert_eq!(told.signature, local::inbox::Signature::Valid);
    let body = told.body.as_object().unwrap();
    let names: Vec<_> = body.keys().map(String::as_str).collect();
    let expected =
        ["id", "occurredAt", "recurringPaymentId", "recurringStatus", "transactionId", "type"];
    assert_eq!(names, expected);
    assert_eq!(body["id"].as_str(), told.id.as_deref());
    assert_eq!((&body["recurringPaymentId"], &body["recurringStatus"]), (&id, &json!("ACTIVE")));
    assert_eq!(body["transactionId"].as_u64().unwrap() >> 4, id.as_u64().unwrap());
    world.pass("PT72H").await;
    assert_eq!(world.events().len(), 1);
}

#[tokio::test]
async fn a_decline_says_why() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, "4925000000000087", "okButton").await;
    assert_eq!(world.authorize(&id).await.problem(), (409, "declined".to_owned()));
    assert_eq!(world.authorize(&id).await.problem(), (409, "declined".to_owned()));
    let [told] = &world.local.inbox().received()[..] else { panic!("told once") };
    assert_eq!(
        (&told.body["type"], &told.body["recurringStatus"]),
        (&json!("recurring-payment.declined"), &json!("CREATED"))
    );
    assert_eq!(told.body["errorReason"], "REFUSED_BY_ISSUER");
}

/// 500, 200, a redirect, nothing, then 202: delivered when it says 202, after 1, 2, 4 and 8 minutes, with one id.
#[tokio::test]
async fn only_202_is_heard() {
    let mut world = World::new().await;
    let inbox = world.local.inbox().clone();
    for answer in [
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::Status(StatusCode::OK),
        Answer::Redirect,
        Answer::Nothing,
    ] {
        inbox.answer_with(answer, 1);
    }
    activated(&world).await;
    // A schedule's event is in whole seconds.
    world.wait("PT1S").await;
    let mut waited = Vec::new();
    for minute in 1..=60 {
        let before = inbox.received().len();
        world.wait("PT1M").await;
        let tally = world.run("finish-terminals").await;
        let tried = inbox.received().len() - before;
        assert_eq!(
            tally["heard"].as_u64().unwrap() + tally["unheard"].as_u64().unwrap(),
            tried as u64
        );
        if tried > 0 {
            waited.push(minute);
        }
    }
    // Each run is at most a minute after its instant, and the next pause counts from the run.
    assert_eq!(waited, [1, 3, 7, 15]);
    let received = inbox.received();
    assert_eq!(received.len(), 5, "no redirect was followed, and nothing came after 202");
    assert!(received.iter().all(|told| told.id == received[0].id && told.body == received[0].body));
    assert!(received.iter().all(|told| told.signature == local::inbox::Signature::Valid));
    assert_eq!(received[4].answered, Answer::Status(StatusCode::ACCEPTED));
    assert!(world.nothing_is_due().await);
}

#[tokio::test]
async fn after_72_hours_it_is_given_up_logged_and_counted() {
    let mut world = World::new().await;
    world.local.inbox().answer_with(Answer::Status(StatusCode::NOT_FOUND), 1000);
    activated(&world).await;
    let mut given_up = 0;
    for _ in 0..80 {
        world.wait("PT1H").await;
        given_up += world.run("finish-terminals").await["givenUp"].as_u64().unwrap();
    }
    assert_eq!(given_up, 1);
    let lines = world.logged("finish-terminals", "given up: never heard in 72 hours");
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["level"], lines[0]["notification"].as_str()),
        (&json!("ERROR"), world.local.inbox().received()[0].id.as_deref())
    );
    assert!(world.nothing_is_due().await);
}

/// Nets calls back: whatever it says is asked for, whoever does not know the secret finds nothing.
#[tokio::test]
async fn nets_calls_back() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    let transaction = uri.split("transactionId=").nth(1).unwrap().to_owned();
    let json = [("content-type", "application/json")];
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let about = |id: &str| json!({ "TransactionId": id }).to_string();
    let status = async |id: &Value| {
        world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json()["recurringStatus"].clone()
    };

    let early = world.send("POST", &path, &json, Some(&about(&transaction))).await;
    assert_eq!((early.status, early.text.as_str()), (StatusCode::OK, "{}"));
    assert_eq!(status(&id).await, "CREATED");
    world.press(&uri, VISA, "okButton").await;
    for wrong in ["/v1/netaxept/callback/wrong", "/v1/netaxept/callback/%20"] {
        let answer = world.send("POST", wrong, &json, Some(&about(&transaction))).await;
        assert_eq!(answer.problem(), (404, "no-such-path".to_owned()));
        assert_eq!(
            answer.json()["instance"],
            "/v1/netaxept/callback/{secret}",
            "no guess is repeated"
        );
    }
    assert_eq!(status(&id).await, "CREATED");
    for known in [true, true, false] {
        let other = if known { transaction.clone() } else { "9007199254740991".to_owned() };
        assert_eq!(
            world.send("POST", &path, &json, Some(&about(&other))).await.status,
            StatusCode::OK
        );
        assert_eq!(status(&id).await, "ACTIVE");
    }
    assert_eq!(world.events(), ["recurring-payment.activated"]);
    world.local.dynamodb().forget_requests();
    let calls = world.local.netaxept().calls(local::netaxept::Operation::Query);
    for foreign in ["19a2540f-89c9-43bc-b8c4-870712789b5d", "-1", "x", "0"] {
        assert_eq!(
            world.send("POST", &path, &json, Some(&about(foreign))).await.status,
            StatusCode::OK
        );
    }
    assert!(world.local.dynamodb().requests().is_empty());
    assert_eq!(world.local.netaxept().calls(local::netaxept::Operation::Query), calls);
    for bad in [
        "",
        "{}",
        "[]",
        "x",
        r#"{"TransactionId":""}"#,
        r#"{"TransactionId":1}"#,
        r#"{"TransactionId":null}"#,
    ] {
        let answer = world.send("POST", &path, &json, Some(bad)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{bad}");
        assert!(!answer.text.contains(local::netaxept::CALLBACK_SECRET));
    }
    let lines = world.local.lambda().lines();
    assert!(!lines.iter().any(|line| line.line.contains(local::netaxept::CALLBACK_SECRET)));
}

/// Nets is down when it calls: it is told that it was heard all the same, and the schedule finishes.
#[tokio::test]
async fn nets_calls_back_and_does_not_answer() {
    let mut world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    world.local.netaxept().fail(
        local::netaxept::Operation::Process,
        local::netaxept::Kind::DropReply,
        1,
    );
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let body = json!({ "TransactionId": transaction }).to_string();
    let answer =
        world.send("POST", &path, &[("content-type", "application/json")], Some(&body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(world.logged("receive-netaxept-callback", "left to the schedule").len(), 1);
    world.pass("PT1M").await;
    assert_eq!(world.events(), ["recurring-payment.activated"]);
}

#[tokio::test]
async fn an_address_that_could_never_be_told_is_refused_at_once() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    for (address, code) in [
        ("http://shop.example/told", "scheme"),
        ("https://10.0.0.1/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://user:pass@shop.example/", "user"),
        ("ftp://shop.example", "scheme"),
        ("http://127.0.0.2:3001/inbox", "scheme"),
    ] {
        let body = json!({ "redirectUrl": "https://shop.example", "callbackUrl": address });
        let answer = world.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        assert_eq!(answer.problem().0, 400, "{address}");
        assert_eq!(
            (&answer.json()["errors"][0]["field"], &answer.json()["errors"][0]["code"]),
            (&json!("callbackUrl"), &json!(code)),
            "{address}"
        );
    }
    assert_eq!(world.local.netaxept().transactions(), json!([]));
}
