//! Counts the requests to `DynamoDB` and their capacity units for the current invocation.

use std::cell::Cell;
use std::future::Future;

use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::ConsumedCapacity;
use aws_smithy_runtime_api::client::interceptors::disable_interceptor;
use aws_smithy_runtime_api::client::retries::RequestAttempts;

use crate::invocation::record;

tokio::task_local! {
    /// Whether the SDK retried the current request.
    static WAS_RETRIED: Cell<bool>;
}

/// Counts requests, including the SDK's retries.
#[derive(Debug)]
pub(super) struct Requests;

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    /// Disables the SDK's user agent header, which is built, hashed and signed for every request and is not used.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>("not used"));
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_retry = bag.load::<RequestAttempts>().is_some_and(|attempt| attempt.attempts() > 1);
        if is_retry {
            WAS_RETRIED.try_with(|was_retried| was_retried.set(true)).unwrap_or_default();
        }
        record(|invocation| invocation.dynamodb_retries += u64::from(is_retry));
        Ok(())
    }
}

/// Sends a request. Also returns whether the SDK retried it: then an earlier request may have been carried out, although its
/// response was lost.
pub(super) async fn detect_retry<T>(request: impl Future<Output = T>) -> (T, bool) {
    let observed = async { (request.await, WAS_RETRIED.with(Cell::get)) };
    WAS_RETRIED.scope(Cell::new(false), observed).await
}

/// Records the read units of a response.
pub(super) fn record_read(capacity: Option<&ConsumedCapacity>) {
    record(|invocation| invocation.read_units += units(capacity));
}

/// Records the write units of a response.
pub(super) fn record_write(capacity: Option<&ConsumedCapacity>) {
    record(|invocation| invocation.write_units += units(capacity));
}

fn units(capacity: Option<&ConsumedCapacity>) -> f64 {
    capacity.and_then(ConsumedCapacity::capacity_units).unwrap_or_default()
}
