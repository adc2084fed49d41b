//! What the running service answers, tells and takes is what `openapi.yaml` says.

use std::collections::{BTreeMap, BTreeSet};

use local::netaxept::{CALLBACK_SECRET, Kind as Fault, Operation};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{Document, PROBLEM, Set};
use crate::{Answer, PAYMENTS, VISA, World};

const ONE: &str = "/v1/recurring-payments/{recurringPaymentId}";
const TERMINAL: &str = "/v1/recurring-payments/{recurringPaymentId}/terminal";
const AUTHORIZE: &str = "/v1/recurring-payments/{recurringPaymentId}/authorize";
const CUSTOMER: &str = "/v1/customers/{customerNumber}/recurring-payments";
const CALLBACK: &str = "/v1/netaxept/callback/{secret}";
/// The headers of answers that the document describes.
const HEADERS: [&str; 6] = [
    "Accept-Encoding",
    "Cache-Control",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Correlation-Id",
];
/// What API Gateway takes, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;

/// Operation, status, and the last part of the problem type; of the gateway's own answers `gateway`, of successes nothing.
type Kind = (String, u16, String);

/// A service, and what its answers had: for each schema the members that were seen, and which answers were.
struct Walk {
    world: World,
    document: Document,
    seen: BTreeMap<&'static str, Set>,
    answered: BTreeSet<Kind>,
}

impl Walk {
    async fn new() -> Self {
        Self {
            world: World::new().await,
            document: Document::read(),
            seen: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }

    /// A call of an operation, with the answer that the document has for it.
    async fn call(&mut self, method: &str, path: &str, id: &Value, body: Option<&Value>) -> Answer {
        let token = self.world.partner.clone();
        self.call_as(&token, method, path, id, body).await
    }

    async fn call_as(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        id: &Value,
        body: Option<&Value>,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let text = body.map(Value::to_string);
        self.send(method, path, id, &headers, text.as_deref()).await
    }

    /// The path may have a query. The id stands in for the path's parameter. Whoever does not say otherwise says who is
    /// calling.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        id: &Value,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let parameters = ["{recurringPaymentId}", "{customerNumber}", "{secret}"];
        let target = parameters.iter().fold(path.to_owned(), |path, name| path.replace(name, &id));
        let named = headers.iter().any(|(name, _)| *name == "et-client-name");
        let name = (!named).then_some(("et-client-name", "tests-api"));
        let headers: Vec<_> = headers.iter().copied().chain(name).collect();
        let answer = self.world.send(method, &target, &headers, body).await;
        self.check(method, path.split('?').next().unwrap(), &answer);
        answer
    }

    /// The answer's status, type, headers and body are as the document says.
    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let (status, kind) = (answer.status.as_u16(), answer.header("content-type"));
        let of = format!("{method} {path} {status} {kind}");
        let responses = &self.document.operation(method, path)["responses"];
        let response = self.document.resolve(&responses[status.to_string()]);
        let body = if answer.text.is_empty() { Value::Null } else { answer.json() };
        let schema = &response["content"][kind]["schema"];
        assert!(response.is_object(), "{of} is not described: {answer:?}");
        assert_eq!(schema.is_object(), body != Value::Null, "{of} is not described: {answer:?}");
        if schema.is_object() {
            self.document.check(schema, &body, &of);
        }
        let nothing = Map::new();
        let described = response["headers"].as_object().unwrap_or(&nothing);
        for name in HEADERS {
            let value = answer.header(name);
            let Some(header) = described.get(name) else {
                assert_eq!(value, "", "{of}: {name} is not described");
                continue;
            };
            let schema = &self.document.resolve(header)["schema"];
            let optional =
                ["Retry-After", "Accept-Encoding"].contains(&name) || kind == "application/json";
            assert!(optional || !value.is_empty(), "{of}: {name} is missing");
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            if value != json!("") {
                self.document.check(schema, &value, &format!("{of}: {name}"));
            }
        }
        let what = what(kind, &body["type"]);
        self.answered.insert((format!("{method} {path}"), status, what));
        self.note(schema_name(method, path, kind), &body);
    }

    fn note(&mut self, schema: &'static str, body: &Value) {
        let several = body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
        for one in several.iter().filter_map(Value::as_object) {
            self.seen.entry(schema).or_default().extend(one.keys().cloned());
            for fault in one.get("errors").and_then(Value::as_array).into_iter().flatten() {
                self.note("Fault", fault);
            }
        }
    }

    async fn create(&mut self, body: Value) -> Value {
        let answer = self.call("POST", PAYMENTS, &Value::Null, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["recurringPaymentId"].clone()
    }

    /// A terminal that tells the inbox, and a card that is entered there.
    async fn enter(&mut self, id: &Value, card: &str, button: &str) {
        let tell = format!("{}/inbox", self.world.local.addresses().console);
        let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": tell });
        let terminal = self.call("POST", TERMINAL, id, Some(&body)).await;
        self.world.press(terminal.json()["terminalUri"].as_str().unwrap(), card, button).await;
    }
}

