//! The `DynamoDB` requests and capacity units of each operation.
//!
//! Reading a wallet costs one read unit. A change reads the wallet and writes it. The write costs one unit while the wallet has
//! at most three cards and little else, plus the units for its entries in the two indexes. A call that changes nothing does not
//! write. The tests compare units only on engines that count them (`Engine::units`).

mod errors;
mod lifecycle_events;
mod model;
mod payments;
mod schedules;
mod terminal_outcomes;
mod waiting;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi, VISA};
use local::dynamodb::Engine;
use model::Request;

/// Numbers of cards with which a wallet costs one unit to write.
const CARDS: std::ops::RangeInclusive<usize> = 1..=3;
/// Numbers of cards with which a wallet that also stores idempotency keys, a `callbackUrl` or further changes costs one unit to write.
const CARDS_WITH_EXTRAS: std::ops::RangeInclusive<usize> = 1..=2;

impl TestApi {
    /// Asserts that the requests since the last call are the expected ones, in order.
    fn assert_requests(&self, expected: &[Request], context: &str) {
        let requests = self.take_requests();
        // Some engines refuse a write without returning the item. The service then reads it.
        let is_read = self.local.dynamodb().engine() == Engine::Other
            && requests != self.expected_requests(expected);
        let with_reads = |request: &Request| {
            let read = is_read && matches!(request, Request::WriteRejected);
            std::iter::once(*request).chain(read.then_some(Request::Read))
        };
        let expected: Vec<Request> = expected.iter().flat_map(with_reads).collect();
        assert_eq!(requests, self.expected_requests(&expected), "{context}");
    }

    /// Asserts that the requests are the expected ones in any order. For runs of a schedule: the due wallet can be in any shard.
    fn assert_requests_in_any_order(&self, expected: &[Request], context: &str) {
        let (mut requests, mut expected) = (self.take_requests(), self.expected_requests(expected));
        for list in [&mut requests, &mut expected] {
            list.sort_by(|one, other| one.0.cmp(&other.0));
        }
        assert_eq!(requests, expected, "{context}");
    }

    /// Returns the requests since the last call: operations, and their capacity units if the engine counts them.
    fn take_requests(&self) -> Vec<(String, Option<f64>)> {
        let requests = self.local.dynamodb().requests();
        self.local.dynamodb().clear_requests();
        requests.into_iter().map(|request| (request.operation, request.capacity)).collect()
    }

    fn expected_requests(&self, requests: &[Request]) -> Vec<(String, Option<f64>)> {
        requests.iter().map(|request| request.expected_on(self.local.dynamodb().engine())).collect()
    }

    /// Creates a customer with this number of cards, and clears the recorded requests.
    async fn customer_with_cards(&self, number: String, cards: usize) -> Customer<'_> {
        for _ in 0..cards {
            self.create_active(&number).await;
        }
        self.local.dynamodb().clear_requests();
        Customer { api: self, number, id: Value::Null, page: Value::Null, key: None }
    }
}

/// A customer, and the recurring payment that the last `Step::Create` created.
struct Customer<'a> {
    api: &'a TestApi,
    number: String,
    id: Value,
    /// The `terminalUri` of the last terminal.
    page: Value,
    /// The idempotency key for create and terminal requests.
    key: Option<&'static str>,
}

/// A call, or a card entry at the terminal.
#[derive(Debug, Clone, Copy)]
enum Step {
    List,
    Get,
    History,
    Create,
    Rename,
    Choose,
    ChangeNothing,
    OpenTerminal,
    EnterCard,
    Authorize,
    End,
    Erase,
}

impl Customer<'_> {
    async fn perform(&mut self, step: Step) -> StatusCode {
        let path = format!("{PAYMENTS}/{}", self.id);
        let response = match step {
            Step::List => {
                let path = format!("{PAYMENTS}?customerNumber={}", self.number);
                self.api.call("GET", &path, None).await
            }
            Step::Get => self.api.call("GET", &path, None).await,
            Step::History => self.api.call("GET", &format!("{path}/history"), None).await,
            Step::Create => {
                let created = self.post(PAYMENTS, &json!({ "customerNumber": self.number })).await;
                self.id = created.json()["recurringPaymentId"].clone();
                created
            }
            Step::Rename => self.patch(&path, json!({ "nickname": "Kort" })).await,
            Step::Choose => self.patch(&path, json!({ "isPrimary": true })).await,
            Step::ChangeNothing => self.patch(&path, json!({})).await,
            Step::OpenTerminal => {
                let body = json!({ "redirectUrl": "https://shop.example/done" });
                let opened = self.post(&format!("{path}/terminal"), &body).await;
                self.page = opened.json()["terminalUri"].clone();
                opened
            }
            Step::EnterCard => {
                self.api.submit_card(self.page.as_str().unwrap(), VISA, "okButton").await;
                return StatusCode::FOUND;
            }
            Step::Authorize => self.api.authorize(&self.id).await,
            Step::End => self.api.call("DELETE", &path, None).await,
            Step::Erase => self.api.erase(&self.number).await,
        };
        response.status
    }

    async fn patch(&self, path: &str, body: Value) -> Response {
        self.api.call("PATCH", path, Some(&body)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let bearer = format!("Bearer {}", self.api.partner);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("et-client-name", "tests-api"),
            ("content-type", "application/json"),
        ];
        headers.extend(self.key.map(|key| ("idempotency-key", key)));
        self.api.send("POST", path, &headers, Some(&body.to_string())).await
    }

    async fn assert_cost(&mut self, step: Step, status: u16, expected: &[Request], cards: usize) {
        let context = format!("{step:?}, {cards} cards");
        assert_eq!(self.perform(step).await, status, "{context}");
        self.api.assert_requests(expected, &context);
    }
}

