//! Credits: money of a captured transaction that goes back to the customer (payments.md §4.4).
//!
//! A request names the total that shall have been credited. Nets credits a part again if CREDIT is repeated, so at most one credit is
//! in progress: its intent is stored before CREDIT is sent. It is over when Nets shows the total. If Nets shows it neither as a sum
//! nor in its history [`Crediting::RESEND_AFTER`] after CREDIT was sent, the schedule sends CREDIT of the missing sum again.
//!
//! Nets' reply to Query has a line for each credit, and Nets credits for a limited time. So the number of parts and the time are
//! limited.

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule::Schedule;
use super::transaction::{Captured, Transaction};
use super::{Payment, seconds_until_retry};
use crate::domain::id::{PaymentTransactionId, RegistrationId};
use crate::domain::money::Money;
use crate::domain::terminal::Terminal;
use crate::error::PaymentRefusal;

/// A credit that was sent to Nets and is not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crediting {
    /// The sum that shall have been credited, in minor units of the transaction's currency.
    pub target_minor: u64,
    /// When the request or the run began that last sent CREDIT.
    pub sent_at: DateTime<Utc>,
    /// How often CREDIT was sent, 1 to [`Crediting::MAX_SENDS`].
    pub sends: u8,
    /// Whether Nets refused a repeated CREDIT. An earlier one may have succeeded, so the reconciliations continue.
    pub is_refused: bool,
    /// When to reconcile, counted from `sent_at`.
    pub schedule: Schedule,
}

/// A CREDIT to send to Nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditRequest {
    /// The captured registration.
    pub id: RegistrationId,
    /// The amount to credit: what is missing to the target.
    pub amount: Money,
    /// The sum that shall have been credited, in minor units. Nets stores it in `transactionReconRef`.
    pub target_minor: u64,
}

/// What a credit has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credit {
    /// Send CREDIT, once.
    Send(CreditRequest),
    /// The total is credited.
    Completed,
}

impl Crediting {
    /// When CREDIT can be sent again, counted from `sent_at`: at the third planned reconciliation, after 16 minutes. A run can be 5
    /// minutes late (`template.yaml`: 2 minutes of retries, 1 minute in Lambda's queue, 90 seconds of work), so at least 11 minutes
    /// are between two CREDITs. Assumption: a CREDIT does not take effect later than that.
    pub const RESEND_AFTER: TimeDelta = Terminal::RECONCILE_AFTER[2];
    /// How often CREDIT is sent at most.
    pub const MAX_SENDS: u8 = 5;
    /// How many credits of a part a transaction can have. Nets' reply to Query has about 350 bytes for each, and may have 64 KiB:
    /// the rest is for credits in Netaxept Admin.
    pub const MAX_PARTS: u8 = 100;
    /// How long after the capture a credit can begin (netaxept.md §4.1). Some card types accept credits only for 180 days.
    pub const PERIOD: TimeDelta = TimeDelta::days(365);

    fn new(target_minor: u64, now: DateTime<Utc>) -> Self {
        let schedule = Schedule::starting(now);
        Self { target_minor, sent_at: now, sends: 1, is_refused: false, schedule }
    }

    fn sent_again(self, now: DateTime<Utc>) -> Self {
        Self { sent_at: now, sends: self.sends + 1, schedule: Schedule::starting(now), ..self }
    }

    fn can_be_sent_again(&self, now: DateTime<Utc>) -> bool {
        !self.is_refused && self.sends < Self::MAX_SENDS && self.sent_at + Self::RESEND_AFTER <= now
    }

    /// The credit after a clear reply that does not show it. `None` after the last reconciliation.
    fn rescheduled(self, now: DateTime<Utc>) -> Option<Self> {
        let schedule = self.schedule.rescheduled(now);
        schedule.reconcile_at.is_some().then_some(Self { schedule, ..self })
    }
}

impl Captured {
    /// Applies the sums of a reply, which are already stored, to the credit in progress. Also returns whether the credit failed. A
    /// reconciliation after which CREDIT can be sent again stays due, because only the schedule sends it again.
    #[must_use]
    pub(super) fn with_credit_reconciled(self, now: DateTime<Utc>) -> (Self, bool) {
        let Some(crediting) = self.crediting else { return (self, false) };
        if crediting.target_minor <= self.credited_minor {
            return (Self { crediting: None, ..self }, false);
        }
        if crediting.can_be_sent_again(now) {
            return (self, false);
        }
        self.with_credit_rescheduled(now)
    }

    /// Applies a clear reply that does not say captured, so it is older than the capture. Also returns whether the credit failed.
    #[must_use]
    pub(super) fn with_credit_rescheduled(self, now: DateTime<Utc>) -> (Self, bool) {
        let crediting = self.crediting.and_then(|crediting| crediting.rescheduled(now));
        let has_failed = self.crediting.is_some() && crediting.is_none();
        (Self { crediting, ..self }, has_failed)
    }

    /// Plans a reconciliation of the credit in progress within a minute, after an unclear reply.
    #[must_use]
    pub(super) fn with_credit_rescheduled_soon(self, now: DateTime<Utc>) -> Self {
        let soon = |crediting: Crediting| Crediting {
            schedule: crediting.schedule.rescheduled_soon(now),
            ..crediting
        };
        Self { crediting: self.crediting.map(soon), ..self }
    }

    /// Checks whether a credit to this target can begin. Everything can be credited also after the last part, so that no rest stays.
    fn check_new_credit(
        &self,
        target_minor: u64,
        now: DateTime<Utc>,
    ) -> Result<(), PaymentRefusal> {
        if self.at + Crediting::PERIOD <= now {
            return Err(PaymentRefusal::CreditTooLate);
        }
        if Crediting::MAX_PARTS <= self.credits && target_minor < self.captured_minor {
            return Err(PaymentRefusal::TooManyCredits);
        }
        Ok(())
    }

