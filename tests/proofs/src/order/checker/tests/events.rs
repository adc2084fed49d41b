//! The rules for lifecycle events: each has versions that it accepts, and versions with one error that it must find.

mod deliveries;

use std::collections::BTreeSet;

use super::super::events::{Version, check, index_entries};
use super::*;
use crate::order::item::{DeliveryAttempts, Events, StoredEvent};
use crate::order::spec::{
    Card, CardEvent, DAY, EventKind, HOUR, LifecycleEvent, MINUTE, Payment, PrimaryChange, Reason,
    State,
};

const SLOT: u64 = 7;
/// 2027-04-01T00:00:00Z, when the first card expires.
const END: i64 = 1_806_537_600_000;
/// When it is announced.
const NOTICE_AT: i64 = END - 30 * DAY;

fn id(sequence: u16) -> u64 {
    SLOT << 10 | u64::from(sequence)
}

fn payment(sequence: u16, state: State) -> Payment {
    Payment { sequence, created_at: START, nickname: None, key: None, state }
}

/// A card that expires at an instant; one that is limited by its registration.
fn card(expires_at: i64, expiry: &str) -> Card {
    let (kind, last_four) = ("VISA".to_owned(), "0004".to_owned());
    Card { kind, last_four, expiry: expiry.to_owned(), activated_at: START, expires_at }
}

fn wallet(payments: Vec<Payment>) -> Wallet {
    Wallet { payments, ..Wallet::empty(SLOT, 1, "4711") }
}

/// The first card, which is primary, and another one that expires much later.
fn two_cards() -> Wallet {
    let later = Card { activated_at: START + 1, ..card(END + 900 * DAY, "2029-09") };
    wallet(vec![payment(1, State::Active(card(END, "2027-03"))), payment(2, State::Active(later))])
}

fn card_event(primary: bool) -> CardEvent {
    CardEvent {
        id: id(1),
        card_kind: "VISA".to_owned(),
        last_four: "0004".to_owned(),
        expiry: "2027-03".to_owned(),
        expires_at: END,
        primary,
    }
}

fn event(occurred_at: i64, kind: EventKind) -> LifecycleEvent {
    LifecycleEvent { occurred_at, kind }
}

fn change(old: u16, new: u16, reason: &'static str) -> EventKind {
    EventKind::PrimaryChanged(PrimaryChange { old: id(old), new: id(new), reason })
}

/// The three events of the first card.
fn three_events() -> [LifecycleEvent; 3] {
    [
        event(NOTICE_AT, EventKind::Expiring(card_event(true))),
        event(END, EventKind::Expired(card_event(true))),
        event(END, change(1, 2, "EXPIRED")),
    ]
}

fn stored(events: impl IntoIterator<Item = LifecycleEvent>) -> Events {
    let stored = events.into_iter().map(|event| StoredEvent { event, attempts: None });
    Events { stored: stored.collect(), notices_given: BTreeSet::new() }
}

/// Checks a version that an operation wrote, which changes only what depends on time.
fn check_after(
    previous: &Wallet,
    [before, after]: [&Events; 2],
    operation: &Operation,
    now: i64,
    inbox: &Inbox,
) -> Result<EventTotals, String> {
    let wallet = &previous.at(now);
    check(before, after, &Version { previous, wallet, operation, now, inbox })
}

fn check_expiry(previous: &Wallet, after: &Events, now: i64) -> Result<(), String> {
    let events = [&Events::default(), after];
    check_after(previous, events, &Operation::Expire, now, &Inbox::default()).map(drop)
}

#[test]
fn each_change_by_time_has_its_events() {
    let previous = two_cards();
    let announced = Events { notices_given: [1].into(), ..stored(three_events()[..1].to_vec()) };
    check_expiry(&previous, &Events::default(), NOTICE_AT - 1).unwrap();
    check_expiry(&previous, &announced, NOTICE_AT).unwrap();
    check_expiry(&previous, &stored(three_events()), END).unwrap();
    check_expiry(&previous, &stored(three_events()), END + DAY).unwrap();
    let totals = check_after(
        &previous,
        [&announced, &stored(three_events())],
        &Operation::Update(id(2), Change { nickname: None, primary: None }),
        END,
        &Inbox::default(),
    );
    assert_eq!(totals.unwrap().stored, [("expired", 1), ("primary-changed", 1)].into());
}

