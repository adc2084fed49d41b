use jiff::ToSpan;
use serde_json::json;
use standardwebhooks::Webhook;

use super::*;
use crate::listeners::Listener;

struct TestInbox {
    inbox: Inbox,
    clock: Clock,
    address: String,
    http: reqwest::Client,
}

impl TestInbox {
    async fn new() -> Self {
        let clock = Clock::default();
        let inbox = Inbox::new(clock.clone());
        let listener = Listener::open("the inbox", 0).await.unwrap();
        let address = listener.address().unwrap();
        let router = inbox.clone().router();
        listener.serve(router);
        Self { inbox, clock, address, http: crate::http_client().unwrap() }
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.address))
    }

    async fn status(&self, path: &str) -> u16 {
        self.post(path).send().await.unwrap().status().as_u16()
    }

    /// Sends `{"a":1}` with these headers, and returns the result of the signature check.
    async fn check(&self, headers: &[(&str, &str)]) -> Signature {
        self.inbox.clear();
        let mut request = self.post("/inbox").body("{\"a\":1}");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap();
        self.inbox.received()[0].signature
    }
}

fn sign(secret: &str, at: i64) -> String {
    Webhook::new(secret).unwrap().sign("msg_1", at, b"{\"a\":1}").unwrap()
}

#[tokio::test]
async fn a_notification_is_recorded_as_it_was_received() {
    let test = TestInbox::new().await;
    let at = test.clock.now().as_second();
    let request = test
        .post("/inbox/partner/1?q=1")
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", sign(NOTIFICATION_SECRET, at))
        .body("{\"a\":1}");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (202, String::new()));
    assert_eq!(test.post("/inbox").body("no JSON").send().await.unwrap().status(), 202);
    let all = test.http.get(format!("{}/inbox", test.address)).header("accept", "*/*");
    let mut all: Value = all.send().await.unwrap().json().await.unwrap();
    for notification in all.as_array_mut().unwrap() {
        let received_at = notification["receivedAt"].take().as_str().unwrap().to_owned();
        assert_eq!(received_at.len(), "2026-11-23T06:20:00.000Z".len());
        assert!((received_at.parse::<Timestamp>().unwrap().as_second() - at) < 60);
    }
    let expected = json!([
        {
            "receivedAt": null,
            "path": "/inbox/partner/1",
            "id": "msg_1",
            "timestamp": at.to_string(),
            "contentType": "application/json",
            "signature": "valid",
            "body": { "a": 1 },
            "answered": "202",
        },
        {
            "receivedAt": null,
            "path": "/inbox",
            "id": null,
            "timestamp": null,
            "contentType": null,
            "signature": "missing",
            "body": null,
            "answered": "202",
        },
    ]);
    assert_eq!(all, expected);
    let page = test.http.get(format!("{}/inbox", test.address)).header("accept", "text/html,*/*");
    let page = page.send().await.unwrap().text().await.unwrap();
    for (name, value) in [("Path", "/inbox/partner/1"), ("Id", "msg_1"), ("Signature", "valid")] {
        assert!(page.contains(&format!("<dt>{name}</dt><dd>{value}</dd>")), "{name} in {page}");
    }
    let cleared = test.http.delete(format!("{}/inbox", test.address)).send().await.unwrap();
    assert_eq!((cleared.status().as_u16(), test.inbox.received()), (204, Vec::new()));
}

#[tokio::test]
async fn the_observer_is_called_for_every_notification() {
    let test = TestInbox::new().await;
    let seen: Arc<Mutex<Vec<Notification>>> = Arc::default();
    let copy = seen.clone();
    test.inbox.observe(move |notification| copy.lock().unwrap().push(notification.clone()));
    test.inbox.answer_with(Answer::Status(StatusCode::BAD_REQUEST), 1);
    for status in [400, 202] {
        assert_eq!(test.status("/inbox/events").await, status);
    }
    assert_eq!(*seen.lock().unwrap(), test.inbox.received());
}

#[tokio::test]
async fn a_signature_is_valid_invalid_or_missing() {
    let test = TestInbox::new().await;
    let at = test.clock.now().as_second();
    let (time, signature) = (at.to_string(), sign(NOTIFICATION_SECRET, at));
    let other = sign("whsec_b3RoZXI=", at);
    let both = format!("v1a,xyz {other} {signature}");
    let cut = &signature[..signature.len() - 1];
    let bare = signature.trim_start_matches("v1,");
    for (id, time, signature, expected) in [
        ("msg_1", time.as_str(), signature.as_str(), Signature::Valid),
        ("msg_1", &time, &both, Signature::Valid),
        ("msg_2", &time, &signature, Signature::Invalid),
        ("msg_1", &(at - 1).to_string(), &signature, Signature::Invalid),
        ("msg_1", "now", &signature, Signature::Invalid),
        ("msg_1", &time, &other, Signature::Invalid),
        ("msg_1", &time, cut, Signature::Invalid),
        ("msg_1", &time, bare, Signature::Invalid),
        ("msg_1", &time, "v1,", Signature::Invalid),
        ("msg_1", &time, "", Signature::Invalid),
    ] {
        let headers =
            [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)];
        assert_eq!(test.check(&headers).await, expected, "{headers:?}");
        for omitted in 0..3 {
            let mut some = headers.to_vec();
            some.remove(omitted);
            assert_eq!(test.check(&some).await, Signature::Missing, "{some:?}");
        }
    }
}

