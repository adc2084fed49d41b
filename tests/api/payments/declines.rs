//! Declined cards: the class of each code, the limits of repeated attempts, and the terminal after a required authentication
//! (payments.md §2.4).

use local::netaxept::Operation;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, AMOUNT_MINOR, Charge, DONE, order};
use crate::TestApi;

/// The issuer's codes by class. The sandbox declines an amount of 1.01 to 1.99 with its decimals as the code.
#[rustfmt::skip]
const CODES: [(&str, &str, &str, &[u32]); 3] = [
    ("declined-for-now",        "REFUSED_BY_ISSUER", "INITIATED", &[5, 19, 31, 51, 61, 68, 91, 92, 96]),
    ("declined",                "REFUSED_BY_ISSUER", "REJECTED",  &[4, 7, 14, 33, 36, 41, 43, 54, 57]),
    // The customer is at the terminal, so another terminal can follow.
    ("authentication-required", "SOFT_DECLINE",      "INITIATED", &[65]),
];

/// The number of AUTH calls so far.
fn authorizations(api: &TestApi) -> usize {
    api.local.netaxept().calls(Operation::Auth)
}

#[tokio::test]
async fn each_code_has_its_class() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for (problem, reason, status, codes) in CODES {
        for code in codes {
            let order_id = format!("code-{code}");
            let charge = api.buy_with_code(&order_id, &card, &format!("1.{code:02}")).await;
            let declined = api.capture(charge).await;
            assert_eq!(declined.problem(), (409, problem.to_owned()), "{code}: {declined:?}");
            assert_eq!(declined.json()["errorReason"], reason, "{code}");
            let transaction = api.transaction(charge).await;
            assert_eq!(transaction["status"], status, "{code}");
            let reason = (status == "REJECTED").then_some("DECLINED");
            assert_eq!(transaction["statusReason"].as_str(), reason, "{code}");
            let log = transaction["operationLog"].as_array().unwrap();
            let last = log.last().unwrap()["operation"].as_str();
            assert_eq!(last, Some(if status == "REJECTED" { "REJECT" } else { "INITIATE" }));
            assert_eq!(api.ledger(charge).operations, [].into(), "{code}");
        }
    }
}

/// 99 ("several errors") and codes of no known meaning do not say whether the money is reserved.
#[tokio::test]
async fn undetermined_codes_are_unclear_and_not_declines() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    for code in [99, 71] {
        let charge = api.buy_with_code(&format!("code-{code}"), &card, &format!("1.{code}")).await;
        for _ in 0..2 {
            let unclear = api.capture(charge).await;
            assert_eq!(unclear.problem(), (503, "unavailable".to_owned()), "{code}: {unclear:?}");
            assert_eq!(api.status(charge).await, "INITIATED");
        }
    }
    api.advance_and_settle("PT24H").await;
    api.advance_and_settle("PT24H").await;
    let items = api.payment_items().await;
    assert_eq!(items.len(), 2);
    api.assert_nothing_is_planned().await;
}

/// Netaxept's own blocks. The cards can be stored, because VERIFY is not blocked.
#[tokio::test]
async fn blocks_of_netaxept_are_declines() {
    let api = TestApi::new().await;
    for (number, problem) in
        [("4925000000000129", "declined"), ("4925000000000137", "declined-for-now")]
    {
        let card = api.create_with_card("4711", number).await;
        let charge = api.buy_with_code(problem, &card, AMOUNT).await;
        let declined = api.capture(charge).await;
        assert_eq!(declined.problem(), (409, problem.to_owned()));
        assert_eq!(declined.json()["errorReason"], "REFUSED_BY_ISSUER");
        assert_eq!(api.ledger(charge).operations, [].into());
    }
}

/// Four soft declines of a card within 24 hours. After them AUTH is not requested, also not by another transaction of the order.
#[tokio::test]
async fn a_fifth_attempt_after_soft_declines_is_429() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "1.51").await;
    for attempt in 1..=4 {
        assert_eq!(api.capture(charge).await.problem(), (409, "declined-for-now".to_owned()));
        assert_eq!(authorizations(&api), attempt);
    }
    let assert_refused = |response: &crate::Response| {
        assert_eq!(response.problem(), (429, "too-many-declines".to_owned()), "{response:?}");
        let seconds: u32 = response.header("retry-after").parse().unwrap();
        assert!((86_300..=86_400).contains(&seconds), "{seconds}");
    };
    assert_refused(&api.capture(charge).await);
    let body = json!({ "redirectUrl": DONE });
    assert_refused(&api.call("POST", &charge.path("/terminal"), Some(&body)).await);
    assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
    let next = api.buy("order-1", &card, AMOUNT).await;
    assert_refused(&api.call("POST", &next.path("/terminal"), Some(&body)).await);
    assert_eq!(authorizations(&api), 4, "no AUTH after the fourth decline");
    // Another card of the customer is not affected.
    let other = api.create_active("4711").await;
    assert_eq!(api.cancel(next).await.status, StatusCode::OK);
    let paid = api.buy("order-1", &other, AMOUNT).await;
    let uri = api.open_page(paid).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(paid).await.status, StatusCode::OK);
    api.assert_paid(paid, AMOUNT, AMOUNT_MINOR).await;
}

