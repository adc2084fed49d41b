//! `autoSale`: the service captures without a request of the client, once Nets has authorized. Nets authorizes by itself when the
//! customer leaves the page; a charge of the merchant is authorized by the schedule.

mod cards;
mod repetitions;

use std::sync::Arc;
use std::time::Duration;

use local::Options;
use local::netaxept::Operation;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::concurrency::spawn_call;
use super::{AMOUNT, AMOUNT_MINOR, Charge, DONE, Ledger, SETTLE};
use crate::{TestApi, VISA};

/// The body of a terminal request with `autoSale`.
pub(super) fn auto_sale() -> Value {
    json!({ "redirectUrl": DONE, "autoSale": true })
}

/// The body of a terminal request for a charge without the customer, with `autoSale`.
pub(super) fn merchant_auto_sale() -> Value {
    json!({ "redirectUrl": DONE, "autoSale": true, "transactionType": "MIT_UCOF" })
}

impl TestApi {
    /// Opens a terminal with `autoSale` for the customer. Returns its address.
    pub(crate) async fn open_auto_sale(&self, charge: Charge) -> String {
        self.open_page_with(charge, &auto_sale()).await
    }

    /// Creates a payment with `autoSale` whose customer has entered the security code.
    pub(crate) async fn buy_auto_sale(&self, order_id: &str, card: &Value, amount: &str) -> Charge {
        let charge = self.buy(order_id, card, amount).await;
        let uri = self.open_auto_sale(charge).await;
        self.enter_code(&uri).await;
        charge
    }

    /// Creates a payment with `autoSale` of the merchant.
    pub(crate) async fn buy_merchant_auto_sale(
        &self,
        order_id: &str,
        card: &Value,
        amount: &str,
    ) -> Charge {
        let charge = self.buy(order_id, card, amount).await;
        let opened = self.open_terminal_with(charge, &merchant_auto_sale()).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        assert_eq!(opened.json()["terminalUri"], DONE);
        charge
    }

    /// The number of calls of AUTH, CAPTURE and ANNUL so far.
    fn money_calls(&self) -> [usize; 3] {
        let calls = [Operation::Auth, Operation::Capture, Operation::Annul];
        calls.map(|call| self.local.netaxept().calls(call))
    }

    async fn status_and_reason(&self, charge: Charge) -> (String, String) {
        let transaction = self.transaction(charge).await;
        let text = |name: &str| transaction[name].as_str().unwrap_or_default().to_owned();
        (text("status"), text("statusReason"))
    }

    /// Asserts that Nets authorized a transaction by itself, that it was captured once, and that nothing is left to do.
    async fn assert_sold(&self, charge: Charge) {
        self.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
        assert_eq!(self.ledger(charge), Ledger::paid(AMOUNT_MINOR));
        assert_eq!(self.money_calls()[0], 0, "this service requests no AUTH");
        self.assert_nothing_is_planned().await;
    }
}

/// The customer leaves the page, Nets authorizes and calls back, and the service captures. The client only reads, as Entur's clients
/// do. The notification is sent without the schedule.
#[tokio::test]
async fn the_callback_of_nets_captures_without_the_client() {
    let api = TestApi::with(Options { callbacks: true, ..Options::default() }).await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let uri = api.open_notified(charge, &json!({ "autoSale": true })).await;
    let parameters = api.registration(charge, 0)["parameters"].clone();
    assert_eq!(parameters["autoauth"], "true", "{parameters}");
    let early = api.capture(charge).await;
    assert_eq!(early.problem(), (409, "terminal-open".to_owned()), "{early:?}");
    assert_eq!(api.status(charge).await, "INITIATED");
    assert!(api.enter_code(&uri).await.ends_with("&responseCode=OK"));
    let captured = async {
        while api.status(charge).await != "CAPTURED" || api.event_types(charge).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), captured).await.unwrap();
    assert_eq!(api.event_types(charge), ["payment.captured"]);
    for _ in 0..2 {
        let again = api.capture(charge).await;
        assert_eq!((again.status, &again.json()["status"]), (StatusCode::OK, &json!("CAPTURED")));
    }
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
    assert_eq!(api.money_calls(), [0, 1, 0]);
}

