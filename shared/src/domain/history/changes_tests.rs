//! Tests of the history: the reason of each change, and that the result does not depend on when changes by time are stored.

use chrono::{DateTime, Months, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::customer::Organisation;
use crate::domain::history::{Actor, HistoryChange, Label};
use crate::domain::id::{Attempt, Slot, TransactionId};
use crate::domain::owner::Owner;
use crate::domain::text::Nickname;
use crate::domain::wallet::{self, NewRecurringPayment};
use crate::error::Refusal;
use crate::secret::Secret;

/// A customer whose wallet is stored after each request.
#[derive(Debug, Clone)]
struct Customer {
    now: DateTime<Utc>,
    slot: Slot,
    stored: Contents,
    history: History,
}

fn client() -> Origin {
    let actor = Actor::Client { name: Label::cut("acme-shop"), channel: None };
    Origin { actor, correlation_id: Label::cut("a-request") }
}

impl Customer {
    fn new() -> Self {
        let (slot, now) = (Slot::new(7), "2026-11-23T10:00:00Z".parse().unwrap());
        let wallet = Wallet::empty(slot, Organisation::new(1), Owner([7; 32]), now);
        Self { now, slot, stored: wallet.contents().clone(), history: History::default() }
    }

    fn wallet(&self) -> Wallet {
        Wallet::new(self.slot, self.stored.clone(), self.now)
    }

    fn store(&mut self, wallet: &Wallet) {
        let stored = self.stored.clone();
        self.history = std::mem::take(&mut self.history).with_changes(stored, wallet, &client());
        self.stored = wallet.contents().clone();
    }

    /// A request. A refused one changes nothing.
    fn request<T>(&mut self, decide: impl FnOnce(&mut Wallet) -> Result<T, Refusal>) -> Option<T> {
        let mut wallet = self.wallet();
        let outcome = decide(&mut wallet).ok()?;
        self.store(&wallet);
        Some(outcome)
    }

    fn create(&mut self, primary: bool) -> RecurringPaymentId {
        let new = NewRecurringPayment { nickname: None, primary, idempotency: None };
        self.request(|wallet| wallet.create(new)).unwrap().id
    }

    fn activate(&mut self, id: RecurringPaymentId, months: u32) {
        self.request(|wallet| wallet.activate(session(id), card(), Months::new(months))).unwrap();
    }

    fn active(&mut self) -> RecurringPaymentId {
        let id = self.create(false);
        self.activate(id, 36);
        id
    }

    fn choose(&mut self, id: RecurringPaymentId) {
        let change = wallet::Change { primary: Some(true), ..wallet::Change::default() };
        self.request(|wallet| wallet.update(id, change)).unwrap();
    }

    fn end(&mut self, id: RecurringPaymentId) {
        self.request(|wallet| wallet.end(id)).unwrap();
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
    }

    /// The history as a request would read it now.
    fn read(&self, id: RecurringPaymentId) -> Vec<HistoryChange> {
        let history = self.history.clone();
        history.with_changes(self.stored.clone(), &self.wallet(), &Origin::TIME).of(id)
    }

    /// The last change of a recurring payment as text: `CLIENT ACTIVE-ACTIVE REQUESTED 1-2`.
    fn last(&self, id: RecurringPaymentId) -> String {
        let last = self.read(id).pop().unwrap();
        let number = |id: Option<RecurringPaymentId>| {
            id.map_or("none".to_owned(), |id| id.sequence().number().to_string())
        };
        format!(
            "{} {}-{} {} {}-{}",
            last.origin.actor.name(),
            last.before.map_or("none", RecurringStatus::name),
            last.after.name(),
            last.reason.name(),
            number(last.primary_before),
            number(last.primary_after)
        )
    }
}

fn session(id: RecurringPaymentId) -> TransactionId {
    TransactionId::new(id, Attempt::try_from(0).unwrap())
}

fn card() -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Visa,
        last_four: LastFour::from_masked("0004").unwrap(),
        expiry: CardExpiry::new(2099, 12).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) }
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// A step of a customer's life.
type Step = fn(&mut Customer, &mut Vec<RecurringPaymentId>);

