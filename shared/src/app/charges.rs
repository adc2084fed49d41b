//! Captures transactions: AUTH, then CAPTURE of the whole amount.
//!
//! The order of the steps guarantees that money is never taken twice (payments.md §4.3). The registration is stored as chosen
//! before the first AUTH. Nets authorizes a registration at most once, and captures the whole amount at most once. After every
//! uncertain reply the registration is queried before anything is requested again.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::payments::active_card;
use super::settlement::{Findings, Settlement};
use crate::config::Environment;
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentTransactionId, RegistrationId};
use crate::domain::money::Money;
use crate::domain::payment::{Capture, NextStep, Payment, Reconciliation, State};
use crate::error::{Cause, Error, PaymentRefusal};
use crate::invocation;
use crate::netaxept::{Authorization, Failure, Processed};
use crate::secrets::Secrets;
use crate::storage::{LoadedPayment, PaymentKey, PaymentStore, Store};

/// No call to Nets starts later than this after the start of the request: a call takes at most 6 s, and the response has to be ready
/// after 26 s.
const LAST_CALL: Duration = Duration::from_secs(19);

/// The state of the function that captures transactions.
pub struct Charges {
    /// The payments, and their reconciliation.
    pub settlement: Settlement,
    wallets: Store,
}

/// One request to capture a transaction.
struct CaptureRequest<'a> {
    key: PaymentKey<'a>,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
    started: Instant,
}

impl CaptureRequest<'_> {
    /// Fails if there is not enough time left for another call to Nets.
    fn check_time(&self, operation: &'static str) -> Result<(), Failure> {
        let cause = || "no time is left for another call".into();
        let is_in_time = self.started.elapsed() <= LAST_CALL;
        is_in_time.then_some(()).ok_or_else(|| Failure::Unclear { operation, cause: cause() })
    }
}

