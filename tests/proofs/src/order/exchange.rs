//! Converts requests to the table and their responses to events for the checker.

use local::dynamodb::Exchange;
use serde::Deserialize;

use super::checker::{Event, Stored};
use super::item::{Head, Item};
use super::payments;

/// The table of wallets.
const TABLE: &str = "Wallets";
/// One read in this many is compared as a whole with the written item. Of the other reads only the version is compared.
const FULL_COMPARISON_INTERVAL: u64 = 8;

/// Returns a trace id that contains the invocation's number in its last digits.
pub(super) fn trace_id(invocation: u64) -> String {
    format!("Root=1-00000000-{invocation:024x};Sampled=0")
}

fn invocation(trace_id: &str) -> Option<u64> {
    let digits = trace_id.split(';').next()?.rsplit('-').next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// A `PutItem` request.
#[derive(Deserialize)]
struct PutRequest<T> {
    #[serde(rename = "Item")]
    item: T,
}

#[derive(Deserialize)]
struct GetRequest {
    #[serde(rename = "Key")]
    key: Key,
}

#[derive(Deserialize)]
struct Key {
    slot: Slot,
}

#[derive(Deserialize)]
struct Slot {
    #[serde(rename = "N")]
    n: String,
}

/// A response. A missing item is `null` or absent.
#[derive(Deserialize)]
struct ItemResponse<T> {
    #[serde(rename = "Item")]
    item: Option<T>,
    #[serde(rename = "__type")]
    kind: Option<String>,
}

/// Returns the event of an exchange, or `None` if the exchange does not concern a wallet or a payment.
///
/// # Errors
/// Fails if the request or response is not expected.
pub(super) fn checker_event(exchange: &Exchange<'_>) -> Result<Option<Event>, String> {
    let request = exchange.request;
    let is_payment = request.table == payments::TABLE;
    if (request.table != TABLE && !is_payment) || request.operation == "Query" {
        return Ok(None);
    }
    let id = invocation(exchange.trace_id).ok_or_else(|| {
        format!("{} without a known invocation: {:?}", request.operation, exchange.trace_id)
    })?;
    if is_payment {
        let event = payments::table_event(exchange);
        let event =
            event.map_err(|error| format!("{} of a payment: {error}", request.operation))?;
        return Ok(event.map(|event| Event::Payment(id, event)));
    }
    let event = match (request.operation.as_str(), exchange.status.is_success()) {
        ("GetItem", true) => get_item_event(id, exchange).map(Some),
        ("PutItem", true) => serde_json::from_slice(exchange.request_body)
            .map(|put: PutRequest<Box<Item>>| Some(Event::Written(id, put.item))),
        ("PutItem", false) => condition_failed(id, exchange),
        ("GetItem", false) => Ok(None),
        (other, _) => return Err(format!("unexpected operation on a wallet: {other}")),
    };
    event.map_err(|error| format!("{}: {error}", request.operation))
}

fn get_item_event(id: u64, exchange: &Exchange<'_>) -> serde_json::Result<Event> {
    let key: GetRequest = serde_json::from_slice(exchange.request_body)?;
    let slot = key.key.slot.n.parse().unwrap_or_default();
    let stored = if id.is_multiple_of(FULL_COMPARISON_INTERVAL) {
        let response: ItemResponse<Box<Item>> = serde_json::from_slice(exchange.response_body)?;
        response.item.map(Stored::Full)
    } else {
        let response: ItemResponse<Head> = serde_json::from_slice(exchange.response_body)?;
        response.item.map(Stored::Head)
    };
    Ok(Event::Read(id, slot, stored))
}

/// The event of a write whose condition failed. Other failures of a write have no event.
fn condition_failed(id: u64, exchange: &Exchange<'_>) -> serde_json::Result<Option<Event>> {
    let response: ItemResponse<Head> = serde_json::from_slice(exchange.response_body)?;
    let by_condition =
        response.kind.is_some_and(|kind| kind.ends_with("ConditionalCheckFailedException"));
    Ok(by_condition.then_some(Event::ConditionFailed(id, response.item)))
}
