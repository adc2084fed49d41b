//! What customers did at Nets' pages, and what looks can have found of it: Nets is a part of the order, too.

use std::collections::HashMap;

use super::spec::Finding;

/// What a customer does at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    /// Enters a card that is good: its kind, last four digits and month, `2027-03`.
    Good(String, String, String),
    /// Enters one that is declined.
    Declined,
    /// Cancels.
    Cancel,
}

/// A visit. Numbers are places in the order of everything that was told.
#[derive(Debug, Default)]
struct Visit {
    /// Since when somebody was told that Nets has it.
    registered: Option<u64>,
    /// What the customer began to do there.
    pressed: Option<Press>,
    /// Since when that is done, and whether it was taken.
    done: Option<(u64, bool)>,
}

/// All visits, by transaction id.
#[derive(Debug, Default)]
pub(super) struct Visits(HashMap<u64, Visit>);

impl Visits {
    /// Somebody was told that Nets has it.
    pub(super) fn registered(&mut self, transaction: u64, at: u64) {
        self.0.entry(transaction).or_default().registered.get_or_insert(at);
    }

    /// A customer begins.
    pub(super) fn begins(&mut self, transaction: u64, press: Press) {
        self.0.entry(transaction).or_default().pressed = Some(press);
    }

    /// It is done, and was taken or not.
    pub(super) fn done(&mut self, transaction: u64, at: u64, taken: bool) {
        self.0.entry(transaction).or_default().done = Some((at, taken));
    }

    /// What a look can have found that began at a place in the order, and is over by now.
    #[must_use]
    pub(super) fn findings(&self, transaction: u64, began: u64) -> Vec<Finding> {
        let Some(visit) = self.0.get(&transaction) else {
            return vec![Finding::Waiting, Finding::Unknown];
        };
        let found = visit.pressed.as_ref().map(|press| match press {
            Press::Good(kind, last_four, month) => {
                Finding::Card(kind.clone(), last_four.clone(), month.clone())
            }
            Press::Declined => Finding::Declined,
            Press::Cancel => Finding::Cancelled,
        });
        let mut findings = match (found, visit.done) {
            (None, _) | (Some(_), Some((_, false))) => vec![Finding::Waiting],
            (Some(found), Some((at, true))) if at < began => vec![found],
            (Some(found), _) => vec![found, Finding::Waiting],
        };
        if visit.registered.is_none_or(|at| began < at) {
            findings.push(Finding::Unknown);
        }
        findings
    }

    /// The visits of a recurring payment at which a good card was entered, and taken.
    pub(super) fn cards_of(&self, id: u64) -> impl Iterator<Item = u64> {
        (0..16).map(move |place| id << 4 | place).filter(|transaction| {
            let visit = self.0.get(transaction);
            visit.is_some_and(|visit| {
                matches!(visit.pressed, Some(Press::Good(..)))
                    && visit.done.is_some_and(|(_, taken)| taken)
            })
        })
    }

    /// Forgets those of a wallet.
    pub(super) fn forget(&mut self, slot: u64) {
        self.0.retain(|transaction, _| transaction >> 14 != slot);
    }
}
