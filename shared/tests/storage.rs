//! The store against a `DynamoDB` engine: one item per wallet, conditional writes, and no change applied twice.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "storage/captured_log.rs"]
mod captured_log;
#[path = "storage/costs.rs"]
mod costs;
#[path = "storage/due.rs"]
mod due;
#[path = "storage/lifecycle_events.rs"]
mod lifecycle_events;
#[path = "storage/payment_costs.rs"]
mod payment_costs;
#[path = "storage/payment_due.rs"]
mod payment_due;
#[path = "storage/payment_notifications.rs"]
mod payment_notifications;
#[path = "storage/payments.rs"]
mod payments;
#[path = "storage/probes.rs"]
mod probes;
#[path = "storage/rate_limit.rs"]
mod rate_limit;
#[path = "storage/size.rs"]
mod size;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use chrono::{DateTime, Months, TimeDelta, Utc};
use local::binaries;
use local::dynamodb::{Dynamodb, Faults, Request};
use local::side_effects::HoldPoint;
use local::template::Template;
use serde_json::json;
use shared::aws;
use shared::config::{AwsConfig, Credentials, Environment, StorageConfig};
use shared::domain::caller::{Caller, Permission, Tenant};
use shared::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use shared::domain::customer::{Customer, CustomerNumber, Organisation};
use shared::domain::id::{Attempt, RecurringPaymentId, TransactionId};
use shared::domain::owner::IdKey;
use shared::domain::recurring_payment::{RecurringPayment, RecurringStatus, View};
use shared::domain::terminal::CloseReason;
use shared::domain::text::Nickname;
use shared::domain::wallet::{Change, NewRecurringPayment, Wallet};
use shared::error::{Error, Refusal};
use shared::secret::Secret;
use shared::storage::{PaymentStore, Store, WalletKey};

const KEY: &str = "a key for these tests that protects nothing";

fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

/// The SDK configuration of the functions with a longer timeout. On a busy machine, the SDK would otherwise repeat slow requests,
/// and the tests would count them twice.
fn sdk() -> SdkConfig {
    let credentials = Credentials {
        access_key_id: "test".to_owned(),
        secret_access_key: Secret::new("test".to_owned()),
        session_token: None,
    };
    let aws = AwsConfig { region: "eu-north-1".to_owned(), system_roots: false, credentials };
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build();
    aws::sdk(aws).unwrap().into_builder().timeout_config(timeouts).build()
}

async fn engine() -> Dynamodb {
    captured_log::start();
    let dynamodb = Dynamodb::start(0, None).await.unwrap();
    let template = Template::read(&binaries::root().join("template.yaml")).unwrap();
    dynamodb.create_tables(&template).await.unwrap();
    dynamodb
}

fn store(dynamodb: &Dynamodb, id_key: IdKey) -> Store {
    let config = StorageConfig {
        table: "Wallets".to_owned(),
        rate_limits: "RateLimits".to_owned(),
        id_key,
        endpoint: Some(dynamodb.address().to_owned()),
        warm_up: false,
    };
    Store::new(&sdk(), config)
}

fn customer(number: &str) -> Customer {
    Customer {
        organisation: Organisation::new(1),
        number: CustomerNumber::try_from(number).unwrap(),
    }
}

fn partner(organisation: u64) -> Caller {
    Caller {
        tenant: Tenant::Partner,
        organisation: Organisation::new(organisation),
        customer: None,
        client: "test".to_owned(),
        permissions: vec![Permission::Read],
        valid_from: None,
        expires_at: DateTime::<Utc>::MAX_UTC,
    }
}

fn traveller(number: &str) -> Caller {
    Caller {
        tenant: Tenant::Traveller,
        customer: Some(CustomerNumber::try_from(number).unwrap()),
        ..partner(1)
    }
}

fn new_payment() -> NewRecurringPayment {
    NewRecurringPayment { nickname: None, primary: false, idempotency: None }
}

