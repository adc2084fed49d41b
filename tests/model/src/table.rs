//! The table with one item, how it executes reads and conditional writes, and the properties of a write.

use std::sync::Arc;

use crate::defect::Defect;
use crate::item::{Item, WriteId, WriteIds};
use crate::system::System;
use crate::violation::{Violation, Violations};
use crate::wire::{MAX_OPERATIONS, MAX_WRITES_PER_RUN, Put, Reply, Request};
use crate::world::StepContext;

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table<S: System> {
    /// The item.
    pub item: Option<Arc<Item<S>>>,
    /// The item before the last write. Only for stale reads.
    pub previous: Option<Arc<Item<S>>>,
    /// Writes that were executed.
    written: WriteIds,
    /// Writes that a function reported as not done.
    reported_not_done: WriteIds,
}

impl<S: System> Table<S> {
    /// The empty table.
    #[must_use]
    pub fn empty() -> Self {
        let (written, reported_not_done) = (WriteIds::default(), WriteIds::default());
        Self { item: None, previous: None, written, reported_not_done }
    }

    /// The version of the item, or 0 if the table is empty.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.item.as_ref().map_or(0, |item| item.version)
    }

    /// Whether the condition of a put holds.
    #[must_use]
    pub fn condition_holds(&self, put: &Put<S>) -> bool {
        self.item.as_ref().map(|item| item.version) == put.replaces
    }

    /// Whether the request is a put whose condition holds now.
    #[must_use]
    pub fn is_executable_put(&self, request: &Request<S>) -> bool {
        match request {
            Request::Put(put) => self.condition_holds(put),
            Request::Get | Request::Call(_) => false,
        }
    }

    /// Executes a put. Returns the item that it replaced.
    ///
    /// # Errors
    /// The reply to a put whose condition does not hold.
    pub fn put(
        &mut self,
        put: &Put<S>,
        violations: &mut Violations,
        context: &StepContext<'_>,
    ) -> Result<Option<Arc<Item<S>>>, Reply<S>> {
        let condition_holds = self.condition_holds(put);
        if !condition_holds && !context.has(Defect::NoCondition) {
            let winner = self.item.clone().filter(|_| context.returns_winner);
            return Err(Reply::Conflict(winner, false));
        }
        violations.add_unless(condition_holds, Violation::Overwritten);
        violations.add_unless(put.item.version == self.version() + 1, Violation::VersionSkipped);
        violations.add_unless(!self.written.has(put.change_id), Violation::WrittenTwice);
        let is_reported = self.reported_not_done.has(put.change_id);
        violations.add_unless(!is_reported, Violation::RefusedButWritten);
        self.written.add(put.change_id);
        let before = self.item.replace(put.item.clone());
        self.previous = before.clone().filter(|_| context.has(Defect::StaleRead));
        Ok(before)
    }

    /// Checks that the writes that a function reports as done are done, and that the one reported as not done is not.
    pub fn check_reported(
        &mut self,
        done: &[WriteId],
        not_done: Option<WriteId>,
        violations: &mut Violations,
    ) {
        let all_written = done.iter().all(|id| self.written.has(*id));
        violations.add_unless(all_written, Violation::WrongResponse);
        if let Some(id) = not_done {
            self.reported_not_done.add(id);
            violations.add_unless(!self.written.has(id), Violation::RefusedButWritten);
        }
    }

    /// Removes the write ids of an operation of the setup or of recovery, because the next one uses the same ids.
    pub fn reset_sequential_ids(&mut self) {
        let first = MAX_OPERATIONS * MAX_WRITES_PER_RUN;
        self.written = self.written.before(first);
        self.reported_not_done = self.reported_not_done.before(first);
        if let Some(item) = &mut self.item {
            *item = Arc::new(item.without_writes_from(first));
        }
    }
}
