//! Tests that a written payment reads back: a stored item of every state, and every payment of random scenarios.

#[path = "payment_item_fixture_tests.rs"]
mod fixtures;

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::id::{Attempt, RecurringPaymentId};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::scenario_tests::{Step, World, credit_step, step};
use crate::domain::payment::{Charge, ChargedCard, State};
use crate::error::chain;
use fixtures::{auto_sale_fixture, credit_fixtures, fixture, fixtures, notifications_fixture};

/// 2026-11-23T10:00:00.123Z
const NOW: i64 = 1_795_428_000_123;

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(NOW + milliseconds).unwrap()
}

fn attempt(index: usize) -> Attempt {
    Attempt::try_from(index).unwrap()
}

fn transaction(state: State) -> Transaction {
    Transaction {
        created_at: at(0),
        charge: Charge {
            amount: Money::new(10_050, Currency::Nok),
            recurring_payment_id: RecurringPaymentId::try_from(4711).unwrap(),
        },
        card: ChargedCard {
            payment_type: PaymentType::Visa,
            last_four: LastFour::from_masked("0004").unwrap(),
        },
        initiated_at: None,
        soft_declines: Vec::new(),
        callback_url: None,
        state,
    }
}

fn contents(transaction: Transaction) -> Contents {
    Contents {
        order: Order {
            organisation: Organisation::new(1),
            id: OrderId::try_from("DW2N19A6").unwrap(),
            version: OrderVersion::try_from(2).unwrap(),
        },
        order_hash: OrderHash([b'o'; 32]),
        owner: Owner([b'w'; 32]),
        transactions: vec![transaction],
        notifications: Vec::new(),
    }
}

/// Converts the JSON form of an attribute, as the fixtures have it. The bytes of `B` are text.
fn attribute(json: &Value) -> AttributeValue {
    let (kind, value) = json.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(text())),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(attribute).collect()),
        "M" => AttributeValue::M(attributes(value)),
        other => panic!("{other}"),
    }
}

fn attributes(json: &Value) -> HashMap<String, AttributeValue> {
    let members = json.as_object().unwrap().iter();
    members.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn number(number: i64) -> Value {
    json!({ "N": number.to_string() })
}

/// Schema 1 must remain readable after every future change. Its items are also what this version writes.
#[test]
fn a_payment_of_every_state_has_this_item_of_schema_1() {
    let write_id = u64::from_be_bytes(*b"writing1");
    let mut all = fixtures();
    all.push(auto_sale_fixture());
    all.extend(credit_fixtures());
    let all = all.into_iter().map(|(transaction, fixture)| (contents(transaction), fixture));
    for (expected, fixture) in all.chain([notifications_fixture()]) {
        let item = Payment::read(attributes(&fixture)).unwrap();
        assert_eq!(item.contents().unwrap(), expected, "{fixture}");
        let payment = Payment::new(item.id().unwrap(), expected.clone(), at(0));
        assert_eq!(*payment.contents(), expected, "time changes nothing yet: {fixture}");
        let written = PaymentItem::new(&payment, None, write_id, at(0));
        assert_eq!(Payment::write(&written).unwrap(), attributes(&fixture));
    }
}

/// An item of an unknown schema version is not read, and neither are values that no version writes.
#[test]
fn an_unknown_item_is_not_read() {
    let good = fixture(&json!({ "S": "created" }), &json!({}), None);
    let error = |change: &dyn Fn(&mut Value)| {
        let mut fixture = good.clone();
        change(&mut fixture);
        let item = Payment::read(attributes(&fixture));
        chain(&item.and_then(|item| item.contents()).unwrap_err())
    };
    let transaction = |name: &'static str, value: Value| {
        move |item: &mut Value| item["transactions"]["L"][0]["M"][name] = value.clone()
    };
    let notification = |transaction: Value, to: Option<&'static str>| {
        move |item: &mut Value| {
            let mut stored = json!({ "transaction": transaction, "event": { "S": "captured" }, "occurredAt": number(NOW) });
            if let Some(to) = to {
                stored["to"] = json!({ "S": to });
            }
            item["notifications"] = json!({ "L": [{ "M": stored }] });
        }
    };
    for (change, cause) in [
        (&(|item: &mut Value| item["schema"] = number(2)) as &dyn Fn(&mut Value), "schema 2"),
        (&|item: &mut Value| item["orderId"] = json!({ "S": "ø" }), "not an order id"),
        (&|item: &mut Value| item["orderVersion"] = number(0), "not a valid id"),
        (&|item: &mut Value| item["transactions"] = json!({ "L": [] }), "not 1 to 16 transactions"),
        (&transaction("currency", json!({ "S": "JPY" })), "not a currency"),
        (&transaction("lastFour", json!({ "S": "ABCD" })), "not four digits"),
        (&transaction("recurringPayment", number(0)), "not a valid id"),
        (&transaction("state", json!({ "S": "secret" })), "unknown variant"),
        (&transaction("callback", json!({ "S": "secret" })), "relative URL without a base"),
        (
            &notification(number(1), Some("https://shop.example/")),
            "a notification about no transaction",
        ),
        (&notification(number(16), Some("https://shop.example/")), "not a valid id"),
        (&notification(number(0), None), "no address"),
    ] {
        assert_eq!(error(change), format!("the stored payment cannot be read: {cause}"));
    }
}