    fn request(
        &self,
        id: PaymentTransactionId,
        target_minor: u64,
        charged: Money,
    ) -> CreditRequest {
        let missing = target_minor.saturating_sub(self.credited_minor);
        CreditRequest {
            id: RegistrationId { transaction: id, number: self.registration },
            amount: Money::new(missing, charged.currency()),
            target_minor,
        }
    }
}

impl Payment {
    /// Checks a credit against the stored data. `total` is the sum that shall have been credited, in the currency of the transaction;
    /// `None` is everything that was captured. Returns the captured registration, which has to be queried before
    /// [`Self::begin_credit`], or `None` if the total is credited and no other credit is in progress.
    ///
    /// # Errors
    /// `NotFound`; `NotCaptured`; `CreditAboveCaptured`; `CreditBelowCredited`; `CreditTooLate` or `TooManyCredits`, except if this
    /// total is already credited or being credited.
    pub fn check_credit(
        &self,
        id: PaymentTransactionId,
        total: Option<Money>,
    ) -> Result<Option<RegistrationId>, PaymentRefusal> {
        let (captured, target) = self.credit_target(id, total)?;
        let in_progress = captured.crediting.map(|crediting| crediting.target_minor);
        if in_progress.unwrap_or(captured.credited_minor) != target {
            captured.check_new_credit(target, self.now)?;
        }
        let is_completed = captured.credited_minor == target && in_progress.is_none();
        let registration = RegistrationId { transaction: id, number: captured.registration };
        Ok((!is_completed).then_some(registration))
    }

    /// Stores the intent of a credit, after Query was applied. Has to be stored before CREDIT is sent.
    ///
    /// # Errors
    /// Those of [`Self::check_credit`]; `CreditInProgress`.
    pub fn begin_credit(
        &mut self,
        id: PaymentTransactionId,
        total: Option<Money>,
    ) -> Result<Credit, PaymentRefusal> {
        let now = self.now;
        let (captured, target) = self.credit_target(id, total)?;
        if let Some(crediting) = captured.crediting {
            let retry_after_seconds = seconds_until_retry(crediting.schedule.reconcile_at, now);
            return Err(PaymentRefusal::CreditInProgress { retry_after_seconds });
        }
        if captured.credited_minor == target {
            return Ok(Credit::Completed);
        }
        captured.check_new_credit(target, now)?;
        let credits = captured.credits.saturating_add(1);
        let request = captured.request(id, target, self.transaction(id)?.charge.amount);
        let crediting = Some(Crediting::new(target, now));
        self.update_captured(id, |captured| Captured { credits, crediting, ..captured });
        Ok(Credit::Send(request))
    }

    /// Applies Nets' clear refusal of a CREDIT. The only one is not in progress any more. After a repeated one, an earlier one may
    /// have succeeded without being visible yet: it is not sent again, and the reconciliations continue.
    pub fn credit_refused(&mut self, request: CreditRequest) {
        let id = request.id.transaction;
        let crediting = self.crediting(id);
        if let Some(crediting) = crediting.filter(|one| one.target_minor == request.target_minor) {
            let refused = Crediting { is_refused: true, ..crediting };
            self.set_crediting(id, (crediting.sends > 1).then_some(refused));
        }
    }

    /// The credit of a transaction that has to be sent again now, after Query was applied at this payment's instant. Its new send has
    /// to be stored before CREDIT is sent. `None` if Nets confirmed it, if the reply was not clear, if it was sent too recently or too
    /// often, or if Nets refused it.
    pub fn resend_credit(&mut self, id: PaymentTransactionId) -> Option<CreditRequest> {
        let now = self.now;
        let is_due = |one: &Crediting| one.can_be_sent_again(now) && one.schedule.is_due(now);
        let crediting = self.crediting(id).filter(is_due)?;
        let transaction = self.transaction(id).ok()?;
        let charged = transaction.charge.amount;
        let request = transaction.captured()?.request(id, crediting.target_minor, charged);
        self.set_crediting(id, Some(crediting.sent_again(now)));
        Some(request)
    }

    fn credit_target(
        &self,
        id: PaymentTransactionId,
        total: Option<Money>,
    ) -> Result<(&Captured, u64), PaymentRefusal> {
        let transaction = self.transaction(id)?;
        let captured = transaction.captured().ok_or(PaymentRefusal::NotCaptured)?;
        let target = total.map_or(captured.captured_minor, Money::minor);
        let currency = transaction.charge.amount.currency();
        let is_other_currency = total.is_some_and(|total| total.currency() != currency);
        if is_other_currency || captured.captured_minor < target {
            return Err(PaymentRefusal::CreditAboveCaptured);
        }
        if target < captured.credited_minor {
            return Err(PaymentRefusal::CreditBelowCredited);
        }
        Ok((captured, target))
    }

    fn crediting(&self, id: PaymentTransactionId) -> Option<Crediting> {
        self.transaction(id).ok().and_then(Transaction::captured)?.crediting
    }

    fn set_crediting(&mut self, id: PaymentTransactionId, crediting: Option<Crediting>) {
        self.update_captured(id, |captured| Captured { crediting, ..captured });
    }

    fn update_captured(
        &mut self,
        id: PaymentTransactionId,
        change: impl FnOnce(Captured) -> Captured,
    ) {
        self.update(id.attempt(), |transaction| (transaction.with_captured(change), ()));
    }
}
