//! The report of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use local::dynamodb::FaultKind;
use serde_json::Value;

use crate::ledger::Registration;
use crate::order::Response;
use crate::order::payments::amount;

/// What is counted during the load.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// The number of responses, by function, status and problem. Status 0 is no response.
    responses: BTreeMap<(&'static str, u16, String), u64>,
    /// The durations of the requests to each function, in microseconds.
    durations: BTreeMap<&'static str, Vec<u128>>,
    /// Number of requests that were sent again after `Retry-After`.
    pub(super) repetitions: u64,
    /// Number of runs of schedules.
    pub(super) schedule_runs: u64,
    /// Number of requests to the tables that were executed, by function.
    table_requests: BTreeMap<String, u64>,
    /// Number of calls of Nets before the load, by operation.
    pub(super) nets_calls_before: BTreeMap<&'static str, usize>,
    /// Number of faults of Nets, by operation and kind.
    nets_faults: BTreeMap<String, i64>,
}

impl Figures {
    pub(super) fn count_response(
        &mut self,
        function: &'static str,
        response: &Response,
        duration: Duration,
    ) {
        let problem = response.problem().unwrap_or_default().to_owned();
        *self.responses.entry((function, response.status, problem)).or_default() += 1;
        self.durations.entry(function).or_default().push(duration.as_micros());
    }

    pub(super) fn count_table_request(&mut self, function: &str) {
        *self.table_requests.entry(function.to_owned()).or_default() += 1;
    }

    /// Adds a number of faults of an operation and of a kind, as the console names them.
    pub(super) fn count_nets_fault(&mut self, operation: &Value, kind: &Value, count: i64) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text(operation), text(kind));
        *self.nets_faults.entry(name).or_default() += count;
    }
}

/// The figures of a run.
#[derive(Debug)]
pub struct Report {
    /// Number of purchases.
    pub purchases: u64,
    /// Number of orders that differ.
    pub differences: usize,
    /// Wall time of the load, without the schedules at the end.
    pub duration: Duration,
    /// The sums in the sandbox's ledger at the end, in minor units: captured, credited, annulled, and neither captured nor annulled.
    pub ledger: [u64; 4],
    /// Number of orders of which Nets captured money, and of which it credited money.
    pub orders: [u64; 2],
    /// How many faults of each kind were injected into requests to the tables.
    pub table_faults: BTreeMap<FaultKind, u64>,
    /// Number of calls of Nets, by operation.
    nets_calls: BTreeMap<&'static str, usize>,
    /// Number of requests to the tables: of the clients' calls, of Nets' callbacks, and of the schedules.
    table_requests: [u64; 3],
    figures: Figures,
}

impl Report {
    pub(super) fn new(
        mut figures: Figures,
        duration: Duration,
        nets_calls: &BTreeMap<&'static str, usize>,
        schedules: &BTreeSet<String>,
        table_faults: BTreeMap<FaultKind, u64>,
    ) -> Self {
        figures.durations.values_mut().for_each(|durations| durations.sort_unstable());
        let mut table_requests = [0; 3];
        for (function, count) in &figures.table_requests {
            let group = match function.as_str() {
                "receive-netaxept-callback" => 1,
                function if schedules.contains(function) => 2,
                _ => 0,
            };
            table_requests[group] += count;
        }
        let during = |(name, calls): (&&'static str, &usize)| {
            (*name, calls - figures.nets_calls_before.get(name).copied().unwrap_or_default())
        };
        let nets_calls = nets_calls.iter().map(during).collect();
        let (purchases, differences, ledger, orders) = (0, 0, [0; 4], [0; 2]);
        Self {
            purchases,
            differences,
            duration,
            ledger,
            orders,
            table_faults,
            nets_calls,
            table_requests,
            figures,
        }
    }

    /// Adds a registration to the sums of the ledger.
    pub(super) fn add_to_ledger(&mut self, registration: &Registration) {
        let Registration { captured, credited, .. } = *registration;
        let sums = [captured, credited, registration.annulled(), registration.held()];
        self.ledger = std::array::from_fn(|index| self.ledger[index] + sums[index]);
        self.orders[0] += u64::from(captured > 0);
        self.orders[1] += u64::from(credited > 0);
    }

    /// The number of responses with this status.
    #[must_use]
    pub fn responses(&self, status: u16) -> u64 {
        let responses = self.figures.responses.iter();
        responses.filter(|((_, its, _), _)| *its == status).map(|(_, count)| count).sum()
    }

    /// Number of requests that were sent again after `Retry-After`.
    #[must_use]
    pub fn repetitions(&self) -> u64 {
        self.figures.repetitions
    }

    fn per_purchase(&self, count: u64) -> String {
        let thousandths = count * 1000 / self.purchases.max(1);
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    }

    fn write_durations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| call | responses | median ms | 99 % ms | longest ms |\n|---|---|---|---|---|"
        )?;
        for (function, sorted) in &self.figures.durations {
            // In tenths of a millisecond.
            let at = |percent: usize| {
                let micros = sorted[(sorted.len() - 1) * percent / 100];
                format!("{}.{}", micros / 1000, micros % 1000 / 100)
            };
            let [median, high, longest] = [50, 99, 100].map(at);
            let count = sorted.len();
            writeln!(f, "| {function} | {count} | {median} | {high} | {longest} |")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figures, purchases, .. } = self;
        writeln!(f, "| function | status | problem | responses |\n|---|---|---|---|")?;
        for ((function, status, problem), count) in &figures.responses {
            writeln!(f, "| {function} | {status} | {problem} | {count} |")?;
        }
        writeln!(f)?;
        self.write_durations(f)?;
        let seconds = self.duration.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let rate = *purchases as f64 / seconds;
        writeln!(
            f,
            "\n{purchases} purchases in {seconds:.1} s, {rate:.1} a second; {} requests repeated, {} runs of schedules meanwhile",
            figures.repetitions, figures.schedule_runs
        )?;
        let [calls, callbacks, schedules] =
            self.table_requests.map(|count| self.per_purchase(count));
        writeln!(
            f,
            "requests to the tables per purchase: {calls} of the calls, {callbacks} of Nets' callbacks, {schedules} of the schedules"
        )?;
        let all: usize = self.nets_calls.values().sum();
        let all = self.per_purchase(all.try_into().unwrap_or_default());
        writeln!(f, "calls of Nets per purchase: {all}; in all: {:?}", self.nets_calls)?;
        writeln!(f, "injected faults at the tables: {:?}", self.table_faults)?;
        writeln!(f, "injected faults at Nets: {:?}", figures.nets_faults)?;
        let [captured, credited, annulled, held] = self.ledger.map(amount);
        let [paid, refunded] = self.orders;
        writeln!(
            f,
            "ledger of the sandbox: {paid} orders captured, {refunded} of them credited; {captured} NOK captured, {credited} credited, \
             {annulled} annulled, {held} held"
        )?;
        write!(f, "orders that differ: {}", self.differences)
    }
}
