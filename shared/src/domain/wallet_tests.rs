//! The rules of api.md §6: a table over every state and action, each rule's edges, and random lives.

use chrono::{Months, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::Attempt;
use crate::domain::terminal::{Asked, Closing, Finding, Outcome, Terminal, Visit};
use crate::domain::text::CallbackUrl;
use crate::error::Decline;
use crate::secret::Secret;

const LIFETIME: Months = Months::new(36);

/// An enum of words, with the list of all of them: whatever is added is in the table, or the table does not compile.
macro_rules! every {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $word:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $name { $($(#[$note])* $word),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$word),+];
        }
    };
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    instant("2026-11-23T10:00:00Z")
}

fn millisecond() -> TimeDelta {
    TimeDelta::milliseconds(1)
}

fn callback() -> CallbackUrl {
    CallbackUrl::try_from("https://shop.example/told").unwrap()
}

fn visit_of(id: RecurringPaymentId) -> TransactionId {
    TransactionId::new(id, Attempt::try_from(0).unwrap())
}

fn wallet() -> Wallet {
    Wallet::empty(Slot::new(7), Organisation::new(1), Owner([7; 32]), start())
}

fn plain() -> NewRecurringPayment {
    NewRecurringPayment { nickname: None, primary: false, idempotency: None }
}

fn chosen() -> NewRecurringPayment {
    NewRecurringPayment { primary: true, ..plain() }
}

fn choice(primary: bool) -> Change {
    Change { primary: Some(primary), ..Change::default() }
}

fn name(text: &str) -> Nickname {
    Nickname::try_from(text).unwrap()
}

fn renamed(text: Option<&str>) -> Change {
    Change { nickname: Some(text.map(name)), ..Change::default() }
}

fn card_of(year: i32, month: u32) -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Visa,
        last_four: LastFour::of_masked("0004").unwrap(),
        expiry: CardExpiry::new(year, month).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) }
}

/// A card that is good to the end of 2028-02.
fn card() -> VerifiedCard {
    card_of(2028, 2)
}

fn card_ends() -> DateTime<Utc> {
    instant("2028-03-01T00:00:00Z")
}

impl Wallet {
    /// A terminal that nobody gave a key to.
    fn open(
        &mut self,
        id: RecurringPaymentId,
        tell: Option<CallbackUrl>,
    ) -> Result<Visit, Refusal> {
        self.open_terminal(id, tell, None).map(|opened| opened.visit)
    }

    fn add(&mut self) -> RecurringPaymentId {
        self.create(plain()).unwrap().id
    }

    fn add_active(&mut self) -> RecurringPaymentId {
        let id = self.add();
        self.activate(visit_of(id), card(), LIFETIME).unwrap();
        id
    }

    fn add_active_and_end(&mut self) -> RecurringPaymentId {
        let id = self.add_active();
        self.end(id).unwrap();
        id
    }

    /// One whose card outlives every test.
    fn add_lasting(&mut self) -> RecurringPaymentId {
        let id = self.add();
        self.activate(visit_of(id), card_of(2099, 1), Months::new(1_200)).unwrap();
        id
    }

    fn close_new_terminal(&mut self, id: RecurringPaymentId, closing: Closing) {
        let visit = self.open(id, None).unwrap();
        self.close_terminal(&visit, closing).unwrap();
    }

    fn after(self, time: TimeDelta) -> Self {
        let then = self.now + time;
        self.at(then)
    }

    fn primary_id(&self) -> Option<RecurringPaymentId> {
        self.primary().map(|sequence| RecurringPaymentId::new(self.slot, sequence))
    }

    fn status(&self, id: RecurringPaymentId) -> RecurringStatus {
        self.view(id).unwrap().status
    }

    fn reason(&self, id: RecurringPaymentId) -> Option<StatusReason> {
        self.view(id).unwrap().reason
    }

    fn count(&self, counts: impl Fn(&RecurringPayment) -> bool) -> usize {
        self.contents.payments.iter().filter(|payment| counts(payment)).count()
    }

    fn ended(&self) -> usize {
        self.count(|payment| !payment.is_live())
    }
}

// Every state × every action.

every! {
    /// Every state that a recurring payment can be met in.
    Met {
        Created,
        TerminalOpen,
        TerminalCancelled,
        TerminalDeclined,
        TerminalFailed,
        /// Stored as CREATED, read after its 24 hours.
        PastItsDay,
        Abandoned,
        Active,
        /// Stored as ACTIVE, read after its end.
        PastItsEnd,
        Expired,
        EndedCreated,
        EndedActive,
        EndedExpired,
    }
}

every! {
    Action {
        Look,
        Rename,
        ClearNickname,
        ChangeNothing,
        Choose,
        UnChoose,
        End,
        OpenTerminal,
        CloseNeverRegistered,
        CloseCancelled,
        CloseSoftDecline,
        CloseHardDecline,
        Activate,
        Setup,
    }
}

/// A wallet with a recurring payment in this state, beside a lasting ACTIVE primary one or alone.
fn met(state: Met, alone: bool) -> (Wallet, RecurringPaymentId) {
    let mut wallet = wallet();
    if !alone {
        wallet.add_lasting();
    }
    let named = NewRecurringPayment { nickname: Some(name("Kort")), ..plain() };
    let id = wallet.create(named).unwrap().id;
    let day = start() + TimeDelta::hours(24);
    match state {
        Met::Created => {}
        Met::TerminalOpen => drop(wallet.open(id, None)),
        Met::TerminalCancelled => wallet.close_new_terminal(id, Closing::Cancelled),
        Met::TerminalDeclined => wallet.close_new_terminal(id, Closing::Declined(Decline::Hard)),
        Met::TerminalFailed => wallet.close_new_terminal(id, Closing::NeverRegistered),
        Met::PastItsDay => wallet = wallet.at(day + TimeDelta::hours(1)),
        Met::Abandoned => wallet = wallet.at(day).after(TimeDelta::hours(1)),
        Met::Active => drop(wallet.activate(visit_of(id), card(), LIFETIME)),
        Met::PastItsEnd | Met::Expired | Met::EndedExpired => {
            wallet.activate(visit_of(id), card(), LIFETIME).unwrap();
            if state != Met::PastItsEnd {
                wallet = wallet.at(card_ends());
            }
            wallet = wallet.at(card_ends() + TimeDelta::hours(1));
            if state == Met::EndedExpired {
                wallet.end(id).unwrap();
            }
        }
        Met::EndedCreated => drop(wallet.end(id)),
        Met::EndedActive => {
            wallet.activate(visit_of(id), card(), LIFETIME).unwrap();
            wallet.end(id).unwrap();
        }
    }
    (wallet, id)
}

fn act(wallet: &mut Wallet, id: RecurringPaymentId, action: Action) -> Result<(), Refusal> {
    let first_visit = Visit {
        transaction_id: TransactionId::new(id, Attempt::try_from(0_usize).unwrap()),
        terminal: Terminal::opened(start()),
    };
    let mut close = |closing| wallet.close_terminal(&first_visit, closing);
    match action {
        Action::CloseNeverRegistered => close(Closing::NeverRegistered),
        Action::CloseCancelled => close(Closing::Cancelled),
        Action::CloseSoftDecline => close(Closing::Declined(Decline::Soft)),
        Action::CloseHardDecline => close(Closing::Declined(Decline::Hard)),
        Action::Look => wallet.view(id).map(drop),
        Action::Rename => wallet.update(id, renamed(Some("Jobb"))).map(drop),
        Action::ClearNickname => wallet.update(id, renamed(None)).map(drop),
        Action::ChangeNothing => wallet.update(id, Change::default()).map(drop),
        Action::Choose => wallet.update(id, choice(true)).map(drop),
        Action::UnChoose => wallet.update(id, choice(false)).map(drop),
        Action::End => wallet.end(id).map(drop),
        Action::OpenTerminal => wallet.open(id, None).map(drop),
        Action::Activate => wallet.activate(visit_of(id), card(), LIFETIME).map(drop),
        Action::Setup => wallet.setup(id).map(drop),
    }
}

