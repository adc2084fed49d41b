use jiff::ToSpan;
use serde_json::json;
use standardwebhooks::Webhook;

use super::*;

struct Mail {
    inbox: Inbox,
    clock: Clock,
    address: String,
    http: reqwest::Client,
}

impl Mail {
    async fn new() -> Self {
        let clock = Clock::default();
        let inbox = Inbox::new(clock.clone());
        let listener = crate::listen("the inbox", 0).await.unwrap();
        let address = crate::address(&listener).unwrap();
        let router = inbox.clone().router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, clock, address, http: crate::http_client().unwrap() }
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.address))
    }

    async fn status(&self, path: &str) -> u16 {
        self.post(path).send().await.unwrap().status().as_u16()
    }

    /// How signatures of `{"a":1}`, made at a time and sent with headers, are judged now.
    async fn judged(&self, headers: &[(&str, &str)]) -> Signature {
        self.inbox.forget();
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
async fn a_notification_is_kept_as_it_came() {
    let mail = Mail::new().await;
    let at = mail.clock.now().as_second();
    let request = mail
        .post("/inbox/of/anybody?q=1")
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", sign(NOTIFICATION_SECRET, at))
        .body("{\"a\":1}");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (202, String::new()));
    assert_eq!(mail.post("/inbox").body("no JSON").send().await.unwrap().status(), 202);
    let all = mail.http.get(format!("{}/inbox", mail.address)).header("accept", "*/*");
    let mut all: Value = all.send().await.unwrap().json().await.unwrap();
    for one in all.as_array_mut().unwrap() {
        let received_at = one["receivedAt"].take().as_str().unwrap().to_owned();
        assert_eq!(received_at.len(), "2026-11-23T06:20:00.000Z".len());
        assert!((received_at.parse::<Timestamp>().unwrap().as_second() - at) < 60);
    }
    let expected = json!([
        {
            "receivedAt": null,
            "path": "/inbox/of/anybody",
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
    let page = mail.http.get(format!("{}/inbox", mail.address)).header("accept", "text/html,*/*");
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<td>/inbox/of/anybody</td><td>msg_1</td><td>valid</td>"), "{page}");
    let forgotten = mail.http.delete(format!("{}/inbox", mail.address)).send().await.unwrap();
    assert_eq!((forgotten.status().as_u16(), mail.inbox.received()), (204, Vec::new()));
}

#[tokio::test]
async fn a_signature_is_right_or_not() {
    let mail = Mail::new().await;
    let at = mail.clock.now().as_second();
    let (time, right) = (at.to_string(), sign(NOTIFICATION_SECRET, at));
    let other = sign("whsec_b3RoZXI=", at);
    let both = format!("v1a,xyz {other} {right}");
    let cut = &right[..right.len() - 1];
    let bare = right.trim_start_matches("v1,");
    for (id, time, given, expected) in [
        ("msg_1", time.as_str(), right.as_str(), Signature::Valid),
        ("msg_1", &time, &both, Signature::Valid),
        ("msg_2", &time, &right, Signature::Invalid),
        ("msg_1", &(at - 1).to_string(), &right, Signature::Invalid),
        ("msg_1", "now", &right, Signature::Invalid),
        ("msg_1", &time, &other, Signature::Invalid),
        ("msg_1", &time, cut, Signature::Invalid),
        ("msg_1", &time, bare, Signature::Invalid),
        ("msg_1", &time, "v1,", Signature::Invalid),
        ("msg_1", &time, "", Signature::Invalid),
    ] {
        let headers =
            [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", given)];
        assert_eq!(mail.judged(&headers).await, expected, "{headers:?}");
        for left_out in 0..3 {
            let mut some = headers.to_vec();
            some.remove(left_out);
            assert_eq!(mail.judged(&some).await, Signature::Missing, "{some:?}");
        }
    }
}

#[test]
fn a_right_signature_grows_stale_after_five_minutes() {
    let at: Timestamp = "2026-11-23T06:20:00Z".parse().unwrap();
    let (time, right) = (at.as_second().to_string(), sign(NOTIFICATION_SECRET, at.as_second()));
    for (seconds, expected) in [
        (-301, Signature::Stale),
        (-300, Signature::Valid),
        (0, Signature::Valid),
        (300, Signature::Valid),
        (301, Signature::Stale),
    ] {
        let now = at + seconds.seconds();
        let headers = (Some("msg_1"), Some(time.as_str()), Some(right.as_str()));
        assert_eq!(Signature::of(headers, b"{\"a\":1}", now), expected, "{seconds}");
        assert_eq!(Signature::of(headers, b"{\"a\":2}", now), Signature::Invalid, "{seconds}");
        assert_eq!(Signature::of(headers, b"\xff", now), Signature::Invalid, "{seconds}");
    }
}

#[tokio::test]
async fn the_local_clock_decides_what_is_stale() {
    let mail = Mail::new().await;
    let at = mail.clock.now().as_second();
    let (time, right) = (at.to_string(), sign(NOTIFICATION_SECRET, at));
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", &*time), ("webhook-signature", &*right)];
    assert_eq!(mail.judged(&headers).await, Signature::Valid);
    mail.clock.advance("PT6M").unwrap();
    assert_eq!(mail.judged(&headers).await, Signature::Stale);
}

#[tokio::test]
async fn notifications_are_answered_in_the_order_that_was_given() {
    let mail = Mail::new().await;
    for (answer, count) in [("500", 2), ("redirect", 1), ("200", 1)] {
        let order = json!({ "answer": answer, "count": count });
        let answered = mail.post("/inbox-answers").json(&order).send().await.unwrap();
        assert_eq!(answered.status(), 204);
    }
    assert_eq!((mail.status("/inbox").await, mail.status("/inbox/a").await), (500, 500));
    let redirected = mail.post("/inbox").send().await.unwrap();
    let location = redirected.headers()["location"].to_str().unwrap();
    assert_eq!((redirected.status().as_u16(), location), (302, "/inbox/redirected"));
    let followed = mail.http.get(format!("{}{location}", mail.address)).send().await.unwrap();
    assert_eq!(followed.status(), 200);
    assert_eq!(mail.status("/inbox").await, 202);
    let answered = mail.inbox.received().into_iter().map(|one| String::from(one.answered));
    assert_eq!(answered.collect::<Vec<_>>(), ["500", "500", "redirect", "200", "202"]);
    assert_eq!(mail.inbox.received()[3].path, "/inbox/redirected", "who follows is seen");
}

#[tokio::test]
async fn nothing_is_no_answer() {
    let mail = Mail::new().await;
    mail.inbox.answer_with(Answer::Nothing, 1);
    let waits = async {
        while mail.inbox.received().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = mail.post("/inbox").send() => panic!("an answer: {answer:?}"),
        () = waits => {}
    }
    assert_eq!(mail.inbox.received()[0].answered, Answer::Nothing);
    mail.inbox.answer_with(Answer::Status(StatusCode::GONE), 1);
    mail.inbox.forget();
    assert_eq!(mail.status("/inbox").await, 202, "answers are forgotten too");
}

#[tokio::test]
async fn a_wrong_order_changes_nothing() {
    let mail = Mail::new().await;
    for order in [
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
        let refused = mail.post("/inbox-answers").json(&order).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{order}");
        assert!(refused.json::<Value>().await.unwrap()["message"].is_string());
    }
    assert_eq!(mail.status("/inbox").await, 202);
}

#[test]
fn the_oldest_are_dropped() {
    let inbox = Inbox::new(Clock::default());
    for number in 0..=MOST {
        let uri = format!("/inbox/{number}").parse().unwrap();
        inbox.keep(&uri, &HeaderMap::new(), b"");
    }
    let received = inbox.received();
    assert_eq!((received.len(), received[0].path.as_str()), (MOST, "/inbox/1"));
}
