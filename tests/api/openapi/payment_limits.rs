//! Compares the values that the operations on payments accept with the schemas of `openapi.yaml`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Document;
use super::payments::{COLLECTION, CREDIT, TERMINAL, order, pay, store_card};
use super::responses::{Scenario, terminal_request};
use crate::VISA;

/// The schema of a new payment and the service accept the same values at each limit.
#[tokio::test]
async fn the_limits_of_a_new_payment_are_those_of_the_service() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let document = Document::read();
    let long = "9".repeat(13);
    let mut schema = json!({ "$ref": "#/components/schemas/NewPayment" });
    schema["components"] = document.0["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let amounts = [
        (json!("100.00"), true),
        (json!("100"), true),
        (json!("0.01"), true),
        (json!("0.10000"), true),
        (json!("7.5"), true),
        (json!(format!("{long}.99")), true),
        (json!(format!("{long}9")), false),
        (json!("0.001"), false),
        (json!("0.010001"), false),
        (json!("0"), false),
        (json!("0.00"), false),
        (json!("01"), false),
        (json!("1."), false),
        (json!(".5"), false),
        (json!("1,00"), false),
        (json!("-1"), false),
        (json!("+1"), false),
        (json!(" 1"), false),
        (json!("1e2"), false),
        (json!("１"), false),
        (json!(""), false),
        (json!(100), false),
        (Value::Null, false),
    ];
    let of_amount = |(amount, is_valid): (Value, bool)| {
        (json!({ "totalAmount": amount, "transaction": { "amount": amount } }), is_valid)
    };
    let longest = "~".repeat(64);
    let of_member = [
        (json!({ "orderId": "!" }), true),
        (json!({ "orderId": longest }), true),
        (json!({ "orderId": format!("{longest}~") }), false),
        (json!({ "orderId": "" }), false),
        (json!({ "orderId": "a b" }), false),
        (json!({ "orderId": "ø" }), false),
        (json!({ "orderId": 1 }), false),
        (json!({ "orderId": null }), false),
        (json!({ "orderVersion": 1 }), true),
        (json!({ "orderVersion": 2_147_483_648_u64 }), true),
        (json!({ "orderVersion": null }), true),
        (json!({ "orderVersion": 0 }), false),
        (json!({ "orderVersion": 2_147_483_649_u64 }), false),
        (json!({ "orderVersion": "1" }), false),
        (json!({ "orderVersion": 1.5 }), false),
        (json!({ "currency": "NOK" }), true),
        (json!({ "currency": null }), true),
        (json!({ "currency": "nok" }), false),
        (json!({ "currency": "USD" }), false),
        (json!({ "transaction": { "currency": "NOK" } }), true),
        (json!({ "transaction": { "currency": null } }), true),
        (json!({ "transaction": { "currency": "JPY" } }), false),
        (json!({ "transaction": { "recurringPaymentId": card.to_string() } }), false),
        (json!({ "transaction": { "recurringPaymentId": null } }), false),
        (json!({ "transaction": { "recurringPaymentId": 0 } }), false),
        (json!({ "transaction": { "isImport": false } }), true),
        (json!({ "transaction": { "isImport": true } }), false),
        (json!({ "transaction": { "paymentAgreementId": null } }), true),
        (json!({ "transaction": { "paymentAgreementId": 4711 } }), false),
        (
            json!({ "transaction": { "paymentType": "VISA", "paymentTypeGroup": "PAYMENTCARD" } }),
            true,
        ),
        (json!({ "transaction": null }), false),
        (json!({ "transaction": [] }), false),
    ];
    for (number, (change, is_valid)) in
        amounts.into_iter().map(of_amount).chain(of_member).enumerate()
    {
        let mut body = order(&format!("limits-{number}"), &card, "100.00");
        merge(&mut body, &change);
        assert_eq!(schema.is_valid(&body), is_valid, "{body}");
        let response = scenario.api.call("POST", COLLECTION, Some(&body)).await;
        assert_eq!(response.status.is_success(), is_valid, "{body}: {response:?}");
        let expected = if is_valid { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status, expected, "{body}: {response:?}");
    }
}

