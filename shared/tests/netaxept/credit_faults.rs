//! Credits with lost requests and replies, late calls, and a Query that lags behind.

use local::netaxept::{FaultKind, Operation, TOKEN};
use shared::domain::id::RegistrationId;
use shared::netaxept::Processed::{Done, Refused};
use shared::netaxept::{Failure, Processed};

use crate::charging::{
    CAPTURED, Charging, PRICE, VISA, credit, is_refused, is_unclear, registration_id,
};
use crate::credit::credited;
use crate::{client, server_with_reply};

impl Charging {
    async fn credit(
        &self,
        id: RegistrationId,
        minor: u64,
        target: u64,
    ) -> Result<Processed, Failure> {
        self.netaxept.credit(&credit(id, minor, target)).await
    }
}

/// Only Query tells a lost request from a lost reply.
#[tokio::test]
async fn a_lost_credit_is_unclear_and_query_tells_whether_it_was_carried_out() {
    let charging = Charging::with_card(VISA).await;
    for (index, (kind, is_done)) in [
        (FaultKind::DropReply, true),
        (FaultKind::DropRequest, false),
        (FaultKind::Http500, false),
        (FaultKind::Html, false),
        (FaultKind::Garbage, false),
        (FaultKind::Repeat, false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = charging.captured(index).await;
        charging.sandbox.inject_fault(Operation::Credit, kind, 1);
        assert!(is_unclear(&charging.credit(id, 3_000, 3_000).await), "{kind:?}");
        let expected = if is_done { credited(3_000, Some(3_000)) } else { CAPTURED };
        assert_eq!(charging.query(id).await, expected, "{kind:?}");
    }
}

/// The client gives up after 6 seconds, and Nets has credited.
#[tokio::test]
async fn a_credit_that_is_answered_too_late_is_unclear() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    charging.sandbox.inject_fault(Operation::Credit, FaultKind::Delay, 1);
    assert!(is_unclear(&charging.credit(id, 3_000, 3_000).await));
    assert_eq!(charging.query(id).await, credited(3_000, Some(3_000)));
}

/// After a late credit, the sum shows that the repeated one was too much. So the service waits before it repeats.
#[tokio::test]
async fn a_credit_that_arrives_late_is_carried_out_beside_the_repeated_one() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    charging.sandbox.inject_delayed_fault(Operation::Credit, FaultKind::ArriveLate, 299);
    assert!(is_unclear(&charging.credit(id, 6_000, 6_000).await));
    assert_eq!(charging.query(id).await, CAPTURED);
    charging.clock.advance("PT5M").unwrap();
    assert_eq!(charging.query(id).await, credited(6_000, Some(6_000)), "no repetition is needed");
    charging.sandbox.inject_delayed_fault(Operation::Credit, FaultKind::ArriveLate, 600);
    assert!(is_unclear(&charging.credit(id, 2_000, 8_000).await));
    charging.clock.advance("PT5M").unwrap();
    assert_eq!(charging.credit(id, 2_000, 8_000).await.unwrap(), Done);
    charging.clock.advance("PT6M").unwrap();
    assert_eq!(charging.query(id).await, credited(PRICE, Some(8_000)), "credited twice");
    assert_eq!(charging.credit(id, 1, PRICE).await.unwrap(), Refused);
}

#[tokio::test]
async fn a_query_that_lags_behind_shows_the_credit_later() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    charging.clock.advance("PT1M").unwrap();
    assert_eq!(charging.credit(id, 3_000, 3_000).await.unwrap(), Done);
    charging.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 1);
    assert_eq!(charging.query(id).await, CAPTURED);
    charging.clock.advance("PT1M").unwrap();
    assert_eq!(charging.credit(id, 1_000, 4_000).await.unwrap(), Done);
    charging.sandbox.inject_fault(Operation::Query, FaultKind::Stale, 1);
    assert_eq!(charging.query(id).await, credited(3_000, Some(3_000)));
    assert_eq!(charging.query(id).await, credited(4_000, Some(4_000)));
}

/// A reply about another transaction or another operation does not confirm a credit.
#[tokio::test]
async fn only_a_reply_about_the_credit_is_clear() {
    let [id, other] = [0, 1].map(registration_id);
    let done = |id: RegistrationId, operation: &str| {
        format!(
            "<ProcessResponse><Operation>{operation}</Operation><ResponseCode>OK</ResponseCode><TransactionId>{id}</TransactionId></ProcessResponse>"
        )
    };
    let refused = |id: RegistrationId| {
        format!(
            "<Exception xmlns:xsi=\"x\"><Error xsi:type=\"GenericError\"><Message>Unable to credit more than captured amount</Message>\
             <Result><TransactionId>{id}</TransactionId></Result></Error></Exception>"
        )
    };
    let call = async |body: String| {
        let nets = client(&server_with_reply(&body).await, TOKEN);
        nets.credit(&credit(id, 3_000, 3_000)).await
    };
    assert_eq!(call(done(id, "CREDIT")).await.unwrap(), Done);
    assert_eq!(call(done(id, "credit")).await.unwrap(), Done);
    assert_eq!(call(refused(id)).await.unwrap(), Refused);
    for body in [
        done(other, "CREDIT"),
        done(id, "CAPTURE"),
        done(id, "ANNUL"),
        done(id, "SALE"),
        refused(other),
        format!("<RegisterResponse><TransactionId>{id}</TransactionId></RegisterResponse>"),
        "<ProcessResponse><ResponseCode>OK".to_owned(),
        String::new(),
    ] {
        assert!(is_unclear(&call(body.clone()).await), "{body}");
    }
}

/// A call that Nets refuses before it looks at the transaction.
#[tokio::test]
async fn a_credit_with_a_wrong_token_is_refused() {
    let charging = Charging::with_card(VISA).await;
    let id = charging.captured(0).await;
    let wrong = client(&charging.address, "another token");
    assert!(is_refused(&wrong.credit(&credit(id, 3_000, 3_000)).await));
    assert_eq!(charging.query(id).await, CAPTURED);
}
