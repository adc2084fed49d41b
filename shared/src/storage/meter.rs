//! What a request costs: counted for the invocation at hand.

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

use crate::invocation::note;

tokio::task_local! {
    /// Whether the request at hand was repeated.
    static REPEATED: Cell<bool>;
}

/// Counts what goes out, also what the SDK repeats by itself.
#[derive(Debug)]
pub(super) struct Requests;

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    /// What the SDK says of itself in a header is made anew, hashed and signed for every request, and nobody reads it.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>("unread"));
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let again = bag.load::<RequestAttempts>().is_some_and(|attempt| attempt.attempts() > 1);
        if again {
            REPEATED.try_with(|repeated| repeated.set(true)).unwrap_or_default();
        }
        note(|at_hand| {
            at_hand.dynamodb_requests += 1;
            at_hand.dynamodb_retries += u64::from(again);
        });
        Ok(())
    }
}

/// Does a request, and says whether the SDK repeated it by itself: then an earlier sending may have been carried out, and its
/// answer lost.
pub(super) async fn repeated<T>(request: impl Future<Output = T>) -> (T, bool) {
    let told = async { (request.await, REPEATED.with(Cell::get)) };
    REPEATED.scope(Cell::new(false), told).await
}

/// A read was answered.
pub(super) fn read(capacity: Option<&ConsumedCapacity>) {
    note(|at_hand| at_hand.read_units += units(capacity));
}

/// A write was carried out.
pub(super) fn written(capacity: Option<&ConsumedCapacity>) {
    note(|at_hand| at_hand.write_units += units(capacity));
}

fn units(capacity: Option<&ConsumedCapacity>) -> f64 {
    capacity.and_then(ConsumedCapacity::capacity_units).unwrap_or_default()
}
