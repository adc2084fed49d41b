//! Lifecycle events in the table: their stored form, and what a configuration changes.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use local::dynamodb::Dynamodb;
use serde_json::{Value, json};
use shared::config::{Environment, EventConfig};
use shared::domain::id::RecurringPaymentId;
use shared::domain::notification::{Notification, PrimaryChangeReason, WalletEvent};
use shared::domain::owner::IdKey;
use shared::domain::recurring_payment::State;
use shared::storage::{Store, WalletKey};

use crate::{KEY, activate, create, customer, engine, now, store};

/// A card of these tests expires at this instant.
const EXPIRES_AT: &str = "2029-04-01T00:00:00Z";

/// A store with events for organisation 1.
fn store_with_events(dynamodb: &Dynamodb) -> Store {
    let variables: HashMap<_, _> = [
        ("EXPIRING_NOTICE_DAYS", "30".to_owned()),
        ("EVENT_WEBHOOKS", "1=https://shop.example/events".to_owned()),
    ]
    .into();
    let events = EventConfig::read(&Environment::of(&variables)).unwrap();
    store(dynamodb, IdKey::new(KEY)).with_lifecycle_events(events)
}

async fn item(dynamodb: &Dynamodb, id: RecurringPaymentId) -> Value {
    let key = json!({ "slot": { "N": id.slot().number().to_string() } });
    let read = json!({ "TableName": "Wallets", "Key": key });
    dynamodb.call("GetItem", &read).await.unwrap()["Item"].clone()
}

async fn put(dynamodb: &Dynamodb, item: Value) {
    let write = json!({ "TableName": "Wallets", "Item": item });
    dynamodb.call("PutItem", &write).await.unwrap();
}

fn millis(at: DateTime<Utc>) -> String {
    at.timestamp_millis().to_string()
}

/// The stored form of the three events and of the notice. Items with this form must remain readable after every future change.
#[tokio::test]
async fn stored_events_remain_readable() {
    let dynamodb = engine().await;
    let store = store_with_events(&dynamodb);
    let id = create(&store, "4711").await.unwrap().id;
    activate(&store, id).await;
    let mut stored = item(&dynamodb, id).await;
    let card = json!({ "M": {
        "id": { "N": id.number().to_string() }, "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2029-03" },
        "expiresAt": { "N": "1869696000000" }, "primary": { "BOOL": true },
    }});
    let change = json!({ "M": {
        "old": { "N": id.number().to_string() }, "new": { "N": id.number().to_string() }, "reason": { "S": "expired" },
    }});
    let event =
        |event: Value| json!({ "M": { "occurredAt": { "N": "1795428000123" }, "event": event } });
    stored["notifications"] = json!({ "L": [
        event(json!({ "M": { "expiring": card } })),
        event(json!({ "M": { "expired": card } })),
        event(json!({ "M": { "primaryChanged": change } })),
    ]});
    stored["payments"]["L"][0]["M"]["state"]["M"]["active"]["M"]["noticed"] =
        json!({ "BOOL": true });
    put(&dynamodb, stored.clone()).await;
    let wallet = store.load(WalletKey::Slot(id.slot()), now()).await.unwrap().wallet;
    let contents = wallet.contents();
    assert!(matches!(contents.payments[0].state, State::Active { notice_given: true, .. }));
    for (index, notification) in contents.notifications.iter().enumerate() {
        assert_eq!((notification.occurred_at, &notification.callback_url), (now(), &None));
        match &notification.subject {
            WalletEvent::Expiring(event) | WalletEvent::Expired(event) => {
                assert_eq!((event.recurring_payment_id, event.primary), (id, true));
                assert_eq!(event.card.expiry.to_string(), "2029-03");
            }
            WalletEvent::PrimaryChanged(change) => {
                assert_eq!((change.old, change.reason), (id, PrimaryChangeReason::Expired));
            }
            WalletEvent::Setup(setup) => panic!("{setup}"),
        }
        let kinds = ["expiring", "expired", "primary-changed"];
        assert_eq!(notification.id(), format!("{id}-{}-1795428000123", kinds[index]));
    }
    // The wallet writes the same form.
    let rename = shared::domain::wallet::Change { primary: Some(true), ..Default::default() };
    let written = store.change(WalletKey::Slot(id.slot()), now(), |wallet| {
        wallet.remove_notification(&format!("{id}-expired-1795428000123"));
        wallet.update(id, rename.clone())
    });
    written.await.unwrap();
    stored["notifications"]["L"].as_array_mut().unwrap().remove(1);
    let written = item(&dynamodb, id).await;
    assert_eq!(written["notifications"], stored["notifications"]);
    assert_eq!(written["payments"], stored["payments"]);
}

/// The organisation loses its address: the index entry for the notice is corrected when it is due, and the card expires without
/// an event.
#[tokio::test]
async fn without_its_address_an_organisation_has_no_event_for_a_card_that_was_stored_with_it() {
    let dynamodb = engine().await;
    let (with, without) = (store_with_events(&dynamodb), store(&dynamodb, IdKey::new(KEY)));
    let id = create(&with, "4711").await.unwrap().id;
    activate(&with, id).await;
    let expires_at: DateTime<Utc> = EXPIRES_AT.parse().unwrap();
    let notice_at = expires_at - TimeDelta::days(30);
    assert_eq!(item(&dynamodb, id).await["expiryAt"]["N"], millis(notice_at));
    assert_eq!(without.expire(id.slot(), notice_at).await.unwrap(), Some(Vec::new()));
    assert_eq!(item(&dynamodb, id).await["expiryAt"]["N"], millis(expires_at));
    assert_eq!(without.expire(id.slot(), expires_at).await.unwrap(), Some(Vec::new()));
    let stored = item(&dynamodb, id).await;
    assert!(stored.get("notifications").is_none() && stored.get("taskAt").is_none());
}

/// The organisation gets its address later: the next change of the wallet moves the index entry.
#[tokio::test]
async fn a_new_address_applies_to_a_wallet_from_its_next_change() {
    let dynamodb = engine().await;
    let (with, without) = (store_with_events(&dynamodb), store(&dynamodb, IdKey::new(KEY)));
    let id = create(&without, "4711").await.unwrap().id;
    activate(&without, id).await;
    let expires_at: DateTime<Utc> = EXPIRES_AT.parse().unwrap();
    let later = expires_at - TimeDelta::days(20);
    assert_eq!(with.expire(id.slot(), later).await.unwrap(), None, "no index entry is due");
    with.change(WalletKey::Customer(&customer("4711")), later, |_| Ok(())).await.unwrap();
    let stored = item(&dynamodb, id).await;
    assert_eq!(stored["notifications"]["L"].as_array().unwrap().len(), 1);
    assert_eq!(stored["expiryAt"]["N"], millis(expires_at));
    let attempts = with.expire(id.slot(), expires_at).await.unwrap().unwrap();
    let ids: Vec<_> = attempts.iter().map(Notification::id).collect();
    let [notice_at, end] = [expires_at - TimeDelta::days(30), expires_at].map(millis);
    assert_eq!(ids, [format!("{id}-expiring-{notice_at}"), format!("{id}-expired-{end}")]);
}
