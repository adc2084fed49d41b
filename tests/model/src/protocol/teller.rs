//! `shared/src/app/teller.rs`: tries to tell callers how a setup ended, which are written down already.
//!
//! The tries of one run go out together in the service, and one after the other here: nobody waits for two at once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;

use super::storage::{self, Key};
use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::{Deed, Intent};
use crate::wire::{Failure, Reply, Request, Stop, Wire};

/// What a write means that begins tries.
#[must_use]
pub fn conclusion(deed: Deed, tries: &[Notification]) -> Intent {
    let tries = tries.iter().map(|tried| (tried.transaction_id, tried.event)).collect();
    Intent { tries, ..Intent::silent(deed) }
}

/// `Teller::tell`. What was heard is forgotten; the rest is due again by itself.
///
/// # Errors
/// `Waits`, and nothing else: what goes wrong with forgetting is logged.
pub fn tell(
    wire: &mut Wire<'_>,
    key: Key,
    tries: &[Notification],
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let mut heard = Vec::new();
    for notification in tries {
        if notification.tries.is_some_and(|tries| tries.made > 1) {
            wire.note(Event::ToldAgain);
        }
        if *wire.ask(Request::Tell(Arc::new(notification.clone())))? == Reply::Heard
            || wire.has(Flaw::ForgetsUnheard)
        {
            heard.push(notification.id());
        }
    }
    if heard.is_empty() {
        return Ok(());
    }
    wire.note(Event::Told);
    let forgotten = storage::change(wire, key, now, |wallet| {
        for id in &heard {
            wallet.heard(id);
        }
        Ok(((), Intent::silent(Deed::Hear(heard.clone()))))
    });
    match forgotten {
        Err(Stop::Fails(Failure::Refused(_) | Failure::Busy | Failure::Unavailable)) => Ok(()),
        told => told,
    }
}
