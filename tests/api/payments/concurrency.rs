//! Concurrent requests for one order: in the end its amount is captured once, or nothing is held.

use std::sync::Arc;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, AMOUNT_MINOR, Charge, DONE, Ledger, order};
use crate::{PAYMENTS, Response, TestApi};

/// How often each pair of requests is repeated.
const TURNS: usize = 6;

pub(super) fn spawn_call(
    api: &Arc<TestApi>,
    method: &'static str,
    path: String,
    body: Option<Value>,
) -> tokio::task::JoinHandle<Response> {
    let api = api.clone();
    tokio::spawn(async move { api.call(method, &path, body.as_ref()).await })
}

impl TestApi {
    /// Runs the schedule for two days. Afterwards nothing is planned.
    async fn pass_two_days(&mut self) {
        for time in ["PT1M", "PT5M", "PT24H", "PT24H"] {
            self.advance_and_settle(time).await;
        }
        self.assert_nothing_is_planned().await;
    }

    /// Asserts that nothing is held, that the order's amount is captured once or not at all, and that the status says so. Returns
    /// whether it is captured.
    async fn assert_consistent(&self, charge: Charge) -> bool {
        let (ledger, status) = (self.ledger(charge), self.status(charge).await);
        assert_eq!(ledger.held_minor, 0, "{ledger:?}");
        assert!([0, AMOUNT_MINOR].contains(&ledger.captured_minor), "{ledger:?}");
        assert!(ledger.operations.get("CAPTURE").is_none_or(|captures| *captures == 1));
        let is_captured = ledger.captured_minor > 0;
        assert_eq!(status == "CAPTURED", is_captured, "{status}: {ledger:?}");
        is_captured
    }
}

/// Wayfare's page and its reload, or two tabs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_captures_capture_once() {
    let api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    for turn in 0..TURNS {
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, AMOUNT).await;
        let calls: Vec<_> =
            (0..4).map(|_| spawn_call(&api, "PUT", charge.path("/capture"), None)).collect();
        for call in calls {
            let response = call.await.unwrap();
            // A request that lost every race can be repeated.
            if response.status != StatusCode::OK {
                assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY", "{response:?}");
            }
        }
        let again = api.capture(charge).await;
        assert_eq!((again.status, &again.json()["status"]), (StatusCode::OK, &json!("CAPTURED")));
        assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR), "{turn}");
        assert_eq!(api.local.netaxept().calls(Operation::Annul), 0);
    }
}

/// A capture that is declined, at the same time as another one: the issuer's answer is the same for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_declined_captures_take_nothing() {
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    for turn in 0..3 {
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, "1.54").await;
        let calls: Vec<_> =
            (0..3).map(|_| spawn_call(&api, "PUT", charge.path("/capture"), None)).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().problem().0, 409);
        }
        let owned = Arc::get_mut(&mut api).unwrap();
        owned.advance_and_settle("PT2M").await;
        assert_eq!(owned.status(charge).await, "REJECTED");
        assert_eq!(owned.ledger(charge).operations, [].into());
    }
}

/// Nets is the referee: either the money is captured, or the transaction is cancelled and nothing is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_and_a_cancellation_at_once_have_one_outcome() {
    let mut outcomes = [0, 0];
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    let mut charges = Vec::new();
    for turn in 0..2 * TURNS {
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, AMOUNT).await;
        let capture = spawn_call(&api, "PUT", charge.path("/capture"), None);
        if turn % 2 == 1 {
            // The cancellation comes when AUTH is requested.
            while api.local.netaxept().calls(Operation::Auth) <= turn / 2 && !capture.is_finished()
            {
                tokio::task::yield_now().await;
            }
        }
        let cancel = spawn_call(&api, "PUT", charge.path("/cancel"), None);
        let (captured, cancelled) = (capture.await.unwrap(), cancel.await.unwrap());
        // Both can be told to try again, but not both that they succeeded.
        let successes = [captured.status, cancelled.status].map(|one| one == StatusCode::OK);
        assert_ne!(successes, [true, true], "{captured:?} {cancelled:?}");
        charges.push((charge, successes));
    }
    let owned = Arc::get_mut(&mut api).unwrap();
    owned.pass_two_days().await;
    for (charge, successes) in charges {
        let is_captured = owned.assert_consistent(charge).await;
        match successes {
            [true, _] => assert!(is_captured, "the capture was answered with 200"),
            [_, true] => assert!(!is_captured, "the cancellation was answered with 200"),
            [false, false] => {}
        }
        outcomes[usize::from(is_captured)] += 1;
    }
    assert_eq!(outcomes.iter().sum::<usize>(), 2 * TURNS);
}

