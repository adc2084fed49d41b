//! `shared/src/app/payment_tasks.rs`: captures auto sales, reconciles registrations, and continues credits. The deliveries of
//! notifications are omitted.

use chrono::{DateTime, Utc};
use shared::domain::id::PaymentTransactionId;
use shared::domain::payment::{CreditRequest, Payment, Reconciliation, Transaction};

use super::super::{Failure, LoadedPayment, PaymentKey, Stop, Wire};
use super::Success;
use super::charges::{CaptureRequest, capture_loaded};
use super::credits::send_credit;
use super::settlement::{Findings, reconcile, store_and};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;

const KEY: PaymentKey = PaymentKey::Existing;

/// `PaymentTasks::run`.
///
/// # Errors
/// Fails with an error of the store.
pub fn run(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<Success, Stop> {
    let loaded = storage::load(wire, KEY, now)?;
    let is_due = loaded.aggregate.due_at().is_some_and(|due_at| due_at <= now);
    if !is_due && !loaded.has_stale_index_entry(now) {
        wire.record(Event::NothingDue);
        return Ok(Success::Plain);
    }
    if loaded.has_stale_index_entry(now) {
        wire.record(Event::StaleIndexEntry);
    }
    let auto_sales = loaded.aggregate.due_auto_sales();
    let (mut loaded, failed) = capture_auto_sales(wire, loaded, auto_sales, now)?;
    if wire.has(Defect::ScheduleCaptures) {
        let ids: Vec<_> = loaded.aggregate.history().map(|(id, _)| id).collect();
        for id in ids {
            let request = CaptureRequest { id, now, is_auto_sale: false };
            let captured = capture_loaded(wire, request, loaded);
            loaded = continue_after(wire, captured, now)?.0;
        }
    }
    settle(wire, loaded, &failed, now)?;
    Ok(Success::Plain)
}

/// `PaymentTasks::receive_callback`. A failure is not reported, because Nets does not need to repeat the callback.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn receive_callback(
    wire: &mut Wire<'_>,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Result<Success, Stop> {
    let completed = storage::load(wire, KEY, now).and_then(|loaded| {
        if loaded.aggregate.is_auto_sale(id) {
            capture_auto_sales(wire, loaded, vec![id], now)?;
        }
        Ok(Success::Plain)
    });
    match completed {
        Err(Stop::Failed(_)) => Ok(Success::Plain),
        completed => completed,
    }
}

/// `PaymentTasks::capture_auto_sales`.
fn capture_auto_sales(
    wire: &mut Wire<'_>,
    mut loaded: LoadedPayment,
    ids: Vec<PaymentTransactionId>,
    now: DateTime<Utc>,
) -> Result<(LoadedPayment, Vec<PaymentTransactionId>), Stop> {
    let mut failed = Vec::new();
    for id in ids {
        wire.record(Event::AutoSaleDue);
        let request = CaptureRequest { id, now, is_auto_sale: true };
        let captured = capture_loaded(wire, request, loaded);
        let (next, is_failed) = continue_after(wire, captured, now)?;
        loaded = next;
        failed.extend(is_failed.then_some(id));
    }
    Ok((loaded, failed))
}

/// After a failed capture the payment is read again. Also returns whether the capture failed without a refusal of the payment.
fn continue_after(
    wire: &mut Wire<'_>,
    captured: Result<LoadedPayment, Stop>,
    now: DateTime<Utc>,
) -> Result<(LoadedPayment, bool), Stop> {
    let is_failed = match captured {
        Ok(captured) => return Ok((captured, false)),
        Err(Stop::Failed(Failure::Refused(_))) => false,
        Err(Stop::Failed(Failure::Busy | Failure::Unavailable)) => true,
        Err(waiting @ Stop::Waiting(_)) => return Err(waiting),
    };
    Ok((storage::load(wire, KEY, now)?, is_failed))
}

/// `PaymentTasks::settle`.
fn settle(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    failed: &[PaymentTransactionId],
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let mut due = loaded.aggregate.due_registrations();
    due.retain(|id| !failed.contains(&id.transaction));
    let mut findings = reconcile(wire, &loaded.aggregate, due)?;
    if wire.has(Defect::CreditResentWithoutQuery) {
        forget_credits(&mut findings, &loaded.aggregate);
    }
    let stored = store_and(wire, loaded, &findings, now, |payment| Ok(next_credits(payment)))?;
    let mut loaded = stored.loaded;
    if stored.written {
        for credit in &stored.outcome {
            wire.record(Event::CreditResent);
            loaded = send_credit(wire, loaded, credit, now)?.loaded;
        }
    }
    Ok(())
}

/// With the defect, the stored sums replace those of Nets.
fn forget_credits(findings: &mut Findings, payment: &Payment) {
    for (id, found) in &mut findings.reconciliations {
        let stored = payment.transaction(id.transaction).ok().and_then(Transaction::captured);
        if let (Reconciliation::Captured { captured, .. }, Some(stored)) = (*found, stored) {
            let credited_minor = stored.credited_minor;
            *found = Reconciliation::Captured { captured, credited_minor, credited_target: None };
        }
    }
}

/// `payment_tasks::next_tasks`, without notifications.
fn next_credits(payment: &mut Payment) -> Vec<CreditRequest> {
    let ids: Vec<_> = payment.history().map(|(id, _)| id).collect();
    ids.into_iter().filter_map(|id| payment.resend_credit(id)).collect()
}
