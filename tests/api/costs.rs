//! What each operation asks of `DynamoDB`, and what that costs: architecture.md §1.2, request by request.
//!
//! A wallet is read: one unit. What changes something reads it and writes it: one unit for the wallet, as long as there are no
//! more than four cards in it and little else, and what becomes of its entries in the two indexes. What changes nothing is not
//! written. The units are asserted where the engine counts them: `Engine::units`.

mod endings;
mod model;
mod refusals;
mod schedules;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, PAYMENTS, VISA, World};
use model::Ask;

/// How many cards there can be in a wallet that costs a unit to write.
const CARDS: std::ops::RangeInclusive<usize> = 1..=4;
/// How many, when there are keys or addresses beside them, which are stored for a while: four are more than a unit then.
const CARDS_AND_MORE: std::ops::RangeInclusive<usize> = 1..=3;

impl World {
    /// What was asked since the last look is what the model says.
    fn has_asked(&self, expected: &[Ask], what: &str) {
        assert_eq!(self.asked(), self.of_the_model(expected), "{what}");
    }

    /// The same where shards are asked, each of which may be the one with something due.
    fn has_asked_in_any_order(&self, expected: &[Ask], what: &str) {
        let (mut asked, mut expected) = (self.asked(), self.of_the_model(expected));
        for requests in [&mut asked, &mut expected] {
            requests.sort_by(|one, other| one.0.cmp(&other.0));
        }
        assert_eq!(asked, expected, "{what}");
    }

    /// What was asked since the last look: the operations, and the units that they cost, where these are counted.
    fn asked(&self) -> Vec<(String, Option<f64>)> {
        let requests = self.local.dynamodb().requests();
        self.local.dynamodb().forget_requests();
        requests.into_iter().map(|request| (request.operation, request.capacity)).collect()
    }

    fn of_the_model(&self, asks: &[Ask]) -> Vec<(String, Option<f64>)> {
        asks.iter().map(|ask| ask.on(self.local.dynamodb().engine())).collect()
    }

    /// A customer with so many cards. What was asked so far is forgotten.
    async fn with_cards(&self, number: String, cards: usize) -> Customer<'_> {
        for _ in 0..cards {
            self.active(&number).await;
        }
        self.local.dynamodb().forget_requests();
        Customer { world: self, number, id: Value::Null, page: Value::Null, key: None }
    }
}

/// A customer, and the recurring payment that was created last.
struct Customer<'a> {
    world: &'a World,
    number: String,
    id: Value,
    /// The address of its terminal's page.
    page: Value,
    /// The idempotency key of creations and terminals.
    key: Option<&'static str>,
}

/// What is done with it.
#[derive(Debug, Clone, Copy)]
enum Step {
    List,
    Get,
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
    async fn take(&mut self, step: Step) -> StatusCode {
        let path = format!("{PAYMENTS}/{}", self.id);
        let answer = match step {
            Step::List => {
                let path = format!("{PAYMENTS}?customerNumber={}", self.number);
                self.world.call("GET", &path, None).await
            }
            Step::Get => self.world.call("GET", &path, None).await,
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
                self.world.press(self.page.as_str().unwrap(), VISA, "okButton").await;
                return StatusCode::FOUND;
            }
            Step::Authorize => self.world.authorize(&self.id).await,
            Step::End => self.world.call("DELETE", &path, None).await,
            Step::Erase => self.world.erase(&self.number).await,
        };
        answer.status
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.world.call("PATCH", path, Some(&body)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.world.partner);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("et-client-name", "tests-api"),
            ("content-type", "application/json"),
        ];
        headers.extend(self.key.map(|key| ("idempotency-key", key)));
        self.world.send("POST", path, &headers, Some(&body.to_string())).await
    }

    async fn costs(&mut self, step: Step, status: u16, expected: &[Ask], cards: usize) {
        let what = format!("{step:?}, {cards} cards");
        assert_eq!(self.take(step).await, status, "{what}");
        self.world.has_asked(expected, &what);
    }
}

