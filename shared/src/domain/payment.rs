//! One payment: the transactions that pay one version of an order, as of one instant, and the rules for them (payments.md §4).
//!
//! A payment is an aggregate of its own. The wallet does not know its payments, and a payment stores no card data.
//!
//! At most one transaction is live, and a captured one blocks the order. AUTH is requested only for the registration that is stored
//! as chosen, so the amount is authorized once, and only the whole authorized amount is captured. An authorization that is found
//! after the end of its transaction is annulled. As in a wallet, the changes that depend only on time are always applied.

mod initiated;
mod reconciliation;
mod refusal;
mod schedule;
mod transaction;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::{Attempt, PaymentId, PaymentTransactionId, RegistrationId};
use crate::domain::order::Order;
use crate::domain::owner::{OrderHash, Owner};
pub use initiated::{Chosen, Initiated, Initiator, Registration, RegistrationOutcome};
pub use reconciliation::{NextStep, Reconciliation};
pub use refusal::{CancelReason, PaymentDecline, PaymentRefusal};
pub use schedule::{Annulment, Schedule};
pub use transaction::{Captured, Charge, State, Summary, Transaction, TransactionStatus};

/// The stored data of a payment. Contains nothing that can be derived, and no card data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The order that is paid.
    pub order: Order,
    /// The hash of the order.
    pub order_hash: OrderHash,
    /// The hash of the customer who pays, always the same one.
    pub owner: Owner,
    /// The transactions, 1 to 16, oldest first. The index is the [`Attempt`].
    pub transactions: Vec<Transaction>,
}

