//! A customer, and the ids and keys that clients have used for the customer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use super::payments::KnownOrder;
use crate::order::operation::NewPayment;

/// Number of ids that are kept.
const MAX_IDS: usize = 24;
/// Number of creations with a key that are kept.
const MAX_CREATIONS: usize = 6;
/// Number of ids with a card that are kept.
const MAX_CARDS: usize = 4;
/// Number of orders that are kept.
const MAX_ORDERS: usize = 8;

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
    /// Ids of recurring payments that had a card, oldest first.
    cards: VecDeque<u64>,
    /// Orders with a payment, oldest first.
    orders: VecDeque<KnownOrder>,
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

    /// Adds the id of a recurring payment that has a card.
    pub(super) fn add_card(&self, id: u64) {
        let cards = &mut self.state().cards;
        if !cards.contains(&id) {
            cards.push_back(id);
        }
        if cards.len() > MAX_CARDS {
            cards.pop_front();
        }
    }

    /// Removes an id whose card cannot be charged any more.
    pub(super) fn remove_card(&self, id: u64) {
        self.state().cards.retain(|card| *card != id);
    }

    /// A random id of a recurring payment that had a card.
    pub(super) fn random_card(&self, rng: &mut Rng) -> Option<u64> {
        let cards = &self.state().cards;
        let count = cards.len();
        (count > 0).then(|| cards[rng.usize(..count)])
    }

    /// Adds an order with a payment, or replaces it.
    pub(super) fn add_order(&self, order: KnownOrder) {
        let orders = &mut self.state().orders;
        orders.retain(|known| known.number() != order.number());
        orders.push_back(order);
        if orders.len() > MAX_ORDERS {
            orders.pop_front();
        }
    }

    /// A random order with a payment.
    pub(super) fn random_order(&self, rng: &mut Rng) -> Option<KnownOrder> {
        let orders = &self.state().orders;
        let count = orders.len();
        (count > 0).then(|| orders[rng.usize(..count)].clone())
    }
}
