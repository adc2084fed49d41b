use jiff::Timestamp;
use serde_json::{Value, json};

use super::redaction::{REMOVED, redacted_text};
use super::*;
use crate::{ID_KEY, inbox, netaxept};

const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJl";

fn activity() -> Activity {
    Activity::new(Clock::default())
}

fn log(line: &Value) -> Event {
    Event::log("capture-transaction", &line.to_string())
}

fn numbers(activity: &Activity, filter: &Filter) -> Vec<u64> {
    activity.entries(filter).0.iter().map(|entry| entry.number).collect()
}

#[test]
fn secrets_are_removed_by_value_by_name_and_by_form() {
    for secret in
        [netaxept::TOKEN, netaxept::CALLBACK_SECRET, inbox::NOTIFICATION_SECRET, ID_KEY, JWT]
    {
        for text in [secret.to_owned(), format!("before {secret} after"), format!("\"{secret}\",x")]
        {
            let shown = redacted_text(&text);
            assert!(!shown.contains(secret) && shown.contains(REMOVED), "{shown}");
        }
    }
    assert_eq!(redacted_text(&format!("Bearer {JWT}, next")), format!("Bearer {REMOVED}, next"));
    assert_eq!(redacted_text("panHash=Ab+/c=&amount=1"), format!("panHash={REMOVED}&amount=1"));
    assert_eq!(
        redacted_text("eyJust a name, amount=1 p114741-0"),
        "eyJust a name, amount=1 p114741-0"
    );
    let shown = redacted(
        json!({ "a": [{ "panHash": "h", "Pan_Hash": 1, "authorization": JWT }], "text": JWT, "span": "kept" }),
    );
    let expected = json!({ "a": [{ "panHash": REMOVED, "Pan_Hash": REMOVED, "authorization": REMOVED }], "text": REMOVED, "span": "kept" });
    assert_eq!(shown, expected);
}

#[test]
fn every_entry_is_stored_without_secrets() {
    let activity = activity();
    activity.record(log(&json!({ "message": JWT, "token": "t0ken" })));
    activity.record(Event::log("authorizer", &format!("panic at {}", netaxept::TOKEN)));
    let item = json!({ "Item": { "slot": { "N": "7" }, "owner": { "B": "b3duZXI=" },
        "payments": { "L": [{ "M": { "sequence": { "N": "3" }, "state": { "M": { "active": { "M": { "panHash": { "S": "h4sh" } } } } } } }] } } });
    let request = item.to_string().into_bytes();
    let write = TableWrite {
        function: "f",
        operation: "PutItem",
        table: "Wallets",
        request: &request,
        result: "written",
    };
    activity.record(Event::write(&write).unwrap());
    let all = format!("{:?}", activity.entries(&Filter::default()).0);
    for secret in [JWT, "t0ken", netaxept::TOKEN, "h4sh", "b3duZXI"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    // The write belongs to the recurring payment: slot and sequence are its id.
    let about = Filter { item: Some(7 << SEQUENCE_BITS | 3), ..Filter::default() };
    assert_eq!(numbers(&activity, &about), [3]);
}

#[test]
fn only_the_newest_entries_are_kept() {
    let activity = activity();
    let count = MAX_ENTRIES as u64 + 10;
    for _ in 0..count {
        activity.record_console("one".to_owned());
    }
    let kept = numbers(&activity, &Filter::default());
    assert_eq!((kept.len(), kept.first(), kept.last()), (MAX_ENTRIES, Some(&11), Some(&count)));
    assert_eq!(activity.last(), count);
    assert_eq!(activity.entries_after(count - 2).0.len(), 2);
}

#[test]
fn a_filter_selects_by_each_of_its_members() {
    let activity = activity();
    activity
        .record(log(&json!({ "level": "ERROR", "message": "failed", "correlation_id": "c-1" })));
    activity.record(log(&json!({ "level": "INFO", "message": "audit", "payment_id": 71, "transaction_id": 71 * 16 + 2, "before": "CREATED", "after": "CAPTURED", "reason": "REQUESTED" })));
    activity.record(Event::nets(
        "Netaxept",
        "p1138-0",
        "Process AUTH p1138-0: OK".to_owned(),
        Value::Null,
    ));
    activity.record(Event::log("authorizer", "text that is not JSON"));
    for (query, expected) in [
        ("", &[1, 2, 3, 4][..]),
        ("kind=audit&kind=nets", &[2, 3]),
        ("kind=unknown", &[1, 2, 3, 4]),
        ("text=c-1", &[1]),
        ("text=AUTH+ok", &[3]),
        ("text=auth", &[3, 4]),
        ("text=nothing", &[]),
        ("source=authorizer", &[4]),
        ("level=ERROR", &[1]),
        ("level=INFO", &[2, 4]),
        ("item=71", &[2, 3]),
        ("item=1138", &[2, 3]),
        ("item=72", &[]),
        ("item=71&kind=nets&text=auth", &[3]),
    ] {
        let filter = Filter::from_query(query);
        assert_eq!(numbers(&activity, &filter), expected, "{query}");
        assert_eq!(Filter::from_query(&filter.query()), filter, "{query}");
    }
    let (entries, _) = activity.entries(&Filter::default());
    assert_eq!(entries[1].event.summary, "transaction 1138: CREATED → CAPTURED (REQUESTED)");
    assert!(entries[0].at <= Timestamp::now() && entries[0].event.correlation_id() == Some("c-1"));
}

#[test]
fn a_customer_number_is_known_from_requests() {
    let activity = activity();
    let call = |path, authorized_customer, request, response| ApiCall {
        method: "POST",
        path,
        function: "f",
        authorized_customer,
        correlation_id: "",
        status: 200,
        milliseconds: 1,
        request,
        response,
    };
    let recurring = |slot: u64| json!({ "recurringPaymentId": slot << SEQUENCE_BITS | 1, "recurringStatus": "CREATED" });
    activity.record_request(&call(
        "/v1/recurring-payments",
        None,
        json!({ "customerNumber": "body" }),
        recurring(1),
    ));
    activity.record_request(&call(
        "/v1/recurring-payments?customerNumber=query",
        None,
        Value::Null,
        json!([recurring(2), recurring(3)]),
    ));
    activity.record_request(&call(
        "/v1/recurring-payments",
        Some("token".to_owned()),
        json!({}),
        recurring(4),
    ));
    activity.record_request(&call("/v1/recurring-payments", None, json!({}), recurring(5)));
    let names: Vec<_> = (1..6).map(|slot| activity.customer_of(slot).unwrap_or_default()).collect();
    assert_eq!(names, ["body", "query", "query", "token", ""]);
}
