//! What is written is what is read, at every instant of every life; and what is said of what cannot be read.

use chrono::{Months, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Slot, TransactionId};
use crate::domain::terminal::{Asked, Closing, Finding};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::domain::wallet::NewRecurringPayment;
use crate::error::{Decline, Refusal, chain};
use crate::secret::Secret;

fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

fn wallet() -> Wallet {
    Wallet::empty(Slot::new(4_711), Organisation::new(1), Owner([7; 32]), start())
}

/// A card that is good to the end of so many months from then.
fn card(now: DateTime<Utc>, months: u32) -> VerifiedCard {
    let month: CardExpiry =
        (now + Months::new(months)).format("%Y-%m").to_string().parse().unwrap();
    let last_four = LastFour::of_masked("0004").unwrap();
    let card = Card { payment_type: PaymentType::Visa, last_four, expiry: month };
    VerifiedCard { card, pan_hash: Secret::new(format!("hash until {month}")) }
}

fn new(key: Option<u8>) -> NewRecurringPayment {
    let nickname = key.map(|key| Nickname::try_from(format!("Kort {key}").as_str()).unwrap());
    let primary = key.is_some_and(|key| key % 2 == 0);
    NewRecurringPayment { nickname, primary, idempotency: key.map(|key| ([key; 16], [1; 16])) }
}

/// What was written is read again.
fn comes_back(wallet: &Wallet, now: DateTime<Utc>) {
    let item = Item::new(wallet, None, 1);
    let item = Item::read(item.write().unwrap()).unwrap();
    let opened = wallet.opened_lately().collect();
    let before = Contents { opened, ..wallet.contents().clone() };
    assert_eq!(item.contents().unwrap(), before);
    let due = wallet.due();
    let shard = u8::try_from(wallet.slot().number() % 8).ok();
    for (entry, at) in [
        ((item.expiry_shard, item.expiry_at), due.expiry),
        ((item.chore_shard, item.chore_at), due.chore),
    ] {
        assert_eq!(entry, (at.and(shard), at.map(|at| at.timestamp_millis())));
    }
    assert!(!item.misleads(wallet, now));
}

#[derive(Debug, Clone)]
enum Step {
    Create(Option<u8>),
    Activate(usize, u32),
    Open(usize, Option<u8>),
    Conclude(usize, Finding),
    End(usize),
    Tell,
    Wait(i64),
    /// To the next instant at which time changes something.
    WaitForExpiry,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..20;
    let finding = prop_oneof![
        Just(Finding::Card(card(start(), 20))),
        Just(Finding::Closed(Closing::NeverRegistered)),
        Just(Finding::Closed(Closing::Cancelled)),
        Just(Finding::Closed(Closing::Declined(Decline::Hard))),
        Just(Finding::Closed(Closing::CardExpired)),
        Just(Finding::Waiting),
        Just(Finding::Unclear),
    ];
    let minutes = prop_oneof![0..10_i64, 0..2_000_i64, 0..500_000_i64];
    prop_oneof![
        4 => prop::option::of(0..9_u8).prop_map(Step::Create),
        3 => (which.clone(), 0..9_u32).prop_map(|(which, months)| Step::Activate(which, months)),
        3 => (which.clone(), prop::option::of(0..9_u8)).prop_map(|(which, key)| Step::Open(which, key)),
        3 => (which.clone(), finding).prop_map(|(which, finding)| Step::Conclude(which, finding)),
        1 => which.prop_map(Step::End),
        1 => Just(Step::Tell),
        2 => minutes.prop_map(Step::Wait),
        2 => Just(Step::WaitForExpiry),
    ]
}

fn id(wallet: &Wallet, which: usize) -> RecurringPaymentId {
    let payments = &wallet.contents().payments;
    let payment = payments.get(which % payments.len().max(1));
    let sequence = payment.map_or(Sequence::NONE, |payment| payment.sequence);
    RecurringPaymentId::new(wallet.slot(), sequence)
}

fn take(wallet: &mut Wallet, now: &mut DateTime<Utc>, step: Step) -> Result<(), Refusal> {
    match step {
        Step::Create(key) => wallet.create(new(key)).map(drop),
        Step::Activate(which, months) => {
            let visit = TransactionId::new(id(wallet, which), Attempt::try_from(0).unwrap());
            wallet.activate(visit, card(*now, months), Months::new(36)).map(drop)
        }
        Step::Open(which, key) => {
            let tell = key.map(|_| CallbackUrl::try_from("https://shop.example/told").unwrap());
            let asked = key.map(|key| Asked { key: [key; 16], request: [2; 16] });
            wallet.open_terminal(id(wallet, which), tell, asked).map(|_| ())
        }
        Step::Conclude(which, finding) => {
            let later = wallet.clone().at(*now + TimeDelta::hours(24));
            let visit = later.visits_due().get(which % 4).copied();
            visit.map_or(Ok(()), |visit| wallet.conclude(&visit, &finding, Months::new(36)))
        }
        Step::End(which) => wallet.end(id(wallet, which)).map(drop),
        Step::Tell => {
            wallet.begin_tries(None);
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
    fn a_random_life_comes_back(steps in prop::collection::vec(step(), 1..40)) {
        let (mut wallet, mut now) = (wallet(), start());
        for step in steps {
            // What is refused changes nothing.
            take(&mut wallet, &mut now, step).unwrap_or_default();
            wallet = wallet.at(now);
            comes_back(&wallet, now);
        }
    }
}

/// What is stored could be a pan hash: what serde quotes of it goes no further.
#[test]
fn what_can_not_be_read_is_not_repeated() {
    for (fault, said) in [
        ("missing field `payments`", "missing field `payments`"),
        ("invalid type: string \"a hash\", expected u16", "invalid type: string"),
        ("unknown variant `a hash`, expected `created`", "unknown variant"),
        ("invalid length 3, expected 16", "invalid length 3, expected 16"),
        ("", ""),
    ] {
        assert_eq!(kind(fault), said);
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
    let said = |attributes| chain(&Item::read(attributes).err().unwrap());
    let expected = "a stored wallet can not be read: unknown variant";
    assert_eq!(said(attributes.clone()), expected);
    attributes.remove("payments");
    let expected = "a stored wallet can not be read: missing field `payments`";
    assert_eq!(said(attributes), expected);
}

/// An item remembers its last eight writes, newest first.
#[test]
fn a_write_is_known_until_eight_others_came_after_it() {
    let mut item: Option<Item> = None;
    for write in 1..=20_u64 {
        let next = Item::new(&wallet(), item.as_ref(), write);
        assert_eq!(next.version(), write);
        for other in 0..=20 {
            let known = other > 0 && other <= write && write < other + 8;
            assert_eq!(next.was_written_by(other), known, "{other} in the {write}th");
        }
        item = Some(next);
    }
}