/// The life of a recurring payment in a wallet that already has cards.
#[tokio::test]
async fn reads_cost_one_request_and_changes_cost_two() {
    for cards in CARDS_WITH_EXTRAS {
        let api = TestApi::new().await;
        let mut customer = api.customer_with_cards("4711".to_owned(), cards - 1).await;
        // The only recurring payment of a customer is already primary.
        let (created, chosen) = match cards {
            1 => (model::CREATED_FIRST, model::READ),
            _ => (model::CREATED_WITH_CARDS, model::UPDATED),
        };
        #[rustfmt::skip]
        let table: [(Step, u16, &[Request]); 21] = [
            (Step::List,          200, model::READ),
            (Step::Create,        201, created),
            (Step::Get,           200, model::READ),
            (Step::ChangeNothing, 200, model::READ),
            (Step::Choose,        200, chosen),
            (Step::Choose,        200, model::READ),
            (Step::Authorize,     409, model::READ),
            (Step::OpenTerminal,  201, model::OPENED),
            (Step::Authorize,     409, model::READ),
            (Step::EnterCard,     302, model::NO_REQUESTS),
            (Step::Authorize,     200, model::STORED),
            (Step::Authorize,     200, model::READ),
            (Step::OpenTerminal,  409, model::READ),
            (Step::Rename,        200, model::UPDATED),
            (Step::Rename,        200, model::READ),
            (Step::List,          200, model::READ),
            (Step::End,           200, model::ENDED),
            (Step::End,           200, model::READ),
            (Step::History,       200, model::READ),
            (Step::Authorize,     409, model::READ),
            (Step::Get,           200, model::READ),
        ];
        for (step, status, expected) in table {
            customer.assert_cost(step, status, expected, cards).await;
        }
        assert_eq!(api.list("4711").await.len(), cards - 1);
    }
}

/// A second recurring payment without a card does not move the index entry, because the first one is abandoned earlier.
#[tokio::test]
async fn a_second_pending_recurring_payment_does_not_move_the_index_entry() {
    let api = TestApi::new().await;
    let mut customer = api.customer_with_cards("4711".to_owned(), 0).await;
    for expected in [model::CREATED_FIRST, model::CREATED_WITH_PENDING] {
        customer.assert_cost(Step::Create, 201, expected, 0).await;
    }
}

/// A repeated request with the same key does not write. For a terminal it queries Nets.
#[tokio::test]
async fn a_repeated_idempotency_key_costs_a_read() {
    let api = TestApi::new().await;
    for cards in CARDS_WITH_EXTRAS {
        let mut customer = api.customer_with_cards(cards.to_string(), cards - 1).await;
        customer.key = Some("a-key-of-this-customer");
        let created = if cards == 1 { model::CREATED_FIRST } else { model::CREATED_WITH_CARDS };
        for (step, expected) in [(Step::Create, created), (Step::OpenTerminal, model::OPENED)] {
            customer.assert_cost(step, 201, expected, cards).await;
            customer.assert_cost(step, 201, model::READ, cards).await;
        }
    }
}

/// Erasing removes the index entries. Erasing again only reads the wallet.
#[tokio::test]
async fn erasing_costs_a_change() {
    let api = TestApi::new().await;
    for cards in CARDS {
        let mut customer = api.customer_with_cards(cards.to_string(), cards).await;
        for expected in [model::ERASED, model::READ] {
            customer.assert_cost(Step::Erase, 204, expected, cards).await;
        }
    }
    let mut customer = api.customer_with_cards("unknown".to_owned(), 0).await;
    customer.assert_cost(Step::Erase, 204, model::READ, 0).await;
}

/// Requests of unidentified callers are counted, also when they are rejected.
#[tokio::test]
async fn an_unidentified_caller_costs_one_more_request() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {}", api.partner);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (path, list) = (format!("{PAYMENTS}/{id}"), format!("{PAYMENTS}?customerNumber=4711"));
    let customer = "{\"customerNumber\":\"4712\"}";
    let terminal = "{\"redirectUrl\":\"https://shop.example\"}";
    api.local.dynamodb().clear_requests();
    for limit_reached in [false, true] {
        if limit_reached {
            api.reach_rate_limit().await;
        }
        for (method, path, body, status, expected) in [
            ("GET", &list, None, 200, model::READ),
            ("GET", &path, None, 200, model::READ),
            ("POST", &PAYMENTS.to_owned(), Some(customer), 201, model::CREATED_FIRST),
            ("PATCH", &path, Some("{}"), 200, model::READ),
            ("PUT", &format!("{path}/authorize"), None, 409, model::READ),
            ("POST", &format!("{path}/terminal"), Some(terminal), 201, model::OPENED),
            ("DELETE", &path, None, 200, model::ENDED_WHILE_OPEN),
        ] {
            let context = format!("{method} {path}, limit reached: {limit_reached}");
            let response = api.send(method, path, &headers, body).await;
            let (status, expected) = if limit_reached {
                (429, vec![Request::CountRejected])
            } else {
                (status, [model::COUNTED, expected].concat())
            };
            assert_eq!(response.status, status, "{context}: {response:?}");
            api.assert_requests(&expected, &context);
        }
    }
}

impl TestApi {
    /// Sets the request counts of this minute and the next one to the limit of 60.
    async fn reach_rate_limit(&self) {
        let minute = self.local.clock().now().as_second() / 60;
        for minute in [minute, minute + 1] {
            let count = json!({ "minute": { "N": minute.to_string() }, "used": { "N": "60" } });
            let put = json!({ "TableName": "RateLimits", "Item": count });
            self.local.dynamodb().call("PutItem", &put).await.unwrap();
        }
    }
}
