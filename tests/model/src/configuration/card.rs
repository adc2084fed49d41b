//! A card's way into a wallet: whoever vanishes, and whatever is lost, the customer's card is stored, and verified once.

use super::words::{CREATE, after, done, open, open_told, open_with, with_card};
use super::{Before, Bounds, Configuration, Size};
use crate::event::Event;
use crate::nets::Page;
use crate::operation::Operation::{self, Authorize, Callback, End, Erase, Finish};
use crate::world::steps::Wait;
use chrono::TimeDelta;

/// Trouble by size.
fn bounds(size: Size) -> Bounds {
    let (losses, kills, steps_of_clock) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (1, 1, 1),
        Size::Large => (2, 1, 2),
    };
    Bounds {
        tries: 3,
        losses,
        kills,
        steps_of_clock,
        waits: vec![Wait::ToChore],
        ..Bounds::default()
    }
}

/// One that waits for a card.
fn waiting() -> Vec<Before> {
    vec![done(CREATE)]
}

/// The same, and its customer has entered a card, or done something else.
fn entered(page: Page) -> Vec<Before> {
    [waiting(), vec![done(open(1)), Before::Entered(1, page)]].concat()
}

/// From the wish to the card: the client may vanish anywhere.
pub(super) fn card(size: Size) -> Configuration {
    let client: Vec<Operation> = vec![open(1), Authorize(1)];
    let with = |others: &[Operation]| {
        let others = others.iter().map(|other| vec![*other]);
        [client.clone()].into_iter().chain(others).collect::<Vec<_>>()
    };
    let mut sets = vec![with(&[Authorize(1)]), with(&[Finish]), with(&[End(1)]), with(&[Erase])];
    if size > Size::Small {
        sets.extend([with(&[Authorize(1), Finish]), with(&[Callback(1), Finish])]);
    }
    if size == Size::Large {
        sets.push(with(&[Callback(1), Authorize(1), Finish]));
    }
    Configuration {
        name: "card",
        about: "a terminal, a card and authorize, with a second client, Nets' callback and the schedule",
        bounds: Bounds { pages: vec![Page::Card, Page::Cancelled], ..bounds(size) },
        scenarios: after(&[waiting()], &sets),
        expects: vec![
            Event::Activated,
            Event::ActivatedBySchedule,
            Event::AlreadyProcessed,
            Event::VerifiedBefore,
            Event::NotRegistered,
            Event::LeftToTheSchedule,
            Event::Unclear,
            Event::LateRegister,
            Event::LateVerify,
            Event::CustomerCancelled,
            Event::CardTooLate,
        ],
    }
}

/// The customer has done something, and everybody comes to see it: what each kind of card becomes.
pub(super) fn found(size: Size) -> Configuration {
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
    let pages = [Page::Card, Page::SlowCard, Page::BadCard, Page::Cancelled];
    let (losses, kills) = match size {
        Size::Small => (1, 0),
        Size::Medium => (1, 1),
        Size::Large => (2, 1),
    };
    Configuration {
        name: "found",
        about: "every kind of card, with everybody looking at once",
        bounds: Bounds { losses, kills, ..bounds(size) },
        scenarios: after(&pages.map(entered), &sets),
        expects: vec![
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

/// Two visits of one recurring payment: the first completed counts. And of two: cards keep their order.
pub(super) fn visits(size: Size) -> Configuration {
    let second =
        [entered(Page::Card), vec![done(open(1)), Before::Entered(1, Page::Card)]].concat();
    let open_too = [entered(Page::Cancelled), vec![done(open(1))]].concat();
    let other = [
        with_card(1, Page::Card),
        vec![done(CREATE), done(open(2)), Before::Entered(2, Page::Card)],
        vec![done(CREATE), done(open(3)), Before::Entered(3, Page::Card)],
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
    let scenarios = [after(&[second, open_too], &of_one), after(&[other], &of_two)].concat();
    Configuration {
        name: "visits",
        about: "several visits and several cards at once",
        bounds: Bounds { losses, kills, steps_of_clock: 1, ..bounds(size) },
        scenarios,
        expects: vec![Event::Activated, Event::SecondCard, Event::Promoted],
    }
}

/// Terminals that are asked for again with their key, by the same client or another, soon or late.
pub(super) fn repeats(size: Size) -> Configuration {
    let again = vec![open_with(1, 1), open_with(1, 1)];
    let once = || vec![open_with(1, 1)];
    let mut sets = vec![vec![once(), once(), vec![Finish]], vec![again.clone(), vec![Finish]]];
    if size > Size::Small {
        sets.extend([
            vec![again.clone(), once(), vec![Finish]],
            vec![again.clone(), vec![Authorize(1)], vec![Finish]],
        ]);
    }
    if size == Size::Large {
        sets.push(vec![vec![open_with(1, 1), Authorize(1)], again, vec![Finish]]);
    }
    let old = vec![done(CREATE), Before::Remembered(1)];
    Configuration {
        name: "repeats",
        about: "terminals that are asked for again with their key; ids that Nets knows from long ago",
        bounds: Bounds {
            waits: vec![Wait::ToChore, Wait::By(TimeDelta::minutes(2))],
            ..bounds(size)
        },
        scenarios: after(&[waiting(), old], &sets),
        expects: vec![
            Event::SameVisit,
            Event::IdTaken,
            Event::TakenOver,
            Event::ActivatedBySchedule,
        ],
    }
}

/// Somebody is to be told how it ended, and hears badly.
pub(super) fn told(size: Size) -> Configuration {
    let begun = |page| [waiting(), vec![done(open_told(1)), Before::Entered(1, page)]].concat();
    let mut sets = vec![vec![vec![Authorize(1)], vec![Finish]], vec![vec![Finish], vec![Finish]]];
    if size > Size::Small {
        sets.extend([
            vec![vec![Authorize(1)], vec![Finish], vec![Finish]],
            vec![vec![Authorize(1)], vec![Callback(1)], vec![Finish, Finish]],
            vec![vec![Finish], vec![Finish, Finish]],
        ]);
    }
    let (losses, kills, steps_of_clock) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (2, 0, 2),
        Size::Large => (2, 1, 2),
    };
    let hours = |hours| Wait::By(TimeDelta::hours(hours));
    Configuration {
        name: "told",
        about: "notifications: told once it is so, again until heard, no try twice, given up in the end",
        bounds: Bounds {
            losses,
            kills,
            steps_of_clock,
            waits: vec![Wait::ToChore, hours(73)],
            ..bounds(size)
        },
        scenarios: after(&[begun(Page::Card), begun(Page::BadCard)], &sets),
        expects: vec![Event::Told, Event::ToldAgain, Event::HeardUnheard],
    }
}
