//! Finds out at Nets what became of a payment, and releases the authorizations that it does not need. Takes no money.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::netaxept;
use super::time_limit::TimeLimit;
use crate::config::{Environment, authorization_hold};
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentTransactionId, RegistrationId};
use crate::domain::payment::{NextStep, Payment, Reconciliation, State, Transaction};
use crate::error::{CancelReason, Cause, Error, PaymentRefusal};
use crate::invocation::{self, Invocation};
use crate::netaxept::{Failure, Netaxept, Processed};
use crate::secrets::Secrets;
use crate::storage::{ChangedPayment, LoadedPayment, PaymentKey, PaymentStore};

/// The state of the functions that cancel and credit transactions.
pub struct Settlement {
    /// The payments.
    pub payments: PaymentStore,
    pub(super) netaxept: Arc<Netaxept>,
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
    pub(super) unclear: usize,
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
        let netaxept = netaxept(environment, &secrets).await?;
        Self::with(environment, payments, netaxept.into())
    }

    pub(super) fn with(
        environment: &Environment<'_>,
        payments: PaymentStore,
        netaxept: Arc<Netaxept>,
    ) -> Result<Self, Cause> {
        Ok(Self { payments, netaxept, hold: authorization_hold(environment)? })
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
        let (key, limit) = (PaymentKey::Caller(caller, id.payment_id()), TimeLimit::of_request());
        let cancelled = self.payments.change(key, now, |payment| payment.cancel(id)).await?;
        Ok(self.annul_unconfirmed(cancelled.loaded, key, id, now, limit).await?.payment)
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
        limit: TimeLimit,
    ) -> Result<LoadedPayment, Error> {
        let Some(registration) = unconfirmed(&loaded.payment, id)? else {
            return Ok(loaded);
        };
        let findings = self.reconcile(&loaded.payment, vec![registration], limit).await;
        let loaded = self.store(loaded, key, &findings, now).await?.loaded;
        if loaded.payment.transaction(id)?.captured().is_some() {
            return Err(PaymentRefusal::AlreadyCaptured.into());
        }
        if unconfirmed(&loaded.payment, id)?.is_none() {
            return Ok(loaded);
        }
        match findings.error {
            Some(error) => Err(error.into()),
            None => Err(loaded.payment.annulment_pending().into()),
        }
    }

    /// Queries registrations at Nets, and annuls each authorization that the payment does not need.
    pub(super) async fn reconcile(
        &self,
        payment: &Payment,
        ids: Vec<RegistrationId>,
        limit: TimeLimit,
    ) -> Findings {
        let (mut preview, mut findings) = (payment.clone(), Findings::default());
        for id in ids {
            let found = findings.read(self.query(&preview, id, limit).await);
            if findings.add(&mut preview, id, found, self.hold) == NextStep::Annul {
                let annulled = self.annul(&preview, id, &mut findings, limit).await;
                findings.add(&mut preview, id, annulled, self.hold);
            }
        }
        findings
    }

    pub(super) async fn query(
        &self,
        payment: &Payment,
        id: RegistrationId,
        limit: TimeLimit,
    ) -> Result<Reconciliation, Failure> {
        limit.check("Query")?;
        let is_auto_auth = !payment.may_request_auth(id);
        self.netaxept.query_charge(id, &payment.order_number(), is_auto_auth).await
    }

    /// Annuls an authorization. If Nets does not confirm it, queries what is true.
    pub(super) async fn annul(
        &self,
        payment: &Payment,
        id: RegistrationId,
        findings: &mut Findings,
        limit: TimeLimit,
    ) -> Reconciliation {
        if let Ok(Processed::Done) = self.request_annulment(id, limit).await {
            let has_hold_ended = payment.transaction(id.transaction).is_ok_and(|transaction| {
                is_cancelled_for(&transaction.state, CancelReason::HoldEnded)
            });
            invocation::record(|invocation| {
                invocation.charges.annulled += 1;
                invocation.charges.holds_ended += u64::from(has_hold_ended);
            });
            return Reconciliation::Annulled;
        }
        findings.read(self.query(payment, id, limit).await)
    }

    async fn request_annulment(
        &self,
        id: RegistrationId,
        limit: TimeLimit,
    ) -> Result<Processed, Failure> {
        limit.check("ANNUL")?;
        self.netaxept.annul(id).await
    }

    /// Stores what Nets said.
    pub(super) async fn store(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        findings: &Findings,
        now: DateTime<Utc>,
    ) -> Result<ChangedPayment<()>, Error> {
        self.store_and(loaded, key, findings, now, |_| Ok(())).await
    }

    /// Stores what Nets said, and in the same write the result of a decision that is made with it. Reports the money once it is
    /// stored.
    pub(super) async fn store_and<T>(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        findings: &Findings,
        now: DateTime<Utc>,
        mut decide: impl FnMut(&mut Payment) -> Result<T, PaymentRefusal>,
    ) -> Result<ChangedPayment<T>, Error> {
        let changed = self.payments.change_loaded(loaded, key, now, |payment| {
            let (before, mut effects) = (payment.clone(), Effects::default());
            for (id, reconciliation) in &findings.reconciliations {
                effects.add_step(payment.apply(*id, *reconciliation, self.hold)?);
            }
            let outcome = decide(payment)?;
            effects.add_sums(&before, payment);
            Ok((outcome, effects))
        });
        let ChangedPayment { outcome: (outcome, effects), written, loaded } = changed.await?;
        if written {
            effects.report(&loaded.payment);
        }
        Ok(ChangedPayment { outcome, written, loaded })
    }
}

