//! What each operation asks of `DynamoDB`, counted: architecture.md §1.2.

use serde_json::{Value, json};

use crate::{PAYMENTS, World};

/// What was asked since the last look, and the capacity units that it cost, where they are counted.
fn asked(world: &World) -> Vec<(String, Option<f64>)> {
    let requests = world.local.dynamodb().requests();
    world.local.dynamodb().forget_requests();
    requests.into_iter().map(|request| (request.operation, request.capacity)).collect()
}

/// A write costs a unit for the wallet, one for each index entry that comes or goes, two for one that moves.
#[tokio::test]
async fn a_list_is_one_request_and_every_change_two() {
    let world = World::new().await;
    let engine = world.local.dynamodb().engine();
    let read = || vec![("GetItem".to_owned(), engine.units(1.0))];
    let change = |units| {
        vec![("GetItem".to_owned(), engine.units(1.0)), ("PutItem".to_owned(), engine.units(units))]
    };
    asked(&world);
    world.list("4711").await;
    assert_eq!(asked(&world), read(), "list of nothing");
    let id: Value = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    assert_eq!(asked(&world), change(2.0), "create: it is abandoned in a day");
    world.visit(&id, "4925000000000004", "okButton").await;
    assert_eq!(asked(&world), change(4.0), "terminal: later than that, and a look in a minute");
    world.authorize(&id).await;
    assert_eq!(asked(&world), change(4.0), "authorize: it expires in some year, and no look");
    world.authorize(&id).await;
    assert_eq!(asked(&world), read(), "authorize again");
    let path = format!("{PAYMENTS}/{id}");
    world.call("PATCH", &path, Some(&json!({ "nickname": "Kort" }))).await;
    assert_eq!(asked(&world), change(1.0), "update");
    world.list("4711").await;
    assert_eq!(asked(&world), read(), "list");
    world.call("GET", &path, None).await;
    assert_eq!(asked(&world), read(), "get");
    world.call("DELETE", &path, None).await;
    assert_eq!(asked(&world), change(3.0), "end: it is forgotten in thirty days");
    world.call("DELETE", &path, None).await;
    assert_eq!(asked(&world), read(), "end again");
}
