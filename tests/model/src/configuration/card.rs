//! Completing a card. Whichever function is killed and whichever message is lost, the card is stored and verified once.

use super::builders::{CREATE, open, open_with_callback, open_with_key, run, scenarios, with_card};
use super::{Bounds, Configuration, SetupStep, Size};
use crate::event::Event;
use crate::nets::PageState;
use crate::operation::Operation::{self, Authorize, Callback, End, Erase, Finish};
use crate::world::steps::ClockStep;
use chrono::TimeDelta;

/// The bounds for each size.
fn bounds(size: Size) -> Bounds {
    let (losses, kills, clock_steps) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (1, 1, 1),
        Size::Large => (2, 1, 2),
    };
    Bounds {
        attempts: 3,
        losses,
        kills,
        clock_steps,
        allowed_clock_steps: vec![ClockStep::ToTask],
        ..Bounds::default()
    }
}

/// One CREATED recurring payment.
fn created() -> Vec<SetupStep> {
    vec![run(CREATE)]
}

/// One CREATED recurring payment, with a terminal on which the customer has acted.
fn customer_acted(page: PageState) -> Vec<SetupStep> {
    [created(), vec![run(open(1)), SetupStep::CustomerActs(1, page)]].concat()
}

/// A client opens a terminal and authorizes. It can be killed at any step.
pub(super) fn card(size: Size) -> Configuration {
    let client: Vec<Operation> = vec![open(1), Authorize(1)];
    let with_client = |others: &[Operation]| {
        let others = others.iter().map(|other| vec![*other]);
        [client.clone()].into_iter().chain(others).collect::<Vec<_>>()
    };
    let mut sets = vec![
        with_client(&[Authorize(1)]),
        with_client(&[Finish]),
        with_client(&[End(1)]),
        with_client(&[Erase]),
    ];
    if size > Size::Small {
        sets.extend([with_client(&[Authorize(1), Finish]), with_client(&[Callback(1), Finish])]);
    }
    if size == Size::Large {
        sets.push(with_client(&[Callback(1), Authorize(1), Finish]));
    }
    Configuration {
        name: "card",
        about: "a terminal, a card and authorize, with a second client, Nets' callback and the schedule",
        bounds: Bounds {
            customer_actions: vec![PageState::Card, PageState::Cancelled],
            ..bounds(size)
        },
        scenarios: scenarios(&[created()], &sets),
        expected_events: vec![
            Event::Activated,
            Event::ActivatedBySchedule,
            Event::AlreadyProcessed,
            Event::VerifiedBefore,
            Event::NotRegistered,
            Event::RegistrationUncertain,
            Event::Unclear,
            Event::LateRegister,
            Event::LateVerify,
            Event::CustomerCancelled,
            Event::CardTooLate,
        ],
    }
}

/// The customer has acted, and several processes reconcile the session at the same time, for each kind of card.
pub(super) fn card_kinds(size: Size) -> Configuration {
    let mut sets = vec![
        vec![vec![Authorize(1)], vec![Authorize(1)]],
        vec![vec![Authorize(1)], vec![End(1)], vec![Finish]],
        vec![vec![Callback(1)], vec![Erase], vec![Finish]],
    ];
    if size > Size::Small {
        sets.extend([
            vec![vec![Authorize(1)], vec![Authorize(1)], vec![Finish]],
            vec![vec![Authorize(1)], vec![Callback(1)], vec![Finish], vec![Finish]],
        ]);
    }
    let pages =
        [PageState::Card, PageState::RetryCard, PageState::DeclinedCard, PageState::Cancelled];
    let (losses, kills) = match size {
        Size::Small => (1, 0),
        Size::Medium => (1, 1),
        Size::Large => (2, 1),
    };
    Configuration {
        name: "card-kinds",
        about: "every kind of card, with concurrent reconciliations",
        bounds: Bounds { losses, kills, ..bounds(size) },
        scenarios: scenarios(&pages.map(customer_acted), &sets),
        expected_events: vec![
            Event::Activated,
            Event::ActivatedBySchedule,
            Event::Verified,
            Event::AlreadyProcessed,
            Event::SoftDecline,
            Event::HardDecline,
            Event::CardTooLate,
        ],
    }
}

