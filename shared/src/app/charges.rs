//! Captures transactions: AUTH, then CAPTURE of the whole amount.
//!
//! The order of the steps guarantees that money is never taken twice (payments.md §4.3). The registration is stored as chosen
//! before the first AUTH. Nets authorizes a registration at most once, and captures the whole amount at most once. After every
//! uncertain reply the registration is queried before anything is requested again.

use std::sync::Arc;

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

use super::capture_request::{AuthRequest, CaptureRequest};
use super::netaxept;
use super::payments::active_card;
use super::settlement::{Findings, Settlement};
use super::time_limit::TimeLimit;
use crate::config::Environment;
use crate::domain::caller::Caller;
use crate::domain::id::{PaymentTransactionId, RegistrationId};
use crate::domain::money::Money;
use crate::domain::payment::{Capture, NextStep, Payment, Reconciliation, State};
use crate::error::{Cause, Error, PaymentRefusal};
use crate::invocation::{self, Invocation};
use crate::netaxept::{Authorization, Failure, Netaxept, Processed};
use crate::secrets::Secrets;
use crate::storage::{LoadedPayment, PaymentKey, PaymentStore, Store};

/// The state of the function that captures transactions.
pub struct Charges {
    /// The payments, and their reconciliation.
    pub settlement: Settlement,
    wallets: Store,
}

