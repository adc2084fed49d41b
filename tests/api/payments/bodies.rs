//! Invalid request bodies and ids: 400, and nothing is stored (payments.md §4.2).

use serde_json::{Value, json};

use super::{AMOUNT, COLLECTION, DONE, order};
use crate::{Response, TestApi};

/// Replaces a member of a body, named by its JSON pointer. `null` removes it.
fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    body
}

/// The code of the error of a field, if the response has one.
fn code_of(response: &Response, field: &str) -> Option<String> {
    let body = response.json();
    let error = body["errors"].as_array()?.iter().find(|error| error["field"] == field)?.clone();
    error["code"].as_str().map(str::to_owned)
}

/// Amounts that are not accepted, in `totalAmount` and in `transaction.amount`.
#[tokio::test]
async fn invalid_amounts_are_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let valid = order("order-1", &card, AMOUNT);
    for (amount, code) in [
        (json!(100), "type"),
        (json!(100.00), "type"),
        (json!(true), "type"),
        (json!(["100.00"]), "type"),
        (json!({ "amount": "100.00" }), "type"),
        (Value::Null, "required"),
        (json!(""), "syntax"),
        (json!("0"), "zero"),
        (json!("0.00"), "zero"),
        (json!("0.00000"), "zero"),
        (json!("-1"), "syntax"),
        (json!("-100.00"), "syntax"),
        (json!("+1"), "syntax"),
        (json!(" 1"), "syntax"),
        (json!("1 "), "syntax"),
        (json!("1e2"), "syntax"),
        (json!("1E2"), "syntax"),
        (json!("0x10"), "syntax"),
        (json!("1,00"), "syntax"),
        (json!("1.000,00"), "syntax"),
        (json!("1 000"), "syntax"),
        (json!("1_000"), "syntax"),
        (json!("01"), "syntax"),
        (json!("00.01"), "syntax"),
        (json!(".5"), "syntax"),
        (json!("5."), "syntax"),
        (json!("1.2.3"), "syntax"),
        (json!("100.001"), "decimals"),
        (json!("0.001"), "decimals"),
        (json!("1.000000"), "syntax"),
        (json!("100000000000000"), "syntax"),
        (json!("99999999999999999999999999"), "syntax"),
        (json!("１００"), "syntax"),
        (json!("١٠٠"), "syntax"),
        (json!("NaN"), "syntax"),
        (json!("Infinity"), "syntax"),
        (json!("100.00 NOK"), "syntax"),
        (json!("1\u{0}"), "syntax"),
    ] {
        for (pointer, field) in
            [("/totalAmount", "totalAmount"), ("/transaction/amount", "transaction.amount")]
        {
            let body = with(&valid, pointer, amount.clone());
            let response = api.post_order(&body).await;
            assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
            assert_eq!(code_of(&response, field).as_deref(), Some(code), "{response:?}");
        }
    }
    assert_eq!(api.payment_items().await, Vec::<Value>::new());
}

