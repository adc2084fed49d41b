//! Callbacks: Nets posts the id of a transaction to an address after each successful operation, until the answer is 200.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use super::Netaxept;
use super::transaction::Transaction;
use crate::clock::Clock;

/// The number of attempts for each callback.
const MAX_ATTEMPTS: usize = 20;
/// The time limit for one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The callback address, if it is set.
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
    /// Sets the address that receives callbacks; `None` disables them. If the answer is not 200, the callback is sent again after
    /// a minute of the sandbox's clock, up to twenty times in all.
    pub fn set_callback_address(&self, address: Option<String>) {
        *self.inner.callbacks.address() = address;
    }

    /// Sends a callback in the background if an operation has succeeded since the last call of this function.
    pub(super) fn send_callback(&self, transaction: &mut Transaction) {
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
    for _ in 0..MAX_ATTEMPTS {
        // Read the clock before sending: the receiver can move the clock as soon as it has the callback.
        let next = clock.now() + interval;
        let answer = http.post(&address).json(&message).timeout(TIMEOUT).send().await;
        if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return;
        }
        clock.wait_until(next).await;
    }
    // The address is not logged: its last segment is a secret.
    tracing::warn!("a callback of the Netaxept sandbox was not acknowledged: {message}");
}
