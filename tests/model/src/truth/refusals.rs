//! What the contract refuses (rules 2 to 6), as far as that follows from what is so.

use chrono::{DateTime, Utc};
use shared::domain::recurring_payment::RecurringStatus as Status;
use shared::error::Refusal;

use super::{Fate, Truth};
use crate::operation::{Operation, Place};

/// What is to become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be carried out.
    Carried,
    /// It is to be refused.
    Refused(Refusal),
    /// That depends on what Nets said meanwhile.
    Open,
}

impl Truth {
    /// What is to become of an operation now.
    #[must_use]
    pub fn verdict(&self, operation: Operation, now: DateTime<Utc>) -> Verdict {
        let mut truth = self.clone();
        truth.settle(now);
        let status = |of: Place| truth.fact(of).and_then(|fact| fact.fate.status());
        let (of, refusal) = match operation {
            Operation::Choose(of) => (of, dead(status(of)).then_some(Refusal::NeverPrimary)),
            Operation::Unchoose(of) => {
                let is_primary = truth.primary() == Some(of);
                (of, is_primary.then_some(Refusal::PrimaryNeedsSuccessor))
            }
            Operation::Rename(of, name) => {
                let same = truth.fact(of).is_some_and(|fact| fact.name == Some(name));
                let ended = status(of) == Some(Status::Cancelled) && !same;
                (of, ended.then_some(Refusal::Ended))
            }
            Operation::End(of) => (of, None),
            Operation::Open { of, .. } => {
                let waits = truth.fact(of).is_none_or(|fact| fact.fate == Fate::Waiting);
                (of, (!waits).then_some(Refusal::NotAwaitingCard))
            }
            Operation::Authorize(of) if status(of).is_some() => return Verdict::Open,
            Operation::Authorize(of) => (of, None),
            Operation::List
            | Operation::Create { .. }
            | Operation::Erase
            | Operation::Callback(_)
            | Operation::Finish
            | Operation::Expire => return Verdict::Carried,
        };
        if status(of).is_none() {
            return Verdict::Refused(Refusal::NotFound);
        }
        refusal.map_or(Verdict::Carried, Verdict::Refused)
    }
}

fn dead(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Expired | Status::Cancelled))
}
