//! The model: what is asked for each thing that can happen, and what that costs. `OPERATIONS.md` says the same.

use std::fs;

use Ask::{Count, CountRefused, Page, Read, Write};
use Entry::{Comes, Goes, Moves, Stays};
use local::binaries;
use local::dynamodb::Engine;

/// What a write makes of a wallet's entry in an index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    /// It stays at its instant, or there is none.
    Stays,
    /// Nothing was due, and something is.
    Comes,
    /// Something was due, and nothing is.
    Goes,
    /// Something else is due first: one entry goes, and another comes.
    Moves,
}

impl Entry {
    fn units(self) -> f64 {
        match self {
            Stays => 0.0,
            Comes | Goes => 1.0,
            Moves => 2.0,
        }
    }
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    /// A wallet is read.
    Read,
    /// It is written: what becomes of its entry for what time alone makes of it, and of the one for what there is to do.
    Write(Entry, Entry),
    /// What is due in a shard. Indexes are not read consistently: that is half as much.
    Page,
    /// The requests of callers who do not say who they are are counted.
    Count,
    /// The same, refused.
    CountRefused,
}

impl Ask {
    /// Its operation, and the units that this engine counts. What is refused on its condition is answered without any.
    pub(super) fn on(self, engine: Engine) -> (String, Option<f64>) {
        let (operation, refused) = match self {
            Read => ("GetItem", false),
            Write(..) => ("PutItem", false),
            Page => ("Query", false),
            Count => ("UpdateItem", false),
            CountRefused => ("UpdateItem", true),
        };
        let units = engine.units(self.read() + self.written()).filter(|_| !refused);
        (operation.to_owned(), units)
    }

    fn read(self) -> f64 {
        match self {
            Read => 1.0,
            Page => 0.5,
            Write(..) | Count | CountRefused => 0.0,
        }
    }

    /// What is refused on its condition is paid all the same, says Amazon.
    fn written(self) -> f64 {
        match self {
            Write(expiry, chore) => 1.0 + expiry.units() + chore.units(),
            Count | CountRefused => 1.0,
            Read | Page => 0.0,
        }
    }
}

/// What is refused at the door.
pub(super) const NOTHING: &[Ask] = &[];
/// What changes nothing.
pub(super) const READ: &[Ask] = &[Read];
/// In a day it is abandoned.
pub(super) const CREATED_FIRST: &[Ask] = &[Read, Write(Comes, Stays)];
/// That is sooner than the first card expires.
pub(super) const CREATED_BESIDE_CARDS: &[Ask] = &[Read, Write(Moves, Stays)];
/// The other one is abandoned before.
pub(super) const CREATED_BESIDE_ONE_THAT_WAITS: &[Ask] = &[Read, Write(Stays, Stays)];
/// Another nickname, or another primary.
pub(super) const UPDATED: &[Ask] = &[Read, Write(Stays, Stays)];
/// It is abandoned later than it would have been, and looked at in a minute.
pub(super) const OPENED: &[Ask] = &[Read, Write(Moves, Comes)];
/// In some year the card expires, and there is nothing to look at.
pub(super) const STORED: &[Ask] = &[Read, Write(Moves, Goes)];
/// The same; that it is told is written down with it, and that it was heard after that.
pub(super) const STORED_AND_TOLD: &[Ask] = &[Read, Write(Moves, Moves), Read, Write(Stays, Goes)];
/// There is nothing to look at any more.
pub(super) const CLOSED: &[Ask] = &[Read, Write(Stays, Goes)];
/// The same, told.
pub(super) const CLOSED_AND_TOLD: &[Ask] = &[Read, Write(Stays, Moves), Read, Write(Stays, Goes)];
/// It is looked at again.
pub(super) const LOOKED: &[Ask] = &[Read, Write(Stays, Moves)];
/// In thirty days it is forgotten.
pub(super) const ENDED: &[Ask] = &[Read, Write(Moves, Stays)];
/// There is nothing to look at, either.
pub(super) const ENDED_WHILE_OPEN: &[Ask] = &[Read, Write(Moves, Goes)];
/// Nothing is due any more.
pub(super) const ERASED: &[Ask] = &[Read, Write(Goes, Stays)];
/// All that was due in the wallet are its cards.
pub(super) const EXPIRED: &[Ask] = &[Read, Write(Goes, Stays)];
/// In thirty days it is forgotten.
pub(super) const ABANDONED: &[Ask] = &[Read, Write(Moves, Stays)];
/// Each shard is asked.
pub(super) const RUN: &[Ask] = &[Page; 8];
/// Before anything else.
pub(super) const COUNTED: &[Ask] = &[Count];

/// The rows of the table in `OPERATIONS.md`, in its order.
const ROWS: [(&str, &[Ask]); 19] = [
    ("whatever is refused at the door: 400, 401, 403", NOTHING),
    ("list, get, and whatever changes nothing: repeated, not found, refused by a rule", READ),
    ("create, the customer's first", CREATED_FIRST),
    ("create, beside cards", CREATED_BESIDE_CARDS),
    ("create, beside one that waits for its card", CREATED_BESIDE_ONE_THAT_WAITS),
    ("update", UPDATED),
    ("terminal", OPENED),
    ("authorize: a card", STORED),
    ("authorize: a card, and a `callbackUrl` hears of it", STORED_AND_TOLD),
    ("authorize: cancelled, or declined for good", CLOSED),
    ("authorize: declined for good, and a `callbackUrl` hears of it", CLOSED_AND_TOLD),
    ("authorize: nothing clear yet, after the look that was planned", LOOKED),
    ("end", ENDED),
    ("erase", ERASED),
    ("expiry of a wallet's cards, by the schedule", EXPIRED),
    ("abandonment beside cards, by the schedule", ABANDONED),
    ("a run of a schedule, beside what is due", RUN),
    ("a caller who does not say who they are, more", COUNTED),
    ("the same, when the minute's allowance is used up, and nothing else", &[CountRefused]),
];

#[test]
fn operations_md_has_it() {
    let shown = |units: f64| if units == 0.0 { "–".to_owned() } else { units.to_string() };
    let row = |(what, asks): (&str, &[Ask])| {
        let sum = |units: fn(Ask) -> f64| shown(asks.iter().map(|ask| units(*ask)).sum());
        format!("| {what} | {} | {} | {} |\n", asks.len(), sum(Ask::read), sum(Ask::written))
    };
    let head = "| call | requests | read units | write units |\n|---|---|---|---|\n";
    let table: String = [head.to_owned()].into_iter().chain(ROWS.map(row)).collect();
    let operations = fs::read_to_string(binaries::root().join("OPERATIONS.md")).unwrap();
    assert!(operations.contains(&format!("\n\n{table}\n")), "OPERATIONS.md should have\n{table}");
}
