//! The sizes of the log lines, which are a large part of what a request costs on AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local::binaries::root;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::{Charge, SETTLE};
use crate::{PAYMENTS, SCHEDULED, TestApi, VISA};

/// The maximum size of the line of an ordinary request, in bytes, also of an instance's first one. The line of a failure can be
/// longer.
const MAX: usize = 400;

/// The message of the line that each invocation writes.
const MESSAGES: [&str; 3] = ["request", "run", "token"];

/// The number of bytes of a line, with durations of at most three digits: an ordinary request takes less than a second, also when the
/// machine that runs this test is busy.
fn size(line: &str) -> usize {
    let fields = serde_json::from_str::<Value>(line).unwrap();
    let digits = |name| fields[name].as_u64().map_or(0, |number| number.to_string().len());
    line.len()
        - ["latency_ms", "psp_ms"].map(|name| digits(name).saturating_sub(3)).iter().sum::<usize>()
}

impl TestApi {
    async fn expect(&self, status: u16, method: &str, path: &str, body: Option<&Value>) {
        let response = self.call(method, path, body).await;
        assert_eq!(response.status, status, "{response:?}");
    }

    /// Uses every function that stores cards, for one customer.
    async fn store_and_end_a_card(&self, customer: &str) {
        let card = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let path = format!("{PAYMENTS}/{card}");
        let uri = self.open_terminal(&card).await;
        self.submit_card(&uri, VISA, "okButton").await;
        self.expect(200, "PUT", &format!("{path}/authorize"), None).await;
        self.expect(200, "PATCH", &path, Some(&json!({ "nickname": "a" }))).await;
        self.expect(200, "GET", &path, None).await;
        self.expect(200, "GET", &format!("{path}/history"), None).await;
        self.expect(200, "GET", &format!("{PAYMENTS}?customerNumber={customer}"), None).await;
        self.expect(200, "DELETE", &path, None).await;
        let internal = self.token("internal-demo", json!({})).await;
        let path = format!("/v1/customers/{customer}/recurring-payments");
        let erased = self.call_as(&internal, "DELETE", &path, None).await;
        assert_eq!(erased.status, StatusCode::NO_CONTENT, "{erased:?}");
    }

    /// Uses every function that charges cards. Returns the captured transaction.
    async fn pay_and_cancel(&self, customer: &str) -> Charge {
        let card = self.create_active(customer).await;
        let cancelled = self.buy_with_code(&format!("{customer}-cancelled"), &card, "100.00").await;
        assert_eq!(self.cancel(cancelled).await.status, StatusCode::OK);
        let paid = self.buy_captured(&format!("{customer}-paid"), &card, "249.00").await;
        assert_eq!(self.credit(paid, Some("124.50")).await.status, StatusCode::OK);
        self.expect(200, "GET", &paid.payment_path(), None).await;
        self.expect(200, "GET", &paid.path(""), None).await;
        self.call_back(paid, 1).await;
        paid
    }

    /// The lines of the invocations: function and text.
    fn invocation_lines(&self) -> Vec<(String, String)> {
        let is_of_invocation = |line: &str| {
            let message = serde_json::from_str::<Value>(line).unwrap()["message"].clone();
            MESSAGES.iter().any(|known| message == *known)
        };
        let lines = self.local.lambda().lines().into_iter();
        let lines = lines.map(|line| (line.function, line.line.trim_end().to_owned()));
        lines.filter(|(_, line)| is_of_invocation(line)).collect()
    }
}