/// Everything else in the body of a create request.
#[tokio::test]
async fn invalid_orders_are_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let valid = order("order-1", &card, AMOUNT);
    let id = "transaction.recurringPaymentId";
    for (pointer, value, field, code) in [
        ("/orderId", Value::Null, "orderId", "required"),
        ("/orderId", json!(1), "orderId", "type"),
        ("/orderId", json!(""), "orderId", "syntax"),
        ("/orderId", json!("a b"), "orderId", "syntax"),
        ("/orderId", json!("blåbær"), "orderId", "syntax"),
        ("/orderId", json!("a\n"), "orderId", "syntax"),
        ("/orderId", json!("x".repeat(65)), "orderId", "syntax"),
        ("/orderVersion", json!(0), "orderVersion", "range"),
        ("/orderVersion", json!(-1), "orderVersion", "range"),
        ("/orderVersion", json!(1.5), "orderVersion", "range"),
        ("/orderVersion", json!(2_147_483_649_u64), "orderVersion", "range"),
        ("/totalAmount", json!("100.01"), "totalAmount", "differs"),
        ("/transaction/amount", json!("99.99"), "totalAmount", "differs"),
        ("/transaction", json!([]), "transaction", "type"),
        ("/transaction/currency", json!("SEK"), "transaction.currency", "currency"),
        ("/transaction/currency", json!("USD"), "transaction.currency", "currency"),
        ("/transaction/currency", json!("nok"), "transaction.currency", "currency"),
        ("/transaction/currency", json!(578), "transaction.currency", "type"),
        ("/transaction/recurringPaymentId", Value::Null, id, "required"),
        ("/transaction/recurringPaymentId", json!(card.to_string()), id, "type"),
        ("/transaction/recurringPaymentId", json!(-1), id, "id"),
        ("/transaction/recurringPaymentId", json!(1.5), id, "id"),
        ("/transaction/recurringPaymentId", json!(0), id, "id"),
        ("/transaction/recurringPaymentId", json!(9_007_199_254_740_992_u64), id, "id"),
        (
            "/transaction/paymentAgreementId",
            json!(1),
            "transaction.paymentAgreementId",
            "unsupported",
        ),
        ("/transaction/isImport", json!(true), "transaction.isImport", "unsupported"),
    ] {
        let body = with(&valid, pointer, value);
        let response = api.post_order(&body).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        assert!(code_of(&response, field).is_some(), "{field} {code}: {response:?}");
        assert_eq!(code_of(&response, field).as_deref(), Some(code), "{response:?}");
    }
    // A new card, as Entur's web client pays with it.
    let new_card = json!({
        "orderId": "order-1", "orderVersion": 1, "totalAmount": AMOUNT,
        "transaction": {
            "amount": AMOUNT, "currency": "NOK", "paymentType": "VISA", "isImport": false,
            "paymentTypeGroup": "PAYMENTCARD",
        },
    });
    let response = api.post_order(&new_card).await;
    assert_eq!(code_of(&response, id).as_deref(), Some("required"), "{response:?}");
    let response = api.post_order(&with(&valid, "/transaction", Value::Null)).await;
    assert_eq!(code_of(&response, "transaction").as_deref(), Some("required"), "{response:?}");
    assert_eq!(api.payment_items().await, Vec::<Value>::new());
    // The limits that are accepted.
    for (pointer, value) in [
        ("/orderId", json!("x".repeat(64))),
        ("/orderVersion", json!(2_147_483_648_u64)),
        ("/orderVersion", Value::Null),
        ("/transaction/currency", Value::Null),
        ("/transaction/isImport", json!(false)),
        ("/transaction/paymentType", json!("VISA")),
    ] {
        let created = api.post_order(&with(&valid, pointer, value)).await;
        assert!(created.status.is_success(), "{pointer}: {created:?}");
    }
}

/// Members of a terminal request that would not have the effect that the client depends on.
#[tokio::test]
async fn a_terminal_with_invalid_members_is_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    for (body, field, code) in [
        (json!({}), "redirectUrl", "required"),
        (json!({ "redirectUrl": "ftp://a" }), "redirectUrl", "scheme"),
        (json!({ "redirectUrl": DONE, "autoSale": "true" }), "autoSale", "type"),
        (json!({ "redirectUrl": DONE, "autoSale": 1 }), "autoSale", "type"),
        (
            json!({ "redirectUrl": DONE, "callbackUrl": "http://a.example" }),
            "callbackUrl",
            "scheme",
        ),
        (
            json!({ "redirectUrl": DONE, "transactionType": "X" }),
            "transactionType",
            "transaction-type",
        ),
    ] {
        let response = api.call("POST", &charge.path("/terminal"), Some(&body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        assert_eq!(code_of(&response, field).as_deref(), Some(code), "{response:?}");
    }
    assert_eq!(api.ledger(charge), super::Ledger::default());
    assert_eq!(api.status(charge).await, "CREATED");
}

/// Ids that no payment or transaction can have.
#[tokio::test]
async fn invalid_ids_are_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    for (payment, transaction, field) in [
        ("0", "17", "paymentId"),
        ("x", "17", "paymentId"),
        ("9007199254740992", "17", "paymentId"),
        ("1", "0", "transactionId"),
        ("1", "-1", "transactionId"),
        ("1", "9007199254740992", "transactionId"),
    ] {
        for (method, tail) in [
            ("GET", ""),
            ("PUT", "/capture"),
            ("PUT", "/cancel"),
            ("PUT", "/credit"),
            ("POST", "/terminal"),
        ] {
            let path = format!("{COLLECTION}/{payment}/transactions/{transaction}{tail}");
            let body = (method == "POST").then(|| json!({ "redirectUrl": DONE }));
            let response = api.call(method, &path, body.as_ref()).await;
            assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{path}");
            assert_eq!(code_of(&response, field).as_deref(), Some("id"), "{path}");
        }
    }
    let response = api.call("GET", &format!("{COLLECTION}/x"), None).await;
    assert_eq!(code_of(&response, "paymentId").as_deref(), Some("id"));
    assert_eq!(api.status(charge).await, "CREATED");
}
