//! Tests of the bodies of notifications.

use serde_json::{Value, json};

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType};
use crate::domain::customer::Organisation;
use crate::domain::id::{
    Attempt, PaymentId, PaymentTransactionId, RecurringPaymentId, Sequence, Slot, TransactionId,
};
use crate::domain::money::Currency;
use crate::domain::notification::PrimaryChangeReason;
use crate::domain::order::{Order, OrderId, OrderVersion};
use crate::domain::owner::{OrderHash, Owner};
use crate::domain::payment::{Captured, Charge, ChargedCard, Contents, State};
use crate::error::{CancelReason, Decline};

fn at() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

fn attempt(index: usize) -> Attempt {
    Attempt::try_from(index).unwrap()
}

fn callback_url() -> CallbackUrl {
    CallbackUrl::from_stored("https://shop.example/hook").unwrap()
}

fn body(message: &Message<'_>) -> Value {
    let body: Value = serde_json::from_str(&message.body().unwrap()).unwrap();
    assert_eq!((&body["id"], message.to), (&json!(message.id), &callback_url()));
    body
}

#[test]
fn the_body_about_a_setup_has_the_status_and_the_reason_of_a_decline() {
    let payment = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    let transaction_id = TransactionId::new(payment, attempt(3));
    for (event, name, status, reason) in [
        (Event::Activated, "activated", "ACTIVE", None),
        (Event::Declined, "declined", "CREATED", Some("REFUSED_BY_ISSUER")),
        (Event::CardExpired, "declined", "CREATED", Some("CARD_EXPIRED")),
        (Event::Abandoned, "abandoned", "CANCELLED", None),
    ] {
        let subject = WalletEvent::Setup(SetupEvent { transaction_id, event });
        let notification = Notification::new(callback_url(), subject, at());
        let mut expected = json!({
            "id": format!("114707-{name}-1795428000123"),
            "type": format!("recurring-payment.{name}"),
            "recurringPaymentId": 7169,
            "transactionId": 114_707,
            "recurringStatus": status,
            "occurredAt": "2026-11-23T10:00:00.123Z",
        });
        if let Some(reason) = reason {
            expected["errorReason"] = json!(reason);
        }
        assert_eq!(body(&Message::about_wallet(&notification)), expected);
    }
}

/// The same registration with a card that ends with it, and with one that ends later.
#[test]
fn the_body_about_a_card_has_its_expiry_and_the_cause() {
    let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    for (month, card_expires_at, cause) in
        [(2, "2028-03-01T00:00:00.000Z", "CARD"), (3, "2028-04-01T00:00:00.000Z", "REGISTRATION")]
    {
        let event = CardEvent {
            recurring_payment_id: id,
            expires_at: "2028-03-01T00:00:00Z".parse().unwrap(),
            card: Card {
                payment_type: PaymentType::Visa,
                last_four: LastFour::from_masked("0004").unwrap(),
                expiry: CardExpiry::new(2028, month).unwrap(),
            },
            primary: month == 2,
        };
        for (subject, kind, status) in [
            (WalletEvent::Expiring(event.clone()), "expiring", "ACTIVE"),
            (WalletEvent::Expired(event), "expired", "EXPIRED"),
        ] {
            let notification = Notification::new(callback_url(), subject, at());
            let expected = json!({
                "id": format!("7169-{kind}-1795428000123"),
                "type": format!("recurring-payment.{kind}"),
                "recurringPaymentId": 7169,
                "recurringStatus": status,
                "primary": month == 2,
                "expiresAt": "2028-03-01T00:00:00.000Z",
                "cardExpiresAt": card_expires_at,
                "cause": cause,
                "paymentType": "VISA",
                "maskedPan": "0004",
                "occurredAt": "2026-11-23T10:00:00.123Z",
            });
            assert_eq!(body(&Message::about_wallet(&notification)), expected);
        }
    }
}

#[test]
fn the_body_about_another_primary_has_both_ids_and_the_reason() {
    let old = Sequence::NONE.next();
    let [old, new] = [old, old.next()].map(|one| RecurringPaymentId::new(Slot::new(7), one));
    for (reason, name) in [
        (PrimaryChangeReason::Ended, "ENDED"),
        (PrimaryChangeReason::Expired, "EXPIRED"),
        (PrimaryChangeReason::Abandoned, "ABANDONED"),
    ] {
        let subject = WalletEvent::PrimaryChanged(PrimaryChange { old, new, reason });
        let notification = Notification::new(callback_url(), subject, at());
        let expected = json!({
            "id": "7169-primary-changed-1795428000123",
            "type": "recurring-payment.primary-changed",
            "oldRecurringPaymentId": 7169,
            "newRecurringPaymentId": 7170,
            "reason": name,
            "occurredAt": "2026-11-23T10:00:00.123Z",
        });
        assert_eq!(body(&Message::about_wallet(&notification)), expected);
    }
}

