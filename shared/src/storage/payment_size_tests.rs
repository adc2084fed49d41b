//! Tests of the size of a payment: of a usual purchase, and at its maximum.

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::id::{Attempt, PaymentTransactionId, RecurringPaymentId};
use crate::domain::money::{Currency, Money};
use crate::domain::notification::{Notification, PaymentEvent, PaymentEventKind};
use crate::domain::payment::{
    Annulment, Captured, Charge, ChargedCard, Chosen, Credit, Crediting, Initiated, Initiator,
    NewRegistration, Reconciliation, Registration, RegistrationOutcome, Schedule, State,
};
use crate::domain::text::CallbackUrl;
use crate::error::Decline;
use crate::storage::size;

/// A callback address of typical length, 60 characters.
const CALLBACK: &str = "https://shop.example/orders/0643eeff-83a1-467f-85a5-77cac32c";

/// Its stored form, like that of each instant in these tests, has the maximum length.
fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

/// The largest recurring payment id, and this amount.
fn charge(minor: u64) -> Charge {
    Charge {
        amount: Money::new(minor, Currency::Nok),
        recurring_payment_id: RecurringPaymentId::try_from((1 << 49) - 1).unwrap(),
    }
}

fn card() -> ChargedCard {
    let last_four = LastFour::from_masked("0004").unwrap();
    ChargedCard { payment_type: PaymentType::Mastercard, last_four }
}

fn order(organisation: u64, id: &str, version: u64) -> (Order, OrderHash) {
    let order = Order {
        organisation: Organisation::new(organisation),
        id: OrderId::try_from(id).unwrap(),
        version: OrderVersion::try_from(version).unwrap(),
    };
    (order, OrderHash([1; 32]))
}

/// A payment with the largest id and a UUID as order id, and the size of each of its items so far.
struct Purchase {
    payment: Payment,
    transaction: PaymentTransactionId,
    item: Option<PaymentItem>,
    sizes: Vec<usize>,
}

impl Purchase {
    fn new() -> Self {
        let id = PaymentId::from_bits(u64::MAX);
        let order = order(123, "0643eeff-83a1-467f-85a5-77cac32c36ed", 1);
        let payment = Payment::create(id, order, Owner([7; 32]), charge(123_456), card(), now());
        let transaction = payment.history().next().unwrap().0;
        let mut purchase = Self { payment, transaction, item: None, sizes: Vec::new() };
        purchase.write();
        purchase
    }

    fn write(&mut self) {
        let next = PaymentItem::new(&self.payment, self.item.as_ref(), u64::MAX, now());
        self.sizes.push(size::item_size(&Payment::write(&next).unwrap()));
        self.item = Some(next);
    }

    /// Terminal, choice of the registration, capture.
    fn pay(&mut self, callback_url: Option<CallbackUrl>) {
        let terminal =
            NewRegistration { initiator: Initiator::Customer, auto_sale: false, callback_url };
        let registration = self.payment.open_terminal(self.transaction, terminal).unwrap().id;
        self.write();
        self.payment.choose(registration).unwrap();
        self.write();
        let captured = Reconciliation::Captured {
            captured: charge(123_456).amount,
            credited_minor: 0,
            credited_target: None,
        };
        self.payment.apply(registration, captured, TimeDelta::hours(24)).unwrap();
        self.write();
    }
}

/// One write unit is for 1 KB, so two transactions still cost one.
#[test]
fn a_captured_payment_is_smaller_than_half_a_kilobyte() {
    let mut purchase = Purchase::new();
    purchase.pay(None);
    let sizes = purchase.sizes;
    assert!(sizes[3] <= 512 && sizes.iter().all(|size| *size <= 700), "{sizes:?}");
}

/// With a notification that is not delivered, and a credit in progress. So both cost no more units.
#[test]
fn a_payment_with_a_notification_and_a_credit_is_smaller_than_three_quarters_of_a_kilobyte() {
    let mut purchase = Purchase::new();
    purchase.pay(Some(CallbackUrl::try_from(CALLBACK).unwrap()));
    assert_eq!(purchase.payment.begin_delivery_attempts().len(), 1);
    let credit = purchase.payment.begin_credit(purchase.transaction, None);
    assert!(matches!(credit, Ok(Credit::Send(_))), "{credit:?}");
    purchase.write();
    assert_eq!(purchase.payment.contents().notifications.len(), 1);
    let sizes = purchase.sizes;
    assert!(sizes.iter().all(|size| *size <= 768), "{sizes:?}");
}