fn card() -> VerifiedCard {
    let last_four = LastFour::from_masked("492500******0004").unwrap();
    let card = Card {
        payment_type: PaymentType::Visa,
        last_four,
        expiry: CardExpiry::new(2029, 3).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=".to_owned()) }
}

fn first_session(id: RecurringPaymentId) -> TransactionId {
    TransactionId::new(id, Attempt::try_from(0).unwrap())
}

/// The store of payments, on the same engine.
fn payment_store(dynamodb: &Dynamodb, id_key: IdKey) -> PaymentStore {
    let config = StorageConfig {
        table: "Payments".to_owned(),
        rate_limits: "RateLimits".to_owned(),
        id_key,
        endpoint: Some(dynamodb.address().to_owned()),
        warm_up: false,
    };
    PaymentStore::new(&sdk(), config)
}

async fn create(store: &Store, number: &str) -> Result<View, Error> {
    store
        .change(WalletKey::Customer(&customer(number)), now(), |wallet| {
            wallet.create(new_payment())
        })
        .await
}

async fn activate(store: &Store, id: RecurringPaymentId) -> View {
    let activate =
        |wallet: &mut Wallet| wallet.activate(first_session(id), card(), Months::new(36));
    store.change(WalletKey::Payment(&partner(1), id), now(), activate).await.unwrap()
}

#[tokio::test]
async fn a_wallet_is_read_as_it_was_written() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let (customer, caller) = (customer("4711"), partner(1));
    let nickname = Some(Nickname::try_from("Kort 💳").unwrap());
    let full =
        NewRecurringPayment { nickname, primary: true, idempotency: Some(([1; 16], [2; 16])) };
    let written = store.change(WalletKey::Customer(&customer), now(), |wallet| {
        let ids: Vec<_> = (0..4)
            .map(|_| wallet.create(NewRecurringPayment { idempotency: None, ..full.clone() }))
            .collect::<Result<_, _>>()?;
        wallet.create(full.clone())?;
        wallet.activate(first_session(ids[0].id), card(), Months::new(36))?;
        wallet.activate(first_session(ids[1].id), card(), Months::new(36))?;
        wallet.end(ids[1].id)?;
        wallet.end(ids[2].id)?;
        for close_reason in [CloseReason::Cancelled, CloseReason::NeverRegistered] {
            let session = wallet.open_terminal(ids[3].id, None, None, false)?.session;
            wallet.close_terminal(&session, close_reason)?;
        }
        wallet.open_terminal(ids[3].id, None, None, false)?;
        Ok((wallet.clone(), ids[0].id))
    });
    let (written, id) = written.await.unwrap();
    assert_eq!(store.load(WalletKey::Customer(&customer), now()).await.unwrap().wallet, written);
    assert_eq!(store.load(WalletKey::Payment(&caller, id), now()).await.unwrap().wallet, written);
    assert_eq!(
        store.load(WalletKey::Payment(&traveller("4711"), id), now()).await.unwrap().wallet,
        written
    );
}

#[tokio::test]
async fn foreign_and_missing_wallets_cannot_be_distinguished() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    let absent = RecurringPaymentId::try_from(id.number() + 1024).unwrap();
    for (caller, id) in [(partner(2), id), (traveller("4712"), id), (partner(1), absent)] {
        dynamodb.clear_requests();
        let found = store.load(WalletKey::Payment(&caller, id), now()).await.err();
        assert!(matches!(found, Some(Error::Refused(Refusal::NotFound))));
        let operations: Vec<_> =
            dynamodb.requests().into_iter().map(|request| request.operation).collect();
        assert_eq!(operations, ["GetItem"]);
    }
}

