//! Lifecycle events of an organisation that has an address for them.

use super::builders::{CREATE, open, run, scenarios, with_card};
use super::{Bounds, Configuration, SetupStep, Size};
use crate::event::Event;
use crate::nets::PageState;
use crate::operation::Operation::{self, Authorize, End, Erase, Expire, Finish, SetPrimary};
use crate::world::steps::ClockStep;
use chrono::TimeDelta;

/// The wallets at the beginning. The notice is two days, and the first card expires after a week.
fn setups() -> Vec<Vec<SetupStep>> {
    let expiring = |sequence| with_card(sequence, PageState::ExpiringCard);
    let setups = [
        // Two expire at the same instant. The second is chosen as primary.
        [expiring(1), expiring(2), vec![run(SetPrimary(2))]].concat(),
        // One is primary and expires, and one is valid for years.
        [expiring(1), with_card(2, PageState::Card)].concat(),
        // A card is stored when less than the notice is left.
        vec![
            SetupStep::AdvanceClock(TimeDelta::days(7)),
            run(CREATE),
            run(open(1)),
            SetupStep::CustomerActs(1, PageState::ExpiringCard),
        ],
    ];
    setups.map(|setup| [vec![SetupStep::OrganisationWithEvents], setup].concat()).to_vec()
}

/// Notices, expiries and ends, with both schedules, a client, and a receiver that does not always accept.
pub(super) fn lifecycle_events(size: Size) -> Configuration {
    let with_schedules = |client: Operation| vec![vec![client], vec![Expire], vec![Finish]];
    let mut sets = vec![vec![vec![Expire, Expire], vec![Finish, Finish]]];
    sets.extend([End(1), Authorize(1)].map(with_schedules));
    if size > Size::Small {
        sets.extend([SetPrimary(1), Erase].map(with_schedules));
        sets.push(vec![vec![Expire], vec![Expire, Expire], vec![Finish]]);
    }
    let (losses, kills, clock_steps) = match size {
        Size::Small => (1, 0, 2),
        Size::Medium => (1, 1, 2),
        Size::Large => (1, 1, 3),
    };
    Configuration {
        name: "lifecycle-events",
        about: "notices, expiries and new primaries of an organisation with an address for events",
        bounds: Bounds {
            attempts: 3,
            losses,
            kills,
            clock_steps,
            allowed_clock_steps: vec![
                ClockStep::ToExpiry,
                ClockStep::ToTask,
                ClockStep::By(TimeDelta::hours(73)),
            ],
            ..Bounds::default()
        },
        scenarios: scenarios(&setups(), &sets),
        expected_events: vec![
            Event::Expired,
            Event::Promoted,
            Event::ExpiringDelivered,
            Event::ExpiredDelivered,
            Event::PrimaryChangeDelivered,
            Event::DeliveryRetried,
            Event::DeliveryReplyLost,
            Event::NotificationExpired,
        ],
    }
}
