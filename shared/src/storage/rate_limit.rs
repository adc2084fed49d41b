//! The rate limits: that of unidentified callers, and that of requests that wait for news. Callers share each of them. An identified
//! caller that does not wait causes no extra request.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::{DateTime, Utc};

use super::meter;
use super::table::unavailable;
use crate::error::Error;

/// The number of requests of all unidentified callers together that are served in a minute.
const REQUESTS_PER_MINUTE: u32 = 60;
const SECONDS_PER_MINUTE: i64 = 60;
/// The period in which waiting requests are counted, in seconds. It is the longest wait, so at most twice the limit wait at once.
const WAITING_PERIOD_SECONDS: i64 = 20;
/// The retention of a count, in seconds.
const RETENTION_SECONDS: i64 = 60 * SECONDS_PER_MINUTE;

/// The table of rate limits: one item for each period of a limit.
#[derive(Clone)]
pub(super) struct RateLimits {
    pub(super) client: Client,
    /// The name of the table.
    pub(super) table: String,
}

/// A counter of requests. The periods of the limits have different keys.
struct Counter {
    /// The value of the partition key `minute`.
    key: i64,
    limit: u32,
}

impl RateLimits {
    /// Counts a request of an unidentified caller. Does nothing for an identified one.
    ///
    /// # Errors
    /// Fails with `Unidentified` if the rate limit is exceeded, and with `Unavailable` if `DynamoDB` does not answer.
    pub(super) async fn check(&self, is_identified: bool, now: DateTime<Utc>) -> Result<(), Error> {
        if is_identified {
            return Ok(());
        }
        let key = now.timestamp().div_euclid(SECONDS_PER_MINUTE);
        let counter = Counter { key, limit: REQUESTS_PER_MINUTE };
        if self.count(&counter, now).await? {
            return Ok(());
        }
        Err(Error::Unidentified { retry_after_seconds: seconds_left(SECONDS_PER_MINUTE, now) })
    }

    /// Counts a request, with one conditional write. Returns false, and counts nothing, if the limit is reached.
    async fn count(&self, counter: &Counter, now: DateTime<Utc>) -> Result<bool, Error> {
        let number = |number: i64| AttributeValue::N(number.to_string());
        let count = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("minute", number(counter.key))
            .update_expression("SET forgottenAt = :forgotten ADD used :one")
            .condition_expression("attribute_not_exists(used) OR used < :limit")
            .expression_attribute_values(":forgotten", number(now.timestamp() + RETENTION_SECONDS))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(counter.limit.into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match Box::pin(count.send()).await {
            Ok(response) => {
                meter::record_write(response.consumed_capacity());
                Ok(true)
            }
            Err(SdkError::ServiceError(refused))
                if refused.err().is_conditional_check_failed_exception() =>
            {
                Ok(false)
            }
            Err(error) => Err(unavailable(error.into())),
        }
    }
}

/// The limit of the requests that wait for news. Each of them occupies an instance of its function for up to 20 seconds.
pub struct WaitingLimit {
    pub(super) rate_limits: RateLimits,
    pub(super) max_requests: u32,
}

impl WaitingLimit {
    /// Counts a request that begins to wait. Zero allows none, without a request to `DynamoDB`.
    ///
    /// # Errors
    /// Fails with `TooManyWaiting` if the limit is reached, and with `Unavailable` if `DynamoDB` does not answer.
    pub async fn check(&self, now: DateTime<Utc>) -> Result<(), Error> {
        // Below zero, where no minute is.
        let key = -now.timestamp().div_euclid(WAITING_PERIOD_SECONDS);
        let counter = Counter { key, limit: self.max_requests };
        if 0 < self.max_requests && self.rate_limits.count(&counter, now).await? {
            return Ok(());
        }
        let retry_after_seconds = seconds_left(WAITING_PERIOD_SECONDS, now);
        Err(Error::TooManyWaiting { retry_after_seconds })
    }
}

/// The seconds until the next period, at least one.
fn seconds_left(period: i64, now: DateTime<Utc>) -> u32 {
    u32::try_from(period - now.timestamp().rem_euclid(period)).unwrap_or(1)
}
