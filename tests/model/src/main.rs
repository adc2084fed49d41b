//! `cargo run --profile proof --bin model -- --all`: explores the configurations, and prints a table.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Parser;
use model::check::{Search, explore};
use model::configuration::{ALL, Size, configuration};
use model::flaw::Flaw;
use model::report;

/// Explores every state of the wallet's protocol within bounds, and checks its properties in each.
#[derive(Parser)]
#[command(bin_name = "model")]
struct Arguments {
    /// A configuration; may be given more than once.
    #[arg(long, required_unless_present = "all")]
    config: Vec<String>,
    /// All configurations.
    #[arg(long)]
    all: bool,
    /// How far the bounds go.
    #[arg(long, value_enum, default_value = "medium")]
    size: Size,
    /// Not deeper than so many steps. Without it: every state.
    #[arg(long)]
    depth: Option<usize>,
    /// With how many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Breaks a rule of the protocol, to see that it is found.
    #[arg(long, value_enum)]
    flaw: Option<Flaw>,
    /// Says how often everything happened that has to happen.
    #[arg(long)]
    events: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = stdout().lock();
    let names: Vec<&str> = if arguments.all {
        ALL.iter().map(|(name, _)| *name).collect()
    } else {
        arguments.config.iter().map(String::as_str).collect()
    };
    match run(&mut out, &names, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(out: &mut impl Write, names: &[&str], arguments: &Arguments) -> std::io::Result<bool> {
    let search =
        Search { threads: arguments.threads, depth: arguments.depth, flaw: arguments.flaw };
    let mut good = true;
    writeln!(out, "{}", report::HEAD)?;
    for name in names {
        let Some(configuration) = configuration(name, arguments.size) else {
            writeln!(out, "there is no configuration {name}")?;
            return Ok(false);
        };
        let outcome = explore(&configuration, search);
        good &= outcome.is_good();
        writeln!(out, "{}", report::row(&outcome))?;
        write!(out, "{}", report::details(&outcome, arguments.events))?;
        out.flush()?;
    }
    Ok(good)
}
