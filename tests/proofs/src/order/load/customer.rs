//! A customer, and the ids and keys that clients have used for the customer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use crate::order::operation::NewPayment;

/// Number of ids that are kept.
const MAX_IDS: usize = 24;
/// Number of creations with a key that are kept.
const MAX_CREATIONS: usize = 6;

/// A customer of organisation 1.
pub(in crate::order) struct Customer {
    pub(in crate::order) number: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Ids, oldest first.
    ids: VecDeque<u64>,
    /// Creations with a key, which clients repeat.
    creations: VecDeque<NewPayment>,
}

impl Customer {
    pub(in crate::order) fn new(number: String) -> Self {
        Self { number, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the id of a created recurring payment.
    pub(super) fn add_id(&self, id: u64) {
        let ids = &mut self.state().ids;
        if !ids.contains(&id) {
            ids.push_back(id);
        }
        if ids.len() > MAX_IDS {
            ids.pop_front();
        }
    }

    /// A random id; newer ids are more frequent.
    pub(super) fn random_id(&self, rng: &mut Rng) -> Option<u64> {
        let ids = &self.state().ids;
        let back = rng.usize(..ids.len().max(1)).min(rng.usize(..ids.len().max(1)));
        ids.len().checked_sub(back + 1).map(|index| ids[index])
    }

    /// Adds a creation with a key.
    pub(super) fn add_creation(&self, new: NewPayment) {
        let creations = &mut self.state().creations;
        creations.push_back(new);
        if creations.len() > MAX_CREATIONS {
            creations.pop_front();
        }
    }

    /// A random creation with a key, to be repeated.
    pub(super) fn random_creation(&self, rng: &mut Rng) -> Option<NewPayment> {
        let creations = &self.state().creations;
        let count = creations.len();
        (count > 0).then(|| creations[rng.usize(..count)].clone())
    }
}
