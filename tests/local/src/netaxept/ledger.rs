//! Ledgers: what Nets did for each order, for tests and the console.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Netaxept;

/// What was done for all registrations of an order, in one currency. Registrations that only store a card are not included. Amounts
/// are in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The order number.
    pub order_number: String,
    /// The currency code.
    pub currency: String,
    /// The transaction ids.
    pub registrations: Vec<String>,
    /// The sum that was ever authorized.
    pub authorized_minor: u64,
    /// The sum that is authorized and neither captured nor annulled.
    pub held_minor: u64,
    /// The captured sum. Credits do not reduce it.
    pub captured_minor: u64,
    /// The credited sum.
    pub credited_minor: u64,
    /// The annulled sum.
    pub annulled_minor: u64,
    /// The number of executed calls of Process, by operation, such as `CREDIT`. Includes calls that were refused, and calls whose
    /// reply was lost. Does not include calls that never arrived, and automatic operations.
    pub calls: BTreeMap<&'static str, u64>,
    /// The successful operations, oldest first.
    pub operations: Vec<LedgerOperation>,
}

/// A successful operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerOperation {
    /// When it was executed, by the local clock.
    pub at: String,
    /// The id of its transaction.
    pub transaction_id: String,
    /// The name in upper case, such as `CREDIT`.
    pub operation: &'static str,
    /// The amount. That of AUTH and ANNUL is the registered one, that of VERIFY is zero.
    pub amount_minor: u64,
    /// `transactionReconRef` of the call. Empty if there was none.
    pub reference: String,
    /// Whether it was the operation of `autoAuth` or `autoSale`, and not a call.
    pub automatic: bool,
}

impl Ledger {
    /// The amounts and references of the successful operations with this name, oldest first.
    #[must_use]
    pub fn operations_of(&self, operation: &str) -> Vec<(u64, &str)> {
        let operations = self.operations.iter().filter(|one| one.operation == operation);
        operations.map(|one| (one.amount_minor, one.reference.as_str())).collect()
    }

    /// The number of executed calls of an operation of Process.
    #[must_use]
    pub fn calls_of(&self, operation: &str) -> u64 {
        self.calls.get(operation).copied().unwrap_or_default()
    }
}

impl Netaxept {
    /// Returns the ledgers of all orders, by order number and currency.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.execute_due_calls();
        let mut ledgers: BTreeMap<(String, String), Ledger> = BTreeMap::new();
        for transaction in self.lock_transactions().values() {
            let Some((order_number, currency)) = transaction.order() else { continue };
            let key = (order_number.to_owned(), currency.to_owned());
            let ledger = ledgers.entry(key.clone()).or_insert_with(|| Ledger {
                order_number: key.0,
                currency: key.1,
                ..Ledger::default()
            });
            transaction.add_to(ledger);
        }
        let sorted = ledgers.into_values().map(|mut ledger| {
            ledger.operations.sort_by(|one, other| one.at.cmp(&other.at));
            ledger
        });
        sorted.collect()
    }

    /// Returns the ledger of an order, of its first currency. It is empty for an unknown order.
    #[must_use]
    pub fn ledger(&self, order_number: &str) -> Ledger {
        let found = self.ledgers().into_iter().find(|ledger| ledger.order_number == order_number);
        let empty = || Ledger { order_number: order_number.to_owned(), ..Ledger::default() };
        found.unwrap_or_else(empty)
    }
}
