//! Side effects: the changes that functions make outside of themselves, in `DynamoDB`, at Nets and at a caller's address. They are
//! recorded in order. A test can hold one of them, for example to kill the function at that point.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use tokio::sync::oneshot;

/// How many side effects are recorded.
const MAX_RECORDED: usize = 1000;

/// A side effect that a function requested: `PutItem Wallets`, `Netaxept Process`, `POST inbox`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SideEffect(String);

impl SideEffect {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for SideEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The point at which a side effect is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldPoint {
    /// Before it is executed. It is not executed later either.
    Before,
    /// After it is executed, before the response is sent.
    After,
}

/// The side effects of all functions of one service. Clones share their state.
#[derive(Clone, Default)]
pub struct SideEffects {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    recorded: Vec<SideEffect>,
    pending: Option<PendingHold>,
}

/// A hold whose side effect has not been requested yet.
struct PendingHold {
    /// How many side effects are executed before it.
    remaining: usize,
    point: HoldPoint,
    reached: oneshot::Sender<SideEffect>,
    released: oneshot::Receiver<()>,
}

/// A side effect that is held, or will be held. Dropping it releases the side effect: the connection is closed without a
/// response.
pub struct Hold {
    reached: oneshot::Receiver<SideEffect>,
    _release: oneshot::Sender<()>,
}

impl Hold {
    /// Waits until the side effect is held, and returns it. Returns `None` if another hold has replaced this one.
    pub async fn reached(&mut self) -> Option<SideEffect> {
        (&mut self.reached).await.ok()
    }
}

impl SideEffects {
    /// The side effects since the start or since the last [`Self::clear`], in order. Only the first 1000 are recorded.
    #[must_use]
    pub fn recorded(&self) -> Vec<SideEffect> {
        self.state().recorded.clone()
    }

    /// Clears the record, and cancels a hold that is not reached yet.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// Holds one side effect, after `before` others from now on. There is one hold at a time: a new one replaces this one.
    #[must_use]
    pub fn hold(&self, before: usize, point: HoldPoint) -> Hold {
        let ((reached, wait_reached), (release, released)) =
            (oneshot::channel(), oneshot::channel());
        self.state().pending = Some(PendingHold { remaining: before, point, reached, released });
        Hold { reached: wait_reached, _release: release }
    }

    /// Records a side effect and executes `operation`, unless this side effect is to be held.
    pub(crate) async fn execute(
        &self,
        side_effect: SideEffect,
        operation: impl Future<Output = Response>,
    ) -> Response {
        let Some(PendingHold { point, reached, released, .. }) = self.record(&side_effect) else {
            return operation.await;
        };
        match point {
            HoldPoint::Before => {}
            HoldPoint::After => drop(operation.await),
        }
        // Both calls fail if the `Hold` was dropped already; then the side effect is released at once.
        reached.send(side_effect).unwrap_or_default();
        released.await.unwrap_or_default();
        crate::close_without_response()
    }

    /// Records a side effect, and returns the pending hold if it is for this side effect.
    fn record(&self, side_effect: &SideEffect) -> Option<PendingHold> {
        let state = &mut *self.state();
        if state.recorded.len() < MAX_RECORDED {
            state.recorded.push(side_effect.clone());
        }
        match state.pending.as_mut()?.remaining.checked_sub(1) {
            None => state.pending.take(),
            Some(remaining) => {
                state.pending.as_mut()?.remaining = remaining;
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
