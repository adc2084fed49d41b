//! Compares the responses, notifications and accepted requests of the running service with `openapi.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use local::netaxept::{CALLBACK_SECRET, FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{Document, PROBLEM, Set, payments};
use crate::{PAYMENTS, Response, TestApi, VISA};

const PAYMENT: &str = "/v1/recurring-payments/{recurringPaymentId}";
const HISTORY: &str = "/v1/recurring-payments/{recurringPaymentId}/history";
const TERMINAL: &str = "/v1/recurring-payments/{recurringPaymentId}/terminal";
const AUTHORIZE: &str = "/v1/recurring-payments/{recurringPaymentId}/authorize";
const CUSTOMER: &str = "/v1/customers/{customerNumber}/recurring-payments";
const CALLBACK: &str = "/v1/netaxept/callback/{secret}";
/// The response headers that the document describes.
const HEADERS: [&str; 6] = [
    "Accept-Encoding",
    "Cache-Control",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Correlation-Id",
];
/// API Gateway's limit for a body, in bytes.
pub(super) const GATEWAY_LIMIT: usize = 10 * 1024 * 1024;

/// The objects within responses that have a schema: the name of the member, and the schema.
const NESTED: [(&str, &str); 5] = [
    ("actor", "Actor"),
    ("errors", "Fault"),
    ("transactionHistory", "TransactionEntry"),
    ("summary", "Summary"),
    ("operationLog", "Operation"),
];

/// A kind of response: operation, status, and the last part of the problem type. The last is `gateway` for API Gateway's own
/// responses, and empty for successes.
pub(super) type Kind = (String, u16, String);

/// A service, and its responses so far: the members that occurred for each schema, and the kinds of responses.
pub(super) struct Scenario {
    pub(super) api: TestApi,
    pub(super) document: Document,
    pub(super) members: BTreeMap<&'static str, Set>,
    pub(super) kinds: BTreeSet<Kind>,
    /// The values of `status`, `statusReason` and `operation` in the responses.
    pub(super) values: BTreeMap<&'static str, Set>,
}

impl Scenario {
    pub(super) async fn new() -> Self {
        Self::of(TestApi::new().await)
    }

    fn of(api: TestApi) -> Self {
        Self {
            api,
            document: Document::read(),
            members: BTreeMap::new(),
            kinds: BTreeSet::new(),
            values: BTreeMap::new(),
        }
    }

    /// Calls an operation, and checks the response against the document.
    pub(super) async fn call(
        &mut self,
        method: &str,
        path: &str,
        id: &Value,
        body: Option<&Value>,
    ) -> Response {
        let token = self.api.partner.clone();
        self.call_as(&token, method, path, id, body).await
    }

    pub(super) async fn call_as(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        id: &Value,
        body: Option<&Value>,
    ) -> Response {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let text = body.map(Value::to_string);
        self.send(method, path, id, &headers, text.as_deref()).await
    }

    /// The path can have a query. The id replaces the path parameter; an array has the ids of a payment and its transaction.
    /// `ET-Client-Name` is added if it is missing.
    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        id: &Value,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Response {
        let target = fill(path, id);
        let has_name = headers.iter().any(|(name, _)| *name == "et-client-name");
        let name = (!has_name).then_some(("et-client-name", "tests-api"));
        let headers: Vec<_> = headers.iter().copied().chain(name).collect();
        let response = self.api.send(method, &target, &headers, body).await;
        self.check(method, path.split('?').next().unwrap(), &response);
        response
    }

    /// Asserts that status, content type, headers and body of a response agree with the document.
    fn check(&mut self, method: &str, path: &str, response: &Response) {
        let (status, kind) = (response.status.as_u16(), response.header("content-type"));
        let context = format!("{method} {path} {status} {kind}");
        let responses = &self.document.operation(method, path)["responses"];
        let description = self.document.resolve(&responses[status.to_string()]);
        let body = if response.text.is_empty() { Value::Null } else { response.json() };
        let schema = &description["content"][kind]["schema"];
        assert!(description.is_object(), "{context} is not described: {response:?}");
        assert_eq!(
            schema.is_object(),
            body != Value::Null,
            "{context} is not described: {response:?}"
        );
        if schema.is_object() {
            self.document.check(schema, &body, &context);
        }
        let nothing = Map::new();
        let described = description["headers"].as_object().unwrap_or(&nothing);
        for name in HEADERS {
            let value = response.header(name);
            let Some(header) = described.get(name) else {
                assert_eq!(value, "", "{context}: {name} is not described");
                continue;
            };
            let schema = &self.document.resolve(header)["schema"];
            let optional =
                ["Retry-After", "Accept-Encoding"].contains(&name) || kind == "application/json";
            assert!(optional || !value.is_empty(), "{context}: {name} is missing");
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            if value != json!("") {
                self.document.check(schema, &value, &format!("{context}: {name}"));
            }
        }
        let label = kind_label(kind, &body["type"]);
        self.kinds.insert((format!("{method} {path}"), status, label));
        self.record_members(schema_name(method, path, kind), &body);
    }

