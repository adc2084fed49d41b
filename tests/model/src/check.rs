//! Explores a configuration to its last state, and says what came of it.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::breach::Breach;
use crate::configuration::Configuration;
use crate::event::Event;
use crate::flaw::Flaw;
use crate::model::Service;
use crate::world::World;
use crate::world::steps::Step;

/// How to explore.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// With how many threads.
    pub threads: usize,
    /// Not deeper than so many steps; none: to the end.
    pub depth: Option<usize>,
    /// A rule of the protocol that is broken.
    pub flaw: Option<Flaw>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How many states there are.
    pub unique: usize,
    /// How many steps were made.
    pub generated: usize,
    /// Over how many states the longest way led.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Properties that do not hold, each with a way to where it does not.
    pub broken: Vec<(Breach, Path<World, Step>)>,
    /// How often what has to happen did.
    pub reached: Vec<(Event, u64)>,
    /// The configuration, to tell a way with.
    pub service: Service,
}

impl Outcome {
    /// What had to happen and did not.
    pub fn missed(&self) -> impl Iterator<Item = Event> {
        self.reached.iter().filter(|(_, count)| *count == 0).map(|(event, _)| *event)
    }

    /// Whether every property holds, and everything that has to happen does.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.broken.is_empty() && self.missed().next().is_none()
    }
}

/// Explores every state. Depth first: that needs no memory but for what was seen. If a property does not hold, the shortest
/// way to that is looked for breadth first.
#[must_use]
pub fn explore(configuration: &Configuration, search: Search) -> Outcome {
    let (service, builder) = begin(configuration, search);
    let began = Instant::now();
    let checker = builder.threads(search.threads).spawn_dfs().join();
    let outcome = outcome(service, &checker, began.elapsed());
    if outcome.broken.is_empty() { outcome } else { shortest(configuration, search) }
}

/// Explores breadth first until a property does not hold.
#[must_use]
pub fn shortest(configuration: &Configuration, search: Search) -> Outcome {
    let (service, builder) = begin(configuration, search);
    let began = Instant::now();
    let checker = builder.spawn_bfs().join();
    outcome(service, &checker, began.elapsed())
}

fn begin(
    configuration: &Configuration,
    search: Search,
) -> (Service, stateright::CheckerBuilder<Service>) {
    let service = Service::new(configuration.clone(), search.flaw);
    let builder = service.clone().checker().finish_when(HasDiscoveries::AnyFailures);
    let builder = match search.depth {
        Some(depth) => builder.target_max_depth(depth),
        None => builder,
    };
    (service, builder)
}

fn outcome(service: Service, checker: &impl Checker<Service>, took: Duration) -> Outcome {
    let count = |event: &Event| (*event, service.seen.count(*event));
    let reached = service.configuration.expects.iter().map(count).collect();
    let mut discoveries = checker.discoveries();
    let found = |breach: &Breach| Some((*breach, discoveries.remove(breach.words())?));
    Outcome {
        unique: checker.unique_state_count(),
        generated: checker.state_count(),
        depth: checker.max_depth(),
        took,
        broken: Breach::ALL.iter().filter_map(found).collect(),
        reached,
        service,
    }
}
