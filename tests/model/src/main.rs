//! `cargo model --all`: explores the configurations and prints a table.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Parser;
use model::configuration::Size;
use model::defect::Defect;
use model::exploration::{SearchOptions, explore, names};
use model::report;

/// Explores every state of the protocols of wallets and payments within bounds, and checks the properties in each state.
#[derive(Parser)]
#[command(bin_name = "model")]
struct Arguments {
    /// The name of a configuration. The option can be repeated.
    #[arg(long, required_unless_present = "all")]
    config: Vec<String>,
    /// Explores all configurations.
    #[arg(long)]
    all: bool,
    /// The size of the bounds.
    #[arg(long, value_enum, default_value = "medium")]
    size: Size,
    /// The largest number of steps in a path. Without it, there is no limit.
    #[arg(long)]
    depth: Option<usize>,
    /// The number of threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// A defect to add to the protocol, as a test of the properties.
    #[arg(long, alias = "flaw", value_enum)]
    defect: Option<Defect>,
    /// Prints how often each expected event occurred.
    #[arg(long)]
    events: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = stdout().lock();
    let names: Vec<&str> =
        if arguments.all { names() } else { arguments.config.iter().map(String::as_str).collect() };
    match run(&mut out, &names, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(out: &mut impl Write, names: &[&str], arguments: &Arguments) -> std::io::Result<bool> {
    let options = SearchOptions {
        threads: arguments.threads,
        depth: arguments.depth,
        defect: arguments.defect,
        shortest: false,
    };
    let mut success = true;
    writeln!(out, "{}", report::TABLE_HEADER)?;
    for name in names {
        let Some(exploration) = explore(name, arguments.size, options) else {
            writeln!(out, "unknown configuration: {name}")?;
            return Ok(false);
        };
        success &= exploration.is_success();
        writeln!(out, "{}", report::row(&exploration))?;
        write!(out, "{}", report::details(&exploration, arguments.events))?;
        out.flush()?;
    }
    Ok(success)
}
