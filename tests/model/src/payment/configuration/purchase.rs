//! Purchases: create, terminal, capture and cancel, with and without `autoSale`.

use chrono::TimeDelta;
use shared::domain::payment::Initiator;
use shared::error::Decline;

use super::{CREATE, SetupStep, acted, bounds, each, merchant, run, scenarios, terminal};
use crate::configuration::{Bounds, Configuration, Size};
use crate::event::Event;
use crate::payment::nets::Page;
use crate::payment::operation::Operation::{Callback, Cancel, Capture, Create, EndCard, Settle};
use crate::payment::{HOLD, Payments};
use crate::world::steps::ClockStep;

/// Clients create the payment of one order, with the same and with another amount, and pay it.
pub(super) fn create(size: Size) -> Configuration<Payments> {
    let purchase = |of| vec![CREATE, merchant(of), Capture(of)];
    let mut sets = vec![
        each([CREATE, CREATE, Create(200)]),
        vec![purchase(0), vec![CREATE, merchant(0)]],
        vec![purchase(0), vec![Create(200), Cancel(0)]],
    ];
    if size > Size::Small {
        sets.extend([
            vec![purchase(0), purchase(0)],
            vec![purchase(0), vec![Create(200), merchant(0), Capture(0)]],
            vec![purchase(0), vec![Cancel(0), Create(200), merchant(1), Capture(1)]],
        ]);
    }
    let faults = match size {
        Size::Small => (0, 0, 0),
        Size::Medium => (1, 1, 0),
        Size::Large => (2, 1, 1),
    };
    Configuration {
        name: "payment-create",
        about: "clients pay the same order at the same time, with the same amount and with another",
        bounds: bounds(faults),
        scenarios: scenarios(&[vec![]], &sets),
        expected_events: vec![
            Event::PaymentCreateRepeated,
            Event::Refused,
            Event::Authorized,
            Event::CapturedAtNets,
        ],
    }
}

/// Two clients capture the same transaction, for each kind of card.
pub(super) fn two_captures(size: Size) -> Configuration<Payments> {
    let mut sets = vec![each([Capture(0), Capture(0)])];
    if size > Size::Small {
        sets.push(each([Capture(0), Capture(0), Settle]));
    }
    let without_customer = |decline: Option<Decline>| -> Vec<SetupStep> {
        let declines = decline.map(SetupStep::MerchantDeclines);
        declines.into_iter().chain([run(CREATE), run(merchant(0))]).collect()
    };
    let faults = match size {
        Size::Small => (1, 0, 0),
        Size::Medium => (1, 1, 1),
        Size::Large => (2, 1, 2),
    };
    let pages = [
        Page::Confirmed,
        Page::Declined(Decline::Soft),
        Page::Declined(Decline::Hard),
        Page::Declined(Decline::AuthenticationRequired),
        Page::Cancelled,
    ];
    let mut setups = pages.map(acted).to_vec();
    setups.push(without_customer(Some(Decline::AuthenticationRequired)));
    if size > Size::Small {
        setups.extend([None, Some(Decline::Soft)].map(without_customer));
    }
    Configuration {
        name: "payment-two-captures",
        about: "two captures of one transaction, with lost messages and the schedule",
        bounds: bounds(faults),
        scenarios: scenarios(&setups, &sets),
        expected_events: vec![
            Event::CapturedAtNets,
            Event::LateAuthorization,
            Event::LateCapture,
            Event::AlreadyProcessed,
            Event::SoftDecline,
            Event::HardDecline,
            Event::ReleasedInTheEnd,
            Event::FoundInTheEnd,
        ],
    }
}

