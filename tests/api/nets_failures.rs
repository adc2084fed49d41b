//! Failures of Nets, lost responses and killed functions: in the end one card is stored, and Nets has verified it once.
//!
//! A plain `cargo test` runs a sample: two kinds of faults, half of the combinations of lost responses, and no response that is so slow
//! that the call times out (`erasure.rs` has one).

use std::sync::Arc;

use local::inbox::Answer;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{PAYMENTS, Response, TestApi, VISA, is_full_size};

/// Runs the schedule without a client. Asserts that the card is stored, verified once, and that one notification is delivered.
async fn assert_one_card_is_stored(api: &mut TestApi, id: &Value) {
    api.advance_clock("PT1M1S").await;
    // The first reconciliations can hit the remaining injected faults. They are repeated each minute.
    for _ in 0..3 {
        api.run_schedule("finish-terminals").await;
        api.advance_clock("PT1M1S").await;
    }
    let payment = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!(
        (&payment["recurringStatus"], &payment["primary"]),
        (&json!("ACTIVE"), &json!(true))
    );
    assert_eq!(api.received_event_types(), ["recurring-payment.activated"]);
    api.local.inbox().clear();
    let transactions = api.local.netaxept().transactions();
    let is_of_payment = |one: &&Value| {
        let transaction = one["transactionId"].as_str().unwrap().parse::<u64>().unwrap();
        Some(transaction >> 4) == id.as_u64()
    };
    let verified = |one: &Value| one["transaction"]["done"]["VERIFY"].as_u64().unwrap_or_default();
    assert_eq!(
        transactions.as_array().unwrap().iter().filter(is_of_payment).map(verified).sum::<u64>(),
        1
    );
    api.advance_and_run_schedules("PT1H").await;
    assert!(api.has_nothing_due().await);
}

/// Creates a recurring payment for a new customer.
async fn create_for_new_customer(api: &TestApi) -> Value {
    let customer = api.local.dynamodb().requests().len().to_string();
    api.create(&customer, json!({})).await["recurringPaymentId"].clone()
}

/// Creates a recurring payment whose customer has entered a card.
async fn create_with_entered_card(api: &TestApi) -> Value {
    let id = create_for_new_customer(api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    id
}

/// Every kind of fault except a delay. In a plain `cargo test` the first two.
fn faults() -> &'static [FaultKind] {
    const FAULTS: [FaultKind; 4] =
        [FaultKind::DropReply, FaultKind::Http500, FaultKind::Html, FaultKind::Garbage];
    if is_full_size() { &FAULTS } else { &FAULTS[..2] }
}

#[tokio::test]
async fn a_failed_registration_is_reconciled() {
    let mut api = TestApi::new().await;
    for kind in faults().iter().copied() {
        let id = create_for_new_customer(&api).await;
        api.local.netaxept().inject_fault(Operation::Register, kind, 1);
        let body = json!({ "redirectUrl": "https://shop.example/done" });
        let path = format!("{PAYMENTS}/{id}/terminal");
        let opened = api.call("POST", &path, Some(&body)).await;
        if kind == FaultKind::DropReply {
            assert_eq!(opened.status, StatusCode::CREATED, "Nets had registered the session");
        } else {
            assert_eq!(opened.problem(), (503, "unavailable".to_owned()), "{kind:?}");
        }
        let uri = api.open_terminal(&id).await;
        api.submit_card(&uri, VISA, "okButton").await;
        assert_one_card_is_stored(&mut api, &id).await;
    }
}

