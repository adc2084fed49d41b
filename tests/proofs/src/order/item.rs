//! A stored wallet: the attributes that the specification covers.

mod wire;

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::spec::{LifecycleEvent, Wallet};

/// An item of the table of wallets.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The wallet, without the customer number: the item has only [`Item::owner`].
    pub wallet: Wallet,
    /// The version, which is the number of writes.
    pub version: u64,
    /// The keyed hash of the customer, base64-encoded.
    pub owner: String,
    /// The lifecycle events.
    pub events: Events,
    /// The sort key of the expiry index.
    pub expiry_at: Option<i64>,
    /// The sort key of the task index.
    pub task_at: Option<i64>,
    /// Whether all ACTIVE recurring payments have a pan hash, and no others.
    pub has_correct_pan_hashes: bool,
}

/// What an item has about lifecycle events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// The events that are not delivered yet, in the order of the item.
    pub stored: Vec<StoredEvent>,
    /// The ACTIVE recurring payments that were announced as expiring.
    pub notices_given: BTreeSet<u16>,
}

/// An event that is not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event.
    pub event: LifecycleEvent,
    /// The delivery attempts; `None` before the first one.
    pub attempts: Option<DeliveryAttempts>,
}

/// The delivery attempts of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryAttempts {
    /// When the first one began.
    pub first_at: i64,
    /// How many were begun.
    pub count: u16,
    /// When the next one is due.
    pub next_at: i64,
}

/// The slot and version of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The slot.
    pub slot: u64,
    /// The version.
    pub version: u64,
}

impl Events {
    /// When the next delivery attempt is due.
    #[must_use]
    pub fn next_attempt_at(&self) -> Option<i64> {
        self.stored.iter().map(StoredEvent::due_at).min()
    }
}

impl StoredEvent {
    /// When the next delivery attempt is due.
    #[must_use]
    pub fn due_at(&self) -> i64 {
        self.attempts.map_or(self.event.occurred_at, |attempts| attempts.next_at)
    }
}

impl<'de> Deserialize<'de> for Item {
    /// Reads `DynamoDB`'s JSON.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        wire::Item::deserialize(from)?.read().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Head {
    /// Reads `DynamoDB`'s JSON and ignores the other attributes.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        wire::Head::deserialize(from)?.read().map_err(D::Error::custom)
    }
}