/// The steps, and the last change of each recurring payment afterwards.
#[test]
fn each_change_has_its_reason() {
    let create: Step = |customer, ids| ids.push(customer.create(false));
    let create_primary: Step = |customer, ids| ids.push(customer.create(true));
    let active: Step = |customer, ids| ids.push(customer.active());
    let choose_second: Step = |customer, ids| customer.choose(ids[1]);
    let end_first: Step = |customer, ids| customer.end(ids[0]);
    let wait_an_hour: Step = |customer, _| customer.wait(TimeDelta::hours(1));
    let wait_a_day: Step = |customer, _| customer.wait(TimeDelta::hours(23));
    let wait_three_years: Step = |customer, _| customer.wait(days(3 * 365 + 1));
    let cases: [(&[Step], &[&str]); 13] = [
        (&[create], &["CLIENT none-CREATED FIRST none-1"]),
        (&[create_primary], &["CLIENT none-CREATED FIRST none-1"]),
        (&[active], &["CLIENT CREATED-ACTIVE CARD_STORED 1-1"]),
        (
            &[active, create],
            &["CLIENT CREATED-ACTIVE CARD_STORED 1-1", "CLIENT none-CREATED REQUESTED 1-1"],
        ),
        (
            &[active, create_primary],
            &["CLIENT ACTIVE-ACTIVE REQUESTED 1-2", "CLIENT none-CREATED REQUESTED 1-2"],
        ),
        (
            &[active, active, choose_second],
            &["CLIENT ACTIVE-ACTIVE REQUESTED 1-2", "CLIENT ACTIVE-ACTIVE REQUESTED 1-2"],
        ),
        // The first one has no card, so the card of the second one makes it primary.
        (
            &[create, active],
            &["CLIENT CREATED-CREATED CARD_STORED 1-2", "CLIENT CREATED-ACTIVE CARD_STORED 1-2"],
        ),
        (&[active, end_first], &["CLIENT ACTIVE-CANCELLED ENDED 1-none"]),
        (
            &[active, active, end_first],
            &["CLIENT ACTIVE-CANCELLED ENDED 1-2", "CLIENT ACTIVE-ACTIVE PROMOTED_AFTER_END 1-2"],
        ),
        // The next one is created when there is no primary.
        (
            &[active, end_first, create],
            &["CLIENT ACTIVE-CANCELLED ENDED 1-none", "CLIENT none-CREATED FIRST none-2"],
        ),
        (
            &[active, wait_an_hour, active, wait_three_years],
            &["TIME ACTIVE-EXPIRED EXPIRED 1-2", "TIME ACTIVE-EXPIRED EXPIRED 2-none"],
        ),
        (
            &[create, wait_an_hour, create, wait_a_day],
            &[
                "TIME CREATED-CANCELLED ABANDONED 1-2",
                "TIME CREATED-CREATED PROMOTED_AFTER_ABANDONMENT 1-2",
            ],
        ),
        (
            &[active, create_primary, wait_an_hour, wait_a_day],
            &["TIME ACTIVE-ACTIVE HANDED_BACK 2-1", "TIME CREATED-CANCELLED ABANDONED 2-1"],
        ),
    ];
    for (number, (steps, expected)) in cases.into_iter().enumerate() {
        let (mut customer, mut ids) = (Customer::new(), Vec::new());
        for step in steps {
            step(&mut customer, &mut ids);
        }
        let last: Vec<_> = ids.iter().map(|id| customer.last(*id)).collect();
        assert_eq!(last, expected, "case {number}");
    }
}

/// The second card expires an hour after the first one. Each change has the instant at which it was due.
#[test]
fn changes_by_time_have_the_instant_at_which_they_were_due() {
    let mut customer = Customer::new();
    let start = customer.now;
    let first = customer.active();
    customer.wait(TimeDelta::hours(1));
    let second = customer.active();
    customer.wait(days(2000));
    let of = |id| -> Vec<_> {
        let changes = customer.read(id).into_iter().filter(|change| change.origin == Origin::TIME);
        changes.map(|change| (change.at, change.reason.name())).collect()
    };
    let expiry = start + Months::new(36);
    assert_eq!(of(first), [(expiry, "EXPIRED")]);
    let later = expiry + TimeDelta::hours(1);
    assert_eq!(of(second), [(expiry, "PROMOTED_AFTER_EXPIRY"), (later, "EXPIRED")]);
}

/// A sixth one without a card abandons the oldest, which is the primary. The client causes both changes.
#[test]
fn a_request_can_cause_two_changes() {
    let mut customer = Customer::new();
    let ids: Vec<_> = (0..6).map(|_| customer.create(false)).collect();
    assert_eq!(customer.last(ids[0]), "CLIENT CREATED-CANCELLED ABANDONED 1-2");
    assert_eq!(customer.last(ids[1]), "CLIENT CREATED-CREATED PROMOTED_AFTER_ABANDONMENT 1-2");
    assert_eq!(customer.last(ids[5]), "CLIENT none-CREATED REQUESTED 2-2");
    let seventh = customer.create(true);
    assert_eq!(customer.last(ids[1]), "CLIENT CREATED-CANCELLED ABANDONED 7-7");
    assert_eq!(customer.last(seventh), "CLIENT none-CREATED REQUESTED 2-7");
}