/// The whole table: the status that the state becomes, or the refusal.
fn expected(state: Met, alone: bool, action: Action) -> Result<RecurringStatus, Refusal> {
    use Met::{
        Abandoned, Active, Created, EndedActive, EndedCreated, EndedExpired, Expired, PastItsDay,
        PastItsEnd, TerminalCancelled, TerminalDeclined, TerminalFailed, TerminalOpen,
    };
    use RecurringStatus as Status;
    let same = match state {
        Created | TerminalOpen | TerminalCancelled | TerminalDeclined | TerminalFailed => {
            Status::Created
        }
        Active => Status::Active,
        PastItsEnd | Expired => Status::Expired,
        PastItsDay | Abandoned | EndedCreated | EndedActive | EndedExpired => Status::Cancelled,
    };
    match action {
        Action::Look
        | Action::ChangeNothing
        | Action::CloseNeverRegistered
        | Action::CloseCancelled
        | Action::CloseSoftDecline
        | Action::CloseHardDecline => Ok(same),
        Action::Rename | Action::ClearNickname => match same {
            Status::Created | Status::Active | Status::Expired => Ok(same),
            Status::Cancelled => Err(Refusal::Ended),
        },
        Action::Choose => match same {
            Status::Created | Status::Active => Ok(same),
            Status::Expired | Status::Cancelled => Err(Refusal::NeverPrimary),
        },
        Action::UnChoose => match same {
            Status::Created | Status::Active if alone => Err(Refusal::PrimaryNeedsSuccessor),
            Status::Created | Status::Active | Status::Expired | Status::Cancelled => Ok(same),
        },
        Action::End => Ok(Status::Cancelled),
        Action::OpenTerminal => match same {
            Status::Created => Ok(same),
            Status::Active | Status::Expired | Status::Cancelled => Err(Refusal::NotAwaitingCard),
        },
        Action::Activate => match same {
            Status::Created | Status::Active => Ok(Status::Active),
            Status::Expired | Status::Cancelled => Err(Refusal::NotAwaitingCard),
        },
        Action::Setup => match state {
            Created | TerminalFailed => Err(Refusal::NoTerminal),
            TerminalOpen | Active => Ok(same),
            TerminalCancelled => Err(Refusal::TerminalCancelled),
            TerminalDeclined => Err(Refusal::Declined(Decline::Hard)),
            PastItsEnd | Expired | PastItsDay | Abandoned | EndedCreated | EndedActive
            | EndedExpired => Err(Refusal::NotAwaitingCard),
        },
    }
}

/// What may be different afterwards. Everything else, and every refusal, leaves the wallet as it was.
fn changes(state: Met, alone: bool, action: Action) -> bool {
    let live_or_expired = expected(state, alone, Action::Rename).is_ok();
    match action {
        Action::Look | Action::ChangeNothing | Action::UnChoose | Action::Setup => false,
        Action::Rename | Action::ClearNickname | Action::End => live_or_expired,
        Action::Choose => !alone && expected(state, alone, action).is_ok(),
        Action::OpenTerminal => expected(state, alone, action).is_ok(),
        Action::Activate => expected(state, alone, action).is_ok() && state != Met::Active,
        Action::CloseSoftDecline => false,
        Action::CloseNeverRegistered | Action::CloseCancelled | Action::CloseHardDecline => {
            state == Met::TerminalOpen
        }
    }
}

#[test]
fn every_action_in_every_state() {
    for (state, alone) in Met::ALL.iter().flat_map(|state| [(*state, true), (*state, false)]) {
        for action in Action::ALL {
            let (mut wallet, id) = met(state, alone);
            let before = wallet.clone();
            let result = act(&mut wallet, id, *action).map(|()| wallet.status(id));
            let what = format!("{action:?} when {state:?}, alone: {alone}");
            assert_eq!(result, expected(state, alone, *action), "{what}");
            assert_eq!(wallet != before, changes(state, alone, *action), "{what}: a change");
        }
    }
}

#[test]
fn every_live_one_that_is_chosen_is_primary_and_no_other_state_ever_is() {
    for (state, alone) in Met::ALL.iter().flat_map(|state| [(*state, true), (*state, false)]) {
        let (mut wallet, id) = met(state, alone);
        let live = expected(state, alone, Action::Choose).is_ok();
        assert_eq!(wallet.primary_id() == Some(id), live && alone, "{state:?}");
        assert_eq!(wallet.update(id, choice(true)).is_ok_and(|view| view.primary), live);
        assert_eq!(wallet.primary_id() == Some(id), live, "{state:?}");
    }
}

#[test]
fn a_customer_named_beside_the_id_has_to_be_the_wallets() {
    let wallet = wallet();
    assert_eq!(wallet.must_be_of(None), Ok(()));
    assert_eq!(wallet.must_be_of(Some(Owner([7; 32]))), Ok(()));
    assert_eq!(wallet.must_be_of(Some(Owner([8; 32]))), Err(Refusal::OtherCustomer));
}

#[test]
fn an_unknown_id_is_not_found_by_any_action() {
    let mut wallet = wallet();
    wallet.add();
    let known_elsewhere = RecurringPaymentId::new(Slot::new(8), Sequence::NONE.next());
    let aliased = RecurringPaymentId::try_from(wallet.add().number() + (1 << 49)).unwrap();
    for id in [RecurringPaymentId::new(wallet.slot(), Sequence::NONE), known_elsewhere, aliased] {
        let before = wallet.clone();
        for action in Action::ALL {
            assert_eq!(act(&mut wallet, id, *action), Err(Refusal::NotFound), "{action:?}");
        }
        assert_eq!(wallet, before);
    }
}

// Rule by rule.

#[test]
fn rule_1_the_first_is_primary_and_gives_way_to_one_that_got_a_card() {
    let mut wallet = wallet();
    assert_eq!(wallet.primary_id(), None);
    let first = wallet.add();
    let second = wallet.add();
    assert_eq!(wallet.primary_id(), Some(first));
    wallet.activate(visit_of(second), card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second));
    wallet = wallet.at(start() + millisecond());
    wallet.activate(visit_of(first), card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second), "the one activated first");
    wallet.end(second).unwrap();
    assert_eq!(wallet.primary_id(), Some(first));
}

#[test]
fn rule_1_the_newest_explicit_choice_wins_and_the_older_ones_wait_behind_it() {
    let mut wallet = wallet();
    let [first, second, third] = [wallet.add_active(), wallet.add_active(), wallet.add_active()];
    for chosen in [third, second, third, first, second] {
        assert!(wallet.update(chosen, choice(true)).unwrap().primary);
        assert_eq!(wallet.primary_id(), Some(chosen));
    }
    for next in [first, third] {
        wallet.end(wallet.primary_id().unwrap()).unwrap();
        assert_eq!(wallet.primary_id(), Some(next));
    }
}

#[test]
fn rule_1_a_created_one_can_be_chosen_over_an_active_one() {
    let mut wallet = wallet();
    let active = wallet.add_active();
    let created = wallet.add();
    assert_eq!(wallet.primary_id(), Some(active), "a new one is not primary unless asked");
    wallet.update(created, choice(true)).unwrap();
    assert_eq!(wallet.primary_id(), Some(created));
    let newest = wallet.create(chosen()).unwrap();
    assert_eq!((newest.primary, wallet.primary_id()), (true, Some(newest.id)));
    wallet.end(newest.id).unwrap();
    assert_eq!(wallet.primary_id(), Some(created));
}

#[test]
fn rule_1_ending_abandoning_or_expiring_the_primary_promotes_in_the_same_instant() {
    let mut ending = wallet();
    let (primary, next) = (ending.add_active(), ending.add_active());
    assert!(!ending.end(primary).unwrap().primary);
    assert!(ending.view(next).unwrap().primary);

    let mut abandoning = wallet();
    let primary = abandoning.add();
    let mut abandoning = abandoning.at(start() + millisecond());
    let next = abandoning.add();
    let day = start() + TimeDelta::hours(24);
    assert_eq!(abandoning.clone().at(day - millisecond()).primary_id(), Some(primary));
    assert_eq!(abandoning.clone().at(day).primary_id(), Some(next));
    assert_eq!(abandoning.at(day + millisecond()).primary_id(), None);

    let mut expiring = wallet();
    let (primary, next) = (expiring.add_active(), expiring.add_lasting());
    assert_eq!(expiring.clone().at(card_ends() - millisecond()).primary_id(), Some(primary));
    assert_eq!(expiring.clone().at(card_ends()).primary_id(), Some(next));
    assert_eq!(expiring.at(card_ends() + millisecond()).primary_id(), Some(next));
}

#[test]
fn rule_1_an_abandoned_choice_hands_primary_back_to_the_one_before_it() {
    let mut wallet = wallet();
    let (oldest, before) = (wallet.add_active(), wallet.add_active());
    wallet.update(before, choice(true)).unwrap();
    let choice = wallet.create(chosen()).unwrap();
    assert!(choice.primary);
    let abandoned_at = start() + TimeDelta::hours(24);
    assert_eq!(wallet.clone().at(abandoned_at - millisecond()).primary_id(), Some(choice.id));
    let mut wallet = wallet.at(abandoned_at);
    assert_eq!(wallet.primary_id(), Some(before));
    wallet.end(before).unwrap();
    assert_eq!(wallet.primary_id(), Some(oldest));
}

#[test]
fn rule_1_two_cards_of_one_instant_or_of_clocks_that_differ_keep_their_order() {
    for clock in [TimeDelta::zero(), -millisecond()] {
        let mut wallet = wallet();
        let (first, second) = (wallet.add(), wallet.add());
        wallet.activate(visit_of(second), card(), LIFETIME).unwrap();
        let mut wallet = wallet.after(clock);
        wallet.activate(visit_of(first), card(), LIFETIME).unwrap();
        assert_eq!(wallet.primary_id(), Some(second));
    }
}

