//! The door: what functions send comes through here, and what they may not or shall not have done does not.

use std::borrow::Cow;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use super::engine::{Answer, CONTENT_TYPE, JSON, TARGET};
use super::faults::Kind;
use super::{Dynamodb, Request};
use crate::doors::Change;

const INTERNAL: &str = "com.amazonaws.dynamodb.v20120810#InternalServerError";
const THROTTLED: &str = "com.amazon.coral.availability#ThrottlingException";
const EXCEEDED: &str = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
const DENIED: &str = "com.amazon.coral.service#AccessDeniedException";

const TRACE_ID: &str = "x-amzn-trace-id";

/// What the engine did for somebody.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// What was asked.
    pub request: &'a Request,
    /// Of which invocation it is a part: what the SDK passes on of `Lambda-Runtime-Trace-Id`; empty when it did not.
    pub trace_id: &'a str,
    /// The request's body.
    pub asked: &'a [u8],
    /// The answer's status. Whether it arrives is another thing.
    pub status: StatusCode,
    /// The answer's body.
    pub answered: &'a [u8],
}

/// A request at the door.
struct Asking {
    request: Request,
    target: String,
    trace_id: String,
    body: Bytes,
}

/// What of a request counts here; the rest is not even looked at.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(rename = "TableName", borrow)]
    table: Option<Cow<'a, str>>,
    #[serde(rename = "IndexName", borrow)]
    index: Option<Cow<'a, str>>,
}

/// What of an answer counts here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "ConsumedCapacity")]
    consumed: Option<Consumed>,
}

#[derive(Deserialize)]
struct Consumed {
    #[serde(rename = "CapacityUnits")]
    units: f64,
}

pub(super) fn router(dynamodb: Dynamodb) -> Router {
    Router::new()
        .route("/", post(pass))
        .route("/{function}/", post(pass))
        .layer(DefaultBodyLimit::disable())
        .with_state(dynamodb)
}

async fn pass(
    State(dynamodb): State<Dynamodb>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request::read(&uri, &headers, &body);
    if !dynamodb.inner.guard.get().is_none_or(|allows| allows(&request)) {
        return dynamodb.deny(request);
    }
    let (target, trace_id) =
        (text(&headers, TARGET).to_owned(), text(&headers, TRACE_ID).to_owned());
    let change =
        request.is_write().then(|| Change::new(format!("{} {}", request.operation, request.table)));
    let asking = Asking { request, target, trace_id, body };
    match change {
        Some(change) => dynamodb.inner.doors.pass(change, dynamodb.meet(asking)).await,
        None => dynamodb.meet(asking).await,
    }
}

impl Dynamodb {
    /// Has a request done, unless it meets trouble.
    async fn meet(&self, asking: Asking) -> Response {
        let Some((kind, delay)) = self.inner.trouble.next(&asking.request) else {
            return self.ask(asking).await;
        };
        match kind {
            Kind::Late => {
                let own = self.clone();
                let done = async move {
                    tokio::time::sleep(delay).await;
                    own.ask(asking).await
                };
                // Whoever sent it may hang up meanwhile.
                tokio::spawn(done).await.unwrap_or_else(|failed| unreachable(&failed))
            }
            Kind::Slow => {
                let answer = self.ask(asking).await;
                tokio::time::sleep(delay).await;
                answer
            }
            Kind::Broken => {
                drop(self.ask(asking).await);
                crate::broken_connection()
            }
            Kind::Lost => {
                drop(self.ask(asking).await);
                error(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, "lost")
            }
            Kind::Failed => {
                self.refuse(asking.request, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
            }
            Kind::Throttled => self.refuse(asking.request, StatusCode::BAD_REQUEST, THROTTLED),
            Kind::Exceeded => self.refuse(asking.request, StatusCode::BAD_REQUEST, EXCEEDED),
        }
    }

    /// Has the engine do it, and tells of it, also when whoever sent it hangs up meanwhile.
    async fn ask(&self, asking: Asking) -> Response {
        if self.inner.reach.database.is_some() {
            // dynoxide is done before anybody can.
            return self.ask_engine(asking).await;
        }
        let own = self.clone();
        let done = tokio::spawn(async move { own.ask_engine(asking).await });
        done.await.unwrap_or_else(|failed| unreachable(&failed))
    }

    async fn ask_engine(&self, asking: Asking) -> Response {
        let Asking { request, target, trace_id, body } = asking;
        let stale = self.inner.trouble.stale(&request, &body);
        let answer = match stale {
            Some(answer) => Ok(answer),
            None => self.inner.reach.ask(&target, body.clone()).await,
        };
        let units = answer.as_ref().ok().and_then(|answer| units(&answer.body));
        let capacity = units.and_then(|units| self.engine().units(units));
        let request = Request { capacity, ..request };
        if let (Ok(answer), Some(observer)) = (&answer, self.inner.observer.get()) {
            let (asked, answered) = (&*body, &*answer.body);
            let (request, status) = (&request, answer.status);
            observer(&Exchange { request, trace_id: &trace_id, asked, status, answered });
        }
        if let Ok(answer) = &answer {
            self.inner.trouble.answered(&request, &body, answer);
        }
        self.remember(request);
        match answer {
            Ok(Answer { status, headers, body }) => (status, headers, body).into_response(),
            Err(failed) => unreachable(&failed),
        }
    }

    fn refuse(&self, request: Request, status: StatusCode, kind: &str) -> Response {
        self.remember(request);
        error(status, kind, "on order")
    }

    fn deny(&self, request: Request) -> Response {
        let Request { function, operation, table, .. } = &request;
        let message =
            format!("{function} is not authorized to perform: dynamodb:{operation} on {table}");
        self.remember(Request { denied: true, ..request });
        error(StatusCode::BAD_REQUEST, DENIED, &message)
    }
}

impl Request {
    fn read(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let asked = serde_json::from_slice(body).unwrap_or(Asked { table: None, index: None });
        let operation = text(headers, TARGET).split_once('.').unwrap_or_default().1;
        Self {
            operation: operation.to_owned(),
            function: caller(uri, headers),
            table: asked.table.unwrap_or_default().into_owned(),
            index: asked.index.map(Cow::into_owned),
            capacity: None,
            denied: false,
        }
    }
}

/// Which function made a request. Its name is its access key, or the path of its endpoint: `sam local` gives every function
/// the same access key.
pub(crate) fn caller(uri: &Uri, headers: &HeaderMap) -> String {
    let path = uri.path().trim_matches('/');
    if !path.is_empty() {
        return path.to_owned();
    }
    let credential = text(headers, "authorization").split_once("Credential=").unwrap_or_default().1;
    credential.split('/').next().unwrap_or_default().to_owned()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Batches tell it table by table, which nobody here asks for.
fn units(answer: &[u8]) -> Option<f64> {
    serde_json::from_slice::<Told>(answer).ok()?.consumed.map(|consumed| consumed.units)
}

/// An answer of `DynamoDB`'s that is an error.
fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "__type": kind, "message": message });
    (status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// The engine is not there.
fn unreachable(failed: &dyn std::fmt::Display) -> Response {
    (StatusCode::BAD_GATEWAY, failed.to_string()).into_response()
}