/// A terminal to be created.
fn terminal() -> Value {
    json!({ "redirectUrl": "https://shop.example/done" })
}

/// What tells answers with one status apart.
fn what(content_type: &str, problem: &Value) -> String {
    match content_type {
        "application/problem+json" => {
            problem.as_str().and_then(|kind| kind.strip_prefix(PROBLEM)).unwrap().to_owned()
        }
        "application/json" => "gateway".to_owned(),
        _ => String::new(),
    }
}

/// What an answer of this kind is.
fn schema_name(method: &str, path: &str, kind: &str) -> &'static str {
    match (method, path, kind) {
        (_, _, "application/problem+json") => "Problem",
        (_, _, "application/json") => "GatewayMessage",
        (_, TERMINAL, _) => "TerminalResponse",
        (_, CALLBACK, _) => "",
        _ => "RecurringPayment",
    }
}

/// Everything that a caller can do, right and wrong: each answer is described, and what is described comes.
#[tokio::test]
async fn what_comes_back_is_what_it_says() {
    let mut walk = Walk::new().await;
    let id = set_up(&mut walk).await;
    refusals(&mut walk, &id).await;
    changes(&mut walk, &id).await;
    as_many_as_possible(&mut walk).await;
    erased(&mut walk).await;
    unidentified(&mut walk, &id).await;
    called_back(&mut walk).await;
    expired(&mut walk).await;
    without_a_function(&mut walk).await;
    whatever_is_described_came(&walk);
}

/// An ACTIVE one, after everything that can go wrong with a terminal.
async fn set_up(walk: &mut Walk) -> Value {
    let id = walk.create(json!({ "customerNumber": "4711", "nickname": "Kort" })).await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.enter(&id, VISA, "cancelButton").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.enter(&id, "4925000000000087", "okButton").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.call("POST", TERMINAL, &id, Some(&terminal())).await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.world.wait("PT15M").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.enter(&id, VISA, "okButton").await;
    walk.world.local.netaxept().fail(Operation::Query, Fault::Http500, 1);
    walk.call("PUT", AUTHORIZE, &id, None).await;
    assert_eq!(walk.call("PUT", AUTHORIZE, &id, None).await.status, StatusCode::OK);
    walk.call("POST", TERMINAL, &id, Some(&terminal())).await;
    id
}

/// An ACTIVE one, to its end and beyond.
async fn changes(walk: &mut Walk, id: &Value) {
    let list = format!("{PAYMENTS}?customerNumber=eq:4711&includeExpired=true");
    let (choose, unchoose) = (json!({ "isPrimary": true }), json!({ "isPrimary": false }));
    walk.call("GET", &list, &Value::Null, None).await;
    walk.call("GET", ONE, id, None).await;
    for change in [json!({ "nickname": null }), unchoose, json!({ "customerNumber": "1" })] {
        walk.call("PATCH", ONE, id, Some(&change)).await;
    }
    walk.call("DELETE", ONE, id, None).await;
    for change in [json!({ "nickname": "Gammelt" }), choose] {
        walk.call("PATCH", ONE, id, Some(&change)).await;
    }
    walk.call("PUT", AUTHORIZE, id, None).await;
    walk.call("GET", &list, &Value::Null, None).await;
}

/// Sixteen terminals, sixteen recurring payments, and a key that was used before.
async fn as_many_as_possible(walk: &mut Walk) {
    let id = walk.create(json!({ "customerNumber": "4712" })).await;
    for _ in 0..4 {
        for _ in 0..6 {
            walk.call("POST", TERMINAL, &id, Some(&terminal())).await;
        }
        walk.world.wait("PT1H").await;
    }
    let body = json!({ "customerNumber": "4713" });
    for place in 0..16 {
        let id = walk.create(body.clone()).await;
        if place == 6 {
            // Ten terminals an hour are the customer's.
            walk.world.wait("PT1H").await;
        }
        if place < 11 {
            walk.enter(&id, VISA, "okButton").await;
            walk.call("PUT", AUTHORIZE, &id, None).await;
        }
    }
    walk.call("POST", PAYMENTS, &id, Some(&body)).await;
    let bearer = format!("Bearer {}", walk.world.partner);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
    for body in [r#"{"customerNumber":"4714"}"#, r#"{"customerNumber":"4714","nickname":"x"}"#] {
        walk.send("POST", PAYMENTS, &id, &headers, Some(body)).await;
    }
    let id = walk.create(json!({ "customerNumber": "4716" })).await;
    for url in ["https://shop.example/a", "https://shop.example/b"] {
        let body = json!({ "redirectUrl": url }).to_string();
        walk.send("POST", TERMINAL, &id, &headers, Some(&body)).await;
    }
}