/// A second terminal while the first is open, in use or declined: the amount is authorized once.
pub(super) fn second_terminal(size: Size) -> Configuration<Payments> {
    let first = vec![run(CREATE), run(terminal(0))];
    let both = [first.clone(), vec![run(terminal(0))]].concat();
    let retry = acted(Page::Declined(Decline::AuthenticationRequired));
    let again = [vec![vec![Capture(0)], vec![terminal(0), Capture(0)]]];
    let mut scenarios = scenarios(&[acted(Page::Confirmed), retry], &again);
    if size > Size::Small {
        scenarios.extend(super::scenarios(
            std::slice::from_ref(&both),
            &[each([Capture(0), Capture(0)])],
        ));
    }
    if size == Size::Large {
        scenarios.extend(super::scenarios(&[first, both], &again));
    }
    let (faults, customer_actions) = match size {
        Size::Small => ((0, 0, 0), vec![Page::Confirmed]),
        Size::Medium => ((1, 0, 0), vec![Page::Confirmed]),
        Size::Large => ((1, 1, 1), vec![Page::Confirmed, Page::Cancelled]),
    };
    Configuration {
        name: "payment-second-terminal",
        about: "two terminals of one transaction, whose customer confirms one, the other or both",
        bounds: Bounds { customer_actions, ..bounds(faults) },
        scenarios,
        expected_events: vec![Event::CapturedAtNets, Event::Refused, Event::Conflict],
    }
}

/// A capture and a cancellation at the same time. After the cancellation the order is paid again.
pub(super) fn capture_and_cancel(size: Size) -> Configuration<Payments> {
    let mut sets = vec![each([Capture(0), Cancel(0)])];
    if size > Size::Small {
        let again = vec![Cancel(0), CREATE, merchant(1), Capture(1)];
        sets.extend([
            vec![vec![Capture(0)], again],
            vec![vec![Capture(0)], vec![Cancel(0)], vec![Settle]],
            vec![vec![Capture(0)], vec![Cancel(0), Cancel(0)]],
        ]);
    }
    let faults = match size {
        Size::Small => (1, 0, 1),
        Size::Medium => (1, 1, 1),
        Size::Large => (2, 1, 2),
    };
    Configuration {
        name: "payment-capture-and-cancel",
        about: "a capture and a cancellation at the same time, and the next payment of the order",
        bounds: Bounds {
            allowed_clock_steps: vec![
                ClockStep::ToTask,
                ClockStep::By(TimeDelta::seconds(29)),
                ClockStep::By(TimeDelta::minutes(1)),
            ],
            ..bounds(faults)
        },
        scenarios: scenarios(&[acted(Page::Confirmed)], &sets),
        expected_events: vec![
            Event::CapturedAtNets,
            Event::CapturedBeforeCancel,
            Event::AnnulmentPending,
            Event::Annulled,
            Event::LateAuthorization,
            Event::LateCapture,
            Event::ReleasedInTheEnd,
        ],
    }
}

/// The order is paid again after a cancellation, while the authorization of the first transaction may still be in progress.
pub(super) fn cancel_and_create(size: Size) -> Configuration<Payments> {
    let again = vec![Cancel(0), CREATE, merchant(1), Capture(1)];
    let mut sets = vec![vec![vec![Capture(0)], again.clone()]];
    if size > Size::Small {
        sets.push(vec![vec![Capture(0)], again, vec![Settle]]);
    }
    let faults = match size {
        Size::Small => (0, 0, 0),
        Size::Medium => (0, 1, 1),
        Size::Large => (1, 1, 1),
    };
    Configuration {
        name: "payment-cancel-and-create",
        about: "the order is paid again after a cancellation that is not confirmed yet",
        bounds: bounds(faults),
        scenarios: scenarios(&[acted(Page::Confirmed)], &sets),
        expected_events: vec![
            Event::CapturedAtNets,
            Event::CapturedBeforeCancel,
            Event::AnnulmentPending,
            Event::Annulled,
            Event::Refused,
        ],
    }
}

