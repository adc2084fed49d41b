//! A state of the model: what is stored, what Nets knows, how far everybody has come, what is still on its way, and what is so.

pub mod aftermath;
pub mod execute;
pub mod judge;
pub mod note;
pub mod possible;
pub mod steps;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::id::TransactionId;

use crate::breach::Breaches;
use crate::event::{Event, Seen};
use crate::flaw::Flaw;
use crate::item::{Item, WriteIds};
use crate::nets::Nets;
use crate::run::Run;
use crate::truth::Truth;
use crate::wire::{Request, Setting, WRITES_EACH};

/// Somebody who does one operation after the other: a client, Nets calling back, or a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Party {
    /// How many operations of its script are over.
    pub done: u8,
    /// The one that is under way.
    pub run: Option<Arc<Run>>,
}

impl Party {
    /// Whether it has begun anything.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.done > 0 || self.run.is_some()
    }
}

/// What can still go wrong, or happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Messages that are lost.
    pub losses: u8,
    /// Functions that are killed.
    pub kills: u8,
    /// Steps of the clock.
    pub waits: u8,
}

/// One try to tell something: of which visit, what, and the how manieth.
pub type Try = (TransactionId, &'static str, u16);

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// Which scenario of the configuration.
    pub scenario: u16,
    /// The clock.
    pub now: DateTime<Utc>,
    /// The item in the table.
    pub table: Option<Arc<Item>>,
    /// What it was before the last write: only for reads that may be stale.
    pub before: Option<Arc<Item>>,
    /// Nets.
    pub nets: Nets,
    /// Visits whose page's address somebody was given.
    pub pages: Vec<TransactionId>,
    /// Everybody.
    pub parties: Vec<Party>,
    /// Requests that their senders have given up, and that may still arrive.
    pub late: Vec<Request>,
    /// What can still happen.
    pub left: Left,
    /// What is so.
    pub truth: Arc<Truth>,
    /// Writes that were made.
    pub written: WriteIds,
    /// Writes of which somebody said that they were not made.
    pub denied: WriteIds,
    /// Tries to tell something that were made.
    pub tries: Vec<Try>,
    /// What does not hold.
    pub breaches: Breaches,
}

/// What every step needs to know beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// How often a change is decided before Busy.
    pub tries: u32,
    /// Whether the engine says what beat a write.
    pub telling: bool,
    /// A rule that is broken.
    pub flaw: Option<Flaw>,
    /// Where events are counted; not while a scenario is set up, and not in an aftermath.
    pub seen: Option<&'a Seen>,
}

impl Rules<'_> {
    /// Counts an event.
    pub fn note(&self, event: Event) {
        if let Some(seen) = self.seen {
            seen.note(event);
        }
    }

    /// Whether nobody else is there: while a scenario is set up, and in an aftermath.
    #[must_use]
    pub fn are_alone(&self) -> bool {
        self.seen.is_none()
    }

    /// Whether this rule is broken.
    #[must_use]
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// What an operation is made to know: its writes have ids of its own.
    #[must_use]
    pub fn setting(&self, ordinal: u8) -> Setting {
        Setting { tries: self.tries, flaw: self.flaw, first_id: ordinal * WRITES_EACH }
    }
}

impl World {
    /// The version in the table; 0: nothing is there.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.table.as_ref().map_or(0, |item| item.version)
    }
}
