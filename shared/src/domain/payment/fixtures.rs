//! A payment in its states, for the tests of the rules.

use chrono::TimeDelta;

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::customer::Organisation;
use crate::domain::id::{RecurringPaymentId, RegistrationId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderId, OrderVersion};

pub(super) const HOLD: TimeDelta = TimeDelta::hours(24);
pub(super) const OWNER: Owner = Owner([7; 32]);

pub(super) fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

pub(super) fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub(super) fn millisecond() -> TimeDelta {
    TimeDelta::milliseconds(1)
}

pub(super) fn amount() -> Money {
    Money::new(10_000, Currency::Nok)
}

pub(super) fn card(number: u64) -> RecurringPaymentId {
    RecurringPaymentId::try_from(number).unwrap()
}

pub(super) fn charge() -> Charge {
    Charge { amount: amount(), recurring_payment_id: card(4711) }
}

pub(super) fn other_amount() -> Charge {
    Charge { amount: Money::new(10_001, Currency::Nok), ..charge() }
}

pub(super) fn other_card() -> Charge {
    Charge { recurring_payment_id: card(4712), ..charge() }
}

pub(super) fn order_of(id: &str) -> Order {
    Order {
        organisation: Organisation::new(1),
        id: OrderId::try_from(id).unwrap(),
        version: OrderVersion::try_from(1).unwrap(),
    }
}

pub(super) fn charged_card() -> ChargedCard {
    let last_four = LastFour::from_masked("492500******0004").unwrap();
    ChargedCard { payment_type: PaymentType::Visa, last_four }
}

pub(super) fn payment() -> Payment {
    let order = (order_of("DW2N19A6"), OrderHash([1; 32]));
    Payment::create(PaymentId::from_bits(7), order, OWNER, charge(), charged_card(), start())
}

pub(super) fn attempt(index: usize) -> Attempt {
    Attempt::try_from(index).unwrap()
}

pub(super) fn transaction_id(index: usize) -> PaymentTransactionId {
    PaymentTransactionId::new(PaymentId::from_bits(7), attempt(index))
}

/// A registration of the first transaction.
pub(super) fn registration(index: usize) -> RegistrationId {
    RegistrationId { transaction: transaction_id(0), number: attempt(index) }
}

pub(super) fn nok(minor: u64) -> Money {
    Money::new(minor, Currency::Nok)
}

pub(super) fn captured(minor: u64, credited_minor: u64) -> Reconciliation {
    Reconciliation::Captured { captured: nok(minor), credited_minor, credited_target: None }
}

/// A terminal without `autoSale`.
pub(super) fn terminal(initiator: Initiator) -> NewRegistration {
    NewRegistration { initiator, auto_sale: false, callback_url: None }
}

/// A terminal with `autoSale`.
pub(super) fn auto_sale(initiator: Initiator) -> NewRegistration {
    NewRegistration { auto_sale: true, ..terminal(initiator) }
}

impl Payment {
    pub(super) fn after(self, time: TimeDelta) -> Self {
        let then = self.now + time;
        self.at(then)
    }

    pub(super) fn found(&mut self, index: usize, reconciliation: Reconciliation) -> NextStep {
        self.apply(registration(index), reconciliation, HOLD).unwrap()
    }

    pub(super) fn with(mut self, index: usize, reconciliation: Reconciliation) -> Self {
        self.found(index, reconciliation);
        self
    }

    pub(super) fn opened(self, initiator: Initiator) -> Self {
        self.opened_with(terminal(initiator))
    }

    pub(super) fn opened_with(mut self, terminal: NewRegistration) -> Self {
        self.open_terminal(transaction_id(0), terminal).unwrap();
        self
    }

    pub(super) fn with_credit(mut self, total: u64) -> Self {
        self.begin_credit(transaction_id(0), Some(nok(total))).unwrap();
        self
    }

    /// The captured sums of the first transaction and the credit in progress.
    pub(super) fn money(&self) -> &Captured {
        self.transaction(transaction_id(0)).unwrap().captured().unwrap()
    }

    pub(super) fn choosing(mut self, index: usize) -> Self {
        self.choose(registration(index)).unwrap();
        self
    }

    pub(super) fn cancelled(mut self) -> Self {
        self.cancel(transaction_id(0)).unwrap();
        self
    }

    pub(super) fn first_status(&self) -> &'static str {
        self.transaction(transaction_id(0)).unwrap().status().name()
    }
}

pub(super) fn open() -> Payment {
    payment().opened(Initiator::Customer)
}

pub(super) fn chosen() -> Payment {
    open().choosing(0)
}

pub(super) fn authorized() -> Payment {
    chosen().with(0, Reconciliation::Authorized(amount()))
}

pub(super) fn paid() -> Payment {
    authorized().with(0, captured(10_000, 0))
}

pub(super) fn auto_sale_at_page() -> Payment {
    payment().opened_with(auto_sale(Initiator::Customer))
}
