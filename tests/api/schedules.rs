//! The schedules on many wallets: each settled once, whatever else runs, and at a cost that follows the number due.

use std::collections::BTreeMap;

use local::dynamodb::Dynamodb;
use serde_json::{Value, json};

use crate::{SCHEDULED, VISA, World};

/// How many wallets are due.
const DUE: u64 = 2_000;
/// Every so many one cannot be read.
const UNREADABLE: u64 = 100;
/// A day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Puts items into the table, 25 at a time.
async fn put(dynamodb: &Dynamodb, items: impl Iterator<Item = Value>) {
    let puts: Vec<_> = items.map(|item| json!({ "PutRequest": { "Item": item } })).collect();
    for puts in puts.chunks(25) {
        let request = json!({ "RequestItems": { "Wallets": puts } });
        let answer = dynamodb.call("BatchWriteItem", &request).await.unwrap();
        assert_eq!(answer["UnprocessedItems"], json!({}));
    }
}

/// A wallet as it is stored, with one recurring payment, and what else it has.
fn item(slot: u64, state: &Value, more: &[(&str, Value)]) -> Value {
    let number = |number: u64| json!({ "N": number.to_string() });
    let mut item = json!({
        "schema": number(1), "slot": number(slot), "organisation": number(1), "version": number(1),
        "owner": { "B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" }, "writes": { "B": "AAAAAAAAAAE=" },
        "lastSequence": number(1), "choices": { "L": [] },
        "payments": { "L": [{ "M": { "sequence": number(1), "createdAt": number(1), "state": { "M": state } } }] },
    });
    for (name, value) in more {
        item[name] = value.clone();
    }
    item
}

fn indexed(kind: &str, slot: u64, at: i64) -> [(String, Value); 2] {
    [
        (format!("{kind}Shard"), json!({ "N": (slot % 8).to_string() })),
        (format!("{kind}At"), json!({ "N": at.to_string() })),
    ]
}

/// A wallet whose card expires.
fn with_card(slot: u64, expires_at: i64) -> Value {
    let card = json!({ "M": {
        "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2029-03" },
        "activatedAt": { "N": "1" }, "expiresAt": { "N": expires_at.to_string() },
    }});
    let pan_hash = json!({ "S": "q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=" });
    let [shard, at] = indexed("expiry", slot, expires_at);
    let more = [(&*shard.0, shard.1), (&*at.0, at.1)];
    item(slot, &json!({ "active": { "M": { "card": card, "panHash": pan_hash } } }), &more)
}

/// A wallet with a visit to Nets' page that has to be looked at.
fn with_visit(slot: u64, opened_at: i64) -> Value {
    let visit = json!({ "M": {
        "openedAt": { "N": opened_at.to_string() }, "outcome": { "S": "open" }, "lookAt": { "N": (opened_at + 60_000).to_string() },
    }});
    let state = json!({ "created": { "M": { "terminals": { "L": [visit] } } } });
    let ([look_shard, look_at], [shard, at]) =
        (indexed("chore", slot, opened_at + 60_000), indexed("expiry", slot, opened_at + DAY));
    let more = [
        (&*look_shard.0, look_shard.1),
        (&*look_at.0, look_at.1),
        (&*shard.0, shard.1),
        (&*at.0, at.1),
    ];
    item(slot, &state, &more)
}

/// The same, but nobody can read it.
fn unreadable(slot: u64, item: Value) -> Value {
    let mut item = item;
    item["payments"] = json!({ "S": format!("spoilt {slot}") });
    item
}

fn spoil_some(slot: u64, item: Value) -> Value {
    if slot.is_multiple_of(UNREADABLE) { unreadable(slot, item) } else { item }
}

/// Four runs at once, and again until there is nothing left to do: how many wallets were done, by all of them. Only the
/// unreadable ones failed.
async fn four_runs(world: &World, function: &str) -> u64 {
    let run = || world.run(function);
    let mut changed = 0;
    loop {
        let (one, two, three, four) = tokio::join!(run(), run(), run(), run());
        let runs = [one, two, three, four];
        let done = runs.iter().map(|tally| tally["changed"].as_u64().unwrap()).sum::<u64>();
        changed += done;
        assert!(runs.iter().all(|tally| tally["unclear"] == 0), "{runs:?}");
        if done == 0 {
            break;
        }
    }
    let failed = world.logged(function, "a wallet is left as it is");
    assert!(!failed.is_empty());
    for line in failed {
        assert!(line["slot"].as_u64().unwrap().is_multiple_of(UNREADABLE), "{line}");
    }
    changed
}

