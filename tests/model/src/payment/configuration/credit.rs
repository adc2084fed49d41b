//! Credits: nothing is credited twice.

use chrono::TimeDelta;

use super::{bounds, captured, each, scenarios};
use crate::configuration::{Bounds, Configuration, Size};
use crate::event::Event;
use crate::payment::Payments;
use crate::payment::operation::Operation::{Credit, Refund, Settle};
use crate::world::steps::ClockStep;

/// Two clients credit one transaction, with the same total, with different ones, or while an operator refunds a part at Nets.
pub(super) fn two_credits(size: Size) -> Configuration<Payments> {
    let (small, large, all) = (Credit(0, Some(30)), Credit(0, Some(60)), Credit(0, None));
    let mut sets = vec![each([small, small]), each([small, large]), each([large, Refund(30)])];
    if size > Size::Small {
        sets.extend([
            each([small, all, Settle]),
            each([large, all, Refund(30)]),
            each([all, all, Refund(30)]),
            vec![vec![small, large], vec![large, Settle]],
        ]);
    }
    let faults = match size {
        Size::Small => (1, 0, 0),
        Size::Medium => (2, 1, 1),
        Size::Large => (2, 1, 2),
    };
    Configuration {
        name: "payment-two-credits",
        about: "two credits of one transaction, and refunds at Nets",
        bounds: bounds(faults),
        scenarios: scenarios(&[captured()], &sets),
        expected_events: vec![
            Event::CreditedAtNets,
            Event::CreditUnconfirmed,
            Event::LateCredit,
            Event::Refused,
            Event::CreditedInTheEnd,
        ],
    }
}

/// The reply to a CREDIT is lost, and the CREDIT is executed later, at once, or never. The schedule sends it again.
pub(super) fn credit_in_doubt(size: Size) -> Configuration<Payments> {
    let credit = Credit(0, Some(30));
    let refused = (size > Size::Small).then_some(Event::CreditRefused);
    let mut sets = vec![vec![vec![credit], vec![Settle, Settle]]];
    if size > Size::Small {
        sets.extend([
            vec![vec![credit, credit], vec![Settle, Settle]],
            vec![vec![credit], vec![Refund(30)], vec![Settle, Settle]],
            vec![vec![credit, Credit(0, None)], vec![Settle, Settle]],
            vec![vec![Credit(0, None)], vec![Refund(30)], vec![Settle, Settle]],
        ]);
    }
    let faults = match size {
        Size::Small => (1, 0, 2),
        Size::Medium => (2, 1, 2),
        Size::Large => (2, 1, 3),
    };
    Configuration {
        name: "payment-credit-in-doubt",
        about: "a credit whose reply is lost, and that Nets executes late: the schedule continues it",
        bounds: Bounds {
            allowed_clock_steps: vec![
                ClockStep::ToTask,
                ClockStep::By(TimeDelta::minutes(15)),
                ClockStep::By(TimeDelta::minutes(16)),
            ],
            ..bounds(faults)
        },
        scenarios: scenarios(&[captured()], &sets),
        expected_events: [
            Event::CreditedAtNets,
            Event::CreditUnconfirmed,
            Event::CreditResent,
            Event::LateCredit,
            Event::CreditedInTheEnd,
        ]
        .into_iter()
        .chain(refused)
        .collect(),
    }
}
