//! A table with one item for each aggregate: consistent reads, conditional writes, and the entries of an index that are due.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use aws_types::SdkConfig;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::meter;
use crate::error::{Cause, Error, chain};

/// The time limit for opening the connection at start.
const WARM_UP_LIMIT: Duration = Duration::from_secs(1);
/// The number of index entries in a page.
const PAGE_SIZE: i32 = 250;
/// The number of shards of an index. Shards spread the load over several partitions.
pub(super) const SHARDS: u8 = 8;

/// The attributes of an item.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// A table with one item for each aggregate. The partition key is a number, and there is no sort key.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
    /// The name of the partition key.
    pub(super) key: &'static str,
}

/// A sparse index by shard and instant. It contains only the items that have such an instant.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) shard: &'static str,
    pub(super) at: &'static str,
}

/// The start of the next page of an index.
pub struct PageStart(HashMap<String, AttributeValue>);

/// The result of a conditional write.
pub(super) enum PutOutcome {
    Written,
    /// The condition failed. With the current item, if the response has it. With a cause, if the SDK sent the request more than
    /// once, because then an earlier request may have been carried out.
    Conflict(Option<Attributes>, Option<Cause>),
    /// The write may or may not have been carried out.
    Uncertain(Cause),
}

/// Creates a client that counts its requests.
pub(super) fn client(sdk: &SdkConfig, endpoint: Option<String>) -> Client {
    let builder = aws_sdk_dynamodb::config::Builder::from(sdk).interceptor(meter::Requests);
    let builder = match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    };
    Client::from_conf(builder.build())
}

/// The shard of an item.
pub(super) fn shard(key: u64) -> u8 {
    u8::try_from(key % u64::from(SHARDS)).unwrap_or_default()
}

/// Whether an index entry is due although the aggregate is not.
pub(super) fn is_stale(
    stored: Option<i64>,
    actual: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    stored.is_some_and(|stored| {
        stored <= now.timestamp_millis() && Some(stored) != actual.map(|at| at.timestamp_millis())
    })
}

/// The error if `DynamoDB` does not answer.
pub(super) fn unavailable(cause: Cause) -> Error {
    Error::Unavailable { what: "DynamoDB", cause }
}

impl Table {
    /// Reads an item that cannot exist, so that the connection is open before the first request. A failure is only logged.
    pub(super) async fn warm_up(&self, invalid_key: u64) {
        match tokio::time::timeout(WARM_UP_LIMIT, self.get(invalid_key)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "warm-up failed"),
            Err(elapsed) => tracing::warn!(error = chain(&elapsed), "warm-up failed"),
        }
    }

    /// Reads an item.
    pub(super) async fn get(&self, key: u64) -> Result<Option<Attributes>, Error> {
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(self.key, AttributeValue::N(key.to_string()));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = Box::pin(get.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::record_read(response.consumed_capacity());
        Ok(response.item)
    }

    /// Writes an item if the stored version is `replaces`, or with `None`, if there is no item.
    pub(super) async fn put(&self, item: Attributes, replaces: Option<u64>) -> PutOutcome {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let put = match replaces {
            None => put.condition_expression(format!("attribute_not_exists({})", self.key)),
            Some(version) => put
                .condition_expression("version = :read")
                .expression_attribute_values(":read", AttributeValue::N(version.to_string())),
        };
        let put = put
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let (result, was_retried) = meter::detect_retry(Box::pin(put.send())).await;
        match result {
            Ok(response) => {
                meter::record_write(response.consumed_capacity());
                PutOutcome::Written
            }
            Err(SdkError::ServiceError(refused)) => {
                let error = refused.into_err();
                if let PutItemError::ConditionalCheckFailedException(failed) = error {
                    let cause = was_retried.then(|| "the response to a write was lost".into());
                    return PutOutcome::Conflict(failed.item, cause);
                }
                PutOutcome::Uncertain(error.into())
            }
            Err(error) => PutOutcome::Uncertain(error.into()),
        }
    }

    /// Reads a page of the index entries that are due in a shard, longest due first. Also returns the start of the next page.
    pub(super) async fn due<E: DeserializeOwned>(
        &self,
        index: &Index,
        shard: u8,
        now: DateTime<Utc>,
        page: Option<PageStart>,
    ) -> Result<(Vec<E>, Option<PageStart>), Error> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index.name)
            .key_condition_expression(format!("{} = :shard AND {} <= :now", index.shard, index.at))
            .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
            .expression_attribute_values(
                ":now",
                AttributeValue::N(now.timestamp_millis().to_string()),
            )
            .limit(PAGE_SIZE)
            .set_exclusive_start_key(page.map(|PageStart(key)| key))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = Box::pin(query.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::record_read(response.consumed_capacity());
        let next = response.last_evaluated_key.map(PageStart);
        let entries = serde_dynamo::from_items(response.items.unwrap_or_default());
        let entries = entries.map_err(|cause| Error::Internal {
            what: "an index entry cannot be read",
            cause: cause.into(),
        })?;
        Ok((entries, next))
    }
}
