//! Explores all states of a configuration, and collects the result.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::configuration::Configuration;
use crate::defect::Defect;
use crate::event::Event;
use crate::model::ProtocolModel;
use crate::violation::Violation;
use crate::world::World;
use crate::world::steps::Step;

/// Options of the exploration.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions {
    /// The number of threads.
    pub threads: usize,
    /// The largest number of steps in a path. None: no limit.
    pub depth: Option<usize>,
    /// The seeded defect.
    pub defect: Option<Defect>,
}

/// The result of an exploration.
#[derive(Debug)]
pub struct Exploration {
    /// The number of distinct states.
    pub states: usize,
    /// The number of steps that were executed.
    pub steps: usize,
    /// The number of states in the longest path.
    pub depth: usize,
    /// How long it took.
    pub duration: Duration,
    /// The violated properties, each with a path to a violation.
    pub violations: Vec<(Violation, Path<World, Step>)>,
    /// How often each expected event occurred.
    pub event_counts: Vec<(Event, u64)>,
    /// The explored model. It is needed to describe a path.
    pub model: ProtocolModel,
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

/// Explores every state depth first, which needs the least memory. If a property does not hold, a second, breadth-first
/// exploration finds the shortest path to a violation.
#[must_use]
pub fn explore(configuration: &Configuration, options: SearchOptions) -> Exploration {
    let (model, builder) = builder(configuration, options);
    let started = Instant::now();
    let checker = builder.threads(options.threads).spawn_dfs().join();
    let exploration = exploration(model, &checker, started.elapsed());
    if exploration.violations.is_empty() {
        exploration
    } else {
        find_shortest_violation(configuration, options)
    }
}

/// Explores breadth first until a property does not hold.
#[must_use]
pub fn find_shortest_violation(
    configuration: &Configuration,
    options: SearchOptions,
) -> Exploration {
    let (model, builder) = builder(configuration, options);
    let started = Instant::now();
    let checker = builder.spawn_bfs().join();
    exploration(model, &checker, started.elapsed())
}

fn builder(
    configuration: &Configuration,
    options: SearchOptions,
) -> (ProtocolModel, stateright::CheckerBuilder<ProtocolModel>) {
    let model = ProtocolModel::new(configuration.clone(), options.defect);
    let builder = model.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    let builder = match options.depth {
        Some(depth) => builder.target_max_depth(depth),
        None => builder,
    };
    (model, builder)
}

fn exploration(
    model: ProtocolModel,
    checker: &impl Checker<ProtocolModel>,
    duration: Duration,
) -> Exploration {
    let count = |event: &Event| (*event, model.counts.get(*event));
    let event_counts = model.configuration.expected_events.iter().map(count).collect();
    let mut discoveries = checker.discoveries();
    let found =
        |violation: &Violation| Some((*violation, discoveries.remove(violation.description())?));
    Exploration {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        duration,
        violations: Violation::ALL.iter().filter_map(found).collect(),
        event_counts,
        model,
    }
}
