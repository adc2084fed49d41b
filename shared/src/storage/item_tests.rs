//! Tests that a written wallet reads back, after random steps, and that errors do not quote stored values.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{Months, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Slot, TransactionId};
use crate::domain::terminal::{CloseReason, IdempotencyRecord, Reconciliation};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::domain::wallet::{LifecycleRules, NewRecurringPayment};
use crate::error::{Decline, Refusal, chain};
use crate::secret::Secret;

fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

fn wallet() -> Wallet {
    Wallet::empty(Slot::new(4_711), Organisation::new(1), Owner([7; 32]), start())
}

/// A card that expires at the end of the month that is `months` after `now`.
fn card(now: DateTime<Utc>, months: u32) -> VerifiedCard {
    let month: CardExpiry =
        (now + Months::new(months)).format("%Y-%m").to_string().parse().unwrap();
    let last_four = LastFour::from_masked("0004").unwrap();
    let card = Card { payment_type: PaymentType::Visa, last_four, expiry: month };
    VerifiedCard { card, pan_hash: Secret::new(format!("hash until {month}")) }
}

fn new(key: Option<u8>) -> NewRecurringPayment {
    let nickname = key.map(|key| Nickname::try_from(format!("Kort {key}").as_str()).unwrap());
    let primary = key.is_some_and(|key| key % 2 == 0);
    NewRecurringPayment { nickname, primary, idempotency: key.map(|key| ([key; 16], [1; 16])) }
}

/// Checks that a written wallet reads back.
fn assert_reads_back(wallet: &Wallet, now: DateTime<Utc>) {
    let item = Item::new(wallet, None, 1);
    let item = Item::read(item.write().unwrap()).unwrap();
    let terminals_opened_at = wallet.terminals_opened_within_hour().collect();
    let before = Contents { terminals_opened_at, ..wallet.contents().clone() };
    assert_eq!(item.contents().unwrap(), before);
    let due = wallet.due();
    let shard = u8::try_from(wallet.slot().number() % 8).ok();
    for (entry, at) in [
        ((item.expiry_shard, item.expiry_at), due.expiry),
        ((item.task_shard, item.task_at), due.task),
    ] {
        assert_eq!(entry, (at.and(shard), at.map(|at| at.timestamp_millis())));
    }
    assert!(!item.has_stale_index_entry(wallet, now));
}

#[derive(Debug, Clone)]
enum Step {
    Create(Option<u8>),
    Activate(usize, u32),
    Open(usize, Option<u8>),
    ApplyReconciliation(usize, Reconciliation),
    End(usize),
    BeginDeliveryAttempts,
    /// Minutes.
    Wait(i64),
    /// Waits until the next expiry.
    WaitForExpiry,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..20;
    let reconciliation = prop_oneof![
        Just(Reconciliation::Card(card(start(), 20))),
        Just(Reconciliation::Closed(CloseReason::NeverRegistered)),
        Just(Reconciliation::Closed(CloseReason::Cancelled)),
        Just(Reconciliation::Closed(CloseReason::Declined(Decline::Hard))),
        Just(Reconciliation::Closed(CloseReason::CardExpired)),
        Just(Reconciliation::Pending),
        Just(Reconciliation::Unclear),
    ];
    let minutes = prop_oneof![0..10_i64, 0..2_000_i64, 0..500_000_i64];
    prop_oneof![
        4 => prop::option::of(0..9_u8).prop_map(Step::Create),
        3 => (which.clone(), 0..9_u32).prop_map(|(which, months)| Step::Activate(which, months)),
        3 => (which.clone(), prop::option::of(0..9_u8)).prop_map(|(which, key)| Step::Open(which, key)),
        3 => (which.clone(), reconciliation).prop_map(|(which, reconciliation)| Step::ApplyReconciliation(which, reconciliation)),
        1 => which.prop_map(Step::End),
        1 => Just(Step::BeginDeliveryAttempts),
        2 => minutes.prop_map(Step::Wait),
        2 => Just(Step::WaitForExpiry),
    ]
}

fn id(wallet: &Wallet, index: usize) -> RecurringPaymentId {
    let payments = &wallet.contents().payments;
    let payment = payments.get(index % payments.len().max(1));
    let sequence = payment.map_or(Sequence::NONE, |payment| payment.sequence);
    RecurringPaymentId::new(wallet.slot(), sequence)
}

