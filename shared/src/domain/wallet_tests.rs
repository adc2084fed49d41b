//! The rules of api.md §6: tables over every state and action, each rule's edges, and random lives.

use super::*;
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType};
use crate::secret::Secret;
use proptest::prelude::*;

const LIFETIME: Months = Months::new(36);

fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn millisecond() -> TimeDelta {
    TimeDelta::milliseconds(1)
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

fn renamed(name: Option<&str>) -> Change {
    Change {
        nickname: Some(name.map(|name| Nickname::try_from(name).unwrap())),
        ..Change::default()
    }
}

/// A card that is good to the end of 2028-02.
fn card() -> VerifiedCard {
    let card = Card {
        payment_type: PaymentType::Visa,
        last_four: LastFour::of_masked("0004").unwrap(),
        expiry: CardExpiry::new(2028, 2).unwrap(),
    };
    VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) }
}

fn card_ends() -> DateTime<Utc> {
    "2028-03-01T00:00:00Z".parse().unwrap()
}

impl Wallet {
    fn add(&mut self) -> RecurringPaymentId {
        self.create(plain()).unwrap().id
    }

    fn add_active(&mut self) -> RecurringPaymentId {
        let id = self.add();
        self.activate(id, card(), LIFETIME).unwrap();
        id
    }

    fn primary_id(&self) -> Option<RecurringPaymentId> {
        self.primary().map(|sequence| RecurringPaymentId::new(self.slot, sequence))
    }

    fn status(&self, id: RecurringPaymentId) -> RecurringStatus {
        self.view(id).unwrap().status
    }
}

/// Every state that a recurring payment can be met in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Created,
    TerminalOpen,
    TerminalCancelled,
    TerminalDeclined,
    TerminalFailed,
    Active,
    Expired,
    Ended,
    Abandoned,
}

const EVERY_STATE: [Met; 9] = [
    Met::Created,
    Met::TerminalOpen,
    Met::TerminalCancelled,
    Met::TerminalDeclined,
    Met::TerminalFailed,
    Met::Active,
    Met::Expired,
    Met::Ended,
    Met::Abandoned,
];

/// A wallet with an ACTIVE primary one that outlives the table, and a second one in this state.
fn met(state: Met) -> (Wallet, RecurringPaymentId) {
    let mut wallet = wallet();
    let first = wallet.add();
    let lasting = VerifiedCard {
        card: Card { expiry: CardExpiry::new(2040, 1).unwrap(), ..card().card },
        ..card()
    };
    wallet.activate(first, lasting, Months::new(120)).unwrap();
    let id = wallet.add();
    let closed = |wallet: &mut Wallet, closing| {
        let visit = wallet.open_terminal(id).unwrap();
        wallet.close_terminal(&visit, closing).unwrap();
    };
    match state {
        Met::Created => {}
        Met::TerminalOpen => drop(wallet.open_terminal(id).unwrap()),
        Met::TerminalCancelled => closed(&mut wallet, Closing::Cancelled),
        Met::TerminalDeclined => closed(&mut wallet, Closing::Declined(Decline::Hard)),
        Met::TerminalFailed => closed(&mut wallet, Closing::NeverRegistered),
        Met::Active => drop(wallet.activate(id, card(), LIFETIME).unwrap()),
        Met::Expired => {
            wallet.activate(id, card(), LIFETIME).unwrap();
            wallet = wallet.at(card_ends());
        }
        Met::Ended => drop(wallet.end(id).unwrap()),
        Met::Abandoned => wallet = wallet.at(start() + TimeDelta::hours(24)),
    }
    (wallet, id)
}

