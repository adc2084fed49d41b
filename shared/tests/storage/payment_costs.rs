//! The `DynamoDB` requests of the store of payments, and their capacity units.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use local::dynamodb::{Dynamodb, Engine};
use serde_json::json;
use shared::domain::id::PaymentId;
use shared::domain::owner::IdKey;
use shared::domain::payment::Payment;
use shared::invocation;
use shared::storage::PaymentKey;

use crate::payments::{HOLD, captured, create, newest, open, open_with, order, stored_item};
use crate::{KEY, engine, now, payment_store, sdk, size};

/// The requests since the last call: operation and units.
fn take_costs(dynamodb: &Dynamodb) -> Vec<(String, Option<f64>)> {
    let requests = dynamodb.requests();
    dynamodb.clear_requests();
    requests.into_iter().map(|request| (request.operation, request.capacity)).collect()
}

/// A purchase: create, terminal, capture. A payment is below one KB, so a write costs one unit, and one more for an index entry that
/// is added or removed. Moving an entry costs two.
#[tokio::test]
async fn a_purchase_costs_a_write_for_each_step() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let engine = dynamodb.engine();
    let get = ("GetItem".to_owned(), engine.units(1.0));
    let put = |units| ("PutItem".to_owned(), engine.units(units));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    assert_eq!(take_costs(&dynamodb), [put(1.0)], "create");
    create(&store, "A", 10_000).await.unwrap();
    // A refusal does not report its units. Some engines refuse without the stored item, which is then read.
    let repeated = take_costs(&dynamodb);
    assert!(engine == Engine::Other || repeated == [("PutItem".to_owned(), None)], "{repeated:?}");
    let key = PaymentKey::Any(id);
    store.load(key, now()).await.unwrap();
    assert_eq!(take_costs(&dynamodb), std::slice::from_ref(&get), "load");
    store.find(&order("A"), now()).await.unwrap();
    assert_eq!(take_costs(&dynamodb), std::slice::from_ref(&get), "find");
    let opened = store.change(key, now(), open).await.unwrap();
    assert_eq!(take_costs(&dynamodb), [get.clone(), put(2.0)], "terminal: the entry is added");
    let registration = opened.outcome.id;
    let later = now() + TimeDelta::seconds(30);
    let choose = |payment: &mut Payment| payment.choose(registration);
    let chosen = store.change(key, later, choose).await.unwrap();
    assert_eq!(take_costs(&dynamodb), [get.clone(), put(1.0)], "choose: the entry stays");
    let capture = |payment: &mut Payment| payment.apply(registration, captured(10_000), HOLD);
    let paid = store.change_loaded(chosen.loaded, key, later, capture).await.unwrap();
    assert_eq!(take_costs(&dynamodb), [put(2.0)], "capture: the entry is removed");
    let changed = store.change_loaded(paid.loaded, key, later, capture).await.unwrap();
    assert!(!changed.written && take_costs(&dynamodb).is_empty(), "the same reply again");
    assert!(store.change(key, later, |payment| payment.cancel(newest(payment))).await.is_err());
    assert_eq!(take_costs(&dynamodb), [get], "a refused change");
}

/// The capture stores the notification, so the entry moves to now. A run stores the attempt, and removes the notification after its
/// delivery.
#[tokio::test]
async fn a_notification_costs_two_more_writes() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let units = |units| dynamodb.engine().units(units);
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let key = PaymentKey::Any(id);
    let open = |payment: &mut Payment| open_with(payment, Some("https://shop.example/hook"));
    let opened = store.change(key, now(), open).await.unwrap();
    let registration = opened.outcome.id;
    let choose = |payment: &mut Payment| payment.choose(registration);
    let chosen = store.change_loaded(opened.loaded, key, now(), choose).await.unwrap();
    dynamodb.clear_requests();
    let capture = |payment: &mut Payment| payment.apply(registration, captured(10_000), HOLD);
    store.change_loaded(chosen.loaded, key, now(), capture).await.unwrap();
    assert_eq!(take_costs(&dynamodb), [("PutItem".to_owned(), units(3.0))], "capture");
    let at = now() + TimeDelta::seconds(20);
    let begin = |payment: &mut Payment| Ok(payment.begin_delivery_attempts());
    let attempted = store.change(key, at, begin).await.unwrap();
    let expected = [("GetItem".to_owned(), units(1.0)), ("PutItem".to_owned(), units(3.0))];
    assert_eq!(take_costs(&dynamodb), expected, "the attempt: the entry moves");
    let delivered = attempted.outcome[0].id();
    let remove = |payment: &mut Payment| {
        payment.remove_notification(&delivered);
        Ok(())
    };
    store.change_loaded(attempted.loaded, key, at, remove).await.unwrap();
    let expected = [("PutItem".to_owned(), units(2.0))];
    assert_eq!(take_costs(&dynamodb), expected, "delivered: the entry is removed");
}

