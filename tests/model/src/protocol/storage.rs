//! `shared/src/storage.rs` and `storage/change.rs`: a consistent read, a conditional write, and the retries after a conflict or a lost reply.
//!
//! The pause between two attempts is not modelled, because a process can be delayed between any two of its steps.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::customer::Organisation;
use shared::domain::owner::Owner;
use shared::domain::wallet::{Contents, Wallet};
use shared::error::Refusal;

use super::slot;
use crate::annotation::Annotation;
use crate::defect::Defect;
use crate::event::Event;
use crate::item::{Item, WriteId};
use crate::wire::{Failure, Put as PutRequest, Reply, Request, Stop, Wire};

/// How a wallet is found. The keys differ only while no item is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletKey {
    /// The wallet of the customer. It may be empty.
    Customer,
    /// The wallet of a recurring payment.
    Payment,
    /// The wallet in a slot, for background tasks.
    Slot,
}

/// A wallet as it was read. It can be changed without another read.
#[derive(Debug)]
pub struct LoadedWallet {
    /// The wallet as of now.
    pub wallet: Wallet,
    /// The stored contents, to detect whether a decision changes anything.
    before: Contents,
    /// The stored item.
    item: Option<Arc<Item>>,
}

impl LoadedWallet {
    /// Whether an index has an overdue entry that does not agree with the wallet.
    #[must_use]
    pub fn has_stale_index_entry(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.has_stale_index_entry(&self.wallet, now))
    }
}

/// The result of a change.
#[derive(Debug)]
pub struct ChangeResult<T> {
    /// The result of the decision.
    pub outcome: T,
    /// Whether anything was written.
    pub written: bool,
}

impl<T> ChangeResult<T> {
    /// The result of a change that is written.
    fn done(outcome: T, write: WriteIdentity, wire: &mut Wire<'_>) -> Self {
        wire.reported_done.push(write.change_id);
        Self { outcome, written: true }
    }
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

enum PutOutcome {
    Written,
    Conflict(Option<Arc<Item>>, bool),
    Unclear,
}

/// A write whose outcome is unknown, with the version that it was to replace.
#[derive(Debug, Clone, Copy)]
struct UncertainWrite(u64);

impl UncertainWrite {
    /// The write, if it may still be executed after an item was read that does not contain it.
    fn after(uncertain: Option<Self>, seen: &Item) -> Option<Self> {
        uncertain.filter(|Self(replaces)| seen.version <= *replaces)
    }
}

/// The empty wallet of the model's customer.
#[must_use]
pub fn empty(now: DateTime<Utc>) -> Wallet {
    Wallet::empty(slot(), Organisation::new(1), Owner([7; 32]), now)
}

/// `Store::load`.
///
/// # Errors
/// Fails with `NotFound` or `Unavailable`.
pub fn load(wire: &mut Wire<'_>, key: WalletKey, now: DateTime<Utc>) -> Result<LoadedWallet, Stop> {
    match (get(wire)?, key) {
        (Some(item), _) => Ok(open_item(item, now)),
        (None, WalletKey::Customer) => {
            let wallet = empty(now);
            Ok(LoadedWallet { before: wallet.contents().clone(), wallet, item: None })
        }
        (None, WalletKey::Payment | WalletKey::Slot) => Err(Refusal::NotFound.into()),
    }
}

/// `Store::change`.
///
/// # Errors
/// Fails with the refusal of `decide`, as [`load`], with `Busy` after too many conflicts, or with `Unavailable` if the outcome of a
/// write is unknown.
pub fn change<T: Clone>(
    wire: &mut Wire<'_>,
    key: WalletKey,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut Wallet) -> Result<(T, Annotation), Refusal>,
) -> Result<T, Stop> {
    let found = load(wire, key, now)?;
    Ok(change_loaded(wire, found, key, now, decide)?.outcome)
}