/// The effects of a change on the money of a payment, for metrics and log.
#[derive(Default)]
struct Effects {
    /// The captured sums of the transactions that became CAPTURED, in minor units.
    captured: Vec<u64>,
    /// By how much the credited sums of the transactions grew, in minor units.
    credited: Vec<u64>,
    /// Whether the service did not expect a capture.
    is_unexpected: bool,
    /// How many credits were given up without success.
    credits_failed: u64,
}

impl Effects {
    fn add_step(&mut self, step: NextStep) {
        match step {
            NextStep::Alarm => self.is_unexpected = true,
            NextStep::CreditFailed => self.credits_failed += 1,
            NextStep::Nothing | NextStep::Capture | NextStep::Annul => {}
        }
    }

    /// Compares the sums, which only grow.
    fn add_sums(&mut self, before: &Payment, after: &Payment) {
        for (id, transaction) in after.history() {
            let Some(new) = transaction.captured() else { continue };
            let old = before.transaction(id).ok().and_then(Transaction::captured);
            if old.is_none() {
                self.captured.push(new.captured_minor);
            }
            let credited_before = old.map_or(0, |old| old.credited_minor);
            let credited = new.credited_minor.saturating_sub(credited_before);
            self.credited.extend(Some(credited).filter(|minor| *minor > 0));
        }
    }

    fn report(&self, payment: &Payment) {
        invocation::record(|Invocation { charges, .. }| {
            charges.captures += self.captured.len() as u64;
            charges.captured_minor_units += self.captured.iter().sum::<u64>();
            charges.credits += self.credited.len() as u64;
            charges.credited_minor_units += self.credited.iter().sum::<u64>();
            charges.unexpected_captures += u64::from(self.is_unexpected);
            charges.credits_failed += self.credits_failed;
        });
        let payment = payment.id().number();
        if self.is_unexpected {
            tracing::error!(
                payment,
                "Nets captured money that the service did not expect: compare the payment with Netaxept Admin"
            );
        }
        if self.credits_failed > 0 {
            tracing::error!(
                payment,
                "Nets did not carry out a credit: compare the payment with Netaxept Admin, and request the credit again"
            );
        }
    }
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
