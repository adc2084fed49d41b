//! A run of an operation: how far it has come.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::domain::id::TransactionId;
use shared::netaxept::Progress;

use crate::event::Event;
use crate::item::WriteId;
use crate::operation::Operation;
use crate::protocol::{self, Given};
use crate::wire::{Failure, Reply, Request, Setting, Stop, Wire};

/// An operation that somebody has begun.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which one.
    pub operation: Operation,
    /// Its instant: API Gateway's, or the schedule's event's.
    pub now: DateTime<Utc>,
    /// The replies it had.
    pub replies: Vec<Reply>,
    /// The request that it waits with. It follows from the replies.
    pub request: Request,
    /// Whether that request was sent before, and its reply lost on the way.
    pub repeated: bool,
    /// The version that was there when it began.
    pub floor: u64,
    /// What Nets had verified when it began.
    pub verified: Vec<TransactionId>,
}

/// What a run has come to.
#[derive(Debug)]
pub struct Progressed {
    /// Over, or the request that it waits with.
    pub came_to: CameTo,
    /// What happened since the last reply.
    pub events: Vec<Event>,
    /// The newest version that it knows of.
    pub version: u64,
    /// Writes that it takes for done.
    pub done: Vec<WriteId>,
    /// A write that it says is not done.
    pub denied: Option<WriteId>,
}

/// Where a run stands.
#[derive(Debug)]
pub enum CameTo {
    /// It waits.
    Waits(Request),
    /// It went well.
    Gives(Given),
    /// It did not.
    Fails(Failure),
}

impl Run {
    /// Plays it again from its beginning, with the replies it had.
    #[must_use]
    pub fn progress(&self, setting: Setting) -> Progressed {
        let mut wire = Wire::new(setting, &self.replies);
        let came_to = match protocol::run(&mut wire, self.operation, self.now) {
            Ok(given) => CameTo::Gives(given),
            Err(Stop::Waits(request)) => CameTo::Waits(*request),
            Err(Stop::Fails(failure)) => CameTo::Fails(failure),
        };
        let Wire { events, version, done, denied, .. } = wire;
        Progressed { came_to, events, version, done, denied }
    }
}

/// All that makes a run what it is.
type Told<'a> = (Operation, DateTime<Utc>, bool, u64, &'a [Reply], &'a [TransactionId]);

impl Run {
    /// Whether Nets has told it of a card.
    #[must_use]
    pub fn has_verified(&self) -> bool {
        let card = |reply: &Reply| matches!(reply, Reply::Progress(Progress::Verified(_)));
        self.replies.iter().any(card)
    }

    fn told(&self) -> Told<'_> {
        let Self { operation, now, replies, floor, verified, request: _, repeated } = self;
        (*operation, *now, *repeated, *floor, replies, verified)
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

impl Eq for Run {}

impl Hash for Run {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.told().hash(state);
    }
}
