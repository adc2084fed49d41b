//! Notifications about payments: their bodies, and their delivery by `settle-payments` until the receiver answers 202.

use std::collections::BTreeSet;

use local::inbox::{Answer, Notification, Signature};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{AMOUNT, Charge, DONE, SETTLE};
use crate::TestApi;

impl TestApi {
    /// The address of the inbox for a transaction.
    pub(super) fn callback_url(&self, charge: Charge) -> String {
        format!("{}/inbox/{}", self.local.addresses().console, charge.transaction)
    }

    /// Opens a terminal whose notifications go to the inbox. `members` are added to the body. Returns the address of the page.
    pub(crate) async fn open_notified(&self, charge: Charge, members: &Value) -> String {
        let mut body = json!({ "redirectUrl": DONE, "callbackUrl": self.callback_url(charge) });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let opened = self.call("POST", &charge.path("/terminal"), Some(&body)).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        opened.json()["terminalUri"].as_str().unwrap().to_owned()
    }

    /// Creates a payment with notifications whose customer has entered the security code.
    async fn buy_notified(&self, order_id: &str, card: &Value, amount: &str) -> Charge {
        let charge = self.buy(order_id, card, amount).await;
        let uri = self.open_notified(charge, &json!({})).await;
        self.enter_code(&uri).await;
        charge
    }

    /// The notifications about a transaction, oldest first. Checks their signatures and headers.
    pub(super) fn notifications_about(&self, charge: Charge) -> Vec<Notification> {
        let path = format!("/inbox/{}", charge.transaction);
        let received = self.local.inbox().received();
        let about: Vec<_> = received.into_iter().filter(|one| one.path == path).collect();
        for notification in &about {
            assert_eq!(notification.signature, Signature::Valid, "{notification:?}");
            assert_eq!(notification.content_type.as_deref(), Some("application/json"));
            assert_eq!(notification.id.as_deref(), notification.body["id"].as_str());
        }
        about
    }

    /// The types of the notifications about a transaction, in the order of their delivery.
    pub(crate) fn event_types(&self, charge: Charge) -> Vec<String> {
        let about = self.notifications_about(charge);
        let event = |one: &Notification| one.body["type"].as_str().unwrap().to_owned();
        about.iter().map(event).collect()
    }
}

/// Checks every member of a notification. `members` are those that depend on the event.
fn assert_body(api: &TestApi, notification: &Notification, charge: Charge, members: &Value) {
    let mut body = notification.body.clone();
    let occurred_at = body["occurredAt"].as_str().unwrap().to_owned();
    assert!(occurred_at.len() == 24 && occurred_at.ends_with('Z'), "{occurred_at}");
    let millis = api.millis(&occurred_at);
    let event = members["type"].as_str().unwrap().strip_prefix("payment.").unwrap();
    // A credited sum is part of the id.
    let sum = members["creditedAmount"].as_str().map(|sum| format!("-{}", sum.replace('.', "")));
    let id = format!("{}-{event}{}-{millis}", charge.transaction, sum.unwrap_or_default());
    body.as_object_mut().unwrap().remove("occurredAt");
    let mut expected = json!({
        "id": id, "paymentId": charge.payment, "transactionId": charge.transaction, "orderVersion": 1,
        "amount": "100.00", "currency": "NOK",
    });
    expected.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    assert_eq!(body, expected);
}

/// Each event, signed, with all members, delivered once by the next run of the schedule.
#[tokio::test]
async fn each_event_is_delivered_once_with_its_members() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let captured = api.buy_notified("captured", &card, AMOUNT).await;
    assert_eq!(api.capture(captured).await.status, StatusCode::OK);
    let cancelled = api.buy_notified("cancelled", &card, AMOUNT).await;
    assert_eq!(api.cancel(cancelled).await.status, StatusCode::OK);
    let rejected = api.buy_notified("rejected", &card, "1.54").await;
    assert_eq!(api.capture(rejected).await.problem(), (409, "declined".to_owned()));
    assert_eq!(api.local.inbox().received(), [], "only the schedule delivers");
    api.advance_and_settle("PT1M").await;
    for (charge, order_id, members) in [
        (captured, "captured", json!({ "type": "payment.captured", "status": "CAPTURED" })),
        (
            cancelled,
            "cancelled",
            json!({ "type": "payment.cancelled", "status": "CANCELLED", "statusReason": "REQUESTED" }),
        ),
        (
            rejected,
            "rejected",
            json!({ "type": "payment.rejected", "status": "REJECTED", "statusReason": "DECLINED", "amount": "1.54" }),
        ),
    ] {
        let [notification] = &api.notifications_about(charge)[..] else { panic!("{order_id}") };
        let mut members = members;
        members["orderId"] = json!(order_id);
        assert_body(&api, notification, charge, &members);
    }
    for (total, status) in
        [(Some("30.00"), "CAPTURED"), (Some("70.00"), "CAPTURED"), (None, "CREDITED")]
    {
        for _ in 0..2 {
            assert_eq!(api.credit(captured, total).await.status, StatusCode::OK);
        }
        api.advance_and_settle("PT1M").await;
        let last = api.notifications_about(captured).pop().unwrap();
        let members = json!({
            "type": "payment.credited", "status": status, "creditedAmount": total.unwrap_or(AMOUNT),
            "orderId": "captured",
        });
        assert_body(&api, &last, captured, &members);
    }
    let credits = ["payment.credited"; 3].map(str::to_owned).to_vec();
    assert_eq!(api.event_types(captured), [vec!["payment.captured".to_owned()], credits].concat());
    for time in ["PT72H", "PT1M"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.local.inbox().received().len(), 6, "each one is delivered once");
    api.assert_nothing_is_planned().await;
}

