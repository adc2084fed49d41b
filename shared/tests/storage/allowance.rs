//! The requests of those who do not say who they are: so many in a minute.

use chrono::{DateTime, Utc};
use local::dynamodb::Dynamodb;
use local::template::Template;
use serde_json::{Value, json};
use shared::domain::owner::IdKey;
use shared::error::Error;

use crate::{KEY, engine, store};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

async fn counted(dynamodb: &Dynamodb) -> Vec<[i64; 3]> {
    let table = json!({ "TableName": "Allowances" });
    let items = dynamodb.call("Scan", &table).await.unwrap()["Items"].as_array().unwrap().clone();
    let number = |item: &Value, name: &str| item[name]["N"].as_str().unwrap().parse().unwrap();
    let numbers = |item: &Value| ["minute", "used", "forgottenAt"].map(|name| number(item, name));
    let mut counted: Vec<_> = items.iter().map(numbers).collect();
    counted.sort_unstable();
    counted
}

#[tokio::test]
async fn sixty_in_a_minute_and_nobody_else_is_counted() {
    let dynamodb = engine().await;
    let store = store(&dynamodb, IdKey::new(KEY));
    for request in 0..60 {
        let admitted = store.admit(false, at("10:00:17.5")).await;
        assert!(admitted.is_ok(), "{request}: {admitted:?}");
    }
    for (time, left) in [("10:00:00", 60), ("10:00:17.5", 43), ("10:00:59.999", 1)] {
        let refused = store.admit(false, at(time)).await;
        assert!(
            matches!(refused, Err(Error::Unidentified { retry_after_seconds }) if retry_after_seconds == left),
            "{time}: {refused:?}"
        );
    }
    store.admit(true, at("10:00:17.5")).await.unwrap();
    // Each minute has its own, and is forgotten an hour after its last request.
    store.admit(false, at("10:01:00")).await.unwrap();
    store.admit(false, at("09:59:59.999")).await.unwrap();
    let ten = at("10:00:00").timestamp();
    let expected = [
        [ten / 60 - 1, 1, ten - 1 + 3600],
        [ten / 60, 60, ten + 17 + 3600],
        [ten / 60 + 1, 1, ten + 60 + 3600],
    ];
    assert_eq!(counted(&dynamodb).await, expected);
}

#[tokio::test]
async fn nobody_is_refused_because_of_a_table_that_is_out_of_reach() {
    let dynamodb = Dynamodb::start(0, None).await.unwrap();
    dynamodb.create_tables(&Template::parse("Resources: {}").unwrap()).await.unwrap();
    let admitted = store(&dynamodb, IdKey::new(KEY)).admit(false, at("10:00:00")).await;
    assert!(matches!(admitted, Err(Error::Unavailable { what: "DynamoDB", .. })), "{admitted:?}");
}
