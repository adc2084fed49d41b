//! `autoSale` without the customer, and the end of the card before an auto sale is captured.

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::json;

use crate::payments::{AMOUNT, AMOUNT_MINOR, DONE};
use crate::{PAYMENTS, TestApi, VISA};

/// A charge of the merchant: the schedule requests AUTH and CAPTURE, once.
#[tokio::test]
async fn the_schedule_charges_for_the_merchant() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let members = json!({ "autoSale": true, "transactionType": "MIT_UCOF" });
    assert_eq!(api.open_notified(charge, &members).await, DONE);
    let parameters = api.registration(charge, 0)["parameters"].clone();
    assert_eq!((parameters.get("autoauth"), &parameters["servicetype"]), (None, &json!("M")));
    assert_eq!(api.money_calls(), [0; 3], "the terminal takes no money");
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.money_calls(), [1, 1, 0]);
    api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.event_types(charge), ["payment.captured"]);
    api.assert_nothing_is_planned().await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    assert_eq!(api.money_calls(), [1, 1, 0]);
}

/// Declines of a charge of the merchant. A temporary one is not repeated by the service, but the client can repeat it.
#[tokio::test]
async fn the_schedule_does_not_repeat_a_declined_charge() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let hard = api.buy_merchant_auto_sale("hard", &card, "1.54").await;
    let soft = api.buy_merchant_auto_sale("soft", &card, "1.51").await;
    let authentication = api.create_agreed("4711", "4925000000000111").await;
    let required = api.buy_merchant_auto_sale("required", &authentication, AMOUNT).await;
    for time in ["PT1M", "PT1M", "PT4M", "PT11M", "PT1H", "PT20H"] {
        api.advance_and_settle(time).await;
        assert_eq!(api.money_calls(), [3, 0, 0], "after {time}");
    }
    let rejected = |reason: &str| ("REJECTED".to_owned(), reason.to_owned());
    assert_eq!(api.status_and_reason(hard).await, rejected("DECLINED"));
    assert_eq!(api.status_and_reason(required).await, rejected("AUTHENTICATION_REQUIRED"));
    assert_eq!(api.status(soft).await, "INITIATED");
    assert_eq!(api.capture(soft).await.problem(), (409, "declined-for-now".to_owned()));
    assert_eq!(api.money_calls(), [4, 0, 0]);
    for time in ["PT1M", "PT24H", "PT24H", "PT24H"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.money_calls(), [4, 0, 0]);
    let timed_out = ("CANCELLED".to_owned(), "TIMED_OUT".to_owned());
    assert_eq!(api.status_and_reason(soft).await, timed_out);
    api.assert_nothing_is_planned().await;
}

/// The card ends between the page and the capture: Nets has authorized already, so the authorization is annulled. A charge of the
/// merchant is not authorized at all.
#[tokio::test]
async fn a_card_that_ended_before_the_capture_cancels_the_sale() {
    for trigger in ["callback", "schedule", "client"] {
        let mut api = TestApi::new().await;
        let card = api.create_agreed("4711", VISA).await;
        let customer = api.buy_auto_sale("customer", &card, AMOUNT).await;
        let merchant = api.buy_merchant_auto_sale("merchant", &card, AMOUNT).await;
        assert_eq!(api.ledger(customer).held_minor, AMOUNT_MINOR);
        let ended = api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
        assert_eq!(ended.status, StatusCode::OK);
        for charge in [customer, merchant] {
            match trigger {
                "client" => {
                    let refused = api.capture(charge).await;
                    assert_eq!(refused.problem(), (409, "not-active".to_owned()), "{refused:?}");
                }
                "callback" => api.call_back(charge, 0).await,
                _ => {}
            }
        }
        for time in ["PT1M", "PT5M", "PT24H", "PT24H"] {
            api.advance_and_settle(time).await;
        }
        for charge in [customer, merchant] {
            let cancelled = ("CANCELLED".to_owned(), "CARD_NOT_ACTIVE".to_owned());
            assert_eq!(api.status_and_reason(charge).await, cancelled, "{trigger}");
            let ledger = api.ledger(charge);
            assert_eq!((ledger.held_minor, ledger.captured_minor), (0, 0), "{trigger}");
        }
        assert_eq!(api.ledger(customer).count("ANNUL"), 1, "{trigger}");
        assert_eq!(api.ledger(merchant).operations, [].into(), "{trigger}");
        let [authorizations, captures, _] = api.money_calls();
        assert_eq!((authorizations, captures), (0, 0), "{trigger}");
        api.assert_nothing_is_planned().await;
    }
}

/// An authorization that this service has stored does not need the card any more.
#[tokio::test]
async fn a_stored_authorization_is_captured_after_the_card_ended() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_auto_sale("order-1", &card, AMOUNT).await;
    api.local.netaxept().inject_fault(Operation::Capture, FaultKind::Http500, 2);
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.status(charge).await, "INITIATED");
    api.call("DELETE", &format!("{PAYMENTS}/{card}"), None).await;
    api.advance_and_settle("PT1M").await;
    api.assert_sold(charge).await;
}

/// The client cancels while the customer is at the page, and the customer pays afterwards: Nets authorizes by itself, and the service
/// annuls it.
#[tokio::test]
async fn a_sale_that_was_cancelled_at_the_page_is_annulled() {
    for calls_back in [false, true] {
        let mut api = TestApi::new().await;
        let card = api.create_active("4711").await;
        let charge = api.buy("order-1", &card, AMOUNT).await;
        let uri = api.open_auto_sale(charge).await;
        // Nets can still authorize, so the order cannot be paid again yet.
        let pending = api.cancel(charge).await;
        assert_eq!(pending.problem(), (409, "annulment-pending".to_owned()), "{pending:?}");
        assert_eq!(api.status(charge).await, "CANCELLED");
        api.enter_code(&uri).await;
        assert_eq!(api.ledger(charge).held_minor, AMOUNT_MINOR);
        if calls_back {
            api.call_back(charge, 0).await;
        }
        for time in ["PT1M", "PT4M"] {
            api.advance_and_settle(time).await;
        }
        let ledger = api.ledger(charge);
        assert_eq!(ledger.operations, [("AUTH".to_owned(), 1), ("ANNUL".to_owned(), 1)].into());
        assert_eq!((ledger.captured_minor, ledger.held_minor), (0, 0));
        assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
        let next = api.buy_captured("order-1", &card, AMOUNT).await;
        assert_eq!(next.payment, charge.payment);
        for time in ["PT1H", "PT24H"] {
            api.advance_and_settle(time).await;
        }
        assert_eq!(api.ledger(next).captured_minor, AMOUNT_MINOR);
        api.assert_nothing_is_planned().await;
    }
}
