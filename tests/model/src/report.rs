//! Tells people what was found.

use std::fmt::Write;

use shared::domain::wallet::Wallet;
use stateright::Path;

use crate::check::Outcome;
use crate::model::Service;
use crate::operation::Operation;
use crate::protocol::slot;
use crate::wire::Request;
use crate::world::World;
use crate::world::steps::Step;

/// One line for each configuration, for the table.
#[must_use]
pub fn row(outcome: &Outcome) -> String {
    let configuration = &outcome.service.configuration;
    let bounds = &configuration.bounds;
    let parties = configuration.scenarios.iter().map(|scenario| scenario.scripts.len()).max();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
        configuration.name,
        configuration.scenarios.len(),
        parties.unwrap_or_default(),
        bounds.tries,
        bounds.losses,
        bounds.kills,
        bounds.steps_of_clock,
        outcome.unique,
        outcome.generated,
        outcome.depth,
        outcome.took.as_secs_f64(),
    )
}

/// The head of that table.
pub const HEAD: &str = "\
| configuration | scenarios | parties | tries | losses | kills | clock steps | states | steps | depth | seconds |
|---|---|---|---|---|---|---|---|---|---|---|";

/// What happened how often, and what did not hold.
#[must_use]
pub fn details(outcome: &Outcome, events: bool) -> String {
    let mut text = String::new();
    for (event, count) in outcome.reached.iter().filter(|(_, count)| events || *count == 0) {
        let _ = match count {
            0 => writeln!(text, "  NEVER: {}", event.words()),
            _ => writeln!(text, "  {count:>9} {}", event.words()),
        };
    }
    for (breach, way) in &outcome.broken {
        let _ = writeln!(text, "  BROKEN: {}", breach.words());
        text += &told(&outcome.service, way.clone());
    }
    text
}

/// A way, step by step.
#[must_use]
pub fn told(service: &Service, way: Path<World, Step>) -> String {
    let mut text = String::new();
    let mut before = String::new();
    for (number, (world, step)) in way.into_vec().into_iter().enumerate() {
        let scripts = service.scripts(&world);
        if number == 0 {
            for (who, script) in scripts.iter().enumerate() {
                let script: Vec<_> = script.iter().map(Operation::to_string).collect();
                let _ = writeln!(text, "    {who}: {}", script.join(", then "));
            }
        }
        let now = stored(&world);
        if now != before {
            let _ = writeln!(text, "       {now}");
            before = now;
        }
        if let Some(step) = step {
            let _ = writeln!(text, "  {:>3}. {}", number + 1, happens(&world, step, scripts));
        }
    }
    text
}

/// What is stored, as callers see it now.
fn stored(world: &World) -> String {
    let Some(item) = &world.table else { return "nothing is stored".to_owned() };
    let wallet = Wallet::new(slot(), item.contents.clone(), world.now);
    let mut text = format!("version {}, {}:", item.version, world.now.format("%F %T%.3f"));
    for payment in &wallet.contents().payments {
        let primary = if wallet.primary() == Some(payment.sequence) { " primary" } else { "" };
        let _ = write!(text, " {} {}{primary}", payment.sequence.number(), payment.status().name());
        for (attempt, terminal) in payment.terminals() {
            let due = terminal.look_at.map(|at| format!(" till {}", at.format("%T")));
            let due = due.unwrap_or_default();
            let _ = write!(text, " (visit {}: {:?}{due})", attempt.number(), terminal.outcome);
        }
    }
    text
}

fn happens(world: &World, step: Step, scripts: &[Vec<Operation>]) -> String {
    let who = match step {
        Step::Begin { who, .. } => {
            let next = scripts[who].get(usize::from(world.parties[who].done));
            let next = next.map(Operation::to_string).unwrap_or_default();
            return format!("{step}: {next}");
        }
        Step::Answer(who)
        | Step::Repeat(who)
        | Step::Lose(who)
        | Step::LoseReply(who)
        | Step::Kill(who) => who,
        Step::Arrive(which) => return format!("{step}: {}", asks(&world.late[which])),
        Step::Visit(..) | Step::Wait(_) => return step.to_string(),
    };
    format!("{step}: {}", asks(&world.request(who)))
}

fn asks(request: &Request) -> String {
    match request {
        Request::Get => "read".to_owned(),
        Request::Put(put) => {
            format!("write version {}: {:?}", put.item.version, put.intent.deed)
        }
        Request::Register(visit) => format!("Register {}", visit.transaction_id),
        Request::Query(visit) => format!("Query {}", visit.transaction_id),
        Request::Verify(visit) => format!("Process VERIFY {}", visit.transaction_id),
        Request::Tell(notification) => format!("tell {}", notification.id()),
    }
}
