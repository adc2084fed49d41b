//! Short words for scenarios.

use super::{Before, Scenario};
use crate::nets::Page;
use crate::operation::{Operation, Place};

/// A new one.
pub(super) const CREATE: Operation = Operation::Create { primary: false, key: None };
/// A new one, chosen.
pub(super) const CREATE_CHOSEN: Operation = Operation::Create { primary: true, key: None };

/// A new one, with a key.
pub(super) const fn create_with(key: u8) -> Operation {
    Operation::Create { primary: false, key: Some(key) }
}

/// A terminal.
pub(super) const fn open(of: Place) -> Operation {
    Operation::Open { of, key: None, tell: false }
}

/// A terminal, with a key.
pub(super) const fn open_with(of: Place, key: u8) -> Operation {
    Operation::Open { of, key: Some(key), tell: false }
}

/// A terminal whose end is told.
pub(super) const fn open_told(of: Place) -> Operation {
    Operation::Open { of, key: None, tell: true }
}

/// It has happened.
pub(super) const fn done(operation: Operation) -> Before {
    Before::Done(operation)
}

/// A new one that gets this card.
pub(super) fn with_card(place: Place, page: Page) -> Vec<Before> {
    vec![
        done(CREATE),
        done(open(place)),
        Before::Entered(place, page),
        done(Operation::Authorize(place)),
    ]
}

/// Each of these sets of scripts, after each of these beginnings.
pub(super) fn after(before: &[Vec<Before>], scripts: &[Vec<Vec<Operation>>]) -> Vec<Scenario> {
    let each = |before: &Vec<Before>| {
        let before = before.clone();
        let scripts = scripts.iter().cloned();
        scripts.map(move |scripts| Scenario { before: before.clone(), scripts })
    };
    before.iter().flat_map(each).collect()
}
