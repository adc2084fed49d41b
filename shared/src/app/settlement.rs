//! Finds out at Nets what became of a payment, and releases the authorizations that it does not need. Takes no money.

use chrono::{DateTime, TimeDelta, Utc};

use super::{WalletOutcome, netaxept};
use crate::config::{Environment, authorization_hold};
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentId, PaymentTransactionId, RegistrationId};
use crate::domain::payment::{NextStep, Payment, Reconciliation, State};
use crate::error::{CancelReason, Cause, Error, PaymentRefusal, chain};
use crate::invocation;
use crate::netaxept::{Failure, Netaxept, Processed};
use crate::secrets::Secrets;
use crate::storage::{ChangedPayment, LoadedPayment, PaymentKey, PaymentStore};

/// The state of the functions that cancel transactions and reconcile payments.
pub struct Settlement {
    /// The payments.
    pub payments: PaymentStore,
    pub(super) netaxept: Netaxept,
    /// How long an authorization is kept without a capture.
    pub(super) hold: TimeDelta,
}

/// What Nets said about registrations, in the order of the replies.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) reconciliations: Vec<(RegistrationId, Reconciliation)>,
    /// The error of the last call without a clear reply.
    pub(super) error: Option<Failure>,
    /// The number of registrations without a clear reply.
    unclear: usize,
}

impl Findings {
    /// Adds a finding, and applies it to `preview`. Returns the next step.
    pub(super) fn add(
        &mut self,
        preview: &mut Payment,
        id: RegistrationId,
        reconciliation: Reconciliation,
        hold: TimeDelta,
    ) -> NextStep {
        self.reconciliations.push((id, reconciliation));
        // The payment refuses only an id of another payment, and then nothing has to happen at Nets.
        preview.apply(id, reconciliation, hold).unwrap_or(NextStep::Nothing)
    }

    /// The reconciliation in a reply. Without a clear reply it is `Unclear`, and the error is kept.
    pub(super) fn read(&mut self, reply: Result<Reconciliation, Failure>) -> Reconciliation {
        reply.unwrap_or_else(|error| {
            self.unclear += 1;
            self.error = Some(error);
            Reconciliation::Unclear
        })
    }
}

