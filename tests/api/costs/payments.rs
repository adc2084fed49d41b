//! The requests, the capacity units and the calls to Nets of each operation on a payment (payments.md §4.5).

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::Value;

use super::model::{self, PAYMENT_ROWS, Request};
use crate::payments::{COLLECTION, Charge, SETTLE, order};
use crate::{PAYMENTS, Response, TestApi};

/// The row of calls that change nothing.
const AGAIN: &str = "capture or credit again, get, and any call that a rule refuses";
/// Amount of an order.
const AMOUNT: &str = "100.00";

impl TestApi {
    /// The number of calls to Nets so far.
    fn nets_calls(&self) -> usize {
        let calls = [Operation::Register, Operation::Process, Operation::Query];
        calls.map(|call| self.local.netaxept().calls(call)).iter().sum()
    }
}

/// Measures calls: their requests, and their calls to Nets.
struct Measured<'a> {
    api: &'a TestApi,
    nets_calls: usize,
}

impl<'a> Measured<'a> {
    fn start(api: &'a TestApi) -> Self {
        api.local.dynamodb().clear_requests();
        Self { api, nets_calls: api.nets_calls() }
    }

    /// Asserts the cost of what happened since the last call. `row` is a call of the table in `docs/OPERATIONS.md`.
    fn assert_row(&mut self, row: &str) {
        let found = PAYMENT_ROWS.iter().find(|(name, ..)| *name == row);
        let (name, requests, nets_calls) = found.unwrap_or_else(|| panic!("no row {row}"));
        self.assert(requests, *nets_calls, name);
    }

    fn assert(&mut self, requests: &[Request], nets_calls: usize, context: &str) {
        self.api.assert_requests(requests, context);
        let now = self.api.nets_calls();
        assert_eq!(now - self.nets_calls, nets_calls, "{context}: calls to Nets");
        self.nets_calls = now;
    }
}

async fn terminal(api: &TestApi, charge: Charge) -> String {
    let uri = api.open_page(charge).await;
    assert!(uri.contains("/Terminal/"), "{uri}");
    uri
}

fn assert_status(response: &Response, status: u16) {
    assert_eq!(response.status.as_u16(), status, "{response:?}");
}

/// A purchase with a stored card, and the calls that repeat it or read it.
#[tokio::test]
async fn each_call_of_a_purchase_has_its_cost() {
    let api = TestApi::new().await;
    for cards in [1, 4] {
        let customer = format!("customer-{cards}");
        let mut card = Value::Null;
        for _ in 0..cards {
            card = api.create_active(&customer).await;
        }
        let order_id = format!("order-{cards}");
        let body = order(&order_id, &card, AMOUNT);
        let mut cost = Measured::start(&api);
        let created = api.post_order(&body).await;
        assert_status(&created, 201);
        let charge = Charge::newest(&created.json());
        cost.assert_row("create a payment");
        assert_status(&api.post_order(&body).await, 200);
        cost.assert_row("create a payment again");
        assert_status(&api.capture(charge).await, 409);
        cost.assert_row(AGAIN);
        let uri = terminal(&api, charge).await;
        cost.assert_row("terminal");
        api.enter_code(&uri).await;
        assert_status(&api.capture(charge).await, 200);
        cost.assert_row("capture: authorized and captured");
        assert_status(&api.capture(charge).await, 200);
        cost.assert_row(AGAIN);
        for path in [charge.payment_path(), charge.path("")] {
            assert_status(&api.call("GET", &path, None).await, 200);
            cost.assert_row(AGAIN);
        }
        assert_status(&api.cancel(charge).await, 409);
        cost.assert_row(AGAIN);
        for total in [Some("30.00"), Some("60.00"), None] {
            assert_status(&api.credit(charge, total).await, 200);
            cost.assert_row("credit");
            assert_status(&api.credit(charge, total).await, 200);
            cost.assert_row(AGAIN);
        }
        for total in ["99.99", "100.01"] {
            assert_status(&api.credit(charge, Some(total)).await, 409);
            cost.assert_row(AGAIN);
        }
    }
}

