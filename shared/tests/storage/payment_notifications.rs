//! The notifications and the credits of a payment: they are stored with it, and make it due.

use chrono::{DateTime, TimeDelta, Utc};
use local::dynamodb::Dynamodb;
use serde_json::{Value, json};
use shared::domain::id::{PaymentId, RegistrationId};
use shared::domain::notification::{DELIVERY_PERIOD, Notification, PaymentEvent, PaymentEventKind};
use shared::domain::owner::IdKey;
use shared::domain::payment::{Credit, Payment, Reconciliation, TransactionStatus};
use shared::storage::{PaymentKey, PaymentStore};

use crate::payments::{HOLD, captured, charge, create, load, newest, open_with, stored_item};
use crate::{KEY, engine, now, payment_store};

const CALLBACK: &str = "https://shop.example/hook";

/// Creates a payment of 100.50 kr, opens a terminal with a callback address, and captures it, all now.
async fn pay(store: &PaymentStore) -> (PaymentId, RegistrationId) {
    let id = create(store, "A", 10_050).await.unwrap().payment.id();
    let key = PaymentKey::Any(id);
    let open = |payment: &mut Payment| open_with(payment, Some(CALLBACK));
    let opened = store.change(key, now(), open).await.unwrap();
    let registration = opened.outcome.id;
    let choose = |payment: &mut Payment| payment.choose(registration);
    let chosen = store.change_loaded(opened.loaded, key, now(), choose).await.unwrap();
    let capture = |payment: &mut Payment| payment.apply(registration, captured(10_050), HOLD);
    store.change_loaded(chosen.loaded, key, now(), capture).await.unwrap();
    (id, registration)
}

/// The instant of the index entry, in milliseconds since now.
async fn entry(dynamodb: &Dynamodb, id: PaymentId) -> Option<i64> {
    let item = stored_item(dynamodb, id).await;
    assert_eq!(item["taskAt"].is_null(), item["taskShard"].is_null());
    let at: i64 = item["taskAt"]["N"].as_str()?.parse().unwrap();
    Some(at - now().timestamp_millis())
}

/// Begins the delivery attempts that are due, and stores them.
async fn begin(
    store: &PaymentStore,
    id: PaymentId,
    at: DateTime<Utc>,
) -> Vec<Notification<PaymentEvent>> {
    let begin = |payment: &mut Payment| Ok(payment.begin_delivery_attempts());
    store.change(PaymentKey::Any(id), at, begin).await.unwrap().outcome
}

#[tokio::test]
async fn a_notification_makes_its_payment_due_until_it_is_delivered() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let (id, registration) = pay(&store).await;
    assert_eq!(entry(&dynamodb, id).await, Some(0), "the first attempt is due");
    let kind = PaymentEventKind::Captured;
    let subject = PaymentEvent { transaction_id: registration.transaction, kind };
    for (attempt, minutes) in [(1, 0), (2, 1), (3, 3)] {
        let at = now() + TimeDelta::minutes(minutes);
        let intended = begin(&store, id, at).await;
        assert_eq!(begin(&store, id, at).await, [], "the attempt has already intended");
        let [notification] = &intended[..] else { panic!("not one notification: {intended:?}") };
        assert_eq!((notification.subject, notification.occurred_at), (subject, now()));
        assert_eq!(notification.callback_url.as_url().as_str(), CALLBACK);
        assert_eq!(notification.attempts.unwrap().count, attempt);
        assert_eq!(load(&store, id).await.contents().notifications, intended);
        let next = notification.due_at() - now();
        assert_eq!(entry(&dynamodb, id).await, Some(next.num_milliseconds()));
    }
    let at = now() + TimeDelta::minutes(4);
    let notification_id = load(&store, id).await.contents().notifications[0].id();
    let remove = |payment: &mut Payment| {
        payment.remove_notification(&notification_id);
        Ok(())
    };
    for written in [true, false] {
        let removed = store.change(PaymentKey::Any(id), at, remove).await.unwrap();
        assert_eq!((removed.written, entry(&dynamodb, id).await), (written, None));
    }
    let item = stored_item(&dynamodb, id).await;
    assert_eq!(item["notifications"], Value::Null, "an empty list is not stored");
}

#[tokio::test]
async fn a_notification_that_is_never_delivered_expires_after_72_hours() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let (id, _) = pay(&store).await;
    let (mut attempts, mut expired, mut last) = (0, 0, now());
    while let Some(milliseconds) = entry(&dynamodb, id).await {
        last = now() + TimeDelta::milliseconds(milliseconds);
        let deliver = |payment: &mut Payment| {
            Ok((payment.expire_notifications(), payment.begin_delivery_attempts()))
        };
        let changed = store.change(PaymentKey::Any(id), last, deliver).await.unwrap();
        expired += changed.outcome.0.len();
        attempts += changed.outcome.1.len();
        assert!(attempts <= 20, "it never expires");
    }
    assert_eq!((attempts, expired), (20, 1));
    let end = now() + DELIVERY_PERIOD;
    assert!(end <= last && last < end + TimeDelta::hours(6), "{last}");
}

