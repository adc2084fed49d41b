//! The requests of payments as events for the functions, and the exchanges with the table of payments as events for the checker.

use local::dynamodb::Exchange;
use serde::Deserialize;
use serde_json::json;

use super::checker::PaymentEvent;
use super::item::Payment;
use super::operation::{ChargeTerminal, NewOrder, PaymentOperation};
use super::representation::amount;
use crate::order::lambda::Parts;

/// The table of payments.
pub(in crate::order) const TABLE: &str = "Payments";

const PAYMENTS: &str = "/v1/payments";
const TRANSACTION: &str = "/v1/payments/{paymentId}/transactions/{transactionId}";

/// The parts of a request. `None` for the schedule.
pub(in crate::order) fn parts(operation: &PaymentOperation) -> Option<Parts> {
    let on_transaction = |method: &str, id: u64, end: &str| Parts {
        path: format!("{PAYMENTS}/{}/transactions/{id}{end}", id >> 4),
        parameters: vec![("paymentId", (id >> 4).to_string()), ("transactionId", id.to_string())],
        ..Parts::new(method, &format!("{TRANSACTION}{end}"))
    };
    Some(match operation {
        PaymentOperation::Create(NewOrder { order, minor, card }) => {
            let amount = amount(*minor);
            let transaction =
                json!({ "amount": amount, "currency": "NOK", "recurringPaymentId": card });
            let body = json!({
                "orderId": order, "orderVersion": 1, "totalAmount": amount, "transaction": transaction,
            });
            Parts { body: Some(body), ..Parts::new("POST", PAYMENTS) }
        }
        PaymentOperation::Terminal(id, ChargeTerminal { is_merchant, auto_sale }) => {
            let mut body = json!({ "redirectUrl": "https://shop.example/done" });
            if *is_merchant {
                body["transactionType"] = "MIT_UCOF".into();
            }
            if *auto_sale {
                body["autoSale"] = true.into();
            }
            Parts { body: Some(body), ..on_transaction("POST", *id, "/terminal") }
        }
        PaymentOperation::Capture(id) => on_transaction("PUT", *id, "/capture"),
        PaymentOperation::Cancel(id) => on_transaction("PUT", *id, "/cancel"),
        PaymentOperation::Credit(id, target) => {
            let body = target.map(|target| json!({ "creditedAmount": amount(target) }));
            Parts { body, ..on_transaction("PUT", *id, "/credit") }
        }
        PaymentOperation::GetTransaction(id) => on_transaction("GET", *id, ""),
        PaymentOperation::GetPayment(id) => Parts {
            path: format!("{PAYMENTS}/{id}"),
            parameters: vec![("paymentId", id.to_string())],
            ..Parts::new("GET", "/v1/payments/{paymentId}")
        },
        PaymentOperation::Callback(id) => Parts::callback(&id.to_string()),
        PaymentOperation::Settle => return None,
    })
}

#[derive(Deserialize)]
struct PutRequest {
    #[serde(rename = "Item")]
    item: Box<Payment>,
}

#[derive(Deserialize)]
struct GetRequest {
    #[serde(rename = "Key")]
    key: Key,
}

#[derive(Deserialize)]
struct Key {
    payment: Number,
}

#[derive(Deserialize)]
struct Number {
    #[serde(rename = "N")]
    n: String,
}

/// A response. A missing item is `null` or absent.
#[derive(Deserialize)]
struct ItemResponse {
    #[serde(rename = "Item")]
    item: Option<Box<Payment>>,
    #[serde(rename = "__type")]
    kind: Option<String>,
}

/// Returns the event of an exchange with the table of payments, if it has one.
///
/// # Errors
/// Fails if the request or response is not expected.
pub(in crate::order) fn table_event(
    exchange: &Exchange<'_>,
) -> serde_json::Result<Option<PaymentEvent>> {
    let is_success = exchange.status.is_success();
    match exchange.request.operation.as_str() {
        "PutItem" if is_success => {
            let put: PutRequest = serde_json::from_slice(exchange.request_body)?;
            Ok(Some(PaymentEvent::Written(put.item)))
        }
        "PutItem" => {
            let response: ItemResponse = serde_json::from_slice(exchange.response_body)?;
            let by_condition =
                response.kind.is_some_and(|kind| kind.ends_with("ConditionalCheckFailedException"));
            Ok(by_condition.then_some(PaymentEvent::ConditionFailed(response.item)))
        }
        "GetItem" if is_success => {
            let key: GetRequest = serde_json::from_slice(exchange.request_body)?;
            let id = key.key.payment.n.parse().unwrap_or_default();
            let response: ItemResponse = serde_json::from_slice(exchange.response_body)?;
            Ok(Some(PaymentEvent::Read(id, response.item)))
        }
        _ => Ok(None),
    }
}