#[tokio::test]
async fn moving_an_index_entry_costs_two_units() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let key = PaymentKey::Any(id);
    let registration = store.change(key, now(), open).await.unwrap().outcome.id;
    dynamodb.clear_requests();
    let choose = |payment: &mut Payment| payment.choose(registration);
    let overdue = now() + TimeDelta::minutes(2);
    store.change(key, overdue, choose).await.unwrap();
    let units = |units| dynamodb.engine().units(units);
    let expected = [("GetItem".to_owned(), units(1.0)), ("PutItem".to_owned(), units(3.0))];
    assert_eq!(take_costs(&dynamodb), expected);
}

/// Reads the item of a payment with the SDK.
async fn attributes(dynamodb: &Dynamodb, id: PaymentId) -> HashMap<String, AttributeValue> {
    let config = aws_sdk_dynamodb::config::Builder::from(&sdk()).endpoint_url(dynamodb.address());
    let key = AttributeValue::N(id.number().to_string());
    let client = Client::from_conf(config.build());
    let get = client.get_item().table_name("Payments").key("payment", key);
    get.send().await.unwrap().item.unwrap()
}

/// The engine computes the size as `shared/src/storage/payment_size_tests.rs` does. The second payment also has a callback address, a
/// notification and a credit in progress.
#[tokio::test]
async fn the_size_of_a_payment_is_what_the_engine_reports() {
    let mut total = 0;
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    for (order, callback, limit) in [
        ("0643eeff-83a1-467f-85a5-77cac32c36ed", None, 512),
        ("0643eeff-83a1-467f-85a5-77cac32c36ee", Some("https://shop.example/hook"), 1024),
    ] {
        let id = create(&store, order, 10_000).await.unwrap().payment.id();
        let key = PaymentKey::Any(id);
        let open = |payment: &mut Payment| open_with(payment, callback);
        let registration = store.change(key, now(), open).await.unwrap().outcome.id;
        store.change(key, now(), |payment| payment.choose(registration)).await.unwrap();
        let capture = |payment: &mut Payment| payment.apply(registration, captured(10_000), HOLD);
        store.change(key, now(), capture).await.unwrap();
        if callback.is_some() {
            let begin = |payment: &mut Payment| {
                payment.begin_delivery_attempts();
                payment.begin_credit(registration.transaction, None)
            };
            store.change(key, now(), begin).await.unwrap();
        }
        let size = size::item_size(&attributes(&dynamodb, id).await);
        assert!(size <= limit, "{size}");
        total += size;
    }
    if dynamodb.engine() == Engine::Dynoxide {
        let table = dynamodb.call("DescribeTable", &json!({ "TableName": "Payments" })).await;
        assert_eq!(table.unwrap()["Table"]["TableSizeBytes"], total);
    }
}

/// 400 days after the last write, in seconds since 1970.
#[tokio::test]
async fn each_write_postpones_the_end_of_retention() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    for hours in [0, 1] {
        let at = now() + TimeDelta::hours(hours);
        if hours > 0 {
            store.change(PaymentKey::Any(id), at, open).await.unwrap();
        }
        let expected = (at + TimeDelta::days(400)).timestamp().to_string();
        assert_eq!(stored_item(&dynamodb, id).await["forgottenAt"]["N"], expected);
    }
}

#[tokio::test]
async fn an_invocation_counts_requests_units_and_conflicts() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), payment_store(&dynamodb, IdKey::new(KEY)));
    dynamodb.clear_requests();
    let (_, invocation) = invocation::run("test", Box::pin(create(&store, "A", 10_000))).await;
    assert_eq!((dynamodb.requests().len(), invocation.conflicts), (1, 0));
    assert!(engine == Engine::Other || (invocation.write_units - 1.0).abs() < f64::EPSILON);
    // The order has a payment already. No other writer is in the way, so this is no conflict.
    let (_, invocation) = invocation::run("test", Box::pin(create(&store, "A", 10_000))).await;
    assert_eq!((invocation.conflicts, invocation.dynamodb_retries), (0, 0));
    let id = IdKey::new(KEY).payment_id(&order("A"), 0);
    let loaded = store.load(PaymentKey::Any(id), now()).await.unwrap();
    store.change(PaymentKey::Any(id), now(), open).await.unwrap();
    let change = store.change_loaded(loaded, PaymentKey::Any(id), now(), open);
    let (changed, invocation) = invocation::run("test", Box::pin(change)).await;
    assert!(changed.unwrap().written && invocation.conflicts == 1);
    dynamodb.clear_requests();
    let (_, invocation) = invocation::run("test", Box::pin(store.due(0, now(), None))).await;
    assert_eq!(dynamodb.requests().len(), 1);
    assert!(engine == Engine::Other || (invocation.read_units - 0.5).abs() < f64::EPSILON);
}
