//! Credits whose outcome at Nets is not clear: `settle-payments` finds it out, and sends a credit again only when Nets does not
//! show it 16 minutes after it was sent.

use std::sync::Arc;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::concurrency::spawn_call;
use super::{AMOUNT, Charge, SETTLE};
use crate::{Response, TestApi};

/// Half an hour, in seconds. A Query that hides what was done within it shows the capture, but no credit.
const HALF_HOUR: u32 = 1_800;

impl TestApi {
    /// Sends a credit whose reply is not clear: the fault applies to CREDIT, and then to the Query that shows its outcome.
    async fn credit_uncertainly(
        &self,
        charge: Charge,
        total: Option<&str>,
        fault: FaultKind,
        of_query: Option<FaultKind>,
    ) {
        let nets = self.local.netaxept();
        nets.inject_fault(Operation::Credit, fault, 1);
        if let Some(of_query) = of_query {
            nets.inject_fault(Operation::Query, FaultKind::Pass, 1);
            nets.inject_fault(Operation::Query, of_query, 1);
        }
        let response = self.credit(charge, total).await;
        assert_eq!(response.problem(), (503, "unavailable".to_owned()), "{response:?}");
        assert_ne!(response.header("retry-after"), "");
    }

    /// Moves the clock by `time`, runs the schedule of payments once, and returns its log line.
    async fn settle_and_read_log(&mut self, time: &str) -> Value {
        self.advance_clock(time).await;
        let summary = self.run_schedule(SETTLE).await;
        assert_eq!(summary["failed"], 0, "{summary}");
        self.log_lines(SETTLE, "run").pop().unwrap()
    }
}

fn assert_in_progress(response: &Response) {
    assert_eq!(response.problem(), (409, "credit-in-progress".to_owned()), "{response:?}");
    assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY");
    let seconds: u32 = response.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
}

/// CREDIT is under way to Nets. Until Nets shows it, every other credit waits. Then a request continues with its own total.
#[tokio::test]
async fn other_credits_wait_until_a_late_one_is_shown() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.credit_uncertainly(charge, Some("30.00"), FaultKind::ArriveLate, None).await;
    for total in [Some("30.00"), Some("50.00"), None] {
        assert_in_progress(&api.credit(charge, total).await);
    }
    for (total, problem) in [("100.01", "credit-above-captured"), ("20.00", "credit-in-progress")] {
        assert_eq!(api.credit(charge, Some(total)).await.problem().1, problem);
    }
    assert_eq!(api.credit_calls(), 1);
    assert_eq!(api.transaction(charge).await["summary"]["creditedAmount"], "0.00");
    assert_eq!(api.local.netaxept().execute_late_calls(), 1);
    assert_eq!(api.credit(charge, Some("20.00")).await.problem().1, "credit-below-credited");
    assert_eq!(api.credit(charge, Some("30.00")).await.status, StatusCode::OK);
    assert_eq!(api.credit_calls(), 1);
    api.assert_credited(charge, "30.00", 1).await;
    assert_eq!(api.credit(charge, Some("50.00")).await.status, StatusCode::OK);
    api.assert_credited(charge, "50.00", 2).await;
    api.assert_nothing_is_planned().await;
}

/// A Query that does not show the last credit yet: the stored sum is larger, so the difference is not credited twice.
#[tokio::test]
async fn a_query_that_lags_does_not_lead_to_a_second_credit() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.advance_clock("PT1H").await;
    assert_eq!(api.credit(charge, Some("30.00")).await.status, StatusCode::OK);
    api.local.netaxept().inject_delayed_fault(Operation::Query, FaultKind::Stale, HALF_HOUR);
    assert_eq!(api.credit(charge, Some("50.00")).await.status, StatusCode::OK);
    api.assert_credited(charge, "50.00", 2).await;
    // The reply to CREDIT is lost, and no Query shows the credit within a minute.
    let nets = api.local.netaxept().clone();
    api.credit_uncertainly(charge, None, FaultKind::DropReply, Some(FaultKind::Stale)).await;
    nets.inject_fault(Operation::Query, FaultKind::Stale, 1);
    assert_in_progress(&api.credit(charge, None).await);
    let calls = api.credit_calls();
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.credit_calls(), calls, "not sent again");
    api.assert_credited(charge, AMOUNT, 3).await;
    api.assert_nothing_is_planned().await;
}

/// A credit whose reply is late, and a larger one that begins as soon as Nets shows the first. The first request answers that its own
/// total is credited, although the other credit is still in progress.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credit_is_confirmed_while_a_larger_one_is_in_progress() {
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Credit, FaultKind::Delay, 1);
    let body = json!({ "creditedAmount": "60.00" });
    let first = spawn_call(&api, "PUT", charge.path("/credit"), Some(body));
    api.local.netaxept().wait_for_fault().await;
    api.credit_uncertainly(charge, None, FaultKind::ArriveLate, None).await;
    let first = first.await.unwrap();
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    assert_eq!(first.json()["summary"]["creditedAmount"], "60.00");
    assert_in_progress(&api.credit(charge, None).await);
    let owned = Arc::get_mut(&mut api).unwrap();
    assert_eq!(owned.local.netaxept().execute_late_calls(), 1);
    owned.advance_and_settle("PT1M1S").await;
    owned.assert_credited(charge, AMOUNT, 2).await;
    assert_eq!(owned.credit_calls(), 2);
    owned.assert_nothing_is_planned().await;
}

