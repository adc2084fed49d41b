//! The cost model: the requests of each operation, and their capacity units. `docs/OPERATIONS.md` has the same table.

use std::fs;

use IndexEntry::{Added, Moved, Removed, Unchanged};
use Request::{Count, CountRejected, Query, Read, Write, WriteRejected};
use local::binaries;
use local::dynamodb::Engine;

/// How a write changes a wallet's entry in an index.
#[derive(Debug, Clone, Copy)]
pub(super) enum IndexEntry {
    /// The entry stays at its instant, or there is none.
    Unchanged,
    /// The wallet gets an entry.
    Added,
    /// The wallet loses its entry.
    Removed,
    /// The entry moves to another instant: one entry is removed, and another is added.
    Moved,
}

impl IndexEntry {
    fn units(self) -> f64 {
        match self {
            Unchanged => 0.0,
            Added | Removed => 1.0,
            Moved => 2.0,
        }
    }
}

/// A request to `DynamoDB`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request {
    /// Reads a wallet.
    Read,
    /// Writes a wallet, with the changes in the indexes `ByExpiry` and `ByTask`. A payment has only `ByTask`.
    Write(IndexEntry, IndexEntry),
    /// Writes a payment of an order that already has one, so that the condition fails. The response contains the stored payment.
    WriteRejected,
    /// Queries the due wallets of a shard. The read is eventually consistent, which costs half a unit.
    Query,
    /// Counts a request of an unidentified caller, or one that begins to wait.
    Count,
    /// Counts such a request when its limit is reached, so that the condition fails.
    CountRejected,
}

impl Request {
    /// Returns the operation, and the units that this engine reports. It reports none for a failed condition.
    pub(super) fn expected_on(self, engine: Engine) -> (String, Option<f64>) {
        let (operation, is_rejected) = match self {
            Read => ("GetItem", false),
            Write(..) => ("PutItem", false),
            WriteRejected => ("PutItem", true),
            Query => ("Query", false),
            Count => ("UpdateItem", false),
            CountRejected => ("UpdateItem", true),
        };
        let units = engine.units(self.read() + self.written()).filter(|_| !is_rejected);
        (operation.to_owned(), units)
    }

    pub(super) fn read(self) -> f64 {
        match self {
            Read => 1.0,
            Query => 0.5,
            Write(..) | WriteRejected | Count | CountRejected => 0.0,
        }
    }

    /// AWS charges a write also when its condition fails.
    pub(super) fn written(self) -> f64 {
        match self {
            Write(expiry, task) => 1.0 + expiry.units() + task.units(),
            WriteRejected | Count | CountRejected => 1.0,
            Read | Query => 0.0,
        }
    }
}

/// Rejected before the wallet is read.
pub(super) const NO_REQUESTS: &[Request] = &[];
/// Changes nothing.
pub(super) const READ: &[Request] = &[Read];
/// The recurring payment is abandoned after a day, so an expiry entry is added.
pub(super) const CREATED_FIRST: &[Request] = &[Read, Write(Added, Unchanged)];
/// The abandonment is earlier than the first card's expiry, so the expiry entry moves.
pub(super) const CREATED_WITH_CARDS: &[Request] = &[Read, Write(Moved, Unchanged)];
/// The older recurring payment without a card is abandoned earlier, so its expiry entry stays.
pub(super) const CREATED_WITH_PENDING: &[Request] = &[Read, Write(Unchanged, Unchanged)];
/// A new nickname, or a new primary.
pub(super) const UPDATED: &[Request] = &[Read, Write(Unchanged, Unchanged)];
/// The abandonment moves, and a reconciliation is planned in a minute.
pub(super) const OPENED: &[Request] = &[Read, Write(Moved, Added)];
/// The expiry entry moves to the card's expiry, and no reconciliation is planned any more.
pub(super) const STORED: &[Request] = &[Read, Write(Moved, Removed)];
/// Like [`STORED`] with a notification: the first write stores it, and the second removes it after the delivery.
pub(super) const STORED_AND_DELIVERED: &[Request] =
    &[Read, Write(Moved, Moved), Read, Write(Unchanged, Removed)];
/// No reconciliation is planned any more.
pub(super) const CLOSED: &[Request] = &[Read, Write(Unchanged, Removed)];
/// Like [`CLOSED`] with a notification.
pub(super) const CLOSED_AND_DELIVERED: &[Request] =
    &[Read, Write(Unchanged, Moved), Read, Write(Unchanged, Removed)];
