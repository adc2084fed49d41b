//! The `DynamoDB` requests of the store, their costs, and the invocation metrics that count them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{Months, TimeDelta};
use local::dynamodb::{Dynamodb, Engine};
use serde_json::json;
use shared::domain::id::Slot;
use shared::domain::owner::IdKey;
use shared::domain::terminal::{CloseReason, IdempotencyRecord, Reconciliation};
use shared::domain::text::{CallbackUrl, Nickname};
use shared::domain::wallet::{Change, NewRecurringPayment, Wallet};
use shared::error::Decline;
use shared::invocation::{self, Invocation};
use shared::storage::{DueKind, WalletKey};

use crate::{
    KEY, activate, card, create, customer, engine, new_payment, now, partner, sdk, size, store,
};

#[tokio::test]
async fn a_read_costs_one_request_and_a_change_two() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    let caller = partner(1);
    for _ in 0..3 {
        let id = create(&store, "4711").await.unwrap().id;
        activate(&store, id).await;
    }
    let take_costs = || {
        let requests =
            dynamodb.requests().into_iter().map(|request| (request.operation, request.capacity));
        let requests: Vec<_> = requests.collect();
        dynamodb.clear_requests();
        requests
    };
    let engine = dynamodb.engine();
    let get = ("GetItem".to_owned(), engine.units(1.0));
    let put = |units| ("PutItem".to_owned(), engine.units(units));
    take_costs();
    store.load(WalletKey::Customer(&customer("4711")), now()).await.unwrap();
    assert_eq!(take_costs(), std::slice::from_ref(&get));
    activate(&store, id).await;
    assert_eq!(take_costs(), [get.clone(), put(3.0)], "the index entry moves");
    let renamed =
        Change { nickname: Some(Some(Nickname::try_from("Kort").unwrap())), ..Change::default() };
    store
        .change(WalletKey::Payment(&caller, id), now(), |wallet| wallet.update(id, renamed.clone()))
        .await
        .unwrap();
    assert_eq!(take_costs(), [get.clone(), put(1.0)], "four cards fit in one write unit");
    store
        .change(WalletKey::Payment(&caller, id), now(), |wallet| {
            wallet.update(id, Change::default())
        })
        .await
        .unwrap();
    assert_eq!(take_costs(), std::slice::from_ref(&get));
    let id = create(&store, "4711").await.unwrap().id;
    let open = |wallet: &mut Wallet| wallet.open_terminal(id, None, None, false);
    let session = store.change(WalletKey::Payment(&caller, id), now(), open).await.unwrap().session;
    take_costs();
    let decline = Reconciliation::Closed(CloseReason::Declined(Decline::Soft));
    let apply_reconciliation =
        |wallet: &mut Wallet| wallet.apply_reconciliation(&session, &decline, Months::new(36));
    store.change(WalletKey::Payment(&caller, id), now(), apply_reconciliation).await.unwrap();
    assert_eq!(
        take_costs(),
        [get],
        "a soft decline changes nothing: reconcile_at is already in one minute"
    );
}

/// Reads the item of a wallet with the SDK. If the engine reports the table size immediately, it must equal the computed item size.
async fn stored_item(dynamodb: &Dynamodb, slot: Slot) -> HashMap<String, AttributeValue> {
    let config = aws_sdk_dynamodb::config::Builder::from(&sdk()).endpoint_url(dynamodb.address());
    let slot = AttributeValue::N(slot.number().to_string());
    let get = Client::from_conf(config.build()).get_item().table_name("Wallets").key("slot", slot);
    let item = get.send().await.unwrap().item.unwrap();
    if dynamodb.engine() == Engine::Dynoxide {
        let table = json!({ "TableName": "Wallets" });
        let table = dynamodb.call("DescribeTable", &table).await.unwrap();
        assert_eq!(table["Table"]["TableSizeBytes"], size::item_size(&item));
    }
    item
}

/// Checks that the last change cost as many units as the size of the wallet and its index entries require. Returns the item after
/// the change.
async fn check_change_cost(
    dynamodb: &Dynamodb,
    slot: Slot,
    before: &HashMap<String, AttributeValue>,
) -> HashMap<String, AttributeValue> {
    let requests = dynamodb.requests();
    let after = stored_item(dynamodb, slot).await;
    dynamodb.clear_requests();
    let requests: Vec<_> = requests.into_iter().map(|one| (one.operation, one.capacity)).collect();
    let sizes = [size::item_size(before), size::item_size(&after)];
    let entries = ["expiryAt", "taskAt"].map(|entry| match (before.get(entry), after.get(entry)) {
        (was, is) if was == is => 0,
        (None, _) | (_, None) => 1,
        (Some(_), Some(_)) => 2,
    });
    let read = sizes[0].div_ceil(4096).max(1);
    let written = sizes[0].max(sizes[1]).div_ceil(1024) + entries[0] + entries[1];
    let units = |units: usize| dynamodb.engine().units(u32::try_from(units).unwrap().into());
    let expected = [("GetItem".to_owned(), units(read)), ("PutItem".to_owned(), units(written))];
    assert_eq!(requests, expected, "{sizes:?} bytes");
    after
}

