//! `shared/src/app.rs`: a card's way into a wallet. Ask Nets what it knows, then write down what came of it, then tell.

use chrono::{DateTime, Utc};
use shared::domain::id::RecurringPaymentId;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::{Finding, Visit};
use shared::domain::wallet::{Setup, Wallet};
use shared::error::Refusal;

use super::LIFETIME;
use super::look::{Look, answer, look_up};
use super::storage::{self, Changed, Key};
use super::teller::{conclusion, tell};
use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::{Deed, Intent};
use crate::wire::{Failure, Stop, Wire};

/// `App::complete`.
///
/// # Errors
/// What the wallet refuses with; what the store fails with; `Unavailable` when Nets does not say clearly.
pub fn complete(
    wire: &mut Wire<'_>,
    key: Key,
    id: RecurringPaymentId,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let found = storage::load(wire, key, now)?;
    let visits = match found.wallet.setup(id)? {
        Setup::Done(_) => return Ok(()),
        Setup::Open(visits) => visits,
    };
    let looks = look_until_a_card(wire, visits, now)?;
    let unwritten = wire.has(Flaw::TriesNotWrittenDown);
    let rashly = wire.has(Flaw::WritesOffTheYoung);
    let changed = storage::change_found(wire, found, key, now, |wallet| {
        for look in &looks {
            conclude(wallet, look, rashly)?;
        }
        let view = wallet.view(id)?;
        let tries = if unwritten {
            wallet.clone().begin_tries(Some(id))
        } else {
            wallet.begin_tries(Some(id))
        };
        let deed = Deed::Conclude(looks.iter().map(Look::brought).collect());
        let Intent { tries: begun, .. } = conclusion(Deed::Settle, &tries);
        let outcome = (tries, view.status);
        Ok((outcome, Intent { tries: begun, ..Intent::answered(deed, &view) }))
    });
    let Changed { outcome: (tries, status), written } = changed?;
    let card = looks.iter().any(|look| matches!(look.finding, Finding::Card(_)));
    let is_stored = status != RecurringStatus::Created;
    if card && !is_stored {
        wire.note(Event::CardExpired);
    } else if card && !written {
        wire.note(Event::SecondCard);
    }
    tell(wire, key, &tries, now)?;
    if card && is_stored {
        return Ok(());
    }
    Err(Stop::Fails(answer(&looks)))
}

/// `App::finish`.
///
/// # Errors
/// What the store fails with.
pub fn finish(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    let found = storage::load(wire, Key::Slot, now)?;
    if found.wallet.due().chore.is_none_or(|at| now < at) && !found.is_misled(now) {
        return Ok(());
    }
    let mut looks = Vec::new();
    for visit in found.wallet.visits_due() {
        looks.push(look_up(wire, visit)?);
    }
    let unwritten = wire.has(Flaw::TriesNotWrittenDown);
    let rashly = wire.has(Flaw::WritesOffTheYoung);
    let changed = storage::change_found(wire, found, Key::Slot, now, |wallet| {
        for look in &looks {
            // Ended meanwhile, or activated by another visit: then there is nothing to keep.
            conclude(wallet, look, rashly).unwrap_or_default();
        }
        let given_up = wallet.give_up();
        let tries =
            if unwritten { wallet.clone().begin_tries(None) } else { wallet.begin_tries(None) };
        let deed = Deed::Conclude(looks.iter().map(Look::brought).collect());
        Ok(((given_up.len(), tries.clone()), conclusion(deed, &tries)))
    });
    let Changed { outcome: (given_up, tries), written } = changed?;
    if given_up > 0 {
        wire.note(Event::GivenUp);
    }
    if !written && !unwritten {
        return Ok(());
    }
    tell(wire, Key::Slot, &tries, now)
}

/// `App::called_back`. Whatever comes of it, Nets need not call again.
///
/// # Errors
/// `Waits`, and nothing else.
pub fn called_back(
    wire: &mut Wire<'_>,
    id: RecurringPaymentId,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    match complete(wire, Key::Slot, id, now) {
        Err(Stop::Fails(Failure::Refused(_) | Failure::Busy | Failure::Unavailable)) => Ok(()),
        completed => completed,
    }
}

/// `Wallet::conclude`, or what it did before it was known that somebody may just be registering a visit.
fn conclude(wallet: &mut Wallet, look: &Look, rashly: bool) -> Result<(), Refusal> {
    if let Finding::Closed(closing) = look.finding
        && rashly
    {
        return wallet.close_terminal(&look.visit, closing);
    }
    wallet.conclude(&look.visit, &look.finding, LIFETIME)
}

fn look_until_a_card(
    wire: &mut Wire<'_>,
    visits: Vec<Visit>,
    now: DateTime<Utc>,
) -> Result<Vec<Look>, Stop> {
    let mut looks = Vec::new();
    for visit in visits {
        let look = look_up(wire, visit)?;
        let is_good = look.finding.is_good_card(now);
        looks.push(look);
        if is_good {
            break;
        }
    }
    Ok(looks)
}
