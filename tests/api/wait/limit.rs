//! The limit of requests that wait at the same time (`MaxWaitingRequests`).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi};

/// The period in which waiting requests are counted, in seconds.
const PERIOD: i64 = 20;

pub(super) async fn with_limit(limit: &str) -> TestApi {
    let environment = [("MAX_WAITING_REQUESTS".to_owned(), limit.to_owned())].into();
    TestApi::with(local::Options { environment, ..local::Options::default() }).await
}

impl TestApi {
    /// Moves the clock to the start of the next period.
    fn begin_period(&self) {
        let clock = self.local.clock();
        let left = PERIOD - clock.now().as_second().rem_euclid(PERIOD);
        clock.advance(&format!("PT{left}S")).unwrap();
    }

    /// Sets the counts of waiting requests of this period of 20 seconds and of the next one to the limit of 100.
    pub(crate) async fn reach_waiting_limit(&self) {
        let period = self.local.clock().now().as_second().div_euclid(PERIOD);
        for period in [period, period + 1] {
            let key = (-period).to_string();
            let count = json!({ "minute": { "N": key }, "used": { "N": "100" } });
            let put = json!({ "TableName": "RateLimits", "Item": count });
            self.local.dynamodb().call("PutItem", &put).await.unwrap();
        }
    }

    /// The operations of the requests since the last call.
    fn take_operations(&self) -> Vec<String> {
        let requests = self.local.dynamodb().requests();
        self.local.dynamodb().clear_requests();
        requests.into_iter().map(|request| request.operation).collect()
    }
}

fn assert_refused(response: &Response) {
    assert_eq!(response.problem(), (429, "too-many-waiting-requests".to_owned()), "{response:?}");
    let seconds: i64 = response.header("retry-after").parse().unwrap();
    assert!((1..=PERIOD).contains(&seconds), "{seconds}");
    let detail = response.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("without wait"), "{detail}");
}

/// The two functions share the limit. Only a request that begins to wait counts.
#[tokio::test]
async fn a_request_above_the_limit_is_429_and_others_are_served() {
    let api = with_limit("2").await;
    let (id, other) = (api.create_id("4711").await, api.create_id("4712").await);
    let card = api.create_active("4713").await;
    let charge = api.buy("order-1", &card, "100.00").await;
    let paths = [format!("{PAYMENTS}/{id}"), format!("{PAYMENTS}/{other}"), charge.path("")];
    let active = format!("{PAYMENTS}/{card}");
    for _ in 0..2 {
        api.begin_period();
        for path in &paths {
            for query in ["", "?wait=0"] {
                let response = api.call("GET", &format!("{path}{query}"), None).await;
                assert_eq!(response.status, 200, "{response:?}");
            }
        }
        api.local.dynamodb().clear_requests();
        let waited = join_all([&paths[0], &paths[2]].map(|path| api.wait(path, 1))).await;
        assert!(waited.iter().all(|response| response.status == 200), "{waited:?}");
        let mut operations = api.take_operations();
        operations.sort_unstable();
        assert_eq!(
            operations,
            ["GetItem", "GetItem", "GetItem", "GetItem", "UpdateItem", "UpdateItem"]
        );
        for path in &paths {
            assert_refused(&api.wait(path, 20).await);
            assert_eq!(api.take_operations(), ["GetItem", "UpdateItem"]);
            assert_eq!(api.call("GET", path, None).await.status, 200);
            assert_eq!(api.take_operations(), ["GetItem"]);
        }
        assert_eq!(api.wait(&active, 20).await.status, 200);
        assert_eq!(api.take_operations(), ["GetItem"]);
    }
}

/// A parameter of 0 switches waiting off. A client that waits in a loop gets 429, and not answers without a pause.
#[tokio::test]
async fn a_limit_of_zero_allows_no_wait() {
    let api = with_limit("0").await;
    let id = api.create_id("4711").await;
    let path = format!("{PAYMENTS}/{id}");
    api.local.dynamodb().clear_requests();
    assert_refused(&api.wait(&path, 1).await);
    assert_eq!(api.take_operations(), ["GetItem"]);
    for query in ["", "?wait=0"] {
        assert_eq!(api.call("GET", &format!("{path}{query}"), None).await.status, 200);
    }
}

/// The limits of unidentified callers and of waiting requests have counters of their own.
#[tokio::test]
async fn the_counters_of_the_two_limits_are_different() {
    let api = with_limit("2").await;
    let id = api.create_id("4711").await;
    api.begin_period();
    let bearer = format!("Bearer {}", api.partner);
    let headers = [("authorization", bearer.as_str())];
    for _ in 0..2 {
        let path = format!("{PAYMENTS}/{id}?wait=1");
        assert_eq!(api.send("GET", &path, &headers, None).await.status, 200);
    }
    let scan = json!({ "TableName": "RateLimits" });
    let table = api.local.dynamodb().call("Scan", &scan).await.unwrap();
    let mut used = BTreeMap::<bool, i64>::new();
    for item in table["Items"].as_array().unwrap() {
        let number = |name: &str| item[name]["N"].as_str().unwrap().parse::<i64>().unwrap();
        *used.entry(number("minute") < 0).or_default() += number("used");
        assert!(number("forgottenAt") > api.local.clock().now().as_second());
    }
    assert_eq!(used, [(false, 2), (true, 2)].into(), "{table}");
    assert_ne!(table, Value::Null);
}
