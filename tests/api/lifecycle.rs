//! The life of a recurring payment from create to end, as in the quick start of README.md.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA};

/// A customer number that does not occur elsewhere by chance.
const CUSTOMER: &str = "customer-4711";

#[tokio::test]
async fn create_authorize_choose_and_end() {
    let api = TestApi::new().await;
    let first = api.create(CUSTOMER, json!({ "nickname": " Kort " })).await;
    assert_eq!(
        (&first["primary"], &first["recurringStatus"], &first["nickname"]),
        (&json!(true), &json!("CREATED"), &json!("Kort"))
    );
    let second = api.create(CUSTOMER, json!({})).await;
    assert_eq!((&second["primary"], second.get("nickname")), (&json!(false), None));
    api.call("DELETE", &format!("{PAYMENTS}/{}", second["recurringPaymentId"]), None).await;
    let second = api.create(CUSTOMER, json!({ "isPrimary": true })).await;
    assert_eq!(second["primary"], true);
    let primaries = |list: &[Value]| {
        list.iter().map(|payment| payment["primary"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(primaries(&api.list(CUSTOMER).await), [false, true]);

    let (first, second) = (&first["recurringPaymentId"], &second["recurringPaymentId"]);
    let body = json!({ "redirectUrl": "https://shop.example/done?a=b" });
    let terminal = api.call("POST", &format!("{PAYMENTS}/{second}/terminal"), Some(&body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    let terminal = terminal.json();
    assert_eq!((&terminal["recurringPaymentId"], &terminal["paymentId"]), (second, second));
    assert_eq!(api.authorize(second).await.problem(), (409, "terminal-open".to_owned()));
    let location =
        api.submit_card(terminal["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    let transaction = &terminal["transactionId"];
    let expected = format!(
        "https://shop.example/done?a=b&recurringPaymentId={second}&transactionId={transaction}&responseCode=OK"
    );
    assert_eq!(location, expected);

    let active = api.authorize(second).await;
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
    assert_eq!(api.authorize(second).await.text, active.text, "authorize again");
    api.use_terminal(first, "5413000000000000", "okButton").await;
    assert_eq!(api.authorize(first).await.json()["paymentType"], "MASTERCARD");
    let chosen = api
        .call("PATCH", &format!("{PAYMENTS}/{first}"), Some(&json!({ "isPrimary": true })))
        .await;
    assert_eq!((chosen.status, &chosen.json()["primary"]), (StatusCode::OK, &json!(true)));
    assert_eq!(primaries(&api.list(CUSTOMER).await), [true, false]);

    let ended = api.call("DELETE", &format!("{PAYMENTS}/{first}"), None).await;
    assert_eq!(
        (ended.status, &ended.json()["recurringStatus"]),
        (StatusCode::OK, &json!("CANCELLED"))
    );
    let left = api.list(CUSTOMER).await;
    assert_eq!(
        (left.len(), &left[0]["recurringPaymentId"], &left[0]["primary"]),
        (1, second, &json!(true))
    );
    assert_eq!(
        api.call("DELETE", &format!("{PAYMENTS}/{first}"), None).await.text,
        ended.text,
        "ended twice"
    );
    assert_eq!(api.call("GET", &format!("{PAYMENTS}/{first}"), None).await.text, ended.text);
    assert_nothing_leaked(&api).await;
}

/// No log line contains the pan hash, the PSP token, the JWT, the card number or the customer number.
async fn assert_nothing_leaked(api: &TestApi) {
    let table = api
        .local
        .dynamodb()
        .call("Scan", &json!({ "TableName": "Wallets" }))
        .await
        .unwrap()
        .to_string();
    let hash = pan_hash(&table).unwrap();
    assert!(
        !table.contains(CUSTOMER) && !table.contains(VISA),
        "the table has no customer number and no card number"
    );
    let lines: Vec<String> = api.local.lambda().lines().into_iter().map(|line| line.line).collect();
    assert!(lines.iter().any(|line| line.contains(r#""message":"request""#)));
    for secret in [&hash, local::netaxept::TOKEN, &api.partner, VISA, CUSTOMER] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}");
    }
}

/// Finds the pan hash in a scan of a table with one card: the only base64 string of 28 characters.
fn pan_hash(table: &str) -> Option<String> {
    let is_hash = |text: &&str| text.len() == 28 && text.ends_with('=');
    table.split('"').find(is_hash).map(str::to_owned)
}

#[tokio::test]
async fn an_expired_card_is_listed_only_with_include_expired() {
    let mut api = TestApi::new().await;
    let id = api.create_active("4711").await;
    api.local.clock().advance("P3Y").unwrap();
    api.partner = api.token("partner-demo", json!({})).await;
    assert_eq!(api.list("4711").await, Vec::<Value>::new());
    let all = api
        .call("GET", &format!("{PAYMENTS}?customerNumber=eq%3A4711&includeExpired=true"), None)
        .await
        .json();
    assert_eq!(
        (&all[0]["recurringPaymentId"], &all[0]["recurringStatus"]),
        (&id, &json!("EXPIRED"))
    );
    assert_eq!(all[0]["primary"], false);
    let chosen =
        api.call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "isPrimary": true }))).await;
    assert_eq!(chosen.problem(), (409, "never-primary".to_owned()));
    let item = api.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await.unwrap();
    assert!(pan_hash(&item.to_string()).is_some(), "not written since the expiry");
    let renamed = api
        .call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "nickname": "Gammelt" })))
        .await;
    assert_eq!(renamed.status, StatusCode::OK);
    let item = api.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await.unwrap();
    assert_eq!(
        pan_hash(&item.to_string()),
        None,
        "the first write after the expiry removes the hash"
    );
}

