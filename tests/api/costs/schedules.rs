//! What the schedules cost: each shard is asked, and then what is due.

use local::dynamodb::Engine;
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

/// When a wallet's cards are all that is due in it, and at one instant, their end is one write, however many they are.
#[tokio::test]
async fn an_expiry_is_a_write_without_a_read() {
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

/// Anything else that time makes is tried so, and refused; the refusal brings the wallet, which is then written as any other.
#[tokio::test]
async fn an_abandonment_is_a_write_after_a_refusal() {
    for cards in CARDS {
        let mut world = World::new().await;
        world.with_cards("4711".to_owned(), cards - 1).await.take(Step::Create).await;
        world.wait("PT24H1S").await;
        world.local.dynamodb().forget_requests();
        let tally = world.run(SCHEDULED[0]).await;
        assert_eq!((&tally["changed"], &tally["failed"]), (&json!(1), &json!(0)));
        // Some engines' refusals bring nothing: then the wallet is read.
        if world.local.dynamodb().engine() != Engine::Other {
            let expected = [model::RUN, model::ABANDONED].concat();
            world.has_asked_in_any_order(&expected, &format!("{cards} cards"));
        }
    }
}
