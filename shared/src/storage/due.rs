//! Finds the wallets that are due, by the indexes, and stores expiry.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::{DateTime, Utc};

use super::item::{self, BY_EXPIRY, BY_TASK, Entry, Index};
use super::{ChangeResult, Store, WalletKey, meter, unavailable};
use crate::domain::id::Slot;
use crate::domain::notification::Notification;
use crate::error::{Error, Refusal};

/// The number of index entries in a page.
const PAGE_SIZE: i32 = 250;

/// The reason why a wallet is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// An entry of the wallet expires.
    Expiry,
    /// A background task: a session has to be reconciled, or a notification to be delivered.
    Task,
}

/// A wallet that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWallet {
    /// The slot of the wallet.
    pub slot: Slot,
    /// The instant at which the wallet became due, in milliseconds since 1970.
    pub at: i64,
}

/// The start of the next page.
pub struct PageStart(HashMap<String, AttributeValue>);

impl DueWallet {
    /// The instant at which the wallet became due.
    #[must_use]
    pub fn due_at(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.at).unwrap_or_default()
    }
}

impl DueKind {
    fn index(self) -> Index {
        match self {
            Self::Expiry => BY_EXPIRY,
            Self::Task => BY_TASK,
        }
    }
}

impl Store {
    /// The number of shards of the indexes.
    pub const SHARDS: u8 = item::SHARDS;

    /// Reads a page of the wallets that are due in a shard, longest due first. Also returns the start of the next page.
    ///
    /// # Errors
    /// Fails with `Unavailable` if `DynamoDB` does not answer, and with `Internal` if an index entry is unreadable.
    pub async fn due(
        &self,
        kind: DueKind,
        shard: u8,
        now: DateTime<Utc>,
        page: Option<PageStart>,
    ) -> Result<(Vec<DueWallet>, Option<PageStart>), Error> {
        let index = kind.index();
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index.name)
            .key_condition_expression(format!("{} = :shard AND {} <= :now", index.shard, index.at))
            .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
            .expression_attribute_values(":now", instant(now))
            .limit(PAGE_SIZE)
            .set_exclusive_start_key(page.map(|PageStart(key)| key))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = Box::pin(query.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::record_read(response.consumed_capacity());
        let next = response.last_evaluated_key.map(PageStart);
        let entries = serde_dynamo::from_items(response.items.unwrap_or_default());
        let entries: Vec<Entry> = entries.map_err(|cause| Error::Internal {
            what: "an index entry cannot be read",
            cause: cause.into(),
        })?;
        let due = |entry: Entry| DueWallet { slot: Slot::new(entry.slot), at: entry.at };
        Ok((entries.into_iter().map(due).collect(), next))
    }

    /// Stores the entries of a wallet that have expired. Returns the notifications to deliver, whose attempts are already stored.
    /// Returns `None` if nothing is due any more.
    ///
    /// # Errors
    /// Fails like [`Store::change`].
    pub async fn expire(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, Error> {
        let key = WalletKey::Slot(slot);
        let loaded = match self.load(key, now).await {
            Err(Error::Refused(Refusal::NotFound)) => return Ok(None),
            loaded => loaded?,
        };
        if !loaded.expires_by(now) {
            return Ok(None);
        }
        let changed =
            self.change_loaded(loaded, key, now, |wallet| Ok(wallet.begin_delivery_attempts(None)));
        let ChangeResult { outcome: attempts, written } = changed.await?;
        Ok(written.then_some(attempts))
    }
}

fn instant(instant: DateTime<Utc>) -> AttributeValue {
    AttributeValue::N(instant.timestamp_millis().to_string())
}
