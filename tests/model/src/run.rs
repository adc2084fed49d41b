//! A run of an operation, and its progress.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::domain::id::TransactionId;
use shared::netaxept::Progress;

use crate::event::Event;
use crate::item::WriteId;
use crate::operation::Operation;
use crate::protocol::{self, Success};
use crate::wire::{Failure, Reply, Request, RunSettings, Stop, Wire};

/// An operation in progress.
#[derive(Debug, Clone)]
pub struct Run {
    /// The operation.
    pub operation: Operation,
    /// Its instant, from API Gateway or from the event of the schedule.
    pub now: DateTime<Utc>,
    /// The replies so far.
    pub replies: Vec<Reply>,
    /// The request that waits for a reply. It follows from `replies`.
    pub request: Request,
    /// Whether that request was executed before, its reply was lost, and the SDK sends it again.
    pub repeated: bool,
    /// The version in the table when the run began.
    pub version_at_begin: u64,
    /// The transactions that were verified when the run began.
    pub verified_at_begin: Vec<TransactionId>,
}

/// The progress of a run.
#[derive(Debug)]
pub struct RunProgress {
    /// Whether it waits or has ended.
    pub state: RunState,
    /// The events since the last reply.
    pub events: Vec<Event>,
    /// The newest version that it has seen.
    pub version: u64,
    /// Writes that it reports as done.
    pub reported_done: Vec<WriteId>,
    /// The write that it reports as not done.
    pub reported_not_done: Option<WriteId>,
}

/// The state of a run.
#[derive(Debug)]
pub enum RunState {
    /// It waits for the reply to this request.
    Waiting(Request),
    /// It succeeded.
    Succeeded(Success),
    /// It failed.
    Failed(Failure),
}

impl Run {
    /// Runs the operation again from its beginning, with the replies so far.
    #[must_use]
    pub fn replay(&self, settings: RunSettings) -> RunProgress {
        let mut wire = Wire::new(settings, &self.replies);
        let state = match protocol::run(&mut wire, self.operation, self.now) {
            Ok(success) => RunState::Succeeded(success),
            Err(Stop::Waiting(request)) => RunState::Waiting(*request),
            Err(Stop::Failed(failure)) => RunState::Failed(failure),
        };
        let Wire { events, version, reported_done, reported_not_done, .. } = wire;
        RunProgress { state, events, version, reported_done, reported_not_done }
    }
}

/// The fields of a run that its equality depends on.
type Identity<'a> = (Operation, DateTime<Utc>, bool, u64, &'a [Reply], &'a [TransactionId]);

impl Run {
    /// Whether a reply of Nets contained a verified card.
    #[must_use]
    pub fn has_verified_card(&self) -> bool {
        let card = |reply: &Reply| matches!(reply, Reply::Progress(Progress::Verified(_)));
        self.replies.iter().any(card)
    }

    fn identity(&self) -> Identity<'_> {
        let Self {
            operation,
            now,
            replies,
            version_at_begin,
            verified_at_begin,
            request: _,
            repeated,
        } = self;
        (*operation, *now, *repeated, *version_at_begin, replies, verified_at_begin)
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Run {}

impl Hash for Run {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
