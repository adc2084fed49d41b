//! Lifecycle events of stored cards: they are sent once, in order, signed, and with the same body in each attempt.

use std::collections::BTreeSet;
use std::fs;

use local::binaries::root;
use local::inbox::{Answer, Notification, Signature};
use local::{EventWebhooks, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, SCHEDULED, TestApi};

/// The default notice, in milliseconds.
const NOTICE: i64 = 30 * 24 * 60 * 60 * 1000;

/// A month, as the number of months since year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Month(u32);

impl Month {
    /// The month of an instant such as `2026-11-27T10:00:00Z`.
    fn of(instant: &str) -> Self {
        Self(instant[..4].parse::<u32>().unwrap() * 12 + instant[5..7].parse::<u32>().unwrap() - 1)
    }

    fn after(self, months: u32) -> Self {
        Self(self.0 + months)
    }

    /// The fields `month` and `year` of the terminal's form.
    fn printed(self) -> [String; 2] {
        [format!("{:02}", self.0 % 12 + 1), format!("{:02}", self.0 / 12 % 100)]
    }

    /// The first instant after the month, when a card with this month expires.
    fn end(self) -> String {
        let next = self.0 + 1;
        format!("{:04}-{:02}-01T00:00:00.000Z", next / 12, next % 12 + 1)
    }
}

impl TestApi {
    /// A service in which the inbox receives the events of organisation 1, at the path `/inbox/events`.
    pub(crate) async fn with_events() -> Self {
        let event_webhooks = EventWebhooks::Inbox;
        Self::with(Options { event_webhooks, ..Options::default() }).await
    }

    fn month(&self) -> Month {
        Month::of(&self.local.clock().now().to_string())
    }

    /// Stores a card with this month. Returns the id of its recurring payment.
    async fn store_card_until(&self, customer: &str, month: Month) -> u64 {
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let uri = self.open_terminal_without_callback(&id).await;
        self.submit_card_until(&uri, month.printed().each_ref().map(String::as_str)).await;
        let authorized = self.authorize(&id).await;
        assert_eq!(authorized.status, StatusCode::OK, "{authorized:?}");
        id.as_u64().unwrap()
    }

    async fn run_schedules(&self) {
        for function in SCHEDULED {
            let summary = self.run_schedule(function).await;
            assert_eq!(summary["failed"], 0, "{summary}");
        }
    }

    /// The events that the inbox accepted. Checks their path, id and signature.
    fn events(&self) -> Vec<Notification> {
        let accepted = Answer::Status(StatusCode::ACCEPTED);
        let received = self.local.inbox().received().into_iter();
        let events: Vec<_> = received.filter(|one| one.answered == accepted).collect();
        for event in &events {
            assert_eq!((event.path.as_str(), event.signature), ("/inbox/events", Signature::Valid));
            assert_eq!(event.body["id"].as_str(), event.id.as_deref());
        }
        events
    }

    /// The events as text: the kind, with the recurring payments as positions in `ids`, and the instant.
    fn event_texts(&self, ids: &[u64]) -> Vec<(String, i64)> {
        let number = |id: &Value| ids.iter().position(|one| id.as_u64() == Some(*one)).unwrap();
        let text = |body: &Value| match body["type"].as_str().unwrap() {
            "recurring-payment.expiring" => text("expiring", number(&body["recurringPaymentId"])),
            "recurring-payment.expired" => text("expired", number(&body["recurringPaymentId"])),
            "recurring-payment.primary-changed" => changed(
                number(&body["oldRecurringPaymentId"]),
                number(&body["newRecurringPaymentId"]),
            ),
            other => panic!("{other}"),
        };
        let occurred_at = |body: &Value| self.millis(body["occurredAt"].as_str().unwrap());
        let events = self.events();
        events.iter().map(|one| (text(&one.body), occurred_at(&one.body))).collect()
    }
}

fn text(kind: &str, card: usize) -> String {
    format!("{kind} {card}")
}

fn changed(old: usize, new: usize) -> String {
    format!("primary {old} to {new}")
}

/// The event that docs/CLIENTS.md shows, with the ids and instants of `event`.
fn event_of_the_page_about(event: &Value) -> Value {
    let page = fs::read_to_string(root().join("docs/CLIENTS.md")).unwrap();
    let (_, block) = page.split_once("\n```json event\n").unwrap();
    let (block, _) = block.split_once("\n```\n").unwrap();
    let mut shown: Value = serde_json::from_str(block).unwrap();
    for member in ["id", "recurringPaymentId", "expiresAt", "cardExpiresAt", "occurredAt"] {
        assert_eq!(shown[member].is_string(), event[member].is_string(), "{member}");
        shown[member] = event[member].clone();
    }
    shown
}