/// A charge reads the wallet of the customer who pays.
#[tokio::test]
async fn the_wallet_of_an_owner_is_not_found_by_another_owner() {
    let store = store(&engine().await, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    for (number, expected) in [("4711", true), ("4712", false)] {
        let owner = IdKey::new(KEY).owner(&customer(number));
        let found = store.load(WalletKey::Owner(owner, id), now()).await;
        assert_eq!(found.is_ok(), expected, "{number}");
        assert!(expected || matches!(found.err(), Some(Error::Refused(Refusal::NotFound))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_concurrent_creates_lose_no_write() {
    let dynamodb = engine().await;
    let store = Arc::new(store(&dynamodb, IdKey::new(KEY)));
    let tasks = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            match create(&store, "4711").await {
                Ok(view) => Some(view.id),
                Err(Error::Busy { attempts: 5 }) => None,
                Err(error) => panic!("{error:?}"),
            }
        })
    });
    let mut ids = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        ids.extend(task.await.unwrap());
    }
    let wallet = store.load(WalletKey::Customer(&customer("4711")), now()).await.unwrap().wallet;
    assert_eq!(
        usize::from(wallet.contents().last_sequence.number()),
        ids.len(),
        "each success is exactly one write"
    );
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert_eq!(wallet.list(false).iter().filter(|view| view.primary).count(), 1);
    assert!(!ids.is_empty());
}

#[tokio::test]
async fn customers_with_colliding_slots_get_separate_wallets() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY).with_slot_bits(2));
    let mut ids = Vec::new();
    for number in ["1", "2", "3", "4"] {
        ids.push((number, create(&store, number).await.unwrap().id));
    }
    let slots: HashSet<_> = ids.iter().map(|(_, id)| id.slot()).collect();
    assert_eq!(slots.len(), 4, "every customer has a separate slot");
    for (number, id) in &ids {
        let wallet =
            store.load(WalletKey::Customer(&customer(number)), now()).await.unwrap().wallet;
        assert_eq!(wallet.list(false).iter().map(|view| view.id).collect::<Vec<_>>(), [*id]);
        for (other, _) in &ids {
            let found = store.load(WalletKey::Payment(&traveller(other), *id), now()).await;
            assert_eq!(found.is_ok(), other == number);
        }
    }
    assert!(matches!(
        create(&store, "5").await,
        Err(Error::Internal { what: "there is no free slot for the customer", .. })
    ));
}

/// One lost response is handled by the retry of the SDK. More lost responses than the SDK retries are handled by a read.
#[tokio::test]
async fn a_write_whose_response_is_lost_is_applied_once() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    for (lost, number) in [(1, "1"), (3, "3"), (4, "4")] {
        dynamodb.lose_replies_to_writes(lost);
        let created = create(&store, number).await.unwrap();
        dynamodb.lose_replies_to_writes(lost);
        let again = create(&store, number).await.unwrap();
        let listed = store
            .load(WalletKey::Customer(&customer(number)), now())
            .await
            .unwrap()
            .wallet
            .list(true);
        assert_eq!(listed.iter().map(|view| view.id).collect::<Vec<_>>(), [created.id, again.id]);
    }
}

/// The write fails without an effect, and the store cannot know this at first.
#[tokio::test]
async fn an_uncertain_write_is_not_reported_as_done() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let customer = customer("4711");
    let key = WalletKey::Customer(&customer);
    let found = store.load(key, now()).await.unwrap();
    dynamodb.inject_faults(Faults { failed: 1, ..Faults::default() });
    let failed =
        store.change_loaded(found, key, now(), |wallet| wallet.create(new_payment())).await;
    assert!(matches!(failed, Err(Error::Unavailable { what: "DynamoDB", .. })));
    dynamodb.inject_faults(Faults::default());
    assert_eq!(store.load(key, now()).await.unwrap().wallet.list(true), []);
}

/// The warm-up is one read of an item that cannot exist. `WARM_UP=none` disables it. Two stores need only one.
#[tokio::test]
async fn the_store_opens_its_connection_at_start() {
    let dynamodb = engine().await;
    for (warm_up, read) in [("connect", 1), ("none", 0)] {
        let variables = [
            ("AWS_REGION", "eu-north-1"),
            ("TLS_ROOTS", "amazon"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("TABLE_NAME", "Wallets"),
            ("PAYMENT_TABLE_NAME", "Payments"),
            ("RATE_LIMIT_TABLE_NAME", "RateLimits"),
            ("ID_KEY", KEY),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.address()),
            ("WARM_UP", warm_up),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name, value.to_owned()));
        let variables = variables.collect();
        let environment = Environment::of(&variables);
        let check = |table: &str| {
            let requests = dynamodb.requests();
            dynamodb.clear_requests();
            assert_eq!(requests.len(), read, "{warm_up:?}");
            let is_read = |request: &Request| {
                (request.operation.as_str(), request.table.as_str()) == ("GetItem", table)
            };
            assert!(requests.iter().all(is_read), "{requests:?}");
        };
        dynamodb.clear_requests();
        Store::start(&environment).await.unwrap();
        check("Wallets");
        PaymentStore::start(&environment).await.unwrap();
        check("Payments");
        PaymentStore::with_wallets(&environment, &sdk()).await.unwrap();
        check("Payments");
    }
}

