//! Explores all states of a configuration, and collects the result.

use std::time::{Duration, Instant};

use stateright::{Checker, CheckerBuilder, HasDiscoveries, Model, Path, Property};

use crate::configuration::{self, Configuration, Size};
use crate::defect::Defect;
use crate::event::{Event, EventCounts};
use crate::model::ProtocolModel;
use crate::payment::configuration as payments;
use crate::payment::model::PaymentModel;
use crate::report;
use crate::system::System;
use crate::violation::{Violation, Violations};

/// A model that can be explored: that of wallets or that of payments.
pub trait Explored: Model + Clone + Send + Sync + 'static {
    /// The system.
    type System: System;

    /// The configuration.
    fn configuration(&self) -> &Configuration<Self::System>;
    /// The seeded defect.
    fn defect(&self) -> Option<Defect>;
    /// The events so far, over all explored states.
    fn counts(&self) -> &EventCounts;
    /// The lists of its properties.
    fn properties_of_model() -> [&'static [Violation]; 2];
    /// The violated properties of a state.
    fn violations(state: &Self::State) -> Violations;
    /// Describes a path step by step.
    fn describe_path(&self, path: Path<Self::State, Self::Action>) -> String;
}

/// Options of the exploration.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions {
    /// The number of threads.
    pub threads: usize,
    /// The largest number of steps in a path. None: no limit.
    pub depth: Option<usize>,
    /// The seeded defect.
    pub defect: Option<Defect>,
    /// Whether to explore breadth first, and to stop at the first violation. Its path is the shortest one.
    pub shortest: bool,
}

/// The result of an exploration.
#[derive(Debug)]
pub struct Exploration {
    /// The name and the bounds, as the first cells of the row in the table.
    pub bounds: String,
    /// The number of distinct states.
    pub states: usize,
    /// The number of steps that were executed.
    pub steps: usize,
    /// The number of states in the longest path.
    pub depth: usize,
    /// How long it took.
    pub duration: Duration,
    /// The violated properties, each with the description of a path to a violation.
    pub violations: Vec<(Violation, String)>,
    /// How often each expected event occurred.
    pub event_counts: Vec<(Event, u64)>,
}

impl Exploration {
    /// The expected events that never occurred.
    pub fn missing_events(&self) -> impl Iterator<Item = Event> {
        self.event_counts.iter().filter(|(_, count)| *count == 0).map(|(event, _)| *event)
    }

    /// Whether every property holds, and every expected event occurred.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.violations.is_empty() && self.missing_events().next().is_none()
    }
}

/// The names of all configurations: those of wallets, then those of payments.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let wallets = configuration::ALL.iter().map(|(name, _)| *name);
    wallets.chain(payments::ALL.iter().map(|(name, _)| *name)).collect()
}

/// Explores every state of the configuration with this name. None: there is none.
#[must_use]
pub fn explore(name: &str, size: Size, options: SearchOptions) -> Option<Exploration> {
    if let Some(configuration) = configuration::configuration(name, size) {
        return Some(explore_model(
            || ProtocolModel::new(configuration.clone(), options.defect),
            options,
        ));
    }
    let configuration = payments::configuration(name, size)?;
    Some(explore_model(|| PaymentModel::new(configuration.clone(), options.defect), options))
}

/// Explores every state depth first, which needs the least memory. If a property does not hold, a second, breadth-first
/// exploration finds the shortest path to a violation.
fn explore_model<M: Explored>(model: impl Fn() -> M, options: SearchOptions) -> Exploration
where
    M::State: std::fmt::Debug + std::hash::Hash + Clone + PartialEq + Send + Sync,
    M::Action: std::fmt::Debug + Clone + PartialEq,
{
    if !options.shortest {
        let (model, started) = (model(), Instant::now());
        let checker = builder(&model, options).threads(options.threads).spawn_dfs().join();
        let exploration = exploration(&model, &checker, started.elapsed());
        if exploration.violations.is_empty() {
            return exploration;
        }
    }
    let (model, started) = (model(), Instant::now());
    let checker = builder(&model, options).spawn_bfs().join();
    exploration(&model, &checker, started.elapsed())
}

fn builder<M: Explored>(model: &M, options: SearchOptions) -> CheckerBuilder<M>
where
    M::State: std::fmt::Debug + std::hash::Hash + Clone + PartialEq + Send + Sync,
    M::Action: std::fmt::Debug + Clone + PartialEq,
{
    let builder = model.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    match options.depth {
        Some(depth) => builder.target_max_depth(depth),
        None => builder,
    }
}

fn exploration<M: Explored>(model: &M, checker: &impl Checker<M>, duration: Duration) -> Exploration
where
    M::State: std::fmt::Debug + std::hash::Hash + Clone + PartialEq,
    M::Action: std::fmt::Debug + Clone + PartialEq,
{
    let count = |event: &Event| (*event, model.counts().get(*event));
    let event_counts = model.configuration().expected_events.iter().map(count).collect();
    let mut discoveries = checker.discoveries();
    let found = |violation: &Violation| {
        let path = discoveries.remove(violation.description())?;
        Some((*violation, model.describe_path(path)))
    };
    Exploration {
        bounds: report::bounds(model.configuration()),
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        duration,
        violations: Violation::ALL.iter().filter_map(found).collect(),
        event_counts,
    }
}

/// The properties of a model, and its expected events, in the form of `stateright`.
#[must_use]
pub fn properties<M: Explored>(model: &M) -> Vec<Property<M>> {
    let lists = M::properties_of_model();
    let is_of_model = |violation: &Violation| lists.iter().any(|list| list.contains(violation));
    let always = always().into_iter().filter(|(violation, _)| is_of_model(violation));
    let is_expected = |event: &Event| {
        model.defect().is_none() && model.configuration().expected_events.contains(event)
    };
    let sometimes = sometimes().into_iter().filter(|(event, _)| is_expected(event));
    always.map(|(_, property)| property).chain(sometimes.map(|(_, property)| property)).collect()
}

/// A condition in `stateright` is a plain function, so there is one for each index of a list.
macro_rules! by_index {
    ($list:expr, $function:ident, $($index:literal)*) => {
        [$(($list.get($index).copied(), $function::<M, $index> as fn(&M, &M::State) -> bool)),*]
    };
}

fn holds<M: Explored, const INDEX: usize>(_: &M, state: &M::State) -> bool {
    !M::violations(state).has(Violation::ALL[INDEX])
}

/// An event is not part of a state. The condition is that it has occurred in any state explored so far.
fn has_occurred<M: Explored, const INDEX: usize>(model: &M, _: &M::State) -> bool {
    model.counts().get(Event::ALL[INDEX]) > 0
}

fn always<M: Explored>() -> Vec<(Violation, Property<M>)> {
    let all = by_index!(Violation::ALL, holds, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
        30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49);
    let known = all.into_iter().filter_map(|(violation, holds)| Some((violation?, holds)));
    known
        .map(|(violation, holds)| (violation, Property::always(violation.description(), holds)))
        .collect()
}

fn sometimes<M: Explored>() -> Vec<(Event, Property<M>)> {
    let all = by_index!(Event::ALL, has_occurred, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
        30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
        60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
    let known = all.into_iter().filter_map(|(event, has_occurred)| Some((event?, has_occurred)));
    known
        .map(|(event, has_occurred)| {
            (event, Property::sometimes(event.description(), has_occurred))
        })
        .collect()
}
