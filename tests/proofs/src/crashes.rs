//! Crash points: the function is killed (SIGKILL) before and after every side effect of an operation, once with a client that
//! retries and once with a client that does not. Each run must end as if the operation was done once or never requested.

mod fixture;
mod outcome;
mod payments;
mod scenario;
mod trial;
mod world;

use std::fmt;

use local::side_effects::HoldPoint;

use crate::{Failure, Functions};
use outcome::Outcome;
pub use scenario::{SCENARIOS, Scenario};
use trial::{Client, Crash};
use world::World;

/// One crash and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name of the scenario.
    pub scenario: &'static str,
    /// The side effect at which the function was killed, with its number within the operation.
    pub side_effect: String,
    /// `before` or `after`.
    pub moment: &'static str,
    /// Whether the client sent the request again.
    pub retried: bool,
    /// How the run ended: `done once`, …
    pub result: String,
}

/// The crashes of one or all scenarios.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One row per crash.
    pub rows: Vec<Row>,
}

/// Runs the crashes of the scenario `only`, or of all scenarios.
///
/// # Errors
/// Fails with [`Failure::Violation`] if a crash ends in an outcome that is not allowed, and with [`Failure::CannotRun`] if the
/// scenarios cannot be run.
pub fn run(functions: &Functions, only: Option<&str>) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::cannot_run(&error))?;
    let chosen = SCENARIOS.iter().filter(|scenario| only.is_none_or(|only| scenario.name == only));
    let scenarios: Vec<&Scenario> = chosen.collect();
    if scenarios.is_empty() {
        return Err(Failure::CannotRun(format!("there is no operation called {only:?}")));
    }
    let result = runtime.block_on(async {
        let mut report = Report::default();
        for has_events in [false, true] {
            let mut chosen = scenarios.iter().filter(|one| one.has_events() == has_events);
            let Some(first) = chosen.next() else { continue };
            let mut world = World::start(functions, has_events).await?;
            for scenario in [first].into_iter().chain(chosen) {
                report.rows.extend(crashes(&mut world, scenario).await?);
            }
        }
        Ok(report)
    });
    runtime.shutdown_background();
    result
}

/// The outcomes of the runs without a crash. A crash has to end in one of them.
struct Expectations {
    not_requested: Outcome,
    done: Outcome,
    disconnected: Outcome,
    twice: Outcome,
}

/// Runs all crashes of one scenario. The observed side effects must equal those listed in the scenario, so that a new side effect
/// cannot be overlooked.
async fn crashes(world: &mut World, scenario: &'static Scenario) -> Result<Vec<Row>, Failure> {
    let (not_requested, _) = trial::run(world, scenario, None, Client::SENDS_NOTHING).await?;
    let (done, side_effects) =
        trial::run(world, scenario, None, Client::WAITS_FOR_RESPONSE).await?;
    let (disconnected, _) = trial::run(world, scenario, None, Client::DISCONNECTS).await?;
    let (twice, _) = trial::run(world, scenario, None, Client::SENDS_TWICE).await?;
    let expectations = Expectations { not_requested, done, disconnected, twice };
    let observed: Vec<String> = side_effects.iter().map(ToString::to_string).collect();
    if observed != scenario.side_effects {
        let what = format!(
            "{} has the side effects {observed:?}, expected {:?}",
            scenario.name, scenario.side_effects
        );
        return Err(Failure::Violation(what, Vec::new()));
    }
    let mut rows = Vec::new();
    for (index, side_effect) in observed.iter().enumerate() {
        for (moment, moment_name) in [(HoldPoint::Before, "before"), (HoldPoint::After, "after")] {
            for retried in [false, true] {
                let crash = Crash { index, moment, side_effect: side_effect.clone() };
                let client = if retried { Client::RETRIES } else { Client::DISCONNECTS };
                let (outcome, _) = trial::run(world, scenario, Some(&crash), client).await?;
                let result = expectations.classify(scenario, &outcome, retried);
                let row = Row {
                    scenario: scenario.name,
                    side_effect: format!("{} {side_effect}", index + 1),
                    moment: moment_name,
                    retried,
                    result: with_charges(result.unwrap_or("not allowed"), &outcome),
                };
                if result.is_none() {
                    return Err(expectations.violation(&row, &outcome));
                }
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// Adds the money of a payment to a result.
fn with_charges(result: &str, outcome: &Outcome) -> String {
    match outcome.charges.last() {
        Some(charge) => format!("{result}: {charge}"),
        None => result.to_owned(),
    }
}

impl Expectations {
    /// The name of the allowed outcome that `outcome` equals, if any.
    fn classify(
        &self,
        scenario: &Scenario,
        outcome: &Outcome,
        retried: bool,
    ) -> Option<&'static str> {
        if *outcome == self.done {
            return Some("done once");
        }
        if retried {
            return (scenario.may_repeat && *outcome == self.twice)
                .then_some("done twice, as requested");
        }
        if *outcome == self.not_requested {
            return Some("never requested");
        }
        if self.not_requested.cancelled_with_notification().as_ref() == Some(outcome) {
            return Some("stored, never registered");
        }
        (*outcome == self.disconnected).then_some("done, client disconnected")
    }

    fn violation(&self, row: &Row, outcome: &Outcome) -> Failure {
        let Row { scenario, side_effect, moment, retried, .. } = row;
        let retried = if *retried { "with a retry" } else { "without a retry" };
        let what = format!(
            "{scenario}: killed {moment} {side_effect}, {retried}: the outcome is {outcome:?}"
        );
        let history = vec![
            format!("never requested: {:?}", self.not_requested),
            format!("done: {:?}", self.done),
            format!("done, client disconnected: {:?}", self.disconnected),
            format!("done twice: {:?}", self.twice),
        ];
        Failure::Violation(what, history)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| operation | side effect | killed | retried | result |\n|---|---|---|---|---|"
        )?;
        for Row { scenario, side_effect, moment, retried, result } in &self.rows {
            let retried = if *retried { "yes" } else { "no" };
            writeln!(f, "| {scenario} | {side_effect} | {moment} | {retried} | {result} |")?;
        }
        write!(f, "{} crashes: all converge", self.rows.len())
    }
}
