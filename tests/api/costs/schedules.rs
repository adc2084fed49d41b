//! What the schedules cost: each shard is asked, and then what is due.

use serde_json::json;

use super::model;
use super::{CARDS, Step};
use crate::{SCHEDULED, World};

#[tokio::test]
async fn a_run_that_finds_nothing_due_asks_each_shard() {
    let world = World::new().await;
    world.with_cards("4711".to_owned(), 4).await;
    for function in SCHEDULED {
        assert_eq!(world.run(function).await["lookedAt"], 0);
        world.has_asked(model::RUN, function);
    }
}

/// However many cards of a wallet expire at one instant: nothing is due in it after that.
#[tokio::test]
async fn an_expiry_is_a_change() {
    let mut world = World::new().await;
    for cards in CARDS {
        world.with_cards(cards.to_string(), cards).await;
    }
    world.wait("P3Y").await;
    world.local.dynamodb().forget_requests();
    let tally = world.run(SCHEDULED[0]).await;
    assert_eq!((&tally["changed"], &tally["failed"]), (&json!(4), &json!(0)));
    let four = [model::EXPIRED; 4].concat();
    world.has_asked_in_any_order(&[model::RUN, &four].concat(), "four wallets");
}

/// No notification is sent: there was no terminal.
#[tokio::test]
async fn an_abandonment_is_a_change() {
    for cards in CARDS {
        let mut world = World::new().await;
        world.with_cards("4711".to_owned(), cards - 1).await.take(Step::Create).await;
        world.wait("PT24H1S").await;
        world.local.dynamodb().forget_requests();
        let tally = world.run(SCHEDULED[0]).await;
        assert_eq!((&tally["changed"], &tally["failed"]), (&json!(1), &json!(0)));
        let expected = [model::RUN, model::ABANDONED].concat();
        world.has_asked_in_any_order(&expected, &format!("{cards} cards"));
    }
}
