//! The registrations of a payment at Nets: opening them, choosing one for AUTH, and what Nets says about them.

use chrono::TimeDelta;

use super::initiated::{Initiated, Initiator, Registration, RegistrationOutcome};
use super::reconciliation::{NextStep, Reconciliation};
use super::transaction::{Charge, State, Transaction};
use super::{Payment, refusal_if_over, seconds_until};
use crate::domain::id::{Attempt, PaymentTransactionId, RegistrationId};
use crate::error::PaymentRefusal;

/// The registration to send to Nets, and whether it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedRegistration {
    /// The id at Nets.
    pub id: RegistrationId,
    /// `false` if an open registration of the merchant is used again: Nets may already know it.
    pub is_new: bool,
}

/// What a capture has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// Request AUTH for this registration, or `Query` it if AUTH may have been requested before, and capture it.
    Authorize(RegistrationId),
    /// The money is already captured.
    Completed,
}

impl Payment {
    /// One registration of an INITIATED transaction. `None` if there is no such registration, or if the transaction is in another state.
    #[must_use]
    pub fn registration(&self, id: RegistrationId) -> Option<&Registration> {
        match &self.transaction(id.transaction).ok()?.state {
            State::Initiated(initiated) => initiated.get(id.number),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// Stores a registration before it is sent to Nets: CREATED becomes INITIATED. The merchant's open registration is used again.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyCaptured`, `Cancelled` or `Declined` if it is over; `AuthorizationInProgress`; `TooManyDeclines`;
    /// `NoTerminalLeft`.
    pub fn open_terminal(
        &mut self,
        id: PaymentTransactionId,
        initiator: Initiator,
    ) -> Result<OpenedRegistration, PaymentRefusal> {
        let index = self.find(id)?;
        let transaction = &self.contents.transactions[index];
        let registration = Registration {
            opened_at: self.now,
            initiator,
            auth_requested: false,
            outcome: RegistrationOutcome::Open,
        };
        let (number, is_new, initiated) = match &transaction.state {
            State::Created => (0, true, Initiated::new(registration)),
            State::Initiated(initiated) => {
                if let Some(number) = open_merchant_registration(initiated, initiator) {
                    let id = RegistrationId { transaction: id, number };
                    return Ok(OpenedRegistration { id, is_new: false });
                }
                if initiated.chosen.is_some() {
                    return Err(PaymentRefusal::AuthorizationInProgress);
                }
                (initiated.registrations.len(), true, initiated.clone().registered(registration))
            }
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => return Err(refusal_if_over(&transaction.state)),
        };
        let number = Attempt::try_from(number).map_err(|_| PaymentRefusal::NoTerminalLeft)?;
        self.check_declines(&transaction.charge)?;
        let transaction = &mut self.contents.transactions[index];
        transaction.state = State::Initiated(initiated);
        transaction.initiated_at.get_or_insert(self.now);
        Ok(OpenedRegistration { id: RegistrationId { transaction: id, number }, is_new })
    }

    /// Chooses the registration for which AUTH may be requested. Has to be stored before AUTH is requested. A registration that is
    /// already chosen is returned instead; that another request uses it is stored too, because a decline of the one request must
    /// not free the order while the other one can still capture.
    ///
    /// # Errors
    /// `NotFound`; `NoTerminal`; `Cancelled` or `Declined` if the transaction is over; the outcome of the newest registration if
    /// this one is not open; `TooManyDeclines`.
    pub fn choose(&mut self, id: RegistrationId) -> Result<Capture, PaymentRefusal> {
        let index = self.find(id.transaction)?;
        let transaction = &self.contents.transactions[index];
        let initiated = match &transaction.state {
            State::Initiated(initiated) => initiated,
            State::Captured(_) | State::Credited(_) => return Ok(Capture::Completed),
            State::Created | State::Rejected { .. } | State::Cancelled { .. } => {
                return Err(refusal_if_over(&transaction.state));
            }
        };
        if let Some(chosen) = initiated.chosen {
            if let Some(decline) = chosen.decline {
                return Err(PaymentRefusal::Declined(decline));
            }
            let initiated = initiated.clone();
            if !initiated.is_authorized() {
                let chosen_again = initiated.choosing(chosen.registration, self.now);
                self.contents.transactions[index].state = State::Initiated(chosen_again);
            }
            return Ok(Capture::Authorize(RegistrationId { number: chosen.registration, ..id }));
        }
        match initiated.get(id.number).map(|registration| registration.outcome) {
            None => return Err(PaymentRefusal::NotFound),
            Some(RegistrationOutcome::Open) => {}
            Some(
                RegistrationOutcome::NeverRegistered
                | RegistrationOutcome::Cancelled
                | RegistrationOutcome::AuthenticationRequired
                | RegistrationOutcome::Annulled,
            ) => return Err(initiated.refusal_of_capture(self.now)),
        }
        self.check_declines(&transaction.charge)?;
        let chosen = initiated.clone().choosing(id.number, self.now);
        self.contents.transactions[index].state = State::Initiated(chosen);
        Ok(Capture::Authorize(id))
    }

    /// Applies what Nets says about a registration. `hold` is how long an authorization is kept without a capture
    /// (`AuthorizationHoldHours`).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn apply(
        &mut self,
        id: RegistrationId,
        reconciliation: Reconciliation,
        hold: TimeDelta,
    ) -> Result<NextStep, PaymentRefusal> {
        let index = self.find(id.transaction)?;
        if !self.contents.transactions[index].may_have_registration(id.number) {
            return Err(PaymentRefusal::NotFound);
        }
        let before = self.contents.transactions.remove(index);
        let (after, step) = before.reconciled(id.number, reconciliation, hold, self.now);
        self.contents.transactions.insert(index, after);
        self.apply_time();
        Ok(step)
    }

    /// The refusal of a capture if Nets has no authorization for it.
    ///
    /// # Errors
    /// Always, except if the transaction is captured.
    pub fn check_captured(&self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        match &self.transaction(id)?.state {
            State::Captured(_) | State::Credited(_) => Ok(()),
            State::Initiated(initiated) => Err(initiated.refusal_of_capture(self.now)),
            over @ (State::Created | State::Rejected { .. } | State::Cancelled { .. }) => {
                Err(refusal_if_over(over))
            }
        }
    }

    /// The registrations of a transaction to query at Nets. While INITIATED the chosen one, or without one every open one, newest
    /// first. Later those whose authorizations have to be annulled.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn registrations_to_reconcile(
        &self,
        id: PaymentTransactionId,
    ) -> Result<Vec<RegistrationId>, PaymentRefusal> {
        let numbers = self.transaction(id)?.registrations_to_reconcile();
        Ok(numbers.into_iter().map(|number| RegistrationId { transaction: id, number }).collect())
    }