/// The receiver answers 500, 200 and a redirect, and then 202. The attempts are 1, 2 and 4 minutes apart and have one id.
#[tokio::test]
async fn only_202_counts_as_delivered() {
    let mut api = TestApi::new().await;
    let inbox = api.local.inbox().clone();
    for answer in [
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::Status(StatusCode::OK),
        Answer::Redirect,
    ] {
        inbox.answer_with(answer, 1);
    }
    let card = api.create_active("4711").await;
    let charge = api.buy_notified("order-1", &card, AMOUNT).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.advance_clock("PT1S").await;
    let mut attempt_minutes = Vec::new();
    for minute in 1..=20 {
        let before = inbox.received().len();
        api.advance_clock("PT1M").await;
        let summary = api.run_schedule(SETTLE).await;
        let attempts = inbox.received().len() - before;
        let counted = ["delivered", "undelivered"].map(|name| summary[name].as_u64().unwrap());
        assert_eq!(counted.iter().sum::<u64>(), attempts as u64, "{summary}");
        if attempts > 0 {
            attempt_minutes.push(minute);
        }
    }
    assert_eq!(attempt_minutes, [1, 2, 4, 8]);
    let received = api.notifications_about(charge);
    assert_eq!(received.len(), 4, "no redirect is followed, and there is no attempt after 202");
    let first = &received[0];
    assert!(received.iter().all(|one| one.id == first.id && one.body == first.body));
    assert_eq!(received[3].answered, Answer::Status(StatusCode::ACCEPTED));
    api.assert_nothing_is_planned().await;
}

#[tokio::test]
async fn an_undelivered_notification_expires_after_72_hours() {
    let mut api = TestApi::new().await;
    api.local.inbox().answer_with(Answer::Status(StatusCode::NOT_FOUND), 1000);
    let card = api.create_active("4711").await;
    let charge = api.buy_notified("order-1", &card, AMOUNT).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    // One attempt each six hours, at the latest.
    let mut expired = Vec::new();
    for hour in 1..=14 {
        api.advance_clock("PT6H").await;
        let summary = api.run_schedule(SETTLE).await;
        if summary["expired"] != 0 {
            expired.push((hour * 6, summary["expired"].clone()));
        }
    }
    // 72 hours after the first attempt, which was 6 hours after the event.
    assert_eq!(expired, [(78, json!(1))]);
    let received = api.notifications_about(charge);
    assert_eq!(received.len(), 12);
    assert!(received.iter().all(|one| one.id == received[0].id));
    let message = "notification expired: not delivered within 72 hours";
    let [line] = &api.log_lines(SETTLE, message)[..] else { panic!("expected one line") };
    assert_eq!(
        (&line["level"], line["notification"].as_str()),
        (&json!("ERROR"), received[0].id.as_deref())
    );
    api.assert_nothing_is_planned().await;
    assert_eq!(api.status(charge).await, "CAPTURED");
}

/// Events while the receiver fails: none replaces another one, and the order of the events is that of their instants.
#[tokio::test]
async fn each_event_keeps_its_own_notification() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_notified("order-1", &card, AMOUNT).await;
    api.local.inbox().answer_with(Answer::Status(StatusCode::SERVICE_UNAVAILABLE), 1000);
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    for total in ["30.00", "60.00"] {
        api.advance_and_settle("PT1M").await;
        assert_eq!(api.credit(charge, Some(total)).await.status, StatusCode::OK);
    }
    // A refund at Nets, and a credit of this service in the same request.
    api.credit_at_nets(charge, 1_000).await;
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.credit(charge, None).await.status, StatusCode::OK);
    api.local.inbox().clear();
    for time in ["PT10M", "PT1H"] {
        api.advance_and_settle(time).await;
    }
    let received = api.notifications_about(charge);
    let ids: BTreeSet<_> = received.iter().map(|one| one.id.clone().unwrap()).collect();
    assert_eq!(ids.len(), received.len(), "{received:?}");
    let mut events: Vec<_> = received
        .iter()
        .map(|one| {
            let sum = one.body["creditedAmount"].as_str().unwrap_or("0").replace('.', "");
            let occurred_at = one.body["occurredAt"].as_str().unwrap().to_owned();
            (occurred_at, sum.parse::<u64>().unwrap())
        })
        .collect();
    events.sort_unstable();
    let sums: Vec<_> = events.iter().map(|(_, sum)| *sum).collect();
    assert_eq!(sums, [0, 3_000, 6_000, 7_000, 10_000]);
    api.assert_nothing_is_planned().await;
}