#[tokio::test]
async fn a_terminal_can_be_opened_again_after_cancel_decline_and_timeout() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(api.authorize(&id).await.problem(), (409, "no-terminal".to_owned()));
    let location = api.use_terminal(&id, VISA, "cancelButton").await;
    assert!(location.ends_with("&responseCode=Cancel"));
    assert_eq!(api.authorize(&id).await.problem(), (409, "terminal-cancelled".to_owned()));
    api.use_terminal(&id, "4925000000000087", "okButton").await;
    let declined = api.authorize(&id).await;
    assert_eq!(
        (declined.problem(), &declined.json()["errorReason"]),
        ((409, "declined".to_owned()), &json!("REFUSED_BY_ISSUER"))
    );
    assert_eq!(
        api.authorize(&id).await.problem(),
        (409, "declined".to_owned()),
        "Nets does not process the card again"
    );
    let body = json!({ "redirectUrl": "https://shop.example" });
    let terminal = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(terminal.status, StatusCode::CREATED);
    api.local.clock().advance("PT15M").unwrap();
    assert_eq!(api.authorize(&id).await.problem(), (409, "terminal-timed-out".to_owned()));
    api.use_terminal(&id, VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.json()["recurringStatus"], "ACTIVE");
    let again = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(again.problem(), (409, "not-awaiting-card".to_owned()));
}

/// Rule 6: a new terminal does not void an older one that the customer completes.
#[tokio::test]
async fn the_first_completed_terminal_counts() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let body = json!({ "redirectUrl": "https://shop.example" });
    let path = format!("{PAYMENTS}/{id}/terminal");
    let older = api.call("POST", &path, Some(&body)).await.json();
    let newer = api.call("POST", &path, Some(&body)).await.json();
    assert_ne!(older["transactionId"], newer["transactionId"]);
    api.submit_card(older["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.json()["recurringStatus"], "ACTIVE");
}

/// Language tags with `-` or `_`, in any case. An unknown language becomes the default.
#[tokio::test]
async fn the_terminal_page_has_the_requested_language() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    for (tag, shown) in [("en_GB", "en"), ("en-GB", "en"), ("EN-gb", "en"), ("tlh-KL", "nb")] {
        let body = json!({ "redirectUrl": "https://shop.example", "terminalLanguage": tag });
        let terminal = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        let uri = terminal.json()["terminalUri"].as_str().unwrap().to_owned();
        let page = api.http.get(uri).send().await.unwrap().text().await.unwrap();
        assert!(page.contains(&format!("<html lang=\"{shown}\"")), "{tag}: {page}");
    }
}

#[tokio::test]
async fn a_sixth_terminal_within_an_hour_is_rejected() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (path, body) =
        (format!("{PAYMENTS}/{id}/terminal"), json!({ "redirectUrl": "https://shop.example" }));
    for _ in 0..5 {
        assert_eq!(api.call("POST", &path, Some(&body)).await.status, StatusCode::CREATED);
    }
    let rejected = api.call("POST", &path, Some(&body)).await;
    assert_eq!(rejected.problem(), (429, "too-many-terminals".to_owned()));
    let wait: u64 = rejected.header("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_repeated_idempotency_key_creates_once() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
    ];
    let (body, other) =
        (r#"{"customerNumber":"4711","nickname":"Kort"}"#, r#"{"customerNumber":"4711"}"#);
    let first = api.send("POST", PAYMENTS, &headers, Some(body)).await;
    let again = api.send("POST", PAYMENTS, &headers, Some(body)).await;
    assert_eq!(
        (first.status, &first.text, first.header("location")),
        (again.status, &again.text, again.header("location"))
    );
    assert_eq!(
        api.send("POST", PAYMENTS, &headers, Some(other)).await.problem(),
        (409, "idempotency-key-reused".to_owned())
    );
    assert_eq!(api.list("4711").await.len(), 1);
}
