//! The store of payments: one item for each version of an order, also if requests create it several times.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use local::dynamodb::{Dynamodb, Faults};
use serde_json::{Value, json};
use shared::domain::card::{LastFour, PaymentType};
use shared::domain::customer::Organisation;
use shared::domain::id::{PaymentId, PaymentTransactionId, RecurringPaymentId};
use shared::domain::money::{Currency, Money};
use shared::domain::order::{Order, OrderId, OrderVersion};
use shared::domain::owner::{IdKey, Owner};
use shared::domain::payment::{
    Charge, ChargedCard, Initiator, NewRegistration, OpenedRegistration, Payment, Reconciliation,
    State, TransactionStatus,
};
use shared::domain::text::CallbackUrl;
use shared::error::{Error, PaymentRefusal};
use shared::storage::{CreatedPayment, PaymentKey, PaymentStore};

use crate::{KEY, captured_log, customer, engine, now, partner, payment_store, traveller};

pub(crate) const HOLD: TimeDelta = TimeDelta::hours(24);

pub(crate) fn order(id: &str) -> Order {
    Order {
        organisation: Organisation::new(1),
        id: OrderId::try_from(id).unwrap(),
        version: OrderVersion::try_from(1).unwrap(),
    }
}

fn owner() -> Owner {
    IdKey::new(KEY).owner(&customer("4711"))
}

pub(crate) fn charge(minor: u64) -> Charge {
    Charge {
        amount: Money::new(minor, Currency::Nok),
        recurring_payment_id: RecurringPaymentId::try_from(4711).unwrap(),
    }
}

pub(crate) async fn create(
    store: &PaymentStore,
    id: &str,
    minor: u64,
) -> Result<CreatedPayment, Error> {
    let card = ChargedCard {
        payment_type: PaymentType::Visa,
        last_four: LastFour::from_masked("0004").unwrap(),
    };
    store.create(order(id), owner(), charge(minor), card, now()).await
}

pub(crate) fn newest(payment: &Payment) -> PaymentTransactionId {
    payment.history().next().unwrap().0
}

pub(crate) fn open(payment: &mut Payment) -> Result<OpenedRegistration, PaymentRefusal> {
    open_with(payment, None)
}

pub(crate) fn open_with(
    payment: &mut Payment,
    callback: Option<&str>,
) -> Result<OpenedRegistration, PaymentRefusal> {
    let callback_url = callback.map(|address| CallbackUrl::try_from(address).unwrap());
    let terminal =
        NewRegistration { initiator: Initiator::Customer, auto_sale: false, callback_url };
    payment.open_terminal(newest(payment), terminal)
}

pub(crate) fn captured(minor: u64) -> Reconciliation {
    Reconciliation::Captured {
        captured: charge(minor).amount,
        credited_minor: 0,
        credited_target: None,
    }
}

pub(crate) async fn load(store: &PaymentStore, id: PaymentId) -> Payment {
    store.load(PaymentKey::Any(id), now()).await.unwrap().payment
}

/// The stored item of a payment.
pub(crate) async fn stored_item(dynamodb: &Dynamodb, id: PaymentId) -> Value {
    let key = json!({ "payment": { "N": id.number().to_string() } });
    let get = json!({ "TableName": "Payments", "Key": key });
    dynamodb.call("GetItem", &get).await.unwrap()["Item"].clone()
}

fn take_operations(dynamodb: &Dynamodb) -> Vec<String> {
    let requests = dynamodb.requests();
    dynamodb.clear_requests();
    requests.into_iter().map(|request| request.operation).collect()
}

fn registrations(payment: &Payment) -> usize {
    match &payment.contents().transactions.last().unwrap().state {
        State::Initiated(initiated) => initiated.registrations.len(),
        State::Created
        | State::Captured(_)
        | State::Credited(_)
        | State::Rejected { .. }
        | State::Cancelled { .. } => 0,
    }
}

