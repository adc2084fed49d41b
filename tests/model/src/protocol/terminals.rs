//! `shared/src/app/terminals.rs`: a terminal is written down first, and then Nets is asked to register it.

use chrono::{DateTime, Utc};
use shared::domain::terminal::{Asked, Closing, Visit};
use shared::domain::wallet::{Opened, Wallet};
use shared::error::Refusal;
use shared::netaxept::{Progress, Registered};

use super::look::query;
use super::storage::{self, Key};
use super::{callback_url, hash, id};
use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::{Deed, Intent};
use crate::operation::Place;
use crate::wire::{Failure, Reply, Request, Stop, Wire};

/// How many transaction ids are tried when Nets knows one from long ago.
const IDS: u32 = 3;

/// `Terminals::open`: the visit whose page's address is given out.
///
/// # Errors
/// What the wallet refuses with; what the store fails with; `Unavailable` when Nets does not say clearly.
pub fn open(
    wire: &mut Wire<'_>,
    of: Place,
    key: Option<u8>,
    tell: bool,
    now: DateTime<Utc>,
) -> Result<Visit, Stop> {
    if wire.has(Flaw::WritesAfterNets) {
        return open_unwritten(wire, of, key, tell, now);
    }
    for _ in 0..IDS {
        let opened =
            storage::change(wire, Key::Payment, now, |wallet| opened(wallet, of, key, tell));
        let Opened { visit, again } = opened?;
        if again {
            wire.note(Event::SameVisit);
            if is_registered(wire, &visit)? {
                return Ok(visit);
            }
            if !wire.has(Flaw::TakesOverSilently) && !take_over(wire, &visit, now)? {
                continue;
            }
            wire.note(Event::TakenOver);
        }
        if register(wire, &visit)? {
            return Ok(visit);
        }
        close(wire, &visit, now)?;
    }
    Err(Stop::Fails(Failure::Unavailable))
}

/// So that no look writes it off meanwhile. Whether it is still open.
fn take_over(wire: &mut Wire<'_>, visit: &Visit, now: DateTime<Utc>) -> Result<bool, Stop> {
    storage::change(wire, Key::Payment, now, |wallet| {
        Ok((wallet.take_over(visit)?, Intent::silent(Deed::Settle)))
    })
}

/// The id is another transaction's for good: nobody will ever register this visit.
fn close(wire: &mut Wire<'_>, visit: &Visit, now: DateTime<Utc>) -> Result<(), Stop> {
    storage::change(wire, Key::Payment, now, |wallet| {
        wallet.close_terminal(visit, Closing::NeverRegistered)?;
        Ok(((), Intent::silent(Deed::WriteOff(*visit))))
    })
}

fn opened(
    wallet: &mut Wallet,
    of: Place,
    key: Option<u8>,
    tell: bool,
) -> Result<(Opened, Intent), Refusal> {
    let asked = key.map(|key| Asked { key: hash(key), request: hash(key) });
    let to = if tell { callback_url() } else { None };
    let opened = wallet.open_terminal(id(of), to, asked)?;
    let deed =
        if opened.again { Deed::Settle } else { Deed::Open { visit: opened.visit, key, tell } };
    Ok((opened, Intent::silent(deed)))
}

fn is_registered(wire: &mut Wire<'_>, visit: &Visit) -> Result<bool, Stop> {
    match query(wire, visit)? {
        Progress::NeverRegistered => Ok(false),
        Progress::Cancelled | Progress::Unverified | Progress::Verified(_) => Ok(true),
    }
}

/// Has Nets register a visit; not, if its id is another transaction's.
fn register(wire: &mut Wire<'_>, visit: &Visit) -> Result<bool, Stop> {
    if let Reply::Registered(registered) = wire.ask(Request::Register(*visit))? {
        return match registered {
            Registered::Yes => Ok(true),
            Registered::IdTaken => {
                wire.note(Event::IdTaken);
                Ok(wire.has(Flaw::TakenIsRegistered) || is_registered(wire, visit)?)
            }
        };
    }
    match is_registered(wire, visit) {
        Ok(true) => Ok(true),
        Ok(false) if wire.has(Flaw::WritesOffUnregistered) => Ok(false),
        Ok(false) => {
            wire.note(Event::LeftToTheSchedule);
            Err(Stop::Fails(Failure::Unavailable))
        }
        Err(unclear) => Err(unclear),
    }
}

/// The order that is wrong: Nets first, the wallet afterwards.
fn open_unwritten(
    wire: &mut Wire<'_>,
    of: Place,
    key: Option<u8>,
    tell: bool,
    now: DateTime<Utc>,
) -> Result<Visit, Stop> {
    let found = storage::load(wire, Key::Payment, now)?;
    let (Opened { visit, .. }, _) = opened(&mut found.wallet.clone(), of, key, tell)?;
    register(wire, &visit)?;
    storage::change(wire, Key::Payment, now, |wallet| opened(wallet, of, key, tell))?;
    Ok(visit)
}
