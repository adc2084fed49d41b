//! Credits transactions: money that was captured goes back to the customer.
//!
//! A part can be credited again and again, so Nets does not refuse a repeated CREDIT. The order of the steps guarantees that nothing
//! is credited twice (payments.md §4.4): a request names the total that shall have been credited; the registration is queried for
//! the credited sum; the intent is stored; and only then CREDIT of the difference is sent, once. If its reply is unclear,
//! [`PaymentTasks`](super::PaymentTasks) reconciles the intent. It sends CREDIT again only if Nets does not show it 16 minutes later.

use chrono::{DateTime, Utc};

use super::settlement::{Findings, Settlement};
use super::time_limit::TimeLimit;
use crate::domain::caller::Caller;
use crate::domain::id::PaymentTransactionId;
use crate::domain::money::Money;
use crate::domain::payment::{Credit, CreditRequest, Payment, Reconciliation};
use crate::error::{Error, PaymentRefusal};
use crate::netaxept::{Failure, Processed};
use crate::storage::{LoadedPayment, PaymentKey};

/// The payment after a CREDIT was sent, and the error for the caller if it is not credited.
pub(super) struct SentCredit {
    pub(super) loaded: LoadedPayment,
    pub(super) error: Option<Error>,
}

impl Settlement {
    /// Credits a transaction until `total` is credited, or with `None` until everything captured is. If that is the case already,
    /// Nets is not called.
    ///
    /// # Errors
    /// Fails with a refusal of the payment: `NotCaptured`, `CreditAboveCaptured`, `CreditBelowCredited`, `CreditTooLate`,
    /// `TooManyCredits`, `CreditInProgress` or `CreditRefused`; with an error of the store; or with `Unavailable` if Nets gives no
    /// clear answer. In the last two cases a retry is safe.
    pub async fn credit(
        &self,
        caller: &Caller,
        id: PaymentTransactionId,
        total: Option<Money>,
        now: DateTime<Utc>,
    ) -> Result<Payment, Error> {
        let (key, limit) = (PaymentKey::Caller(caller, id.payment_id()), TimeLimit::of_request());
        let loaded = self.payments.load(key, now).await?;
        let Some(registration) = loaded.payment.check_credit(id, total)? else {
            return Ok(loaded.payment);
        };
        let found = self.query(&loaded.payment, registration, limit).await?;
        // The sums have to be those of Nets (payments.md §3, rule 13).
        if !matches!(found, Reconciliation::Captured { .. }) {
            return Err(unconfirmed());
        }
        let mut findings = Findings::default();
        findings.reconciliations.push((registration, found));
        let decided = self.store_and(loaded, key, &findings, now, |payment| {
            match payment.begin_credit(id, total) {
                // Writes nothing: this request must not postpone the reconciliation of the other one.
                Err(in_progress @ PaymentRefusal::CreditInProgress { .. }) => Err(in_progress),
                decided => Ok(decided),
            }
        });
        let decided = decided.await?;
        let Credit::Send(request) = decided.outcome? else { return Ok(decided.loaded.payment) };
        let stored = self.send_credit(decided.loaded, key, &request, now, limit).await?;
        stored.error.map_or(Ok(stored.loaded.payment), Err)
    }

    /// Sends a CREDIT whose intent is stored, and stores what became of it.
    ///
    /// # Errors
    /// Fails with an error of the store.
    pub(super) async fn send_credit(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        request: &CreditRequest,
        now: DateTime<Utc>,
        limit: TimeLimit,
    ) -> Result<SentCredit, Error> {
        let id = request.id.transaction;
        let captured = loaded.payment.transaction(id)?.summary().captured;
        let Some(findings) = self.request_credit(&loaded.payment, request, captured, limit).await
        else {
            let refused = self.payments.change_loaded(loaded, key, now, |payment| {
                payment.credit_refused(*request);
                Ok(())
            });
            let error = Some(PaymentRefusal::CreditRefused.into());
            return Ok(SentCredit { loaded: refused.await?.loaded, error });
        };
        let loaded = self.store(loaded, key, &findings, now).await?.loaded;
        let is_credited = is_credited(&loaded.payment, request)?;
        let error = findings.error.map_or_else(unconfirmed, Error::from);
        Ok(SentCredit { loaded, error: (!is_credited).then_some(error) })
    }

    /// Sends CREDIT. If its reply is unclear, the registration is queried once. Returns `None` if Nets refused it.
    async fn request_credit(
        &self,
        payment: &Payment,
        request: &CreditRequest,
        captured: Money,
        limit: TimeLimit,
    ) -> Option<Findings> {
        let mut findings = Findings::default();
        let found = match self.process_credit(request, limit).await {
            Ok(Processed::Refused) => return None,
            Ok(Processed::Done) => Reconciliation::Captured {
                captured,
                credited_minor: request.target_minor,
                credited_target: Some(request.target_minor),
            },
            Err(_) => findings.read(self.query(payment, request.id, limit).await),
        };
        findings.reconciliations.push((request.id, found));
        Some(findings)
    }

    async fn process_credit(
        &self,
        request: &CreditRequest,
        limit: TimeLimit,
    ) -> Result<Processed, Failure> {
        limit.check("CREDIT")?;
        self.netaxept.credit(request).await
    }
}

/// Whether the total of a request is credited. Another request may have begun a larger credit since.
fn is_credited(payment: &Payment, request: &CreditRequest) -> Result<bool, PaymentRefusal> {
    let captured = payment.transaction(request.id.transaction)?.captured();
    Ok(captured.is_some_and(|captured| request.target_minor <= captured.credited_minor))
}

/// The error of a credit that Nets does not show. The schedule continues it.
fn unconfirmed() -> Error {
    Error::Unavailable { what: "Netaxept", cause: "the credit is not confirmed".into() }
}
