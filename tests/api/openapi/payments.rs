//! Compares the responses and the accepted requests of the operations on payments with `openapi.yaml`.

use std::collections::BTreeSet;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::responses::{GATEWAY_LIMIT, Kind, OTHER_BODIES, Scenario, described, terminal_request};
use crate::payments::{Charge, SETTLE};
use crate::{PAYMENTS, VISA};

pub(super) const COLLECTION: &str = "/v1/payments";
pub(super) const PAYMENT: &str = "/v1/payments/{paymentId}";
pub(super) const TRANSACTION: &str = "/v1/payments/{paymentId}/transactions/{transactionId}";
pub(super) const TERMINAL: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/terminal";
pub(super) const CAPTURE: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/capture";
pub(super) const CANCEL: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/cancel";
pub(super) const CREDIT: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/credit";
/// Terminal and authorization of a recurring payment.
const STORE: &str = "/v1/recurring-payments/{recurringPaymentId}/terminal";
const AUTHORIZE: &str = "/v1/recurring-payments/{recurringPaymentId}/authorize";

/// Every operation on payments.
const OPERATIONS: [(&str, &str); 7] = [
    ("POST", COLLECTION),
    ("GET", PAYMENT),
    ("POST", TERMINAL),
    ("GET", TRANSACTION),
    ("PUT", CAPTURE),
    ("PUT", CANCEL),
    ("PUT", CREDIT),
];

/// A card whose issuer requires authentication, and one whose capture fails at Nets.
const AUTHENTICATED_VISA: &str = "4925000000000111";
const NOT_CAPTURED_VISA: &str = "4925000000000079";

