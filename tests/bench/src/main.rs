//! Measures cold starts, requests and sizes of the functions, and compares them with a minimal function. See
//! `cargo bench-cold --help`.

mod binaries;
mod budget;
mod callgrind;
mod cases;
mod events;
mod figures;
mod instance;
mod native;
mod report;
mod runtime_api;
mod tls;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures every function from exec to its responses: instructions, time, memory, connections, size.
#[derive(Debug, Parser)]
#[command(name = "bench-cold")]
pub(crate) struct Options {
    /// Measures only these functions.
    functions: Vec<String>,
    /// Compares the counted figures with the budgets, and measures nothing else. With names of functions, only theirs.
    #[arg(long)]
    check: bool,
    /// Writes the budgets from the counted figures.
    #[arg(long, conflicts_with = "check")]
    write_budgets: bool,
    /// Leaves out the peer with default features, which takes minutes to build.
    #[arg(long)]
    no_peers: bool,
    /// Another peer, `name=path/to/binary`, which responds to the event of a list; repeatable.
    #[arg(long = "peer", value_name = "NAME=PATH")]
    peers: Vec<String>,
    /// Number of timed starts of each program.
    #[arg(long, default_value_t = 21)]
    starts: usize,
    /// Number of requests of the memory measurement.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Folder of function binaries to use instead of building them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Folder for `bench-cold.md` and `bench-cold.json`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The reason for a failed run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A step failed: its name, and the error.
    #[error("{0}: {1}")]
    Failed(String, String),
    /// Budgets are exceeded, with one line per figure.
    #[error("over budget:\n{0}")]
    Budget(String),
    /// The local service failed.
    #[error(transparent)]
    Local(#[from] local::Error),
}

impl Error {
    /// Creates an error from the name of the failed step and its error.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass errors of different types")]
    pub(crate) fn failed(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Failed(what.into(), why.to_string())
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "output of a command-line program")]
async fn main() -> ExitCode {
    match report::run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
