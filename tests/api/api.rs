//! Tests of the endpoints: HTTP requests to the real function binaries, which run in the local service.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod access;
mod canary;
mod client_gone;
mod clients;
mod concurrency;
mod containers;
mod cors;
mod costs;
mod customer_numbers;
mod documents;
mod dry_run;
mod erasure;
mod errors;
mod events;
mod expired_cards;
mod history;
mod lifecycle;
mod lifecycle_events;
mod nets_failures;
mod notifications;
mod observability;
mod openapi;
mod payments;
mod privileges;
mod request_bodies;
mod schedules;
mod soak;
mod status_over_time;
mod template;
mod tokens;
mod urls;
mod wait;

use std::path::PathBuf;
use std::str::FromStr;

use local::{Local, Options};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// Path of the collection of recurring payments.
const PAYMENTS: &str = "/v1/recurring-payments";
/// Every operation on one recurring payment: method and end of the path.
const OPERATIONS: [(&str, &str); 6] = [
    ("GET", ""),
    ("GET", "/history"),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/terminal"),
    ("PUT", "/authorize"),
];
/// Number of a card that the sandbox accepts.
const VISA: &str = "4925000000000004";
/// The scheduled functions.
const SCHEDULED: [&str; 2] = ["expire-recurring-payments", "finish-terminals"];

/// The size of a test that repeats itself: `usual` in a plain `cargo test`, `full` with `TEST_SIZE=full`, as `.ci/run` sets it.
struct Size {
    usual: u64,
    full: u64,
}

impl Size {
    fn get(&self) -> u64 {
        if is_full_size() { self.full } else { self.usual }
    }
}

/// Whether the tests have their full size. A plain `cargo test` runs a sample of the slow ones, as their comments say.
#[expect(
    clippy::disallowed_methods,
    reason = "TEST_SIZE sets the sizes of tests, not a configuration"
)]
fn is_full_size() -> bool {
    std::env::var("TEST_SIZE").is_ok_and(|size| size == "full")
}

/// The folder that the variable `FUNCTIONS` names, with function binaries to test. Without it the functions are built.
#[expect(clippy::disallowed_methods, reason = "FUNCTIONS selects what is tested")]
fn prebuilt_functions() -> Option<PathBuf> {
    std::env::var_os("FUNCTIONS").map(PathBuf::from)
}

/// Every operation on one recurring payment: method, end of the path, and `body` for the operations that have one.
fn operations_with_id(body: &Value) -> [(&'static str, &'static str, Option<&Value>); 6] {
    [
        ("GET", "", None),
        ("GET", "/history", None),
        ("PATCH", "", Some(body)),
        ("DELETE", "", None),
        ("POST", "/terminal", Some(body)),
        ("PUT", "/authorize", None),
    ]
}

/// A local service for one test, a client for it, and the token of a partner.
struct TestApi {
    local: Local,
    http: Client,
    partner: String,
}

/// An HTTP response with its whole body.
#[derive(Debug, Clone, PartialEq)]
struct Response {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Checks the members that every problem of the service has. Returns the status and the last part of the problem type.
    fn problem(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["correlationId"], self.header("x-correlation-id"));
        for member in [
            "type",
            "title",
            "detail",
            "instance",
            "timestamp",
            "error",
            "message",
            "path",
            "correlationId",
        ] {
            assert!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member} in {self:?}"
            );
        }
        let slug = body["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:problem-type:recurring-payments:")
            .unwrap();
        (self.status.as_u16(), slug.to_owned())
    }
}

/// Parses an instant into the type of another one.
fn parse_like<T: FromStr<Err: std::fmt::Debug>>(_: &T, text: &str) -> T {
    text.parse().unwrap()
}

