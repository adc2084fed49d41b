//! `shared/src/app/notification_sender.rs`: makes delivery attempts that are already stored.
//!
//! The service makes the attempts of one run concurrently. The model makes them one after the other.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::{Notification, SetupEvent, WalletEvent};

use crate::annotation::{Annotation, Effect};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;
use crate::wallets::{Answer, Call, Failure, Stop, WalletKey, Wire};

/// The annotation of a write that stores delivery attempts.
#[must_use]
pub fn annotate_attempts(effect: Effect, attempts: &[Notification<WalletEvent>]) -> Annotation {
    let setups = attempts.iter().filter_map(|attempt| attempt.subject.setup());
    let attempts = setups.map(|SetupEvent { transaction_id, event }| (*transaction_id, *event));
    let attempts = attempts.collect();
    Annotation { attempts, ..Annotation::without_response(effect) }
}

/// `NotificationSender::deliver`. Delivered notifications are removed. The wallet schedules the next attempt of the others.
///
/// # Errors
/// Fails only with `Waiting`. If the removal fails, the service logs it.
pub fn deliver(
    wire: &mut Wire<'_>,
    key: WalletKey,
    attempts: &[Notification<WalletEvent>],
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let mut delivered = Vec::new();
    for notification in attempts {
        if notification.attempts.is_some_and(|attempts| attempts.count > 1) {
            wire.record(Event::DeliveryRetried);
        }
        if wire.call(Call::Notify(Arc::new(notification.clone())))? == Some(&Answer::Delivered)
            || wire.has(Defect::RemovesUndelivered)
        {
            delivered.push(notification.id());
        }
    }
    if delivered.is_empty() {
        return Ok(());
    }
    wire.record(Event::Delivered);
    let removed = storage::change(wire, key, now, |wallet| {
        for id in &delivered {
            wallet.remove_notification(id);
        }
        Ok(((), Annotation::without_response(Effect::RemoveDelivered(delivered.clone()))))
    });
    match removed {
        Err(Stop::Failed(Failure::Refused(_) | Failure::Busy | Failure::Unavailable)) => Ok(()),
        removed => removed,
    }
}
