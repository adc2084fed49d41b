//! Many at once.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;

use crate::{PAYMENTS, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_choose_a_primary_at_once() {
    let world = Arc::new(World::new().await);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.active("4711").await);
    }
    let choosers = (0..50).map(|turn| {
        let (world, id) = (world.clone(), ids[turn % 5].clone());
        tokio::spawn(async move {
            let answer = world
                .call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "isPrimary": true })))
                .await;
            if answer.status == StatusCode::OK {
                assert_eq!(answer.json()["primary"], true);
            } else {
                assert_eq!(
                    (answer.problem(), &answer.json()["errorReason"]),
                    ((409, "busy".to_owned()), &json!("RESOURCE_BUSY"))
                );
                assert_eq!(answer.header("retry-after"), "1");
            }
            answer.status
        })
    });
    let choosers: Vec<_> = choosers.collect();
    while !choosers.iter().all(tokio::task::JoinHandle::is_finished) {
        exactly_one_primary(&world).await;
    }
    let mut chosen = 0;
    for chooser in choosers {
        chosen += usize::from(chooser.await.unwrap() == StatusCode::OK);
    }
    assert!(chosen >= 1);
    exactly_one_primary(&world).await;
}

async fn exactly_one_primary(world: &World) {
    let list = world.list("4711").await;
    assert_eq!(list.iter().filter(|payment| payment["primary"] == true).count(), 1, "{list:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorizing_at_once_has_one_effect() {
    let world = Arc::new(World::new().await);
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    world.visit(&id, "4925000000000004", "okButton").await;
    let both = [(); 2].map(|()| {
        let (world, id) = (world.clone(), id.clone());
        tokio::spawn(async move { world.authorize(&id).await })
    });
    for answer in both {
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status, &answer.json()["recurringStatus"]),
            (StatusCode::OK, &json!("ACTIVE"))
        );
    }
    assert_eq!(
        world.local.netaxept().transactions()[0]["transaction"]["done"],
        json!({ "VERIFY": 1 })
    );
}
