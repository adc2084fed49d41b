//! The rate limit of unidentified callers, which they share. Identified callers cause no extra request.

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
/// The retention of the count of a minute, in seconds.
const RETENTION_SECONDS: i64 = 60 * SECONDS_PER_MINUTE;

/// The table of rate limits: one item for each minute.
#[derive(Clone)]
pub(super) struct RateLimits {
    pub(super) client: Client,
    /// The name of the table.
    pub(super) table: String,
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
        let number = |number: i64| AttributeValue::N(number.to_string());
        let second = now.timestamp();
        let count = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("minute", number(second / SECONDS_PER_MINUTE))
            .update_expression("SET forgottenAt = :forgotten ADD used :one")
            .condition_expression("attribute_not_exists(used) OR used < :limit")
            .expression_attribute_values(":forgotten", number(second + RETENTION_SECONDS))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(REQUESTS_PER_MINUTE.into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match Box::pin(count.send()).await {
            Ok(response) => {
                meter::record_write(response.consumed_capacity());
                Ok(())
            }
            Err(SdkError::ServiceError(refused))
                if refused.err().is_conditional_check_failed_exception() =>
            {
                let seconds_left = SECONDS_PER_MINUTE - second.rem_euclid(SECONDS_PER_MINUTE);
                Err(Error::Unidentified {
                    retry_after_seconds: u32::try_from(seconds_left).unwrap_or(1),
                })
            }
            Err(error) => Err(unavailable(error.into())),
        }
    }
}