fn run_step(wallet: &mut Wallet, now: &mut DateTime<Utc>, step: Step) -> Result<(), Refusal> {
    match step {
        Step::Create(key) => wallet.create(new(key)).map(drop),
        Step::Activate(which, months) => {
            let session = TransactionId::new(id(wallet, which), Attempt::try_from(0).unwrap());
            wallet.activate(session, card(*now, months), Months::new(36)).map(drop)
        }
        Step::Open(which, key) => {
            let callback = key.map(|_| CallbackUrl::try_from("https://shop.example/hook").unwrap());
            let idempotency = key.map(|key| IdempotencyRecord { key: [key; 16], request: [2; 16] });
            wallet
                .open_terminal(id(wallet, which), callback, idempotency, which % 2 == 1)
                .map(|_| ())
        }
        Step::ApplyReconciliation(which, reconciliation) => {
            let later = wallet.clone().at(*now + TimeDelta::hours(24));
            let session = later.due_sessions().get(which % 4).copied();
            session.map_or(Ok(()), |session| {
                wallet.apply_reconciliation(&session, &reconciliation, Months::new(36))
            })
        }
        Step::End(which) => wallet.end(id(wallet, which)).map(drop),
        Step::BeginDeliveryAttempts => {
            wallet.begin_delivery_attempts(None);
            Ok(())
        }
        Step::Wait(minutes) => {
            *now += TimeDelta::minutes(minutes);
            Ok(())
        }
        Step::WaitForExpiry => {
            *now = wallet.due().expiry.unwrap_or(*now);
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wallet_reads_back_after_random_steps(steps in prop::collection::vec(step(), 1..40)) {
        let address = CallbackUrl::try_from("https://shop.example/events").unwrap();
        let rules = LifecycleRules { notice: TimeDelta::days(30), address };
        for rules in [None, Some(Arc::new(rules))] {
            let (mut wallet, mut now) = (wallet().with_lifecycle_rules(rules), start());
            for step in steps.clone() {
                // A refused step changes nothing.
                run_step(&mut wallet, &mut now, step).unwrap_or_default();
                wallet = wallet.at(now);
                assert_reads_back(&wallet, now);
            }
        }
    }
}

/// The stored form of what a customer allowed: the attribute `mit` of the session, later of the card. Absent means false.
#[test]
fn what_a_customer_allowed_is_stored_with_the_session_and_then_with_the_card() {
    for allows in [false, true] {
        let mut wallet = wallet();
        let id = wallet.create(new(None)).unwrap().id;
        let session = wallet.open_terminal(id, None, None, allows).unwrap().session;
        let with_mit = |wallet: &Wallet| {
            let item = serde_json::to_string(&Item::new(wallet, None, 1)).unwrap();
            (item.contains("\"mit\":true"), item.contains("\"mit\""))
        };
        assert_eq!(with_mit(&wallet), (allows, allows));
        let card = Reconciliation::Card(card(start(), 20));
        wallet.apply_reconciliation(&session, &card, Months::new(36)).unwrap();
        assert_eq!(wallet.stored_card(id).unwrap().unwrap().allows_merchant_initiated, allows);
        assert_eq!(with_mit(&wallet), (allows, allows));
        assert_reads_back(&wallet, start());
        wallet.end(id).unwrap();
        assert_eq!(with_mit(&wallet), (allows, allows));
    }
}

/// A stored value can be a pan hash.
#[test]
fn an_error_does_not_quote_stored_values() {
    for (message, kept) in [
        ("missing field `payments`", "missing field `payments`"),
        ("invalid type: string \"a hash\", expected u16", "invalid type: string"),
        ("unknown variant `a hash`, expected `created`", "unknown variant"),
        ("invalid length 3, expected 16", "invalid length 3, expected 16"),
        ("", ""),
    ] {
        assert_eq!(error_kind(message), kept);
    }
    let map = |members: &[(&str, AttributeValue)]| {
        let members = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        AttributeValue::M(members.collect())
    };
    let one = AttributeValue::N("1".to_owned());
    let state = map(&[("a hash", map(&[]))]);
    let payment = map(&[("sequence", one.clone()), ("createdAt", one), ("state", state)]);
    let mut attributes = Item::new(&wallet(), None, 1).write().unwrap();
    attributes.insert("payments".to_owned(), AttributeValue::L(vec![payment]));
    let error = |attributes| chain(&Item::read(attributes).err().unwrap());
    let expected = "the stored wallet cannot be read: unknown variant";
    assert_eq!(error(attributes.clone()), expected);
    attributes.remove("payments");
    let expected = "the stored wallet cannot be read: missing field `payments`";
    assert_eq!(error(attributes), expected);
}

/// Each write increments the version, and adds its id.
#[test]
fn a_write_increments_the_version_and_adds_its_id() {
    let mut item: Option<Item> = None;
    for write in 1..=20_u64 {
        let next = Item::new(&wallet(), item.as_ref(), write);
        assert_eq!(next.version(), write);
        assert!(next.writes.contain(write) && !next.writes.contain(write + 1), "{write}");
        assert!(write == 1 || next.writes.contain(write - 1), "{write}");
        item = Some(next);
    }
}