/// 400 days after the last write. A payment that is kept stays kept.
#[test]
fn a_payment_is_forgotten_400_days_after_its_last_write() {
    let payment =
        Payment::new(PaymentId::from_bits(1), contents(transaction(State::Created)), at(0));
    let first = PaymentItem::new(&payment, None, 1, at(0));
    assert_eq!(first.forgotten_at, Some(NOW / 1000 + 400 * 86_400));
    let second = PaymentItem::new(&payment, Some(&first), 2, at(60_000));
    assert_eq!(second.forgotten_at, Some(NOW / 1000 + 60 + 400 * 86_400));
    let kept = second.kept(3);
    assert_eq!((kept.version, kept.forgotten_at, kept.writes.contain(3)), (3, None, true));
    let after = PaymentItem::new(&payment, Some(&kept), 4, at(0));
    assert_eq!((after.version, after.forgotten_at), (4, None));
    assert!([1, 2, 3, 4].into_iter().all(|write| after.writes.contain(write)));
}

/// Checks that a written payment reads back.
fn assert_reads_back(payment: &Payment, now: DateTime<Utc>) {
    let item = PaymentItem::new(payment, None, 1, now);
    let item = Payment::read(Payment::write(&item).unwrap()).unwrap();
    assert_eq!((item.id().unwrap(), &item.contents().unwrap()), (payment.id(), payment.contents()));
    let due_at = payment.due_at().map(|at| at.timestamp_millis());
    let shard = u8::try_from(payment.id().number() % 8).ok();
    assert_eq!((item.task_at, item.task_shard), (due_at, due_at.and(shard)));
    assert!(!payment.has_stale_index_entry(&item, now));
}

/// Checks the index entry after a write that replaces another item: it is never later than the task, and it is earlier only while
/// it is not due yet.
fn assert_entry(payment: &Payment, item: &PaymentItem, now: DateTime<Utc>) {
    let due_at = payment.due_at().map(|at| at.timestamp_millis());
    let shard = u8::try_from(payment.id().number() % 8).ok();
    assert_eq!(item.task_shard, due_at.and(shard));
    assert_eq!(item.task_at.is_some(), due_at.is_some());
    let is_early = |at: i64| now.timestamp_millis() < at && Some(at) < due_at;
    assert!(item.task_at == due_at || item.task_at.is_some_and(is_early), "{:?}", item.task_at);
    assert!(!payment.has_stale_index_entry(item, now));
}

fn assert_scenario_reads_back(mut world: World, steps: &[Step]) {
    let mut item: Option<PaymentItem> = None;
    for step in steps {
        world.step(step);
        assert_reads_back(&world.payment, world.now);
        let next = PaymentItem::new(&world.payment, item.as_ref(), 1, world.now);
        assert_entry(&world.payment, &next, world.now);
        item = Some(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_payment_reads_back_after_random_scenarios(steps in prop::collection::vec(step(), 1..60)) {
        assert_scenario_reads_back(World::new(), &steps);
    }

    #[test]
    fn a_captured_payment_reads_back_after_random_credits(steps in prop::collection::vec(credit_step(), 1..50)) {
        assert_scenario_reads_back(World::paid(), &steps);
    }
}
