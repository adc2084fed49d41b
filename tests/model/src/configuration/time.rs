//! What time does: expiry, abandonment, and clocks that differ.

use super::words::{CREATE, CREATE_CHOSEN, after, done, open, open_told, with_card};
use super::{Before, Bounds, Configuration, Size};
use crate::event::Event;
use crate::nets::Page;
use crate::operation::Operation::{self, Choose, End, Expire, Finish, List, Rename};
use crate::world::steps::Wait;
use chrono::TimeDelta;

/// Expiry against everything that clients do.
pub(super) fn time(size: Size) -> Configuration {
    let short = || with_card(1, Page::ShortCard);
    let beginnings = [
        // All that is due is one expiry.
        short(),
        // Two at the same instant, the first chosen.
        [short(), with_card(2, Page::ShortCard), vec![done(Choose(1))]].concat(),
        // One goes, one stays for years.
        [short(), with_card(2, Page::Card), vec![done(Choose(1))]].concat(),
        // Something else is due, too.
        [short(), vec![Before::Passed(TimeDelta::days(7)), done(CREATE)]].concat(),
    ];
    let alone: [Operation; 6] = [CREATE_CHOSEN, Choose(1), Rename(1, 1), End(1), End(2), List];
    let mut sets: Vec<_> =
        alone.into_iter().map(|one| vec![vec![one], vec![Expire], vec![Expire]]).collect();
    if size > Size::Small {
        sets.extend([
            vec![vec![CREATE_CHOSEN, End(1)], vec![Expire, Expire]],
            vec![vec![End(1)], vec![Choose(1)], vec![Expire, Expire]],
            vec![vec![Rename(1, 1)], vec![End(2)], vec![Expire]],
        ]);
    }
    let (losses, kills, steps_of_clock) = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (1, 0, 2),
        Size::Large => (2, 1, 2),
    };
    Configuration {
        name: "time",
        about: "cards that expire, under clients whose clocks differ, with two runs of the schedule",
        bounds: Bounds {
            tries: 3,
            losses,
            kills,
            steps_of_clock,
            waits: vec![Wait::ToExpiry, Wait::BeforeExpiry, Wait::By(TimeDelta::seconds(1))],
            skewed: true,
            ..Bounds::default()
        },
        scenarios: after(&beginnings, &sets),
        expects: vec![
            Event::Expired,
            Event::NotDueAnyMore,
            Event::RecognisedByReading,
            Event::Promoted,
            Event::OlderClock,
        ],
    }
}

/// A card is entered a minute before it expires, and found before or after that by clients whose clocks differ.
pub(super) fn late(size: Size) -> Configuration {
    let begun = |first: Operation| {
        vec![
            Before::Passed(TimeDelta::minutes(7 * 24 * 60 + 13 * 60 + 59)),
            done(CREATE),
            done(first),
            Before::Entered(1, Page::ShortCard),
        ]
    };
    let and_a_good_one = [begun(open_told(1)), vec![done(open(1)), Before::Entered(1, Page::Card)]];
    let beginnings = [begun(open_told(1)), and_a_good_one.concat()];
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
        name: "late",
        about: "a card that expires between its entry and its arrival: one outcome, told as it is",
        bounds: Bounds {
            losses,
            kills,
            steps_of_clock: 1,
            waits: vec![Wait::By(TimeDelta::minutes(1))],
            skewed: true,
            ..Bounds::default()
        },
        scenarios: after(&beginnings, &sets),
        expects: vec![Event::CardExpired, Event::Activated, Event::Told],
    }
}

/// Nobody finishes, for a day and for a month: abandoned, told, and forgotten.
pub(super) fn absence(size: Size) -> Configuration {
    let beginnings = [
        vec![done(CREATE), done(open_told(1)), done(CREATE), done(Choose(1))],
        [
            with_card(1, Page::Card),
            vec![done(CREATE), done(Choose(2)), done(open(2)), Before::Entered(2, Page::BadCard)],
        ]
        .concat(),
    ];
    let sets = vec![
        vec![vec![Finish, Finish], vec![Expire, Expire]],
        vec![vec![End(1)], vec![Finish], vec![Expire, Expire]],
        vec![vec![Operation::Authorize(2)], vec![Choose(2)], vec![Expire]],
    ];
    let (losses, steps_of_clock) = match size {
        Size::Small => (0, 2),
        Size::Medium => (1, 3),
        Size::Large => (2, 4),
    };
    let waits = vec![
        Wait::ToChore,
        Wait::ToExpiry,
        Wait::By(TimeDelta::minutes(16)),
        Wait::By(TimeDelta::hours(24)),
        Wait::By(TimeDelta::days(3 * 365)),
    ];
    Configuration {
        name: "absence",
        about: "nobody finishes: a day later abandoned and told, a month later forgotten",
        bounds: Bounds { tries: 3, losses, steps_of_clock, waits, ..Bounds::default() },
        scenarios: after(&beginnings, &sets),
        expects: vec![Event::Abandoned, Event::Promoted, Event::Told],
    }
}
