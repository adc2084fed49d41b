//! Notifications and their delivery, and callbacks from Nets.

use local::inbox::Answer;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA, is_full_size};

/// Creates an ACTIVE recurring payment. Authorize makes the first delivery attempt.
async fn create_active_with_notification(api: &TestApi) -> Value {
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.status, StatusCode::OK);
    id
}

#[tokio::test]
async fn an_activation_is_delivered_once_with_a_signature() {
    let mut api = TestApi::new().await;
    let id = create_active_with_notification(&api).await;
    let [notification] = &api.local.inbox().received()[..] else {
        panic!("expected one notification")
    };
    assert_eq!(
        (notification.path.as_str(), notification.content_type.as_deref()),
        (&*format!("/inbox/{id}"), Some("application/json"))
    );
    assert_eq!(notification.signature, local::inbox::Signature::Valid);
    let body = notification.body.as_object().unwrap();
    let names: Vec<_> = body.keys().map(String::as_str).collect();
    let expected =
        ["id", "occurredAt", "recurringPaymentId", "recurringStatus", "transactionId", "type"];
    assert_eq!(names, expected);
    assert_eq!(body["id"].as_str(), notification.id.as_deref());
    assert_eq!((&body["recurringPaymentId"], &body["recurringStatus"]), (&id, &json!("ACTIVE")));
    assert_eq!(body["transactionId"].as_u64().unwrap() >> 4, id.as_u64().unwrap());
    api.advance_and_run_schedules("PT72H").await;
    assert_eq!(api.received_event_types().len(), 1);
}

#[tokio::test]
async fn a_declined_notification_has_the_reason() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, "4925000000000087", "okButton").await;
    assert_eq!(api.authorize(&id).await.problem(), (409, "declined".to_owned()));
    assert_eq!(api.authorize(&id).await.problem(), (409, "declined".to_owned()));
    let [notification] = &api.local.inbox().received()[..] else {
        panic!("expected one notification")
    };
    assert_eq!(
        (&notification.body["type"], &notification.body["recurringStatus"]),
        (&json!("recurring-payment.declined"), &json!("CREATED"))
    );
    assert_eq!(notification.body["errorReason"], "REFUSED_BY_ISSUER");
}

/// The receiver answers 500, 200, a redirect, nothing, and then 202. The attempts are 1, 2, 4 and 8 minutes apart and have one id. In
/// a plain `cargo test` the receiver always answers, because the service waits 5 seconds.
#[tokio::test]
async fn only_202_counts_as_delivered() {
    let mut api = TestApi::new().await;
    let inbox = api.local.inbox().clone();
    for response in [
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::Status(StatusCode::OK),
        Answer::Redirect,
        if is_full_size() { Answer::Nothing } else { Answer::Status(StatusCode::NOT_FOUND) },
    ] {
        inbox.answer_with(response, 1);
    }
    create_active_with_notification(&api).await;
    // The time of a schedule's event is in whole seconds.
    api.advance_clock("PT1S").await;
    let mut attempt_minutes = Vec::new();
    for minute in 1..=60 {
        let before = inbox.received().len();
        api.advance_clock("PT1M").await;
        let summary = api.run_schedule("finish-terminals").await;
        let attempts = inbox.received().len() - before;
        assert_eq!(
            summary["delivered"].as_u64().unwrap() + summary["undelivered"].as_u64().unwrap(),
            attempts as u64
        );
        if attempts > 0 {
            attempt_minutes.push(minute);
        }
    }
    // A run is at most a minute after the planned instant, and the next pause starts at the run.
    assert_eq!(attempt_minutes, [1, 3, 7, 15]);
    let received = inbox.received();
    assert_eq!(received.len(), 5, "no redirect is followed, and there is no attempt after 202");
    assert!(
        received.iter().all(|notification| notification.id == received[0].id
            && notification.body == received[0].body)
    );
    assert!(
        received
            .iter()
            .all(|notification| notification.signature == local::inbox::Signature::Valid)
    );
    assert_eq!(received[4].answered, Answer::Status(StatusCode::ACCEPTED));
    assert!(api.has_nothing_due().await);
}

#[tokio::test]
async fn an_undelivered_notification_expires_after_72_hours() {
    let mut api = TestApi::new().await;
    api.local.inbox().answer_with(Answer::Status(StatusCode::NOT_FOUND), 1000);
    create_active_with_notification(&api).await;
    let mut expired = 0;
    for _ in 0..14 {
        api.advance_clock("PT6H").await;
        expired += api.run_schedule("finish-terminals").await["expired"].as_u64().unwrap();
    }
    assert_eq!(expired, 1);
    let lines =
        api.log_lines("finish-terminals", "notification expired: not delivered within 72 hours");
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["level"], lines[0]["notification"].as_str()),
        (&json!("ERROR"), api.local.inbox().received()[0].id.as_deref())
    );
    assert!(api.has_nothing_due().await);
}

