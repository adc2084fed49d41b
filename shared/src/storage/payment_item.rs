//! Converts a payment to an item of the table and back. Only this file and its submodules know the attribute names of payments.
//!
//! Instants are milliseconds since 1970, except the TTL attribute `forgottenAt`, which is in seconds. `schema` is the version of
//! this file that wrote the item. Every version that was ever deployed stays readable, and the tests keep a stored item of it.
//! An item contains no card number and no pan hash.

mod captured;
mod notification;
mod transaction;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::change::Aggregate;
use super::item::error_kind;
use super::table::{self, Attributes, Index};
use super::write_ids::WriteIds;
use crate::domain::audit::TransactionChange;
use crate::domain::customer::Organisation;
use crate::domain::id::PaymentId;
use crate::domain::order::{Order, OrderId, OrderVersion};
use crate::domain::owner::{OrderHash, Owner};
use crate::domain::payment::{Contents, Payment, Transaction};
use crate::error::{Cause, Error, PaymentRefusal};
use crate::log;
use notification::StoredNotification;
use transaction::StoredTransaction;

/// The schema version that this file writes.
const SCHEMA: u8 = 1;
/// How long a payment is kept after its last write (payments.md §4.4). Later, its order could be paid anew.
const RETENTION: TimeDelta = TimeDelta::days(400);
/// The name of the partition key.
pub(super) const KEY: &str = "payment";

pub(super) const BY_TASK: Index = Index { name: "ByTask", shard: "taskShard", at: "taskAt" };

/// A stored payment.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentItem {
    schema: u8,
    payment: u64,
    version: u64,
    writes: WriteIds,
    /// When the item may be deleted, in seconds since 1970. `None` if another order has the same first id: then the item is kept, so
    /// that a search for the other order does not end here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_at: Option<i64>,
    organisation: u64,
    order_id: String,
    order_version: u64,
    order_hash: ByteArray<32>,
    owner: ByteArray<32>,
    transactions: Vec<StoredTransaction>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notifications: Vec<StoredNotification>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task_shard: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task_at: Option<i64>,
}

/// An entry of the index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentEntry {
    pub(super) payment: u64,
    pub(super) task_at: i64,
}

impl PaymentItem {
    /// Creates an item for a payment, which replaces another item or is the first.
    pub(super) fn new(
        payment: &Payment,
        replaces: Option<&Self>,
        write_id: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let contents = payment.contents();
        let notifications = contents.notifications.iter();
        let notification = |one| StoredNotification::new(one, &contents.transactions);
        let task_at = task_at(payment, replaces.and_then(|item| item.task_at), now);
        let is_kept = replaces.is_some_and(Self::is_kept);
        Self {
            schema: SCHEMA,
            payment: payment.id().number(),
            version: replaces.map_or(0, |item| item.version) + 1,
            writes: WriteIds::after(replaces.map(|item| &item.writes), write_id),
            forgotten_at: (!is_kept).then(|| (now + RETENTION).timestamp()),
            organisation: contents.order.organisation.number(),
            order_id: contents.order.id.as_str().to_owned(),
            order_version: contents.order.version.number().into(),
            order_hash: ByteArray::new(contents.order_hash.0),
            owner: ByteArray::new(contents.owner.0),
            transactions: contents.transactions.iter().map(StoredTransaction::from).collect(),
            notifications: notifications.map(notification).collect(),
            task_shard: task_at.map(|_| table::shard(payment.id().number())),
            task_at,
        }
    }

    /// The same payment, which is never deleted.
    pub(super) fn kept(self, write_id: u64) -> Self {
        Self {
            version: self.version + 1,
            writes: WriteIds::after(Some(&self.writes), write_id),
            forgotten_at: None,
            ..self
        }
    }

    /// Whether the item is never deleted.
    pub(super) fn is_kept(&self) -> bool {
        self.forgotten_at.is_none()
    }

