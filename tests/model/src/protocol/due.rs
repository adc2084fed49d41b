//! `shared/src/storage/due.rs`: the expiry that needs no read.

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;

use super::storage::{Changed, Key, change_found, get, look_into};
use super::teller::{conclusion, tell};
use crate::event::Event;
use crate::intent::Deed;
use crate::wire::{Failure, Reply, Request, Stop, Wire};

/// `Teller::settle`: makes durable what time has made of a wallet, and tells it.
///
/// # Errors
/// What the store fails with.
pub fn settle(wire: &mut Wire<'_>, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Stop> {
    let tries = settled(wire, at, now)?;
    tell(wire, Key::Slot, &tries, now)
}

/// `Store::settle`, with what the index said.
fn settled(
    wire: &mut Wire<'_>,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Notification>, Stop> {
    let own = wire.new_write_id();
    let reply = wire.ask(Request::Expire { at, own, now })?;
    if *reply == Reply::Expired {
        wire.done.push(own);
        wire.note(Event::ExpiredWithoutRead);
        return Ok(Vec::new());
    }
    let (item, doubt) = if let Reply::Beaten(refused, _) = reply {
        (refused.clone().map_or_else(|| get(wire), |item| Ok(Some(item)))?, false)
    } else {
        (get(wire)?, true)
    };
    if item.as_ref().is_some_and(|item| item.was_expired_by(own)) {
        wire.done.push(own);
        wire.note(Event::ExpiryRecognised);
        return Ok(Vec::new());
    }
    if doubt {
        return Err(Stop::Fails(Failure::Unavailable));
    }
    wire.note(Event::ExpiryRefused);
    let Some(item) = item.filter(|item| item.expires_by(now)) else { return Ok(Vec::new()) };
    let found = look_into(item, now, wire.flaw());
    if found.is_misled(now) {
        wire.note(Event::Misled);
    }
    let changed = change_found(wire, found, Key::Slot, now, |wallet| {
        let tries = wallet.begin_tries(None);
        let intent = conclusion(Deed::Settle, &tries);
        Ok((tries, intent))
    });
    let Changed { outcome: tries, written } = changed?;
    Ok(if written { tries } else { Vec::new() })
}
