//! The schedules with many due wallets: concurrent runs change each wallet once, and the cost depends only on the number of due
//! wallets.

use std::collections::BTreeMap;

use local::dynamodb::Dynamodb;
use serde_json::{Value, json};

use crate::{SCHEDULED, Size, TestApi, VISA};

/// Number of due wallets.
const DUE: Size = Size { usual: 250, full: 2_000 };
/// One wallet in this many cannot be read.
const UNREADABLE: u64 = 25;
/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Writes items to the table in batches of 25.
async fn put(dynamodb: &Dynamodb, items: impl Iterator<Item = Value>) {
    let puts: Vec<_> = items.map(|item| json!({ "PutRequest": { "Item": item } })).collect();
    for puts in puts.chunks(25) {
        let request = json!({ "RequestItems": { "Wallets": puts } });
        let response = dynamodb.call("BatchWriteItem", &request).await.unwrap();
        assert_eq!(response["UnprocessedItems"], json!({}));
    }
}

/// Returns the item of a wallet with one recurring payment and `extra` attributes.
fn item(slot: u64, state: &Value, extra: &[(&str, Value)]) -> Value {
    let number = |number: u64| json!({ "N": number.to_string() });
    let mut item = json!({
        "schema": number(1), "slot": number(slot), "organisation": number(1), "version": number(1),
        "owner": { "B": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" }, "writes": { "B": "AAAAAAAAAAE=" },
        "lastSequence": number(1), "choices": { "L": [] },
        "payments": { "L": [{ "M": { "sequence": number(1), "createdAt": number(1), "state": { "M": state } } }] },
    });
    for (name, value) in extra {
        item[name] = value.clone();
    }
    item
}

/// Returns the attributes of an index entry.
fn index_entry(kind: &str, slot: u64, at: i64) -> [(String, Value); 2] {
    [
        (format!("{kind}Shard"), json!({ "N": (slot % 8).to_string() })),
        (format!("{kind}At"), json!({ "N": at.to_string() })),
    ]
}

/// Returns a wallet with a card.
fn wallet_with_card(slot: u64, expires_at: i64) -> Value {
    let card = json!({ "M": {
        "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2029-03" },
        "activatedAt": { "N": "1" }, "expiresAt": { "N": expires_at.to_string() },
    }});
    let pan_hash = json!({ "S": "q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=" });
    let [shard, at] = index_entry("expiry", slot, expires_at);
    let extra = [(&*shard.0, shard.1), (&*at.0, at.1)];
    item(slot, &json!({ "active": { "M": { "card": card, "panHash": pan_hash } } }), &extra)
}

/// Returns a wallet with an open terminal session, which is reconciled a minute after `opened_at`.
fn wallet_with_session(slot: u64, opened_at: i64) -> Value {
    let session = json!({ "M": {
        "openedAt": { "N": opened_at.to_string() }, "outcome": { "S": "open" }, "reconcileAt": { "N": (opened_at + 60_000).to_string() },
    }});
    let state = json!({ "created": { "M": { "terminals": { "L": [session] } } } });
    let ([task_shard, task_at], [shard, at]) = (
        index_entry("task", slot, opened_at + 60_000),
        index_entry("expiry", slot, opened_at + DAY),
    );
    let extra = [
        (&*task_shard.0, task_shard.1),
        (&*task_at.0, task_at.1),
        (&*shard.0, shard.1),
        (&*at.0, at.1),
    ];
    item(slot, &state, &extra)
}

/// Makes an item unreadable.
fn unreadable(slot: u64, item: Value) -> Value {
    let mut item = item;
    item["payments"] = json!({ "S": format!("invalid {slot}") });
    item
}

/// Makes one of `UNREADABLE` items unreadable.
fn sometimes_unreadable(slot: u64, item: Value) -> Value {
    if slot.is_multiple_of(UNREADABLE) { unreadable(slot, item) } else { item }
}

