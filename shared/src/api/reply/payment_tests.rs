use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::customer::Organisation;
use crate::domain::id::{PaymentId, RegistrationId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Order, OrderId, OrderVersion};
use crate::domain::owner::{OrderHash, Owner};
use crate::domain::payment::{Charge, ChargedCard, Initiator, NewRegistration, Reconciliation};
use crate::error::Decline;

const HOLD: TimeDelta = TimeDelta::hours(24);
const AMOUNT: Money = Money::new(10_000, Currency::Nok);

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn charge() -> Charge {
    Charge { amount: AMOUNT, recurring_payment_id: RecurringPaymentId::try_from(4711).unwrap() }
}

fn card() -> ChargedCard {
    let last_four = LastFour::from_masked("492500******0004").unwrap();
    ChargedCard { payment_type: PaymentType::Visa, last_four }
}

fn new_payment() -> payment::Payment {
    let order = Order {
        organisation: Organisation::new(7),
        id: OrderId::try_from("DW2N19A6").unwrap(),
        version: OrderVersion::FIRST,
    };
    payment::Payment::create(
        PaymentId::from_bits(7171),
        (order, OrderHash([0; 32])),
        Owner([0; 32]),
        charge(),
        card(),
        instant("2026-11-23T10:00:00Z"),
    )
}

/// The id of the newest transaction.
fn newest(payment: &payment::Payment) -> PaymentTransactionId {
    payment.history().next().unwrap().0
}

/// A terminal that needs a capture.
fn terminal(initiator: Initiator) -> NewRegistration {
    NewRegistration { initiator, auto_sale: false, callback_url: None }
}

/// Nets has captured the amount, and has credited this sum.
fn reconciled(credited_minor: u64) -> Reconciliation {
    Reconciliation::Captured { captured: AMOUNT, credited_minor, credited_target: None }
}

/// A terminal was opened at 10:01 and the registration was chosen at 10:05.
fn chosen() -> (payment::Payment, RegistrationId) {
    let mut payment = new_payment().at(instant("2026-11-23T10:01:00Z"));
    let id = newest(&payment);
    let registration = payment.open_terminal(id, terminal(Initiator::Customer)).unwrap().id;
    let mut payment = payment.at(instant("2026-11-23T10:05:00Z"));
    payment.choose(registration).unwrap();
    (payment, registration)
}

fn captured() -> payment::Payment {
    let (mut payment, registration) = chosen();
    payment.apply(registration, Reconciliation::Authorized(AMOUNT), HOLD).unwrap();
    let captured = reconciled(0);
    payment.apply(registration, captured, HOLD).unwrap();
    payment
}

