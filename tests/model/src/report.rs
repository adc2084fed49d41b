//! Prints the result of an exploration.

use std::fmt::Write;

use stateright::Path;

use crate::configuration::Configuration;
use crate::exploration::Exploration;
use crate::model::ProtocolModel;
use crate::operation::Operation;
use crate::system::System;
use crate::wallets::{Call, Request, Wallets};
use crate::world::World;
use crate::world::steps::Step;

/// The name and the bounds of a configuration, as the first cells of its row in the table.
#[must_use]
pub fn bounds<S: System>(configuration: &Configuration<S>) -> String {
    let bounds = &configuration.bounds;
    let processes = configuration.scenarios.iter().map(|scenario| scenario.scripts.len()).max();
    format!(
        "{} | {} | {} | {} | {} | {} | {}",
        configuration.name,
        configuration.scenarios.len(),
        processes.unwrap_or_default(),
        bounds.attempts,
        bounds.losses,
        bounds.kills,
        bounds.clock_steps,
    )
}

/// The row of a configuration in the table.
#[must_use]
pub fn row(exploration: &Exploration) -> String {
    let Exploration { bounds, states, steps, depth, .. } = exploration;
    let seconds = exploration.duration.as_secs_f64();
    format!("| {bounds} | {states} | {steps} | {depth} | {seconds:.1} |")
}

/// The header of the table.
pub const TABLE_HEADER: &str = "\
| configuration | scenarios | processes | attempts | losses | kills | clock steps | states | steps | depth | seconds |
|---|---|---|---|---|---|---|---|---|---|---|";

/// The missing events and the violations. With `events`, the counts of all expected events.
#[must_use]
pub fn details(exploration: &Exploration, events: bool) -> String {
    let mut text = String::new();
    for (event, count) in exploration.event_counts.iter().filter(|(_, count)| events || *count == 0)
    {
        let _ = match count {
            0 => writeln!(text, "  NEVER: {}", event.description()),
            _ => writeln!(text, "  {count:>9} {}", event.description()),
        };
    }
    for (violation, path) in &exploration.violations {
        let _ = writeln!(text, "  BROKEN: {}", violation.description());
        text += path;
    }
    text
}

/// Describes a path of the model of wallets step by step.
#[must_use]
pub fn describe_path(model: &ProtocolModel, path: Path<World, Step>) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for (index, (world, step)) in path.into_vec().into_iter().enumerate() {
        let scripts = model.scripts(&world);
        if index == 0 {
            for (process, script) in scripts.iter().enumerate() {
                let script: Vec<_> = script.iter().map(Operation::to_string).collect();
                let _ = writeln!(text, "    process {process}: {}", script.join(", then "));
            }
        }
        let wallet = describe_wallet(&world);
        if wallet != last {
            let _ = writeln!(text, "       {wallet}");
            last = wallet;
        }
        if let Some(step) = step {
            let _ = writeln!(text, "  {:>3}. {}", index + 1, describe_step(&world, step, scripts));
        }
    }
    text
}

/// Describes the wallet as callers see it now.
fn describe_wallet(world: &World) -> String {
    let Some(item) = &world.table.item else { return "the table is empty".to_owned() };
    let wallet = Wallets::open(item.contents.clone(), world.now);
    let mut text = format!("version {}, {}:", item.version, world.now.format("%F %T%.3f"));
    for payment in &wallet.contents().payments {
        let primary = if wallet.primary() == Some(payment.sequence) { " primary" } else { "" };
        let _ = write!(text, " {} {}{primary}", payment.sequence.number(), payment.status().name());
        for (attempt, terminal) in payment.terminals() {
            let due = terminal.reconcile_at.map(|at| format!(", due at {}", at.format("%T")));
            let due = due.unwrap_or_default();
            let _ = write!(text, " (session {}: {:?}{due})", attempt.number(), terminal.outcome);
        }
    }
    text
}

fn describe_step(world: &World, step: Step, scripts: &[Vec<Operation>]) -> String {
    let process = match step {
        Step::Begin { process, .. } => {
            let next = scripts[process].get(usize::from(world.processes[process].done));
            let next = next.map(Operation::to_string).unwrap_or_default();
            return format!("{step}: {next}");
        }
        Step::Execute(process)
        | Step::RepeatWrite(process)
        | Step::LoseRequest(process)
        | Step::LoseReply(process)
        | Step::Kill(process) => process,
        Step::ExecuteLate(index) => {
            return format!("{step}: {}", describe_request(&world.late[index]));
        }
        Step::CustomerActs(..) | Step::AdvanceClock(_) => return step.to_string(),
    };
    format!("{step}: {}", describe_request(&world.request(process)))
}

fn describe_request(request: &Request) -> String {
    match request {
        Request::Get => "read".to_owned(),
        Request::Put(put) => {
            format!("write version {}: {:?}", put.item.version, put.annotation.effect)
        }
        Request::Call(Call::Register(session)) => format!("Register {}", session.transaction_id),
        Request::Call(Call::Query(session)) => format!("Query {}", session.transaction_id),
        Request::Call(Call::Verify(session)) => {
            format!("Process VERIFY {}", session.transaction_id)
        }
        Request::Call(Call::Notify(notification)) => format!("notification {}", notification.id()),
    }
}
