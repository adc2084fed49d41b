//! `shared/src/app/notification_sender.rs`: makes delivery attempts that are already stored.
//!
//! The service makes the attempts to different addresses concurrently. The model makes all of them one after the other.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::{Notification, WalletEvent};

use crate::annotation::{Annotation, Effect};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;
use crate::subject::Subject;
use crate::wallets::{Answer, Call, Failure, Stop, WalletKey, Wire};

/// The annotation of a write that stores delivery attempts.
#[must_use]
pub fn annotate_attempts(effect: Effect, attempts: &[Notification<WalletEvent>]) -> Annotation {
    let subject =
        |attempt: &Notification<WalletEvent>| Subject::new(&attempt.subject, attempt.occurred_at);
    let attempts = attempts.iter().map(subject).collect();
    Annotation { attempts, ..Annotation::without_response(effect) }
}

/// The number of attempts in which an undelivered notification holds back the later ones to the same address.
const ATTEMPTS_IN_ORDER: u16 = 5;

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
    let (mut delivered, mut held_back) = (Vec::new(), Vec::new());
    for notification in attempts {
        if held_back.contains(&&notification.callback_url) {
            continue;
        }
        let count = notification.attempts.map_or(0, |attempts| attempts.count);
        if count > 1 {
            wire.record(Event::DeliveryRetried);
        }
        if wire.call(Call::Notify(Arc::new(notification.clone())))? == Some(&Answer::Delivered)
            || wire.has(Defect::RemovesUndelivered)
        {
            delivered.push(notification.id());
        } else if count <= ATTEMPTS_IN_ORDER {
            held_back.push(&notification.callback_url);
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
