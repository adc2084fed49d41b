use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::*;

/// Two programs: where they had to answer something, the test does so in their place. Both are written before the first
/// one is started: a file that is still open for writing, if only in a fork, cannot be run.
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

const LONG: Duration = Duration::from_mins(1);

/// A function without schedule or routes.
pub(crate) fn function(binary: &str, timeout: Duration) -> Function {
    Function {
        logical_id: "Play".to_owned(),
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

/// The runtime's part, for the one instance of `waits` that there will be.
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

    /// The status.
    pub(crate) async fn respond(&self, id: &str, answer: &'static str) -> u16 {
        self.say(id, "response", answer).await
    }

    pub(crate) async fn fail(&self, id: &str, why: &'static str) -> u16 {
        self.say(id, "error", why).await
    }

    async fn say(&self, id: &str, what: &str, body: &'static str) -> u16 {
        let url = format!("{}/invocation/{id}/{what}", self.base);
        self.http.post(url).body(body).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn an_event_is_fetched_and_answered() {
    let lambda = lambda("waits", LONG).await;
    let runtime = async {
        let runtime = Runtime::of(&lambda).await;
        let next = runtime.fetch().await;
        let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
        let id = header("lambda-runtime-aws-request-id");
        assert!(header("lambda-runtime-invoked-function-arn").ends_with(":function:waits"));
        let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!(deadline > now && deadline <= now + LONG.as_millis());
        assert_eq!(header("lambda-runtime-trace-id"), "Root=1-2-3");
        assert_eq!(next.text().await.unwrap(), "question");
        (runtime.respond(&id, "answer").await, runtime.respond(&id, "again").await)
    };
    let (answer, statuses) =
        tokio::join!(lambda.invoke_traced("waits", "Root=1-2-3", b"question".to_vec()), runtime);
    assert_eq!((answer.unwrap().as_slice(), statuses), (&b"answer"[..], (202, 400)));
    assert_eq!(lambda.instances("waits").len(), 1, "it stays for the next event");
}

#[tokio::test]
async fn a_function_can_say_that_it_failed() {
    let lambda = lambda("waits", LONG).await;
    let runtime = async {
        let runtime = Runtime::of(&lambda).await;
        runtime.fail(&runtime.next().await.0, "why").await;
    };
    let (answer, ()) = tokio::join!(lambda.invoke("waits", Vec::new()), runtime);
    assert_eq!(answer, Err(NoAnswer::Failed("why".to_owned())));
}

#[tokio::test]
async fn whoever_dies_or_is_too_slow_fails_its_event() {
    let exits = lambda("exits", LONG).await;
    assert_eq!(exits.invoke("exits", Vec::new()).await, Err(NoAnswer::Exited));
    let slow = lambda("waits", Duration::from_millis(50)).await;
    assert_eq!(slow.invoke("waits", Vec::new()).await, Err(NoAnswer::TimedOut));
    let killed = lambda("waits", LONG).await;
    let kill = async { killed.kill(Runtime::of(&killed).await.instance) };
    let (answer, ()) = tokio::join!(killed.invoke("waits", Vec::new()), kill);
    assert_eq!(answer, Err(NoAnswer::Exited));
    assert!(killed.instances("waits").is_empty());
}

#[tokio::test]
async fn a_dead_instance_gets_no_event() {
    let lambda = lambda("waits", LONG).await;
    let both = async {
        let alive = Runtime::of(&lambda).await;
        let base = alive.base.replace(&alive.instance.to_string(), &Uuid::new_v4().to_string());
        let dead = Runtime { http: alive.http.clone(), instance: alive.instance, base };
        let status = dead.fetch().await.status().as_u16();
        alive.respond(&alive.next().await.0, "").await;
        status
    };
    let (answer, status) = tokio::join!(lambda.invoke("waits", Vec::new()), both);
    assert_eq!((answer, status), (Ok(Vec::new()), 410));
}
