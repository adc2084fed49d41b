//! `shared/src/storage/due.rs`: stores the expiries and abandonments of a wallet that are due.

use chrono::{DateTime, Utc};
use shared::domain::notification::{Notification, WalletEvent};

use super::notification_sender::{annotate_attempts, deliver};
use crate::annotation::Effect;
use crate::event::Event;
use crate::storage::{Changed, change_loaded, get, open_item};
use crate::wallets::{Stop, WalletKey, Wire};

/// `NotificationSender::expire`: stores what is due, and delivers the notifications.
///
/// # Errors
/// Fails with an error of the store.
pub fn expire(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    let attempts = store_expire(wire, now)?;
    deliver(wire, WalletKey::Slot, &attempts, now)
}

/// `Store::expire`.
fn store_expire(
    wire: &mut Wire<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Notification<WalletEvent>>, Stop> {
    let Some(item) = get(wire)?.filter(|item| item.expires_by(now)) else {
        wire.record(Event::NothingDue);
        return Ok(Vec::new());
    };
    let found = open_item(item, now);
    if found.has_stale_index_entry(now) {
        wire.record(Event::StaleIndexEntry);
    }
    let changed = change_loaded(wire, found, WalletKey::Slot, now, |wallet| {
        let attempts = wallet.begin_delivery_attempts(None);
        let annotation = annotate_attempts(Effect::TimeOnly, &attempts);
        Ok((attempts, annotation))
    });
    let Changed { outcome: attempts, written, .. } = changed?;
    Ok(if written { attempts } else { Vec::new() })
}
