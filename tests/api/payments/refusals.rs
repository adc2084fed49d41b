//! Requests that are refused: status, problem type, `errorReason`, and that nothing changes at Nets (payments.md §4.3).

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, Charge, DONE, order};
use crate::{PAYMENTS, Response, TestApi};

/// Number of a second card that the sandbox accepts.
const MASTERCARD: &str = "5413000000000000";

/// Entur's own sentence, which its clients show.
const NOT_ACTIVE: &str = "The customer has no active recurring payment with given id";

/// A recurring payment that is CREATED, EXPIRED or CANCELLED.
#[tokio::test]
async fn a_card_that_is_not_active_is_409() {
    let mut api = TestApi::new().await;
    let without_card = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let ended = api.create_active("4711").await;
    let expired = api.create_active("4711").await;
    let (before, other) =
        (api.buy("before", &ended, AMOUNT).await, api.buy("before-expiry", &expired, AMOUNT).await);
    api.call("DELETE", &format!("{PAYMENTS}/{ended}"), None).await;
    let assert_not_active = |response: &Response| {
        assert_eq!(response.problem(), (409, "not-active".to_owned()), "{response:?}");
        let body = response.json();
        assert_eq!((&body["detail"], &body["message"]), (&json!(NOT_ACTIVE), &json!(NOT_ACTIVE)));
        assert_eq!(body.get("errorReason"), None);
    };
    for card in [&without_card, &ended] {
        assert_not_active(&api.post_order(&order("order-1", card, AMOUNT)).await);
    }
    let terminal = json!({ "redirectUrl": DONE });
    assert_not_active(&api.call("POST", &before.path("/terminal"), Some(&terminal)).await);
    api.advance_clock("P3Y").await;
    assert_not_active(&api.post_order(&order("order-1", &expired, AMOUNT)).await);
    assert_eq!(api.payment_items().await.len(), 2);
    assert_eq!(
        [api.ledger(before), api.ledger(other)],
        [super::Ledger::default(), super::Ledger::default()]
    );
}

/// The state of a transaction before a refused request.
#[derive(Debug, Clone, Copy)]
enum Before {
    Created,
    AtPage,
    CancelledAtPage,
    PageTimedOut,
    CardEnded,
    AuthorizationInProgress,
    Authorized,
    Captured,
    Cancelled,
    TimedOut,
    HardDecline,
    MaxTerminals,
}

impl TestApi {
    /// The transactions at the sandbox, without the numbers of their calls: a refused call changes nothing.
    fn state_at_nets(&self) -> Value {
        let mut transactions = self.local.netaxept().transactions();
        for one in transactions.as_array_mut().unwrap() {
            one["transaction"].as_object_mut().unwrap().remove("calls").unwrap();
        }
        transactions
    }

    /// Creates a transaction in a state. The customer of `card` is `4711`.
    async fn prepare(&mut self, before: Before, order_id: &str, card: &Value) -> Charge {
        let amount = if matches!(before, Before::HardDecline) { "1.54" } else { AMOUNT };
        let charge = self.buy(order_id, card, amount).await;
        match before {
            Before::Created => return charge,
            Before::TimedOut => {
                self.advance_clock("PT24H").await;
                return charge;
            }
            Before::MaxTerminals => {
                for _ in 0..15 {
                    self.open_page(charge).await;
                }
            }
            Before::AtPage
            | Before::CancelledAtPage
            | Before::PageTimedOut
            | Before::CardEnded
            | Before::AuthorizationInProgress
            | Before::Authorized
            | Before::Captured
            | Before::Cancelled
            | Before::HardDecline => {}
        }
        let uri = self.open_page(charge).await;
        match before {
            Before::AtPage | Before::MaxTerminals | Before::Created | Before::TimedOut => {}
            Before::CancelledAtPage => {
                let (status, location) = self.press(&uri, &[("cancelButton", "x")]).await;
                assert!(status == StatusCode::FOUND && location.ends_with("Cancel"), "{location}");
            }
            Before::PageTimedOut => self.advance_clock("PT15M").await,
            Before::CardEnded => {
                self.enter_code(&uri).await;
                self.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
            }
            Before::AuthorizationInProgress => {
                self.enter_code(&uri).await;
                self.local.netaxept().inject_fault(Operation::Auth, FaultKind::ArriveLate, 2);
                assert_eq!(self.capture(charge).await.problem(), (503, "unavailable".to_owned()));
            }
            Before::Authorized => {
                self.enter_code(&uri).await;
                self.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
                assert_eq!(self.capture(charge).await.problem(), (503, "unavailable".to_owned()));
            }
            Before::Captured => {
                self.enter_code(&uri).await;
                assert_eq!(self.capture(charge).await.status, StatusCode::OK);
            }
            Before::Cancelled => assert_eq!(self.cancel(charge).await.status, StatusCode::OK),
            Before::HardDecline => {
                self.enter_code(&uri).await;
                assert_eq!(self.capture(charge).await.problem(), (409, "declined".to_owned()));
            }
        }
        charge
    }
}