/// The response to a write is lost, or the write itself. The store retries only when the item proves that the write has no effect.
/// The item cannot prove this when so many other writes came between that their ids replaced the id of this write.
#[tokio::test]
async fn a_lost_write_is_retried_only_when_it_has_no_effect() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    for (others, moment) in [7, 8, 12].into_iter().flat_map(|others| {
        [HoldPoint::After, HoldPoint::Before].into_iter().map(move |moment| (others, moment))
    }) {
        let (case, done) = (format!("{others}-{moment:?}"), moment == HoldPoint::After);
        let first = create(&store, &case).await.unwrap().id;
        let mut held = dynamodb.side_effects().hold(0, moment);
        let (customer, mut decisions) = (customer(&case), 0);
        let lost = store.change(WalletKey::Customer(&customer), now(), |wallet| {
            decisions += 1;
            wallet.create(new_payment())
        });
        let other_writes = async {
            held.reached().await.unwrap();
            for other in 0..others {
                let nickname = Some(Some(Nickname::try_from(format!("{other}").as_str()).unwrap()));
                let change = Change { nickname, primary: None };
                let update = |wallet: &mut Wallet| wallet.update(first, change.clone());
                store.change(WalletKey::Payment(&partner(1), first), now(), update).await.unwrap();
            }
            drop(held);
        };
        let (lost, ()) = tokio::join!(lost, other_writes);
        // An item stores the ids of the last eight writes.
        let known = others + usize::from(done) <= 8;
        match lost {
            Ok(_) => assert!(known, "{case}"),
            Err(Error::Unavailable { .. }) => assert!(!known, "{case}"),
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(decisions, if known && !done { 2 } else { 1 }, "{case}");
        let found = store.load(WalletKey::Customer(&customer), now()).await.unwrap();
        let count = found.wallet.list(false).len();
        assert_eq!(count, if known || done { 2 } else { 1 }, "{case}");
    }
}

/// Only internal and partner callers can send a customer number in addition to an id.
#[tokio::test]
async fn only_privileged_callers_name_an_owner() {
    let store = store(&engine().await, IdKey::new(KEY));
    let number = || CustomerNumber::try_from("4711").ok();
    let owner = IdKey::new(KEY).owner(&customer("4711"));
    assert_eq!(store.named_owner(&partner(1), number()), Some(owner));
    assert_ne!(store.named_owner(&partner(2), number()), Some(owner));
    assert_eq!(store.named_owner(&partner(1), None), None);
    assert_eq!(store.named_owner(&traveller("4712"), number()), None);
}

#[tokio::test]
async fn a_missing_table_is_unavailable() {
    let dynamodb = engine().await;
    let template = Template::parse("Resources: {}").unwrap();
    let empty = Dynamodb::start(0, None).await.unwrap();
    empty.create_tables(&template).await.unwrap();
    let error = create(&store(&empty, IdKey::new(KEY)), "4711").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { what: "DynamoDB", .. }), "{error:?}");
    drop(dynamodb);
}

