//! Charges with lost replies, late calls, and replies that are not clear.

use local::netaxept::{FaultKind, Operation, TOKEN};
use serde_json::json;
use shared::domain::payment::Initiator::Merchant;
use shared::domain::payment::Reconciliation;
use shared::error::chain;
use shared::netaxept::Authorization::{AlreadyProcessed, Authorized};
use shared::netaxept::Processed::{Done, Refused};
use shared::netaxept::{Failure, Netaxept, Registered};

use crate::charging::{
    AUTHORIZED, CAPTURED, Charging, ORDER, PRICE, VISA, credit, is_unclear, nok, registration_id,
};
use crate::{client, server_with_reply};

#[tokio::test]
async fn a_lost_reply_is_unclear_and_query_tells_what_happened() {
    let charging = Charging::with_card(VISA).await;
    let (nets, [id, other]) = (&charging.netaxept, [0, 1].map(registration_id));
    let lose = |operation| charging.sandbox.inject_fault(operation, FaultKind::DropReply, 1);
    lose(Operation::Register);
    let charge = charging.charge(id, PRICE, Merchant);
    assert!(is_unclear(&nets.register_charge(&charge).await));
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
    assert_eq!(nets.register_charge(&charge).await.unwrap(), Registered::IdTaken);
    lose(Operation::Auth);
    assert!(is_unclear(&nets.authorize(id).await));
    assert_eq!(charging.query(id).await, AUTHORIZED);
    assert_eq!(nets.authorize(id).await.unwrap(), AlreadyProcessed);
    lose(Operation::Capture);
    assert!(is_unclear(&nets.capture(id, nok(PRICE)).await));
    assert_eq!(charging.query(id).await, CAPTURED);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Refused);
    assert_eq!(charging.transaction(id)["done"], json!({ "AUTH": 1, "CAPTURE": 1 }));
    assert_eq!(charging.authorized(1).await, other);
    lose(Operation::Annul);
    assert!(is_unclear(&nets.annul(other).await));
    assert_eq!(charging.query(other).await, Reconciliation::Annulled);
    assert_eq!(nets.annul(other).await.unwrap(), Refused);
    lose(Operation::Query);
    assert!(is_unclear(&nets.query_charge(other, ORDER, false).await));
}

#[tokio::test]
async fn a_call_that_arrives_late_is_carried_out_once() {
    let charging = Charging::with_card(VISA).await;
    let (nets, id) = (&charging.netaxept, registration_id(0));
    let delay = |operation| charging.sandbox.inject_fault(operation, FaultKind::ArriveLate, 1);
    delay(Operation::Register);
    let charge = charging.charge(id, PRICE, Merchant);
    assert!(is_unclear(&nets.register_charge(&charge).await));
    assert_eq!(charging.query(id).await, Reconciliation::NeverRegistered);
    assert_eq!(charging.sandbox.execute_late_calls(), 1);
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
    delay(Operation::Auth);
    assert!(is_unclear(&nets.authorize(id).await));
    assert_eq!(charging.query(id).await, Reconciliation::Pending);
    assert_eq!(nets.authorize(id).await.unwrap(), Authorized, "repeated");
    assert_eq!(charging.sandbox.execute_late_calls(), 1);
    assert_eq!(charging.query(id).await, AUTHORIZED);
    delay(Operation::Capture);
    assert!(is_unclear(&nets.capture(id, nok(PRICE)).await));
    assert_eq!(charging.query(id).await, AUTHORIZED);
    assert_eq!(nets.capture(id, nok(PRICE)).await.unwrap(), Done, "repeated");
    assert_eq!(charging.sandbox.execute_late_calls(), 1);
    assert_eq!(charging.query(id).await, CAPTURED);
    assert_eq!(charging.transaction(id)["done"], json!({ "AUTH": 1, "CAPTURE": 1 }));
}

/// A registration that arrives late finds its id taken by the repeated one.
#[tokio::test]
async fn a_late_registration_does_not_replace_the_repeated_one() {
    let charging = Charging::with_card(VISA).await;
    let (nets, id) = (&charging.netaxept, registration_id(0));
    charging.sandbox.inject_fault(Operation::Register, FaultKind::ArriveLate, 1);
    assert!(is_unclear(&nets.register_charge(&charging.charge(id, 1_000, Merchant)).await));
    let repeated = nets.register_charge(&charging.charge(id, PRICE, Merchant)).await;
    assert_eq!(repeated.unwrap(), Registered::Yes);
    assert_eq!(charging.sandbox.execute_late_calls(), 1);
    assert_eq!(nets.authorize(id).await.unwrap(), Authorized);
    assert_eq!(charging.query(id).await, AUTHORIZED);
}

