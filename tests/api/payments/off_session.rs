//! Charges without the customer: a terminal with `MIT_UCOF`, then capture, without a browser.

use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, AMOUNT_MINOR, Charge, DONE, Ledger, merchant_initiated, order};
use crate::{PAYMENTS, TestApi, VISA};

/// The cards whose issuers require 3-D Secure: Visa with 1A, Mastercard with 65.
const AUTHENTICATION_CARDS: [&str; 2] = ["4925000000000111", "5413000000000018"];

impl TestApi {
    /// The sandbox's record of a registration.
    pub(super) fn registration(&self, charge: Charge, number: usize) -> Value {
        let id = format!("p{}-{number}", charge.transaction);
        let transactions = self.local.netaxept().transactions();
        let found = transactions.as_array().unwrap().iter().find(|one| one["transactionId"] == id);
        found.unwrap_or_else(|| panic!("{id}"))["transaction"].clone()
    }
}

#[tokio::test]
async fn an_agreed_card_is_charged_without_the_customer() {
    let api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    for client in ["partner-demo", "internal-demo"] {
        let token = api.token(client, json!({})).await;
        let body = order(client, &card, AMOUNT);
        let created = api.call_as(&token, "POST", super::COLLECTION, Some(&body)).await;
        let charge = Charge::newest(&created.json());
        let path = charge.path("/terminal");
        // A repeated terminal uses the same registration.
        for _ in 0..2 {
            let opened = api.call_as(&token, "POST", &path, Some(&merchant_initiated())).await;
            assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
            assert_eq!(opened.json()["terminalUri"], DONE);
            assert_eq!(opened.json()["transactionId"], charge.transaction);
        }
        assert_eq!(api.status(charge).await, "INITIATED");
        let parameters = api.registration(charge, 0)["parameters"].clone();
        assert_eq!(
            (&parameters["recurringtype"], &parameters["servicetype"]),
            (&json!("R"), &json!("M")),
            "{parameters}"
        );
        for _ in 0..2 {
            let captured = api.call_as(&token, "PUT", &charge.path("/capture"), None).await;
            assert_eq!(
                (captured.status, &captured.json()["status"]),
                (StatusCode::OK, &json!("CAPTURED"))
            );
        }
        assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR), "{client}");
    }
}

#[tokio::test]
async fn a_card_without_an_agreement_is_not_charged_without_the_customer() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let refused = api.open_for_merchant(charge).await;
    assert_eq!(refused.problem(), (409, "no-agreement".to_owned()));
    assert_eq!(refused.json().get("errorReason"), None);
    assert_eq!(api.status(charge).await, "CREATED");
    assert_eq!(api.ledger(charge), Ledger::default(), "nothing is registered");
    let uri = api.open_page(charge).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
}

#[tokio::test]
async fn an_operator_can_allow_charges_of_any_card() {
    let api = TestApi::with_environment(&[("MERCHANT_INITIATED_CARDS", "any")]).await;
    let card = api.create_active("4711").await;
    let charge = api.buy_off_session("order-1", &card, AMOUNT).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR));
}

#[tokio::test]
async fn a_traveller_cannot_charge_without_being_at_the_page() {
    let api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let token = api.token("traveller-demo", json!({ "customer_number": "4711" })).await;
    let body = order("order-1", &card, AMOUNT);
    let created = api.call_as(&token, "POST", super::COLLECTION, Some(&body)).await;
    let charge = Charge::newest(&created.json());
    let path = charge.path("/terminal");
    let refused = api.call_as(&token, "POST", &path, Some(&merchant_initiated())).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    assert_eq!(api.status(charge).await, "CREATED");
    assert_eq!(api.ledger(charge), Ledger::default());
    let body = json!({ "redirectUrl": DONE });
    assert_eq!(api.call_as(&token, "POST", &path, Some(&body)).await.status, StatusCode::CREATED);
}

/// The agreement is kept from the terminal on, if the client, the callback or the schedule completes the setup of the card.
#[tokio::test]
async fn an_agreement_is_kept_for_each_way_to_complete_the_setup() {
    for trigger in ["client", "schedule", "callback"] {
        let mut api = TestApi::new().await;
        let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
        let path = format!("{PAYMENTS}/{id}/terminal");
        let opened = api.call("POST", &path, Some(&merchant_initiated())).await.json();
        api.submit_card(opened["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
        match trigger {
            "client" => assert_eq!(api.authorize(&id).await.status, StatusCode::OK),
            "schedule" => api.advance_and_run_schedules("PT1M").await,
            _ => {
                let body = json!({ "TransactionId": opened["transactionId"].to_string() });
                let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
                let json = [("content-type", "application/json")];
                let called = api.send("POST", &path, &json, Some(&body.to_string())).await;
                assert_eq!(called.status, StatusCode::OK);
            }
        }
        let charge = api.buy_off_session(trigger, &id, AMOUNT).await;
        assert_eq!(api.capture(charge).await.status, StatusCode::OK, "{trigger}");
        assert_eq!(api.ledger(charge), Ledger::paid(AMOUNT_MINOR), "{trigger}");
    }
}

/// The issuer requires authentication: `SOFT_DECLINE`, and nothing is repeated without the customer. The customer pays the same order
/// at a terminal.
#[tokio::test]
async fn a_required_authentication_rejects_and_the_customer_pays_at_a_terminal() {
    for number in AUTHENTICATION_CARDS {
        let api = TestApi::new().await;
        let card = api.create_agreed("4711", number).await;
        let first = api.buy_off_session("order-1", &card, AMOUNT).await;
        let captured = api.capture(first).await;
        assert_eq!(captured.problem(), (409, "authentication-required".to_owned()), "{number}");
        assert_eq!(captured.json()["errorReason"], "SOFT_DECLINE");
        let rejected = api.transaction(first).await;
        assert_eq!(
            (&rejected["status"], &rejected["statusReason"]),
            (&json!("REJECTED"), &json!("AUTHENTICATION_REQUIRED"))
        );
        let requests = api.local.netaxept().calls(local::netaxept::Operation::Auth);
        assert_eq!(api.capture(first).await.problem().1, "authentication-required");
        assert_eq!(api.open_for_merchant(first).await.problem().1, "authentication-required");
        assert_eq!(api.local.netaxept().calls(local::netaxept::Operation::Auth), requests);

        let second = api.buy("order-1", &card, AMOUNT).await;
        assert_eq!(first.payment, second.payment);
        assert_ne!(first.transaction, second.transaction);
        let uri = api.open_page(second).await;
        let code = [("securityCode", "123"), ("okButton", "x")];
        assert_eq!(api.press(&uri, &code).await.0, StatusCode::OK, "the page of the bank");
        let (status, location) = api.press(&uri, &[("acceptButton", "x")]).await;
        assert_eq!(status, StatusCode::FOUND);
        assert!(location.ends_with("&responseCode=OK"), "{location}");
        assert_eq!(api.capture(second).await.status, StatusCode::OK);
        api.assert_paid(second, AMOUNT, AMOUNT_MINOR).await;
        let payment = api.call("GET", &second.payment_path(), None).await.json();
        let statuses: Vec<_> = payment["transactionHistory"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["status"])
            .collect();
        assert_eq!(statuses, ["CAPTURED", "REJECTED"], "newest first");
        assert_eq!(payment["status"], "CAPTURED");
    }
}
