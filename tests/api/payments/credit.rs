//! Credits: a request names the total that shall have been credited. What the sandbox has credited is compared after each request.

mod limits;

use std::sync::Arc;

use local::netaxept::{FaultKind, MERCHANT_ID, Operation, TOKEN};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::concurrency::spawn_call;
use super::{AMOUNT, Charge, order};
use crate::{PAYMENTS, Response, TestApi};

impl TestApi {
    /// Calls Nets directly about the first registration of a transaction. Returns the reply.
    async fn call_nets(&self, call: &str, charge: Charge, more: &[(&str, &str)]) -> String {
        let id = format!("p{}-0", charge.transaction);
        let mut form = vec![("merchantId", MERCHANT_ID), ("token", TOKEN), ("transactionId", &id)];
        form.extend(more);
        let address = format!("{}/Netaxept/{call}.aspx", self.local.addresses().netaxept);
        let reply = self.http.post(address).form(&form).send().await.unwrap();
        reply.text().await.unwrap()
    }

    /// Credits an amount at Nets, as an operator does in Netaxept Admin.
    pub(crate) async fn credit_at_nets(&self, charge: Charge, minor: u64) {
        let amount = minor.to_string();
        let form = [("operation", "CREDIT"), ("transactionAmount", &amount)];
        let reply = self.call_nets("Process", charge, &form).await;
        assert!(reply.contains("<ResponseCode>OK"), "{reply}");
    }

    /// The number of calls of CREDIT so far.
    pub(super) fn credit_calls(&self) -> usize {
        self.local.netaxept().calls(Operation::Credit)
    }

    /// The number of calls to Nets so far.
    fn all_nets_calls(&self) -> usize {
        let calls = [Operation::Register, Operation::Process, Operation::Query];
        calls.map(|call| self.local.netaxept().calls(call)).iter().sum()
    }

    /// Asserts what is credited at Nets, with this number of credits, and that the API says so.
    pub(super) async fn assert_credited(&self, charge: Charge, total: &str, credits: u64) {
        let minor: u64 = total.replace('.', "").parse().unwrap();
        let transaction = self.transaction(charge).await;
        let ledger = self.ledger(charge);
        assert_eq!((ledger.credited_minor, ledger.count("CREDIT")), (minor, credits), "{ledger:?}");
        assert_eq!(transaction["summary"]["creditedAmount"], total, "{transaction}");
        let captured = transaction["summary"]["capturedAmount"].as_str().unwrap();
        let status = if captured == total { "CREDITED" } else { "CAPTURED" };
        assert_eq!(transaction["status"], status, "{transaction}");
        assert_eq!(ledger.held_minor, 0);
    }
}

/// Asserts that a credit was answered with the transaction, and returns it.
fn credited(response: &Response) -> Value {
    assert_eq!(response.status, StatusCode::OK, "{response:?}");
    assert_eq!(response.header("content-type"), "application/hal+json");
    response.json()
}

/// Parts, the rest, and repetitions of each request. A repeated request does not call Nets.
#[tokio::test]
async fn totals_are_cumulative_and_repeatable() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    for (credits, (total, repetitions, shown, remaining)) in [
        (Some("30.00"), [Some("30"), Some("30.00000")], "30.00", "70.00"),
        (Some("70.5"), [Some("70.50"), Some("70.5")], "70.50", "29.50"),
        (None, [None, Some("100.00")], "100.00", "0.00"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = api.all_nets_calls();
        let response = api.credit(charge, total).await;
        let transaction = credited(&response);
        let summary = json!({
            "capturedAmount": "100.00", "creditedAmount": shown, "remainingAmountToCapture": "0.00",
            "remainingAmountToCredit": remaining,
        });
        assert_eq!(transaction["summary"], summary);
        let log = transaction["operationLog"].as_array().unwrap();
        let last = log.last().unwrap();
        assert_eq!((&last["operation"], &last["amount"]), (&json!("CREDIT"), &json!(shown)));
        assert_eq!(log.len(), 4, "{log:?}");
        let calls = api.all_nets_calls();
        assert_eq!(calls - before, 2, "Query and CREDIT");
        for repetition in repetitions {
            let again = api.credit(charge, repetition).await;
            assert_eq!((again.status, &again.text), (StatusCode::OK, &response.text));
        }
        assert_eq!(api.call("GET", &charge.path(""), None).await.text, response.text);
        assert_eq!(api.all_nets_calls(), calls, "a repeated credit does not call Nets");
        api.assert_credited(charge, shown, credits as u64 + 1).await;
    }
    let history = api.call_nets("Query", charge, &[]).await;
    for target in [3_000, 7_050, 10_000] {
        let reference = format!("<TransactionReconRef>CREDIT-{target}</TransactionReconRef>");
        assert_eq!(history.matches(&reference).count(), 1, "{reference}: {history}");
    }
    api.assert_nothing_is_planned().await;
}