#[test]
fn events_that_differ_from_the_specification_are_violations() {
    type Modify = fn(&mut Vec<StoredEvent>);
    let cases: [(Modify, &str); 12] = [
        (|events| drop(events.remove(0)), "an event is missing: LifecycleEvent { occurred_at"),
        (|events| drop(events.remove(1)), "an event is missing"),
        (|events| drop(events.pop()), "an event is missing"),
        (|events| events.push(events[2].clone()), "stored twice"),
        (|events| events.swap(0, 1), "before an older one"),
        (
            |events| events[0].event.kind = EventKind::Expiring(card_event(false)),
            "is not specified",
        ),
        (|events| events[1].event.kind = EventKind::Expired(card_event(false)), "is not specified"),
        (
            |events| {
                let other = CardEvent { last_four: "0005".to_owned(), ..card_event(true) };
                events[1].event.kind = EventKind::Expired(other);
            },
            "is not specified",
        ),
        (|events| events[0].event.occurred_at += 1, "is not specified"),
        (|events| events[2].event.kind = change(1, 2, "ENDED"), "is not specified"),
        (|events| events[2].event.kind = change(2, 1, "EXPIRED"), "is not specified"),
        (
            |events| {
                let other = CardEvent { id: id(2), ..card_event(false) };
                events.push(StoredEvent {
                    event: event(END, EventKind::Expired(other)),
                    attempts: None,
                });
            },
            "is not specified",
        ),
    ];
    for (modify, what) in cases {
        let mut events = stored(three_events());
        modify(&mut events.stored);
        assert_violation(check_expiry(&two_cards(), &events, END), what);
    }
    let unmarked = stored(three_events()[..1].to_vec());
    assert_violation(check_expiry(&two_cards(), &unmarked, NOTICE_AT), "the mark of the notice");
    let marked = Events { notices_given: [2].into(), ..stored(three_events()) };
    assert_violation(check_expiry(&two_cards(), &marked, END), "the mark of the notice");
}

#[test]
fn a_card_is_announced_once() {
    let announced = Events { notices_given: [1].into(), ..Events::default() };
    let again = Events { notices_given: [1].into(), ..stored(three_events()[..1].to_vec()) };
    let (inbox, operation) = (Inbox::default(), Operation::Expire);
    let check = |events| check_after(&two_cards(), events, &operation, NOTICE_AT, &inbox);
    check([&announced, &announced]).unwrap();
    assert_violation(check([&announced, &again]).map(drop), "is not specified");
}

/// Three that end at the same instant. None of them becomes primary by it, and the fourth one does.
#[test]
fn events_of_one_instant_see_the_wallet_directly_before_it() {
    let mut previous = two_cards();
    previous.payments[1].state = State::Active(card(END, "2027-03"));
    previous.payments.push(payment(3, State::Created(Vec::new())));
    previous.payments[2].created_at = END - DAY;
    previous.payments.push(payment(4, State::Created(Vec::new())));
    previous.payments[3].created_at = END;
    previous.choices = vec![3];
    let of = |sequence| CardEvent { id: id(sequence), ..card_event(false) };
    let specified = [
        event(END, EventKind::Expired(of(1))),
        event(END, EventKind::Expired(of(2))),
        event(END, change(3, 4, "ABANDONED")),
    ];
    let announced = Events { notices_given: [1, 2].into(), ..Events::default() };
    let check = |after: &Events| {
        let events = [&announced, after];
        check_after(&previous, events, &Operation::Expire, END, &Inbox::default()).map(drop)
    };
    check(&stored(specified.clone())).unwrap();
    let mut by_turns = stored(specified);
    by_turns.stored[2].event.kind = change(3, 1, "ABANDONED");
    assert_violation(check(&by_turns), "is not specified");
}

#[test]
fn another_primary_by_an_operation_is_an_event_only_if_the_old_one_ended() {
    let previous = two_cards();
    let (now, inbox) = (NOTICE_AT - DAY, Inbox::default());
    let check = |operation: &Operation, wallet: &Wallet, after: &Events| {
        let version = Version { previous: &previous, wallet, operation, now, inbox: &inbox };
        check(&Events::default(), after, &version).map(drop)
    };
    let mut ended = previous.at(now);
    ended.payments[0].state = State::Cancelled(Reason::Ended, now, None);
    let event = stored([event(now, change(1, 2, "ENDED"))]);
    check(&Operation::End(id(1)), &ended, &event).unwrap();
    let missing = check(&Operation::End(id(1)), &ended, &Events::default());
    assert_violation(missing, "an event is missing");
    let chosen = Wallet { choices: vec![2], ..previous.at(now) };
    let choose = Operation::Update(id(2), Change { nickname: None, primary: Some(true) });
    check(&choose, &chosen, &Events::default()).unwrap();
    assert_violation(check(&choose, &chosen, &event), "is not specified");
}

