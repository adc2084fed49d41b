//! What callers who do not say who they are share: so many requests a minute. Nobody else pays a request for it.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::{DateTime, Utc};

use super::{Store, meter, unavailable};
use crate::error::Error;

/// How many requests of unidentified callers are served in a minute, all of them together.
const A_MINUTE: u32 = 60;
const MINUTE: i64 = 60;
/// How long a minute's count is kept.
const KEPT: i64 = 60 * MINUTE;

impl Store {
    /// Counts a request of an unidentified caller; an identified one is admitted without asking.
    ///
    /// # Errors
    /// `Unidentified` when the minute's allowance is used up; `Unavailable`.
    pub async fn admit(&self, identified: bool, now: DateTime<Utc>) -> Result<(), Error> {
        if identified {
            return Ok(());
        }
        let number = |number: i64| AttributeValue::N(number.to_string());
        let second = now.timestamp();
        let count = self
            .client
            .update_item()
            .table_name(&self.allowances)
            .key("minute", number(second / MINUTE))
            .update_expression("SET forgottenAt = :forgotten ADD used :one")
            .condition_expression("attribute_not_exists(used) OR used < :most")
            .expression_attribute_values(":forgotten", number(second + KEPT))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(A_MINUTE.into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match Box::pin(count.send()).await {
            Ok(counted) => {
                meter::written(counted.consumed_capacity());
                Ok(())
            }
            Err(SdkError::ServiceError(refused))
                if refused.err().is_conditional_check_failed_exception() =>
            {
                let left = MINUTE - second.rem_euclid(MINUTE);
                Err(Error::Unidentified { retry_after_seconds: u32::try_from(left).unwrap_or(1) })
            }
            Err(error) => Err(unavailable(error.into())),
        }
    }
}