/// A credited order stays paid: its requests are answered as those of a captured one.
#[tokio::test]
async fn a_credited_order_is_not_paid_again() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for (order_id, total) in [("part", Some("99.99")), ("whole", None)] {
        let charge = api.buy_captured(order_id, &card, AMOUNT).await;
        let status = credited(&api.credit(charge, total).await)["status"].clone();
        assert_eq!(status, if total.is_some() { "CAPTURED" } else { "CREDITED" });
        let captured = api.capture(charge).await;
        assert_eq!((captured.status, &captured.json()["status"]), (StatusCode::OK, &status));
        assert_eq!(api.cancel(charge).await.problem(), (409, "already-captured".to_owned()));
        let again = api.post_order(&order(order_id, &card, AMOUNT)).await;
        assert_eq!((again.status, Charge::newest(&again.json())), (StatusCode::OK, charge));
        assert_eq!(again.json()["status"], status);
        let other = api.post_order(&order(order_id, &card, "1000.00")).await;
        assert_eq!(other.problem(), (409, "order-has-payment".to_owned()));
        let payment = api.call("GET", &charge.payment_path(), None).await.json();
        assert_eq!(payment["status"], status);
        let ledger = api.ledger(charge);
        assert_eq!((ledger.count("AUTH"), ledger.count("CAPTURE")), (1, 1));
    }
}