#[test]
fn rule_1_an_id_that_comes_round_again_inherits_no_choice() {
    let mut wallet = wallet();
    let lasting = wallet.add_lasting();
    let choice = wallet.create(chosen()).unwrap().id;
    wallet.end(choice).unwrap();
    for _ in 0..1_021 {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    assert_eq!(wallet.add(), choice, "1,023 places, of which the lasting one has one");
    assert_eq!(wallet.primary_id(), Some(lasting));
}

/// Choices of what has ended are taken out when it ends. One that was stored all the same is none.
#[test]
fn rule_1_a_choice_that_has_ended_is_none() {
    let mut wallet = wallet();
    let (first, second, chosen) = (wallet.add_active(), wallet.add_active(), wallet.add_active());
    wallet.update(chosen, choice(true)).unwrap();
    wallet.end(chosen).unwrap();
    assert_eq!(wallet.contents().choices, []);
    let choices = vec![chosen.sequence(), second.sequence()];
    let stored = Wallet::as_stored(wallet.slot, Contents { choices, ..wallet.contents.clone() });
    assert_eq!(stored.primary_id(), Some(second));
    let choices = vec![chosen.sequence()];
    let stored = Wallet::as_stored(wallet.slot, Contents { choices, ..wallet.contents });
    assert_eq!(stored.primary_id(), Some(first));
}

#[test]
fn rule_2_primary_is_never_un_chosen_and_choosing_it_again_does_nothing() {
    let mut wallet = wallet();
    let first = wallet.create(NewRecurringPayment { primary: false, ..plain() }).unwrap();
    assert!(first.primary, "the first is primary all the same");
    let other = wallet.add();
    let before = wallet.clone();
    assert_eq!(wallet.update(first.id, choice(false)), Err(Refusal::PrimaryNeedsSuccessor));
    let both = Change { primary: Some(false), ..renamed(Some("Jobb")) };
    assert_eq!(wallet.update(first.id, both), Err(Refusal::PrimaryNeedsSuccessor));
    for (id, change) in
        [(first.id, choice(true)), (other, choice(false)), (other, Change::default())]
    {
        wallet.update(id, change).unwrap();
    }
    assert_eq!(wallet, before);
}

#[test]
fn rule_3_an_expired_or_cancelled_one_is_never_chosen() {
    let mut wallet = wallet();
    let (_, expiring, ended) = (wallet.add_lasting(), wallet.add_active(), wallet.add());
    wallet.end(ended).unwrap();
    let both = Change { primary: Some(true), ..renamed(Some("Jobb")) };
    assert_eq!(wallet.update(ended, both.clone()), Err(Refusal::NeverPrimary));
    let mut just_before = wallet.clone().at(card_ends() - millisecond());
    assert!(just_before.update(expiring, both.clone()).unwrap().primary);
    for late in [TimeDelta::zero(), millisecond()] {
        let mut wallet = wallet.clone().at(card_ends() + late);
        let before = wallet.clone();
        assert_eq!(wallet.update(expiring, both.clone()), Err(Refusal::NeverPrimary));
        assert_eq!(wallet, before);
    }
}

#[test]
fn rule_4_ending_twice_answers_the_same_and_destroys_the_hash() {
    let mut wallet = wallet();
    let id = wallet.add_active();
    let ended = wallet.end(id).unwrap();
    assert_eq!(
        (ended.status, ended.reason, ended.primary),
        (RecurringStatus::Cancelled, Some(StatusReason::Ended), false)
    );
    assert!(matches!(
        wallet.contents().payments[0].state,
        State::Cancelled { registration: Some(_), .. }
    ));
    let mut later = wallet.at(start() + TimeDelta::days(30) - millisecond());
    assert_eq!(later.end(id), Ok(ended));
    assert_eq!(later.at(start() + TimeDelta::days(30)).end(id), Err(Refusal::NotFound));
}

#[test]
fn rule_4_ending_an_abandoned_one_leaves_its_reason() {
    let mut wallet = wallet();
    let id = wallet.add();
    let mut wallet = wallet.at(start() + TimeDelta::hours(24));
    assert_eq!(wallet.end(id).unwrap().reason, Some(StatusReason::Abandoned));
}

#[test]
fn rule_4_the_one_just_ended_is_answered_though_clocks_differ_and_sixteen_have_ended() {
    let mut wallet = wallet();
    for _ in 0..Wallet::ENDED {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    let id = wallet.add();
    let mut wallet = wallet.after(-millisecond());
    assert_eq!(wallet.end(id).map(|view| view.status), Ok(RecurringStatus::Cancelled));
    assert_eq!(wallet.ended(), Wallet::ENDED);
}

#[test]
fn rule_4_the_one_just_ended_is_answered_though_sixteen_newer_ones_ended_in_the_same_instant() {
    let mut wallet = wallet();
    let oldest = wallet.add_active();
    let newer: Vec<_> = (0..Wallet::ENDED).map(|_| wallet.add_active_and_end()).collect();
    assert_eq!(wallet.end(oldest).map(|view| view.status), Ok(RecurringStatus::Cancelled));
    assert_eq!(wallet.ended(), Wallet::ENDED);
    assert_eq!(wallet.view(newer[0]), Err(Refusal::NotFound), "one had to give way");
}

#[test]
fn rule_5_a_refused_setup_stays_created_and_can_be_tried_again() {
    let mut wallet = wallet();
    let id = wallet.add();
    assert_eq!(wallet.setup(id), Err(Refusal::NoTerminal));
    for (closing, refusal) in [
        (Closing::NeverRegistered, Refusal::NoTerminal),
        (Closing::Cancelled, Refusal::TerminalCancelled),
        (Closing::Declined(Decline::Hard), Refusal::Declined(Decline::Hard)),
        (Closing::NeverRegistered, Refusal::Declined(Decline::Hard)),
    ] {
        wallet.close_new_terminal(id, closing);
        assert_eq!(wallet.setup(id), Err(refusal), "{closing:?}");
        assert_eq!(wallet.status(id), RecurringStatus::Created);
    }
    let active = wallet.activate(visit_of(id), card(), LIFETIME).unwrap();
    assert_eq!(wallet.setup(id), Ok(Setup::Done(Box::new(active))));
}

#[test]
fn rule_5_a_terminal_that_timed_out_is_asked_about_until_its_outcome_is_known() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let expires_at = visit.terminal.expires_at();
    assert_eq!(expires_at, instant("2026-11-23T10:15:00Z"));
    for instant in [expires_at - millisecond(), expires_at, expires_at + TimeDelta::hours(23)] {
        assert_eq!(wallet.clone().at(instant).setup(id), Ok(Setup::Open(vec![visit])));
    }
}

#[test]
fn rule_6_five_terminals_an_hour_and_sixteen_in_all() {
    let mut wallet = wallet();
    let id = wallet.add();
    for minute in 0..5 {
        wallet = wallet.at(start() + TimeDelta::minutes(minute));
        wallet.open(id, None).unwrap();
    }
    let refused = |seconds| Err(Refusal::TooManyTerminals { retry_after_seconds: seconds });
    assert_eq!(wallet.open(id, None), refused(56 * 60));
    let hour = start() + TimeDelta::hours(1);
    for (left, seconds) in [(1_001, 2), (1_000, 1), (999, 1), (1, 1)] {
        wallet = wallet.at(hour - TimeDelta::milliseconds(left));
        assert_eq!(wallet.open(id, None), refused(seconds), "{left} ms");
    }
    for hours in 1..=11 {
        wallet = wallet.at(start() + TimeDelta::hours(hours));
        wallet.open(id, None).unwrap();
    }
    wallet = wallet.at(start() + TimeDelta::hours(20));
    assert_eq!(wallet.open(id, None), Err(Refusal::NoTerminalLeft));
}

#[test]
fn rule_6_the_hour_is_each_ones_own_and_slides() {
    let mut wallet = wallet();
    let (id, other) = (wallet.add(), wallet.add());
    for _ in 0..5 {
        wallet.close_new_terminal(id, Closing::Cancelled);
    }
    let refused = |seconds| Err(Refusal::TooManyTerminals { retry_after_seconds: seconds });
    assert_eq!(wallet.open(id, None), refused(3_600));
    wallet.open(other, None).unwrap();
    let mut wallet = wallet.after(millisecond());
    assert_eq!(wallet.open(id, None), refused(3_600), "a started second is a second");
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    for _ in 0..5 {
        wallet.open(id, None).unwrap();
    }
    assert_eq!(wallet.open(id, None), refused(3_600));
}

#[test]
fn rule_6_a_newer_terminal_voids_no_older_one_and_the_first_card_counts() {
    let mut wallet = wallet();
    let id = wallet.add();
    let (older, newer) = (wallet.open(id, None).unwrap(), wallet.open(id, None).unwrap());
    assert_ne!(older.transaction_id, newer.transaction_id);
    assert_eq!(wallet.setup(id), Ok(Setup::Open(vec![older, newer])));
    wallet.close_terminal(&newer, Closing::Cancelled).unwrap();
    assert_eq!(wallet.setup(id), Ok(Setup::Open(vec![older])));
    let first = wallet.activate(visit_of(id), card(), LIFETIME).unwrap();
    let other = VerifiedCard { pan_hash: Secret::new("other".to_owned()), ..card() };
    let before = wallet.clone();
    assert_eq!(wallet.activate(visit_of(id), other, LIFETIME), Ok(first));
    wallet.close_terminal(&older, Closing::Cancelled).unwrap();
    assert_eq!(wallet, before);
}

#[test]
fn rule_8_abandoned_a_day_after_creation_or_after_the_last_terminal() {
    let mut wallet = wallet();
    let (without, with, closed) = (wallet.add(), wallet.add(), wallet.add());
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    wallet.open(with, None).unwrap();
    wallet.close_new_terminal(closed, Closing::Cancelled);
    for (id, abandoned_at) in [
        (without, instant("2026-11-24T10:00:00Z")),
        (with, instant("2026-11-24T11:15:00Z")),
        (closed, instant("2026-11-24T11:15:00Z")),
    ] {
        let just_before = wallet.clone().at(abandoned_at - millisecond());
        assert_eq!(just_before.status(id), RecurringStatus::Created);
        for late in [TimeDelta::zero(), millisecond()] {
            let wallet = wallet.clone().at(abandoned_at + late);
            assert_eq!(wallet.status(id), RecurringStatus::Cancelled);
            assert_eq!(wallet.reason(id), Some(StatusReason::Abandoned));
        }
    }
}

#[test]
fn rule_8_only_the_last_terminal_counts() {
    let mut wallet = wallet();
    let id = wallet.add();
    wallet.open(id, None).unwrap();
    let mut wallet = wallet.at(instant("2026-11-24T10:14:59.999Z"));
    wallet.open(id, None).unwrap();
    let abandoned_at = instant("2026-11-25T10:29:59.999Z");
    assert_eq!(
        wallet.clone().at(abandoned_at - millisecond()).status(id),
        RecurringStatus::Created
    );
    assert_eq!(wallet.at(abandoned_at).status(id), RecurringStatus::Cancelled);
}

#[test]
fn rule_8_the_sixth_that_waits_abandons_the_oldest() {
    let mut wallet = wallet();
    let active = wallet.add_active();
    let ids: Vec<_> = (0..5).map(|_| wallet.add()).collect();
    wallet.update(ids[0], choice(true)).unwrap();
    assert_eq!(wallet.status(ids[0]), RecurringStatus::Created);
    let sixth = wallet.add();
    assert_eq!(wallet.status(ids[0]), RecurringStatus::Cancelled);
    assert_eq!(wallet.reason(ids[0]), Some(StatusReason::Abandoned));
    assert_eq!(wallet.primary_id(), Some(active));
    assert!(
        ids[1..].iter().chain([&sixth]).all(|id| wallet.status(*id) == RecurringStatus::Created)
    );
}

#[test]
fn rule_9_expired_from_its_very_instant() {
    let mut wallet = wallet();
    let (active, waiting) = (wallet.add_active(), wallet.add());
    let visit = wallet.at(card_ends() - TimeDelta::hours(1));
    assert_eq!(visit.status(active), RecurringStatus::Active);
    assert_eq!(visit.view(waiting), Err(Refusal::NotFound), "abandoned and forgotten long ago");
    let just_before = visit.clone().at(card_ends() - millisecond());
    assert_eq!(just_before.status(active), RecurringStatus::Active);
    for late in [TimeDelta::zero(), millisecond()] {
        let expired = visit.clone().at(card_ends() + late);
        assert_eq!(expired.status(active), RecurringStatus::Expired);
        assert_eq!(
            (expired.list(false).len(), expired.list(true).len(), expired.primary_id()),
            (0, 1, None)
        );
    }
}

#[test]
fn rule_9_the_earlier_of_the_cards_end_and_the_lifetimes() {
    for (card, lifetime, expires_at) in [
        (card_of(2028, 2), 36, "2028-03-01T00:00:00Z"),
        (card_of(2029, 10), 36, "2029-11-01T00:00:00Z"),
        (card_of(2029, 11), 36, "2029-11-23T10:00:00Z"),
        (card_of(2099, 1), 1, "2026-12-23T10:00:00Z"),
    ] {
        let expires_at = instant(expires_at);
        let mut wallet = wallet();
        let id = wallet.add();
        let view = wallet.activate(visit_of(id), card, Months::new(lifetime)).unwrap();
        assert_eq!(view.registration.unwrap().expires_at, expires_at);
        let just_before = wallet.clone().at(expires_at - millisecond());
        assert_eq!(just_before.status(id), RecurringStatus::Active);
        assert_eq!(wallet.at(expires_at).status(id), RecurringStatus::Expired);
    }
}

#[test]
fn rule_9_a_card_that_has_expired_when_it_arrives_is_never_active() {
    let mut wallet = wallet();
    let (id, _) = (wallet.add(), wallet.add());
    let before = wallet.clone();
    let refused = wallet.activate(visit_of(id), card_of(2026, 10), LIFETIME);
    assert_eq!((refused, wallet), (Err(Refusal::CardExpired), before));
}

/// The card is printed 11/26, and its terminal is opened at 23:59 on the last day.
fn at_the_months_end() -> (Wallet, RecurringPaymentId, Visit) {
    let mut wallet = wallet().at(instant("2026-11-30T23:59:00Z"));
    let id = wallet.add();
    let visit = wallet.open(id, Some(callback())).unwrap();
    (wallet, id, visit)
}

#[test]
fn rule_9_a_card_that_arrives_after_its_month_ends_the_visit_as_declined() {
    let ends_at = instant("2026-12-01T00:00:00Z");
    let (before, id, visit) = at_the_months_end();
    let card = Finding::Card(card_of(2026, 11));
    for (at, expired) in [
        (ends_at - millisecond(), false),
        (ends_at, true),
        (ends_at + TimeDelta::seconds(5), true),
        (ends_at + TimeDelta::hours(23), true),
    ] {
        let mut wallet = before.clone().at(at);
        wallet.conclude(&visit, &card, LIFETIME).unwrap();
        let (status, event) = if expired {
            (RecurringStatus::Created, Event::CardExpired)
        } else {
            (RecurringStatus::Active, Event::Activated)
        };
        assert_eq!(wallet.status(id), status, "{at}");
        assert_eq!(told(&wallet), [(visit.transaction_id, event, at)]);
        assert_eq!(wallet.setup(id).err(), expired.then_some(Refusal::CardExpired), "{at}");
        // The next request finds the same, and sends no notification.
        let was = wallet.clone();
        wallet.conclude(&visit, &card, LIFETIME).unwrap();
        assert_eq!(wallet, was, "{at}");
        assert!(wallet.visits_due().is_empty());
        // Under a clock that is behind, too.
        let mut earlier = wallet.clone().at(ends_at - TimeDelta::seconds(2));
        earlier.conclude(&visit, &card, LIFETIME).unwrap();
        assert_eq!((earlier.status(id), told(&earlier)), (status, told(&wallet)), "{at}");
    }
}

#[test]
fn rule_9_another_terminal_may_bring_a_card_after_one_that_has_expired() {
    let (wallet, id, visit) = at_the_months_end();
    let mut wallet = wallet.at(instant("2026-12-01T00:00:05Z"));
    wallet.conclude(&visit, &Finding::Card(card_of(2026, 11)), LIFETIME).unwrap();
    let expired = told(&wallet);
    let later = wallet.clone().after(TimeDelta::days(3));
    assert_eq!(later.status(id), RecurringStatus::Cancelled);
    assert_eq!(told(&later), expired, "told as declined, and not as abandoned too");
    let another = wallet.open(id, None).unwrap();
    wallet.conclude(&another, &Finding::Card(card()), LIFETIME).unwrap();
    assert_eq!(wallet.status(id), RecurringStatus::Active);
    let activated = (another.transaction_id, Event::Activated, wallet.now);
    assert_eq!(told(&wallet), [expired, vec![activated]].concat());
    let was = wallet.clone();
    wallet.conclude(&visit, &Finding::Card(card_of(2026, 11)), LIFETIME).unwrap();
    assert_eq!(wallet, was, "the first visit is over");
}

/// An activation can be just after now. A card that is over by then would be EXPIRED at once.
#[test]
fn rule_9_a_card_is_judged_at_the_instant_of_its_activation() {
    let ends_at = instant("2026-12-01T00:00:00Z");
    let (wallet, id, visit) = at_the_months_end();
    let mut wallet = wallet.at(ends_at);
    wallet.add_active();
    let mut wallet = wallet.at(ends_at - millisecond());
    wallet.conclude(&visit, &Finding::Card(card_of(2026, 11)), LIFETIME).unwrap();
    assert_eq!(wallet.status(id), RecurringStatus::Created);
    assert_eq!(wallet.setup(id), Err(Refusal::CardExpired));
}

#[test]
fn rule_14_sixteen_live_ones_and_sixteen_ended_ones() {
    let mut wallet = wallet();
    let ids: Vec<_> = (0..16).map(|_| wallet.add_active()).collect();
    let before = wallet.clone();
    assert_eq!(wallet.create(chosen()), Err(Refusal::WalletFull));
    assert_eq!(wallet, before);
    wallet.end(ids[0]).unwrap();
    wallet.add_active();
    for turn in 0..10_000 {
        let id = wallet
            .contents()
            .payments
            .iter()
            .find(|payment| payment.is_live())
            .map(|payment| payment.sequence)
            .unwrap();
        wallet = wallet.at(start() + TimeDelta::milliseconds(turn));
        wallet.end(RecurringPaymentId::new(wallet.slot(), id)).unwrap();
        wallet.add_active();
        assert_eq!(wallet.contents().payments.len(), 32.min(18 + usize::try_from(turn).unwrap()));
    }
}

#[test]
fn rule_14_the_one_just_ended_is_kept_and_the_oldest_forgotten() {
    let mut wallet = wallet();
    let ids: Vec<_> = (0..17)
        .map(|_| {
            let id = wallet.add();
            wallet.end(id).unwrap();
            id
        })
        .collect();
    assert_eq!(wallet.view(ids[0]), Err(Refusal::NotFound));
    assert!(ids[1..].iter().all(|id| wallet.status(*id) == RecurringStatus::Cancelled));
}

#[test]
fn rule_14_thirty_days_are_counted_from_the_end() {
    let mut wallet = wallet();
    let (ended, abandoned) = (wallet.add(), wallet.add());
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    wallet.end(ended).unwrap();
    for (id, forgotten_at) in
        [(ended, instant("2026-12-23T11:00:00Z")), (abandoned, instant("2026-12-24T10:00:00Z"))]
    {
        let just_before = wallet.clone().at(forgotten_at - millisecond());
        assert_eq!(just_before.status(id), RecurringStatus::Cancelled);
        for late in [TimeDelta::zero(), millisecond()] {
            assert_eq!(wallet.clone().at(forgotten_at + late).view(id), Err(Refusal::NotFound));
        }
    }
}

#[test]
fn rule_14_ids_come_round_after_1023_and_never_meet_one_that_is_there() {
    let mut wallet = wallet();
    let lasting = wallet.add_lasting();
    for turn in 2..=10_000 {
        let there: Vec<_> =
            wallet.contents().payments.iter().map(|payment| payment.sequence).collect();
        let id = wallet.add();
        assert!(!there.contains(&id.sequence()), "creation {turn}");
        wallet.end(id).unwrap();
        assert!(wallet.ended() <= Wallet::ENDED);
    }
    // Two to 1,023 and round: the lasting one's place is passed over.
    assert_eq!(usize::from(wallet.contents().last_sequence.number()), 2 + (10_000 - 2) % 1_022);
    assert_eq!(wallet.status(lasting), RecurringStatus::Active);
}

#[test]
fn rule_16_the_same_key_answers_the_same_for_a_day() {
    let with_key =
        |request| NewRecurringPayment { idempotency: Some(([1; 16], [request; 16])), ..plain() };
    let mut wallet = wallet();
    let first = wallet.create(with_key(1)).unwrap();
    wallet.add_active();
    assert_eq!(wallet.create(with_key(2)), Err(Refusal::KeyReused));
    wallet.activate(visit_of(first.id), card(), LIFETIME).unwrap();
    wallet.update(first.id, renamed(Some("other"))).unwrap();
    let day = start() + TimeDelta::hours(24);
    let mut just_before = wallet.clone().at(day - millisecond());
    let before = just_before.clone();
    assert_eq!(just_before.create(with_key(1)), Ok(first.clone()), "though it is another by now");
    assert_eq!(just_before.create(with_key(2)), Err(Refusal::KeyReused));
    assert_eq!(just_before, before);
    for late in [TimeDelta::zero(), millisecond()] {
        for request in [1, 2] {
            let again = wallet.clone().at(day + late).create(with_key(request));
            assert_ne!(again.unwrap().id, first.id);
        }
    }
}

#[test]
fn rule_16_the_answer_is_repeated_of_an_ended_one_and_in_a_full_wallet() {
    let keyed = |key| NewRecurringPayment { idempotency: Some(([key; 16], [1; 16])), ..chosen() };
    let mut wallet = wallet();
    let first = wallet.create(keyed(1)).unwrap();
    let second = wallet.create(keyed(2)).unwrap();
    assert_ne!(first.id, second.id);
    assert!(first.primary && second.primary, "each was when it was created");
    wallet.end(first.id).unwrap();
    for _ in 1..Wallet::LIVE {
        wallet.add_active();
    }
    assert_eq!(wallet.count(RecurringPayment::is_live), Wallet::LIVE);
    assert_eq!(wallet.create(keyed(1)), Ok(first));
    assert_eq!(wallet.create(keyed(2)), Ok(second));
    assert_eq!(wallet.create(keyed(3)), Err(Refusal::WalletFull));
}

#[test]
fn a_closed_visit_stays_closed_and_an_old_one_of_the_same_id_is_another() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let older = Visit { terminal: Terminal::opened(start() - TimeDelta::days(900)), ..visit };
    wallet.close_terminal(&older, Closing::Cancelled).unwrap();
    assert_eq!(wallet.setup(id), Ok(Setup::Open(vec![visit])));
    wallet.close_terminal(&visit, Closing::Declined(Decline::Soft)).unwrap();
    assert_eq!(wallet.setup(id), Ok(Setup::Open(vec![visit])), "a soft decline may go well later");
    wallet.close_terminal(&visit, Closing::Cancelled).unwrap();
    wallet.close_terminal(&visit, Closing::Declined(Decline::Hard)).unwrap();
    assert_eq!(wallet.setup(id), Err(Refusal::TerminalCancelled));
    assert_ne!(visit.order_number(), older.order_number());
}

