//! Tests of the rules in api.md §6: a table of every state and action, the boundaries of each rule, and random scenarios.

#[path = "wallet/lifecycle_tests.rs"]
mod lifecycle;

use chrono::{Months, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::domain::id::Attempt;
use crate::domain::notification::{Notification, SetupEvent, WalletEvent};
use crate::domain::terminal::{
    CloseReason, IdempotencyRecord, Outcome, Reconciliation, Terminal, TerminalSession,
};
use crate::domain::text::CallbackUrl;
use crate::error::Decline;
use crate::secret::Secret;

const LIFETIME: Months = Months::new(36);

/// Defines an enum with a list of all its variants, so that the tests cannot miss a variant.
macro_rules! enum_with_all {
    ($(#[$enum_meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$enum_meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];
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
    CallbackUrl::try_from("https://shop.example/hook").unwrap()
}

fn session_of(id: RecurringPaymentId) -> TransactionId {
    TransactionId::new(id, Attempt::try_from(0).unwrap())
}

fn wallet() -> Wallet {
    Wallet::empty(Slot::new(7), Organisation::new(1), Owner([7; 32]), start())
}

fn new_payment() -> NewRecurringPayment {
    NewRecurringPayment { nickname: None, primary: false, idempotency: None }
}

fn new_primary() -> NewRecurringPayment {
    NewRecurringPayment { primary: true, ..new_payment() }
}

fn set_primary(primary: bool) -> Change {
    Change { primary: Some(primary), ..Change::default() }
}

fn nickname(text: &str) -> Nickname {
    Nickname::try_from(text).unwrap()
}

fn rename(text: Option<&str>) -> Change {
    Change { nickname: Some(text.map(nickname)), ..Change::default() }
}

fn card_of(year: i32, month: u32) -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Visa,
        last_four: LastFour::from_masked("0004").unwrap(),
        expiry: CardExpiry::new(year, month).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) }
}

/// A card that is valid until the end of 2028-02.
fn card() -> VerifiedCard {
    card_of(2028, 2)
}

fn card_expires_at() -> DateTime<Utc> {
    instant("2028-03-01T00:00:00Z")
}

impl Wallet {
    /// Opens a terminal without an idempotency key.
    fn open(
        &mut self,
        id: RecurringPaymentId,
        callback: Option<CallbackUrl>,
    ) -> Result<TerminalSession, Refusal> {
        self.open_terminal(id, callback, None, false).map(|opened| opened.session)
    }

    fn add(&mut self) -> RecurringPaymentId {
        self.create(new_payment()).unwrap().id
    }

    fn add_active(&mut self) -> RecurringPaymentId {
        let id = self.add();
        self.activate(session_of(id), card(), LIFETIME).unwrap();
        id
    }

    fn add_active_and_end(&mut self) -> RecurringPaymentId {
        let id = self.add_active();
        self.end(id).unwrap();
        id
    }

    /// Adds an ACTIVE recurring payment whose card does not expire in any test.
    fn add_lasting(&mut self) -> RecurringPaymentId {
        let id = self.add();
        self.activate(session_of(id), card_of(2099, 1), Months::new(1_200)).unwrap();
        id
    }

    fn close_new_terminal(&mut self, id: RecurringPaymentId, close_reason: CloseReason) {
        let session = self.open(id, None).unwrap();
        self.close_terminal(&session, close_reason).unwrap();
    }

