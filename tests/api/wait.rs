//! `?wait=` (api.md §7): a request that waits until there is news of a card setup or of a transaction.

mod limit;
mod measured;
mod transactions;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{PAYMENTS, Response, SCHEDULED, Size, TestApi, VISA};

/// The functions that can wait.
const WAITING: [&str; 2] = ["get-recurring-payment", "get-transaction"];
/// A card that is declined permanently.
const DECLINED: &str = "4925000000000087";
/// The highest number of reads of a request.
const MAX_READS: usize = 8;
/// The shortest wait with eight reads, and the longest wait, in seconds.
const LONG_WAIT: Size = Size { usual: 7, full: 20 };

/// The reads of the functions that can wait, by invocation.
struct Reads {
    receiver: UnboundedReceiver<String>,
    counts: BTreeMap<String, usize>,
}

impl Reads {
    /// From now on counts the reads. Call it once for a service.
    fn of(api: &TestApi) -> Self {
        let (sender, receiver) = unbounded_channel();
        api.local.dynamodb().observe(move |exchange| {
            let function = exchange.request.function.as_str();
            if WAITING.contains(&function) && exchange.request.operation == "GetItem" {
                sender.send(exchange.trace_id.to_owned()).unwrap_or_default();
            }
        });
        Self { receiver, counts: BTreeMap::new() }
    }

    fn add(&mut self, invocation: String) {
        *self.counts.entry(invocation).or_default() += 1;
    }

    /// Waits until this number of requests has read once.
    async fn begun(&mut self, requests: usize) {
        while self.counts.len() < requests {
            let invocation = self.receiver.recv().await.unwrap();
            self.add(invocation);
        }
    }

    /// The number of reads of each request since the last call.
    fn take(&mut self) -> Vec<usize> {
        while let Ok(invocation) = self.receiver.try_recv() {
            self.add(invocation);
        }
        std::mem::take(&mut self.counts).into_values().collect()
    }

    /// Asserts that each request has read again, and that it was answered before its time was over.
    fn assert_early(&mut self, requests: usize) {
        let reads = self.take();
        assert_eq!(reads.len(), requests);
        assert!(reads.iter().all(|count| (2..MAX_READS).contains(count)), "{reads:?}");
    }
}

impl TestApi {
    /// Gets an object, and waits for news.
    async fn wait(&self, path: &str, seconds: u64) -> Response {
        self.call("GET", &format!("{path}?wait={seconds}"), None).await
    }

    async fn wait_for_setup(&self, id: &Value, seconds: u64) -> Response {
        self.wait(&format!("{PAYMENTS}/{id}"), seconds).await
    }

    async fn create_id(&self, customer: &str) -> Value {
        self.create(customer, json!({})).await["recurringPaymentId"].clone()
    }
}

/// What ends a wait for a card setup.
#[derive(Debug, Clone, Copy)]
enum News {
    Authorized,
    CalledBack,
    Cancelled,
    Declined,
    Ended,
    /// The schedule runs last, because it completes every setup with a card.
    CompletedBySchedule,
}

impl News {
    const ALL: [Self; 6] = [
        Self::Authorized,
        Self::CalledBack,
        Self::Cancelled,
        Self::Declined,
        Self::Ended,
        Self::CompletedBySchedule,
    ];

    /// What the customer, the client or the service does, and the status afterwards.
    async fn happen(self, api: &TestApi, id: &Value, uri: &str) -> &'static str {
        match self {
            Self::Authorized => {
                api.submit_card(uri, VISA, "okButton").await;
                assert_eq!(api.authorize(id).await.status, StatusCode::OK);
                "ACTIVE"
            }
            Self::CalledBack => {
                api.submit_card(uri, VISA, "okButton").await;
                let session = uri.split_once("transactionId=").unwrap().1;
                let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
                let body = json!({ "TransactionId": session }).to_string();
                let headers = [("content-type", "application/json")];
                let answer = api.send("POST", &path, &headers, Some(&body)).await;
                assert_eq!(answer.status, StatusCode::OK);
                "ACTIVE"
            }
            Self::Cancelled => {
                api.submit_card(uri, VISA, "cancelButton").await;
                let refused = api.authorize(id).await;
                assert_eq!(refused.problem(), (409, "terminal-cancelled".to_owned()));
                "CREATED"
            }
            Self::Declined => {
                api.submit_card(uri, DECLINED, "okButton").await;
                assert_eq!(api.authorize(id).await.problem(), (409, "declined".to_owned()));
                "CREATED"
            }
            Self::Ended => {
                let ended = api.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
                assert_eq!(ended.status, StatusCode::OK);
                "CANCELLED"
            }
            Self::CompletedBySchedule => {
                api.submit_card(uri, VISA, "okButton").await;
                api.local.clock().advance("PT1M1S").unwrap();
                api.run_schedule(SCHEDULED[1]).await;
                "ACTIVE"
            }
        }
    }
}