/// The schema of a terminal and the service accept the same values.
#[tokio::test]
async fn the_limits_of_a_payment_terminal_are_those_of_the_service() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let document = Document::read();
    let mut schema = json!({ "$ref": "#/components/schemas/PaymentTerminalRequest" });
    schema["components"] = document.0["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (number, (change, is_valid)) in [
        (json!({ "redirectUrl": null }), false),
        (json!({ "redirectUrl": "ftp://a" }), false),
        (json!({ "redirectUrl": format!("https://a/{}", "b".repeat(1023)) }), false),
        (json!({ "redirectUrl": format!("https://a/{}", "b".repeat(1022)) }), true),
        (json!({ "autoSale": false, "storePayment": true, "singlePage": true }), true),
        (json!({ "autoSale": true }), true),
        (json!({ "autoSale": true, "transactionType": "MIT_UCOF" }), true),
        (json!({ "autoSale": "true" }), false),
        (json!({ "storePayment": "yes" }), false),
        (json!({ "callbackUrl": "https://shop.example/hook" }), true),
        (json!({ "callbackUrl": format!("https://a/{}", "b".repeat(1022)) }), true),
        (json!({ "callbackUrl": format!("https://a/{}", "b".repeat(1023)) }), false),
        (json!({ "callbackUrl": "shop.example" }), false),
        (json!({ "callbackUrl": 1 }), false),
        (json!({ "countryCode": "SE", "terminalLanguage": "en-GB" }), true),
        (json!({ "countryCode": "no" }), false),
        (json!({ "transactionType": "MIT_UCOF" }), true),
        (json!({ "transactionType": "MIT" }), false),
        (
            json!({ "autoSale": null, "callbackUrl": null, "countryCode": null, "singlePage": null,
                "storePayment": null, "terminalLanguage": null, "transactionType": null }),
            true,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let ids = pay(&mut scenario, &format!("limits-{number}"), &card, "100.00").await;
        let mut body = terminal_request();
        merge(&mut body, &change);
        assert_eq!(schema.is_valid(&body), is_valid, "{body}");
        let response = scenario.call("POST", TERMINAL, &ids, Some(&body)).await;
        let expected = if is_valid { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status, expected, "{body}: {response:?}");
    }
}

/// The schema of a credit and the service accept the same values.
#[tokio::test]
async fn the_limits_of_a_credit_are_those_of_the_service() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let ids = scenario.pay_and_capture("limits", &card).await;
    let document = Document::read();
    let mut schema = json!({ "$ref": "#/components/schemas/CreditRequest" });
    schema["components"] = document.0["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (body, is_valid) in [
        (json!({ "creditedAmount": "0.01" }), true),
        (json!({ "creditedAmount": "0.10000", "reason": "late" }), true),
        (json!({ "creditedAmount": "7" }), true),
        (json!({ "creditedAmount": "0.00" }), false),
        (json!({ "creditedAmount": "7.001" }), false),
        (json!({ "creditedAmount": "-7" }), false),
        (json!({ "creditedAmount": "7,00" }), false),
        (json!({ "creditedAmount": 7 }), false),
        (json!({ "creditedAmount": null }), false),
        (json!({ "creditAmount": "7.00" }), false),
        (json!({}), false),
        (json!([]), false),
        (json!("7.00"), false),
        (json!({ "creditedAmount": "100.00" }), true),
    ] {
        assert_eq!(schema.is_valid(&body), is_valid, "{body}");
        let response = scenario.call("PUT", CREDIT, &ids, Some(&body)).await;
        let expected = if is_valid { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status, expected, "{body}: {response:?}");
    }
}

/// Sets the members of `change` in `body`, also those of nested objects.
fn merge(body: &mut Value, change: &Value) {
    match (body, change) {
        (Value::Object(body), Value::Object(change)) => {
            for (name, value) in change {
                merge(body.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (body, value) => *body = value.clone(),
    }
}
