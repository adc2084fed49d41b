//! A card that is good when it is entered, and has expired when it arrives (rule 9): one outcome, whether the client, the schedule
//! or Nets' callback comes first.

use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World};

/// 2026-11-30T23:59:00Z, in milliseconds.
const MONTHS_END: i64 = 1_796_083_140_000;

/// What can find the card at Nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Client,
    Schedule,
    Callback,
}

impl World {
    /// Moves the clock to 30 November, 23:59.
    pub(super) async fn wait_for_the_months_end(&mut self) {
        let left = MONTHS_END - self.local.clock().now().as_millisecond();
        self.wait(&format!("PT{}S", left.div_euclid(1000) + 1)).await;
    }

    /// Enters a card that is printed 11/26.
    pub(super) async fn press_with_a_card_of_november(&self, uri: &str) {
        let form = [
            ("cardNo", VISA),
            ("month", "11"),
            ("year", "26"),
            ("securityCode", "123"),
            ("okButton", "x"),
        ];
        let page = self.http.post(uri).form(&form).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::FOUND);
    }

    async fn find(&self, by: By, id: &Value, uri: &str) {
        match by {
            By::Client => {
                let answer = self.authorize(id).await;
                assert_eq!(answer.problem(), (409, "card-expired".to_owned()));
                assert_eq!(answer.json().get("errorReason"), None);
            }
            By::Schedule => {
                let done = self.run("finish-terminals").await;
                assert_eq!((&done["failed"], &done["unclear"]), (&json!(0), &json!(0)));
            }
            By::Callback => {
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
        let seen = self.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
        assert_eq!(seen["recurringStatus"], "CREATED", "{by:?}");
        assert_eq!(self.events(), ["recurring-payment.declined"], "{by:?}");
    }
}

async fn found_in_this_order(order: [By; 3]) {
    let mut world = World::new().await;
    world.wait_for_the_months_end().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press_with_a_card_of_november(&uri).await;
    world.wait("PT65S").await;
    for by in order {
        world.find(by, &id, &uri).await;
    }
    let told = world.local.inbox().received()[0].body.clone();
    assert_eq!(
        (&told["errorReason"], &told["recurringStatus"], &told["recurringPaymentId"]),
        (&json!("CARD_EXPIRED"), &json!("CREATED"), &id)
    );
    world.find(By::Client, &id, &uri).await;

    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    let answer = world.authorize(&id).await;
    assert_eq!(
        (answer.status, &answer.json()["recurringStatus"]),
        (StatusCode::OK, &json!("ACTIVE"))
    );
    assert_eq!(world.events(), ["recurring-payment.declined", "recurring-payment.activated"]);
}

#[tokio::test]
async fn the_client_comes_first() {
    found_in_this_order([By::Client, By::Schedule, By::Callback]).await;
    found_in_this_order([By::Client, By::Callback, By::Schedule]).await;
}

#[tokio::test]
async fn the_schedule_comes_first() {
    found_in_this_order([By::Schedule, By::Client, By::Callback]).await;
    found_in_this_order([By::Schedule, By::Callback, By::Client]).await;
}

#[tokio::test]
async fn the_callback_comes_first() {
    found_in_this_order([By::Callback, By::Client, By::Schedule]).await;
    found_in_this_order([By::Callback, By::Schedule, By::Client]).await;
}

/// A newer terminal has a card that is good: the expired one does not stop the search.
#[tokio::test]
async fn a_good_card_of_a_newer_terminal_is_stored() {
    let mut world = World::new().await;
    world.wait_for_the_months_end().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    world.press_with_a_card_of_november(&world.terminal(&id).await).await;
    world.press(&world.terminal(&id).await, VISA, "okButton").await;
    world.wait("PT65S").await;
    let answer = world.authorize(&id).await;
    assert_eq!((answer.status, &answer.json()["cardExpiry"]), (StatusCode::OK, &json!("2029-03")));
    assert_eq!(world.events(), ["recurring-payment.declined", "recurring-payment.activated"]);
}
