//! The doors through which functions change anything outside of themselves: `DynamoDB`, Nets, a caller's address. What goes
//! through is written down in its order, and can be held, so that a test can kill a function at every such moment.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use tokio::sync::oneshot;

/// How many changes are remembered.
const MOST: usize = 1000;

/// A change that somebody asked for: `PutItem Wallets`, `Netaxept Process`, `POST inbox`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change(String);

impl Change {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a change is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is not done.
    Before,
    /// It is done, and its answer is on its way.
    After,
}

/// All doors of one service. Clones are the same.
#[derive(Clone, Default)]
pub struct Doors {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    passed: Vec<Change>,
    order: Option<Order>,
}

/// A change that is to be held.
struct Order {
    /// How many go through before it.
    before: usize,
    moment: Moment,
    met: oneshot::Sender<Change>,
    over: oneshot::Receiver<()>,
}

/// A change that is held, or will be. Dropped, it lets go: what was held is never answered, the connection breaks.
pub struct Held {
    met: oneshot::Receiver<Change>,
    _over: oneshot::Sender<()>,
}

impl Held {
    /// Waits until it is held: which change it is; nothing when another one was ordered since.
    pub async fn met(&mut self) -> Option<Change> {
        (&mut self.met).await.ok()
    }
}

impl Doors {
    /// What went through since the start, or since the last [`Self::forget`], in its order: the first thousand.
    #[must_use]
    pub fn passed(&self) -> Vec<Change> {
        self.state().passed.clone()
    }

    /// Counts from zero. What was ordered to be held, and has not come yet, is forgotten too.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    /// Holds one change, after so many that go through from now on. One at a time: another order takes the place of this one.
    #[must_use]
    pub fn hold(&self, before: usize, moment: Moment) -> Held {
        let ((met, hears), (lets_go, over)) = (oneshot::channel(), oneshot::channel());
        self.state().order = Some(Order { before, moment, met, over });
        Held { met: hears, _over: lets_go }
    }

    /// A change goes through, unless it is its turn to be held.
    pub(crate) async fn pass(
        &self,
        change: Change,
        perform: impl Future<Output = Response>,
    ) -> Response {
        let Some(Order { moment, met, over, .. }) = self.note(&change) else {
            return perform.await;
        };
        match moment {
            Moment::Before => {}
            Moment::After => drop(perform.await),
        }
        // Whoever ordered it may have gone, and then it is over too.
        met.send(change).unwrap_or_default();
        over.await.unwrap_or_default();
        crate::broken_connection()
    }

    /// Writes a change down: what is to become of it, if it is its turn.
    fn note(&self, change: &Change) -> Option<Order> {
        let state = &mut *self.state();
        if state.passed.len() < MOST {
            state.passed.push(change.clone());
        }
        match state.order.as_mut()?.before.checked_sub(1) {
            None => state.order.take(),
            Some(left) => {
                state.order.as_mut()?.before = left;
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