    fn record_members(&mut self, schema: &'static str, body: &Value) {
        let objects = body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
        for object in objects.iter().filter_map(Value::as_object) {
            self.members.entry(schema).or_default().extend(object.keys().cloned());
            for name in ["status", "statusReason", "operation"] {
                let value = object.get(name).and_then(Value::as_str).map(str::to_owned);
                self.values.entry(name).or_default().extend(value);
            }
            for (name, nested_schema) in NESTED {
                if let Some(nested) = object.get(name) {
                    self.record_members(nested_schema, nested);
                }
            }
        }
    }

    pub(super) async fn create(&mut self, body: Value) -> Value {
        let response = self.call("POST", PAYMENTS, &Value::Null, Some(&body)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        response.json()["recurringPaymentId"].clone()
    }

    /// Opens a terminal whose notifications go to the inbox, enters a card and presses a button.
    async fn enter_card(&mut self, id: &Value, card: &str, button: &str) {
        let callback_url = format!("{}/inbox", self.api.local.addresses().console);
        let body =
            json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": callback_url });
        let terminal = self.call("POST", TERMINAL, id, Some(&body)).await;
        self.api.submit_card(terminal.json()["terminalUri"].as_str().unwrap(), card, button).await;
    }
}

/// Replaces the path parameters.
fn fill(path: &str, id: &Value) -> String {
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    if let Some(ids) = id.as_array() {
        let names = ["{paymentId}", "{transactionId}"].into_iter().zip(ids);
        return names.fold(path.to_owned(), |path, (name, id)| path.replace(name, &text(id)));
    }
    let names = ["{recurringPaymentId}", "{customerNumber}", "{secret}"];
    names.iter().fold(path.to_owned(), |path, name| path.replace(name, &text(id)))
}

/// The body of a terminal request.
pub(super) fn terminal_request() -> Value {
    json!({ "redirectUrl": "https://shop.example/done" })
}

/// Distinguishes responses with the same status: the third part of a `Kind`.
fn kind_label(content_type: &str, problem: &Value) -> String {
    match content_type {
        "application/problem+json" => {
            problem.as_str().and_then(|kind| kind.strip_prefix(PROBLEM)).unwrap().to_owned()
        }
        "application/json" => "gateway".to_owned(),
        _ => String::new(),
    }
}

/// Returns the name of the response's schema.
fn schema_name(method: &str, path: &str, kind: &str) -> &'static str {
    match (method, path, kind) {
        (_, _, "application/problem+json") => "Problem",
        (_, _, "application/json") => "GatewayMessage",
        (_, TERMINAL, _) => "TerminalResponse",
        (_, HISTORY, _) => "HistoryChange",
        (_, CALLBACK, _) => "",
        (_, payments::COLLECTION | payments::PAYMENT, _) => "Payment",
        (_, payments::TERMINAL, _) => "PaymentTerminalResponse",
        (_, payments::TRANSACTION | payments::CAPTURE | payments::CANCEL | payments::CREDIT, _) => {
            "Transaction"
        }
        _ => "RecurringPayment",
    }
}

/// Sends valid and invalid requests of all kinds. Each response is described, and each described response occurs.
#[tokio::test]
async fn responses_are_described_and_described_responses_occur() {
    let mut scenario = Scenario::new().await;
    let id = store_card(&mut scenario).await;
    rejected_requests(&mut scenario, &id).await;
    changes(&mut scenario, &id).await;
    reach_limits(&mut scenario).await;
    wait_above_the_limit(&mut scenario).await;
    erase(&mut scenario).await;
    exceed_rate_limit(&mut scenario, &id).await;
    callbacks(&mut scenario).await;
    expired_card(&mut scenario).await;
    killed_function(&mut scenario).await;
    assert_all_described_responses_occurred(&scenario);
}

