use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::*;

/// Two programs. They call no Runtime API; the test does so in their place. Both are written before the first one is started: a
/// file that is still open for writing, even in a forked process, cannot be executed.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("local-{}", Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    for (name, script) in [("waits", "exec sleep 600"), ("exits", "echo last words; exit 1")] {
        std::fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        let all = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.join(name), all).unwrap();
    }
    folder
});

const LONG_TIMEOUT: Duration = Duration::from_mins(1);

/// A function without schedule and routes.
pub(crate) fn function(binary: &str, timeout: Duration) -> Function {
    Function {
        logical_id: "Test".to_owned(),
        binary: binary.to_owned(),
        timeout,
        memory: 128,
        environment: BTreeMap::new(),
        routes: Vec::new(),
        schedule: None,
    }
}

pub(crate) async fn lambda_of(functions: Vec<Function>) -> Lambda {
    Lambda::start(functions, &PROGRAMS, BTreeMap::new(), false).await.unwrap()
}

async fn lambda(binary: &str, timeout: Duration) -> Lambda {
    lambda_of(vec![function(binary, timeout)]).await
}

/// Calls the Runtime API in place of the only instance of `waits`.
pub(crate) struct Runtime {
    http: reqwest::Client,
    instance: Uuid,
    base: String,
}

impl Runtime {
    pub(crate) async fn of(lambda: &Lambda) -> Self {
        let instance = loop {
            if let Some(instance) = lambda.instances("waits").first() {
                break *instance;
            }
            tokio::task::yield_now().await;
        };
        let base = format!("{}/waits/{instance}/2018-06-01/runtime", lambda.inner.runtime_api);
        Self { http: crate::http_client().unwrap(), instance, base }
    }

    async fn fetch(&self) -> reqwest::Response {
        self.http.get(format!("{}/invocation/next", self.base)).send().await.unwrap()
    }

    /// The next invocation's id and event.
    pub(crate) async fn next(&self) -> (String, Vec<u8>) {
        let next = self.fetch().await;
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        (id, next.bytes().await.unwrap().to_vec())
    }

    /// Answers an invocation, and returns the status.
    pub(crate) async fn respond(&self, id: &str, answer: &'static str) -> u16 {
        self.post(id, "response", answer).await
    }

    pub(crate) async fn fail(&self, id: &str, error: &'static str) -> u16 {
        self.post(id, "error", error).await
    }

    async fn post(&self, id: &str, path: &str, body: &'static str) -> u16 {
        let url = format!("{}/invocation/{id}/{path}", self.base);
        self.http.post(url).body(body).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn an_event_is_fetched_and_answered() {
    let lambda = lambda("waits", LONG_TIMEOUT).await;
    let runtime = async {
        let runtime = Runtime::of(&lambda).await;
        let next = runtime.fetch().await;
        let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
        let id = header("lambda-runtime-aws-request-id");
        assert!(header("lambda-runtime-invoked-function-arn").ends_with(":function:waits"));
        let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!(deadline > now && deadline <= now + LONG_TIMEOUT.as_millis());
        assert_eq!(header("lambda-runtime-trace-id"), "Root=1-2-3");
        assert_eq!(next.text().await.unwrap(), "event");
        (runtime.respond(&id, "answer").await, runtime.respond(&id, "again").await)
    };
    let (answer, statuses) =
        tokio::join!(lambda.invoke_traced("waits", "Root=1-2-3", b"event".to_vec()), runtime);
    assert_eq!((answer.unwrap().as_slice(), statuses), (&b"answer"[..], (202, 400)));
    assert_eq!(lambda.instances("waits").len(), 1, "the instance stays");
}

#[tokio::test]
async fn a_function_can_report_an_error() {
    let lambda = lambda("waits", LONG_TIMEOUT).await;
    let runtime = async {
        let runtime = Runtime::of(&lambda).await;
        runtime.fail(&runtime.next().await.0, "why").await;
    };
    let (answer, ()) = tokio::join!(lambda.invoke("waits", Vec::new()), runtime);
    assert_eq!(answer, Err(InvocationError::Failed("why".to_owned())));
}

#[tokio::test]
async fn an_exit_a_timeout_and_a_kill_fail_the_invocation() {
    let exits = lambda("exits", LONG_TIMEOUT).await;
    assert_eq!(exits.invoke("exits", Vec::new()).await, Err(InvocationError::Exited));
    let slow = lambda("waits", Duration::from_millis(50)).await;
    assert_eq!(slow.invoke("waits", Vec::new()).await, Err(InvocationError::TimedOut));
    let killed = lambda("waits", LONG_TIMEOUT).await;
    let kill = async { killed.kill(Runtime::of(&killed).await.instance) };
    let (answer, ()) = tokio::join!(killed.invoke("waits", Vec::new()), kill);
    assert_eq!(answer, Err(InvocationError::Exited));
    assert!(killed.instances("waits").is_empty());
}

#[tokio::test]
async fn an_instance_that_exited_gets_no_event() {
    let lambda = lambda("waits", LONG_TIMEOUT).await;
    let both = async {
        let running = Runtime::of(&lambda).await;
        let base = running.base.replace(&running.instance.to_string(), &Uuid::new_v4().to_string());
        let exited = Runtime { http: running.http.clone(), instance: running.instance, base };
        let status = exited.fetch().await.status().as_u16();
        running.respond(&running.next().await.0, "").await;
        status
    };
    let (answer, status) = tokio::join!(lambda.invoke("waits", Vec::new()), both);
    assert_eq!((answer, status), (Ok(Vec::new()), 410));
}
