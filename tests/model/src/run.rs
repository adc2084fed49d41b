//! A run of an operation, and its progress.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::netaxept::Progress;

use crate::event::Event;
use crate::item::WriteId;
use crate::system::System;
use crate::wallets::{Answer, Wallets};
use crate::wire::{Failure, Reply, Request, RunSettings, Stop, Wire};

/// An operation in progress.
#[derive(Debug, Clone)]
pub struct Run<S: System> {
    /// The operation.
    pub operation: S::Operation,
    /// Its instant, from API Gateway or from the event of the schedule.
    pub now: DateTime<Utc>,
    /// The replies so far.
    pub replies: Vec<Reply<S>>,
    /// The request that waits for a reply. It follows from `replies`.
    pub request: Request<S>,
    /// Whether that request was executed before, its reply was lost, and the SDK sends it again.
    pub repeated: bool,
    /// The facts at its beginning, for the properties.
    pub at_begin: S::AtBegin,
}

/// The progress of a run.
#[derive(Debug)]
pub struct RunProgress<S: System> {
    /// Whether it waits or has ended.
    pub state: RunState<S>,
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
pub enum RunState<S: System> {
    /// It waits for the reply to this request.
    Waiting(Request<S>),
    /// It succeeded.
    Succeeded(S::Success),
    /// It failed.
    Failed(Failure<S::Refusal>),
}

impl<S: System> Run<S> {
    /// An operation that begins with these replies.
    #[must_use]
    pub fn new(operation: S::Operation, now: DateTime<Utc>, replies: Vec<Reply<S>>) -> Self {
        let at_begin = S::AtBegin::default();
        Self { operation, now, replies, request: Request::Get, repeated: false, at_begin }
    }

    /// Runs the operation to its end, without steps of other processes. `execute` replies to its requests. Returns its result if it
    /// succeeded.
    pub fn complete(
        mut self,
        settings: RunSettings,
        mut execute: impl FnMut(&Request<S>, &Self) -> Reply<S>,
    ) -> Option<S::Success> {
        loop {
            match self.replay(settings).state {
                RunState::Waiting(request) => {
                    let reply = execute(&request, &self);
                    self.replies.push(reply);
                }
                RunState::Succeeded(success) => return Some(success),
                RunState::Failed(_) => return None,
            }
        }
    }

    /// Runs the operation again from its beginning, with the replies so far.
    #[must_use]
    pub fn replay(&self, settings: RunSettings) -> RunProgress<S> {
        let mut wire = Wire::new(settings, &self.replies);
        let state = match S::run(&mut wire, self.operation, self.now) {
            Ok(success) => RunState::Succeeded(success),
            Err(Stop::Waiting(request)) => RunState::Waiting(*request),
            Err(Stop::Failed(failure)) => RunState::Failed(failure),
        };
        let Wire { events, version, reported_done, reported_not_done, .. } = wire;
        RunProgress { state, events, version, reported_done, reported_not_done }
    }
}

/// The fields of a run that its equality depends on.
type Identity<'a, S> =
    (<S as System>::Operation, DateTime<Utc>, bool, &'a [Reply<S>], &'a <S as System>::AtBegin);

impl<S: System> Run<S> {
    fn identity(&self) -> Identity<'_, S> {
        let Self { operation, now, replies, repeated, at_begin, request: _ } = self;
        (*operation, *now, *repeated, replies, at_begin)
    }
}

impl Run<Wallets> {
    /// Whether a reply of Nets contained a verified card.
    #[must_use]
    pub fn has_verified_card(&self) -> bool {
        let card = |reply: &Reply<Wallets>| {
            matches!(reply, Reply::Answered(Answer::Progress(Progress::Verified(_))))
        };
        self.replies.iter().any(card)
    }
}

impl<S: System> PartialEq for Run<S> {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl<S: System> Eq for Run<S> {}

impl<S: System> Hash for Run<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
