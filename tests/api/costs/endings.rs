//! What it costs to learn what became of a visit to Nets' page: whoever asks, and whatever it became.

use local::netaxept::{CALLBACK_SECRET, Kind, Operation};
use serde_json::{Value, json};

use super::model::{self, Ask};
use super::{CARDS, CARDS_AND_MORE, Step};
use crate::{PAYMENTS, VISA, World};

/// What a customer does on the page, or Nets to us.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// Nothing yet. (A card that is declined for now is the same to us: `shared/tests/storage.rs`.)
    Nothing,
    Cancels,
    /// A card that is declined for good.
    Declined,
    Card,
    /// Nets says nothing clear.
    Unclear,
}

/// What an ending is answered; what it costs to learn of it at once; and when the look at it is due.
type Row = (Ending, bool, u16, &'static [Ask], &'static [Ask]);

const TOLD: bool = true;
const UNTOLD: bool = false;

/// At once it is seen that there is a look in a minute; after that, there has to be another.
#[rustfmt::skip]
const ENDINGS: [Row; 7] = [
    (Ending::Nothing,  UNTOLD, 409, model::READ,            model::LOOKED),
    (Ending::Unclear,  UNTOLD, 503, model::READ,            model::LOOKED),
    (Ending::Cancels,  UNTOLD, 409, model::CLOSED,          model::CLOSED),
    (Ending::Declined, UNTOLD, 409, model::CLOSED,          model::CLOSED),
    (Ending::Declined, TOLD,   409, model::CLOSED_AND_TOLD, model::CLOSED_AND_TOLD),
    (Ending::Card,     UNTOLD, 200, model::STORED,          model::STORED),
    (Ending::Card,     TOLD,   200, model::STORED_AND_TOLD, model::STORED_AND_TOLD),
];

/// Each ending in a wallet that may come to its first card, or to as many as there can be for this cost: what the smallest
/// and the largest cost, those in between do.
fn cases() -> impl Iterator<Item = (usize, Row)> {
    let cards = |row: &Row| if row.1 { CARDS_AND_MORE } else { CARDS };
    ENDINGS
        .into_iter()
        .flat_map(move |row| [*cards(&row).start(), *cards(&row).end()].map(|cards| (cards, row)))
}

impl World {
    /// A customer with one card less, and a visit: the recurring payment, and the transaction.
    async fn visited(&self, customer: &str, cards: usize, (ending, told, ..): Row) -> [Value; 2] {
        self.with_cards(customer.to_owned(), cards - 1).await;
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let mut body = json!({ "redirectUrl": "https://shop.example/done" });
        if told {
            body["callbackUrl"] = json!(format!("{}/inbox/{id}", self.local.addresses().console));
        }
        let opened = self.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        let opened = opened.json();
        let uri = opened["terminalUri"].as_str().unwrap();
        match ending {
            Ending::Nothing => {}
            Ending::Cancels => drop(self.press(uri, VISA, "cancelButton").await),
            Ending::Declined => drop(self.press(uri, "4925000000000087", "okButton").await),
            Ending::Card => drop(self.press(uri, VISA, "okButton").await),
            Ending::Unclear => self.local.netaxept().fail(Operation::Query, Kind::Http500, 1),
        }
        self.local.dynamodb().forget_requests();
        [id, opened["transactionId"].clone()]
    }
}

/// A caller asks, or Nets says that something happened.
#[tokio::test]
async fn at_once() {
    let world = World::new().await;
    let callback = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    for (place, (cards, row)) in cases().enumerate() {
        let (ending, told, status, expected, _) = row;
        let what = format!("{ending:?}, told: {told}, {cards} cards");
        let [id, _] = world.visited(&format!("a{place}"), cards, row).await;
        assert_eq!(world.authorize(&id).await.status, status, "{what}");
        world.has_asked(expected, &what);
        let [_, transaction] = world.visited(&format!("c{place}"), cards, row).await;
        let body = json!({ "TransactionId": transaction.to_string() }).to_string();
        let json = [("content-type", "application/json")];
        let called = world.send("POST", &callback, &json, Some(&body)).await;
        assert_eq!(called.status, 200, "{what}, called");
        world.has_asked(expected, &format!("{what}, called"));
    }
}

/// A minute later the schedule looks, or a caller asks before it does.
#[tokio::test]
async fn when_the_look_is_due() {
    let mut world = World::new().await;
    for (cards, row) in cases() {
        let (ending, told, status, _, expected) = row;
        let what = format!("{ending:?}, told: {told}, {cards} cards");
        world.visited("4711", cards, row).await;
        world.wait("PT1M1S").await;
        let tally = world.run("finish-terminals").await;
        assert_eq!(tally["changed"], 1, "{what}: {tally}");
        world.has_asked_in_any_order(&[model::RUN, expected].concat(), &what);
        world.erase("4711").await;
        let [id, _] = world.visited("4712", cards, row).await;
        world.wait("PT1M1S").await;
        assert_eq!(world.authorize(&id).await.status, status, "{what}, asked");
        world.has_asked(expected, &format!("{what}, asked"));
        world.erase("4712").await;
    }
}

/// Nets refuses to register a visit: that it is none is found by the first look at it, and not written down before.
#[tokio::test]
async fn a_terminal_that_nets_refuses_is_one_change() {
    let world = World::new().await;
    for cards in CARDS {
        let mut customer = world.with_cards(cards.to_string(), cards - 1).await;
        customer.take(Step::Create).await;
        world.local.dynamodb().forget_requests();
        world.local.netaxept().fail(Operation::Register, Kind::Http500, 1);
        customer.costs(Step::OpenTerminal, 503, model::OPENED, cards).await;
    }
}

/// Nets calls about what is not here, or not waiting any more.
#[tokio::test]
async fn a_callback_that_changes_nothing_is_a_read() {
    let world = World::new().await;
    let mut customer = world.with_cards("4711".to_owned(), 0).await;
    for step in [Step::Create, Step::OpenTerminal, Step::EnterCard, Step::Authorize] {
        customer.take(step).await;
    }
    world.local.dynamodb().forget_requests();
    let callback = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let transaction = customer.id.as_u64().unwrap() << 4;
    for (transaction, expected) in
        [(transaction, model::READ), (transaction + (1 << 14), model::READ), (0, model::NOTHING)]
    {
        let body = json!({ "TransactionId": transaction.to_string() }).to_string();
        let json = [("content-type", "application/json")];
        world.send("POST", &callback, &json, Some(&body)).await;
        world.has_asked(expected, &format!("{transaction}"));
    }
}
