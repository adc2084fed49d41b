//! Charges of a stored card.

use chrono::{DateTime, Utc};
use local::netaxept as sandbox;
use serde_json::json;
use shared::domain::money::{Currency, Money};
use shared::domain::payment::Initiator::{Customer, Merchant};
use shared::domain::payment::Reconciliation;
use shared::error::Decline;
use shared::netaxept::Authorization::{AlreadyProcessed, Authorized, Cancelled, Declined, NoCard};
use shared::netaxept::Processed::{Done, Refused};
use shared::netaxept::{ChargeRegistration, Registered};
use shared::secret::Secret;

use crate::charging::{
    AUTHORIZED, CAPTURED, Charging, ORDER, PRICE, VISA, is_refused, is_unclear, nok,
    registration_id,
};

/// Cards whose issuers require 3-D Secure.
const AUTHENTICATION: [&str; 2] = ["4925000000000111", "5413000000000018"];

#[tokio::test]
async fn a_customer_confirms_a_charge_with_the_security_code() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    assert_eq!(charging.query(registration_id(0)).await, Reconciliation::NeverRegistered);
    let id = charging.register(0, PRICE, Customer).await;
    let again = nets.register_charge(&charging.charge(id, PRICE, Customer)).await;
    assert_eq!(again.unwrap(), Registered::IdTaken);
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
    let page = charging.press(id, "no button").await;
    assert!(page.contains("id=\"securityCode\"") && !page.contains("id=\"cardNo\""), "{page}");
    assert_eq!(nets.authorize(id).await.unwrap(), NoCard);
    // The redirect address contains nothing of ours.
    let expected = format!("https://shop.example/done?a=b&transactionId={id}&responseCode=OK#top");
    assert_eq!(charging.press(id, "okButton").await, expected);
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
    assert_eq!(nets.authorize(id).await.unwrap(), Authorized);
    assert_eq!(nets.authorize(id).await.unwrap(), AlreadyProcessed);
    assert_eq!(charging.query(id).await, AUTHORIZED);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Done);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(nets.annul(id).await.unwrap(), Refused);
    assert_eq!(nets.authorize(id).await.unwrap(), AlreadyProcessed);
    assert_eq!(charging.query(id).await, CAPTURED);
    let transaction = charging.transaction(id);
    assert_eq!(transaction["done"], json!({ "AUTH": 1, "CAPTURE": 1 }));
    let mut parameters = transaction["parameters"].clone();
    parameters.as_object_mut().unwrap().remove("merchantid");
    let expected = json!({
        "transactionid": id.to_string(), "ordernumber": ORDER, "currencycode": "NOK", "amount": "10000", "servicetype": "B",
        "recurringtype": "S", "recurringuse3ds": "true", "redirecturl": "https://shop.example/done?a=b#top", "language": "en_GB",
        "customercountry": "NO", "terminalsinglepage": "true",
    });
    assert_eq!(parameters, expected);
}

#[tokio::test]
async fn a_merchant_charges_and_annuls_without_a_page() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    let id = charging.register(0, PRICE, Merchant).await;
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Refused, "nothing is authorized");
    assert_eq!(nets.annul(id).await.unwrap(), Refused, "nothing is authorized");
    assert_eq!(nets.authorize(id).await.unwrap(), Authorized);
    assert_eq!(charging.query(id).await, AUTHORIZED);
    assert_eq!(nets.annul(id).await.unwrap(), Done);
    assert_eq!(nets.annul(id).await.unwrap(), Refused);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(nets.authorize(id).await.unwrap(), AlreadyProcessed);
    assert_eq!(charging.query(id).await, Reconciliation::Annulled);
    let transaction = charging.transaction(id);
    assert_eq!(transaction["done"], json!({ "AUTH": 1, "ANNUL": 1 }));
    let parameters = &transaction["parameters"];
    assert_eq!([&parameters["servicetype"], &parameters["recurringtype"]], ["M", "R"]);
    for name in
        ["recurringuse3ds", "force3dsecure", "updatestoredpaymentinfo", "autosale", "autoauth"]
    {
        assert!(parameters.get(name).is_none(), "{name}");
    }
}