/// A missed run of the schedule changes nothing: here seventeen have ended before the first look, the EXPIRED one first.
#[test]
fn one_that_was_forgotten_does_not_come_back_when_nobody_looked_in_between() {
    let mut wallet = wallet();
    let expiring = wallet.add();
    wallet.activate(visit_of(expiring), card_of(2099, 1), Months::new(1)).unwrap();
    let mut wallet = wallet.at(instant("2026-12-24T10:00:00Z"));
    for _ in 1..Wallet::ENDED {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    wallet.add();
    let (abandoned, forgotten) = (TimeDelta::hours(24), TimeDelta::days(60));
    assert_eq!(wallet.status(expiring), RecurringStatus::Expired);
    assert_eq!(wallet.clone().after(abandoned).view(expiring), Err(Refusal::NotFound));
    let looked = wallet.clone().after(abandoned).after(forgotten);
    assert_eq!(wallet.after(abandoned + forgotten).list(true), looked.list(true));
}

// Rule 16, and the customer's own limit, at the terminal.

fn asked(key: u8, request: u8) -> Asked {
    Asked { key: [key; 16], request: [request; 16] }
}

#[test]
fn rule_16_the_same_key_is_the_same_terminal_for_a_day() {
    let mut wallet = wallet();
    let (id, other) = (wallet.add(), wallet.add());
    let first = wallet.open_terminal(id, None, Some(asked(1, 1))).unwrap();
    assert!(!first.again);
    let before = wallet.clone();
    for (request, answer) in
        [(1, Ok(Opened { again: true, ..first })), (2, Err(Refusal::KeyReused))]
    {
        assert_eq!(wallet.open_terminal(id, None, Some(asked(1, request))), answer);
        assert_eq!(wallet, before, "nothing is written");
    }
    let another = wallet.open_terminal(id, None, Some(asked(2, 1))).unwrap();
    assert_ne!(another.visit.transaction_id, first.visit.transaction_id);
    assert!(
        !wallet.open_terminal(other, None, Some(asked(1, 2))).unwrap().again,
        "another payment"
    );
    assert!(!wallet.open_terminal(id, None, None).unwrap().again);
    wallet = wallet.at(start() + TimeDelta::hours(24) - millisecond());
    assert_eq!(
        wallet.open_terminal(id, None, Some(asked(1, 1))),
        Ok(Opened { again: true, ..first })
    );
    wallet = wallet.after(millisecond());
    assert!(
        !wallet.open_terminal(id, None, Some(asked(1, 2))).unwrap().again,
        "forgotten after a day"
    );
}

#[test]
fn a_terminal_that_nets_never_knew_is_asked_for_anew() {
    let mut wallet = wallet();
    let id = wallet.add();
    let first = wallet.open_terminal(id, None, Some(asked(1, 1))).unwrap();
    wallet.close_terminal(&first.visit, Closing::NeverRegistered).unwrap();
    assert!(!wallet.open_terminal(id, None, Some(asked(1, 2))).unwrap().again);
}

#[test]
fn ten_terminals_an_hour_are_the_customers_whatever_became_of_the_payments() {
    let mut wallet = wallet();
    for minute in 0..10 {
        wallet = wallet.at(start() + TimeDelta::minutes(minute));
        let id = wallet.add();
        let visit = wallet.open(id, None).unwrap();
        wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
        wallet.end(id).unwrap();
    }
    let id = wallet.add();
    let refused = |seconds| Err(Refusal::TooManyTerminals { retry_after_seconds: seconds });
    assert_eq!(wallet.open(id, None), refused(51 * 60));
    wallet = wallet.at(start() + TimeDelta::hours(1) - millisecond());
    assert_eq!(wallet.open(id, None), refused(1));
    wallet = wallet.after(millisecond());
    wallet.open(id, None).unwrap();
    assert_eq!(wallet.open(id, None), refused(60));
    assert_eq!(wallet.opened_lately().count(), 10);
    assert_eq!(wallet.after(TimeDelta::hours(1)).opened_lately().count(), 0);
}

// Rules 7 and 10: what the service does by itself, and tells.

fn told(wallet: &Wallet) -> Vec<(TransactionId, Event, DateTime<Utc>)> {
    let notifications = wallet.contents().notifications.iter();
    notifications.map(|one| (one.transaction_id, one.event, one.occurred_at)).collect()
}

#[test]
fn an_open_terminal_is_looked_at_after_1_5_and_16_minutes_an_hour_and_a_day() {
    let mut wallet = wallet();
    let id = wallet.add();
    wallet.open(id, None).unwrap();
    let mut looks = Vec::new();
    while let Some(at) = wallet.due().chore {
        assert!(wallet.clone().at(at - millisecond()).visits_due().is_empty());
        wallet = wallet.at(at);
        for visit in wallet.visits_due() {
            wallet.conclude(&visit, &Finding::Waiting, LIFETIME).unwrap();
        }
        looks.push((at - start()).num_minutes());
        assert!(looks.len() <= Terminal::LOOKS.len(), "{looks:?}");
    }
    assert_eq!(looks, [1, 5, 16, 60, 24 * 60]);
    assert_eq!(wallet.status(id), RecurringStatus::Created);
}

#[test]
fn looks_that_were_missed_are_made_up_by_one() {
    let mut wallet = wallet();
    let id = wallet.add();
    wallet.open(id, None).unwrap();
    wallet = wallet.after(TimeDelta::minutes(90));
    let visits = wallet.visits_due();
    assert_eq!(visits.len(), 1);
    wallet.conclude(&visits[0], &Finding::Waiting, LIFETIME).unwrap();
    assert_eq!(wallet.due().chore, Some(start() + TimeDelta::hours(24)));
}

#[test]
fn a_look_without_a_clear_answer_is_repeated_in_a_minute() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let minute = |minutes| start() + TimeDelta::minutes(minutes);
    // Sooner than planned, never later; also after the last planned one.
    for (now, next) in [(0, 1), (1, 2), (2, 3), (24 * 60, 24 * 60 + 1)] {
        wallet = wallet.at(minute(now));
        wallet.conclude(&visit, &Finding::Unclear, LIFETIME).unwrap();
        assert_eq!(wallet.due().chore, Some(minute(next)), "{now}");
    }
    wallet.conclude(&visit, &Finding::Waiting, LIFETIME).unwrap();
    assert_eq!(wallet.due().chore, None);
    wallet.conclude(&visit, &Finding::Unclear, LIFETIME).unwrap();
    assert_eq!(wallet.due().chore, Some(minute(24 * 60 + 1)));
}

