//! Due wallets: finding them, expiring them once, and the audit entries.

use chrono::{DateTime, Months, TimeDelta, Utc};
use local::dynamodb::{Dynamodb, Faults};
use serde_json::{Value, json};
use shared::domain::card::{Card, CardExpiry, VerifiedCard};
use shared::domain::id::RecurringPaymentId;
use shared::domain::notification::{Event, SetupEvent, WalletEvent, WalletNotification};
use shared::domain::owner::IdKey;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::Reconciliation;
use shared::domain::text::CallbackUrl;
use shared::domain::wallet::Wallet;
use shared::error::Error;
use shared::storage::{DueKind, DueWallet, PageStart, Store, WalletKey};

use crate::{
    KEY, activate, captured_log, card, create, engine, first_session, now, partner, store,
};

fn expiry_entry(id: RecurringPaymentId) -> (u64, String, String, String) {
    (id.number(), "ACTIVE".to_owned(), "EXPIRED".to_owned(), "TIME".to_owned())
}

/// All due wallets with their shards, read page by page.
async fn due_wallets(store: &Store, kind: DueKind, now: DateTime<Utc>) -> Vec<(u8, DueWallet)> {
    let mut found = Vec::new();
    for shard in 0..Store::SHARDS {
        let mut page: Option<PageStart> = None;
        loop {
            let (dues, next) = store.due(kind, shard, now, page).await.unwrap();
            found.extend(dues.into_iter().map(|due| (shard, due)));
            if next.is_none() {
                break;
            }
            page = next;
        }
    }
    found
}

/// The only due wallet.
async fn only_due_wallet(store: &Store, kind: DueKind, now: DateTime<Utc>) -> DueWallet {
    let [(_, due)] = due_wallets(store, kind, now).await[..] else {
        panic!("not exactly one due wallet")
    };
    due
}

/// Creates an active recurring payment with a card that expires at the end of this month.
async fn create_with_card(
    store: &Store,
    number: &str,
    year: i32,
    month: u32,
) -> RecurringPaymentId {
    let id = create(store, number).await.unwrap().id;
    let expiry = CardExpiry::new(year, month).unwrap();
    let card = VerifiedCard { card: Card { expiry, ..card().card }, ..card() };
    let activate =
        |wallet: &mut Wallet| wallet.activate(first_session(id), card.clone(), Months::new(36));
    store.change(WalletKey::Payment(&partner(1), id), now(), activate).await.unwrap();
    id
}

/// Creates a recurring payment with an open terminal and a callback URL.
async fn create_with_terminal(store: &Store, number: &str) -> RecurringPaymentId {
    let id = create(store, number).await.unwrap().id;
    let callback_url = CallbackUrl::try_from("https://shop.example/hook").unwrap();
    let open =
        |wallet: &mut Wallet| wallet.open_terminal(id, Some(callback_url.clone()), None, false);
    store.change(WalletKey::Payment(&partner(1), id), now(), open).await.unwrap();
    id
}

async fn wallet_at(store: &Store, id: RecurringPaymentId, at: DateTime<Utc>) -> Wallet {
    store.load(WalletKey::Slot(id.slot()), at).await.unwrap().wallet
}

/// The stored item of a wallet.
async fn stored_item(dynamodb: &Dynamodb, id: RecurringPaymentId) -> Value {
    let key = json!({ "slot": { "N": id.slot().number().to_string() } });
    let get = json!({ "TableName": "Wallets", "Key": key });
    dynamodb.call("GetItem", &get).await.unwrap()["Item"].clone()
}

/// Takes the `DynamoDB` operations since the last call.
fn take_operations(dynamodb: &Dynamodb) -> Vec<String> {
    let requests = dynamodb.requests();
    dynamodb.clear_requests();
    requests.into_iter().map(|request| request.operation).collect()
}

#[tokio::test]
async fn a_wallet_is_due_from_its_instant_on() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create_with_terminal(&store, "4711").await;
    create(&store, "4712").await.unwrap();
    let abandoned_at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let reconcile_at = now() + TimeDelta::minutes(1);
    for (kind, at) in [(DueKind::Task, reconcile_at), (DueKind::Expiry, abandoned_at)] {
        let is_this_wallet = |found: &(u8, DueWallet)| found.1.key == id.slot();
        let before = due_wallets(&store, kind, at - TimeDelta::milliseconds(1)).await;
        assert!(!before.iter().any(is_this_wallet), "{kind:?}");
        for late in [TimeDelta::zero(), TimeDelta::days(400)] {
            let found: Vec<_> = due_wallets(&store, kind, at + late)
                .await
                .into_iter()
                .filter(is_this_wallet)
                .collect();
            let shard = u8::try_from(id.slot().number() % 8).unwrap();
            assert_eq!(found, [(shard, DueWallet { key: id.slot(), at: at.timestamp_millis() })]);
            assert_eq!(found[0].1.due_at(), at);
        }
    }
}

