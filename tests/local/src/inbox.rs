//! An inbox that receives notifications, as a caller of the API does, and checks their signatures.
//!
//! Written from <https://www.standardwebhooks.com>. Timestamps are compared with the local clock.

mod answer;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::activity::{self, Activity, Event};
use crate::clock::{self, Clock};
use crate::console;
use crate::side_effects::{SideEffect, SideEffects};
pub use answer::{Answer, InvalidAnswer};
pub use signature::{NOTIFICATION_SECRET, Signature};

/// How many notifications are stored.
const MAX_NOTIFICATIONS: usize = 1000;
/// How long a connection without an answer stays open.
const NO_ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// The target of a redirect. Requests that follow it are recorded too.
const REDIRECT_PATH: &str = "/inbox/redirected";

/// A notification that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The time of arrival on the local clock; in JSON in UTC with milliseconds.
    #[serde(serialize_with = "serialize_timestamp")]
    pub received_at: Timestamp,
    /// `/inbox`, or a path below it.
    pub path: String,
    /// The header `webhook-id`.
    pub id: Option<String>,
    /// The header `webhook-timestamp`.
    pub timestamp: Option<String>,
    /// The header `content-type`.
    pub content_type: Option<String>,
    /// The result of the signature check.
    pub signature: Signature,
    /// The body; null if it is not JSON.
    pub body: Value,
    /// The answer to the sender.
    pub answered: Answer,
}

/// The inbox. Clones share their state.
#[derive(Clone)]
pub struct Inbox {
    inner: Arc<Inner>,
}

struct Inner {
    side_effects: SideEffects,
    clock: Clock,
    activity: OnceLock<Activity>,
    observer: OnceLock<Observer>,
    state: Mutex<InboxState>,
}

/// See [`Inbox::observe`].
type Observer = Box<dyn Fn(&Notification) + Send + Sync>;

#[derive(Default)]
struct InboxState {
    received: VecDeque<Notification>,
    answers: VecDeque<Answer>,
}

impl Inbox {
    /// An empty inbox.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_side_effects(SideEffects::default(), clock)
    }

    /// An empty inbox that records its requests as side effects.
    pub(crate) fn with_side_effects(side_effects: SideEffects, clock: Clock) -> Self {
        let (activity, observer) = (OnceLock::new(), OnceLock::new());
        let state = Mutex::default();
        Self { inner: Arc::new(Inner { side_effects, clock, activity, observer, state }) }
    }

    /// From now on records notifications in `activity`. Only the first call has an effect.
    pub(crate) fn record_in(&self, activity: Activity) {
        self.inner.activity.get_or_init(|| activity);
    }

    /// From now on calls `observer` for every notification, before it is answered. Only the first call of this method has an effect.
    pub fn observe(&self, observer: impl Fn(&Notification) + Send + Sync + 'static) {
        self.inner.observer.get_or_init(|| Box::new(observer));
    }

    /// The notifications since the start or since the last [`Self::clear`], oldest first; at most the last 1000.
    #[must_use]
    pub fn received(&self) -> Vec<Notification> {
        self.state().received.iter().cloned().collect()
    }

    /// Sets the answer to the next `count` notifications, after those whose answer is set already. All others are answered 202.
    pub fn answer_with(&self, answer: Answer, count: usize) {
        self.state().answers.extend(repeat_n(answer, count));
    }

    /// Removes the received notifications and the answers that were set.
    pub fn clear(&self) {
        *self.state() = InboxState::default();
    }

    /// The routes: `/inbox`, all paths below it, and `/inbox-answers`.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/inbox", get(show).post(receive).delete(clear))
            .route(REDIRECT_PATH, any(receive))
            .route("/inbox/{*anything}", post(receive))
            .route("/inbox-answers", post(set_answers))
            .with_state(self)
    }

    fn state(&self) -> MutexGuard<'_, InboxState> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a notification, and returns its answer.
    fn record(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
        let header = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let received_at = self.inner.clock.now();
        let signatures = header("webhook-signature");
        let signature = Signature::check(
            (id.as_deref(), timestamp.as_deref(), signatures.as_deref()),
            body,
            received_at,
        );
        let mut state = self.state();
        let answered = state.answers.pop_front().unwrap_or(Answer::Status(StatusCode::ACCEPTED));
        if state.received.len() == MAX_NOTIFICATIONS {
            state.received.pop_front();
        }
        let notification = Notification {
            received_at,
            path: uri.path().to_owned(),
            id,
            timestamp,
            content_type: header("content-type"),
            signature,
            body: serde_json::from_slice(body).unwrap_or_default(),
            answered,
        };
        if let Some(activity) = self.inner.activity.get() {
            activity.record(Event::notification(&notification));
        }
        if let Some(observer) = self.inner.observer.get() {
            observer(&notification);
        }
        state.received.push_back(notification);
        answered
    }
}

fn serialize_timestamp<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::format_timestamp(*at))
}

async fn receive(
    State(inbox): State<Inbox>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        match inbox.record(&uri, &headers, &body) {
            Answer::Status(status) => status.into_response(),
            Answer::Redirect => (StatusCode::FOUND, [("location", REDIRECT_PATH)]).into_response(),
            Answer::Nothing => {
                tokio::time::sleep(NO_ANSWER_TIMEOUT).await;
                crate::close_without_response()
            }
        }
    };
    inbox.inner.side_effects.execute(SideEffect::new("POST inbox"), answer).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetAnswers {
    answer: Answer,
    #[serde(deserialize_with = "console::deserialize_count")]
    count: usize,
}

async fn set_answers(State(inbox): State<Inbox>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(SetAnswers { answer, count }) => {
            inbox.answer_with(answer, count);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => console::error_response(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear(State(inbox): State<Inbox>) -> StatusCode {
    inbox.clear();
    StatusCode::NO_CONTENT
}

async fn show(State(inbox): State<Inbox>, headers: HeaderMap) -> Response {
    let accept = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        let content = page(&inbox.received());
        let content = match inbox.inner.activity.get() {
            Some(activity) => console::live("received", "/inbox", activity, &content),
            None => content,
        };
        console::page("/inbox", "Inbox", &content).into_response()
    } else {
        Json(inbox.received()).into_response()
    }
}

fn page(received: &[Notification]) -> Markup {
    html! {
        h1 { "Inbox" }
        p { "The last " (MAX_NOTIFICATIONS) " notifications, newest first. Use " code { "/inbox" } " of this address, or any path below it, as " code { "callbackUrl" } "." }
        @if received.is_empty() { p { "There is no notification yet." } }
        @for notification in received.iter().rev() {
            @let text = |text: &Option<String>| text.clone().unwrap_or_default();
            @let body = activity::redacted(notification.body.clone());
            section {
                h2 { (body["type"].as_str().unwrap_or("Notification")) }
                dl {
                    dt { "Received" } dd { (clock::format_timestamp(notification.received_at)) }
                    dt { "Path" } dd { (notification.path) }
                    dt { "Id" } dd { (text(&notification.id)) }
                    dt { "Signature" } dd { (notification.signature) }
                    dt { "Answered" } dd { (String::from(notification.answered)) }
                }
                pre { (serde_json::to_string_pretty(&body).unwrap_or_default()) }
            }
        }
    }
}
