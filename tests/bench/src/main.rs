//! How cold starts, requests and sizes compare with a function that does nothing. `cargo bench-cold --help`.

mod binaries;
mod budget;
mod callgrind;
mod cases;
mod events;
mod figures;
mod instance;
mod natively;
mod report;
mod runtime_api;
mod tls;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures every function from exec to its answers: instructions, time, memory, connections, size.
#[derive(Debug, Parser)]
#[command(name = "bench-cold")]
pub(crate) struct Options {
    /// These functions only.
    functions: Vec<String>,
    /// Holds what is counted against the budgets, and measures nothing else.
    #[arg(long)]
    check: bool,
    /// Writes the budgets anew from what is counted.
    #[arg(long, conflicts_with = "check")]
    settle: bool,
    /// Leaves out the peer with default features: it takes minutes to build.
    #[arg(long)]
    no_peers: bool,
    /// Another peer, `name=path/to/its/binary`, which answers the event of a list. Can be given more than once.
    #[arg(long = "peer", value_name = "NAME=PATH")]
    peers: Vec<String>,
    /// How often each cold start is timed.
    #[arg(long, default_value_t = 21)]
    starts: usize,
    /// How many requests the measurement of memory goes on for.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Takes the functions from this folder instead of building them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Where `bench-cold.md` and `bench-cold.json` go.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What cannot be done without, and what is wrong with it.
    #[error("{0}: {1}")]
    Failed(String, String),
    /// The budgets are exceeded; each line says by what.
    #[error("beyond the budget:\n{0}")]
    Budget(String),
    /// The service around the functions.
    #[error(transparent)]
    Local(#[from] local::Error),
}

impl Error {
    /// Something failed, and why.
    #[expect(clippy::needless_pass_by_value, reason = "so that it takes errors as they come")]
    pub(crate) fn failed(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Failed(what.into(), why.to_string())
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a program for people")]
async fn main() -> ExitCode {
    match report::run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
