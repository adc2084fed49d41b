//! Due payments: the index entries of payments come and go, and stale entries are corrected.

use chrono::{DateTime, TimeDelta, Utc};
use local::dynamodb::Dynamodb;
use serde_json::{Value, json};
use shared::domain::id::PaymentId;
use shared::domain::owner::IdKey;
use shared::domain::payment::Payment;
use shared::storage::{Due, DuePayment, PageStart, PaymentKey, PaymentStore};

use crate::payments::{HOLD, captured, create, open, stored_item};
use crate::{KEY, engine, now, payment_store};

/// All due payments with their shards, read page by page.
async fn due_payments(store: &PaymentStore, now: DateTime<Utc>) -> Vec<(u8, DuePayment)> {
    let mut found = Vec::new();
    for shard in 0..PaymentStore::SHARDS {
        let mut page: Option<PageStart> = None;
        loop {
            let (dues, next) = store.due(shard, now, page).await.unwrap();
            found.extend(dues.into_iter().map(|due| (shard, due)));
            if next.is_none() {
                break;
            }
            page = next;
        }
    }
    found
}

#[tokio::test]
async fn the_index_entry_of_a_payment_comes_and_goes() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let far = now() + TimeDelta::days(400);
    assert_eq!(due_payments(&store, far).await, [], "Nets does not know it");
    let key = PaymentKey::Any(id);
    let opened = store.change(key, now(), open).await.unwrap();
    let due_at = now() + TimeDelta::minutes(1);
    let shard = u8::try_from(id.number() % 8).unwrap();
    let due = Due { key: id, at: due_at.timestamp_millis() };
    assert_eq!(due.due_at(), due_at);
    assert_eq!(due_payments(&store, due_at - TimeDelta::milliseconds(1)).await, []);
    for at in [due_at, far] {
        assert_eq!(due_payments(&store, at).await, [(shard, due)]);
    }
    // Choosing the registration 30 seconds later plans a later reconciliation. The entry stays, because moving it costs two units.
    // When it becomes due, it is stale, and the next change moves it.
    let later = now() + TimeDelta::seconds(30);
    let registration = opened.outcome.id;
    let choose = |payment: &mut Payment| payment.choose(registration);
    let chosen = store.change(key, later, choose).await.unwrap();
    assert!(chosen.written && !chosen.loaded.has_stale_index_entry(later));
    assert_eq!(due_payments(&store, far).await, [(shard, due)]);
    let loaded = store.load(key, due_at).await.unwrap();
    assert!(loaded.has_stale_index_entry(due_at));
    let corrected = store.change_loaded(loaded, key, due_at, |_| Ok(())).await.unwrap();
    let moved = Due { at: due.at + 30_000, ..due };
    assert_eq!(due_payments(&store, far).await, [(shard, moved)]);
    let capture = |payment: &mut Payment| payment.apply(registration, captured(10_000), HOLD);
    store.change_loaded(corrected.loaded, key, due_at, capture).await.unwrap();
    assert_eq!(due_payments(&store, far).await, [], "there is nothing left to do");
    let item = stored_item(&dynamodb, id).await;
    assert_eq!([&item["taskAt"], &item["taskShard"]], [&Value::Null; 2]);
}

/// More than one page, sorted by the due time.
#[tokio::test]
async fn due_payments_are_read_page_by_page() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let number = |number: u64| json!({ "N": number.to_string() });
    let put = |place: u64| {
        let (id, at) = (number(place * 8 + 3), number(1_000 - place));
        json!({ "PutRequest": { "Item": { "payment": id, "taskShard": number(3), "taskAt": at } } })
    };
    let puts: Vec<_> = (0..260).map(put).collect();
    for puts in puts.chunks(20) {
        let request = json!({ "RequestItems": { "Payments": puts } });
        dynamodb.call("BatchWriteItem", &request).await.unwrap();
    }
    let found = due_payments(&store, now()).await;
    assert!(
        found.is_sorted_by_key(|(_, due)| due.at) && found.iter().all(|(shard, _)| *shard == 3)
    );
    assert_eq!(found.len(), 260);
}

/// Overwrites the index entry of a payment.
async fn set_entry(dynamodb: &Dynamodb, id: PaymentId, at: DateTime<Utc>) {
    let update = json!({
        "TableName": "Payments", "Key": { "payment": { "N": id.number().to_string() } },
        "UpdateExpression": "SET taskAt = :at",
        "ExpressionAttributeValues": { ":at": { "N": at.timestamp_millis().to_string() } },
    });
    dynamodb.call("UpdateItem", &update).await.unwrap();
}

/// An index entry says that the payment is due when it is not. The next change corrects it, also if it changes nothing else.
#[tokio::test]
async fn a_stale_index_entry_is_corrected() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    let key = PaymentKey::Any(id);
    store.change(key, now(), open).await.unwrap();
    let actual = now() + TimeDelta::minutes(1);
    let second = TimeDelta::seconds(1);
    for (indexed, at, is_stale) in [
        (actual, now(), false),
        (actual, actual, false),
        (actual, actual + second, false),
        (now() + second, now(), false),
        (now(), now(), true),
        (now() - second, now(), true),
        (actual + second, actual + second, true),
        (actual + second, actual, false),
    ] {
        let case = format!("indexed {indexed}, at {at}");
        set_entry(&dynamodb, id, indexed).await;
        let loaded = store.load(key, at).await.unwrap();
        assert_eq!(loaded.has_stale_index_entry(at), is_stale, "{case}");
        let changed = store.change_loaded(loaded, key, at, |_| Ok(())).await.unwrap();
        assert_eq!(changed.written, is_stale, "{case}");
        let expected = if is_stale { actual } else { indexed };
        let entry = &stored_item(&dynamodb, id).await["taskAt"]["N"];
        assert_eq!(*entry, expected.timestamp_millis().to_string(), "{case}");
    }
}

/// A repeated create corrects the entry too, and is not reported as new.
#[tokio::test]
async fn a_create_that_only_corrects_the_index_is_not_new() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "A", 10_000).await.unwrap().payment.id();
    store.change(PaymentKey::Any(id), now(), open).await.unwrap();
    set_entry(&dynamodb, id, now()).await;
    let again = create(&store, "A", 10_000).await.unwrap();
    assert_eq!((again.is_new, again.payment.history().count()), (false, 1));
    let expected = (now() + TimeDelta::minutes(1)).timestamp_millis().to_string();
    assert_eq!(stored_item(&dynamodb, id).await["taskAt"]["N"], expected);
}
