//! `shared/src/storage/change.rs`: loads an aggregate, decides, and writes the result under a condition. On a conflict, decides
//! again.
//!
//! The service keeps 64-bit write ids, and only the last eight of them. The model keeps a small id for each write.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::defect::Defect;
use crate::event::Event;
use crate::item::{Item, WriteId};
use crate::system::System;
use crate::wire::{Failure, Put as PutRequest, Reply, Request, Stop, Wire};

/// An aggregate as it was read. It can be changed without another read.
#[derive(Debug)]
pub struct Loaded<S: System> {
    /// The aggregate as of now.
    pub aggregate: S::Aggregate,
    /// The stored contents, to detect whether a decision changes anything.
    before: S::Contents,
    /// The stored item.
    item: Option<Arc<Item<S>>>,
}

impl<S: System> Loaded<S> {
    /// The aggregate of a key that was not read: the first write finds out whether there is an item.
    ///
    /// # Errors
    /// Fails with the refusal for a key that needs an item.
    pub fn unread(key: S::Key, now: DateTime<Utc>) -> Result<Self, Stop<S>> {
        let missing = S::missing(key, now);
        let (aggregate, before) =
            missing.map_err(|refusal| Stop::Failed(Failure::Refused(refusal)))?;
        Ok(Self { aggregate, before, item: None })
    }

    /// Whether an index has an overdue entry that does not agree with the aggregate.
    #[must_use]
    pub fn has_stale_index_entry(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.has_stale_index_entry(&self.aggregate, now))
    }
}

/// The result of a change.
#[derive(Debug)]
pub struct Changed<S: System, T> {
    /// The result of the decision.
    pub outcome: T,
    /// Whether anything was written.
    pub written: bool,
    /// The aggregate after the decision. It can be changed again without a read.
    pub loaded: Loaded<S>,
}

/// The identity of the writes of one change.
#[derive(Debug, Clone, Copy)]
struct WriteIdentity {
    /// The id for the properties: the write id of the first attempt.
    change_id: WriteId,
    /// The id for the protocol. It differs from `change_id` only with a defect.
    id: WriteId,
    now: DateTime<Utc>,
}

/// A decision that is not confirmed as written yet.
struct Decision<S: System, T> {
    outcome: T,
    after: S::Aggregate,
    item: Arc<Item<S>>,
}

impl<S: System, T> Decision<S, T> {
    /// The result of a change that is written.
    fn written(self, write: WriteIdentity, wire: &mut Wire<'_, S>) -> Changed<S, T> {
        wire.reported_done.push(write.change_id);
        let Self { outcome, after, item } = self;
        let before = S::contents(&after).clone();
        Changed {
            outcome,
            written: true,
            loaded: Loaded { aggregate: after, before, item: Some(item) },
        }
    }
}

enum PutOutcome<S: System> {
    Written,
    Conflict(Option<Arc<Item<S>>>, bool),
    Unclear,
}

/// A write whose outcome is unknown, with the version that it was to replace.
#[derive(Debug, Clone, Copy)]
struct UncertainWrite(u64);

impl UncertainWrite {
    /// The write, if it may still be executed after an item was read that does not contain it.
    fn after<S: System>(uncertain: Option<Self>, seen: &Item<S>) -> Option<Self> {
        uncertain.filter(|Self(replaces)| seen.version <= *replaces)
    }
}

/// `Store::load` and `PaymentStore::load`.
///
/// # Errors
/// Fails with `NotFound` or `Unavailable`.
pub fn load<S: System>(
    wire: &mut Wire<'_, S>,
    key: S::Key,
    now: DateTime<Utc>,
) -> Result<Loaded<S>, Stop<S>> {
    match get(wire)? {
        Some(item) => Ok(open_item(item, now)),
        None => Loaded::unread(key, now),
    }
}

/// `Store::change` and `PaymentStore::change`.
///
/// # Errors
/// Fails with the refusal of `decide`, as [`load`], with `Busy` after too many conflicts, or with `Unavailable` if the outcome of a
/// write is unknown.
pub fn change<S: System, T: Clone>(
    wire: &mut Wire<'_, S>,
    key: S::Key,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut S::Aggregate) -> Result<(T, S::Annotation), S::Refusal>,
) -> Result<T, Stop<S>> {
    let found = load(wire, key, now)?;
    Ok(change_loaded(wire, found, key, now, decide)?.outcome)
}

