//! Builders for operations and scenarios.

use super::{Scenario, SetupStep};
use crate::nets::PageState;
use crate::operation::{Operation, SequenceNumber};

/// Creates a recurring payment.
pub(super) const CREATE: Operation = Operation::Create { primary: false, key: None };
/// Creates a recurring payment as primary.
pub(super) const CREATE_PRIMARY: Operation = Operation::Create { primary: true, key: None };

/// Creates a recurring payment with an idempotency key.
pub(super) const fn create_with_key(key: u8) -> Operation {
    Operation::Create { primary: false, key: Some(key) }
}

/// Opens a terminal.
pub(super) const fn open(of: SequenceNumber) -> Operation {
    Operation::Open { of, key: None, notify: false }
}

/// Opens a terminal with an idempotency key.
pub(super) const fn open_with_key(of: SequenceNumber, key: u8) -> Operation {
    Operation::Open { of, key: Some(key), notify: false }
}

/// Opens a terminal with a `callbackUrl`.
pub(super) const fn open_with_callback(of: SequenceNumber) -> Operation {
    Operation::Open { of, key: None, notify: true }
}

/// A setup step that runs an operation.
pub(super) const fn run(operation: Operation) -> SetupStep {
    SetupStep::Run(operation)
}

/// Creates a recurring payment with a card.
pub(super) fn with_card(sequence: SequenceNumber, page: PageState) -> Vec<SetupStep> {
    vec![
        run(CREATE),
        run(open(sequence)),
        SetupStep::CustomerActs(sequence, page),
        run(Operation::Authorize(sequence)),
    ]
}

/// Combines each setup with each set of scripts.
pub(super) fn scenarios(
    setups: &[Vec<SetupStep>],
    scripts: &[Vec<Vec<Operation>>],
) -> Vec<Scenario> {
    let each = |setup: &Vec<SetupStep>| {
        let setup = setup.clone();
        let scripts = scripts.iter().cloned();
        scripts.map(move |scripts| Scenario { setup: setup.clone(), scripts })
    };
    setups.iter().flat_map(each).collect()
}
