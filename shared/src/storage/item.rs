//! A wallet as an item of the table: the only file, with its parts, that knows attribute names.
//!
//! Instants are milliseconds since 1970. `schema` says which version of this file wrote an item; every version that was
//! ever deployed stays readable, and a stored literal of it stays in the tests.

mod notification;
mod payment;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::domain::customer::Organisation;
use crate::domain::id::Sequence;
use crate::domain::notification::Notification;
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::RecurringPayment;
use crate::domain::wallet::{Contents, Wallet};
use crate::error::{Cause, Error};
use notification::StoredNotification;
use payment::Payment;

/// Which version of this file writes.
const SCHEMA: u8 = 1;
/// How many write ids an item remembers. A lost answer is recognised until so many other writes came after it.
const WRITES: usize = 8;
/// Over how many partitions an index is spread, so that none is hot.
pub(super) const SHARDS: u8 = 8;

/// An index of what is due: only wallets with something due are in it, by shard and instant.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) shard: &'static str,
    pub(super) at: &'static str,
}

pub(super) const BY_EXPIRY: Index =
    Index { name: "ByExpiry", shard: "expiryShard", at: "expiryAt" };
pub(super) const BY_CHORE: Index = Index { name: "ByChore", shard: "choreShard", at: "choreAt" };

/// What is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    schema: u8,
    slot: u64,
    organisation: u64,
    owner: ByteArray<32>,
    version: u64,
    /// Ids of the last writes, newest first, 8 bytes each.
    writes: ByteBuf,
    last_sequence: u16,
    choices: Vec<u16>,
    payments: Vec<Payment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notifications: Vec<StoredNotification>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    opened: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_shard: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chore_shard: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chore_at: Option<i64>,
}

/// An entry of an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) slot: u64,
    #[serde(alias = "expiryAt", alias = "choreAt")]
    pub(super) at: i64,
}

impl Item {
    /// The item that takes the place of another one.
    pub(super) fn new(wallet: &Wallet, replaces: Option<&Self>, write_id: u64) -> Self {
        let contents = wallet.contents();
        let mut writes = write_id.to_be_bytes().to_vec();
        writes.extend(replaces.into_iter().flat_map(|item| item.writes.iter()));
        writes.truncate(WRITES * size_of::<u64>());
        let due = wallet.due();
        let shard = u8::try_from(wallet.slot().number() % u64::from(SHARDS)).unwrap_or_default();
        Self {
            schema: SCHEMA,
            slot: wallet.slot().number(),
            organisation: contents.organisation.number(),
            owner: ByteArray::new(contents.owner.0),
            version: replaces.map_or(0, Self::version) + 1,
            writes: ByteBuf::from(writes),
            last_sequence: contents.last_sequence.number(),
            choices: contents.choices.iter().map(|choice| choice.number()).collect(),
            payments: contents.payments.iter().map(Payment::from).collect(),
            notifications: contents.notifications.iter().map(StoredNotification::from).collect(),
            opened: wallet.opened_lately().map(|at| at.timestamp_millis()).collect(),
            expiry_shard: due.expiry.map(|_| shard),
            expiry_at: due.expiry.map(|at| at.timestamp_millis()),
            chore_shard: due.chore.map(|_| shard),
            chore_at: due.chore.map(|at| at.timestamp_millis()),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether this write is among the last ones.
    pub(super) fn was_written_by(&self, write_id: u64) -> bool {
        self.writes.chunks(size_of::<u64>()).any(|write| write == write_id.to_be_bytes())
    }

    /// Whether a write that took the place of a version could have been done, and is not among the last ones any more.
    pub(super) fn may_have_forgotten(&self, replaced: u64) -> bool {
        self.version > replaced + WRITES as u64
    }

    /// Whether an index says that something is overdue which is not: whoever meets that puts it right.
    pub(super) fn misleads(&self, wallet: &Wallet, now: DateTime<Utc>) -> bool {
        let due = wallet.due();
        [(self.expiry_at, due.expiry), (self.chore_at, due.chore)].into_iter().any(|(says, is)| {
            says.is_some_and(|says| {
                says <= now.timestamp_millis() && Some(says) != is.map(|at| at.timestamp_millis())
            })
        })
    }

    /// Whether time has something to make of it by now.
    pub(super) fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.expiry_at.is_some_and(|at| at <= now.timestamp_millis())
    }

    pub(super) fn read(attributes: HashMap<String, AttributeValue>) -> Result<Self, Error> {
        serde_dynamo::from_item(attributes)
            .map_err(|cause| unreadable(kind(&cause.to_string()).into()))
    }

    pub(super) fn write(self) -> Result<HashMap<String, AttributeValue>, Error> {
        let what = "a wallet can not be written as an item";
        serde_dynamo::to_item(self).map_err(|cause| Error::Internal { what, cause: cause.into() })
    }

    /// The wallet's contents.
    pub(super) fn contents(&self) -> Result<Contents, Error> {
        if self.schema != SCHEMA {
            return Err(unreadable(format!("schema {}", self.schema).into()));
        }
        let sequence =
            |number: &u16| Sequence::try_from(*number).map_err(|cause| unreadable(cause.into()));
        let payment = |stored: &Payment| RecurringPayment::try_from(stored).map_err(unreadable);
        Ok(Contents {
            organisation: Organisation::new(self.organisation),
            owner: Owner(*self.owner),
            last_sequence: sequence(&self.last_sequence)?,
            choices: self.choices.iter().map(sequence).collect::<Result<_, _>>()?,
            payments: self.payments.iter().map(payment).collect::<Result<_, _>>()?,
            notifications: self
                .notifications
                .iter()
                .map(Notification::try_from)
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
            opened: self
                .opened
                .iter()
                .map(|at| instant(*at))
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
        })
    }
}

/// What kind of fault serde found: it quotes what is stored, and that could be a pan hash.
fn kind(fault: &str) -> String {
    if fault.starts_with("missing field") {
        return fault.to_owned();
    }
    fault.split(['`', '"']).next().unwrap_or_default().trim_end().to_owned()
}

fn unreadable(cause: Cause) -> Error {
    Error::Internal { what: "a stored wallet can not be read", cause }
}

fn instant(milliseconds: i64) -> Result<DateTime<Utc>, Cause> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| "an instant out of range".into())
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "size_tests.rs"]
mod sizes;