/// Creates an ACTIVE recurring payment after all errors of a terminal.
async fn store_card(scenario: &mut Scenario) -> Value {
    let id = scenario.create(json!({ "customerNumber": "4711", "nickname": "Kort" })).await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.enter_card(&id, VISA, "cancelButton").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.enter_card(&id, "4925000000000087", "okButton").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.enter_card(&id, VISA, "authenticationButton").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.call("POST", TERMINAL, &id, Some(&terminal_request())).await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.api.advance_clock("PT15M").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.enter_card(&id, VISA, "okButton").await;
    scenario.api.local.netaxept().inject_fault(Operation::Query, FaultKind::Http500, 1);
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    assert_eq!(scenario.call("PUT", AUTHORIZE, &id, None).await.status, StatusCode::OK);
    scenario.call("POST", TERMINAL, &id, Some(&terminal_request())).await;
    id
}

/// Reads, changes and ends an ACTIVE recurring payment.
async fn changes(scenario: &mut Scenario, id: &Value) {
    let list = format!("{PAYMENTS}?customerNumber=eq:4711&includeExpired=true");
    let (make_primary, not_primary) = (json!({ "isPrimary": true }), json!({ "isPrimary": false }));
    scenario.call("GET", &list, &Value::Null, None).await;
    scenario.call("GET", PAYMENT, id, None).await;
    for change in [json!({ "nickname": null }), not_primary, json!({ "customerNumber": "1" })] {
        scenario.call("PATCH", PAYMENT, id, Some(&change)).await;
    }
    scenario.call("PATCH", &format!("{PAYMENT}?dryRun=true"), id, Some(&make_primary)).await;
    scenario.call("DELETE", &format!("{PAYMENT}?dryRun=true"), id, None).await;
    scenario.call("DELETE", PAYMENT, id, None).await;
    for change in [json!({ "nickname": "Gammelt" }), make_primary] {
        scenario.call("PATCH", PAYMENT, id, Some(&change)).await;
    }
    scenario.call("PUT", AUTHORIZE, id, None).await;
    scenario.call("GET", &list, &Value::Null, None).await;
    history(scenario, id).await;
}