impl Settlement {
    /// Reads the configuration from the environment and fetches Nets' token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the token cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let payments = PaymentStore::with(environment, &sdk).await?;
        Self::with(environment, &secrets, payments).await
    }

    pub(super) async fn with(
        environment: &Environment<'_>,
        secrets: &Secrets,
        payments: PaymentStore,
    ) -> Result<Self, Cause> {
        let hold = authorization_hold(environment)?;
        Ok(Self { payments, netaxept: netaxept(environment, secrets).await?, hold })
    }

    /// Cancels a transaction. First stores that it is CANCELLED, then annuls an authorization that was in progress. If the function
    /// is killed in between, the schedule annuls it.
    ///
    /// # Errors
    /// Fails with a refusal of the payment, for example `AlreadyCaptured`; with `AnnulmentPending` if Nets does not show the end of
    /// the authorization yet; with an error of the store; or with `Unavailable` if Nets gives no clear answer. In the last two cases
    /// a retry is safe.
    pub async fn cancel(
        &self,
        caller: &Caller,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
    ) -> Result<Payment, Error> {
        let key = PaymentKey::Caller(caller, id.payment_id());
        let loaded = self.payments.load(key, now).await?;
        let cancelled = self.payments.change_loaded(loaded, key, now, |payment| payment.cancel(id));
        let loaded = cancelled.await?.loaded;
        self.annul_unconfirmed(loaded, key, id, now).await
    }

    /// Annuls the authorization of a CANCELLED transaction that was in progress when it was cancelled.
    ///
    /// # Errors
    /// Fails like [`Self::cancel`].
    pub(super) async fn annul_unconfirmed(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
    ) -> Result<Payment, Error> {
        let Some(registration) = unconfirmed(&loaded.payment, id)? else {
            return Ok(loaded.payment);
        };
        let findings = self.reconcile(&loaded.payment, vec![registration]).await;
        let changed = self.store(loaded, key, &findings, now).await?;
        let payment = changed.loaded.payment;
        if payment.transaction(id)?.captured().is_some() {
            return Err(PaymentRefusal::AlreadyCaptured.into());
        }
        if unconfirmed(&payment, id)?.is_none() {
            return Ok(payment);
        }
        match findings.error {
            Some(error) => Err(error.into()),
            None => Err(PaymentRefusal::AnnulmentPending {
                retry_after_seconds: seconds_until_reconciliation(&payment, now),
            }
            .into()),
        }
    }

    /// Reconciles the registrations of a payment that are due, and annuls the authorizations that it does not need. Returns `None`
    /// if nothing is due any more. Takes no money.
    ///
    /// # Errors
    /// Fails with an error of the store.
    pub async fn settle(
        &self,
        id: PaymentId,
        now: DateTime<Utc>,
    ) -> Result<Option<WalletOutcome>, Error> {
        let key = PaymentKey::Any(id);
        let loaded = match self.payments.load(key, now).await {
            Err(Error::PaymentRefused(PaymentRefusal::NotFound)) => return Ok(None),
            loaded => loaded?,
        };
        let is_due = loaded.payment.due_at().is_some_and(|due_at| due_at <= now);
        if !is_due && !loaded.has_stale_index_entry(now) {
            return Ok(None);
        }
        let due = loaded.payment.due_registrations();
        let findings = self.reconcile(&loaded.payment, due).await;
        let changed = self.store(loaded, key, &findings, now).await?;
        if let Some(error) = &findings.error {
            tracing::warn!(
                error = chain(error),
                "no clear answer from Nets: the payment is reconciled again in a minute"
            );
        }
        let outcome = WalletOutcome { unclear: findings.unclear, ..WalletOutcome::default() };
        Ok(changed.written.then_some(outcome))
    }

    /// Queries registrations at Nets, and annuls each authorization that the payment does not need.
    pub(super) async fn reconcile(&self, payment: &Payment, ids: Vec<RegistrationId>) -> Findings {
        let (mut preview, mut findings) = (payment.clone(), Findings::default());
        for id in ids {
            let found = findings.read(self.query(&preview, id).await);
            if findings.add(&mut preview, id, found, self.hold) == NextStep::Annul {
                let annulled = self.annul(&preview, id, &mut findings).await;
                findings.add(&mut preview, id, annulled, self.hold);
            }
        }
        findings
    }

    pub(super) async fn query(
        &self,
        payment: &Payment,
        id: RegistrationId,
    ) -> Result<Reconciliation, Failure> {
        self.netaxept.query_charge(id, &payment.order_number()).await
    }

    /// Annuls an authorization. If Nets does not confirm it, queries what is true.
    pub(super) async fn annul(
        &self,
        payment: &Payment,
        id: RegistrationId,
        findings: &mut Findings,
    ) -> Reconciliation {
        if let Ok(Processed::Done) = self.netaxept.annul(id).await {
            let has_hold_ended = payment.transaction(id.transaction).is_ok_and(|transaction| {
                is_cancelled_for(&transaction.state, CancelReason::HoldEnded)
            });
            invocation::record(|invocation| {
                invocation.charges.annulled += 1;
                invocation.charges.holds_ended += u64::from(has_hold_ended);
            });
            return Reconciliation::Annulled;
        }
        findings.read(self.query(payment, id).await)
    }

    /// Stores what Nets said. Reports captures once they are stored.
    pub(super) async fn store(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        findings: &Findings,
        now: DateTime<Utc>,
    ) -> Result<ChangedPayment<StoredFindings>, Error> {
        let changed = self.payments.change_loaded(loaded, key, now, |payment| {
            let before = payment.clone();
            let mut is_unexpected = false;
            for (id, reconciliation) in &findings.reconciliations {
                is_unexpected |= payment.apply(*id, *reconciliation, self.hold)? == NextStep::Alarm;
            }
            Ok(StoredFindings { captured: newly_captured(&before, payment), is_unexpected })
        });
        let changed = changed.await?;
        if changed.written {
            changed.outcome.report(&changed.loaded.payment);
        }
        Ok(changed)
    }
}

/// The effect of findings on a payment.
pub(super) struct StoredFindings {
    /// The captured sums of the transactions that became CAPTURED, in minor units.
    captured: Vec<u64>,
    /// Whether the service did not expect a capture.
    is_unexpected: bool,
}

impl StoredFindings {
    fn report(&self, payment: &Payment) {
        invocation::record(|invocation| {
            for minor in &self.captured {
                invocation.charges.captures += 1;
                invocation.charges.captured_minor_units += minor;
            }
            invocation.charges.unexpected_captures += u64::from(self.is_unexpected);
        });
        if self.is_unexpected {
            let payment = payment.id().number();
            tracing::error!(
                payment,
                "Nets captured money that the service did not expect: compare the payment with Netaxept Admin"
            );
        }
    }
}

fn newly_captured(before: &Payment, after: &Payment) -> Vec<u64> {
    let was_captured =
        |id| before.transaction(id).is_ok_and(|transaction| transaction.captured().is_some());
    let new = after.history().filter(|(id, _)| !was_captured(*id));
    new.filter_map(|(_, transaction)| Some(transaction.captured()?.captured_minor)).collect()
}

fn is_cancelled_for(state: &State, expected: CancelReason) -> bool {
    match state {
        State::Cancelled { reason, .. } => *reason == expected,
        State::Created
        | State::Initiated(_)
        | State::Captured(_)
        | State::Credited(_)
        | State::Rejected { .. } => false,
    }
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

fn seconds_until_reconciliation(payment: &Payment, now: DateTime<Utc>) -> u32 {
    let due_at = payment.due_at().unwrap_or(now);
    u32::try_from((due_at - now).num_seconds()).unwrap_or(0).max(1)
}
