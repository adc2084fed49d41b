//! Payments after the erasure of their customer: what stays stored, what still works, and that nothing is charged any more.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, Ledger, order};
use crate::{TestApi, VISA};

/// Letters that do not occur in ids or hashes.
const CUSTOMER: &str = "Nordmann-4711";

impl TestApi {
    async fn erase_customer(&self) {
        assert_eq!(self.erase(CUSTOMER).await.status, StatusCode::NO_CONTENT);
    }
}

/// The milliseconds since 1970 until which an item is stored.
fn stored_until(item: &Value) -> i64 {
    item["forgottenAt"]["N"].as_str().unwrap().parse::<i64>().unwrap() * 1000
}

/// The erasure does not change payments. They contain no customer number, no pan hash, and of the card only its type and last four
/// digits. They stay for 400 days after their last change.
#[tokio::test]
async fn payments_stay_without_the_customer_number() {
    let mut api = TestApi::new().await;
    let card = api.create_active(CUSTOMER).await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let uri = api.open_notified(charge, &json!({})).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.advance_and_settle("PT1M").await;
    let wallets = json!({ "TableName": "Wallets" });
    let wallets = api.local.dynamodb().call("Scan", &wallets).await.unwrap().to_string();
    let pan_hash =
        wallets.split("\"panHash\":{\"S\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(pan_hash.len() > 20, "{pan_hash}");
    let before = api.payment_items().await;
    api.erase_customer().await;
    let [item] = &api.payment_items().await[..] else { panic!("one payment") };
    assert_eq!(std::slice::from_ref(item), &before[..]);
    let text = item.to_string();
    for absent in ["Nordmann", pan_hash, VISA, "customerNumber"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    for present in ["order-1", "VISA", "\"0004\""] {
        assert!(text.contains(present), "{present} in {text}");
    }
    let now = api.local.clock().now().as_millisecond();
    let days = (stored_until(item) - now) / (24 * 60 * 60 * 1000);
    assert!((399..=400).contains(&days), "{days}");
    // A change counts the days anew.
    api.advance_clock("P100D").await;
    assert_eq!(api.credit(charge, Some("1.00")).await.status, StatusCode::OK);
    api.advance_and_settle("PT1M").await;
    let [item] = &api.payment_items().await[..] else { panic!("one payment") };
    let days = (stored_until(item) - now) / (24 * 60 * 60 * 1000);
    assert!((499..=500).contains(&days), "{days}");
}

/// Reading, a repeated capture, a cancellation, a credit and its notification need no card.
#[tokio::test]
async fn a_paid_order_is_read_and_credited_after_the_erasure() {
    let mut api = TestApi::new().await;
    let card = api.create_active(CUSTOMER).await;
    let charge = api.buy("paid", &card, AMOUNT).await;
    let uri = api.open_notified(charge, &json!({})).await;
    api.enter_code(&uri).await;
    let captured = api.capture(charge).await;
    assert_eq!(captured.status, StatusCode::OK);
    let open = api.buy("open", &card, AMOUNT).await;
    api.erase_customer().await;
    for response in [api.call("GET", &charge.path(""), None).await, api.capture(charge).await] {
        assert_eq!((response.status, &response.text), (StatusCode::OK, &captured.text));
    }
    assert_eq!(api.cancel(open).await.json()["status"], "CANCELLED");
    for (total, status) in [(Some("40.00"), "CAPTURED"), (None, "CREDITED")] {
        let credited = api.credit(charge, total).await;
        assert_eq!((credited.status, &credited.json()["status"]), (StatusCode::OK, &json!(status)));
        api.advance_and_settle("PT1M").await;
    }
    api.assert_credited(charge, AMOUNT, 2).await;
    assert_eq!(
        api.event_types(charge),
        ["payment.captured", "payment.credited", "payment.credited"]
    );
    let traveller = api.token("traveller-demo", json!({ "customer_number": CUSTOMER })).await;
    let read = api.call_as(&traveller, "GET", &charge.payment_path(), None).await;
    assert_eq!(read.status, StatusCode::OK, "the keyed hash of the customer stays: {read:?}");
    api.assert_nothing_is_planned().await;
}

/// No request, callback or schedule charges the card of an erased customer.
#[tokio::test]
async fn nothing_is_charged_after_the_erasure() {
    let mut api = TestApi::new().await;
    let card = api.create_agreed(CUSTOMER, VISA).await;
    let created = api.buy("created", &card, AMOUNT).await;
    let entered = api.buy_with_code("entered", &card, AMOUNT).await;
    let merchant = api.buy_off_session("merchant", &card, AMOUNT).await;
    let sale = api.buy_auto_sale("sale", &card, AMOUNT).await;
    let merchant_sale = api.buy_merchant_auto_sale("merchant-sale", &card, AMOUNT).await;
    api.erase_customer().await;
    let body = json!({ "redirectUrl": super::DONE });
    let terminal = api.call("POST", &created.path("/terminal"), Some(&body)).await;
    assert_eq!(terminal.problem(), (409, "not-active".to_owned()));
    for charge in [entered, merchant] {
        assert_eq!(api.capture(charge).await.problem(), (409, "not-active".to_owned()));
    }
    api.call_back(merchant_sale, 0).await;
    for time in ["PT1M", "PT5M", "PT24H", "PT24H"] {
        api.advance_and_settle(time).await;
    }
    for charge in [created, entered, merchant, sale, merchant_sale] {
        assert_eq!(api.status(charge).await, "CANCELLED");
        let ledger = api.ledger(charge);
        assert_eq!((ledger.captured_minor, ledger.held_minor), (0, 0), "{ledger:?}");
    }
    // Nets had authorized the sale at the end of its page, before the erasure.
    assert_eq!(
        api.ledger(sale).operations,
        [("AUTH".to_owned(), 1), ("ANNUL".to_owned(), 1)].into()
    );
    for charge in [entered, merchant, merchant_sale] {
        assert_eq!(api.ledger(charge).operations, [].into());
    }
    assert_eq!(api.ledger(created), Ledger::default());
    let refused = api.post_order(&order("new", &card, AMOUNT)).await;
    assert_eq!(refused.problem(), (404, "not-found".to_owned()), "the recurring payment is gone");
    api.assert_nothing_is_planned().await;
}
