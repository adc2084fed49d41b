//! The pages: links, forms, filters, the stream, and that no secret is on any of them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::console;
use crate::activity::{ApiCall, Event, TableWrite};
use crate::listeners::Listener;
use crate::{ID_KEY, Local, inbox, netaxept};

/// The pages in the menu that the console renders itself.
const PAGES: [&str; 7] =
    ["/", "/customers", "/activity", "/faults", "/function-logs", "/inbox", "/nets"];

async fn get(address: &str, path: &str) -> (StatusCode, String) {
    let request = crate::http_client().unwrap().get(format!("{address}{path}"));
    let answer = request.header("accept", "text/html").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn post(address: &str, path: &str, form: &[(&str, &str)]) -> StatusCode {
    crate::http_client()
        .unwrap()
        .post(format!("{address}{path}"))
        .form(form)
        .send()
        .await
        .unwrap()
        .status()
}

/// Reads a stream of the activity until it has a text.
async fn read_until(address: &str, query: &str, text: &str) -> String {
    let stream = crate::http_client().unwrap().get(format!("{address}/activity/stream?{query}"));
    let mut stream = stream.send().await.unwrap();
    let mut read = String::new();
    while !read.contains(text) {
        read.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    read
}

/// Creates the tables of the service, with one wallet that has an ACTIVE recurring payment, and one captured payment.
async fn fill_tables(local: &Local, pan_hash: &str) {
    let template =
        crate::template::Template::read(&crate::binaries::root().join("template.yaml")).unwrap();
    local.dynamodb().create_tables(&template).await.unwrap();
    let card = json!({ "M": { "type": { "S": "VISA" }, "lastFour": { "S": "0004" }, "expiry": { "S": "2030-12" } } });
    let active =
        json!({ "M": { "active": { "M": { "card": card, "panHash": { "S": pan_hash } } } } });
    let wallet = json!({ "slot": { "N": "7" }, "owner": { "B": "b3duZXI=" }, "organisation": { "N": "1" }, "version": { "N": "1" },
        "payments": { "L": [{ "M": { "sequence": { "N": "3" }, "nickname": { "S": "Kort" }, "state": active } }] } });
    let captured = json!({ "M": { "captured": { "M": { "captured": { "N": "10050" }, "credited": { "N": "50" } } } } });
    let transaction = json!({ "M": { "amount": { "N": "10050" }, "currency": { "S": "NOK" }, "state": captured } });
    let payment = json!({ "payment": { "N": "99" }, "owner": { "B": "b3duZXI=" }, "organisation": { "N": "1" }, "version": { "N": "1" },
        "orderId": { "S": "DW2N19A6" }, "orderVersion": { "N": "1" }, "transactions": { "L": [transaction] } });
    for (table, item) in [("Wallets", wallet), ("Payments", payment)] {
        let request = json!({ "TableName": table, "Item": item });
        local.dynamodb().call("PutItem", &request).await.unwrap();
    }
}

#[tokio::test]
async fn every_link_of_the_menu_and_every_file_of_a_page_works() {
    let (local, address) = console().await;
    fill_tables(&local, "hash").await;
    for page in PAGES {
        let (status, text) = get(&address, page).await;
        assert_eq!(status, 200, "{page}: {text}");
        assert!(text.contains("aria-current=\"page\""), "{page} is not in the menu");
        let links = text.split(['"', ' ']).filter(|word| word.starts_with('/') && word.len() > 1);
        for link in links.filter(|link| {
            ["/schedule", "/activity/stream", "/clock"].iter().all(|other| !link.starts_with(other))
                && !link.contains("/faults/")
        }) {
            let (status, text) = get(&address, &link.replace("&amp;", "&")).await;
            // A repeated request for a page on which nothing has happened.
            assert!(
                status == 200 || status == 204 || status == 303,
                "{link} on {page}: {status} {text}"
            );
        }
    }
    for path in [
        "/clock",
        "/requests",
        "/logs",
        "/netaxept/transactions",
        "/netaxept/faults",
        "/netaxept/late-calls",
        "/netaxept/ledgers",
    ] {
        assert_eq!(get(&address, path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn a_page_is_answered_204_until_something_has_happened() {
    let (local, address) = console().await;
    local.activity().record_console("first".to_owned());
    assert_eq!(get(&address, "/faults?seen=1").await, (StatusCode::NO_CONTENT, String::new()));
    local.activity().record_console("second".to_owned());
    assert_eq!(get(&address, "/faults?seen=1").await.0, 200);
}

#[tokio::test]
async fn customers_have_their_recurring_payments_and_payments() {
    let (local, address) = console().await;
    fill_tables(&local, "hash").await;
    let (_, page) = get(&address, "/customers").await;
    for text in [
        "with hash 6f776e65",
        "organisation 1",
        "/recurring-payments/7171",
        "ACTIVE",
        "VISA •••• 0004, 2030-12",
        "Kort",
        "/payments/99",
        "DW2N19A6, version 1",
        "CAPTURED",
        "100.50 NOK",
        "0.50 NOK",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    local.activity().record_request(&ApiCall {
        method: "GET",
        path: "/v1/recurring-payments?customerNumber=4711",
        function: "list-recurring-payments",
        authorized_customer: None,
        correlation_id: "c-1",
        status: 200,
        milliseconds: 1,
        request: Value::Null,
        response: json!([{ "recurringPaymentId": 7171, "recurringStatus": "ACTIVE" }]),
    });
    assert!(get(&address, "/customers").await.1.contains("Customer 4711"));
    let (status, page) = get(&address, "/recurring-payments/7171").await;
    assert_eq!(status, 200);
    // The request is in its history.
    assert!(page.contains("4711") && page.contains("customerNumber=4711 → 200"), "{page}");
    assert!(get(&address, "/payments/99").await.1.contains("100.50 NOK"));
    for unknown in ["/recurring-payments/7172", "/payments/98"] {
        assert_eq!(get(&address, unknown).await.0, 404, "{unknown}");
    }
}

#[tokio::test]
async fn the_lists_and_the_stream_obey_the_filter() {
    let (local, address) = console().await;
    local.activity().record(Event::log(
        "authorizer",
        "{\"level\":\"ERROR\",\"message\":\"first\",\"correlation_id\":\"c-1\"}",
    ));
    local.activity().record(Event::nets(
        "Netaxept",
        "p1138-0",
        "Process AUTH: OK".to_owned(),
        Value::Null,
    ));
    let (_, all) = get(&address, "/activity").await;
    assert!(all.contains("id=\"e1\"") && all.contains("id=\"e2\""), "{all}");
    for (path, has_first, has_second) in [
        ("/activity?kind=nets", false, true),
        ("/activity?text=c-1", true, false),
        ("/function-logs", true, false),
        ("/function-logs?source=authorizer&level=ERROR", true, false),
        ("/function-logs?level=INFO", false, false),
    ] {
        let (_, page) = get(&address, path).await;
        assert_eq!(
            (page.contains("id=\"e1\""), page.contains("id=\"e2\"")),
            (has_first, has_second),
            "{path}"
        );
    }
    let later = async {
        let waiting = read_until(&address, "after=1&kind=nets&kind=console", "id: 4").await;
        // The missed entry comes first, then the new one. The log line is filtered out.
        assert!(waiting.contains("id: 2") && !waiting.contains("id: 3"), "{waiting}");
        assert!(waiting.contains("event: entry") && waiting.contains("later"), "{waiting}");
    };
    let record = async {
        local.activity().record(Event::log("authorizer", "filtered"));
        local.activity().record_console("later\r".to_owned());
    };
    tokio::join!(later, record);
}

#[tokio::test]
async fn a_button_injects_its_fault_and_another_one_removes_all() {
    let (local, address) = console().await;
    let (_, page) = get(&address, "/faults").await;
    assert!(
        page.contains("No fault is active.") && page.contains("action=\"/netaxept/faults\""),
        "{page}"
    );
    let presets: Vec<&str> =
        page.split("action=\"/faults/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(presets.len() > 10, "{presets:?}");
    for preset in presets {
        assert_eq!(post(&address, &format!("/faults/{preset}"), &[]).await, 303, "{preset}");
        let (_, page) = get(&address, "/faults").await;
        assert!(!page.contains("No fault is active."), "{preset} is not listed");
        assert_eq!(post(&address, "/faults/clear", &[]).await, 303);
        assert!(
            get(&address, "/faults").await.1.contains("No fault is active."),
            "{preset} is not removed"
        );
    }
    post(&address, "/faults/capture-reply-lost", &[]).await;
    let faults: Value = serde_json::from_str(&get(&address, "/netaxept/faults").await.1).unwrap();
    assert_eq!(faults, json!([{ "operation": "CAPTURE", "kind": "drop-reply", "count": 1 }]));
    let form = [("operation", "Query"), ("kind", "stale"), ("count", "2"), ("delaySeconds", "")];
    assert_eq!(post(&address, "/netaxept/faults", &form).await, 303);
    assert_eq!(post(&address, "/faults/unknown", &[]).await, 404);
    post(&address, "/faults/write-reply-lost", &[]).await;
    assert_eq!(local.dynamodb().active_faults().1, 1);
}

const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJl";
const PAN_HASH: &str = "c2VjcmV0IHBhbiBoYXNoIQ==";

/// Pushes secrets through every source of the activity.
async fn push_secrets(local: &Local, address: &str) {
    let path = format!("/v1/netaxept/callback/{}", netaxept::CALLBACK_SECRET);
    local.activity().record_request(&ApiCall {
        method: "POST",
        path: &path,
        function: "receive-netaxept-callback",
        authorized_customer: None,
        correlation_id: "",
        status: 200,
        milliseconds: 1,
        request: json!({ "token": "x", "text": JWT }),
        response: json!({ "panHash": PAN_HASH, "text": inbox::NOTIFICATION_SECRET }),
    });
    let item = json!({ "Item": { "slot": { "N": "7" }, "panHash": { "S": PAN_HASH } } });
    let request = item.to_string();
    local.activity().record(
        Event::write(&TableWrite {
            function: "f",
            operation: "PutItem",
            table: "Wallets",
            request: request.as_bytes(),
            result: "written",
        })
        .unwrap(),
    );
    for secret in [JWT, netaxept::TOKEN, ID_KEY] {
        let json = json!({ "message": secret, "panHash": PAN_HASH });
        for line in [format!("failed with {secret}"), json.to_string()] {
            local.activity().record(Event::log("f", &line));
        }
    }
    local.netaxept().record_in(local.activity().clone());
    let token = netaxept::TOKEN;
    let merchant = netaxept::MERCHANT_ID;
    let query = format!("merchantId={merchant}&token={token}&panHash={PAN_HASH}");
    call_nets(local, &format!("/Netaxept/Register.aspx?{query}")).await;
    local.inbox().record_in(local.activity().clone());
    let body = json!({ "type": JWT, "panHash": PAN_HASH }).to_string();
    let notification = crate::http_client().unwrap().post(format!("{address}/inbox")).body(body);
    assert_eq!(notification.send().await.unwrap().status(), 202);
}

/// Searches every page and the stream.
#[tokio::test]
async fn no_page_and_no_stream_has_a_secret() {
    let (local, address) = console().await;
    fill_tables(&local, PAN_HASH).await;
    push_secrets(&local, &address).await;
    let last = local.activity().last();
    let mut shown = read_until(&address, "after=0", &format!("id: {last}\n")).await;
    let more =
        ["/recurring-payments/7171", "/payments/99", "/netaxept/transactions", "/netaxept/ledgers"];
    for path in PAGES.into_iter().chain(more) {
        shown.push_str(&get(&address, path).await.1);
    }
    for text in ["Register", "/v1/netaxept/callback/[removed]", "failed with [removed]"] {
        assert!(shown.contains(text), "{text} is not in {shown}");
    }
    for secret in [
        JWT,
        PAN_HASH,
        netaxept::TOKEN,
        netaxept::CALLBACK_SECRET,
        inbox::NOTIFICATION_SECRET,
        ID_KEY,
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

async fn call_nets(local: &Local, path: &str) {
    let listener = Listener::open("Netaxept", 0).await.unwrap();
    let address = listener.address().unwrap();
    listener.serve(local.netaxept().clone().router());
    assert_eq!(get(&address, path).await.0, 200);
}
