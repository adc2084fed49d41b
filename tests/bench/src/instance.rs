//! One process of a function, asked one event after the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::Error;
use crate::runtime_api::{Act, RuntimeApi};

/// How long a process may take for anything; under valgrind all is some fifty times slower.
const PATIENCE: Duration = Duration::from_mins(5);

/// A running function.
pub(crate) struct Instance {
    name: String,
    child: Child,
    api: RuntimeApi,
    started: Instant,
}

/// When an answer came, and what it was.
pub(crate) struct Answer {
    /// When.
    pub(crate) at: Instant,
    /// What.
    pub(crate) body: Vec<u8>,
}

impl Instance {
    /// Starts a program, below another one where `under` names it and its options.
    pub(crate) async fn start(
        name: &str,
        program: &Path,
        under: &[String],
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let api = RuntimeApi::start().await?;
        let mut command = match under.split_first() {
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

    /// Waits until it asks for its first event. How long that took.
    pub(crate) async fn ready(&mut self) -> Result<Duration, Error> {
        match self.act().await? {
            Act::Asks(at) => Ok(at - self.started),
            other @ (Act::Answers(..) | Act::Fails(_)) => Err(self.unexpected(&other)),
        }
    }

    /// Has it answer an event, and waits until it asks for another one: then all is done that belongs to it.
    pub(crate) async fn ask(&mut self, event: &Value) -> Result<Answer, Error> {
        self.api
            .events
            .send(event.to_string().into_bytes())
            .map_err(|error| Error::failed(&self.name, error))?;
        let answer = match self.act().await? {
            Act::Answers(at, body) => Answer { at, body: body.to_vec() },
            other @ (Act::Asks(_) | Act::Fails(_)) => return Err(self.unexpected(&other)),
        };
        match self.act().await? {
            Act::Asks(_) => Ok(answer),
            other @ (Act::Answers(..) | Act::Fails(_)) => Err(self.unexpected(&other)),
        }
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Its process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end, so that a profiler above it can write down what it saw, and waits for that.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        let id = self.child.id().unwrap_or_default().to_string();
        let failed = |error| Error::failed("kill", error);
        Command::new("kill").args(["-TERM", &id]).status().await.map_err(failed)?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.map_err(|late| Error::failed(&self.name, late)).map(drop)
    }

    async fn act(&mut self) -> Result<Act, Error> {
        tokio::select! {
            act = self.api.acts.recv() => act.ok_or_else(|| Error::failed(&self.name, "it is gone")),
            ended = self.child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(Error::failed(&self.name, format!("it ended: {how}")))
            }
            () = tokio::time::sleep(PATIENCE) => Err(Error::failed(&self.name, "it does nothing")),
        }
    }

    fn unexpected(&self, act: &Act) -> Error {
        let what = match act {
            Act::Asks(_) => "it asks for another event without an answer".to_owned(),
            Act::Answers(_, body) => {
                format!("it answers unasked: {}", String::from_utf8_lossy(body))
            }
            Act::Fails(body) => String::from_utf8_lossy(body).into_owned(),
        };
        Error::failed(&self.name, what)
    }
}
