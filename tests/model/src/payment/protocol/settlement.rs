//! `shared/src/app/settlement.rs`: finds out at Nets what became of a payment, and releases the authorizations that it does not
//! need.

use chrono::{DateTime, Utc};
use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::payment::{NextStep, Payment, Reconciliation};
use shared::error::PaymentRefusal;
use shared::netaxept::Processed;

use super::super::{Answer, Call, Failure, HOLD, LoadedPayment, PaymentKey, Payments, Stop, Wire};
use super::Success;
use crate::defect::Defect;
use crate::event::Event;
use crate::storage::{self, Changed};

/// `Findings`: what Nets said about registrations, in the order of the replies.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The reconciliations.
    pub reconciliations: Vec<(RegistrationId, Reconciliation)>,
    /// Whether a call had no clear reply.
    pub is_unclear: bool,
}

impl Findings {
    /// `Findings::add`.
    pub fn add(
        &mut self,
        preview: &mut Payment,
        id: RegistrationId,
        reconciliation: Reconciliation,
    ) -> NextStep {
        self.reconciliations.push((id, reconciliation));
        preview.apply(id, reconciliation, HOLD).unwrap_or(NextStep::Nothing)
    }

    /// `Findings::read`.
    pub fn read(&mut self, reply: Option<Reconciliation>) -> Reconciliation {
        reply.unwrap_or_else(|| {
            self.is_unclear = true;
            Reconciliation::Unclear
        })
    }
}

/// `Settlement::cancel`.
///
/// # Errors
/// Fails with a refusal of the payment, with an error of the store, or with `Unavailable` if Nets gives no clear answer.
pub fn cancel(
    wire: &mut Wire<'_>,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Result<Success, Stop> {
    let key = PaymentKey::Existing;
    let loaded = storage::load(wire, key, now)?;
    let cancelled = storage::change_loaded(wire, loaded, key, now, |payment| {
        Ok((payment.cancel(id)?, "cancel"))
    })?;
    if wire.has(Defect::CancelsWithoutAnnulment) {
        return Success::transaction(&cancelled.loaded.aggregate, id);
    }
    let loaded = annul_unconfirmed(wire, cancelled.loaded, id, now)?;
    Success::transaction(&loaded.aggregate, id)
}

/// `Settlement::annul_unconfirmed`.
///
/// # Errors
/// Fails as [`cancel`].
pub fn annul_unconfirmed(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Result<LoadedPayment, Stop> {
    let Some(registration) = unconfirmed(&loaded.aggregate, id)? else { return Ok(loaded) };
    let findings = reconcile(wire, &loaded.aggregate, vec![registration])?;
    let loaded = store(wire, loaded, &findings, now)?.loaded;
    if loaded.aggregate.transaction(id)?.captured().is_some() {
        wire.record(Event::CapturedBeforeCancel);
        return Err(PaymentRefusal::AlreadyCaptured.into());
    }
    if unconfirmed(&loaded.aggregate, id)?.is_none() {
        return Ok(loaded);
    }
    if findings.is_unclear {
        return Err(Stop::Failed(Failure::Unavailable));
    }
    wire.record(Event::AnnulmentPending);
    Err(loaded.aggregate.annulment_pending().into())
}

/// `Settlement::reconcile`.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn reconcile(
    wire: &mut Wire<'_>,
    payment: &Payment,
    ids: Vec<RegistrationId>,
) -> Result<Findings, Stop> {
    let (mut preview, mut findings) = (payment.clone(), Findings::default());
    for id in ids {
        let found = query_of(wire, &preview, id)?;
        let found = findings.read(found);
        if findings.add(&mut preview, id, found) == NextStep::Annul {
            let annulled = annul(wire, &preview, id, &mut findings)?;
            findings.add(&mut preview, id, annulled);
        }
    }
    Ok(findings)
}

/// `Settlement::query`. None: Nets gives no clear answer.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn query_of(
    wire: &mut Wire<'_>,
    payment: &Payment,
    id: RegistrationId,
) -> Result<Option<Reconciliation>, Stop> {
    query(wire, id, !payment.may_request_auth(id))
}

/// `Netaxept::query_charge`. None: Nets gives no clear answer.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn query(
    wire: &mut Wire<'_>,
    id: RegistrationId,
    is_auto_auth: bool,
) -> Result<Option<Reconciliation>, Stop> {
    Ok(match wire.call(Call::Query { id, is_auto_auth })? {
        Some(Answer::Found(found)) => Some(*found),
        _ => None,
    })
}

/// `Settlement::annul`.
///
/// # Errors
/// Fails only with `Waiting`.
pub fn annul(
    wire: &mut Wire<'_>,
    payment: &Payment,
    id: RegistrationId,
    findings: &mut Findings,
) -> Result<Reconciliation, Stop> {
    if let Some(Answer::Processed(Processed::Done)) = wire.call(Call::Annul(id))? {
        wire.record(Event::Annulled);
        return Ok(Reconciliation::Annulled);
    }
    let found = query_of(wire, payment, id)?;
    Ok(findings.read(found))
}

/// `Settlement::store`.
///
/// # Errors
/// Fails with an error of the store.
pub fn store(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    findings: &Findings,
    now: DateTime<Utc>,
) -> Result<Changed<Payments, ()>, Stop> {
    store_and(wire, loaded, findings, now, |_| Ok(()))
}

/// `Settlement::store_and`.
///
/// # Errors
/// Fails with an error of the store, or with the refusal of `decide`.
pub fn store_and<T: Clone>(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    findings: &Findings,
    now: DateTime<Utc>,
    mut decide: impl FnMut(&mut Payment) -> Result<T, PaymentRefusal>,
) -> Result<Changed<Payments, T>, Stop> {
    let stored = storage::change_loaded(wire, loaded, PaymentKey::Existing, now, |payment| {
        let mut steps = Vec::new();
        for (id, reconciliation) in &findings.reconciliations {
            steps.push(payment.apply(*id, *reconciliation, HOLD)?);
        }
        Ok(((decide(payment)?, steps), "store what Nets said"))
    })?;
    let Changed { outcome: (outcome, steps), written, loaded } = stored;
    if written && steps.contains(&NextStep::Alarm) {
        wire.record(Event::UnexpectedCapture);
    }
    if written && steps.contains(&NextStep::CreditFailed) {
        wire.record(Event::CreditFailed);
    }
    Ok(Changed { outcome, written, loaded })
}

/// The registration whose authorization was in progress when its transaction was cancelled.
fn unconfirmed(
    payment: &Payment,
    id: PaymentTransactionId,
) -> Result<Option<RegistrationId>, PaymentRefusal> {
    let annulment = payment.transaction(id)?.annulment();
    let number = annulment.and_then(|annulment| annulment.unconfirmed);
    Ok(number.map(|number| RegistrationId { transaction: id, number }))
}
