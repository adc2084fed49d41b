//! `shared/src/storage/due.rs`: what time has made of a wallet, made durable.

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;

use super::storage::{Changed, Key, change_found, get, look_into};
use super::teller::{conclusion, tell};
use crate::event::Event;
use crate::intent::Deed;
use crate::wire::{Stop, Wire};

/// `Teller::settle`: makes durable what time has made of a wallet, and tells it.
///
/// # Errors
/// What the store fails with.
pub fn settle(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    let tries = settled(wire, now)?;
    tell(wire, Key::Slot, &tries, now)
}

/// `Store::settle`.
fn settled(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<Vec<Notification>, Stop> {
    let Some(item) = get(wire)?.filter(|item| item.expires_by(now)) else {
        wire.note(Event::NotDueAnyMore);
        return Ok(Vec::new());
    };
    let found = look_into(item, now);
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
