//! `DELETE /v1/customers/{customerNumber}/recurring-payments`: the remaining data, other customers, concurrent and late requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use local::inbox::Answer;
use local::netaxept::{CALLBACK_SECRET, FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi, VISA, operations_with_id};

/// The attributes of an erased wallet: those that ids and writes need.
const REMAINING_ATTRIBUTES: [&str; 9] = [
    "choices",
    "lastSequence",
    "organisation",
    "owner",
    "payments",
    "schema",
    "slot",
    "version",
    "writes",
];

impl TestApi {
    pub(super) async fn erase(&self, customer: &str) -> Response {
        let token = self.token("internal-demo", json!({})).await;
        self.call_as(&token, "DELETE", &erasure_path(customer), None).await
    }

    /// Erases a customer, and checks the response.
    async fn erase_successfully(&self, customer: &str) {
        let response = self.erase(customer).await;
        assert_eq!((response.status, response.text.as_str()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(response.header("content-type"), "");
        assert_ne!(response.header("x-correlation-id"), "");
    }

    /// Returns the only item of the table.
    pub(super) async fn only_item(&self) -> Value {
        let scan = json!({ "TableName": "Wallets" });
        let table = self.local.dynamodb().call("Scan", &scan).await.unwrap();
        let [item] = &table["Items"].as_array().unwrap()[..] else { panic!("{table}") };
        item.clone()
    }

    /// Asserts that the table has one item, without recurring payments and choices.
    async fn assert_wallet_is_empty(&self) {
        let item = self.only_item().await;
        let names: BTreeSet<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, REMAINING_ATTRIBUTES.into());
        assert_eq!(
            (&item["payments"], &item["choices"]),
            (&json!({ "L": [] }), &json!({ "L": [] }))
        );
    }

    /// Returns the database operations of a call.
    async fn operations_of(&self, call: impl Future<Output = ()>) -> Vec<String> {
        self.local.dynamodb().clear_requests();
        call.await;
        self.local.dynamodb().requests().into_iter().map(|request| request.operation).collect()
    }
}

fn erasure_path(customer: &str) -> String {
    format!("/v1/customers/{customer}/recurring-payments")
}

/// Collects all strings of a value, without member names.
fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(members) => members.values().flat_map(strings).collect(),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::String(text) => [text.clone()].into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

/// Creates all kinds of data for a customer: a chosen ACTIVE recurring payment, an ended one, an open terminal, an undelivered
/// notification, and idempotency records. Returns the ids.
async fn create_all_kinds_of_data(api: &TestApi) -> Vec<Value> {
    api.local.inbox().answer_with(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR), 1);
    let bearer = format!("Bearer {}", api.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "the-same"),
        ("et-client-name", "tests-api"),
    ];
    let body = r#"{"customerNumber":"4711","nickname":"Reisekort","isPrimary":true}"#;
    let chosen = api.send("POST", PAYMENTS, &headers, Some(body)).await;
    let chosen = chosen.json()["recurringPaymentId"].clone();
    let uri = api.open_terminal(&chosen).await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_eq!(api.authorize(&chosen).await.status, StatusCode::OK);
    let ended = api.create_active("4711").await;
    api.call("DELETE", &format!("{PAYMENTS}/{ended}"), None).await;
    let open = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    api.open_terminal(&open).await;
    vec![chosen, ended, open]
}

