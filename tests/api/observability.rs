//! Log lines, metrics and audit lines: one log line for each request or run, of which `CloudWatch` makes the metrics, and an audit
//! line for each change.

mod alarms;
mod line_sizes;

use std::collections::BTreeSet;

use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::payments::SETTLE;
use crate::template::metric_filters::metrics_of;
use crate::{PAYMENTS, TestApi, VISA};

/// The names of the metrics that `CloudWatch` makes of a log line, with the metric filters of the template.
pub(crate) fn metrics(line: &Value) -> BTreeSet<String> {
    metrics_of(line).into_keys().collect()
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

    let [created] = &api.log_lines("create-recurring-payment", "request")[..] else {
        panic!("expected one line")
    };
    let always = ["Requests", "Latency", "RequestLatency", "ReadUnits"];
    let writes = &names(&always) | &names(&["WriteUnits"]);
    assert_eq!(metrics(created), &writes | &names(&["ColdStarts"]));
    let expected = [
        ("message", json!("request")),
        ("operation", json!("create-recurring-payment")),
        ("status", json!(201)),
        ("organisation", json!(1)),
        ("client", json!("partner-demo")),
        ("client_name", json!("tests-api")),
        ("recurring_payment_id", id.clone()),
        ("read_units", json!(1)),
        ("write_units", json!(2)),
        ("cold_start", json!(1)),
    ];
    for (name, value) in &expected {
        assert_eq!(&created[name], value, "{name} in {created}");
    }
    let fields: BTreeSet<_> = created.as_object().unwrap().keys().cloned().collect();
    let expected = expected.iter().map(|(name, _)| *name).chain(["correlation_id", "latency_ms"]);
    assert_eq!(fields, expected.map(str::to_owned).collect(), "nothing else, and no zeros");
    assert!(created["latency_ms"].is_u64(), "{created}");
    assert!(!created["correlation_id"].as_str().unwrap_or_default().is_empty());
    for personal in ["4711", "Hemmelig"] {
        let text = created.to_string().replace(&id.to_string(), "");
        assert!(!text.contains(&format!("\"{personal}")), "{personal} in {text}");
    }

    let [authorized] = &api.log_lines("authorize-recurring-payment", "request")[..] else {
        panic!("expected one line")
    };
    let nets = names(&["PspCalls", "PspLatency", "NotificationsDelivered", "NotificationAge"]);
    assert!(metrics(authorized).is_superset(&(&writes | &nets)), "{authorized}");
    assert_eq!((&authorized["psp_calls"], authorized.get("psp_unclear")), (&json!(3), None));
    assert_eq!(authorized["notifications_delivered"], 1);
    assert_eq!(metrics_of(authorized)["PspCalls"].to_bits(), 3_f64.to_bits());

    let checked = api.log_lines("authorizer", "token");
    assert_eq!(metrics(&checked[0]), names(&["Requests", "Latency", "ColdStarts"]));
    assert_eq!(
        (&checked[0]["tenant"], &checked[0]["organisation"], &checked[0]["client"]),
        (&json!("partner"), &json!(1), &json!("partner-demo"))
    );
}

