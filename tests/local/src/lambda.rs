//! AWS Lambda: starts the real function binaries and serves the Runtime API (2018-06-01).
//!
//! As on Lambda, an instance processes one invocation at a time. Another instance is started when all are busy. Idle instances stay.
//! A timeout kills the instance. When an instance exits, its invocation fails.

mod active_invocation;
mod runtime_api;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::Error;
use crate::activity::{Activity, Event};
use crate::listeners::Listener;
use crate::template::Function;
use active_invocation::ActiveInvocation;

/// The highest number of instances of one function, unless [`Lambda::set_max_instances`] sets another.
const MAX_INSTANCES: usize = 8;
/// How many log lines are stored.
const MAX_LINES: usize = 10_000;

/// An invocation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The function reported an error.
    #[error("the function failed: {0}")]
    Failed(String),
    /// The instance exited.
    #[error("the instance exited")]
    Exited,
    /// The invocation took longer than the function's timeout.
    #[error("the function timed out")]
    TimedOut,
}

/// A line of a function's log.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// The function's binary.
    pub function: String,
    /// The text of the line.
    pub line: String,
}

/// The functions and their instances. Clones share their state.
#[derive(Clone)]
pub struct Lambda {
    inner: Arc<Inner>,
}

struct Inner {
    pools: HashMap<String, Pool>,
    pending: Mutex<HashMap<String, PendingInvocation>>,
    max_instances: AtomicUsize,
    instances: Mutex<HashMap<Uuid, Instance>>,
    lines: Mutex<VecDeque<LogLine>>,
    activity: OnceLock<Activity>,
    runtime_api: String,
    environment: BTreeMap<String, String>,
    echo: bool,
}

/// The instances and the queue of one function.
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

/// An invocation that is not answered yet.
struct PendingInvocation {
    function: String,
    answer: oneshot::Sender<Result<Vec<u8>, InvocationError>>,
    instance: Option<Uuid>,
}

/// The result of assigning an invocation to an instance.
enum Assignment {
    /// The instance processes the invocation.
    Assigned,
    /// The invocation has timed out.
    TimedOut,
    /// The instance has exited.
    InstanceExited,
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
    /// Serves these functions, whose binaries are in `folder`. `environment` has additional variables for each of them. With
    /// `echo`, their output is written to standard error too.
    ///
    /// # Errors
    /// Fails if no port is free, or if a binary is missing.
    pub async fn start(
        functions: Vec<Function>,
        folder: &Path,
        environment: BTreeMap<String, String>,
        echo: bool,
    ) -> Result<Self, Error> {
        let listener = Listener::open("the Runtime API", 0).await?;
        let runtime_api = listener.address()?;
        let mut pools = HashMap::new();
        for function in functions {
            let program = folder.join(&function.binary);
            if !program.exists() {
                return Err(Error::Build(format!("the binary {} is missing", function.binary)));
            }
            let (send, receive) = mpsc::unbounded_channel();
            let (receive, load) = (tokio::sync::Mutex::new(receive), Mutex::default());
            pools.insert(function.binary.clone(), Pool { function, program, send, receive, load });
        }
        let inner = Inner {
            pools,
            pending: Mutex::default(),
            max_instances: AtomicUsize::new(MAX_INSTANCES),
            instances: Mutex::default(),
            lines: Mutex::default(),
            activity: OnceLock::new(),
            runtime_api,
            environment,
            echo,
        };
        let lambda = Self { inner: Arc::new(inner) };
        let api = runtime_api::router(lambda.clone());
        listener.serve(api);
        Ok(lambda)
    }

    /// Invokes a function, named by its binary, with an event, and returns its answer.
    ///
    /// # Errors
    /// Fails if the function reports an error, exits or times out.
    pub async fn invoke(&self, binary: &str, payload: Vec<u8>) -> Result<Vec<u8>, InvocationError> {
        self.invoke_traced(binary, &new_trace_id(), payload).await
    }

    /// Like [`Self::invoke`], with a trace id, which the function's requests to `DynamoDB` carry too.
    ///
    /// # Errors
    /// The same as for [`Self::invoke`].
    pub async fn invoke_traced(
        &self,
        binary: &str,
        trace_id: &str,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>, InvocationError> {
        let pool = self
            .inner
            .pools
            .get(binary)
            .ok_or_else(|| InvocationError::Failed(format!("there is no function {binary}")))?;
        let id = Uuid::new_v4().to_string();
        let (answer, answer_receiver) = oneshot::channel();
        let pending = PendingInvocation { function: binary.to_owned(), answer, instance: None };
        lock(&self.inner.pending).insert(id.clone(), pending);
        let _active = ActiveInvocation::new(pool);
        self.start_instance_if_needed(pool)?;
        let invocation = Invocation { id: id.clone(), trace_id: trace_id.to_owned(), payload };
        pool.send.send(invocation).map_err(|_| InvocationError::Exited)?;
        if let Ok(answer) = tokio::time::timeout(pool.function.timeout, answer_receiver).await {
            answer.unwrap_or(Err(InvocationError::Exited))
        } else {
            let instance =
                lock(&self.inner.pending).remove(&id).and_then(|pending| pending.instance);
            if let Some(instance) = instance {
                self.kill(instance);
            }
            Err(InvocationError::TimedOut)
        }
    }

    /// The binaries of all functions, in alphabetical order.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.inner.pools.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// The log lines of all functions, oldest first; at most the last 10,000.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        lock(&self.inner.lines).iter().cloned().collect()
    }

