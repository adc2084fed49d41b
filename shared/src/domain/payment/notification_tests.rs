//! Tests of the notifications of a payment.

use super::fixtures::*;
use super::*;
use crate::domain::notification::{DELIVERY_PERIOD, PaymentEventKind};
use crate::domain::text::CallbackUrl;
use crate::error::Decline;

const HARD: Reconciliation = Reconciliation::Declined(Decline::Hard);

fn url(text: &str) -> CallbackUrl {
    CallbackUrl::from_stored(text).unwrap()
}

fn with_callback(initiator: Initiator) -> NewRegistration {
    NewRegistration { callback_url: Some(url("https://shop.example/1")), ..terminal(initiator) }
}

fn open_with_callback() -> Payment {
    payment().opened_with(with_callback(Initiator::Customer))
}

fn authorized_with_callback() -> Payment {
    open_with_callback().choosing(0).with(0, Reconciliation::Authorized(amount()))
}

impl Payment {
    /// The notifications: transaction, kind and minutes after the start.
    fn events(&self) -> Vec<(PaymentTransactionId, PaymentEventKind, i64)> {
        let event = |one: &Notification<PaymentEvent>| {
            let PaymentEvent { transaction_id, kind } = one.subject;
            (transaction_id, kind, (one.occurred_at - start()).num_minutes())
        };
        self.contents.notifications.iter().map(event).collect()
    }
}

#[test]
fn each_end_and_each_credit_of_a_transaction_is_notified_once() {
    let first = transaction_id(0);
    assert_eq!(authorized_with_callback().events(), []);
    let rejected = open_with_callback().choosing(0).after(minutes(1)).with(0, HARD);
    assert_eq!(rejected.events(), [(first, PaymentEventKind::Rejected, 1)]);
    assert_eq!(rejected.clone().after(minutes(1)).with(0, HARD).events(), rejected.events());
    let cancelled = open_with_callback().after(minutes(2)).cancelled();
    assert_eq!(cancelled.events(), [(first, PaymentEventKind::Cancelled, 2)]);
    assert_eq!(cancelled.clone().after(minutes(1)).cancelled().events(), cancelled.events());

    let mut paid = authorized_with_callback();
    for (minute, credited_minor) in [(1, 0), (2, 0), (3, 3_000), (4, 3_000), (5, 10_000), (6, 0)] {
        paid = paid.at(start() + minutes(minute)).with(0, captured(10_000, credited_minor));
    }
    let credited = |credited_minor| PaymentEventKind::Credited { credited_minor };
    let expected = [
        (first, PaymentEventKind::Captured, 1),
        (first, credited(3_000), 3),
        (first, credited(10_000), 5),
    ];
    assert_eq!(paid.events(), expected);
    // Found at once.
    let found = authorized_with_callback().with(0, captured(10_000, 10_000));
    let kinds: Vec<_> = found.events().into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds, [PaymentEventKind::Captured, credited(10_000)]);
}

#[test]
fn without_a_callback_url_nothing_is_notified() {
    for payment in
        [paid().with(0, captured(10_000, 10_000)), chosen().with(0, HARD), open().cancelled()]
    {
        assert_eq!(payment.events(), []);
    }
}

#[test]
fn the_address_is_that_of_the_newest_terminal_that_has_one() {
    let address = |payment: &Payment| {
        let stored = payment.transaction(transaction_id(0)).unwrap().callback_url.clone();
        stored.map(|url| url.as_url().to_string())
    };
    let mut payment = payment().opened(Initiator::Merchant);
    assert_eq!(address(&payment), None);
    let first = "https://shop.example/1".to_owned();
    payment = payment.opened_with(with_callback(Initiator::Customer));
    assert_eq!(address(&payment), Some(first.clone()));
    payment = payment.opened(Initiator::Customer);
    assert_eq!(address(&payment), Some(first.clone()), "the newest terminal has none");
    let second = NewRegistration {
        callback_url: Some(url("https://shop.example/2")),
        ..terminal(Initiator::Customer)
    };
    payment = payment.opened_with(second.clone());
    assert_eq!(address(&payment), Some("https://shop.example/2".to_owned()));
    // Also of a terminal that uses a registration again, but not of one that is refused.
    let repeated =
        self::payment().opened(Initiator::Merchant).opened_with(with_callback(Initiator::Merchant));
    assert_eq!(address(&repeated), Some(first.clone()));
    let mut refused = open_with_callback().choosing(0);
    refused.open_terminal(transaction_id(0), second).unwrap_err();
    assert_eq!(address(&refused), Some(first));
}

