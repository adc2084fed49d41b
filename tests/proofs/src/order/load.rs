//! The load: clients of a few customers, each doing one thing after the other by chance, and what befalls them.

mod client;
mod customer;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use local::Local;
use local::lambda::NoAnswer;

use super::checker::Event;
use super::event::{Answer, event};
use super::operation::{Call, Caller, Operation};
use super::watch;
pub(super) use client::Client;
pub(super) use customer::Customer;

/// What all clients share.
pub(super) struct Load {
    pub(super) local: Local,
    pub(super) http: reqwest::Client,
    events: Sender<Event>,
    next: AtomicU64,
    /// Invocations of clients that may still begin.
    left: AtomicU64,
    over: Arc<AtomicBool>,
    faults: Mutex<Vec<String>>,
    exited: AtomicU64,
    /// Visits at which a customer did something.
    pressed: Mutex<HashSet<u64>>,
}

impl Load {
    pub(super) fn new(
        local: Local,
        events: Sender<Event>,
        over: Arc<AtomicBool>,
    ) -> Result<Self, local::Error> {
        let (http, faults) = (local::http_client()?, Mutex::default());
        let (next, left) = (AtomicU64::new(1), AtomicU64::new(0));
        let (exited, pressed) = (AtomicU64::new(0), Mutex::default());
        Ok(Self { local, http, events, next, left, over, faults, exited, pressed })
    }

    /// Tells the checker. It is gone when it has found something: then the load is over.
    pub(super) fn tell(&self, event: Event) {
        if self.events.send(event).is_err() {
            self.stop();
        }
    }

    /// What should not be, and is no matter of the order.
    pub(super) fn fault(&self, what: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        self.stop();
    }

    /// The first of them.
    pub(super) fn first_fault(&self) -> Option<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether a customer may do something at a page: nobody did before.
    pub(super) fn presses(&self, transaction: u64) -> bool {
        self.pressed.lock().unwrap_or_else(PoisonError::into_inner).insert(transaction)
    }

    /// How many invocations ended because their instance did.
    pub(super) fn exited(&self) -> u64 {
        self.exited.load(Ordering::Relaxed)
    }

    /// Lets clients begin so many.
    pub(super) fn allow(&self, invocations: u64) {
        self.left.store(invocations, Ordering::Relaxed);
    }

    /// One of those, if there is one left.
    pub(super) fn begins(&self) -> bool {
        let one = |left: u64| left.checked_sub(1);
        !self.is_over() && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok()
    }

    /// Now, in milliseconds.
    pub(super) fn now(&self) -> i64 {
        self.local.clock().now().as_millisecond()
    }

    /// Has a function answer a call, and tells all of it.
    pub(super) async fn call(&self, call: Arc<Call>) -> Option<Answer> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (function, event) = (call.operation.function(), event(&call));
        self.tell(Event::Invoked(id, call));
        let trace_id = watch::trace_id(id);
        let answer = self.local.lambda().invoke_traced(function, &trace_id, event).await;
        let answer = match answer.as_deref().map(Answer::read) {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(fault)) => {
                self.fault(format!("{function} answered something else: {fault}"));
                None
            }
            Err(NoAnswer::Exited) => {
                self.exited.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error @ (NoAnswer::Failed(_) | NoAnswer::TimedOut)) => {
                self.fault(format!("{function}: {error}"));
                None
            }
        };
        self.tell(Event::Returned(id, answer.clone()));
        answer
    }

    /// Runs a schedule, and says what it tallied.
    pub(super) async fn run(&self, operation: Operation) -> Option<Answer> {
        // A schedule's event has whole seconds.
        let now = self.now() / 1000 * 1000;
        self.call(Arc::new(Call { caller: Caller::Nobody, operation, now })).await
    }
}