/// Where nothing is said, there is no `errorReason` and no `Retry-After`.
const NONE: (&str, &str) = ("", "");
/// `RESOURCE_BUSY`, with the seconds until an authorization is over.
const BUSY: (&str, &str) = ("RESOURCE_BUSY", "5");
const REFUSED: (&str, &str) = ("REFUSED_BY_ISSUER", "");

/// State, operation, problem type, `errorReason` and `Retry-After`, and the status of the transaction afterwards. All are 409.
type Row = (Before, &'static str, &'static str, (&'static str, &'static str), &'static str);

#[rustfmt::skip]
const ROWS: [Row; 24] = [
    (Before::Created,                 "capture",  "no-terminal",               NONE,    "CREATED"),
    (Before::AtPage,                  "capture",  "terminal-open",             NONE,    "INITIATED"),
    (Before::CancelledAtPage,         "capture",  "terminal-cancelled",        NONE,    "CANCELLED"),
    (Before::PageTimedOut,            "capture",  "terminal-timed-out",        NONE,    "INITIATED"),
    (Before::TimedOut,                "capture",  "cancelled",                 NONE,    "CANCELLED"),
    (Before::TimedOut,                "terminal", "cancelled",                 NONE,    "CANCELLED"),
    (Before::CardEnded,               "capture",  "not-active",                NONE,    "CANCELLED"),
    (Before::CardEnded,               "terminal", "not-active",                NONE,    "CANCELLED"),
    (Before::AuthorizationInProgress, "terminal", "authorization-in-progress", BUSY,    "INITIATED"),
    (Before::Authorized,              "terminal", "authorization-in-progress", BUSY,    "INITIATED"),
    (Before::AuthorizationInProgress, "again",    "order-has-payment",         NONE,    "INITIATED"),
    (Before::Created,                 "again",    "order-has-payment",         NONE,    "CREATED"),
    (Before::AtPage,                  "again",    "order-has-payment",         NONE,    "INITIATED"),
    (Before::Captured,                "again",    "order-has-payment",         NONE,    "CAPTURED"),
    (Before::Captured,                "card",     "order-has-payment",         NONE,    "CAPTURED"),
    (Before::Created,                 "card",     "order-has-payment",         NONE,    "CREATED"),
    (Before::Created,                 "customer", "order-has-payment",         NONE,    "CREATED"),
    (Before::Cancelled,               "customer", "order-has-payment",         NONE,    "CANCELLED"),
    (Before::Captured,                "terminal", "already-captured",          NONE,    "CAPTURED"),
    (Before::Captured,                "cancel",   "already-captured",          NONE,    "CAPTURED"),
    (Before::Cancelled,               "capture",  "cancelled",                 NONE,    "CANCELLED"),
    (Before::Cancelled,               "terminal", "cancelled",                 NONE,    "CANCELLED"),
    (Before::HardDecline,             "terminal", "declined",                  REFUSED, "REJECTED"),
    (Before::MaxTerminals,            "terminal", "no-terminal-left",          NONE,    "INITIATED"),
];

#[tokio::test]
async fn every_refusal_has_its_type_and_changes_nothing_at_nets() {
    let mut api = TestApi::new().await;
    for (turn, (before, operation, problem, (reason, retry_after), after)) in
        ROWS.into_iter().enumerate()
    {
        let context = format!("{before:?}, {operation}");
        let customer = format!("customer-{turn}");
        let card = api.create_active(&customer).await;
        let order_id = format!("order-{turn}");
        let charge = api.prepare(before, &order_id, &card).await;
        let other_card = match operation {
            "card" => api.create_with_card(&customer, MASTERCARD).await,
            "customer" => api.create_active(&format!("other-{turn}")).await,
            _ => card.clone(),
        };
        let at_nets = api.state_at_nets();
        let response = match operation {
            "capture" => api.capture(charge).await,
            "cancel" => api.cancel(charge).await,
            "terminal" => {
                let body = json!({ "redirectUrl": DONE });
                api.call("POST", &charge.path("/terminal"), Some(&body)).await
            }
            "again" => api.post_order(&order(&order_id, &card, "100.01")).await,
            _ => api.post_order(&order(&order_id, &other_card, AMOUNT)).await,
        };
        assert_eq!(response.problem(), (409, problem.to_owned()), "{context}: {response:?}");
        let error_reason = response.json()["errorReason"].clone();
        let shown = (error_reason.as_str().unwrap_or_default(), response.header("retry-after"));
        assert_eq!(shown, (reason, retry_after), "{context}");
        assert_eq!(api.state_at_nets(), at_nets, "{context}");
        assert_eq!(api.status(charge).await, after, "{context}");
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with('.') || detail == NOT_ACTIVE, "{detail}");
    }
}

