//! The model of wallets in the form that `stateright` explores.

use std::sync::Arc;

use stateright::{Model, Path, Property};

use crate::configuration::{Configuration, Scenario, SetupStep, start_instant};
use crate::defect::Defect;
use crate::event::EventCounts;
use crate::exploration::{self, Explored};
use crate::nets::Nets;
use crate::operation::Operation;
use crate::protocol::id;
use crate::report;
use crate::specification::Specification;
use crate::table::Table;
use crate::violation::{Violation, Violations};

use crate::wallets::Wallets;
use crate::wire::MAX_OPERATIONS;
use crate::world::steps::Step;
use crate::world::{Remaining, StepContext, World};
use shared::domain::id::{Attempt, TransactionId};

/// A configuration of wallets, as a model for `stateright`.
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
                operations <= usize::from(MAX_OPERATIONS),
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
            recovered: None,
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
            table: Table::empty(),
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
            attempts: Vec::new(),
            enqueued: Vec::new(),
            violations: Violations::default(),
        };
        // The setup runs without the defect. Only the explored steps have it.
        let context = StepContext { defect: None, ..self.context(None) };
        for step in &scenario.setup {
            run_setup_step(&mut world, *step, &context);
        }
        world.set_processes(scenario.scripts.len());
        world.table.previous = None;
        world
    }
}

fn run_setup_step(world: &mut World, step: SetupStep, context: &StepContext<'_>) {
    match step {
        SetupStep::OrganisationWithEvents => world.store_wallet_with_events(),
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
        exploration::properties(self)
    }
}

impl Explored for ProtocolModel {
    type System = Wallets;

    fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    fn defect(&self) -> Option<Defect> {
        self.defect
    }

    fn counts(&self) -> &EventCounts {
        &self.counts
    }

    fn properties_of_model() -> [&'static [Violation]; 2] {
        [Violation::WALLETS, Violation::WRITES]
    }

    fn violations(world: &World) -> Violations {
        world.violations
    }

    fn describe_path(&self, path: Path<World, Step>) -> String {
        report::describe_path(self, path)
    }
}