/// A change of a wallet of any size costs one read unit for every 4 KB and one write unit for every 1 KB. Each index entry that is
/// added or removed costs one more write unit. `shared/src/storage/size_tests.rs` computes the size in the same way.
#[tokio::test]
async fn the_cost_of_a_change_depends_on_the_size_of_the_wallet() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let (customer, caller) = (customer("4711"), partner(1));
    let nickname = Some(Nickname::try_from("ø".repeat(64).as_str()).unwrap());
    let callback_url = CallbackUrl::try_from("https://shop.example/hook").unwrap();
    let (mut at, mut item, mut largest) = (now(), HashMap::new(), 0);
    for turn in 0..40_u8 {
        at += TimeDelta::minutes(7);
        let idempotency = Some(([turn; 16], [2; 16]));
        let new = NewRecurringPayment { nickname: nickname.clone(), primary: true, idempotency };
        let key = WalletKey::Customer(&customer);
        let id = store.change(key, at, |wallet| wallet.create(new.clone())).await.unwrap().id;
        item = check_change_cost(&dynamodb, id.slot(), &item).await;
        let key = WalletKey::Payment(&caller, id);
        let idempotency = Some(IdempotencyRecord { key: [turn; 16], request: [3; 16] });
        let open = |wallet: &mut Wallet| {
            wallet.open_terminal(id, Some(callback_url.clone()), idempotency, false)
        };
        let session = store.change(key, at, open).await.unwrap().session;
        item = check_change_cost(&dynamodb, id.slot(), &item).await;
        if turn % 3 > 0 {
            let found = Reconciliation::Card(card());
            let apply_reconciliation = |wallet: &mut Wallet| {
                wallet.apply_reconciliation(&session, &found, Months::new(36))
            };
            store.change(key, at, apply_reconciliation).await.unwrap();
            item = check_change_cost(&dynamodb, id.slot(), &item).await;
        }
        // The first ten recurring payments stay active.
        if turn >= 10 {
            store.change(key, at, |wallet| wallet.end(id)).await.unwrap();
            item = check_change_cost(&dynamodb, id.slot(), &item).await;
        }
        largest = largest.max(size::item_size(&item));
    }
    assert!(largest > 8 * 1024, "the test covers up to three read units: {largest}");
}

/// The expected number of requests, and what an invocation counts. The units are 0 for an engine that does not count them.
fn expected(
    engine: Engine,
    (requests, [retries, conflicts]): (usize, [u64; 2]),
    [read, written]: [f64; 2],
) -> (usize, Invocation) {
    let invocation = Invocation {
        operation: "test",
        dynamodb_retries: retries,
        conflicts,
        read_units: engine.units(read).unwrap_or_default(),
        write_units: engine.units(written).unwrap_or_default(),
        ..Invocation::default()
    };
    (requests, invocation)
}

/// Runs `work` and returns the number of its requests and what the invocation counted. The units are 0 for an engine that counts
/// them differently.
async fn measure<T>(dynamodb: &Dynamodb, work: impl Future<Output = T>) -> (usize, Invocation) {
    dynamodb.clear_requests();
    let (_, invocation) = invocation::run("test", work).await;
    let units = |units| if dynamodb.engine() == Engine::Other { 0.0 } else { units };
    let invocation = Invocation {
        read_units: units(invocation.read_units),
        write_units: units(invocation.write_units),
        ..invocation
    };
    (dynamodb.requests().len(), invocation)
}

#[tokio::test]
async fn an_invocation_counts_its_requests_and_their_units() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), store(&dynamodb, IdKey::new(KEY)));
    let created = measure(&dynamodb, Box::pin(create(&store, "4711"))).await;
    assert_eq!(created, expected(engine, (2, [0, 0]), [1.0, 2.0]));
    let id = create(&store, "4712").await.unwrap().id;
    let activated = measure(&dynamodb, Box::pin(activate(&store, id))).await;
    assert_eq!(activated, expected(engine, (2, [0, 0]), [1.0, 3.0]));
    let customer = customer("4711");
    let loaded =
        measure(&dynamodb, Box::pin(store.load(WalletKey::Customer(&customer), now()))).await;
    assert_eq!(loaded, expected(engine, (1, [0, 0]), [1.0, 0.0]));
    let paged = measure(&dynamodb, Box::pin(store.due(DueKind::Expiry, 0, now(), None))).await;
    assert_eq!(paged, expected(engine, (1, [0, 0]), [0.5, 0.0]));
    let limited = measure(&dynamodb, Box::pin(store.check_rate_limit(false, now()))).await;
    assert_eq!(limited, expected(engine, (1, [0, 0]), [0.0, 1.0]));
    let not_limited = measure(&dynamodb, Box::pin(store.check_rate_limit(true, now()))).await;
    assert_eq!(not_limited, expected(engine, (0, [0; 2]), [0.0; 2]));
}

/// The SDK repeats the write, and its condition fails because of the first attempt. This is a retry and not a conflict. The refusal
/// does not report its units.
#[tokio::test]
async fn an_invocation_counts_the_retries_of_the_sdk() {
    let dynamodb = engine().await;
    let (engine, store) = (dynamodb.engine(), store(&dynamodb, IdKey::new(KEY)));
    dynamodb.lose_replies_to_writes(1);
    let created = measure(&dynamodb, Box::pin(create(&store, "4711"))).await;
    assert_eq!(created.1.dynamodb_retries, 1);
    // Some engines refuse without the stored item. The store then reads the item to find the writer.
    if engine != Engine::Other {
        assert_eq!(created, expected(engine, (3, [1, 0]), [1.0, 0.0]));
    }
}

/// Another writer changed the wallet first. The store decides again with the new version.
#[tokio::test]
async fn an_invocation_counts_write_conflicts() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    let customer = customer("4711");
    let key = WalletKey::Customer(&customer);
    let found = store.load(key, now()).await.unwrap();
    create(&store, "4711").await.unwrap();
    let change = store.change_loaded(found, key, now(), |wallet| wallet.create(new_payment()));
    let (_, changed) = measure(&dynamodb, Box::pin(change)).await;
    assert_eq!((changed.conflicts, changed.dynamodb_retries), (1, 0));
    let wallet = store.load(key, now()).await.unwrap().wallet;
    assert_eq!(wallet.list(false).len(), 3, "{id}");
}
