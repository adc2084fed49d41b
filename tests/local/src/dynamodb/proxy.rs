//! The proxy between the functions and the engine: it records requests, refuses those that are not allowed, and injects faults.

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
use super::faults::FaultKind;
use super::{Dynamodb, Request};
use crate::side_effects::SideEffect;

const INTERNAL: &str = "com.amazonaws.dynamodb.v20120810#InternalServerError";
const THROTTLED: &str = "com.amazon.coral.availability#ThrottlingException";
const EXCEEDED: &str = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
const DENIED: &str = "com.amazon.coral.service#AccessDeniedException";

/// The message of an injected error.
const INJECTED: &str = "injected fault";

const TRACE_ID: &str = "x-amzn-trace-id";

/// A request that the engine executed for a client of the proxy.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The request.
    pub request: &'a Request,
    /// The trace of the invocation that sent the request: the SDK passes on `Lambda-Runtime-Trace-Id`. Empty if there is none.
    pub trace_id: &'a str,
    /// The body of the request.
    pub request_body: &'a [u8],
    /// The status of the engine's response. The client may get another one, or none.
    pub status: StatusCode,
    /// The body of the engine's response.
    pub response_body: &'a [u8],
}

/// A request that was received and is not answered yet.
struct PendingRequest {
    request: Request,
    target: String,
    trace_id: String,
    body: Bytes,
}

/// The members of a request that the proxy reads.
#[derive(Deserialize)]
struct RequestMembers<'a> {
    #[serde(rename = "TableName", borrow)]
    table: Option<Cow<'a, str>>,
    #[serde(rename = "IndexName", borrow)]
    index: Option<Cow<'a, str>>,
}

/// The members of a response that the proxy reads.
#[derive(Deserialize)]
struct ResponseMembers {
    #[serde(rename = "ConsumedCapacity")]
    consumed: Option<ConsumedCapacity>,
}

#[derive(Deserialize)]
struct ConsumedCapacity {
    #[serde(rename = "CapacityUnits")]
    units: f64,
}

pub(super) fn router(dynamodb: Dynamodb) -> Router {
    Router::new()
        .route("/", post(receive))
        .route("/{function}/", post(receive))
        .layer(DefaultBodyLimit::disable())
        .with_state(dynamodb)
}

async fn receive(
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
    let side_effect = request
        .is_write()
        .then(|| SideEffect::new(format!("{} {}", request.operation, request.table)));
    let pending = PendingRequest { request, target, trace_id, body };
    match side_effect {
        Some(side_effect) => {
            dynamodb.inner.side_effects.execute(side_effect, dynamodb.respond(pending)).await
        }
        None => dynamodb.respond(pending).await,
    }
}

impl Dynamodb {
    /// Executes a request, with the fault that is injected into it, if any.
    async fn respond(&self, pending: PendingRequest) -> Response {
        let Some((kind, delay)) = self.inner.faults.next(&pending.request) else {
            return self.execute(pending).await;
        };
        match kind {
            FaultKind::Late => {
                let dynamodb = self.clone();
                let execution = async move {
                    tokio::time::sleep(delay).await;
                    dynamodb.execute(pending).await
                };
                // In a task of its own: the client may close the connection before.
                tokio::spawn(execution).await.unwrap_or_else(|failed| engine_unreachable(&failed))
            }
            FaultKind::Slow => {
                let answer = self.execute(pending).await;
                tokio::time::sleep(delay).await;
                answer
            }
            FaultKind::Broken => {
                drop(self.execute(pending).await);
                crate::close_without_response()
            }
            FaultKind::Lost => {
                drop(self.execute(pending).await);
                error(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, INJECTED)
            }
            FaultKind::Failed => self.fail(pending, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL),
            FaultKind::Throttled => self.fail(pending, StatusCode::BAD_REQUEST, THROTTLED),
            FaultKind::Exceeded => self.fail(pending, StatusCode::BAD_REQUEST, EXCEEDED),
        }
    }

    /// Executes a request and calls the observer, even if the client closes the connection meanwhile.
    async fn execute(&self, pending: PendingRequest) -> Response {
        if self.inner.client.database.is_some() {
            // dynoxide executes a request without waiting, so the future cannot be dropped in between.
            return self.execute_on_engine(pending).await;
        }
        let dynamodb = self.clone();
        let execution = tokio::spawn(async move { dynamodb.execute_on_engine(pending).await });
        execution.await.unwrap_or_else(|failed| engine_unreachable(&failed))
    }

    async fn execute_on_engine(&self, pending: PendingRequest) -> Response {
        let PendingRequest { request, target, trace_id, body } = pending;
        let stale = self.inner.faults.stale_answer(&request, &body);
        let answer = match stale {
            Some(answer) => Ok(answer),
            None => self.inner.client.execute(&target, body.clone()).await,
        };
        let units = answer.as_ref().ok().and_then(|answer| units(&answer.body));
        let capacity = units.and_then(|units| self.engine().units(units));
        let request = Request { capacity, ..request };
        if let (Ok(answer), Some(observer)) = (&answer, self.inner.observer.get()) {
            let (request_body, response_body) = (&*body, &*answer.body);
            let (request, status) = (&request, answer.status);
            observer(&Exchange {
                request,
                trace_id: &trace_id,
                request_body,
                status,
                response_body,
            });
        }
        if let Ok(answer) = &answer {
            let result =
                if answer.status.is_success() { "written" } else { "refused, not written" };
            self.record_write(&request, &body, result);
            self.inner.faults.remember_answer(&request, &body, answer);
        }
        self.record(request);
        match answer {
            Ok(Answer { status, headers, body }) => (status, headers, body).into_response(),
            Err(failed) => engine_unreachable(&failed),
        }
    }

    /// Answers with an injected error, without executing the request.
    fn fail(&self, pending: PendingRequest, status: StatusCode, kind: &str) -> Response {
        self.record_write(&pending.request, &pending.body, "not executed, injected fault");
        self.record(pending.request);
        error(status, kind, INJECTED)
    }

    fn deny(&self, request: Request) -> Response {
        let Request { function, operation, table, .. } = &request;
        let message =
            format!("{function} is not authorized to perform: dynamodb:{operation} on {table}");
        self.record(Request { denied: true, ..request });
        error(StatusCode::BAD_REQUEST, DENIED, &message)
    }
}

impl Request {
    fn read(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let members =
            serde_json::from_slice(body).unwrap_or(RequestMembers { table: None, index: None });
        let operation = text(headers, TARGET).split_once('.').unwrap_or_default().1;
        Self {
            operation: operation.to_owned(),
            function: caller(uri, headers),
            table: members.table.unwrap_or_default().into_owned(),
            index: members.index.map(Cow::into_owned),
            capacity: None,
            denied: false,
        }
    }
}

/// The function that sent a request. Its name is its access key, or the path of its endpoint: `sam local` gives every function
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

/// The consumed units. `None` for batches, which list them by table; no function sends a batch.
fn units(answer: &[u8]) -> Option<f64> {
    serde_json::from_slice::<ResponseMembers>(answer).ok()?.consumed.map(|consumed| consumed.units)
}

/// An error response, as `DynamoDB` sends it.
fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "__type": kind, "message": message });
    (status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// The response when the engine cannot be reached.
fn engine_unreachable(failed: &dyn std::fmt::Display) -> Response {
    (StatusCode::BAD_GATEWAY, failed.to_string()).into_response()
}