fn body(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

fn transaction_body(payment: &payment::Payment) -> Value {
    body(&transaction(payment, newest(payment)).unwrap())
}

#[test]
fn a_new_payment_is_created_with_its_location() {
    let reply = payment(&new_payment(), true).unwrap();
    assert_eq!((reply.status, reply.created_id.as_deref()), (StatusCode::CREATED, Some("7171")));
    assert_eq!(
        body(&reply),
        json!({
            "paymentId": 7171,
            "orderId": "DW2N19A6",
            "orderVersion": 1,
            "organisationId": 7,
            "totalAmount": "100.00",
            "currency": "NOK",
            "createdAt": "2026-11-23T10:00:00.000Z",
            "status": "CREATED",
            "transactionHistory": [{
                "transactionId": 114_736,
                "amount": "100.00",
                "currency": "NOK",
                "status": "CREATED",
                "paymentType": "VISA",
                "recurringPaymentId": 4711,
                "createdAt": "2026-11-23T10:00:00.000Z",
            }],
        })
    );
}

#[test]
fn the_newest_transaction_is_first() {
    let mut again = new_payment().at(instant("2026-11-23T11:00:00Z"));
    again.cancel(newest(&again)).unwrap();
    again.create_again(Owner([0; 32]), charge(), card()).unwrap();
    let reply = payment(&again, false).unwrap();
    assert_eq!((reply.status, reply.created_id.as_deref()), (StatusCode::OK, None));
    let body = body(&reply);
    let member = |index: usize, name: &str| body["transactionHistory"][index][name].clone();
    assert_eq!(
        (member(0, "transactionId"), member(0, "status")),
        (json!(114_737), json!("CREATED"))
    );
    assert_eq!(
        (member(1, "transactionId"), member(1, "status")),
        (json!(114_736), json!("CANCELLED"))
    );
    assert_eq!(body["createdAt"], "2026-11-23T10:00:00.000Z");
    assert_eq!(member(0, "createdAt"), "2026-11-23T11:00:00.000Z");
}

#[tokio::test]
async fn the_ids_of_a_created_payment_are_logged() {
    for (created, transaction) in [(true, Some(114_736)), (false, None)] {
        let work = async { payment(&new_payment(), created).map(|_| ()) };
        let (result, invocation) = invocation::run("create-payment", work).await;
        result.unwrap();
        assert_eq!((invocation.payment_id, invocation.transaction_id), (Some(7171), transaction));
    }
}

/// Entur's Flutter client takes a payment as paid if nothing remains to capture, or if the log has a CAPTURE of the whole amount.
#[test]
fn a_captured_transaction_has_its_sums_and_operations() {
    let captured = captured();
    assert_eq!(
        transaction_body(&captured),
        json!({
            "transactionId": 114_736,
            "paymentId": 7171,
            "amount": "100.00",
            "currency": "NOK",
            "createdAt": "2026-11-23T10:00:00.000Z",
            "status": "CAPTURED",
            "paymentType": "VISA",
            "paymentTypeGroup": "PAYMENTCARD",
            "cardNumber": "0004",
            "recurringPaymentId": 4711,
            "summary": {
                "capturedAmount": "100.00",
                "creditedAmount": "0.00",
                "remainingAmountToCapture": "0.00",
                "remainingAmountToCredit": "100.00",
            },
            "operationLog": [
                {
                    "operation": "CREATE",
                    "amount": "100.00",
                    "createdAt": "2026-11-23T10:00:00.000Z",
                },
                {
                    "operation": "INITIATE",
                    "amount": "100.00",
                    "createdAt": "2026-11-23T10:01:00.000Z",
                },
                {
                    "operation": "CAPTURE",
                    "amount": "100.00",
                    "createdAt": "2026-11-23T10:05:00.000Z",
                },
            ],
        })
    );
    assert_eq!(body(&payment(&captured, false).unwrap())["status"], "CAPTURED");
}

/// The log has one CREDIT: the whole credited sum, at the time of its last change.
#[test]
fn a_credited_transaction_has_the_credited_sum() {
    let registration = chosen().1;
    let mut payment = captured();
    for (hour, credited_minor, status, credited, remaining) in [
        (11, 3_000, "CAPTURED", "30.00", "70.00"),
        (12, 9_999, "CAPTURED", "99.99", "0.01"),
        (13, 10_000, "CREDITED", "100.00", "0.00"),
    ] {
        let at = format!("2026-11-23T{hour}:00:00.000Z");
        payment = payment.at(instant(&at));
        payment.apply(registration, reconciled(credited_minor), HOLD).unwrap();
        let body = transaction_body(&payment);
        assert_eq!(body["status"], status);
        let summary = json!({
            "capturedAmount": "100.00",
            "creditedAmount": credited,
            "remainingAmountToCapture": "0.00",
            "remainingAmountToCredit": remaining,
        });
        assert_eq!(body["summary"], summary);
        let log = body["operationLog"].as_array().unwrap();
        assert_eq!(log.len(), 4, "{log:?}");
        let credit = json!({ "operation": "CREDIT", "amount": credited, "createdAt": at });
        assert_eq!(log[3], credit);
    }
}

#[test]
fn a_transaction_that_is_over_has_a_reason() {
    let declined = |decline| {
        let (mut payment, registration) = chosen();
        payment.apply(registration, Reconciliation::Declined(decline), HOLD).unwrap();
        payment
    };
    let applied = |reconciliation| {
        let (mut payment, registration) = chosen();
        payment.apply(registration, reconciliation, HOLD).unwrap();
        payment
    };
    let cancelled = |cancel: &dyn Fn(&mut payment::Payment, PaymentTransactionId)| {
        let mut payment = new_payment();
        let id = newest(&payment);
        cancel(&mut payment, id);
        payment
    };
    let off_session = || {
        let mut payment = new_payment();
        let id = newest(&payment);
        let registration = payment.open_terminal(id, terminal(Initiator::Merchant)).unwrap().id;
        payment.choose(registration).unwrap();
        let decline = Reconciliation::Declined(Decline::AuthenticationRequired);
        payment.apply(registration, decline, HOLD).unwrap();
        payment
    };
    let later = |hours| instant("2026-11-23T10:05:00Z") + TimeDelta::hours(hours);
    for (payment, status, reason) in [
        (new_payment(), "CREATED", None),
        (chosen().0, "INITIATED", None),
        (declined(Decline::Soft), "INITIATED", None),
        (captured(), "CAPTURED", None),
        (declined(Decline::Hard), "REJECTED", Some("DECLINED")),
        (off_session(), "REJECTED", Some("AUTHENTICATION_REQUIRED")),
        (cancelled(&|payment, id| payment.cancel(id).unwrap()), "CANCELLED", Some("REQUESTED")),
        (
            cancelled(&|payment, id| payment.cancel_without_card(id).unwrap()),
            "CANCELLED",
            Some("CARD_NOT_ACTIVE"),
        ),
        (new_payment().at(later(24)), "CANCELLED", Some("TIMED_OUT")),
        (applied(Reconciliation::Cancelled), "CANCELLED", Some("TERMINAL_CANCELLED")),
        (applied(Reconciliation::Annulled), "CANCELLED", Some("ANNULLED_AT_NETS")),
        (
            applied(Reconciliation::Authorized(Money::new(1, Currency::Nok))),
            "CANCELLED",
            Some("AMOUNT_DIFFERS"),
        ),
        (
            applied(Reconciliation::Authorized(AMOUNT)).at(later(25)),
            "CANCELLED",
            Some("HOLD_ENDED"),
        ),
    ] {
        let body = transaction_body(&payment);
        assert_eq!((&body["status"], body["statusReason"].as_str()), (&json!(status), reason));
    }
}

#[test]
fn a_transaction_of_another_payment_is_not_found() {
    let payment = new_payment();
    for other in [114_737, 114_752, 1] {
        let other = PaymentTransactionId::try_from(other).unwrap();
        let error = transaction(&payment, other).unwrap_err();
        assert!(
            matches!(error, Error::PaymentRefused(crate::error::PaymentRefusal::NotFound)),
            "{error}"
        );
    }
}

#[test]
fn a_terminal_has_the_ids_of_its_payment() {
    let payment = new_payment();
    let uri = Url::parse("https://test.epayment.nets.eu/Terminal/default.aspx").unwrap();
    let expires_at = instant("2026-11-23T10:15:00Z");
    let card = charge().recurring_payment_id;
    let reply = payment_terminal(newest(&payment), card, &uri, expires_at).unwrap();
    assert_eq!(reply.status, StatusCode::CREATED);
    assert_eq!(
        body(&reply),
        json!({
            "terminalUri": "https://test.epayment.nets.eu/Terminal/default.aspx",
            "paymentId": 7171,
            "transactionId": 114_736,
            "recurringPaymentId": 4711,
            "terminalExpiresAt": "2026-11-23T10:15:00.000Z",
        })
    );
}