impl Charges {
    /// Reads the configuration from the environment and fetches Nets' token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the token cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        Self::with(environment, &sdk, &secrets).await
    }

    pub(super) async fn with(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
        secrets: &Secrets,
    ) -> Result<Self, Cause> {
        let (payments, wallets) = PaymentStore::with_wallets(environment, sdk).await?;
        let netaxept = netaxept(environment, secrets).await?;
        Self::on(environment, payments, wallets, netaxept.into())
    }

    /// The state with these clients.
    pub(super) fn on(
        environment: &Environment<'_>,
        payments: PaymentStore,
        wallets: Store,
        netaxept: Arc<Netaxept>,
    ) -> Result<Self, Cause> {
        Ok(Self { settlement: Settlement::with(environment, payments, netaxept)?, wallets })
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
        let limit = TimeLimit::of_request();
        let request = CaptureRequest { key, id, now, limit, is_auto_sale: false };
        let loaded = self.settlement.payments.load(key, now).await?;
        Ok(self.capture_loaded(&request, loaded).await?.payment)
    }

    /// Captures a transaction whose terminal has `autoSale`, without a request of the client.
    ///
    /// # Errors
    /// Fails like [`Self::capture`].
    pub(super) async fn capture_auto_sale(
        &self,
        loaded: LoadedPayment,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
        limit: TimeLimit,
    ) -> Result<LoadedPayment, Error> {
        let key = PaymentKey::Any(id.payment_id());
        let request = CaptureRequest { key, id, now, limit, is_auto_sale: true };
        self.capture_loaded(&request, loaded).await
    }

    async fn capture_loaded(
        &self,
        request: &CaptureRequest<'_>,
        loaded: LoadedPayment,
    ) -> Result<LoadedPayment, Error> {
        let transaction = loaded.payment.transaction(request.id)?;
        match &transaction.state {
            State::Captured(_) | State::Credited(_) => Ok(loaded),
            State::Created | State::Rejected { .. } | State::Cancelled { .. } => {
                Err(refusal(&loaded.payment, request.id))
            }
            State::Initiated(initiated) => {
                // Only a new authorization needs the card.
                let needs_card = !initiated.is_authorized();
                if needs_card
                    && active_card(&self.wallets, &loaded.payment, request.id, request.now)
                        .await?
                        .is_none()
                {
                    return self.cancel_without_card(request, loaded).await;
                }
                self.capture_initiated(request, loaded).await
            }
        }
    }

    /// Cancels a transaction whose card ended or expired before its authorization.
    async fn cancel_without_card(
        &self,
        request: &CaptureRequest<'_>,
        loaded: LoadedPayment,
    ) -> Result<LoadedPayment, Error> {
        let CaptureRequest { key, id, now, limit, .. } = *request;
        let Settlement { payments, .. } = &self.settlement;
        let cancelled = payments
            .change_loaded(loaded, key, now, |payment| payment.cancel_without_card(id))
            .await?
            .loaded;
        let annulled = self.settlement.annul_unconfirmed(cancelled, key, id, now, limit).await;
        let loaded = match annulled {
            // Another request captured it before the card ended.
            Err(Error::PaymentRefused(PaymentRefusal::AlreadyCaptured)) => {
                payments.load(key, now).await?
            }
            loaded => loaded?,
        };
        if loaded.payment.transaction(id)?.captured().is_some() {
            return Ok(loaded);
        }
        Err(refusal(&loaded.payment, id))
    }

    /// Tries the registrations, newest first, until one is captured or declined: only AUTH finds out at which terminal the customer
    /// entered the card.
    async fn capture_initiated(
        &self,
        request: &CaptureRequest<'_>,
        mut loaded: LoadedPayment,
    ) -> Result<LoadedPayment, Error> {
        let mut tried = Vec::new();
        for candidate in request.candidates(&loaded.payment)? {
            let chosen = self.settlement.payments.change_loaded(
                loaded,
                request.key,
                request.now,
                |payment| request.choose(payment, candidate),
            );
            let chosen = chosen.await?;
            let (Capture::Authorize(registration), auth) = chosen.outcome else {
                return Ok(chosen.loaded);
            };
            if tried.contains(&registration) {
                return Err(PaymentRefusal::AuthorizationInProgress.into());
            }
            tried.push(registration);
            let findings = self.charge(request, &chosen.loaded.payment, registration, auth).await;
            let stored =
                self.settlement.store(chosen.loaded, request.key, &findings, request.now).await?;
            loaded = stored.loaded;
            if loaded.payment.transaction(request.id)?.captured().is_some() {
                return Ok(loaded);
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
        auth: AuthRequest,
    ) -> Findings {
        let (mut preview, mut findings) = (payment.clone(), Findings::default());
        let Ok(amount) = payment.transaction(id.transaction).map(|one| one.charge.amount) else {
            return findings;
        };
        let authorized = self.authorize(request, payment, id, amount, auth, &mut findings).await;
        let hold = self.settlement.hold;
        match findings.add(&mut preview, id, authorized, hold) {
            NextStep::Capture => {
                let captured = self.capture_authorized(request, payment, id, amount, &mut findings);
                let captured = captured.await;
                findings.add(&mut preview, id, captured, hold);
            }
            NextStep::Annul => {
                let annulled =
                    self.settlement.annul(&preview, id, &mut findings, request.limit).await;
                findings.add(&mut preview, id, annulled, hold);
            }
            NextStep::Nothing | NextStep::Alarm | NextStep::CreditFailed => {}
        }
        findings
    }

    /// Requests AUTH. If it may have been requested before, or its reply is unclear, the registration is queried first. Nets
    /// authorizes a registration at most once, so a second request is safe (payments.md §2.2). With [`AuthRequest::No`] it is only
    /// queried.
    async fn authorize(
        &self,
        request: &CaptureRequest<'_>,
        payment: &Payment,
        id: RegistrationId,
        amount: Money,
        auth: AuthRequest,
        findings: &mut Findings,
    ) -> Reconciliation {
        if auth != AuthRequest::First {
            let found = findings.read(self.settlement.query(payment, id, request.limit).await);
            if !payment.may_request_auth(id) {
                record_authorization(found);
            }
            if auth == AuthRequest::No || found != Reconciliation::Pending {
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
            let found = findings.read(self.settlement.query(payment, id, request.limit).await);
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
        request.limit.check("Process")?;
        let authorized = self.settlement.netaxept.authorize(id).await;
        let is_declined = matches!(authorized, Ok(Authorization::Declined(_)));
        invocation::record(|Invocation { charges, .. }| {
            charges.authorizations += 1;
            charges.declined += u64::from(is_declined);
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
                return Reconciliation::Captured {
                    captured: amount,
                    credited_minor: 0,
                    credited_target: None,
                };
            }
            found = findings.read(self.settlement.query(payment, id, request.limit).await);
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
        request.limit.check("Process")?;
        self.settlement.netaxept.capture(id, amount).await
    }
}

/// Records the authorization that Nets made by itself, if there is one.
fn record_authorization(found: Reconciliation) {
    let is_declined = matches!(found, Reconciliation::Declined(_));
    let is_authorized = matches!(found, Reconciliation::Authorized(_));
    invocation::record(|Invocation { charges, .. }| {
        charges.authorizations += u64::from(is_authorized || is_declined);
        charges.declined += u64::from(is_declined);
    });
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