/// A customer is erased, twice and wrongly.
async fn erased(walk: &mut Walk) {
    let customer = json!("4714");
    let internal = walk.world.token("internal-demo", json!({})).await;
    for token in [internal.as_str(), &internal, "rubbish", &walk.world.partner.clone()] {
        walk.call_as(token, "DELETE", CUSTOMER, &customer, None).await;
    }
    for wrong in ["4711%20", ""] {
        walk.call_as(&internal, "DELETE", CUSTOMER, &json!(wrong), None).await;
    }
    walk.send("DELETE", CUSTOMER, &customer, &[], None).await;
}

/// What every operation answers callers who do not say who they are, when their allowance is used up.
async fn unidentified(walk: &mut Walk, id: &Value) {
    let bearer = format!("Bearer {}", walk.world.partner);
    let headers = [("authorization", bearer.as_str()), ("et-client-name", "")];
    for (method, path) in OPERATIONS {
        while walk.send(method, path, id, &headers, None).await.status
            != StatusCode::TOO_MANY_REQUESTS
        {}
    }
    let bearer = format!("Bearer {}", walk.world.token("internal-demo", json!({})).await);
    let headers = [("authorization", bearer.as_str()), ("et-client-name", "")];
    while walk.send("DELETE", CUSTOMER, id, &headers, None).await.status
        != StatusCode::TOO_MANY_REQUESTS
    {}
}

/// Every operation of callers on recurring payments.
const OPERATIONS: [(&str, &str); 7] = [
    ("GET", PAYMENTS),
    ("POST", PAYMENTS),
    ("GET", ONE),
    ("PATCH", ONE),
    ("DELETE", ONE),
    ("POST", TERMINAL),
    ("PUT", AUTHORIZE),
];

/// Headers of bodies that are not plain JSON.
const OTHER_BODIES: [(&str, &str); 2] =
    [("content-encoding", "gzip"), ("content-type", "application/json; charset=utf-16")];

