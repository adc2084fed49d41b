//! The calls Register, Process and Query, and the calls that arrive late.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::exception::Exception;
use super::faults::{Fault, FaultKind};
use super::{HEADERS, MERCHANT_ID, Netaxept, Operation, Parameters, TOKEN};
use crate::activity::Event;
use crate::clock::format_timestamp;
use crate::side_effects::SideEffect;

/// The parameters that the activity shows. The others identify the merchant or the card.
const SHOWN_PARAMETERS: [&str; 15] = [
    "transactionid",
    "operation",
    "transactionamount",
    "transactionreconref",
    "amount",
    "currencycode",
    "ordernumber",
    "servicetype",
    "recurringtype",
    "recurringuse3ds",
    "updatestoredpaymentinfo",
    "autoauth",
    "autosale",
    "language",
    "redirecturl",
];

/// The address of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    Register,
    Process,
    Query,
}

/// A call of the API.
pub(super) struct Call {
    pub(super) kind: CallKind,
    pub(super) parameters: Parameters,
}

impl Call {
    /// Returns what happened to this call, for the console's activity.
    fn event(&self, outcome: &str) -> Event {
        let id = self.parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let operation = self.parameters.get("operation").map(String::as_str).unwrap_or_default();
        let shown =
            self.parameters.iter().filter(|(name, _)| SHOWN_PARAMETERS.contains(&name.as_str()));
        let detail = shown.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let summary = format!("{:?} {operation} {id}: {outcome}", self.kind).replace("  ", " ");
        Event::nets("Netaxept", id, summary, Value::Object(detail))
    }

    /// Returns the names of this call for faults: `Process` and, for example, `AUTH`.
    fn operations(&self) -> Vec<Operation> {
        match self.kind {
            CallKind::Register => vec![Operation::Register],
            CallKind::Query => vec![Operation::Query],
            CallKind::Process => {
                let name = self.parameters.get("operation").map(String::as_str).unwrap_or_default();
                [Operation::Process].into_iter().chain(Operation::of_process(name)).collect()
            }
        }
    }
}

/// A call that was received and not executed yet.
struct LateCall {
    call: Call,
    due_at: Timestamp,
}

/// The calls that arrive late, in the order in which they were received.
#[derive(Default)]
pub(super) struct LateCalls {
    waiting: Mutex<Vec<LateCall>>,
}

impl LateCalls {
    fn waiting(&self) -> MutexGuard<'_, Vec<LateCall>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Netaxept {
    /// Answers a call, with the next fault of its operation if there is one.
    pub(super) async fn call(&self, call: Call) -> Response {
        self.execute_due_calls();
        self.report_call(&call);
        let kind = call.kind;
        let response = async move {
            match self.inner.faults.next(&call.operations()) {
                None => self.answer(&call, self.inner.clock.now(), Timestamp::MAX),
                Some(fault) => self.answer_with_fault(call, fault).await,
            }
        };
        match kind {
            CallKind::Register | CallKind::Process => {
                let side_effect = SideEffect::new(format!("Netaxept {kind:?}"));
                self.inner.side_effects.execute(side_effect, response).await
            }
            CallKind::Query => response.await,
        }
    }

    /// Calls `observer` with the operation and the transaction id of every later call, when it is received and before it is
    /// executed. There is one observer: a second one is ignored.
    pub fn observe(&self, observer: impl Fn(Operation, &str) + Send + Sync + 'static) {
        self.inner.observer.set(Box::new(observer)).unwrap_or_default();
    }

    fn report_call(&self, call: &Call) {
        let id = call.parameters.get("transactionid");
        if let (Some(observer), Some(operation), Some(id)) =
            (self.inner.observer.get(), call.operations().last(), id)
        {
            observer(*operation, id);
        }
    }