/// CREDIT never arrived at Nets. The schedule sends it again after 16 minutes, and not before: a run can be up to
/// 5 minutes late.
#[tokio::test]
async fn the_schedule_sends_a_lost_credit_again() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.credit_uncertainly(charge, Some("30.00"), FaultKind::Http500, None).await;
    for time in ["PT1M", "PT4M", "PT10M"] {
        api.advance_and_settle(time).await;
        assert_eq!(api.credit_calls(), 1, "after {time}");
        assert_in_progress(&api.credit(charge, Some("30.00")).await);
    }
    // An operator credits in between: only the difference is sent.
    api.credit_at_nets(charge, 1_000).await;
    let calls = api.credit_calls();
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.credit_calls(), calls + 1);
    api.assert_credited(charge, "30.00", 2).await;
    api.assert_nothing_is_planned().await;
}

/// Every send is lost. After the fifth one the schedule only reconciles. After the last reconciliation the credit has failed: an
/// operator is alarmed, and another request can credit.
#[tokio::test]
async fn a_credit_fails_after_five_sends() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Credit, FaultKind::Http500, 5);
    assert_eq!(api.credit(charge, Some("30.00")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    for sends in 2..=5 {
        for time in ["PT1M1S", "PT4M", "PT10M"] {
            api.settle_and_read_log(time).await;
            assert_eq!(api.credit_calls(), sends - 1, "after {time}");
        }
        api.settle_and_read_log("PT1M").await;
        assert_eq!(api.credit_calls(), sends);
    }
    for time in ["PT1M1S", "PT4M", "PT11M"] {
        api.settle_and_read_log(time).await;
    }
    assert_eq!(api.credit_calls(), 5);
    for time in ["PT1H", "PT20H"] {
        let ran = api.settle_and_read_log(time).await;
        assert_eq!(ran.get("credits_failed"), None, "{ran}");
    }
    assert_in_progress(&api.credit(charge, Some("30.00")).await);
    let ran = api.settle_and_read_log("PT4H").await;
    assert_eq!((&ran["credits_failed"], &ran["changed"]), (&json!(1), &json!(1)), "{ran}");
    assert!(crate::observability::metrics(&ran).contains("CreditsFailed"));
    api.assert_credited(charge, "0.00", 0).await;
    api.assert_nothing_is_planned().await;
    assert_eq!(api.credit_calls(), 5);
    assert_eq!(api.credit(charge, Some("30.00")).await.status, StatusCode::OK);
    api.assert_credited(charge, "30.00", 1).await;
}

/// The first CREDIT succeeded, but its reply is lost and Query lags. Nets refuses the second one, because less than the total is left.
/// The credit is not sent a third time, no other credit begins, and Query shows it later.
#[tokio::test]
async fn a_refused_second_send_is_not_repeated() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.advance_clock("PT1H").await;
    let (drop, stale) = (FaultKind::DropReply, FaultKind::Stale);
    api.credit_uncertainly(charge, Some("60.00"), drop, Some(stale)).await;
    for (time, calls) in [("PT1M", 1), ("PT4M", 1), ("PT11M", 2), ("PT1M", 2), ("PT4M", 2)] {
        api.local.netaxept().inject_delayed_fault(Operation::Query, stale, HALF_HOUR);
        api.settle_and_read_log(&format!("{time}1S")).await;
        assert_eq!(api.credit_calls(), calls, "after {time}");
        // 40.00 would be credited in addition, although no client asked for more than 60.00.
        api.local.netaxept().inject_delayed_fault(Operation::Query, stale, HALF_HOUR);
        assert_in_progress(&api.credit(charge, Some("40.00")).await);
    }
    assert_eq!((api.credit_calls(), api.ledger(charge).credited_minor), (2, 6_000));
    // The Query of the next reconciliation shows the first credit.
    for time in ["PT11M", "PT1H", "PT24H"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.credit_calls(), 2);
    api.assert_credited(charge, "60.00", 1).await;
    api.assert_nothing_is_planned().await;
}

/// Runs of the schedule and requests at the same time, when a lost credit is due: it is sent once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_runs_send_a_lost_credit_once() {
    let mut api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    let mut charges = Vec::new();
    for turn in 0..4 {
        let charge = api.buy_captured(&format!("order-{turn}"), &card, AMOUNT).await;
        api.credit_uncertainly(charge, Some("30.00"), FaultKind::Http500, None).await;
        charges.push(charge);
    }
    let owned = Arc::get_mut(&mut api).unwrap();
    owned.advance_clock("PT16M1S").await;
    let requests: Vec<_> = charges
        .iter()
        .map(|charge| {
            let body = json!({ "creditedAmount": "30.00" });
            spawn_call(&api, "PUT", charge.path("/credit"), Some(body))
        })
        .collect();
    let run = || api.run_schedule(SETTLE);
    let (one, two, three) = tokio::join!(run(), run(), run());
    for summary in [one, two, three] {
        assert_eq!(summary["failed"], 0, "{summary}");
    }
    for request in requests {
        let response = request.await.unwrap();
        if response.status != StatusCode::OK {
            assert_eq!(response.json()["errorReason"], "RESOURCE_BUSY", "{response:?}");
        }
    }
    let owned = Arc::get_mut(&mut api).unwrap();
    owned.advance_and_settle("PT1M").await;
    for charge in charges {
        owned.assert_credited(charge, "30.00", 1).await;
    }
    assert_eq!(owned.credit_calls(), 8, "each credit was lost once and sent once more");
    owned.assert_nothing_is_planned().await;
}
