//! What is known of an invocation.

use std::sync::Arc;

use crate::order::event::Answer;
use crate::order::operation::Call;
use crate::order::spec::{Expected, Wallet};

/// One call, and what came of it so far.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) call: Arc<Call>,
    /// Its place in the order of everything.
    pub(super) invoked: u64,
    /// The wallet that it is about, and the newest version that somebody had been told of before.
    pub(super) floor: Option<(u64, u64)>,
    /// What it was told is stored.
    pub(super) seen: Vec<Seen>,
    /// What it wrote.
    pub(super) wrote: Vec<Wrote>,
    /// Whether a write of it was refused by its condition.
    pub(super) refused: bool,
    /// Whether its last write was refused, and it has not seen yet what was written instead.
    pub(super) beaten_unseen: bool,
    /// How many of its reads and writes wait for an older version to be known.
    pub(super) unresolved: u32,
    /// Whether it has returned, and with what.
    pub(super) returned: Returned,
    /// Whether its answer was checked.
    pub(super) checked: bool,
}

/// Whether an invocation has returned.
#[derive(Debug)]
pub(super) enum Returned {
    /// It has not.
    NotYet,
    /// With an answer.
    Answered(Answer),
    /// Nobody will ever know with what.
    Unknown,
}

/// What was told to be stored at a slot; version 0: nothing.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) slot: u64,
    pub(super) version: u64,
    pub(super) wallet: Option<Arc<Wallet>>,
}

/// A version that was written.
#[derive(Debug)]
pub(super) struct Wrote {
    pub(super) slot: u64,
    pub(super) version: u64,
    pub(super) wallet: Arc<Wallet>,
    /// What the call is to be answered, if that is settled with this write.
    pub(super) answer: Option<Expected>,
}

impl Invocation {
    pub(super) fn new(call: Arc<Call>, invoked: u64, floor: Option<(u64, u64)>) -> Self {
        Self {
            call,
            invoked,
            floor,
            seen: Vec::new(),
            wrote: Vec::new(),
            refused: false,
            beaten_unseen: false,
            unresolved: 0,
            returned: Returned::NotYet,
            checked: false,
        }
    }

    /// How many changes it has decided and not written; 0 if no write of it was refused. After each decision it saw what is
    /// stored: in the refusal, or in the next read where the refusal did not say it or the write never arrived. A request that
    /// the SDK repeated is counted again.
    pub(super) fn decided_in_vain(&self) -> usize {
        let Some(last) = self.seen.last().filter(|_| self.refused) else { return 0 };
        let seen = self.seen.iter().filter(|seen| seen.slot == last.slot).count();
        seen - 1 + usize::from(self.beaten_unseen)
    }

    /// Whether something of it is still to be checked.
    pub(super) fn is_unfinished(&self) -> bool {
        !self.checked || self.unresolved > 0
    }

    /// Whether a version is not older than what somebody had been told of before the call.
    pub(super) fn is_recent(&self, slot: u64, version: u64) -> bool {
        self.floor.is_none_or(|(home, floor)| floor == 0 || (home == slot && floor <= version))
    }
}
