mod pages;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::Addresses;
use crate::activity::Activity;
use crate::clock::Clock;
use crate::dynamodb::Dynamodb;
use crate::iam::Policies;
use crate::inbox::Inbox;
use crate::issuer::Issuer;
use crate::lambda::tests::{Runtime, function, lambda_of};
use crate::listeners::Listener;
use crate::netaxept::Netaxept;
use crate::scheduler::Scheduler;
use crate::secrets::Secrets;
use crate::side_effects::SideEffects;
use crate::template::Function;

/// A console and its address. Its only scheduled function is `waits`; the test answers for it.
async fn console() -> (Local, String) {
    let minute = Duration::from_mins(1);
    let functions = [Function { schedule: Some(minute), ..function("waits", minute) }];
    let lambda = lambda_of(functions.to_vec()).await;
    let clock = Clock::default();
    let nowhere = "http://127.0.0.1:1".to_owned();
    let local = Local {
        addresses: Addresses {
            api: nowhere.clone(),
            console: nowhere.clone(),
            netaxept: nowhere.clone(),
            issuer: nowhere.clone(),
            dynamodb: nowhere.clone(),
            secrets: nowhere.clone(),
        },
        issuer: Issuer::new(nowhere, clock.clone()).unwrap(),
        dynamodb: Dynamodb::start(0, None).await.unwrap(),
        netaxept: Netaxept::new(clock.clone()),
        scheduler: Scheduler::new(lambda.clone(), clock.clone(), &functions),
        inbox: Inbox::new(clock.clone()),
        secrets: Secrets::new(BTreeMap::new(), Policies::default()),
        policies: Policies::default(),
        side_effects: SideEffects::default(),
        activity: Activity::new(clock.clone()),
        lambda,
        clock,
    };
    let listener = Listener::open("the console", 0).await.unwrap();
    let address = listener.address().unwrap();
    let router = router(&local);
    listener.serve(router);
    (local, address)
}

#[tokio::test]
async fn a_scheduled_function_runs_on_request() {
    let (local, address) = console().await;
    let http = crate::http_client().unwrap();
    let runtime = async {
        let runtime = Runtime::of(&local.lambda).await;
        runtime.respond(&runtime.next().await.0, "{\"done\":1}").await;
        runtime.respond(&runtime.next().await.0, "{}").await;
        runtime.fail(&runtime.next().await.0, "why").await;
    };
    let calls = async {
        let run = async |function: &str, kind: &str| {
            let request = http.post(format!("{address}/schedule/{function}"));
            let answer = request.header("content-type", kind).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let done = (200, "{\"done\":1}".to_owned());
        assert_eq!(run("waits", "application/json").await, done);
        let back = (303, String::new());
        assert_eq!(run("waits", "application/x-www-form-urlencoded").await, back);
        let failed = (502, "{\"message\":\"the function failed: why\"}".to_owned());
        assert_eq!(run("waits", "application/json").await, failed);
        let unknown =
            (404, "{\"message\":\"there is no scheduled function get-thing\"}".to_owned());
        assert_eq!(run("get-thing", "application/json").await, unknown);
    };
    tokio::join!(runtime, calls);
}

/// Swagger UI is in its crate: the console serves the page and all files that the page loads, and loads nothing from elsewhere.
#[tokio::test]
async fn the_api_page_loads_its_files_from_the_console() {
    let (_, address) = console().await;
    let http = crate::http_client().unwrap();
    let get = async |path: &str| {
        let answer = http.get(format!("{address}{path}")).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let (status, kind, page) = get("/api").await;
    assert_eq!((status, kind.as_str()), (200, "text/html"));
    assert!(!page.contains("//"), "an absolute address in {page}");
    let loaded = ["href=\"", "src=\"", "url: '"].map(|before| {
        let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("{before} in {page}"));
        rest.split(['"', '\'']).next().unwrap()
    });
    assert_eq!(loaded, ["/api/swagger-ui.css", "/api/swagger-ui-bundle.js", "/api/openapi.yaml"]);
    for (path, expected) in
        loaded.into_iter().zip(["text/css", "text/javascript", "application/yaml"])
    {
        let (status, kind, text) = get(path).await;
        assert_eq!((status, kind.as_str()), (200, expected), "{path}");
        assert!(text.len() > 10_000, "{path}");
    }
    let document = crate::yaml::document(&get("/api/openapi.yaml").await.2, |_, _| None).unwrap();
    assert_eq!(document["servers"].as_array().unwrap().len(), 1);
    assert_eq!(document["servers"][0]["url"], "http://127.0.0.1:1");
}
