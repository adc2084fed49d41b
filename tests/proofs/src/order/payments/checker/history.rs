//! The recorded data of a payment and of an invocation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::order::checker::Violation;
use crate::order::lambda::Response;
use crate::order::operation::Call;
use crate::order::payments::item::Payment;

/// Number of versions that a violation shows.
const MAX_LOG_LINES: usize = 12;
/// Number of attempts of a change before the response is "busy".
const MAX_ATTEMPTS: usize = 5;

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) call: Arc<Call>,
    /// Its position in the order of events.
    pub(super) position: u64,
    pub(super) reads: Vec<Read>,
    /// What it wrote: payment, version and position.
    pub(super) writes: Vec<(u64, u64, u64)>,
    /// Number of its writes whose condition failed.
    pub(super) conflicts: u64,
    /// The position of its end.
    pub(super) returned_at: Option<u64>,
    pub(super) response: Option<Response>,
    pub(super) is_checked: bool,
}

/// The result of a read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) payment: u64,
    pub(super) item: Option<Box<Payment>>,
}

/// A version, and the invocation that wrote it.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) item: Payment,
    pub(super) invocation: u64,
}

/// The versions of a payment since the last idle period, and the newest one before it.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) versions: BTreeMap<u64, Version>,
    /// The newest version that is checked. All earlier ones are checked too.
    pub(super) checked: u64,
    /// The versions that responses have shown, with the positions of the responses.
    pub(super) acknowledged: Vec<(u64, u64)>,
    log: VecDeque<String>,
}

impl Invocation {
    pub(super) fn new(call: Arc<Call>, position: u64) -> Self {
        Self {
            call,
            position,
            reads: Vec::new(),
            writes: Vec::new(),
            conflicts: 0,
            returned_at: None,
            response: None,
            is_checked: false,
        }
    }

    /// Whether it can respond "busy": it decided five times, and at least one of its writes was refused.
    pub(super) fn is_busy(&self) -> bool {
        self.conflicts > 0 && MAX_ATTEMPTS <= self.reads.len()
    }

    /// A write after the response is a violation, unless the response says that the outcome is unknown.
    pub(super) fn write_after_response(&self, response: &Response) -> Option<String> {
        let returned_at = self.returned_at?;
        let (_, version, _) = self.writes.iter().find(|(_, _, at)| returned_at < *at)?;
        (response.status != 503)
            .then(|| format!("version {version} was written after the response"))
    }
}

impl History {
    /// The newest version that is checked.
    pub(super) fn newest(&self) -> Option<&Payment> {
        self.versions.get(&self.checked).map(|version| &version.item)
    }

    /// A read shows a version as it was written, and not one that was replaced before the last idle period.
    pub(super) fn check_read(&self, read: &Read) -> Result<(), String> {
        let Some(item) = &read.item else { return Ok(()) };
        match self.versions.get(&item.version) {
            Some(version) if version.item == **item => Ok(()),
            Some(version) => {
                Err(format!("version {} differs when read: {item:?}, {version:?}", item.version))
            }
            None => Err(format!("stale read: version {} after {}", item.version, self.checked)),
        }
    }

    /// The newest version that a response before this position has shown.
    pub(super) fn acknowledged_before(&self, position: u64) -> u64 {
        let shown = self.acknowledged.iter().filter(|(at, _)| *at < position);
        shown.map(|(_, version)| *version).max().unwrap_or_default()
    }

    /// Removes all versions before the newest one, and keeps the newest acknowledged one.
    pub(super) fn keep_newest_only(&mut self) {
        self.versions = self.versions.split_off(&self.checked);
        let newest = self.acknowledged.iter().copied().max_by_key(|(_, version)| *version);
        self.acknowledged = newest.into_iter().collect();
        if self.log.len() > MAX_LOG_LINES / 2 {
            self.log.drain(..MAX_LOG_LINES / 2);
        }
    }

    pub(super) fn log(&mut self, line: String) {
        self.log.push_back(line);
        if self.log.len() > MAX_LOG_LINES {
            self.log.pop_front();
        }
    }

    pub(super) fn violation(&self, what: &str) -> Violation {
        let id = self.versions.values().next().map(|version| version.item.id).unwrap_or_default();
        let history = self.log.iter().cloned().collect();
        Violation { what: format!("payment {id}: {what}"), history }
    }
}