#[tokio::test]
async fn a_wait_for_a_setup_ends_with_its_news() {
    let api = TestApi::new().await;
    let mut setups = Vec::new();
    for (number, news) in News::ALL.into_iter().enumerate() {
        let id = api.create_id(&number.to_string()).await;
        let uri = api.open_terminal(&id).await;
        setups.push((news, id, uri));
    }
    let mut reads = Reads::of(&api);
    let waits = join_all(setups.iter().map(|(_, id, _)| api.wait_for_setup(id, 20)));
    let happening = async {
        reads.begun(setups.len()).await;
        let mut statuses = Vec::new();
        for (news, id, uri) in &setups {
            statuses.push(news.happen(&api, id, uri).await);
        }
        statuses
    };
    let (responses, statuses) = tokio::join!(waits, happening);
    for (((news, id, _), response), status) in setups.iter().zip(&responses).zip(statuses) {
        assert_eq!(response.status, StatusCode::OK, "{news:?}: {response:?}");
        assert_eq!(response.json()["recurringStatus"], status, "{news:?}");
        // The object is the same without a wait, and with a wait for what is known already.
        for again in ["", "?wait=20"] {
            let path = format!("{PAYMENTS}/{id}{again}");
            assert_eq!(api.call("GET", &path, None).await.text, response.text, "{news:?}");
        }
    }
    let counts = reads.take();
    let (early, at_once): (Vec<_>, Vec<_>) = counts.into_iter().partition(|count| *count > 1);
    assert_eq!((early.len(), at_once.len()), (setups.len(), 2 * setups.len()));
    assert!(early.iter().all(|count| *count < MAX_READS), "{early:?}");
}

/// Without news, the object is answered after the time, as it is.
#[tokio::test]
async fn a_wait_without_news_ends_after_its_time() {
    let api = TestApi::new().await;
    let (created, at_terminal) = (api.create_id("4711").await, api.create_id("4712").await);
    api.open_terminal(&at_terminal).await;
    let card = api.create_active("4713").await;
    let charge = api.buy("order-1", &card, "100.00").await;
    api.open_page(charge).await;
    let mut reads = Reads::of(&api);
    let paths =
        [format!("{PAYMENTS}/{created}"), format!("{PAYMENTS}/{at_terminal}"), charge.path("")];
    for (seconds, expected) in [(0, 1), (1, 2), (2, 3), (LONG_WAIT.get(), MAX_READS)] {
        let started = Instant::now();
        for response in join_all(paths.iter().map(|path| api.wait(path, seconds))).await {
            assert_eq!(response.status, StatusCode::OK, "{response:?}");
            let body = response.json();
            let status = body.get("recurringStatus").unwrap_or(&body["status"]);
            assert!(["CREATED", "INITIATED"].contains(&status.as_str().unwrap()), "{body}");
        }
        let elapsed = started.elapsed();
        assert!(Duration::from_secs(seconds) <= elapsed, "{elapsed:?}");
        assert!(elapsed < Duration::from_secs(28), "{elapsed:?}");
        assert_eq!(reads.take(), [expected; 3], "{seconds}");
    }
    for path in &paths {
        assert_eq!(api.call("GET", path, None).await.status, StatusCode::OK);
    }
    assert_eq!(reads.take(), [1; 3]);
}

/// Each read is as of its own instant. So time alone is news, without a write.
#[tokio::test]
async fn a_wait_ends_when_time_changes_the_setup() {
    let api = TestApi::new().await;
    let (created, timed_out) = (api.create_id("4711").await, api.create_id("4712").await);
    api.open_terminal(&timed_out).await;
    api.local.clock().advance("PT14M56S").unwrap();
    let mut reads = Reads::of(&api);
    let response = api.wait_for_setup(&timed_out, 20).await;
    assert_eq!(response.json()["recurringStatus"], "CREATED");
    let [count] = reads.take()[..] else { panic!("one request") };
    assert!(count < MAX_READS, "{count}");
    api.local.clock().advance("PT23H44M58S").unwrap();
    let partner = api.token("partner-demo", json!({})).await;
    let path = format!("{PAYMENTS}/{created}?wait=20");
    let response = api.call_as(&partner, "GET", &path, None).await;
    let body = response.json();
    let shown = (&body["recurringStatus"], &body["statusReason"]);
    assert_eq!(shown, (&json!("CANCELLED"), &json!("ABANDONED")), "{body}");
    let [count] = reads.take()[..] else { panic!("one request") };
    assert!(count < MAX_READS, "{count}");
}

#[tokio::test]
async fn other_values_of_wait_are_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, "100.00").await;
    api.local.dynamodb().clear_requests();
    for path in [format!("{PAYMENTS}/{card}"), charge.path("")] {
        for (query, code) in [
            ("wait", "seconds"),
            ("wait=", "seconds"),
            ("wait=-1", "seconds"),
            ("wait=%2B1", "seconds"),
            ("wait=21", "seconds"),
            ("wait=1.5", "seconds"),
            ("wait=1s", "seconds"),
            ("wait=%D9%A1", "seconds"),
            ("wait=99999999999999999999", "seconds"),
            ("wait=1&wait=1", "repeated"),
        ] {
            let response = api.call("GET", &format!("{path}?{query}"), None).await;
            assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{query}");
            let errors = &response.json()["errors"];
            assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!("wait"), &json!(code)));
            assert_eq!(errors[1], Value::Null);
        }
    }
    assert_eq!(api.local.dynamodb().requests(), []);
}

/// The log line has the time of the wait by itself, so that alarms about latency do not see it.
#[tokio::test]
async fn the_latency_in_the_log_does_not_contain_the_wait() {
    let api = TestApi::new().await;
    let id = api.create_id("4711").await;
    api.wait_for_setup(&id, 0).await;
    api.wait_for_setup(&id, 2).await;
    let lines = api.log_lines(WAITING[0], "request");
    let milliseconds = |line: &Value, name: &str| line.get(name).and_then(Value::as_u64);
    assert_eq!(milliseconds(&lines[0], "waited_ms"), None);
    assert!(
        milliseconds(&lines[1], "waited_ms")
            .is_some_and(|waited| (1_900..=2_100).contains(&waited))
    );
    let latency = milliseconds(&lines[1], "latency_ms").unwrap();
    assert!(latency < 1_900, "{latency}");
}
