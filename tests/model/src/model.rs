//! The model as `stateright` explores it.

use std::sync::Arc;

use stateright::{Model, Property};

use crate::breach::{Breach, Breaches};
use crate::configuration::{Before, Configuration, Scenario, beginning};
use crate::event::{Event, Seen};
use crate::flaw::Flaw;
use crate::item::WriteIds;
use crate::nets::Nets;
use crate::operation::Operation;
use crate::protocol::id;
use crate::truth::Truth;

use crate::world::steps::Step;
use crate::world::{Left, Rules, World};
use shared::domain::id::{Attempt, TransactionId};

/// A configuration, to be explored.
#[derive(Debug, Clone)]
pub struct Service {
    /// Which one.
    pub configuration: Configuration,
    /// A rule of the protocol that is broken.
    pub flaw: Option<Flaw>,
    /// What happened so far.
    pub seen: Arc<Seen>,
}

impl Service {
    /// A configuration, perhaps with a rule broken.
    ///
    /// # Panics
    /// A scenario has more operations than there are ids for their writes.
    #[must_use]
    pub fn new(configuration: Configuration, flaw: Option<Flaw>) -> Self {
        for scenario in &configuration.scenarios {
            let operations: usize = scenario.scripts.iter().map(Vec::len).sum();
            assert!(operations <= 20, "{}: more operations than ids", configuration.name);
        }
        Self { configuration, flaw, seen: Arc::default() }
    }

    fn rules<'a>(&self, seen: Option<&'a Seen>) -> Rules<'a> {
        let bounds = &self.configuration.bounds;
        Rules { tries: bounds.tries, telling: bounds.telling, flaw: self.flaw, seen }
    }

    /// The scripts of a state.
    #[must_use]
    pub fn scripts(&self, world: &World) -> &[Vec<Operation>] {
        &self.configuration.scenarios[usize::from(world.scenario)].scripts
    }

    fn start(&self, number: u16, scenario: &Scenario) -> World {
        let bounds = &self.configuration.bounds;
        let mut world = World {
            scenario: number,
            now: beginning(),
            table: None,
            before: None,
            nets: Nets::default(),
            pages: Vec::new(),
            parties: Vec::new(),
            late: Vec::new(),
            left: Left { losses: bounds.losses, kills: bounds.kills, waits: bounds.steps_of_clock },
            truth: Arc::new(Truth::default()),
            written: WriteIds::default(),
            denied: WriteIds::default(),
            tries: Vec::new(),
            breaches: Breaches::default(),
        };
        // What was there before is made without the flaw: only what is explored has it.
        let rules = Rules { flaw: None, ..self.rules(None) };
        for before in &scenario.before {
            happened(&mut world, *before, &rules);
        }
        world.set_parties(scenario.scripts.len());
        world.before = None;
        world
    }
}

fn happened(world: &mut World, before: Before, rules: &Rules<'_>) {
    match before {
        Before::Done(operation) => world.perform_and_give(operation, rules),
        Before::Entered(place, page) => {
            let newest = world.pages.iter().rfind(|page| page.recurring_payment_id() == id(place));
            if let Some(newest) = newest.copied() {
                world.nets.visit(newest, page);
            }
        }
        Before::Passed(time) => world.now += time,
        Before::Remembered(place) => {
            if let Ok(first) = Attempt::try_from(0) {
                world.nets.remember(TransactionId::new(id(place), first));
            }
        }
    }
}

impl Model for Service {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let numbered = (0..).zip(&self.configuration.scenarios);
        numbered.map(|(number, scenario)| self.start(number, scenario)).collect()
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.breaches.is_none() {
            let rules = self.rules(Some(&self.seen));
            world.steps(self.scripts(world), &self.configuration.bounds, &rules, steps);
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        world.step(step, self.scripts(before), &self.rules(Some(&self.seen)));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = always();
        let expected = sometimes()
            .into_iter()
            .filter(|(event, _)| self.flaw.is_none() && self.configuration.expects.contains(event));
        properties.extend(expected.map(|(_, property)| property));
        properties
    }
}

/// `stateright`'s conditions are plain functions: one for each place in a list.
macro_rules! by_place {
    ($list:expr, $function:ident, $($place:literal)*) => {
        [$(($list.get($place).copied(), $function::<$place> as fn(&Service, &World) -> bool)),*]
    };
}

fn holds<const PLACE: usize>(_: &Service, world: &World) -> bool {
    !world.breaches.has(Breach::ALL[PLACE])
}

fn has_happened<const PLACE: usize>(service: &Service, _: &World) -> bool {
    service.seen.count(Event::ALL[PLACE]) > 0
}

fn always() -> Vec<Property<Service>> {
    let all = by_place!(Breach::ALL, holds, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29);
    let known = all.into_iter().filter_map(|(breach, holds)| Some((breach?, holds)));
    known.map(|(breach, holds)| Property::always(breach.words(), holds)).collect()
}

/// That an event is not part of a state: it has happened somewhere by now.
fn sometimes() -> Vec<(Event, Property<Service>)> {
    let all = by_place!(Event::ALL, has_happened, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
        30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
    let known = all.into_iter().filter_map(|(event, happened)| Some((event?, happened)));
    known.map(|(event, happened)| (event, Property::sometimes(event.words(), happened))).collect()
}
