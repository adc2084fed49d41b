//! Tests of notifications: ids, delivery attempts, and the queue.

use super::*;
use crate::domain::id::{Attempt, PaymentId, RecurringPaymentId, Sequence, Slot};

fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn callback_url() -> CallbackUrl {
    CallbackUrl::from_stored("https://shop.example/").unwrap()
}

fn setup(event: Event) -> SetupEvent {
    let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
    SetupEvent { transaction_id: TransactionId::new(id, Attempt::try_from(0).unwrap()), event }
}

fn payment(transaction: usize, kind: PaymentEventKind) -> PaymentEvent {
    let number = Attempt::try_from(transaction).unwrap();
    let transaction_id = PaymentTransactionId::new(PaymentId::from_bits(7171), number);
    PaymentEvent { transaction_id, kind }
}

fn captured(transaction: usize, at: DateTime<Utc>) -> Notification<PaymentEvent> {
    Notification::new(callback_url(), payment(transaction, PaymentEventKind::Captured), at)
}

#[test]
fn delivery_attempts_back_off_from_one_minute_to_six_hours_for_72_hours() {
    let mut notification = Notification::new(callback_url(), setup(Event::Activated), start());
    let (first_id, mut now, mut delays) = (notification.id(), start(), Vec::new());
    while !notification.is_expired(now) {
        assert_eq!(notification.due_at(), now);
        notification = notification.with_attempt_begun(now);
        delays.push((notification.due_at() - now).num_minutes());
        now = notification.due_at();
        assert_eq!(notification.id(), first_id);
        assert!(delays.len() <= 20, "the notification never expires");
    }
    let expected: Vec<i64> =
        [1, 2, 4, 8, 16, 32, 64, 128, 256].into_iter().chain([360; 11]).collect();
    assert_eq!(delays, expected);
    assert!(!notification.is_expired(start() + DELIVERY_PERIOD - TimeDelta::milliseconds(1)));
    assert!(notification.is_expired(start() + DELIVERY_PERIOD));
}

/// Receivers store the ids, so they must not change.
#[test]
fn an_id_names_the_transaction_the_event_and_the_instant() {
    for (event, id) in [
        (Event::Activated, "114704-activated-1795428000000"),
        (Event::Declined, "114704-declined-1795428000000"),
        (Event::CardExpired, "114704-declined-1795428000000"),
        (Event::Abandoned, "114704-abandoned-1795428000000"),
    ] {
        assert_eq!(Notification::new(callback_url(), setup(event), start()).id(), id);
    }
    for (kind, id) in [
        (PaymentEventKind::Captured, "114741-captured-1795428000000"),
        (PaymentEventKind::Rejected, "114741-rejected-1795428000000"),
        (PaymentEventKind::Cancelled, "114741-cancelled-1795428000000"),
        (PaymentEventKind::Credited { credited_minor: 1 }, "114741-credited-1-1795428000000"),
        (PaymentEventKind::Credited { credited_minor: 3000 }, "114741-credited-3000-1795428000000"),
    ] {
        assert_eq!(Notification::new(callback_url(), payment(5, kind), start()).id(), id);
    }
}

#[test]
fn the_queue_is_ordered_by_instant_and_then_by_subject() {
    let at = |milliseconds| start() + TimeDelta::milliseconds(milliseconds);
    let credited = |credited_minor| payment(0, PaymentEventKind::Credited { credited_minor });
    let sorted = [
        captured(1, at(0)),
        captured(0, at(1)),
        Notification::new(callback_url(), credited(10), at(1)),
        Notification::new(callback_url(), credited(30), at(1)),
        captured(2, at(1)),
    ];
    for rotation in 0..sorted.len() {
        let mut queue = Vec::new();
        for index in 0..sorted.len() {
            let next = sorted[(index + rotation) % sorted.len()].clone();
            queue::enqueue(&mut queue, next, |_| true);
        }
        assert_eq!(queue, sorted, "{rotation}");
        assert_eq!(queue::due_at(&queue), Some(at(0)));
    }
    assert_eq!(queue::due_at::<PaymentEvent, CallbackUrl>(&[]), None);
}

#[test]
fn a_full_queue_loses_its_oldest_notification() {
    let mut queue = Vec::new();
    for second in 0..=queue::MAX {
        let at = start() + TimeDelta::seconds(i64::try_from(second).unwrap());
        queue::enqueue(&mut queue, captured(0, at), |_| true);
    }
    assert_eq!(queue.len(), queue::MAX);
    assert_eq!(queue[0].occurred_at, start() + TimeDelta::seconds(1));
}

#[test]
fn an_attempt_begins_once_for_what_is_due_and_matches() {
    let later = start() + TimeDelta::milliseconds(1);
    let mut queue = vec![captured(0, start()), captured(1, start()), captured(2, later)];
    let is = |transaction: usize| {
        move |subject: &PaymentEvent| {
            usize::from(subject.transaction_id.attempt().number()) == transaction
        }
    };
    let first = queue::begin_attempts(&mut queue, start(), is(1));
    assert_eq!(first, [captured(1, start()).with_attempt_begun(start())]);
    let second = queue::begin_attempts(&mut queue, start(), |_| true);
    assert_eq!(second, [captured(0, start()).with_attempt_begun(start())]);
    assert_eq!(queue::begin_attempts(&mut queue, start(), |_| true), []);
    assert_eq!(queue, [second[0].clone(), first[0].clone(), captured(2, later)]);
    assert_eq!(queue::due_at(&queue), Some(later));
    queue::remove(&mut queue, &first[0].id());
    assert_eq!(queue, [second[0].clone(), captured(2, later)]);
}

/// After 72 hours there is no other attempt, and the notification leaves the queue when that attempt would have been due.
#[test]
fn a_notification_expires_once_after_its_last_attempt() {
    let mut queue = vec![captured(0, start())];
    let (mut attempts, mut expired, mut now) = (0, Vec::new(), start());
    while let Some(at) = queue::due_at(&queue) {
        now = at;
        expired.extend(queue::expire(&mut queue, now));
        attempts += queue::begin_attempts(&mut queue, now, |_| true).len();
        assert!(attempts <= 20, "the notification never expires");
    }
    assert_eq!((attempts, expired.len()), (20, 1));
    assert!(start() + DELIVERY_PERIOD <= now && now < start() + DELIVERY_PERIOD + MAX_BACKOFF);
}