/// The operations in Nets' history name their call, so that an operator can find it.
#[tokio::test]
async fn the_history_names_each_operation() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.authorized(0).await;
    assert_eq!(charging.netaxept.capture(id, nok(PRICE)).await.unwrap(), Done);
    let query = local::http_client().unwrap().get(format!(
        "{}/Netaxept/Query.aspx?merchantId={}&token={}&transactionId={id}",
        charging.address,
        sandbox::MERCHANT_ID,
        sandbox::TOKEN,
    ));
    let history = query.send().await.unwrap().text().await.unwrap();
    for operation in ["AUTH", "CAPTURE"] {
        let reference = format!("<TransactionReconRef>{operation}</TransactionReconRef>");
        assert_eq!(history.matches(&reference).count(), 1, "{history}");
    }
}

/// At Nets and at the sandbox, the decimals of an amount below 2.00 are the code of the decline.
#[tokio::test]
async fn a_decline_has_the_class_of_its_code() {
    let charging = Charging::with_card(VISA).await;
    for (index, (minor, decline)) in [
        (151, Decline::Soft),
        (191, Decline::Soft),
        (152, Decline::Hard),
        (4, Decline::Hard),
        (165, Decline::AuthenticationRequired),
    ]
    .into_iter()
    .enumerate()
    {
        let id = charging.register(index, minor, Merchant).await;
        for _ in 0..2 {
            let authorization = charging.netaxept.authorize(id).await.unwrap();
            assert_eq!(authorization, Declined(decline), "{minor}");
            assert_eq!(charging.query(id).await, Reconciliation::Pending);
        }
    }
    // 99, and a code that is not in the table.
    for (index, minor) in [(5, 199), (6, 120)] {
        let id = charging.register(index, minor, Merchant).await;
        assert!(is_unclear(&charging.netaxept.authorize(id).await), "{minor}");
        assert_eq!(charging.query(id).await, Reconciliation::Pending);
    }
}

#[tokio::test]
async fn a_blocked_card_is_declined() {
    for (number, decline) in
        [("4925000000000129", Decline::Hard), ("4925000000000137", Decline::Soft)]
    {
        let charging = Charging::with_card(number).await;
        let id = charging.register(0, PRICE, Merchant).await;
        assert_eq!(charging.netaxept.authorize(id).await.unwrap(), Declined(decline));
    }
}

#[tokio::test]
async fn a_decline_with_code_99_is_unclear() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.register(0, PRICE, Customer).await;
    assert!(charging.press(id, "refuseButton").await.ends_with("&responseCode=OK#top"));
    assert!(is_unclear(&charging.netaxept.authorize(id).await));
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
}

#[tokio::test]
async fn an_issuer_that_requires_authentication_accepts_the_charge_after_the_page() {
    for number in AUTHENTICATION {
        let charging = Charging::with_card(number).await;
        let nets = &charging.netaxept;
        let absent = charging.register(0, PRICE, Merchant).await;
        for _ in 0..2 {
            let declined = nets.authorize(absent).await.unwrap();
            assert_eq!(declined, Declined(Decline::AuthenticationRequired));
        }
        assert_eq!(charging.query(absent).await, Reconciliation::Pending);
        let present = charging.register(1, PRICE, Customer).await;
        let bank = charging.press(present, "okButton").await;
        assert!(bank.contains("id=\"acceptButton\""), "{bank}");
        assert_eq!(nets.authorize(present).await.unwrap(), NoCard);
        assert!(charging.press(present, "acceptButton").await.ends_with("&responseCode=OK#top"));
        assert_eq!(nets.authorize(present).await.unwrap(), Authorized);
        assert_eq!(nets.capture(present, nok(PRICE)).await.unwrap(), Done);
        assert_eq!(charging.query(present).await, CAPTURED);
        let failed = charging.register(2, PRICE, Customer).await;
        charging.press(failed, "okButton").await;
        assert!(charging.press(failed, "failButton").await.ends_with("&responseCode=MZ#top"));
        assert_eq!(charging.query(failed).await, Reconciliation::Pending);
        assert_eq!(nets.authorize(failed).await.unwrap(), Declined(Decline::Hard));
    }
}

#[tokio::test]
async fn a_charge_that_the_customer_cancels_is_cancelled() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.register(0, PRICE, Customer).await;
    assert!(charging.press(id, "cancelButton").await.ends_with("&responseCode=Cancel#top"));
    for _ in 0..2 {
        assert_eq!(charging.query(id).await, Reconciliation::Cancelled);
        assert_eq!(charging.netaxept.authorize(id).await.unwrap(), Cancelled);
    }
}