/// Each kind once, delivered by the next run, with all of its members.
#[tokio::test]
async fn each_event_is_delivered_once_with_its_members() {
    let mut api = TestApi::with_events().await;
    let month = api.month().after(2);
    let first = api.store_card_until("4711", month).await;
    let second = api.store_card_until("4711", month.after(24)).await;
    let third = api.store_card_until("4711", month.after(60)).await;
    let (expires_at, end) = (month.end(), api.millis(&month.end()));
    api.advance_to(end - NOTICE).await;
    api.run_schedules().await;
    let card = json!({
        "recurringPaymentId": first, "primary": true, "expiresAt": expires_at, "cardExpiresAt": expires_at,
        "cause": "CARD", "paymentType": "VISA", "maskedPan": "0004",
    });
    let expected = |members: Value, kind: &str, at: i64, card: &Value| {
        let mut body = card.clone();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body["type"] = json!(format!("recurring-payment.{kind}"));
        body["id"] = json!(format!("{first}-{kind}-{at}"));
        body
    };
    let bodies = |api: &TestApi| -> Vec<Value> {
        let without_instant = |one: Notification| {
            let mut body = one.body;
            assert!(body.as_object_mut().unwrap().remove("occurredAt").is_some());
            body
        };
        api.events().into_iter().map(without_instant).collect()
    };
    let active = json!({ "recurringStatus": "ACTIVE" });
    let mut all = vec![expected(active, "expiring", end - NOTICE, &card)];
    assert_eq!(bodies(&api), all);
    let event = api.events()[0].body.clone();
    assert_eq!(event_of_the_page_about(&event), event);
    api.advance_to(end).await;
    api.run_schedules().await;
    all.push(expected(json!({ "recurringStatus": "EXPIRED" }), "expired", end, &card));
    let change = |new: u64, reason: &str| json!({ "oldRecurringPaymentId": first, "newRecurringPaymentId": new, "reason": reason });
    all.push(expected(change(second, "EXPIRED"), "primary-changed", end, &json!({})));
    assert_eq!(bodies(&api), all);

    let ended = api.call("DELETE", &format!("{PAYMENTS}/{second}"), None).await;
    assert_eq!(ended.status, StatusCode::OK);
    api.advance_clock("PT1S").await;
    assert_eq!(bodies(&api), all, "a request delivers no event");
    api.run_schedules().await;
    let last = api.events()[3].body.clone();
    assert_eq!(
        (&last["oldRecurringPaymentId"], &last["newRecurringPaymentId"], &last["reason"]),
        (&json!(second), &json!(third), &json!("ENDED"))
    );
    api.advance_clock("P10D").await;
    api.run_schedules().await;
    assert_eq!(api.events().len(), 4);
}

/// The receiver fails four times in different ways. The third event is held back until the first two are delivered.
#[tokio::test]
async fn a_repeated_delivery_has_the_same_id_and_body_and_keeps_the_order() {
    let mut api = TestApi::with_events().await;
    let month = api.month().after(2);
    let ids = [
        api.store_card_until("4711", month).await,
        api.store_card_until("4711", month.after(9)).await,
    ];
    for status in [500, 200, 404] {
        let status = StatusCode::from_u16(status).unwrap();
        api.local.inbox().answer_with(Answer::Status(status), 1);
    }
    api.advance_to(api.millis(&month.end())).await;
    let mut attempts = Vec::new();
    for _ in 0..10 {
        let before = api.local.inbox().received().len();
        api.run_schedules().await;
        attempts.push(api.local.inbox().received().len() - before);
        api.advance_clock("PT1M").await;
    }
    // Attempts at minute 0, 1, 3 and 7. Three fail at the first event, the fourth delivers all three.
    assert_eq!(attempts, [1, 1, 0, 1, 0, 0, 0, 3, 0, 0]);
    let received = api.local.inbox().received();
    for failed in &received[..3] {
        assert_eq!((&failed.id, &failed.body), (&received[3].id, &received[3].body));
    }
    let texts: Vec<_> = api.event_texts(&ids).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, [text("expiring", 0), text("expired", 0), changed(0, 1)]);
    assert!(api.has_nothing_due().await);
}

/// The receiver never accepts the first event. The others wait for it in five attempts, which is half an hour, and then follow.
#[tokio::test]
async fn an_event_that_is_never_accepted_holds_back_the_others_for_half_an_hour() {
    let mut api = TestApi::with_events().await;
    let month = api.month().after(2);
    let ids = [
        api.store_card_until("4711", month).await,
        api.store_card_until("4711", month.after(9)).await,
    ];
    api.local.inbox().answer_with(Answer::Status(StatusCode::BAD_REQUEST), 6);
    api.advance_to(api.millis(&month.end())).await;
    let mut requests = Vec::new();
    for minutes in [1, 2, 4, 8, 16, 32] {
        let before = api.local.inbox().received().len();
        api.run_schedules().await;
        requests.push(api.local.inbox().received().len() - before);
        api.advance_clock(&format!("PT{minutes}M")).await;
    }
    assert_eq!(requests, [1, 1, 1, 1, 1, 3]);
    let texts = |api: &TestApi| -> Vec<String> {
        api.event_texts(&ids).into_iter().map(|(text, _)| text).collect()
    };
    assert_eq!(texts(&api), [text("expired", 0), changed(0, 1)]);
    api.run_schedules().await;
    assert_eq!(texts(&api), [text("expired", 0), changed(0, 1), text("expiring", 0)]);
    assert!(api.has_nothing_due().await);
}

