//! Concurrent requests for one customer.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;

use crate::{PAYMENTS, TestApi};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_choices_leave_one_primary() {
    let api = Arc::new(TestApi::new().await);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.create_active("4711").await);
    }
    let calls = (0..50).map(|turn| {
        let (api, id) = (api.clone(), ids[turn % 5].clone());
        tokio::spawn(async move {
            let response = api
                .call("PATCH", &format!("{PAYMENTS}/{id}"), Some(&json!({ "isPrimary": true })))
                .await;
            if response.status == StatusCode::OK {
                assert_eq!(response.json()["primary"], true);
            } else {
                assert_eq!(
                    (response.problem(), &response.json()["errorReason"]),
                    ((409, "busy".to_owned()), &json!("RESOURCE_BUSY"))
                );
                assert_eq!(response.header("retry-after"), "1");
            }
            response.status
        })
    });
    let calls: Vec<_> = calls.collect();
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_one_primary(&api).await;
    }
    let mut succeeded = 0;
    for call in calls {
        succeeded += usize::from(call.await.unwrap() == StatusCode::OK);
    }
    assert!(succeeded >= 1);
    assert_one_primary(&api).await;
}

async fn assert_one_primary(api: &TestApi) {
    let list = api.list("4711").await;
    assert_eq!(list.iter().filter(|payment| payment["primary"] == true).count(), 1, "{list:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_authorize_calls_verify_once() {
    let api = Arc::new(TestApi::new().await);
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.use_terminal(&id, "4925000000000004", "okButton").await;
    let both = [(); 2].map(|()| {
        let (api, id) = (api.clone(), id.clone());
        tokio::spawn(async move { api.authorize(&id).await })
    });
    for response in both {
        let response = response.await.unwrap();
        assert_eq!(
            (response.status, &response.json()["recurringStatus"]),
            (StatusCode::OK, &json!("ACTIVE"))
        );
    }
    assert_eq!(
        api.local.netaxept().transactions()[0]["transaction"]["done"],
        json!({ "VERIFY": 1 })
    );
}
