//! Log lines, metrics and audit lines: one log line for each request or run, which contains its metrics, and an audit line for
//! each change.

use std::collections::BTreeSet;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, TestApi, VISA};

/// Checks the metric directive of a log line (embedded metric format). Returns the names of the metrics.
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
async fn a_request_writes_one_line_with_its_metrics() {
    let api = TestApi::new().await;
    let id =
        api.create("4711", json!({ "nickname": "Hemmelig" })).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.status, StatusCode::OK);

    let [created] = &api.log_lines("create-recurring-payment", "request completed")[..] else {
        panic!("expected one line")
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

    let [authorized] = &api.log_lines("authorize-recurring-payment", "request completed")[..]
    else {
        panic!("expected one line")
    };
    let nets = names(&["PspCalls", "PspUnclear", "PspDeclined", "PspLatency"]);
    assert!(metrics(authorized).is_superset(&(&names(&always) | &nets)), "{authorized}");
    assert_eq!((&authorized["PspCalls"], &authorized["PspUnclear"]), (&json!(3), &json!(0)));
    assert_eq!(authorized["NotificationsDelivered"], 1);

    let checked = api.log_lines("authorizer", "token checked");
    assert!(metrics(&checked[0]).is_superset(&names(&["Requests", "ServerErrors", "Latency"])));
}

#[tokio::test]
async fn a_failure_is_logged_with_its_cause_and_metrics() {
    let api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    api.local.netaxept().inject_fault(Operation::Query, FaultKind::Html, 1);
    assert_eq!(api.authorize(&id).await.status, StatusCode::SERVICE_UNAVAILABLE);
    api.local.dynamodb().lose_replies_to_writes(1);
    assert_eq!(api.authorize(&id).await.status, StatusCode::OK);

    let lines = api.log_lines("authorize-recurring-payment", "request completed");
    assert_eq!((&lines[0]["level"], &lines[0]["status"]), (&json!("ERROR"), &json!(503)));
    assert_eq!((&lines[0]["PspUnclear"], &lines[0]["ServerErrors"]), (&json!(1), &json!(1)));
    assert!(lines[0]["error"].as_str().unwrap().starts_with("Netaxept is not available: "));
    assert_eq!((&lines[1]["status"], &lines[1]["DynamodbRetries"]), (&json!(200), &json!(1)));
    metrics(&lines[1]);
}

#[tokio::test]
async fn a_run_of_a_schedule_writes_one_line_with_its_metrics() {
    let mut api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.open_terminal(&id).await;
    // One second more, because the time of a schedule's event is in whole seconds.
    api.advance_clock("PT24H16M1S").await;
    api.run_schedule("expire-recurring-payments").await;
    let [ran] = &api.log_lines("expire-recurring-payments", "run completed")[..] else {
        panic!("expected one line")
    };
    let expected = [
        "Due",
        "Changed",
        "Failed",
        "OldestDueAge",
        "NotificationsDelivered",
        "NotificationAge",
        "NotificationsExpired",
        "OutOfTime",
        "ColdStarts",
        "DynamodbRequests",
        "ReadUnits",
        "WriteUnits",
    ];
    assert_eq!(metrics(ran), names(&expected));
    assert_eq!((&ran["Due"], &ran["Changed"]), (&json!(1), &json!(1)));
    assert!((60..120).contains(&ran["OldestDueAge"].as_u64().unwrap()), "{ran}");
}