    /// Whether the item is the first version of its payment.
    pub(super) fn is_first(&self) -> bool {
        self.version == 1
    }

    /// The id.
    pub(super) fn id(&self) -> Result<PaymentId, Error> {
        self.payment.try_into().map_err(|cause| unreadable(Cause::from(cause)))
    }

    /// The hash of the order.
    pub(super) fn order_hash(&self) -> OrderHash {
        OrderHash(*self.order_hash)
    }

    /// The contents of the payment.
    pub(super) fn contents(&self) -> Result<Contents, Error> {
        if self.schema != SCHEMA {
            return Err(unreadable(format!("schema {}", self.schema).into()));
        }
        if !(1..=Payment::MAX_ATTEMPTS).contains(&self.transactions.len()) {
            return Err(unreadable("not 1 to 16 transactions".into()));
        }
        let transactions = self.transactions.iter().map(Transaction::try_from);
        let transactions: Vec<_> = transactions.collect::<Result<_, _>>().map_err(unreadable)?;
        let id = self.id()?;
        let notifications = self.notifications.iter().map(|one| one.read(id, &transactions));
        Ok(Contents {
            notifications: notifications.collect::<Result<_, _>>().map_err(unreadable)?,
            order: self.order().map_err(unreadable)?,
            order_hash: self.order_hash(),
            owner: Owner(*self.owner),
            transactions,
        })
    }

    fn order(&self) -> Result<Order, Cause> {
        Ok(Order {
            organisation: Organisation::new(self.organisation),
            id: OrderId::try_from(self.order_id.as_str()).map_err(|_| "not an order id")?,
            version: OrderVersion::try_from(self.order_version)?,
        })
    }
}

impl Aggregate for Payment {
    type Contents = Contents;
    type Item = PaymentItem;
    type Refusal = PaymentRefusal;

    fn contents(&self) -> &Contents {
        self.contents()
    }

    fn to_item(
        &self,
        _: &Contents,
        replaces: Option<&PaymentItem>,
        write_id: u64,
        now: DateTime<Utc>,
    ) -> PaymentItem {
        PaymentItem::new(self, replaces, write_id, now)
    }

    fn has_stale_index_entry(&self, item: &PaymentItem, now: DateTime<Utc>) -> bool {
        table::is_stale(item.task_at, self.due_at(), now)
    }

    fn audit(before: Contents, after: &Self) {
        log::audit_payment(after.id(), &TransactionChange::between(&before, after));
    }

    fn read(attributes: Attributes) -> Result<PaymentItem, Error> {
        serde_dynamo::from_item(attributes)
            .map_err(|cause| unreadable(error_kind(&cause.to_string()).into()))
    }

    fn write(item: &PaymentItem) -> Result<Attributes, Error> {
        let what = "the payment cannot be serialized as an item";
        serde_dynamo::to_item(item).map_err(|cause| Error::Internal { what, cause: cause.into() })
    }

    fn version(item: &PaymentItem) -> u64 {
        item.version
    }

    fn write_ids(item: &PaymentItem) -> &WriteIds {
        &item.writes
    }
}

/// The instant of the index entry. An entry that is neither due nor too late stays where it is, because moving it costs two write
/// units: a capture plans a later reconciliation before AUTH, and needs none after CAPTURE. If the entry becomes due early, it is
/// stale, and the schedule moves it.
fn task_at(payment: &Payment, stored: Option<i64>, now: DateTime<Utc>) -> Option<i64> {
    let due_at = payment.due_at()?.timestamp_millis();
    let can_stay = |stored: &i64| now.timestamp_millis() < *stored && *stored <= due_at;
    Some(stored.filter(can_stay).unwrap_or(due_at))
}

fn unreadable(cause: Cause) -> Error {
    Error::Internal { what: "the stored payment cannot be read", cause }
}

#[cfg(test)]
#[path = "payment_item_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "payment_size_tests.rs"]
mod size_tests;