    /// From now on records log lines in `activity`. Only the first call has an effect.
    pub(crate) fn record_in(&self, activity: Activity) {
        self.inner.activity.get_or_init(|| activity);
    }

    /// The running instances of a function.
    #[must_use]
    pub fn instances(&self, binary: &str) -> Vec<Uuid> {
        let instances = lock(&self.inner.instances);
        instances
            .iter()
            .filter(|(_, instance)| instance.function == binary)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The resident memory of each instance of each function, in kB, where `/proc` has it.
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

    /// Kills an instance (SIGKILL). Its invocation fails.
    pub fn kill(&self, instance: Uuid) {
        if let Some(instance) = lock(&self.inner.instances).get(&instance) {
            instance.kill.notify_one();
        }
    }

    /// Sets the highest number of instances of each function. More invocations wait until an instance is free.
    pub fn set_max_instances(&self, count: usize) {
        self.inner.max_instances.store(count, Ordering::Relaxed);
    }

    /// Starts another instance if all are busy.
    fn start_instance_if_needed(&self, pool: &Pool) -> Result<(), InvocationError> {
        let max = self.inner.max_instances.load(Ordering::Relaxed);
        let mut load = lock(&pool.load);
        if load.invocations > load.instances && load.instances < max {
            load.instances += 1;
            self.start_instance(pool).inspect_err(|_| load.instances -= 1)?;
        }
        Ok(())
    }

    fn start_instance(&self, pool: &Pool) -> Result<(), InvocationError> {
        let (id, name) = (Uuid::new_v4(), pool.function.binary.clone());
        // Locked until the instance is registered: its first request may arrive before this thread continues.
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
            .map_err(|error| InvocationError::Failed(format!("{name}: {error}")))?;
        self.collect_output(&name, child.stdout.take());
        self.collect_output(&name, child.stderr.take());
        let kill = Arc::new(Notify::new());
        let instance = Instance { function: name.clone(), process: child.id(), kill: kill.clone() };
        instances.insert(id, instance);
        drop(instances);
        tokio::spawn(self.clone().watch(id, name, child, kill));
        Ok(())
    }

    /// Waits until an instance exits, and fails its invocation.
    async fn watch(self, id: Uuid, binary: String, mut child: Child, kill: Arc<Notify>) {
        tokio::select! {
            _ = child.wait() => {}
            () = kill.notified() => drop(child.kill().await),
        }
        lock(&self.inner.instances).remove(&id);
        let no_instance_left = self.inner.pools.get(&binary).is_some_and(|pool| {
            let mut load = lock(&pool.load);
            load.instances -= 1;
            load.instances == 0
        });
        let mut pending = lock(&self.inner.pending);
        // When the last instance exits, perhaps before it was ready, the invocations without an instance fail too.
        let is_lost = |one: &PendingInvocation| match one.instance {
            Some(instance) => instance == id,
            None => no_instance_left && one.function == binary,
        };
        let lost: Vec<String> =
            pending.iter().filter(|(_, one)| is_lost(one)).map(|(id, _)| id.clone()).collect();
        for invocation in lost {
            if let Some(one) = pending.remove(&invocation) {
                // The caller may no longer wait.
                one.answer.send(Err(InvocationError::Exited)).unwrap_or_default();
            }
        }
    }

    fn collect_output(
        &self,
        function: &str,
        output: Option<impl AsyncRead + Unpin + Send + 'static>,
    ) {
        let Some(output) = output else { return };
        let (lambda, function) = (self.clone(), function.to_owned());
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if lambda.inner.echo {
                    tracing::info!("{function}: {line}");
                }
                lambda.store_line(&function, line);
            }
        });
    }

    /// Assigns an invocation to an instance.
    fn assign(&self, id: &str, instance: Uuid) -> Assignment {
        let mut pending = lock(&self.inner.pending);
        let Some(invocation) = pending.get_mut(id) else { return Assignment::TimedOut };
        // Checked while `pending` is locked: if the instance exits after this, `watch` finds the invocation and fails it.
        if !lock(&self.inner.instances).contains_key(&instance) {
            return Assignment::InstanceExited;
        }
        invocation.instance = Some(instance);
        Assignment::Assigned
    }

    fn store_line(&self, function: &str, line: String) {
        if let Some(activity) = self.inner.activity.get() {
            activity.record(Event::log(function, &line));
        }
        let mut lines = lock(&self.inner.lines);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(LogLine { function: function.to_owned(), line });
    }

    fn answer(&self, id: &str, answer: Result<Vec<u8>, InvocationError>) -> StatusCode {
        match lock(&self.inner.pending).remove(id) {
            Some(pending) => {
                pending.answer.send(answer).unwrap_or_default();
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// A new trace id: `Root=1-`, eight hexadecimal digits for the time, which are always zero here, and 24 random digits.
#[must_use]
pub fn new_trace_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-00000000-{};Sampled=0", &random[..24])
}
