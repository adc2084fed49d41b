//! Nets calls back: it tells an address of every change of a transaction until that answers 200.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use super::Netaxept;
use super::transaction::Transaction;
use crate::clock::Clock;

/// How often a change is told before nobody is believed to listen.
const ATTEMPTS: usize = 20;
/// How long an answer is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Where changes are told, if anywhere.
#[derive(Default)]
pub(super) struct Callbacks {
    address: Mutex<Option<String>>,
}

impl Callbacks {
    fn address(&self) -> MutexGuard<'_, Option<String>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Netaxept {
    /// Tells this address, from now on, of every change of a transaction; with `None`, nobody. A message is sent again a minute
    /// later, by the sandbox's clock, unless the answer was 200; twenty times in all.
    pub fn call_back(&self, address: Option<String>) {
        *self.inner.callbacks.address() = address;
    }

    /// Tells of a change, if there was one. Nobody waits for that.
    pub(super) fn tell_change(&self, transaction: &mut Transaction) {
        let address = self.inner.callbacks.address().clone();
        if let (true, Some(address)) = (transaction.take_change(), address) {
            let message = json!({ "TransactionId": transaction.id() });
            tokio::spawn(deliver(address, message, self.inner.clock.clone()));
        }
    }
}

async fn deliver(address: String, message: Value, clock: Clock) {
    let Ok(http) = crate::http_client() else { return };
    let interval: Span = 1.minute();
    for _ in 0..ATTEMPTS {
        // Before it is sent: whoever has received it may move the clock at once.
        let next = clock.now() + interval;
        let answer = http.post(&address).json(&message).timeout(LIMIT).send().await;
        if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return;
        }
        clock.until(next).await;
    }
    // The address is not told: its end is a secret.
    tracing::warn!("a callback of the Netaxept sandbox was never acknowledged: {message}");
}
