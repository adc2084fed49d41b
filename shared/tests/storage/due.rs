//! What is due: who is found, what is made of it, once, and what is said of it.

use chrono::{DateTime, Months, TimeDelta, Utc};
use local::dynamodb::{Dynamodb, Faults};
use serde_json::{Value, json};
use shared::domain::card::{Card, CardExpiry, VerifiedCard};
use shared::domain::id::RecurringPaymentId;
use shared::domain::notification::{Event, Notification};
use shared::domain::owner::IdKey;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::Finding;
use shared::domain::text::CallbackUrl;
use shared::domain::wallet::Wallet;
use shared::error::Error;
use shared::storage::{Due, Key, Kind, Page, Store};

use crate::{KEY, activate, card, create, engine, now, partner, said, store, visit_of};

fn expired(id: RecurringPaymentId) -> (u64, String, String, String) {
    (id.number(), "ACTIVE".to_owned(), "EXPIRED".to_owned(), "TIME".to_owned())
}

/// All that is due, page by page, with the shard that it is in.
async fn due(store: &Store, kind: Kind, now: DateTime<Utc>) -> Vec<(u8, Due)> {
    let mut found = Vec::new();
    for shard in 0..Store::SHARDS {
        let mut page: Option<Page> = None;
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

/// The only thing that is due.
async fn the_due(store: &Store, kind: Kind, now: DateTime<Utc>) -> Due {
    let [(_, due)] = due(store, kind, now).await[..] else { panic!("one is due") };
    due
}

/// A recurring payment with a card that is good to the end of a month.
async fn with_card(store: &Store, number: &str, year: i32, month: u32) -> RecurringPaymentId {
    let id = create(store, number).await.unwrap().id;
    let expiry = CardExpiry::new(year, month).unwrap();
    let card = VerifiedCard { card: Card { expiry, ..card().card }, ..card() };
    let activate =
        |wallet: &mut Wallet| wallet.activate(visit_of(id), card.clone(), Months::new(36));
    store.change(Key::Payment(&partner(1), id), now(), activate).await.unwrap();
    id
}

/// A recurring payment with an open terminal whose end is to be told.
async fn with_terminal(store: &Store, number: &str) -> RecurringPaymentId {
    let id = create(store, number).await.unwrap().id;
    let tell = CallbackUrl::try_from("https://shop.example/told").unwrap();
    let open = |wallet: &mut Wallet| wallet.open_terminal(id, Some(tell.clone()), None);
    store.change(Key::Payment(&partner(1), id), now(), open).await.unwrap();
    id
}

async fn wallet_at(store: &Store, id: RecurringPaymentId, at: DateTime<Utc>) -> Wallet {
    store.load(Key::Slot(id.slot()), at).await.unwrap().wallet
}

/// What is stored of a wallet.
async fn item(dynamodb: &Dynamodb, id: RecurringPaymentId) -> Value {
    let key = json!({ "slot": { "N": id.slot().number().to_string() } });
    let get = json!({ "TableName": "Wallets", "Key": key });
    dynamodb.call("GetItem", &get).await.unwrap()["Item"].clone()
}

/// The operations since the last look.
fn asked(dynamodb: &Dynamodb) -> Vec<String> {
    let asked = dynamodb.requests();
    dynamodb.forget_requests();
    asked.into_iter().map(|request| request.operation).collect()
}

#[tokio::test]
async fn what_is_due_is_found_from_its_instant_on() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = with_terminal(&store, "4711").await;
    create(&store, "4712").await.unwrap();
    let abandoned_at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let look_at = now() + TimeDelta::minutes(1);
    for (kind, at) in [(Kind::Chore, look_at), (Kind::Expiry, abandoned_at)] {
        let of_it = |found: &(u8, Due)| found.1.slot == id.slot();
        let before = due(&store, kind, at - TimeDelta::milliseconds(1)).await;
        assert!(!before.iter().any(of_it), "{kind:?}");
        for late in [TimeDelta::zero(), TimeDelta::days(400)] {
            let found: Vec<_> =
                due(&store, kind, at + late).await.into_iter().filter(of_it).collect();
            let shard = u8::try_from(id.slot().number() % 8).unwrap();
            assert_eq!(found, [(shard, Due { slot: id.slot(), at: at.timestamp_millis() })]);
            assert_eq!(found[0].1.since(), at);
        }
    }
}

/// More than a page, what has been due longest first.
#[tokio::test]
async fn what_is_due_comes_page_by_page() {
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
    let found = due(&store, Kind::Expiry, now()).await;
    assert!(
        found.is_sorted_by_key(|(_, due)| due.at) && found.iter().all(|(shard, _)| *shard == 3)
    );
    assert_eq!(found.len(), 260);
    assert_eq!(asked(&dynamodb).len(), 9, "eight shards, one of them twice");
    assert_eq!(
        due(&store, Kind::Expiry, DateTime::from_timestamp_millis(750).unwrap()).await.len(),
        10
    );
    assert!(due(&store, Kind::Chore, now()).await.is_empty());
}

/// A change like any other, and the pan hashes are gone with it.
#[tokio::test]
async fn an_expiry_is_settled_by_one_read_and_one_write() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let first = with_card(&store, "4711", 2028, 2).await;
    let second = with_card(&store, "4711", 2028, 2).await;
    assert!(item(&dynamodb, first).await.to_string().contains("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA="));
    let at = "2028-03-01T00:00:00Z".parse().unwrap();
    let before = wallet_at(&store, first, at - TimeDelta::milliseconds(1)).await;
    assert_eq!(
        [first, second].map(|id| before.view(id).unwrap().status),
        [RecurringStatus::Active; 2]
    );
    let due = the_due(&store, Kind::Expiry, at).await;
    said::audit();
    dynamodb.forget_requests();
    assert_eq!(store.settle(due.slot, at).await.unwrap(), Some(Vec::new()));
    assert_eq!(asked(&dynamodb), ["GetItem", "PutItem"]);
    assert_eq!(said::audit(), [expired(first), expired(second)]);
    let stored = item(&dynamodb, first).await;
    assert!(!stored.to_string().contains("q5c+"), "{stored}");
    assert_eq!([&stored["expiryAt"], &stored["expiryShard"]], [&Value::Null; 2]);
    let after = wallet_at(&store, first, at).await;
    assert_eq!(
        [first, second].map(|id| after.view(id).unwrap().status),
        [RecurringStatus::Expired; 2]
    );
    assert_eq!(store.settle(due.slot, at).await.unwrap(), None, "already settled");
    assert_eq!(said::audit(), []);
}

