//! Tests that a written payment reads back: a stored item of every state, and every payment of random scenarios. Tests the size of
//! an item.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::id::{Attempt, RecurringPaymentId};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::scenario_tests::{World, step};
use crate::domain::payment::{
    Annulment, Captured, Charge, ChargedCard, Chosen, Initiated, Initiator, Reconciliation,
    Registration, RegistrationOutcome, Schedule, State,
};
use crate::error::{CancelReason, Decline, chain};
use crate::storage::size;

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

/// The fixture of a stored payment with one transaction. `entry` is `taskAt`.
fn fixture(state: &Value, more: &Value, entry: Option<i64>) -> Value {
    let mut transaction = json!({
        "createdAt": number(NOW), "amount": { "N": "10050" }, "currency": { "S": "NOK" },
        "recurringPayment": { "N": "4711" }, "cardType": { "S": "VISA" }, "lastFour": { "S": "0004" },
        "state": state,
    });
    let members = more.as_object().unwrap().clone();
    transaction.as_object_mut().unwrap().extend(members);
    let mut item = json!({
        "schema": { "N": "1" }, "payment": { "N": "7171" }, "version": { "N": "1" }, "writes": { "B": "writing1" },
        "forgottenAt": { "N": "1829988000" }, "organisation": { "N": "1" }, "orderId": { "S": "DW2N19A6" },
        "orderVersion": { "N": "2" }, "orderHash": { "B": "o".repeat(32) }, "owner": { "B": "w".repeat(32) },
        "transactions": { "L": [{ "M": transaction }] },
    });
    if let Some(entry) = entry {
        item["taskShard"] = json!({ "N": "3" });
        item["taskAt"] = number(entry);
    }
    item
}

/// The outcome, its name in an item, and the same for the other enums.
const OUTCOMES: [(RegistrationOutcome, &str); 5] = [
    (RegistrationOutcome::Open, "open"),
    (RegistrationOutcome::NeverRegistered, "neverRegistered"),
    (RegistrationOutcome::Cancelled, "cancelled"),
    (RegistrationOutcome::AuthenticationRequired, "authenticationRequired"),
    (RegistrationOutcome::Annulled, "annulled"),
];
const DECLINES: [(Decline, &str); 3] = [
    (Decline::AuthenticationRequired, "authenticationRequired"),
    (Decline::Soft, "soft"),
    (Decline::Hard, "hard"),
];
const REASONS: [(CancelReason, &str); 7] = [
    (CancelReason::Requested, "requested"),
    (CancelReason::AtTerminal, "atTerminal"),
    (CancelReason::TimedOut, "timedOut"),
    (CancelReason::HoldEnded, "holdEnded"),
    (CancelReason::AnnulledAtNets, "annulledAtNets"),
    (CancelReason::CardNotActive, "cardNotActive"),
    (CancelReason::AmountDiffers, "amountDiffers"),
];

fn annulment(reconcile_at: Option<i64>) -> (Annulment, Value) {
    let annulment = Annulment {
        registrations: vec![attempt(2), attempt(0)],
        unconfirmed: reconcile_at.map(|_| attempt(2)),
        schedule: Schedule { since: at(5), reconcile_at: reconcile_at.map(at) },
    };
    let mut stored =
        json!({ "registrations": { "L": [{ "N": "2" }, { "N": "0" }] }, "since": number(NOW + 5) });
    if let Some(reconcile_at) = reconcile_at {
        stored["unconfirmed"] = json!({ "N": "2" });
        stored["reconcileAt"] = number(NOW + reconcile_at);
    }
    (annulment, json!({ "M": stored }))
}

/// A transaction, and its fixture.
type Fixture = (Transaction, Value);

