//! `DELETE /v1/customers/{customerNumber}/recurring-payments`: what is left, who is not hit, and what comes too late.

use std::collections::BTreeSet;
use std::sync::Arc;

use local::inbox::Answer as Hearing;
use local::netaxept::{CALLBACK_SECRET, Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, PAYMENTS, VISA, World, with_an_id};

/// All that an erased wallet has: what ids need, and what a write needs.
const LEFT: [&str; 9] = [
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

impl World {
    pub(super) async fn erase(&self, customer: &str) -> Answer {
        let token = self.token("internal-demo", json!({})).await;
        self.call_as(&token, "DELETE", &of(customer), None).await
    }

    async fn is_erased(&self, customer: &str) {
        let answer = self.erase(customer).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.header("content-type"), "");
        assert_ne!(answer.header("x-correlation-id"), "");
    }

    /// The table, which has one wallet.
    async fn item(&self) -> Value {
        let scan = json!({ "TableName": "Wallets" });
        let table = self.local.dynamodb().call("Scan", &scan).await.unwrap();
        let [item] = &table["Items"].as_array().unwrap()[..] else { panic!("{table}") };
        item.clone()
    }

    /// There is an item, and nothing in it.
    async fn nothing_is_left(&self) {
        let item = self.item().await;
        let names: BTreeSet<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, LEFT.into());
        assert_eq!(
            (&item["payments"], &item["choices"]),
            (&json!({ "L": [] }), &json!({ "L": [] }))
        );
    }

    async fn asked_for(&self, call: impl Future<Output = ()>) -> Vec<String> {
        self.local.dynamodb().forget_requests();
        call.await;
        self.local.dynamodb().requests().into_iter().map(|request| request.operation).collect()
    }
}

fn of(customer: &str) -> String {
    format!("/v1/customers/{customer}/recurring-payments")
}

/// Each text in a value, but names.
fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => [text.clone()].into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

/// A customer with one of everything: an ACTIVE one that is chosen, one that was ended, an open terminal, something that
/// waits to be told, and keys.
async fn with_everything(world: &World) -> Vec<Value> {
    world.local.inbox().answer_with(Hearing::Status(StatusCode::INTERNAL_SERVER_ERROR), 1);
    let bearer = format!("Bearer {}", world.partner);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "the-same"),
        ("et-client-name", "tests-api"),
    ];
    let body = r#"{"customerNumber":"4711","nickname":"Reisekort","isPrimary":true}"#;
    let chosen = world.send("POST", PAYMENTS, &headers, Some(body)).await;
    let chosen = chosen.json()["recurringPaymentId"].clone();
    let uri = world.terminal(&chosen).await;
    world.press(&uri, VISA, "okButton").await;
    assert_eq!(world.authorize(&chosen).await.status, StatusCode::OK);
    let ended = world.active("4711").await;
    world.call("DELETE", &format!("{PAYMENTS}/{ended}"), None).await;
    let open = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    world.terminal(&open).await;
    vec![chosen, ended, open]
}

