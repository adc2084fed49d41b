//! The cost model: the requests of each operation, and their capacity units. `OPERATIONS.md` has the same table.

use std::fs;

use IndexEntry::{Added, Moved, Removed, Unchanged};
use Request::{Count, CountRejected, Query, Read, Write};
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
    /// Writes a wallet, with the changes in the indexes `ByExpiry` and `ByTask`.
    Write(IndexEntry, IndexEntry),
    /// Queries the due wallets of a shard. The read is eventually consistent, which costs half a unit.
    Query,
    /// Counts a request of an unidentified caller.
    Count,
    /// Counts a request of an unidentified caller when the rate limit is reached, so that the condition fails.
    CountRejected,
}

impl Request {
    /// Returns the operation, and the units that this engine reports. It reports none for a failed condition.
    pub(super) fn expected_on(self, engine: Engine) -> (String, Option<f64>) {
        let (operation, is_rejected) = match self {
            Read => ("GetItem", false),
            Write(..) => ("PutItem", false),
            Query => ("Query", false),
            Count => ("UpdateItem", false),
            CountRejected => ("UpdateItem", true),
        };
        let units = engine.units(self.read() + self.written()).filter(|_| !is_rejected);
        (operation.to_owned(), units)
    }

    fn read(self) -> f64 {
        match self {
            Read => 1.0,
            Query => 0.5,
            Write(..) | Count | CountRejected => 0.0,
        }
    }

    /// AWS charges a write also when its condition fails.
    fn written(self) -> f64 {
        match self {
            Write(expiry, task) => 1.0 + expiry.units() + task.units(),
            Count | CountRejected => 1.0,
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
/// Queries each shard.
pub(super) const SCHEDULE_RUN: &[Request] = &[Query; 8];
/// Counted before the other requests.
pub(super) const COUNTED: &[Request] = &[Count];

/// The rows of the table in `OPERATIONS.md`, in order.
const ROWS: [(&str, &[Request]); 19] = [
    ("rejected before the wallet is read: 400, 401, 403", NO_REQUESTS),
    ("list, get, and any call that changes nothing: repeated, not found, refused by a rule", READ),
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
    ("a run of a schedule, without the due wallets", SCHEDULE_RUN),
    ("a caller without a valid `ET-Client-Name`, in addition", COUNTED),
    ("a caller without a valid `ET-Client-Name`, when the rate limit is reached", &[CountRejected]),
];

#[test]
fn the_table_in_operations_md_matches_the_model() {
    let display = |units: f64| if units == 0.0 { "–".to_owned() } else { units.to_string() };
    let row = |(call, requests): (&str, &[Request])| {
        let sum = |units: fn(Request) -> f64| {
            display(requests.iter().map(|request| units(*request)).sum())
        };
        format!(
            "| {call} | {} | {} | {} |\n",
            requests.len(),
            sum(Request::read),
            sum(Request::written)
        )
    };
    let head = "| call | requests | read units | write units |\n|---|---|---|---|\n";
    let table: String = [head.to_owned()].into_iter().chain(ROWS.map(row)).collect();
    let operations = fs::read_to_string(binaries::root().join("OPERATIONS.md")).unwrap();
    assert!(operations.contains(&format!("\n\n{table}\n")), "OPERATIONS.md should have\n{table}");
}
