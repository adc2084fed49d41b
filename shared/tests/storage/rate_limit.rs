//! The rate limit for requests without a valid `ET-Client-Name`.

use chrono::{DateTime, Utc};
use local::dynamodb::Dynamodb;
use local::template::Template;
use serde_json::{Value, json};
use shared::domain::owner::IdKey;
use shared::error::Error;

use crate::{KEY, engine, payment_store, store};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

async fn counters(dynamodb: &Dynamodb) -> Vec<[i64; 3]> {
    let table = json!({ "TableName": "RateLimits" });
    let items = dynamodb.call("Scan", &table).await.unwrap()["Items"].as_array().unwrap().clone();
    let number = |item: &Value, name: &str| item[name]["N"].as_str().unwrap().parse().unwrap();
    let numbers = |item: &Value| ["minute", "used", "forgottenAt"].map(|name| number(item, name));
    let mut counters: Vec<_> = items.iter().map(numbers).collect();
    counters.sort_unstable();
    counters
}

#[tokio::test]
async fn unidentified_callers_share_sixty_requests_a_minute_and_others_are_not_counted() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    for request in 0..60 {
        let allowed = store.check_rate_limit(false, at("10:00:17.5")).await;
        assert!(allowed.is_ok(), "{request}: {allowed:?}");
    }
    for (time, left) in [("10:00:00", 60), ("10:00:17.5", 43), ("10:00:59.999", 1)] {
        let refused = store.check_rate_limit(false, at(time)).await;
        assert!(
            matches!(refused, Err(Error::Unidentified { retry_after_seconds }) if retry_after_seconds == left),
            "{time}: {refused:?}"
        );
    }
    store.check_rate_limit(true, at("10:00:17.5")).await.unwrap();
    // Each minute has its own counter, which expires one hour after its last request.
    store.check_rate_limit(false, at("10:01:00")).await.unwrap();
    store.check_rate_limit(false, at("09:59:59.999")).await.unwrap();
    let ten = at("10:00:00").timestamp();
    let expected = [
        [ten / 60 - 1, 1, ten - 1 + 3600],
        [ten / 60, 60, ten + 17 + 3600],
        [ten / 60 + 1, 1, ten + 60 + 3600],
    ];
    assert_eq!(counters(&dynamodb).await, expected);
}

/// Waits for wallets and for payments have the same counter. It does not count unidentified callers.
#[tokio::test]
async fn waiting_requests_share_a_limit_in_each_period_of_20_seconds() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    let payments = payment_store(&dynamodb, IdKey::new(KEY)).waiting_limit(2);
    let wallets = store.waiting_limit(2);
    wallets.check(at("10:00:00")).await.unwrap();
    payments.check(at("10:00:19.999")).await.unwrap();
    for (time, left) in [("10:00:00", 20), ("10:00:07.5", 13), ("10:00:19.999", 1)] {
        for limit in [&wallets, &payments] {
            let refused = limit.check(at(time)).await;
            assert!(
                matches!(refused, Err(Error::TooManyWaiting { retry_after_seconds }) if retry_after_seconds == left),
                "{time}: {refused:?}"
            );
        }
    }
    wallets.check(at("10:00:20")).await.unwrap();
    store.check_rate_limit(false, at("10:00:20")).await.unwrap();
    let ten = at("10:00:00").timestamp();
    let expected = [
        [-(ten / 20 + 1), 1, ten + 20 + 3600],
        [-(ten / 20), 2, ten + 19 + 3600],
        [ten / 60, 1, ten + 20 + 3600],
    ];
    assert_eq!(counters(&dynamodb).await, expected);
    let none = store.waiting_limit(0).check(at("10:01:00")).await;
    assert!(matches!(none, Err(Error::TooManyWaiting { retry_after_seconds: 20 })), "{none:?}");
    assert_eq!(counters(&dynamodb).await, expected);
}

#[tokio::test]
async fn a_missing_rate_limit_table_is_unavailable() {
    let dynamodb = Dynamodb::start(0, None).await.unwrap();
    dynamodb.create_tables(&Template::parse("Resources: {}").unwrap()).await.unwrap();
    let result = store(&dynamodb, IdKey::new(KEY)).check_rate_limit(false, at("10:00:00")).await;
    assert!(matches!(result, Err(Error::Unavailable { what: "DynamoDB", .. })), "{result:?}");
}
