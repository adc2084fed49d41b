//! Checks that `docs/CLIENTS.md` agrees with `openapi.yaml` and the service. `.ci/clients` runs all of its examples.

mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local::binaries::root;
use local::inbox::NOTIFICATION_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::openapi::Document;
use crate::{PAYMENTS, TestApi, VISA};

const PROBLEM: &str = "urn:problem-type:recurring-payments:";

fn page() -> String {
    fs::read_to_string(root().join("docs/CLIENTS.md")).unwrap()
}

/// Returns the cells of the rows of a table whose header row begins with this text.
fn table(page: &str, header: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("\n{header}")).unwrap_or_else(|| panic!("{header}"));
    let rows = rest.lines().skip(2).take_while(|line| line.trim_start().starts_with('|'));
    let cells = |row: &str| row.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// Removes the quotation marks of code.
fn code(cell: &str) -> String {
    let code = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    code.unwrap_or_else(|| panic!("{cell} is not code")).to_owned()
}

/// Returns the texts in quotation marks of code.
fn codes(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the types of problems with their status.
fn problem_types(document: &Document) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for (_, _, operation) in document.operations("paths") {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema =
                &document.resolve(response)["content"]["application/problem+json"]["schema"];
            let kinds = schema["allOf"][1]["properties"]["type"]["enum"].as_array();
            for kind in kinds.into_iter().flatten() {
                let kind = kind.as_str().unwrap().strip_prefix(PROBLEM).unwrap();
                types.insert(kind.to_owned(), status.clone());
            }
        }
    }
    types
}

#[test]
fn the_page_lists_every_problem_type_with_its_status() {
    let rows = table(&page(), "| type | status | meaning | what to do |");
    let listed: BTreeMap<_, _> = rows.iter().map(|row| (code(&row[0]), row[1].clone())).collect();
    assert_eq!(listed.len(), rows.len(), "a type is listed twice");
    assert_eq!(listed, problem_types(&Document::read()));
}

/// Each row names what the client can do, with the words that the page defines.
#[test]
fn the_page_says_what_to_do_about_every_problem_type() {
    let page = page();
    let (_, section) = page.split_once("### All problem types").unwrap();
    let defined: BTreeSet<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**: ").map(|(word, _)| word))
        .collect();
    assert_eq!(defined.len(), 7, "{defined:?}");
    let mut used = BTreeSet::new();
    for row in table(&page, "| type | status | meaning | what to do |") {
        let words: BTreeSet<_> = row[3].split("**").skip(1).step_by(2).collect();
        assert!(words.is_subset(&defined), "{row:?}");
        assert!(!words.is_empty(), "{row:?}");
        assert!(row[1] != "503" || words.contains("Repeat"), "{row:?}");
        used.extend(words.into_iter().map(str::to_owned));
    }
    assert_eq!(used, defined.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_page_names_retry_after_for_the_types_that_have_it() {
    let document = Document::read();
    let header = &document.0["components"]["headers"]["RetryAfter"]["description"];
    let rows = table(&page(), "| type | status | meaning | what to do |");
    let named = rows.iter().filter(|row| row[3].contains("`Retry-After`"));
    let named: BTreeSet<_> = named.map(|row| code(&row[0])).collect();
    assert_eq!(named, codes(header.as_str().unwrap()));
}

#[test]
fn the_page_lists_every_notification_status_reason_and_permission() {
    let (page, document) = (page(), Document::read());
    let first_cells = |header| -> BTreeSet<String> {
        table(&page, header).iter().map(|row| code(&row[0])).collect()
    };
    let schemas = &document.0["components"]["schemas"];
    let values = |schema: &str| schemas.pointer(schema).unwrap().as_array().unwrap();
    let texts = |values: &[Value]| -> BTreeSet<String> {
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let schemas_of_notifications =
        ["Notification", "CardNotification", "PrimaryChangeNotification", "PaymentNotification"];
    let types = schemas_of_notifications
        .iter()
        .flat_map(|schema| texts(values(&format!("/{schema}/properties/type/enum"))));
    let types: BTreeSet<_> = types.collect();
    assert_eq!(first_cells("| `type` | when | what to do |"), types);
    let reasons = texts(values("/TransactionStatusReason/enum"));
    assert_eq!(first_cells("| `statusReason` | status | what happened |"), reasons);
    let permissions = document.operations("paths").into_iter();
    let permissions = permissions.filter_map(|(_, _, one)| one["x-permission"].as_str());
    assert_eq!(
        first_cells("  | permission | operations |"),
        permissions.map(str::to_owned).collect()
    );
}

#[test]
fn the_receiver_in_rust_is_that_of_the_page() {
    let block = format!("\n```rust receiver.rs\n{}```\n", include_str!("clients/receiver.rs"));
    assert!(page().contains(&block), "{block}");
}

/// Starts the receiver of the page. Returns its address, and the notifications that it accepts.
async fn start_receiver() -> (String, UnboundedReceiver<Value>) {
    let (sender, notifications) = unbounded_channel();
    let router = receiver::router(NOTIFICATION_SECRET, sender).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/webhooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, notifications)
}

/// The service delivers a notification once, so the receiver has answered 202.
#[tokio::test]
async fn the_receiver_in_rust_accepts_a_notification_of_the_service() {
    let mut api = TestApi::new().await;
    let (address, mut notifications) = start_receiver().await;
    let id = api.create("4711", json!({})).await["recurringPaymentId"].clone();
    let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": address });
    let terminal = api.call("POST", &format!("{PAYMENTS}/{id}/terminal"), Some(&body)).await;
    api.submit_card(terminal.json()["terminalUri"].as_str().unwrap(), VISA, "okButton").await;
    assert_eq!(api.authorize(&id).await.status, StatusCode::OK);
    let notification = notifications.try_recv().unwrap();
    assert_eq!(
        (&notification["type"], &notification["recurringPaymentId"]),
        (&json!("recurring-payment.activated"), &id)
    );
    api.advance_and_run_schedules("PT1M").await;
    assert!(notifications.try_recv().is_err(), "the notification was sent again");
}

#[tokio::test]
async fn the_receiver_in_rust_refuses_what_the_service_has_not_signed() {
    let (address, mut notifications) = start_receiver().await;
    let http = local::http_client().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
    let body = r#"{"id":"1-activated-1"}"#;
    let send = async |secret: &str, at: i64, sent: &str| {
        let signature = Webhook::new(secret).unwrap().sign("1-activated-1", at, body.as_bytes());
        let request = http.post(&address).header("webhook-id", "1-activated-1");
        let request = request.header("webhook-timestamp", at);
        let request = request.header("webhook-signature", signature.unwrap());
        request.body(sent.to_owned()).send().await.unwrap().status()
    };
    for (secret, at, sent) in [
        (NOTIFICATION_SECRET, now, r#"{"id":"2-activated-1"}"#),
        (NOTIFICATION_SECRET, now - 400, body),
        (NOTIFICATION_SECRET, now + 400, body),
        ("whsec_YW5vdGhlciBzZWNyZXQ=", now, body),
    ] {
        assert_eq!(send(secret, at, sent).await, StatusCode::BAD_REQUEST, "{at} {sent}");
    }
    assert_eq!(http.post(&address).body(body).send().await.unwrap().status(), 400);
    assert!(notifications.try_recv().is_err());
    assert_eq!(send(NOTIFICATION_SECRET, now, body).await, StatusCode::ACCEPTED);
    assert_eq!(notifications.try_recv().unwrap()["id"], "1-activated-1");
}