/// Runs a schedule four times at once, until a round changes nothing. Checks that only unreadable wallets failed. Returns the
/// number of changed wallets.
async fn run_four_at_once(api: &TestApi, function: &str) -> u64 {
    let run = || api.run_schedule(function);
    let mut changed = 0;
    loop {
        let (one, two, three, four) = tokio::join!(run(), run(), run(), run());
        let runs = [one, two, three, four];
        let done = runs.iter().map(|summary| summary["changed"].as_u64().unwrap()).sum::<u64>();
        changed += done;
        assert!(runs.iter().all(|summary| summary["unclear"] == 0), "{runs:?}");
        if done == 0 {
            break;
        }
    }
    let failed = api.log_lines(function, "the tasks of a wallet failed");
    assert!(!failed.is_empty());
    for line in failed {
        assert!(line["slot"].as_u64().unwrap().is_multiple_of(UNREADABLE), "{line}");
    }
    changed
}

/// Counts the wallets of the table by the state of their recurring payment.
async fn count_states(api: &TestApi) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    let mut start = Value::Null;
    loop {
        let mut scan = json!({ "TableName": "Wallets" });
        if start != Value::Null {
            scan["ExclusiveStartKey"] = start;
        }
        let page = api.local.dynamodb().call("Scan", &scan).await.unwrap();
        for item in page["Items"].as_array().unwrap() {
            let state = item["payments"]["L"][0]["M"]["state"]["M"].as_object();
            let state =
                state.map_or("unreadable", |state| state.keys().next().map_or("none", |name| name));
            let state = state.to_owned();
            *states.entry(state).or_default() += 1;
        }
        start = page["LastEvaluatedKey"].clone();
        if start == Value::Null {
            return states;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_concurrent_runs_expire_each_wallet_once() {
    let api = TestApi::new().await;
    let count = api.local.dynamodb().engine().scale(DUE.get());
    let now = api.local.clock().now().as_millisecond();
    put(
        api.local.dynamodb(),
        (0..count).map(|slot| sometimes_unreadable(slot, wallet_with_card(slot, now - DAY))),
    )
    .await;
    let readable = count - count / UNREADABLE;
    assert_eq!(run_four_at_once(&api, SCHEDULED[0]).await, readable);
    let expected =
        [("expired".to_owned(), readable), ("unreadable".to_owned(), count / UNREADABLE)];
    assert_eq!(count_states(&api).await, expected.into());
    assert_eq!(api.log_lines(SCHEDULED[0], "audit").len() as u64, readable);
    let again = api.run_schedule(SCHEDULED[0]).await;
    assert_eq!(
        (again["due"].as_u64(), again["changed"].as_u64()),
        (Some(count / UNREADABLE), Some(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_concurrent_runs_verify_each_card_once() {
    let api = TestApi::new().await;
    let count = api.local.dynamodb().engine().scale(DUE.get());
    let opened_at = api.local.clock().now().as_millisecond() - 120_000;
    put(
        api.local.dynamodb(),
        (0..count).map(|slot| sometimes_unreadable(slot, wallet_with_session(slot, opened_at))),
    )
    .await;
    let nets = &api.local.addresses().netaxept;
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
                api.http.post(format!("{nets}/Netaxept/Register.aspx")).form(&form).send().await;
            assert!(registered.unwrap().text().await.unwrap().contains("RegisterResponse"));
            let merchant = local::netaxept::MERCHANT_ID;
            api.submit_card(
                &format!("{nets}/Terminal/default.aspx?merchantId={merchant}&transactionId={id}"),
                VISA,
                "okButton",
            )
            .await;
        });
        futures_util::future::join_all(cards).await;
    }
    let readable = count - count / UNREADABLE;
    assert_eq!(run_four_at_once(&api, SCHEDULED[1]).await, readable);
    let expected = [("active".to_owned(), readable), ("unreadable".to_owned(), count / UNREADABLE)];
    assert_eq!(count_states(&api).await, expected.into());
    let transactions = api.local.netaxept().transactions();
    let done = |one: &Value| one["transaction"]["done"].clone();
    let verified =
        transactions.as_array().unwrap().iter().filter(|one| done(one) == json!({ "VERIFY": 1 }));
    let untouched = transactions.as_array().unwrap().iter().filter(|one| done(one) == json!({}));
    assert_eq!((verified.count() as u64, untouched.count() as u64), (readable, count / UNREADABLE));
}

/// The cost of the expiry depends on the number of due wallets, not on the size of the table. To use other sizes:
/// `EXPIRY_TABLE_SIZES=5000,50000,200000 cargo test -p api --test api expiry_costs -- --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "prints the figures of docs/OPERATIONS.md")]
#[expect(
    clippy::disallowed_methods,
    reason = "EXPIRY_TABLE_SIZES sets the sizes of the test, not a configuration"
)]
async fn expiry_costs_one_read_unit_and_two_write_units_a_wallet() {
    // One run can expire this number even on a busy machine.
    const DUE_AT_ONCE: u64 = 200;
    const LARGEST_TABLE: Size = Size { usual: 1_250, full: 10_000 };
    let sizes = std::env::var("EXPIRY_TABLE_SIZES").unwrap_or_else(|_| {
        let largest = LARGEST_TABLE.get();
        format!("{},{largest}", largest / 5)
    });
    let mut costs = Vec::new();
    println!(
        "| wallets in the table | due | requests | write units | read units |\n|---|---|---|---|---|"
    );
    for size in sizes.split(',').map(|size| size.parse::<u64>().unwrap()) {
        let api = TestApi::new().await;
        let engine = api.local.dynamodb().engine();
        let (size, due_now) = (engine.scale(size), engine.scale(DUE_AT_ONCE));
        let now = api.local.clock().now().as_millisecond();
        let due = |slot| if slot < due_now { now - DAY } else { now + 400 * DAY };
        put(api.local.dynamodb(), (0..size).map(|slot| wallet_with_card(slot, due(slot)))).await;
        // The second run measures the fixed cost of the shards.
        let mut cost = Vec::new();
        for expected in [due_now, 0] {
            api.local.dynamodb().clear_requests();
            let summary = api.run_schedule(SCHEDULED[0]).await;
            assert_eq!(
                (summary["changed"].as_u64(), summary["failed"].as_u64()),
                (Some(expected), Some(0))
            );
            cost.push(Cost::measure(&api));
        }
        let (whole, fixed) = (cost[0].clone(), cost[1].clone());
        for (due, cost) in [(due_now, &whole), (0, &fixed)] {
            let [written, read] = [cost.written, cost.read].map(display_units);
            println!("| {size} | {due} | {} | {written} | {read} |", cost.requests);
        }
        assert_eq!((fixed.requests, fixed.written), (8, Some(0.0)), "one request for each shard");
        assert_eq!(whole.requests, 2 * due_now + 8, "and two requests for each due wallet");
        let one_each = f64::from(u32::try_from(due_now).unwrap());
        assert!(whole.written.is_none_or(|units| units <= 2.0 * one_each), "{whole:?}");
        let read = whole.read.zip(fixed.read).map(|(whole, fixed)| whole - fixed);
        assert!(read.is_none_or(|units| units <= one_each + 20.0), "{whole:?} {fixed:?}");
        costs.push((whole, fixed));
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
}

fn display_units(units: Option<f64>) -> String {
    units.map_or("not counted".to_owned(), |units| units.to_string())
}

/// Requests to `DynamoDB`, and their capacity units if the engine counts them.
#[derive(Debug, Clone, PartialEq)]
struct Cost {
    requests: u64,
    written: Option<f64>,
    read: Option<f64>,
}

impl Cost {
    fn measure(api: &TestApi) -> Self {
        let requests = api.local.dynamodb().requests();
        let units = |written: bool| {
            let is_write = |operation: &str| operation == "PutItem" || operation == "UpdateItem";
            let counted = requests.iter().filter(|one| is_write(&one.operation) == written);
            counted.map(|one| one.capacity).sum::<Option<f64>>()
        };
        Self { requests: requests.len() as u64, written: units(true), read: units(false) }
    }
}

/// The response to the write of an expiry is lost: once, so that the SDK's retry succeeds, or for all retries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_with_a_lost_response_is_recognised_as_written() {
    for lost in [0, 1, 3] {
        let api = TestApi::new().await;
        let now = api.local.clock().now().as_millisecond();
        put(api.local.dynamodb(), [wallet_with_card(1, now - DAY)].into_iter()).await;
        api.local.dynamodb().lose_replies_to_writes(lost);
        let summary = api.run_schedule(SCHEDULED[0]).await;
        assert_eq!(
            (&summary["changed"], &summary["failed"]),
            (&json!(1), &json!(0)),
            "{lost} lost"
        );
        let audit = api.log_lines(SCHEDULED[0], "audit");
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
