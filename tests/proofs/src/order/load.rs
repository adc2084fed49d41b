//! The load: clients that run random operations for a few customers.

mod client;
mod customer;
mod payments;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use local::Local;
use local::lambda::InvocationError;

use super::checker::Event;
use super::exchange;
use super::lambda::{Response, lambda_event};
use super::operation::{Call, Caller, Operation};
use crate::local_access::nets_faults;
pub(super) use client::Client;
pub(super) use customer::Customer;

/// The state that all clients share.
pub(super) struct Load {
    pub(super) local: Local,
    pub(super) http: reqwest::Client,
    events: Sender<Event>,
    next_id: AtomicU64,
    /// Number of operations that clients may still start.
    remaining: AtomicU64,
    stopped: Arc<AtomicBool>,
    failures: Mutex<Vec<String>>,
    killed_invocations: AtomicU64,
    /// Sessions whose page was used by a customer.
    used_pages: Mutex<HashSet<u64>>,
    /// Whether calls of Nets fail.
    pub(super) injects_faults: bool,
}

impl Load {
    pub(super) fn new(
        local: Local,
        events: Sender<Event>,
        stopped: Arc<AtomicBool>,
        injects_faults: bool,
    ) -> Result<Self, local::Error> {
        let (http, failures) = (local::http_client()?, Mutex::default());
        let (next_id, remaining) = (AtomicU64::new(1), AtomicU64::new(0));
        let (killed_invocations, used_pages) = (AtomicU64::new(0), Mutex::default());
        Ok(Self {
            local,
            http,
            events,
            next_id,
            remaining,
            stopped,
            failures,
            killed_invocations,
            used_pages,
            injects_faults,
        })
    }

    /// Sends an event to the checker. If the checker has ended with a violation, stops the load.
    pub(super) fn send(&self, event: Event) {
        if self.events.send(event).is_err() {
            self.stop();
        }
    }

    /// Records a failure that does not concern the order, and stops the load.
    pub(super) fn fail(&self, what: String) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        self.stop();
    }

    /// The first recorded failure.
    pub(super) fn first_failure(&self) -> Option<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Returns true for the first call with a transaction: each page is used once.
    pub(super) fn claim_page(&self, transaction: u64) -> bool {
        self.used_pages.lock().unwrap_or_else(PoisonError::into_inner).insert(transaction)
    }

    /// Removes the faults of Nets that no call has used.
    pub(super) async fn remove_nets_faults(&self) {
        if let Err(error) = self.http.delete(nets_faults(&self.local)).send().await {
            self.fail(error.to_string());
        }
    }

    /// Number of invocations that ended because their instance was killed.
    pub(super) fn killed_invocations(&self) -> u64 {
        self.killed_invocations.load(Ordering::Relaxed)
    }

    /// Sets the number of operations that clients may start.
    pub(super) fn set_remaining(&self, invocations: u64) {
        self.remaining.store(invocations, Ordering::Relaxed);
    }

    /// Takes one of the remaining operations. Returns false if there is none.
    pub(super) fn take_operation(&self) -> bool {
        let one = |remaining: u64| remaining.checked_sub(1);
        !self.is_stopped()
            && self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok()
    }

    /// The current instant of the local clock, in milliseconds.
    pub(super) fn now(&self) -> i64 {
        self.local.clock().now().as_millisecond()
    }

    /// Invokes a function and sends the events of the invocation to the checker.
    pub(super) async fn call(&self, call: Arc<Call>) -> Option<Response> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (function, event) = (call.operation.function(), lambda_event(&call, id));
        self.send(Event::Invoked(id, call));
        let trace_id = exchange::trace_id(id);
        let response = self.local.lambda().invoke_traced(function, &trace_id, event).await;
        let response = match response.as_deref().map(Response::parse) {
            Ok(Ok(response)) => Some(response),
            Ok(Err(error)) => {
                self.fail(format!("the response of {function} cannot be parsed: {error}"));
                None
            }
            Err(InvocationError::Exited) => {
                self.killed_invocations.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error @ (InvocationError::Failed(_) | InvocationError::TimedOut)) => {
                self.fail(format!("{function}: {error}"));
                None
            }
        };
        self.send(Event::Returned(id, response.clone()));
        response
    }

    /// Runs a schedule and returns its response: the summary of the run.
    pub(super) async fn run_schedule(&self, operation: Operation) -> Option<Response> {
        // The event of a schedule has whole seconds.
        let now = self.now() / 1000 * 1000;
        self.call(Arc::new(Call { caller: Caller::Unauthenticated, operation, now })).await
    }
}