/// Of a late AUTH, a late CAPTURE and an ANNUL, Nets carries out what is possible.
#[tokio::test]
async fn a_late_call_meets_an_annulment() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    let id = charging.register(0, PRICE, Merchant).await;
    charging.sandbox.inject_fault(Operation::Auth, FaultKind::ArriveLate, 1);
    assert!(is_unclear(&nets.authorize(id).await));
    assert_eq!(nets.annul(id).await.unwrap(), Refused);
    assert_eq!(charging.sandbox.execute_late_calls(), 1);
    assert_eq!(charging.query(id).await, AUTHORIZED);
    for operation in [Operation::Capture, Operation::Annul] {
        charging.sandbox.inject_fault(operation, FaultKind::ArriveLate, 1);
    }
    assert!(is_unclear(&nets.capture(id, nok(PRICE)).await));
    assert!(is_unclear(&nets.annul(id).await));
    assert_eq!(nets.annul(id).await.unwrap(), Done);
    assert_eq!(charging.sandbox.execute_late_calls(), 2);
    assert_eq!(charging.query(id).await, Reconciliation::Annulled);
    assert_eq!(charging.transaction(id)["done"], json!({ "AUTH": 1, "ANNUL": 1 }));
}

/// Calls every operation and returns its failure.
async fn failures(charging: &Charging, nets: impl AsyncFn() -> Netaxept) -> [Failure; 6] {
    let (id, charge) = (registration_id(0), charging.charge(registration_id(0), PRICE, Merchant));
    [
        nets().await.register_charge(&charge).await.unwrap_err(),
        nets().await.authorize(id).await.unwrap_err(),
        nets().await.capture(id, nok(PRICE)).await.unwrap_err(),
        nets().await.annul(id).await.unwrap_err(),
        nets().await.credit(&credit(id, 3_000, 3_000)).await.unwrap_err(),
        nets().await.query_charge(id, ORDER, false).await.unwrap_err(),
    ]
}

fn assert_unclear(failures: [Failure; 6], name: &str) {
    for (failure, expected) in
        failures.into_iter().zip(["Register", "AUTH", "CAPTURE", "ANNUL", "CREDIT", "Query"])
    {
        let Failure::Unclear { operation, .. } = &failure else { panic!("{name}: {failure:?}") };
        assert_eq!(*operation, expected, "{name}");
    }
}

#[tokio::test]
async fn a_reply_that_is_not_clear_is_unclear_for_every_operation() {
    let charging = Charging::with_card(VISA).await;
    for kind in [FaultKind::Http500, FaultKind::Html, FaultKind::Garbage] {
        for operation in [Operation::Register, Operation::Process, Operation::Query] {
            let count = if operation == Operation::Process { 4 } else { 1 };
            charging.sandbox.inject_fault(operation, kind, count);
        }
        let failures = failures(&charging, async || client(&charging.address, TOKEN)).await;
        assert_unclear(failures, &format!("{kind:?}"));
    }
    assert_eq!(charging.query(registration_id(0)).await, Reconciliation::NeverRegistered);
}

/// A reply about another transaction, about another operation, or of another type.
#[tokio::test]
async fn a_reply_about_something_else_is_unclear_for_every_operation() {
    let charging = Charging::with_card(VISA).await;
    let [id, other] = [0, 1].map(registration_id);
    let info = |id, captured| {
        format!(
            "<PaymentInfo><TransactionId>{id}</TransactionId><OrderInformation><OrderNumber>{ORDER}</OrderNumber><Amount>10000</Amount><Currency>NOK</Currency></OrderInformation>\
             <Summary><AmountCaptured>{captured}</AmountCaptured><AmountCredited>0</AmountCredited><Annulled>false</Annulled><Authorized>true</Authorized></Summary></PaymentInfo>"
        )
    };
    let refused = |id| {
        format!(
            "<Exception xmlns:xsi=\"x\"><Error xsi:type=\"BBSException\"><Message>Unable to auth</Message><Result><ResponseCode>51</ResponseCode>\
             <ResponseSource>Issuer</ResponseSource><TransactionId>{id}</TransactionId></Result></Error></Exception>"
        )
    };
    let done = |id, operation| {
        format!(
            "<ProcessResponse><Operation>{operation}</Operation><ResponseCode>OK</ResponseCode><TransactionId>{id}</TransactionId></ProcessResponse>"
        )
    };
    for body in [
        info(other, "0"),
        info(other, "10000"),
        // The amount is not a whole number. It is also a reply of another type for all operations but Query.
        info(id, "10000.00"),
        refused(other),
        done(other, "AUTH"),
        done(other, "CREDIT"),
        done(id, "VERIFY"),
        done(id, "SALE"),
        format!("<RegisterResponse><TransactionId>{other}</TransactionId></RegisterResponse>"),
        "<ProcessResponse><ResponseCode>OK".to_owned(),
        "<Exception/>".to_owned(),
    ] {
        let nets = async || client(&server_with_reply(&body).await, TOKEN);
        assert_unclear(failures(&charging, nets).await, &body);
    }
}

/// Nets' messages are free text, which can repeat the request.
#[tokio::test]
async fn secrets_that_nets_repeats_are_not_printed() {
    let charging = Charging::with_card(VISA).await;
    for operation in [Operation::Register, Operation::Process, Operation::Query] {
        let count = if operation == Operation::Process { 4 } else { 1 };
        charging.sandbox.inject_fault(operation, FaultKind::Repeat, count);
    }
    for failure in failures(&charging, async || client(&charging.address, TOKEN)).await {
        let text = format!("{failure:?} {}", chain(&failure));
        assert!(text.contains("Unable to handle"), "{text}");
        for secret in [TOKEN, charging.pan_hash.expose(), "shop.example"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
