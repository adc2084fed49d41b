//! Tests of the program that `cargo local` runs: what it prints, and its errors.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// Starts the program with any free ports.
fn start() -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_local"));
    program.args(["--port", "0", "--dynamodb-port", "0", "--no-schedules"]);
    program.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// Reads what the program prints when it is ready.
async fn welcome(program: &mut Child) -> Vec<String> {
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut lines = Vec::new();
    while let Some(line) = output.next_line().await.unwrap() {
        lines.push(line);
        if lines.last().is_some_and(|line| line == "Press Ctrl-C to stop.") {
            return lines;
        }
    }
    panic!("the program ended: {lines:?}");
}

#[tokio::test]
async fn the_commands_that_are_printed_work_as_they_are() {
    let mut program = start();
    let lines = welcome(&mut program).await;
    for name in [
        "API ",
        "Console ",
        "Demo shop ",
        "Inbox ",
        "Netaxept sandbox ",
        "Token issuer ",
        "DynamoDB ",
    ] {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        // Name, address and a sentence.
        assert!(line.contains(" http://127.0.0.1:") && line.ends_with('.'), "{line}");
    }
    let commands: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(commands.len(), 3, "{lines:?}");
    let shell = Command::new("sh").arg("-c").arg(commands.join("\n")).output().await.unwrap();
    let output = String::from_utf8(shell.stdout).unwrap();
    let [id, terminal] = output.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(id.parse::<u64>().is_ok(), "{output}");
    let netaxept = lines.iter().find(|line| line.starts_with("Netaxept sandbox ")).unwrap();
    assert!(netaxept.contains(terminal.split("/Terminal").next().unwrap()), "{output}");
    let page = local::http_client().unwrap().get(terminal).send().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().contains("okButton"));
}

#[tokio::test]
async fn a_port_that_is_in_use_is_one_clear_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, part, option) in [
        (["--port", &port, "--dynamodb-port", "0"], "the API", "cargo local --port 4000"),
        (["--port", "0", "--dynamodb-port", &port], "DynamoDB", "cargo local --dynamodb-port 8001"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_local")).args(arguments).output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = format!(
            "error: port {port} is in use by another program, and {part} needs it: stop that program, or use `{option}`\n"
        );
        assert_eq!((output.status.code(), error.as_str()), (Some(1), expected.as_str()));
        assert!(output.stdout.is_empty());
    }
}