fn schedule() -> Schedule {
    Schedule { since: now(), reconcile_at: Some(now()) }
}

fn numbers() -> Vec<Attempt> {
    (0..Attempt::COUNT).map(|index| Attempt::try_from(index).unwrap()).collect()
}

/// An amount whose stored form has the maximum length.
const MINOR: u64 = u64::MAX - 1;

/// With 16 registrations.
fn initiated() -> State {
    let registration = Registration {
        opened_at: now(),
        initiator: Initiator::Customer,
        auth_requested: true,
        auto_sale: true,
        outcome: RegistrationOutcome::AuthenticationRequired,
    };
    let chosen = Chosen {
        registration: Attempt::try_from(15).unwrap(),
        at: now(),
        is_shared: true,
        decline: Some(Decline::AuthenticationRequired),
        hold_until: Some(now()),
    };
    State::Initiated(Initiated {
        registrations: vec![registration; Attempt::COUNT],
        chosen: Some(chosen),
        schedule: schedule(),
    })
}

/// With a credit in progress, and authorizations of the other registrations to annul.
fn captured() -> State {
    let crediting = Crediting {
        target_minor: MINOR,
        sent_at: now(),
        sends: Crediting::MAX_SENDS,
        is_refused: true,
        schedule: schedule(),
    };
    State::Captured(Captured {
        registration: Attempt::try_from(15).unwrap(),
        at: now(),
        captured_minor: MINOR,
        credited_minor: MINOR,
        credited_at: Some(now()),
        credits: u8::MAX,
        crediting: Some(crediting),
        annulment: Some(Annulment {
            registrations: numbers(),
            unconfirmed: Some(Attempt::try_from(15).unwrap()),
            schedule: schedule(),
        }),
    })
}

/// A payment at all limits: 16 transactions with a callback address, of which one is INITIATED and the others are captured, each
/// with as many declines as registrations, and 16 undelivered notifications. No order of requests reaches all of this at once.
fn fullest_contents(callback: &str) -> Contents {
    let callback_url = CallbackUrl::try_from(callback).unwrap();
    let transaction = |number: &Attempt| Transaction {
        created_at: now(),
        charge: charge(MINOR),
        card: card(),
        initiated_at: Some(now()),
        soft_declines: vec![now(); Attempt::COUNT],
        callback_url: Some(callback_url.clone()),
        state: if number.number() == 0 { initiated() } else { captured() },
    };
    let notification = |number: Attempt| {
        let transaction_id = PaymentTransactionId::new(PaymentId::from_bits(u64::MAX), number);
        let kind = PaymentEventKind::Credited { credited_minor: MINOR };
        let subject = PaymentEvent { transaction_id, kind };
        let notification = Notification::new(callback_url.clone(), subject, now());
        let attempt = |one: Notification<_>, _| one.with_attempt_begun(now());
        (0..20).fold(notification, attempt)
    };
    let (order, order_hash) = order(u64::MAX, &"o".repeat(64), 1 << 31);
    Contents {
        order,
        order_hash,
        owner: Owner([7; 32]),
        transactions: numbers().iter().map(transaction).collect(),
        notifications: numbers().into_iter().map(notification).collect(),
    }
}

/// The size of a payment is bounded, and far below the 400 KB that `DynamoDB` accepts. The callback addresses are the largest part:
/// each of 1,024 characters can be stored as twelve bytes. A write costs a unit for each kilobyte.
#[test]
fn the_fullest_payment_can_still_be_written() {
    let longest_ascii = format!("https://a/{}", "a".repeat(1_022));
    let longest = format!("https://a/{}", "💳".repeat(1_022));
    for (callback, kilobytes) in [(CALLBACK, 13), (&longest_ascii, 29), (&longest, 204)] {
        let id = PaymentId::from_bits(u64::MAX);
        let payment = Payment::new(id, fullest_contents(callback), now());
        let writes = (0..100)
            .fold(None, |item, _| Some(PaymentItem::new(&payment, item.as_ref(), u64::MAX, now())));
        let attributes = Payment::write(&writes.unwrap()).unwrap();
        let size = size::item_size(&attributes);
        assert_eq!(size.div_ceil(1024), kilobytes, "{size} bytes");
        let stored = Payment::read(attributes).unwrap().contents().unwrap();
        assert_eq!(stored, *payment.contents());
    }
}