/// A card's whole way into a wallet in which there are some already, and out again.
#[tokio::test]
async fn a_read_is_one_request_and_every_change_two() {
    for cards in CARDS {
        let world = World::new().await;
        let mut customer = world.with_cards("4711".to_owned(), cards - 1).await;
        // The only one is primary already.
        let (created, chosen) = match cards {
            1 => (model::CREATED_FIRST, model::READ),
            _ => (model::CREATED_BESIDE_CARDS, model::UPDATED),
        };
        #[rustfmt::skip]
        let table: [(Step, u16, &[Ask]); 20] = [
            (Step::List,          200, model::READ),
            (Step::Create,        201, created),
            (Step::Get,           200, model::READ),
            (Step::ChangeNothing, 200, model::READ),
            (Step::Choose,        200, chosen),
            (Step::Choose,        200, model::READ),
            (Step::Authorize,     409, model::READ),
            (Step::OpenTerminal,  201, model::OPENED),
            (Step::Authorize,     409, model::READ),
            (Step::EnterCard,     302, model::NOTHING),
            (Step::Authorize,     200, model::STORED),
            (Step::Authorize,     200, model::READ),
            (Step::OpenTerminal,  409, model::READ),
            (Step::Rename,        200, model::UPDATED),
            (Step::Rename,        200, model::READ),
            (Step::List,          200, model::READ),
            (Step::End,           200, model::ENDED),
            (Step::End,           200, model::READ),
            (Step::Authorize,     409, model::READ),
            (Step::Get,           200, model::READ),
        ];
        for (step, status, expected) in table {
            customer.costs(step, status, expected, cards).await;
        }
        assert_eq!(world.list("4711").await.len(), cards - 1);
    }
}

/// Beside one that waits for its card, too, nothing is due sooner: that one is abandoned first.
#[tokio::test]
async fn another_one_that_waits_is_due_later() {
    let world = World::new().await;
    let mut customer = world.with_cards("4711".to_owned(), 0).await;
    for expected in [model::CREATED_FIRST, model::CREATED_BESIDE_ONE_THAT_WAITS] {
        customer.costs(Step::Create, 201, expected, 0).await;
    }
}

/// The same key again: nothing is changed, though Nets is asked about the terminal.
#[tokio::test]
async fn what_is_repeated_with_its_key_is_a_read() {
    let world = World::new().await;
    for cards in CARDS_AND_MORE {
        let mut customer = world.with_cards(cards.to_string(), cards - 1).await;
        customer.key = Some("a-key-of-this-customer");
        let created = if cards == 1 { model::CREATED_FIRST } else { model::CREATED_BESIDE_CARDS };
        for (step, expected) in [(Step::Create, created), (Step::OpenTerminal, model::OPENED)] {
            customer.costs(step, 201, expected, cards).await;
            customer.costs(step, 201, model::READ, cards).await;
        }
    }
}

/// What was erased has nothing due; an erased wallet is still read.
#[tokio::test]
async fn to_erase_is_a_change() {
    let world = World::new().await;
    for cards in CARDS {
        let mut customer = world.with_cards(cards.to_string(), cards).await;
        for expected in [model::ERASED, model::READ] {
            customer.costs(Step::Erase, 204, expected, cards).await;
        }
    }
    let mut customer = world.with_cards("nobody".to_owned(), 0).await;
    customer.costs(Step::Erase, 204, model::READ, 0).await;
}

/// Those who do not say who they are are counted, served or not.
#[tokio::test]
async fn an_unidentified_caller_is_one_request_more() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.partner);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let (path, list) = (format!("{PAYMENTS}/{id}"), format!("{PAYMENTS}?customerNumber=4711"));
    let customer = "{\"customerNumber\":\"4712\"}";
    let terminal = "{\"redirectUrl\":\"https://shop.example\"}";
    world.local.dynamodb().forget_requests();
    for used_up in [false, true] {
        if used_up {
            world.use_up_the_allowance().await;
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
            let what = format!("{method} {path}, used up: {used_up}");
            let answer = world.send(method, path, &headers, body).await;
            let (status, expected) = if used_up {
                (429, vec![Ask::CountRefused])
            } else {
                (status, [model::COUNTED, expected].concat())
            };
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            world.has_asked(&expected, &what);
        }
    }
}

impl World {
    /// Sixty requests in this minute, and in the next one.
    async fn use_up_the_allowance(&self) {
        let minute = self.local.clock().now().as_second() / 60;
        for minute in [minute, minute + 1] {
            let count = json!({ "minute": { "N": minute.to_string() }, "used": { "N": "60" } });
            let put = json!({ "TableName": "Allowances", "Item": count });
            self.local.dynamodb().call("PutItem", &put).await.unwrap();
        }
    }
}