fn initiated_fixtures() -> Vec<Fixture> {
    let registrations = OUTCOMES.iter().enumerate().map(|(index, (outcome, name))| {
        let (initiator, by) = if index == 0 {
            (Initiator::Merchant, "merchant")
        } else {
            (Initiator::Customer, "customer")
        };
        let auth_requested = index == 0;
        let mut stored =
            json!({ "at": number(NOW + 1), "by": { "S": by }, "outcome": { "S": name } });
        if auth_requested {
            stored["authRequested"] = json!({ "BOOL": true });
        }
        let registration =
            Registration { opened_at: at(1), initiator, auth_requested, outcome: *outcome };
        (registration, json!({ "M": stored }))
    });
    let (registrations, stored): (Vec<_>, Vec<_>) = registrations.unzip();
    let schedule = Schedule { since: at(1), reconcile_at: Some(at(60_001)) };
    let initiated = |chosen, schedule| Transaction {
        initiated_at: Some(at(1)),
        soft_declines: vec![at(2), at(3)],
        ..transaction(State::Initiated(Initiated {
            registrations: registrations.clone(),
            chosen,
            schedule,
        }))
    };
    let more = json!({ "initiatedAt": number(NOW + 1), "softDeclines": { "L": [number(NOW + 2), number(NOW + 3)] } });
    let state = |more: Value| {
        let mut state = json!({ "registrations": { "L": stored }, "since": number(NOW + 1) });
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "M": { "initiated": { "M": state } } })
    };
    let chosen = |is_shared, decline, hold_until| {
        Some(Chosen { registration: attempt(0), at: at(4), is_shared, decline, hold_until })
    };
    let stored_chosen = |more: Value| {
        let mut chosen = json!({ "registration": { "N": "0" }, "at": number(NOW + 4) });
        chosen.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "reconcileAt": number(NOW + 60_001), "chosen": { "M": chosen } })
    };
    let hour = 3_600_000;
    let mut fixtures = vec![
        (
            initiated(None, Schedule { reconcile_at: None, ..schedule }),
            fixture(&state(json!({})), &more, None),
        ),
        (
            initiated(chosen(false, None, None), schedule),
            fixture(&state(stored_chosen(json!({}))), &more, Some(NOW + 60_001)),
        ),
        (
            initiated(chosen(false, None, Some(at(hour))), schedule),
            fixture(
                &state(stored_chosen(json!({ "holdUntil": number(NOW + hour) }))),
                &more,
                Some(NOW + 60_001),
            ),
        ),
    ];
    fixtures.extend(DECLINES.map(|(decline, name)| {
        let stored = json!({ "isShared": { "BOOL": true }, "decline": { "S": name } });
        let fixture = fixture(&state(stored_chosen(stored)), &more, Some(NOW + 60_001));
        (initiated(chosen(true, Some(decline), None), schedule), fixture)
    }));
    fixtures
}

fn fixtures() -> Vec<Fixture> {
    let none = json!({});
    let (annulment, stored_annulment) = annulment(Some(70_000));
    let (done, stored_done) = self::annulment(None);
    let captured = |credited_minor, annulment: Option<&Annulment>| Captured {
        registration: attempt(1),
        at: at(9),
        captured_minor: 10_050,
        credited_minor,
        credited_at: (credited_minor > 0).then(|| at(10)),
        annulment: annulment.cloned(),
    };
    let stored = |name: &str, more: Value| {
        let mut captured = json!({ "registration": { "N": "1" }, "at": number(NOW + 9), "captured": { "N": "10050" } });
        captured.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "M": { name: { "M": captured } } })
    };
    let mut fixtures = initiated_fixtures();
    fixtures.extend([
        (transaction(State::Created), fixture(&json!({ "S": "created" }), &none, None)),
        (
            transaction(State::Captured(captured(0, None))),
            fixture(&stored("captured", json!({})), &none, None),
        ),
        (
            transaction(State::Captured(captured(50, Some(&annulment)))),
            fixture(
                &stored("captured", json!({ "credited": { "N": "50" }, "creditedAt": number(NOW + 10), "annulment": stored_annulment })),
                &none,
                Some(NOW + 70_000),
            ),
        ),
        (
            transaction(State::Credited(captured(10_050, Some(&done)))),
            fixture(
                &stored("credited", json!({ "credited": { "N": "10050" }, "creditedAt": number(NOW + 10), "annulment": stored_done })),
                &none,
                None,
            ),
        ),
    ]);
    fixtures.extend(DECLINES.map(|(decline, name)| {
        let state = State::Rejected { at: at(5), decline, annulment: Some(annulment.clone()) };
        let stored = json!({ "at": number(NOW + 5), "decline": { "S": name }, "annulment": stored_annulment });
        let stored = json!({ "M": { "rejected": { "M": stored } } });
        (transaction(state), fixture(&stored, &none, Some(NOW + 70_000)))
    }));
    fixtures.extend(REASONS.map(|(reason, name)| {
        let state = State::Cancelled { at: at(5), reason, annulment: None };
        let stored = json!({ "M": { "cancelled": { "M": { "at": number(NOW + 5), "reason": { "S": name } } } } });
        (transaction(state), fixture(&stored, &none, None))
    }));
    fixtures
}