/// The card ends during a capture: both orders are possible, and no capture begins after it.
pub(super) fn end_of_card(size: Size) -> Configuration<Payments> {
    let mut sets = vec![vec![vec![Capture(0)], vec![EndCard, Capture(0)]]];
    if size > Size::Small {
        sets.extend([
            each([Capture(0), EndCard, terminal(0)]),
            vec![vec![Capture(0)], vec![EndCard, Capture(0)], vec![Settle]],
            vec![vec![Capture(0)], vec![EndCard, CREATE, Capture(0)]],
        ]);
    }
    let faults = match size {
        Size::Small => (1, 0, 0),
        Size::Medium => (1, 1, 1),
        Size::Large => (2, 1, 1),
    };
    Configuration {
        name: "payment-end-of-card",
        about: "the card ends during a capture, and another capture begins",
        bounds: bounds(faults),
        scenarios: scenarios(&[acted(Page::Confirmed)], &sets),
        expected_events: vec![
            Event::CapturedAtNets,
            Event::CardEndedBeforeCapture,
            Event::ReleasedInTheEnd,
        ],
    }
}

/// An authorization whose capture fails is captured later, or annulled at the end of the hold.
pub(super) fn hold(size: Size) -> Configuration<Payments> {
    let mut sets = vec![vec![vec![Capture(0)], vec![Settle]]];
    if size > Size::Small {
        sets.extend([
            vec![vec![Capture(0), Capture(0)], vec![Settle, Settle]],
            vec![vec![Capture(0)], vec![Cancel(0)], vec![Settle, Settle]],
        ]);
    }
    let faults = match size {
        Size::Small => (1, 1, 1),
        Size::Medium => (1, 1, 2),
        Size::Large => (2, 1, 2),
    };
    Configuration {
        name: "payment-hold",
        about: "an authorization without a capture: the schedule annuls it at the end of the hold",
        bounds: Bounds {
            allowed_clock_steps: vec![ClockStep::ToTask, ClockStep::By(HOLD)],
            ..bounds(faults)
        },
        scenarios: scenarios(&[acted(Page::Confirmed)], &sets),
        expected_events: vec![Event::CapturedAtNets, Event::Annulled, Event::ReleasedInTheEnd],
    }
}

/// Sales that the service completes by itself, with the customer and without.
pub(super) fn auto_sale(size: Size) -> Configuration<Payments> {
    let with = |initiator| vec![run(CREATE), run(super::auto_sale(initiator))];
    let mut sets = vec![each([Callback(0, 0), Settle]), each([Settle, Cancel(0)])];
    if size > Size::Small {
        sets.extend([
            each([Settle, EndCard, Callback(0, 0)]),
            each([Settle, Capture(0), Callback(0, 0)]),
            vec![vec![Settle, Settle], vec![super::auto_sale(Initiator::Customer)]],
            vec![vec![Settle], vec![terminal(0), Capture(0)]],
        ]);
    }
    let faults = match size {
        Size::Small => (0, 0, 1),
        Size::Medium => (1, 0, 1),
        Size::Large => (1, 1, 2),
    };
    let declined = [vec![SetupStep::MerchantDeclines(Decline::Soft)], with(Initiator::Merchant)];
    let mut setups = vec![with(Initiator::Customer), with(Initiator::Merchant)];
    let mut from_terminal = Vec::new();
    if size > Size::Small {
        setups.push(declined.concat());
        for initiator in [Initiator::Customer, Initiator::Merchant] {
            let terminal = super::auto_sale(initiator);
            from_terminal.push(vec![vec![terminal, terminal], vec![Settle]]);
        }
    }
    let scenarios =
        [scenarios(&setups, &sets), scenarios(&[vec![run(CREATE)]], &from_terminal)].concat();
    Configuration {
        name: "payment-auto-sale",
        about: "autoSale: Nets authorizes by itself or the schedule does, and the service captures",
        bounds: Bounds {
            customer_actions: vec![Page::Confirmed, Page::Declined(Decline::Hard), Page::Cancelled],
            allowed_clock_steps: vec![ClockStep::ToTask, ClockStep::By(TimeDelta::minutes(17))],
            ..bounds(faults)
        },
        scenarios,
        expected_events: vec![
            Event::AuthorizedByNets,
            Event::AutoSaleDue,
            Event::CapturedAtNets,
            Event::CapturedInTheEnd,
        ],
    }
}