/// More than one page, sorted by the due time.
#[tokio::test]
async fn due_wallets_are_read_page_by_page() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let number = |number: u64| json!({ "N": number.to_string() });
    let put = |place: u64| {
        let (slot, at) = (place * 8 + 3, 1_000 - place);
        let (slot, at) = (number(slot), number(at));
        json!({ "PutRequest": { "Item": { "slot": slot, "expiryShard": number(3), "expiryAt": at } } })
    };
    let puts: Vec<_> = (0..260).map(put).collect();
    for puts in puts.chunks(20) {
        let request = json!({ "RequestItems": { "Wallets": puts } });
        dynamodb.call("BatchWriteItem", &request).await.unwrap();
    }
    let found = due_wallets(&store, DueKind::Expiry, now()).await;
    assert!(
        found.is_sorted_by_key(|(_, due)| due.at) && found.iter().all(|(shard, _)| *shard == 3)
    );
    assert_eq!(found.len(), 260);
    assert_eq!(take_operations(&dynamodb).len(), 9, "eight shards, one of them with two pages");
    assert_eq!(
        due_wallets(&store, DueKind::Expiry, DateTime::from_timestamp_millis(750).unwrap())
            .await
            .len(),
        10
    );
    assert!(due_wallets(&store, DueKind::Task, now()).await.is_empty());
}

/// The write also removes the pan hashes.
#[tokio::test]
async fn an_expiry_takes_one_read_and_one_write() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let first = create_with_card(&store, "4711", 2028, 2).await;
    let second = create_with_card(&store, "4711", 2028, 2).await;
    assert!(
        stored_item(&dynamodb, first).await.to_string().contains("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=")
    );
    let at = "2028-03-01T00:00:00Z".parse().unwrap();
    let before = wallet_at(&store, first, at - TimeDelta::milliseconds(1)).await;
    assert_eq!(
        [first, second].map(|id| before.view(id).unwrap().status),
        [RecurringStatus::Active; 2]
    );
    let due = only_due_wallet(&store, DueKind::Expiry, at).await;
    captured_log::take_audit();
    dynamodb.clear_requests();
    assert_eq!(store.expire(due.key, at).await.unwrap(), Some(Vec::new()));
    assert_eq!(take_operations(&dynamodb), ["GetItem", "PutItem"]);
    assert_eq!(captured_log::take_audit(), [expiry_entry(first), expiry_entry(second)]);
    let stored = stored_item(&dynamodb, first).await;
    assert!(!stored.to_string().contains("q5c+"), "{stored}");
    assert_eq!([&stored["expiryAt"], &stored["expiryShard"]], [&Value::Null; 2]);
    let after = wallet_at(&store, first, at).await;
    assert_eq!(
        [first, second].map(|id| after.view(id).unwrap().status),
        [RecurringStatus::Expired; 2]
    );
    assert_eq!(store.expire(due.key, at).await.unwrap(), None, "already applied");
    assert_eq!(captured_log::take_audit(), []);
}

/// The response to the write is lost once, or as often as the SDK retries. The store recognises its own write, and the audit names
/// the expired recurring payments.
#[tokio::test]
async fn an_expiry_whose_response_is_lost_is_recognised() {
    for lost in [1, 3] {
        let dynamodb = engine().await;
        let store = store(&dynamodb, IdKey::new(KEY));
        let first = create_with_card(&store, "4711", 2028, 2).await;
        let second = create_with_card(&store, "4711", 2028, 3).await;
        captured_log::take_audit();
        let at = "2028-03-01T00:00:00Z".parse().unwrap();
        let due = only_due_wallet(&store, DueKind::Expiry, at).await;
        assert_eq!(store.expire(due.key, at).await.unwrap(), Some(Vec::new()));
        assert_eq!(captured_log::take_audit(), [expiry_entry(first)]);
        let at = "2028-04-01T00:00:00Z".parse().unwrap();
        let due = only_due_wallet(&store, DueKind::Expiry, at).await;
        dynamodb.lose_replies_to_writes(lost);
        assert_eq!(store.expire(due.key, at).await.unwrap(), Some(Vec::new()), "{lost} lost");
        assert_eq!(captured_log::take_audit(), [expiry_entry(second)], "{lost} lost");
        assert_eq!(store.expire(due.key, at).await.unwrap(), None, "{lost} lost");
    }
}

/// The write fails without an effect, so the wallet remains due.
#[tokio::test]
async fn an_uncertain_expiry_is_left_to_the_next_run() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    create_with_card(&store, "4711", 2028, 2).await;
    let at = "2028-03-01T00:00:00Z".parse().unwrap();
    let due = only_due_wallet(&store, DueKind::Expiry, at).await;
    dynamodb.inject_faults(Faults { failed: 1, ..Faults::default() });
    let failed = store.expire(due.key, at).await;
    assert!(matches!(failed, Err(Error::Unavailable { what: "DynamoDB", .. })), "{failed:?}");
    dynamodb.inject_faults(Faults::default());
    assert_eq!(only_due_wallet(&store, DueKind::Expiry, at).await, due);
    assert_eq!(store.expire(due.key, at).await.unwrap(), Some(Vec::new()));
}

