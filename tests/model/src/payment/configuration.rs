//! The configurations of payments: the scripts of the processes, and the bounds of faults and time.

use chrono::TimeDelta;
use shared::domain::id::RegistrationId;
use shared::domain::payment::Initiator;
use shared::error::Decline;

use super::nets::Page;
use super::operation::Operation::{self, Capture, Create, Terminal};
use super::{Payments, registration_id};
use crate::configuration::{Bounds, Configuration, Scenario, Size};
use crate::world::steps::ClockStep;

mod credit;
mod purchase;

/// A step before the exploration starts.
#[derive(Debug, Clone, Copy)]
pub enum SetupStep {
    /// An operation, from beginning to end.
    Run(Operation),
    /// An action of the customer on the page of a registration.
    CustomerActs(RegistrationId, Page),
    /// The clock moves by this duration.
    AdvanceClock(TimeDelta),
    /// The issuer declines AUTH of charges without a page.
    MerchantDeclines(Decline),
}

/// Builds a configuration of a given size.
pub type Builder = fn(Size) -> Configuration<Payments>;

/// All configurations of payments, by name.
pub const ALL: &[(&str, Builder)] = &[
    ("payment-create", purchase::create),
    ("payment-two-captures", purchase::two_captures),
    ("payment-second-terminal", purchase::second_terminal),
    ("payment-capture-and-cancel", purchase::capture_and_cancel),
    ("payment-cancel-and-create", purchase::cancel_and_create),
    ("payment-end-of-card", purchase::end_of_card),
    ("payment-hold", purchase::hold),
    ("payment-auto-sale", purchase::auto_sale),
    ("payment-two-credits", credit::two_credits),
    ("payment-credit-in-doubt", credit::credit_in_doubt),
];

/// The configuration of payments with this name.
#[must_use]
pub fn configuration(name: &str, size: Size) -> Option<Configuration<Payments>> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, build)| build(size))
}

/// The amount of the order, in minor units.
const AMOUNT: u64 = 100;
const CREATE: Operation = Create(AMOUNT);

/// A terminal for the customer.
const fn terminal(of: u8) -> Operation {
    Terminal { of, initiator: Initiator::Customer, auto_sale: false }
}

/// A charge without the customer.
const fn merchant(of: u8) -> Operation {
    Terminal { of, initiator: Initiator::Merchant, auto_sale: false }
}

/// A terminal with `autoSale`.
const fn auto_sale(initiator: Initiator) -> Operation {
    Terminal { of: 0, initiator, auto_sale: true }
}

const fn run(operation: Operation) -> SetupStep {
    SetupStep::Run(operation)
}

/// The payment with a terminal of its first transaction on which the customer has acted.
fn acted(page: Page) -> Vec<SetupStep> {
    vec![run(CREATE), run(terminal(0)), SetupStep::CustomerActs(registration_id(0, 0), page)]
}

/// The payment with a captured transaction.
fn captured() -> Vec<SetupStep> {
    [acted(Page::Confirmed), vec![run(Capture(0))]].concat()
}

/// One process for each operation.
fn each<const N: usize>(operations: [Operation; N]) -> Vec<Vec<Operation>> {
    operations.map(|operation| vec![operation]).to_vec()
}

/// Combines each setup with each set of scripts.
fn scenarios(
    setups: &[Vec<SetupStep>],
    scripts: &[Vec<Vec<Operation>>],
) -> Vec<Scenario<Payments>> {
    let each = |setup: &Vec<SetupStep>| {
        let setup = setup.clone();
        let scripts = scripts.iter().cloned();
        scripts.map(move |scripts| Scenario { setup: setup.clone(), scripts })
    };
    setups.iter().flat_map(each).collect()
}

/// The bounds for the numbers of losses, kills and clock steps, which are to the next task.
fn bounds((losses, kills, clock_steps): (u8, u8, u8)) -> Bounds<Payments> {
    Bounds {
        losses,
        kills,
        clock_steps,
        allowed_clock_steps: vec![ClockStep::ToTask],
        ..Bounds::default()
    }
}
