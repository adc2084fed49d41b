//! The model of payments (payments.md §4): one payment, with the rules of `shared::domain::payment::Payment`.
//!
//! | module | content |
//! |---|---|
//! | [`operation`] | the operations of a process |
//! | [`protocol`] | what an operation does: a transcription of `Payments::create`, `PaymentTerminals::open`, `Charges::capture`, `Settlement::cancel`, `Settlement::credit`, `PaymentTasks::run` and `PaymentTasks::receive_callback`, with the same names |
//! | [`nets`] | how Nets executes a request |
//! | [`world`] | a state, the steps that are possible in it, and their effects and properties |
//! | [`history`] | what was stored and answered so far, as far as the properties need it |
//! | [`configuration`] | the processes, their operations, and the bounds |
//! | [`model`] | the interface to `stateright` |
//!
//! # Possible steps
//!
//! As for wallets: each request of a function is one step; a request or its reply can be lost, and the request may be executed at
//! any later time; a write can be executed twice; a function can be killed before each of its steps; the clock moves. In addition:
//!
//! - The customer confirms the charge on the page, cancels it, or has a card that the issuer declines.
//! - The card ends. The function that ends it is one step here, because the model of wallets covers it.
//! - An operator refunds a part in Netaxept Admin.
//! - Nets' callback arrives at any time after an authorization.
//!
//! # Assumptions
//!
//! - Register, AUTH, CAPTURE and ANNUL are executed at any time after they were sent, or never. An authorization is released in the
//!   end if its AUTH was executed before the last planned reconciliation, a day after the end of its transaction.
//! - A CREDIT is executed within 16 minutes of the instant of the request or of the run that sent it, or never. A run can be five
//!   minutes late, so this leaves at least eleven minutes to Nets.
//! - Query shows the effect of every request that was executed before.
//! - No request of a client takes longer than 30 seconds, and no run of the schedule longer than 90.
//!
//! # Limits of the model
//!
//! - There is one order, one customer and one card. Different payments are independent of each other.
//! - Amounts are always as registered. Notifications of payments, access control, and the limits of 16 transactions and
//!   registrations, of 100 credits and of 365 days are not modelled.
//! - The time limit of a function (19 seconds for the last call to Nets) is not modelled. To the protocol it is an unclear reply.

pub mod configuration;
pub mod history;
pub mod model;
pub mod nets;
pub mod operation;
pub mod protocol;
pub mod world;

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::card::{LastFour, PaymentType};
use shared::domain::customer::Organisation;
use shared::domain::id::{
    Attempt, PaymentId, PaymentTransactionId, RecurringPaymentId, RegistrationId, Sequence, Slot,
};
use shared::domain::money::{Currency, Money};
use shared::domain::order::{Order, OrderId, OrderVersion};
use shared::domain::owner::{OrderHash, Owner};
use shared::domain::payment::{Charge, ChargedCard, Contents, Initiator, Payment, Reconciliation};
use shared::error::PaymentRefusal;
use shared::netaxept::{Authorization, Processed, Registered};

use crate::payment::configuration::SetupStep;
use crate::payment::nets::Page;
use crate::payment::operation::Operation;
use crate::payment::protocol::Success;
use crate::system::{Entries, System};

/// The part of the service that changes payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payments;

/// The stored item of a payment.
pub type Item = crate::item::Item<Payments>;
/// A request of a function.
pub type Request = crate::wire::Request<Payments>;
/// A conditional write of a payment.
pub type Put = crate::wire::Put<Payments>;
/// The reply to a request.
pub type Reply = crate::wire::Reply<Payments>;
/// Why a run stops.
pub type Stop = crate::wire::Stop<Payments>;
/// The error that a caller gets.
pub type Failure = crate::wire::Failure<PaymentRefusal>;
/// The connection of a run.
pub type Wire<'a> = crate::wire::Wire<'a, Payments>;
/// A run of an operation.
pub type Run = crate::run::Run<Payments>;
/// A payment as it was read.
pub type LoadedPayment = crate::storage::Loaded<Payments>;

/// How long an authorization is kept without a capture: the default of the service.
pub const HOLD: TimeDelta = TimeDelta::hours(24);

/// How a payment is found. The keys differ only while no item is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentKey {
    /// The payment of the order. Without an item, it is created with this amount, in minor units.
    Order(u64),
    /// An existing payment.
    Existing,
}

/// A request to another receiver than the table of payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reads the wallet, for the card.
    ReadCard,
    /// Nets' Register.
    Register {
        /// The id.
        id: RegistrationId,
        /// Who starts the charge.
        initiator: Initiator,
        /// Whether Nets authorizes it when the customer leaves the page.
        auto_auth: bool,
        /// The amount, in minor units.
        minor: u64,
        /// When it was opened.
        opened_at: DateTime<Utc>,
    },
    /// Nets' Query.
    Query {
        /// The id.
        id: RegistrationId,
        /// Whether a decline can only be that of the authorization by Nets itself.
        is_auto_auth: bool,
    },
    /// AUTH.
    Authorize(RegistrationId),
    /// CAPTURE of an amount in minor units.
    Capture(RegistrationId, u64),
    /// ANNUL.
    Annul(RegistrationId),
    /// CREDIT.
    Credit {
        /// The id.
        id: RegistrationId,
        /// The amount, in minor units.
        minor: u64,
        /// The total in `transactionReconRef`, in minor units.
        target_minor: u64,
        /// The instant of the request or of the run that sends it.
        sent_at: DateTime<Utc>,
    },
    /// The card ends. Not a request of a function of payments.
    EndCard,
    /// A refund in Netaxept Admin, in minor units. Not a request of a function.
    Refund(u64),
}