#[tokio::test]
async fn a_payment_is_read_as_it_was_written() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let created = create(&store, "A", 10_000).await.unwrap();
    let id = created.payment.id();
    assert!(created.is_new && id == IdKey::new(KEY).payment_id(&order("A"), 0));
    let key = PaymentKey::Any(id);
    let opened = store.change(key, now(), open).await.unwrap();
    assert!(opened.written);
    let registration = opened.outcome.id;
    let chosen = store
        .change_loaded(opened.loaded, key, now(), |payment| payment.choose(registration))
        .await
        .unwrap();
    let written = chosen.loaded.payment;
    for caller in [partner(1), traveller("4711")] {
        let loaded = store.load(PaymentKey::Caller(&caller, id), now()).await.unwrap();
        assert_eq!(loaded.payment, written);
    }
    assert_eq!(store.find(&order("A"), now()).await.unwrap().unwrap().payment, written);
    assert!(store.find(&order("B"), now()).await.unwrap().is_none());
}

#[tokio::test]
async fn foreign_and_missing_payments_cannot_be_distinguished() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let absent = PaymentId::try_from(id.number() + 1).unwrap();
    let beyond = PaymentId::try_from((1 << 53) - 1).unwrap();
    for (caller, id) in
        [(partner(2), id), (traveller("4712"), id), (partner(1), absent), (partner(1), beyond)]
    {
        let key = PaymentKey::Caller(&caller, id);
        dynamodb.clear_requests();
        let found = store.load(key, now()).await.err();
        assert!(matches!(found, Some(Error::PaymentRefused(PaymentRefusal::NotFound))));
        assert_eq!(take_operations(&dynamodb), ["GetItem"]);
        let changed = store.change(key, now(), open).await.err();
        assert!(matches!(changed, Some(Error::PaymentRefused(PaymentRefusal::NotFound))));
        assert_eq!(take_operations(&dynamodb), ["GetItem"]);
    }
}

/// The refusal of the write has the item. Engines that return no item are read.
#[tokio::test]
async fn a_repeated_create_finds_the_payment_and_writes_nothing() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let first = create(&store, "A", 10_000).await.unwrap().payment;
    let item = stored_item(&dynamodb, first.id()).await;
    for _ in 0..2 {
        let again = create(&store, "A", 10_000).await.unwrap();
        assert_eq!((again.is_new, &again.payment), (false, &first));
        let other = create(&store, "A", 10_001).await.err();
        assert!(matches!(other, Some(Error::PaymentRefused(PaymentRefusal::OrderHasPayment))));
        assert_eq!(stored_item(&dynamodb, first.id()).await, item);
    }
    // A dead transaction frees the order, also for another amount.
    let cancel = |payment: &mut Payment| payment.cancel(newest(payment));
    store.change(PaymentKey::Any(first.id()), now(), cancel).await.unwrap();
    let second = create(&store, "A", 10_001).await.unwrap();
    assert!(second.is_new);
    assert_eq!(second.payment.history().count(), 2);
    assert_eq!(load(&store, first.id()).await, second.payment);
    let again = create(&store, "A", 10_001).await.unwrap();
    assert!(!again.is_new);
}

#[tokio::test]
async fn two_creates_at_once_with_different_facts_create_one_payment() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    for round in 0..20 {
        let id = format!("order-{round}");
        let (one, two) = tokio::join!(create(&store, &id, 100), create(&store, &id, 200));
        let (created, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        let created = created.ok().unwrap();
        assert!(created.is_new);
        let refused = refused.err();
        assert!(matches!(refused, Some(Error::PaymentRefused(PaymentRefusal::OrderHasPayment))));
        assert_eq!(load(&store, created.payment.id()).await, created.payment);
        assert_eq!(created.payment.history().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_creates_create_one_transaction() {
    let dynamodb = engine().await;
    let store = Arc::new(payment_store(&dynamodb, IdKey::new(KEY)));
    let tasks = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { create(&store, "A", 10_000).await })
    });
    let mut new = 0;
    for task in tasks.collect::<Vec<_>>() {
        let created = task.await.unwrap().ok().unwrap();
        assert_eq!(created.payment.history().count(), 1);
        new += usize::from(created.is_new);
    }
    assert_eq!(new, 1);
}