/// What each action comes to, state by state: the status after it, or the refusal.
fn expected(state: Met) -> [Result<RecurringStatus, Refusal>; 6] {
    use RecurringStatus::{Active, Cancelled, Created, Expired};
    use Refusal::{Ended, NeverPrimary, NoTerminal, NotAwaitingCard, TerminalCancelled};
    // rename, choose, end, open a terminal, activate, setup
    match state {
        Met::Created => {
            [Ok(Created), Ok(Created), Ok(Cancelled), Ok(Created), Ok(Active), Err(NoTerminal)]
        }
        Met::TerminalOpen => {
            [Ok(Created), Ok(Created), Ok(Cancelled), Ok(Created), Ok(Active), Ok(Created)]
        }
        Met::TerminalCancelled => [
            Ok(Created),
            Ok(Created),
            Ok(Cancelled),
            Ok(Created),
            Ok(Active),
            Err(TerminalCancelled),
        ],
        Met::TerminalDeclined => [
            Ok(Created),
            Ok(Created),
            Ok(Cancelled),
            Ok(Created),
            Ok(Active),
            Err(Refusal::Declined(Decline::Hard)),
        ],
        Met::TerminalFailed => {
            [Ok(Created), Ok(Created), Ok(Cancelled), Ok(Created), Ok(Active), Err(NoTerminal)]
        }
        Met::Active => {
            [Ok(Active), Ok(Active), Ok(Cancelled), Err(NotAwaitingCard), Ok(Active), Ok(Active)]
        }
        Met::Expired => [
            Ok(Expired),
            Err(NeverPrimary),
            Ok(Cancelled),
            Err(NotAwaitingCard),
            Err(NotAwaitingCard),
            Err(NotAwaitingCard),
        ],
        Met::Ended | Met::Abandoned => [
            Err(Ended),
            Err(NeverPrimary),
            Ok(Cancelled),
            Err(NotAwaitingCard),
            Err(NotAwaitingCard),
            Err(NotAwaitingCard),
        ],
    }
}

#[test]
fn every_action_in_every_state() {
    for state in EVERY_STATE {
        let act = |action: &dyn Fn(&mut Wallet, RecurringPaymentId) -> Result<(), Refusal>| {
            let (mut wallet, id) = met(state);
            let before = wallet.clone();
            let result = action(&mut wallet, id).map(|()| wallet.status(id));
            assert!(result.is_ok() || wallet == before, "{state:?}: a refusal changed something");
            result
        };
        let found = [
            act(&|wallet, id| wallet.update(id, renamed(Some("Kort"))).map(drop)),
            act(&|wallet, id| wallet.update(id, choice(true)).map(drop)),
            act(&|wallet, id| wallet.end(id).map(drop)),
            act(&|wallet, id| wallet.open_terminal(id).map(drop)),
            act(&|wallet, id| wallet.activate(id, card(), LIFETIME).map(drop)),
            act(&|wallet, id| wallet.setup(id).map(drop)),
        ];
        assert_eq!(found, expected(state), "{state:?}");
    }
}

#[test]
fn an_unknown_id_is_not_found_by_any_action() {
    let mut wallet = wallet();
    wallet.add();
    let known_elsewhere = RecurringPaymentId::new(Slot::new(8), Sequence::NONE.next());
    let aliased = RecurringPaymentId::try_from(wallet.add().number() + (1 << 49)).unwrap();
    for id in [RecurringPaymentId::new(wallet.slot(), Sequence::NONE), known_elsewhere, aliased] {
        let visit = Visit {
            transaction_id: TransactionId::new(id, Attempt::try_from(0_usize).unwrap()),
            terminal: Terminal::opened(start()),
        };
        assert_eq!(wallet.view(id), Err(Refusal::NotFound));
        assert_eq!(wallet.update(id, choice(true)), Err(Refusal::NotFound));
        assert_eq!(wallet.end(id), Err(Refusal::NotFound));
        assert_eq!(wallet.open_terminal(id), Err(Refusal::NotFound));
        assert_eq!(wallet.setup(id), Err(Refusal::NotFound));
        assert_eq!(wallet.activate(id, card(), LIFETIME), Err(Refusal::NotFound));
        assert_eq!(wallet.close_terminal(&visit, Closing::Cancelled), Err(Refusal::NotFound));
    }
}

#[test]
fn rule_1_the_first_is_primary_and_gives_way_to_one_that_got_a_card() {
    let mut wallet = wallet();
    assert_eq!(wallet.primary_id(), None);
    let first = wallet.add();
    let second = wallet.add();
    assert_eq!(wallet.primary_id(), Some(first));
    wallet.activate(second, card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second));
    wallet = wallet.at(start() + millisecond());
    wallet.activate(first, card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second), "the one activated first");
    wallet.end(second).unwrap();
    assert_eq!(wallet.primary_id(), Some(first));
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
    let mut wallet = wallet();
    let (first, second) = (wallet.add(), wallet.add());
    wallet.activate(second, card(), LIFETIME).unwrap();
    let mut wallet = wallet.at(start() - millisecond());
    wallet.activate(first, card(), LIFETIME).unwrap();
    assert_eq!(wallet.primary_id(), Some(second));
}

