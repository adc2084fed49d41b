//! Converts a wallet to an item of the table and back. Only this file and its submodules know attribute names.
//!
//! Instants are milliseconds since 1970. `schema` is the version of this file that wrote the item. Every version that was ever
//! deployed stays readable, and the tests keep a stored item of it.

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

/// The schema version that this file writes.
const SCHEMA: u8 = 1;
/// The number of write ids that an item keeps. An uncertain write can be recognised until there were this many later writes.
const KEPT_WRITE_IDS: usize = 8;
/// The number of shards of an index. Shards spread the load over several partitions.
pub(super) const SHARDS: u8 = 8;

/// A sparse index by shard and instant. It contains only wallets that have such an instant.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) shard: &'static str,
    pub(super) at: &'static str,
}

pub(super) const BY_EXPIRY: Index =
    Index { name: "ByExpiry", shard: "expiryShard", at: "expiryAt" };
pub(super) const BY_TASK: Index = Index { name: "ByTask", shard: "taskShard", at: "taskAt" };

/// A stored wallet.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    schema: u8,
    slot: u64,
    organisation: u64,
    owner: ByteArray<32>,
    version: u64,
    /// The ids of the last writes, newest first, 8 bytes each.
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
    task_shard: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task_at: Option<i64>,
}

/// An entry of an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) slot: u64,
    #[serde(alias = "expiryAt", alias = "taskAt")]
    pub(super) at: i64,
}

impl Item {
    /// Creates an item for a wallet, which replaces another item or is the first.
    pub(super) fn new(wallet: &Wallet, replaces: Option<&Self>, write_id: u64) -> Self {
        let contents = wallet.contents();
        let mut writes = write_id.to_be_bytes().to_vec();
        writes.extend(replaces.into_iter().flat_map(|item| item.writes.iter()));
        writes.truncate(KEPT_WRITE_IDS * size_of::<u64>());
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
            opened: wallet.terminals_opened_within_hour().map(|at| at.timestamp_millis()).collect(),
            expiry_shard: due.expiry.map(|_| shard),
            expiry_at: due.expiry.map(|at| at.timestamp_millis()),
            task_shard: due.task.map(|_| shard),
            task_at: due.task.map(|at| at.timestamp_millis()),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether this write is one of the last writes.
    pub(super) fn was_written_by(&self, write_id: u64) -> bool {
        self.writes.chunks(size_of::<u64>()).any(|write| write == write_id.to_be_bytes())
    }

    /// Whether the id of a write that replaced a version may have been dropped: there were too many later writes.
    pub(super) fn may_have_dropped_write(&self, replaced: u64) -> bool {
        self.version > replaced + KEPT_WRITE_IDS as u64
    }

    /// Whether an index entry is due although the wallet is not. The next change of the wallet corrects the entry.
    pub(super) fn has_stale_index_entry(&self, wallet: &Wallet, now: DateTime<Utc>) -> bool {
        let due = wallet.due();
        [(self.expiry_at, due.expiry), (self.task_at, due.task)].into_iter().any(
            |(stored, actual)| {
                stored.is_some_and(|stored| {
                    stored <= now.timestamp_millis()
                        && Some(stored) != actual.map(|at| at.timestamp_millis())
                })
            },
        )
    }

    /// Whether an entry of the wallet has expired by `now`.
    pub(super) fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.expiry_at.is_some_and(|at| at <= now.timestamp_millis())
    }

    pub(super) fn read(attributes: HashMap<String, AttributeValue>) -> Result<Self, Error> {
        serde_dynamo::from_item(attributes)
            .map_err(|cause| unreadable(error_kind(&cause.to_string()).into()))
    }

    pub(super) fn write(self) -> Result<HashMap<String, AttributeValue>, Error> {
        let what = "the wallet cannot be serialized as an item";
        serde_dynamo::to_item(self).map_err(|cause| Error::Internal { what, cause: cause.into() })
    }

    /// The contents of the wallet.
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
            terminals_opened_at: self
                .opened
                .iter()
                .map(|at| instant(*at))
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
        })
    }
}

/// The first part of an error message of serde. The rest quotes stored values, which can be a pan hash.
fn error_kind(message: &str) -> String {
    if message.starts_with("missing field") {
        return message.to_owned();
    }
    message.split(['`', '"']).next().unwrap_or_default().trim_end().to_owned()
}

fn unreadable(cause: Cause) -> Error {
    Error::Internal { what: "the stored wallet cannot be read", cause }
}

fn instant(milliseconds: i64) -> Result<DateTime<Utc>, Cause> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| "an instant is out of range".into())
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "size_tests.rs"]
mod sizes;
