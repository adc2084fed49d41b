//! Access control: every operation for every kind of caller, with own, foreign and unknown ids.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, COLLECTION, Charge, DONE, Ledger, order};
use crate::{Response, TestApi, VISA};

/// Every operation on a payment or a transaction: method, and the path after the payment's.
const OPERATIONS: [(&str, Option<&str>); 6] = [
    ("GET", None),
    ("GET", Some("")),
    ("POST", Some("/terminal")),
    ("PUT", Some("/capture")),
    ("PUT", Some("/cancel")),
    ("PUT", Some("/credit")),
];

/// The body of an operation: of a terminal with or without the customer, and of a credit of a part, if it is not of everything.
fn body_of(tail: Option<&str>, is_merchant: bool) -> Option<Value> {
    match (tail?, is_merchant) {
        ("/terminal", false) => Some(json!({ "redirectUrl": DONE })),
        ("/terminal", true) => Some(super::merchant_initiated()),
        ("/credit", true) => Some(json!({ "creditedAmount": "0.01" })),
        _ => None,
    }
}

fn path_of(charge: Charge, tail: Option<&str>) -> String {
    tail.map_or_else(|| charge.payment_path(), |tail| charge.path(tail))
}

impl TestApi {
    /// Creates a payment for a customer of an organisation.
    async fn buy_in(&mut self, client: &str, customer: &str, order_id: &str) -> Charge {
        let token = self.token(client, json!({})).await;
        let partner = std::mem::replace(&mut self.partner, token);
        let card = self.create_agreed(customer, VISA).await;
        let charge = self.buy(order_id, &card, AMOUNT).await;
        self.partner = partner;
        charge
    }

    /// Sends an operation, always with the same correlation id.
    async fn operate(
        &self,
        token: &str,
        charge: Charge,
        (method, tail): (&str, Option<&str>),
        is_merchant: bool,
    ) -> Response {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("et-client-name", "tests-api"),
            ("x-correlation-id", "the-same"),
            ("content-type", "application/json"),
        ];
        let body = body_of(tail, is_merchant).map(|body| body.to_string());
        let headers = &headers[..if body.is_some() { 4 } else { 3 }];
        self.send(method, &path_of(charge, tail), headers, body.as_deref()).await
    }
}

/// A response without the values of the request: the ids in its path, and its time.
fn normalised(response: &Response, charge: Charge) -> (u16, Vec<(String, String)>, String) {
    let headers = response.headers.iter().filter(|(name, _)| *name != "date");
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut text = response.text.replace(&charge.transaction.to_string(), "TRANSACTION");
    text = text.replace(&charge.payment.to_string(), "PAYMENT");
    if let Some(time) = response.json()["timestamp"].as_str() {
        text = text.replace(time, "TIME");
    }
    (response.status.as_u16(), headers.collect(), text)
}

/// The ids of a payment that does not exist. They have as many digits as the others.
fn unknown(charge: Charge) -> Charge {
    let payment = charge.payment ^ 1;
    Charge { payment, transaction: payment << 4 | (charge.transaction & 15) }
}

/// Foreign, unknown and other organisations' ids get the same response, to the byte, with the same requests to the table.
#[tokio::test]
async fn foreign_and_unknown_ids_get_the_same_response() {
    let mut api = TestApi::new().await;
    let foreign = api.buy_in("partner-demo", "other", "order-1").await;
    let other_organisation = api.buy_in("partner-other", "own", "order-1").await;
    let own = api.buy_in("partner-demo", "own", "order-2").await;
    let traveller = api.token("traveller-demo", json!({ "customer_number": "own" })).await;
    let reader = api.token("partner-readonly", json!({})).await;
    let internal = api.token("internal-demo", json!({})).await;
    let at_nets = api.local.netaxept().transactions();
    for (name, token, hidden) in [
        ("partner", api.partner.clone(), vec![other_organisation]),
        ("internal", internal, vec![other_organisation]),
        ("reader", reader, vec![other_organisation]),
        ("traveller", traveller, vec![foreign, other_organisation]),
    ] {
        for operation @ (method, tail) in OPERATIONS.into_iter().chain([("GET", Some("?wait=20"))])
        {
            for is_merchant in [false, true] {
                // Refused before the payment is read, whatever the id is.
                let is_forbidden = match name {
                    "reader" => method != "GET",
                    "traveller" => is_merchant && tail == Some("/terminal"),
                    _ => false,
                };
                let mut responses = Vec::new();
                for charge in hidden.iter().copied().chain([unknown(own), unknown(foreign)]) {
                    api.local.dynamodb().clear_requests();
                    let response = api.operate(&token, charge, operation, is_merchant).await;
                    let expected =
                        if is_forbidden { (403, "forbidden") } else { (404, "not-found") };
                    assert_eq!(
                        response.problem(),
                        (expected.0, expected.1.to_owned()),
                        "{name}: {method} {tail:?}"
                    );
                    let detail = response.json()["detail"].clone();
                    assert!(is_forbidden || detail == "The payment was not found.", "{detail}");
                    responses
                        .push((normalised(&response, charge), api.local.dynamodb().requests()));
                }
                let first = &responses[0];
                assert!(
                    responses.iter().all(|one| one == first),
                    "{name}: {method} {tail:?}: {responses:?}"
                );
            }
        }
    }
    assert_eq!(api.local.netaxept().transactions(), at_nets);
    for charge in [foreign, own] {
        assert_eq!(api.status(charge).await, "CREATED");
    }
}

