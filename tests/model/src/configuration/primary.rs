//! Concurrent clients on one wallet: which recurring payment is primary, and that no change is lost or made twice.

use super::builders::{CREATE, CREATE_PRIMARY, create_with_key, open, run, scenarios, with_card};
use super::{Bounds, Configuration, SetupStep, Size, combinations};
use crate::event::Event;
use crate::nets::PageState;
use crate::operation::Operation::{self, End, Erase, List, Rename, SetPrimary, UnsetPrimary};

/// One ACTIVE recurring payment, and a CREATED one that was chosen as primary.
fn created_chosen() -> Vec<SetupStep> {
    [with_card(1, PageState::Card), vec![run(CREATE), run(SetPrimary(2))]].concat()
}

/// Two ACTIVE recurring payments. First 2 and then 1 was chosen as primary.
fn chosen_twice() -> Vec<SetupStep> {
    let cards = [with_card(1, PageState::Card), with_card(2, PageState::Card)].concat();
    [cards, vec![run(SetPrimary(2)), run(SetPrimary(1))]].concat()
}

/// All operations that do not call Nets.
fn all_operations() -> Vec<Vec<Operation>> {
    let all = [
        List,
        CREATE,
        CREATE_PRIMARY,
        SetPrimary(1),
        SetPrimary(2),
        UnsetPrimary(2),
        Rename(1, 1),
        Rename(1, 2),
        End(1),
        End(2),
        Erase,
    ];
    all.map(|operation| vec![operation]).to_vec()
}

/// Two or three clients with one operation each, in all combinations.
pub(super) fn primary(size: Size) -> Configuration {
    let (clients, losses, kills) = match size {
        Size::Small => (2, 1, 0),
        Size::Medium => (3, 1, 0),
        Size::Large => (3, 2, 1),
    };
    Configuration {
        name: "primary",
        about: "concurrent clients on one wallet, every operation with every other",
        bounds: Bounds { attempts: 3, losses, kills, ..Bounds::default() },
        scenarios: scenarios(
            &[created_chosen(), chosen_twice()],
            &combinations(clients, &all_operations()),
        ),
        expected_events: vec![
            Event::Conflict,
            Event::OwnWriteRecognised,
            Event::OwnWriteFoundByRead,
            Event::LateWrite,
            Event::Refused,
            Event::NothingToWrite,
            Event::Promoted,
            Event::PreviousChoiceRestored,
            Event::Erased,
        ],
    }
}

/// Two clients with a sequence of operations each.
pub(super) fn sequences(size: Size) -> Configuration {
    let all = [CREATE_PRIMARY, SetPrimary(1), SetPrimary(2), Rename(2, 1), End(1), End(2)];
    let length = if size == Size::Large { 3 } else { 2 };
    let mut sequences = vec![Vec::new()];
    for _ in 0..length {
        let longer = |sequence: &Vec<Operation>| {
            let sequence = sequence.clone();
            all.into_iter().map(move |next| [sequence.clone(), vec![next]].concat())
        };
        sequences = sequences.iter().flat_map(longer).collect();
    }
    let losses = u8::from(size > Size::Small);
    Configuration {
        name: "sequences",
        about: "two clients, several operations each",
        bounds: Bounds { attempts: 3, losses, ..Bounds::default() },
        scenarios: scenarios(&[created_chosen()], &combinations(2, &sequences)),
        expected_events: vec![Event::Conflict, Event::Promoted, Event::PreviousChoiceRestored],
    }
}

/// Few attempts and many faults: the last attempt, and the result after it.
pub(super) fn uncertain_writes(size: Size) -> Configuration {
    let few = [CREATE_PRIMARY, SetPrimary(1), End(2), Rename(1, 1)];
    let scripts = few.map(|operation| vec![operation]);
    let (clients, attempts, losses) = match size {
        Size::Small => (2, 2, 2),
        Size::Medium => (3, 2, 2),
        Size::Large => (3, 3, 3),
    };
    Configuration {
        name: "uncertain-writes",
        about: "few attempts and many losses: Busy, and an uncertain last write",
        bounds: Bounds { attempts, losses, ..Bounds::default() },
        scenarios: scenarios(&[created_chosen()], &combinations(clients, &scripts)),
        expected_events: vec![
            Event::Conflict,
            Event::OwnWriteRecognised,
            Event::OwnWriteFoundByRead,
            Event::UncertainWriteFound,
            Event::UncertainWriteNotFound,
            Event::Busy,
        ],
    }
}

/// As [`uncertain_writes`], with a database that does not return the stored item when the condition of a write fails.
pub(super) fn conflicts_without_item(size: Size) -> Configuration {
    let uncertain_writes = uncertain_writes(size);
    // Without the item, a client fails with Busy only if two others win, so there must be three clients.
    let busy = (size > Size::Small).then_some(Event::Busy);
    let mut expected_events =
        vec![Event::ConflictWithoutItem, Event::OwnWriteFoundByRead, Event::UncertainWriteFound];
    expected_events.extend(busy);
    Configuration {
        name: "conflicts-without-item",
        about: "uncertain-writes with a database that returns no item after a conflict, like dynalite",
        bounds: Bounds { returns_winner: false, ..uncertain_writes.bounds },
        expected_events,
        ..uncertain_writes
    }
}

/// Requests that are repeated with the same key, whatever their first result was.
pub(super) fn idempotency_keys(size: Size) -> Configuration {
    let twice = vec![create_with_key(1), create_with_key(1)];
    let sets = vec![
        vec![twice.clone(), vec![create_with_key(1)]],
        vec![twice.clone(), vec![create_with_key(1), End(1)]],
        vec![twice.clone(), vec![create_with_key(2), Erase]],
        vec![twice, vec![create_with_key(1)], vec![create_with_key(1)]],
    ];
    let (losses, kills) = match size {
        Size::Small => (1, 1),
        Size::Medium => (2, 1),
        Size::Large => (3, 2),
    };
    Configuration {
        name: "idempotency-keys",
        about: "POST requests that are repeated with the same idempotency key, by one client and by two",
        bounds: Bounds { attempts: 3, losses, kills, ..Bounds::default() },
        scenarios: scenarios(&[vec![], vec![run(CREATE)]], &sets),
        expected_events: vec![Event::CreateRepeated, Event::KilledWithWrite, Event::LateWrite],
    }
}

/// Five recurring payments are CREATED, and a sixth is created. The oldest is abandoned, possibly with a completed card.
pub(super) fn created_limit(size: Size) -> Configuration {
    let five = vec![run(CREATE); 5];
    let first = vec![run(open(1)), SetupStep::CustomerActs(1, PageState::Card), run(SetPrimary(1))];
    let sets = vec![
        vec![vec![CREATE], vec![CREATE_PRIMARY], vec![Operation::Authorize(1)]],
        vec![vec![CREATE_PRIMARY], vec![End(1)], vec![SetPrimary(2)]],
        vec![vec![CREATE, CREATE], vec![Operation::Authorize(1), End(1)]],
    ];
    let losses = match size {
        Size::Small => 0,
        Size::Medium => 1,
        Size::Large => 2,
    };
    Configuration {
        name: "created-limit",
        about: "a sixth CREATED recurring payment abandons the oldest",
        bounds: Bounds { attempts: 3, losses, ..Bounds::default() },
        scenarios: scenarios(&[[five, first].concat()], &sets),
        expected_events: vec![Event::Abandoned, Event::CardTooLate, Event::Promoted],
    }
}
