//! `proofs`: runs the proofs on the function binaries and prints a report.
//!
//! The exit status is 0 without a violation, 1 with a violation (printed on the last line), and 2 if the proof cannot run.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use proofs::crashes;
use proofs::order::{self, Report, slots};
use proofs::{Failure, Functions, purchases};

/// Compared with the system allocator, mimalloc saves a seventh of the processor time of `order` outside of the functions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs proofs on the function binaries.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Subcommand)]
enum Proof {
    /// Linearizability: compares every response and every stored version with one sequential order of the operations.
    Order(Order),
    /// Crash points: kills each function before and after each of its side effects.
    Crashes(Crashes),
    /// Load with faults: pays orders over HTTP, and compares every order with the ledger of the Nets sandbox.
    Purchases(Purchases),
    /// Prints pairs of customer numbers with the same slot.
    Collisions {
        /// How many customer numbers to search.
        count: u32,
    },
}

#[derive(Args)]
struct Order {
    /// Number of operations that clients start.
    #[arg(long, default_value_t = 200_000)]
    operations: u64,
    /// Seed of the random number generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of concurrent clients of each service.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Number of services that run in parallel, each with a part of the operations.
    #[arg(long, default_value_t = 1)]
    services: u64,
    /// Injects no faults and kills no instances.
    #[arg(long)]
    no_faults: bool,
    #[command(flatten)]
    functions: FunctionArguments,
}

#[derive(Args)]
struct Crashes {
    /// Runs only this operation; the report lists the names.
    #[arg(long)]
    only: Option<String>,
    #[command(flatten)]
    functions: FunctionArguments,
}

#[derive(Args)]
struct Purchases {
    /// Number of orders.
    #[arg(long, default_value_t = 10_000)]
    orders: u64,
    /// Seed of the random number generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of concurrent clients.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Injects no faults.
    #[arg(long)]
    no_faults: bool,
    #[command(flatten)]
    functions: FunctionArguments,
}

#[derive(Args)]
struct FunctionArguments {
    /// Folder of function binaries to use instead of building them.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Environment variable for every function, `NAME=value`; repeatable.
    #[arg(long, value_parser = variable)]
    environment: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl From<FunctionArguments> for Functions {
    fn from(arguments: FunctionArguments) -> Self {
        Self {
            folder: arguments.functions,
            environment: arguments.environment.into_iter().collect(),
        }
    }
}

fn main() -> ExitCode {
    let (text, code) = match run(Arguments::parse().proof) {
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

fn run(proof: Proof) -> Result<String, Failure> {
    match proof {
        Proof::Order(order) => {
            let Order { operations, seed, clients, services, no_faults, functions } = order;
            let (inject_faults, functions) = (!no_faults, functions.into());
            let options =
                order::Options { operations, seed, clients, services, inject_faults, functions };
            let report = order::run(&options, &print_progress)?;
            Ok(format!(
                "seed {seed}, {operations} operations, {services} services with {clients} clients each\n{report}"
            ))
        }
        Proof::Crashes(Crashes { only, functions }) => {
            crashes::run(&functions.into(), only.as_deref()).map(|report| report.to_string())
        }
        Proof::Purchases(Purchases { orders, seed, clients, no_faults, functions }) => {
            let (inject_faults, functions) = (!no_faults, functions.into());
            let options = purchases::Options { orders, seed, clients, inject_faults, functions };
            let report = purchases::run(&options)?;
            Ok(format!("seed {seed}, {orders} orders, {clients} clients\n{report}"))
        }
        Proof::Collisions { count } => {
            let pairs = slots::collisions(count).into_iter();
            let lines = pairs.map(|(one, other)| format!("(\"{one}\", \"{other}\"),"));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Prints the progress of a long run.
fn print_progress(segment: u64, report: &Report) {
    let (responses, seconds) = (report.responses(), report.duration.as_secs());
    let line = format!("segment {segment}: {responses} responses, no violation, {seconds} s");
    // The progress is optional: a closed standard error is ignored.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}
