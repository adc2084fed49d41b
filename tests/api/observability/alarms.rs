//! The metrics of the alarms: the functions write lines of which `CloudWatch` makes them.

use std::collections::BTreeSet;

use local::inbox::Answer;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::SETTLE;
use crate::template::{metric_filters::metrics_of, monitoring::own_metrics_of_alarms, template};
use crate::{SCHEDULED, TestApi, VISA};

/// A card that Nets authorizes and cannot capture.
const NOT_CAPTURABLE: &str = "4925000000000079";

impl TestApi {
    /// A terminal whose notification its receiver refuses.
    async fn activate_with_refused_notification(&self) {
        self.local.inbox().answer_with(Answer::Status(StatusCode::NOT_FOUND), 1_000);
        let id = self.create("4712", json!({})).await["recurringPaymentId"].clone();
        let uri = self.open_terminal(&id).await;
        self.submit_card(&uri, VISA, "okButton").await;
        self.local.netaxept().inject_fault(Operation::Query, FaultKind::Html, 1);
        assert_eq!(self.authorize(&id).await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(self.authorize(&id).await.status, StatusCode::OK);
    }

    /// Payments that are declined, held, captured after their cancellation, and whose credit is never confirmed.
    async fn pay_with_every_alarm(&self) {
        let nets = self.local.netaxept();
        let card = self.create_active("4711").await;
        let unexpected = self.buy_with_code("unexpected", &card, "100.00").await;
        nets.inject_fault(Operation::Capture, FaultKind::ArriveLate, 2);
        assert_eq!(self.capture(unexpected).await.status, StatusCode::SERVICE_UNAVAILABLE);
        nets.inject_fault(Operation::Annul, FaultKind::Http500, 1);
        assert!(!self.cancel(unexpected).await.status.is_success());
        assert_eq!(nets.execute_late_calls(), 2);
        // The sandbox declines this amount.
        let declined = self.buy_with_code("declined", &card, "1.14").await;
        assert_eq!(self.capture(declined).await.status, StatusCode::CONFLICT);
        let credited = self.buy_captured("credited", &card, "100.00").await;
        nets.inject_fault(Operation::Credit, FaultKind::Http500, 5);
        let credit = self.credit(credited, Some("30.00")).await;
        assert_eq!(credit.status, StatusCode::SERVICE_UNAVAILABLE);
        let held = self.create_agreed("4713", NOT_CAPTURABLE).await;
        let held = self.buy_with_code("held", &held, "100.00").await;
        assert_eq!(self.capture(held).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    async fn fail_to_refresh_keys(&mut self) {
        let failure = (StatusCode::INTERNAL_SERVER_ERROR, String::new());
        self.local.issuer().set_keys_response(Some(failure));
        self.advance_clock("PT6M").await;
        self.list("4711").await;
        self.local.issuer().set_keys_response(None);
    }
}

/// Every metric that an alarm uses. Other lines than those of invocations have no metric.
#[tokio::test]
async fn the_functions_write_every_metric_of_an_alarm() {
    let mut api = TestApi::new().await;
    api.activate_with_refused_notification().await;
    api.pay_with_every_alarm().await;
    api.fail_to_refresh_keys().await;
    for time in ["PT5M", "PT5M", "PT5M", "PT5M", "PT6H", "PT20H", "PT6H", "PT24H", "PT24H"] {
        api.advance_clock(time).await;
        for function in SCHEDULED.into_iter().chain([SETTLE]) {
            api.run_schedule(function).await;
        }
    }
    let mut written = BTreeSet::new();
    for line in api.local.lambda().lines() {
        let line: Value = serde_json::from_str(&line.line).unwrap();
        let metrics: BTreeSet<_> = metrics_of(&line).into_keys().collect();
        let is_of_invocation = line.get("latency_ms").is_some() || line["message"] == "run";
        assert!(is_of_invocation || metrics.is_empty(), "{metrics:?} of {line}");
        written.extend(metrics);
    }
    let missing: Vec<_> =
        own_metrics_of_alarms(&template()).difference(&written).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}
