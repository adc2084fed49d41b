//! A customer, and what clients have heard of theirs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use crate::order::operation::NewPayment;

/// How many ids are remembered.
const IDS: usize = 24;
/// How many creations with a key are remembered.
const CREATIONS: usize = 6;

/// A customer of organisation 1.
pub(in crate::order) struct Customer {
    pub(in crate::order) number: String,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Ids, oldest first.
    ids: VecDeque<u64>,
    /// Creations with a key, to be repeated.
    creations: VecDeque<NewPayment>,
}

impl Customer {
    pub(in crate::order) fn new(number: String) -> Self {
        Self { number, heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody was told an id.
    pub(super) fn hear(&self, id: u64) {
        let ids = &mut self.heard().ids;
        if !ids.contains(&id) {
            ids.push_back(id);
        }
        if ids.len() > IDS {
            ids.pop_front();
        }
    }

    /// One of the ids, more often one of the last.
    pub(super) fn some_id(&self, chance: &mut Rng) -> Option<u64> {
        let ids = &self.heard().ids;
        let back = chance.usize(..ids.len().max(1)).min(chance.usize(..ids.len().max(1)));
        ids.len().checked_sub(back + 1).map(|place| ids[place])
    }

    /// Somebody created with a key.
    pub(super) fn keep(&self, new: NewPayment) {
        let creations = &mut self.heard().creations;
        creations.push_back(new);
        if creations.len() > CREATIONS {
            creations.pop_front();
        }
    }

    /// A creation with a key, to be repeated.
    pub(super) fn some_creation(&self, chance: &mut Rng) -> Option<NewPayment> {
        let creations = &self.heard().creations;
        let count = creations.len();
        (count > 0).then(|| creations[chance.usize(..count)].clone())
    }
}