/// Credits that Nets has made already, that wait, and that Nets refuses.
#[tokio::test]
async fn each_other_credit_has_its_cost() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    let nets = api.local.netaxept().clone();
    api.advance_clock("PT1H").await;
    api.credit_at_nets(charge, 3_000).await;
    let mut cost = Measured::start(&api);
    assert_status(&api.credit(charge, Some("30.00")).await, 200);
    cost.assert_row("credit: Nets credited the total already");
    api.credit_at_nets(charge, 5_000).await;
    // This Query does not show the second credit, so CREDIT is too much.
    nets.inject_fault(Operation::Query, FaultKind::Stale, 1);
    let mut cost = Measured::start(&api);
    assert_status(&api.credit(charge, None).await, 409);
    cost.assert_row("credit: Nets refuses it");
    nets.inject_fault(Operation::Credit, FaultKind::Http500, 1);
    assert_status(&api.credit(charge, None).await, 503);
    let mut cost = Measured::start(&api);
    assert_status(&api.credit(charge, None).await, 409);
    cost.assert_row("credit: another credit is in progress");
}

/// Auto sales, and the notification about one of them.
#[tokio::test]
async fn each_auto_sale_has_its_cost() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", crate::VISA).await;
    let by_callback = api.buy("by-callback", &card, AMOUNT).await;
    let mut cost = Measured::start(&api);
    let uri = api.open_auto_sale(by_callback).await;
    cost.assert_row("terminal");
    api.enter_code(&uri).await;
    api.call_back(by_callback, 0).await;
    cost.assert_row("auto sale with the customer, by Nets' callback or the schedule");
    api.call_back(by_callback, 0).await;
    cost.assert(model::READ, 0, "a callback about a captured payment");
    api.buy_auto_sale("by-schedule", &card, AMOUNT).await;
    api.advance_clock("PT1M1S").await;
    let row = "auto sale with the customer, by Nets' callback or the schedule";
    api.assert_settled(row, 1).await;
    api.buy_merchant_auto_sale("merchant", &card, AMOUNT).await;
    api.advance_clock("PT1M1S").await;
    api.assert_settled("auto sale without the customer, by the schedule", 1).await;
    let notified = api.buy("notified", &card, AMOUNT).await;
    let uri = api.open_notified(notified, &serde_json::json!({})).await;
    api.enter_code(&uri).await;
    assert_status(&api.capture(notified).await, 200);
    api.advance_clock("PT1M1S").await;
    api.assert_settled("a notification of a payment", 1).await;
    assert_eq!(api.event_types(notified), ["payment.captured"]);
}

/// The whole purchase, with and without the customer: 9 requests, 5 read units and 3 calls to Nets.
#[tokio::test]
async fn a_purchase_has_its_cost() {
    let api = TestApi::new().await;
    let card = api.create_agreed("4711", crate::VISA).await;
    for is_off_session in [false, true] {
        let mut cost = Measured::start(&api);
        let order_id = format!("order-{is_off_session}");
        let charge = if is_off_session {
            api.buy_off_session(&order_id, &card, AMOUNT).await
        } else {
            api.buy_with_code(&order_id, &card, AMOUNT).await
        };
        assert_status(&api.capture(charge).await, 200);
        let purchase = [model::PAYMENT_CREATED, model::PAYMENT_TERMINAL, model::PAYMENT_CAPTURED];
        let purchase = purchase.concat();
        let sum = |units: fn(Request) -> f64| purchase.iter().map(|one| units(*one)).sum::<f64>();
        let (read, written) = (sum(Request::read), sum(Request::written));
        assert_eq!((purchase.len(), read, written), (9, 5.0, 6.0));
        cost.assert(&purchase, 3, "a purchase");
    }
}

/// Cancellations before a terminal, with an open terminal, and of an authorized transaction.
#[tokio::test]
async fn each_cancellation_has_its_cost() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let created = api.buy("created", &card, AMOUNT).await;
    let open = api.buy_with_code("open", &card, AMOUNT).await;
    let authorized = api.buy_with_code("authorized", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
    assert_status(&api.capture(authorized).await, 503);
    let mut cost = Measured::start(&api);
    for (charge, row) in [
        (created, "cancel without a terminal"),
        (open, "cancel with a terminal, not authorized"),
        (authorized, "cancel of an authorized transaction"),
    ] {
        assert_status(&api.cancel(charge).await, 200);
        cost.assert_row(row);
        assert_status(&api.cancel(charge).await, 200);
        cost.assert_row(AGAIN);
    }
    // The next transaction of an order.
    assert_status(&api.post_order(&order("created", &card, AMOUNT)).await, 201);
    cost.assert_row("create a payment after a cancelled transaction");
}

