//! A process of a function, which processes one event after the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::Error;
use crate::runtime_api::{Action, RuntimeApi};

/// Timeout for each step of a process; valgrind makes it about fifty times slower.
const TIMEOUT: Duration = Duration::from_mins(5);

/// A running function.
pub(crate) struct Instance {
    name: String,
    child: Child,
    api: RuntimeApi,
    started: Instant,
}

/// A response and the instant of its arrival.
pub(crate) struct Response {
    /// The instant.
    pub(crate) at: Instant,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Instance {
    /// Starts a program. If `wrapper` is not empty, it is the command and options that run the program.
    pub(crate) async fn start(
        name: &str,
        program: &Path,
        wrapper: &[String],
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let api = RuntimeApi::start().await?;
        let mut command = match wrapper.split_first() {
            Some((first, options)) => {
                let mut command = Command::new(first);
                command.args(options).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| Error::failed(name, error))?;
        Ok(Self { name: name.to_owned(), child, api, started })
    }

    /// Waits for the first request for an event. Returns the time since the start.
    pub(crate) async fn ready(&mut self) -> Result<Duration, Error> {
        match self.next_action().await? {
            Action::RequestsEvent(at) => Ok(at - self.started),
            other @ (Action::Responds(..) | Action::ReportsError(_)) => {
                Err(self.unexpected(&other))
            }
        }
    }

    /// Sends an event and waits for the response, and for the request for the next event, which ends all work for this one.
    pub(crate) async fn send(&mut self, event: &Value) -> Result<Response, Error> {
        self.api
            .events
            .send(event.to_string().into_bytes())
            .map_err(|error| Error::failed(&self.name, error))?;
        let response = match self.next_action().await? {
            Action::Responds(at, body) => Response { at, body: body.to_vec() },
            other @ (Action::RequestsEvent(_) | Action::ReportsError(_)) => {
                return Err(self.unexpected(&other));
            }
        };
        match self.next_action().await? {
            Action::RequestsEvent(_) => Ok(response),
            other @ (Action::Responds(..) | Action::ReportsError(_)) => {
                Err(self.unexpected(&other))
            }
        }
    }

    /// The instant of the start.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The process id.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends SIGTERM, so that a profiler can write its results, and waits for the end.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        let id = self.child.id().unwrap_or_default().to_string();
        let failed = |error| Error::failed("kill", error);
        Command::new("kill").args(["-TERM", &id]).status().await.map_err(failed)?;
        let ended = tokio::time::timeout(TIMEOUT, self.child.wait()).await;
        ended.map_err(|elapsed| Error::failed(&self.name, elapsed)).map(drop)
    }

    async fn next_action(&mut self) -> Result<Action, Error> {
        tokio::select! {
            action = self.api.actions.recv() => action.ok_or_else(|| Error::failed(&self.name, "the Runtime API was closed")),
            ended = self.child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(Error::failed(&self.name, format!("it ended: {how}")))
            }
            () = tokio::time::sleep(TIMEOUT) => Err(Error::failed(&self.name, "timeout")),
        }
    }

    fn unexpected(&self, action: &Action) -> Error {
        let what = match action {
            Action::RequestsEvent(_) => "it requests another event without a response".to_owned(),
            Action::Responds(_, body) => {
                format!("response without an event: {}", String::from_utf8_lossy(body))
            }
            Action::ReportsError(body) => String::from_utf8_lossy(body).into_owned(),
        };
        Error::failed(&self.name, what)
    }
}