/// The answer to that write is lost, once or for good: it is known for its own, and the audit says which cards it was about.
#[tokio::test]
async fn an_expiry_whose_answer_is_lost_is_known_for_its_own() {
    for lost in [1, 3] {
        let dynamodb = engine().await;
        let store = store(&dynamodb, IdKey::new(KEY));
        let first = with_card(&store, "4711", 2028, 2).await;
        let second = with_card(&store, "4711", 2028, 3).await;
        said::audit();
        let at = "2028-03-01T00:00:00Z".parse().unwrap();
        let due = the_due(&store, Kind::Expiry, at).await;
        assert_eq!(store.settle(due.slot, at).await.unwrap(), Some(Vec::new()));
        assert_eq!(said::audit(), [expired(first)]);
        let at = "2028-04-01T00:00:00Z".parse().unwrap();
        let due = the_due(&store, Kind::Expiry, at).await;
        dynamodb.lose_replies_to_writes(lost);
        assert_eq!(store.settle(due.slot, at).await.unwrap(), Some(Vec::new()), "{lost} lost");
        assert_eq!(said::audit(), [expired(second)], "{lost} lost");
        assert_eq!(store.settle(due.slot, at).await.unwrap(), None, "{lost} lost");
    }
}

/// Whether it was done is not known, and it was not: it is due as before.
#[tokio::test]
async fn an_expiry_in_doubt_is_left_to_the_next_run() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    with_card(&store, "4711", 2028, 2).await;
    let at = "2028-03-01T00:00:00Z".parse().unwrap();
    let due = the_due(&store, Kind::Expiry, at).await;
    dynamodb.disturb(Faults { failed: 1, ..Faults::default() });
    let failed = store.settle(due.slot, at).await;
    assert!(matches!(failed, Err(Error::Unavailable { what: "DynamoDB", .. })), "{failed:?}");
    dynamodb.disturb(Faults::default());
    assert_eq!(the_due(&store, Kind::Expiry, at).await, due);
    assert_eq!(store.settle(due.slot, at).await.unwrap(), Some(Vec::new()));
}

