//! A state of the model: the table, Nets, the processes, the messages in transit, and the expected state.

pub mod event_counting;
pub mod execute;
mod lifecycle;
pub mod next_steps;
pub mod properties;
pub mod recovery;
pub mod steps;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use shared::domain::id::TransactionId;

use crate::defect::Defect;
use crate::event::{Event, EventCounts};
use crate::nets::Nets;
use crate::run::Run;
use crate::specification::Specification;
use crate::subject::{LifecycleEvent, Subject};
use crate::system::System;
use crate::table::Table;
use crate::violation::Violations;
use crate::wallets::{Request, Wallets};
use crate::wire::{MAX_WRITES_PER_RUN, RunSettings};

/// A process executes the operations of its script in sequence. It is a client, Nets' callback, or a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process<S: System> {
    /// How many operations of its script have ended.
    pub done: u8,
    /// The operation in progress.
    pub run: Option<Arc<Run<S>>>,
}

impl<S: System> Process<S> {
    /// Processes that have not begun.
    #[must_use]
    pub fn several(count: usize) -> Vec<Self> {
        vec![Self { done: 0, run: None }; count]
    }

    /// Whether its first operation has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.done > 0 || self.run.is_some()
    }
}

/// How many faults and clock steps are still possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Remaining {
    /// Lost messages.
    pub losses: u8,
    /// Killed functions.
    pub kills: u8,
    /// Steps of the clock.
    pub clock_steps: u8,
}

/// One delivery attempt: what it is about, and its number.
pub type DeliveryAttempt = (Subject, u16);

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The index of the scenario in the configuration.
    pub scenario: u16,
    /// The clock.
    pub now: DateTime<Utc>,
    /// The table.
    pub table: Table<Wallets>,
    /// Nets' transactions.
    pub nets: Nets,
    /// The sessions whose page address was returned to a client.
    pub pages: Vec<TransactionId>,
    /// The processes.
    pub processes: Vec<Process<Wallets>>,
    /// Requests whose senders have stopped waiting, and that may still arrive.
    pub late: Vec<Request>,
    /// The faults and clock steps that are still possible.
    pub remaining: Remaining,
    /// The expected state.
    pub specification: Arc<Specification>,
    /// Delivery attempts that were made.
    pub attempts: Vec<DeliveryAttempt>,
    /// Lifecycle events that were enqueued.
    pub enqueued: Vec<LifecycleEvent>,
    /// The violated properties.
    pub violations: Violations,
}

/// The input of a step beside the state.
#[derive(Debug, Clone, Copy)]
pub struct StepContext<'a> {
    /// How often a change is decided before Busy.
    pub attempts: u32,
    /// Whether the database returns the stored item when the condition of a write fails.
    pub returns_winner: bool,
    /// The seeded defect.
    pub defect: Option<Defect>,
    /// The counts of events. None during the setup of a scenario and during recovery.
    pub counts: Option<&'a EventCounts>,
    /// The states whose recovery was checked before. Only for payments.
    pub recovered: Option<&'a CheckedStates>,
}

/// The hashes of states that were checked before. Not part of a state.
pub type CheckedStates = Mutex<HashSet<u64>>;

impl StepContext<'_> {
    /// Counts an event.
    pub fn count(&self, event: Event) {
        if let Some(counts) = self.counts {
            counts.add(event);
        }
    }

    /// Whether operations run one after the other: during the setup of a scenario and during recovery.
    #[must_use]
    pub fn is_sequential(&self) -> bool {
        self.counts.is_none()
    }

    /// Whether this defect is seeded.
    #[must_use]
    pub fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// The settings of the operation with this number. The number makes the ids of its writes unique.
    #[must_use]
    pub fn run_settings(&self, ordinal: u8) -> RunSettings {
        RunSettings {
            attempts: self.attempts,
            defect: self.defect,
            first_id: ordinal * MAX_WRITES_PER_RUN,
        }
    }
}
