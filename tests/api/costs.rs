//! What each operation asks of `DynamoDB`, counted: architecture.md §1.2.

use serde_json::{Value, json};

use crate::{PAYMENTS, World};

/// What was asked since the last look.
fn asked(world: &World) -> Vec<String> {
    let requests = world.local.dynamodb().requests();
    world.local.dynamodb().forget_requests();
    assert!(requests.iter().all(|request| request.capacity == Some(1.0)), "{requests:?}");
    requests.into_iter().map(|request| request.operation).collect()
}

#[tokio::test]
async fn a_list_is_one_request_and_every_change_two() {
    let world = World::new().await;
    let (read, change) =
        (vec!["GetItem".to_owned()], vec!["GetItem".to_owned(), "PutItem".to_owned()]);
    asked(&world);
    world.list("4711").await;
    assert_eq!(asked(&world), read, "list of nothing");
    let id: Value = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(asked(&world), change, "create");
    world.visit(&id, "4925000000000004", "okButton").await;
    assert_eq!(asked(&world), change, "terminal");
    world.authorize(&id).await;
    assert_eq!(asked(&world), change, "authorize");
    world.authorize(&id).await;
    assert_eq!(asked(&world), read, "authorize again");
    let path = format!("{PAYMENTS}/{id}");
    world.call("PATCH", &path, Some(&json!({ "nickname": "Kort" }))).await;
    assert_eq!(asked(&world), change, "update");
    world.list("4711").await;
    assert_eq!(asked(&world), read, "list");
    world.call("GET", &path, None).await;
    assert_eq!(asked(&world), read, "get");
    world.call("DELETE", &path, None).await;
    assert_eq!(asked(&world), change, "end");
    world.call("DELETE", &path, None).await;
    assert_eq!(asked(&world), read, "end again");
}