/// Time cancels the transactions: no request and no reply of Nets causes the events. Their instants are those of the time-outs.
#[tokio::test]
async fn a_timed_out_payment_is_reported() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    api.open_notified(charge, &json!({})).await;
    let opened_at = api.local.clock().now().as_millisecond();
    for time in ["PT1H", "PT22H"] {
        api.advance_and_settle(time).await;
    }
    assert_eq!(api.local.inbox().received(), []);
    api.advance_and_settle("PT3H").await;
    let [notification] = &api.notifications_about(charge)[..] else { panic!("expected one") };
    let members = json!({
        "type": "payment.cancelled", "status": "CANCELLED", "statusReason": "TIMED_OUT", "orderId": "order-1",
    });
    assert_body(&api, notification, charge, &members);
    let occurred_at = notification.body["occurredAt"].as_str().unwrap();
    let occurred_at = api.millis(occurred_at);
    let minutes = (occurred_at - opened_at) / 60_000;
    assert!((24 * 60 - 1..=24 * 60 + 15).contains(&minutes), "{minutes} minutes after the opening");
    api.assert_nothing_is_planned().await;
}

/// Without a `callbackUrl` nothing is sent. The newest one of a transaction counts, and a terminal without one keeps it.
#[tokio::test]
async fn the_newest_callback_url_receives_the_notifications() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let silent = api.buy_captured("silent", &card, AMOUNT).await;
    assert_eq!(api.credit(silent, None).await.status, StatusCode::OK);
    let charge = api.buy("order-1", &card, AMOUNT).await;
    for other in ["https://shop.example/first", "https://shop.example/second"] {
        api.open_notified(charge, &json!({ "callbackUrl": other })).await;
    }
    api.open_notified(charge, &json!({})).await;
    let uri = api.open_page(charge).await;
    api.enter_code(&uri).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.event_types(charge), ["payment.captured"]);
    assert_eq!(api.local.inbox().received().len(), 1);
    let lines = api.log_lines(SETTLE, "notification not delivered: another attempt follows");
    assert_eq!(lines, Vec::<Value>::new());
    // The next transaction of an order has none until its terminal has one.
    let first = api.buy("order-2", &card, AMOUNT).await;
    api.open_notified(first, &json!({})).await;
    assert_eq!(api.cancel(first).await.status, StatusCode::OK);
    let second = api.buy_captured("order-2", &card, AMOUNT).await;
    api.advance_and_settle("PT1M").await;
    assert_eq!(api.event_types(first), ["payment.cancelled"]);
    assert_eq!(api.event_types(second), Vec::<String>::new());
    api.assert_nothing_is_planned().await;
}

#[tokio::test]
async fn an_invalid_callback_url_is_400() {
    let api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy("order-1", &card, AMOUNT).await;
    for (address, code) in [
        (json!("http://shop.example/hook"), "scheme"),
        (json!("https://10.0.0.1/"), "address"),
        (json!("https://169.254.169.254/latest/meta-data"), "address"),
        (json!("https://user:pass@shop.example/"), "user"),
        (json!("ftp://shop.example"), "scheme"),
        (json!("http://127.0.0.2:3001/inbox"), "scheme"),
        (json!(17), "type"),
    ] {
        let body = json!({ "redirectUrl": DONE, "callbackUrl": address });
        let response = api.call("POST", &charge.path("/terminal"), Some(&body)).await;
        assert_eq!(response.problem(), (400, "invalid-request".to_owned()), "{address}");
        let error = response.json()["errors"][0].clone();
        let found = (error["field"].as_str(), error["code"].as_str());
        assert_eq!(found, (Some("callbackUrl"), Some(code)), "{address}");
    }
    assert_eq!(
        (api.status(charge).await, api.ledger(charge)),
        ("CREATED".to_owned(), super::Ledger::default())
    );
}

/// A run that is killed after the delivery, before it is stored: the next run sends the same notification again.
#[tokio::test]
async fn a_delivery_that_is_not_stored_is_repeated_with_the_same_id() {
    let mut api = TestApi::new().await;
    let card = api.create_active("4711").await;
    let charge = api.buy_notified("order-1", &card, AMOUNT).await;
    assert_eq!(api.capture(charge).await.status, StatusCode::OK);
    api.advance_clock("PT1S").await;
    // The attempt is stored before it begins. The third side effect removes the notification.
    let effects = ["PutItem Payments", "POST inbox", "PutItem Payments"];
    api.kill_schedule(2, effects[2]).await;
    api.advance_and_settle("PT1M").await;
    let received = api.notifications_about(charge);
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!((&received[0].id, &received[0].body), (&received[1].id, &received[1].body));
    api.assert_nothing_is_planned().await;
}