impl Charges {
    /// Reads the configuration from the environment and fetches Nets' token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the token cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let (payments, wallets) = PaymentStore::with_wallets(environment, &sdk).await?;
        let settlement = Settlement::with(environment, &secrets, payments).await?;
        Ok(Self { settlement, wallets })
    }

    /// Captures a transaction. A captured one is returned without a call to Nets.
    ///
    /// # Errors
    /// Fails with a refusal of the payment (payments.md §4.3), with an error of the store, or with `Unavailable` if Nets gives no
    /// clear answer. In the last two cases a retry is safe.
    pub async fn capture(
        &self,
        caller: &Caller,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
    ) -> Result<Payment, Error> {
        let key = PaymentKey::Caller(caller, id.payment_id());
        let request = CaptureRequest { key, id, now, started: Instant::now() };
        let loaded = self.settlement.payments.load(key, now).await?;
        let transaction = loaded.payment.transaction(id)?;
        match &transaction.state {
            State::Captured(_) | State::Credited(_) => Ok(loaded.payment),
            State::Created | State::Rejected { .. } | State::Cancelled { .. } => {
                Err(refusal(&loaded.payment, id))
            }
            State::Initiated(initiated) => {
                let card = transaction.charge.recurring_payment_id;
                // Only a new authorization needs the card.
                if initiated.is_authorized()
                    || active_card(&self.wallets, caller, card, now).await?.is_some()
                {
                    self.capture_initiated(&request, loaded).await
                } else {
                    self.cancel_without_card(&request, loaded).await
                }
            }
        }
    }

    /// Cancels a transaction whose card ended or expired before its authorization.
    async fn cancel_without_card(
        &self,
        request: &CaptureRequest<'_>,
        loaded: LoadedPayment,
    ) -> Result<Payment, Error> {
        let CaptureRequest { key, id, now, .. } = *request;
        let payments = &self.settlement.payments;
        let cancelled = payments
            .change_loaded(loaded, key, now, |payment| payment.cancel_without_card(id))
            .await?
            .loaded;
        let payment = match self.settlement.annul_unconfirmed(cancelled, key, id, now).await {
            // Another request captured it before the card ended.
            Err(Error::PaymentRefused(PaymentRefusal::AlreadyCaptured)) => {
                payments.load(key, now).await?.payment
            }
            payment => payment?,
        };
        if payment.transaction(id)?.captured().is_some() {
            return Ok(payment);
        }
        Err(refusal(&payment, id))
    }

    /// Tries the registrations, newest first, until one is captured or declined: only AUTH finds out at which terminal the customer
    /// entered the card.
    async fn capture_initiated(
        &self,
        request: &CaptureRequest<'_>,
        mut loaded: LoadedPayment,
    ) -> Result<Payment, Error> {
        let mut tried = Vec::new();
        for candidate in loaded.payment.registrations_to_reconcile(request.id)? {
            let chosen = self.settlement.payments.change_loaded(
                loaded,
                request.key,
                request.now,
                |payment| choose(payment, candidate),
            );
            let chosen = chosen.await?;
            let (Capture::Authorize(registration), was_requested) = chosen.outcome else {
                return Ok(chosen.loaded.payment);
            };
            if tried.contains(&registration) {
                return Err(PaymentRefusal::AuthorizationInProgress.into());
            }
            tried.push(registration);
            let findings =
                self.charge(request, &chosen.loaded.payment, registration, was_requested).await;
            let stored =
                self.settlement.store(chosen.loaded, request.key, &findings, request.now).await?;
            loaded = stored.loaded;
            if loaded.payment.transaction(request.id)?.captured().is_some() {
                return Ok(loaded.payment);
            }
            check_other_registrations_left(findings)?;
        }
        Err(refusal(&loaded.payment, request.id))
    }

    /// Authorizes and captures a registration.
    async fn charge(
        &self,
        request: &CaptureRequest<'_>,
        payment: &Payment,
        id: RegistrationId,
        was_requested: bool,
    ) -> Findings {
        let (mut preview, mut findings) = (payment.clone(), Findings::default());
        let Ok(amount) = payment.transaction(id.transaction).map(|one| one.charge.amount) else {
            return findings;
        };
        let authorized =
            self.authorize(request, payment, id, amount, was_requested, &mut findings).await;
        let hold = self.settlement.hold;
        match findings.add(&mut preview, id, authorized, hold) {
            NextStep::Capture => {
                let captured = self.capture_authorized(request, payment, id, amount, &mut findings);
                let captured = captured.await;
                findings.add(&mut preview, id, captured, hold);
            }
            NextStep::Annul => {
                let annulled = self.settlement.annul(&preview, id, &mut findings).await;
                findings.add(&mut preview, id, annulled, hold);
            }
            NextStep::Nothing | NextStep::Alarm => {}
        }
        findings
    }

    /// Requests AUTH. If it may have been requested before, or its reply is unclear, the registration is queried first. Nets
    /// authorizes a registration at most once, so a second request is safe (payments.md §2.2).
    async fn authorize(
        &self,
        request: &CaptureRequest<'_>,
        payment: &Payment,
        id: RegistrationId,
        amount: Money,
        was_requested: bool,
        findings: &mut Findings,
    ) -> Reconciliation {
        if was_requested {
            let found = findings.read(self.query(request, payment, id).await);
            if found != Reconciliation::Pending {
                return found;
            }
        }
        for _ in 0..2 {
            match self.request_authorization(request, id).await {
                Ok(Authorization::Authorized) => return Reconciliation::Authorized(amount),
                Ok(Authorization::NoCard) => return Reconciliation::NoCard,
                Ok(Authorization::Cancelled) => return Reconciliation::Cancelled,
                Ok(Authorization::Declined(decline)) => return Reconciliation::Declined(decline),
                Ok(Authorization::AlreadyProcessed) | Err(_) => {}
            }
            let found = findings.read(self.query(request, payment, id).await);
            if found != Reconciliation::Pending {
                return found;
            }
        }
        // AUTH may still be in progress at Nets.
        findings.read(Err(Failure::Unclear {
            operation: "Process",
            cause: "the authorization is not confirmed".into(),
        }))
    }

    async fn request_authorization(
        &self,
        request: &CaptureRequest<'_>,
        id: RegistrationId,
    ) -> Result<Authorization, Failure> {
        request.check_time("Process")?;
        let authorized = self.settlement.netaxept.authorize(id).await;
        let is_declined = matches!(authorized, Ok(Authorization::Declined(_)));
        invocation::record(|invocation| {
            invocation.charges.authorizations += 1;
            invocation.charges.declined += u64::from(is_declined);
        });
        authorized
    }

    /// Captures the whole authorized amount. If Nets does not confirm it, queries what is true, and requests it once more if it was
    /// not done: Nets refuses a second capture of the whole amount.
    async fn capture_authorized(
        &self,
        request: &CaptureRequest<'_>,
        payment: &Payment,
        id: RegistrationId,
        amount: Money,
        findings: &mut Findings,
    ) -> Reconciliation {
        let mut found = Reconciliation::Authorized(amount);
        for _ in 0..2 {
            if let Ok(Processed::Done) = self.request_capture(request, id, amount).await {
                return Reconciliation::Captured { captured: amount, credited_minor: 0 };
            }
            found = findings.read(self.query(request, payment, id).await);
            if found != Reconciliation::Authorized(amount) {
                return found;
            }
        }
        // The authorization is stored, and the next request captures it.
        findings.read(Err(Failure::Unclear {
            operation: "Process",
            cause: "the capture is not confirmed".into(),
        }));
        found
    }

    async fn request_capture(
        &self,
        request: &CaptureRequest<'_>,
        id: RegistrationId,
        amount: Money,
    ) -> Result<Processed, Failure> {
        request.check_time("Process")?;
        self.settlement.netaxept.capture(id, amount).await
    }

    async fn query(
        &self,
        request: &CaptureRequest<'_>,
        payment: &Payment,
        id: RegistrationId,
    ) -> Result<Reconciliation, Failure> {
        request.check_time("Query")?;
        self.settlement.query(payment, id).await
    }
}

/// Chooses a registration. Also returns whether AUTH for the chosen one may have been requested before.
fn choose(
    payment: &mut Payment,
    candidate: RegistrationId,
) -> Result<(Capture, bool), PaymentRefusal> {
    let before = payment.clone();
    let capture = payment.choose(candidate)?;
    let was_requested = match capture {
        Capture::Authorize(id) => before.registration(id).is_some_and(|one| one.auth_requested),
        Capture::Completed => false,
    };
    Ok((capture, was_requested))
}

/// After a registration without an authorization, the next one is tried. A decline or an unclear reply ends the request.
fn check_other_registrations_left(findings: Findings) -> Result<(), Error> {
    if let Some(error) = findings.error {
        return Err(error.into());
    }
    match findings.reconciliations.last() {
        Some((_, Reconciliation::Declined(decline))) => {
            Err(PaymentRefusal::Declined(*decline).into())
        }
        Some((
            _,
            Reconciliation::Authorized(_)
            | Reconciliation::Captured { .. }
            | Reconciliation::Annulled
            | Reconciliation::Cancelled
            | Reconciliation::NoCard
            | Reconciliation::NeverRegistered
            | Reconciliation::Pending
            | Reconciliation::Unclear,
        ))
        | None => Ok(()),
    }
}

/// The refusal of a capture without an authorization.
fn refusal(payment: &Payment, id: PaymentTransactionId) -> Error {
    payment.check_captured(id).err().unwrap_or(PaymentRefusal::AuthorizationInProgress).into()
}
