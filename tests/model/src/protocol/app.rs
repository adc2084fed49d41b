//! `shared/src/app.rs`: completing a card. Query Nets, store the result, then deliver the notifications.

use chrono::{DateTime, Utc};
use shared::domain::id::RecurringPaymentId;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::{Reconciliation, TerminalSession};
use shared::domain::wallet::{SetupProgress, Wallet};
use shared::error::Refusal;

use super::LIFETIME;
use super::notification_sender::{annotate_attempts, deliver};
use super::reconciliation::{Reconciled, error_without_card, reconcile};
use crate::annotation::{Annotation, Effect};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage::{self, Changed};
use crate::wallets::{Failure, Stop, WalletKey, Wire};

/// `App::complete`.
///
/// # Errors
/// Fails with the refusal of the wallet, with an error of the store, or with `Unavailable` if Nets gives no clear answer.
pub fn complete(
    wire: &mut Wire<'_>,
    key: WalletKey,
    id: RecurringPaymentId,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let found = storage::load(wire, key, now)?;
    let sessions = match found.aggregate.setup_progress(id)? {
        SetupProgress::Completed(_) => return Ok(()),
        SetupProgress::AwaitingCard(sessions) => sessions,
    };
    let reconciled = reconcile_until_card(wire, sessions, now)?;
    let attempts_unwritten = wire.has(Defect::AttemptsNotWritten);
    let closes_early = wire.has(Defect::ClosesSessionDuringRegistration);
    let changed = storage::change_loaded(wire, found, key, now, |wallet| {
        for one in &reconciled {
            apply_reconciliation(wallet, one, closes_early)?;
        }
        let view = wallet.view(id)?;
        let attempts = if attempts_unwritten {
            wallet.clone().begin_delivery_attempts(Some(id))
        } else {
            wallet.begin_delivery_attempts(Some(id))
        };
        let effect =
            Effect::ApplyReconciliations(reconciled.iter().map(Reconciled::summary).collect());
        let Annotation { attempts: annotated, .. } = annotate_attempts(Effect::TimeOnly, &attempts);
        let outcome = (attempts, view.status);
        Ok((
            outcome,
            Annotation { attempts: annotated, ..Annotation::with_response(effect, &view) },
        ))
    });
    let Changed { outcome: (attempts, status), written, .. } = changed?;
    let has_card =
        reconciled.iter().any(|one| matches!(one.reconciliation, Reconciliation::Card(_)));
    let is_stored = status != RecurringStatus::Created;
    if has_card && !is_stored {
        wire.record(Event::CardExpired);
    } else if has_card && !written {
        wire.record(Event::SecondCard);
    }
    deliver(wire, key, &attempts, now)?;
    if has_card && is_stored {
        return Ok(());
    }
    Err(Stop::Failed(error_without_card(&reconciled)))
}

/// `App::finish`.
///
/// # Errors
/// Fails with an error of the store.
pub fn finish(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    let found = storage::load(wire, WalletKey::Slot, now)?;
    if found.aggregate.due().task.is_none_or(|at| now < at) && !found.has_stale_index_entry(now) {
        return Ok(());
    }
    let mut reconciled = Vec::new();
    for session in found.aggregate.due_sessions() {
        reconciled.push(reconcile(wire, session)?);
    }
    let attempts_unwritten = wire.has(Defect::AttemptsNotWritten);
    let closes_early = wire.has(Defect::ClosesSessionDuringRegistration);
    let changed = storage::change_loaded(wire, found, WalletKey::Slot, now, |wallet| {
        for one in &reconciled {
            // A refusal means that the recurring payment has ended or has a card by now. Then there is nothing to apply.
            apply_reconciliation(wallet, one, closes_early).unwrap_or_default();
        }
        let expired = wallet.expire_notifications();
        wallet.drop_undeliverable_events();
        let attempts = if attempts_unwritten {
            wallet.clone().begin_delivery_attempts(None)
        } else {
            wallet.begin_delivery_attempts(None)
        };
        let effect =
            Effect::ApplyReconciliations(reconciled.iter().map(Reconciled::summary).collect());
        Ok(((expired.len(), attempts.clone()), annotate_attempts(effect, &attempts)))
    });
    let Changed { outcome: (expired, attempts), written, .. } = changed?;
    if expired > 0 {
        wire.record(Event::NotificationExpired);
    }
    if !written && !attempts_unwritten {
        return Ok(());
    }
    deliver(wire, WalletKey::Slot, &attempts, now)
}

/// `App::receive_callback`. A failure is not reported, because Nets does not need to repeat the callback.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn receive_callback(
    wire: &mut Wire<'_>,
    id: RecurringPaymentId,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    match complete(wire, WalletKey::Slot, id, now) {
        Err(Stop::Failed(Failure::Refused(_) | Failure::Busy | Failure::Unavailable)) => Ok(()),
        completed => completed,
    }
}

/// `Wallet::apply_reconciliation`. With the defect, it closes a session even while its registration may be in progress.
fn apply_reconciliation(
    wallet: &mut Wallet,
    one: &Reconciled,
    closes_early: bool,
) -> Result<(), Refusal> {
    if let Reconciliation::Closed(close_reason) = one.reconciliation
        && closes_early
    {
        return wallet.close_terminal(&one.session, close_reason);
    }
    wallet.apply_reconciliation(&one.session, &one.reconciliation, LIFETIME)
}

fn reconcile_until_card(
    wire: &mut Wire<'_>,
    sessions: Vec<TerminalSession>,
    now: DateTime<Utc>,
) -> Result<Vec<Reconciled>, Stop> {
    let mut reconciled = Vec::new();
    for session in sessions {
        let one = reconcile(wire, session)?;
        let is_valid = one.reconciliation.is_valid_card(now);
        reconciled.push(one);
        if is_valid {
            break;
        }
    }
    Ok(reconciled)
}