/// Declines and pages that are not completed.
#[tokio::test]
async fn each_refused_capture_has_its_cost() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let open = api.buy("open", &card, AMOUNT).await;
    terminal(&api, open).await;
    let soft = api.buy_with_code("soft", &card, "1.51").await;
    let hard = api.buy_with_code("hard", &card, "1.54").await;
    let mut cost = Measured::start(&api);
    for (charge, row) in [
        (open, "capture: the customer is at the terminal"),
        (soft, "capture: declined for now"),
        (hard, "capture: declined permanently"),
    ] {
        assert_status(&api.capture(charge).await, 409);
        cost.assert_row(row);
    }
}

/// Requests that are refused before the payment is read, and ids that are not found.
#[tokio::test]
async fn refused_requests_cost_nothing_or_a_read() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let reader = api.token("partner-readonly", serde_json::json!({})).await;
    let other = api.token("partner-other", serde_json::json!({})).await;
    let mut cost = Measured::start(&api);
    assert_status(&api.post_order(&order("order-1", &card, "0")).await, 400);
    assert_status(&api.call("GET", &format!("{COLLECTION}/x"), None).await, 400);
    assert_status(&api.call_as(&reader, "PUT", &charge.path("/capture"), None).await, 403);
    assert_status(&api.call_as("no token", "GET", &charge.path(""), None).await, 401);
    cost.assert(model::NO_REQUESTS, 0, "refused before the payment is read");
    for (method, path) in [
        ("GET", charge.payment_path()),
        ("GET", charge.path("")),
        ("PUT", charge.path("/capture")),
        ("PUT", charge.path("/cancel")),
        ("PUT", charge.path("/credit")),
    ] {
        assert_status(&api.call_as(&other, method, &path, None).await, 404);
        cost.assert(model::READ, 0, &path);
    }
    assert_status(
        &api.call_as(&other, "POST", COLLECTION, Some(&order("1", &card, AMOUNT))).await,
        404,
    );
    cost.assert(model::READ, 0, "the card is not found");
    api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
    api.local.dynamodb().clear_requests();
    assert_status(&api.post_order(&order("2", &card, AMOUNT)).await, 409);
    cost.assert(&[model::READ, model::READ].concat(), 0, "the card is not active");
}

/// A run of the schedule: a query for each shard, then the payments that are due.
#[tokio::test]
async fn a_run_of_the_schedule_has_its_cost() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let paid = api.buy_with_code("paid", &card, AMOUNT).await;
    assert_eq!(api.capture(paid).await.status, StatusCode::OK);
    let mut cost = Measured::start(&api);
    assert_eq!(api.run_schedule(SETTLE).await["due"], 0);
    cost.assert_row("a run of `settle-payments`, without the due payments");
    // The customer is at the page: the next reconciliation is planned.
    let open = api.buy("open", &card, AMOUNT).await;
    terminal(&api, open).await;
    api.advance_clock("PT1M1S").await;
    api.assert_settled("a reconciliation by the schedule: nothing new", 1).await;
    // AUTH was requested, and nothing is held: the last planned reconciliations find nothing.
    let unclear = api.buy_with_code("unclear", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::DropReply, 1);
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::DropReply, 1);
    assert_eq!(api.capture(unclear).await.status, StatusCode::SERVICE_UNAVAILABLE);
    api.cancel(open).await;
    api.advance_clock("PT1M1S").await;
    api.assert_settled("a reconciliation by the schedule: captured", 1).await;
}

impl TestApi {
    /// Runs the schedule, and asserts the cost of the payment that is due.
    async fn assert_settled(&self, row: &str, due: u64) {
        let found = PAYMENT_ROWS.iter().find(|(name, ..)| *name == row);
        let (_, requests, nets_calls) = found.unwrap_or_else(|| panic!("no row {row}"));
        let before = self.nets_calls();
        self.local.dynamodb().clear_requests();
        let summary = self.run_schedule(SETTLE).await;
        assert_eq!((&summary["due"], &summary["failed"]), (&due.into(), &0.into()), "{summary}");
        self.assert_requests_in_any_order(&[model::SCHEDULE_RUN, requests].concat(), row);
        assert_eq!(self.nets_calls() - before, *nets_calls, "{row}: calls to Nets");
    }
}
