//! Compares the responses and the accepted requests of the operations on payments with `openapi.yaml`.

use std::collections::BTreeSet;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Document;
use super::responses::{GATEWAY_LIMIT, Kind, OTHER_BODIES, Scenario, described, terminal_request};
use crate::{PAYMENTS, VISA};

pub(super) const COLLECTION: &str = "/v1/payments";
pub(super) const PAYMENT: &str = "/v1/payments/{paymentId}";
pub(super) const TRANSACTION: &str = "/v1/payments/{paymentId}/transactions/{transactionId}";
pub(super) const TERMINAL: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/terminal";
pub(super) const CAPTURE: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/capture";
pub(super) const CANCEL: &str = "/v1/payments/{paymentId}/transactions/{transactionId}/cancel";
/// Terminal and authorization of a recurring payment.
const STORE: &str = "/v1/recurring-payments/{recurringPaymentId}/terminal";
const AUTHORIZE: &str = "/v1/recurring-payments/{recurringPaymentId}/authorize";

/// Every operation on payments.
const OPERATIONS: [(&str, &str); 6] = [
    ("POST", COLLECTION),
    ("GET", PAYMENT),
    ("POST", TERMINAL),
    ("GET", TRANSACTION),
    ("PUT", CAPTURE),
    ("PUT", CANCEL),
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

fn order(order_id: &str, card: &Value, amount: &str) -> Value {
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
        if method == "POST" {
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
        // The service sees a credit only when something else makes it query Nets.
        ("status", "TransactionStatus", &["CREDITED"][..]),
        ("operation", "Operation/properties/operation", &["CREDIT"]),
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

/// The schema of a new payment and the service accept the same values at each limit.
#[tokio::test]
async fn the_limits_of_a_new_payment_are_those_of_the_service() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let document = Document::read();
    let long = "9".repeat(13);
    let mut schema = json!({ "$ref": "#/components/schemas/NewPayment" });
    schema["components"] = document.0["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let amounts = [
        (json!("100.00"), true),
        (json!("100"), true),
        (json!("0.01"), true),
        (json!("0.10000"), true),
        (json!("7.5"), true),
        (json!(format!("{long}.99")), true),
        (json!(format!("{long}9")), false),
        (json!("0.001"), false),
        (json!("0.010001"), false),
        (json!("0"), false),
        (json!("0.00"), false),
        (json!("01"), false),
        (json!("1."), false),
        (json!(".5"), false),
        (json!("1,00"), false),
        (json!("-1"), false),
        (json!("+1"), false),
        (json!(" 1"), false),
        (json!("1e2"), false),
        (json!("１"), false),
        (json!(""), false),
        (json!(100), false),
        (Value::Null, false),
    ];
    let of_amount = |(amount, is_valid): (Value, bool)| {
        (json!({ "totalAmount": amount, "transaction": { "amount": amount } }), is_valid)
    };
    let longest = "~".repeat(64);
    let of_member = [
        (json!({ "orderId": "!" }), true),
        (json!({ "orderId": longest }), true),
        (json!({ "orderId": format!("{longest}~") }), false),
        (json!({ "orderId": "" }), false),
        (json!({ "orderId": "a b" }), false),
        (json!({ "orderId": "ø" }), false),
        (json!({ "orderId": 1 }), false),
        (json!({ "orderId": null }), false),
        (json!({ "orderVersion": 1 }), true),
        (json!({ "orderVersion": 2_147_483_648_u64 }), true),
        (json!({ "orderVersion": null }), true),
        (json!({ "orderVersion": 0 }), false),
        (json!({ "orderVersion": 2_147_483_649_u64 }), false),
        (json!({ "orderVersion": "1" }), false),
        (json!({ "orderVersion": 1.5 }), false),
        (json!({ "currency": "NOK" }), true),
        (json!({ "currency": null }), true),
        (json!({ "currency": "nok" }), false),
        (json!({ "currency": "USD" }), false),
        (json!({ "transaction": { "currency": "NOK" } }), true),
        (json!({ "transaction": { "currency": null } }), true),
        (json!({ "transaction": { "currency": "JPY" } }), false),
        (json!({ "transaction": { "recurringPaymentId": card.to_string() } }), false),
        (json!({ "transaction": { "recurringPaymentId": null } }), false),
        (json!({ "transaction": { "recurringPaymentId": 0 } }), false),
        (json!({ "transaction": { "isImport": false } }), true),
        (json!({ "transaction": { "isImport": true } }), false),
        (json!({ "transaction": { "paymentAgreementId": null } }), true),
        (json!({ "transaction": { "paymentAgreementId": 4711 } }), false),
        (
            json!({ "transaction": { "paymentType": "VISA", "paymentTypeGroup": "PAYMENTCARD" } }),
            true,
        ),
        (json!({ "transaction": null }), false),
        (json!({ "transaction": [] }), false),
    ];
    for (number, (change, is_valid)) in
        amounts.into_iter().map(of_amount).chain(of_member).enumerate()
    {
        let mut body = order(&format!("limits-{number}"), &card, "100.00");
        merge(&mut body, &change);
        assert_eq!(schema.is_valid(&body), is_valid, "{body}");
        let response = scenario.api.call("POST", COLLECTION, Some(&body)).await;
        assert_eq!(response.status.is_success(), is_valid, "{body}: {response:?}");
        let expected = if is_valid { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status, expected, "{body}: {response:?}");
    }
}

/// The schema of a terminal and the service accept the same values.
#[tokio::test]
async fn the_limits_of_a_payment_terminal_are_those_of_the_service() {
    let mut scenario = Scenario::new().await;
    let card = store_card(&mut scenario, "4711", VISA).await;
    let document = Document::read();
    let mut schema = json!({ "$ref": "#/components/schemas/PaymentTerminalRequest" });
    schema["components"] = document.0["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (number, (change, is_valid)) in [
        (json!({ "redirectUrl": null }), false),
        (json!({ "redirectUrl": "ftp://a" }), false),
        (json!({ "redirectUrl": format!("https://a/{}", "b".repeat(1023)) }), false),
        (json!({ "redirectUrl": format!("https://a/{}", "b".repeat(1022)) }), true),
        (json!({ "autoSale": false, "storePayment": true, "singlePage": true }), true),
        (json!({ "autoSale": true }), false),
        (json!({ "storePayment": "yes" }), false),
        (json!({ "callbackUrl": "https://shop.example/hook" }), false),
        (json!({ "countryCode": "SE", "terminalLanguage": "en-GB" }), true),
        (json!({ "countryCode": "no" }), false),
        (json!({ "transactionType": "MIT_UCOF" }), true),
        (json!({ "transactionType": "MIT" }), false),
        (
            json!({ "autoSale": null, "callbackUrl": null, "countryCode": null, "singlePage": null,
                "storePayment": null, "terminalLanguage": null, "transactionType": null }),
            true,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let ids = pay(&mut scenario, &format!("limits-{number}"), &card, "100.00").await;
        let mut body = terminal_request();
        merge(&mut body, &change);
        assert_eq!(schema.is_valid(&body), is_valid, "{body}");
        let response = scenario.call("POST", TERMINAL, &ids, Some(&body)).await;
        let expected = if is_valid { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        assert_eq!(response.status, expected, "{body}: {response:?}");
    }
}

/// Sets the members of `change` in `body`, also those of nested objects.
fn merge(body: &mut Value, change: &Value) {
    match (body, change) {
        (Value::Object(body), Value::Object(change)) => {
            for (name, value) in change {
                merge(body.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (body, value) => *body = value.clone(),
    }
}