#[test]
fn whatever_is_over_is_looked_at_no_more() {
    for finding in [
        Finding::Card(card()),
        Finding::Closed(Closing::Cancelled),
        Finding::Closed(Closing::NeverRegistered),
        Finding::Closed(Closing::Declined(Decline::Hard)),
        Finding::Card(card_of(2026, 10)),
    ] {
        let mut wallet = wallet();
        let id = wallet.add();
        let visit = wallet.open(id, None).unwrap();
        let mut wallet = wallet.after(Terminal::LOOKS[0]);
        wallet.conclude(&visit, &finding, LIFETIME).unwrap();
        assert_eq!(wallet.due().chore, None, "{finding:?}");
        assert_eq!(wallet.clone().after(TimeDelta::days(2)).visits_due(), []);
    }
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let soft = Finding::Closed(Closing::Declined(Decline::Soft));
    wallet.conclude(&visit, &soft, LIFETIME).unwrap();
    assert_eq!(wallet.due().chore, Some(start() + TimeDelta::minutes(1)), "it may go well later");
    wallet.end(id).unwrap();
    assert_eq!(wallet.due().chore, None);
}

/// Found by `tests/model`: `authorize`, or Nets' callback of an older visit, comes while `create-terminal` has written a visit
/// down and not yet registered it. The customer gets its address next, and must not find that nobody looks at it any more.
#[test]
fn a_visit_that_nets_does_not_know_yet_is_not_written_off_while_it_may_be_on_its_way() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let unknown = Finding::Closed(Closing::NeverRegistered);
    for earlier in [TimeDelta::seconds(-2), TimeDelta::zero(), TimeDelta::seconds(29)] {
        let before = wallet.clone().after(earlier);
        let mut looked = before.clone();
        looked.conclude(&visit, &unknown, LIFETIME).unwrap();
        assert_eq!(looked, before, "nothing is written, and the look that was planned stays");
    }
    let mut wallet = wallet.after(Terminal::LOOKS[0]);
    assert_eq!(wallet.visits_due(), [visit]);
    wallet.conclude(&visit, &unknown, LIFETIME).unwrap();
    assert_eq!(wallet.setup(id), Err(Refusal::NoTerminal));
    assert_eq!(wallet.take_over(&visit), Ok(false), "it is over");
}

