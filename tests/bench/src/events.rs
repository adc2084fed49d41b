//! Events of API Gateway and `EventBridge` Scheduler: those of `tests/events/`, with other customers and instants.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Error;

/// The instant of the first event: 2026-11-23T10:00:00Z, in milliseconds.
pub(crate) const START: i64 = 1_795_428_000_000;
/// An hour, in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// Reads an event of `tests/events/` and sets its instant.
fn event(file: &str, at: i64) -> Result<Value, Error> {
    let path = local::binaries::root().join("tests/events").join(file);
    let text = std::fs::read_to_string(path).map_err(|error| Error::failed(file, error))?;
    let mut event: Value =
        serde_json::from_str(&text).map_err(|error| Error::failed(file, error))?;
    let context = &mut event["requestContext"];
    context["timeEpoch"] = at.into();
    if let Some(expires_at) = context.pointer_mut("/authorizer/lambda/expiresAt") {
        *expires_at = ((at + HOUR) / 1000).to_string().into();
    }
    Ok(event)
}

/// Sets the recurring payment of an event.
fn with_payment(mut event: Value, id: u64) -> Value {
    let before = event["pathParameters"]["recurringPaymentId"].as_str().unwrap_or_default();
    let (before, id) = (before.to_owned(), id.to_string());
    for path in ["/rawPath", "/requestContext/http/path"] {
        if let Some(path) = event.pointer_mut(path) {
            *path = path.as_str().unwrap_or_default().replace(&before, &id).into();
        }
    }
    event["pathParameters"]["recurringPaymentId"] = id.into();
    event
}

/// Sets the body of an event.
fn with_body(mut event: Value, body: &Value) -> Value {
    let text = body.to_string();
    event["headers"]["content-length"] = text.len().to_string().into();
    event["body"] = text.into();
    event
}

/// Lists the recurring payments of a customer.
pub(crate) fn list(customer: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("07-list-recurring-payments.json", at)?;
    event["rawQueryString"] = format!("customerNumber={customer}").into();
    event["queryStringParameters"]["customerNumber"] = customer.into();
    Ok(event)
}

/// Gets a recurring payment.
pub(crate) fn get(id: u64, at: i64) -> Result<Value, Error> {
    Ok(with_payment(event("10-get-recurring-payment.json", at)?, id))
}

/// Gets the history of a recurring payment.
pub(crate) fn history(id: u64, at: i64) -> Result<Value, Error> {
    Ok(with_payment(event("51-get-history.json", at)?, id))
}

/// Creates a recurring payment without an idempotency key.
pub(crate) fn create(customer: &str, at: i64) -> Result<Value, Error> {
    let event = event("03-create-recurring-payment-second.json", at)?;
    Ok(with_body(event, &json!({ "customerNumber": customer, "nickname": "Kort" })))
}

/// Changes the nickname.
pub(crate) fn update(id: u64, nickname: &str, at: i64) -> Result<Value, Error> {
    let event = with_payment(event("13-update-recurring-payment.json", at)?, id);
    Ok(with_body(event, &json!({ "nickname": nickname })))
}

/// Ends a recurring payment.
pub(crate) fn end(id: u64, at: i64) -> Result<Value, Error> {
    Ok(with_payment(event("42-end-recurring-payment.json", at)?, id))
}

/// Opens a terminal.
pub(crate) fn terminal(id: u64, at: i64) -> Result<Value, Error> {
    Ok(with_payment(event("16-create-terminal.json", at)?, id))
}

/// Authorizes a recurring payment.
pub(crate) fn authorize(id: u64, at: i64) -> Result<Value, Error> {
    Ok(with_payment(event("18-authorize-recurring-payment.json", at)?, id))
}

/// A callback of Nets.
pub(crate) fn callback(transaction: u64, at: i64) -> Result<Value, Error> {
    let event = event("19-receive-netaxept-callback.json", at)?;
    Ok(with_body(event, &json!({ "TransactionId": transaction.to_string() })))
}

/// Erases a customer.
pub(crate) fn erase(customer: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("49-erase-customer.json", at)?;
    let before = event["pathParameters"]["customerNumber"].as_str().unwrap_or_default().to_owned();
    for path in ["/rawPath", "/requestContext/http/path"] {
        if let Some(path) = event.pointer_mut(path) {
            *path = path.as_str().unwrap_or_default().replace(&before, customer).into();
        }
    }
    event["pathParameters"]["customerNumber"] = customer.into();
    Ok(event)
}

/// Creates a payment of an order with a stored card.
pub(crate) fn create_payment(order: &str, card: u64, at: i64) -> Result<Value, Error> {
    let event = event("29-create-payment-second.json", at)?;
    let transaction = json!({ "amount": "100.00", "currency": "NOK", "recurringPaymentId": card });
    let body = json!({
        "orderId": order, "orderVersion": 1, "totalAmount": "100.00", "transaction": transaction,
    });
    Ok(with_body(event, &body))
}

/// An operation on a transaction or on its payment.
pub(crate) fn transaction(function: &str, transaction: u64, at: i64) -> Result<Value, Error> {
    let file = match function {
        "create-payment-terminal" => "25-create-payment-terminal.json",
        "capture-transaction" => "26-capture-transaction.json",
        "get-transaction" => "27-get-transaction.json",
        "cancel-transaction" => "36-cancel-transaction.json",
        "get-payment" => "37-get-payment.json",
        "credit-transaction" => "45-credit-transaction-everything.json",
        other => return Err(Error::failed(other, "it has no event with a transaction")),
    };
    let mut event = event(file, at)?;
    let ids = [("paymentId", transaction >> 4), ("transactionId", transaction)];
    let route = event["routeKey"].as_str().unwrap_or_default();
    let mut path = route.split_once(' ').map(|(_, path)| path).unwrap_or_default().to_owned();
    for (name, id) in ids {
        path = path.replace(&format!("{{{name}}}"), &id.to_string());
        if let Some(parameter) = event["pathParameters"].get_mut(name) {
            *parameter = id.to_string().into();
        }
    }
    event["rawPath"] = path.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
    Ok(event)
}

/// A request with a token, for the authorizer.
pub(crate) fn authorizer(token: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("01-authorizer-refused.json", at)?;
    let bearer = format!("Bearer {token}");
    event["identitySource"] = json!([bearer]);
    event["headers"]["authorization"] = bearer.into();
    Ok(event)
}

/// A scheduled run: `46-expire-recurring-payments.json`, `22-finish-terminals.json` or `35-settle-payments.json`.
pub(crate) fn schedule(file: &str, at: i64) -> Result<Value, Error> {
    let mut event = event(file, at)?;
    let time = Timestamp::from_millisecond(at).map_err(|error| Error::failed(file, error))?;
    event["time"] = time.to_string().into();
    if let Some(members) = event.as_object_mut() {
        members.remove("requestContext");
    }
    Ok(event)
}