/// The card ends or expires after the customer was at the page.
#[tokio::test]
async fn a_card_that_ended_before_its_authorization_cancels_the_transaction() {
    for expires in [false, true] {
        let mut api = TestApi::new().await;
        let card = api.store_card_expiring_soon().await;
        let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
        if expires {
            api.advance_clock("PT61S").await;
        } else {
            api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
        }
        for _ in 0..2 {
            let refused = api.capture(charge).await;
            assert_eq!(refused.problem(), (409, "not-active".to_owned()), "{refused:?}");
            assert_eq!(refused.json()["detail"], NOT_ACTIVE);
        }
        let transaction = api.transaction(charge).await;
        assert_eq!(
            (&transaction["status"], &transaction["statusReason"]),
            (&json!("CANCELLED"), &json!("CARD_NOT_ACTIVE"))
        );
        assert_eq!(api.ledger(charge).operations, [].into(), "no AUTH");
        api.assert_nothing_is_planned().await;
    }
}

/// Only new authorizations need the card: what is authorized can be captured, and cancelled.
#[tokio::test]
async fn an_authorized_transaction_does_not_need_the_card() {
    let mut api = TestApi::new().await;
    for (turn, cancels) in [false, true].into_iter().enumerate() {
        let card = api.create_active("4711").await;
        let charge = api.prepare(Before::Authorized, &format!("order-{turn}"), &card).await;
        api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
        let response = if cancels { api.cancel(charge).await } else { api.capture(charge).await };
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        let ledger = api.ledger(charge);
        assert_eq!(
            (ledger.captured_minor, ledger.held_minor),
            (if cancels { 0 } else { 10_000 }, 0)
        );
    }
}

