//! Fault injection: makes the next calls of an operation fail as Nets or the network could.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use super::exception::Exception;
use super::{HEADERS, Netaxept, Parameters};
use crate::activity::Event;
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
    /// The call Process, with any operation.
    Process,
    /// The call Process with the operation VERIFY.
    #[serde(rename = "VERIFY")]
    Verify,
    /// The call Process with the operation AUTH.
    #[serde(rename = "AUTH")]
    Auth,
    /// The call Process with the operation SALE.
    #[serde(rename = "SALE")]
    Sale,
    /// The call Process with the operation CAPTURE.
    #[serde(rename = "CAPTURE")]
    Capture,
    /// The call Process with the operation CREDIT.
    #[serde(rename = "CREDIT")]
    Credit,
    /// The call Process with the operation ANNUL.
    #[serde(rename = "ANNUL")]
    Annul,
    /// The call Query.
    Query,
    /// A press of a button on the terminal page.
    Terminal,
}

impl Operation {
    /// Returns the operation that Process was called with, if the sandbox knows it.
    pub(super) fn of_process(name: &str) -> Option<Self> {
        let known = [
            ("VERIFY", Self::Verify),
            ("AUTH", Self::Auth),
            ("SALE", Self::Sale),
            ("CAPTURE", Self::Capture),
            ("CREDIT", Self::Credit),
            ("ANNUL", Self::Annul),
        ];
        let found = known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map(|(_, operation)| operation)
    }
}

/// The effect of an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Executes the operation, then breaks the connection without an answer.
    DropReply,
    /// Does not execute the operation, and breaks the connection without an answer.
    DropRequest,
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
    /// Breaks the connection without an answer, and executes the call later: after a delay of the local clock, or when
    /// [`Netaxept::execute_late_calls`] is called. A Query that arrives late, or a button at the terminal, has no effect.
    ArriveLate,
    /// Query answers without the operations of Process that were executed within the delay, by the local clock. Register and the
    /// terminal session are always shown. Other calls are executed without a fault.
    Stale,
    /// No fault for this call. The next call uses the next fault in the queue.
    Pass,
}

/// A fault for the next `count` calls of an operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Fault {
    operation: Operation,
    pub(super) kind: FaultKind,
    #[serde(deserialize_with = "console::deserialize_count")]
    count: usize,
    /// The delay of [`FaultKind::ArriveLate`] and [`FaultKind::Stale`], by the local clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<u32>,
}

impl Fault {
    /// The delay if a fault has none.
    pub(super) const DEFAULT_DELAY_SECONDS: u32 = 30;

    /// Returns the name of the kind, such as `drop-reply`.
    pub(super) fn name(&self) -> String {
        json!(self.kind).as_str().unwrap_or_default().to_owned()
    }

    /// Returns the delay by the local clock of [`FaultKind::ArriveLate`] and [`FaultKind::Stale`].
    pub(super) fn delay(&self) -> SignedDuration {
        let seconds = self.delay_seconds.unwrap_or(Self::DEFAULT_DELAY_SECONDS);
        SignedDuration::from_secs(i64::from(seconds))
    }

    /// Returns why the fault cannot have an effect, if it cannot.
    pub(super) fn error(&self) -> Option<&'static str> {
        let is_query = self.operation == Operation::Query;
        let is_terminal = self.operation == Operation::Terminal;
        match self.kind {
            FaultKind::ArriveLate if is_query || is_terminal => {
                Some("arrive-late is for Register, Process and the operations of Process")
            }
            FaultKind::Stale if !is_query => Some("stale is for Query"),
            FaultKind::ArriveLate | FaultKind::Stale => None,
            FaultKind::DropReply
            | FaultKind::DropRequest
            | FaultKind::Delay
            | FaultKind::Http500
            | FaultKind::Html
            | FaultKind::Garbage
            | FaultKind::Repeat
            | FaultKind::Pass => {
                self.delay_seconds.map(|_| "delaySeconds is for arrive-late and stale")
            }
        }
    }
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

    /// Returns the faults that are left, in their order.
    pub(super) fn list(&self) -> Vec<Fault> {
        self.queue().iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        self.queue().clear();
    }

    /// Counts a call by each of its names, removes its next fault from the queue, and returns the fault.
    pub(super) fn next(&self, operations: &[Operation]) -> Option<Fault> {
        let mut calls = self.calls();
        for operation in operations {
            *calls.entry(*operation).or_default() += 1;
        }
        let mut queue = self.queue();
        let place = queue.iter().position(|fault| operations.contains(&fault.operation))?;
        let fault = queue[place].clone();
        queue[place].count -= 1;
        if queue[place].count == 0 {
            queue.remove(place);
        }
        Some(fault).filter(|fault| fault.kind != FaultKind::Pass)
    }

    /// Ends [`Netaxept::wait_for_fault`].
    pub(super) fn report_injected(&self) {
        self.injected.notify_one();
    }

    /// Answers a call with a fault. Executes the call with `perform` if the fault executes it.
    pub(super) async fn apply(
        &self,
        fault: &Fault,
        request: &Parameters,
        perform: impl FnOnce() -> Response,
    ) -> Response {
        let response = match fault.kind {
            FaultKind::DropReply => {
                drop(perform());
                crate::close_without_response()
            }
            FaultKind::Delay | FaultKind::Pass | FaultKind::Stale => perform(),
            FaultKind::DropRequest | FaultKind::ArriveLate => crate::close_without_response(),
            FaultKind::Http500 => {
                (StatusCode::INTERNAL_SERVER_ERROR, Html(ERROR_PAGE)).into_response()
            }
            FaultKind::Html => Html(PAGE).into_response(),
            FaultKind::Garbage => ([("content-type", "text/xml")], GARBAGE).into_response(),
            FaultKind::Repeat => {
                (HEADERS, repeat_request(request).element().document()).into_response()
            }
        };
        self.report_injected();
        if fault.kind == FaultKind::Delay {
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
    /// Adds a fault for the next `count` calls of an operation, after the faults that are already in the queue. The delay of
    /// [`FaultKind::ArriveLate`] and [`FaultKind::Stale`] is 30 s.
    pub fn inject_fault(&self, operation: Operation, kind: FaultKind, count: usize) {
        self.add_fault(Fault { operation, kind, count, delay_seconds: None });
    }

    /// Like [`Self::inject_fault`], for one call and with another delay by the local clock, for [`FaultKind::ArriveLate`] and
    /// [`FaultKind::Stale`].
    pub fn inject_delayed_fault(&self, operation: Operation, kind: FaultKind, delay_seconds: u32) {
        let delay_seconds = Some(delay_seconds);
        self.add_fault(Fault { operation, kind, count: 1, delay_seconds });
    }

    pub(super) fn add_fault(&self, fault: Fault) {
        if fault.count > 0 {
            let operation = json!(fault.operation);
            self.record(|| {
                Event::console(format!(
                    "Fault {} for {} calls of {operation}",
                    fault.name(),
                    fault.count
                ))
            });
            self.inner.faults.queue().push_back(fault);
        }
    }

    /// Waits until a fault is injected, counted from the last call of this function. At that time, a delayed operation is executed
    /// and not yet answered, and a call that arrives late is received and not yet executed.
    pub async fn wait_for_fault(&self) {
        self.inner.faults.injected.notified().await;
    }

    /// Returns the number of calls of an operation since the start, with and without faults.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.inner.faults.calls().get(&operation).copied().unwrap_or_default()
    }
}
