//! Events of API Gateway and `EventBridge` Scheduler: those of `tests/events/`, about other customers at other times.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Error;

/// When the measurements begin: 2026-11-23T10:00:00Z, in milliseconds.
pub(crate) const BEGINS: i64 = 1_795_428_000_000;
/// An hour, in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// An event as `tests/events/` has it, at another time.
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

/// The same about another recurring payment.
fn about(mut event: Value, id: u64) -> Value {
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

/// The same with another body.
fn with(mut event: Value, body: &Value) -> Value {
    let text = body.to_string();
    event["headers"]["content-length"] = text.len().to_string().into();
    event["body"] = text.into();
    event
}

/// A customer lists.
pub(crate) fn list(customer: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("07-list-recurring-payments.json", at)?;
    event["rawQueryString"] = format!("customerNumber={customer}").into();
    event["queryStringParameters"]["customerNumber"] = customer.into();
    Ok(event)
}

/// One is looked at.
pub(crate) fn get(id: u64, at: i64) -> Result<Value, Error> {
    Ok(about(event("10-get-recurring-payment.json", at)?, id))
}

/// A new one, without an idempotency key.
pub(crate) fn create(customer: &str, at: i64) -> Result<Value, Error> {
    let event = event("03-create-recurring-payment-another.json", at)?;
    Ok(with(event, &json!({ "customerNumber": customer, "nickname": "Kort" })))
}

/// Another nickname.
pub(crate) fn update(id: u64, nickname: &str, at: i64) -> Result<Value, Error> {
    let event = about(event("13-update-recurring-payment.json", at)?, id);
    Ok(with(event, &json!({ "nickname": nickname })))
}

/// It ends.
pub(crate) fn end(id: u64, at: i64) -> Result<Value, Error> {
    Ok(about(event("23-end-recurring-payment.json", at)?, id))
}

/// A page at Nets.
pub(crate) fn terminal(id: u64, at: i64) -> Result<Value, Error> {
    Ok(about(event("16-create-terminal.json", at)?, id))
}

/// The card is verified and kept.
pub(crate) fn authorize(id: u64, at: i64) -> Result<Value, Error> {
    Ok(about(event("18-authorize-recurring-payment.json", at)?, id))
}

/// Nets calls back.
pub(crate) fn callback(transaction: u64, at: i64) -> Result<Value, Error> {
    let event = event("19-receive-netaxept-callback.json", at)?;
    Ok(with(event, &json!({ "TransactionId": transaction.to_string() })))
}

/// A customer is erased.
pub(crate) fn erase(customer: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("29-erase-customer.json", at)?;
    let before = event["pathParameters"]["customerNumber"].as_str().unwrap_or_default().to_owned();
    for path in ["/rawPath", "/requestContext/http/path"] {
        if let Some(path) = event.pointer_mut(path) {
            *path = path.as_str().unwrap_or_default().replace(&before, customer).into();
        }
    }
    event["pathParameters"]["customerNumber"] = customer.into();
    Ok(event)
}

/// Somebody with a token calls.
pub(crate) fn authorizer(token: &str, at: i64) -> Result<Value, Error> {
    let mut event = event("01-authorizer-refused.json", at)?;
    let bearer = format!("Bearer {token}");
    event["identitySource"] = json!([bearer]);
    event["headers"]["authorization"] = bearer.into();
    Ok(event)
}

/// A scheduled run: `26-expire-recurring-payments.json` or `22-finish-terminals.json`.
pub(crate) fn schedule(file: &str, at: i64) -> Result<Value, Error> {
    let mut event = event(file, at)?;
    let time = Timestamp::from_millisecond(at).map_err(|error| Error::failed(file, error))?;
    event["time"] = time.to_string().into();
    if let Some(members) = event.as_object_mut() {
        members.remove("requestContext");
    }
    Ok(event)
}
