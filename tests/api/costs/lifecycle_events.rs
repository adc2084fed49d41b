//! The cost of lifecycle events: only for the organisations that have an address for them.

use local::{EventWebhooks, Options};
use serde_json::{Value, json};

use super::{Step, model};
use crate::{PAYMENTS, SCHEDULED, TestApi};

/// The wallets in the table as text, without the values of numbers, hashes and tokens: attribute names, states and index entries.
async fn wallets(api: &TestApi) -> String {
    let table = api.local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await;
    shape(&table.unwrap()["Items"])
}

fn shape(value: &Value) -> String {
    let shapes = |values: &[Value]| values.iter().map(shape).collect::<Vec<_>>().join(",");
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match name.as_str() {
                "N" | "B" | "panHash" => name.clone(),
                _ => format!("{name}:{}", shape(value)),
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => format!("[{}]", shapes(values)),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Null => value.to_string(),
    }
}

/// Two cards that expire in March 2029 from their storage to their expiry, with an end. Returns the requests and the wallets.
async fn play(event_webhooks: EventWebhooks, client: &str) -> (Vec<String>, String) {
    let mut api = TestApi::with(Options { event_webhooks, ..Options::default() }).await;
    api.partner = api.token(client, json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(api.create_active("4711").await);
    }
    let card = api.call("GET", &format!("{PAYMENTS}/{}", ids[0]), None).await.json();
    let expires_at = card["expiresAt"].as_str().unwrap().to_owned();
    api.local.clock().advance("P20M").unwrap();
    let mut wallets_over_time = wallets(&api).await;
    for _ in 0..400 {
        if expires_at < api.local.clock().now().to_string() {
            break;
        }
        api.local.clock().advance("P7D").unwrap();
        for function in SCHEDULED {
            assert_eq!(api.run_schedule(function).await["failed"], 0);
        }
        wallets_over_time.push_str(&wallets(&api).await);
    }
    api.partner = api.token(client, json!({})).await;
    api.call("DELETE", &format!("{PAYMENTS}/{}", ids[0]), None).await;
    wallets_over_time.push_str(&wallets(&api).await);
    // The due wallet can be in any shard, so its requests can be at any place of a run.
    let requests = api.take_requests().into_iter().filter(|one| one.0 != "Scan");
    let mut requests: Vec<_> = requests.map(|(name, units)| format!("{name} {units:?}")).collect();
    requests.sort();
    (requests, wallets_over_time)
}

/// Organisation 2 has no address. Its requests, units and items are the same whether or not organisation 1 has one.
#[tokio::test]
async fn an_organisation_without_an_address_costs_nothing_more() {
    let without = play(EventWebhooks::None, "partner-other").await;
    let beside = play(EventWebhooks::Inbox, "partner-other").await;
    assert!(beside == without, "{beside:?}\n{without:?}");
    let with = play(EventWebhooks::Inbox, "partner-demo").await;
    assert!(without.0.len() < with.0.len());
    assert!(!without.1.contains("noticed") && with.1.contains("noticed"));
}

#[tokio::test]
async fn a_notice_and_an_expiry_cost_a_change_and_a_delivery_each() {
    let mut api = TestApi::with_events().await;
    api.customer_with_cards("4711".to_owned(), 1).await;
    for (clock, expected) in [("P826D", model::NOTICE), ("P40D", model::EXPIRED_AND_DELIVERED)] {
        let received = api.local.inbox().received().len();
        api.advance_clock(clock).await;
        api.local.dynamodb().clear_requests();
        let summary = api.run_schedule(SCHEDULED[0]).await;
        assert_eq!((&summary["changed"], &summary["delivered"]), (&json!(1), &json!(1)));
        let expected = [model::SCHEDULE_RUN, expected].concat();
        api.assert_requests_in_any_order(&expected, clock);
        assert_eq!(api.local.inbox().received().len(), received + 1);
        assert!(api.has_nothing_due().await);
    }
}

/// The request stores the event, and `finish-terminals` delivers it.
#[tokio::test]
async fn an_end_with_another_primary_costs_an_index_entry_and_a_delivery() {
    let mut api = TestApi::with_events().await;
    let mut customer = api.customer_with_cards("4711".to_owned(), 2).await;
    customer.id = customer.api.list("4711").await[0]["recurringPaymentId"].clone();
    customer.api.local.dynamodb().clear_requests();
    customer.assert_cost(Step::End, 200, model::ENDED_WITH_EVENT, 2).await;
    api.advance_clock("PT1S").await;
    api.local.dynamodb().clear_requests();
    assert_eq!(api.run_schedule(SCHEDULED[1]).await["delivered"], 1);
    let expected = [model::SCHEDULE_RUN, model::EVENT_DELIVERED].concat();
    api.assert_requests_in_any_order(&expected, "finish-terminals");
    let event: Value = api.local.inbox().received()[0].body.clone();
    assert_eq!(event["reason"], "ENDED");
}
