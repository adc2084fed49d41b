//! The figures of the check of payments.

use std::collections::BTreeMap;
use std::fmt;

use crate::order::payments::representation::amount;

/// The figures of the check of payments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentTotals {
    /// Number of versions.
    pub versions: u64,
    /// Number of reads, all compared with the version that they returned.
    pub reads: u64,
    /// Number of writes whose condition failed.
    pub conflicts: u64,
    /// Number of orders, which is the number of payments.
    pub orders: u64,
    /// Number of transactions at the end, by status.
    pub transactions: BTreeMap<&'static str, u64>,
    /// Number of calls of Nets, by operation.
    pub calls: BTreeMap<String, u64>,
    /// The sums in the sandbox's ledger at the end, in minor units: captured, credited, annulled, and neither captured nor annulled.
    pub ledger: [u64; 4],
}

impl PaymentTotals {
    /// Adds the figures of another part of the run.
    pub(in crate::order) fn merge(&mut self, other: Self) {
        self.versions += other.versions;
        self.reads += other.reads;
        self.conflicts += other.conflicts;
        self.orders += other.orders;
        for (status, count) in other.transactions {
            *self.transactions.entry(status).or_default() += count;
        }
        for (operation, count) in other.calls {
            *self.calls.entry(operation).or_default() += count;
        }
        self.ledger = std::array::from_fn(|index| self.ledger[index] + other.ledger[index]);
    }
}

impl fmt::Display for PaymentTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { versions, reads, conflicts, orders, transactions, calls, ledger } = self;
        writeln!(
            f,
            "payments: {orders} orders, {versions} versions, {reads} reads, {conflicts} writes refused by their condition"
        )?;
        let [captured, credited, annulled, held] = ledger.map(amount);
        writeln!(f, "transactions at the end: {transactions:?}; calls of Nets: {calls:?}")?;
        write!(
            f,
            "ledger of the sandbox: {captured} NOK captured, {credited} credited, {annulled} annulled, {held} held"
        )
    }
}
