//! Faults on order: the next so many operations go wrong in a way that Nets or the network could choose.

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

/// How late a delayed answer is.
const DELAY: Duration = Duration::from_secs(10);

/// What IIS says when an application fails.
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

/// What Nets is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// A transaction is registered.
    Register,
    /// A transaction is processed.
    Process,
    /// A transaction is looked up.
    Query,
    /// The customer presses a button of the terminal page.
    Terminal,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is done, and the connection breaks without an answer.
    DropReply,
    /// It is done, and answered 10 s late.
    Delay,
    /// It is not done; status 500 with an HTML page.
    #[serde(rename = "http-500")]
    Http500,
    /// It is not done; status 200 with an HTML page.
    Html,
    /// It is not done; status 200 with bytes that are called XML and are none.
    Garbage,
    /// It is not done; an exception whose message repeats all that was sent, our token with it.
    Repeat,
    /// Nothing goes wrong: it is the turn of one after it.
    Pass,
}

/// So many operations that go wrong in the same way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    operation: Operation,
    kind: Kind,
    #[serde(deserialize_with = "console::count")]
    count: usize,
}

/// The faults that are left, and how often each operation was asked for.
#[derive(Default)]
pub(super) struct Faults {
    left: Mutex<VecDeque<Fault>>,
    calls: Mutex<HashMap<Operation, usize>>,
    met: Notify,
}

impl Faults {
    fn left(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Operation, usize>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operation's next fault, which is then used up.
    fn take(&self, operation: Operation) -> Option<Kind> {
        let mut left = self.left();
        let place = left.iter().position(|fault| fault.operation == operation)?;
        let fault = &mut left[place];
        let kind = fault.kind;
        fault.count -= 1;
        if fault.count == 0 {
            left.remove(place);
        }
        Some(kind)
    }

    /// Counts an operation, and does it, unless it is its turn to fail before it is done; the answer may never arrive.
    pub(super) async fn pass(
        &self,
        operation: Operation,
        sent: &Parameters,
        perform: impl FnOnce() -> Response,
    ) -> Response {
        *self.calls().entry(operation).or_default() += 1;
        let Some(kind) = self.take(operation).filter(|kind| *kind != Kind::Pass) else {
            return perform();
        };
        let response = match kind {
            Kind::DropReply => {
                drop(perform());
                crate::broken_connection()
            }
            Kind::Delay | Kind::Pass => perform(),
            Kind::Http500 => (StatusCode::INTERNAL_SERVER_ERROR, Html(ERROR_PAGE)).into_response(),
            Kind::Html => Html(PAGE).into_response(),
            Kind::Garbage => ([("content-type", "text/xml")], GARBAGE).into_response(),
            Kind::Repeat => (HEADERS, repeating(sent).element().document()).into_response(),
        };
        self.met.notify_one();
        if kind == Kind::Delay {
            tokio::time::sleep(DELAY).await;
        }
        response
    }
}

/// What Nets could say, as its messages are free text.
fn repeating(sent: &Parameters) -> Exception {
    let sent: Vec<String> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Exception::generic(&format!("Unable to handle {}", sent.join(" ")))
}

impl Netaxept {
    /// The next so many of these operations go wrong, after those that were to go wrong already.
    pub fn fail(&self, operation: Operation, kind: Kind, count: usize) {
        if count > 0 {
            self.inner.faults.left().push_back(Fault { operation, kind, count });
        }
    }

    /// Waits until an operation has gone wrong since the last call of this. A delayed one is then done, and not yet answered.
    pub async fn met(&self) {
        self.inner.faults.met.notified().await;
    }

    /// How often an operation was asked for since the start, whatever came of it.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.inner.faults.calls().get(&operation).copied().unwrap_or_default()
    }
}

/// The console's routes for faults.
pub(super) fn router(sandbox: Netaxept) -> Router {
    Router::new()
        .route("/netaxept/faults", get(list).post(order).delete(forget))
        .with_state(sandbox)
}

async fn list(State(sandbox): State<Netaxept>) -> Response {
    Json(&*sandbox.inner.faults.left()).into_response()
}

async fn order(State(sandbox): State<Netaxept>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Fault { operation, kind, count }) => {
            sandbox.fail(operation, kind, count);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(fault) => console::refusal(StatusCode::BAD_REQUEST, &fault.to_string()),
    }
}

async fn forget(State(sandbox): State<Netaxept>) -> StatusCode {
    sandbox.inner.faults.left().clear();
    StatusCode::NO_CONTENT
}
