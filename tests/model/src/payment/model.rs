//! The model of payments in the form that `stateright` explores.

use std::fmt::Write;
use std::sync::Arc;

use shared::domain::payment::{Payment, State};
use stateright::{Model, Path, Property};

use super::configuration::SetupStep;
use super::history::History;
use super::nets::Nets;
use super::operation::Operation;
use super::world::World;
use super::world::steps::Step;
use super::{Payments, Request};
use crate::configuration::{Configuration, Scenario, start_instant};
use crate::defect::Defect;
use crate::event::EventCounts;
use crate::exploration::{self, Explored};
use crate::table::Table;
use crate::violation::{Violation, Violations};
use crate::wire::MAX_OPERATIONS;
use crate::world::{CheckedStates, Process, Remaining, StepContext};

/// A configuration of payments, as a model for `stateright`.
#[derive(Debug, Clone)]
pub struct PaymentModel {
    /// The configuration.
    pub configuration: Configuration<Payments>,
    defect: Option<Defect>,
    counts: Arc<EventCounts>,
    recovered: Arc<CheckedStates>,
}

impl PaymentModel {
    /// The model of a configuration, with or without a seeded defect.
    ///
    /// # Panics
    /// Panics if a scenario has more operations than there are ranges of write ids.
    #[must_use]
    pub fn new(configuration: Configuration<Payments>, defect: Option<Defect>) -> Self {
        for scenario in &configuration.scenarios {
            let operations: usize = scenario.scripts.iter().map(Vec::len).sum();
            assert!(
                operations <= usize::from(MAX_OPERATIONS),
                "{}: more operations than ranges of write ids",
                configuration.name
            );
        }
        Self { configuration, defect, counts: Arc::default(), recovered: Arc::default() }
    }

    fn context(&self) -> StepContext<'_> {
        let bounds = &self.configuration.bounds;
        StepContext {
            attempts: bounds.attempts,
            returns_winner: bounds.returns_winner,
            defect: self.defect,
            counts: Some(&self.counts),
            recovered: Some(&self.recovered),
        }
    }

    fn scripts(&self, world: &World) -> &[Vec<Operation>] {
        &self.configuration.scenarios[usize::from(world.scenario)].scripts
    }

    fn start(&self, number: u16, scenario: &Scenario<Payments>) -> World {
        let bounds = &self.configuration.bounds;
        let mut world = World {
            scenario: number,
            now: start_instant(),
            table: Table::empty(),
            card_ended: false,
            nets: Nets::default(),
            pages: Vec::new(),
            processes: Vec::new(),
            late: Vec::new(),
            remaining: Remaining {
                losses: bounds.losses,
                kills: bounds.kills,
                clock_steps: bounds.clock_steps,
            },
            history: Arc::new(History::default()),
            violations: Violations::default(),
        };
        // The setup runs without the defect. Only the explored steps have it.
        let context = StepContext { defect: None, counts: None, recovered: None, ..self.context() };
        for step in &scenario.setup {
            match *step {
                SetupStep::Run(operation) => world.run_setup_operation(operation, &context),
                SetupStep::CustomerActs(id, page) => world.nets.set_page(id, page),
                SetupStep::AdvanceClock(time) => world.now += time,
                SetupStep::MerchantDeclines(decline) => {
                    world.nets.merchant_decline = Some(decline);
                }
            }
        }
        world.processes = Process::several(scenario.scripts.len());
        world
    }
}

impl Model for PaymentModel {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let numbered = (0..).zip(&self.configuration.scenarios);
        numbered.map(|(number, scenario)| self.start(number, scenario)).collect()
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.violations.is_none() {
            world.steps(self.scripts(world), &self.configuration.bounds, steps);
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        world.step(step, self.scripts(before), &self.context());
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        exploration::properties(self)
    }
}

impl Explored for PaymentModel {
    type System = Payments;

    fn configuration(&self) -> &Configuration<Payments> {
        &self.configuration
    }

    fn defect(&self) -> Option<Defect> {
        self.defect
    }

    fn counts(&self) -> &EventCounts {
        &self.counts
    }

    fn properties_of_model() -> [&'static [Violation]; 2] {
        [Violation::PAYMENTS, Violation::WRITES]
    }

    fn violations(world: &World) -> Violations {
        world.violations
    }

    fn describe_path(&self, path: Path<World, Step>) -> String {
        let (mut text, mut last) = (String::new(), String::new());
        for (index, (world, step)) in path.into_vec().into_iter().enumerate() {
            let scripts = self.scripts(&world);
            if index == 0 {
                for (process, script) in scripts.iter().enumerate() {
                    let script: Vec<_> = script.iter().map(Operation::to_string).collect();
                    let _ = writeln!(text, "    process {process}: {}", script.join(", then "));
                }
            }
            let state = describe_state(&world);
            if state != last {
                let _ = writeln!(text, "       {state}");
                last = state;
            }
            if let Some(step) = step {
                let step = describe_step(&world, step, scripts);
                let _ = writeln!(text, "  {:>3}. {step}", index + 1);
            }
        }
        text
    }
}

/// Describes the stored payment as of now, and Nets.
fn describe_state(world: &World) -> String {
    let mut text = format!("version {}, {}:", world.table.version(), world.now.format("%F %T"));
    let payment = world.payment();
    let transactions = payment.iter().flat_map(Payment::history);
    for (id, transaction) in transactions {
        let _ = write!(text, " {id} {}", transaction.status().name());
        if let State::Initiated(initiated) = &transaction.state {
            let chosen = initiated.chosen.map(|chosen| chosen.registration.number());
            let _ = write!(text, " (chosen {chosen:?}, authorized {})", initiated.is_authorized());
        }
        if let Some(captured) = transaction.captured() {
            let crediting = captured.crediting.map(|crediting| crediting.target_minor);
            let sums = (captured.captured_minor, captured.credited_minor);
            let _ = write!(text, " (sums {sums:?}, crediting {crediting:?})");
        }
    }
    for one in world.nets.registered() {
        let (transaction, number) = (one.id.transaction.attempt().number(), one.id.number.number());
        let _ = write!(text, "; Nets {transaction}-{number} {:?}", one.page);
        if one.is_authorized() {
            let held = if one.is_held() { " held" } else { "" };
            let annulled = if one.annulled { " annulled" } else { "" };
            let _ = write!(text, "{held}{annulled} {}/{}", one.captured, one.credited);
        }
    }
    text
}

fn describe_step(world: &World, step: Step, scripts: &[Vec<Operation>]) -> String {
    let request = match step {
        Step::Begin(process) => {
            let next = scripts[process].get(usize::from(world.processes[process].done));
            return format!("{step}: {}", next.map(Operation::to_string).unwrap_or_default());
        }
        Step::Execute(process)
        | Step::RepeatWrite(process)
        | Step::LoseRequest(process)
        | Step::Kill(process) => world.request(process),
        Step::ExecuteLate(index) => world.late[index].request.clone(),
        Step::CustomerActs(..) | Step::NetsAuthorizes(_) | Step::AdvanceClock(_) => {
            return step.to_string();
        }
    };
    let request = match request {
        Request::Get => "read".to_owned(),
        Request::Put(put) => format!("write version {}: {}", put.item.version, put.annotation),
        Request::Call(call) => format!("{call:?}"),
    };
    format!("{step}: {request}")
}
