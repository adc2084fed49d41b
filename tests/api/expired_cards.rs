//! A card that is valid when it is entered, and has expired when the service stores it (rule 9). The outcome is the same whether
//! the client, the schedule or the callback comes first.

use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA};

/// 2026-11-30T23:59:00Z, in milliseconds.
const MONTH_END: i64 = 1_796_083_140_000;

/// The trigger of the reconciliation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Client,
    Schedule,
    Callback,
}

impl TestApi {
    /// Moves the clock to 30 November, 23:59.
    pub(super) async fn advance_to_month_end(&mut self) {
        self.advance_to(MONTH_END).await;
    }

    /// Enters a card that expires at the end of November 2026.
    pub(super) async fn submit_card_expiring_in_november(&self, uri: &str) {
        self.submit_card_until(uri, ["11", "26"]).await;
    }

    async fn reconcile(&self, trigger: Trigger, id: &Value, uri: &str) {
        match trigger {
            Trigger::Client => {
                let response = self.authorize(id).await;
                assert_eq!(response.problem(), (409, "card-expired".to_owned()));
                assert_eq!(response.json().get("errorReason"), None);
            }
            Trigger::Schedule => {
                let done = self.run_schedule("finish-terminals").await;
                assert_eq!((&done["failed"], &done["unclear"]), (&json!(0), &json!(0)));
            }
            Trigger::Callback => {
                let transaction = uri.split("transactionId=").nth(1).unwrap();
                let body = json!({ "TransactionId": transaction }).to_string();
                let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
                let json = [("content-type", "application/json")];
                assert_eq!(
                    self.send("POST", &path, &json, Some(&body)).await.status,
                    StatusCode::OK
                );
            }
        }
        let payment = self.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
        assert_eq!(payment["recurringStatus"], "CREATED", "{trigger:?}");
        assert_eq!(self.received_event_types(), ["recurring-payment.declined"], "{trigger:?}");
    }
}

async fn reconcile_in_order(order: [Trigger; 3]) {
    let mut api = TestApi::new().await;
    api.advance_to_month_end().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card_expiring_in_november(&uri).await;
    api.advance_clock("PT65S").await;
    for trigger in order {
        api.reconcile(trigger, &id, &uri).await;
    }
    let notification = api.local.inbox().received()[0].body.clone();
    assert_eq!(
        (
            &notification["errorReason"],
            &notification["recurringStatus"],
            &notification["recurringPaymentId"]
        ),
        (&json!("CARD_EXPIRED"), &json!("CREATED"), &id)
    );
    api.reconcile(Trigger::Client, &id, &uri).await;

    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    let response = api.authorize(&id).await;
    assert_eq!(
        (response.status, &response.json()["recurringStatus"]),
        (StatusCode::OK, &json!("ACTIVE"))
    );
    assert_eq!(
        api.received_event_types(),
        ["recurring-payment.declined", "recurring-payment.activated"]
    );
}

#[tokio::test]
async fn the_client_comes_first() {
    reconcile_in_order([Trigger::Client, Trigger::Schedule, Trigger::Callback]).await;
    reconcile_in_order([Trigger::Client, Trigger::Callback, Trigger::Schedule]).await;
}

#[tokio::test]
async fn the_schedule_comes_first() {
    reconcile_in_order([Trigger::Schedule, Trigger::Client, Trigger::Callback]).await;
    reconcile_in_order([Trigger::Schedule, Trigger::Callback, Trigger::Client]).await;
}

#[tokio::test]
async fn the_callback_comes_first() {
    reconcile_in_order([Trigger::Callback, Trigger::Client, Trigger::Schedule]).await;
    reconcile_in_order([Trigger::Callback, Trigger::Schedule, Trigger::Client]).await;
}

/// A valid card of a newer terminal is stored although the card of the older terminal has expired.
#[tokio::test]
async fn a_valid_card_of_a_newer_terminal_is_stored() {
    let mut api = TestApi::new().await;
    api.advance_to_month_end().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.submit_card_expiring_in_november(&api.open_terminal(&id).await).await;
    api.submit_card(&api.open_terminal(&id).await, VISA, "okButton").await;
    api.advance_clock("PT65S").await;
    let response = api.authorize(&id).await;
    assert_eq!(
        (response.status, &response.json()["cardExpiry"]),
        (StatusCode::OK, &json!("2029-03"))
    );
    assert_eq!(
        api.received_event_types(),
        ["recurring-payment.declined", "recurring-payment.activated"]
    );
}
