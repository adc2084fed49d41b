//! AWS Lambda: starts the real function binaries and speaks the Runtime API (2018-06-01) to them.
//!
//! As on Lambda an instance handles one invocation at a time, another is started when all are busy, idle ones stay, a timeout
//! kills, and whoever dies fails the invocation that it had.

mod runtime_api;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::Error;
use crate::template::Function;

/// How many instances of one function there can be.
const MOST_INSTANCES: usize = 8;
/// How many lines of the functions' logs are kept.
const MOST_LINES: usize = 10_000;

/// Why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The function said that it failed.
    #[error("the function failed: {0}")]
    Failed(String),
    /// The instance died of it.
    #[error("the instance exited")]
    Exited,
    /// It took longer than the function's timeout.
    #[error("the function timed out")]
    TimedOut,
}

/// A line that a function wrote.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// Its binary.
    pub function: String,
    /// The text.
    pub line: String,
}

/// All functions. Clones are the same.
#[derive(Clone)]
pub struct Lambda {
    inner: Arc<Inner>,
}

struct Inner {
    pools: HashMap<String, Pool>,
    waiting: Mutex<HashMap<String, Waiting>>,
    instances: Mutex<HashMap<Uuid, Instance>>,
    lines: Mutex<VecDeque<LogLine>>,
    runtime_api: String,
    environment: BTreeMap<String, String>,
    echo: bool,
}

/// The invocations of one function.
struct Pool {
    function: Function,
    program: std::path::PathBuf,
    send: mpsc::UnboundedSender<Invocation>,
    receive: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    load: Mutex<Load>,
}

#[derive(Default)]
struct Load {
    instances: usize,
    invocations: usize,
}

struct Invocation {
    id: String,
    trace_id: String,
    payload: Vec<u8>,
}

struct Waiting {
    function: String,
    answer: oneshot::Sender<Result<Vec<u8>, NoAnswer>>,
    instance: Option<Uuid>,
}

/// Whether an instance may begin with an invocation.
enum Begun {
    Yes,
    NobodyWaits,
    Dead,
}

struct Instance {
    function: String,
    process: Option<u32>,
    kill: Arc<Notify>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lambda {
    /// Serves these functions, whose binaries are in a folder; each gets its own variables and these. With `echo`, what they
    /// write goes to standard error too.
    ///
    /// # Errors
    /// No port is free, or a binary is missing.
    pub async fn start(
        functions: Vec<Function>,
        folder: &Path,
        environment: BTreeMap<String, String>,
        echo: bool,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| Error::Port("the Runtime API", error))?;
        let address =
            listener.local_addr().map_err(|error| Error::Port("the Runtime API", error))?;
        let mut pools = HashMap::new();
        for function in functions {
            let program = folder.join(&function.binary);
            if !program.exists() {
                return Err(Error::Build(format!("there is no binary {}", function.binary)));
            }
            let (send, receive) = mpsc::unbounded_channel();
            let (receive, load) = (tokio::sync::Mutex::new(receive), Mutex::default());
            pools.insert(function.binary.clone(), Pool { function, program, send, receive, load });
        }
        let inner = Inner {
            pools,
            waiting: Mutex::default(),
            instances: Mutex::default(),
            lines: Mutex::default(),
            runtime_api: format!("http://{address}"),
            environment,
            echo,
        };
        let lambda = Self { inner: Arc::new(inner) };
        let api = runtime_api::router(lambda.clone());
        tokio::spawn(async move { axum::serve(listener, api).await });
        Ok(lambda)
    }

    /// Has a function, named by its binary, answer an event.
    ///
    /// # Errors
    /// It failed, died or took too long.
    pub async fn invoke(&self, binary: &str, payload: Vec<u8>) -> Result<Vec<u8>, NoAnswer> {
        self.invoke_traced(binary, &new_trace_id(), payload).await
    }

    /// The same, as a part of a trace: a function's requests to `DynamoDB` carry the id on.
    ///
    /// # Errors
    /// As for [`Self::invoke`].
    pub async fn invoke_traced(
        &self,
        binary: &str,
        trace_id: &str,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>, NoAnswer> {
        let pool = self
            .inner
            .pools
            .get(binary)
            .ok_or_else(|| NoAnswer::Failed(format!("no function {binary}")))?;
        let id = Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        lock(&self.inner.waiting)
            .insert(id.clone(), Waiting { function: binary.to_owned(), answer, instance: None });
        let _counted = Counted::new(pool);
        self.make_room(pool)?;
        let invocation = Invocation { id: id.clone(), trace_id: trace_id.to_owned(), payload };
        pool.send.send(invocation).map_err(|_| NoAnswer::Exited)?;
        if let Ok(answer) = tokio::time::timeout(pool.function.timeout, answered).await {
            answer.unwrap_or(Err(NoAnswer::Exited))
        } else {
            let instance =
                lock(&self.inner.waiting).remove(&id).and_then(|waiting| waiting.instance);
            if let Some(instance) = instance {
                self.kill(instance);
            }
            Err(NoAnswer::TimedOut)
        }
    }

    /// What the functions wrote, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        lock(&self.inner.lines).iter().cloned().collect()
    }

    /// The instances of a function that are alive.
    #[must_use]
    pub fn instances(&self, binary: &str) -> Vec<Uuid> {
        let instances = lock(&self.inner.instances);
        instances
            .iter()
            .filter(|(_, instance)| instance.function == binary)
            .map(|(id, _)| *id)
            .collect()
    }

