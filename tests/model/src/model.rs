//! The model in the form that `stateright` explores.

use std::sync::Arc;

use stateright::{Model, Property};

use crate::configuration::{Configuration, Scenario, SetupStep, start_instant};
use crate::defect::Defect;
use crate::event::{Event, EventCounts};
use crate::item::WriteIds;
use crate::nets::Nets;
use crate::operation::Operation;
use crate::protocol::id;
use crate::specification::Specification;
use crate::violation::{Violation, Violations};

use crate::world::steps::Step;
use crate::world::{Remaining, StepContext, World};
use shared::domain::id::{Attempt, TransactionId};

/// A configuration, as a model for `stateright`.
#[derive(Debug, Clone)]
pub struct ProtocolModel {
    /// The configuration.
    pub configuration: Configuration,
    /// The seeded defect.
    pub defect: Option<Defect>,
    /// The events so far, over all explored states.
    pub counts: Arc<EventCounts>,
}

impl ProtocolModel {
    /// The model of a configuration, with or without a seeded defect.
    ///
    /// # Panics
    /// Panics if a scenario has more operations than there are ranges of write ids.
    #[must_use]
    pub fn new(configuration: Configuration, defect: Option<Defect>) -> Self {
        for scenario in &configuration.scenarios {
            let operations: usize = scenario.scripts.iter().map(Vec::len).sum();
            assert!(
                operations <= 20,
                "{}: more operations than ranges of write ids",
                configuration.name
            );
        }
        Self { configuration, defect, counts: Arc::default() }
    }

    fn context<'a>(&self, counts: Option<&'a EventCounts>) -> StepContext<'a> {
        let bounds = &self.configuration.bounds;
        StepContext {
            attempts: bounds.attempts,
            returns_winner: bounds.returns_winner,
            defect: self.defect,
            counts,
        }
    }

    /// The scripts of the processes in a state.
    #[must_use]
    pub fn scripts(&self, world: &World) -> &[Vec<Operation>] {
        &self.configuration.scenarios[usize::from(world.scenario)].scripts
    }

    fn start(&self, number: u16, scenario: &Scenario) -> World {
        let bounds = &self.configuration.bounds;
        let mut world = World {
            scenario: number,
            now: start_instant(),
            table: None,
            previous: None,
            nets: Nets::default(),
            pages: Vec::new(),
            processes: Vec::new(),
            late: Vec::new(),
            remaining: Remaining {
                losses: bounds.losses,
                kills: bounds.kills,
                clock_steps: bounds.clock_steps,
            },
            specification: Arc::new(Specification::default()),
            written: WriteIds::default(),
            reported_not_done: WriteIds::default(),
            attempts: Vec::new(),
            violations: Violations::default(),
        };
        // The setup runs without the defect. Only the explored steps have it.
        let context = StepContext { defect: None, ..self.context(None) };
        for step in &scenario.setup {
            run_setup_step(&mut world, *step, &context);
        }
        world.set_processes(scenario.scripts.len());
        world.previous = None;
        world
    }
}

fn run_setup_step(world: &mut World, step: SetupStep, context: &StepContext<'_>) {
    match step {
        SetupStep::Run(operation) => world.run_setup_operation(operation, context),
        SetupStep::CustomerActs(sequence, action) => {
            let newest =
                world.pages.iter().rfind(|page| page.recurring_payment_id() == id(sequence));
            if let Some(newest) = newest.copied() {
                world.nets.set_page(newest, action);
            }
        }
        SetupStep::AdvanceClock(time) => world.now += time,
        SetupStep::OldTransaction(sequence) => {
            if let Ok(first) = Attempt::try_from(0) {
                world.nets.add_old_transaction(TransactionId::new(id(sequence), first));
            }
        }
    }
}

impl Model for ProtocolModel {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let numbered = (0..).zip(&self.configuration.scenarios);
        numbered.map(|(number, scenario)| self.start(number, scenario)).collect()
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.violations.is_none() {
            let context = self.context(Some(&self.counts));
            world.steps(self.scripts(world), &self.configuration.bounds, &context, steps);
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        world.step(step, self.scripts(before), &self.context(Some(&self.counts)));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = always();
        let expected = sometimes().into_iter().filter(|(event, _)| {
            self.defect.is_none() && self.configuration.expected_events.contains(event)
        });
        properties.extend(expected.map(|(_, property)| property));
        properties
    }
}

/// A condition in `stateright` is a plain function, so there is one for each index of a list.
macro_rules! by_index {
    ($list:expr, $function:ident, $($index:literal)*) => {
        [$(($list.get($index).copied(), $function::<$index> as fn(&ProtocolModel, &World) -> bool)),*]
    };
}

fn holds<const INDEX: usize>(_: &ProtocolModel, world: &World) -> bool {
    !world.violations.has(Violation::ALL[INDEX])
}

fn has_occurred<const INDEX: usize>(model: &ProtocolModel, _: &World) -> bool {
    model.counts.get(Event::ALL[INDEX]) > 0
}

fn always() -> Vec<Property<ProtocolModel>> {
    let all = by_index!(Violation::ALL, holds, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29);
    let known = all.into_iter().filter_map(|(violation, holds)| Some((violation?, holds)));
    known.map(|(violation, holds)| Property::always(violation.description(), holds)).collect()
}

/// An event is not part of a state. The condition is that it has occurred in any state explored so far.
fn sometimes() -> Vec<(Event, Property<ProtocolModel>)> {
    let all = by_index!(Event::ALL, has_occurred, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
        30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
    let known = all.into_iter().filter_map(|(event, has_occurred)| Some((event?, has_occurred)));
    known
        .map(|(event, has_occurred)| {
            (event, Property::sometimes(event.description(), has_occurred))
        })
        .collect()
}