/// A callback captures only what has `autoSale`, and only what Nets has authorized.
#[tokio::test]
async fn a_callback_about_another_payment_takes_no_money() {
    let api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let normal = api.buy_with_code("normal", &card, AMOUNT).await;
    let merchant = api.buy_off_session("merchant", &card, AMOUNT).await;
    let at_page = api.buy("at-page", &card, AMOUNT).await;
    let uri = api.open_auto_sale(at_page).await;
    let unknown = Charge { transaction: at_page.transaction + 160, ..at_page };
    for charge in [normal, merchant, at_page, unknown] {
        for registration in [0, 1, 15] {
            api.call_back(charge, registration).await;
        }
    }
    assert_eq!(api.money_calls(), [0; 3]);
    for charge in [normal, merchant, at_page] {
        assert_eq!(api.status(charge).await, "INITIATED");
    }
    api.enter_code(&uri).await;
    for _ in 0..3 {
        api.call_back(at_page, 0).await;
    }
    assert_eq!(api.money_calls(), [0, 1, 0]);
    api.assert_paid(at_page, AMOUNT, AMOUNT_MINOR).await;
}

/// The callback is lost, and the client does not come back: the schedule captures within a minute, at any time until the page closes.
#[tokio::test]
async fn the_schedule_captures_if_the_callback_is_lost() {
    for minutes in [0, 13] {
        let mut api = TestApi::new().await;
        let card = api.create_active("4711").await;
        let charge = api.buy("order-1", &card, AMOUNT).await;
        let uri = api.open_auto_sale(charge).await;
        for _ in 0..minutes {
            api.advance_and_settle("PT1M").await;
            assert_eq!(api.money_calls(), [0; 3]);
        }
        api.enter_code(&uri).await;
        api.advance_and_settle("PT1M").await;
        api.assert_sold(charge).await;
    }
}

/// The client's capture works as without `autoSale`: before the schedule, and at the same time as it and as the callback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_of_the_client_at_the_same_time_takes_the_money_once() {
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_agreed("4711", VISA).await;
    let alone = api.buy_auto_sale("alone", &card, AMOUNT).await;
    assert_eq!(api.capture(alone).await.status, StatusCode::OK);
    api.assert_sold(alone).await;
    let mut charges = Vec::new();
    for turn in 0..4 {
        let sale = api.buy_auto_sale(&format!("sale-{turn}"), &card, AMOUNT).await;
        let merchant = api.buy_merchant_auto_sale(&format!("mit-{turn}"), &card, AMOUNT).await;
        charges.extend([sale, merchant]);
    }
    Arc::get_mut(&mut api).unwrap().advance_clock("PT1M1S").await;
    let captures: Vec<_> = charges
        .iter()
        .map(|charge| spawn_call(&api, "PUT", charge.path("/capture"), None))
        .collect();
    let callbacks = async {
        for charge in &charges {
            api.call_back(*charge, 0).await;
        }
    };
    let (one, two, ()) =
        tokio::join!(api.run_schedule(SETTLE), api.run_schedule(SETTLE), callbacks);
    assert_eq!((&one["failed"], &two["failed"]), (&json!(0), &json!(0)));
    for capture in captures {
        let response = capture.await.unwrap();
        if response.status != StatusCode::OK {
            assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY", "{response:?}");
        }
    }
    let owned = Arc::get_mut(&mut api).unwrap();
    owned.advance_and_settle("PT2M").await;
    for charge in charges {
        assert_eq!(owned.capture(charge).await.status, StatusCode::OK);
        assert_eq!(owned.ledger(charge), Ledger::paid(AMOUNT_MINOR));
    }
    owned.assert_nothing_is_planned().await;
}

/// A customer who never comes: nothing is requested at Nets, and the transaction is over after a day.
#[tokio::test]
async fn an_abandoned_page_takes_no_money() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    api.open_auto_sale(charge).await;
    for time in ["PT1M", "PT4M", "PT11M", "PT44M", "PT23H", "PT1H"] {
        api.advance_and_settle(time).await;
        assert_eq!(api.money_calls(), [0; 3], "after {time}");
    }
    let expected = ("CANCELLED".to_owned(), "TIMED_OUT".to_owned());
    assert_eq!(api.status_and_reason(charge).await, expected);
    api.advance_and_settle("PT24H").await;
    api.assert_nothing_is_planned().await;
    assert_eq!(api.ledger(charge).operations, [].into());
}