    fn after(self, time: TimeDelta) -> Self {
        let then = self.now + time;
        self.at(then)
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

    fn ended_count(&self) -> usize {
        self.count(|payment| !payment.is_live())
    }
}

// Every action in every state.

enum_with_all! {
    /// Every state in which a test can find a recurring payment.
    InitialState {
        Created,
        TerminalOpen,
        TerminalCancelled,
        TerminalDeclined,
        TerminalFailed,
        /// Stored as CREATED, read after the grace period of 24 hours.
        CreatedPastGracePeriod,
        Abandoned,
        Active,
        /// Stored as ACTIVE, read after `expires_at`.
        ActivePastExpiry,
        Expired,
        EndedCreated,
        EndedActive,
        EndedExpired,
    }
}

enum_with_all! {
    Action {
        View,
        Rename,
        ClearNickname,
        ChangeNothing,
        SetPrimary,
        UnsetPrimary,
        End,
        OpenTerminal,
        CloseNeverRegistered,
        CloseCancelled,
        CloseSoftDecline,
        CloseAuthenticationRequired,
        CloseHardDecline,
        Activate,
        SetupProgress,
    }
}

/// A wallet with a recurring payment in this state, alone or together with an ACTIVE primary one.
fn wallet_in(state: InitialState, alone: bool) -> (Wallet, RecurringPaymentId) {
    let mut wallet = wallet();
    if !alone {
        wallet.add_lasting();
    }
    let named = NewRecurringPayment { nickname: Some(nickname("Kort")), ..new_payment() };
    let id = wallet.create(named).unwrap().id;
    let day = start() + TimeDelta::hours(24);
    match state {
        InitialState::Created => {}
        InitialState::TerminalOpen => drop(wallet.open(id, None)),
        InitialState::TerminalCancelled => wallet.close_new_terminal(id, CloseReason::Cancelled),
        InitialState::TerminalDeclined => {
            wallet.close_new_terminal(id, CloseReason::Declined(Decline::Hard));
        }
        InitialState::TerminalFailed => wallet.close_new_terminal(id, CloseReason::NeverRegistered),
        InitialState::CreatedPastGracePeriod => wallet = wallet.at(day + TimeDelta::hours(1)),
        InitialState::Abandoned => wallet = wallet.at(day).after(TimeDelta::hours(1)),
        InitialState::Active => drop(wallet.activate(session_of(id), card(), LIFETIME)),
        InitialState::ActivePastExpiry | InitialState::Expired | InitialState::EndedExpired => {
            wallet.activate(session_of(id), card(), LIFETIME).unwrap();
            if state != InitialState::ActivePastExpiry {
                wallet = wallet.at(card_expires_at());
            }
            wallet = wallet.at(card_expires_at() + TimeDelta::hours(1));
            if state == InitialState::EndedExpired {
                wallet.end(id).unwrap();
            }
        }
        InitialState::EndedCreated => drop(wallet.end(id)),
        InitialState::EndedActive => {
            wallet.activate(session_of(id), card(), LIFETIME).unwrap();
            wallet.end(id).unwrap();
        }
    }
    (wallet, id)
}

fn perform(wallet: &mut Wallet, id: RecurringPaymentId, action: Action) -> Result<(), Refusal> {
    let first_session = TerminalSession {
        transaction_id: TransactionId::new(id, Attempt::try_from(0_usize).unwrap()),
        terminal: Terminal::opened(start()),
    };
    let mut close = |close_reason| wallet.close_terminal(&first_session, close_reason);
    match action {
        Action::CloseNeverRegistered => close(CloseReason::NeverRegistered),
        Action::CloseCancelled => close(CloseReason::Cancelled),
        Action::CloseSoftDecline => close(CloseReason::Declined(Decline::Soft)),
        Action::CloseAuthenticationRequired => {
            close(CloseReason::Declined(Decline::AuthenticationRequired))
        }
        Action::CloseHardDecline => close(CloseReason::Declined(Decline::Hard)),
        Action::View => wallet.view(id).map(drop),
        Action::Rename => wallet.update(id, rename(Some("Jobb"))).map(drop),
        Action::ClearNickname => wallet.update(id, rename(None)).map(drop),
        Action::ChangeNothing => wallet.update(id, Change::default()).map(drop),
        Action::SetPrimary => wallet.update(id, set_primary(true)).map(drop),
        Action::UnsetPrimary => wallet.update(id, set_primary(false)).map(drop),
        Action::End => wallet.end(id).map(drop),
        Action::OpenTerminal => wallet.open(id, None).map(drop),
        Action::Activate => wallet.activate(session_of(id), card(), LIFETIME).map(drop),
        Action::SetupProgress => wallet.setup_progress(id).map(drop),
    }
}

/// The expected status after an action, or the expected refusal, for every state and action.
fn expected_result(
    state: InitialState,
    alone: bool,
    action: Action,
) -> Result<RecurringStatus, Refusal> {
    use InitialState::{
        Abandoned, Active, ActivePastExpiry, Created, CreatedPastGracePeriod, EndedActive,
        EndedCreated, EndedExpired, Expired, TerminalCancelled, TerminalDeclined, TerminalFailed,
        TerminalOpen,
    };
    use RecurringStatus as Status;
    let same = match state {
        Created | TerminalOpen | TerminalCancelled | TerminalDeclined | TerminalFailed => {
            Status::Created
        }
        Active => Status::Active,
        ActivePastExpiry | Expired => Status::Expired,
        CreatedPastGracePeriod | Abandoned | EndedCreated | EndedActive | EndedExpired => {
            Status::Cancelled
        }
    };
    match action {
        Action::View
        | Action::ChangeNothing
        | Action::CloseNeverRegistered
        | Action::CloseCancelled
        | Action::CloseSoftDecline
        | Action::CloseAuthenticationRequired
        | Action::CloseHardDecline => Ok(same),
        Action::Rename | Action::ClearNickname => match same {
            Status::Created | Status::Active | Status::Expired => Ok(same),
            Status::Cancelled => Err(Refusal::Ended),
        },
        Action::SetPrimary => match same {
            Status::Created | Status::Active => Ok(same),
            Status::Expired | Status::Cancelled => Err(Refusal::NeverPrimary),
        },
        Action::UnsetPrimary => match same {
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
        Action::SetupProgress => match state {
            Created | TerminalFailed => Err(Refusal::NoTerminal),
            TerminalOpen | Active => Ok(same),
            TerminalCancelled => Err(Refusal::TerminalCancelled),
            TerminalDeclined => Err(Refusal::Declined(Decline::Hard)),
            ActivePastExpiry
            | Expired
            | CreatedPastGracePeriod
            | Abandoned
            | EndedCreated
            | EndedActive
            | EndedExpired => Err(Refusal::NotAwaitingCard),
        },
    }
}

/// Returns whether an action is expected to change the wallet. A refused action never changes it.
fn expects_change(state: InitialState, alone: bool, action: Action) -> bool {
    let live_or_expired = expected_result(state, alone, Action::Rename).is_ok();
    match action {
        Action::View | Action::ChangeNothing | Action::UnsetPrimary | Action::SetupProgress => {
            false
        }
        Action::Rename | Action::ClearNickname | Action::End => live_or_expired,
        Action::SetPrimary => !alone && expected_result(state, alone, action).is_ok(),
        Action::OpenTerminal => expected_result(state, alone, action).is_ok(),
        Action::Activate => {
            expected_result(state, alone, action).is_ok() && state != InitialState::Active
        }
        Action::CloseSoftDecline | Action::CloseAuthenticationRequired => false,
        Action::CloseNeverRegistered | Action::CloseCancelled | Action::CloseHardDecline => {
            state == InitialState::TerminalOpen
        }
    }
}

#[test]
fn every_action_in_every_state_has_the_expected_result() {
    for (state, alone) in
        InitialState::ALL.iter().flat_map(|state| [(*state, true), (*state, false)])
    {
        for action in Action::ALL {
            let (mut wallet, id) = wallet_in(state, alone);
            let before = wallet.clone();
            let result = perform(&mut wallet, id, *action).map(|()| wallet.status(id));
            let what = format!("{action:?} when {state:?}, alone: {alone}");
            assert_eq!(result, expected_result(state, alone, *action), "{what}");
            assert_eq!(
                wallet != before,
                expects_change(state, alone, *action),
                "{what}: whether the wallet changed"
            );
        }
    }
}

#[test]
fn only_created_and_active_ones_can_become_primary() {
    for (state, alone) in
        InitialState::ALL.iter().flat_map(|state| [(*state, true), (*state, false)])
    {
        let (mut wallet, id) = wallet_in(state, alone);
        let live = expected_result(state, alone, Action::SetPrimary).is_ok();
        assert_eq!(wallet.primary_id() == Some(id), live && alone, "{state:?}");
        assert_eq!(wallet.update(id, set_primary(true)).is_ok_and(|view| view.primary), live);
        assert_eq!(wallet.primary_id() == Some(id), live, "{state:?}");
    }
}

#[test]
fn only_an_active_one_has_a_card_to_charge() {
    for (state, alone) in
        InitialState::ALL.iter().flat_map(|state| [(*state, true), (*state, false)])
    {
        let (wallet, id) = wallet_in(state, alone);
        let expected = (state == InitialState::Active).then(|| StoredCard {
            pan_hash: card().pan_hash,
            card: card().card,
            allows_merchant_initiated: false,
        });
        assert_eq!(wallet.stored_card(id), Ok(expected), "{state:?}");
    }
    let unknown = RecurringPaymentId::new(wallet().slot(), Sequence::NONE);
    assert_eq!(wallet().stored_card(unknown), Err(Refusal::NotFound));
}

/// The session in which the card was entered counts, whatever the customer allowed in another one.
#[test]
fn a_card_may_be_charged_by_the_merchant_if_its_terminal_allowed_it() {
    for allows in [[false, false], [false, true], [true, false], [true, true]] {
        for (attempt, expected) in allows.into_iter().enumerate() {
            let mut wallet = wallet();
            let id = wallet.add();
            let sessions =
                allows.map(|allows| wallet.open_terminal(id, None, None, allows).unwrap().session);
            let card = Reconciliation::Card(card());
            wallet.apply_reconciliation(&sessions[attempt], &card, LIFETIME).unwrap();
            let stored = wallet.stored_card(id).unwrap().unwrap();
            assert_eq!(stored.allows_merchant_initiated, expected, "{allows:?} {attempt}");
            // The first card counts.
            wallet.apply_reconciliation(&sessions[1 - attempt], &card, LIFETIME).unwrap();
            assert_eq!(wallet.stored_card(id), Ok(Some(stored)));
            let expired = wallet.at(card_expires_at()).view(id).unwrap().registration.unwrap();
            assert_eq!(expired.allows_merchant_initiated, expected);
        }
    }
}

#[test]
fn a_repeated_terminal_keeps_what_the_first_request_allowed() {
    for allows in [false, true] {
        let mut wallet = wallet();
        let id = wallet.add();
        let first = wallet.open_terminal(id, None, Some(idempotency(1, 1)), allows).unwrap();
        let again = wallet.open_terminal(id, None, Some(idempotency(1, 1)), !allows).unwrap();
        assert_eq!((again.repeated, again.session), (true, first.session));
        assert_eq!(first.session.terminal.allows_merchant_initiated, allows);
    }
}

#[test]
fn a_named_customer_must_own_the_wallet() {
    let wallet = wallet();
    assert_eq!(wallet.owner(), Owner([7; 32]));
    assert_eq!(wallet.check_owner(None), Ok(()));
    assert_eq!(wallet.check_owner(Some(Owner([7; 32]))), Ok(()));
    assert_eq!(wallet.check_owner(Some(Owner([8; 32]))), Err(Refusal::OtherCustomer));
}

#[test]
fn every_action_on_an_unknown_id_fails_with_not_found() {
    let mut wallet = wallet();
    wallet.add();
    let id_of_other_wallet = RecurringPaymentId::new(Slot::new(8), Sequence::NONE.next());
    let aliased = RecurringPaymentId::try_from(wallet.add().number() + (1 << 49)).unwrap();
    for id in [RecurringPaymentId::new(wallet.slot(), Sequence::NONE), id_of_other_wallet, aliased]
    {
        let before = wallet.clone();
        for action in Action::ALL {
            assert_eq!(perform(&mut wallet, id, *action), Err(Refusal::NotFound), "{action:?}");
        }
        assert_eq!(wallet, before);
    }
}

// Tests of each rule.

#[test]
fn rule_1_the_first_created_is_primary_until_another_one_is_activated() {
    let mut wallet = wallet();
    assert_eq!(wallet.primary_id(), None);
    let first = wallet.add();
    let second = wallet.add();
    assert_eq!(wallet.primary_id(), Some(first));
    wallet.activate(session_of(second), card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second));
    wallet = wallet.at(start() + millisecond());
    wallet.activate(session_of(first), card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second), "the one activated first is primary");
    wallet.end(second).unwrap();
    assert_eq!(wallet.primary_id(), Some(first));
}

#[test]
fn rule_1_ending_the_chosen_primary_promotes_the_previous_choice() {
    let mut wallet = wallet();
    let [first, second, third] = [wallet.add_active(), wallet.add_active(), wallet.add_active()];
    for chosen in [third, second, third, first, second] {
        assert!(wallet.update(chosen, set_primary(true)).unwrap().primary);
        assert_eq!(wallet.primary_id(), Some(chosen));
    }
    for next in [first, third] {
        wallet.end(wallet.primary_id().unwrap()).unwrap();
        assert_eq!(wallet.primary_id(), Some(next));
    }
}

#[test]
fn rule_1_a_created_one_can_be_chosen_although_another_is_active() {
    let mut wallet = wallet();
    let active = wallet.add_active();
    let created = wallet.add();
    assert_eq!(wallet.primary_id(), Some(active), "a new one is not primary unless it is chosen");
    wallet.update(created, set_primary(true)).unwrap();
    assert_eq!(wallet.primary_id(), Some(created));
    let newest = wallet.create(new_primary()).unwrap();
    assert_eq!((newest.primary, wallet.primary_id()), (true, Some(newest.id)));
    wallet.end(newest.id).unwrap();
    assert_eq!(wallet.primary_id(), Some(created));
}