    /// The registrations of the transactions that are due.
    #[must_use]
    pub fn due_registrations(&self) -> Vec<RegistrationId> {
        let is_due = |transaction: &Transaction| {
            transaction.due_at().is_some_and(|due_at| due_at <= self.now)
        };
        let due = self.history().filter(|(_, transaction)| is_due(transaction));
        due.flat_map(|(id, transaction)| {
            let numbers = transaction.registrations_to_reconcile();
            numbers.into_iter().map(move |number| RegistrationId { transaction: id, number })
        })
        .collect()
    }

    /// Limits the attempts with a card that was declined for now (payments.md §4.3).
    fn check_declines(&self, charge: &Charge) -> Result<(), PaymentRefusal> {
        let same_card = |transaction: &&Transaction| {
            transaction.charge.recurring_payment_id == charge.recurring_payment_id
        };
        let transactions = self.contents.transactions.iter().filter(same_card);
        let ends = transactions
            .flat_map(|transaction| &transaction.soft_declines)
            .map(|at| *at + Transaction::DECLINE_PERIOD);
        let mut counted: Vec<_> = ends.filter(|end| self.now < *end).collect();
        counted.sort_unstable();
        match counted.iter().rev().nth(Transaction::MAX_SOFT_DECLINES - 1) {
            None => Ok(()),
            Some(end) => Err(PaymentRefusal::TooManyDeclines {
                retry_after_seconds: seconds_until(*end, self.now),
            }),
        }
    }
}

/// The newest open registration of the merchant, or the chosen one: a repeated off-session terminal does not need another one.
fn open_merchant_registration(initiated: &Initiated, initiator: Initiator) -> Option<Attempt> {
    let is_merchant = |number: &Attempt| {
        initiated.get(*number).is_some_and(|one| one.initiator == Initiator::Merchant)
    };
    let chosen = initiated.chosen.map(|chosen| chosen.registration);
    let number = chosen.or_else(|| initiated.open().next()).filter(is_merchant);
    number.filter(|_| initiator == Initiator::Merchant)
}
