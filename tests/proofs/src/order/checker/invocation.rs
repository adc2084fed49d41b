//! The recorded data of an invocation.

use std::sync::Arc;

use crate::order::lambda::Response;
use crate::order::operation::Call;
use crate::order::spec::{Expected, Wallet};

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) call: Arc<Call>,
    /// Its position in the order of events.
    pub(super) position: u64,
    /// The slot of the wallet that the call concerns, and the newest version that a response had shown before the call.
    pub(super) min_version: Option<(u64, u64)>,
    /// The versions that it read.
    pub(super) reads: Vec<Read>,
    /// The versions that it wrote.
    pub(super) writes: Vec<Write>,
    /// Whether the condition of one of its writes failed.
    pub(super) has_conflict: bool,
    /// Whether its last write failed and it has not read the stored item since.
    pub(super) conflict_unread: bool,
    /// Number of its reads and writes that wait for an earlier version.
    pub(super) unresolved: u32,
    /// Whether it has ended, and its response.
    pub(super) returned: Returned,
    /// Whether its response was checked.
    pub(super) is_checked: bool,
}

/// The end of an invocation.
#[derive(Debug)]
pub(super) enum Returned {
    /// It has not ended.
    Pending,
    /// It ended with a response.
    Responded(Response),
    /// It ended and the response is lost.
    Unknown,
}

/// The result of a read. Version 0 means that the slot is empty.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) slot: u64,
    pub(super) version: u64,
    pub(super) wallet: Option<Arc<Wallet>>,
}

/// A version that was written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) slot: u64,
    pub(super) version: u64,
    pub(super) wallet: Arc<Wallet>,
    /// The expected response, if this write determines it.
    pub(super) response: Option<Expected>,
}

impl Invocation {
    pub(super) fn new(call: Arc<Call>, position: u64, min_version: Option<(u64, u64)>) -> Self {
        Self {
            call,
            position,
            min_version,
            reads: Vec::new(),
            writes: Vec::new(),
            has_conflict: false,
            conflict_unread: false,
            unresolved: 0,
            returned: Returned::Pending,
            is_checked: false,
        }
    }

    /// Number of attempts that wrote nothing; 0 if no condition failed. After each attempt the invocation read the stored item:
    /// with the failed condition, or in the next read if the failure did not return the item or the write did not reach the table.
    /// A request that the SDK repeated counts again.
    pub(super) fn failed_attempts(&self) -> usize {
        let Some(last) = self.reads.last().filter(|_| self.has_conflict) else { return 0 };
        let reads = self.reads.iter().filter(|read| read.slot == last.slot).count();
        reads - 1 + usize::from(self.conflict_unread)
    }

    /// Whether a part of it is not checked yet.
    pub(super) fn is_unfinished(&self) -> bool {
        !self.is_checked || self.unresolved > 0
    }

    /// Whether a version is not older than the newest version that a response had shown before the call.
    pub(super) fn is_recent(&self, slot: u64, version: u64) -> bool {
        self.min_version.is_none_or(|(own_slot, min_version)| {
            min_version == 0 || (own_slot == slot && min_version <= version)
        })
    }
}