/// One payment as of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    id: PaymentId,
    now: DateTime<Utc>,
    contents: Contents,
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
    /// How many transactions a payment can have, and how many registrations at Nets a transaction can have.
    pub const MAX_ATTEMPTS: usize = Attempt::COUNT;

    /// The stored payment, as of `now`.
    #[must_use]
    pub fn new(id: PaymentId, contents: Contents, now: DateTime<Utc>) -> Self {
        let mut payment = Self { id, now, contents };
        payment.apply_time();
        payment
    }

    /// A new payment of an order, with its first transaction.
    #[must_use]
    pub fn create(
        id: PaymentId,
        (order, order_hash): (Order, OrderHash),
        owner: Owner,
        charge: Charge,
        now: DateTime<Utc>,
    ) -> Self {
        let transactions = vec![Transaction::new(charge, now)];
        Self { id, now, contents: Contents { order, order_hash, owner, transactions } }
    }

    /// The same payment at a later instant.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> Self {
        Self::new(self.id, self.contents, now)
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.id
    }

    /// The data to store.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The order number at Nets, at most 32 characters. It is on the customer's statement, so it is the order id if that fits.
    #[must_use]
    pub fn order_number(&self) -> String {
        let order_id = self.contents.order.id.as_str();
        if order_id.len() <= 32 { order_id.to_owned() } else { self.id.to_string() }
    }

    /// The transactions with their ids, newest first (`transactionHistory` in the API).
    pub fn history(&self) -> impl Iterator<Item = (PaymentTransactionId, &Transaction)> {
        let numbers = (0..).map_while(|index| Attempt::try_from(index).ok());
        let all: Vec<_> = numbers.zip(&self.contents.transactions).collect();
        let id = self.id;
        all.into_iter()
            .rev()
            .map(move |(number, transaction)| (PaymentTransactionId::new(id, number), transaction))
    }

    /// Returns one transaction.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn transaction(&self, id: PaymentTransactionId) -> Result<&Transaction, PaymentRefusal> {
        self.find(id).map(|index| &self.contents.transactions[index])
    }

    /// Creates a payment again. The same facts as those of the live or captured transaction return that one. After a transaction
    /// that is over, a new one begins, also with other facts.
    ///
    /// # Errors
    /// `OrderHasPayment` for other facts or another customer; `AnnulmentPending`; `Declined` if this payment's card was declined
    /// permanently before; `NoTransactionLeft`.
    pub fn create_again(
        &mut self,
        owner: Owner,
        charge: Charge,
    ) -> Result<PaymentTransactionId, PaymentRefusal> {
        if owner != self.contents.owner {
            return Err(PaymentRefusal::OrderHasPayment);
        }
        let blocks =
            |transaction: &Transaction| transaction.is_live() || transaction.captured().is_some();
        // A captured one first: a late capture can be found while another one is live.
        let mut blocking: Vec<_> = self.history().filter(|(_, one)| blocks(one)).collect();
        blocking.sort_by_key(|(_, transaction)| transaction.captured().is_none());
        if let Some((id, transaction)) = blocking.first() {
            let is_same = transaction.charge == charge;
            return if is_same { Ok(*id) } else { Err(PaymentRefusal::OrderHasPayment) };
        }
        self.check_annulments()?;
        if self.history().any(|(_, transaction)| was_declined(transaction, &charge)) {
            return Err(PaymentRefusal::Declined(PaymentDecline::Hard));
        }
        let number = Attempt::try_from(self.contents.transactions.len())
            .map_err(|_| PaymentRefusal::NoTransactionLeft)?;
        self.contents.transactions.push(Transaction::new(charge, self.now));
        Ok(PaymentTransactionId::new(self.id, number))
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
        self.contents.transactions[index].state = State::Initiated(initiated);
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

    /// Cancels a transaction. CANCELLED and REJECTED stay unchanged. Afterwards the authorizations of
    /// [`Self::registrations_to_reconcile`] have to be annulled.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyCaptured`.
    pub fn cancel(&mut self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        let index = self.find(id)?;
        if self.contents.transactions[index].captured().is_some() {
            return Err(PaymentRefusal::AlreadyCaptured);
        }
        self.cancel_at(index, CancelReason::Requested);
        Ok(())
    }

    /// Cancels a live transaction whose recurring payment is not ACTIVE any more. Does not change one that is authorized: only new
    /// authorizations need the card (payments.md §4.4).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn cancel_without_card(&mut self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        let index = self.find(id)?;
        let is_authorized = match &self.contents.transactions[index].state {
            State::Initiated(initiated) => initiated.is_authorized(),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => false,
        };
        if !is_authorized {
            self.cancel_at(index, CancelReason::CardNotActive);
        }
        Ok(())
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

    /// When the service next has to do something at Nets without a request. Can be overdue. `None` if there is nothing to do.
    #[must_use]
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        self.contents.transactions.iter().filter_map(Transaction::due_at).min()
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

    fn find(&self, id: PaymentTransactionId) -> Result<usize, PaymentRefusal> {
        let index = usize::from(id.attempt().number());
        let exists = id.payment_id() == self.id && index < self.contents.transactions.len();
        if exists { Ok(index) } else { Err(PaymentRefusal::NotFound) }
    }

    fn cancel_at(&mut self, index: usize, reason: CancelReason) {
        let transaction = self.contents.transactions.remove(index);
        self.contents.transactions.insert(index, transaction.cancelled(reason, self.now));
    }

    fn apply_time(&mut self) {
        let now = self.now;
        let transactions = std::mem::take(&mut self.contents.transactions);
        self.contents.transactions =
            transactions.into_iter().map(|one| one.with_time_applied(now)).collect();
    }

    /// A cancelled transaction whose authorization was in progress blocks the order until Nets confirms its end.
    fn check_annulments(&self) -> Result<(), PaymentRefusal> {
        let annulments = self.contents.transactions.iter().filter_map(Transaction::annulment);
        let mut unconfirmed = annulments.filter(|annulment| annulment.unconfirmed.is_some());
        match unconfirmed.next() {
            None => Ok(()),
            Some(annulment) => {
                let expected_at = annulment.schedule.reconcile_at.unwrap_or(self.now);
                let retry_after_seconds = seconds_until(expected_at, self.now).max(1);
                Err(PaymentRefusal::AnnulmentPending { retry_after_seconds })
            }
        }
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

/// Returns whether the card of a charge was declined permanently.
fn was_declined(transaction: &Transaction, charge: &Charge) -> bool {
    let is_same_card = transaction.charge.recurring_payment_id == charge.recurring_payment_id;
    is_same_card
        && matches!(transaction.state, State::Rejected { decline: PaymentDecline::Hard, .. })
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

/// The refusal of an action that needs an INITIATED transaction.
fn refusal_if_over(state: &State) -> PaymentRefusal {
    match state {
        State::Created | State::Initiated(_) => PaymentRefusal::NoTerminal,
        State::Captured(_) | State::Credited(_) => PaymentRefusal::AlreadyCaptured,
        State::Rejected { decline, .. } => PaymentRefusal::Declined(*decline),
        State::Cancelled { reason, .. } => PaymentRefusal::Cancelled(*reason),
    }
}

/// The seconds until an instant, rounded up.
fn seconds_until(instant: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    let seconds = ((instant - now).num_milliseconds() + 999) / 1000;
    u32::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
#[path = "payment/rule_tests.rs"]
mod rule_tests;

#[cfg(test)]
#[path = "payment/scenario_tests.rs"]
mod scenario_tests;
