//! The cost of rejected requests: none if the wallet is not needed, otherwise one read.

use serde_json::{Value, json};

use super::Step;
use super::model::{NO_REQUESTS, READ};
use crate::{PAYMENTS, TestApi, operations_with_id};

#[tokio::test]
async fn requests_rejected_before_the_wallet_is_read_cost_nothing() {
    let api = TestApi::new().await;
    let reader = api.token("partner-readonly", json!({})).await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.local.dynamodb().clear_requests();
    let invalid = json!({ "nickname": 1, "redirectUrl": 1 });
    for (method, tail, body) in operations_with_id(&invalid) {
        let path = format!("{PAYMENTS}/{id}{tail}");
        let invalid_id = api.call(method, &format!("{PAYMENTS}/x{tail}"), body).await;
        let unauthenticated = api.call_as("no token", method, &path, body).await;
        let statuses = [invalid_id.status.as_u16(), unauthenticated.status.as_u16()];
        assert_eq!(statuses, [400, 401], "{method} {tail}");
        api.assert_requests(NO_REQUESTS, &format!("{method} {tail}"));
        if let Some(body) = body {
            let invalid = api.call(method, &path, Some(body)).await;
            assert_eq!(invalid.status.as_u16(), 400, "{method} {tail}");
            api.assert_requests(NO_REQUESTS, &format!("{method} {tail}, with an invalid body"));
        }
        if method != "GET" {
            let forbidden = api.call_as(&reader, method, &path, body).await;
            assert_eq!(forbidden.status.as_u16(), 403, "{method} {tail}");
            api.assert_requests(NO_REQUESTS, &format!("{method} {tail}, without the permission"));
        }
    }
    for (method, path, body) in [
        ("GET", PAYMENTS.to_owned(), None),
        ("GET", format!("{PAYMENTS}?customerNumber=ne:4711"), None),
        ("POST", PAYMENTS.to_owned(), Some(json!({}))),
    ] {
        assert_eq!(api.call(method, &path, body.as_ref()).await.status.as_u16(), 400);
        api.assert_requests(NO_REQUESTS, &path);
    }
}

/// An unknown id, and the id of another organisation's customer.
#[tokio::test]
async fn not_found_costs_a_read() {
    let api = TestApi::new().await;
    let other = api.token("partner-other", json!({})).await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].as_u64().unwrap();
    api.local.dynamodb().clear_requests();
    let body = json!({ "nickname": "Kort", "redirectUrl": "https://shop.example" });
    for (method, tail, body) in operations_with_id(&body) {
        for (token, id) in [(&other, id), (&api.partner, id + 1), (&api.partner, id + 1024)] {
            let path = format!("{PAYMENTS}/{id}{tail}");
            let response = api.call_as(token, method, &path, body).await;
            assert_eq!(response.status.as_u16(), 404, "{method} {path}");
            api.assert_requests(READ, &format!("{method} {path}"));
        }
    }
}

/// Requests that a rule of the wallet rejects.
#[tokio::test]
async fn requests_rejected_by_a_rule_cost_a_read() {
    let api = TestApi::new().await;
    let mut customer = api.customer_with_cards("4711".to_owned(), 1).await;
    customer.key = Some("a-key-of-this-customer");
    customer.perform(Step::Create).await;
    let path = |id: &Value, tail: &str| format!("{PAYMENTS}/{id}{tail}");
    let (created, active) =
        (customer.id.clone(), api.list("4711").await[0]["recurringPaymentId"].clone());
    let terminal = json!({ "redirectUrl": "https://shop.example" });
    for _ in 0..5 {
        api.call("POST", &path(&created, "/terminal"), Some(&terminal)).await;
    }
    let another = json!({ "customerNumber": "4711", "nickname": "Kort" });
    let other_customer = json!({ "customerNumber": "4712" });
    let not_primary = json!({ "isPrimary": false });
    api.local.dynamodb().clear_requests();
    assert_eq!(customer.post(PAYMENTS, &another).await.problem().1, "idempotency-key-reused");
    api.assert_requests(READ, "a reused key");
    for (method, path, body, expected) in [
        ("POST", path(&created, "/terminal"), &terminal, (429, "too-many-terminals")),
        ("POST", path(&active, "/terminal"), &terminal, (409, "not-awaiting-card")),
        ("PATCH", path(&active, ""), &not_primary, (409, "primary-needs-successor")),
        ("PATCH", path(&active, ""), &other_customer, (400, "invalid-request")),
    ] {
        let (status, problem) = api.call(method, &path, Some(body)).await.problem();
        assert_eq!((status, problem.as_str()), expected, "{method} {path}");
        api.assert_requests(READ, &format!("{method} {path}"));
    }
    api.call("DELETE", &path(&created, ""), None).await;
    api.local.dynamodb().clear_requests();
    let choose = json!({ "isPrimary": true });
    for (method, tail, body) in [("PATCH", "", Some(&choose)), ("PUT", "/authorize", None)] {
        let response = api.call(method, &path(&created, tail), body).await;
        assert_eq!(response.status.as_u16(), 409, "{method} {tail}");
        api.assert_requests(READ, &format!("{method} {tail} after the end"));
    }
}
