//! `cargo local`: runs the whole service on this machine.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local::commands::{AFTER_COMMANDS, Command, Part, first_commands, parts};
use local::{Addresses, EventWebhooks, Local, Options};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the whole recurring payments service on this machine: API, console, Netaxept sandbox, token issuer and database.
#[derive(Parser)]
#[command(bin_name = "cargo local")]
struct Arguments {
    /// The API's port. Console, Netaxept sandbox, issuer and Secrets Manager use the next four ports. 0 means any free ports.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The port of the database (`DynamoDB`). 0 means any free port.
    #[arg(long, default_value_t = 8000)]
    dynamodb_port: u16,
    /// Listens on this address too, for functions in a container. It is usually 172.17.0.1, the address of Docker's bridge. Only
    /// the services that functions call listen on it: Netaxept sandbox, issuer, Secrets Manager and database.
    #[arg(long)]
    containers: Option<IpAddr>,
    /// Stores the tables in this folder between runs. Without this option the tables are in memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Uses the function binaries in this folder, for example `target/release`, and does not build them.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Runs scheduled functions only on request, in the console or with `POST /schedule/{function}`.
    #[arg(long)]
    no_schedules: bool,
    /// Sends no callbacks from the Netaxept sandbox to the service.
    #[arg(long)]
    no_callbacks: bool,
    /// Sends the lifecycle events of stored cards to these addresses: "organisation=address organisation=address", or "" for none.
    /// By default the inbox receives those of organisation 1, at /inbox/events.
    #[arg(long)]
    event_webhooks: Option<String>,
    /// Prints only one line of JSON with the addresses, when the service is ready.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).without_time().init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the exit code still says that it failed.
            writeln!(std::io::stderr(), "error: {error}").unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let options = Options {
        port: arguments.port,
        dynamodb_port: arguments.dynamodb_port,
        containers: arguments.containers,
        data: arguments.data,
        functions: arguments.functions,
        echo: true,
        schedules: !arguments.no_schedules,
        callbacks: !arguments.no_callbacks,
        activity: true,
        event_webhooks: arguments
            .event_webhooks
            .map_or(EventWebhooks::Inbox, EventWebhooks::Addresses),
        ..Options::default()
    };
    let shutdown = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let serve = async {
        let local = Local::start(options).await?;
        let addresses = local.addresses();
        let text =
            if arguments.json { serde_json::to_string(addresses)? } else { welcome(addresses) };
        writeln!(std::io::stdout(), "{text}")?;
        std::future::pending().await
    };
    tokio::select! {
        () = shutdown => Ok(()),
        result = serve => result,
    }
}

/// The addresses with one sentence each, and the first commands. A test runs the commands as they are printed.
fn welcome(addresses: &Addresses) -> String {
    let part = |Part { name, address, sentence }| format!("{name:<17} {address:<29} {sentence}");
    let command = |Command { sentence, text }| format!("  # {sentence}\n  {text}\n");
    let mut lines: Vec<String> = parts(addresses).into_iter().map(part).collect();
    lines.push("\nThe first three commands, for another terminal:\n".to_owned());
    lines.extend(first_commands(addresses).map(command));
    lines.push(format!("{AFTER_COMMANDS} README.md continues from here."));
    lines.push("\nPress Ctrl-C to stop.".to_owned());
    lines.join("\n")
}
