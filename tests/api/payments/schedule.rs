//! The schedule of payments: it finds out and releases, and takes no money.

use std::time::Duration;

use local::netaxept::{FaultKind, Operation};
use local::side_effects::HoldPoint;
use reqwest::StatusCode;
use serde_json::json;

use super::{AMOUNT, AMOUNT_MINOR, Ledger, SETTLE};
use crate::{TestApi, VISA};

/// Times after which the schedule runs. Together more than 25 hours.
const TIMES: [&str; 7] = ["PT1M", "PT4M", "PT11M", "PT44M", "PT10H", "PT13H", "PT2H"];

impl TestApi {
    /// Runs the schedule, and kills it before a side effect, after this number of others.
    pub(super) async fn kill_schedule(&self, before: usize, effect: &str) {
        let mut held = self.local.side_effects().hold(before, HoldPoint::Before);
        let run = self.local.scheduler().run(SETTLE);
        let kill = async {
            let reached = held.reached().await;
            for instance in self.local.lambda().instances(SETTLE) {
                self.local.lambda().kill(instance);
            }
            reached.map(|side_effect| side_effect.to_string())
        };
        let both = async { tokio::join!(run, kill) };
        let (ran, reached) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!(reached.as_deref(), Some(effect));
        ran.unwrap_err();
    }

    /// The number of calls of AUTH and CAPTURE so far.
    fn calls_that_take_money(&self) -> [usize; 2] {
        [Operation::Auth, Operation::Capture].map(|call| self.local.netaxept().calls(call))
    }
}

/// A page that the customer completed, one that is open, a charge of the merchant, and a payment without a terminal. None is
/// captured by a client, so none takes money.
#[tokio::test]
async fn a_completed_page_takes_no_money_without_a_capture() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charges = [
        api.buy("created", &card, AMOUNT).await,
        api.buy_with_code("completed", &card, AMOUNT).await,
        api.buy_off_session("off-session", &card, AMOUNT).await,
        {
            let open = api.buy("open", &card, AMOUNT).await;
            api.open_page(open).await;
            open
        },
    ];
    for time in TIMES {
        api.advance_and_settle(time).await;
        assert_eq!(api.calls_that_take_money(), [0; 2], "after {time}");
    }
    for charge in charges {
        let transaction = api.transaction(charge).await;
        assert_eq!(
            (&transaction["status"], &transaction["statusReason"]),
            (&json!("CANCELLED"), &json!("TIMED_OUT"))
        );
        assert_eq!(api.ledger(charge).operations, [].into());
    }
    api.assert_nothing_is_planned().await;
    assert_eq!(api.run_schedule(SETTLE).await["due"], 0);
}

/// An authorization that is not captured is annulled at the end of the hold, and not before. Nets annuls for 7 days, so the longest
/// hold ends an hour earlier.
#[tokio::test]
async fn an_uncaptured_authorization_is_annulled_after_the_hold() {
    // A minute of the hold is over after the first run. A minute is left for the time that the test itself takes.
    for (hours, almost) in [("1", "PT58M"), ("24", "PT23H58M"), ("168", "PT166H58M")] {
        let mut api = TestApi::with_environment(&[("AUTHORIZATION_HOLD_HOURS", hours)]).await;
        let card = api.create_active("4711").await;
        let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
        api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
        assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
        let calls = api.calls_that_take_money();
        for time in ["PT1M", almost] {
            api.advance_and_settle(time).await;
        }
        assert_eq!(api.status(charge).await, "INITIATED", "{hours} h");
        assert_eq!(api.ledger(charge).held_minor, AMOUNT_MINOR, "{hours} h");
        for _ in 0..2 {
            api.advance_and_settle("PT1M").await;
        }
        assert_eq!(api.calls_that_take_money(), calls, "no AUTH and no CAPTURE by the schedule");
        let transaction = api.transaction(charge).await;
        assert_eq!(
            (&transaction["status"], &transaction["statusReason"]),
            (&json!("CANCELLED"), &json!("HOLD_ENDED"))
        );
        let ledger = api.ledger(charge);
        assert_eq!((ledger.held_minor, ledger.captured_minor), (0, 0), "{hours} h");
        assert_eq!(ledger.operations.get("ANNUL"), Some(&1));
        let late = api.capture(charge).await;
        assert_eq!(late.problem(), (409, "cancelled".to_owned()));
        // The order can be paid again.
        let next = api.buy_with_code("order-1", &card, AMOUNT).await;
        assert_eq!(next.payment, charge.payment);
        assert_eq!(api.capture(next).await.status, StatusCode::OK);
        assert_eq!(api.ledger(next).captured_minor, AMOUNT_MINOR);
    }
}

/// The default of `AuthorizationHoldHours` is 24 hours, and a repeated capture before it takes the money.
#[tokio::test]
async fn an_authorization_can_be_captured_until_the_hold_ends() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    for time in ["PT1M", "PT23H"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
    api.assert_nothing_is_planned().await;
    api.advance_and_settle("PT48H").await;
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR), "not annulled");
}

/// A capture whose function was killed is found by the schedule: the status says what Nets says.
#[tokio::test]
async fn the_schedule_finds_a_capture_at_nets() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, AMOUNT).await;
    let nets = api.local.netaxept().clone();
    // The answers to CAPTURE and to every Query of the request are lost.
    nets.inject_fault(Operation::Capture, FaultKind::DropReply, 1);
    nets.inject_fault(Operation::Query, FaultKind::DropReply, 1);
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
    assert_eq!(api.status(charge).await, "INITIATED", "not known yet");
    api.advance_and_settle("PT1M").await;
    api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
    api.assert_nothing_is_planned().await;
}

/// Runs at once, and with many payments, change each payment once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_runs_annul_once() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let mut charges = Vec::new();
    for turn in 0..8 {
        let charge = api.buy_with_code(&format!("order-{turn}"), &card, AMOUNT).await;
        api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
        assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
        charges.push(charge);
    }
    api.advance_clock("PT24H1S").await;
    let run = || api.run_schedule(SETTLE);
    let (one, two, three, four) = tokio::join!(run(), run(), run(), run());
    for summary in [one, two, three, four] {
        assert_eq!(summary["failed"], 0, "{summary}");
    }
    for time in ["PT1M", "PT5M", "PT25H"] {
        api.advance_and_settle(time).await;
    }
    for charge in charges {
        let ledger = api.ledger(charge);
        assert_eq!((ledger.held_minor, ledger.captured_minor), (0, 0));
        assert_eq!(ledger.operations, [("AUTH".to_owned(), 1), ("ANNUL".to_owned(), 1)].into());
        assert_eq!(api.status(charge).await, "CANCELLED");
    }
    api.assert_nothing_is_planned().await;
}