/// A cancelled transaction stays as it is when it is cancelled again, and the order can be paid again.
#[tokio::test]
async fn cancel_is_repeatable_and_frees_the_order() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for order_id in ["created", "at-page", "entered"] {
        let charge = api.buy(order_id, &card, AMOUNT).await;
        let uri = if order_id == "created" { None } else { Some(api.open_page(charge).await) };
        if let Some(uri) = uri.filter(|_| order_id == "entered") {
            api.enter_code(&uri).await;
        }
        let cancelled = api.call("PUT", &charge.path("/cancel?isUser=true"), None).await;
        assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
        let body = cancelled.json();
        assert_eq!(
            (&body["status"], &body["statusReason"]),
            (&json!("CANCELLED"), &json!("REQUESTED"))
        );
        assert_eq!(body["operationLog"].as_array().unwrap().last().unwrap()["operation"], "CANCEL");
        assert_eq!(api.cancel(charge).await.text, cancelled.text, "cancelled again");
        assert_eq!(api.capture(charge).await.problem().1, "cancelled");
        assert_eq!(api.ledger(charge).operations, [].into());
        let next = api.buy(order_id, &card, "250.00").await;
        assert_eq!(next.payment, charge.payment);
        let uri = api.open_page(next).await;
        api.enter_code(&uri).await;
        assert_eq!(api.capture(next).await.status, StatusCode::OK);
        api.assert_paid(next, "250.00", 25_000).await;
        let payment = api.call("GET", &next.payment_path(), None).await.json();
        assert_eq!(
            (&payment["status"], &payment["totalAmount"]),
            (&json!("CAPTURED"), &json!("250.00"))
        );
    }
}

/// An order has at most 16 transactions.
#[tokio::test]
async fn a_seventeenth_transaction_is_refused() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for _ in 0..16 {
        let charge = api.buy("order-1", &card, AMOUNT).await;
        assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
    }
    let refused = api.post_order(&order("order-1", &card, AMOUNT)).await;
    assert_eq!(refused.problem(), (409, "no-transaction-left".to_owned()));
    let [item] = &api.payment_items().await[..] else { panic!("one payment") };
    assert!(item.to_string().len() < 10_000, "{item}");
}

/// Nets gives no clear answer: 503 with `Retry-After`, and a repeated request is safe.
#[tokio::test]
async fn an_unclear_answer_of_nets_is_503() {
    let api = TestApi::new().await;
    let nets = api.local.netaxept();
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let unavailable = |response: &Response| {
        assert_eq!(response.problem(), (503, "unavailable".to_owned()), "{response:?}");
        assert_ne!(response.header("retry-after"), "");
        assert_eq!(response.json().get("errorReason"), None);
    };
    nets.inject_fault(Operation::Register, FaultKind::Html, 1);
    let body = json!({ "redirectUrl": DONE });
    unavailable(&api.call("POST", &charge.path("/terminal"), Some(&body)).await);
    let uri = api.open_page(charge).await;
    api.enter_code(&uri).await;
    nets.inject_fault(Operation::Auth, FaultKind::Garbage, 1);
    nets.inject_fault(Operation::Query, FaultKind::Garbage, 1);
    unavailable(&api.capture(charge).await);
    assert_eq!(api.status(charge).await, "INITIATED");
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.assert_paid(charge, AMOUNT, super::AMOUNT_MINOR).await;
}

/// A card whose CAPTURE fails at Nets: it is never said to be captured, and the money is released.
#[tokio::test]
async fn a_capture_that_fails_is_not_captured() {
    let mut api = TestApi::new().await;
    let card = api.create_with_card("4711", "4925000000000079").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    for _ in 0..2 {
        assert_eq!(api.capture(charge).await.problem(), (503, "unavailable".to_owned()));
        assert_eq!(api.status(charge).await, "INITIATED");
    }
    assert_eq!(api.ledger(charge).held_minor, super::AMOUNT_MINOR);
    api.advance_and_settle("PT24H").await;
    assert_eq!(api.status(charge).await, "CANCELLED");
    let ledger = api.ledger(charge);
    assert_eq!((ledger.captured_minor, ledger.held_minor), (0, 0));
}
