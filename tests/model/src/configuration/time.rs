//! The effects of time: expiry, abandonment, and clocks that differ.

use super::builders::{
    CREATE, CREATE_PRIMARY, open, open_with_callback, run, scenarios, with_card,
};
use super::{Bounds, Configuration, SetupStep, Size};
use crate::event::Event;
use crate::nets::PageState;
use crate::operation::Operation::{self, End, Expire, Finish, List, Rename, SetPrimary};
use crate::world::steps::ClockStep;
use chrono::TimeDelta;

/// Expiry, concurrent with all operations of clients.
pub(super) fn expiry(size: Size) -> Configuration {
    let expiring = || with_card(1, PageState::ExpiringCard);
    let setups = [
        // One expiry is due.
        expiring(),
        // Two expire at the same instant. The first is chosen as primary.
        [expiring(), with_card(2, PageState::ExpiringCard), vec![run(SetPrimary(1))]].concat(),
        // One expires, and one is valid for years.
        [expiring(), with_card(2, PageState::Card), vec![run(SetPrimary(1))]].concat(),
        // An abandonment is due, too.
        [expiring(), vec![SetupStep::AdvanceClock(TimeDelta::days(7)), run(CREATE)]].concat(),
    ];
    let operations: [Operation; 6] =
        [CREATE_PRIMARY, SetPrimary(1), Rename(1, 1), End(1), End(2), List];
    let mut sets: Vec<_> =
        operations.into_iter().map(|one| vec![vec![one], vec![Expire], vec![Expire]]).collect();
    if size > Size::Small {
        sets.extend([
            vec![vec![CREATE_PRIMARY, End(1)], vec![Expire, Expire]],
            vec![vec![End(1)], vec![SetPrimary(1)], vec![Expire, Expire]],
            vec![vec![Rename(1, 1)], vec![End(2)], vec![Expire]],
        ]);
    }
    let (losses, kills, clock_steps) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (1, 0, 2),
        Size::Large => (2, 1, 2),
    };
    Configuration {
        name: "expiry",
        about: "cards that expire, with clients whose clocks differ and two runs of the schedule",
        bounds: Bounds {
            attempts: 3,
            losses,
            kills,
            clock_steps,
            allowed_clock_steps: vec![
                ClockStep::ToExpiry,
                ClockStep::ToBeforeExpiry,
                ClockStep::By(TimeDelta::seconds(1)),
            ],
            clock_skew: true,
            ..Bounds::default()
        },
        scenarios: scenarios(&setups, &sets),
        expected_events: vec![
            Event::Expired,
            Event::NothingDue,
            Event::OwnWriteFoundByRead,
            Event::Promoted,
            Event::EarlierClock,
        ],
    }
}

/// A card is entered a minute before it expires. Clients whose clocks differ reconcile the session before or after that.
pub(super) fn expired_card(size: Size) -> Configuration {
    let setup = |first: Operation| {
        vec![
            SetupStep::AdvanceClock(TimeDelta::minutes(7 * 24 * 60 + 13 * 60 + 59)),
            run(CREATE),
            run(first),
            SetupStep::CustomerActs(1, PageState::ExpiringCard),
        ]
    };
    let with_second_card = [
        setup(open_with_callback(1)),
        vec![run(open(1)), SetupStep::CustomerActs(1, PageState::Card)],
    ];
    let setups = [setup(open_with_callback(1)), with_second_card.concat()];
    let mut sets = vec![
        vec![vec![Operation::Authorize(1)], vec![Finish]],
        vec![vec![Operation::Authorize(1)], vec![Operation::Callback(1)]],
        vec![vec![Operation::Authorize(1), open(1)], vec![Finish]],
    ];
    if size == Size::Large {
        sets.push(vec![vec![Operation::Authorize(1)], vec![Operation::Callback(1)], vec![Finish]]);
    }
    let (losses, kills) = match size {
        Size::Small => (0, 0),
        Size::Medium => (1, 0),
        Size::Large => (1, 1),
    };
    Configuration {
        name: "expired-card",
        about: "a card that expires between its entry and its reconciliation: one outcome, one notification",
        bounds: Bounds {
            losses,
            kills,
            clock_steps: 1,
            allowed_clock_steps: vec![ClockStep::By(TimeDelta::minutes(1))],
            clock_skew: true,
            ..Bounds::default()
        },
        scenarios: scenarios(&setups, &sets),
        expected_events: vec![Event::CardExpired, Event::Activated, Event::Delivered],
    }
}

/// No session is completed for a day and for a month: abandonment, its notification, and the end of the retention.
pub(super) fn abandonment(size: Size) -> Configuration {
    let setups = [
        vec![run(CREATE), run(open_with_callback(1)), run(CREATE), run(SetPrimary(1))],
        [
            with_card(1, PageState::Card),
            vec![
                run(CREATE),
                run(SetPrimary(2)),
                run(open(2)),
                SetupStep::CustomerActs(2, PageState::DeclinedCard),
            ],
        ]
        .concat(),
    ];
    let sets = vec![
        vec![vec![Finish, Finish], vec![Expire, Expire]],
        vec![vec![End(1)], vec![Finish], vec![Expire, Expire]],
        vec![vec![Operation::Authorize(2)], vec![SetPrimary(2)], vec![Expire]],
    ];
    let (losses, clock_steps) = match size {
        Size::Small => (0, 2),
        Size::Medium => (1, 3),
        Size::Large => (2, 4),
    };
    let allowed_clock_steps = vec![
        ClockStep::ToTask,
        ClockStep::ToExpiry,
        ClockStep::By(TimeDelta::minutes(16)),
        ClockStep::By(TimeDelta::hours(24)),
        ClockStep::By(TimeDelta::days(3 * 365)),
    ];
    Configuration {
        name: "abandonment",
        about: "no completed session: abandoned and notified after a day, removed after a month",
        bounds: Bounds {
            attempts: 3,
            losses,
            clock_steps,
            allowed_clock_steps,
            ..Bounds::default()
        },
        scenarios: scenarios(&setups, &sets),
        expected_events: vec![Event::Abandoned, Event::Promoted, Event::Delivered],
    }
}