#[tokio::test]
async fn invalid_totals_are_400_and_credit_nothing() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    let path = charge.path("/credit");
    let calls = api.all_nets_calls();
    for (total, code) in [
        (Value::Null, "required"),
        (json!(30), "type"),
        (json!(30.5), "type"),
        (json!(true), "type"),
        (json!(["30.00"]), "type"),
        (json!(""), "syntax"),
        (json!("0"), "zero"),
        (json!("0.00"), "zero"),
        (json!("-30.00"), "syntax"),
        (json!("+30"), "syntax"),
        (json!("3e1"), "syntax"),
        (json!("30,00"), "syntax"),
        (json!("030"), "syntax"),
        (json!(" 30"), "syntax"),
        (json!("30.001"), "decimals"),
        (json!("30.000001"), "syntax"),
        (json!("99999999999999999999"), "syntax"),
        (json!("３０"), "syntax"),
    ] {
        let body = json!({ "creditedAmount": total });
        let response = api.call("PUT", &path, Some(&body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{body}");
        let error = response.json()["errors"][0].clone();
        let found = (error["field"].as_str(), error["code"].as_str());
        assert_eq!(found, (Some("creditedAmount"), Some(code)), "{body}: {response:?}");
    }
    let bearer = format!("Bearer {}", api.partner);
    let headers = |kind| [("authorization", bearer.as_str()), ("content-type", kind)];
    for (kind, body, status) in [
        // A misspelt member does not credit everything.
        ("application/json", "{}", 400),
        ("application/json", "{\"amount\":\"30.00\"}", 400),
        ("application/json", "\"30.00\"", 400),
        ("application/json", "[\"30.00\"]", 400),
        ("application/json", "{\"creditedAmount\":\"30.00\"", 400),
        ("application/json", "{\"creditedAmount\":\"30.00\",\"creditedAmount\":\"90.00\"}", 400),
        ("text/plain", "{\"creditedAmount\":\"30.00\"}", 415),
    ] {
        let response = api.send("PUT", &path, &headers(kind), Some(body)).await;
        assert_eq!(response.problem().0, status, "{body}: {response:?}");
    }
    let large = json!({ "creditedAmount": "30.00", "x": "x".repeat(16 * 1024) });
    assert_eq!(api.call("PUT", &path, Some(&large)).await.problem().0, 413);
    assert_eq!(api.all_nets_calls(), calls);
    api.assert_credited(charge, "0.00", 0).await;
}

/// Before the capture, above the captured sum, and below the credited sum: refused from the stored data, without a call to Nets.
#[tokio::test]
async fn refused_credits_do_not_call_nets() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let created = api.buy("created", &card, AMOUNT).await;
    let at_page = api.buy("at-page", &card, AMOUNT).await;
    api.open_page(at_page).await;
    let authorized = api.buy_with_code("authorized", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
    assert_eq!(api.capture(authorized).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let cancelled = api.buy("cancelled", &card, AMOUNT).await;
    assert_eq!(api.cancel(cancelled).await.status, StatusCode::OK);
    let rejected = api.buy_with_code("rejected", &card, "1.54").await;
    assert_eq!(api.capture(rejected).await.problem().0, 409);
    let captured = api.buy_captured("captured", &card, AMOUNT).await;
    let part = api.buy_captured("part", &card, AMOUNT).await;
    credited(&api.credit(part, Some("40.00")).await);
    let whole = api.buy_captured("whole", &card, AMOUNT).await;
    credited(&api.credit(whole, None).await);
    let calls = api.all_nets_calls();
    for (charge, total, problem) in [
        (created, None, "not-captured"),
        (at_page, Some("1.00"), "not-captured"),
        (authorized, Some("100.00"), "not-captured"),
        (cancelled, None, "not-captured"),
        (rejected, Some("0.01"), "not-captured"),
        (captured, Some("100.01"), "credit-above-captured"),
        (captured, Some("9999999999999.99"), "credit-above-captured"),
        (part, Some("100.01"), "credit-above-captured"),
        (part, Some("39.99"), "credit-below-credited"),
        (whole, Some("100.01"), "credit-above-captured"),
        (whole, Some("99.99"), "credit-below-credited"),
    ] {
        let before = api.ledger(charge);
        let response = api.credit(charge, total).await;
        assert_eq!(response.problem(), (409, problem.to_owned()), "{total:?}: {response:?}");
        let body = response.json();
        assert!(body["detail"].as_str().unwrap().ends_with('.'), "{body}");
        assert_eq!((body.get("errorReason"), response.header("retry-after")), (None, ""));
        assert_eq!(api.ledger(charge), before, "{problem}");
    }
    let unknown = Charge { transaction: captured.transaction + 1, ..captured };
    assert_eq!(api.credit(unknown, None).await.problem(), (404, "not-found".to_owned()));
    assert_eq!(api.all_nets_calls(), calls);
    api.assert_credited(part, "40.00", 1).await;
}

#[tokio::test]
async fn a_credit_is_possible_after_the_card_expired() {
    let mut api = TestApi::new().await;
    let card = api.store_card_expiring_soon().await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.advance_clock("PT61S").await;
    let expired = api.call("GET", &format!("{PAYMENTS}/{card}"), None).await.json();
    assert_eq!(expired["recurringStatus"], "EXPIRED");
    credited(&api.credit(charge, None).await);
    api.assert_credited(charge, AMOUNT, 1).await;
}

/// An operator credited in Netaxept Admin. The service learns of it with the next Query, and it counts towards the total.
#[tokio::test]
async fn a_credit_made_at_nets_counts_towards_the_total() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    api.credit_at_nets(charge, 3_000).await;
    // CREDIT of 20.00.
    credited(&api.credit(charge, Some("50.00")).await);
    api.assert_credited(charge, "50.00", 2).await;
    // The same total is not credited.
    api.credit_at_nets(charge, 1_000).await;
    let below = api.credit(charge, Some("55.00")).await;
    assert_eq!(below.problem(), (409, "credit-below-credited".to_owned()), "{below:?}");
    api.assert_credited(charge, "60.00", 3).await;
    api.credit_at_nets(charge, 1_000).await;
    let calls = api.credit_calls();
    assert_eq!(credited(&api.credit(charge, Some("70.00")).await)["status"], "CAPTURED");
    assert_eq!(api.credit_calls(), calls, "Nets has credited this total already");
    api.assert_credited(charge, "70.00", 4).await;
    api.credit_at_nets(charge, 3_000).await;
    assert_eq!(credited(&api.credit(charge, None).await)["status"], "CREDITED");
    api.assert_credited(charge, AMOUNT, 5).await;
    api.assert_nothing_is_planned().await;
}

/// The first Query shows less than Nets has credited, so CREDIT is above the remaining sum. Nets refuses it, and nothing stays open.
#[tokio::test]
async fn a_credit_that_nets_refuses_is_409() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("order-1", &card, AMOUNT).await;
    // The Query hides what Nets did within the last 30 seconds.
    api.local.clock().advance("PT40S").unwrap();
    api.credit_at_nets(charge, 8_000).await;
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::Stale, 1);
    let refused = api.credit(charge, Some("90.00")).await;
    assert_eq!(refused.problem(), (409, "credit-refused".to_owned()), "{refused:?}");
    assert!(refused.json()["detail"].as_str().unwrap().ends_with('.'));
    assert_eq!(api.ledger(charge).credited_minor, 8_000);
    api.assert_nothing_is_planned().await;
    credited(&api.credit(charge, Some("90.00")).await);
    api.assert_credited(charge, "90.00", 2).await;
}

