//! An inbox for notifications, as a caller of the API would have one, checked by the rules of Standard Webhooks.
//!
//! Written from <https://www.standardwebhooks.com>; the time that counts is the local clock's.

mod answer;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{DOCTYPE, html};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::clock::{self, Clock};
use crate::console;
use crate::doors::{Change, Doors};
pub use answer::{Answer, NotAnAnswer};
pub use signature::{NOTIFICATION_SECRET, Signature};

/// How many notifications are kept.
const MOST: usize = 1000;
/// How long a connection is held open that gets no answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where a redirect leads to. Whoever follows it is seen here.
const REDIRECTED: &str = "/inbox/redirected";

/// A notification that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// When, by the local clock; in JSON in UTC with milliseconds.
    #[serde(serialize_with = "written")]
    pub received_at: Timestamp,
    /// `/inbox` or anything below.
    pub path: String,
    /// The header `webhook-id`.
    pub id: Option<String>,
    /// The header `webhook-timestamp`.
    pub timestamp: Option<String>,
    /// The header `content-type`.
    pub content_type: Option<String>,
    /// What is to be thought of the header `webhook-signature`.
    pub signature: Signature,
    /// The body; null when it is no JSON.
    pub body: Value,
    /// What the sender was answered.
    pub answered: Answer,
}

/// The inbox. Clones are the same.
#[derive(Clone)]
pub struct Inbox {
    inner: Arc<Inner>,
}

struct Inner {
    doors: Doors,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    received: VecDeque<Notification>,
    answers: VecDeque<Answer>,
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::behind(Doors::default(), clock)
    }

    /// The same, behind these doors.
    pub(crate) fn behind(doors: Doors, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { doors, clock, kept: Mutex::default() }) }
    }

    /// The notifications since the start, or since the last [`Self::forget`], oldest first; the last 1000 at most.
    #[must_use]
    pub fn received(&self) -> Vec<Notification> {
        self.kept().received.iter().cloned().collect()
    }

    /// The next so many notifications are answered so, after those whose answer is settled already. All others are answered
    /// 202.
    pub fn answer_with(&self, answer: Answer, count: usize) {
        self.kept().answers.extend(repeat_n(answer, count));
    }

    /// Forgets what was received, and how the next notifications were to be answered.
    pub fn forget(&self) {
        *self.kept() = Kept::default();
    }

    /// Its routes, below `/inbox`, and `/inbox-answers`.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/inbox", get(show).post(receive).delete(forget))
            .route(REDIRECTED, any(receive))
            .route("/inbox/{*anything}", post(receive))
            .route("/inbox-answers", post(order))
            .with_state(self)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a notification and settles its answer.
    fn keep(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
        let header = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let received_at = self.inner.clock.now();
        let given = header("webhook-signature");
        let signature = Signature::of(
            (id.as_deref(), timestamp.as_deref(), given.as_deref()),
            body,
            received_at,
        );
        let mut kept = self.kept();
        let answered = kept.answers.pop_front().unwrap_or(Answer::Status(StatusCode::ACCEPTED));
        if kept.received.len() == MOST {
            kept.received.pop_front();
        }
        kept.received.push_back(Notification {
            received_at,
            path: uri.path().to_owned(),
            id,
            timestamp,
            content_type: header("content-type"),
            signature,
            body: serde_json::from_slice(body).unwrap_or_default(),
            answered,
        });
        answered
    }
}

fn written<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::written(*at))
}

async fn receive(
    State(inbox): State<Inbox>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        match inbox.keep(&uri, &headers, &body) {
            Answer::Status(status) => status.into_response(),
            Answer::Redirect => (StatusCode::FOUND, [("location", REDIRECTED)]).into_response(),
            Answer::Nothing => {
                tokio::time::sleep(PATIENCE).await;
                crate::broken_connection()
            }
        }
    };
    inbox.inner.doors.pass(Change::new("POST inbox"), answer).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    answer: Answer,
    #[serde(deserialize_with = "console::count")]
    count: usize,
}

async fn order(State(inbox): State<Inbox>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Order { answer, count }) => {
            inbox.answer_with(answer, count);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(fault) => console::refusal(StatusCode::BAD_REQUEST, &fault.to_string()),
    }
}

async fn forget(State(inbox): State<Inbox>) -> StatusCode {
    inbox.forget();
    StatusCode::NO_CONTENT
}

async fn show(State(inbox): State<Inbox>, headers: HeaderMap) -> Response {
    let accept = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        page(&inbox.received()).into_response()
    } else {
        Json(inbox.received()).into_response()
    }
}

fn page(received: &[Notification]) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Inbox" } (console::style()) }
            body {
                h1 { "Notifications" }
                table {
                    tr { th { "received" } th { "path" } th { "id" } th { "signature" } th { "answered" } th { "body" } }
                    @for one in received {
                        tr {
                            td { (clock::written(one.received_at)) }
                            td { (one.path) }
                            td { (one.id.as_deref().unwrap_or_default()) }
                            td { (one.signature) }
                            td { (String::from(one.answered)) }
                            td { code { (one.body.to_string()) } }
                        }
                    }
                }
            }
        }
    };
    Html(page.into_string())
}
