//! The requests that the contract refuses (rules 2 to 6), as far as this depends only on the expected state.

use chrono::{DateTime, Utc};
use shared::domain::recurring_payment::RecurringStatus as Status;
use shared::error::Refusal;

use super::{ExpectedState, Specification};
use crate::operation::{Operation, SequenceNumber};

/// The expected result of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedResult {
    /// It succeeds.
    Accepted,
    /// It is refused.
    Refused(Refusal),
    /// It depends on Nets' answers.
    DependsOnNets,
}

impl Specification {
    /// The expected result of an operation that is decided at `now`.
    #[must_use]
    pub fn expected_result(&self, operation: Operation, now: DateTime<Utc>) -> ExpectedResult {
        let mut specification = self.clone();
        specification.apply_time(now);
        let status = |of: SequenceNumber| {
            specification.payment(of).and_then(|payment| payment.state.status())
        };
        let (of, refusal) = match operation {
            Operation::SetPrimary(of) => {
                (of, has_ended(status(of)).then_some(Refusal::NeverPrimary))
            }
            Operation::UnsetPrimary(of) => {
                let is_primary = specification.primary() == Some(of);
                (of, is_primary.then_some(Refusal::PrimaryNeedsSuccessor))
            }
            Operation::Rename(of, name) => {
                let is_same =
                    specification.payment(of).is_some_and(|payment| payment.name == Some(name));
                let ended = status(of) == Some(Status::Cancelled) && !is_same;
                (of, ended.then_some(Refusal::Ended))
            }
            Operation::End(of) => (of, None),
            Operation::Open { of, .. } => {
                let is_created = specification
                    .payment(of)
                    .is_none_or(|payment| payment.state == ExpectedState::Created);
                (of, (!is_created).then_some(Refusal::NotAwaitingCard))
            }
            Operation::Authorize(of) if status(of).is_some() => {
                return ExpectedResult::DependsOnNets;
            }
            Operation::Authorize(of) => (of, None),
            Operation::List
            | Operation::Create { .. }
            | Operation::Erase
            | Operation::Callback(_)
            | Operation::Finish
            | Operation::Expire => return ExpectedResult::Accepted,
        };
        if status(of).is_none() {
            return ExpectedResult::Refused(Refusal::NotFound);
        }
        refusal.map_or(ExpectedResult::Accepted, ExpectedResult::Refused)
    }
}

fn has_ended(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Expired | Status::Cancelled))
}