/// Both orders of the requests are possible, and both are true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_and_the_end_of_the_card_at_once() {
    let mut api = Arc::new(TestApi::new().await);
    for turn in 0..TURNS {
        let card = api.create_active("4711").await;
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, AMOUNT).await;
        let end = format!("{PAYMENTS}/{card}");
        let capture = spawn_call(&api, "PUT", charge.path("/capture"), None);
        let end = spawn_call(&api, "DELETE", end, None);
        let (captured, ended) = (capture.await.unwrap(), end.await.unwrap());
        assert_eq!(ended.status, StatusCode::OK, "{ended:?}");
        let is_ok = captured.status == StatusCode::OK;
        if !is_ok {
            assert_eq!(captured.problem(), (409, "not-active".to_owned()));
        }
        let owned = Arc::get_mut(&mut api).unwrap();
        let ledger = owned.ledger(charge);
        let expected = if is_ok { [1, 1] } else { [0, 0] };
        let counts = ["AUTH", "CAPTURE"].map(|name| ledger.operations.get(name).copied());
        assert_eq!(counts.map(Option::unwrap_or_default), expected, "{ledger:?}");
        let status = owned.status(charge).await;
        assert_eq!(status, if is_ok { "CAPTURED" } else { "CANCELLED" });
        assert_eq!(owned.capture(charge).await.status.is_success(), is_ok);
    }
}

/// The order is the key: one payment with one transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_of_an_order_create_one_payment() {
    let api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    for turn in 0..TURNS {
        let body = order(&format!("order-{turn}"), &card, AMOUNT);
        let calls: Vec<_> = (0..4)
            .map(|_| spawn_call(&api, "POST", super::COLLECTION.to_owned(), Some(body.clone())))
            .collect();
        let (mut charges, mut created) = (Vec::new(), 0);
        for call in calls {
            let response = call.await.unwrap();
            assert!(response.status.is_success(), "{response:?}");
            created += usize::from(response.status == StatusCode::CREATED);
            charges.push(Charge::newest(&response.json()));
        }
        assert_eq!(created, 1, "{turn}");
        assert!(charges.iter().all(|charge| *charge == charges[0]), "{charges:?}");
        assert_eq!(api.payment_items().await.len(), turn + 1);
    }
}

/// Only one of the facts is stored, and the other request is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_with_other_facts_create_one_payment() {
    let api = Arc::new(TestApi::new().await);
    let cards = [api.create_active("4711").await, api.create_active("4711").await];
    let other_customer = api.create_active("4712").await;
    for (turn, (card, amount)) in
        [(&cards[0], "200.00"), (&cards[1], AMOUNT), (&other_customer, AMOUNT)]
            .into_iter()
            .enumerate()
    {
        let order_id = format!("order-{turn}");
        let bodies = [order(&order_id, &cards[0], AMOUNT), order(&order_id, card, amount)];
        let calls =
            bodies.map(|body| spawn_call(&api, "POST", super::COLLECTION.to_owned(), Some(body)));
        let mut statuses = Vec::new();
        for call in calls {
            let response = call.await.unwrap();
            if response.status == StatusCode::CONFLICT {
                assert_eq!(response.problem().1, "order-has-payment", "{response:?}");
            }
            statuses.push(response.status.as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{turn}");
    }
    assert_eq!(api.payment_items().await.len(), 3);
}

/// Two terminals at once, and the customer at both pages: one of them is captured, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_terminals_lead_to_one_authorization() {
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    let mut charges = Vec::new();
    for turn in 0..TURNS {
        let charge = api.buy(&format!("order-{turn}"), &card, AMOUNT).await;
        let body = Some(json!({ "redirectUrl": DONE }));
        let calls: Vec<_> = (0..3)
            .map(|_| spawn_call(&api, "POST", charge.path("/terminal"), body.clone()))
            .collect();
        let mut opened = 0;
        for call in calls {
            let response = call.await.unwrap();
            if response.status == StatusCode::CREATED {
                opened += 1;
                api.enter_code(response.json()["terminalUri"].as_str().unwrap()).await;
            } else {
                assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY", "{response:?}");
            }
        }
        assert!(opened > 0);
        let captures: Vec<_> =
            (0..2).map(|_| spawn_call(&api, "PUT", charge.path("/capture"), None)).collect();
        for call in captures {
            call.await.unwrap();
        }
        assert_eq!(api.capture(charge).await.status, StatusCode::OK);
        charges.push(charge);
    }
    let owned = Arc::get_mut(&mut api).unwrap();
    owned.pass_two_days().await;
    for charge in charges {
        assert!(owned.assert_consistent(charge).await);
        assert_eq!(owned.ledger(charge).operations.get("AUTH"), Some(&1));
    }
}

