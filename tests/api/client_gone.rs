//! The client stops after each step: the service completes the setup by itself, or abandons it (rules 7 and 8).

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA};

/// Creates an ACTIVE recurring payment, and a primary one without a card. Returns the ids: the one without a card first.
async fn primary_without_card(api: &TestApi) -> (Value, Value) {
    let card = api.create_active("4711").await;
    let chosen = api.create("4711", json!({ "isPrimary": true })).await;
    assert_eq!(chosen["primary"], true);
    (chosen["recurringPaymentId"].clone(), card)
}

/// Returns status and primary of a recurring payment.
async fn status_and_primary(api: &TestApi, id: &Value) -> (String, bool) {
    let payment = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    (payment["recurringStatus"].as_str().unwrap().to_owned(), payment["primary"] == true)
}

async fn assert_abandoned(api: &TestApi, id: &Value, successor: &Value) {
    assert_eq!(status_and_primary(api, id).await, ("CANCELLED".to_owned(), false));
    assert_eq!(status_and_primary(api, successor).await, ("ACTIVE".to_owned(), true));
    let payment = api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!(payment["statusReason"], "ABANDONED");
    assert!(api.has_nothing_due().await);
}

async fn assert_active(api: &TestApi, id: &Value) {
    assert_eq!(status_and_primary(api, id).await, ("ACTIVE".to_owned(), true));
    assert!(api.has_nothing_due().await);
    for transaction in api.local.netaxept().transactions().as_array().unwrap() {
        assert_eq!(transaction["transaction"]["done"], json!({ "VERIFY": 1 }));
    }
}

#[tokio::test]
async fn abandoned_after_create() {
    let mut api = TestApi::new().await;
    let (id, card) = primary_without_card(&api).await;
    api.advance_and_run_schedules("PT24H").await;
    assert_abandoned(&api, &id, &card).await;
    let mut audit = api.log_lines("expire-recurring-payments", "audit");
    assert_eq!(audit.len(), 1);
    // The timestamp is from the machine's clock, which tests do not set.
    let written_at = audit[0].as_object_mut().and_then(|line| line.remove("timestamp"));
    assert!(written_at.is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
    let expected = json!({
        "level": "INFO", "target": "shared::log::audit", "message": "audit", "operation": "expire-recurring-payments",
        "tenant": "", "client": "", "correlation_id": "", "recurring_payment_id": id,
        "before": "CREATED", "after": "CANCELLED", "reason": "ABANDONED", "primary_before": id, "primary_after": card,
    });
    assert_eq!(audit[0], expected);
}

#[tokio::test]
async fn abandoned_after_the_terminal() {
    let mut api = TestApi::new().await;
    let (id, card) = primary_without_card(&api).await;
    api.open_terminal(&id).await;
    api.advance_and_run_schedules("PT24H14M").await;
    assert_eq!(
        status_and_primary(&api, &id).await,
        ("CREATED".to_owned(), true),
        "24 hours after the 15 minutes of the terminal"
    );
    api.advance_and_run_schedules("PT1M").await;
    assert_abandoned(&api, &id, &card).await;
    assert_eq!(api.received_event_types(), ["recurring-payment.abandoned"]);
}

/// The client does not get the redirect, or Nets does not send it.
#[tokio::test]
async fn completed_after_the_card_was_entered() {
    for redirect_lost in [false, true] {
        let mut api = TestApi::new().await;
        let (id, _) = primary_without_card(&api).await;
        let uri = api.open_terminal(&id).await;
        if redirect_lost {
            api.local.netaxept().inject_fault(Operation::Terminal, FaultKind::DropReply, 1);
            api.http
                .post(&uri)
                .form(&TestApi::card_form(VISA, "okButton"))
                .send()
                .await
                .unwrap_err();
        } else {
            api.submit_card(&uri, VISA, "okButton").await;
        }
        api.advance_and_run_schedules("PT1M").await;
        assert_active(&api, &id).await;
        assert_eq!(api.received_event_types(), ["recurring-payment.activated"]);
        let audit = api.log_lines("finish-terminals", "audit");
        assert_eq!((&audit[0]["after"], &audit[0]["reason"]), (&json!("ACTIVE"), &json!("CARD")));
    }
}

/// Authorize succeeds, and its response is lost.
#[tokio::test]
async fn active_after_authorize() {
    let mut api = TestApi::new().await;
    let (id, _) = primary_without_card(&api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.status, StatusCode::OK);
    api.advance_and_run_schedules("PT1M").await;
    assert_active(&api, &id).await;
    assert_eq!(
        api.received_event_types(),
        ["recurring-payment.activated"],
        "delivered once, by authorize"
    );
}

#[tokio::test]
async fn abandoned_after_the_customer_cancelled() {
    let mut api = TestApi::new().await;
    let (id, card) = primary_without_card(&api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "cancelButton").await;
    api.advance_and_run_schedules("PT1M").await;
    assert_eq!(api.authorize(&id).await.problem(), (409, "terminal-cancelled".to_owned()));
    assert_eq!(
        api.received_event_types(),
        Vec::<String>::new(),
        "the customer can open another terminal"
    );
    api.advance_and_run_schedules("PT24H14M").await;
    assert_abandoned(&api, &id, &card).await;
    assert_eq!(api.received_event_types(), ["recurring-payment.abandoned"]);
}

#[tokio::test]
async fn abandoned_after_the_card_was_declined() {
    let mut api = TestApi::new().await;
    let (id, card) = primary_without_card(&api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, "4925000000000087", "okButton").await;
    api.advance_and_run_schedules("PT1M").await;
    assert_eq!(api.authorize(&id).await.problem(), (409, "declined".to_owned()));
    api.advance_and_run_schedules("PT24H14M").await;
    assert_abandoned(&api, &id, &card).await;
    assert_eq!(
        api.received_event_types(),
        ["recurring-payment.declined"],
        "no second notification for the terminal"
    );
}

/// The last planned reconciliation finds the card when the schedules did not run for a day. Nets verifies a card until 24 hours
/// after the customer's return.
#[tokio::test]
async fn completed_after_a_day_without_schedules() {
    let mut api = TestApi::new().await;
    let (id, _) = primary_without_card(&api).await;
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    api.advance_and_run_schedules("PT23H59M").await;
    assert_active(&api, &id).await;
}

/// The schedule also removes them from the table.
#[tokio::test]
async fn ended_recurring_payments_are_removed_after_30_days() {
    let mut api = TestApi::new().await;
    let id = api.create_active("4711").await;
    api.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
    api.advance_and_run_schedules("PT719H").await;
    assert_eq!(status_and_primary(&api, &id).await.0, "CANCELLED");
    api.advance_and_run_schedules("PT1H").await;
    assert_eq!(api.call("GET", &format!("{PAYMENTS}/{id}"), None).await.problem().0, 404);
    assert!(api.has_nothing_due().await);
    let table = api.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
    assert_eq!(table.unwrap()["Items"][0]["payments"]["L"], json!([]));
}