#[test]
fn an_end_by_time_is_due_and_notified_at_its_instant() {
    let first = transaction_id(0);
    let timed_out_at = start() + Transaction::TIMEOUT;
    let cancelled_at_page = open_with_callback().opened(Initiator::Customer).after(minutes(1));
    let nothing_to_reconcile = open_with_callback()
        .choosing(0)
        .with(0, Reconciliation::Declined(Decline::AuthenticationRequired));
    for payment in [open_with_callback(), cancelled_at_page, nothing_to_reconcile] {
        let mut payment = payment.at(timed_out_at - millisecond());
        for id in payment.due_registrations() {
            payment.apply(id, Reconciliation::Pending, HOLD).unwrap();
        }
        assert_eq!(payment.due_at(), Some(timed_out_at));
        assert_eq!(payment.events(), []);
        let late = payment.at(timed_out_at + minutes(7));
        assert_eq!(late.events(), [(first, PaymentEventKind::Cancelled, 24 * 60)]);
        assert_eq!(late.due_at(), Some(timed_out_at));
    }
    let held = authorized_with_callback().after(HOLD + minutes(1));
    assert_eq!(held.events(), [(first, PaymentEventKind::Cancelled, 24 * 60)]);
    let waiting = open_with_callback().choosing(0).choosing(0).with(0, HARD);
    assert_eq!((waiting.events(), waiting.due_at()), (vec![], Some(start() + minutes(1))));
    let events = waiting.after(minutes(2)).events();
    assert_eq!(events, [(first, PaymentEventKind::Rejected, 1)]);
    // With nothing at Nets, only the notification makes it due.
    let unknown =
        |payment: Payment| payment.after(minutes(1)).with(0, Reconciliation::NeverRegistered);
    assert_eq!(unknown(open_with_callback()).due_at(), Some(timed_out_at));
    assert_eq!(unknown(open()).due_at(), None);
    assert_eq!(payment().due_at(), None);
}

#[test]
fn a_late_capture_is_notified_after_the_end() {
    let mut payment = open_with_callback().choosing(0).cancelled().after(minutes(1));
    assert_eq!(payment.found(0, captured(10_000, 0)), NextStep::Alarm);
    let first = transaction_id(0);
    let expected =
        [(first, PaymentEventKind::Cancelled, 0), (first, PaymentEventKind::Captured, 1)];
    assert_eq!(payment.events(), expected);
}

#[test]
fn each_transaction_has_its_own_address() {
    let mut payment = open_with_callback().cancelled();
    let second = payment.create_again(OWNER, charge(), charged_card()).unwrap();
    payment.open_terminal(second, terminal(Initiator::Customer)).unwrap();
    payment.cancel(second).unwrap();
    assert_eq!(payment.events().len(), 1);
}

#[test]
fn a_notification_is_delivered_at_most_for_72_hours() {
    let mut payment = authorized_with_callback().with(0, captured(10_000, 0));
    assert_eq!(payment.due_at(), Some(start()));
    let attempts = payment.begin_delivery_attempts();
    let ids: Vec<_> = attempts.iter().map(Notification::id).collect();
    assert_eq!(ids, [format!("{}-captured-{}", transaction_id(0), start().timestamp_millis())]);
    assert_eq!(payment.begin_delivery_attempts(), [], "the attempt is made once");
    assert_eq!(payment.due_at(), Some(start() + minutes(1)));
    let mut delivered = payment.clone();
    delivered.remove_notification("another");
    assert_eq!(delivered, payment);
    delivered.remove_notification(&ids[0]);
    assert_eq!((delivered.events(), delivered.due_at()), (vec![], None));
    let mut early = payment.clone().after(DELIVERY_PERIOD - millisecond());
    assert_eq!((early.expire_notifications(), early.begin_delivery_attempts().len()), (vec![], 1));
    let mut late = payment.after(DELIVERY_PERIOD);
    assert_eq!(late.begin_delivery_attempts(), []);
    assert_eq!((late.expire_notifications().len(), late.events()), (1, vec![]));
}

#[test]
fn a_payment_keeps_the_newest_16_notifications() {
    let mut payment = authorized_with_callback();
    for credited_minor in 0..=16 {
        payment = payment.after(minutes(1)).with(0, captured(10_000, credited_minor));
    }
    let sums: Vec<_> = payment.events().into_iter().map(|(_, kind, _)| kind).collect();
    let expected: Vec<_> =
        (1..=16).map(|credited_minor| PaymentEventKind::Credited { credited_minor }).collect();
    assert_eq!(sums, expected);
}