/// How often each set of credits is repeated.
const TURNS: usize = 4;

/// Requests at the same time, with the same total and with others. Repeated afterwards, they credit the largest total once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_credits_credit_the_largest_total_once() {
    let api = Arc::new(TestApi::new().await);
    let card = api.create_active("4711").await;
    for (kind, totals, largest) in [
        ("same", ["30.00", "30.00", "30.00"], 3_000),
        ("other", ["60.00", "30.00", "60.00"], 6_000),
        ("whole", ["60.00", "100.00", "100.00"], 10_000),
    ] {
        for turn in 0..TURNS {
            let charge = api.buy_captured(&format!("{kind}-{turn}"), &card, AMOUNT).await;
            let calls = totals.map(|total| {
                let body = json!({ "creditedAmount": total });
                spawn_call(&api, "PUT", charge.path("/credit"), Some(body))
            });
            for (total, call) in totals.into_iter().zip(calls) {
                let response = call.await.unwrap();
                if response.status != StatusCode::OK {
                    let (status, problem) = response.problem();
                    let is_smaller = problem == "credit-below-credited" && total != totals[2];
                    let is_busy = response.json()["errorReason"] == "RESOURCE_BUSY";
                    assert!(status == 409 && (is_smaller || is_busy), "{total}: {response:?}");
                }
            }
            credited(&api.credit(charge, Some(totals[2])).await);
            let ledger = api.ledger(charge);
            assert_eq!(ledger.credited_minor, largest, "{kind}: {ledger:?}");
            // A smaller total can be first. The largest one is never credited in full after it.
            let is_once = ledger.count("CREDIT") == 1;
            assert!(is_once || kind != "same" && ledger.count("CREDIT") == 2, "{ledger:?}");
        }
    }
    api.assert_nothing_is_planned().await;
}
