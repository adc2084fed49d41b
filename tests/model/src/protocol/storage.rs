//! `shared/src/storage.rs`: one consistent read, one conditional write, and what is done when it is beaten or its answer lost.
//!
//! The pause between two tries is not here: whoever is between two steps waits anyhow as long as the model likes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::customer::Organisation;
use shared::domain::owner::Owner;
use shared::domain::wallet::{Contents, Wallet};
use shared::error::Refusal;

use super::slot;
use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::Intent;
use crate::item::{Item, WriteId};
use crate::wire::{Failure, Put as PutRequest, Reply, Request, Stop, Wire};

/// Whose wallet: it makes a difference only while nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The customer's, whether or not anything was ever in it.
    Customer,
    /// The one that an id points to.
    Payment,
    /// The one at a place, for what the service does by itself.
    Slot,
}

/// A wallet as it was read, to be changed without reading it once more.
#[derive(Debug)]
pub struct Found {
    /// The wallet as of now.
    pub wallet: Wallet,
    /// What is stored, to see whether anything was changed.
    before: Contents,
    /// The item it is stored in.
    item: Option<Arc<Item>>,
}

impl Found {
    /// Whether an index says that something is overdue which is not.
    #[must_use]
    pub fn is_misled(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.misleads(&self.wallet, now))
    }
}

/// What a change came to.
#[derive(Debug)]
pub struct Changed<T> {
    /// What was decided.
    pub outcome: T,
    /// Whether there was anything to write.
    pub written: bool,
}

impl<T> Changed<T> {
    /// It is written: now it can be said.
    fn done(outcome: T, own: Own, wire: &mut Wire<'_>) -> Self {
        wire.done.push(own.change);
        Self { outcome, written: true }
    }
}

/// By what a write is known.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// To the properties: the id of the change's first try.
    change: WriteId,
    /// To itself: the same, but for a flaw.
    id: WriteId,
    now: DateTime<Utc>,
}

enum Put {
    Written,
    Beaten(Option<Arc<Item>>, bool),
    Unclear,
}

/// A write that may have been carried out: the version that it was to take the place of.
#[derive(Debug, Clone, Copy)]
struct Doubt(u64);

