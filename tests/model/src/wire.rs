//! The connection of a function to the outside. Each request with its reply is one step of the model.
//!
//! The protocols (`protocol`, `payment::protocol`) are sequential code, as is the code that they transcribe. A run stores only its
//! replies so far. It is replayed from its beginning with these replies, up to the first request that has no reply yet. This is
//! possible because a function is deterministic: it depends only on its operation, its instant and the replies.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::defect::Defect;
use crate::event::Event;
use crate::item::{Item, WriteId};
use crate::system::System;

/// A request that a function sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request<S: System> {
    /// The consistent read of the item.
    Get,
    /// The conditional write.
    Put(Arc<Put<S>>),
    /// A request to another receiver.
    Call(S::Call),
}

/// A conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Put<S: System> {
    /// The new item.
    pub item: Arc<Item<S>>,
    /// The condition: the version to replace. None: there must be no item.
    pub replaces: Option<u64>,
    /// The id of the change: the write id of its first attempt.
    pub change_id: WriteId,
    /// The writer's instant.
    pub now: DateTime<Utc>,
    /// The effect of the write. Only the properties read it.
    pub annotation: S::Annotation,
}

/// The reply to a request, or its absence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply<S: System> {
    /// The item that was read.
    Read(Option<Arc<Item<S>>>),
    /// The put was executed.
    Written,
    /// The condition of the put did not hold. Contains the stored item, if the database returns it, and whether the SDK had sent
    /// the put before.
    Conflict(Option<Arc<Item<S>>>, bool),
    /// The answer of another receiver.
    Answered(S::Answer),
    /// There is no reply, or no clear one.
    Lost,
}

/// Why a run stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop<S: System> {
    /// It waits for the reply to this request.
    Waiting(Box<Request<S>>),
    /// It failed.
    Failed(Failure<S::Refusal>),
}

/// The error that a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure<R> {
    /// 404, 409 or 429: the rules refuse the request.
    Refused(R),
    /// 409 `RESOURCE_BUSY`.
    Busy,
    /// 503.
    Unavailable,
}

/// The configuration of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// How often a change is decided before Busy.
    pub attempts: u32,
    /// The seeded defect.
    pub defect: Option<Defect>,
    /// The first of its write ids.
    pub first_id: u8,
}

/// The largest number of write ids that one run can use.
pub const MAX_WRITES_PER_RUN: u8 = 9;
/// The largest number of operations of a scenario. One more is for the operations of the setup and of recovery.
pub const MAX_OPERATIONS: u8 = 13;

/// The connection of one run.
#[derive(Debug)]
pub struct Wire<'a, S: System> {
    settings: RunSettings,
    replies: slice::Iter<'a, Reply<S>>,
    ids: u8,
    /// The events since the last reply.
    pub events: Vec<Event>,
    /// The newest version that the function has seen.
    pub version: u64,
    /// Writes that the function reports as done.
    pub reported_done: Vec<WriteId>,
    /// The write that the function reports as not done.
    pub reported_not_done: Option<WriteId>,
}

impl<'a, S: System> Wire<'a, S> {
    /// The connection of a run that has had these replies.
    #[must_use]
    pub fn new(settings: RunSettings, replies: &'a [Reply<S>]) -> Self {
        let replies = replies.iter();
        Self {
            settings,
            replies,
            ids: 0,
            events: Vec::new(),
            version: 0,
            reported_done: Vec::new(),
            reported_not_done: None,
        }
    }

    /// How often a change is decided before Busy.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.settings.attempts
    }

    /// Whether this defect is seeded.
    #[must_use]
    pub fn has(&self, defect: Defect) -> bool {
        self.settings.defect == Some(defect)
    }

    /// The seeded defect.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        self.settings.defect
    }

    /// Records an event.
    pub fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A new write id.
    ///
    /// # Panics
    /// Panics if the run has used all of its write ids.
    pub fn new_write_id(&mut self) -> WriteId {
        assert!(self.ids < MAX_WRITES_PER_RUN, "a run has no write id left");
        self.ids += 1;
        WriteId(self.settings.first_id + self.ids - 1)
    }

    /// Sends a request, and returns its reply.
    ///
    /// # Errors
    /// `Waiting` if there is no reply yet.
    pub fn send(&mut self, request: Request<S>) -> Result<&'a Reply<S>, Stop<S>> {
        let reply = self.replies.next().ok_or_else(|| Stop::Waiting(Box::new(request)))?;
        self.events.clear();
        if let Reply::Read(Some(item)) | Reply::Conflict(Some(item), _) = reply {
            self.version = item.version;
        }
        Ok(reply)
    }

    /// Sends a request to another receiver than the table. None: there is no clear reply.
    ///
    /// # Errors
    /// `Waiting` if there is no reply yet.
    pub fn call(&mut self, call: S::Call) -> Result<Option<&'a S::Answer>, Stop<S>> {
        Ok(match self.send(Request::Call(call))? {
            Reply::Answered(answer) => Some(answer),
            Reply::Read(_) | Reply::Written | Reply::Conflict(..) | Reply::Lost => None,
        })
    }
}