/// What an abandonment has to tell is a try that is written down.
#[tokio::test]
async fn an_abandonment_is_settled_once_and_told() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = with_terminal(&store, "4711").await;
    let at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let due = the_due(&store, Kind::Expiry, at).await;
    said::audit();
    dynamodb.forget_requests();
    let tries = store.settle(due.slot, at).await.unwrap().unwrap();
    assert_eq!(asked(&dynamodb), ["GetItem", "PutItem"]);
    let told: Vec<_> = tries.iter().map(|told| (told.transaction_id, told.event)).collect();
    assert_eq!(told, [(visit_of(id), Event::Abandoned)]);
    let abandoned = ["CREATED", "CANCELLED", "ABANDONED"].map(str::to_owned);
    let [before, after, why] = abandoned;
    assert_eq!(said::audit(), [(id.number(), before, after, why)]);
    assert_eq!(wallet_at(&store, id, at).await.contents().notifications, tries);
    assert_eq!(store.settle(due.slot, at).await.unwrap(), None, "already settled");
    assert_eq!(said::audit(), []);
}

/// An entry of a moment ago: the wallet says that it is not due any more. What else there is to do in it is left alone.
#[tokio::test]
async fn an_entry_that_is_late_does_nothing() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = with_terminal(&store, "4711").await;
    let visit = wallet_at(&store, id, now() + TimeDelta::minutes(1)).await.visits_due()[0];
    let finding = Finding::Card(card());
    let conclude = |wallet: &mut Wallet| wallet.conclude(&visit, &finding, Months::new(36));
    store.change(Key::Payment(&partner(1), id), now(), conclude).await.unwrap();
    let before = item(&dynamodb, id).await;
    assert_eq!(store.settle(id.slot(), now()).await.unwrap(), None);
    assert_eq!(item(&dynamodb, id).await, before);
    let untold = |one: &Notification| one.tries.is_none();
    assert!(wallet_at(&store, id, now()).await.contents().notifications.iter().all(untold));
    let empty = shared::domain::id::Slot::new(1);
    assert_eq!(store.settle(empty, now()).await.unwrap(), None);
}

/// An entry that says something is overdue which is not brings the schedule each minute, until somebody puts it right. One
/// that says the truth, or is not overdue, does not mislead.
#[tokio::test]
async fn an_entry_that_misleads_is_put_right_by_whoever_comes() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = with_terminal(&store, "4711").await;
    let key = Key::Slot(id.slot());
    let look_at = now() + TimeDelta::minutes(1);
    let abandoned_at = now() + TimeDelta::hours(24) + TimeDelta::minutes(15);
    let (second, minute) = (TimeDelta::seconds(1), TimeDelta::minutes(1));
    for (entry, is, says, at, misleads) in [
        ("choreAt", look_at, look_at, now(), false),
        ("choreAt", look_at, look_at, look_at, false),
        ("choreAt", look_at, look_at, look_at + second, false),
        ("choreAt", look_at, now() + second, now(), false),
        ("choreAt", look_at, now(), now(), true),
        ("choreAt", look_at, now() - minute, now(), true),
        ("choreAt", look_at, look_at + minute, look_at + second, false),
        ("expiryAt", abandoned_at, now(), now(), true),
        ("expiryAt", abandoned_at, now() + second, now(), false),
    ] {
        let what = format!("{entry} {is} says {says} at {at}");
        let number = |at: DateTime<Utc>| json!({ "N": at.timestamp_millis().to_string() });
        let update = json!({
            "TableName": "Wallets", "Key": { "slot": { "N": id.slot().number().to_string() } },
            "UpdateExpression": format!("SET {entry} = :says"),
            "ExpressionAttributeValues": { ":says": number(says) },
        });
        dynamodb.call("UpdateItem", &update).await.unwrap();
        let found = store.load(key, at).await.unwrap();
        assert_eq!(found.is_misled(at), misleads, "{what}");
        let changed = store.change_found(found, key, at, |_| Ok(())).await.unwrap();
        assert_eq!(changed.written, misleads, "{what}");
        let expected = number(if misleads { is } else { says });
        assert_eq!(item(&dynamodb, id).await[entry], expected, "{what}");
    }
    let nobody = shared::domain::customer::Customer {
        number: "4712".try_into().unwrap(),
        ..crate::customer("4711")
    };
    assert!(!store.load(Key::Customer(&nobody), now()).await.unwrap().is_misled(now()));
    activate(&store, id).await;
}