/// Each success is exactly one registration.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_writers_lose_no_write() {
    let dynamodb = engine().await;
    let store = Arc::new(payment_store(&dynamodb, IdKey::new(KEY)));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let tasks = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            match store.change(PaymentKey::Any(id), now(), open).await {
                Ok(changed) => Some(changed.outcome.id),
                Err(
                    Error::Busy { attempts: 5 }
                    | Error::PaymentRefused(PaymentRefusal::NoTerminalLeft),
                ) => None,
                Err(error) => panic!("{error:?}"),
            }
        })
    });
    let mut ids = HashMap::new();
    for task in tasks.collect::<Vec<_>>() {
        if let Some(id) = task.await.unwrap() {
            *ids.entry(id).or_insert(0) += 1;
        }
    }
    assert!(!ids.is_empty() && ids.values().all(|count| *count == 1), "{ids:?}");
    assert_eq!(registrations(&load(&store, id).await), ids.len());
}

/// One lost response is handled by the retry of the SDK. More lost responses than the SDK retries are handled by a read.
#[tokio::test]
async fn a_write_whose_response_is_lost_is_applied_once() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    for lost in [1, 3, 4] {
        captured_log::take_payment_audit();
        dynamodb.lose_replies_to_writes(lost);
        let created = create(&store, &format!("order-{lost}"), 10_000).await.unwrap();
        assert!(created.is_new, "{lost}");
        assert_eq!(captured_log::take_payment_audit().len(), 1, "{lost}");
        let key = PaymentKey::Any(created.payment.id());
        dynamodb.lose_replies_to_writes(lost);
        let opened = store.change(key, now(), open).await.unwrap();
        assert!(opened.written, "{lost}");
        // The payment can be changed again without a read, although it was recognised in a refusal or by a read.
        dynamodb.lose_replies_to_writes(0);
        dynamodb.clear_requests();
        let loaded = opened.loaded;
        let opened = store.change_loaded(loaded, key, now(), open).await.unwrap();
        assert_eq!(take_operations(&dynamodb), ["PutItem"], "{lost}");
        let payment = load(&store, created.payment.id()).await;
        assert_eq!((payment.history().count(), registrations(&payment)), (1, 2), "{lost}");
        assert_eq!(payment, opened.loaded.payment);
    }
}

/// The write fails without an effect, and the store cannot know this at first.
#[tokio::test]
async fn an_uncertain_create_is_not_reported_as_done() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    captured_log::take_payment_audit();
    dynamodb.inject_faults(Faults { failed: 1, ..Faults::default() });
    let failed = create(&store, "A", 10_000).await.err();
    assert!(matches!(failed, Some(Error::Unavailable { what: "DynamoDB", .. })));
    dynamodb.inject_faults(Faults::default());
    assert!(store.find(&order("A"), now()).await.unwrap().is_none());
    assert!(captured_log::take_payment_audit().is_empty());
}

#[tokio::test]
async fn the_audit_log_has_each_change_of_a_transaction() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    captured_log::take_payment_audit();
    let payment = create(&store, "A", 10_050).await.unwrap().payment;
    let transaction = newest(&payment).number();
    let line = |text: &str| vec![format!("{transaction} {text} 100.50 NOK")];
    assert_eq!(captured_log::take_payment_audit(), line("NONE CREATED REQUEST"));
    create(&store, "A", 10_050).await.unwrap();
    assert!(captured_log::take_payment_audit().is_empty());
    let key = PaymentKey::Any(payment.id());
    let opened = store.change(key, now(), open).await.unwrap();
    assert_eq!(captured_log::take_payment_audit(), line("CREATED INITIATED TERMINAL"));
    let id = opened.outcome.id;
    let chosen = store.change_loaded(opened.loaded, key, now(), |payment| payment.choose(id));
    let loaded = chosen.await.unwrap().loaded;
    assert!(captured_log::take_payment_audit().is_empty(), "the status is the same");
    let capture = |payment: &mut Payment| payment.apply(id, captured(10_050), HOLD);
    let paid = store.change_loaded(loaded, key, now(), capture).await.unwrap();
    assert_eq!(captured_log::take_payment_audit(), line("INITIATED CAPTURED NETS"));
    assert_eq!(
        paid.loaded.payment.history().next().unwrap().1.status(),
        TransactionStatus::Captured
    );
}