#[test]
fn a_signature_becomes_stale_after_five_minutes() {
    let at: Timestamp = "2026-11-23T06:20:00Z".parse().unwrap();
    let (time, signature) = (at.as_second().to_string(), sign(NOTIFICATION_SECRET, at.as_second()));
    for (seconds, expected) in [
        (-301, Signature::Stale),
        (-300, Signature::Valid),
        (0, Signature::Valid),
        (300, Signature::Valid),
        (301, Signature::Stale),
    ] {
        let now = at + seconds.seconds();
        let headers = (Some("msg_1"), Some(time.as_str()), Some(signature.as_str()));
        assert_eq!(Signature::check(headers, b"{\"a\":1}", now), expected, "{seconds}");
        assert_eq!(Signature::check(headers, b"{\"a\":2}", now), Signature::Invalid, "{seconds}");
        assert_eq!(Signature::check(headers, b"\xff", now), Signature::Invalid, "{seconds}");
    }
}

#[tokio::test]
async fn staleness_is_measured_with_the_local_clock() {
    let test = TestInbox::new().await;
    let at = test.clock.now().as_second();
    let (time, signature) = (at.to_string(), sign(NOTIFICATION_SECRET, at));
    let headers = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &*time),
        ("webhook-signature", &*signature),
    ];
    assert_eq!(test.check(&headers).await, Signature::Valid);
    test.clock.advance("PT6M").unwrap();
    assert_eq!(test.check(&headers).await, Signature::Stale);
}

#[tokio::test]
async fn answers_are_used_in_the_order_in_which_they_were_set() {
    let test = TestInbox::new().await;
    for (answer, count) in [("500", 2), ("redirect", 1), ("200", 1)] {
        let body = json!({ "answer": answer, "count": count });
        let answered = test.post("/inbox-answers").json(&body).send().await.unwrap();
        assert_eq!(answered.status(), 204);
    }
    assert_eq!((test.status("/inbox").await, test.status("/inbox/a").await), (500, 500));
    let redirected = test.post("/inbox").send().await.unwrap();
    let location = redirected.headers()["location"].to_str().unwrap();
    assert_eq!((redirected.status().as_u16(), location), (302, "/inbox/redirected"));
    let followed = test.http.get(format!("{}{location}", test.address)).send().await.unwrap();
    assert_eq!(followed.status(), 200);
    assert_eq!(test.status("/inbox").await, 202);
    let answered =
        test.inbox.received().into_iter().map(|notification| String::from(notification.answered));
    assert_eq!(answered.collect::<Vec<_>>(), ["500", "500", "redirect", "200", "202"]);
    assert_eq!(
        test.inbox.received()[3].path,
        "/inbox/redirected",
        "a request that follows the redirect is recorded"
    );
}

#[tokio::test]
async fn the_answer_nothing_sends_no_response() {
    let test = TestInbox::new().await;
    test.inbox.answer_with(Answer::Nothing, 1);
    let received = async {
        while test.inbox.received().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = test.post("/inbox").send() => panic!("unexpected answer: {answer:?}"),
        () = received => {}
    }
    assert_eq!(test.inbox.received()[0].answered, Answer::Nothing);
    test.inbox.answer_with(Answer::Status(StatusCode::GONE), 1);
    test.inbox.clear();
    assert_eq!(test.status("/inbox").await, 202, "clearing removes the answers too");
}

#[tokio::test]
async fn invalid_answers_are_refused() {
    let test = TestInbox::new().await;
    for body in [
        json!({}),
        json!({ "answer": "500" }),
        json!({ "answer": 500, "count": 1 }),
        json!({ "answer": "199", "count": 1 }),
        json!({ "answer": "600", "count": 1 }),
        json!({ "answer": "never", "count": 1 }),
        json!({ "answer": "", "count": 1 }),
        json!({ "answer": "500", "count": 0 }),
        json!({ "answer": "500", "count": 1001 }),
        json!({ "answer": "500", "count": 1, "more": 1 }),
    ] {
        let refused = test.post("/inbox-answers").json(&body).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{body}");
        assert!(refused.json::<Value>().await.unwrap()["message"].is_string());
    }
    assert_eq!(test.status("/inbox").await, 202);
}

#[test]
fn the_oldest_notifications_are_dropped() {
    let inbox = Inbox::new(Clock::default());
    for number in 0..=MAX_NOTIFICATIONS {
        let uri = format!("/inbox/{number}").parse().unwrap();
        inbox.record(&uri, &HeaderMap::new(), b"");
    }
    let received = inbox.received();
    assert_eq!((received.len(), received[0].path.as_str()), (MAX_NOTIFICATIONS, "/inbox/1"));
}