/// One customer, one month, and a receiver that fails once in the middle.
#[tokio::test]
async fn sixteen_cards_of_one_month_are_sixteen_events_in_order() {
    let mut api = TestApi::with_events().await;
    let month = api.month().after(3);
    let mut ids = Vec::new();
    for card in 0..16 {
        if card == 10 {
            // A customer can open ten terminals in an hour.
            api.advance_clock("PT61M").await;
        }
        ids.push(api.store_card_until("4711", month).await);
    }
    api.local.inbox().answer_with(Answer::Status(StatusCode::ACCEPTED), 5);
    api.local.inbox().answer_with(Answer::Status(StatusCode::SERVICE_UNAVAILABLE), 1);
    let expires_at = api.millis(&month.end());
    let mut expected = Vec::new();
    for (kind, at) in [("expiring", expires_at - NOTICE), ("expired", expires_at)] {
        api.advance_to(at).await;
        for _ in 0..3 {
            api.run_schedules().await;
            api.advance_clock("PT1M").await;
        }
        expected.extend((0..16).map(|card| (text(kind, card), at)));
        assert_eq!(api.event_texts(&ids), expected);
    }
    let events = api.events();
    let distinct: BTreeSet<_> = events.iter().map(|one| one.id.clone()).collect();
    assert_eq!((events.len(), distinct.len()), (32, 32));
    let primaries = events.iter().filter(|one| one.body["primary"] == true);
    assert_eq!(primaries.count(), 2, "the first card, when it is announced and when it expires");
    assert!(api.has_nothing_due().await);
}

/// A year of a customer with four cards. The schedules run once a day, and are stopped for a week in the middle: in that week the
/// second card expires, the third one becomes primary and is announced, and a request changes the wallet.
#[tokio::test]
async fn a_year_with_four_cards_and_a_week_without_schedules_has_each_event_once() {
    let mut api = TestApi::with_events().await;
    let months = [1, 5, 6, 11].map(|months| api.month().after(months));
    let mut ids = Vec::new();
    for month in months {
        ids.push(api.store_card_until("4711", month).await);
    }
    let ends = months.map(|month| api.millis(&month.end()));
    let mut expected: Vec<(i64, u8, String)> = Vec::new();
    for (card, at) in ends.into_iter().enumerate() {
        expected.push((at - NOTICE, 0, text("expiring", card)));
        expected.push((at, 1, text("expired", card)));
        if card + 1 < ends.len() {
            expected.push((at, 2, changed(card, card + 1)));
        }
    }
    expected.sort();
    let day = 24 * 60 * 60 * 1000;
    let (stopped_from, stopped_until) = (ends[1] - 2 * day, ends[1] + 5 * day);
    let (mut stopped_days, mut renamed) = (0, false);
    while api.local.clock().now().as_millisecond() < ends[3] + 2 * day {
        api.local.clock().advance("P1D").unwrap();
        let now = api.local.clock().now().as_millisecond();
        if !(stopped_from..stopped_until).contains(&now) {
            api.run_schedules().await;
            continue;
        }
        stopped_days += 1;
        if ends[1] + 3 * day < now && !renamed {
            renamed = true;
            api.advance_clock("PT1S").await;
            let path = format!("{PAYMENTS}/{}", ids[3]);
            let changed = api.call("PATCH", &path, Some(&json!({ "nickname": "Kort" }))).await;
            assert_eq!(changed.status, StatusCode::OK);
        }
    }
    assert_eq!((stopped_days, renamed), (7, true));
    let expected: Vec<_> = expected.into_iter().map(|(at, _, text)| (text, at)).collect();
    assert_eq!(api.event_texts(&ids), expected);
    let late = |one: &Notification| {
        let occurred_at = api.millis(one.body["occurredAt"].as_str().unwrap());
        (one.received_at.as_millisecond() - occurred_at) / day
    };
    let late: Vec<_> = api.events().iter().map(late).collect();
    assert!(late.iter().all(|days| (0..=7).contains(days)), "{late:?}");
    assert!(
        2 < late.iter().copied().max().unwrap(),
        "some events waited for the schedules: {late:?}"
    );
    assert!(api.has_nothing_due().await);
}

/// The internal address is found when the functions that deliver events start, not at the first event.
#[tokio::test]
async fn a_function_does_not_start_with_an_address_that_is_not_public() {
    let event_webhooks = EventWebhooks::Addresses("1=https://10.0.0.1/events".to_owned());
    let api = TestApi::with(Options { event_webhooks, ..Options::default() }).await;
    let address = format!("{}/schedule/finish-terminals", api.local.addresses().console);
    let response = api.http.post(address).send().await.unwrap();
    assert!(!response.status().is_success(), "{response:?}");
}