/// Found by `tests/model`, too: the request is repeated with its key, and the schedule has just heard that Nets knows no such
/// visit.
#[test]
fn a_visit_that_is_taken_over_is_not_written_off_while_it_may_be_on_its_way() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, None).unwrap();
    let unknown = Finding::Closed(Closing::NeverRegistered);
    // At first the planned look is far enough, and nothing is written.
    let mut soon = wallet.clone().after(TimeDelta::seconds(30));
    let before = soon.clone();
    assert_eq!((soon.take_over(&visit), soon), (Ok(true), before));
    for later in [TimeDelta::milliseconds(30_001), TimeDelta::hours(3)] {
        let mut wallet = wallet.clone().after(later);
        assert_eq!(wallet.take_over(&visit), Ok(true));
        let mut wallet = wallet.after(TimeDelta::seconds(59));
        wallet.conclude(&visit, &unknown, LIFETIME).unwrap();
        assert_eq!(wallet.setup(id).map(|_| wallet.visits_due()), Ok(vec![]), "it is open");
        let mut wallet = wallet.after(TimeDelta::seconds(1));
        assert_eq!(wallet.visits_due().len(), 1);
        wallet.conclude(&visit, &unknown, LIFETIME).unwrap();
        assert_eq!(wallet.setup(id), Err(Refusal::NoTerminal));
    }
}

#[test]
fn the_end_of_a_setup_is_told_once() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, Some(callback())).unwrap();
    assert_eq!(told(&wallet), []);
    wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
    let activated = (visit.transaction_id, Event::Activated, start());
    assert_eq!(told(&wallet), [activated]);
    wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
    wallet.end(id).unwrap();
    assert_eq!(told(&wallet), [activated], "again, or ended: nothing new");
}

#[test]
fn a_decline_for_good_is_told_and_its_abandonment_not_too() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open(id, Some(callback())).unwrap();
    for _ in 0..2 {
        wallet.close_terminal(&visit, Closing::Declined(Decline::Hard)).unwrap();
    }
    let declined = (visit.transaction_id, Event::Declined, start());
    assert_eq!(told(&wallet), [declined]);
    let later = wallet.clone().after(TimeDelta::days(3));
    assert_eq!(told(&later), [declined]);
    // Another try, which nobody finishes, is another end.
    let second = wallet.open(id, None).unwrap();
    let later = wallet.after(TimeDelta::days(3));
    let abandoned_at = start() + TimeDelta::minutes(15) + TimeDelta::hours(24);
    assert_eq!(told(&later), [declined, (second.transaction_id, Event::Abandoned, abandoned_at)]);
    assert_eq!(told(&later.after(TimeDelta::hours(1))).len(), 2);
}

#[test]
fn nobody_is_told_who_named_no_address() {
    let mut wallet = wallet();
    let (first, second, third) = (wallet.add(), wallet.add(), wallet.add());
    let visit = wallet.open(first, None).unwrap();
    wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
    let visit = wallet.open(second, None).unwrap();
    wallet.close_terminal(&visit, Closing::Declined(Decline::Hard)).unwrap();
    let visit = wallet.open(third, Some(callback())).unwrap();
    wallet.close_terminal(&visit, Closing::Cancelled).unwrap();
    wallet.end(third).unwrap();
    assert_eq!(told(&wallet.after(TimeDelta::days(3))), [], "who ended it knows");
}

#[test]
fn a_sixth_open_one_has_the_first_told() {
    let mut wallet = wallet();
    let first = wallet.add();
    let visit = wallet.open(first, Some(callback())).unwrap();
    for _ in 0..Wallet::OPEN {
        wallet.add();
    }
    assert_eq!(told(&wallet), [(visit.transaction_id, Event::Abandoned, start())]);
}