#[tokio::test]
async fn all_data_is_erased_at_once() {
    let mut api = TestApi::new().await;
    let ids = create_all_kinds_of_data(&api).await;
    let before = api.only_item().await;
    for name in ["history", "notifications", "opened", "expiryAt", "taskAt"] {
        assert!(before[name].is_object(), "{name}");
    }
    let stored = ["payments", "notifications"].map(|name| strings(&before[name]));
    let stored: Vec<_> = stored.into_iter().flatten().filter(|text| text.len() >= 4).collect();
    for text in ["Reisekort", "0004", &format!("{}/inbox", api.local.addresses().console)] {
        assert!(stored.iter().any(|other| other.starts_with(text)), "{text} in {stored:?}");
    }
    assert_eq!(api.operations_of(api.erase_successfully("4711")).await, ["GetItem", "PutItem"]);
    api.assert_wallet_is_empty().await;
    let remaining = strings(&api.only_item().await);
    assert!(stored.iter().all(|text| !remaining.contains(text)), "{remaining:?}");

    for id in &ids {
        let url = json!({ "redirectUrl": "https://shop.example", "nickname": "x" });
        for (method, tail, body) in operations_with_id(&url) {
            let response = api.call(method, &format!("{PAYMENTS}/{id}{tail}"), body).await;
            assert_eq!(response.problem(), (404, "not-found".to_owned()), "{method} {tail}");
        }
    }
    let all = format!("{PAYMENTS}?customerNumber=4711&includeExpired=true");
    assert_eq!(api.call("GET", &all, None).await.json(), json!([]));
    assert_eq!(api.operations_of(api.erase_successfully("4711")).await, ["GetItem"], "again");

    // The undelivered notification is not sent, and the terminal session is not reconciled.
    let delivered = api.local.inbox().received().len();
    api.advance_and_run_schedules("PT73H").await;
    assert_eq!(api.local.inbox().received().len(), delivered);
    api.assert_wallet_is_empty().await;

    let created = api.create("4711", json!({})).await;
    assert_eq!((&created["primary"], created.get("nickname")), (&json!(true), None));
    let newest = ids.iter().filter_map(Value::as_u64).max();
    assert_eq!(created["recurringPaymentId"].as_u64(), newest.map(|id| id + 1));
}

#[tokio::test]
async fn erasing_a_single_card_removes_its_pan_hash() {
    let api = TestApi::new().await;
    api.create_active("4711").await;
    let item = api.only_item().await;
    let pan_hash = strings(&item["payments"]["L"][0]["M"]["state"]["M"]["active"]["M"]["panHash"]);
    assert_eq!(pan_hash.len(), 1);
    api.erase_successfully("4711").await;
    api.assert_wallet_is_empty().await;
}

#[tokio::test]
async fn erasing_an_unknown_customer_writes_nothing() {
    let api = TestApi::new().await;
    for _ in 0..2 {
        assert_eq!(api.operations_of(api.erase_successfully("4711")).await, ["GetItem"]);
    }
    let scan = json!({ "TableName": "Wallets" });
    let table = api.local.dynamodb().call("Scan", &scan).await.unwrap();
    assert_eq!(table["Items"], json!([]));
}

#[tokio::test]
async fn other_customers_and_organisations_are_not_affected() {
    let api = TestApi::new().await;
    let other = api.token("partner-other", json!({})).await;
    let body = json!({ "customerNumber": "4711" });
    let other_payment = api.call_as(&other, "POST", PAYMENTS, Some(&body)).await.json();
    for customer in ["4711", "4712", "471"] {
        api.create(customer, json!({})).await;
    }
    api.erase_successfully("4711").await;
    let counts = [api.list("4711").await, api.list("4712").await, api.list("471").await];
    assert_eq!(counts.map(|list| list.len()), [0, 1, 1]);
    let path = format!("{PAYMENTS}/{}", other_payment["recurringPaymentId"]);
    assert_eq!(api.call_as(&other, "GET", &path, None).await.status, StatusCode::OK);
}

/// The path is decoded. An invalid customer number is rejected, and neither the response nor the log repeats it. The numbers have
/// letters that do not occur in random ids.
#[tokio::test]
async fn an_invalid_customer_number_is_rejected_and_not_repeated() {
    let api = TestApi::new().await;
    let long = "Q".repeat(65);
    for (invalid, code) in [
        ("Nordmann%20", "characters"),
        ("Nord%3Bmann", "characters"),
        ("Nord%2Fmann", "characters"),
        ("%C3%B8Nordmann", "characters"),
        ("Nordmann,Nordkvinne", "characters"),
        (&long, "too-long"),
    ] {
        let response = api.erase(invalid).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{invalid}");
        let body = response.json();
        assert_eq!(
            (&body["errors"][0]["field"], &body["errors"][0]["code"]),
            (&json!("customerNumber"), &json!(code)),
            "{invalid}"
        );
        assert_eq!(body["instance"], erasure_path("{customerNumber}"));
        assert!(!response.text.contains("Nord") && !response.text.contains(&long));
    }
    assert_eq!(api.operations_of(async { drop(api.erase("a%20b").await) }).await, [""; 0]);
    api.create("Nordmann-x", json!({})).await;
    api.erase_successfully("Nordmann%2D%78").await;
    assert_eq!(api.list("Nordmann-x").await, Vec::<Value>::new());
    let lines = api.local.lambda().lines();
    let lines: Vec<_> = lines.iter().filter(|line| line.function == "erase-customer").collect();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| !line.line.contains("Nord") && !line.line.contains(&long)));
}

