//! Fault injection: makes the next calls of an operation fail as Nets or the network could.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::exception::Exception;
use super::{HEADERS, Netaxept, Parameters};
use crate::console;

/// The delay of [`FaultKind::Delay`].
const DELAY: Duration = Duration::from_secs(10);

/// The page of IIS for an application error.
const ERROR_PAGE: &str = r#"<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head><title>500 - Internal server error.</title></head>
<body><h1>Server Error</h1><h2>500 - Internal server error.</h2>
<h3>There is a problem with the resource you are looking for, and it cannot be displayed.</h3></body>
</html>
"#;
const PAGE: &str =
    "<html><head><title>Netaxept</title></head><body><p>We will be back soon.<br></body></html>";
const GARBAGE: &[u8] = b"\xff\xfe\x00<<no &xml\x1b]]>";

/// An operation of Nets that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// The call Register.
    Register,
    /// The call Process.
    Process,
    /// The call Query.
    Query,
    /// A press of a button on the terminal page.
    Terminal,
}

/// The effect of an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Executes the operation, then breaks the connection without an answer.
    DropReply,
    /// Executes the operation and answers 10 s late.
    Delay,
    /// Does not execute the operation. Answers 500 with an HTML page.
    #[serde(rename = "http-500")]
    Http500,
    /// Does not execute the operation. Answers 200 with an HTML page.
    Html,
    /// Does not execute the operation. Answers 200 and `text/xml` with bytes that are not XML.
    Garbage,
    /// Does not execute the operation. Answers with an exception whose message repeats the whole request, including the token.
    Repeat,
    /// No fault for this call. The next call uses the next fault in the queue.
    Pass,
}

/// A fault for the next `count` calls of an operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    operation: Operation,
    kind: FaultKind,
    #[serde(deserialize_with = "console::deserialize_count")]
    count: usize,
}

/// The queue of faults, and the number of calls of each operation.
#[derive(Default)]
pub(super) struct Faults {
    queue: Mutex<VecDeque<Fault>>,
    calls: Mutex<HashMap<Operation, usize>>,
    injected: Notify,
}

impl Faults {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Operation, usize>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the next fault of an operation from the queue and returns it.
    fn take(&self, operation: Operation) -> Option<FaultKind> {
        let mut queue = self.queue();
        let place = queue.iter().position(|fault| fault.operation == operation)?;
        let fault = &mut queue[place];
        let kind = fault.kind;
        fault.count -= 1;
        if fault.count == 0 {
            queue.remove(place);
        }
        Some(kind)
    }

    /// Counts a call of an operation and applies its next fault. Without a fault, executes the operation.
    pub(super) async fn apply(
        &self,
        operation: Operation,
        request: &Parameters,
        perform: impl FnOnce() -> Response,
    ) -> Response {
        *self.calls().entry(operation).or_default() += 1;
        let Some(kind) = self.take(operation).filter(|kind| *kind != FaultKind::Pass) else {
            return perform();
        };
        let response = match kind {
            FaultKind::DropReply => {
                drop(perform());
                crate::close_without_response()
            }
            FaultKind::Delay | FaultKind::Pass => perform(),
            FaultKind::Http500 => {
                (StatusCode::INTERNAL_SERVER_ERROR, Html(ERROR_PAGE)).into_response()
            }
            FaultKind::Html => Html(PAGE).into_response(),
            FaultKind::Garbage => ([("content-type", "text/xml")], GARBAGE).into_response(),
            FaultKind::Repeat => {
                (HEADERS, repeat_request(request).element().document()).into_response()
            }
        };
        self.injected.notify_one();
        if kind == FaultKind::Delay {
            tokio::time::sleep(DELAY).await;
        }
        response
    }
}

/// An exception that repeats the request: Nets' messages are free text.
fn repeat_request(request: &Parameters) -> Exception {
    let request: Vec<String> =
        request.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Exception::generic(&format!("Unable to handle {}", request.join(" ")))
}

impl Netaxept {
    /// Adds a fault for the next `count` calls of an operation, after the faults that are already in the queue.
    pub fn inject_fault(&self, operation: Operation, kind: FaultKind, count: usize) {
        if count > 0 {
            self.inner.faults.queue().push_back(Fault { operation, kind, count });
        }
    }

    /// Waits until a fault is injected, counted from the last call of this function. At that time, a delayed operation is executed
    /// and not yet answered.
    pub async fn wait_for_fault(&self) {
        self.inner.faults.injected.notified().await;
    }

    /// Returns the number of calls of an operation since the start, with and without faults.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.inner.faults.calls().get(&operation).copied().unwrap_or_default()
    }
}

/// The console's routes for faults.
pub(super) fn router(sandbox: Netaxept) -> Router {
    Router::new().route("/netaxept/faults", get(list).post(add).delete(clear)).with_state(sandbox)
}

async fn list(State(sandbox): State<Netaxept>) -> Response {
    Json(&*sandbox.inner.faults.queue()).into_response()
}

async fn add(State(sandbox): State<Netaxept>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Fault { operation, kind, count }) => {
            sandbox.inject_fault(operation, kind, count);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => console::error_response(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear(State(sandbox): State<Netaxept>) -> StatusCode {
    sandbox.inner.faults.queue().clear();
    StatusCode::NO_CONTENT
}