/// Audit lines have the caller, the reason, and the values before and after. Repeated calls write none.
#[tokio::test]
async fn every_change_writes_an_audit_line() {
    let api = TestApi::new().await;
    let first = api.create_active("4711").await;
    let second = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let path = format!("{PAYMENTS}/{second}");
    for body in [json!({ "isPrimary": true }), json!({ "nickname": "Kort" })] {
        assert_eq!(api.call("PATCH", &path, Some(&body)).await.status, StatusCode::OK);
    }
    for _ in 0..2 {
        assert_eq!(api.call("DELETE", &path, None).await.status, StatusCode::OK);
    }
    let audit_lines = |function: &str| -> Vec<Value> {
        let lines = api.log_lines(function, "audit");
        let summary = |line: &Value| {
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
        lines.iter().map(summary).collect()
    };
    assert_eq!(
        audit_lines("create-recurring-payment"),
        [
            json!([first, "NONE", "CREATED", "REQUEST", null, first]),
            json!([second, "NONE", "CREATED", "REQUEST", first, first]),
        ]
    );
    assert_eq!(
        audit_lines("authorize-recurring-payment"),
        [json!([first, "CREATED", "ACTIVE", "CARD", first, first])]
    );
    assert_eq!(
        audit_lines("update-recurring-payment"),
        [json!([null, null, null, "CHOICE", first, second])]
    );
    assert_eq!(
        audit_lines("end-recurring-payment"),
        [json!([second, "CREATED", "CANCELLED", "ENDED", second, first])]
    );
}

/// The log lines of a payment have its ids, what happened at Nets, and the captured amount, but nothing of the card.
#[tokio::test]
async fn a_payment_writes_its_metrics() {
    let api = TestApi::new().await;
    let card = api.create_agreed("4711", VISA).await;
    let merchant_initiated =
        json!({ "redirectUrl": "https://shop.example/done", "transactionType": "MIT_UCOF" });
    // The sandbox declines the second amount with the issuer's code 14.
    for (order, amount, status) in
        [("captured", "100.00", StatusCode::OK), ("declined", "1.14", StatusCode::CONFLICT)]
    {
        let charge = api.buy(order, &card, amount).await;
        api.call("POST", &charge.path("/terminal"), Some(&merchant_initiated)).await;
        assert_eq!(api.capture(charge).await.status, status);
    }
    let [captured, declined] = &api.log_lines("capture-transaction", "request completed")[..]
    else {
        panic!("expected two lines")
    };
    let created = api.log_lines("create-payment", "request completed");
    for name in ["payment_id", "transaction_id"] {
        assert!(captured[name].is_u64(), "{captured}");
        assert_eq!(captured[name], created[0][name], "{name}");
    }
    let route = "PUT /v1/payments/{paymentId}/transactions/{transactionId}/capture";
    for (name, value) in [
        ("route", json!(route)),
        ("status", json!(200)),
        ("Authorizations", json!(1)),
        ("Captures", json!(1)),
        ("CapturedMinorUnits", json!(10_000)),
        ("PspCalls", json!(2)),
        ("DynamodbRequests", json!(4)),
    ] {
        assert_eq!(captured[name], value, "{name} in {captured}");
    }
    assert!(!metrics(captured).contains("AuthorizationsDeclined"), "{captured}");
    let of_decline = metrics(declined);
    assert!(of_decline.is_superset(&names(&["Authorizations", "AuthorizationsDeclined"])));
    assert!(!of_decline.contains("Captures"), "{declined}");
    let [code] = &api.log_lines("capture-transaction", "Nets declined the card")[..] else {
        panic!("expected one line")
    };
    assert_eq!((&code["source"], &code["code"]), (&json!("Issuer"), &json!("14")));
    let audited = |function: &str| -> Vec<Value> {
        let summary = |line: &Value| {
            assert_eq!(
                (&line["client"], &line["currency"]),
                (&json!("partner-demo"), &json!("NOK"))
            );
            assert_eq!(line["recurring_payment_id"], card);
            json!([line["before"], line["after"], line["reason"], line["amount"]])
        };
        api.log_lines(function, "audit").iter().map(summary).collect()
    };
    let amounts = ["100.00", "1.14"];
    assert_eq!(
        audited("create-payment"),
        amounts.map(|amount| json!(["NONE", "CREATED", "REQUEST", amount]))
    );
    assert_eq!(
        audited("create-payment-terminal"),
        amounts.map(|amount| json!(["CREATED", "INITIATED", "TERMINAL", amount]))
    );
    assert_eq!(
        audited("capture-transaction"),
        [
            json!(["INITIATED", "CAPTURED", "NETS", "100.00"]),
            json!(["INITIATED", "REJECTED", "DECLINED", "1.14"]),
        ]
    );
    // The log may name the ids and the amount of a payment, but not its card.
    let text = api.local.lambda().lines().iter().map(|line| line.line.clone()).collect::<String>();
    assert!(!text.contains("\"0004\"") && !text.contains("panHash"));
}

/// Credits are counted with their sums, also one that Nets made before, and an auto sale is counted in the run that captures it. Each
/// change is audited.
#[tokio::test]
async fn credits_and_auto_sales_write_their_metrics() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_captured("credited", &card, "100.00").await;
    assert_eq!(api.credit(charge, Some("30.00")).await.status, StatusCode::OK);
    api.credit_at_nets(charge, 1_000).await;
    assert_eq!(api.credit(charge, None).await.status, StatusCode::OK);
    assert_eq!(api.credit(charge, None).await.status, StatusCode::OK);
    let lines = api.log_lines("credit-transaction", "request completed");
    let counted = |line: &Value| {
        let names = ["PspCalls", "DynamodbRequests", "Credits", "CreditedMinorUnits"];
        json!(names.map(|name| line[name].clone()))
    };
    assert_eq!(
        lines.iter().map(counted).collect::<Vec<_>>(),
        [json!([2, 3, 1, 3_000]), json!([2, 3, 2, 7_000]), json!([null, 1, null, null])]
    );
    assert!(metrics(&lines[0]).is_superset(&names(&["Credits", "CreditedMinorUnits"])));
    let route = "PUT /v1/payments/{paymentId}/transactions/{transactionId}/credit";
    assert!(lines.iter().all(|line| line["route"] == route && line["transaction_id"].is_u64()));
    let audited: Vec<Value> = api
        .log_lines("credit-transaction", "audit")
        .iter()
        .map(|line| json!([line["before"], line["after"], line["amount"], line["credited"]]))
        .collect();
    assert_eq!(
        audited,
        [
            json!(["CAPTURED", "CAPTURED", "100.00", "30.00"]),
            json!(["CAPTURED", "CAPTURED", "100.00", "40.00"]),
            json!(["CAPTURED", "CREDITED", "100.00", "100.00"]),
        ]
    );

    api.buy_auto_sale("sold", &card, "50.00").await;
    api.advance_clock("PT1M1S").await;
    api.run_schedule("settle-payments").await;
    let ran = api.log_lines("settle-payments", "run completed").pop().unwrap();
    for (name, value) in
        [("Due", 1), ("Changed", 1), ("Captures", 1), ("CapturedMinorUnits", 5_000)]
    {
        assert_eq!(ran[name], value, "{name} in {ran}");
    }
    let [sold] = &api.log_lines("settle-payments", "audit")[..] else {
        panic!("expected one line")
    };
    let shown = (&sold["before"], &sold["after"], &sold["amount"], &sold["client"]);
    assert_eq!(shown, (&json!("INITIATED"), &json!("CAPTURED"), &json!("50.00"), &json!("")));
}

/// An authorization that is not captured in time is counted when the schedule annuls it.
#[tokio::test]
async fn the_end_of_a_hold_is_counted() {
    let mut api = TestApi::new().await;
    // Nets cannot capture this card.
    let card = api.create_agreed("4711", "4925000000000079").await;
    let charge = api.buy("held", &card, "100.00").await;
    let uri = api.open_page(charge).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::SERVICE_UNAVAILABLE);
    api.advance_clock("PT24H1M").await;
    api.run_schedule("settle-payments").await;
    let [ran] = &api.log_lines("settle-payments", "run completed")[..] else {
        panic!("expected one line")
    };
    for (name, value) in
        [("Due", 1), ("Changed", 1), ("HoldsEnded", 1), ("AuthorizationsAnnulled", 1)]
    {
        assert_eq!(ran[name], value, "{name} in {ran}");
    }
    assert!(metrics(ran).is_superset(&names(&["HoldsEnded", "AuthorizationsAnnulled"])), "{ran}");
}