/// The figures of OPERATIONS.md: function and bytes.
fn documented() -> BTreeMap<String, usize> {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let (_, table) = page.split_once("| function | bytes of a line |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells.map(|row| (row[1].trim_matches('`').to_owned(), row[2].parse().unwrap())).collect()
}

/// Every function, with ordinary requests. OPERATIONS.md has the sizes.
#[tokio::test]
async fn the_line_of_an_ordinary_request_has_at_most_400_bytes() {
    let mut api = TestApi::new().await;
    // The second line of an instance does not say that it is the first one.
    for customer in ["4711", "4712"] {
        api.store_and_end_a_card(customer).await;
        api.pay_and_cancel(customer).await;
        let abandoned = api.create(customer, json!({})).await["recurringPaymentId"].clone();
        api.open_terminal(&abandoned).await;
        let card = api.create_active(customer).await;
        api.buy_auto_sale(&format!("{customer}-sold"), &card, "100.00").await;
        api.advance_clock("PT24H16M1S").await;
        for function in SCHEDULED.into_iter().chain([SETTLE]) {
            assert_eq!(api.run_schedule(function).await["failed"], 0);
        }
    }
    let lines = api.invocation_lines();
    let mut longest = BTreeMap::<_, usize>::new();
    for (function, line) in &lines {
        assert!(!line.contains("ERROR"), "{line}");
        assert!(size(line) <= MAX, "{} bytes: {line}", size(line));
        if !line.contains("\"cold_start\"") {
            let longest = longest.entry(function.clone()).or_default();
            *longest = size(line).max(*longest);
        }
    }
    let template = crate::template::deployed(&crate::template::template()).unwrap();
    let functions: BTreeSet<_> = template.iter().map(|function| &function.binary).collect();
    assert_eq!(longest.keys().collect::<BTreeSet<_>>(), functions);
    let documented = documented();
    assert_eq!(documented.keys().collect::<BTreeSet<_>>(), functions, "{longest:?}");
    for (function, bytes) in longest {
        // The numbers of a line have different lengths: ids and durations.
        let range = documented[&function].saturating_sub(20)..=documented[&function];
        assert!(
            range.contains(&bytes),
            "{function}: {bytes} bytes, and {range:?} in OPERATIONS.md"
        );
    }
}

impl TestApi {
    /// The bytes that the functions have logged, without the authorizer, which API Gateway does not call for every request.
    fn logged_bytes(&self) -> usize {
        let lines = self.local.lambda().lines();
        let lines = lines.iter().filter(|line| line.function != "authorizer");
        lines.map(|line| size(line.line.trim_end())).sum()
    }

    async fn store_card(&self, customer: &str) -> Value {
        let card = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let uri = self.open_terminal(&card).await;
        self.submit_card(&uri, VISA, "okButton").await;
        self.expect(200, "PUT", &format!("{PAYMENTS}/{card}/authorize"), None).await;
        card
    }
}

/// The log of each kind of call, audit lines included, for the costs in OPERATIONS.md.
#[tokio::test]
async fn the_log_of_each_kind_of_call_has_the_documented_size() {
    let api = TestApi::new().await;
    // The first time, so that no line below says that it is the first one of an instance.
    let agreed = api.create_agreed("4711", VISA).await;
    api.pay_and_cancel("4712").await;
    api.list("4711").await;
    let mut sizes = Vec::new();
    let mut before = api.logged_bytes();
    let mut add = |kind: &'static str| {
        let after = api.logged_bytes();
        sizes.push((kind, after - before));
        before = after;
    };
    api.list("4711").await;
    add("list");
    let card = api.store_card("4713").await;
    add("store a card");
    let paid = api.buy_captured("paid", &card, "249.00").await;
    add("purchase");
    let charge = api.buy_off_session("renewed", &agreed, "249.00").await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    add("purchase without the customer");
    assert_eq!(api.credit(paid, None).await.status, StatusCode::OK);
    add("refund");
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    for &(kind, bytes) in &sizes {
        let row = page.lines().find(|line| line.starts_with(&format!("| {kind} | ")));
        let row: Vec<_> = row.unwrap().split(" | ").collect();
        let documented: usize = row[5].parse().unwrap();
        let range = documented.saturating_sub(40)..=documented;
        assert!(
            range.contains(&bytes),
            "{kind}: {documented} bytes in OPERATIONS.md, and {sizes:?}"
        );
    }
}
