//! The endpoints: the real function binaries, through the local service, as callers see them.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod addresses;
mod bodies;
mod canary;
mod containers;
mod cors;
mod costs;
mod customers;
mod door;
mod doubts;
mod erasure;
mod events;
mod expired_cards;
mod notifications;
mod observed;
mod openapi;
mod privileges;
mod races;
mod reads;
mod refusals;
mod schedules;
mod soak;
mod template;
mod tokens;
mod vanishing;
mod walk;

use local::{Local, Options};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// The collection of recurring payments.
const PAYMENTS: &str = "/v1/recurring-payments";
/// A card that goes well.
const VISA: &str = "4925000000000004";
/// The scheduled functions.
const SCHEDULED: [&str; 2] = ["expire-recurring-payments", "finish-terminals"];

/// Every operation on a recurring payment: method, end of the path, and the body where there is one.
fn with_an_id(body: &Value) -> [(&'static str, &'static str, Option<&Value>); 5] {
    [
        ("GET", "", None),
        ("PATCH", "", Some(body)),
        ("DELETE", "", None),
        ("POST", "/terminal", Some(body)),
        ("PUT", "/authorize", None),
    ]
}

/// A service of its own, and a partner's token for it.
struct World {
    local: Local,
    http: Client,
    partner: String,
}

/// An answer, whole.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The last part of the problem type, after what every problem of ours has was checked.
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

impl World {
    async fn new() -> Self {
        let local = Local::start(Options::default()).await.unwrap();
        let mut world = Self { local, http: local::http_client().unwrap(), partner: String::new() };
        world.partner = world.token("partner-demo", json!({})).await;
        world
    }

    async fn token(&self, client: &str, more: Value) -> String {
        let mut asked = json!({ "grant_type": "client_credentials", "client_id": client, "client_secret": client });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let address = format!("{}/oauth/token", self.local.addresses().issuer);
        let answer = self.http.post(address).json(&asked).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A call with exactly these headers.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            self.http.request(method, format!("{}{path}", self.local.addresses().api));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str()), ("et-client-name", "tests-api")];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.map(Value::to_string).as_deref()).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.call_as(&self.partner, method, path, body).await
    }

    /// A new recurring payment of a customer, with more members.
    async fn create(&self, customer: &str, more: Value) -> Value {
        let mut body = json!({ "customerNumber": customer });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.call("POST", PAYMENTS, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }

    /// A terminal, and what a customer does there: `okButton` or `cancelButton`.
    async fn visit(&self, id: &Value, number: &str, button: &str) -> String {
        let body = json!({ "redirectUrl": "https://shop.example/done" });
        let terminal = self.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        assert_eq!(terminal.status, StatusCode::CREATED, "{terminal:?}");
        let uri = terminal.json()["terminalUri"].as_str().unwrap().to_owned();
        self.press(&uri, number, button).await
    }

    /// A terminal whose end is told to the inbox: the address of its page.
    async fn terminal(&self, id: &Value) -> String {
        let tell = format!("{}/inbox/{id}", self.local.addresses().console);
        let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": tell });
        let terminal = self.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        assert_eq!(terminal.status, StatusCode::CREATED, "{terminal:?}");
        terminal.json()["terminalUri"].as_str().unwrap().to_owned()
    }

    /// What the terminal page sends.
    fn card<'a>(number: &'a str, button: &'a str) -> [(&'a str, &'a str); 5] {
        let code = if number.starts_with('3') { "1234" } else { "123" };
        [("cardNo", number), ("month", "03"), ("year", "29"), ("securityCode", code), (button, "x")]
    }

    async fn press(&self, uri: &str, number: &str, button: &str) -> String {
        let form = Self::card(number, button);
        let page = self.http.post(uri).form(&form).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::FOUND);
        page.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Moves the clock, gets a token that is good then, and runs every schedule twice. A second more, because the time of a
    /// schedule's event is in whole seconds.
    async fn pass(&mut self, time: &str) {
        self.local.clock().advance("PT1S").unwrap();
        self.wait(time).await;
        for _ in 0..2 {
            for function in SCHEDULED {
                let tally = self.run(function).await;
                assert_eq!(
                    (&tally["failed"], &tally["unclear"]),
                    (&json!(0), &json!(0)),
                    "{tally}"
                );
            }
        }
    }

    /// Moves the clock, and gets a token that is good then.
    async fn wait(&mut self, time: &str) {
        self.local.clock().advance(time).unwrap();
        self.partner = self.token("partner-demo", json!({})).await;
    }

    /// Runs a schedule, as the console does.
    async fn run(&self, function: &str) -> Value {
        let address = format!("{}/schedule/{function}", self.local.addresses().console);
        let answer = self.http.post(address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    /// Whether no wallet has anything that is due by now.
    async fn nothing_is_due(&self) -> bool {
        let table = self.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
        let now = self.local.clock().now().as_millisecond();
        let due = |item: &Value| {
            ["expiryAt", "choreAt"].into_iter().any(|name| {
                item[name]["N"].as_str().is_some_and(|at| at.parse::<i64>().unwrap() <= now)
            })
        };
        !table.unwrap()["Items"].as_array().unwrap().iter().any(due)
    }

    /// What callers were told, in order, each with a right signature.
    fn events(&self) -> Vec<String> {
        let received = self.local.inbox().received();
        let event = |notification: &local::inbox::Notification| {
            assert_eq!(notification.signature, local::inbox::Signature::Valid);
            notification.body["type"].as_str().unwrap().to_owned()
        };
        received.iter().map(event).collect()
    }

    /// The lines with a message that a function logged.
    fn logged(&self, function: &str, message: &str) -> Vec<Value> {
        let lines = self.local.lambda().lines();
        let lines = lines.iter().filter(|line| line.function == function);
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line.line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    async fn authorize(&self, id: &Value) -> Answer {
        self.call("PUT", &format!("{PAYMENTS}/{id}/authorize"), None).await
    }

    /// A recurring payment with a card.
    async fn active(&self, customer: &str) -> Value {
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        self.visit(&id, "4925000000000004", "okButton").await;
        let answer = self.authorize(&id).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        id
    }

    async fn list(&self, customer: &str) -> Vec<Value> {
        let answer = self.call("GET", &format!("{PAYMENTS}?customerNumber={customer}"), None).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "application/hal+json")
        );
        answer.json().as_array().unwrap().clone()
    }
}
