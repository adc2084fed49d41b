//! One payment: the transactions that pay one version of an order, as of one instant, and the rules for them (payments.md §4).
//!
//! A payment is an aggregate of its own. The wallet does not know its payments. Of the card, a payment stores only the scheme
//! and the last four digits.
//!
//! At most one transaction is live, and a captured one blocks the order. AUTH is requested only for the registration that is stored
//! as chosen, so the amount is authorized once, and only the whole authorized amount is captured. An authorization that is found
//! after the end of its transaction is annulled. As in a wallet, the changes that depend only on time are always applied.
//!
//! Of a captured transaction, at most one credit is in progress, and its total is stored before CREDIT is sent.

mod auto_sale;
mod credit;
mod initiated;
mod notifications;
mod operation;
mod reconciliation;
mod registrations;
mod schedule;
mod transaction;

use chrono::{DateTime, Utc};

use crate::domain::id::{Attempt, PaymentId, PaymentTransactionId};
use crate::domain::money::Money;
use crate::domain::notification::{Notification, PaymentEvent, queue};
use crate::domain::order::Order;
use crate::domain::owner::{OrderHash, Owner};
use crate::error::{CancelReason, Decline, PaymentRefusal};
pub use credit::{Credit, CreditRequest, Crediting};
pub use initiated::{Chosen, Initiated, Initiator, Registration, RegistrationOutcome};
pub use operation::{Operation, OperationKind};
pub use reconciliation::{NextStep, Reconciliation};
pub use registrations::{Capture, NewRegistration, OpenedRegistration};
pub use schedule::{Annulment, Schedule};
pub use transaction::{
    Captured, Charge, ChargedCard, State, Summary, Transaction, TransactionStatus,
};

/// The stored data of a payment. Contains nothing that can be derived, and no pan hash.
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
    /// The notifications that are not delivered yet, at most 16, oldest first.
    pub notifications: Vec<Notification<PaymentEvent>>,
}

