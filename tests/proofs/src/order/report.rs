//! The report of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use local::dynamodb::FaultKind;

use super::checker::Totals;
use crate::Failure;

/// The figures of a segment or of a whole run.
#[derive(Debug, Default)]
pub struct Report {
    /// The checker's figures.
    pub totals: Totals,
    /// How many faults of each kind were injected into requests to the table.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Number of killed instances.
    pub killed_instances: u64,
    /// Number of invocations that ended because their instance was killed.
    pub killed_invocations: u64,
    /// Number of clock jumps.
    pub clock_jumps: u64,
    /// Wall time.
    pub duration: Duration,
}

impl Report {
    /// The number of responses.
    #[must_use]
    pub fn responses(&self) -> u64 {
        self.totals.responses.values().sum()
    }

    /// At most a fifth of the responses may be 503 or "busy"; otherwise the run proves too little.
    pub(super) fn check_share_of_unclear_responses(&self) -> Result<(), Failure> {
        let unclear = |((_, status, kind), count): (&(&str, u16, String), &u64)| {
            (*status == 503 || kind == "busy").then_some(*count)
        };
        let unclear: u64 = self.totals.responses.iter().filter_map(unclear).sum();
        if unclear * 5 > self.responses() {
            let what =
                format!("{unclear} of {} responses have an unclear outcome", self.responses());
            return Err(Failure::Violation(what, Vec::new()));
        }
        Ok(())
    }

    /// Adds the figures of another part of the run, except its duration: parts can run in parallel.
    pub(super) fn merge(&mut self, other: Self) {
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.killed_instances += other.killed_instances;
        self.killed_invocations += other.killed_invocations;
        self.clock_jumps += other.clock_jumps;
        for (key, count) in other.totals.responses {
            *self.totals.responses.entry(key).or_default() += count;
        }
        self.totals.unknown_responses += other.totals.unknown_responses;
        self.totals.versions += other.totals.versions;
        self.totals.reads += other.totals.reads;
        self.totals.conflicts += other.totals.conflicts;
        self.totals.wallets += other.totals.wallets;
        self.totals.committed_without_response += other.totals.committed_without_response;
        self.totals.events.merge(other.totals.events);
        self.totals.payments.merge(other.totals.payments);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| function | status | problem | responses |\n|---|---|---|---|")?;
        for ((function, status, kind), count) in &self.totals.responses {
            writeln!(f, "| {function} | {status} | {kind} | {count} |")?;
        }
        let Totals {
            unknown_responses,
            versions,
            reads,
            conflicts,
            wallets,
            committed_without_response,
            ..
        } = &self.totals;
        let (seconds, responses) = (self.duration.as_secs_f64(), self.responses());
        writeln!(
            f,
            "{responses} responses, {unknown_responses} lost with their instance; {wallets} wallets, {versions} versions, {reads} reads, \
             {conflicts} writes refused by their condition, {committed_without_response} writes done although the response was lost or 503"
        )?;
        writeln!(
            f,
            "injected faults: {:?}; {} instances killed, {} of them during an invocation; {} clock jumps",
            self.faults, self.killed_instances, self.killed_invocations, self.clock_jumps
        )?;
        writeln!(f, "{}\n{}", self.totals.events, self.totals.payments)?;
        let (proof, functions) = cpu_seconds().unwrap_or_default();
        writeln!(f, "CPU: {proof:.1} s in the proof, {functions:.1} s in the functions")?;
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let rate = responses as f64 / seconds;
        write!(f, "violations: 0; {seconds:.1} s, {rate:.0} responses a second")
    }
}

/// CPU seconds of this process, and of its ended child processes. Linux counts in ticks of 1/100 s.
fn cpu_seconds() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit_once(')')?.1;
    let ticks: Vec<f64> = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, system, waited_user, waited_system] = ticks.try_into().ok()?;
    Some(((user + system) / 100.0, (waited_user + waited_system) / 100.0))
}