#[test]
fn rule_1_ending_abandoning_or_expiring_the_primary_promotes_the_next_at_once() {
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
    assert_eq!(expiring.clone().at(card_expires_at() - millisecond()).primary_id(), Some(primary));
    assert_eq!(expiring.clone().at(card_expires_at()).primary_id(), Some(next));
    assert_eq!(expiring.at(card_expires_at() + millisecond()).primary_id(), Some(next));
}

#[test]
fn rule_1_abandoning_the_chosen_primary_promotes_the_previous_choice() {
    let mut wallet = wallet();
    let (oldest, before) = (wallet.add_active(), wallet.add_active());
    wallet.update(before, set_primary(true)).unwrap();
    let choice = wallet.create(new_primary()).unwrap();
    assert!(choice.primary);
    let abandoned_at = start() + TimeDelta::hours(24);
    assert_eq!(wallet.clone().at(abandoned_at - millisecond()).primary_id(), Some(choice.id));
    let mut wallet = wallet.at(abandoned_at);
    assert_eq!(wallet.primary_id(), Some(before));
    wallet.end(before).unwrap();
    assert_eq!(wallet.primary_id(), Some(oldest));
}

#[test]
fn rule_1_activations_keep_their_order_within_one_instant_and_with_differing_clocks() {
    for clock_offset in [TimeDelta::zero(), -millisecond()] {
        let mut wallet = wallet();
        let (first, second) = (wallet.add(), wallet.add());
        wallet.activate(session_of(second), card(), LIFETIME).unwrap();
        let mut wallet = wallet.after(clock_offset);
        wallet.activate(session_of(first), card(), LIFETIME).unwrap();
        assert_eq!(wallet.primary_id(), Some(second));
    }
}