impl Doubt {
    /// What is left of it once an item was seen in which the write is not remembered.
    fn after(doubt: Option<Self>, seen: &Item) -> Option<Self> {
        doubt.filter(|Self(replaces)| seen.version <= *replaces)
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
/// `NotFound`; `Unavailable`.
pub fn load(wire: &mut Wire<'_>, key: Key, now: DateTime<Utc>) -> Result<Found, Stop> {
    match (get(wire)?, key) {
        (Some(item), _) => Ok(look_into(item, now)),
        (None, Key::Customer) => {
            let wallet = empty(now);
            Ok(Found { before: wallet.contents().clone(), wallet, item: None })
        }
        (None, Key::Payment | Key::Slot) => Err(Refusal::NotFound.into()),
    }
}

/// `Store::change`.
///
/// # Errors
/// What `decide` refuses with; as for [`load`]; `Busy` after too many lost races; `Unavailable` when nobody knows.
pub fn change<T: Clone>(
    wire: &mut Wire<'_>,
    key: Key,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut Wallet) -> Result<(T, Intent), Refusal>,
) -> Result<T, Stop> {
    let found = load(wire, key, now)?;
    Ok(change_found(wire, found, key, now, decide)?.outcome)
}

/// `Store::change_found`.
///
/// # Errors
/// As for [`change`].
pub fn change_found<T: Clone>(
    wire: &mut Wire<'_>,
    found: Found,
    key: Key,
    now: DateTime<Utc>,
    decide: impl FnMut(&mut Wallet) -> Result<(T, Intent), Refusal>,
) -> Result<Changed<T>, Stop> {
    let mut decide = stubborn(wire.has(Flaw::DecidesOnce), decide);
    let change = wire.new_write_id();
    let mut own = Own { change, id: change, now };
    let mut doubt = None;
    let mut decided = None;
    let mut seen = Some(found);
    for _ in 0..wire.tries() {
        let Found { mut wallet, before, item } = match seen.take() {
            Some(found) => found,
            None => load(wire, key, now)?,
        };
        if let (Some(outcome), Some(item)) = (decided.take(), &item) {
            if item.was_written_by(own.id) && !wire.has(Flaw::RetriesBlindly) {
                wire.note(Event::RecognisedByReading);
                return Ok(Changed::done(outcome, own, wire));
            }
            doubt = Doubt::after(doubt, item);
        }
        let (outcome, intent) =
            decide(&mut wallet).map_err(|refusal| failed(wire, own, Failure::Refused(refusal)))?;
        let misleads = item.as_ref().is_some_and(|item| item.misleads(&wallet, now));
        if *wallet.contents() == before && !misleads {
            wire.note(Event::NothingToWrite);
            return Ok(Changed { outcome, written: false });
        }
        let doubtful = Doubt(item.as_ref().map_or(0, |item| item.version));
        let new = Item::new(&wallet, item.as_deref(), own.id, wire.flaw());
        match put(wire, new, item.as_deref(), own, intent)? {
            Put::Written => return Ok(Changed::done(outcome, own, wire)),
            Put::Beaten(Some(item), _)
                if item.was_written_by(own.id) && !wire.has(Flaw::ForgetsOwnWrite) =>
            {
                wire.note(Event::Recognised);
                return Ok(Changed::done(outcome, own, wire));
            }
            Put::Beaten(winner, repeated) => {
                wire.note(if winner.is_some() { Event::Beaten } else { Event::BeatenSilently });
                let repeated = repeated && !wire.has(Flaw::BeatenWithoutALook);
                doubt = repeated.then_some(doubtful).or(doubt);
                if let Some(item) = &winner {
                    doubt = Doubt::after(doubt, item);
                }
                seen = winner.map(|item| look_into(item, now));
            }
            Put::Unclear => doubt = Some(doubtful),
        }
        decided = Some(outcome);
        if wire.has(Flaw::AnotherIdEachTry) {
            own.id = wire.new_write_id();
        }
    }
    if doubt.is_none() || wire.has(Flaw::NoLookAfterDoubt) {
        return Err(failed(wire, own, Failure::Busy));
    }
    let written = load(wire, key, now)?.item.is_some_and(|item| item.was_written_by(own.id));
    wire.note(if written { Event::RecognisedAtLast } else { Event::LeftInDoubt });
    match decided.filter(|_| written) {
        Some(outcome) => Ok(Changed::done(outcome, own, wire)),
        None => Err(failed(wire, own, Failure::Unavailable)),
    }
}

/// A decision as it is; or, as a flaw, one that is made once, and then put over whatever is there.
fn stubborn<T: Clone>(
    once: bool,
    mut decide: impl FnMut(&mut Wallet) -> Result<(T, Intent), Refusal>,
) -> impl FnMut(&mut Wallet) -> Result<(T, Intent), Refusal> {
    let mut first: Option<(Wallet, T, Intent)> = None;
    move |wallet| {
        if let Some((decided, outcome, intent)) = &first {
            *wallet = decided.clone();
            return Ok((outcome.clone(), intent.clone()));
        }
        let (outcome, intent) = decide(wallet)?;
        if once {
            first = Some((wallet.clone(), outcome.clone(), intent.clone()));
        }
        Ok((outcome, intent))
    }
}

/// Who is refused, or told Busy, is told that nothing was written.
fn failed(wire: &mut Wire<'_>, own: Own, failure: Failure) -> Stop {
    match failure {
        Failure::Refused(_) => wire.note(Event::Refused),
        Failure::Busy => wire.note(Event::Busy),
        Failure::Unavailable => return Stop::Fails(failure),
    }
    wire.denied = Some(own.change);
    Stop::Fails(failure)
}

/// `Store::look_into`, without the question whose it is.
pub(super) fn look_into(item: Arc<Item>, now: DateTime<Utc>) -> Found {
    let before = item.contents.clone();
    Found { wallet: Wallet::new(slot(), before.clone(), now), before, item: Some(item) }
}

pub(super) fn get(wire: &mut Wire<'_>) -> Result<Option<Arc<Item>>, Stop> {
    let Reply::Got(item) = wire.ask(Request::Get)? else {
        return Err(Stop::Fails(Failure::Unavailable));
    };
    Ok(item.clone())
}

fn put(
    wire: &mut Wire<'_>,
    item: Item,
    replaces: Option<&Item>,
    own: Own,
    intent: Intent,
) -> Result<Put, Stop> {
    let version = item.version;
    let request = PutRequest {
        item: Arc::new(item),
        replaces: replaces.map(|item| item.version),
        change: own.change,
        now: own.now,
        intent,
    };
    let reply = wire.ask(Request::Put(Arc::new(request)))?;
    if let Reply::Beaten(winner, repeated) = reply {
        return Ok(Put::Beaten(winner.clone(), *repeated));
    }
    if *reply == Reply::Written || wire.has(Flaw::AnswersFirst) {
        wire.version = version;
        return Ok(Put::Written);
    }
    Ok(Put::Unclear)
}