/// Two sessions of one recurring payment: the first completed one counts. Cards of two recurring payments: their order is kept.
pub(super) fn sessions(size: Size) -> Configuration {
    let both_completed = [
        customer_acted(PageState::Card),
        vec![run(open(1)), SetupStep::CustomerActs(1, PageState::Card)],
    ]
    .concat();
    let second_open = [customer_acted(PageState::Cancelled), vec![run(open(1))]].concat();
    let two_payments = [
        with_card(1, PageState::Card),
        vec![run(CREATE), run(open(2)), SetupStep::CustomerActs(2, PageState::Card)],
        vec![run(CREATE), run(open(3)), SetupStep::CustomerActs(3, PageState::Card)],
    ]
    .concat();
    let of_one = vec![
        vec![vec![Authorize(1)], vec![Authorize(1)], vec![Finish]],
        vec![vec![Authorize(1), open(1)], vec![Callback(1)]],
    ];
    let of_two = vec![vec![vec![Authorize(2)], vec![Authorize(3)], vec![End(1)]]];
    let (losses, kills) = match size {
        Size::Small => (0, 0),
        Size::Medium => (1, 0),
        Size::Large => (1, 1),
    };
    let scenarios =
        [scenarios(&[both_completed, second_open], &of_one), scenarios(&[two_payments], &of_two)]
            .concat();
    Configuration {
        name: "sessions",
        about: "several sessions and several cards at the same time",
        bounds: Bounds { losses, kills, clock_steps: 1, ..bounds(size) },
        scenarios,
        expected_events: vec![Event::Activated, Event::SecondCard, Event::Promoted],
    }
}

/// Requests for a terminal that are repeated with the same key, by the same client or another, soon or later.
pub(super) fn repeated_terminals(size: Size) -> Configuration {
    let twice = vec![open_with_key(1, 1), open_with_key(1, 1)];
    let once = || vec![open_with_key(1, 1)];
    let mut sets = vec![vec![once(), once(), vec![Finish]], vec![twice.clone(), vec![Finish]]];
    if size > Size::Small {
        sets.extend([
            vec![twice.clone(), once(), vec![Finish]],
            vec![twice.clone(), vec![Authorize(1)], vec![Finish]],
        ]);
    }
    if size == Size::Large {
        sets.push(vec![vec![open_with_key(1, 1), Authorize(1)], twice, vec![Finish]]);
    }
    let old_transaction = vec![run(CREATE), SetupStep::OldTransaction(1)];
    Configuration {
        name: "repeated-terminals",
        about: "requests for a terminal that are repeated with the same key, and ids that Nets already knows",
        bounds: Bounds {
            allowed_clock_steps: vec![ClockStep::ToTask, ClockStep::By(TimeDelta::minutes(2))],
            ..bounds(size)
        },
        scenarios: scenarios(&[created(), old_transaction], &sets),
        expected_events: vec![
            Event::OpenRepeated,
            Event::IdTaken,
            Event::RegistrationResumed,
            Event::ActivatedBySchedule,
        ],
    }
}

/// Notifications of the outcome of a terminal, with failing deliveries.
pub(super) fn notifications(size: Size) -> Configuration {
    let setup = |page| {
        [created(), vec![run(open_with_callback(1)), SetupStep::CustomerActs(1, page)]].concat()
    };
    let mut sets = vec![vec![vec![Authorize(1)], vec![Finish]], vec![vec![Finish], vec![Finish]]];
    if size > Size::Small {
        sets.extend([
            vec![vec![Authorize(1)], vec![Finish], vec![Finish]],
            vec![vec![Authorize(1)], vec![Callback(1)], vec![Finish, Finish]],
            vec![vec![Finish], vec![Finish, Finish]],
        ]);
    }
    let (losses, kills, clock_steps) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (2, 0, 2),
        Size::Large => (2, 1, 2),
    };
    let hours = |hours| ClockStep::By(TimeDelta::hours(hours));
    Configuration {
        name: "notifications",
        about: "notifications: attempted until delivered, no attempt twice, expired in the end",
        bounds: Bounds {
            losses,
            kills,
            clock_steps,
            allowed_clock_steps: vec![ClockStep::ToTask, hours(73)],
            ..bounds(size)
        },
        scenarios: scenarios(&[setup(PageState::Card), setup(PageState::DeclinedCard)], &sets),
        expected_events: vec![Event::Delivered, Event::DeliveryRetried, Event::DeliveryReplyLost],
    }
}