/// A history with all members.
async fn history(scenario: &mut Scenario, id: &Value) {
    let bearer = format!("Bearer {}", scenario.api.partner);
    let headers = [("authorization", bearer.as_str()), ("entur-distribution-channel", "app")];
    let body = Some(r#"{"customerNumber":"4711"}"#);
    let other = scenario.send("POST", PAYMENTS, id, &headers, body).await.json();
    scenario.call("GET", HISTORY, &other["recurringPaymentId"], None).await;
    scenario.call("GET", HISTORY, id, None).await;
    scenario.call("DELETE", PAYMENT, &other["recurringPaymentId"], None).await;
}

/// Reaches the limits of terminals and recurring payments, and reuses keys.
async fn reach_limits(scenario: &mut Scenario) {
    let id = scenario.create(json!({ "customerNumber": "4712" })).await;
    for _ in 0..4 {
        for _ in 0..6 {
            scenario.call("POST", TERMINAL, &id, Some(&terminal_request())).await;
        }
        scenario.api.advance_clock("PT1H").await;
    }
    let body = json!({ "customerNumber": "4713" });
    for place in 0..16 {
        let id = scenario.create(body.clone()).await;
        if place == 6 {
            // A customer can open 10 terminals an hour.
            scenario.api.advance_clock("PT1H").await;
        }
        if place < 11 {
            scenario.enter_card(&id, VISA, "okButton").await;
            scenario.call("PUT", AUTHORIZE, &id, None).await;
        }
    }
    scenario.call("POST", PAYMENTS, &id, Some(&body)).await;
    let bearer = format!("Bearer {}", scenario.api.partner);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
    for body in [r#"{"customerNumber":"4714"}"#, r#"{"customerNumber":"4714","nickname":"x"}"#] {
        scenario.send("POST", PAYMENTS, &id, &headers, Some(body)).await;
    }
    let id = scenario.create(json!({ "customerNumber": "4716" })).await;
    for url in ["https://shop.example/a", "https://shop.example/b"] {
        let body = json!({ "redirectUrl": url }).to_string();
        scenario.send("POST", TERMINAL, &id, &headers, Some(&body)).await;
    }
}

/// Waits for news, and waits when too many requests wait.
async fn wait_above_the_limit(scenario: &mut Scenario) {
    let id = scenario.create(json!({ "customerNumber": "4718" })).await;
    let path = format!("{PAYMENT}?wait=1");
    assert_eq!(scenario.call("GET", &path, &id, None).await.status, StatusCode::OK);
    scenario.api.reach_waiting_limit().await;
    let refused = scenario.call("GET", &path, &id, None).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

/// Erases a customer twice, and sends invalid erase requests.
async fn erase(scenario: &mut Scenario) {
    let customer = json!("4714");
    let internal = scenario.api.token("internal-demo", json!({})).await;
    for token in [internal.as_str(), &internal, "invalid", &scenario.api.partner.clone()] {
        scenario.call_as(token, "DELETE", CUSTOMER, &customer, None).await;
    }
    for invalid in ["4711%20", ""] {
        scenario.call_as(&internal, "DELETE", CUSTOMER, &json!(invalid), None).await;
    }
    scenario.send("DELETE", CUSTOMER, &customer, &[], None).await;
}

/// Exceeds the rate limit of unidentified callers with every operation.
async fn exceed_rate_limit(scenario: &mut Scenario, id: &Value) {
    let bearer = format!("Bearer {}", scenario.api.partner);
    let headers = [("authorization", bearer.as_str()), ("et-client-name", "")];
    for (method, path) in OPERATIONS {
        while scenario.send(method, path, id, &headers, None).await.status
            != StatusCode::TOO_MANY_REQUESTS
        {}
    }
    let bearer = format!("Bearer {}", scenario.api.token("internal-demo", json!({})).await);
    let headers = [("authorization", bearer.as_str()), ("et-client-name", "")];
    while scenario.send("DELETE", CUSTOMER, id, &headers, None).await.status
        != StatusCode::TOO_MANY_REQUESTS
    {}
}

/// Every operation of clients on recurring payments.
const OPERATIONS: [(&str, &str); 8] = [
    ("GET", PAYMENTS),
    ("POST", PAYMENTS),
    ("GET", PAYMENT),
    ("GET", HISTORY),
    ("PATCH", PAYMENT),
    ("DELETE", PAYMENT),
    ("POST", TERMINAL),
    ("PUT", AUTHORIZE),
];

/// Headers of bodies that are not plain JSON.
pub(super) const OTHER_BODIES: [(&str, &str); 2] =
    [("content-encoding", "gzip"), ("content-type", "application/json; charset=utf-16")];

/// Requests that every operation rejects in the same way.
async fn rejected_requests(scenario: &mut Scenario, id: &Value) {
    let reader = scenario.api.token("partner-readonly", json!({})).await;
    let other_traveller =
        scenario.api.token("traveller-demo", json!({ "customer_number": "1" })).await;
    let large = json!({ "x": "x".repeat(16 * 1024) });
    for (method, path) in OPERATIONS {
        let target = if path == PAYMENTS && method == "GET" {
            "/v1/recurring-payments?customerNumber=4711"
        } else {
            path
        };
        scenario.send(method, target, id, &[], None).await;
        scenario.call_as("invalid", method, target, id, None).await;
        if method == "GET" {
            if path == PAYMENTS {
                scenario.call_as(&other_traveller, method, target, id, None).await;
            }
        } else {
            scenario.call_as(&reader, method, target, id, None).await;
        }
        if path == PAYMENTS {
            scenario.call(method, path, id, Some(&json!({}))).await;
        } else {
            scenario.call(method, path, &json!(0), None).await;
            let both = json!({ "redirectUrl": "https://shop.example/done", "nickname": "x" });
            scenario.call(method, path, &json!(5), Some(&both)).await;
            scenario.call(method, path, &json!(""), None).await;
        }
        if method == "POST" || method == "PATCH" {
            scenario.call(method, path, id, Some(&large)).await;
            let bearer = format!("Bearer {}", scenario.api.partner);
            let plain = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
            scenario.send(method, path, id, &plain, Some("{}")).await;
            for other in OTHER_BODIES {
                let headers = [("authorization", bearer.as_str()), other];
                scenario.send(method, path, id, &headers, Some("{}")).await;
            }
            scenario.send(method, path, id, &plain, Some(&"x".repeat(GATEWAY_LIMIT + 1))).await;
        }
    }
    let forbidden = format!("Bearer {}", scenario.api.partner);
    let behalf = [("authorization", forbidden.as_str()), ("entur-on-behalf-of", "2")];
    scenario.send("POST", PAYMENTS, id, &behalf, Some(r#"{"customerNumber":"1"}"#)).await;
}

/// Valid and invalid callbacks.
async fn callbacks(scenario: &mut Scenario) {
    let (secret, body) = (json!(CALLBACK_SECRET), json!({ "TransactionId": "1" }).to_string());
    let kind = [("content-type", "application/json")];
    for (secret, body) in
        [(&secret, body.as_str()), (&secret, "{}"), (&json!("wrong"), "{}"), (&json!(""), "{}")]
    {
        scenario.send("POST", CALLBACK, secret, &kind, Some(body)).await;
    }
    for size in [17 * 1024, GATEWAY_LIMIT + 1] {
        scenario.send("POST", CALLBACK, &secret, &kind, Some(&"x".repeat(size))).await;
    }
    for other in [("content-type", "text/plain")].into_iter().chain(OTHER_BODIES) {
        scenario.send("POST", CALLBACK, &secret, &[other], Some(&body)).await;
    }
}

/// A card that has expired when authorize is called.
async fn expired_card(scenario: &mut Scenario) {
    scenario.api.advance_to_month_end().await;
    let id = scenario.create(json!({ "customerNumber": "4717" })).await;
    let terminal = scenario.call("POST", TERMINAL, &id, Some(&terminal_request())).await.json();
    scenario.api.submit_card_expiring_in_november(terminal["terminalUri"].as_str().unwrap()).await;
    scenario.api.advance_clock("PT65S").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
}

/// The response of API Gateway when the function is killed.
async fn killed_function(scenario: &mut Scenario) {
    let id = scenario.create(json!({ "customerNumber": "4715" })).await;
    scenario.enter_card(&id, VISA, "okButton").await;
    let local = scenario.api.local.clone();
    local.netaxept().inject_fault(Operation::Process, FaultKind::Delay, 1);
    let kill = async {
        local.netaxept().wait_for_fault().await;
        for instance in local.lambda().instances("authorize-recurring-payment") {
            local.lambda().kill(instance);
        }
    };
    let (response, ()) = tokio::join!(scenario.call("PUT", AUTHORIZE, &id, None), kill);
    assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// Asserts that exactly the described members and kinds of responses occurred.
fn assert_all_described_responses_occurred(scenario: &Scenario) {
    for schema in [
        "RecurringPayment",
        "HistoryChange",
        "Actor",
        "TerminalResponse",
        "Problem",
        "Fault",
        "GatewayMessage",
    ] {
        assert_eq!(scenario.members[schema], scenario.document.properties(schema), "{schema}");
    }
    let mut described = described(&scenario.document);
    // `payments.rs` reaches them.
    described.retain(|(route, ..)| !payments::is_route(route));
    assert_eq!(scenario.kinds.difference(&described).collect::<Vec<_>>(), Vec::<&Kind>::new());
    let missing = described.difference(&scenario.kinds).filter(|(route, status, label)| {
        match label.as_str() {
            // Tested by `concurrency.rs`.
            "busy" => false,
            // The sandbox declines VERIFY permanently, or until the customer authenticates.
            "declined-for-now" => false,
            // They need a failing database. The response is the same for all functions.
            "internal" | "unavailable" => false,
            "gateway" => *status < 500,
            // Every client of the local issuer has the permission to read.
            "forbidden" => ![PAYMENT, HISTORY].map(|path| format!("GET {path}")).contains(route),
            _ => true,
        }
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Kind>::new());
}

/// Returns every kind of response in the document.
pub(super) fn described(document: &Document) -> BTreeSet<Kind> {
    let mut described = BTreeSet::new();
    for (method, path, operation) in document.operations("paths") {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = document.resolve(response);
            if response["content"].is_null() {
                let route = format!("{method} {path}");
                described.insert((route, status.parse().unwrap(), String::new()));
            }
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let types = &content["schema"]["allOf"][1]["properties"]["type"]["enum"];
                let types = types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice);
                described.extend(types.iter().map(|problem_type| {
                    (
                        format!("{method} {path}"),
                        status.parse().unwrap(),
                        kind_label(kind, problem_type),
                    )
                }));
            }
        }
    }
    described
}

/// Notifications and their headers agree with the webhooks.
#[tokio::test]
async fn notifications_are_described_by_the_webhooks() {
    let mut scenario = Scenario::of(TestApi::with_events().await);
    let id = scenario.create(json!({ "customerNumber": "4711" })).await;
    scenario.enter_card(&id, "4925000000000087", "okButton").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    scenario.enter_card(&id, VISA, "okButton").await;
    scenario.call("PUT", AUTHORIZE, &id, None).await;
    let abandoned = scenario.create(json!({ "customerNumber": "4712" })).await;
    scenario.api.open_terminal(&abandoned).await;
    scenario.api.advance_and_run_schedules("P2D").await;
    payments::send_notifications(&mut scenario).await;
    // The primary card is ended, and the other one expires.
    let cards =
        [scenario.api.create_active("4714").await, scenario.api.create_active("4714").await];
    scenario.call("DELETE", PAYMENT, &cards[0], None).await;
    scenario.api.advance_and_run_schedules("P3Y").await;
    let mut types = BTreeMap::<&str, Set>::new();
    let mut members = BTreeMap::<&str, Set>::new();
    for (_, name, operation) in scenario.document.operations("webhooks") {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let kind = &schema["allOf"][1]["properties"]["type"]["const"];
        let of_all = schema["allOf"][0]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        for notification in scenario
            .api
            .local
            .inbox()
            .received()
            .iter()
            .filter(|notification| notification.body["type"] == *kind)
        {
            scenario.document.check(schema, &notification.body, &name);
            let names = notification.body.as_object().unwrap().keys().cloned();
            members.entry(of_all).or_default().extend(names);
            let timestamp: i64 = notification.timestamp.as_deref().unwrap().parse().unwrap();
            let parameters = operation["parameters"].as_array().unwrap();
            for (parameter, value) in
                parameters.iter().zip([json!(notification.id), json!(timestamp)])
            {
                scenario.document.check(
                    &scenario.document.resolve(parameter)["schema"],
                    &value,
                    &name,
                );
            }
            types.entry(of_all).or_default().insert(kind.as_str().unwrap().to_owned());
        }
    }
    for schema in
        ["Notification", "CardNotification", "PrimaryChangeNotification", "PaymentNotification"]
    {
        let described = format!("/components/schemas/{schema}/properties/type/enum");
        assert_eq!(types[schema], scenario.document.enum_values(&described), "{schema}");
        assert_eq!(members[schema], scenario.document.properties(schema), "{schema}");
    }
}

/// The service accepts each example of a request body.
#[tokio::test]
async fn the_example_requests_are_accepted() {
    let mut scenario = Scenario::new().await;
    let card = payments::store_card(&mut scenario, "4712", VISA).await;
    let mut sent = 0;
    for (method, path, operation) in Document::read().operations("paths") {
        let examples = operation["requestBody"]["content"]["application/json"]["examples"].clone();
        for (name, example) in examples.as_object().into_iter().flatten() {
            scenario.create(json!({ "customerNumber": "4711" })).await;
            let mut body = example["value"].clone();
            let id = match path.as_str() {
                CALLBACK => json!(CALLBACK_SECRET),
                payments::COLLECTION => {
                    body["transaction"]["recurringPaymentId"] = card.clone();
                    Value::Null
                }
                payments::TERMINAL => payments::pay(&mut scenario, name, &card, "100.00").await,
                payments::CREDIT => scenario.pay_and_capture(name, &card).await,
                _ => scenario.create(json!({ "customerNumber": "4711" })).await,
            };
            let response = scenario.call(&method, &path, &id, Some(&body)).await;
            assert!(response.status.is_success(), "{method} {path} {name}: {response:?}");
            sent += 1;
        }
    }
    assert!(sent >= 17, "{sent}");
}

/// The schemas and the service accept the same values at each limit.
#[tokio::test]
async fn the_limits_are_those_of_the_service() {
    let api = TestApi::new().await;
    let document = Document::read();
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let long = "ø".repeat(64);
    let url = |rest: usize| format!("https://a/{}", "b".repeat(rest));
    for (method, path, name, value, is_valid) in [
        ("PATCH", PAYMENT, "nickname", json!(long), true),
        ("PATCH", PAYMENT, "nickname", json!(format!(" \u{85}\u{3000}{long}\n")), true),
        ("PATCH", PAYMENT, "nickname", json!(format!("{long}ø")), false),
        ("PATCH", PAYMENT, "nickname", json!(" \u{2028} "), false),
        ("PATCH", PAYMENT, "nickname", json!(""), false),
        ("PATCH", PAYMENT, "nickname", json!("a\nb"), false),
        ("PATCH", PAYMENT, "nickname", json!("a\u{202e}b"), false),
        ("PATCH", PAYMENT, "nickname", json!("\u{200f}"), false),
        ("PATCH", PAYMENT, "nickname", json!("a\u{2028}b"), false),
        ("PATCH", PAYMENT, "nickname", json!("a\u{2029}b"), false),
        ("PATCH", PAYMENT, "nickname", json!("a b \u{feff}\u{2028}"), true),
        ("PATCH", PAYMENT, "nickname", json!("💳"), true),
        ("PATCH", PAYMENT, "nickname", json!(7), false),
        ("PATCH", PAYMENT, "nickname", Value::Null, true),
        ("PATCH", PAYMENT, "isPrimary", Value::Null, true),
        ("PATCH", PAYMENT, "isPrimary", json!("true"), false),
        ("PATCH", PAYMENT, "customerNumber", Value::Null, true),
        ("PATCH", PAYMENT, "customerNumber", json!(4711), false),
        ("PATCH", PAYMENT, "primary", json!(true), false),
        ("PATCH", PAYMENT, "nickName", json!("x"), false),
        ("POST", TERMINAL, "nickName", json!("x"), true),
        ("POST", PAYMENTS, "customerNumber", json!("A-b_c.9"), true),
        ("POST", PAYMENTS, "customerNumber", json!("x".repeat(64)), true),
        ("POST", PAYMENTS, "customerNumber", json!("x".repeat(65)), false),
        ("POST", PAYMENTS, "customerNumber", json!("kari+kort@example.no"), true),
        ("POST", PAYMENTS, "customerNumber", json!("ENT:Customer:42"), true),
        ("POST", PAYMENTS, "customerNumber", json!(".."), false),
        ("POST", PAYMENTS, "customerNumber", json!("ø"), false),
        ("POST", PAYMENTS, "customerNumber", json!(""), false),
        ("POST", TERMINAL, "redirectUrl", json!(url(1022)), true),
        ("POST", TERMINAL, "redirectUrl", json!(url(1023)), false),
        ("POST", TERMINAL, "redirectUrl", json!("ftp://a"), false),
        ("POST", TERMINAL, "redirectUrl", Value::Null, false),
        ("POST", TERMINAL, "autoSale", json!(1), false),
        ("POST", TERMINAL, "storePayment", json!("yes"), false),
        ("POST", TERMINAL, "singlePage", json!([]), false),
        ("POST", TERMINAL, "countryCode", json!("no"), false),
        ("POST", TERMINAL, "callbackUrl", json!("shop.example"), false),
        ("POST", TERMINAL, "transactionType", json!("MIT"), false),
        ("POST", TERMINAL, "terminalLanguage", json!(1), false),
        ("POST", TERMINAL, "terminalLanguage", json!("en-GB"), true),
    ] {
        let mut body =
            if path == TERMINAL { json!({ "redirectUrl": "https://a" }) } else { json!({}) };
        body[name] = value;
        let operation = document.operation(method, path);
        let reference = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut schema = reference.clone();
        schema["components"] = document.0["components"].clone();
        let described = jsonschema::validator_for(&schema).unwrap().is_valid(&body);
        assert_eq!(described, is_valid, "{method} {path} {body}");
        let target = path.replace("{recurringPaymentId}", &id.to_string());
        let response = api.call(method, &target, Some(&body)).await;
        assert_eq!(response.status.is_success(), is_valid, "{method} {path} {body}: {response:?}");
    }
    let all_null = json!({ "redirectUrl": "https://a", "autoSale": null, "storePayment": null, "singlePage": null,
        "callbackUrl": null, "countryCode": null, "transactionType": null, "terminalLanguage": null, "customerNumber": null });
    document.check(
        &json!({ "$ref": "#/components/schemas/TerminalRequest" }),
        &all_null,
        "all members null",
    );
    let response = api
        .call("POST", &TERMINAL.replace("{recurringPaymentId}", &id.to_string()), Some(&all_null))
        .await;
    assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
}