#[test]
fn a_try_is_written_down_before_it_is_made() {
    let mut wallet = wallet();
    let (one, other) = (wallet.add(), wallet.add());
    for id in [one, other] {
        let visit = wallet.open(id, Some(callback())).unwrap();
        wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
    }
    assert_eq!(wallet.due().chore, Some(start()));
    let of = |tries: &[Notification]| -> Vec<RecurringPaymentId> {
        tries.iter().map(|told| told.transaction_id.recurring_payment_id()).collect()
    };
    assert_eq!(of(&wallet.begin_tries(Some(one))), [one]);
    assert_eq!(wallet.begin_tries(Some(one)), [], "it is under way");
    let tries = wallet.begin_tries(None);
    assert_eq!(of(&tries), [other]);
    assert_eq!(wallet.due().chore, Some(start() + TimeDelta::minutes(1)));
    wallet.heard(&tries[0].id());
    assert_eq!(of(&wallet.contents().notifications), [one]);
    // Never heard: given up once, after 72 hours.
    let mut given_up = Vec::new();
    while let Some(at) = wallet.due().chore {
        wallet = wallet.at(at);
        given_up.extend(wallet.give_up());
        wallet.begin_tries(None);
        assert!(at < start() + TimeDelta::days(30), "it is never given up");
    }
    assert_eq!(of(&given_up), [one]);
    assert!(
        start() + TimeDelta::hours(72) <= wallet.now && wallet.now < start() + TimeDelta::hours(78)
    );
}

// Erasure.

/// No `..` here: what is added to a wallet has to be erased, or it has to be said why not.
fn check_erased(erased: &Wallet, before: &Wallet) {
    let Contents { organisation, owner, last_sequence, choices, payments, notifications, opened } =
        erased.contents();
    let was = before.contents();
    assert_eq!(
        (*organisation, *owner, *last_sequence),
        (was.organisation, was.owner, was.last_sequence)
    );
    assert_eq!((erased.slot, erased.now), (before.slot, before.now));
    assert!(choices.is_empty() && payments.is_empty());
    assert!(notifications.is_empty() && opened.is_empty());
    assert_eq!(erased.due(), Due { expiry: None, chore: None });
    let mut again = erased.clone();
    again.erase();
    assert_eq!(again, *erased);
}

#[test]
fn erased_in_every_state_nothing_is_found_and_the_next_id_is_new() {
    for (state, alone) in Met::ALL.iter().flat_map(|state| [(*state, true), (*state, false)]) {
        let (mut wallet, id) = met(state, alone);
        let before = wallet.clone();
        wallet.erase();
        check_erased(&wallet, &before);
        let erased = wallet.clone();
        for action in Action::ALL {
            let what = format!("{action:?} when {state:?}, alone: {alone}");
            assert_eq!(act(&mut wallet, id, *action), Err(Refusal::NotFound), "{what}");
            assert_eq!(wallet, erased, "{what}");
        }
        assert_eq!((wallet.list(true), wallet.primary()), (Vec::new(), None));
        let next = wallet.create(plain()).unwrap();
        assert!(next.primary);
        assert_eq!(next.id.sequence(), before.contents().last_sequence.next());
    }
}

#[test]
fn a_wallet_in_which_there_was_never_anything_is_not_changed_by_erasing() {
    let mut erased = wallet();
    erased.erase();
    assert_eq!(erased, wallet());
}

#[test]
fn erasing_forgets_keys_and_terminals_and_has_nothing_told() {
    let mut wallet = wallet();
    let new = || NewRecurringPayment { idempotency: Some(([1; 16], [2; 16])), ..chosen() };
    let first = wallet.create(new()).unwrap().id;
    let visit = wallet.open(first, Some(callback())).unwrap();
    wallet.conclude(&visit, &Finding::Card(card()), LIFETIME).unwrap();
    let second = wallet.add();
    let open = wallet.open(second, Some(callback())).unwrap();
    let before = wallet.clone();
    assert!(!before.contents().notifications.is_empty() && !before.contents().opened.is_empty());
    wallet.erase();
    check_erased(&wallet, &before);
    assert_eq!((wallet.begin_tries(None), wallet.visits_due()), (Vec::new(), Vec::new()));
    // Who looked at Nets meanwhile brings nothing back.
    for finding in [Finding::Card(card()), Finding::Closed(Closing::Cancelled), Finding::Waiting] {
        assert_eq!(wallet.conclude(&open, &finding, LIFETIME), Err(Refusal::NotFound));
    }
    check_erased(&wallet, &before);
    let anew = wallet.create(new()).unwrap();
    assert!(anew.id != first && anew.id != second);
}

// Random lives.

/// One step of a random life; a number says which recurring payment is meant.
#[derive(Debug, Clone)]
enum Step {
    Create {
        primary: bool,
    },
    Activate {
        which: usize,
        card_months: u32,
        lifetime: u32,
    },
    End(usize),
    Choose(usize, bool),
    Rename(usize, bool),
    Open(usize),
    Close(usize, Closing),
    Erase,
    Wait(TimeDelta),
    /// To the instant at which time alone changes something next, or a millisecond beside it.
    WaitForEdge(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..40;
    let closing = prop_oneof![
        Just(Closing::NeverRegistered),
        Just(Closing::Cancelled),
        Just(Closing::Declined(Decline::Soft)),
        Just(Closing::Declined(Decline::Hard)),
        Just(Closing::CardExpired),
    ];
    let milliseconds = prop_oneof![
        4 => 0..1_000_i64,
        4 => 0..3_600_000_i64,
        3 => 0..200_000_000_i64,
        1 => 0..100_000_000_000_i64,
    ];
    prop_oneof![
        6 => any::<bool>().prop_map(|primary| Step::Create { primary }),
        5 => (which.clone(), 0..60_u32, 1..40_u32).prop_map(|(which, card_months, lifetime)| {
            Step::Activate { which, card_months, lifetime }
        }),
        3 => which.clone().prop_map(Step::End),
        3 => (which.clone(), any::<bool>()).prop_map(|(which, yes)| Step::Choose(which, yes)),
        1 => (which.clone(), any::<bool>()).prop_map(|(which, named)| Step::Rename(which, named)),
        3 => which.clone().prop_map(Step::Open),
        2 => (which, closing).prop_map(|(which, closing)| Step::Close(which, closing)),
        1 => Just(Step::Erase),
        2 => milliseconds.prop_map(|wait| Step::Wait(TimeDelta::milliseconds(wait))),
        2 => (-1..=1_i64).prop_map(Step::WaitForEdge),
    ]
}

/// A wallet beside what its customer remembers of it.
#[derive(Clone)]
struct Life {
    wallet: Wallet,
    /// In order of creation; one that is forgotten stays until its id comes round again.
    ids: Vec<RecurringPaymentId>,
    /// What was explicitly chosen, newest first.
    choices: Vec<RecurringPaymentId>,
    /// What was activated, first one first.
    activated: Vec<RecurringPaymentId>,
    visits: Vec<Visit>,
}

impl Life {
    fn new() -> Self {
        let nothing = Vec::new;
        Self {
            wallet: wallet(),
            ids: nothing(),
            choices: nothing(),
            activated: nothing(),
            visits: Vec::new(),
        }
    }

    fn id(&self, which: usize) -> RecurringPaymentId {
        let unknown = RecurringPaymentId::new(self.wallet.slot(), Sequence::NONE);
        self.ids.get(which % self.ids.len().max(1)).copied().unwrap_or(unknown)
    }

    fn choose(&mut self, id: RecurringPaymentId) {
        self.choices.retain(|chosen| *chosen != id);
        self.choices.insert(0, id);
    }

    /// The next instant at which a rule sets an end: rules 8, 9 and 14.
    fn edge(&self) -> Option<DateTime<Utc>> {
        let payments = self.wallet.contents().payments.iter();
        let edges = payments.filter_map(|payment| match &payment.state {
            State::Created { terminals, .. } => {
                let last = terminals.last().map(|last| last.opened_at + TimeDelta::minutes(15));
                Some(last.unwrap_or(payment.created_at) + TimeDelta::hours(24))
            }
            State::Active { registration, .. } => Some(registration.expires_at),
            State::Expired { .. } => None,
            State::Cancelled { at, .. } => Some(*at + TimeDelta::days(30)),
        });
        edges.filter(|edge| *edge > self.wallet.now + millisecond()).min()
    }