/// The sixth CREATED one abandons the first, which is primary.
#[test]
fn a_new_one_that_is_chosen_is_no_event_although_it_abandons_the_primary() {
    for (choices, specified) in [(vec![], vec![change(1, 2, "ABANDONED")]), (vec![6], vec![])] {
        let created = |sequence| payment(sequence, State::Created(Vec::new()));
        let previous = wallet((1..=5).map(created).collect());
        let now = START + HOUR;
        let mut after = Wallet { choices, ..previous.at(now) };
        after.payments[0].state = State::Cancelled(Reason::Abandoned, now, None);
        after.payments.push(created(6));
        let (operation, inbox) = (create_operation(), Inbox::default());
        let version = Version {
            previous: &previous,
            wallet: &after,
            operation: &operation,
            now,
            inbox: &inbox,
        };
        let events = stored(specified.into_iter().map(|kind| event(now, kind)));
        check(&Events::default(), &events, &version).unwrap();
    }
}

#[test]
fn a_card_that_is_activated_with_less_time_left_is_announced_at_once() {
    let now = END - DAY;
    let created = Payment { created_at: now, ..payment(1, State::Created(Vec::new())) };
    let active = Card { activated_at: now, ..card(END, "2027-03") };
    let after = wallet(vec![payment(1, State::Active(active))]);
    let previous = wallet(vec![created]);
    let (operation, inbox) = (Operation::Authorize(id(1)), Inbox::default());
    let version =
        Version { previous: &previous, wallet: &after, operation: &operation, now, inbox: &inbox };
    let event = event(now, EventKind::Expiring(card_event(true)));
    let announced = Events { notices_given: [1].into(), ..stored([event]) };
    check(&Events::default(), &announced, &version).unwrap();
    let unannounced = check(&Events::default(), &Events::default(), &version).map(drop);
    assert_violation(unannounced, "the mark of the notice");
    let marked = Events { notices_given: [1].into(), ..Events::default() };
    assert_violation(check(&Events::default(), &marked, &version).map(drop), "an event is missing");
}

#[test]
fn indexes_have_the_next_notice_and_the_next_attempt() {
    let wallet = two_cards();
    let mut events = Events::default();
    assert_eq!(index_entries(&wallet, &events), [Some(NOTICE_AT), None]);
    events = Events { notices_given: [1].into(), ..stored(three_events()[..1].to_vec()) };
    assert_eq!(index_entries(&wallet, &events), [Some(END), Some(NOTICE_AT)]);
    let next_at = NOTICE_AT + MINUTE;
    events.stored[0].attempts = Some(DeliveryAttempts { first_at: NOTICE_AT, count: 1, next_at });
    assert_eq!(index_entries(&wallet, &events), [Some(END), Some(next_at)]);
}

#[test]
fn an_organisation_without_an_address_has_no_events() {
    let other = Wallet { organisation: 2, ..two_cards() };
    assert_eq!(index_entries(&other, &Events::default()), [Some(END), None]);
    check_expiry(&other, &Events::default(), END).unwrap();
    assert_violation(check_expiry(&other, &stored(three_events()), END), "is not specified");
}

#[test]
fn an_event_that_stays_undelivered_is_a_violation() {
    let ended = || {
        let mut simulation = Simulation::new();
        let ids = [simulation.create(), simulation.create()];
        simulation.change(Operation::End(ids[0]), |_| {}).unwrap();
        simulation
    };
    let mut simulation = ended();
    assert_violation(simulation.process(Event::Idle(simulation.now)), "work is due");
    let finished = simulation.checker.finish().map_err(|violation| violation.what);
    assert_violation(finished, "an event is still stored");
    let mut simulation = ended();
    simulation.deliver().unwrap();
    simulation.process(Event::Idle(simulation.now)).unwrap();
    simulation.checker.finish().unwrap();
    let totals = &simulation.checker.totals.events;
    assert_eq!((totals.stored["primary-changed"], totals.delivered), (1, 1));
    assert_eq!(totals.deliveries, [1, 0]);
    // The schedule removes the event, but the inbox has not received it.
    let mut simulation = ended();
    let (finish, _) = simulation.invoke(Operation::Finish);
    simulation.events.stored.clear();
    simulation.version += 1;
    let removed = simulation.process(Event::Written(finish, Box::new(simulation.item())));
    assert_violation(removed, "removed without delivery");
}