/// Schema 1 must remain readable after every future change. Its items are also what this version writes.
#[test]
fn a_payment_of_every_state_has_this_item_of_schema_1() {
    let write_id = u64::from_be_bytes(*b"writing1");
    for (transaction, fixture) in fixtures() {
        let expected = contents(transaction);
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
    for (change, cause) in [
        (&(|item: &mut Value| item["schema"] = number(2)) as &dyn Fn(&mut Value), "schema 2"),
        (&|item: &mut Value| item["orderId"] = json!({ "S": "ø" }), "not an order id"),
        (&|item: &mut Value| item["orderVersion"] = number(0), "not a valid id"),
        (&|item: &mut Value| item["transactions"] = json!({ "L": [] }), "not 1 to 16 transactions"),
        (&transaction("currency", json!({ "S": "JPY" })), "not a currency"),
        (&transaction("lastFour", json!({ "S": "ABCD" })), "not four digits"),
        (&transaction("recurringPayment", number(0)), "not a valid id"),
        (&transaction("state", json!({ "S": "secret" })), "unknown variant"),
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

/// The largest id of a payment and of a recurring payment, a UUID as order id, and four writes: create, terminal, choose, capture.
/// One write unit is for 1 KB, so two transactions still cost one.
#[test]
fn a_captured_payment_is_smaller_than_half_a_kilobyte() {
    let charge = Charge {
        amount: Money::new(123_456, Currency::Nok),
        recurring_payment_id: RecurringPaymentId::try_from((1 << 49) - 1).unwrap(),
    };
    let card = ChargedCard {
        payment_type: PaymentType::Mastercard,
        last_four: LastFour::from_masked("0004").unwrap(),
    };
    let order = Order {
        organisation: Organisation::new(123),
        id: OrderId::try_from("0643eeff-83a1-467f-85a5-77cac32c36ed").unwrap(),
        version: OrderVersion::try_from(1).unwrap(),
    };
    let id = PaymentId::from_bits(u64::MAX);
    let order = (order, OrderHash([1; 32]));
    let mut payment = Payment::create(id, order, Owner([7; 32]), charge, card, at(0));
    let mut sizes = Vec::new();
    let mut item = None;
    let mut write = |payment: &Payment| {
        let next = PaymentItem::new(payment, item.as_ref(), u64::MAX, at(0));
        sizes.push(size::item_size(&Payment::write(&next).unwrap()));
        item = Some(next);
    };
    write(&payment);
    let transaction = payment.history().next().unwrap().0;
    let opened = payment.open_terminal(transaction, Initiator::Customer).unwrap();
    write(&payment);
    payment.choose(opened.id).unwrap();
    write(&payment);
    let captured = Reconciliation::Captured { captured: charge.amount, credited_minor: 0 };
    payment.apply(opened.id, captured, TimeDelta::hours(24)).unwrap();
    write(&payment);
    assert!(sizes[3] <= 512 && sizes.iter().all(|size| *size <= 700), "{sizes:?}");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_payment_reads_back_after_random_scenarios(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut item: Option<PaymentItem> = None;
        for step in &steps {
            world.step(step);
            assert_reads_back(&world.payment, world.now);
            let next = PaymentItem::new(&world.payment, item.as_ref(), 1, world.now);
            assert_entry(&world.payment, &next, world.now);
            item = Some(next);
        }
    }
}