/// The next reconciliation is planned.
pub(super) const RECONCILED: &[Request] = &[Read, Write(Unchanged, Moved)];
/// The recurring payment is removed from the wallet after 30 days, so the expiry entry moves.
pub(super) const ENDED: &[Request] = &[Read, Write(Moved, Unchanged)];
/// Like [`ENDED`], and no reconciliation is planned any more.
pub(super) const ENDED_WHILE_OPEN: &[Request] = &[Read, Write(Moved, Removed)];
/// Nothing is due any more, so the expiry entry is removed.
pub(super) const ERASED: &[Request] = &[Read, Write(Removed, Unchanged)];
/// Only the cards of the wallet were due, so the expiry entry is removed.
pub(super) const EXPIRED: &[Request] = &[Read, Write(Removed, Unchanged)];
/// The recurring payment is removed from the wallet after 30 days, so the expiry entry moves.
pub(super) const ABANDONED: &[Request] = &[Read, Write(Moved, Unchanged)];
/// The event is stored, and the expiry entry moves to the card's expiry. After the delivery the event is removed.
pub(super) const NOTICE: &[Request] = &[Read, Write(Moved, Added), Read, Write(Unchanged, Removed)];
/// Like [`EXPIRED`] with an event.
pub(super) const EXPIRED_AND_DELIVERED: &[Request] =
    &[Read, Write(Removed, Added), Read, Write(Unchanged, Removed)];
/// Like [`ENDED`] with an event.
pub(super) const ENDED_WITH_EVENT: &[Request] = &[Read, Write(Moved, Added)];
/// The write before the delivery stores the attempt, and the one after it removes the event.
pub(super) const EVENT_DELIVERED: &[Request] =
    &[Read, Write(Unchanged, Moved), Read, Write(Unchanged, Removed)];
/// Queries each shard.
pub(super) const SCHEDULE_RUN: &[Request] = &[Query; 8];
/// Counted before the other requests.
pub(super) const COUNTED: &[Request] = &[Count];
/// There is news at the second read. The request is counted when it begins to wait.
pub(super) const WAITED: &[Request] = &[Read, Count, Read];
/// There is no news in 7 to 20 seconds.
pub(super) const WAITED_LONG: &[Request] = &[Read, Count, Read, Read, Read, Read, Read, Read, Read];
/// Too many requests wait.
pub(super) const WAIT_REJECTED: &[Request] = &[Read, CountRejected];

/// Reads the card, and writes the payment.
pub(super) const PAYMENT_CREATED: &[Request] = &[Read, Write(Unchanged, Unchanged)];
/// Reads the payment and the card. The payment gets an index entry before it is registered at Nets.
pub(super) const PAYMENT_TERMINAL: &[Request] = &[Read, Read, Write(Unchanged, Added)];
/// Reads the payment and the card. The registration is stored as chosen before AUTH. Then the result is stored.
pub(super) const PAYMENT_CAPTURED: &[Request] =
    &[Read, Read, Write(Unchanged, Unchanged), Write(Unchanged, Removed)];

/// Reads the payment. The intent of the credit is stored before CREDIT. Then the result is stored.
pub(super) const PAYMENT_CREDITED: &[Request] =
    &[Read, Write(Unchanged, Added), Write(Unchanged, Removed)];
/// Reads the payment and the card. Nets has authorized the registration, which is stored as chosen, so only the result is stored.
pub(super) const AUTO_SALE: &[Request] = &[Read, Read, Write(Unchanged, Removed)];
/// Like [`PAYMENT_CAPTURED`]. A minute after the terminal, the next reconciliation moves.
pub(super) const MERCHANT_AUTO_SALE: &[Request] =
    &[Read, Read, Write(Unchanged, Moved), Write(Unchanged, Removed)];
/// A notification that is alone in its payment. The write before the delivery stores the attempt, and the one after it removes the
/// notification.
pub(super) const PAYMENT_NOTIFIED: &[Request] =
    &[Read, Write(Unchanged, Moved), Write(Unchanged, Removed)];

