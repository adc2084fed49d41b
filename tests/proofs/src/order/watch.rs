//! What the table's door tells of an exchange, as an event.

use local::dynamodb::Exchange;
use serde::Deserialize;

use super::checker::{Event, Stored};
use super::item::{Head, Item};

/// The table of wallets.
const TABLE: &str = "Wallets";
/// One read in so many is held against what was written, whole; of the others the version counts.
const WHOLE: u64 = 8;

/// The trace that an invocation is: its number, in the last digits.
pub(super) fn trace_id(invocation: u64) -> String {
    format!("Root=1-00000000-{invocation:024x};Sampled=0")
}

fn invocation(trace_id: &str) -> Option<u64> {
    let digits = trace_id.split(';').next()?.rsplit('-').next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// What was asked for.
#[derive(Deserialize)]
struct Asked<T> {
    #[serde(rename = "Item")]
    item: T,
}

#[derive(Deserialize)]
struct AskedByKey {
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

/// What was answered; an item that is not there is `null`, or not named at all.
#[derive(Deserialize)]
struct Answered<T> {
    #[serde(rename = "Item")]
    item: Option<T>,
    #[serde(rename = "__type")]
    kind: Option<String>,
}

/// What happened; nothing for what is not done to a wallet.
///
/// # Errors
/// It cannot be understood.
pub(super) fn event(exchange: &Exchange<'_>) -> Result<Option<Event>, String> {
    let request = exchange.request;
    if request.table != TABLE || request.operation == "Query" {
        return Ok(None);
    }
    let id = invocation(exchange.trace_id)
        .ok_or_else(|| format!("{} by nobody known: {:?}", request.operation, exchange.trace_id))?;
    let read = match (request.operation.as_str(), exchange.status.is_success()) {
        ("GetItem", true) => found(id, exchange).map(Some),
        ("PutItem", true) => serde_json::from_slice(exchange.asked)
            .map(|asked: Asked<Box<Item>>| Some(Event::Wrote(id, asked.item))),
        ("PutItem", false) => refused(id, exchange),
        ("GetItem", false) => Ok(None),
        (other, _) => return Err(format!("{other} is nothing that a function does to a wallet")),
    };
    read.map_err(|error| format!("{}: {error}", request.operation))
}

fn found(id: u64, exchange: &Exchange<'_>) -> serde_json::Result<Event> {
    let key: AskedByKey = serde_json::from_slice(exchange.asked)?;
    let slot = key.key.slot.n.parse().unwrap_or_default();
    let stored = if id.is_multiple_of(WHOLE) {
        let answered: Answered<Box<Item>> = serde_json::from_slice(exchange.answered)?;
        answered.item.map(Stored::Whole)
    } else {
        let answered: Answered<Head> = serde_json::from_slice(exchange.answered)?;
        answered.item.map(Stored::Head)
    };
    Ok(Event::Read(id, slot, stored))
}

/// A write that its condition refused. Another refusal is none of its.
fn refused(id: u64, exchange: &Exchange<'_>) -> serde_json::Result<Option<Event>> {
    let answered: Answered<Head> = serde_json::from_slice(exchange.answered)?;
    let by_condition =
        answered.kind.is_some_and(|kind| kind.ends_with("ConditionalCheckFailedException"));
    Ok(by_condition.then_some(Event::Refused(id, answered.item)))
}
