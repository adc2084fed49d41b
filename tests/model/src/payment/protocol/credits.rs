//! `shared/src/app/credits.rs`: money that was captured goes back to the customer.

use chrono::{DateTime, Utc};
use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::money::Money;
use shared::domain::payment::{Credit, CreditRequest, Payment, Reconciliation};
use shared::error::PaymentRefusal;
use shared::netaxept::Processed;

use super::super::{Answer, Call, Failure, HOLD, LoadedPayment, PaymentKey, Stop, Wire, money};
use super::Success;
use super::settlement::{Findings, query_of, store, store_and};
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;

/// `SentCredit`: the payment after a CREDIT was sent, and the failure for the caller if it is not credited.
#[derive(Debug)]
pub struct SentCredit {
    /// The payment.
    pub loaded: LoadedPayment,
    /// The failure.
    pub failure: Option<Failure>,
}

/// `Settlement::credit`.
///
/// # Errors
/// Fails with a refusal of the payment, with an error of the store, or with `Unavailable` if Nets gives no clear answer.
pub fn credit(
    wire: &mut Wire<'_>,
    id: PaymentTransactionId,
    total: Option<u64>,
    now: DateTime<Utc>,
) -> Result<Success, Stop> {
    let total = total.map(money);
    let loaded = storage::load(wire, PaymentKey::Existing, now)?;
    let Some(registration) = loaded.aggregate.check_credit(id, total)? else {
        return Success::transaction(&loaded.aggregate, id);
    };
    let found = query_of(wire, &loaded.aggregate, registration)?;
    let Some(found @ Reconciliation::Captured { .. }) = found else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    let mut findings = Findings::default();
    if !wire.has(Defect::CreditsFromStoredSums) {
        findings.reconciliations.push((registration, found));
    }
    if wire.has(Defect::CreditsBeforeIntent) {
        return credit_before_intent(wire, loaded, id, total, &findings, now);
    }
    let ignores = wire.has(Defect::CreditInProgressIgnored);
    let decided = store_and(wire, loaded, &findings, now, |payment| {
        if ignores {
            forget_intent(payment, id);
        }
        match payment.begin_credit(id, total) {
            // Writes nothing: this request must not postpone the reconciliation of the other one.
            Err(in_progress @ PaymentRefusal::CreditInProgress { .. }) => Err(in_progress),
            decided => Ok(decided),
        }
    })?;
    let Credit::Send(request) = decided.outcome? else {
        return Success::transaction(&decided.loaded.aggregate, id);
    };
    let sent = send_credit(wire, decided.loaded, &request, now)?;
    match sent.failure {
        None => Success::transaction(&sent.loaded.aggregate, id),
        Some(failure) => Err(Stop::Failed(failure)),
    }
}

/// The wrong order, as a defect: CREDIT first, then the intent and the result.
fn credit_before_intent(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    id: PaymentTransactionId,
    total: Option<Money>,
    findings: &Findings,
    now: DateTime<Utc>,
) -> Result<Success, Stop> {
    let mut preview = loaded.aggregate.clone();
    for (id, reconciliation) in &findings.reconciliations {
        preview.apply(*id, *reconciliation, HOLD)?;
    }
    if let Credit::Send(request) = preview.begin_credit(id, total)? {
        wire.call(credit_call(&request, now))?;
    }
    let stored = store_and(wire, loaded, findings, now, |payment| payment.begin_credit(id, total))?;
    Success::transaction(&stored.loaded.aggregate, id)
}

/// With the defect, a refusal of the credit in progress is invented, so that another one can begin.
fn forget_intent(payment: &mut Payment, id: PaymentTransactionId) {
    let Ok(transaction) = payment.transaction(id) else { return };
    let Some(captured) = transaction.captured() else { return };
    if let Some(crediting) = captured.crediting {
        payment.credit_refused(CreditRequest {
            id: RegistrationId { transaction: id, number: captured.registration },
            amount: money(0),
            target_minor: crediting.target_minor,
        });
    }
}

/// `Settlement::send_credit`.
///
/// # Errors
/// Fails with an error of the store.
pub fn send_credit(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    request: &CreditRequest,
    now: DateTime<Utc>,
) -> Result<SentCredit, Stop> {
    let id = request.id.transaction;
    let captured = loaded.aggregate.transaction(id)?.summary().captured;
    let Some(findings) = request_credit(wire, &loaded.aggregate, request, captured, now)? else {
        wire.record(Event::CreditRefused);
        let refused = storage::change_loaded(wire, loaded, PaymentKey::Existing, now, |payment| {
            payment.credit_refused(*request);
            Ok(((), "store that the credit is refused"))
        })?;
        let failure = Some(Failure::Refused(PaymentRefusal::CreditRefused));
        return Ok(SentCredit { loaded: refused.loaded, failure });
    };
    let loaded = store(wire, loaded, &findings, now)?.loaded;
    let is_confirmed = is_confirmed(&loaded.aggregate, id)?;
    if !is_confirmed {
        wire.record(Event::CreditUnconfirmed);
    }
    Ok(SentCredit { loaded, failure: (!is_confirmed).then_some(Failure::Unavailable) })
}

/// `Settlement::request_credit`. None: Nets refused it.
fn request_credit(
    wire: &mut Wire<'_>,
    payment: &Payment,
    request: &CreditRequest,
    captured: Money,
    now: DateTime<Utc>,
) -> Result<Option<Findings>, Stop> {
    let mut findings = Findings::default();
    let done = Reconciliation::Captured {
        captured,
        credited_minor: request.target_minor,
        credited_target: Some(request.target_minor),
    };
    let found = match wire.call(credit_call(request, now))? {
        Some(Answer::Processed(Processed::Refused)) => return Ok(None),
        Some(Answer::Processed(Processed::Done)) => done,
        _ if wire.has(Defect::UnclearCreditCountsAsCredited) => done,
        _ => {
            let queried = query_of(wire, payment, request.id)?;
            let found = findings.read(queried);
            if wire.has(Defect::CreditRepeatedAtOnce) && shows_no_credit(found, request) {
                wire.call(credit_call(request, now))?;
            }
            found
        }
    };
    findings.reconciliations.push((request.id, found));
    Ok(Some(findings))
}

fn credit_call(request: &CreditRequest, now: DateTime<Utc>) -> Call {
    let CreditRequest { id, amount, target_minor } = *request;
    Call::Credit { id, minor: amount.minor(), target_minor, sent_at: now }
}

fn shows_no_credit(found: Reconciliation, request: &CreditRequest) -> bool {
    matches!(found, Reconciliation::Captured { credited_minor, .. } if credited_minor < request.target_minor)
}

/// Whether the last credit of a transaction is confirmed.
fn is_confirmed(payment: &Payment, id: PaymentTransactionId) -> Result<bool, PaymentRefusal> {
    let captured = payment.transaction(id)?.captured();
    Ok(captured.is_some_and(|captured| captured.crediting.is_none()))
}
