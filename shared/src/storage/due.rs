//! What is due, by the indexes, and the expiry that needs no read.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use chrono::{DateTime, Utc};

use super::item::{self, BY_CHORE, BY_EXPIRY, Entry, Index, Item};
use super::{Changed, Key, Store, meter, new_write_id, unavailable};
use crate::domain::audit::Audit;
use crate::domain::id::Slot;
use crate::domain::notification::Notification;
use crate::domain::wallet::Wallet;
use crate::error::{Cause, Error, Refusal};
use crate::log;
use crate::seeded::{Fault, seeded};

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

/// What an expiry without a read met.
enum Met {
    /// The wallet as it was.
    Expired(Item),
    /// More than that is due, or nothing any more. What is stored, where the refusal said so.
    Other(Option<Item>),
    /// It may be done, or not.
    Unclear(Cause),
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
    /// somebody else did it.
    ///
    /// When an expiry is the last thing due, removing what it takes away is one write, and no read. Otherwise that write is
    /// refused, the refusal brings the wallet, and it is changed as any other.
    ///
    /// # Errors
    /// As for [`Store::change`].
    pub async fn settle(
        &self,
        due: Due,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, Error> {
        let own = new_write_id();
        let (item, doubt) = match self.expire(due, own).await? {
            Met::Expired(item) => return expired(due, item, now),
            Met::Other(Some(item)) => (Some(item), None),
            Met::Other(None) => (self.get(due.slot).await?, None),
            Met::Unclear(cause) => (self.get(due.slot).await?, Some(cause)),
        };
        // The answer was lost, and the SDK's repetition met what it had done.
        let item = match item {
            Some(item) if item.was_expired_by(own) => {
                return expired(due, item.before_expiry(due.at), now);
            }
            item => item,
        };
        if let Some(cause) = doubt {
            return Err(unavailable(cause));
        }
        let Some(item) = item.filter(|item| item.expires_by(now)) else { return Ok(None) };
        let key = Key::Slot(due.slot);
        let found = self.look_into(key, due.slot, item, now)?.ok_or(Refusal::NotFound)?;
        let changed = self.change_found(found, key, now, |wallet| Ok(wallet.begin_tries(None)));
        let Changed { outcome: tries, written } = changed.await?;
        Ok(written.then_some(tries))
    }

    async fn expire(&self, due: Due, own: u64) -> Result<Met, Error> {
        let unconditioned = seeded(Fault::ExpiryUnconditioned);
        let condition = if unconditioned { ":at = :at" } else { item::CAN_EXPIRE };
        let slot = AttributeValue::N(due.slot.number().to_string());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("slot", slot)
            .update_expression(item::EXPIRE)
            .condition_expression(condition)
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":at", AttributeValue::N(due.at.to_string()))
            .expression_attribute_values(":own", AttributeValue::N(own.to_string()))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match Box::pin(update.send()).await {
            Ok(updated) => {
                meter::written(updated.consumed_capacity());
                Ok(Met::Expired(Item::read(updated.attributes.unwrap_or_default())?))
            }
            Err(SdkError::ServiceError(refused)) => {
                let error = refused.into_err();
                if let UpdateItemError::ConditionalCheckFailedException(failed) = error {
                    return Ok(Met::Other(failed.item.map(Item::read).transpose()?));
                }
                Ok(Met::Unclear(error.into()))
            }
            Err(lost) => Ok(Met::Unclear(lost.into())),
        }
    }
}

/// An expiry that is done, and of which nobody has to be told.
fn expired(due: Due, item: Item, now: DateTime<Utc>) -> Result<Option<Vec<Notification>>, Error> {
    let before = Wallet::as_stored(due.slot, item.contents()?);
    let after = Wallet::new(due.slot, item.after_expiry().contents()?, now);
    log::audit(&Audit::between(&before, &after));
    Ok(Some(Vec::new()))
}

fn instant(instant: DateTime<Utc>) -> AttributeValue {
    AttributeValue::N(instant.timestamp_millis().to_string())
}