/// A payment of 100.50 kr with one transaction.
fn payment(state: State) -> Payment {
    let charge = Charge {
        amount: Money::new(10_050, Currency::Nok),
        recurring_payment_id: RecurringPaymentId::try_from(4711).unwrap(),
    };
    let card = ChargedCard {
        payment_type: PaymentType::Visa,
        last_four: LastFour::from_masked("0004").unwrap(),
    };
    let order = Order {
        organisation: Organisation::new(1),
        id: OrderId::try_from("DW2N19A6").unwrap(),
        version: OrderVersion::try_from(2).unwrap(),
    };
    let (id, owner) = (PaymentId::from_bits(7171), Owner([7; 32]));
    let payment = Payment::create(id, (order, OrderHash([1; 32])), owner, charge, card, at());
    let mut contents: Contents = payment.contents().clone();
    contents.transactions[0].state = state;
    Payment::new(id, contents, at())
}

fn captured(credited_minor: u64) -> Captured {
    Captured {
        registration: attempt(0),
        at: at(),
        captured_minor: 10_050,
        credited_minor,
        credited_at: (0 < credited_minor).then(at),
        credits: 0,
        crediting: None,
        annulment: None,
    }
}

fn notification(kind: PaymentEventKind) -> Notification<PaymentEvent> {
    let transaction_id = PaymentTransactionId::new(PaymentId::from_bits(7171), attempt(0));
    Notification::new(callback_url(), PaymentEvent { transaction_id, kind }, at())
}

/// Checks the body about the transaction of a payment. `more` is added to the members that all bodies have.
fn assert_body(payment: &Payment, kind: PaymentEventKind, more: &Value) {
    let notification = notification(kind);
    let mut expected = json!({
        "id": format!("{}-1795428000123", notification.subject),
        "paymentId": 7171,
        "transactionId": 114_736,
        "orderId": "DW2N19A6",
        "orderVersion": 2,
        "amount": "100.50",
        "currency": "NOK",
        "occurredAt": "2026-11-23T10:00:00.123Z",
    });
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let message = Message::about_payment(payment, &notification).unwrap();
    assert_eq!(body(&message), expected);
}

#[test]
fn the_body_about_a_payment_has_the_order_the_status_and_the_amount() {
    let rejected = |decline| payment(State::Rejected { at: at(), decline, annulment: None });
    for (decline, reason) in [
        (Decline::Hard, "DECLINED"),
        (Decline::Soft, "DECLINED"),
        (Decline::AuthenticationRequired, "AUTHENTICATION_REQUIRED"),
    ] {
        let more =
            json!({ "type": "payment.rejected", "status": "REJECTED", "statusReason": reason });
        assert_body(&rejected(decline), PaymentEventKind::Rejected, &more);
    }
    let reason = CancelReason::CardNotActive;
    let cancelled = payment(State::Cancelled { at: at(), reason, annulment: None });
    let more = json!({
        "type": "payment.cancelled", "status": "CANCELLED", "statusReason": "CARD_NOT_ACTIVE",
    });
    assert_body(&cancelled, PaymentEventKind::Cancelled, &more);
}

/// The notifications about a capture, a partial credit and the credit of the rest. All three are sent after the last one, because
/// the receiver did not answer before.
#[test]
fn the_status_in_the_body_is_that_directly_after_the_event() {
    let payment = payment(State::Credited(captured(10_050)));
    let captured = json!({ "type": "payment.captured", "status": "CAPTURED" });
    assert_body(&payment, PaymentEventKind::Captured, &captured);
    for (credited_minor, status, amount) in
        [(1, "CAPTURED", "0.01"), (10_049, "CAPTURED", "100.49"), (10_050, "CREDITED", "100.50")]
    {
        let kind = PaymentEventKind::Credited { credited_minor };
        let more = json!({
            "type": "payment.credited", "status": status, "creditedAmount": amount,
        });
        assert_body(&payment, kind, &more);
    }
}

/// An authorization that Nets reports late: the transaction was cancelled before, and its reason is not stored any more.
#[test]
fn a_reason_that_is_not_stored_any_more_is_missing() {
    let payment = payment(State::Captured(captured(0)));
    let more = json!({ "type": "payment.cancelled", "status": "CANCELLED" });
    assert_body(&payment, PaymentEventKind::Cancelled, &more);
}

#[test]
fn a_transaction_of_another_payment_has_no_body() {
    let notification = notification(PaymentEventKind::Captured);
    let mut other = payment(State::Created).contents().clone();
    other.order.version = OrderVersion::try_from(3).unwrap();
    let other = Payment::new(PaymentId::from_bits(7172), other, at());
    let refused = Message::about_payment(&other, &notification).err();
    assert!(matches!(refused, Some(PaymentRefusal::NotFound)), "{refused:?}");
}