    async fn answer_with_fault(&self, call: Call, fault: Fault) -> Response {
        let now = self.inner.clock.now();
        self.record(|| call.event(&format!("injected fault {}", fault.name())));
        if fault.kind == FaultKind::ArriveLate {
            self.postpone(call, now + fault.delay());
            self.inner.faults.report_injected();
            return crate::close_without_response();
        }
        let shown_until =
            if fault.kind == FaultKind::Stale { now - fault.delay() } else { Timestamp::MAX };
        let perform = || self.answer(&call, now, shown_until);
        self.inner.faults.apply(&fault, &call.parameters, perform).await
    }

    /// Executes a call as if it were received at `now`, and returns its reply. Query shows the operations until `shown_until`.
    /// Errors have status 200 too, as recorded.
    fn answer(&self, call: &Call, now: Timestamp, shown_until: Timestamp) -> Response {
        let parameters = &call.parameters;
        let reply = check_credentials(parameters).and_then(|()| match call.kind {
            CallKind::Register => self.register(parameters, now),
            CallKind::Process => self.process(parameters, now),
            CallKind::Query => self.query(parameters, now, shown_until),
        });
        self.record(|| {
            call.event(&reply.as_ref().map_or_else(Exception::summary, |_| "OK".to_owned()))
        });
        (HEADERS, reply.unwrap_or_else(Exception::element).document()).into_response()
    }

    fn postpone(&self, call: Call, due_at: Timestamp) {
        self.inner.late_calls.waiting().push(LateCall { call, due_at });
        // Every other call executes the calls that are due. This task executes them also if there is no other call.
        let sandbox = self.clone();
        tokio::spawn(async move {
            sandbox.inner.clock.wait_until(due_at).await;
            sandbox.execute_due_calls();
        });
    }

    /// Executes the late calls that are due. The order is the one in which they are due.
    pub(super) fn execute_due_calls(&self) {
        self.execute_calls_until(self.inner.clock.now());
    }

    /// Executes all calls that were received by [`FaultKind::ArriveLate`] and are not executed yet, without waiting for their delay.
    /// Returns how many there were.
    #[must_use]
    pub fn execute_late_calls(&self) -> usize {
        self.execute_calls_until(Timestamp::MAX)
    }

    fn execute_calls_until(&self, end: Timestamp) -> usize {
        // Keeps the lock, so that a call that comes at the same time waits until the late calls are executed.
        let mut waiting = self.inner.late_calls.waiting();
        let mut due: Vec<LateCall> = waiting.extract_if(.., |late| late.due_at <= end).collect();
        due.sort_by_key(|late| late.due_at);
        for late in &due {
            // The caller no longer waits for the reply.
            let now = late.due_at.min(self.inner.clock.now());
            drop(self.answer(&late.call, now, Timestamp::MAX));
        }
        due.len()
    }

    /// Returns the late calls that are not executed yet, for the console: operation, transaction id, and the time when they are due.
    pub(super) fn waiting_calls(&self) -> Value {
        let waiting = self.inner.late_calls.waiting();
        let parameter = |late: &LateCall, name: &str| late.call.parameters.get(name).cloned();
        let call = |late: &LateCall| {
            json!({
                "operation": late.call.operations().last(),
                "transactionId": parameter(late, "transactionid"),
                "dueAt": format_timestamp(late.due_at),
            })
        };
        waiting.iter().map(call).collect()
    }
}

fn check_credentials(parameters: &Parameters) -> Result<(), Exception> {
    let value = |name| parameters.get(name).map(String::as_str);
    match (value("merchantid"), value("token")) {
        (Some(MERCHANT_ID), Some(TOKEN)) => Ok(()),
        (Some(merchant), Some(_)) => {
            let message = format!("Authentication failed (Test) MerchantId: {merchant}");
            Err(Exception::new("AuthenticationException", &message))
        }
        _ => Err(Exception::new(
            "AuthenticationException",
            "Test: Unable to authenticate merchant (credentials not passed)",
        )),
    }
}