/// The transaction is cancelled while its AUTH is under way to Nets. Until Nets shows what became of it, the order cannot be paid
/// again; after the annulment it can.
#[tokio::test]
async fn an_order_is_blocked_until_a_late_authorization_is_annulled() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    // Both attempts of the request arrive late.
    api.local.netaxept().inject_fault(Operation::Auth, FaultKind::ArriveLate, 2);
    assert_eq!(api.capture(charge).await.problem(), (503, "unavailable".to_owned()));
    let pending = |response: &Response| {
        assert_eq!(response.problem(), (409, "annulment-pending".to_owned()), "{response:?}");
        assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY");
        let seconds: u32 = response.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    };
    pending(&api.cancel(charge).await);
    assert_eq!(api.status(charge).await, "CANCELLED");
    for amount in [AMOUNT, "50.00"] {
        pending(&api.post_order(&order("order-1", &card, amount)).await);
    }
    assert_eq!(api.ledger(charge).held_minor, 0, "not arrived yet");
    api.advance_and_settle("PT2M").await;
    let ledger = api.ledger(charge);
    assert_eq!(ledger.operations, [("AUTH".to_owned(), 1), ("ANNUL".to_owned(), 1)].into());
    assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
    let next = api.buy_with_code("order-1", &card, AMOUNT).await;
    assert_eq!(next.payment, charge.payment);
    assert_eq!(api.capture(next).await.status, StatusCode::OK);
    api.pass_two_days().await;
    assert!(api.assert_consistent(next).await);
    let ledger = api.ledger(next);
    assert_eq!((ledger.captured_minor, ledger.held_minor), (AMOUNT_MINOR, 0));
    assert_eq!(api.status(charge).await, "CANCELLED");
}

/// An AUTH that arrives hours after the cancellation is found and annulled too.
#[tokio::test]
async fn an_authorization_that_arrives_hours_later_is_annulled() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    for _ in 0..2 {
        api.local.netaxept().inject_delayed_fault(Operation::Auth, FaultKind::ArriveLate, 7200);
    }
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.cancel(charge).await.problem().1, "annulment-pending");
    // A minute later no request can be in progress any more, so the order can be paid again.
    api.advance_and_settle("PT1M").await;
    let next = api.buy_with_code("order-1", &card, AMOUNT).await;
    assert_eq!(api.capture(next).await.status, StatusCode::OK);
    for time in ["PT4M", "PT11M", "PT50M", "PT2H"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.ledger(charge).held_minor, AMOUNT_MINOR, "it has arrived");
    api.advance_and_settle("PT21H").await;
    let ledger = api.ledger(charge);
    assert_eq!((ledger.captured_minor, ledger.held_minor), (AMOUNT_MINOR, 0), "{ledger:?}");
    api.advance_and_settle("PT48H").await;
    api.assert_nothing_is_planned().await;
}

/// CAPTURE arrives after the cancellation annulled: Nets refuses it.
#[tokio::test]
async fn a_capture_that_arrives_after_the_annulment_takes_nothing() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::ArriveLate, 2);
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
    assert_eq!(api.local.netaxept().execute_late_calls(), 2);
    api.pass_two_days().await;
    assert!(!api.assert_consistent(charge).await);
}

/// CAPTURE arrives after a cancellation whose ANNUL was lost on its way: Nets has taken the money, and the status says so.
#[tokio::test]
async fn a_capture_that_arrives_before_the_annulment_is_reported() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    let nets = api.local.netaxept().clone();
    nets.inject_fault(Operation::Capture, FaultKind::ArriveLate, 2);
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    nets.inject_fault(Operation::Annul, FaultKind::Http500, 1);
    let cancelled = api.cancel(charge).await;
    assert!(!cancelled.status.is_success(), "nothing is promised: {cancelled:?}");
    assert_eq!(nets.execute_late_calls(), 2);
    api.pass_two_days().await;
    assert!(api.assert_consistent(charge).await);
    let unexpected = api.log_lines(
        super::SETTLE,
        "Nets captured money that the service did not expect: compare the payment with Netaxept Admin",
    );
    assert_eq!(unexpected.len(), 1, "an operator is alarmed");
    let refused = api.post_order(&order("order-1", &card, "1000.00")).await;
    assert_eq!(refused.problem().1, "order-has-payment", "not paid twice");
}
