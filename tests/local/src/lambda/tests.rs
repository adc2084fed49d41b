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

async fn lambda(binary: &str, timeout: Duration) -> Lambda {
    let function = Function {
        logical_id: "Play".to_owned(),
        binary: binary.to_owned(),
        timeout,
        memory: 128,
        environment: BTreeMap::new(),
        routes: Vec::new(),
    };
    Lambda::start(vec![function], &PROGRAMS, BTreeMap::new(), false).await.unwrap()
}

/// The runtime's part, for the one instance that there will be.
async fn base(lambda: &Lambda) -> (Uuid, String) {
    let instance = loop {
        if let Some(instance) = lambda.instances("waits").first() {
            break *instance;
        }
        tokio::task::yield_now().await;
    };
    (instance, format!("{}/waits/{instance}/2018-06-01/runtime", lambda.inner.runtime_api))
}

#[tokio::test]
async fn an_event_is_fetched_and_answered() {
    let lambda = lambda("waits", LONG).await;
    let http = crate::http_client().unwrap();
    let runtime = async {
        let (_, base) = base(&lambda).await;
        let next = http.get(format!("{base}/invocation/next")).send().await.unwrap();
        let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
        let id = header("lambda-runtime-aws-request-id");
        assert!(header("lambda-runtime-invoked-function-arn").ends_with(":function:waits"));
        let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!(deadline > now && deadline <= now + LONG.as_millis());
        assert_eq!(next.text().await.unwrap(), "question");
        let url = format!("{base}/invocation/{id}/response");
        let accepted = http.post(&url).body("answer").send().await.unwrap().status();
        let again = http.post(&url).body("again").send().await.unwrap().status();
        (accepted.as_u16(), again.as_u16())
    };
    let (answer, statuses) = tokio::join!(lambda.invoke("waits", b"question".to_vec()), runtime);
    assert_eq!((answer.unwrap().as_slice(), statuses), (&b"answer"[..], (202, 400)));
    assert_eq!(lambda.instances("waits").len(), 1, "it stays for the next event");
}

#[tokio::test]
async fn a_function_can_say_that_it_failed() {
    let lambda = lambda("waits", LONG).await;
    let http = crate::http_client().unwrap();
    let runtime = async {
        let (_, base) = base(&lambda).await;
        let next = http.get(format!("{base}/invocation/next")).send().await.unwrap();
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        http.post(format!("{base}/invocation/{id}/error")).body("why").send().await.unwrap();
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
    let kill = async { killed.kill(base(&killed).await.0) };
    let (answer, ()) = tokio::join!(killed.invoke("waits", Vec::new()), kill);
    assert_eq!(answer, Err(NoAnswer::Exited));
    assert!(killed.instances("waits").is_empty());
}

#[tokio::test]
async fn a_dead_instance_gets_no_event() {
    let lambda = lambda("waits", LONG).await;
    let http = crate::http_client().unwrap();
    let both = async {
        let (instance, base) = base(&lambda).await;
        let dead = base.replace(&instance.to_string(), &Uuid::new_v4().to_string());
        let status =
            http.get(format!("{dead}/invocation/next")).send().await.unwrap().status().as_u16();
        let next = http.get(format!("{base}/invocation/next")).send().await.unwrap();
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        http.post(format!("{base}/invocation/{id}/response")).send().await.unwrap();
        status
    };
    let (answer, status) = tokio::join!(lambda.invoke("waits", Vec::new()), both);
    assert_eq!((answer, status), (Ok(Vec::new()), 410));
}