#[test]
fn rule_2_primary_is_never_un_chosen_and_choosing_it_again_does_nothing() {
    let mut wallet = wallet();
    let first = wallet.create(NewRecurringPayment { primary: false, ..plain() }).unwrap();
    assert!(first.primary, "the first is primary all the same");
    let other = wallet.add();
    assert_eq!(wallet.update(first.id, choice(false)), Err(Refusal::PrimaryNeedsSuccessor));
    for (id, choice) in
        [(first.id, choice(true)), (other, choice(false)), (other, Change::default())]
    {
        let before = wallet.clone();
        wallet.update(id, choice).unwrap();
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
    let mut later = wallet.at(start() + TimeDelta::days(30) - millisecond());
    assert_eq!(later.end(id), Ok(ended));
    assert_eq!(later.at(start() + TimeDelta::days(30)).end(id), Err(Refusal::NotFound));
}

#[test]
fn rule_6_five_terminals_an_hour_and_sixteen_in_all() {
    let mut wallet = wallet();
    let id = wallet.add();
    for minute in 0..5 {
        wallet = wallet.at(start() + TimeDelta::minutes(minute));
        wallet.open_terminal(id).unwrap();
    }
    let refused = |seconds| Err(Refusal::TooManyTerminals { retry_after_seconds: seconds });
    assert_eq!(wallet.open_terminal(id), refused(56 * 60));
    let hour = start() + TimeDelta::hours(1);
    wallet = wallet.at(hour - millisecond());
    assert_eq!(wallet.open_terminal(id), refused(1));
    for hours in 1..=11 {
        wallet = wallet.at(start() + TimeDelta::hours(hours));
        wallet.open_terminal(id).unwrap();
    }
    wallet = wallet.at(start() + TimeDelta::hours(20));
    assert_eq!(wallet.open_terminal(id), Err(Refusal::NoTerminalLeft));
}

#[test]
fn rule_6_the_first_card_counts() {
    let mut wallet = wallet();
    let id = wallet.add();
    let first = wallet.activate(id, card(), LIFETIME).unwrap();
    let other = VerifiedCard { pan_hash: Secret::new("other".to_owned()), ..card() };
    assert_eq!(wallet.activate(id, other, LIFETIME), Ok(first));
}

#[test]
fn rule_8_abandoned_a_day_after_creation_or_after_the_last_terminal() {
    let mut wallet = wallet();
    let (without, with) = (wallet.add(), wallet.add());
    let mut wallet = wallet.at(start() + TimeDelta::hours(1));
    wallet.open_terminal(with).unwrap();
    for (id, at) in [(without, TimeDelta::hours(24)), (with, TimeDelta::minutes(25 * 60 + 15))] {
        assert_eq!(
            wallet.clone().at(start() + at - millisecond()).status(id),
            RecurringStatus::Created
        );
        let view = wallet.clone().at(start() + at).view(id).unwrap();
        assert_eq!(
            (view.status, view.reason),
            (RecurringStatus::Cancelled, Some(StatusReason::Abandoned))
        );
    }
}

#[test]
fn rule_8_the_sixth_that_waits_abandons_the_oldest() {
    let mut wallet = wallet();
    let ids: Vec<_> = (0..6).map(|_| wallet.add()).collect();
    assert_eq!(wallet.status(ids[0]), RecurringStatus::Cancelled);
    assert_eq!(wallet.primary_id(), Some(ids[1]));
    assert!(ids[1..].iter().all(|id| wallet.status(*id) == RecurringStatus::Created));
}

#[test]
fn rule_9_expired_from_its_very_instant() {
    let mut wallet = wallet();
    let (active, waiting) = (wallet.add_active(), wallet.add());
    let visit = wallet.at(card_ends() - TimeDelta::hours(1));
    assert_eq!(visit.status(active), RecurringStatus::Active);
    assert_eq!(
        visit.view(waiting).err(),
        Some(Refusal::NotFound),
        "abandoned and forgotten long ago"
    );
    assert_eq!(
        visit.clone().at(card_ends() - millisecond()).status(active),
        RecurringStatus::Active
    );
    let expired = visit.at(card_ends());
    assert_eq!(expired.status(active), RecurringStatus::Expired);
    assert_eq!(
        (expired.list(false).len(), expired.list(true).len(), expired.primary_id()),
        (0, 1, None)
    );
}

#[test]
fn rule_14_sixteen_live_ones_and_sixteen_ended_ones() {
    let mut wallet = wallet();
    let ids: Vec<_> = (0..16).map(|_| wallet.add_active()).collect();
    assert_eq!(wallet.create(plain()), Err(Refusal::WalletFull));
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
fn rule_16_the_same_key_answers_the_same_for_a_day() {
    let with_key =
        |request| NewRecurringPayment { idempotency: Some(([1; 16], [request; 16])), ..plain() };
    let mut wallet = wallet();
    let first = wallet.create(with_key(1)).unwrap();
    wallet.add_active();
    assert_eq!(wallet.create(with_key(2)), Err(Refusal::KeyReused));
    wallet.activate(first.id, card(), LIFETIME).unwrap();
    wallet.update(first.id, renamed(Some("other"))).unwrap();
    let mut wallet = wallet.at(start() + TimeDelta::hours(24) - millisecond());
    assert_eq!(wallet.create(with_key(1)), Ok(first.clone()), "though it is another one by now");
    let mut wallet = wallet.at(start() + TimeDelta::hours(24));
    assert_ne!(wallet.create(with_key(1)).unwrap().id, first.id);
}

#[test]
fn a_closed_visit_stays_closed_and_an_old_one_of_the_same_id_is_another() {
    let mut wallet = wallet();
    let id = wallet.add();
    let visit = wallet.open_terminal(id).unwrap();
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

/// One step of a random life; the number says which recurring payment.
#[derive(Debug, Clone)]
enum Step {
    Create { primary: bool },
    Activate(usize),
    End(usize),
    Choose(usize, bool),
    Rename(usize),
    Open(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..40;
    prop_oneof![
        4 => any::<bool>().prop_map(|primary| Step::Create { primary }),
        4 => which.clone().prop_map(Step::Activate),
        2 => which.clone().prop_map(Step::End),
        3 => (which.clone(), any::<bool>()).prop_map(|(which, primary)| Step::Choose(which, primary)),
        1 => which.clone().prop_map(Step::Rename),
        2 => which.prop_map(Step::Open),
        3 => prop_oneof![Just(1), Just(60_000), Just(86_400_000), 0..100_000_000_i64, 0..40_000_000_000_i64].prop_map(Step::Wait),
    ]
}

/// Rule 1, told again from its words: what is primary, given the choices that are remembered newest first.
fn primary_by_the_rule(
    wallet: &Wallet,
    choices: &[RecurringPaymentId],
) -> Option<RecurringPaymentId> {
    let views = wallet.list(true);
    let usable = |id: &RecurringPaymentId| {
        views.iter().any(|view| {
            view.id == *id
                && matches!(view.status, RecurringStatus::Active | RecurringStatus::Created)
        })
    };
    if let Some(chosen) = choices.iter().find(|id| usable(id)) {
        return Some(*chosen);
    }
    let mut active: Vec<_> =
        views.iter().filter(|view| view.status == RecurringStatus::Active).collect();
    active.sort_by_key(|view| {
        view.registration.as_ref().map(|registration| registration.activated_at)
    });
    let created = views.iter().find(|view| view.status == RecurringStatus::Created);
    active.first().copied().or(created).map(|view| view.id)
}

fn check(wallet: &Wallet, choices: &[RecurringPaymentId]) {
    let views = wallet.list(true);
    let primaries: Vec<_> = views.iter().filter(|view| view.primary).collect();
    assert!(primaries.len() <= 1);
    assert_eq!(primaries.first().map(|view| view.id), primary_by_the_rule(wallet, choices));
    assert!(
        primaries
            .iter()
            .all(|view| matches!(view.status, RecurringStatus::Created | RecurringStatus::Active))
    );
    let payments = &wallet.contents().payments;
    let count = |live: bool| payments.iter().filter(|payment| payment.is_live() == live).count();
    assert!(count(true) <= Wallet::LIVE && count(false) <= Wallet::ENDED);
    assert!(
        payments.iter().filter(|payment| payment.status() == RecurringStatus::Created).count()
            <= Wallet::OPEN
    );
    for view in &views {
        let ends = view.registration.as_ref().map(|registration| registration.expires_at);
        assert!(
            view.status != RecurringStatus::Active || ends.is_some_and(|ends| wallet.now < ends)
        );
    }
    for payment in payments {
        let printed = format!("{payment:?}");
        assert_eq!(printed.contains("pan_hash"), payment.status() == RecurringStatus::Active);
        assert_eq!(payments.iter().filter(|other| other.sequence == payment.sequence).count(), 1);
    }
}

proptest! {
    #[test]
    fn a_random_life_keeps_every_rule(steps in prop::collection::vec(step(), 1..60)) {
        let (mut wallet, mut ids, mut choices) = (wallet(), Vec::new(), Vec::new());
        for step in steps {
            let before = wallet.clone();
            let id = |which: usize| ids.get(which % ids.len().max(1)).copied();
            let held = before.primary_id().filter(|id| before.status(*id) == RecurringStatus::Active);
            let mut chose = false;
            let result = match step {
                Step::Create { primary } => wallet.create(if primary { chosen() } else { plain() }).map(|view| {
                    chose = primary;
                    choices.retain(|id| *id != view.id);
                    if primary { choices.insert(0, view.id); }
                    ids.retain(|id| *id != view.id);
                    ids.push(view.id);
                }),
                Step::Activate(which) => id(which).map_or(Ok(()), |id| wallet.activate(id, card(), LIFETIME).map(drop)),
                Step::End(which) => id(which).map_or(Ok(()), |id| wallet.end(id).map(drop)),
                Step::Choose(which, primary) => id(which).map_or(Ok(()), |id| wallet.update(id, choice(primary)).map(|_| {
                    if primary && before.primary_id() != Some(id) {
                        chose = true;
                        choices.retain(|other| *other != id);
                        choices.insert(0, id);
                    }
                })),
                Step::Rename(which) => id(which).map_or(Ok(()), |id| wallet.update(id, renamed(Some("Kort"))).map(drop)),
                Step::Open(which) => id(which).map_or(Ok(()), |id| wallet.open_terminal(id).map(drop)),
                Step::Wait(milliseconds) => {
                    wallet = wallet.clone().at(wallet.now + TimeDelta::milliseconds(milliseconds));
                    Ok(())
                }
            };
            if result.is_err() {
                prop_assert_eq!(&wallet, &before);
            }
            for id in &ids {
                match (before.view(*id), wallet.view(*id)) {
                    (Ok(was), Ok(is)) => prop_assert!(was.status <= is.status),
                    (Ok(was), Err(_)) => prop_assert!(
                        !matches!(was.status, RecurringStatus::Active) || wallet.now - before.now >= RecurringPayment::MEMORY
                            || before.contents().payments.iter().filter(|payment| !payment.is_live()).count() >= 5
                    ),
                    (Err(_), _) => {}
                }
            }
            // Nobody takes the primary away from an ACTIVE one, unless asked, or it is itself over.
            if let Some(held) = held && !chose && wallet.view(held).is_ok_and(|view| view.status == RecurringStatus::Active) {
                prop_assert_eq!(wallet.primary_id(), Some(held));
            }
            check(&wallet, &choices);
        }
    }

    #[test]
    fn settling_early_or_late_is_the_same(steps in prop::collection::vec(0..3_000_000_000_i64, 1..6)) {
        let mut wallet = wallet();
        wallet.add_active();
        let waiting = wallet.add();
        wallet.open_terminal(waiting).unwrap();
        wallet.create(chosen()).unwrap();
        let ends = wallet.now + TimeDelta::milliseconds(steps.iter().sum());
        let in_one = wallet.clone().at(ends);
        let in_steps = steps.iter().fold(wallet, |wallet, step| { let then = wallet.now + TimeDelta::milliseconds(*step); wallet.at(then) });
        prop_assert_eq!(in_one, in_steps);
    }
}
