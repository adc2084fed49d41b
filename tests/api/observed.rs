//! What an operator sees: one line a request, which is its metrics, and a line for whatever became of a recurring payment.

use std::collections::BTreeSet;

use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, VISA, World};

/// The names of a line's metrics, after their place in it was checked.
pub(crate) fn metrics(line: &Value) -> BTreeSet<String> {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "local", "{line}");
    assert_eq!(directive["Dimensions"], json!([["Operation"]]));
    assert!(line["_aws"]["Timestamp"].as_i64().is_some_and(|at| at > 0), "{line}");
    let metrics = directive["Metrics"].as_array().unwrap();
    let names = metrics.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned());
    let names: BTreeSet<_> = names.collect();
    for name in &names {
        assert!(line[name].is_number(), "{name} in {line}");
    }
    names
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_request_is_one_line_and_its_metrics() {
    let world = World::new().await;
    let id =
        world.create("4711", json!({ "nickname": "Hemmelig" })).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.status, StatusCode::OK);

    let [created] = &world.logged("create-recurring-payment", "answered")[..] else {
        panic!("one line")
    };
    let always = [
        "Requests",
        "ClientErrors",
        "ServerErrors",
        "Latency",
        "DynamodbRequests",
        "ReadUnits",
        "WriteUnits",
    ];
    assert_eq!(metrics(created), &names(&always) | &names(&["ColdStarts"]));
    let expected = [
        ("level", json!("INFO")),
        ("Operation", json!("create-recurring-payment")),
        ("route", json!("POST /v1/recurring-payments")),
        ("status", json!(201)),
        ("tenant", json!("partner")),
        ("organisation", json!(1)),
        ("client", json!("partner-demo")),
        ("client_name", json!("tests-api")),
        ("recurring_payment_id", id.clone()),
        ("DynamodbRequests", json!(2)),
        ("ColdStarts", json!(1)),
        ("Requests", json!(1)),
        ("ServerErrors", json!(0)),
    ];
    for (name, value) in expected {
        assert_eq!(created[name], value, "{name} in {created}");
    }
    assert!(created["trace_id"].as_str().is_some_and(|id| id.starts_with("Root=1-")), "{created}");
    assert!(!created["correlation_id"].as_str().unwrap_or_default().is_empty());
    for personal in ["4711", "Hemmelig"] {
        let text = created.to_string().replace(&id.to_string(), "");
        assert!(!text.contains(&format!("\"{personal}")), "{personal} in {text}");
    }

    let [authorized] = &world.logged("authorize-recurring-payment", "answered")[..] else {
        panic!("one line")
    };
    let nets = names(&["PspCalls", "PspUnclear", "PspDeclined", "PspLatency"]);
    assert!(metrics(authorized).is_superset(&(&names(&always) | &nets)), "{authorized}");
    assert_eq!((&authorized["PspCalls"], &authorized["PspUnclear"]), (&json!(3), &json!(0)));
    assert_eq!(authorized["NotificationsHeard"], 1);

    let checked = world.logged("authorizer", "checked");
    assert!(metrics(&checked[0]).is_superset(&names(&["Requests", "ServerErrors", "Latency"])));
}

#[tokio::test]
async fn a_failure_says_why_and_what_it_cost() {
    let world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    world.local.netaxept().fail(Operation::Query, Kind::Html, 1);
    assert_eq!(world.authorize(&id).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.local.dynamodb().lose_replies_to_writes(1);
    assert_eq!(world.authorize(&id).await.status, StatusCode::OK);

    let lines = world.logged("authorize-recurring-payment", "answered");
    assert_eq!((&lines[0]["level"], &lines[0]["status"]), (&json!("ERROR"), &json!(503)));
    assert_eq!((&lines[0]["PspUnclear"], &lines[0]["ServerErrors"]), (&json!(1), &json!(1)));
    assert!(lines[0]["error"].as_str().unwrap().starts_with("Netaxept is not available: "));
    assert_eq!((&lines[1]["status"], &lines[1]["DynamodbRetries"]), (&json!(200), &json!(1)));
    metrics(&lines[1]);
}

#[tokio::test]
async fn a_run_is_one_line_and_its_metrics() {
    let mut world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    world.terminal(&id).await;
    // A second more: the time of a schedule's event is in whole seconds.
    world.wait("PT24H16M1S").await;
    world.run("expire-recurring-payments").await;
    let [ran] = &world.logged("expire-recurring-payments", "ran")[..] else { panic!("one line") };
    let wanted = [
        "Due",
        "Changed",
        "Failed",
        "OldestDueAge",
        "NotificationsHeard",
        "NotificationAge",
        "NotificationsGivenUp",
        "OutOfTime",
        "ColdStarts",
        "DynamodbRequests",
        "ReadUnits",
        "WriteUnits",
    ];
    assert_eq!(metrics(ran), names(&wanted));
    assert_eq!((&ran["Due"], &ran["Changed"]), (&json!(1), &json!(1)));
    assert!((60..120).contains(&ran["OldestDueAge"].as_u64().unwrap()), "{ran}");
}

/// Who, why, before, after: of every change, and of nothing else.
#[tokio::test]
async fn every_change_is_in_the_audit() {
    let world = World::new().await;
    let first = world.active("4711").await;
    let second = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let path = format!("{PAYMENTS}/{second}");
    for body in [json!({ "isPrimary": true }), json!({ "nickname": "Kort" })] {
        assert_eq!(world.call("PATCH", &path, Some(&body)).await.status, StatusCode::OK);
    }
    for _ in 0..2 {
        assert_eq!(world.call("DELETE", &path, None).await.status, StatusCode::OK);
    }
    let said = |function: &str| -> Vec<Value> {
        let lines = world.logged(function, "audit");
        let about = |line: &Value| {
            assert_eq!(
                (&line["operation"], &line["tenant"], &line["client"], &line["organisation"]),
                (&json!(function), &json!("partner"), &json!("partner-demo"), &json!(1))
            );
            assert!(!line["correlation_id"].as_str().unwrap_or_default().is_empty());
            json!([
                line["recurring_payment_id"],
                line["before"],
                line["after"],
                line["reason"],
                line["primary_before"],
                line["primary_after"]
            ])
        };
        lines.iter().map(about).collect()
    };
    assert_eq!(
        said("create-recurring-payment"),
        [
            json!([first, "NONE", "CREATED", "REQUEST", null, first]),
            json!([second, "NONE", "CREATED", "REQUEST", first, first]),
        ]
    );
    assert_eq!(
        said("authorize-recurring-payment"),
        [json!([first, "CREATED", "ACTIVE", "CARD", first, first])]
    );
    assert_eq!(
        said("update-recurring-payment"),
        [json!([null, null, null, "CHOICE", first, second])]
    );
    assert_eq!(
        said("end-recurring-payment"),
        [json!([second, "CREATED", "CANCELLED", "ENDED", second, first])]
    );
}