/// The reply to a [`Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Whether the card is ACTIVE.
    Card(bool),
    /// Nets' answer to Register.
    Registered(Registered),
    /// Nets' answer to Query.
    Found(Reconciliation),
    /// Nets' answer to AUTH.
    Authorization(Authorization),
    /// Nets' answer to CAPTURE, ANNUL or CREDIT.
    Processed(Processed),
    /// The card is ended, or the refund is made.
    Done,
}

/// The facts when a run began, for the properties.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AtBegin {
    /// Whether the end of the card had been answered.
    pub card_ended: bool,
    /// Whether an authorization was stored.
    pub is_authorized: bool,
}

impl From<PaymentRefusal> for Stop {
    fn from(refusal: PaymentRefusal) -> Self {
        Self::Failed(Failure::Refused(refusal))
    }
}

/// The id of the model's only payment.
#[must_use]
pub fn payment_id() -> PaymentId {
    PaymentId::from_bits(1)
}

/// The id of a transaction.
#[must_use]
pub fn transaction_id(number: u8) -> PaymentTransactionId {
    PaymentTransactionId::new(payment_id(), attempt(number))
}

/// The id of a registration.
#[must_use]
pub fn registration_id(transaction: u8, number: u8) -> RegistrationId {
    RegistrationId { transaction: transaction_id(transaction), number: attempt(number) }
}

#[expect(clippy::expect_used, reason = "the configurations have few attempts")]
fn attempt(number: u8) -> Attempt {
    Attempt::try_from(usize::from(number)).expect("a small number")
}

/// An amount.
#[must_use]
pub fn money(minor: u64) -> Money {
    Money::new(minor, Currency::Nok)
}

/// The facts of a charge of the model's only card.
#[must_use]
pub fn charge(minor: u64) -> Charge {
    let recurring_payment_id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    Charge { amount: money(minor), recurring_payment_id }
}

/// The charged card.
#[expect(clippy::expect_used, reason = "four digits")]
pub(crate) fn charged_card() -> ChargedCard {
    let last_four = LastFour::from_masked("492500******0004").expect("four digits");
    ChargedCard { payment_type: PaymentType::Visa, last_four }
}

/// The customer of the model.
pub(crate) const OWNER: Owner = Owner([7; 32]);

/// A new payment of the model's only order.
#[expect(clippy::expect_used, reason = "a valid order id")]
pub(crate) fn new_payment(minor: u64, now: DateTime<Utc>) -> Payment {
    let order = Order {
        organisation: Organisation::new(1),
        id: OrderId::try_from("DW2N19A6").expect("an order id"),
        version: OrderVersion::FIRST,
    };
    let order = (order, OrderHash([1; 32]));
    Payment::create(payment_id(), order, OWNER, charge(minor), charged_card(), now)
}

impl System for Payments {
    type Aggregate = Payment;
    type Contents = Contents;
    type Key = PaymentKey;
    type Refusal = PaymentRefusal;
    type Operation = Operation;
    type Success = Success;
    type SetupStep = SetupStep;
    type CustomerAction = Page;
    const USUAL_ACTION: Page = Page::Confirmed;
    type Call = Call;
    type Answer = Answer;
    type AtBegin = AtBegin;
    type Annotation = &'static str;

    fn open(contents: Contents, now: DateTime<Utc>) -> Payment {
        Payment::new(payment_id(), contents, now)
    }

    fn missing(key: PaymentKey, now: DateTime<Utc>) -> Result<(Payment, Contents), PaymentRefusal> {
        match key {
            PaymentKey::Order(minor) => {
                let payment = new_payment(minor, now);
                let nothing = Contents { transactions: Vec::new(), ..payment.contents().clone() };
                Ok((payment, nothing))
            }
            PaymentKey::Existing => Err(PaymentRefusal::NotFound),
        }
    }

    fn contents(payment: &Payment) -> &Contents {
        payment.contents()
    }

    fn stored(payment: &Payment) -> Contents {
        payment.contents().clone()
    }

    fn due(payment: &Payment) -> Entries {
        Entries { expiry: None, task: payment.due_at() }
    }

    /// `storage::payment_item::task_at`: an entry that is neither due nor too late stays where it is.
    fn entries(payment: &Payment, replaces: Option<&Item>, now: DateTime<Utc>) -> Entries {
        let task = payment.due_at().map(|due_at| {
            let stored = replaces.and_then(|item| item.entries.task);
            stored.filter(|stored| now < *stored && *stored <= due_at).unwrap_or(due_at)
        });
        Entries { expiry: None, task }
    }

    fn run(wire: &mut Wire<'_>, operation: Operation, now: DateTime<Utc>) -> Result<Success, Stop> {
        protocol::run(wire, operation, now)
    }
}
