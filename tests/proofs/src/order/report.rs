//! What was met and shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use local::dynamodb::Kind;

use super::checker::Totals;
use crate::Failure;

/// What was met and shown, in a chapter or in all of them.
#[derive(Debug, Default)]
pub struct Report {
    /// What was checked.
    pub totals: Totals,
    /// Trouble at the table.
    pub trouble: BTreeMap<Kind, u64>,
    /// Instances that were killed.
    pub killed: u64,
    /// Invocations that ended with them.
    pub exited: u64,
    /// How often the clock was moved.
    pub jumps: u64,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// How many answers there were.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.totals.answers.values().sum()
    }

    /// A run that answers next to nothing shows nothing.
    pub(super) fn must_show_something(&self) -> Result<(), Failure> {
        let unclear = |((_, status, kind), count): (&(&str, u16, String), &u64)| {
            (*status == 503 || kind == "busy").then_some(*count)
        };
        let unclear: u64 = self.totals.answers.iter().filter_map(unclear).sum();
        if unclear * 5 > self.answers() {
            let what = format!("{unclear} of {} answers say nothing", self.answers());
            return Err(Failure::Violation(what, Vec::new()));
        }
        Ok(())
    }

    /// Adds what another part met and showed, but for how long it took, which may have been at the same time.
    pub(super) fn add(&mut self, other: Self) {
        for (kind, count) in other.trouble {
            *self.trouble.entry(kind).or_default() += count;
        }
        self.killed += other.killed;
        self.exited += other.exited;
        self.jumps += other.jumps;
        for (key, count) in other.totals.answers {
            *self.totals.answers.entry(key).or_default() += count;
        }
        self.totals.unknown += other.totals.unknown;
        self.totals.versions += other.totals.versions;
        self.totals.reads += other.totals.reads;
        self.totals.refused += other.totals.refused;
        self.totals.wallets += other.totals.wallets;
        self.totals.committed_unheard += other.totals.committed_unheard;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| function | status | problem | answers |\n|---|---|---|---|")?;
        for ((function, status, kind), count) in &self.totals.answers {
            writeln!(f, "| {function} | {status} | {kind} | {count} |")?;
        }
        let Totals { unknown, versions, reads, refused, wallets, committed_unheard, .. } =
            &self.totals;
        let (seconds, answers) = (self.took.as_secs_f64(), self.answers());
        writeln!(
            f,
            "{answers} answers, {unknown} that nobody heard; {wallets} wallets, {versions} versions, {reads} reads, \
             {refused} writes refused by their condition, {committed_unheard} done though their caller was told nothing"
        )?;
        writeln!(
            f,
            "trouble: {:?}; {} instances killed, {} invocations with them; the clock moved {} times",
            self.trouble, self.killed, self.exited, self.jumps
        )?;
        let (own, functions) = cpu().unwrap_or_default();
        writeln!(f, "CPU: {own:.1} s here, {functions:.1} s in the functions")?;
        #[expect(clippy::cast_precision_loss, reason = "a rate to read")]
        let rate = answers as f64 / seconds;
        write!(f, "violations: 0; {seconds:.1} s, {rate:.0} answers a second")
    }
}

/// How many seconds of CPU this process took, and those that it started and waited for; in ticks of 1/100 s, as everywhere on
/// Linux.
fn cpu() -> Option<(f64, f64)> {
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