/// `change::change`.
///
/// # Errors
/// Fails as [`change`].
pub fn change_loaded<S: System, T: Clone>(
    wire: &mut Wire<'_, S>,
    found: Loaded<S>,
    key: S::Key,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut S::Aggregate) -> Result<(T, S::Annotation), S::Refusal>,
) -> Result<Changed<S, T>, Stop<S>> {
    let mut decide = decide_with_defect::<S, T>(wire.has(Defect::DecisionNotRepeated), decide);
    let change_id = wire.new_write_id();
    let mut write = WriteIdentity { change_id, id: change_id, now };
    let mut uncertain = None;
    let mut previous: Option<Decision<S, T>> = None;
    let mut seen = Some(found);
    for _ in 0..wire.attempts() {
        let Loaded { mut aggregate, before, item } = match seen.take() {
            Some(found) => found,
            None => load(wire, key, now)?,
        };
        if let (Some(decision), Some(item)) = (previous.take(), &item) {
            if item.was_written_by(write.id) && !wire.has(Defect::RetriesWithoutCheck) {
                wire.record(Event::OwnWriteFoundByRead);
                return Ok(decision.written(write, wire));
            }
            uncertain = UncertainWrite::after(uncertain, item);
        }
        let (outcome, annotation) = decide(&mut aggregate)
            .map_err(|refusal| fail(wire, write, Failure::Refused(refusal)))?;
        let has_stale_index_entry =
            item.as_ref().is_some_and(|item| item.has_stale_index_entry(&aggregate, now));
        if *S::contents(&aggregate) == before && !has_stale_index_entry {
            wire.record(Event::NothingToWrite);
            let loaded = Loaded { aggregate, before, item };
            return Ok(Changed { outcome, written: false, loaded });
        }
        let uncertain_write = UncertainWrite(item.as_ref().map_or(0, |item| item.version));
        let new = Item::new(&aggregate, item.as_deref(), write.id, now, wire.defect());
        let new = Arc::new(new);
        let decision = Decision { outcome, after: aggregate, item: new.clone() };
        match put(wire, new, item.as_deref(), write, annotation)? {
            PutOutcome::Written => return Ok(decision.written(write, wire)),
            PutOutcome::Conflict(Some(item), _)
                if item.was_written_by(write.id) && !wire.has(Defect::OwnWriteNotRecognised) =>
            {
                wire.record(Event::OwnWriteRecognised);
                return Ok(decision.written(write, wire));
            }
            PutOutcome::Conflict(winner, repeated) => {
                wire.record(if winner.is_some() {
                    Event::Conflict
                } else {
                    Event::ConflictWithoutItem
                });
                let repeated = repeated && !wire.has(Defect::RepeatedPutCountsAsConflict);
                uncertain = repeated.then_some(uncertain_write).or(uncertain);
                if let Some(item) = &winner {
                    uncertain = UncertainWrite::after(uncertain, item);
                }
                seen = winner.map(|item| open_item(item, now));
            }
            PutOutcome::Unclear => uncertain = Some(uncertain_write),
        }
        previous = Some(decision);
        if wire.has(Defect::NewWriteIdPerAttempt) {
            write.id = wire.new_write_id();
        }
    }
    if uncertain.is_none() || wire.has(Defect::UncertainWriteNotChecked) {
        return Err(fail(wire, write, Failure::Busy));
    }
    let written = load(wire, key, now)?.item.is_some_and(|item| item.was_written_by(write.id));
    wire.record(if written { Event::UncertainWriteFound } else { Event::UncertainWriteNotFound });
    match previous.filter(|_| written) {
        Some(decision) => Ok(decision.written(write, wire)),
        None => Err(fail(wire, write, Failure::Unavailable)),
    }
}

/// Returns `decide` itself. With `once`, a defect: the first decision is used again after a conflict.
fn decide_with_defect<S: System, T: Clone>(
    once: bool,
    mut decide: impl FnMut(&mut S::Aggregate) -> Result<(T, S::Annotation), S::Refusal>,
) -> impl FnMut(&mut S::Aggregate) -> Result<(T, S::Annotation), S::Refusal> {
    let mut first: Option<(S::Aggregate, T, S::Annotation)> = None;
    move |aggregate| {
        if let Some((decided, outcome, annotation)) = &first {
            *aggregate = decided.clone();
            return Ok((outcome.clone(), annotation.clone()));
        }
        let (outcome, annotation) = decide(aggregate)?;
        if once {
            first = Some((aggregate.clone(), outcome.clone(), annotation.clone()));
        }
        Ok((outcome, annotation))
    }
}

/// Records a failure. A refusal and `Busy` report that nothing was written.
fn fail<S: System>(
    wire: &mut Wire<'_, S>,
    write: WriteIdentity,
    failure: Failure<S::Refusal>,
) -> Stop<S> {
    match failure {
        Failure::Refused(_) => wire.record(Event::Refused),
        Failure::Busy => wire.record(Event::Busy),
        Failure::Unavailable => return Stop::Failed(failure),
    }
    wire.reported_not_done = Some(write.change_id);
    Stop::Failed(failure)
}

/// `Store::open_item` and `PaymentStore::open_for_key`, without the check of the caller.
pub fn open_item<S: System>(item: Arc<Item<S>>, now: DateTime<Utc>) -> Loaded<S> {
    let before = item.contents.clone();
    Loaded { aggregate: S::open(before.clone(), now), before, item: Some(item) }
}

/// The consistent read of the item.
///
/// # Errors
/// Fails with `Unavailable` if there is no reply.
pub fn get<S: System>(wire: &mut Wire<'_, S>) -> Result<Option<Arc<Item<S>>>, Stop<S>> {
    let Reply::Read(item) = wire.send(Request::Get)? else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    Ok(item.clone())
}

fn put<S: System>(
    wire: &mut Wire<'_, S>,
    item: Arc<Item<S>>,
    replaces: Option<&Item<S>>,
    write: WriteIdentity,
    annotation: S::Annotation,
) -> Result<PutOutcome<S>, Stop<S>> {
    let version = item.version;
    let request = PutRequest {
        item,
        replaces: replaces.map(|item| item.version),
        change_id: write.change_id,
        now: write.now,
        annotation,
    };
    let reply = wire.send(Request::Put(Arc::new(request)))?;
    if let Reply::Conflict(winner, repeated) = reply {
        return Ok(PutOutcome::Conflict(winner.clone(), *repeated));
    }
    if *reply == Reply::Written || wire.has(Defect::LostReplyCountsAsWritten) {
        wire.version = version;
        return Ok(PutOutcome::Written);
    }
    Ok(PutOutcome::Unclear)
}
