//! The operations on a transaction that succeeded (`operationLog` in the API).

use chrono::{DateTime, Utc};

use super::transaction::{State, Transaction};
use crate::domain::money::Money;

/// An operation that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// What was done.
    pub kind: OperationKind,
    /// The amount. For a credit, the credited sum.
    pub amount: Money,
    /// When the service learned of it.
    pub at: DateTime<Utc>,
}

/// The kind of an operation, with Entur's words (payments.md §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the API")]
pub enum OperationKind {
    Create,
    Initiate,
    Capture,
    Credit,
    Cancel,
    Reject,
}

impl OperationKind {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Initiate => "INITIATE",
            Self::Capture => "CAPTURE",
            Self::Credit => "CREDIT",
            Self::Cancel => "CANCEL",
            Self::Reject => "REJECT",
        }
    }
}

impl Transaction {
    /// The operations that succeeded, oldest first.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let amount = self.charge.amount;
        let money = |minor| Money::new(minor, amount.currency());
        let of = |kind, amount, at| Operation { kind, amount, at };
        let mut operations = vec![of(OperationKind::Create, amount, self.created_at)];
        operations.extend(self.initiated_at.map(|at| of(OperationKind::Initiate, amount, at)));
        match &self.state {
            State::Created | State::Initiated(_) => {}
            State::Captured(captured) | State::Credited(captured) => {
                let captured_sum = money(captured.captured_minor);
                operations.push(of(OperationKind::Capture, captured_sum, captured.at));
                let credited_sum = money(captured.credited_minor);
                let credited_at = captured.credited_at;
                operations
                    .extend(credited_at.map(|at| of(OperationKind::Credit, credited_sum, at)));
            }
            State::Rejected { at, .. } => operations.push(of(OperationKind::Reject, amount, *at)),
            State::Cancelled { at, .. } => operations.push(of(OperationKind::Cancel, amount, *at)),
        }
        operations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients compare these names (payments.md §1.3).
    #[test]
    fn the_names_are_those_of_the_contract() {
        use OperationKind as K;
        let kinds = [K::Create, K::Initiate, K::Capture, K::Credit, K::Cancel, K::Reject];
        let names = ["CREATE", "INITIATE", "CAPTURE", "CREDIT", "CANCEL", "REJECT"];
        assert_eq!(kinds.map(OperationKind::name), names);
    }
}