/// The write that abandons the recurring payment also stores the first delivery attempt of its notification.
#[tokio::test]
async fn an_abandonment_is_applied_once_with_a_notification() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create_with_terminal(&store, "4711").await;
    let at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let due = only_due_wallet(&store, DueKind::Expiry, at).await;
    captured_log::take_audit();
    dynamodb.clear_requests();
    let attempts = store.expire(due.key, at).await.unwrap().unwrap();
    assert_eq!(take_operations(&dynamodb), ["GetItem", "PutItem"]);
    let notifications: Vec<_> = attempts.iter().map(|one| one.subject.clone()).collect();
    let subject = SetupEvent { transaction_id: first_session(id), event: Event::Abandoned };
    assert_eq!(notifications, [WalletEvent::Setup(subject)]);
    let abandoned = ["CREATED", "CANCELLED", "ABANDONED"].map(str::to_owned);
    let [before, after, reason] = abandoned;
    assert_eq!(captured_log::take_audit(), [(id.number(), before, after, reason)]);
    let stored = attempts.into_iter().map(|one| {
        let address = Some(one.callback_url.clone());
        one.with_address(address)
    });
    let stored: Vec<WalletNotification> = stored.collect();
    assert_eq!(wallet_at(&store, id, at).await.contents().notifications, stored);
    assert_eq!(store.expire(due.key, at).await.unwrap(), None, "already applied");
    assert_eq!(captured_log::take_audit(), []);
}

/// The index lags, and the wallet is no longer due. The run does not start any other task of the wallet.
#[tokio::test]
async fn an_outdated_index_entry_causes_no_change() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create_with_terminal(&store, "4711").await;
    let session = wallet_at(&store, id, now() + TimeDelta::minutes(1)).await.due_sessions()[0];
    let reconciliation = Reconciliation::Card(card());
    let apply_reconciliation = |wallet: &mut Wallet| {
        wallet.apply_reconciliation(&session, &reconciliation, Months::new(36))
    };
    store.change(WalletKey::Payment(&partner(1), id), now(), apply_reconciliation).await.unwrap();
    let before = stored_item(&dynamodb, id).await;
    assert_eq!(store.expire(id.slot(), now()).await.unwrap(), None);
    assert_eq!(stored_item(&dynamodb, id).await, before);
    let not_attempted = |one: &WalletNotification| one.attempts.is_none();
    assert!(wallet_at(&store, id, now()).await.contents().notifications.iter().all(not_attempted));
    let empty = shared::domain::id::Slot::new(1);
    assert_eq!(store.expire(empty, now()).await.unwrap(), None);
}

/// An index entry that is overdue while the wallet is not makes the schedule read the wallet every minute. The next change of the
/// wallet corrects the entry. An entry that is correct, or not overdue, is not stale.
#[tokio::test]
async fn a_stale_index_entry_is_corrected_by_the_next_change() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create_with_terminal(&store, "4711").await;
    let key = WalletKey::Slot(id.slot());
    let reconcile_at = now() + TimeDelta::minutes(1);
    let abandoned_at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let (second, minute) = (TimeDelta::seconds(1), TimeDelta::minutes(1));
    for (entry, actual, indexed, at, is_stale) in [
        ("taskAt", reconcile_at, reconcile_at, now(), false),
        ("taskAt", reconcile_at, reconcile_at, reconcile_at, false),
        ("taskAt", reconcile_at, reconcile_at, reconcile_at + second, false),
        ("taskAt", reconcile_at, now() + second, now(), false),
        ("taskAt", reconcile_at, now(), now(), true),
        ("taskAt", reconcile_at, now() - minute, now(), true),
        ("taskAt", reconcile_at, reconcile_at + minute, reconcile_at + second, false),
        ("expiryAt", abandoned_at, now(), now(), true),
        ("expiryAt", abandoned_at, now() + second, now(), false),
    ] {
        let case = format!("{entry} {actual}, indexed {indexed}, at {at}");
        let number = |at: DateTime<Utc>| json!({ "N": at.timestamp_millis().to_string() });
        let update = json!({
            "TableName": "Wallets", "Key": { "slot": { "N": id.slot().number().to_string() } },
            "UpdateExpression": format!("SET {entry} = :indexed"),
            "ExpressionAttributeValues": { ":indexed": number(indexed) },
        });
        dynamodb.call("UpdateItem", &update).await.unwrap();
        let found = store.load(key, at).await.unwrap();
        assert_eq!(found.has_stale_index_entry(at), is_stale, "{case}");
        let changed = store.change_loaded(found, key, at, |_| Ok(())).await.unwrap();
        assert_eq!(changed.written, is_stale, "{case}");
        let expected = number(if is_stale { actual } else { indexed });
        assert_eq!(stored_item(&dynamodb, id).await[entry], expected, "{case}");
    }
    let new_customer = shared::domain::customer::Customer {
        number: "4712".try_into().unwrap(),
        ..crate::customer("4711")
    };
    assert!(
        !store
            .load(WalletKey::Customer(&new_customer), now())
            .await
            .unwrap()
            .has_stale_index_entry(now())
    );
    activate(&store, id).await;
}