/// The customer cancels at the page, and another terminal follows after the first page has closed.
#[tokio::test]
async fn another_terminal_is_possible_after_an_abandoned_page() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let cancelled = api.buy("cancelled", &card, AMOUNT).await;
    let uri = api.open_auto_sale(cancelled).await;
    assert!(api.press(&uri, &[("cancelButton", "x")]).await.1.ends_with("Cancel"));
    assert_eq!(api.capture(cancelled).await.problem(), (409, "terminal-cancelled".to_owned()));
    assert_eq!(api.status(cancelled).await, "CANCELLED");

    for (order_id, second) in [("normal", json!({ "redirectUrl": DONE })), ("again", auto_sale())] {
        let charge = api.buy(order_id, &card, AMOUNT).await;
        let first = api.open_auto_sale(charge).await;
        // Nets can authorize at the open page, so no other registration is possible.
        let refused = api.open_terminal_with(charge, &json!({ "redirectUrl": DONE })).await;
        assert_eq!(refused.problem(), (409, "authorization-in-progress".to_owned()));
        for time in ["PT14M", "PT2M"] {
            api.advance_and_settle(time).await;
        }
        let opened = api.open_terminal_with(charge, &second).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        let uri = opened.json()["terminalUri"].as_str().unwrap().to_owned();
        assert_ne!(uri, first);
        assert_eq!(api.press(&first, &[("securityCode", "123"), ("okButton", "x")]).await.0, 200);
        api.enter_code(&uri).await;
        let calls = api.money_calls();
        api.advance_and_settle("PT1M").await;
        // Only the registration with `autoSale` is captured by the schedule.
        if order_id == "normal" {
            assert_eq!(api.money_calls(), calls);
            assert_eq!(api.capture(charge).await.status, StatusCode::OK);
        }
        api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
        let ledger = api.ledger(charge);
        assert_eq!((ledger.registrations, ledger.count("ANNUL")), (2, 0));
    }
}

/// A repeated terminal returns the same page while it is open.
#[tokio::test]
async fn a_repeated_terminal_returns_the_same_page() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let uri = api.open_auto_sale(charge).await;
    for minutes in [0, 7, 7] {
        api.advance_clock(&format!("PT{minutes}M")).await;
        let again = api.open_terminal_with(charge, &auto_sale()).await;
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        assert_eq!(again.json()["terminalUri"], uri);
    }
    assert_eq!(api.ledger(charge).registrations, 1);
    api.enter_code(&uri).await;
    api.advance_and_settle("PT1M").await;
    api.assert_sold(charge).await;
    let merchant = api.buy_merchant_auto_sale("order-2", &card, AMOUNT).await;
    let again = api.open_terminal_with(merchant, &merchant_auto_sale()).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(api.ledger(merchant).registrations, 1);
}

/// The issuer declines when Nets authorizes at the end of the page. The redirect has the code; the capture, the callback and the
/// schedule find the decline. Nothing is repeated.
#[tokio::test]
async fn a_decline_at_the_page_is_not_repeated() {
    for trigger in ["client", "callback", "schedule"] {
        let mut api = TestApi::new().await;
        let card = api.create_active("4711").await;
        let soft = api.buy("soft", &card, "1.51").await;
        let hard = api.buy("hard", &card, "1.54").await;
        for (charge, code) in [(soft, "51"), (hard, "54")] {
            let uri = api.open_auto_sale(charge).await;
            let location = api.enter_code(&uri).await;
            assert!(location.ends_with(&format!("&responseCode={code}")), "{location}");
        }
        for (charge, problem) in [(soft, "declined-for-now"), (hard, "declined")] {
            match trigger {
                "client" => {
                    let declined = api.capture(charge).await;
                    assert_eq!(declined.problem(), (409, problem.to_owned()), "{declined:?}");
                    assert_eq!(declined.json()["errorReason"], "REFUSED_BY_ISSUER");
                }
                "callback" => api.call_back(charge, 0).await,
                _ => {}
            }
        }
        for time in ["PT1M", "PT16M", "PT1H"] {
            api.advance_and_settle(time).await;
        }
        let rejected = ("REJECTED".to_owned(), "DECLINED".to_owned());
        assert_eq!(api.status_and_reason(hard).await, rejected, "{trigger}");
        assert_eq!(api.status(soft).await, "INITIATED", "{trigger}");
        assert_eq!(api.money_calls(), [0; 3], "{trigger}");
        for charge in [soft, hard] {
            assert_eq!(api.ledger(charge).operations, [].into());
        }
        // The customer can try again at another terminal.
        let second = api.open_auto_sale(soft).await;
        assert!(second.contains("-1"), "{second}");
    }
}