#[test]
fn a_nickname_and_a_repeated_request_are_no_changes() {
    let mut customer = Customer::new();
    let id = customer.active();
    let before = customer.history.clone();
    customer.choose(id);
    let nickname = Some(Some(Nickname::try_from("Kort").unwrap()));
    let change = wallet::Change { nickname, ..wallet::Change::default() };
    customer.request(|wallet| wallet.update(id, change)).unwrap();
    assert_eq!(customer.history, before);
}

#[test]
fn a_wallet_keeps_its_last_sixteen_changes() {
    let mut customer = Customer::new();
    let ids = [customer.active(), customer.active()];
    for turn in 1..=20 {
        customer.now += TimeDelta::seconds(1);
        customer.choose(ids[turn % 2]);
    }
    for id in ids {
        let changes = customer.read(id);
        assert_eq!(changes.len(), History::MAX);
        let last = changes.iter().map(|change| change.at).collect::<Vec<_>>();
        let seconds = (5..=20).map(|turn| customer.now - TimeDelta::seconds(20 - turn));
        assert_eq!(last, seconds.collect::<Vec<_>>());
    }
}

/// An erasure deletes the history, and so does the deletion of the last recurring payment that an entry concerns.
#[test]
fn the_history_of_what_does_not_exist_any_more_is_deleted() {
    let mut customer = Customer::new();
    let (first, second) = (customer.active(), customer.active());
    customer.end(first);
    customer.wait(days(31));
    customer.choose(second);
    customer.request(|wallet| Ok(wallet.list(false))).unwrap();
    let subjects = customer.history.entries().iter().map(|entry| entry.subject.number());
    // The end of the first one made the second one primary.
    assert_eq!(subjects.collect::<Vec<_>>(), [2, 2, 1]);
    customer.request(|wallet| {
        wallet.erase();
        Ok(())
    });
    assert!(customer.history.is_empty());
    let next = customer.create(false);
    assert_eq!(customer.read(next).len(), 1);
}

#[derive(Debug, Clone)]
enum Random {
    Create(bool),
    Activate(usize, u32),
    Choose(usize),
    End(usize),
    /// Minutes.
    Wait(i64),
}

fn random() -> impl Strategy<Value = Random> {
    let minutes = prop_oneof![0..90_i64, 0..2_000_i64, 0..600_000_i64];
    prop_oneof![
        4 => any::<bool>().prop_map(Random::Create),
        4 => (0..20_usize, 0..40_u32).prop_map(|(which, months)| Random::Activate(which, months)),
        2 => (0..20_usize).prop_map(Random::Choose),
        2 => (0..20_usize).prop_map(Random::End),
        4 => minutes.prop_map(Random::Wait),
    ]
}

fn play(customer: &mut Customer, step: &Random) {
    let payments = customer.wallet().contents().payments.clone();
    let id = |which: &usize| {
        let payment = payments.get(which % payments.len().max(1));
        let sequence = payment.map_or(Sequence::NONE, |payment| payment.sequence);
        RecurringPaymentId::new(Slot::new(7), sequence)
    };
    match step {
        Random::Create(primary) => {
            let new = NewRecurringPayment { nickname: None, primary: *primary, idempotency: None };
            customer.request(|wallet| wallet.create(new));
        }
        Random::Activate(which, months) => {
            let lifetime = Months::new(*months);
            customer.request(|wallet| wallet.activate(session(id(which)), card(), lifetime));
        }
        Random::Choose(which) => {
            let change = wallet::Change { primary: Some(true), ..wallet::Change::default() };
            customer.request(|wallet| wallet.update(id(which), change));
        }
        Random::End(which) => {
            customer.request(|wallet| wallet.end(id(which)));
        }
        Random::Wait(minutes) => customer.wait(TimeDelta::minutes(*minutes)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// For one customer, a schedule stores what time has changed, as soon as it is due and also in between. For the other one, only
    /// requests store it.
    #[test]
    fn the_history_does_not_depend_on_when_changes_by_time_are_stored(steps in prop::collection::vec(random(), 1..60)) {
        let (mut eager, mut lazy) = (Customer::new(), Customer::new());
        for step in steps {
            play(&mut lazy, &step);
            play(&mut eager, &step);
            let now = eager.now;
            while let Some(due) = Wallet::as_stored(eager.slot, eager.stored.clone()).due().expiry.filter(|at| *at <= now) {
                eager.now = due;
                eager.store(&eager.wallet());
            }
            eager.now = now;
            eager.store(&eager.wallet());
            for payment in &lazy.wallet().contents().payments {
                let id = RecurringPaymentId::new(lazy.slot, payment.sequence);
                prop_assert_eq!(lazy.read(id), eager.read(id));
            }
            prop_assert!(lazy.history.entries().len() <= History::MAX);
        }
    }
}
