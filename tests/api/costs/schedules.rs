//! The cost of the scheduled functions: a query for each shard, then the changes of the due wallets.

use serde_json::json;

use super::model;
use super::{CARDS, Step};
use crate::{SCHEDULED, TestApi};

#[tokio::test]
async fn a_run_without_due_wallets_queries_each_shard() {
    let api = TestApi::new().await;
    api.customer_with_cards("4711".to_owned(), 4).await;
    for function in SCHEDULED {
        assert_eq!(api.run_schedule(function).await["due"], 0);
        api.assert_requests(model::SCHEDULE_RUN, function);
    }
}

/// One change expires all cards of a wallet that expire at the same instant. Nothing is due in the wallet afterwards.
#[tokio::test]
async fn an_expiry_costs_a_change() {
    let mut api = TestApi::new().await;
    for cards in CARDS {
        api.customer_with_cards(cards.to_string(), cards).await;
    }
    api.advance_clock("P3Y").await;
    api.local.dynamodb().clear_requests();
    let summary = api.run_schedule(SCHEDULED[0]).await;
    assert_eq!((&summary["changed"], &summary["failed"]), (&json!(3), &json!(0)));
    let three = [model::EXPIRED; 3].concat();
    api.assert_requests_in_any_order(&[model::SCHEDULE_RUN, &three].concat(), "three wallets");
}

/// No notification is sent, because there was no terminal.
#[tokio::test]
async fn an_abandonment_costs_a_change() {
    for cards in CARDS {
        let mut api = TestApi::new().await;
        api.customer_with_cards("4711".to_owned(), cards - 1).await.perform(Step::Create).await;
        api.advance_clock("PT24H1S").await;
        api.local.dynamodb().clear_requests();
        let summary = api.run_schedule(SCHEDULED[0]).await;
        assert_eq!((&summary["changed"], &summary["failed"]), (&json!(1), &json!(0)));
        let expected = [model::SCHEDULE_RUN, model::ABANDONED].concat();
        api.assert_requests_in_any_order(&expected, &format!("{cards} cards"));
    }
}
