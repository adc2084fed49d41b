//! Converts a wallet to an item of the table and back. Only this file and its submodules know attribute names.
//!
//! Instants are milliseconds since 1970. `schema` is the version of this file that wrote the item. Every version that was ever
//! deployed stays readable, and the tests keep a stored item of it.

mod history;
mod lifecycle_event;
mod notification;
mod payment;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::change::Aggregate;
use super::table::{self, Attributes, Index};
use super::write_ids::WriteIds;
use crate::domain::audit::Audit;
use crate::domain::customer::Organisation;
use crate::domain::history::{Actor, History, HistoryChange, Label, Origin};
use crate::domain::id::{RecurringPaymentId, Sequence};
use crate::domain::notification::WalletNotification;
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::RecurringPayment;
use crate::domain::wallet::{Contents, Wallet};
use crate::error::{Cause, Error, Refusal};
use crate::invocation::{self, Invocation};
use crate::log;
pub(super) use notification::StoredDeliveryAttempts;
use notification::StoredNotification;
use payment::Payment;

/// The schema version that this file writes.
const SCHEMA: u8 = 1;
/// The name of the partition key.
pub(super) const KEY: &str = "slot";
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
    writes: WriteIds,
    last_sequence: u16,
    choices: Vec<u16>,
    payments: Vec<Payment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notifications: Vec<StoredNotification>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    opened: Vec<i64>,
    #[serde(default, skip_serializing_if = "History::is_empty", with = "history")]
    history: History,
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
        let due = wallet.due();
        let shard = table::shard(wallet.slot().number());
        Self {
            schema: SCHEMA,
            slot: wallet.slot().number(),
            organisation: contents.organisation.number(),
            owner: ByteArray::new(contents.owner.0),
            version: replaces.map_or(0, Self::version) + 1,
            writes: WriteIds::after(replaces.map(|item| &item.writes), write_id),
            last_sequence: contents.last_sequence.number(),
            choices: contents.choices.iter().map(|choice| choice.number()).collect(),
            payments: contents.payments.iter().map(Payment::from).collect(),
            notifications: contents.notifications.iter().map(StoredNotification::from).collect(),
            opened: wallet.terminals_opened_within_hour().map(|at| at.timestamp_millis()).collect(),
            history: replaces.map(|item| item.history.clone()).unwrap_or_default(),
            expiry_shard: due.expiry.map(|_| shard),
            expiry_at: due.expiry.map(|at| at.timestamp_millis()),
            task_shard: due.task.map(|_| shard),
            task_at: due.task.map(|at| at.timestamp_millis()),
        }
    }

    /// Adds what changed since `before` to the history.
    fn with_history(self, before: &Contents, wallet: &Wallet, origin: &Origin) -> Self {
        Self { history: self.history.with_changes(before.clone(), wallet, origin), ..self }
    }

    /// The changes of a recurring payment of `wallet`, oldest first. Also has the changes by time since `before` was stored.
    pub(super) fn history(
        &self,
        before: &Contents,
        wallet: &Wallet,
        id: RecurringPaymentId,
    ) -> Vec<HistoryChange> {
        self.history.clone().with_changes(before.clone(), wallet, &Origin::TIME).of(id)
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether an index entry is due although the wallet is not. The next change of the wallet corrects the entry.
    pub(super) fn has_stale_index_entry(&self, wallet: &Wallet, now: DateTime<Utc>) -> bool {
        let due = wallet.due();
        [(self.expiry_at, due.expiry), (self.task_at, due.task)]
            .into_iter()
            .any(|(stored, actual)| table::is_stale(stored, actual, now))
    }

    /// Whether an entry of the wallet has expired by `now`.
    pub(super) fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.expiry_at.is_some_and(|at| at <= now.timestamp_millis())
    }

    pub(super) fn read(attributes: Attributes) -> Result<Self, Error> {
        serde_dynamo::from_item(attributes)
            .map_err(|cause| unreadable(error_kind(&cause.to_string()).into()))
    }

    pub(super) fn write(&self) -> Result<Attributes, Error> {
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
                .map(WalletNotification::try_from)
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

impl Aggregate for Wallet {
    type Contents = Contents;
    type Item = Item;
    type Refusal = Refusal;

    fn contents(&self) -> &Contents {
        self.contents()
    }

    fn to_item(
        &self,
        before: &Contents,
        replaces: Option<&Item>,
        write_id: u64,
        _: DateTime<Utc>,
    ) -> Item {
        let origin = origin(&invocation::current());
        Item::new(self, replaces, write_id).with_history(before, self, &origin)
    }

    fn has_stale_index_entry(&self, item: &Item, now: DateTime<Utc>) -> bool {
        item.has_stale_index_entry(self, now)
    }

    fn audit(before: Contents, after: &Self) {
        log::audit(&Audit::between(&Self::as_stored(after.slot(), before), after));
    }

    fn read(attributes: Attributes) -> Result<Item, Error> {
        Item::read(attributes)
    }

    fn write(item: &Item) -> Result<Attributes, Error> {
        item.write()
    }

    fn version(item: &Item) -> u64 {
        item.version()
    }

    fn write_ids(item: &Item) -> &WriteIds {
        &item.writes
    }
}

/// The origin of the changes that an invocation makes. Without a caller it is Nets' callback or a schedule: they store the results of
/// terminals, and what time has changed.
fn origin(invocation: &Invocation) -> Origin {
    let actor = if invocation.tenant.is_empty() {
        Actor::Nets
    } else {
        Actor::Client {
            name: Label::cut(&invocation.client_name),
            channel: Label::cut(&invocation.channel),
        }
    };
    Origin { actor, correlation_id: Label::cut(&invocation.correlation_id) }
}

/// The first part of an error message of serde. The rest quotes stored values, which can be a pan hash.
pub(super) fn error_kind(message: &str) -> String {
    if message.starts_with("missing field") {
        return message.to_owned();
    }
    message.split(['`', '"']).next().unwrap_or_default().trim_end().to_owned()
}

fn unreadable(cause: Cause) -> Error {
    Error::Internal { what: "the stored wallet cannot be read", cause }
}

pub(super) fn instant(milliseconds: i64) -> Result<DateTime<Utc>, Cause> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| "an instant is out of range".into())
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "size_tests.rs"]
mod sizes;
