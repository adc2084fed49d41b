//! The client vanishes after each step: the service finishes by itself, or abandons cleanly (rules 7 and 8).

use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World};

/// A customer with a card that is not the primary one, because the other recurring payment was chosen, which has no card yet.
async fn chosen_beside_a_card(world: &World) -> (Value, Value) {
    let card = world.active("4711").await;
    let chosen = world.create("4711", json!({ "isPrimary": true })).await;
    assert_eq!(chosen["primary"], true);
    (chosen["recurringPaymentId"].clone(), card)
}

/// Status and primary of a recurring payment.
async fn seen(world: &World, id: &Value) -> (String, bool) {
    let seen = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    (seen["recurringStatus"].as_str().unwrap().to_owned(), seen["primary"] == true)
}

async fn is_abandoned(world: &World, id: &Value, successor: &Value) {
    assert_eq!(seen(world, id).await, ("CANCELLED".to_owned(), false));
    assert_eq!(seen(world, successor).await, ("ACTIVE".to_owned(), true));
    let seen = world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.json();
    assert_eq!(seen["statusReason"], "ABANDONED");
    assert!(world.nothing_is_due().await);
}

async fn is_active(world: &World, id: &Value) {
    assert_eq!(seen(world, id).await, ("ACTIVE".to_owned(), true));
    assert!(world.nothing_is_due().await);
    for transaction in world.local.netaxept().transactions().as_array().unwrap() {
        assert_eq!(transaction["transaction"]["done"], json!({ "VERIFY": 1 }));
    }
}

#[tokio::test]
async fn after_create() {
    let mut world = World::new().await;
    let (id, card) = chosen_beside_a_card(&world).await;
    world.pass("PT24H").await;
    is_abandoned(&world, &id, &card).await;
    let mut audit = world.logged("expire-recurring-payments", "audit");
    assert_eq!(audit.len(), 1);
    // The clock of the machine, which tests do not set.
    let written_at = audit[0].as_object_mut().and_then(|line| line.remove("timestamp"));
    assert!(written_at.is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
    let expected = json!({
        "level": "INFO", "target": "shared::log::audit", "message": "audit", "operation": "expire-recurring-payments",
        "tenant": "", "client": "", "correlation_id": "", "recurring_payment_id": id,
        "before": "CREATED", "after": "CANCELLED", "reason": "ABANDONED", "primary_before": id, "primary_after": card,
    });
    assert_eq!(audit[0], expected);
}

#[tokio::test]
async fn after_the_terminal() {
    let mut world = World::new().await;
    let (id, card) = chosen_beside_a_card(&world).await;
    world.terminal(&id).await;
    world.pass("PT24H14M").await;
    assert_eq!(
        seen(&world, &id).await,
        ("CREATED".to_owned(), true),
        "15 minutes are the terminal's"
    );
    world.pass("PT1M").await;
    is_abandoned(&world, &id, &card).await;
    assert_eq!(world.events(), ["recurring-payment.abandoned"]);
}

/// The customer's phone swallowed the redirect, or Nets never sent it.
#[tokio::test]
async fn after_the_card() {
    for swallowed in [false, true] {
        let mut world = World::new().await;
        let (id, _) = chosen_beside_a_card(&world).await;
        let uri = world.terminal(&id).await;
        if swallowed {
            world.local.netaxept().fail(Operation::Terminal, Kind::DropReply, 1);
            world.http.post(&uri).form(&World::card(VISA, "okButton")).send().await.unwrap_err();
        } else {
            world.press(&uri, VISA, "okButton").await;
        }
        world.pass("PT1M").await;
        is_active(&world, &id).await;
        assert_eq!(world.events(), ["recurring-payment.activated"]);
        let audit = world.logged("finish-terminals", "audit");
        assert_eq!((&audit[0]["after"], &audit[0]["reason"]), (&json!("ACTIVE"), &json!("CARD")));
    }
}

/// Authorize was called, and its answer reached nobody.
#[tokio::test]
async fn after_authorize() {
    let mut world = World::new().await;
    let (id, _) = chosen_beside_a_card(&world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.status, StatusCode::OK);
    world.pass("PT1M").await;
    is_active(&world, &id).await;
    assert_eq!(world.events(), ["recurring-payment.activated"], "told at once, and once");
}

#[tokio::test]
async fn after_the_customer_cancelled() {
    let mut world = World::new().await;
    let (id, card) = chosen_beside_a_card(&world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "cancelButton").await;
    world.pass("PT1M").await;
    assert_eq!(world.authorize(&id).await.problem(), (409, "terminal-cancelled".to_owned()));
    assert_eq!(world.events(), Vec::<String>::new(), "the customer may come back");
    world.pass("PT24H14M").await;
    is_abandoned(&world, &id, &card).await;
    assert_eq!(world.events(), ["recurring-payment.abandoned"]);
}

#[tokio::test]
async fn after_the_card_was_declined() {
    let mut world = World::new().await;
    let (id, card) = chosen_beside_a_card(&world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, "4925000000000087", "okButton").await;
    world.pass("PT1M").await;
    assert_eq!(world.authorize(&id).await.problem(), (409, "declined".to_owned()));
    world.pass("PT24H14M").await;
    is_abandoned(&world, &id, &card).await;
    assert_eq!(world.events(), ["recurring-payment.declined"], "its end was told");
}

/// A card that was entered is found at the latest planned look too, when the service was down for a day: Nets verifies until
/// 24 hours after the customer's return.
#[tokio::test]
async fn and_the_schedules_stand_still_for_a_day() {
    let mut world = World::new().await;
    let (id, _) = chosen_beside_a_card(&world).await;
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    world.pass("PT23H59M").await;
    is_active(&world, &id).await;
}

/// Ended ones are forgotten after thirty days, also in the table.
#[tokio::test]
async fn what_has_ended_is_forgotten() {
    let mut world = World::new().await;
    let id = world.active("4711").await;
    world.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
    world.pass("PT719H").await;
    assert_eq!(seen(&world, &id).await.0, "CANCELLED");
    world.pass("PT1H").await;
    assert_eq!(world.call("GET", &format!("{PAYMENTS}/{id}"), None).await.problem().0, 404);
    assert!(world.nothing_is_due().await);
    let table = world.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
    assert_eq!(table.unwrap()["Items"][0]["payments"]["L"], json!([]));
}