/// The customer enters a card at a terminal that was open: neither client, callback nor schedule stores it.
#[tokio::test]
async fn a_terminal_completed_after_the_erasure_stores_nothing() {
    let mut api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.erase_successfully("4711").await;
    api.submit_card(&uri, VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.problem(), (404, "not-found".to_owned()));
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let body = json!({ "TransactionId": transaction }).to_string();
    let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let called = api.send("POST", &path, &[("content-type", "application/json")], Some(&body));
    assert_eq!(called.await.status, StatusCode::OK);
    api.advance_and_run_schedules("PT1M").await;
    api.advance_and_run_schedules("PT48H").await;
    api.assert_wallet_is_empty().await;
    assert_eq!(api.received_event_types(), Vec::<String>::new());
    let transactions = api.local.netaxept().transactions();
    assert_eq!(transactions[0]["transaction"]["done"], json!({}), "the card was not verified");
}

/// The customer is erased during the call to Nets: the result is not written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_during_authorize_wins() {
    let mut api = TestApi::new().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = api.open_terminal(&id).await;
    api.submit_card(&uri, VISA, "okButton").await;
    // The planned reconciliation is due, so that an unclear response would plan the next one with a write.
    api.advance_clock("PT2M").await;
    let api = Arc::new(api);
    api.local.netaxept().inject_fault(Operation::Process, FaultKind::Delay, 1);
    let authorized = tokio::spawn({
        let api = api.clone();
        async move { api.authorize(&id).await }
    });
    api.local.netaxept().wait_for_fault().await;
    api.erase_successfully("4711").await;
    assert_eq!(authorized.await.unwrap().problem(), (404, "not-found".to_owned()));
    api.assert_wallet_is_empty().await;
    assert_eq!(api.received_event_types(), Vec::<String>::new());
}

/// In either order of the writes, the wallet is empty at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_erase_and_authorize_leave_nothing() {
    let api = TestApi::new().await;
    for _ in 0..8 {
        let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
        api.use_terminal(&id, VISA, "okButton").await;
        let (authorized, erased) = tokio::join!(api.authorize(&id), api.erase("4711"));
        assert_eq!(erased.status, StatusCode::NO_CONTENT, "{erased:?}");
        if authorized.status != StatusCode::OK {
            assert_eq!(authorized.problem(), (404, "not-found".to_owned()));
        }
        api.assert_wallet_is_empty().await;
    }
}

/// No id is used twice, and the list contains only created ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_erase_and_create_use_no_id_twice() {
    let api = Arc::new(TestApi::new().await);
    let calls = (0..24).map(|turn| {
        let api = api.clone();
        tokio::spawn(async move {
            if turn % 4 == 3 {
                return api.erase("4711").await;
            }
            api.call("POST", PAYMENTS, Some(&json!({ "customerNumber": "4711" }))).await
        })
    });
    let mut ids = BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        let response = call.await.unwrap();
        match response.status {
            StatusCode::CREATED => {
                let id = response.json()["recurringPaymentId"].as_u64().unwrap();
                assert!(ids.insert(id), "{id} was used twice");
            }
            StatusCode::NO_CONTENT => {}
            _ => assert_eq!(response.problem(), (409, "busy".to_owned())),
        }
    }
    let listed = api.list("4711").await;
    let listed: BTreeSet<_> =
        listed.iter().map(|one| one["recurringPaymentId"].as_u64().unwrap()).collect();
    assert!(listed.is_subset(&ids));
    api.erase_successfully("4711").await;
    api.assert_wallet_is_empty().await;
    let next = api.create("4711", json!({})).await["recurringPaymentId"].as_u64();
    assert!(next > ids.last().copied());
}
