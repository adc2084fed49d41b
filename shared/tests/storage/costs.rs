//! What is asked of `DynamoDB`, what it costs, and that an invocation knows it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{Months, TimeDelta};
use local::dynamodb::{Dynamodb, Engine};
use serde_json::json;
use shared::domain::id::Slot;
use shared::domain::owner::IdKey;
use shared::domain::terminal::{Asked, Closing, Finding};
use shared::domain::text::{CallbackUrl, Nickname};
use shared::domain::wallet::{Change, NewRecurringPayment, Wallet};
use shared::error::Decline;
use shared::invocation::{self, Invocation};
use shared::storage::{Key, Kind};

use crate::{KEY, activate, card, create, customer, engine, now, partner, plain, sdk, size, store};

#[tokio::test]
async fn a_list_costs_one_request_a_change_two_and_no_change_one() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    let caller = partner(1);
    for _ in 0..3 {
        let id = create(&store, "4711").await.unwrap().id;
        activate(&store, id).await;
    }
    let cost = || {
        let requests =
            dynamodb.requests().into_iter().map(|request| (request.operation, request.capacity));
        let requests: Vec<_> = requests.collect();
        dynamodb.forget_requests();
        requests
    };
    let engine = dynamodb.engine();
    let get = ("GetItem".to_owned(), engine.units(1.0));
    let put = |units| ("PutItem".to_owned(), engine.units(units));
    cost();
    store.load(Key::Customer(&customer("4711")), now()).await.unwrap();
    assert_eq!(cost(), std::slice::from_ref(&get));
    activate(&store, id).await;
    assert_eq!(cost(), [get.clone(), put(3.0)], "the entry of an index moves");
    let renamed =
        Change { nickname: Some(Some(Nickname::try_from("Kort").unwrap())), ..Change::default() };
    store
        .change(Key::Payment(&caller, id), now(), |wallet| wallet.update(id, renamed.clone()))
        .await
        .unwrap();
    assert_eq!(cost(), [get.clone(), put(1.0)], "four cards fit one write unit");
    store
        .change(Key::Payment(&caller, id), now(), |wallet| wallet.update(id, Change::default()))
        .await
        .unwrap();
    assert_eq!(cost(), std::slice::from_ref(&get));
    let id = create(&store, "4711").await.unwrap().id;
    let open = |wallet: &mut Wallet| wallet.open_terminal(id, None, None);
    let visit = store.change(Key::Payment(&caller, id), now(), open).await.unwrap().visit;
    cost();
    let decline = Finding::Closed(Closing::Declined(Decline::Soft));
    let conclude = |wallet: &mut Wallet| wallet.conclude(&visit, &decline, Months::new(36));
    store.change(Key::Payment(&caller, id), now(), conclude).await.unwrap();
    assert_eq!(cost(), [get], "declined for now: it is looked at in a minute as it is");
}

/// A wallet's item, as the SDK reads it. The engine counts its bytes as we do, where it says at once how large a table is.
async fn stored(dynamodb: &Dynamodb, slot: Slot) -> HashMap<String, AttributeValue> {
    let config = aws_sdk_dynamodb::config::Builder::from(&sdk()).endpoint_url(dynamodb.address());
    let slot = AttributeValue::N(slot.number().to_string());
    let get = Client::from_conf(config.build()).get_item().table_name("Wallets").key("slot", slot);
    let item = get.send().await.unwrap().item.unwrap();
    if dynamodb.engine() == Engine::Dynoxide {
        let table = json!({ "TableName": "Wallets" });
        let table = dynamodb.call("DescribeTable", &table).await.unwrap();
        assert_eq!(table["Table"]["TableSizeBytes"], size::of(&item));
    }
    item
}

/// What the last change asked for cost what the wallet's size and its entries make it cost. The wallet after it.
async fn change_cost(
    dynamodb: &Dynamodb,
    slot: Slot,
    before: &HashMap<String, AttributeValue>,
) -> HashMap<String, AttributeValue> {
    let asked = dynamodb.requests();
    let after = stored(dynamodb, slot).await;
    dynamodb.forget_requests();
    let asked: Vec<_> = asked.into_iter().map(|one| (one.operation, one.capacity)).collect();
    let sizes = [size::of(before), size::of(&after)];
    let entries =
        ["expiryAt", "choreAt"].map(|entry| match (before.get(entry), after.get(entry)) {
            (was, is) if was == is => 0,
            (None, _) | (_, None) => 1,
            (Some(_), Some(_)) => 2,
        });
    let read = sizes[0].div_ceil(4096).max(1);
    let written = sizes[0].max(sizes[1]).div_ceil(1024) + entries[0] + entries[1];
    let units = |units: usize| dynamodb.engine().units(u32::try_from(units).unwrap().into());
    let expected = [("GetItem".to_owned(), units(read)), ("PutItem".to_owned(), units(written))];
    assert_eq!(asked, expected, "{sizes:?} bytes");
    after
}