#[tokio::test]
async fn everything_is_destroyed_at_once() {
    let mut world = World::new().await;
    let ids = with_everything(&world).await;
    let before = world.item().await;
    for name in ["notifications", "opened", "expiryAt", "choreAt"] {
        assert!(before[name].is_object(), "{name}");
    }
    let there = ["payments", "notifications"].map(|name| texts(&before[name]));
    let there: Vec<_> = there.into_iter().flatten().filter(|text| text.len() >= 4).collect();
    for text in ["Reisekort", "0004", &format!("{}/inbox", world.local.addresses().console)] {
        assert!(there.iter().any(|other| other.starts_with(text)), "{text} in {there:?}");
    }
    assert_eq!(world.asked_for(world.is_erased("4711")).await, ["GetItem", "PutItem"]);
    world.nothing_is_left().await;
    let left = texts(&world.item().await);
    assert!(there.iter().all(|text| !left.contains(text)), "{left:?}");

    for id in &ids {
        let url = json!({ "redirectUrl": "https://shop.example", "nickname": "x" });
        for (method, tail, body) in with_an_id(&url) {
            let answer = world.call(method, &format!("{PAYMENTS}/{id}{tail}"), body).await;
            assert_eq!(answer.problem(), (404, "not-found".to_owned()), "{method} {tail}");
        }
    }
    let all = format!("{PAYMENTS}?customerNumber=4711&includeExpired=true");
    assert_eq!(world.call("GET", &all, None).await.json(), json!([]));
    assert_eq!(world.asked_for(world.is_erased("4711")).await, ["GetItem"], "again");

    // What waited to be told is not told, and nothing is looked at.
    let told = world.local.inbox().received().len();
    world.pass("PT73H").await;
    assert_eq!(world.local.inbox().received().len(), told);
    world.nothing_is_left().await;

    let anew = world.create("4711", json!({})).await;
    assert_eq!((&anew["primary"], anew.get("nickname")), (&json!(true), None));
    let newest = ids.iter().filter_map(Value::as_u64).max();
    assert_eq!(anew["recurringPaymentId"].as_u64(), newest.map(|id| id + 1));
}

#[tokio::test]
async fn a_card_alone_in_its_wallet_goes_with_its_pan_hash() {
    let world = World::new().await;
    world.active("4711").await;
    let item = world.item().await;
    let pan_hash = texts(&item["payments"]["L"][0]["M"]["state"]["M"]["active"]["M"]["panHash"]);
    assert_eq!(pan_hash.len(), 1);
    world.is_erased("4711").await;
    world.nothing_is_left().await;
}

#[tokio::test]
async fn a_customer_who_was_never_seen_leaves_no_trace() {
    let world = World::new().await;
    for _ in 0..2 {
        assert_eq!(world.asked_for(world.is_erased("4711")).await, ["GetItem"]);
    }
    let scan = json!({ "TableName": "Wallets" });
    let table = world.local.dynamodb().call("Scan", &scan).await.unwrap();
    assert_eq!(table["Items"], json!([]));
}

#[tokio::test]
async fn nobody_else_is_hit() {
    let world = World::new().await;
    let other = world.token("partner-other", json!({})).await;
    let body = json!({ "customerNumber": "4711" });
    let there = world.call_as(&other, "POST", PAYMENTS, Some(&body)).await.json();
    for customer in ["4711", "4712", "471"] {
        world.create(customer, json!({})).await;
    }
    world.is_erased("4711").await;
    let counts = [world.list("4711").await, world.list("4712").await, world.list("471").await];
    assert_eq!(counts.map(|list| list.len()), [0, 1, 1]);
    let path = format!("{PAYMENTS}/{}", there["recurringPaymentId"]);
    assert_eq!(world.call_as(&other, "GET", &path, None).await.status, StatusCode::OK);
}

/// The path is decoded; what is no customer number is refused, and neither answer nor log repeats it. The numbers have letters
/// that occur in no random id.
#[tokio::test]
async fn a_customer_number_has_its_one_rule() {
    let world = World::new().await;
    let long = "Q".repeat(65);
    for (wrong, code) in [
        ("Nordmann%20", "characters"),
        ("Nord%3Bmann", "characters"),
        ("Nord%2Fmann", "characters"),
        ("%C3%B8Nordmann", "characters"),
        ("Nordmann,Nordkvinne", "characters"),
        (&long, "too-long"),
    ] {
        let answer = world.erase(wrong).await;
        assert_eq!(answer.problem(), (400, "invalid-request".to_owned()), "{wrong}");
        let body = answer.json();
        assert_eq!(
            (&body["errors"][0]["field"], &body["errors"][0]["code"]),
            (&json!("customerNumber"), &json!(code)),
            "{wrong}"
        );
        assert_eq!(body["instance"], of("{customerNumber}"));
        assert!(!answer.text.contains("Nord") && !answer.text.contains(&long));
    }
    assert_eq!(world.asked_for(async { drop(world.erase("a%20b").await) }).await, [""; 0]);
    world.create("Nordmann-x", json!({})).await;
    world.is_erased("Nordmann%2D%78").await;
    assert_eq!(world.list("Nordmann-x").await, Vec::<Value>::new());
    let lines = world.local.lambda().lines();
    let lines: Vec<_> = lines.iter().filter(|line| line.function == "erase-customer").collect();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| !line.line.contains("Nord") && !line.line.contains(&long)));
}

