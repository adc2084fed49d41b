//! Orders whose first payment ids collide.

use std::collections::HashSet;

use local::dynamodb::Dynamodb;
use serde_json::{Value, json};
use shared::domain::id::PaymentId;
use shared::domain::owner::IdKey;
use shared::domain::payment::Payment;
use shared::error::Error;
use shared::storage::{PaymentKey, PaymentStore};

use crate::payments::{create, newest, order, stored_item};
use crate::{KEY, engine, now, payment_store};

const ORDERS: [&str; 3] = ["1", "2", "3"];

/// With two bits there are three ids, because zero is none.
fn few_ids() -> IdKey {
    IdKey::new(KEY).with_payment_bits(2)
}

/// Creates a payment for each order. Returns their ids.
async fn create_all(store: &PaymentStore) -> Vec<PaymentId> {
    let mut ids = Vec::new();
    for id in ORDERS {
        let created = create(store, id, 10_000).await.unwrap();
        assert!(created.is_new);
        ids.push(created.payment.id());
    }
    ids
}

/// The ids of other orders that are probed before the payment of an order.
fn passed_over(ids: &[PaymentId]) -> HashSet<PaymentId> {
    let passed = |(id, own): (&str, PaymentId)| {
        let probes = (0..64).map(move |probe| few_ids().payment_id(&order(id), probe));
        probes.take_while(move |probed| *probed != own).collect::<Vec<_>>()
    };
    ORDERS.into_iter().zip(ids.iter().copied()).flat_map(passed).collect()
}

#[tokio::test]
async fn orders_with_colliding_ids_get_separate_payments() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, few_ids());
    let ids = create_all(&store).await;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 3);
    assert!(!passed_over(&ids).is_empty(), "the ids collide");
    for (id, payment) in ORDERS.into_iter().zip(&ids) {
        let found = store.find(&order(id), now()).await.unwrap().unwrap().payment;
        assert_eq!((found.id(), found.contents().order.clone()), (*payment, order(id)));
        let again = create(&store, id, 10_000).await.unwrap();
        assert_eq!((again.is_new, again.payment), (false, found));
    }
    assert!(store.find(&order("4"), now()).await.unwrap().is_none());
    assert!(matches!(
        create(&store, "4", 10_000).await.err(),
        Some(Error::Internal { what: "there is no free id for the payment", .. })
    ));
}

async fn delete(dynamodb: &Dynamodb, id: PaymentId) -> Value {
    let item = stored_item(dynamodb, id).await;
    let key = json!({ "payment": { "N": id.number().to_string() } });
    dynamodb.call("DeleteItem", &json!({ "TableName": "Payments", "Key": key })).await.unwrap();
    item
}

/// A payment over which another order was probed is never deleted, also after later writes. So the deletion of any other payment
/// does not hide a payment.
#[tokio::test]
async fn the_deletion_of_a_payment_does_not_hide_another_one() {
    let dynamodb = engine().await;
    let store = payment_store(&dynamodb, few_ids());
    let ids = create_all(&store).await;
    let kept = passed_over(&ids);
    assert!(!kept.is_empty() && kept.len() < ids.len(), "{kept:?}");
    for write in 0..2 {
        for id in &ids {
            let forgotten_at = &stored_item(&dynamodb, *id).await["forgottenAt"];
            assert_eq!(forgotten_at.is_null(), kept.contains(id), "{id}, {write}");
            let cancel = |payment: &mut Payment| payment.cancel(newest(payment));
            let changed = store.change(PaymentKey::Any(*id), now(), cancel).await.unwrap();
            assert_eq!(changed.written, write == 0);
        }
    }
    for deleted in ids.iter().filter(|id| !kept.contains(id)) {
        let item = delete(&dynamodb, *deleted).await;
        for (id, payment) in ORDERS.into_iter().zip(&ids).filter(|(_, id)| *id != deleted) {
            let found = store.find(&order(id), now()).await.unwrap().unwrap().payment;
            assert_eq!(found.id(), *payment);
        }
        dynamodb.call("PutItem", &json!({ "TableName": "Payments", "Item": item })).await.unwrap();
    }
}

/// Another writer changes the payment while it is kept: it stays kept, and no change is lost.
#[tokio::test]
async fn a_payment_is_kept_while_others_write_it() {
    for _ in 0..20 {
        let dynamodb = engine().await;
        let store = payment_store(&dynamodb, few_ids());
        let (first, colliding) = colliding_orders();
        let id = create(&store, &first, 10_000).await.unwrap().payment.id();
        let cancel = |payment: &mut Payment| payment.cancel(newest(payment));
        let (created, cancelled) = tokio::join!(
            create(&store, &colliding, 10_000),
            store.change(PaymentKey::Any(id), now(), cancel)
        );
        assert!(created.unwrap().is_new && cancelled.unwrap().written);
        let item = stored_item(&dynamodb, id).await;
        assert!(item["forgottenAt"].is_null() && item["version"]["N"] == "3", "{item}");
        assert!(item["transactions"]["L"][0]["M"]["state"]["M"]["cancelled"].is_object(), "{item}");
    }
}

/// Two orders with the same first id.
fn colliding_orders() -> (String, String) {
    let first_id = |id: &str| few_ids().payment_id(&order(id), 0);
    let other = (2..100).map(|id| id.to_string()).find(|id| first_id(id) == first_id("1"));
    ("1".to_owned(), other.unwrap())
}