/// A transaction that the payment does not have, and one of another payment of the same caller.
#[tokio::test]
async fn a_transaction_of_another_payment_is_not_found() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let (one, two) = (api.buy("1", &card, AMOUNT).await, api.buy("2", &card, AMOUNT).await);
    for operation in &OPERATIONS[1..] {
        let mut responses = Vec::new();
        for transaction in [two.transaction, one.transaction + 1, two.transaction + 1] {
            let mixed = Charge { transaction, ..one };
            let response = api.operate(&api.partner, mixed, *operation, false).await;
            assert_eq!(response.problem(), (404, "not-found".to_owned()), "{operation:?}");
            responses.push(normalised(&response, mixed));
        }
        assert!(responses.iter().all(|one| *one == responses[0]), "{responses:?}");
    }
    for charge in [one, two] {
        assert_eq!(
            (api.status(charge).await, api.ledger(charge)),
            ("CREATED".to_owned(), Ledger::default())
        );
    }
}

/// A recurring payment in the body of create: unknown, of another customer, and of another organisation.
#[tokio::test]
async fn a_card_that_the_caller_may_not_use_is_not_found() {
    let api = TestApi::new().await;
    let own = api.create_active("own").await.as_u64().unwrap();
    let foreign = api.create_active("other").await.as_u64().unwrap();
    let other = api.token("partner-other", json!({})).await;
    let traveller = api.token("traveller-demo", json!({ "customer_number": "own" })).await;
    for (token, hidden) in [
        (&other, vec![own, foreign, own + 1, own + 1024]),
        (&traveller, vec![foreign, foreign + 1, own + 1, own + 1024]),
        (&api.partner, vec![own + 1, foreign + 1, own + 1024]),
    ] {
        let mut responses = Vec::new();
        for card in hidden {
            api.local.dynamodb().clear_requests();
            let bearer = format!("Bearer {token}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("et-client-name", "tests-api"),
                ("x-correlation-id", "the-same"),
                ("content-type", "application/json"),
            ];
            let body = order("order-1", &json!(card), AMOUNT).to_string();
            let response = api.send("POST", COLLECTION, &headers, Some(&body)).await;
            assert_eq!(response.problem(), (404, "not-found".to_owned()), "{response:?}");
            assert_eq!(response.json()["detail"], "The recurring payment was not found.");
            let ids = Charge { payment: card, transaction: card };
            responses.push((normalised(&response, ids), api.local.dynamodb().requests()));
        }
        assert!(responses.iter().all(|one| *one == responses[0]), "{responses:?}");
    }
    assert_eq!(api.payment_items().await, Vec::<Value>::new());
}

/// The permissions of each operation, and the customer's own payments.
#[tokio::test]
async fn each_operation_needs_its_permission() {
    let api = TestApi::new().await;
    let card = api.create_agreed("own", VISA).await;
    let reader = api.token("partner-readonly", json!({})).await;
    let traveller = api.token("traveller-demo", json!({ "customer_number": "own" })).await;
    let expired = api.token("partner-demo", json!({ "expires_in": -61 })).await;
    let create = order("order-1", &card, AMOUNT);
    for (token, expected) in [(&reader, 403), (&expired, 401), (&traveller, 201)] {
        let response = api.call_as(token, "POST", COLLECTION, Some(&create)).await;
        assert_eq!(response.status.as_u16(), expected, "{response:?}");
    }
    let created = api.post_order(&create).await;
    assert_eq!(created.status, StatusCode::OK, "the traveller's payment");
    let charge = Charge::newest(&created.json());
    for operation @ (method, tail) in OPERATIONS {
        let is_read = method == "GET";
        let response = api.operate(&reader, charge, operation, false).await;
        assert_eq!(response.status.as_u16(), if is_read { 200 } else { 403 }, "{method} {tail:?}");
        let response = api.operate(&expired, charge, operation, false).await;
        assert_eq!(response.problem(), (401, "unauthorized".to_owned()));
        let without = api.send(method, &path_of(charge, tail), &[], None).await;
        assert_eq!(without.status, StatusCode::UNAUTHORIZED);
        assert_eq!(without.text, r#"{"message":"Unauthorized"}"#);
    }
    assert_eq!(api.ledger(charge), Ledger::default());
    // In this order: get, get, terminal, capture before the page is completed, cancel, credit without a capture.
    for (operation, expected) in OPERATIONS.into_iter().zip([200, 200, 201, 409, 200, 409]) {
        let response = api.operate(&traveller, charge, operation, false).await;
        assert_eq!(response.status.as_u16(), expected, "{operation:?}: {response:?}");
    }
    assert_eq!(api.status(charge).await, "CANCELLED");
}
