//! The cost of reconciling a terminal session, for each outcome and each trigger: client, callback and schedule.

use local::netaxept::{CALLBACK_SECRET, FaultKind, Operation};
use serde_json::{Value, json};

use super::model::{self, Request};
use super::{CARDS, CARDS_WITH_EXTRAS, Step};
use crate::{PAYMENTS, TestApi, VISA, is_full_size};

/// The action of the customer at the terminal, or the kind of Nets' response.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// No action yet. A temporarily declined card costs the same: `shared/tests/storage.rs`.
    Pending,
    Cancelled,
    /// A permanently declined card.
    Declined,
    Card,
    /// The response from Nets is unclear.
    Unclear,
}

/// Outcome, whether there is a `callbackUrl`, status of authorize, and the requests before and after the reconciliation is due.
type Row = (Outcome, bool, u16, &'static [Request], &'static [Request]);

const NOTIFIED: bool = true;
const NOT_NOTIFIED: bool = false;

/// Without a clear outcome, nothing is written before the planned reconciliation is due. After that, the next one is planned.
#[rustfmt::skip]
const OUTCOMES: [Row; 7] = [
    (Outcome::Pending,   NOT_NOTIFIED, 409, model::READ,                 model::RECONCILED),
    (Outcome::Unclear,   NOT_NOTIFIED, 503, model::READ,                 model::RECONCILED),
    (Outcome::Cancelled, NOT_NOTIFIED, 409, model::CLOSED,               model::CLOSED),
    (Outcome::Declined,  NOT_NOTIFIED, 409, model::CLOSED,               model::CLOSED),
    (Outcome::Declined,  NOTIFIED,     409, model::CLOSED_AND_DELIVERED, model::CLOSED_AND_DELIVERED),
    (Outcome::Card,      NOT_NOTIFIED, 200, model::STORED,               model::STORED),
    (Outcome::Card,      NOTIFIED,     200, model::STORED_AND_DELIVERED, model::STORED_AND_DELIVERED),
];

/// Each outcome with the smallest and the largest number of cards that have this cost. In a plain `cargo test` only the largest one.
fn cases() -> impl Iterator<Item = (usize, Row)> {
    let cards = |row: &Row| if row.1 { CARDS_WITH_EXTRAS } else { CARDS };
    OUTCOMES
        .into_iter()
        .flat_map(move |row| [*cards(&row).end(), *cards(&row).start()].map(|cards| (cards, row)))
        .step_by(if is_full_size() { 1 } else { 2 })
}

impl TestApi {
    /// Creates a customer with `cards - 1` cards and a terminal session with the outcome. Returns the ids of the recurring
    /// payment and of the transaction.
    async fn create_with_terminal_outcome(
        &self,
        customer: &str,
        cards: usize,
        (outcome, notified, ..): Row,
    ) -> [Value; 2] {
        self.customer_with_cards(customer.to_owned(), cards - 1).await;
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let mut body = json!({ "redirectUrl": "https://shop.example/done" });
        if notified {
            body["callbackUrl"] = json!(format!("{}/inbox/{id}", self.local.addresses().console));
        }
        let opened = self.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
        let opened = opened.json();
        let uri = opened["terminalUri"].as_str().unwrap();
        match outcome {
            Outcome::Pending => {}
            Outcome::Cancelled => drop(self.submit_card(uri, VISA, "cancelButton").await),
            Outcome::Declined => drop(self.submit_card(uri, "4925000000000087", "okButton").await),
            Outcome::Card => drop(self.submit_card(uri, VISA, "okButton").await),
            Outcome::Unclear => {
                self.local.netaxept().inject_fault(Operation::Query, FaultKind::Http500, 1);
            }
        }
        self.local.dynamodb().clear_requests();
        [id, opened["transactionId"].clone()]
    }
}

/// The client calls authorize, or Nets calls back.
#[tokio::test]
async fn reconciling_before_it_is_due() {
    let api = TestApi::new().await;
    let callback = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    for (place, (cards, row)) in cases().enumerate() {
        let (outcome, notified, status, expected, _) = row;
        let context = format!("{outcome:?}, notified: {notified}, {cards} cards");
        let [id, _] = api.create_with_terminal_outcome(&format!("a{place}"), cards, row).await;
        assert_eq!(api.authorize(&id).await.status, status, "{context}");
        api.assert_requests(expected, &context);
        let [_, transaction] =
            api.create_with_terminal_outcome(&format!("c{place}"), cards, row).await;
        let body = json!({ "TransactionId": transaction.to_string() }).to_string();
        let json = [("content-type", "application/json")];
        let called = api.send("POST", &callback, &json, Some(&body)).await;
        assert_eq!(called.status, 200, "{context}, callback");
        api.assert_requests(expected, &format!("{context}, callback"));
    }
}

/// After a minute, when the planned reconciliation is due, the schedule runs or the client calls authorize.
#[tokio::test]
async fn reconciling_when_it_is_due() {
    let mut api = TestApi::new().await;
    for (cards, row) in cases() {
        let (outcome, notified, status, _, expected) = row;
        let context = format!("{outcome:?}, notified: {notified}, {cards} cards");
        api.create_with_terminal_outcome("4711", cards, row).await;
        api.advance_clock("PT1M1S").await;
        let summary = api.run_schedule("finish-terminals").await;
        assert_eq!(summary["changed"], 1, "{context}: {summary}");
        api.assert_requests_in_any_order(&[model::SCHEDULE_RUN, expected].concat(), &context);
        api.erase("4711").await;
        let [id, _] = api.create_with_terminal_outcome("4712", cards, row).await;
        api.advance_clock("PT1M1S").await;
        assert_eq!(api.authorize(&id).await.status, status, "{context}, authorize");
        api.assert_requests(expected, &format!("{context}, authorize"));
        api.erase("4712").await;
    }
}

/// A failed registration is not written at once. The first reconciliation closes the session.
#[tokio::test]
async fn a_failed_registration_costs_one_change() {
    let api = TestApi::new().await;
    for cards in CARDS {
        let mut customer = api.customer_with_cards(cards.to_string(), cards - 1).await;
        customer.perform(Step::Create).await;
        api.local.dynamodb().clear_requests();
        api.local.netaxept().inject_fault(Operation::Register, FaultKind::Http500, 1);
        customer.assert_cost(Step::OpenTerminal, 503, model::OPENED, cards).await;
    }
}

/// Callbacks for an ACTIVE recurring payment, an unknown one, and an invalid transaction id.
#[tokio::test]
async fn a_callback_that_changes_nothing_costs_a_read() {
    let api = TestApi::new().await;
    let mut customer = api.customer_with_cards("4711".to_owned(), 0).await;
    for step in [Step::Create, Step::OpenTerminal, Step::EnterCard, Step::Authorize] {
        customer.perform(step).await;
    }
    api.local.dynamodb().clear_requests();
    let callback = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let transaction = customer.id.as_u64().unwrap() << 4;
    for (transaction, expected) in [
        (transaction, model::READ),
        (transaction + (1 << 14), model::READ),
        (0, model::NO_REQUESTS),
    ] {
        let body = json!({ "TransactionId": transaction.to_string() }).to_string();
        let json = [("content-type", "application/json")];
        api.send("POST", &callback, &json, Some(&body)).await;
        api.assert_requests(expected, &format!("{transaction}"));
    }
}