/// Replaces the item of customer 4711 with a literal of this schema version, and reads the wallet.
async fn read_literal(schema: &str) -> Result<Wallet, Error> {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let id = create(&store, "4711").await.unwrap().id;
    let key = json!({ "slot": { "N": id.slot().number().to_string() } });
    let item =
        dynamodb.call("GetItem", &json!({ "TableName": "Wallets", "Key": key })).await.unwrap();
    let kept = ["slot", "organisation", "owner", "version", "writes", "choices"];
    let kept = kept.map(|name| (name.to_owned(), item["Item"][name].clone()));
    let card = json!({ "M": {
        "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2029-03" },
        "activatedAt": { "N": "1795428000123" }, "expiresAt": { "N": "1869696000000" },
    }});
    let payment = |sequence: &str, state: serde_json::Value| json!({ "M": { "sequence": { "N": sequence }, "createdAt": { "N": "1795428000123" }, "state": { "M": state } } });
    let literal = json!({
        "schema": { "N": schema },
        "lastSequence": { "N": "4" },
        "payments": { "L": [
            payment("1", json!({ "created": { "M": { "callback": { "S": "https://shop.example/hook" }, "terminals": { "L": [
                { "M": { "openedAt": { "N": "1795428000122" }, "outcome": { "S": "cancelled" } } },
                { "M": { "openedAt": { "N": "1795428000123" }, "outcome": { "S": "open" }, "reconcileAt": { "N": "1795428300123" } } } ] } } } })),
            payment("2", json!({ "active": { "M": { "card": card, "panHash": { "S": "hash" } } } })),
            payment("3", json!({ "expired": { "M": { "card": card } } })),
            payment("4", json!({ "cancelled": { "M": { "reason": { "S": "ended" }, "at": { "N": "1795428000123" }, "card": card } } })),
        ]},
        "notifications": { "L": [{ "M": {
            "to": { "S": "https://shop.example/hook" }, "transactionId": { "N": "114704" }, "event": { "S": "declined" },
            "occurredAt": { "N": "1795428000123" },
            "attempts": { "M": { "firstAt": { "N": "1795428000123" }, "made": { "N": "3" }, "nextAt": { "N": "1795428240123" } } },
        }}]},
        "opened": { "L": [{ "N": "1795428000122" }, { "N": "1795428000123" }] },
        "expiryAt": { "N": "1795514400123" }, "expiryShard": { "N": "5" },
        "taskAt": { "N": "1795428240123" }, "taskShard": { "N": "5" },
    });
    let mut item: serde_json::Map<_, _> = kept.into_iter().collect();
    item.extend(literal.as_object().unwrap().clone());
    dynamodb.call("PutItem", &json!({ "TableName": "Wallets", "Item": item })).await.unwrap();
    Ok(store.load(WalletKey::Customer(&customer("4711")), now()).await?.wallet)
}

/// Items of schema 1 must remain readable after every future change.
#[tokio::test]
async fn schema_1_remains_readable() {
    let wallet = read_literal("1").await.unwrap();
    let statuses: Vec<_> =
        wallet.contents().payments.iter().map(RecurringPayment::status).collect();
    let expected = [
        RecurringStatus::Created,
        RecurringStatus::Active,
        RecurringStatus::Expired,
        RecurringStatus::Cancelled,
    ];
    assert_eq!(statuses, expected);
    let payments = &wallet.contents().payments;
    let cards = payments.iter().filter_map(RecurringPayment::registration);
    let allowed = cards.map(|card| card.allows_merchant_initiated);
    assert_eq!(allowed.collect::<Vec<_>>(), [false; 3], "the attribute is absent");
    let terminals = payments[0].terminals().map(|(_, one)| one.allows_merchant_initiated);
    assert_eq!(terminals.collect::<Vec<_>>(), [false; 2]);
    assert_eq!(wallet.terminals_opened_within_hour().count(), 2);
    assert_eq!(
        wallet.due().task,
        Some(now() + TimeDelta::minutes(4)),
        "the fourth delivery attempt"
    );
    let mut later = wallet.at(now() + TimeDelta::minutes(5));
    assert_eq!(later.due_sessions().len(), 1);
    assert_eq!(later.begin_delivery_attempts(None)[0].id(), "114704-declined-1795428000123");
}

/// The store refuses to read an item of an unknown schema version.
#[tokio::test]
async fn an_unknown_schema_is_not_read() {
    for schema in ["0", "2"] {
        let unknown = read_literal(schema).await.err();
        assert!(matches!(
            unknown,
            Some(Error::Internal { what: "the stored wallet cannot be read", .. })
        ));
    }
}