#[tokio::test]
async fn an_expired_card_is_declined_for_good() {
    let charging = Charging::with_card(VISA).await;
    let before = charging.authorized(0).await;
    let expiry: DateTime<Utc> = "2029-04-01T00:00:01Z".parse().unwrap();
    let seconds = expiry.timestamp() - charging.clock.now().as_second();
    charging.clock.advance(&format!("PT{seconds}S")).unwrap();
    let id = charging.register(1, PRICE, Merchant).await;
    assert_eq!(charging.netaxept.authorize(id).await.unwrap(), Declined(Decline::Hard));
    assert_eq!(charging.query(before).await, AUTHORIZED);
}

#[tokio::test]
async fn an_authorization_that_has_expired_is_not_captured() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.authorized(0).await;
    charging.clock.advance("P7DT1M").unwrap();
    assert_eq!(charging.netaxept.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(charging.netaxept.annul(id).await.unwrap(), Refused);
    assert_eq!(charging.query(id).await, AUTHORIZED, "Query does not show it");
}

#[tokio::test]
async fn a_capture_that_fails_is_unclear() {
    let charging = Charging::with_card("4925000000000079").await;
    let id = charging.authorized(0).await;
    assert!(is_unclear(&charging.netaxept.capture(id, nok(PRICE)).await));
    assert_eq!(charging.query(id).await, AUTHORIZED);
    assert_eq!(charging.netaxept.annul(id).await.unwrap(), Done);
}

/// Query returns what Nets has registered, so that the caller can compare it before CAPTURE.
#[tokio::test]
async fn another_amount_or_order_at_nets_is_found() {
    let charging = Charging::with_card(VISA).await;
    for (index, order, amount, currency, expected) in [
        (0, ORDER, "10001", "NOK", Reconciliation::Authorized(nok(10_001))),
        (1, ORDER, "10000", "SEK", Reconciliation::Authorized(Money::new(PRICE, Currency::Sek))),
        (2, "DW2N19A7", "10000", "NOK", Reconciliation::NeverRegistered),
    ] {
        let id = registration_id(index);
        let form = [
            ("merchantId", sandbox::MERCHANT_ID),
            ("token", sandbox::TOKEN),
            ("transactionId", &id.to_string()),
            ("orderNumber", order),
            ("amount", amount),
            ("currencyCode", currency),
            ("serviceType", "M"),
            ("recurringType", "R"),
            ("panHash", charging.pan_hash.expose()),
            ("redirectUrl", "https://shop.example/"),
        ];
        let register = format!("{}/Netaxept/Register.aspx", charging.address);
        let http = local::http_client().unwrap();
        let registered = http.post(register).form(&form).send().await.unwrap();
        assert!(registered.text().await.unwrap().contains("<RegisterResponse"));
        assert_eq!(charging.netaxept.authorize(id).await.unwrap(), Authorized);
        assert_eq!(charging.query(id).await, expected);
    }
}

#[tokio::test]
async fn a_part_that_was_captured_by_hand_is_captured() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.authorized(0).await;
    assert_eq!(charging.netaxept.capture(id, nok(4_000)).await.unwrap(), Done);
    let captured = nok(4_000);
    let part = Reconciliation::Captured { captured, credited_minor: 0, credited_target: None };
    assert_eq!(charging.query(id).await, part);
    assert_eq!(charging.netaxept.annul(id).await.unwrap(), Refused);
    // A capture of everything is refused after a part.
    assert_eq!(charging.netaxept.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(charging.query(id).await, part);
}

#[tokio::test]
async fn a_registration_that_nets_does_not_know() {
    let charging = Charging::with_card(VISA).await;
    let (nets, id) = (&charging.netaxept, registration_id(0));
    assert_eq!(charging.query(id).await, Reconciliation::NeverRegistered);
    assert!(is_unclear(&nets.authorize(id).await));
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(nets.annul(id).await.unwrap(), Refused);
    let unknown = Secret::new("unknown+/=".to_owned());
    let charge = ChargeRegistration { pan_hash: &unknown, ..charging.charge(id, PRICE, Merchant) };
    assert!(is_refused(&nets.register_charge(&charge).await));
    assert_eq!(charging.query(id).await, Reconciliation::NeverRegistered);
}
