//! `proofs`: puts the functions to the proof, and says what came of it.
//!
//! It ends with 0 when all is as it has to be, with 1 and one line when something is not, and with 2 when it could not try.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use proofs::crashes;
use proofs::order::{self, Report, place};
use proofs::{Failure, Functions};

/// Against the system's allocator it takes a seventh off the processor time of `order`, outside of the functions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts the functions to the proof.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Subcommand)]
enum Proof {
    /// Linearizability: many clients, and every answer and version held against one order.
    Order(Order),
    /// Crash points: each function killed before and after every change that it makes outside of itself.
    Crashes(Crashes),
    /// Customers who meet in one slot, among the first so many.
    Collisions {
        /// How many.
        among: u32,
    },
}

#[derive(Args)]
struct Order {
    /// How many operations clients begin.
    #[arg(long, default_value_t = 200_000)]
    operations: u64,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many clients there are at once.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// How many services run side by side, each with a part of the operations: while one waits, another works.
    #[arg(long, default_value_t = 1)]
    services: u64,
    /// Makes no trouble.
    #[arg(long)]
    no_trouble: bool,
    #[command(flatten)]
    functions: Chosen,
}

#[derive(Args)]
struct Crashes {
    /// Only this operation, as the table calls it.
    #[arg(long)]
    only: Option<String>,
    #[command(flatten)]
    functions: Chosen,
}

#[derive(Args)]
struct Chosen {
    /// A folder with other function binaries, which are taken as they are.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// A variable for every function, `NAME=value`; may be given more than once.
    #[arg(long, value_parser = variable)]
    environment: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl From<Chosen> for Functions {
    fn from(chosen: Chosen) -> Self {
        Self { folder: chosen.functions, environment: chosen.environment.into_iter().collect() }
    }
}

fn main() -> ExitCode {
    let (text, code) = match prove(Arguments::parse().proof) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(Failure::Violation(what, history)) => {
            let line = format!("{}\nviolation: {what}", history.join("\n"));
            (line.trim_start().to_owned(), ExitCode::from(1))
        }
        Err(failure @ Failure::CannotRun(_)) => (failure.to_string(), ExitCode::from(2)),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::from(2),
    }
}

fn prove(proof: Proof) -> Result<String, Failure> {
    match proof {
        Proof::Order(order) => {
            let Order { operations, seed, clients, services, no_trouble, functions } = order;
            let (trouble, functions) = (!no_trouble, functions.into());
            let options =
                order::Options { operations, seed, clients, services, trouble, functions };
            let report = order::run(&options, &tell)?;
            Ok(format!(
                "seed {seed}, {operations} operations, {clients} clients at each of {services} services\n{report}"
            ))
        }
        Proof::Crashes(Crashes { only, functions }) => {
            crashes::run(&functions.into(), only.as_deref()).map(|report| report.to_string())
        }
        Proof::Collisions { among } => {
            let pairs = place::collisions(among).into_iter();
            let lines = pairs.map(|(one, other)| format!("(\"{one}\", \"{other}\"),"));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// A long run says how far it is.
fn tell(chapter: u64, report: &Report) {
    let (answers, seconds) = (report.answers(), report.took.as_secs());
    let line = format!("chapter {chapter}: {answers} answers, no violation, {seconds} s");
    // Who does not look does not miss it.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}
