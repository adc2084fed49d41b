//! The registrations of a payment at Nets: opening them, choosing one for AUTH, and what Nets says about them.

use chrono::{DateTime, TimeDelta, Utc};

use super::initiated::{Chosen, Initiated, Initiator, Registration, RegistrationOutcome};
use super::reconciliation::{NextStep, Reconciliation};
use super::transaction::{Charge, State, Transaction};
use super::{Payment, refusal_if_over, seconds_until};
use crate::domain::id::{Attempt, PaymentTransactionId, RegistrationId};
use crate::domain::text::CallbackUrl;
use crate::error::PaymentRefusal;

/// A terminal to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistration {
    /// Who starts the charge.
    pub initiator: Initiator,
    /// Whether the service captures the transaction without a request of the client.
    pub auto_sale: bool,
    /// The address for notifications about the transaction. `None` keeps that of an earlier terminal.
    pub callback_url: Option<CallbackUrl>,
}

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

    /// Stores a registration before it is sent to Nets: CREATED becomes INITIATED. A merchant's open registration is used again, and
    /// a customer's one that Nets authorizes by itself.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyCaptured`, `Cancelled` or `Declined` if it is over; `AuthorizationInProgress`; `TooManyDeclines`;
    /// `NoTerminalLeft`.
    pub fn open_terminal(
        &mut self,
        id: PaymentTransactionId,
        terminal: NewRegistration,
    ) -> Result<OpenedRegistration, PaymentRefusal> {
        let now = self.now;
        let transaction = self.transaction(id)?;
        let registrations = match &transaction.state {
            State::Created => &[][..],
            State::Initiated(initiated) => {
                if let Some((number, initiated)) = initiated.clone().reused(&terminal, now) {
                    self.update(id.attempt(), |one| (one.opened(initiated, terminal, now), ()));
                    let id = RegistrationId { transaction: id, number };
                    return Ok(OpenedRegistration { id, is_new: false });
                }
                if initiated.chosen.is_some() {
                    return Err(PaymentRefusal::AuthorizationInProgress);
                }
                &initiated.registrations
            }
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => return Err(refusal_if_over(&transaction.state)),
        };
        let number =
            Attempt::try_from(registrations.len()).map_err(|_| PaymentRefusal::NoTerminalLeft)?;
        self.check_declines(&transaction.charge)?;
        let initiated =
            Initiated::registered(registrations.to_vec(), number, terminal.registration(now));
        self.update(id.attempt(), |one| (one.opened(initiated, terminal, now), ()));
        Ok(OpenedRegistration { id: RegistrationId { transaction: id, number }, is_new: true })
    }

    /// Chooses the registration for which AUTH may be requested. Has to be stored before AUTH is requested. A registration that is
    /// already chosen is returned instead; that another request uses it is stored too, because a decline of the one request must
    /// not free the order while the other one can still capture.
    ///
    /// # Errors
    /// `NotFound`; `NoTerminal`; `Cancelled` or `Declined` if the transaction is over; the outcome of the newest registration if
    /// this one is not open; `TooManyDeclines`.
    pub fn choose(&mut self, id: RegistrationId) -> Result<Capture, PaymentRefusal> {
        let transaction = self.transaction(id.transaction)?;
        let initiated = match &transaction.state {
            State::Initiated(initiated) => initiated,
            State::Captured(_) | State::Credited(_) => return Ok(Capture::Completed),
            State::Created | State::Rejected { .. } | State::Cancelled { .. } => {
                return Err(refusal_if_over(&transaction.state));
            }
        };
        let number = match initiated.chosen {
            Some(Chosen { decline: Some(decline), .. }) => {
                return Err(PaymentRefusal::Declined(decline));
            }
            Some(chosen) => chosen.registration,
            None if initiated.get(id.number).is_none() => return Err(PaymentRefusal::NotFound),
            None if initiated.to_capture().contains(&id.number) => {
                self.check_declines(&transaction.charge)?;
                id.number
            }
            None => return Err(transaction.refusal_of_capture(initiated, self.now)),
        };
        if !initiated.is_authorized() {
            let chosen = initiated.clone().choosing(number, self.now);
            self.update(id.transaction.attempt(), |one| {
                (Transaction { state: State::Initiated(chosen), ..one }, ())
            });
        }
        Ok(Capture::Authorize(RegistrationId { number, ..id }))
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
        if !self.transaction(id.transaction)?.may_have_registration(id.number) {
            return Err(PaymentRefusal::NotFound);
        }
        let now = self.now;
        let step = self.update(id.transaction.attempt(), |transaction| {
            transaction.reconciled(id.number, reconciliation, hold, now)
        });
        self.apply_time();
        Ok(step)
    }

    /// The refusal of a capture if Nets has no authorization for it.
    ///
    /// # Errors
    /// Always, except if the transaction is captured.
    pub fn check_captured(&self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        let transaction = self.transaction(id)?;
        match &transaction.state {
            State::Captured(_) | State::Credited(_) => Ok(()),
            State::Initiated(initiated) => Err(transaction.refusal_of_capture(initiated, self.now)),
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

    /// The registrations of a transaction to try for a capture, newest first: the chosen one, or without one every open one that this
    /// service may authorize. None if it is not INITIATED.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn registrations_to_capture(
        &self,
        id: PaymentTransactionId,
    ) -> Result<Vec<RegistrationId>, PaymentRefusal> {
        let numbers = match &self.transaction(id)?.state {
            State::Initiated(initiated) => initiated.to_capture(),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => Vec::new(),
        };
        Ok(numbers.into_iter().map(|number| RegistrationId { transaction: id, number }).collect())
    }

    /// The registrations whose reconciliation is due.
    #[must_use]
    pub fn due_registrations(&self) -> Vec<RegistrationId> {
        let due = self.history().flat_map(|(id, transaction)| {
            let numbers = transaction.due_registrations(self.now);
            numbers.into_iter().map(move |number| RegistrationId { transaction: id, number })
        });
        due.collect()
    }

    /// Limits the attempts with a card that was declined for now (payments.md §4.3).
    pub(super) fn check_declines(&self, charge: &Charge) -> Result<(), PaymentRefusal> {
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

impl NewRegistration {
    /// The registration at Nets.
    fn registration(&self, now: DateTime<Utc>) -> Registration {
        let Self { initiator, auto_sale, .. } = *self;
        let outcome = RegistrationOutcome::Open;
        let new =
            Registration { opened_at: now, initiator, auth_requested: false, auto_sale, outcome };
        Registration { auth_requested: new.is_auto_auth(), ..new }
    }
}

impl Transaction {
    /// INITIATED, after a terminal was opened.
    fn opened(self, initiated: Initiated, terminal: NewRegistration, now: DateTime<Utc>) -> Self {
        Self {
            initiated_at: self.initiated_at.or(Some(now)),
            callback_url: terminal.callback_url.or(self.callback_url),
            state: State::Initiated(initiated),
            ..self
        }
    }

    fn refusal_of_capture(&self, initiated: &Initiated, now: DateTime<Utc>) -> PaymentRefusal {
        initiated.refusal_of_capture(self.soft_declines.last().copied(), now)
    }
}

impl Initiated {
    /// The registration that a terminal uses again. Of the merchant it is the chosen one or the newest open one: a repeated
    /// off-session terminal does not need another one, except that `autoSale` requests AUTH only once for each. `None` if the terminal
    /// needs a new registration.
    fn reused(mut self, terminal: &NewRegistration, now: DateTime<Utc>) -> Option<(Attempt, Self)> {
        let is_merchant = |one: &Registration| one.initiator == Initiator::Merchant;
        match (terminal.initiator, terminal.auto_sale) {
            (Initiator::Customer, false) => None,
            (Initiator::Customer, true) => {
                let number = self.reusable_auto_auth(now)?;
                Some((number, self.postponed(now)))
            }
            (Initiator::Merchant, auto_sale) => {
                let is_usable = |one: &Registration| {
                    is_merchant(one) && (self.chosen.is_some() || !auto_sale || !one.auth_requested)
                };
                let chosen = self.chosen.map(|chosen| chosen.registration);
                let number = chosen.or_else(|| self.open().next())?;
                self.get(number).filter(|one| is_usable(one))?;
                self.update(number, |one| Registration {
                    auto_sale: one.auto_sale || auto_sale,
                    ..one
                });
                Some((number, self))
            }
        }
    }
}