/// The customer enters a card at a page that was open: no way leads into the wallet.
#[tokio::test]
async fn a_terminal_that_is_completed_afterwards_brings_nothing() {
    let mut world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.is_erased("4711").await;
    world.press(&uri, VISA, "okButton").await;
    assert_eq!(world.authorize(&id).await.problem(), (404, "not-found".to_owned()));
    let transaction = uri.split("transactionId=").nth(1).unwrap();
    let body = json!({ "TransactionId": transaction }).to_string();
    let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
    let called = world.send("POST", &path, &[("content-type", "application/json")], Some(&body));
    assert_eq!(called.await.status, StatusCode::OK);
    world.pass("PT1M").await;
    world.pass("PT48H").await;
    world.nothing_is_left().await;
    assert_eq!(world.events(), Vec::<String>::new());
    let transactions = world.local.netaxept().transactions();
    assert_eq!(transactions[0]["transaction"]["done"], json!({}), "nothing was verified");
}

/// The customer is erased while Nets is asked: what the look came to is not written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorize_that_waits_for_nets_finds_nothing_any_more() {
    let mut world = World::new().await;
    let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
    let uri = world.terminal(&id).await;
    world.press(&uri, VISA, "okButton").await;
    // Past the planned look, so that an unclear answer has another one written down.
    world.wait("PT2M").await;
    let world = Arc::new(world);
    world.local.netaxept().fail(Operation::Process, Kind::Delay, 1);
    let authorized = tokio::spawn({
        let world = world.clone();
        async move { world.authorize(&id).await }
    });
    world.local.netaxept().met().await;
    world.is_erased("4711").await;
    assert_eq!(authorized.await.unwrap().problem(), (404, "not-found".to_owned()));
    world.nothing_is_left().await;
    assert_eq!(world.events(), Vec::<String>::new());
}

/// Whoever writes second decides on what is there: whichever that is, in the end nothing is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_and_authorizing_at_once() {
    let world = World::new().await;
    for _ in 0..8 {
        let id = world.create("4711", json!({})).await["recurringPaymentId"].clone();
        world.visit(&id, VISA, "okButton").await;
        let (authorized, erased) = tokio::join!(world.authorize(&id), world.erase("4711"));
        assert_eq!(erased.status, StatusCode::NO_CONTENT, "{erased:?}");
        if authorized.status != StatusCode::OK {
            assert_eq!(authorized.problem(), (404, "not-found".to_owned()));
        }
        world.nothing_is_left().await;
    }
}

/// Many create and some erase: no id is given twice, and what was created last is there or gone as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_and_creating_at_once() {
    let world = Arc::new(World::new().await);
    let calls = (0..24).map(|turn| {
        let world = world.clone();
        tokio::spawn(async move {
            if turn % 4 == 3 {
                return world.erase("4711").await;
            }
            world.call("POST", PAYMENTS, Some(&json!({ "customerNumber": "4711" }))).await
        })
    });
    let mut given = BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        match answer.status {
            StatusCode::CREATED => {
                let id = answer.json()["recurringPaymentId"].as_u64().unwrap();
                assert!(given.insert(id), "{id} was given twice");
            }
            StatusCode::NO_CONTENT => {}
            _ => assert_eq!(answer.problem(), (409, "busy".to_owned())),
        }
    }
    let listed = world.list("4711").await;
    let listed: BTreeSet<_> =
        listed.iter().map(|one| one["recurringPaymentId"].as_u64().unwrap()).collect();
    assert!(listed.is_subset(&given));
    world.is_erased("4711").await;
    world.nothing_is_left().await;
    let next = world.create("4711", json!({})).await["recurringPaymentId"].as_u64();
    assert!(next > given.last().copied());
}