#[test]
fn rule_1_a_reused_id_does_not_inherit_a_choice() {
    let mut wallet = wallet();
    let lasting = wallet.add_lasting();
    let choice = wallet.create(new_primary()).unwrap().id;
    wallet.end(choice).unwrap();
    for _ in 0..1_021 {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    assert_eq!(wallet.add(), choice, "there are 1,023 numbers, and one of them is still in use");
    assert_eq!(wallet.primary_id(), Some(lasting));
}

/// A choice is deleted when its recurring payment ends. If it was stored nevertheless, it is ignored.
#[test]
fn rule_1_a_stored_choice_that_has_ended_is_ignored() {
    let mut wallet = wallet();
    let (first, second, chosen) = (wallet.add_active(), wallet.add_active(), wallet.add_active());
    wallet.update(chosen, set_primary(true)).unwrap();
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
fn rule_2_the_primary_cannot_be_unset_and_choosing_it_again_changes_nothing() {
    let mut wallet = wallet();
    let first = wallet.create(NewRecurringPayment { primary: false, ..new_payment() }).unwrap();
    assert!(first.primary, "the first one is always primary");
    let other = wallet.add();
    let before = wallet.clone();
    assert_eq!(wallet.update(first.id, set_primary(false)), Err(Refusal::PrimaryNeedsSuccessor));
    let both = Change { primary: Some(false), ..rename(Some("Jobb")) };
    assert_eq!(wallet.update(first.id, both), Err(Refusal::PrimaryNeedsSuccessor));
    for (id, change) in
        [(first.id, set_primary(true)), (other, set_primary(false)), (other, Change::default())]
    {
        wallet.update(id, change).unwrap();
    }
    assert_eq!(wallet, before);
}

#[test]
fn rule_3_an_expired_or_cancelled_one_cannot_be_chosen() {
    let mut wallet = wallet();
    let (_, expiring, ended) = (wallet.add_lasting(), wallet.add_active(), wallet.add());
    wallet.end(ended).unwrap();
    let both = Change { primary: Some(true), ..rename(Some("Jobb")) };
    assert_eq!(wallet.update(ended, both.clone()), Err(Refusal::NeverPrimary));
    let mut just_before = wallet.clone().at(card_expires_at() - millisecond());
    assert!(just_before.update(expiring, both.clone()).unwrap().primary);
    for late in [TimeDelta::zero(), millisecond()] {
        let mut wallet = wallet.clone().at(card_expires_at() + late);
        let before = wallet.clone();
        assert_eq!(wallet.update(expiring, both.clone()), Err(Refusal::NeverPrimary));
        assert_eq!(wallet, before);
    }
}

#[test]
fn rule_4_ending_twice_returns_the_same_result_and_deletes_the_pan_hash() {
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
fn rule_4_ending_an_abandoned_one_keeps_its_reason() {
    let mut wallet = wallet();
    let id = wallet.add();
    let mut wallet = wallet.at(start() + TimeDelta::hours(24));
    assert_eq!(wallet.end(id).unwrap().reason, Some(StatusReason::Abandoned));
}

#[test]
fn rule_4_ending_the_17th_returns_it_although_clocks_differ() {
    let mut wallet = wallet();
    for _ in 0..Wallet::MAX_ENDED {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    let id = wallet.add();
    let mut wallet = wallet.after(-millisecond());
    assert_eq!(wallet.end(id).map(|view| view.status), Ok(RecurringStatus::Cancelled));
    assert_eq!(wallet.ended_count(), Wallet::MAX_ENDED);
}

#[test]
fn rule_4_ending_the_17th_returns_it_although_16_newer_ones_ended_in_the_same_instant() {
    let mut wallet = wallet();
    let oldest = wallet.add_active();
    let newer: Vec<_> = (0..Wallet::MAX_ENDED).map(|_| wallet.add_active_and_end()).collect();
    assert_eq!(wallet.end(oldest).map(|view| view.status), Ok(RecurringStatus::Cancelled));
    assert_eq!(wallet.ended_count(), Wallet::MAX_ENDED);
    assert_eq!(wallet.view(newer[0]), Err(Refusal::NotFound), "the oldest one was deleted");
}

#[test]
fn rule_5_a_failed_setup_stays_created_and_can_be_repeated() {
    let mut wallet = wallet();
    let id = wallet.add();
    assert_eq!(wallet.setup_progress(id), Err(Refusal::NoTerminal));
    for (close_reason, refusal) in [
        (CloseReason::NeverRegistered, Refusal::NoTerminal),
        (CloseReason::Cancelled, Refusal::TerminalCancelled),
        (CloseReason::Declined(Decline::Hard), Refusal::Declined(Decline::Hard)),
        (CloseReason::NeverRegistered, Refusal::Declined(Decline::Hard)),
    ] {
        wallet.close_new_terminal(id, close_reason);
        assert_eq!(wallet.setup_progress(id), Err(refusal), "{close_reason:?}");
        assert_eq!(wallet.status(id), RecurringStatus::Created);
    }
    let active = wallet.activate(session_of(id), card(), LIFETIME).unwrap();
    assert_eq!(wallet.setup_progress(id), Ok(SetupProgress::Completed(Box::new(active))));
}

#[test]
fn rule_5_a_timed_out_terminal_is_reconciled_until_its_outcome_is_known() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let expires_at = session.terminal.expires_at();
    assert_eq!(expires_at, instant("2026-11-23T10:15:00Z"));
    for instant in [expires_at - millisecond(), expires_at, expires_at + TimeDelta::hours(23)] {
        assert_eq!(
            wallet.clone().at(instant).setup_progress(id),
            Ok(SetupProgress::AwaitingCard(vec![session]))
        );
    }
}

#[test]
fn rule_6_at_most_five_terminals_per_hour_and_sixteen_in_total() {
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
fn rule_6_the_hourly_limit_is_per_recurring_payment_with_a_sliding_window() {
    let mut wallet = wallet();
    let (id, other) = (wallet.add(), wallet.add());
    for _ in 0..5 {
        wallet.close_new_terminal(id, CloseReason::Cancelled);
    }
    let refused = |seconds| Err(Refusal::TooManyTerminals { retry_after_seconds: seconds });
    assert_eq!(wallet.open(id, None), refused(3_600));
    wallet.open(other, None).unwrap();
    let mut wallet = wallet.after(millisecond());
    assert_eq!(wallet.open(id, None), refused(3_600), "seconds are rounded up");
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    for _ in 0..5 {
        wallet.open(id, None).unwrap();
    }
    assert_eq!(wallet.open(id, None), refused(3_600));
}

#[test]
fn rule_6_older_terminals_stay_valid_and_the_first_card_counts() {
    let mut wallet = wallet();
    let id = wallet.add();
    let (older, newer) = (wallet.open(id, None).unwrap(), wallet.open(id, None).unwrap());
    assert_ne!(older.transaction_id, newer.transaction_id);
    assert_eq!(wallet.setup_progress(id), Ok(SetupProgress::AwaitingCard(vec![older, newer])));
    wallet.close_terminal(&newer, CloseReason::Cancelled).unwrap();
    assert_eq!(wallet.setup_progress(id), Ok(SetupProgress::AwaitingCard(vec![older])));
    let first = wallet.activate(session_of(id), card(), LIFETIME).unwrap();
    let other = VerifiedCard { pan_hash: Secret::new("other".to_owned()), ..card() };
    let before = wallet.clone();
    assert_eq!(wallet.activate(session_of(id), other, LIFETIME), Ok(first));
    wallet.close_terminal(&older, CloseReason::Cancelled).unwrap();
    assert_eq!(wallet, before);
}

#[test]
fn rule_8_abandoned_24_hours_after_creation_or_after_the_last_terminal() {
    let mut wallet = wallet();
    let (without, with, closed) = (wallet.add(), wallet.add(), wallet.add());
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    wallet.open(with, None).unwrap();
    wallet.close_new_terminal(closed, CloseReason::Cancelled);
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
fn rule_8_the_grace_period_starts_at_the_end_of_the_last_terminal() {
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
fn rule_8_a_sixth_created_one_abandons_the_oldest() {
    let mut wallet = wallet();
    let active = wallet.add_active();
    let ids: Vec<_> = (0..5).map(|_| wallet.add()).collect();
    wallet.update(ids[0], set_primary(true)).unwrap();
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
fn rule_9_an_active_one_expires_exactly_at_expires_at() {
    let mut wallet = wallet();
    let (active, created) = (wallet.add_active(), wallet.add());
    let hour_before = wallet.at(card_expires_at() - TimeDelta::hours(1));
    assert_eq!(hour_before.status(active), RecurringStatus::Active);
    assert_eq!(
        hour_before.view(created),
        Err(Refusal::NotFound),
        "it was abandoned and deleted long before"
    );
    let just_before = hour_before.clone().at(card_expires_at() - millisecond());
    assert_eq!(just_before.status(active), RecurringStatus::Active);
    for late in [TimeDelta::zero(), millisecond()] {
        let expired = hour_before.clone().at(card_expires_at() + late);
        assert_eq!(expired.status(active), RecurringStatus::Expired);
        assert_eq!(
            (expired.list(false).len(), expired.list(true).len(), expired.primary_id()),
            (0, 1, None)
        );
    }
}

#[test]
fn rule_9_expires_with_the_card_or_after_the_lifetime() {
    for (card, lifetime, expires_at) in [
        (card_of(2028, 2), 36, "2028-03-01T00:00:00Z"),
        (card_of(2029, 10), 36, "2029-11-01T00:00:00Z"),
        (card_of(2029, 11), 36, "2029-11-23T10:00:00Z"),
        (card_of(2099, 1), 1, "2026-12-23T10:00:00Z"),
    ] {
        let expires_at = instant(expires_at);
        let mut wallet = wallet();
        let id = wallet.add();
        let view = wallet.activate(session_of(id), card, Months::new(lifetime)).unwrap();
        assert_eq!(view.registration.unwrap().expires_at, expires_at);
        let just_before = wallet.clone().at(expires_at - millisecond());
        assert_eq!(just_before.status(id), RecurringStatus::Active);
        assert_eq!(wallet.at(expires_at).status(id), RecurringStatus::Expired);
    }
}

#[test]
fn rule_9_an_expired_card_is_not_activated() {
    let mut wallet = wallet();
    let (id, _) = (wallet.add(), wallet.add());
    let before = wallet.clone();
    let refused = wallet.activate(session_of(id), card_of(2026, 10), LIFETIME);
    assert_eq!((refused, wallet), (Err(Refusal::CardExpired), before));
}

/// For a card with the expiry 11/26: a terminal that is opened on the last day of that month at 23:59.
fn open_terminal_at_month_end() -> (Wallet, RecurringPaymentId, TerminalSession) {
    let mut wallet = wallet().at(instant("2026-11-30T23:59:00Z"));
    let id = wallet.add();
    let session = wallet.open(id, Some(callback())).unwrap();
    (wallet, id, session)
}

#[test]
fn rule_9_a_card_verified_after_its_expiry_closes_the_session_as_declined() {
    let ends_at = instant("2026-12-01T00:00:00Z");
    let (before, id, session) = open_terminal_at_month_end();
    let card = Reconciliation::Card(card_of(2026, 11));
    for (at, expired) in [
        (ends_at - millisecond(), false),
        (ends_at, true),
        (ends_at + TimeDelta::seconds(5), true),
        (ends_at + TimeDelta::hours(23), true),
    ] {
        let mut wallet = before.clone().at(at);
        wallet.apply_reconciliation(&session, &card, LIFETIME).unwrap();
        let (status, event) = if expired {
            (RecurringStatus::Created, Event::CardExpired)
        } else {
            (RecurringStatus::Active, Event::Activated)
        };
        assert_eq!(wallet.status(id), status, "{at}");
        assert_eq!(notifications_of(&wallet), [(session.transaction_id, event, at)]);
        assert_eq!(
            wallet.setup_progress(id).err(),
            expired.then_some(Refusal::CardExpired),
            "{at}"
        );
        // The next request has the same result and adds no notification.
        let unchanged = wallet.clone();
        wallet.apply_reconciliation(&session, &card, LIFETIME).unwrap();
        assert_eq!(wallet, unchanged, "{at}");
        assert!(wallet.due_sessions().is_empty());
        // The same applies if the clock of the next request is behind.
        let mut earlier = wallet.clone().at(ends_at - TimeDelta::seconds(2));
        earlier.apply_reconciliation(&session, &card, LIFETIME).unwrap();
        assert_eq!(
            (earlier.status(id), notifications_of(&earlier)),
            (status, notifications_of(&wallet)),
            "{at}"
        );
    }
}

#[test]
fn rule_9_another_terminal_can_follow_an_expired_card() {
    let (wallet, id, session) = open_terminal_at_month_end();
    let mut wallet = wallet.at(instant("2026-12-01T00:00:05Z"));
    wallet
        .apply_reconciliation(&session, &Reconciliation::Card(card_of(2026, 11)), LIFETIME)
        .unwrap();
    let expired = notifications_of(&wallet);
    let later = wallet.clone().after(TimeDelta::days(3));
    assert_eq!(later.status(id), RecurringStatus::Cancelled);
    assert_eq!(
        notifications_of(&later),
        expired,
        "there is no second notification for the abandonment"
    );
    let another = wallet.open(id, None).unwrap();
    wallet.apply_reconciliation(&another, &Reconciliation::Card(card()), LIFETIME).unwrap();
    assert_eq!(wallet.status(id), RecurringStatus::Active);
    let activated = (another.transaction_id, Event::Activated, wallet.now);
    assert_eq!(notifications_of(&wallet), [expired, vec![activated]].concat());
    let unchanged = wallet.clone();
    wallet
        .apply_reconciliation(&session, &Reconciliation::Card(card_of(2026, 11)), LIFETIME)
        .unwrap();
    assert_eq!(wallet, unchanged, "the first session is closed");
}

/// `activated_at` can be one millisecond later than the current time. A card that expires by then would be EXPIRED at once.
#[test]
fn rule_9_card_expiry_is_checked_at_the_instant_of_activation() {
    let ends_at = instant("2026-12-01T00:00:00Z");
    let (wallet, id, session) = open_terminal_at_month_end();
    let mut wallet = wallet.at(ends_at);
    wallet.add_active();
    let mut wallet = wallet.at(ends_at - millisecond());
    wallet
        .apply_reconciliation(&session, &Reconciliation::Card(card_of(2026, 11)), LIFETIME)
        .unwrap();
    assert_eq!(wallet.status(id), RecurringStatus::Created);
    assert_eq!(wallet.setup_progress(id), Err(Refusal::CardExpired));
}

#[test]
fn rule_14_keeps_at_most_16_live_and_16_ended() {
    let mut wallet = wallet();
    let ids: Vec<_> = (0..16).map(|_| wallet.add_active()).collect();
    let before = wallet.clone();
    assert_eq!(wallet.create(new_primary()), Err(Refusal::WalletFull));
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
fn rule_14_ending_a_17th_deletes_the_oldest_ended_one() {
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
fn rule_14_the_retention_starts_at_the_end() {
    let mut wallet = wallet();
    let (ended, abandoned) = (wallet.add(), wallet.add());
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    wallet.end(ended).unwrap();
    for (id, deleted_at) in
        [(ended, instant("2026-12-23T11:00:00Z")), (abandoned, instant("2026-12-24T10:00:00Z"))]
    {
        let just_before = wallet.clone().at(deleted_at - millisecond());
        assert_eq!(just_before.status(id), RecurringStatus::Cancelled);
        for late in [TimeDelta::zero(), millisecond()] {
            assert_eq!(wallet.clone().at(deleted_at + late).view(id), Err(Refusal::NotFound));
        }
    }
}

#[test]
fn rule_14_ids_repeat_after_1023_creations() {
    let mut wallet = wallet();
    let lasting = wallet.add_lasting();
    for turn in 2..=10_000 {
        let existing: Vec<_> =
            wallet.contents().payments.iter().map(|payment| payment.sequence).collect();
        let id = wallet.add();
        assert!(!existing.contains(&id.sequence()), "creation {turn}");
        wallet.end(id).unwrap();
        assert!(wallet.ended_count() <= Wallet::MAX_ENDED);
    }
    // The numbers wrap from 1,023 to 2, because 1 is still in use.
    assert_eq!(usize::from(wallet.contents().last_sequence.number()), 2 + (10_000 - 2) % 1_022);
    assert_eq!(wallet.status(lasting), RecurringStatus::Active);
}

#[test]
fn rule_16_the_same_key_returns_the_same_result_for_24_hours() {
    let with_key = |request| NewRecurringPayment {
        idempotency: Some(([1; 16], [request; 16])),
        ..new_payment()
    };
    let mut wallet = wallet();
    let first = wallet.create(with_key(1)).unwrap();
    wallet.add_active();
    assert_eq!(wallet.create(with_key(2)), Err(Refusal::IdempotencyKeyReused));
    wallet.activate(session_of(first.id), card(), LIFETIME).unwrap();
    wallet.update(first.id, rename(Some("other"))).unwrap();
    let day = start() + TimeDelta::hours(24);
    let mut just_before = wallet.clone().at(day - millisecond());
    let before = just_before.clone();
    assert_eq!(
        just_before.create(with_key(1)),
        Ok(first.clone()),
        "the first result, although it has changed since"
    );
    assert_eq!(just_before.create(with_key(2)), Err(Refusal::IdempotencyKeyReused));
    assert_eq!(just_before, before);
    for late in [TimeDelta::zero(), millisecond()] {
        for request in [1, 2] {
            let again = wallet.clone().at(day + late).create(with_key(request));
            assert_ne!(again.unwrap().id, first.id);
        }
    }
}

#[test]
fn rule_16_a_repeated_creation_succeeds_after_the_end_and_in_a_full_wallet() {
    let keyed =
        |key| NewRecurringPayment { idempotency: Some(([key; 16], [1; 16])), ..new_primary() };
    let mut wallet = wallet();
    let first = wallet.create(keyed(1)).unwrap();
    let second = wallet.create(keyed(2)).unwrap();
    assert_ne!(first.id, second.id);
    assert!(first.primary && second.primary, "each was primary when it was created");
    wallet.end(first.id).unwrap();
    for _ in 1..Wallet::MAX_LIVE {
        wallet.add_active();
    }
    assert_eq!(wallet.count(RecurringPayment::is_live), Wallet::MAX_LIVE);
    assert_eq!(wallet.create(keyed(1)), Ok(first));
    assert_eq!(wallet.create(keyed(2)), Ok(second));
    assert_eq!(wallet.create(keyed(3)), Err(Refusal::WalletFull));
}

#[test]
fn a_closed_session_stays_closed_and_an_older_session_with_the_same_id_is_ignored() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let older =
        TerminalSession { terminal: Terminal::opened(start() - TimeDelta::days(900)), ..session };
    wallet.close_terminal(&older, CloseReason::Cancelled).unwrap();
    assert_eq!(wallet.setup_progress(id), Ok(SetupProgress::AwaitingCard(vec![session])));
    wallet.close_terminal(&session, CloseReason::Declined(Decline::Soft)).unwrap();
    assert_eq!(
        wallet.setup_progress(id),
        Ok(SetupProgress::AwaitingCard(vec![session])),
        "a soft decline leaves the session open"
    );
    wallet.close_terminal(&session, CloseReason::Cancelled).unwrap();
    wallet.close_terminal(&session, CloseReason::Declined(Decline::Hard)).unwrap();
    assert_eq!(wallet.setup_progress(id), Err(Refusal::TerminalCancelled));
    assert_ne!(session.order_number(), older.order_number());
}

/// A missed scheduled run has no visible effect. Here 17 have ended before the first update, and the EXPIRED one ended first.
#[test]
fn retention_does_not_depend_on_intermediate_updates() {
    let mut wallet = wallet();
    let expiring = wallet.add();
    wallet.activate(session_of(expiring), card_of(2099, 1), Months::new(1)).unwrap();
    let mut wallet = wallet.at(instant("2026-12-24T10:00:00Z"));
    for _ in 1..Wallet::MAX_ENDED {
        let id = wallet.add();
        wallet.end(id).unwrap();
    }
    wallet.add();
    let (abandoned, deleted) = (TimeDelta::hours(24), TimeDelta::days(60));
    assert_eq!(wallet.status(expiring), RecurringStatus::Expired);
    assert_eq!(wallet.clone().after(abandoned).view(expiring), Err(Refusal::NotFound));
    let updated = wallet.clone().after(abandoned).after(deleted);
    assert_eq!(wallet.after(abandoned + deleted).list(true), updated.list(true));
}

// Terminals: rule 16 and the limit per customer.

fn idempotency(key: u8, request: u8) -> IdempotencyRecord {
    IdempotencyRecord { key: [key; 16], request: [request; 16] }
}

#[test]
fn rule_16_the_same_key_returns_the_same_terminal_for_24_hours() {
    let mut wallet = wallet();
    let (id, other) = (wallet.add(), wallet.add());
    let first = wallet.open_terminal(id, None, Some(idempotency(1, 1)), false).unwrap();
    assert!(!first.repeated);
    let before = wallet.clone();
    for (request, expected) in [
        (1, Ok(OpenedTerminal { repeated: true, ..first })),
        (2, Err(Refusal::IdempotencyKeyReused)),
    ] {
        assert_eq!(wallet.open_terminal(id, None, Some(idempotency(1, request)), false), expected);
        assert_eq!(wallet, before, "the wallet does not change");
    }
    let another = wallet.open_terminal(id, None, Some(idempotency(2, 1)), false).unwrap();
    assert_ne!(another.session.transaction_id, first.session.transaction_id);
    assert!(
        !wallet.open_terminal(other, None, Some(idempotency(1, 2)), false).unwrap().repeated,
        "the key belongs to one recurring payment"
    );
    assert!(!wallet.open_terminal(id, None, None, false).unwrap().repeated);
    wallet = wallet.at(start() + TimeDelta::hours(24) - millisecond());
    assert_eq!(
        wallet.open_terminal(id, None, Some(idempotency(1, 1)), false),
        Ok(OpenedTerminal { repeated: true, ..first })
    );
    wallet = wallet.after(millisecond());
    assert!(
        !wallet.open_terminal(id, None, Some(idempotency(1, 2)), false).unwrap().repeated,
        "the key is valid for 24 hours"
    );
}

#[test]
fn a_repeated_request_opens_a_new_terminal_if_the_first_was_never_registered() {
    let mut wallet = wallet();
    let id = wallet.add();
    let first = wallet.open_terminal(id, None, Some(idempotency(1, 1)), false).unwrap();
    wallet.close_terminal(&first.session, CloseReason::NeverRegistered).unwrap();
    assert!(!wallet.open_terminal(id, None, Some(idempotency(1, 2)), false).unwrap().repeated);
}

#[test]
fn a_customer_can_open_ten_terminals_per_hour_including_those_of_ended_payments() {
    let mut wallet = wallet();
    for minute in 0..10 {
        wallet = wallet.at(start() + TimeDelta::minutes(minute));
        let id = wallet.add();
        let session = wallet.open(id, None).unwrap();
        wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
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
    assert_eq!(wallet.terminals_opened_within_hour().count(), 10);
    assert_eq!(wallet.after(TimeDelta::hours(1)).terminals_opened_within_hour().count(), 0);
}

// Rules 7 and 10: automatic completion and notifications.

fn notifications_of(wallet: &Wallet) -> Vec<(TransactionId, Event, DateTime<Utc>)> {
    let notifications = wallet.contents().notifications.iter();
    notifications
        .map(|notification| {
            let SetupEvent { transaction_id, event } = *notification.subject.setup().unwrap();
            (transaction_id, event, notification.occurred_at)
        })
        .collect()
}

#[test]
fn an_open_terminal_is_reconciled_after_1_5_and_16_minutes_1_hour_and_24_hours() {
    let mut wallet = wallet();
    let id = wallet.add();
    wallet.open(id, None).unwrap();
    let mut reconciled_at = Vec::new();
    while let Some(at) = wallet.due().task {
        assert!(wallet.clone().at(at - millisecond()).due_sessions().is_empty());
        wallet = wallet.at(at);
        for session in wallet.due_sessions() {
            wallet.apply_reconciliation(&session, &Reconciliation::Pending, LIFETIME).unwrap();
        }
        reconciled_at.push((at - start()).num_minutes());
        assert!(reconciled_at.len() <= Terminal::RECONCILE_AFTER.len(), "{reconciled_at:?}");
    }
    assert_eq!(reconciled_at, [1, 5, 16, 60, 24 * 60]);
    assert_eq!(wallet.status(id), RecurringStatus::Created);
}

#[test]
fn one_reconciliation_replaces_all_missed_ones() {
    let mut wallet = wallet();
    let id = wallet.add();
    wallet.open(id, None).unwrap();
    wallet = wallet.after(TimeDelta::minutes(90));
    let sessions = wallet.due_sessions();
    assert_eq!(sessions.len(), 1);
    wallet.apply_reconciliation(&sessions[0], &Reconciliation::Pending, LIFETIME).unwrap();
    assert_eq!(wallet.due().task, Some(start() + TimeDelta::hours(24)));
}

#[test]
fn an_unclear_reconciliation_is_repeated_after_a_minute() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let minute = |minutes| start() + TimeDelta::minutes(minutes);
    // Sooner than planned, never later, and also after the last planned reconciliation.
    for (now, next) in [(0, 1), (1, 2), (2, 3), (24 * 60, 24 * 60 + 1)] {
        wallet = wallet.at(minute(now));
        wallet.apply_reconciliation(&session, &Reconciliation::Unclear, LIFETIME).unwrap();
        assert_eq!(wallet.due().task, Some(minute(next)), "{now}");
    }
    wallet.apply_reconciliation(&session, &Reconciliation::Pending, LIFETIME).unwrap();
    assert_eq!(wallet.due().task, None);
    wallet.apply_reconciliation(&session, &Reconciliation::Unclear, LIFETIME).unwrap();
    assert_eq!(wallet.due().task, Some(minute(24 * 60 + 1)));
}

#[test]
fn closed_sessions_are_not_reconciled_any_more() {
    for reconciliation in [
        Reconciliation::Card(card()),
        Reconciliation::Closed(CloseReason::Cancelled),
        Reconciliation::Closed(CloseReason::NeverRegistered),
        Reconciliation::Closed(CloseReason::Declined(Decline::Hard)),
        Reconciliation::Card(card_of(2026, 10)),
    ] {
        let mut wallet = wallet();
        let id = wallet.add();
        let session = wallet.open(id, None).unwrap();
        let mut wallet = wallet.after(Terminal::RECONCILE_AFTER[0]);
        wallet.apply_reconciliation(&session, &reconciliation, LIFETIME).unwrap();
        assert_eq!(wallet.due().task, None, "{reconciliation:?}");
        assert_eq!(wallet.clone().after(TimeDelta::days(2)).due_sessions(), []);
    }
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let soft = Reconciliation::Closed(CloseReason::Declined(Decline::Soft));
    wallet.apply_reconciliation(&session, &soft, LIFETIME).unwrap();
    assert_eq!(
        wallet.due().task,
        Some(start() + TimeDelta::minutes(1)),
        "a soft decline leaves the session open"
    );
    wallet.end(id).unwrap();
    assert_eq!(wallet.due().task, None);
}

/// Found by `tests/model`: `authorize`, or Nets' callback for an older session, runs while `create-terminal` has stored a session
/// but not yet registered it. The customer receives its address next, so the session must still be reconciled later.
#[test]
fn an_unknown_session_stays_open_until_its_reconciliation_is_due() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let unknown = Reconciliation::Closed(CloseReason::NeverRegistered);
    for earlier in [TimeDelta::seconds(-2), TimeDelta::zero(), TimeDelta::seconds(29)] {
        let before = wallet.clone().after(earlier);
        let mut updated = before.clone();
        updated.apply_reconciliation(&session, &unknown, LIFETIME).unwrap();
        assert_eq!(
            updated, before,
            "the wallet does not change, and the planned reconciliation stays"
        );
    }
    let mut wallet = wallet.after(Terminal::RECONCILE_AFTER[0]);
    assert_eq!(wallet.due_sessions(), [session]);
    wallet.apply_reconciliation(&session, &unknown, LIFETIME).unwrap();
    assert_eq!(wallet.setup_progress(id), Err(Refusal::NoTerminal));
    assert_eq!(wallet.resume_registration(&session), Ok(false), "it is closed");
}

/// Also found by `tests/model`: the request is repeated with its idempotency key, directly after a scheduled run received the reply
/// that Nets does not know the session.
#[test]
fn an_unknown_session_stays_open_while_its_registration_is_resumed() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, None).unwrap();
    let unknown = Reconciliation::Closed(CloseReason::NeverRegistered);
    // At first the planned reconciliation is late enough, so the wallet does not change.
    let mut soon = wallet.clone().after(TimeDelta::seconds(30));
    let before = soon.clone();
    assert_eq!((soon.resume_registration(&session), soon), (Ok(true), before));
    for later in [TimeDelta::milliseconds(30_001), TimeDelta::hours(3)] {
        let mut wallet = wallet.clone().after(later);
        assert_eq!(wallet.resume_registration(&session), Ok(true));
        let mut wallet = wallet.after(TimeDelta::seconds(59));
        wallet.apply_reconciliation(&session, &unknown, LIFETIME).unwrap();
        assert_eq!(
            wallet.setup_progress(id).map(|_| wallet.due_sessions()),
            Ok(vec![]),
            "it is still open"
        );
        let mut wallet = wallet.after(TimeDelta::seconds(1));
        assert_eq!(wallet.due_sessions().len(), 1);
        wallet.apply_reconciliation(&session, &unknown, LIFETIME).unwrap();
        assert_eq!(wallet.setup_progress(id), Err(Refusal::NoTerminal));
    }
}

#[test]
fn an_activation_adds_one_notification() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, Some(callback())).unwrap();
    assert_eq!(notifications_of(&wallet), []);
    wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
    let activated = (session.transaction_id, Event::Activated, start());
    assert_eq!(notifications_of(&wallet), [activated]);
    wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
    wallet.end(id).unwrap();
    assert_eq!(
        notifications_of(&wallet),
        [activated],
        "neither a repeated result nor the end adds a notification"
    );
}

#[test]
fn a_permanent_decline_adds_a_notification_and_a_later_abandonment_does_not() {
    let mut wallet = wallet();
    let id = wallet.add();
    let session = wallet.open(id, Some(callback())).unwrap();
    for _ in 0..2 {
        wallet.close_terminal(&session, CloseReason::Declined(Decline::Hard)).unwrap();
    }
    let declined = (session.transaction_id, Event::Declined, start());
    assert_eq!(notifications_of(&wallet), [declined]);
    let later = wallet.clone().after(TimeDelta::days(3));
    assert_eq!(notifications_of(&later), [declined]);
    // A second terminal that is not completed leads to a second notification.
    let second = wallet.open(id, None).unwrap();
    let later = wallet.after(TimeDelta::days(3));
    let abandoned_at = start() + TimeDelta::minutes(15) + TimeDelta::hours(24);
    assert_eq!(
        notifications_of(&later),
        [declined, (second.transaction_id, Event::Abandoned, abandoned_at)]
    );
    assert_eq!(notifications_of(&later.after(TimeDelta::hours(1))).len(), 2);
}

#[test]
fn without_a_callback_url_or_after_an_end_by_the_customer_there_is_no_notification() {
    let mut wallet = wallet();
    let (first, second, third) = (wallet.add(), wallet.add(), wallet.add());
    let session = wallet.open(first, None).unwrap();
    wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
    let session = wallet.open(second, None).unwrap();
    wallet.close_terminal(&session, CloseReason::Declined(Decline::Hard)).unwrap();
    let session = wallet.open(third, Some(callback())).unwrap();
    wallet.close_terminal(&session, CloseReason::Cancelled).unwrap();
    wallet.end(third).unwrap();
    assert_eq!(
        notifications_of(&wallet.after(TimeDelta::days(3))),
        [],
        "the caller that ended it needs no notification"
    );
}

#[test]
fn abandonment_by_a_sixth_created_one_adds_a_notification() {
    let mut wallet = wallet();
    let first = wallet.add();
    let session = wallet.open(first, Some(callback())).unwrap();
    for _ in 0..Wallet::MAX_CREATED {
        wallet.add();
    }
    assert_eq!(notifications_of(&wallet), [(session.transaction_id, Event::Abandoned, start())]);
}

#[test]
fn a_delivery_attempt_is_stored_before_it_is_made() {
    let mut wallet = wallet();
    let (one, other) = (wallet.add(), wallet.add());
    for id in [one, other] {
        let session = wallet.open(id, Some(callback())).unwrap();
        wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
    }
    assert_eq!(wallet.due().task, Some(start()));
    let payment_of =
        |event: &WalletEvent| event.setup().unwrap().transaction_id.recurring_payment_id();
    let ids_of = |attempts: &[Notification<WalletEvent>]| -> Vec<RecurringPaymentId> {
        attempts.iter().map(|attempt| payment_of(&attempt.subject)).collect()
    };
    let stored_ids = |stored: &[WalletNotification]| -> Vec<RecurringPaymentId> {
        stored.iter().map(|one| payment_of(&one.subject)).collect()
    };
    assert_eq!(ids_of(&wallet.begin_delivery_attempts(Some(one))), [one]);
    assert_eq!(wallet.begin_delivery_attempts(Some(one)), [], "the attempt has already begun");
    let attempts = wallet.begin_delivery_attempts(None);
    assert_eq!(ids_of(&attempts), [other]);
    assert_eq!(wallet.due().task, Some(start() + TimeDelta::minutes(1)));
    wallet.remove_notification(&attempts[0].id());
    assert_eq!(stored_ids(&wallet.contents().notifications), [one]);
    // Never delivered: expires once, after 72 hours.
    let mut expired = Vec::new();
    while let Some(at) = wallet.due().task {
        wallet = wallet.at(at);
        expired.extend(wallet.expire_notifications());
        wallet.begin_delivery_attempts(None);
        assert!(at < start() + TimeDelta::days(30), "the notification never expires");
    }
    assert_eq!(stored_ids(&expired), [one]);
    assert!(
        start() + TimeDelta::hours(72) <= wallet.now && wallet.now < start() + TimeDelta::hours(78)
    );
}

// Erasure.

/// Checks the result of an erasure. Names every field, so that a new one cannot be forgotten.
fn check_erased(erased: &Wallet, before: &Wallet) {
    let Contents {
        organisation,
        owner,
        last_sequence,
        choices,
        payments,
        notifications,
        terminals_opened_at,
    } = erased.contents();
    let was = before.contents();
    assert_eq!(
        (*organisation, *owner, *last_sequence),
        (was.organisation, was.owner, was.last_sequence)
    );
    assert_eq!((erased.slot, erased.now), (before.slot, before.now));
    assert!(choices.is_empty() && payments.is_empty());
    assert!(notifications.is_empty() && terminals_opened_at.is_empty());
    assert_eq!(erased.due(), Due { expiry: None, task: None });
    let mut again = erased.clone();
    again.erase();
    assert_eq!(again, *erased);
}

#[test]
fn after_an_erasure_in_any_state_nothing_is_found_and_the_next_id_is_new() {
    for (state, alone) in
        InitialState::ALL.iter().flat_map(|state| [(*state, true), (*state, false)])
    {
        let (mut wallet, id) = wallet_in(state, alone);
        let before = wallet.clone();
        wallet.erase();
        check_erased(&wallet, &before);
        let erased = wallet.clone();
        for action in Action::ALL {
            let what = format!("{action:?} when {state:?}, alone: {alone}");
            assert_eq!(perform(&mut wallet, id, *action), Err(Refusal::NotFound), "{what}");
            assert_eq!(wallet, erased, "{what}");
        }
        assert_eq!((wallet.list(true), wallet.primary()), (Vec::new(), None));
        let next = wallet.create(new_payment()).unwrap();
        assert!(next.primary);
        assert_eq!(next.id.sequence(), before.contents().last_sequence.next());
    }
}

#[test]
fn erasing_does_not_change_an_empty_wallet() {
    let mut erased = wallet();
    erased.erase();
    assert_eq!(erased, wallet());
}

#[test]
fn erasing_deletes_idempotency_keys_terminals_and_notifications() {
    let mut wallet = wallet();
    let new = || NewRecurringPayment { idempotency: Some(([1; 16], [2; 16])), ..new_primary() };
    let first = wallet.create(new()).unwrap().id;
    let session = wallet.open(first, Some(callback())).unwrap();
    wallet.apply_reconciliation(&session, &Reconciliation::Card(card()), LIFETIME).unwrap();
    let second = wallet.add();
    let open = wallet.open(second, Some(callback())).unwrap();
    let before = wallet.clone();
    assert!(
        !before.contents().notifications.is_empty()
            && !before.contents().terminals_opened_at.is_empty()
    );
    wallet.erase();
    check_erased(&wallet, &before);
    assert_eq!(
        (wallet.begin_delivery_attempts(None), wallet.due_sessions()),
        (Vec::new(), Vec::new())
    );
    // A reconciliation that began before the erasure restores nothing.
    for reconciliation in [
        Reconciliation::Card(card()),
        Reconciliation::Closed(CloseReason::Cancelled),
        Reconciliation::Pending,
    ] {
        assert_eq!(
            wallet.apply_reconciliation(&open, &reconciliation, LIFETIME),
            Err(Refusal::NotFound)
        );
    }
    check_erased(&wallet, &before);
    let next = wallet.create(new()).unwrap();
    assert!(next.id != first && next.id != second);
}

// Random scenarios.

/// One step of a scenario. A number selects the recurring payment.
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
    SetPrimary(usize, bool),
    Rename(usize, bool),
    Open(usize),
    Close(usize, CloseReason),
    Erase,
    Wait(TimeDelta),
    /// Waits for the next change by time alone, with an offset of -1, 0 or 1 milliseconds.
    WaitForNextChange(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..40;
    let close_reason = prop_oneof![
        Just(CloseReason::NeverRegistered),
        Just(CloseReason::Cancelled),
        Just(CloseReason::Declined(Decline::Soft)),
        Just(CloseReason::Declined(Decline::AuthenticationRequired)),
        Just(CloseReason::Declined(Decline::Hard)),
        Just(CloseReason::CardExpired),
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
        3 => (which.clone(), any::<bool>()).prop_map(|(which, primary_choice)| Step::SetPrimary(which, primary_choice)),
        1 => (which.clone(), any::<bool>()).prop_map(|(which, named)| Step::Rename(which, named)),
        3 => which.clone().prop_map(Step::Open),
        2 => (which, close_reason).prop_map(|(which, close_reason)| Step::Close(which, close_reason)),
        1 => Just(Step::Erase),
        2 => milliseconds.prop_map(|wait| Step::Wait(TimeDelta::milliseconds(wait))),
        2 => (-1..=1_i64).prop_map(Step::WaitForNextChange),
    ]
}

/// A wallet, and the expected state that the tests derive independently.
#[derive(Clone)]
struct Scenario {
    wallet: Wallet,
    /// All ids in order of creation. A deleted one stays until its id is reused.
    ids: Vec<RecurringPaymentId>,
    /// The explicit choices of primary, newest first.
    choices: Vec<RecurringPaymentId>,
    /// The activated ones, in order of activation.
    activated: Vec<RecurringPaymentId>,
    sessions: Vec<TerminalSession>,
}

impl Scenario {
    fn new(rules: Option<Arc<LifecycleRules>>) -> Self {
        Self {
            wallet: wallet().with_lifecycle_rules(rules),
            ids: Vec::new(),
            choices: Vec::new(),
            activated: Vec::new(),
            sessions: Vec::new(),
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

    /// The next instant at which rule 8, 9 or 14 changes the wallet.
    fn next_change_at(&self) -> Option<DateTime<Utc>> {
        let payments = self.wallet.contents().payments.iter();
        let notice = self.wallet.notice();
        let changes = payments.filter_map(|payment| match &payment.state {
            State::Created { terminals, .. } => {
                let last = terminals.last().map(|last| last.opened_at + TimeDelta::minutes(15));
                Some(last.unwrap_or(payment.created_at) + TimeDelta::hours(24))
            }
            State::Active { registration, notice_given, .. } => {
                let notice = notice.filter(|_| !notice_given).unwrap_or_default();
                Some((registration.expires_at - notice).max(registration.activated_at))
            }
            State::Expired { .. } => None,
            State::Cancelled { at, .. } => Some(*at + TimeDelta::days(30)),
        });
        changes.filter(|at| *at > self.wallet.now + millisecond()).min()
    }

    fn apply(&mut self, step: &Step) -> Result<(), Refusal> {
        match *step {
            Step::Create { primary } => {
                let id =
                    self.wallet.create(if primary { new_primary() } else { new_payment() })?.id;
                for list in [&mut self.ids, &mut self.choices, &mut self.activated] {
                    list.retain(|old| *old != id);
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
                    session_of(id),
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
            Step::SetPrimary(which, primary_choice) => {
                let (id, primary) = (self.id(which), self.wallet.primary_id());
                self.wallet.update(id, set_primary(primary_choice))?;
                if primary_choice && primary != Some(id) {
                    self.choose(id);
                }
            }
            Step::Rename(which, named) => {
                let id = self.id(which);
                self.wallet.update(id, rename(named.then_some("Kort")))?;
            }
            Step::Open(which) => {
                let callback = (which % 2 == 0).then(callback);
                let opened =
                    self.wallet.open_terminal(self.id(which), callback, None, which % 3 == 0)?;
                self.sessions.push(opened.session);
            }
            Step::Close(which, close_reason) => {
                if let Some(session) = self.sessions.get(which % self.sessions.len().max(1)) {
                    self.wallet.close_terminal(session, close_reason)?;
                }
            }
            Step::Erase => {
                let before = self.wallet.clone();
                self.wallet.erase();
                check_erased(&self.wallet, &before);
                let next = self.wallet.clone().create(new_payment())?.id;
                assert!(!self.ids.contains(&next), "an id was reused");
            }
            Step::Wait(time) => self.wallet = self.wallet.clone().after(time),
            Step::WaitForNextChange(offset) => {
                if let Some(at) = self.next_change_at() {
                    self.wallet = self.wallet.clone().at(at + TimeDelta::milliseconds(offset));
                }
            }
        }
        Ok(())
    }

    /// The primary, derived independently from the text of rule 1.
    fn expected_primary(&self) -> Option<RecurringPaymentId> {
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

    /// Checks what is true at every instant.
    fn check_invariants(&self) {
        let (wallet, listed) = (&self.wallet, self.wallet.list(true));
        let primaries: Vec<_> = listed.iter().filter(|view| view.primary).collect();
        assert!(primaries.len() <= 1, "more than one is primary");
        let is_live = |status| match status {
            RecurringStatus::Created | RecurringStatus::Active => true,
            RecurringStatus::Expired | RecurringStatus::Cancelled => false,
        };
        assert!(primaries.iter().all(|view| is_live(view.status)), "an ended one is primary");
        assert_eq!(primaries.is_empty(), !listed.iter().any(|view| is_live(view.status)));
        assert_eq!(primaries.first().map(|view| view.id), self.expected_primary());
        assert_eq!(wallet.primary_id(), self.expected_primary());

        let known = self.ids.iter().filter_map(|id| wallet.view(*id).ok());
        let shown = known.filter(|view| view.status != RecurringStatus::Cancelled);
        assert_eq!(shown.collect::<Vec<_>>(), listed, "oldest first");
        let live = listed.into_iter().filter(|view| is_live(view.status));
        assert_eq!(live.collect::<Vec<_>>(), wallet.list(false));

        assert!(wallet.count(RecurringPayment::is_live) <= 16 && wallet.ended_count() <= 16);
        assert!(wallet.count(|payment| payment.status() == RecurringStatus::Created) <= 5);
        for chosen in &wallet.contents().choices {
            let times = wallet.contents().choices.iter().filter(|other| *other == chosen).count();
            assert_eq!(times, 1, "a choice occurs twice");
            assert!(wallet.count(|payment| payment.sequence == *chosen && payment.is_live()) == 1);
        }
        for payment in &wallet.contents().payments {
            assert_eq!(
                wallet.count(|other| other.sequence == payment.sequence),
                1,
                "an id occurs twice"
            );
            check_state(&payment.state, wallet.now);
        }
    }

    /// Checks what is true for every step.
    fn check_transition(&self, before: &Self, chooses_primary: bool) {
        let (was, is) = (&before.wallet, &self.wallet);
        for id in &before.ids {
            match (was.view(*id), is.view(*id)) {
                (Ok(was), Ok(is)) => assert!(was.status <= is.status, "a status moved backwards"),
                (Ok(view), Err(_)) => {
                    // It must have ended before it was deleted.
                    let can_be_deleted = is.can_be_deleted(&view);
                    assert!(can_be_deleted, "a live one was deleted");
                }
                (Err(_), Ok(_)) => assert!(self.ids.last() == Some(id), "a deleted one reappeared"),
                (Err(_), Err(_)) => {}
            }
        }
        let active = |wallet: &Wallet, id| {
            wallet.view(id).is_ok_and(|view| view.status == RecurringStatus::Active)
        };
        if let Some(previous) = was.primary_id()
            && !chooses_primary
            && active(was, previous)
            && active(is, previous)
        {
            assert_eq!(is.primary_id(), Some(previous), "the primary changed without a request");
        }
    }

    /// Checks that the wallet changes exactly at its due instant, and not a millisecond earlier.
    fn check_due(&self) {
        let at = |instant| self.wallet.clone().at(instant).contents().payments.clone();
        let states = |payments: Vec<RecurringPayment>| -> Vec<State> {
            payments.into_iter().map(|payment| payment.state).collect()
        };
        if let Some(due) = self.wallet.due().expiry {
            assert!(self.wallet.now < due, "overdue");
            let now = states(self.wallet.contents().payments.clone());
            assert_eq!(states(at(due - millisecond())), now, "it changed before it was due");
            assert_ne!(states(at(due)), now, "it did not change when it was due");
        } else {
            let far = self.wallet.now + TimeDelta::days(100_000);
            assert_eq!(states(at(far)), states(self.wallet.contents().payments.clone()));
        }
        let notifications = self.wallet.contents().notifications.iter();
        let (setups, events): (Vec<_>, Vec<_>) =
            notifications.partition(|one| one.subject.setup().is_some());
        assert!(setups.len() <= Wallet::MAX_NOTIFICATIONS);
        assert!(events.len() <= 3 * Wallet::MAX_NOTIFICATIONS);
        assert!(events.is_empty() || self.wallet.notice().is_some());
    }

    /// Checks that an intermediate update does not change the result.
    fn check_intermediate_update(&self, first: TimeDelta, second: TimeDelta) {
        let updated = self.wallet.clone().after(first).after(second);
        let direct = self.wallet.clone().after(first + second);
        let visible = |wallet: &Wallet| {
            let views: Vec<_> = self.ids.iter().map(|id| wallet.view(*id)).collect();
            (wallet.list(true), wallet.primary(), views)
        };
        assert_eq!(visible(&updated), visible(&direct));
        assert_eq!(updated, direct);
        if self.wallet.notice().is_some() {
            lifecycle::check_events(&self.wallet, &direct);
        }
    }
}

impl Wallet {
    /// Returns whether a recurring payment with this earlier view has ended by now, so that it can have been deleted.
    fn can_be_deleted(&self, earlier: &View) -> bool {
        match earlier.status {
            RecurringStatus::Created => earlier.created_at + TimeDelta::hours(24) <= self.now,
            RecurringStatus::Active => {
                earlier.registration.as_ref().is_some_and(|card| card.expires_at <= self.now)
            }
            RecurringStatus::Expired | RecurringStatus::Cancelled => true,
        }
    }
}

/// Checks a state. Names every field, so that a new one, or a pan hash in another state, cannot be forgotten.
fn check_state(state: &State, now: DateTime<Utc>) {
    match state {
        State::Created { terminals, .. } => {
            assert!(terminals.len() <= 16);
            for closed in terminals.iter().filter(|terminal| terminal.outcome != Outcome::Open) {
                assert_eq!(closed.reconcile_at, None, "a closed session is not reconciled");
            }
        }
        State::Active { registration, pan_hash: _, notice_given: _ } => {
            assert!(now < registration.expires_at);
        }
        State::Expired { registration } => assert!(registration.expires_at <= now),
        State::Cancelled { reason: _, at, registration: _ } => {
            assert!(*at <= now && now < *at + TimeDelta::days(30));
        }
    }
}

fn run_scenario(
    rules: Option<Arc<LifecycleRules>>,
    steps: &[Step],
    (first, second): (TimeDelta, TimeDelta),
) {
    let mut scenario = Scenario::new(rules);
    for step in steps {
        let before = scenario.clone();
        if scenario.apply(step).is_err() {
            assert_eq!(scenario.wallet, before.wallet, "a refused step changed the wallet");
        }
        let chooses_primary =
            matches!(step, Step::Create { primary: true } | Step::SetPrimary(_, true));
        scenario.check_invariants();
        if !matches!(step, Step::Erase) {
            scenario.check_transition(&before, chooses_primary);
        }
        scenario.check_due();
        scenario.check_intermediate_update(first, second);
    }
}

fn time() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![0..200_000_000_i64, 0..4_000_000_000_i64, 0..100_000_000_000_i64]
        .prop_map(TimeDelta::milliseconds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_scenarios_keep_every_rule(steps in prop::collection::vec(step(), 1..60), intervals in (time(), time())) {
        run_scenario(None, &steps, intervals);
        run_scenario(Some(lifecycle::rules()), &steps, intervals);
    }
}