/// What every operation refuses alike.
async fn refusals(walk: &mut Walk, id: &Value) {
    let reader = walk.world.token("partner-readonly", json!({})).await;
    let stranger = walk.world.token("traveller-demo", json!({ "customer_number": "1" })).await;
    let large = json!({ "x": "x".repeat(16 * 1024) });
    for (method, path) in OPERATIONS {
        let asked = if path == PAYMENTS && method == "GET" {
            "/v1/recurring-payments?customerNumber=4711"
        } else {
            path
        };
        walk.send(method, asked, id, &[], None).await;
        walk.call_as("rubbish", method, asked, id, None).await;
        if method == "GET" {
            if path == PAYMENTS {
                walk.call_as(&stranger, method, asked, id, None).await;
            }
        } else {
            walk.call_as(&reader, method, asked, id, None).await;
        }
        if path == PAYMENTS {
            walk.call(method, path, id, Some(&json!({}))).await;
        } else {
            walk.call(method, path, &json!(0), None).await;
            let both = json!({ "redirectUrl": "https://shop.example/done", "nickname": "x" });
            walk.call(method, path, &json!(5), Some(&both)).await;
            walk.call(method, path, &json!(""), None).await;
        }
        if method == "POST" || method == "PATCH" {
            walk.call(method, path, id, Some(&large)).await;
            let bearer = format!("Bearer {}", walk.world.partner);
            let plain = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
            walk.send(method, path, id, &plain, Some("{}")).await;
            for other in OTHER_BODIES {
                let headers = [("authorization", bearer.as_str()), other];
                walk.send(method, path, id, &headers, Some("{}")).await;
            }
            walk.send(method, path, id, &plain, Some(&"x".repeat(LARGEST + 1))).await;
        }
    }
    let forbidden = format!("Bearer {}", walk.world.partner);
    let behalf = [("authorization", forbidden.as_str()), ("entur-on-behalf-of", "2")];
    walk.send("POST", PAYMENTS, id, &behalf, Some(r#"{"customerNumber":"1"}"#)).await;
}

/// Nets calls back, rightly and wrongly.
async fn called_back(walk: &mut Walk) {
    let (secret, known) = (json!(CALLBACK_SECRET), json!({ "TransactionId": "1" }).to_string());
    let kind = [("content-type", "application/json")];
    for (secret, body) in
        [(&secret, known.as_str()), (&secret, "{}"), (&json!("wrong"), "{}"), (&json!(""), "{}")]
    {
        walk.send("POST", CALLBACK, secret, &kind, Some(body)).await;
    }
    for size in [17 * 1024, LARGEST + 1] {
        walk.send("POST", CALLBACK, &secret, &kind, Some(&"x".repeat(size))).await;
    }
    for other in [("content-type", "text/plain")].into_iter().chain(OTHER_BODIES) {
        walk.send("POST", CALLBACK, &secret, &[other], Some(&known)).await;
    }
}

/// A card that has expired when it arrives.
async fn expired(walk: &mut Walk) {
    walk.world.wait_for_the_months_end().await;
    let id = walk.create(json!({ "customerNumber": "4717" })).await;
    let terminal = walk.call("POST", TERMINAL, &id, Some(&terminal())).await.json();
    walk.world.press_with_a_card_of_november(terminal["terminalUri"].as_str().unwrap()).await;
    walk.world.wait("PT65S").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
}

/// What the gateway says when the function is killed.
async fn without_a_function(walk: &mut Walk) {
    let id = walk.create(json!({ "customerNumber": "4715" })).await;
    walk.enter(&id, VISA, "okButton").await;
    let local = walk.world.local.clone();
    local.netaxept().fail(Operation::Process, Fault::Delay, 1);
    let kill = async {
        local.netaxept().met().await;
        for instance in local.lambda().instances("authorize-recurring-payment") {
            local.lambda().kill(instance);
        }
    };
    let (answer, ()) = tokio::join!(walk.call("PUT", AUTHORIZE, &id, None), kill);
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// Each member of each schema was in an answer, and no other; and each kind of answer was given.
fn whatever_is_described_came(walk: &Walk) {
    for schema in ["RecurringPayment", "TerminalResponse", "Problem", "Fault", "GatewayMessage"] {
        assert_eq!(walk.seen[schema], walk.document.properties(schema), "{schema}");
    }
    let described = described(&walk.document);
    assert_eq!(walk.answered.difference(&described).collect::<Vec<_>>(), Vec::<&Kind>::new());
    let missing = described.difference(&walk.answered).filter(|(route, status, what)| {
        match what.as_str() {
            // `races.rs` sees it.
            "busy" => false,
            // The sandbox declines for good only.
            "declined-for-now" => false,
            // They need a database that fails; what a function answers then is the same for all.
            "internal" | "unavailable" => false,
            "gateway" => *status < 500,
            // Every client of the local issuer may read.
            "forbidden" => *route != format!("GET {ONE}"),
            _ => true,
        }
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Kind>::new());
}

/// Every kind of answer that the document has.
fn described(document: &Document) -> BTreeSet<Kind> {
    let mut described = BTreeSet::new();
    for (method, path, one) in document.operations("paths") {
        for (status, response) in one["responses"].as_object().unwrap() {
            let response = document.resolve(response);
            if response["content"].is_null() {
                let route = format!("{method} {path}");
                described.insert((route, status.parse().unwrap(), String::new()));
            }
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let types = &content["schema"]["allOf"][1]["properties"]["type"]["enum"];
                let types = types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice);
                described.extend(types.iter().map(|one| {
                    (format!("{method} {path}"), status.parse().unwrap(), what(kind, one))
                }));
            }
        }
    }
    described
}

/// What callers are told is what the webhooks say, headers included.
#[tokio::test]
async fn what_is_told_is_what_it_says() {
    let mut walk = Walk::new().await;
    let id = walk.create(json!({ "customerNumber": "4711" })).await;
    walk.enter(&id, "4925000000000087", "okButton").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    walk.enter(&id, VISA, "okButton").await;
    walk.call("PUT", AUTHORIZE, &id, None).await;
    let left = walk.create(json!({ "customerNumber": "4712" })).await;
    walk.world.terminal(&left).await;
    walk.world.pass("P2D").await;
    let mut seen = Set::new();
    let mut members = Set::new();
    for (_, name, one) in walk.document.operations("webhooks") {
        let schema = &one["requestBody"]["content"]["application/json"]["schema"];
        let kind = &schema["allOf"][1]["properties"]["type"]["const"];
        for told in
            walk.world.local.inbox().received().iter().filter(|told| told.body["type"] == *kind)
        {
            walk.document.check(schema, &told.body, &name);
            members.extend(told.body.as_object().unwrap().keys().cloned());
            let timestamp: i64 = told.timestamp.as_deref().unwrap().parse().unwrap();
            let parameters = one["parameters"].as_array().unwrap();
            for (parameter, value) in parameters.iter().zip([json!(told.id), json!(timestamp)]) {
                walk.document.check(&walk.document.resolve(parameter)["schema"], &value, &name);
            }
            seen.insert(kind.as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, walk.document.words("/components/schemas/Notification/properties/type/enum"));
    assert_eq!(members, walk.document.properties("Notification"));
}

/// Each example of a body, sent to the service, does what the operation does.
#[tokio::test]
async fn its_requests_are_accepted() {
    let mut walk = Walk::new().await;
    let mut sent = 0;
    for (method, path, one) in Document::read().operations("paths") {
        let examples = one["requestBody"]["content"]["application/json"]["examples"].clone();
        for (name, example) in examples.as_object().into_iter().flatten() {
            walk.create(json!({ "customerNumber": "4711" })).await;
            let id = match path.as_str() {
                CALLBACK => json!(CALLBACK_SECRET),
                _ => walk.create(json!({ "customerNumber": "4711" })).await,
            };
            let answer = walk.call(&method, &path, &id, Some(&example["value"])).await;
            assert!(answer.status.is_success(), "{method} {path} {name}: {answer:?}");
            sent += 1;
        }
    }
    assert!(sent >= 10, "{sent}");
}

/// What a body's schema refuses the service refuses too, and what it takes is taken: at each edge.
#[tokio::test]
async fn its_limits_are_the_services() {
    let world = World::new().await;
    let document = Document::read();
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let long = "ø".repeat(64);
    let url = |rest: usize| format!("https://a/{}", "b".repeat(rest));
    for (method, path, name, value, taken) in [
        ("PATCH", ONE, "nickname", json!(long), true),
        ("PATCH", ONE, "nickname", json!(format!(" \u{85}\u{3000}{long}\n")), true),
        ("PATCH", ONE, "nickname", json!(format!("{long}ø")), false),
        ("PATCH", ONE, "nickname", json!(" \u{2028} "), false),
        ("PATCH", ONE, "nickname", json!(""), false),
        ("PATCH", ONE, "nickname", json!("a\nb"), false),
        ("PATCH", ONE, "nickname", json!("a\u{202e}b"), false),
        ("PATCH", ONE, "nickname", json!("\u{200f}"), false),
        ("PATCH", ONE, "nickname", json!("a\u{2028}b"), false),
        ("PATCH", ONE, "nickname", json!("a\u{2029}b"), false),
        ("PATCH", ONE, "nickname", json!("a b \u{feff}\u{2028}"), true),
        ("PATCH", ONE, "nickname", json!("💳"), true),
        ("PATCH", ONE, "nickname", json!(7), false),
        ("PATCH", ONE, "nickname", Value::Null, true),
        ("PATCH", ONE, "isPrimary", Value::Null, true),
        ("PATCH", ONE, "isPrimary", json!("true"), false),
        ("PATCH", ONE, "customerNumber", Value::Null, true),
        ("PATCH", ONE, "customerNumber", json!(4711), false),
        ("PATCH", ONE, "primary", json!(true), false),
        ("PATCH", ONE, "nickName", json!("x"), false),
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
        assert_eq!(described, taken, "{method} {path} {body}");
        let target = path.replace("{recurringPaymentId}", &id.to_string());
        let answer = world.call(method, &target, Some(&body)).await;
        assert_eq!(answer.status.is_success(), taken, "{method} {path} {body}: {answer:?}");
    }
    let nothing = json!({ "redirectUrl": "https://a", "autoSale": null, "storePayment": null, "singlePage": null,
        "callbackUrl": null, "countryCode": null, "transactionType": null, "terminalLanguage": null, "customerNumber": null });
    document.check(&json!({ "$ref": "#/components/schemas/TerminalRequest" }), &nothing, "nothing");
    let answer = world
        .call("POST", &TERMINAL.replace("{recurringPaymentId}", &id.to_string()), Some(&nothing))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}
