//! Credits of captured charges.

use local::netaxept::{MERCHANT_ID, TOKEN};
use serde_json::json;
use shared::domain::id::RegistrationId;
use shared::domain::payment::Initiator::Merchant;
use shared::domain::payment::Reconciliation;
use shared::netaxept::Processed::{Done, Refused};

use crate::charging::{
    CAPTURED, Charging, ORDER, PRICE, VISA, credit, is_unclear, nok, registration_id,
};

/// The state of a captured charge of [`PRICE`] after credits.
pub(crate) fn credited(credited_minor: u64, credited_target: Option<u64>) -> Reconciliation {
    Reconciliation::Captured { captured: nok(PRICE), credited_minor, credited_target }
}

impl Charging {
    /// Credits an amount as an operator does in Netaxept Admin: without a reference of this service.
    async fn credit_by_hand(&self, id: RegistrationId, minor: &str) {
        let id = id.to_string();
        let form = [
            ("merchantId", MERCHANT_ID),
            ("token", TOKEN),
            ("operation", "CREDIT"),
            ("transactionId", &id),
            ("transactionAmount", minor),
            ("description", "by hand"),
        ];
        let process = format!("{}/Netaxept/Process.aspx", self.address);
        let credited = local::http_client().unwrap().post(process).form(&form).send().await;
        assert!(credited.unwrap().text().await.unwrap().contains("<ResponseCode>OK"));
    }
}

#[tokio::test]
async fn parts_of_the_captured_amount_are_credited() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    let id = charging.captured(0).await;
    assert_eq!(charging.query(id).await, CAPTURED);
    assert_eq!(nets.credit(&credit(id, 3_000, 3_000)).await.unwrap(), Done);
    assert_eq!(charging.query(id).await, credited(3_000, Some(3_000)));
    assert_eq!(nets.credit(&credit(id, 2_000, 5_000)).await.unwrap(), Done);
    assert_eq!(charging.query(id).await, credited(5_000, Some(5_000)));
    charging.credit_by_hand(id, "1000").await;
    assert_eq!(charging.query(id).await, credited(6_000, Some(5_000)));
    assert_eq!(nets.credit(&credit(id, 4_001, PRICE)).await.unwrap(), Refused);
    assert_eq!(charging.query(id).await, credited(6_000, Some(5_000)), "nothing was credited");
    assert_eq!(nets.credit(&credit(id, 4_000, PRICE)).await.unwrap(), Done);
    assert_eq!(charging.query(id).await, credited(PRICE, Some(PRICE)));
    assert_eq!(nets.credit(&credit(id, 1, PRICE)).await.unwrap(), Refused);
    let ledger = charging.sandbox.ledger(ORDER);
    let expected =
        [(3_000, "CREDIT-3000"), (2_000, "CREDIT-5000"), (1_000, ""), (4_000, "CREDIT-10000")];
    assert_eq!(ledger.operations_of("CREDIT"), expected);
    assert_eq!(charging.transaction(id)["calls"], json!({ "AUTH": 1, "CAPTURE": 1, "CREDIT": 6 }));
}

#[tokio::test]
async fn only_a_captured_amount_is_credited() {
    let charging = Charging::with_card(VISA).await;
    let nets = &charging.netaxept;
    let unknown = credit(registration_id(15), 1, 1);
    assert_eq!(nets.credit(&unknown).await.unwrap(), Refused);
    let registered = charging.register(0, PRICE, Merchant).await;
    assert_eq!(nets.credit(&credit(registered, 1, 1)).await.unwrap(), Refused);
    let authorized = charging.authorized(1).await;
    assert_eq!(nets.credit(&credit(authorized, 1, 1)).await.unwrap(), Refused);
    assert_eq!(nets.annul(authorized).await.unwrap(), Done);
    assert_eq!(nets.credit(&credit(authorized, 1, 1)).await.unwrap(), Refused);
    let part = charging.authorized(2).await;
    assert_eq!(nets.capture(part, nok(4_000)).await.unwrap(), Done);
    assert_eq!(nets.credit(&credit(part, 4_001, 4_001)).await.unwrap(), Refused);
    assert_eq!(nets.credit(&credit(part, 4_000, 4_000)).await.unwrap(), Done);
    assert_eq!(charging.sandbox.ledger(ORDER).credited_minor, 4_000);
}

/// Nets' text for this is not known, so the refusal is not clear.
#[tokio::test]
async fn a_credit_after_365_days_is_unclear() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    charging.clock.advance("P364D").unwrap();
    assert_eq!(charging.netaxept.credit(&credit(id, 1, 1)).await.unwrap(), Done);
    charging.clock.advance("P2D").unwrap();
    assert!(is_unclear(&charging.netaxept.credit(&credit(id, 1, 2)).await));
    assert_eq!(charging.query(id).await, credited(1, Some(1)));
}

/// The reply of Query has a line for each credit, and a size limit.
#[tokio::test]
async fn a_charge_with_a_hundred_credits_is_queried() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    for target in 1..=100 {
        assert_eq!(charging.netaxept.credit(&credit(id, 1, target)).await.unwrap(), Done);
    }
    assert_eq!(charging.query(id).await, credited(100, Some(100)));
}
