//! Charges that Nets authorizes by itself when the customer has confirmed them at the terminal page.

use local::netaxept::{FaultKind, Operation};
use serde_json::json;
use shared::domain::id::RegistrationId;
use shared::domain::payment::Initiator::{Customer, Merchant};
use shared::domain::payment::Reconciliation;
use shared::error::Decline;
use shared::netaxept::Authorization::AlreadyProcessed;
use shared::netaxept::Processed::Done;
use shared::netaxept::{ChargeRegistration, Registered};

use crate::charging::{
    AUTHORIZED, CAPTURED, Charging, ORDER, PRICE, VISA, is_unclear, nok, registration_id,
};

impl Charging {
    /// Registers a charge that Nets authorizes by itself.
    async fn register_automatic(&self, index: usize, minor: u64) -> RegistrationId {
        let id = registration_id(index);
        let charge = ChargeRegistration { auto_auth: true, ..self.charge(id, minor, Customer) };
        let registered = self.netaxept.register_charge(&charge).await;
        assert_eq!(registered.unwrap(), Registered::Yes);
        id
    }

    async fn query_automatic(&self, id: RegistrationId) -> Reconciliation {
        self.netaxept.query_charge(id, ORDER, true).await.unwrap()
    }
}

#[tokio::test]
async fn nets_authorizes_when_the_customer_has_confirmed() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    let id = charging.register_automatic(0, PRICE).await;
    assert_eq!(charging.query_automatic(id).await, Reconciliation::Pending);
    let expected = format!("https://shop.example/done?a=b&transactionId={id}&responseCode=OK#top");
    assert_eq!(charging.press(id, "okButton").await, expected);
    assert_eq!(charging.query_automatic(id).await, AUTHORIZED);
    assert_eq!(nets.authorize(id).await.unwrap(), AlreadyProcessed);
    assert_eq!(charging.query_automatic(id).await, AUTHORIZED);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Done);
    assert_eq!(charging.query_automatic(id).await, CAPTURED);
    let transaction = charging.transaction(id);
    assert_eq!(transaction["done"], json!({ "AUTH": 1, "CAPTURE": 1 }));
    let parameters = &transaction["parameters"];
    let names = ["autoauth", "servicetype", "recurringtype", "recurringuse3ds"];
    assert_eq!(names.map(|name| parameters[name].clone()), ["true", "B", "S", "true"]);
}

/// The browser gets no redirect, and the service does not call AUTH.
#[tokio::test]
async fn nets_authorizes_although_the_customer_does_not_return() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.register_automatic(0, PRICE).await;
    charging.sandbox.inject_fault(Operation::Terminal, FaultKind::DropReply, 1);
    let uri = charging.netaxept.charge_terminal_uri(id);
    let form = [("securityCode", "123"), ("okButton", "x")];
    assert!(local::http_client().unwrap().post(uri).form(&form).send().await.is_err());
    assert_eq!(charging.query_automatic(id).await, AUTHORIZED);
    assert_eq!(charging.sandbox.ledger(ORDER).calls_of("AUTH"), 0);
}

#[tokio::test]
async fn query_tells_the_decline_of_an_automatic_authorization() {
    let charging = Charging::with_card(VISA).await;
    for (index, (minor, button, expected)) in [
        (151, "okButton", Reconciliation::Declined(Decline::Soft)),
        (152, "okButton", Reconciliation::Declined(Decline::Hard)),
        (PRICE, "authenticationButton", Reconciliation::Declined(Decline::AuthenticationRequired)),
        // Code 99 does not say whether the amount is authorized.
        (PRICE, "refuseButton", Reconciliation::Pending),
        (120, "okButton", Reconciliation::Pending),
        (PRICE, "cancelButton", Reconciliation::Cancelled),
    ]
    .into_iter()
    .enumerate()
    {
        let id = charging.register_automatic(index, minor).await;
        charging.press(id, button).await;
        for _ in 0..2 {
            assert_eq!(charging.query_automatic(id).await, expected, "{button} {minor}");
        }
    }
}

/// After a decline that requires 3-D Secure, Nets opens the same page again.
#[tokio::test]
async fn an_authorization_after_a_decline_is_authorized() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.register_automatic(0, PRICE).await;
    charging.press(id, "authenticationButton").await;
    let declined = Reconciliation::Declined(Decline::AuthenticationRequired);
    assert_eq!(charging.query_automatic(id).await, declined);
    charging.press(id, "okButton").await;
    assert_eq!(charging.query_automatic(id).await, declined);
    charging.press(id, "acceptButton").await;
    assert_eq!(charging.query_automatic(id).await, AUTHORIZED);
}

#[tokio::test]
async fn a_charge_that_is_denied_by_3d_secure_is_declined() {
    let charging = Charging::with_card("4925000000000111").await;
    let id = charging.register_automatic(0, PRICE).await;
    charging.press(id, "okButton").await;
    assert_eq!(charging.query_automatic(id).await, Reconciliation::Pending);
    charging.press(id, "failButton").await;
    let expected = Reconciliation::Declined(Decline::Hard);
    assert_eq!(charging.query_automatic(id).await, expected);
}

/// Without a page, Nets would authorize the charge at the registration.
#[tokio::test]
async fn a_charge_of_the_merchant_is_never_authorized_by_nets() {
    let charging = Charging::with_card(VISA).await;
    let id = registration_id(0);
    let charge = ChargeRegistration { auto_auth: true, ..charging.charge(id, PRICE, Merchant) };
    let registered = charging.netaxept.register_charge(&charge).await;
    assert_eq!(registered.unwrap(), Registered::Yes);
    assert!(charging.transaction(id)["parameters"].get("autoauth").is_none());
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
}

/// A stale Query does not show the authorization yet.
#[tokio::test]
async fn an_automatic_authorization_can_be_shown_later() {
    let charging = Charging::with_card(VISA).await;
    let [id, declined] =
        [charging.register_automatic(0, PRICE).await, charging.register_automatic(1, 151).await];
    charging.press(id, "okButton").await;
    charging.press(declined, "okButton").await;
    charging.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 2);
    assert_eq!(charging.query_automatic(id).await, Reconciliation::Pending);
    assert_eq!(charging.query_automatic(declined).await, Reconciliation::Pending);
    assert_eq!(charging.query_automatic(id).await, AUTHORIZED);
    let expected = Reconciliation::Declined(Decline::Soft);
    assert_eq!(charging.query_automatic(declined).await, expected);
    charging.sandbox.inject_fault(Operation::Query, FaultKind::Garbage, 1);
    assert!(is_unclear(&charging.netaxept.query_charge(id, ORDER, true).await));
}