/// Returns whether a route `METHOD path` is one of the operations on payments.
pub(super) fn is_route(route: &str) -> bool {
    route.split_once(' ').is_some_and(|(_, path)| {
        path.strip_prefix(COLLECTION).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Stores a card at a terminal with `MIT_UCOF`. Returns the id of the recurring payment.
pub(super) async fn store_card(scenario: &mut Scenario, customer: &str, card: &str) -> Value {
    let id = scenario.create(json!({ "customerNumber": customer })).await;
    let terminal = scenario.call("POST", STORE, &id, Some(&merchant_initiated())).await.json();
    let uri = terminal["terminalUri"].as_str().unwrap();
    scenario.api.enter_card_and_authenticate(uri, card).await;
    assert_eq!(scenario.call("PUT", AUTHORIZE, &id, None).await.status, StatusCode::OK);
    id
}

fn merchant_initiated() -> Value {
    json!({ "redirectUrl": "https://shop.example/done", "transactionType": "MIT_UCOF" })
}

pub(super) fn order(order_id: &str, card: &Value, amount: &str) -> Value {
    json!({
        "orderId": order_id,
        "totalAmount": amount,
        "transaction": { "amount": amount, "recurringPaymentId": card },
    })
}

/// Creates a payment. Returns the ids of the payment and its newest transaction.
pub(super) async fn pay(
    scenario: &mut Scenario,
    order_id: &str,
    card: &Value,
    amount: &str,
) -> Value {
    let body = order(order_id, card, amount);
    let created = scenario.call("POST", COLLECTION, &Value::Null, Some(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let payment = created.json();
    json!([payment["paymentId"], payment["transactionHistory"][0]["transactionId"]])
}

impl Scenario {
    /// Creates a payment again, or another one of the same order.
    async fn pay_again(&mut self, order_id: &str, card: &Value, amount: &str) -> (u16, String) {
        let body = order(order_id, card, amount);
        let response = self.call("POST", COLLECTION, &Value::Null, Some(&body)).await;
        label(response.status, &response.json())
    }

    /// Opens a terminal for the customer. Returns its address, or the label of the problem.
    async fn open(&mut self, ids: &Value) -> Result<String, String> {
        let response = self.call("POST", TERMINAL, ids, Some(&terminal_request())).await.json();
        match response["terminalUri"].as_str() {
            Some(uri) => Ok(uri.to_owned()),
            None => Err(response["type"].as_str().unwrap().to_owned()),
        }
    }

    async fn open_for_merchant(&mut self, ids: &Value) -> (u16, String) {
        let response = self.call("POST", TERMINAL, ids, Some(&merchant_initiated())).await;
        label(response.status, &response.json())
    }

    async fn put(&mut self, path: &str, ids: &Value) -> (u16, String) {
        let response = self.call("PUT", path, ids, None).await;
        label(response.status, &response.json())
    }

    /// Credits up to a total.
    async fn credit(&mut self, ids: &Value, total: &str) -> (u16, String) {
        let body = json!({ "creditedAmount": total });
        let response = self.call("PUT", CREDIT, ids, Some(&body)).await;
        label(response.status, &response.json())
    }

    /// Creates a payment and captures it without the customer.
    pub(super) async fn pay_and_capture(&mut self, order_id: &str, card: &Value) -> Value {
        let ids = self.pay_off_session(order_id, card, "100.00").await;
        expect(self.put(CAPTURE, &ids).await, 200, "CAPTURED");
        ids
    }

    /// Creates a payment with a terminal of the merchant.
    async fn pay_off_session(&mut self, order_id: &str, card: &Value, amount: &str) -> Value {
        let ids = pay(self, order_id, card, amount).await;
        assert_eq!(self.open_for_merchant(&ids).await.0, 201);
        ids
    }

    /// The next two requests of AUTH fail, so a capture does not know its outcome.
    fn fail_authorizations(&self) {
        self.api.local.netaxept().inject_fault(Operation::Auth, FaultKind::Http500, 2);
    }
}

/// The status, and the status of the transaction or the last part of the problem type.
fn label(status: StatusCode, body: &Value) -> (u16, String) {
    let kind = body["type"].as_str().and_then(|kind| kind.rsplit(':').next());
    let text = kind.or(body["status"].as_str()).unwrap_or_default();
    (status.as_u16(), text.to_owned())
}

fn expect((actual_status, actual_label): (u16, String), status: u16, label: &str) {
    assert_eq!((actual_status, actual_label.as_str()), (status, label));
}

/// Sends valid and invalid requests of all kinds. Each response is described, and each described response occurs.
#[tokio::test]
async fn responses_of_payments_are_described_and_described_responses_occur() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let ids = purchase(&mut scenario, &card).await;
    rejected_requests(&mut scenario, &card, &ids).await;
    orders(&mut scenario, &card).await;
    declined_cards(&mut scenario, &card).await;
    uncertain_authorizations(&mut scenario, &card).await;
    ended_cards(&mut scenario).await;
    credits(&mut scenario, &card).await;
    reach_limits(&mut scenario, &card).await;
    times(&mut scenario, &card).await;
    exceed_rate_limit(&mut scenario, &ids).await;
    assert_all_described_responses_occurred(&scenario);
}

/// Pays with the customer at the terminal, after all errors of a terminal. Returns the ids.
async fn purchase(scenario: &mut Scenario, card: &Value) -> Value {
    let ids = pay(scenario, "purchase", card, "100.00").await;
    expect(scenario.pay_again("purchase", card, "100.00").await, 200, "CREATED");
    expect(scenario.put(CAPTURE, &ids).await, 409, "no-terminal");
    let cancelled = scenario.open(&ids).await.unwrap();
    expect(scenario.put(CAPTURE, &ids).await, 409, "terminal-open");
    let uri = scenario.open(&ids).await.unwrap();
    let form = [("securityCode", ""), ("cancelButton", "x")];
    scenario.api.http.post(&cancelled).form(&form).send().await.unwrap();
    scenario.api.enter_code(&uri).await;
    scenario.call("GET", PAYMENT, &ids, None).await;
    expect(scenario.put(CAPTURE, &ids).await, 200, "CAPTURED");
    scenario.call("GET", PAYMENT, &ids, None).await;
    scenario.call("GET", TRANSACTION, &ids, None).await;
    assert!(scenario.open(&ids).await.unwrap_err().ends_with(":already-captured"));
    expect(scenario.put(CANCEL, &ids).await, 409, "already-captured");

    let ids = pay(scenario, "cancelled-at-terminal", card, "100.00").await;
    let uri = scenario.open(&ids).await.unwrap();
    scenario.api.http.post(&uri).form(&[("cancelButton", "x")]).send().await.unwrap();
    expect(scenario.put(CAPTURE, &ids).await, 409, "terminal-cancelled");
    assert!(scenario.open(&ids).await.unwrap_err().ends_with(":terminal-cancelled"));
    scenario.call("GET", TRANSACTION, &ids, None).await;
    ids
}

/// Requests that every operation rejects in the same way.
async fn rejected_requests(scenario: &mut Scenario, card: &Value, ids: &Value) {
    let reader = scenario.api.token("partner-readonly", json!({})).await;
    let traveller =
        scenario.api.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    let large = json!({ "x": "x".repeat(16 * 1024) });
    let bearer = format!("Bearer {}", scenario.api.partner);
    for (method, path) in OPERATIONS {
        scenario.send(method, path, ids, &[], None).await;
        scenario.call_as("invalid", method, path, ids, None).await;
        if method != "GET" {
            scenario.call_as(&reader, method, path, ids, None).await;
        }
        if path == COLLECTION {
            scenario.call(method, path, ids, Some(&json!({}))).await;
            let body = order("o", &json!(5), "1.00");
            expect_not_found(&scenario.call(method, path, ids, Some(&body)).await.json());
        } else {
            let body = Some(terminal_request()).filter(|_| method == "POST");
            scenario.call(method, path, &json!([0, 0]), body.as_ref()).await;
            scenario.call(method, path, &json!(["", ""]), body.as_ref()).await;
            let unknown = scenario.call(method, path, &json!([5, 81]), body.as_ref()).await;
            expect_not_found(&unknown.json());
        }
        if method == "POST" || path == CREDIT {
            scenario.call(method, path, ids, Some(&large)).await;
            for other in [("content-type", "text/plain")].into_iter().chain(OTHER_BODIES) {
                let headers = [("authorization", bearer.as_str()), other];
                scenario.send(method, path, ids, &headers, Some("{}")).await;
            }
            let plain = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
            scenario.send(method, path, ids, &plain, Some(&"x".repeat(GATEWAY_LIMIT + 1))).await;
        }
    }
    let fresh = pay(scenario, "traveller", card, "100.00").await;
    let body = merchant_initiated();
    let response = scenario.call_as(&traveller, "POST", TERMINAL, &fresh, Some(&body)).await;
    expect(label(response.status, &response.json()), 403, "forbidden");
}

fn expect_not_found(body: &Value) {
    expect(label(StatusCode::NOT_FOUND, body), 404, "not-found");
}

/// Orders that already have a payment, and cards that cannot be charged.
async fn orders(scenario: &mut Scenario, card: &Value) {
    let ids = pay(scenario, "order", card, "100.00").await;
    expect(scenario.pay_again("order", card, "99.00").await, 409, "order-has-payment");
    for _ in 0..2 {
        expect(scenario.put(CANCEL, &ids).await, 200, "CANCELLED");
    }
    expect(scenario.put(CAPTURE, &ids).await, 409, "cancelled");
    expect(scenario.open_for_merchant(&ids).await, 409, "cancelled");
    expect(scenario.pay_again("order", card, "99.00").await, 201, "CREATED");
    let without_card = scenario.create(json!({ "customerNumber": "4711" })).await;
    expect(scenario.pay_again("no-card", &without_card, "1.00").await, 409, "not-active");
    // A card that was stored without `MIT_UCOF`.
    let unagreed = scenario.api.create_active("4712").await;
    let ids = pay(scenario, "no-agreement", &unagreed, "100.00").await;
    expect(scenario.open_for_merchant(&ids).await, 409, "no-agreement");
}

/// The sandbox declines some amounts, and cards whose issuer requires authentication.
async fn declined_cards(scenario: &mut Scenario, card: &Value) {
    let ids = scenario.pay_off_session("declined", card, "1.14").await;
    expect(scenario.put(CAPTURE, &ids).await, 409, "declined");
    expect(scenario.open_for_merchant(&ids).await, 409, "declined");
    expect(scenario.put(CANCEL, &ids).await, 200, "REJECTED");
    expect(scenario.pay_again("declined", card, "2.00").await, 409, "declined");

    let ids = scenario.pay_off_session("declined-for-now", card, "1.51").await;
    for _ in 0..4 {
        expect(scenario.put(CAPTURE, &ids).await, 409, "declined-for-now");
    }
    expect(scenario.put(CAPTURE, &ids).await, 429, "too-many-declines");
    assert!(scenario.open(&ids).await.unwrap_err().ends_with(":too-many-declines"));

    let authenticated = store_card(scenario, "4713", AUTHENTICATED_VISA).await;
    let ids = scenario.pay_off_session("authentication", &authenticated, "100.00").await;
    expect(scenario.put(CAPTURE, &ids).await, 409, "authentication-required");
    expect(scenario.open_for_merchant(&ids).await, 409, "authentication-required");
    scenario.call("GET", TRANSACTION, &ids, None).await;
}

/// Captures whose outcome is not known yet.
async fn uncertain_authorizations(scenario: &mut Scenario, card: &Value) {
    let ids = scenario.pay_off_session("uncertain", card, "100.00").await;
    scenario.fail_authorizations();
    expect(scenario.put(CAPTURE, &ids).await, 503, "unavailable");
    assert!(scenario.open(&ids).await.unwrap_err().ends_with(":authorization-in-progress"));
    expect(scenario.put(CANCEL, &ids).await, 409, "annulment-pending");
    expect(scenario.pay_again("uncertain", card, "100.00").await, 409, "annulment-pending");

    let ids = pay(scenario, "in-progress", card, "100.00").await;
    scenario.open(&ids).await.unwrap();
    scenario.fail_authorizations();
    expect(scenario.put(CAPTURE, &ids).await, 503, "unavailable");
    expect(scenario.put(CAPTURE, &ids).await, 409, "authorization-in-progress");
}

/// A recurring payment that ends before its payments are captured.
async fn ended_cards(scenario: &mut Scenario) {
    let card = store_card(scenario, "4714", VISA).await;
    let without_terminal = pay(scenario, "ended-1", &card, "100.00").await;
    scenario.api.reach_waiting_limit().await;
    let path = format!("{TRANSACTION}?wait=1");
    let refused = scenario.call("GET", &path, &without_terminal, None).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let open = scenario.pay_off_session("ended-2", &card, "100.00").await;
    let uncertain = scenario.pay_off_session("ended-3", &card, "100.00").await;
    scenario.fail_authorizations();
    expect(scenario.put(CAPTURE, &uncertain).await, 503, "unavailable");
    let path = format!("{PAYMENTS}/{card}");
    assert_eq!(scenario.api.call("DELETE", &path, None).await.status, StatusCode::OK);
    expect(scenario.open_for_merchant(&without_terminal).await, 409, "not-active");
    expect(scenario.put(CAPTURE, &open).await, 409, "not-active");
    expect(scenario.put(CAPTURE, &uncertain).await, 409, "annulment-pending");
    scenario.call("GET", TRANSACTION, &open, None).await;
}

/// Credits, and all errors of a credit.
async fn credits(scenario: &mut Scenario, card: &Value) {
    let ids = scenario.pay_off_session("credit", card, "100.00").await;
    expect(scenario.put(CREDIT, &ids).await, 409, "not-captured");
    expect(scenario.put(CAPTURE, &ids).await, 200, "CAPTURED");
    for (total, status, label) in [
        ("0.00", 400, "invalid-request"),
        ("30.00", 200, "CAPTURED"),
        ("30.00", 200, "CAPTURED"),
        ("29.99", 409, "credit-below-credited"),
        ("100.01", 409, "credit-above-captured"),
    ] {
        expect(scenario.credit(&ids, total).await, status, label);
    }
    let payment = scenario.call("GET", PAYMENT, &ids, None).await.json();
    scenario.call("GET", TRANSACTION, &ids, None).await;
    // The Query hides what Nets did within the last 30 seconds, so CREDIT is more than what remains.
    scenario.api.advance_clock("PT40S").await;
    scenario.api.credit_at_nets(Charge::newest(&payment), 5_000).await;
    scenario.api.local.netaxept().inject_fault(Operation::Query, FaultKind::Stale, 1);
    expect(scenario.credit(&ids, "90.00").await, 409, "credit-refused");
    let uncertain = scenario.pay_and_capture("uncertain-credit", card).await;
    scenario.api.local.netaxept().inject_fault(Operation::Credit, FaultKind::Http500, 1);
    expect(scenario.put(CREDIT, &uncertain).await, 503, "unavailable");
    expect(scenario.put(CREDIT, &uncertain).await, 409, "credit-in-progress");
    let parts = scenario.pay_and_capture("parts", card).await;
    for part in 1..=100 {
        let total = format!("{}.{:02}", part / 100, part % 100);
        expect(scenario.credit(&parts, &total).await, 200, "CAPTURED");
    }
    expect(scenario.credit(&parts, "50.00").await, 409, "too-many-credits");
    let whole = scenario.pay_and_capture("whole-credit", card).await;
    expect(scenario.put(CREDIT, &whole).await, 200, "CREDITED");
    scenario.call("GET", PAYMENT, &whole, None).await;
}

/// Reaches the limits of transactions and terminals.
async fn reach_limits(scenario: &mut Scenario, card: &Value) {
    for _ in 0..16 {
        let ids = pay(scenario, "transactions", card, "100.00").await;
        expect(scenario.put(CANCEL, &ids).await, 200, "CANCELLED");
    }
    let again = scenario.pay_again("transactions", card, "100.00").await;
    expect(again, 409, "no-transaction-left");
    let ids = pay(scenario, "terminals", card, "100.00").await;
    for _ in 0..16 {
        scenario.open(&ids).await.unwrap();
    }
    assert!(scenario.open(&ids).await.unwrap_err().ends_with(":no-terminal-left"));
}

/// What time alone changes.
async fn times(scenario: &mut Scenario, card: &Value) {
    let not_captured = store_card(scenario, "4715", NOT_CAPTURED_VISA).await;
    let held = scenario.pay_off_session("held", &not_captured, "100.00").await;
    expect(scenario.put(CAPTURE, &held).await, 503, "unavailable");
    let ids = pay(scenario, "timed-out", card, "100.00").await;
    scenario.open(&ids).await.unwrap();
    scenario.api.advance_clock("PT15M").await;
    expect(scenario.put(CAPTURE, &ids).await, 409, "terminal-timed-out");
    scenario.api.advance_clock("P2D").await;
    for (ids, reason) in [(&ids, "TIMED_OUT"), (&held, "HOLD_ENDED")] {
        let transaction = scenario.call("GET", TRANSACTION, ids, None).await.json();
        assert_eq!(transaction["statusReason"], reason);
    }
    let old = scenario.pay_and_capture("old", card).await;
    scenario.api.advance_clock("P365D").await;
    expect(scenario.put(CREDIT, &old).await, 409, "credit-too-late");
}

/// Exceeds the rate limit of unidentified callers with every operation.
async fn exceed_rate_limit(scenario: &mut Scenario, ids: &Value) {
    let bearer = format!("Bearer {}", scenario.api.partner);
    let headers = [("authorization", bearer.as_str()), ("et-client-name", "")];
    for (method, path) in OPERATIONS {
        while scenario.send(method, path, ids, &headers, None).await.status
            != StatusCode::TOO_MANY_REQUESTS
        {}
    }
}

/// Asserts that exactly the described members, values and kinds of responses occurred.
fn assert_all_described_responses_occurred(scenario: &Scenario) {
    let document = &scenario.document;
    for schema in ["Payment", "TransactionEntry", "Transaction", "Summary", "Operation"] {
        assert_eq!(scenario.members[schema], document.properties(schema), "{schema}");
    }
    let schema = "PaymentTerminalResponse";
    assert_eq!(scenario.members[schema], document.properties(schema), "{schema}");
    let recurring = document.enum_values("/components/schemas/RecurringStatus/enum");
    for (name, pointer, not_reached) in [
        ("status", "TransactionStatus", &[][..]),
        ("operation", "Operation/properties/operation", &[]),
        // `tests/api/payments` annuls at Nets. The sandbox always authorizes the registered amount.
        ("statusReason", "TransactionStatusReason", &["ANNULLED_AT_NETS", "AMOUNT_DIFFERS"]),
    ] {
        let described = document.enum_values(&format!("/components/schemas/{pointer}/enum"));
        let missing: Vec<_> = described.difference(&scenario.values[name]).collect();
        let not_reached: BTreeSet<_> = not_reached.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(missing, not_reached.iter().collect::<Vec<_>>(), "{name}");
        assert!(scenario.values[name].difference(&described).all(|name| recurring.contains(name)));
    }
    let is_of_payments = |(route, ..): &Kind| is_route(route);
    let described: BTreeSet<Kind> =
        described(document).into_iter().filter(is_of_payments).collect();
    let occurred: BTreeSet<Kind> =
        scenario.kinds.iter().filter(|kind| is_of_payments(kind)).cloned().collect();
    assert_eq!(occurred.difference(&described).collect::<Vec<_>>(), Vec::<&Kind>::new());
    let missing = described.difference(&occurred).filter(|(route, status, label)| {
        match label.as_str() {
            // Tested by `payments/concurrency.rs`.
            "busy" => false,
            // They need a failing database. The response is the same for all functions.
            "internal" | "unavailable" => false,
            "gateway" => *status < 500,
            // Every client of the local issuer has the permission to read.
            "forbidden" => !route.starts_with("GET "),
            _ => true,
        }
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Kind>::new());
}

/// Has the service send each notification about a payment.
pub(super) async fn send_notifications(scenario: &mut Scenario) {
    let card = store_card(scenario, "4713", VISA).await;
    let mut body = merchant_initiated();
    body["callbackUrl"] = json!(format!("{}/inbox", scenario.api.local.addresses().console));
    for (order_id, amount) in [("captured", "100.00"), ("rejected", "1.14"), ("cancelled", "1.00")]
    {
        let ids = pay(scenario, order_id, &card, amount).await;
        let opened = scenario.call("POST", TERMINAL, &ids, Some(&body)).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        match order_id {
            "captured" => {
                expect(scenario.put(CAPTURE, &ids).await, 200, "CAPTURED");
                expect(scenario.credit(&ids, "30.00").await, 200, "CAPTURED");
                expect(scenario.put(CREDIT, &ids).await, 200, "CREDITED");
            }
            "rejected" => expect(scenario.put(CAPTURE, &ids).await, 409, "declined"),
            _ => expect(scenario.put(CANCEL, &ids).await, 200, "CANCELLED"),
        }
    }
    scenario.api.advance_clock("PT1S").await;
    let summary = scenario.api.run_schedule(SETTLE).await;
    assert_eq!(summary["delivered"], 5, "{summary}");
}