/// However large a wallet becomes: a unit for each four kilobytes that are read, for each kilobyte that is written, and for each
/// entry that comes or goes. What it is large is counted as `shared/src/storage/size_tests.rs` does.
#[tokio::test]
async fn a_change_costs_what_the_wallet_is_large() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let (customer, caller) = (customer("4711"), partner(1));
    let nickname = Some(Nickname::try_from("ø".repeat(64).as_str()).unwrap());
    let tell = CallbackUrl::try_from("https://shop.example/told").unwrap();
    let (mut at, mut item, mut largest) = (now(), HashMap::new(), 0);
    for turn in 0..40_u8 {
        at += TimeDelta::minutes(7);
        let idempotency = Some(([turn; 16], [2; 16]));
        let new = NewRecurringPayment { nickname: nickname.clone(), primary: true, idempotency };
        let key = Key::Customer(&customer);
        let id = store.change(key, at, |wallet| wallet.create(new.clone())).await.unwrap().id;
        item = change_cost(&dynamodb, id.slot(), &item).await;
        let key = Key::Payment(&caller, id);
        let asked = Some(Asked { key: [turn; 16], request: [3; 16] });
        let open = |wallet: &mut Wallet| wallet.open_terminal(id, Some(tell.clone()), asked);
        let visit = store.change(key, at, open).await.unwrap().visit;
        item = change_cost(&dynamodb, id.slot(), &item).await;
        if turn % 3 > 0 {
            let found = Finding::Card(card());
            let conclude = |wallet: &mut Wallet| wallet.conclude(&visit, &found, Months::new(36));
            store.change(key, at, conclude).await.unwrap();
            item = change_cost(&dynamodb, id.slot(), &item).await;
        }
        // The first ten stay.
        if turn >= 10 {
            store.change(key, at, |wallet| wallet.end(id)).await.unwrap();
            item = change_cost(&dynamodb, id.slot(), &item).await;
        }
        largest = largest.max(size::of(&item));
    }
    assert!(largest > 8 * 1024, "up to three read units were seen: {largest}");
}

/// What an invocation is said to have done. The units are those of engines that count them.
fn did(
    engine: Engine,
    [requests, retries, conflicts]: [u64; 3],
    [read, written]: [f64; 2],
) -> Invocation {
    Invocation {
        operation: "test",
        dynamodb_requests: requests,
        dynamodb_retries: retries,
        conflicts,
        read_units: engine.units(read).unwrap_or_default(),
        write_units: engine.units(written).unwrap_or_default(),
        ..Invocation::default()
    }
}

/// The same, of which an engine that counts otherwise may say other units.
async fn known<T>(engine: Engine, work: impl Future<Output = T>) -> Invocation {
    let (_, known) = invocation::of("test", work).await;
    let units = |units| if engine == Engine::Other { 0.0 } else { units };
    Invocation {
        read_units: units(known.read_units),
        write_units: units(known.write_units),
        ..known
    }
}

#[tokio::test]
async fn an_invocation_knows_what_it_asked_for_and_what_that_cost() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), store(&dynamodb, IdKey::new(KEY)));
    let created = known(engine, Box::pin(create(&store, "4711"))).await;
    assert_eq!(created, did(engine, [2, 0, 0], [1.0, 2.0]));
    let id = create(&store, "4712").await.unwrap().id;
    let activated = known(engine, Box::pin(activate(&store, id))).await;
    assert_eq!(activated, did(engine, [2, 0, 0], [1.0, 3.0]));
    let customer = customer("4711");
    let loaded = known(engine, Box::pin(store.load(Key::Customer(&customer), now()))).await;
    assert_eq!(loaded, did(engine, [1, 0, 0], [1.0, 0.0]));
    let paged = known(engine, Box::pin(store.due(Kind::Expiry, 0, now(), None))).await;
    assert_eq!(paged, did(engine, [1, 0, 0], [0.5, 0.0]));
    let admitted = known(engine, Box::pin(store.admit(false, now()))).await;
    assert_eq!(admitted, did(engine, [1, 0, 0], [0.0, 1.0]));
    let unasked = known(engine, Box::pin(store.admit(true, now()))).await;
    assert_eq!(unasked, did(engine, [0; 3], [0.0; 2]));
}

/// A repetition of the SDK's is one, and meets what was done before it; that is no race. Nobody says what that cost.
#[tokio::test]
async fn an_invocation_knows_what_was_repeated() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), store(&dynamodb, IdKey::new(KEY)));
    dynamodb.lose_replies_to_writes(1);
    let created = known(engine, Box::pin(create(&store, "4711"))).await;
    assert_eq!(created.dynamodb_retries, 1);
    // Some engines' refusals bring nothing: then it is read whose write it was.
    if engine != Engine::Other {
        assert_eq!(created, did(engine, [3, 1, 0], [1.0, 0.0]));
    }
}

/// Somebody else was faster: it is decided again on what they left.
#[tokio::test]
async fn an_invocation_knows_the_races_that_it_lost() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), store(&dynamodb, IdKey::new(KEY)));
    let id = create(&store, "4711").await.unwrap().id;
    let customer = customer("4711");
    let key = Key::Customer(&customer);
    let found = store.load(key, now()).await.unwrap();
    create(&store, "4711").await.unwrap();
    let change = store.change_found(found, key, now(), |wallet| wallet.create(plain()));
    let changed = known(engine, Box::pin(change)).await;
    assert_eq!((changed.conflicts, changed.dynamodb_retries), (1, 0));
    let wallet = store.load(key, now()).await.unwrap().wallet;
    assert_eq!(wallet.list(false).len(), 3, "{id}");
}