/// The intent of a credit is stored before CREDIT is sent. It makes the payment due until Nets shows the sum.
#[tokio::test]
async fn a_credit_makes_its_payment_due_until_nets_shows_it() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let (id, registration) = pay(&store).await;
    let key = PaymentKey::Any(id);
    let deliver = |payment: &mut Payment| {
        for notification in payment.begin_delivery_attempts() {
            payment.remove_notification(&notification.id());
        }
        Ok(())
    };
    store.change(key, now(), deliver).await.unwrap();
    assert_eq!(entry(&dynamodb, id).await, None);
    let total = charge(3_000).amount;
    let begin = |payment: &mut Payment| payment.begin_credit(registration.transaction, Some(total));
    let intended = store.change(key, now(), begin).await.unwrap();
    let Credit::Send(request) = intended.outcome else { panic!("{:?}", intended.outcome) };
    assert_eq!((request.id, request.amount, request.target_minor), (registration, total, 3_000));
    assert_eq!(load(&store, id).await, intended.loaded.payment);
    assert_eq!(entry(&dynamodb, id).await, Some(60_000));
    let at = now() + TimeDelta::minutes(1);
    let credited = Reconciliation::Captured {
        captured: charge(10_050).amount,
        credited_minor: 3_000,
        credited_target: Some(3_000),
    };
    let apply = |payment: &mut Payment| payment.apply(registration, credited, HOLD);
    let applied = store.change(key, at, apply).await.unwrap().loaded.payment;
    let money = applied.transaction(registration.transaction).unwrap().captured().unwrap();
    assert_eq!((money.credited_minor, money.crediting), (3_000, None));
    assert_eq!(entry(&dynamodb, id).await, Some(60_000), "a notification about the credit");
    let kinds = applied.contents().notifications.iter().map(|one| one.subject.kind);
    let expected = PaymentEventKind::Credited { credited_minor: 3_000 };
    assert_eq!(kinds.collect::<Vec<_>>(), [expected]);
    store.change(key, at, deliver).await.unwrap();
    assert_eq!(entry(&dynamodb, id).await, None);
}

/// An item of the version before credits and notifications: it has none of their attributes. It is read, and gets them by the next
/// changes.
#[tokio::test]
async fn an_item_without_the_newer_attributes_is_read_and_changed() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_050).await.unwrap().payment.id();
    let number = |number: i64| json!({ "N": number.to_string() });
    let at = now().timestamp_millis();
    let registration = json!({ "M": {
        "at": number(at), "by": { "S": "customer" }, "authRequested": { "BOOL": true }, "outcome": { "S": "open" },
    } });
    let state = json!({ "M": { "initiated": { "M": {
        "registrations": { "L": [registration] }, "since": number(at), "reconcileAt": number(at + 60_000),
        "chosen": { "M": { "registration": number(0), "at": number(at) } },
    } } } });
    let mut item = stored_item(&dynamodb, id).await;
    item["transactions"] = json!({ "L": [{ "M": {
        "createdAt": number(at), "amount": number(10_050), "currency": { "S": "NOK" }, "recurringPayment": number(4711),
        "cardType": { "S": "VISA" }, "lastFour": { "S": "0004" }, "initiatedAt": number(at), "state": state,
    } }] });
    item["taskAt"] = number(at + 60_000);
    item["taskShard"] = number(i64::try_from(id.number() % 8).unwrap());
    dynamodb.call("PutItem", &json!({ "TableName": "Payments", "Item": item })).await.unwrap();

    let payment = load(&store, id).await;
    let transaction = newest(&payment);
    let registration = payment.due_registrations();
    assert_eq!(registration, [], "it is not due yet");
    let registration = payment.registrations_to_reconcile(transaction).unwrap()[0];
    let key = PaymentKey::Any(id);
    let capture = |payment: &mut Payment| payment.apply(registration, captured(10_050), HOLD);
    let paid = store.change(key, now(), capture).await.unwrap().loaded;
    assert_eq!(paid.payment.status(), TransactionStatus::Captured);
    assert!(paid.payment.contents().notifications.is_empty(), "it has no callback address");
    let begin = |payment: &mut Payment| payment.begin_credit(transaction, None);
    let intended = store.change_loaded(paid, key, now(), begin).await.unwrap();
    assert_eq!(load(&store, id).await, intended.loaded.payment);
}