/// Lambda passes on the header of a trace. The id is logged only if the trace is recorded somewhere.
#[tokio::test]
async fn the_trace_id_of_a_sampled_trace_is_logged() {
    let api = TestApi::new().await;
    let event = json!({ "time": "2026-11-27T08:00:00Z" }).to_string().into_bytes();
    for sampled in ["0", "1"] {
        let trace = format!("Root=1-00000000-00000000000000000000000{sampled};Sampled={sampled}");
        api.local.lambda().invoke_traced(SETTLE, &trace, event.clone()).await.unwrap();
    }
    let lines = api.log_lines(SETTLE, "run");
    let ids: Vec<_> = lines.iter().map(|line| line["trace_id"].as_str()).collect();
    assert_eq!(ids, [None, Some("1-00000000-000000000000000000000001")]);
    // A run without work has no numbers except its cost.
    assert_eq!(metrics(&lines[1]), names(&["ReadUnits"]), "{}", lines[1]);
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

    let lines = api.log_lines("authorize-recurring-payment", "request");
    assert_eq!((&lines[0]["level"], &lines[0]["status"]), (&json!("ERROR"), &json!(503)));
    assert_eq!(lines[0]["psp_unclear"], 1);
    assert!(metrics(&lines[0]).is_superset(&names(&["Requests", "ServerErrors", "PspUnclear"])));
    assert!(lines[0]["error"].as_str().unwrap().starts_with("Netaxept is not available: "));
    assert_eq!((&lines[1]["status"], &lines[1]["dynamodb_retries"]), (&json!(200), &json!(1)));
    assert_eq!(lines[1].get("level"), None, "{}", lines[1]);
    let retried = metrics(&lines[1]);
    assert!(retried.contains("DynamodbRetries") && !retried.contains("ServerErrors"));
}

#[tokio::test]
async fn a_run_of_a_schedule_writes_one_line_with_its_metrics() {
    let mut api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.open_terminal(&id).await;
    // One second more, because the time of a schedule's event is in whole seconds.
    api.advance_clock("PT24H16M1S").await;
    api.run_schedule("expire-recurring-payments").await;
    let [ran] = &api.log_lines("expire-recurring-payments", "run")[..] else {
        panic!("expected one line")
    };
    let expected = [
        "Due",
        "Changed",
        "OldestDueAge",
        "NotificationsDelivered",
        "NotificationAge",
        "ColdStarts",
        "ReadUnits",
        "WriteUnits",
    ];
    assert_eq!(metrics(ran), names(&expected));
    assert_eq!((&ran["due"], &ran["changed"]), (&json!(1), &json!(1)));
    assert!((60..120).contains(&ran["oldest_due_seconds"].as_u64().unwrap()), "{ran}");
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
    let [captured, declined] = &api.log_lines("capture-transaction", "request")[..] else {
        panic!("expected two lines")
    };
    let created = api.log_lines("create-payment", "request");
    for name in ["payment_id", "transaction_id"] {
        assert!(captured[name].is_u64(), "{captured}");
        assert_eq!(captured[name], created[0][name], "{name}");
    }
    for (name, value) in [
        ("status", 200),
        ("authorizations", 1),
        ("captures", 1),
        ("captured_minor", 10_000),
        ("psp_calls", 2),
        ("read_units", 2),
        ("write_units", 3),
    ] {
        assert_eq!(captured[name], value, "{name} in {captured}");
    }
    let of_capture = names(&["Authorizations", "Captures", "CapturedMinorUnits"]);
    assert!(metrics(captured).is_superset(&of_capture), "{captured}");
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
    let lines = api.log_lines("credit-transaction", "request");
    let counted = |line: &Value| {
        let names = ["psp_calls", "read_units", "credits", "credited_minor"];
        json!(names.map(|name| line[name].clone()))
    };
    assert_eq!(
        lines.iter().map(counted).collect::<Vec<_>>(),
        [json!([2, 1, 1, 3_000]), json!([2, 1, 2, 7_000]), json!([null, 1, null, null])]
    );
    assert!(metrics(&lines[0]).is_superset(&names(&["Credits", "CreditedMinorUnits"])));
    assert!(lines.iter().all(|line| line["transaction_id"].is_u64()));
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
    let ran = api.log_lines("settle-payments", "run").pop().unwrap();
    for (name, value) in [("due", 1), ("changed", 1), ("captures", 1), ("captured_minor", 5_000)] {
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
    let [ran] = &api.log_lines("settle-payments", "run")[..] else { panic!("expected one line") };
    for (name, value) in
        [("due", 1), ("changed", 1), ("holds_ended", 1), ("authorizations_annulled", 1)]
    {
        assert_eq!(ran[name], value, "{name} in {ran}");
    }
    assert!(metrics(ran).is_superset(&names(&["HoldsEnded", "AuthorizationsAnnulled"])), "{ran}");
}
