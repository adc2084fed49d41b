//! A card's life, from the first create to the end, as README.md walks it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World};

/// A customer whose number stands nowhere by chance.
const CUSTOMER: &str = "customer-4711";

#[tokio::test]
async fn the_whole_walk() {
    let world = World::new().await;
    let first = world.create(CUSTOMER, json!({ "nickname": " Kort " })).await;
    assert_eq!(
        (&first["primary"], &first["recurringStatus"], &first["nickname"]),
        (&json!(true), &json!("CREATED"), &json!("Kort"))
    );
    let second = world.create(CUSTOMER, json!({})).await;
    assert_eq!((&second["primary"], second.get("nickname")), (&json!(false), None));
    world.call("DELETE", &format!("{PAYMENTS}/{}", second["recurringPaymentId"]), None).await;
    let second = world.create(CUSTOMER, json!({ "isPrimary": true })).await;
    assert_eq!(second["primary"], true);
    let primaries = |list: &[Value]| {
        list.iter().map(|payment| payment["primary"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(primaries(&world.list(CUSTOMER).await), [false, true]);

    let (first, second) = (&first["recurringPaymentId"], &second["recurringPaymentId"]);
    let body = json!({ "redirectUrl": "https://shop.example/done?a=b" });
    let terminal = world.call("POST", &format!("{PAYMENTS}/{second}/terminal"), Some(&body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    let terminal = terminal.json();
    assert_eq!((&terminal["recurringPaymentId"], &terminal["paymentId"]), (second, second));
    assert_eq!(world.authorize(second).await.problem(), (409, "terminal-open".to_owned()));
    let location = world.press(terminal["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    let transaction = &terminal["transactionId"];
    let expected = format!(
        "https://shop.example/done?a=b&recurringPaymentId={second}&transactionId={transaction}&responseCode=OK"
    );
    assert_eq!(location, expected);

    let active = world.authorize(second).await;
    assert_eq!(active.status, StatusCode::OK);
    let card = active.json();
    for (member, value) in [
        ("recurringStatus", "ACTIVE"),
        ("paymentType", "VISA"),
        ("maskedPan", "0004"),
        ("cardExpiry", "2029-03"),
        ("cardExpiresAt", "2029-04-01T00:00:00.000Z"),
        ("expiresAt", "2029-04-01T00:00:00.000Z"),
    ] {
        assert_eq!(card[member], value, "{member}");
    }
    assert_eq!(world.authorize(second).await.text, active.text, "authorize again");
    world.visit(first, "5413000000000000", "okButton").await;
    assert_eq!(world.authorize(first).await.json()["paymentType"], "MASTERCARD");
    let chosen = world
        .call("PATCH", &format!("{PAYMENTS}/{first}"), Some(&json!({ "isPrimary": true })))
        .await;
    assert_eq!((chosen.status, &chosen.json()["primary"]), (StatusCode::OK, &json!(true)));
    assert_eq!(primaries(&world.list(CUSTOMER).await), [true, false]);

    let ended = world.call("DELETE", &format!("{PAYMENTS}/{first}"), None).await;
    assert_eq!(
        (ended.status, &ended.json()["recurringStatus"]),
        (StatusCode::OK, &json!("CANCELLED"))
    );
    let left = world.list(CUSTOMER).await;
    assert_eq!(
        (left.len(), &left[0]["recurringPaymentId"], &left[0]["primary"]),
        (1, second, &json!(true))
    );
    assert_eq!(
        world.call("DELETE", &format!("{PAYMENTS}/{first}"), None).await.text,
        ended.text,
        "ended twice"
    );
    assert_eq!(world.call("GET", &format!("{PAYMENTS}/{first}"), None).await.text, ended.text);
    nothing_leaked(&world).await;
}

/// Pan hash, PSP token, JWT, card and customer number are in no line that a function wrote.
async fn nothing_leaked(world: &World) {
    let table = world
        .local
        .dynamodb()
        .call("Scan", &json!({ "TableName": "Wallets" }))
        .await
        .unwrap()
        .to_string();
    let hash = pan_hash(&table).unwrap();
    assert!(
        !table.contains(CUSTOMER) && !table.contains(VISA),
        "the table knows neither customer nor card number"
    );
    let lines: Vec<String> =
        world.local.lambda().lines().into_iter().map(|line| line.line).collect();
    assert!(lines.iter().any(|line| line.contains("\"answered\"")));
    for secret in [&hash, local::netaxept::TOKEN, &world.partner, VISA, CUSTOMER] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}");
    }
}

/// The pan hash in a scan of the table with one card: the only text of 28 characters of base 64.
fn pan_hash(table: &str) -> Option<String> {
    let is_hash = |text: &&str| text.len() == 28 && text.ends_with('=');
    table.split('"').find(is_hash).map(str::to_owned)
}

#[tokio::test]
async fn time_expires_a_card_and_lists_hide_it() {
    let mut world = World::new().await;
    let id = world.active("4711").await;
    world.local.clock().advance("P3Y").unwrap();
    world.partner = world.token("partner-demo", json!({})).await;
    assert_eq!(world.list("4711").await, Vec::<Value>::new());
    let all = world
        .call("GET", &format!("{PAYMENTS}?customerNumber=eq%3A4711&includeExpired=true"), None)
        .await
        .json();
    assert_eq!(
        (&all[0]["recurringPaymentId"], &all[0]["recurringStatus"]),
        (&id, &json!("EXPIRED"))
    );
    assert_eq!(all[0]["primary"], false);
    let choose =
        world.call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "isPrimary": true }))).await;
    assert_eq!(choose.problem(), (409, "never-primary".to_owned()));
    let item =
        world.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await.unwrap();
    assert!(pan_hash(&item.to_string()).is_some(), "nobody wrote since");
    let renamed = world
        .call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "nickname": "Gammelt" })))
        .await;
    assert_eq!(renamed.status, StatusCode::OK);
    let item =
        world.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await.unwrap();
    assert_eq!(pan_hash(&item.to_string()), None, "the hash goes with the first write after");
}

