//! A stored wallet: the attributes that the specification covers.

mod wire;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::spec::Wallet;

/// An item of the table of wallets.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The wallet, without the customer number: the item has only [`Item::owner`].
    pub wallet: Wallet,
    /// The version, which is the number of writes.
    pub version: u64,
    /// The keyed hash of the customer, base64-encoded.
    pub owner: String,
    /// The sort key of the expiry index.
    pub expiry_at: Option<i64>,
    /// The sort key of the task index.
    pub task_at: Option<i64>,
    /// Whether all ACTIVE recurring payments have a pan hash, and no others.
    pub has_correct_pan_hashes: bool,
}

/// The slot and version of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The slot.
    pub slot: u64,
    /// The version.
    pub version: u64,
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