/// The declines count for 24 hours.
#[tokio::test]
async fn soft_declines_are_forgotten_after_a_day() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "1.51").await;
    for _ in 0..4 {
        api.capture(charge).await;
    }
    assert_eq!(api.capture(charge).await.problem().0, 429);
    assert_eq!(api.cancel(charge).await.status, StatusCode::OK);
    api.advance_clock("PT24H").await;
    let next = api.buy("order-1", &card, AMOUNT).await;
    let uri = api.open_page(next).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(next).await.status, StatusCode::OK);
    api.assert_paid(next, AMOUNT, AMOUNT_MINOR).await;
}

/// A declined card is not tried again for the same order. Another card pays it.
#[tokio::test]
async fn a_hard_decline_needs_another_card() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let other = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "1.54").await;
    for _ in 0..2 {
        let declined = api.capture(charge).await;
        assert_eq!(declined.problem(), (409, "declined".to_owned()));
        assert_eq!(declined.json()["errorReason"], "REFUSED_BY_ISSUER");
    }
    for amount in ["1.54", AMOUNT] {
        let refused = api.post_order(&order("order-1", &card, amount)).await;
        assert_eq!(refused.problem(), (409, "declined".to_owned()), "{amount}");
        assert_eq!(refused.json()["errorReason"], "REFUSED_BY_ISSUER");
    }
    assert_eq!(authorizations(&api), 1);
    let paid = api.buy("order-1", &other, AMOUNT).await;
    assert_eq!(paid.payment, charge.payment);
    let uri = api.open_page(paid).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(paid).await.status, StatusCode::OK);
    api.assert_paid(paid, AMOUNT, AMOUNT_MINOR).await;
}

/// The customer presses a button of the page on which the issuer requires 3-D Secure afterwards. The transaction stays open, and the
/// next terminal has another registration.
#[tokio::test]
async fn the_customer_authenticates_at_another_terminal() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    let first = api.open_page(charge).await;
    let form = [("securityCode", "123"), ("authenticationButton", "x")];
    assert_eq!(api.press(&first, &form).await.0, StatusCode::FOUND);
    for _ in 0..2 {
        let declined = api.capture(charge).await;
        assert_eq!(declined.problem(), (409, "authentication-required".to_owned()));
        assert_eq!(declined.json()["errorReason"], "SOFT_DECLINE");
        assert_eq!(authorizations(&api), 1, "not repeated");
    }
    assert_eq!(api.status(charge).await, "INITIATED");
    let second = api.open_page(charge).await;
    assert_ne!(first, second);
    api.enter_code(&second).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.assert_paid(charge, AMOUNT, AMOUNT_MINOR).await;
    assert_eq!(api.ledger(charge).registrations, 2);
}

/// The same classes at the setup of a card.
#[tokio::test]
async fn a_card_setup_has_the_same_classes() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.use_terminal(&id, crate::VISA, "authenticationButton").await;
    let declined = api.authorize(&id).await;
    assert_eq!(declined.problem(), (409, "authentication-required".to_owned()), "{declined:?}");
    assert_eq!(declined.json()["errorReason"], "SOFT_DECLINE");
    api.use_terminal(&id, crate::VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.json()["recurringStatus"], "ACTIVE");
}

/// The sums of a rejected transaction do not look like those of a paid one.
#[tokio::test]
async fn a_declined_transaction_is_reported_in_the_payment() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_with_code("order-1", &card, "1.54").await;
    api.capture(charge).await;
    let payment: Value = api.call("GET", &charge.payment_path(), None).await.json();
    assert_eq!(payment["status"], "REJECTED");
    assert_eq!(Charge::newest(&payment), charge);
    let sums = api.transaction(charge).await["summary"].clone();
    assert_eq!(
        sums,
        json!({
            "capturedAmount": "0.00", "creditedAmount": "0.00", "remainingAmountToCapture": "1.54",
            "remainingAmountToCredit": "0.00",
        })
    );
}