#[tokio::test]
async fn cancelled_declined_timed_out_and_tried_again() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(world.authorize(&id).await.problem(), (409, "no-terminal".to_owned()));
    let location = world.visit(&id, VISA, "cancelButton").await;
    assert!(location.ends_with("&responseCode=Cancel"));
    assert_eq!(world.authorize(&id).await.problem(), (409, "terminal-cancelled".to_owned()));
    world.visit(&id, "4925000000000087", "okButton").await;
    let declined = world.authorize(&id).await;
    assert_eq!(
        (declined.problem(), &declined.json()["errorReason"]),
        ((409, "declined".to_owned()), &json!("REFUSED_BY_ISSUER"))
    );
    assert_eq!(
        world.authorize(&id).await.problem(),
        (409, "declined".to_owned()),
        "and is not tried again"
    );
    let body = json!({ "redirectUrl": "https://shop.example" });
    let terminal = world.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    world.local.clock().advance("PT15M").unwrap();
    assert_eq!(world.authorize(&id).await.problem(), (409, "terminal-timed-out".to_owned()));
    world.visit(&id, VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.json()["recurringStatus"], "ACTIVE");
    let again = world.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(again.problem(), (409, "not-awaiting-card".to_owned()));
}

/// Rule 6: a new terminal does not void an older one that the customer completes.
#[tokio::test]
async fn the_first_completed_terminal_counts() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let body = json!({ "redirectUrl": "https://shop.example" });
    let path = format!("{PAYMENTS}/{id}/terminal");
    let older = world.call("POST", &path, Some(&body)).await.json();
    let newer = world.call("POST", &path, Some(&body)).await.json();
    assert_ne!(older["transactionId"], newer["transactionId"]);
    world.press(older["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.json()["recurringStatus"], "ACTIVE");
}

/// A language tag in either spelling and any case; the default for what Nets does not have.
#[tokio::test]
async fn the_page_speaks_the_language_that_was_asked_for() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    for (tag, found) in [("en_GB", "en"), ("en-GB", "en"), ("EN-gb", "en"), ("tlh-KL", "nb")] {
        let body = json!({ "redirectUrl": "https://shop.example", "terminalLanguage": tag });
        let terminal = world.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        let uri = terminal.json()["terminalUri"].as_str().unwrap().to_owned();
        let page = world.http.get(uri).send().await.unwrap().text().await.unwrap();
        assert!(page.contains(&format!("<html lang=\"{found}\"")), "{tag}: {page}");
    }
}

#[tokio::test]
async fn five_terminals_an_hour() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (path, body) =
        (format!("{PAYMENTS}/{id}/terminal"), json!({ "redirectUrl": "https://shop.example" }));
    for _ in 0..5 {
        assert_eq!(world.call("POST", &path, Some(&body)).await.status, StatusCode::CREATED);
    }
    let refused = world.call("POST", &path, Some(&body)).await;
    assert_eq!(refused.problem(), (429, "too-many-terminals".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn the_same_key_creates_once() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
    ];
    let (body, other) =
        (r#"{"customerNumber":"4711","nickname":"Kort"}"#, r#"{"customerNumber":"4711"}"#);
    let first = world.send("POST", PAYMENTS, &headers, Some(body)).await;
    let again = world.send("POST", PAYMENTS, &headers, Some(body)).await;
    assert_eq!(
        (first.status, &first.text, first.header("location")),
        (again.status, &again.text, again.header("location"))
    );
    assert_eq!(
        world.send("POST", PAYMENTS, &headers, Some(other)).await.problem(),
        (409, "idempotency-key-reused".to_owned())
    );
    assert_eq!(world.list("4711").await.len(), 1);
}