    /// How much memory each instance of each function holds, in kB, where the system says so.
    #[must_use]
    pub fn resident_kilobytes(&self) -> BTreeMap<String, Vec<u64>> {
        let mut resident: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for instance in lock(&self.inner.instances).values() {
            let status = instance.process.map(|id| format!("/proc/{id}/status"));
            let status = status.and_then(|path| std::fs::read_to_string(path).ok());
            let kilobytes: Option<u64> = status.as_deref().and_then(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
                line.split_ascii_whitespace().next()?.parse().ok()
            });
            resident.entry(instance.function.clone()).or_default().extend(kilobytes);
        }
        resident
    }

    /// Kills an instance (SIGKILL); what it had to answer fails.
    pub fn kill(&self, instance: Uuid) {
        if let Some(instance) = lock(&self.inner.instances).get(&instance) {
            instance.kill.notify_one();
        }
    }

    /// Starts another instance when all are busy.
    fn make_room(&self, pool: &Pool) -> Result<(), NoAnswer> {
        let mut load = lock(&pool.load);
        if load.invocations > load.instances && load.instances < MOST_INSTANCES {
            load.instances += 1;
            self.launch(pool).inspect_err(|_| load.instances -= 1)?;
        }
        Ok(())
    }

    fn launch(&self, pool: &Pool) -> Result<(), NoAnswer> {
        let (id, name) = (Uuid::new_v4(), pool.function.binary.clone());
        // Until it is known it cannot be told anything: it may ask before this thread goes on.
        let mut instances = lock(&self.inner.instances);
        let mut child = Command::new(&pool.program)
            .env_clear()
            .envs(&pool.function.environment)
            .envs(&self.inner.environment)
            .env("AWS_ACCESS_KEY_ID", &name)
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_LAMBDA_FUNCTION_NAME", &name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", pool.function.memory.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", id.to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{name}/{id}", self.inner.runtime_api))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| NoAnswer::Failed(format!("{name}: {error}")))?;
        self.collect(&name, child.stdout.take());
        self.collect(&name, child.stderr.take());
        let kill = Arc::new(Notify::new());
        let instance = Instance { function: name.clone(), process: child.id(), kill: kill.clone() };
        instances.insert(id, instance);
        drop(instances);
        tokio::spawn(self.clone().watch(id, name, child, kill));
        Ok(())
    }

    /// Waits for the end of an instance, and fails what it had to answer.
    async fn watch(self, id: Uuid, binary: String, mut child: Child, kill: Arc<Notify>) {
        tokio::select! {
            _ = child.wait() => {}
            () = kill.notified() => drop(child.kill().await),
        }
        lock(&self.inner.instances).remove(&id);
        let last = self.inner.pools.get(&binary).is_some_and(|pool| {
            let mut load = lock(&pool.load);
            load.instances -= 1;
            load.instances == 0
        });
        let mut waiting = lock(&self.inner.waiting);
        // The last one that dies, perhaps before it was ready, takes those along that nobody has begun.
        let is_lost = |one: &Waiting| match one.instance {
            Some(instance) => instance == id,
            None => last && one.function == binary,
        };
        let had: Vec<String> = waiting
            .iter()
            .filter(|(_, waiting)| is_lost(waiting))
            .map(|(id, _)| id.clone())
            .collect();
        for invocation in had {
            if let Some(waiting) = waiting.remove(&invocation) {
                // Whoever asked may have gone.
                waiting.answer.send(Err(NoAnswer::Exited)).unwrap_or_default();
            }
        }
    }

    fn collect(&self, function: &str, output: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let Some(output) = output else { return };
        let (lambda, function) = (self.clone(), function.to_owned());
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if lambda.inner.echo {
                    tracing::info!("{function}: {line}");
                }
                lambda.keep(&function, line);
            }
        });
    }

    /// An invocation goes to an instance, which is answerable for it from now on.
    fn begin(&self, id: &str, instance: Uuid) -> Begun {
        let mut waiting = lock(&self.inner.waiting);
        let Some(waiting) = waiting.get_mut(id) else { return Begun::NobodyWaits };
        // Looked up while `waiting` is locked: an instance that dies after this finds the invocation and fails it.
        if !lock(&self.inner.instances).contains_key(&instance) {
            return Begun::Dead;
        }
        waiting.instance = Some(instance);
        Begun::Yes
    }

    fn keep(&self, function: &str, line: String) {
        let mut kept = lock(&self.inner.lines);
        if kept.len() == MOST_LINES {
            kept.pop_front();
        }
        kept.push_back(LogLine { function: function.to_owned(), line });
    }

    fn answer(&self, id: &str, answer: Result<Vec<u8>, NoAnswer>) -> StatusCode {
        match lock(&self.inner.waiting).remove(id) {
            Some(waiting) => {
                waiting.answer.send(answer).unwrap_or_default();
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// A trace that nobody else has: `Root=1-`, eight hexadecimal digits of the time, which is not told here, and 24 by chance.
#[must_use]
pub fn new_trace_id() -> String {
    let chance = Uuid::new_v4().simple().to_string();
    format!("Root=1-00000000-{};Sampled=0", &chance[..24])
}

/// An invocation counts from the call to the answer, however that ends.
struct Counted<'a>(&'a Pool);

impl<'a> Counted<'a> {
    fn new(pool: &'a Pool) -> Self {
        lock(&pool.load).invocations += 1;
        Self(pool)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        lock(&self.0.load).invocations -= 1;
    }
}