/// A callback makes the service query the transaction. A callback with a wrong secret is 404.
#[tokio::test]
async fn a_callback_activates_a_recurring_payment() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    let transaction = uri.split("transactionId=").nth(1).unwrap().to_owned();
    let json = [("content-type", "application/json")];
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let callback_body = |id: &str| json!({ "TransactionId": id }).to_string();
    let status = async |id: &Value| {
        api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json()["recurringStatus"].clone()
    };

    let early = api.send("POST", &path, &json, Some(&callback_body(&transaction))).await;
    assert_eq!((early.status, early.text.as_str()), (StatusCode::OK, "{}"));
    assert_eq!(status(&id).await, "CREATED");
    api.submit_card(&uri, VISA, "okButton").await;
    for invalid_path in ["/v1/netaxept/callback/wrong", "/v1/netaxept/callback/%20"] {
        let response =
            api.send("POST", invalid_path, &json, Some(&callback_body(&transaction))).await;
        assert_eq!(response.problem(), (404, "no-such-path".to_owned()));
        assert_eq!(
            response.json()["instance"],
            "/v1/netaxept/callback/{secret}",
            "the secret in the path is not repeated"
        );
    }
    assert_eq!(status(&id).await, "CREATED");
    for is_known in [true, true, false] {
        let other = if is_known { transaction.clone() } else { "9007199254740991".to_owned() };
        assert_eq!(
            api.send("POST", &path, &json, Some(&callback_body(&other))).await.status,
            StatusCode::OK
        );
        assert_eq!(status(&id).await, "ACTIVE");
    }
    assert_eq!(api.received_event_types(), ["recurring-payment.activated"]);
    api.local.dynamodb().clear_requests();
    let calls = api.local.netaxept().calls(local::netaxept::Operation::Query);
    for invalid in ["19a2540f-89c9-43bc-b8c4-870712789b5d", "-1", "x", "0"] {
        assert_eq!(
            api.send("POST", &path, &json, Some(&callback_body(invalid))).await.status,
            StatusCode::OK
        );
    }
    assert!(api.local.dynamodb().requests().is_empty());
    assert_eq!(api.local.netaxept().calls(local::netaxept::Operation::Query), calls);
    for body in [
        "",
        "{}",
        "[]",
        "x",
        r#"{"TransactionId":""}"#,
        r#"{"TransactionId":1}"#,
        r#"{"TransactionId":null}"#,
    ] {
        let response = api.send("POST", &path, &json, Some(body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        assert!(!response.text.contains(local::netaxept::CALLBACK_SECRET));
    }
    let lines = api.local.lambda().lines();
    assert!(!lines.iter().any(|line| line.line.contains(local::netaxept::CALLBACK_SECRET)));
}

/// Nets fails during a callback: the callback is 200 in any case, and the schedule stores the card.
#[tokio::test]
async fn a_callback_is_200_when_the_query_fails() {
    let mut api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    api.local.netaxept().inject_fault(
        local::netaxept::Operation::Process,
        local::netaxept::FaultKind::DropReply,
        1,
    );
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let body = json!({ "TransactionId": transaction }).to_string();
    let response =
        api.send("POST", &path, &[("content-type", "application/json")], Some(&body)).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(
        api.log_lines("receive-netaxept-callback", "callback not completed: left to the schedule")
            .len(),
        1
    );
    api.advance_and_run_schedules("PT1M").await;
    assert_eq!(api.received_event_types(), ["recurring-payment.activated"]);
}

#[tokio::test]
async fn an_invalid_callback_url_is_rejected_by_create_terminal() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    for (address, code) in [
        ("http://shop.example/hook", "scheme"),
        ("https://10.0.0.1/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://user:pass@shop.example/", "user"),
        ("ftp://shop.example", "scheme"),
        ("http://127.0.0.2:3001/inbox", "scheme"),
    ] {
        let body = json!({ "redirectUrl": "https://shop.example", "callbackUrl": address });
        let response = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        assert_eq!(response.problem().0, 400, "{address}");
        assert_eq!(
            (&response.json()["errors"][0]["field"], &response.json()["errors"][0]["code"]),
            (&json!("callbackUrl"), &json!(code)),
            "{address}"
        );
    }
    assert_eq!(api.local.netaxept().transactions(), json!([]));
}