/// The rows of the table of payments in `docs/OPERATIONS.md`, in order: the call, its requests, and the number of calls to Nets.
pub(super) const PAYMENT_ROWS: [(&str, &[Request], usize); 22] = [
    ("create a payment", PAYMENT_CREATED, 0),
    ("create a payment again", &[Read, WriteRejected], 0),
    (
        "create a payment after a cancelled transaction",
        &[Read, WriteRejected, Write(Unchanged, Unchanged)],
        0,
    ),
    ("terminal", PAYMENT_TERMINAL, 1),
    ("capture: authorized and captured", PAYMENT_CAPTURED, 2),
    (
        "capture: the customer is at the terminal",
        &[Read, Read, Write(Unchanged, Unchanged), Write(Unchanged, Unchanged)],
        1,
    ),
    (
        "capture: declined for now",
        &[Read, Read, Write(Unchanged, Unchanged), Write(Unchanged, Unchanged)],
        1,
    ),
    (
        "capture: declined permanently",
        &[Read, Read, Write(Unchanged, Unchanged), Write(Unchanged, Unchanged)],
        1,
    ),
    ("capture or credit again, get, and any call that a rule refuses", READ, 0),
    ("cancel without a terminal", &[Read, Write(Unchanged, Unchanged)], 0),
    ("cancel with a terminal, not authorized", &[Read, Write(Unchanged, Removed)], 0),
    (
        "cancel of an authorized transaction",
        &[Read, Write(Unchanged, Unchanged), Write(Unchanged, Unchanged)],
        2,
    ),
    ("credit", PAYMENT_CREDITED, 2),
    ("credit: Nets refuses it", PAYMENT_CREDITED, 2),
    ("credit: Nets credited the total already", &[Read, Write(Unchanged, Unchanged)], 1),
    ("credit: another credit is in progress", READ, 1),
    ("auto sale with the customer, by Nets' callback or the schedule", AUTO_SALE, 2),
    ("auto sale without the customer, by the schedule", MERCHANT_AUTO_SALE, 2),
    ("a notification of a payment", PAYMENT_NOTIFIED, 0),
    ("a reconciliation by the schedule: nothing new", &[Read, Write(Unchanged, Moved)], 1),
    ("a reconciliation by the schedule: captured", &[Read, Write(Unchanged, Removed)], 1),
    ("a run of `settle-payments`, without the due payments", SCHEDULE_RUN, 0),
];

/// The rows of the table in `docs/OPERATIONS.md`, in order.
const ROWS: [(&str, &[Request]); 26] = [
    ("rejected before the wallet is read: 400, 401, 403", NO_REQUESTS),
    (
        "list, get, history, dry run, and any call that changes nothing: repeated, not found, refused by a rule",
        READ,
    ),
    ("create: the customer's first recurring payment", CREATED_FIRST),
    ("create: the customer has stored cards", CREATED_WITH_CARDS),
    ("create: the customer has one without a card", CREATED_WITH_PENDING),
    ("update", UPDATED),
    ("terminal", OPENED),
    ("authorize: the card is stored", STORED),
    ("authorize: the card is stored, and a notification is delivered", STORED_AND_DELIVERED),
    ("authorize: cancelled, or declined permanently", CLOSED),
    ("authorize: declined permanently, and a notification is delivered", CLOSED_AND_DELIVERED),
    ("authorize: no clear outcome, when a reconciliation was due", RECONCILED),
    ("end", ENDED),
    ("erase", ERASED),
    ("expiry of a wallet's cards by the schedule", EXPIRED),
    ("abandonment by the schedule: the customer has stored cards", ABANDONED),
    ("event `expiring`, with its delivery", NOTICE),
    (
        "event `expired` of a wallet's cards by the schedule, with the delivery",
        EXPIRED_AND_DELIVERED,
    ),
    ("end: another one becomes primary, with an event", ENDED_WITH_EVENT),
    ("delivery of the events that a request stored", EVENT_DELIVERED),
    ("a run of a schedule, without the due wallets", SCHEDULE_RUN),
    ("get with `wait`: news at the second read", WAITED),
    ("get with `wait`: no news in 7 to 20 seconds", WAITED_LONG),
    ("get with `wait`: too many requests wait", WAIT_REJECTED),
    ("a caller without a valid `ET-Client-Name`, in addition", COUNTED),
    ("a caller without a valid `ET-Client-Name`, when the rate limit is reached", &[CountRejected]),
];

/// The requests, read units and write units of a call, as columns.
fn columns(requests: &[Request]) -> String {
    let display = |units: f64| if units == 0.0 { "–".to_owned() } else { units.to_string() };
    let sum =
        |units: fn(Request) -> f64| display(requests.iter().map(|request| units(*request)).sum());
    format!("{} | {} | {}", requests.len(), sum(Request::read), sum(Request::written))
}

/// Asserts that `docs/OPERATIONS.md` has a table with this head.
fn assert_documented(head: &str, rows: impl Iterator<Item = String>) {
    let rule = "---|".repeat(head.matches('|').count() - 1);
    let table: String = [format!("{head}\n|{rule}\n")].into_iter().chain(rows).collect();
    let operations = fs::read_to_string(binaries::root().join("docs/OPERATIONS.md")).unwrap();
    assert!(operations.contains(&format!("\n\n{table}\n")), "OPERATIONS.md should have\n{table}");
}

#[test]
fn the_table_in_operations_md_matches_the_model() {
    let rows = ROWS.iter().map(|(call, requests)| format!("| {call} | {} |\n", columns(requests)));
    assert_documented("| call | requests | read units | write units |", rows);
}

#[test]
fn the_table_of_payments_in_operations_md_matches_the_model() {
    let rows = PAYMENT_ROWS.iter().map(|(call, requests, nets_calls)| {
        format!("| {call} | {} | {nets_calls} |\n", columns(requests))
    });
    assert_documented("| call | requests | read units | write units | calls to Nets |", rows);
}