/// One payment as of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    id: PaymentId,
    now: DateTime<Utc>,
    contents: Contents,
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
        card: ChargedCard,
        now: DateTime<Utc>,
    ) -> Self {
        let transactions = vec![Transaction::new(charge, card, now)];
        let notifications = Vec::new();
        Self {
            id,
            now,
            contents: Contents { order, order_hash, owner, transactions, notifications },
        }
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

    /// The status: that of the captured transaction, else that of the newest one.
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        self.decisive().status()
    }

    /// The total of the order: the amount of the transaction that determines the status.
    #[must_use]
    pub fn total(&self) -> Money {
        self.decisive().charge.amount
    }

    /// When the first transaction was created.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.contents.transactions[0].created_at
    }

    /// The transaction that determines the status.
    fn decisive(&self) -> &Transaction {
        let transactions = &self.contents.transactions;
        let captured = transactions.iter().rev().find(|one| one.captured().is_some());
        captured.unwrap_or(&transactions[transactions.len() - 1])
    }

    /// Returns one transaction.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn transaction(&self, id: PaymentTransactionId) -> Result<&Transaction, PaymentRefusal> {
        self.find(id).map(|index| &self.contents.transactions[index])
    }

    /// Returns whether a transaction is pending: see [`Transaction::is_pending`].
    ///
    /// # Errors
    /// `NotFound`.
    pub fn is_pending(&self, id: PaymentTransactionId) -> Result<bool, PaymentRefusal> {
        self.transaction(id).map(Transaction::is_pending)
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
        card: ChargedCard,
    ) -> Result<PaymentTransactionId, PaymentRefusal> {
        if owner != self.contents.owner {
            return Err(PaymentRefusal::OrderHasPayment);
        }
        // A captured one first: a late capture can be found while another one is live.
        let mut blocking: Vec<_> = self.history().filter(|(_, one)| one.blocks_order()).collect();
        blocking.sort_by_key(|(_, transaction)| transaction.captured().is_none());
        if let Some((id, transaction)) = blocking.first() {
            let is_same = transaction.charge == charge;
            return if is_same { Ok(*id) } else { Err(PaymentRefusal::OrderHasPayment) };
        }
        self.check_annulments()?;
        if self.history().any(|(_, transaction)| was_declined(transaction, &charge)) {
            return Err(PaymentRefusal::Declined(Decline::Hard));
        }
        let number = Attempt::try_from(self.contents.transactions.len())
            .map_err(|_| PaymentRefusal::NoTransactionLeft)?;
        self.contents.transactions.push(Transaction::new(charge, card, self.now));
        Ok(PaymentTransactionId::new(self.id, number))
    }

    /// Cancels a transaction. CANCELLED and REJECTED stay unchanged. Afterwards the authorizations of
    /// [`Self::registrations_to_reconcile`] have to be annulled.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyCaptured`.
    pub fn cancel(&mut self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        if self.transaction(id)?.captured().is_some() {
            return Err(PaymentRefusal::AlreadyCaptured);
        }
        self.cancel_at(id.attempt(), CancelReason::Requested);
        Ok(())
    }

    /// Cancels a live transaction whose recurring payment is not ACTIVE any more. Does not change one that is authorized: only new
    /// authorizations need the card (payments.md §4.4).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn cancel_without_card(&mut self, id: PaymentTransactionId) -> Result<(), PaymentRefusal> {
        let is_authorized = match &self.transaction(id)?.state {
            State::Initiated(initiated) => initiated.is_authorized(),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => false,
        };
        if !is_authorized {
            self.cancel_at(id.attempt(), CancelReason::CardNotActive);
        }
        Ok(())
    }

    /// When the service next has to do something without a request, at Nets or for a notification. Can be overdue. `None` if there
    /// is nothing to do.
    #[must_use]
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        let transactions = self.contents.transactions.iter().filter_map(Transaction::due_at);
        transactions.chain(queue::due_at(&self.contents.notifications)).min()
    }

    /// The refusal of a request that waits until Nets confirms the end of an authorization.
    #[must_use]
    pub fn annulment_pending(&self) -> PaymentRefusal {
        let expected_at =
            self.unconfirmed_annulments().filter_map(|one| one.schedule.reconcile_at).min();
        let retry_after_seconds = seconds_until_retry(expected_at, self.now);
        PaymentRefusal::AnnulmentPending { retry_after_seconds }
    }

    fn find(&self, id: PaymentTransactionId) -> Result<usize, PaymentRefusal> {
        let index = usize::from(id.attempt().number());
        let exists = id.payment_id() == self.id && index < self.contents.transactions.len();
        if exists { Ok(index) } else { Err(PaymentRefusal::NotFound) }
    }

    fn cancel_at(&mut self, number: Attempt, reason: CancelReason) {
        let now = self.now;
        self.update(number, |transaction| (transaction.cancelled(reason, now), ()));
    }

    fn apply_time(&mut self) {
        let now = self.now;
        for index in 0..self.contents.transactions.len() {
            if let Ok(number) = Attempt::try_from(index) {
                self.update(number, |transaction| (transaction.with_time_applied(now), ()));
            }
        }
    }

    /// A cancelled transaction whose authorization was in progress blocks the order until Nets confirms its end.
    fn check_annulments(&self) -> Result<(), PaymentRefusal> {
        let is_pending = self.unconfirmed_annulments().next().is_some();
        if is_pending { Err(self.annulment_pending()) } else { Ok(()) }
    }

    fn unconfirmed_annulments(&self) -> impl Iterator<Item = &Annulment> {
        let annulments = self.contents.transactions.iter().filter_map(Transaction::annulment);
        annulments.filter(|annulment| annulment.unconfirmed.is_some())
    }
}

/// Returns whether the card of a charge was declined permanently.
fn was_declined(transaction: &Transaction, charge: &Charge) -> bool {
    let is_same_card = transaction.charge.recurring_payment_id == charge.recurring_payment_id;
    is_same_card && matches!(transaction.state, State::Rejected { decline: Decline::Hard, .. })
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

/// The seconds until a planned reconciliation, for a caller that has to wait for it: at least one, and at most an hour. A request
/// queries Nets too, so it can find the result earlier.
fn seconds_until_retry(reconcile_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> u32 {
    reconcile_at.map_or(0, |at| seconds_until(at, now)).clamp(1, 3600)
}

/// The seconds until an instant, rounded up.
fn seconds_until(instant: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    let seconds = ((instant - now).num_milliseconds() + 999) / 1000;
    u32::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
#[path = "payment/action_tests.rs"]
mod action_tests;

#[cfg(test)]
#[path = "payment/auto_sale_tests.rs"]
mod auto_sale_tests;

#[cfg(test)]
#[path = "payment/choice_tests.rs"]
mod choice_tests;

#[cfg(test)]
#[path = "payment/credit_tests.rs"]
mod credit_tests;

#[cfg(test)]
#[path = "payment/fixtures.rs"]
mod fixtures;

#[cfg(test)]
#[path = "payment/notification_tests.rs"]
mod notification_tests;

#[cfg(test)]
#[path = "payment/rule_tests.rs"]
mod rule_tests;

#[cfg(test)]
#[path = "payment/scenario_tests.rs"]
pub(crate) mod scenario_tests;