/// Found by `tests/model`: a repeated request with the same key can register the session while the first request fails. So the
/// first request leaves the session open, and the repeated request resumes the registration.
#[tokio::test]
async fn a_repeated_key_resumes_a_failed_registration() {
    let mut api = TestApi::new().await;
    let id = create_for_new_customer(&api).await;
    api.local.netaxept().inject_fault(Operation::Register, FaultKind::Http500, 1);
    let bearer = format!("Bearer {}", api.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("et-client-name", "tests-api"),
        ("content-type", "application/json"),
        ("idempotency-key", "one"),
    ];
    let callback_url = format!("{}/inbox/{id}", api.local.addresses().console);
    let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": callback_url })
        .to_string();
    let path = format!("{PAYMENTS}/{id}/terminal");
    let opened = api.send("POST", &path, &headers, Some(&body)).await;
    assert_eq!(opened.problem(), (503, "unavailable".to_owned()));
    assert_eq!(api.authorize(&id).await.problem(), (409, "no-terminal".to_owned()));
    let opened = api.send("POST", &path, &headers, Some(&body)).await.json();
    assert_eq!(opened["transactionId"], id.as_u64().unwrap() << 4, "the first session");
    api.submit_card(opened["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    assert_one_card_is_stored(&mut api, &id).await;
}

#[tokio::test]
async fn another_terminal_can_be_opened_after_a_failed_registration_and_query() {
    let mut api = TestApi::new().await;
    let id = create_for_new_customer(&api).await;
    let nets = api.local.netaxept();
    nets.inject_fault(Operation::Register, FaultKind::DropReply, 1);
    nets.inject_fault(Operation::Query, FaultKind::DropReply, 1);
    let body = json!({ "redirectUrl": "https://shop.example/done" });
    let opened = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    assert_eq!(opened.problem(), (503, "unavailable".to_owned()));
    assert_ne!(opened.header("retry-after"), "");
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_one_card_is_stored(&mut api, &id).await;
}

/// Authorize calls Nets three times: Query, Process, Query. Each call fails in each way, and the schedule stores the card.
#[tokio::test]
async fn the_schedule_completes_a_failed_authorize() {
    let mut api = TestApi::new().await;
    for kind in faults().iter().copied() {
        for (operation, calls_before) in
            [(Operation::Query, 0), (Operation::Process, 0), (Operation::Query, 1)]
        {
            let id = create_with_entered_card(&api).await;
            api.local.netaxept().inject_fault(operation, FaultKind::Pass, calls_before);
            api.local.netaxept().inject_fault(operation, kind, 1);
            let response = api.authorize(&id).await;
            assert_eq!(
                response.problem(),
                (503, "unavailable".to_owned()),
                "{kind:?} {operation:?}"
            );
            assert_one_card_is_stored(&mut api, &id).await;
        }
    }
}

/// Every combination of lost responses to Register, Process and Query. Either the client or the schedule calls Nets first.
#[tokio::test]
async fn lost_responses_in_any_combination_verify_once() {
    let mut api = TestApi::new().await;
    for lost in 0..8_u8 {
        let client_first = [lost % 2 == 0, lost % 2 != 0];
        for client_first in client_first.into_iter().take(if is_full_size() { 2 } else { 1 }) {
            let nets = api.local.netaxept().clone();
            let drop_reply = |operation, bit: u8| {
                nets.inject_fault(operation, FaultKind::DropReply, usize::from(lost >> bit & 1));
            };
            let id = create_for_new_customer(&api).await;
            drop_reply(Operation::Register, 0);
            let uri = api.open_terminal(&id).await;
            api.submit_card(&uri, VISA, "okButton").await;
            drop_reply(Operation::Process, 1);
            drop_reply(Operation::Query, 2);
            api.advance_clock("PT1M1S").await;
            if client_first {
                let clear = api.authorize(&id).await.status == StatusCode::OK;
                assert_eq!(clear, lost >> 1 == 0, "{lost:03b}");
            } else {
                let unclear = api.run_schedule("finish-terminals").await["unclear"].clone();
                assert_eq!(unclear, u64::from(lost >> 1 != 0), "{lost:03b}");
                // Authorize is safe whether faults remain or not.
                api.authorize(&id).await;
            }
            assert_one_card_is_stored(&mut api, &id).await;
        }
    }
}

/// A call of the schedule fails. The reconciliation a minute later succeeds.
#[tokio::test]
async fn a_failed_reconciliation_of_the_schedule_is_repeated() {
    let mut api = TestApi::new().await;
    for (operation, calls_before) in
        [(Operation::Query, 0), (Operation::Process, 0), (Operation::Query, 1)]
    {
        let id = create_with_entered_card(&api).await;
        api.local.netaxept().inject_fault(operation, FaultKind::Pass, calls_before);
        api.local.netaxept().inject_fault(operation, FaultKind::DropReply, 1);
        api.advance_clock("PT1M1S").await;
        let summary = api.run_schedule("finish-terminals").await;
        assert_eq!(
            (&summary["unclear"], &summary["delivered"]),
            (&json!(1), &json!(0)),
            "{summary}"
        );
        assert_one_card_is_stored(&mut api, &id).await;
    }
}

/// Nets responds after the timeout: the caller gets 503 in time, and the card is not lost.
#[tokio::test]
async fn a_slow_response_from_nets_times_out() {
    if !is_full_size() {
        return;
    }
    let mut api = TestApi::new().await;
    let id = create_with_entered_card(&api).await;
    api.local.netaxept().inject_fault(Operation::Process, FaultKind::Delay, 1);
    let response = api.authorize(&id).await;
    assert_eq!(response.problem(), (503, "unavailable".to_owned()));
    assert_one_card_is_stored(&mut api, &id).await;
}

/// Kills a function as soon as Nets applies the injected fault.
async fn kill_at_fault(api: &Arc<TestApi>, function: &str, call: JoinHandle<Response>) {
    api.local.netaxept().wait_for_fault().await;
    for instance in api.local.lambda().instances(function) {
        api.local.lambda().kill(instance);
    }
    assert_eq!(call.await.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR);
}

fn spawn_call(
    api: &Arc<TestApi>,
    method: &'static str,
    path: String,
    body: Option<Value>,
) -> JoinHandle<Response> {
    let api = api.clone();
    tokio::spawn(async move { api.call(method, &path, body.as_ref()).await })
}

/// `create-terminal` stores the session, registers it at Nets, and queries Nets if the response is unclear. It is killed during
/// the registration, and during the query.
#[tokio::test]
async fn create_terminal_is_killed_after_its_write() {
    for (register, query) in
        [(FaultKind::Delay, None), (FaultKind::Http500, Some(FaultKind::Delay))]
    {
        let api = Arc::new(TestApi::new().await);
        let id = create_for_new_customer(&api).await;
        let nets = api.local.netaxept().clone();
        nets.inject_fault(Operation::Register, register, 1);
        if let Some(kind) = query {
            nets.inject_fault(Operation::Query, kind, 1);
        }
        let body = json!({ "redirectUrl": "https://shop.example/done" });
        let call = spawn_call(&api, "POST", format!("{PAYMENTS}/{id}/terminal"), Some(body));
        while query.is_some() && nets.calls(Operation::Query) == 0 {
            tokio::task::yield_now().await;
        }
        kill_at_fault(&api, "create-terminal", call).await;
        let mut api = Arc::into_inner(api).unwrap();
        let uri = api.open_terminal(&id).await;
        api.submit_card(&uri, VISA, "okButton").await;
        assert_one_card_is_stored(&mut api, &id).await;
    }
}

/// Killed during the verification, and during the query for the pan hash: nothing is written, and the schedule stores the card.
#[tokio::test]
async fn authorize_is_killed_before_its_first_write() {
    for (operation, calls_before) in [(Operation::Process, 0), (Operation::Query, 1)] {
        let api = Arc::new(TestApi::new().await);
        let id = create_with_entered_card(&api).await;
        api.local.netaxept().inject_fault(operation, FaultKind::Pass, calls_before);
        api.local.netaxept().inject_fault(operation, FaultKind::Delay, 1);
        let call = spawn_call(&api, "PUT", format!("{PAYMENTS}/{id}/authorize"), None);
        kill_at_fault(&api, "authorize-recurring-payment", call).await;
        let mut api = Arc::into_inner(api).unwrap();
        assert_one_card_is_stored(&mut api, &id).await;
    }
}

/// Killed between the write that activates and the write that removes the notification: it is delivered again with the same id.
#[tokio::test]
async fn authorize_is_killed_between_its_writes() {
    let api = Arc::new(TestApi::new().await);
    let id = create_with_entered_card(&api).await;
    api.local.inbox().answer_with(Answer::Nothing, 1);
    let call = spawn_call(&api, "PUT", format!("{PAYMENTS}/{id}/authorize"), None);
    while api.local.inbox().received().is_empty() {
        tokio::task::yield_now().await;
    }
    for instance in api.local.lambda().instances("authorize-recurring-payment") {
        api.local.lambda().kill(instance);
    }
    assert_eq!(call.await.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR);
    let mut api = Arc::into_inner(api).unwrap();
    let payment = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!(payment["recurringStatus"], "ACTIVE");
    api.advance_and_run_schedules("PT1M").await;
    let received = api.local.inbox().received();
    assert_eq!(received.len(), 2);
    assert_eq!((&received[0].id, &received[0].body), (&received[1].id, &received[1].body));
    assert!(api.has_nothing_due().await);
}

/// The schedule is killed during the verification. The next run stores the card.
#[tokio::test]
async fn the_next_run_completes_a_killed_schedule() {
    let mut api = TestApi::new().await;
    let id = create_with_entered_card(&api).await;
    api.advance_clock("PT1M1S").await;
    api.local.netaxept().inject_fault(Operation::Process, FaultKind::Delay, 1);
    let scheduler = api.local.scheduler().clone();
    let run = tokio::spawn(async move { scheduler.run("finish-terminals").await });
    api.local.netaxept().wait_for_fault().await;
    for instance in api.local.lambda().instances("finish-terminals") {
        api.local.lambda().kill(instance);
    }
    assert!(run.await.unwrap().is_err());
    assert_one_card_is_stored(&mut api, &id).await;
}

/// The client, the schedule and a callback run at once: Nets verifies once, and one notification is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_client_schedule_and_callback_verify_once() {
    let mut api = TestApi::new().await;
    let id = create_for_new_customer(&api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    api.advance_clock("PT1M1S").await;
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let body = json!({ "TransactionId": transaction }).to_string();
    let path = format!("/v1/netaxept/callback/{}", local::netaxept::CALLBACK_SECRET);
    let json = [("content-type", "application/json")];
    let (authorized, ran, called, again) = tokio::join!(
        api.authorize(&id),
        api.run_schedule("finish-terminals"),
        api.send("POST", &path, &json, Some(&body)),
        api.authorize(&id),
    );
    assert_eq!((authorized.status, again.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!((&ran["failed"], called.status), (&json!(0), StatusCode::OK));
    assert_one_card_is_stored(&mut api, &id).await;
}

/// Responses to `DynamoDB` writes are lost: one card is stored, and one notification is delivered.
#[tokio::test]
async fn lost_responses_to_writes_have_no_effect() {
    let mut api = TestApi::new().await;
    for lost in [1, 3] {
        let id =
            api.create("4711", json!({ "isPrimary": true })).await["recurringPaymentId"].clone();
        let uri = api.open_terminal(&id).await;
        api.submit_card(&uri, VISA, "okButton").await;
        api.advance_clock("PT1M1S").await;
        api.local.inbox().clear();
        api.local.dynamodb().lose_replies_to_writes(lost);
        api.run_schedule("finish-terminals").await;
        api.advance_and_run_schedules("PT1M").await;
        assert_eq!(api.received_event_types(), ["recurring-payment.activated"], "{lost}");
        let payment = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
        assert_eq!(
            (&payment["recurringStatus"], &payment["primary"]),
            (&json!("ACTIVE"), &json!(true))
        );
    }
    api.advance_clock("P3Y").await;
    api.local.dynamodb().lose_replies_to_writes(1);
    api.advance_and_run_schedules("PT1M").await;
    assert!(api.has_nothing_due().await);
}