    fn take(&mut self, step: &Step) -> Result<(), Refusal> {
        match *step {
            Step::Create { primary } => {
                let id = self.wallet.create(if primary { chosen() } else { plain() })?.id;
                for remembered in [&mut self.ids, &mut self.choices, &mut self.activated] {
                    remembered.retain(|old| *old != id);
                }
                self.ids.push(id);
                if primary {
                    self.choose(id);
                }
            }
            Step::Activate { which, card_months, lifetime } => {
                let (id, month) = (self.id(which), self.wallet.now + Months::new(card_months));
                let month: CardExpiry = month.format("%Y-%m").to_string().parse().unwrap();
                let card = Card { expiry: month, ..card().card };
                self.wallet.activate(
                    visit_of(id),
                    VerifiedCard { card, ..card_of(2028, 2) },
                    Months::new(lifetime),
                )?;
                if !self.activated.contains(&id) {
                    self.activated.push(id);
                }
            }
            Step::End(which) => {
                let id = self.id(which);
                let ended = self.wallet.end(id)?;
                let before = self.wallet.clone();
                assert_eq!(self.wallet.end(id), Ok(ended));
                assert_eq!(self.wallet, before);
            }
            Step::Choose(which, yes) => {
                let (id, primary) = (self.id(which), self.wallet.primary_id());
                self.wallet.update(id, choice(yes))?;
                if yes && primary != Some(id) {
                    self.choose(id);
                }
            }
            Step::Rename(which, named) => {
                let id = self.id(which);
                self.wallet.update(id, renamed(named.then_some("Kort")))?;
            }
            Step::Open(which) => {
                let tell = (which % 2 == 0).then(callback);
                let visit = self.wallet.open(self.id(which), tell)?;
                self.visits.push(visit);
            }
            Step::Close(which, closing) => {
                if let Some(visit) = self.visits.get(which % self.visits.len().max(1)) {
                    self.wallet.close_terminal(visit, closing)?;
                }
            }
            Step::Erase => {
                let before = self.wallet.clone();
                self.wallet.erase();
                check_erased(&self.wallet, &before);
                let next = self.wallet.clone().create(plain())?.id;
                assert!(!self.ids.contains(&next), "an id is given out again");
            }
            Step::Wait(time) => self.wallet = self.wallet.clone().after(time),
            Step::WaitForEdge(beside) => {
                if let Some(edge) = self.edge() {
                    self.wallet = self.wallet.clone().at(edge + TimeDelta::milliseconds(beside));
                }
            }
        }
        Ok(())
    }

    /// Rule 1, told again from its words.
    fn primary_by_the_rule(&self) -> Option<RecurringPaymentId> {
        let is = |id: RecurringPaymentId, status| {
            self.wallet.view(id).is_ok_and(|view| view.status == status)
        };
        let active = |id: &&RecurringPaymentId| is(**id, RecurringStatus::Active);
        let created = |id: &&RecurringPaymentId| is(**id, RecurringStatus::Created);
        let usable = |id: &&RecurringPaymentId| active(id) || created(id);
        let newest_choice = self.choices.iter().find(usable);
        let activated_first = || self.activated.iter().find(active);
        let oldest_created = || self.ids.iter().find(created);
        newest_choice.or_else(activated_first).or_else(oldest_created).copied()
    }

    /// What holds at every instant.
    fn check(&self) {
        let (wallet, listed) = (&self.wallet, self.wallet.list(true));
        let primaries: Vec<_> = listed.iter().filter(|view| view.primary).collect();
        assert!(primaries.len() <= 1, "two are primary");
        let is_live = |status| match status {
            RecurringStatus::Created | RecurringStatus::Active => true,
            RecurringStatus::Expired | RecurringStatus::Cancelled => false,
        };
        assert!(primaries.iter().all(|view| is_live(view.status)), "an ended one is primary");
        assert_eq!(primaries.is_empty(), !listed.iter().any(|view| is_live(view.status)));
        assert_eq!(primaries.first().map(|view| view.id), self.primary_by_the_rule());
        assert_eq!(wallet.primary_id(), self.primary_by_the_rule());

        let known = self.ids.iter().filter_map(|id| wallet.view(*id).ok());
        let shown = known.filter(|view| view.status != RecurringStatus::Cancelled);
        assert_eq!(shown.collect::<Vec<_>>(), listed, "oldest first");
        let live = listed.into_iter().filter(|view| is_live(view.status));
        assert_eq!(live.collect::<Vec<_>>(), wallet.list(false));

        assert!(wallet.count(RecurringPayment::is_live) <= 16 && wallet.ended() <= 16);
        assert!(wallet.count(|payment| payment.status() == RecurringStatus::Created) <= 5);
        for chosen in &wallet.contents().choices {
            let times = wallet.contents().choices.iter().filter(|other| *other == chosen).count();
            assert_eq!(times, 1, "a choice twice");
            assert!(wallet.count(|payment| payment.sequence == *chosen && payment.is_live()) == 1);
        }
        for payment in &wallet.contents().payments {
            assert_eq!(wallet.count(|other| other.sequence == payment.sequence), 1, "an id twice");
            check_state(&payment.state, wallet.now);
        }
    }

    /// What holds between an instant and the next.
    fn check_after(&self, before: &Self, asked: bool) {
        let (was, is) = (&before.wallet, &self.wallet);
        for id in &before.ids {
            match (was.view(*id), is.view(*id)) {
                (Ok(was), Ok(is)) => assert!(was.status <= is.status, "a status moved back"),
                (Ok(view), Err(_)) => {
                    // By the clock alone it was over before it was forgotten.
                    let over = is.was_over(&view);
                    assert!(over, "a live one vanished");
                }
                (Err(_), Ok(_)) => assert!(self.ids.last() == Some(id), "one came back"),
                (Err(_), Err(_)) => {}
            }
        }
        let active = |wallet: &Wallet, id| {
            wallet.view(id).is_ok_and(|view| view.status == RecurringStatus::Active)
        };
        if let Some(held) = was.primary_id()
            && !asked
            && active(was, held)
            && active(is, held)
        {
            assert_eq!(is.primary_id(), Some(held), "nobody asked");
        }
    }

    /// What is due is when time changes something, and not a millisecond before.
    fn check_due(&self) {
        let at = |instant| self.wallet.clone().at(instant).contents().payments.clone();
        let states = |payments: Vec<RecurringPayment>| -> Vec<State> {
            payments.into_iter().map(|payment| payment.state).collect()
        };
        if let Some(due) = self.wallet.due().expiry {
            assert!(self.wallet.now < due, "overdue");
            let now = states(self.wallet.contents().payments.clone());
            assert_eq!(states(at(due - millisecond())), now, "before it is due");
            assert_ne!(states(at(due)), now, "when it is due");
        } else {
            let far = self.wallet.now + TimeDelta::days(100_000);
            assert_eq!(states(at(far)), states(self.wallet.contents().payments.clone()));
        }
        assert!(self.wallet.contents().notifications.len() <= Wallet::NOTIFICATIONS);
    }

    /// A look in between changes nothing.
    fn check_looking(&self, first: TimeDelta, second: TimeDelta) {
        let looked = self.wallet.clone().after(first).after(second);
        let missed = self.wallet.clone().after(first + second);
        let seen = |wallet: &Wallet| {
            let views: Vec<_> = self.ids.iter().map(|id| wallet.view(*id)).collect();
            (wallet.list(true), wallet.primary(), views)
        };
        assert_eq!(seen(&looked), seen(&missed));
        assert_eq!(looked, missed);
    }
}

impl Wallet {
    /// Whether one that was seen like this earlier is over by now, so that it may be forgotten.
    fn was_over(&self, seen: &View) -> bool {
        match seen.status {
            RecurringStatus::Created => seen.created_at + TimeDelta::hours(24) <= self.now,
            RecurringStatus::Active => {
                seen.registration.as_ref().is_some_and(|card| card.expires_at <= self.now)
            }
            RecurringStatus::Expired | RecurringStatus::Cancelled => true,
        }
    }
}

/// No `..` here: a pan hash in any other state, or another field, has to be thought about.
fn check_state(state: &State, now: DateTime<Utc>) {
    match state {
        State::Created { terminals, .. } => {
            assert!(terminals.len() <= 16);
            for over in terminals.iter().filter(|terminal| terminal.outcome != Outcome::Open) {
                assert_eq!(over.look_at, None, "there is nothing to look at");
            }
        }
        State::Active { registration, pan_hash: _ } => assert!(now < registration.expires_at),
        State::Expired { registration } => assert!(registration.expires_at <= now),
        State::Cancelled { reason: _, at, registration: _ } => {
            assert!(*at <= now && now < *at + TimeDelta::days(30));
        }
    }
}

fn live(steps: &[Step], (first, second): (TimeDelta, TimeDelta)) {
    let mut life = Life::new();
    for step in steps {
        let before = life.clone();
        if life.take(step).is_err() {
            assert_eq!(life.wallet, before.wallet, "a refusal changed something");
        }
        let asked = matches!(step, Step::Create { primary: true } | Step::Choose(_, true));
        life.check();
        if !matches!(step, Step::Erase) {
            life.check_after(&before, asked);
        }
        life.check_due();
        life.check_looking(first, second);
    }
}

fn time() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![0..200_000_000_i64, 0..4_000_000_000_i64, 0..100_000_000_000_i64]
        .prop_map(TimeDelta::milliseconds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_life_keeps_every_rule(steps in prop::collection::vec(step(), 1..60), look in (time(), time())) {
        live(&steps, look);
    }
}
