//! What a transaction adds to the ledger of its order.

use super::operations::Operation;
use super::{HistoryLine, State, Transaction, amount};
use crate::clock::format_timestamp;
use crate::netaxept::ledger::{Ledger, LedgerOperation};

impl Transaction {
    /// The order number and the currency, or `None` if the transaction only stores a card.
    pub(in crate::netaxept) fn order(&self) -> Option<(&str, &str)> {
        let order = (self.parameter("ordernumber"), self.parameter("currencycode"));
        (!self.stores_only()).then_some(order)
    }

    /// Adds the registration, its sums, its calls and its operations.
    pub(in crate::netaxept) fn add_to(&self, ledger: &mut Ledger) {
        let registered = amount(&self.parameters, "amount");
        let (authorized, annulled) = match self.state {
            State::Registered | State::Verified => (0, 0),
            State::Authorized => (registered, 0),
            State::Annulled => (registered, registered),
        };
        ledger.registrations.push(self.id.clone());
        ledger.authorized_minor += authorized;
        ledger.held_minor += authorized - annulled - self.captured;
        ledger.captured_minor += self.captured;
        ledger.credited_minor += self.credited;
        ledger.annulled_minor += annulled;
        for (operation, count) in &self.calls {
            *ledger.calls.entry(*operation).or_default() += u64::from(*count);
        }
        ledger.operations.extend(self.history.iter().filter_map(|line| self.operation(line)));
    }

    /// A line of the history as an operation. `None` for Register.
    fn operation(&self, line: &HistoryLine) -> Option<LedgerOperation> {
        let operation = Operation::ALL.iter().find(|known| known.log_name == line.operation)?;
        let amount_minor = match (line.amount, operation.name) {
            (Some(amount), _) => amount,
            (None, "VERIFY") => 0,
            (None, _) => amount(&self.parameters, "amount"),
        };
        Some(LedgerOperation {
            at: format_timestamp(line.at),
            transaction_id: self.id.clone(),
            operation: operation.name,
            amount_minor,
            reference: line.note.reference.clone(),
            automatic: line.note.is_automatic,
        })
    }
}
