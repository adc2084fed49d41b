//! The way out of a function: every request that leaves it, and every reply that it gets, is one step of the model.
//!
//! The protocol (`protocol`) is written as straight lines, like the code it transcribes. A run of it is the replies it has
//! had so far: played again from its beginning with these, it comes to the request that it waits with. That works because a
//! function is nothing but what it was told: its operation, its instant, and the replies.

use std::slice;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;
use shared::domain::terminal::Visit;
use shared::error::Refusal;
use shared::netaxept::{Progress, Registered, Verification};

use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::Intent;
use crate::item::{Item, WriteId};

/// A request on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// The consistent read of the item.
    Get,
    /// The conditional write.
    Put(Arc<Put>),
    /// Nets: Register.
    Register(Visit),
    /// Nets: Query.
    Query(Visit),
    /// Nets: Process VERIFY.
    Verify(Visit),
    /// A POST to a `callbackUrl`.
    Tell(Arc<Notification>),
}

/// A conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Put {
    /// What is to be stored.
    pub item: Arc<Item>,
    /// The version it is to replace; none: nothing is there.
    pub replaces: Option<u64>,
    /// Which change it is.
    pub change: WriteId,
    /// The writer's instant.
    pub now: DateTime<Utc>,
    /// What the writer means by it: for the properties.
    pub intent: Intent,
}

/// A reply, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// What was read.
    Got(Option<Arc<Item>>),
    /// The put was made.
    Written,
    /// The condition did not hold. What is stored, where the engine says so, and whether the SDK had sent the write before.
    Beaten(Option<Arc<Item>>, bool),
    /// Nets registered.
    Registered(Registered),
    /// What Nets knows.
    Progress(Progress),
    /// What came of a verification.
    Verification(Verification),
    /// Nets said no, and did nothing.
    RefusedByNets,
    /// A receiver's 202.
    Heard,
    /// No reply, or none that is clear.
    Lost,
}

/// Why a run goes no further for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It waits for a reply.
    Waits(Box<Request>),
    /// It is over.
    Fails(Failure),
}

/// What a caller is told when it did not go well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The rules say no: 404, 409, 429.
    Refused(Refusal),
    /// 409 `RESOURCE_BUSY`.
    Busy,
    /// 503.
    Unavailable,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Fails(Failure::Refused(refusal))
    }
}

/// What a function is made to know before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// How often a change is decided before Busy.
    pub tries: u32,
    /// A rule that is broken.
    pub flaw: Option<Flaw>,
    /// The first id that its writes have.
    pub first_id: u8,
}

/// How many writes a function can make, at most.
pub const WRITES_EACH: u8 = 6;

/// The wire of one run.
#[derive(Debug)]
pub struct Wire<'a> {
    setting: Setting,
    replies: slice::Iter<'a, Reply>,
    ids: u8,
    /// What happened since the last reply.
    pub events: Vec<Event>,
    /// The newest version that it knows of.
    pub version: u64,
    /// Writes that the function takes for done.
    pub done: Vec<WriteId>,
    /// A write that it takes for not done, and says so.
    pub denied: Option<WriteId>,
}

impl<'a> Wire<'a> {
    /// The wire of a run that had these replies.
    #[must_use]
    pub fn new(setting: Setting, replies: &'a [Reply]) -> Self {
        let replies = replies.iter();
        Self {
            setting,
            replies,
            ids: 0,
            events: Vec::new(),
            version: 0,
            done: Vec::new(),
            denied: None,
        }
    }

    /// How often a change is decided.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.setting.tries
    }

    /// Whether this rule is broken.
    #[must_use]
    pub fn has(&self, flaw: Flaw) -> bool {
        self.setting.flaw == Some(flaw)
    }

    /// The broken rule.
    #[must_use]
    pub fn flaw(&self) -> Option<Flaw> {
        self.setting.flaw
    }

    /// Something worth counting.
    pub fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A new random id.
    ///
    /// # Panics
    /// The function makes more writes than any can.
    pub fn new_write_id(&mut self) -> WriteId {
        assert!(self.ids < WRITES_EACH, "a function writes more often than there are ids");
        self.ids += 1;
        WriteId(self.setting.first_id + self.ids - 1)
    }

    /// Sends a request, and waits for its reply.
    ///
    /// # Errors
    /// `Waits` when there is none yet.
    pub fn ask(&mut self, request: Request) -> Result<&'a Reply, Stop> {
        let reply = self.replies.next().ok_or_else(|| Stop::Waits(Box::new(request)))?;
        self.events.clear();
        if let Reply::Got(Some(item)) | Reply::Beaten(Some(item), _) = reply {
            self.version = item.version;
        }
        Ok(reply)
    }
}