async fn states(world: &World) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    let mut begin = Value::Null;
    loop {
        let mut scan = json!({ "TableName": "Wallets" });
        if begin != Value::Null {
            scan["ExclusiveStartKey"] = begin;
        }
        let page = world.local.dynamodb().call("Scan", &scan).await.unwrap();
        for item in page["Items"].as_array().unwrap() {
            let state = item["payments"]["L"][0]["M"]["state"]["M"].as_object();
            let state =
                state.map_or("unreadable", |state| state.keys().next().map_or("none", |it| it));
            let state = state.to_owned();
            *states.entry(state).or_default() += 1;
        }
        begin = page["LastEvaluatedKey"].clone();
        if begin == Value::Null {
            return states;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_expiry_runs_at_once_settle_each_wallet_once() {
    let world = World::new().await;
    let count = world.local.dynamodb().engine().many(DUE);
    let now = world.local.clock().now().as_millisecond();
    put(
        world.local.dynamodb(),
        (0..count).map(|slot| spoil_some(slot, with_card(slot, now - DAY))),
    )
    .await;
    let readable = count - count / UNREADABLE;
    assert_eq!(four_runs(&world, SCHEDULED[0]).await, readable);
    let expected =
        [("expired".to_owned(), readable), ("unreadable".to_owned(), count / UNREADABLE)];
    assert_eq!(states(&world).await, expected.into());
    assert_eq!(world.logged(SCHEDULED[0], "audit").len() as u64, readable);
    let again = world.run(SCHEDULED[0]).await;
    assert_eq!(
        (again["lookedAt"].as_u64(), again["changed"].as_u64()),
        (Some(count / UNREADABLE), Some(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_finishing_runs_at_once_verify_each_card_once() {
    let world = World::new().await;
    let count = world.local.dynamodb().engine().many(DUE);
    let opened_at = world.local.clock().now().as_millisecond() - 120_000;
    put(
        world.local.dynamodb(),
        (0..count).map(|slot| spoil_some(slot, with_visit(slot, opened_at))),
    )
    .await;
    let nets = &world.local.addresses().netaxept;
    for slots in (0..count).collect::<Vec<_>>().chunks(20) {
        let cards = slots.iter().map(|slot| async {
            let id = ((*slot << 10) | 1) << 4;
            let (id, order) = (id.to_string(), format!("{id}-{opened_at}"));
            let form = [
                ("merchantId", local::netaxept::MERCHANT_ID),
                ("token", local::netaxept::TOKEN),
                ("transactionId", &id),
                ("orderNumber", &order),
                ("currencyCode", "NOK"),
                ("updateStoredPaymentInfo", "true"),
                ("recurringType", "S"),
                ("redirectUrl", "https://shop.example"),
            ];
            let registered =
                world.http.post(format!("{nets}/Netaxept/Register.aspx")).form(&form).send().await;
            assert!(registered.unwrap().text().await.unwrap().contains("RegisterResponse"));
            let merchant = local::netaxept::MERCHANT_ID;
            world
                .press(
                    &format!(
                        "{nets}/Terminal/default.aspx?merchantId={merchant}&transactionId={id}"
                    ),
                    VISA,
                    "okButton",
                )
                .await;
        });
        futures_util::future::join_all(cards).await;
    }
    let readable = count - count / UNREADABLE;
    assert_eq!(four_runs(&world, SCHEDULED[1]).await, readable);
    let expected = [("active".to_owned(), readable), ("unreadable".to_owned(), count / UNREADABLE)];
    assert_eq!(states(&world).await, expected.into());
    let transactions = world.local.netaxept().transactions();
    let done = |one: &Value| one["transaction"]["done"].clone();
    let verified =
        transactions.as_array().unwrap().iter().filter(|one| done(one) == json!({ "VERIFY": 1 }));
    let untouched = transactions.as_array().unwrap().iter().filter(|one| done(one) == json!({}));
    assert_eq!((verified.count() as u64, untouched.count() as u64), (readable, count / UNREADABLE));
}

/// The cost of an expiry follows the number due, never the size of the table. To see other sizes than these:
/// `EXPIRY_TABLE_SIZES=5000,50000,200000 cargo test -p api --test api expiry_costs -- --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "README.md's figures are made by this")]
#[expect(clippy::disallowed_methods, reason = "no configuration: which sizes to measure")]
async fn expiry_costs_one_read_unit_and_two_write_units_a_wallet() {
    // Few enough for one run on a busy machine.
    const DUE_AT_ONCE: u64 = 200;
    let sizes = std::env::var("EXPIRY_TABLE_SIZES").unwrap_or("2000,10000".to_owned());
    let mut costs = Vec::new();
    println!(
        "| wallets in the table | due | requests | write units | read units |\n|---|---|---|---|---|"
    );
    for size in sizes.split(',').map(|size| size.parse::<u64>().unwrap()) {
        let world = World::new().await;
        let engine = world.local.dynamodb().engine();
        let (size, due_now) = (engine.many(size), engine.many(DUE_AT_ONCE));
        let now = world.local.clock().now().as_millisecond();
        let due = |slot| if slot < due_now { now - DAY } else { now + 400 * DAY };
        put(world.local.dynamodb(), (0..size).map(|slot| with_card(slot, due(slot)))).await;
        // What the shards cost when nothing is due.
        let mut cost = Vec::new();
        for expected in [due_now, 0] {
            world.local.dynamodb().forget_requests();
            let tally = world.run(SCHEDULED[0]).await;
            assert_eq!(
                (tally["changed"].as_u64(), tally["failed"].as_u64()),
                (Some(expected), Some(0))
            );
            cost.push(Cost::of(&world));
        }
        let (whole, fixed) = (cost[0].clone(), cost[1].clone());
        for (due, cost) in [(due_now, &whole), (0, &fixed)] {
            let [written, read] = [cost.written, cost.read].map(shown);
            println!("| {size} | {due} | {} | {written} | {read} |", cost.requests);
        }
        assert_eq!((fixed.requests, fixed.written), (8, Some(0.0)), "a request a shard");
        assert_eq!(whole.requests, 2 * due_now + 8, "and two requests a wallet");
        let one_each = f64::from(u32::try_from(due_now).unwrap());
        assert!(whole.written.is_none_or(|units| units <= 2.0 * one_each), "{whole:?}");
        let read = whole.read.zip(fixed.read).map(|(whole, fixed)| whole - fixed);
        assert!(read.is_none_or(|units| units <= one_each + 20.0), "{whole:?} {fixed:?}");
        costs.push((whole, fixed));
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
}

fn shown(units: Option<f64>) -> String {
    units.map_or("not counted".to_owned(), |units| units.to_string())
}

/// What was asked of `DynamoDB`, and the capacity units where they are counted.
#[derive(Debug, Clone, PartialEq)]
struct Cost {
    requests: u64,
    written: Option<f64>,
    read: Option<f64>,
}

impl Cost {
    fn of(world: &World) -> Self {
        let requests = world.local.dynamodb().requests();
        let units = |written: bool| {
            let is_write = |operation: &str| operation == "PutItem" || operation == "UpdateItem";
            let counted = requests.iter().filter(|one| is_write(&one.operation) == written);
            counted.map(|one| one.capacity).sum::<Option<f64>>()
        };
        Self { requests: requests.len() as u64, written: units(true), read: units(false) }
    }
}

/// The one write of an expiry is done, and its answer is lost: once, which the SDK meets by itself, and for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_whose_answer_is_lost_is_known_for_its_own() {
    for lost in [0, 1, 3] {
        let world = World::new().await;
        let now = world.local.clock().now().as_millisecond();
        put(world.local.dynamodb(), [with_card(1, now - DAY)].into_iter()).await;
        world.local.dynamodb().lose_replies_to_writes(lost);
        let tally = world.run(SCHEDULED[0]).await;
        assert_eq!((&tally["changed"], &tally["failed"]), (&json!(1), &json!(0)), "{lost} lost");
        let audit = world.logged(SCHEDULED[0], "audit");
        let id = (1_u64 << 10) | 1;
        assert_eq!(audit.len(), 1);
        for (name, value) in [
            ("recurring_payment_id", json!(id)),
            ("before", json!("ACTIVE")),
            ("after", json!("EXPIRED")),
            ("primary_before", json!(id)),
            ("primary_after", Value::Null),
        ] {
            assert_eq!(audit[0][name], value, "{name} with {lost} lost: {audit:?}");
        }
    }
}
