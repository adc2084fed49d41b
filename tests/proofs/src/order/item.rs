//! A stored wallet, as the table has it: what of it the specification speaks of.

mod wire;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::spec::Wallet;

/// An item of the table of wallets.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The wallet. Whose it is, is not written in it: see [`Item::owner`].
    pub wallet: Wallet,
    /// How often it was written.
    pub version: u64,
    /// The keyed hash of the customer, as base 64.
    pub owner: String,
    /// What the index of expiries says.
    pub expiry_at: Option<i64>,
    /// What the index of chores says.
    pub chore_at: Option<i64>,
    /// Whether those that are ACTIVE have a pan hash, and no others.
    pub right_pan_hashes: bool,
}

/// Where an item lies, and how often it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Where.
    pub slot: u64,
    /// How often.
    pub version: u64,
}

impl<'de> Deserialize<'de> for Item {
    /// As `DynamoDB` writes its attributes.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        wire::Item::deserialize(from)?.read().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Head {
    /// The rest is not looked at.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        wire::Head::deserialize(from)?.read().map_err(D::Error::custom)
    }
}