/// `Store::change_loaded`.
///
/// # Errors
/// Fails as [`change`].
pub fn change_loaded<T: Clone>(
    wire: &mut Wire<'_>,
    found: LoadedWallet,
    key: WalletKey,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut Wallet) -> Result<(T, Annotation), Refusal>,
) -> Result<ChangeResult<T>, Stop> {
    let mut decide = decide_with_defect(wire.has(Defect::DecisionNotRepeated), decide);
    let change_id = wire.new_write_id();
    let mut write = WriteIdentity { change_id, id: change_id, now };
    let mut uncertain = None;
    let mut decided = None;
    let mut seen = Some(found);
    for _ in 0..wire.attempts() {
        let LoadedWallet { mut wallet, before, item } = match seen.take() {
            Some(found) => found,
            None => load(wire, key, now)?,
        };
        if let (Some(outcome), Some(item)) = (decided.take(), &item) {
            if item.was_written_by(write.id) && !wire.has(Defect::RetriesWithoutCheck) {
                wire.record(Event::OwnWriteFoundByRead);
                return Ok(ChangeResult::done(outcome, write, wire));
            }
            uncertain = UncertainWrite::after(uncertain, item);
        }
        let (outcome, annotation) =
            decide(&mut wallet).map_err(|refusal| fail(wire, write, Failure::Refused(refusal)))?;
        let has_stale_index_entry =
            item.as_ref().is_some_and(|item| item.has_stale_index_entry(&wallet, now));
        if *wallet.contents() == before && !has_stale_index_entry {
            wire.record(Event::NothingToWrite);
            return Ok(ChangeResult { outcome, written: false });
        }
        let uncertain_write = UncertainWrite(item.as_ref().map_or(0, |item| item.version));
        let new = Item::new(&wallet, item.as_deref(), write.id, wire.defect());
        match put(wire, new, item.as_deref(), write, annotation)? {
            PutOutcome::Written => return Ok(ChangeResult::done(outcome, write, wire)),
            PutOutcome::Conflict(Some(item), _)
                if item.was_written_by(write.id) && !wire.has(Defect::OwnWriteNotRecognised) =>
            {
                wire.record(Event::OwnWriteRecognised);
                return Ok(ChangeResult::done(outcome, write, wire));
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
        decided = Some(outcome);
        if wire.has(Defect::NewWriteIdPerAttempt) {
            write.id = wire.new_write_id();
        }
    }
    if uncertain.is_none() || wire.has(Defect::UncertainWriteNotChecked) {
        return Err(fail(wire, write, Failure::Busy));
    }
    let written = load(wire, key, now)?.item.is_some_and(|item| item.was_written_by(write.id));
    wire.record(if written { Event::UncertainWriteFound } else { Event::UncertainWriteNotFound });
    match decided.filter(|_| written) {
        Some(outcome) => Ok(ChangeResult::done(outcome, write, wire)),
        None => Err(fail(wire, write, Failure::Unavailable)),
    }
}

/// Returns `decide` itself. With `once`, a defect: the first decision is used again after a conflict.
fn decide_with_defect<T: Clone>(
    once: bool,
    mut decide: impl FnMut(&mut Wallet) -> Result<(T, Annotation), Refusal>,
) -> impl FnMut(&mut Wallet) -> Result<(T, Annotation), Refusal> {
    let mut first: Option<(Wallet, T, Annotation)> = None;
    move |wallet| {
        if let Some((decided, outcome, annotation)) = &first {
            *wallet = decided.clone();
            return Ok((outcome.clone(), annotation.clone()));
        }
        let (outcome, annotation) = decide(wallet)?;
        if once {
            first = Some((wallet.clone(), outcome.clone(), annotation.clone()));
        }
        Ok((outcome, annotation))
    }
}

/// Records a failure. A refusal and `Busy` report that nothing was written.
fn fail(wire: &mut Wire<'_>, write: WriteIdentity, failure: Failure) -> Stop {
    match failure {
        Failure::Refused(_) => wire.record(Event::Refused),
        Failure::Busy => wire.record(Event::Busy),
        Failure::Unavailable => return Stop::Failed(failure),
    }
    wire.reported_not_done = Some(write.change_id);
    Stop::Failed(failure)
}

/// `Store::open_item`, without the check of the owner.
pub(super) fn open_item(item: Arc<Item>, now: DateTime<Utc>) -> LoadedWallet {
    let before = item.contents.clone();
    LoadedWallet { wallet: Wallet::new(slot(), before.clone(), now), before, item: Some(item) }
}

pub(super) fn get(wire: &mut Wire<'_>) -> Result<Option<Arc<Item>>, Stop> {
    let Reply::Read(item) = wire.send(Request::Get)? else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    Ok(item.clone())
}

fn put(
    wire: &mut Wire<'_>,
    item: Item,
    replaces: Option<&Item>,
    write: WriteIdentity,
    annotation: Annotation,
) -> Result<PutOutcome, Stop> {
    let version = item.version;
    let request = PutRequest {
        item: Arc::new(item),
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