impl TestApi {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let functions = options.functions.clone().or_else(prebuilt_functions);
        let local = Local::start(Options { functions, ..options }).await.unwrap();
        let mut api = Self { local, http: local::http_client().unwrap(), partner: String::new() };
        api.partner = api.token("partner-demo", json!({})).await;
        api
    }

    async fn token(&self, client: &str, members: Value) -> String {
        let mut request = json!({ "grant_type": "client_credentials", "client_id": client, "client_secret": client });
        request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let address = format!("{}/oauth/token", self.local.addresses().issuer);
        let response = self.http.post(address).json(&request).send().await.unwrap();
        let response: Value = response.json().await.unwrap();
        response["access_token"].as_str().unwrap_or_else(|| panic!("{response}")).to_owned()
    }

    /// Sends a request with exactly these headers.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            self.http.request(method, format!("{}{path}", self.local.addresses().api));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Response { status, headers, text: response.text().await.unwrap() }
    }

    async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Response {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str()), ("et-client-name", "tests-api")];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.map(Value::to_string).as_deref()).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.call_as(&self.partner, method, path, body).await
    }

    /// Creates a recurring payment for a customer. `members` are added to the body.
    async fn create(&self, customer: &str, members: Value) -> Value {
        let mut body = json!({ "customerNumber": customer });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let response = self.call("POST", PAYMENTS, Some(&body)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        response.json()
    }

    /// Opens a terminal, enters the card there and presses `okButton` or `cancelButton`. Returns the redirect address.
    async fn use_terminal(&self, id: &Value, number: &str, button: &str) -> String {
        self.submit_card(&self.open_terminal_without_callback(id).await, number, button).await
    }

    /// Opens a terminal without a `callbackUrl`. Returns its `terminalUri`.
    async fn open_terminal_without_callback(&self, id: &Value) -> String {
        self.open_card_terminal(id, &json!({ "redirectUrl": "https://shop.example/done" })).await
    }

    /// Opens a terminal whose notifications go to the inbox. Returns its `terminalUri`.
    async fn open_terminal(&self, id: &Value) -> String {
        let callback_url = format!("{}/inbox/{id}", self.local.addresses().console);
        let body =
            json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": callback_url });
        self.open_card_terminal(id, &body).await
    }

    async fn open_card_terminal(&self, id: &Value, body: &Value) -> String {
        let terminal = self.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(body)).await;
        assert_eq!(terminal.status, StatusCode::CREATED, "{terminal:?}");
        terminal.json()["terminalUri"].as_str().unwrap().to_owned()
    }

    /// The form fields of the terminal page.
    fn card_form<'a>(number: &'a str, button: &'a str) -> [(&'a str, &'a str); 5] {
        let code = if number.starts_with('3') { "1234" } else { "123" };
        [("cardNo", number), ("month", "03"), ("year", "29"), ("securityCode", code), (button, "x")]
    }

    /// Enters a card that is valid longer than its registration.
    async fn enter_lasting_card(&self, id: &Value) {
        self.submit_card_until(&self.open_terminal(id).await, ["03", "39"]).await;
    }

    /// Enters a card with this month and year.
    async fn submit_card_until(&self, uri: &str, [month, year]: [&str; 2]) {
        let mut form = Self::card_form(VISA, "okButton");
        (form[1].1, form[2].1) = (month, year);
        let page = self.http.post(uri).form(&form).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::FOUND);
    }

    async fn submit_card(&self, uri: &str, number: &str, button: &str) -> String {
        let form = Self::card_form(number, button);
        let page = self.http.post(uri).form(&form).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::FOUND);
        page.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Moves the clock by `time` and one second, gets a new token, and runs both schedules twice. The additional second is
    /// needed because the time of a schedule's event is in whole seconds.
    async fn advance_and_run_schedules(&mut self, time: &str) {
        self.local.clock().advance("PT1S").unwrap();
        self.advance_clock(time).await;
        for _ in 0..2 {
            for function in SCHEDULED {
                let summary = self.run_schedule(function).await;
                assert_eq!(
                    (&summary["failed"], &summary["unclear"]),
                    (&json!(0), &json!(0)),
                    "{summary}"
                );
            }
        }
    }

    /// Moves the clock to an instant, in milliseconds since 1970, or to the next whole second, and gets a new token.
    async fn advance_to(&mut self, millis: i64) {
        let left = millis - self.local.clock().now().as_millisecond();
        assert!(0 <= left, "the clock is already later");
        self.advance_clock(&format!("PT{}S", left / 1000 + 1)).await;
    }

    /// Moves the clock by `time` and gets a new token.
    async fn advance_clock(&mut self, time: &str) {
        self.local.clock().advance(time).unwrap();
        self.partner = self.token("partner-demo", json!({})).await;
    }

    /// An instant such as `2026-11-27T10:00:00.000Z` in milliseconds since 1970.
    fn millis(&self, instant: &str) -> i64 {
        parse_like(&self.local.clock().now(), instant).as_millisecond()
    }

    /// Runs a scheduled function through the console. Returns its summary.
    async fn run_schedule(&self, function: &str) -> Value {
        let address = format!("{}/schedule/{function}", self.local.addresses().console);
        let response = self.http.post(address).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Removes the injected faults of Nets that did not happen yet. Returns their number.
    async fn remove_nets_faults(&self) -> usize {
        let address = format!("{}/netaxept/faults", self.local.addresses().console);
        let left: Value = self.http.get(&address).send().await.unwrap().json().await.unwrap();
        let removed = self.http.delete(&address).send().await.unwrap();
        assert!(removed.status().is_success(), "{removed:?}");
        left.as_array().unwrap().len()
    }

    /// Whether no wallet has an expiry or background task that is due.
    async fn has_nothing_due(&self) -> bool {
        let table = self.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
        let now = self.local.clock().now().as_millisecond();
        let due = |item: &Value| {
            ["expiryAt", "taskAt"].into_iter().any(|name| {
                item[name]["N"].as_str().is_some_and(|at| at.parse::<i64>().unwrap() <= now)
            })
        };
        !table.unwrap()["Items"].as_array().unwrap().iter().any(due)
    }

    /// Returns the types of the delivered notifications in order, and checks their signatures.
    fn received_event_types(&self) -> Vec<String> {
        let received = self.local.inbox().received();
        let event = |notification: &local::inbox::Notification| {
            assert_eq!(notification.signature, local::inbox::Signature::Valid);
            notification.body["type"].as_str().unwrap().to_owned()
        };
        received.iter().map(event).collect()
    }

    /// Returns the log lines of a function that have this message.
    fn log_lines(&self, function: &str, message: &str) -> Vec<Value> {
        let lines = self.local.lambda().lines();
        let lines = lines.iter().filter(|line| line.function == function);
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line.line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    async fn authorize(&self, id: &Value) -> Response {
        self.call("PUT", &format!("{PAYMENTS}/{id}/authorize"), None).await
    }

    /// Creates a recurring payment and stores a card. Returns its id.
    async fn create_active(&self, customer: &str) -> Value {
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        self.use_terminal(&id, VISA, "okButton").await;
        let response = self.authorize(&id).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        id
    }

    async fn list(&self, customer: &str) -> Vec<Value> {
        let response =
            self.call("GET", &format!("{PAYMENTS}?customerNumber={customer}"), None).await;
        assert_eq!(
            (response.status, response.header("content-type")),
            (StatusCode::OK, "application/hal+json")
        );
        response.json().as_array().unwrap().clone()
    }
}
