//! The connection of a function to the outside. Each request with its reply is one step of the model.
//!
//! The protocol (`protocol`) is sequential code, as is the code that it transcribes. A run stores only its replies so far.
//! It is replayed from its beginning with these replies, up to the first request that has no reply yet. This is possible because
//! a function is deterministic: it depends only on its operation, its instant and the replies.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;
use shared::domain::terminal::TerminalSession;
use shared::error::Refusal;
use shared::netaxept::{Progress, Registered, Verification};

use crate::annotation::Annotation;
use crate::defect::Defect;
use crate::event::Event;
use crate::item::{Item, WriteId};

/// A request that a function sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// The consistent read of the item.
    Get,
    /// The conditional write.
    Put(Arc<Put>),
    /// Nets' Register.
    Register(TerminalSession),
    /// Nets' Query.
    Query(TerminalSession),
    /// Nets' Process with the operation VERIFY.
    Verify(TerminalSession),
    /// A POST to a `callbackUrl`.
    Notify(Arc<Notification>),
}

/// A conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Put {
    /// The new item.
    pub item: Arc<Item>,
    /// The condition: the version to replace. None: there must be no item.
    pub replaces: Option<u64>,
    /// The id of the change: the write id of its first attempt.
    pub change_id: WriteId,
    /// The writer's instant.
    pub now: DateTime<Utc>,
    /// The effect of the write. Only the properties read it.
    pub annotation: Annotation,
}

/// The reply to a request, or its absence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The item that was read.
    Read(Option<Arc<Item>>),
    /// The put was executed.
    Written,
    /// The condition of the put did not hold. Contains the stored item, if the database returns it, and whether the SDK had sent
    /// the put before.
    Conflict(Option<Arc<Item>>, bool),
    /// Nets' answer to Register.
    Registered(Registered),
    /// Nets' answer to Query.
    Progress(Progress),
    /// Nets' answer to VERIFY.
    Verification(Verification),
    /// Nets refused the request. It had no effect.
    RefusedByNets,
    /// The receiver answered 202.
    Delivered,
    /// There is no reply, or no clear one.
    Lost,
}

/// Why a run stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It waits for the reply to this request.
    Waiting(Box<Request>),
    /// It failed.
    Failed(Failure),
}

/// The error that a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 404, 409 or 429: the rules refuse the request.
    Refused(Refusal),
    /// 409 `RESOURCE_BUSY`.
    Busy,
    /// 503.
    Unavailable,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(Failure::Refused(refusal))
    }
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
pub const MAX_WRITES_PER_RUN: u8 = 6;

/// The connection of one run.
#[derive(Debug)]
pub struct Wire<'a> {
    settings: RunSettings,
    replies: slice::Iter<'a, Reply>,
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

impl<'a> Wire<'a> {
    /// The connection of a run that has had these replies.
    #[must_use]
    pub fn new(settings: RunSettings, replies: &'a [Reply]) -> Self {
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
    pub fn send(&mut self, request: Request) -> Result<&'a Reply, Stop> {
        let reply = self.replies.next().ok_or_else(|| Stop::Waiting(Box::new(request)))?;
        self.events.clear();
        if let Reply::Read(Some(item)) | Reply::Conflict(Some(item), _) = reply {
            self.version = item.version;
        }
        Ok(reply)
    }
}
