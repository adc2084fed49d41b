//! What is due, by the indexes, and what time has made of a wallet.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::{DateTime, Utc};

use super::item::{self, BY_CHORE, BY_EXPIRY, Entry, Index};
use super::{Changed, Key, Store, meter, unavailable};
use crate::domain::id::Slot;
use crate::domain::notification::Notification;
use crate::error::{Error, Refusal};

/// How many entries of an index are read at once.
const PAGE: i32 = 250;

/// What kind of thing is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time makes something else of a recurring payment.
    Expiry,
    /// A terminal has to be looked at, or somebody to be told something.
    Chore,
}

/// A wallet with something due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub slot: Slot,
    /// Since when, in milliseconds since 1970.
    pub at: i64,
}

/// Where the next page begins.
pub struct Page(HashMap<String, AttributeValue>);

impl Due {
    /// Since when.
    #[must_use]
    pub fn since(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.at).unwrap_or_default()
    }
}

impl Kind {
    fn index(self) -> Index {
        match self {
            Self::Expiry => BY_EXPIRY,
            Self::Chore => BY_CHORE,
        }
    }
}

impl Store {
    /// Over how many shards what is due is spread.
    pub const SHARDS: u8 = item::SHARDS;

    /// A page of what is due in a shard, what has been due longest first, and where the next page begins.
    ///
    /// # Errors
    /// `Unavailable`; `Internal` when an entry cannot be read.
    pub async fn due(
        &self,
        kind: Kind,
        shard: u8,
        now: DateTime<Utc>,
        page: Option<Page>,
    ) -> Result<(Vec<Due>, Option<Page>), Error> {
        let index = kind.index();
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index.name)
            .key_condition_expression(format!("{} = :shard AND {} <= :now", index.shard, index.at))
            .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
            .expression_attribute_values(":now", instant(now))
            .limit(PAGE)
            .set_exclusive_start_key(page.map(|Page(key)| key))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let queried = Box::pin(query.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::read(queried.consumed_capacity());
        let next = queried.last_evaluated_key.map(Page);
        let entries = serde_dynamo::from_items(queried.items.unwrap_or_default());
        let entries: Vec<Entry> = entries.map_err(|cause| Error::Internal {
            what: "an entry of an index can not be read",
            cause: cause.into(),
        })?;
        let due = |entry: Entry| Due { slot: Slot::new(entry.slot), at: entry.at };
        Ok((entries.into_iter().map(due).collect(), next))
    }

    /// Makes durable what time has made of a wallet: what has to be told of it, each a try that is written down. Nothing, when
    /// it is not due any more.
    ///
    /// # Errors
    /// As for [`Store::change`].
    pub async fn settle(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, Error> {
        let key = Key::Slot(slot);
        let found = match self.load(key, now).await {
            Err(Error::Refused(Refusal::NotFound)) => return Ok(None),
            found => found?,
        };
        if !found.expires_by(now) {
            return Ok(None);
        }
        let changed = self.change_found(found, key, now, |wallet| Ok(wallet.begin_tries(None)));
        let Changed { outcome: tries, written } = changed.await?;
        Ok(written.then_some(tries))
    }
}

fn instant(instant: DateTime<Utc>) -> AttributeValue {
    AttributeValue::N(instant.timestamp_millis().to_string())
}
