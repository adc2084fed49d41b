//! The limits of credits: 365 days after the capture, and 100 credits of a part. Both are refused without a call to Nets.

use local::netaxept::{FaultKind, Operation};
use serde_json::json;

use super::credited;
use crate::payments::{AMOUNT, Charge};
use crate::{PAYMENTS, Response, TestApi};

/// How many credits of a part a transaction can have (`Crediting::MAX_PARTS`).
const MAX_PARTS: usize = 100;

impl TestApi {
    /// Requests a credit, which has to be refused without a call to Nets.
    async fn assert_refused_without_nets(
        &self,
        charge: Charge,
        total: Option<&str>,
        problem: &str,
    ) -> Response {
        let (calls, ledger) = (self.all_nets_calls(), self.ledger(charge));
        let refused = self.credit(charge, total).await;
        assert_eq!(refused.problem(), (409, problem.to_owned()), "{refused:?}");
        assert!(refused.json()["detail"].as_str().unwrap().ends_with('.'), "{refused:?}");
        assert_eq!((self.all_nets_calls(), self.ledger(charge)), (calls, ledger));
        refused
    }
}

/// A credit needs no card, and is possible for a year. Nets' refusal after that is not documented, so the service refuses it.
#[tokio::test]
async fn a_credit_needs_no_card_and_is_possible_for_a_year() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    let uncertain = api.buy_captured("order-2", &card, AMOUNT).await;
    api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
    credited(&api.credit(charge, Some("10.00")).await);
    for (time, total, credits) in [("P180D", "20.00", 2), ("P184DT23H59M", "30.00", 3)] {
        api.advance_clock(time).await;
        credited(&api.credit(charge, Some(total)).await);
        api.assert_credited(charge, total, credits).await;
    }
    api.local.netaxept().inject_fault(Operation::Credit, FaultKind::DropReply, 1);
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::Pass, 1);
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::Http500, 1);
    assert_eq!(api.credit(uncertain, Some("20.00")).await.problem().0, 503);
    api.advance_clock("PT1M1S").await;
    for total in [Some("40.00"), None] {
        let refused = api.assert_refused_without_nets(charge, total, "credit-too-late").await;
        assert_eq!((refused.header("retry-after"), refused.json().get("errorReason")), ("", None));
    }
    // What is credited already is answered as before, and a credit in progress is completed.
    credited(&api.credit(charge, Some("30.00")).await);
    api.assert_refused_without_nets(uncertain, Some("30.00"), "credit-too-late").await;
    credited(&api.credit(uncertain, Some("20.00")).await);
    api.assert_refused_without_nets(uncertain, None, "credit-too-late").await;
    api.assert_credited(charge, "30.00", 3).await;
    api.assert_credited(uncertain, "20.00", 1).await;
    api.assert_nothing_is_planned().await;
}

/// Each credit makes Nets' reply to Query larger. After 100 credits of a part, only everything can be credited.
#[tokio::test]
async fn after_100_parts_only_everything_can_be_credited() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    let total = |minor: usize| format!("{}.{:02}", minor / 100, minor % 100);
    for part in 1..=MAX_PARTS {
        credited(&api.credit(charge, Some(&total(part))).await);
    }
    let problem = "too-many-credits";
    for above in [MAX_PARTS + 1, 9_999] {
        api.assert_refused_without_nets(charge, Some(&total(above)), problem).await;
    }
    // The last total again, and more credits in Netaxept Admin.
    credited(&api.credit(charge, Some(&total(MAX_PARTS))).await);
    for _ in 0..50 {
        api.credit_at_nets(charge, 1).await;
    }
    assert_eq!(credited(&api.credit(charge, None).await)["status"], json!("CREDITED"));
    api.assert_credited(charge, AMOUNT, 151).await;
    api.assert_nothing_is_planned().await;
}
