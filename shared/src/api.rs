//! The API layer: reads events of API Gateway's HTTP API, calls the function, and writes the response and one log line.

pub mod authorizer;
pub mod authorizer_context;
mod event;
pub mod reply;
pub mod request;
mod status;
mod uri;

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Service, service_fn};
use lambda_runtime::LambdaEvent;
use uuid::Uuid;

use crate::config::Environment;
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::log;
pub use reply::Reply;
pub use request::Request;
use request::RequestContext;

/// The reason why a function cannot start.
pub type StartError = lambda_runtime::Error;

/// The time limit of a response. A response has to arrive before 28 s, whatever the dependencies do (api.md §4).
const RESPONSE_LIMIT: Duration = Duration::from_secs(26);

/// Runs an HTTP function. `operation` is the name of its folder. `start` creates the state, once. `respond` answers each
/// request.
///
/// An error of `respond` becomes an error response, not a failed invocation. Lambda sees an error only if the function cannot
/// start.
///
/// # Errors
/// Fails with the error of `start` or of the Lambda runtime.
pub async fn serve<S, F>(
    operation: &'static str,
    start: impl AsyncFnOnce(&Environment<'_>) -> Result<S, Cause>,
    respond: impl Fn(&'static S, Request) -> F + Send + Sync,
) -> Result<(), StartError>
where
    S: Send + Sync + 'static,
    F: Future<Output = Result<Reply, Error>> + Send,
{
    let environment = Environment::of_process();
    log::init();
    let state: &'static S = Box::leak(Box::new(Box::pin(start(&environment)).await?));
    let (respond, cold) = (&respond, &AtomicBool::new(true));
    let service = service_fn(move |request: lambda_http::Request| async move {
        let started = Instant::now();
        let request = Request::new(request, correlation_id);
        let context = request.context();
        let responded = invocation::run(
            operation,
            Box::pin(with_time_limit(respond(state, request), &context)),
        );
        let (result, invocation) = responded.await;
        let error = result.as_ref().err().map(|error| chain(error));
        let response = result.map_or_else(
            |error| status::problem(&error, &context),
            |reply| reply.response(&context),
        );
        let (latency, cold) = (started.elapsed(), cold.swap(false, Ordering::Relaxed));
        context.line(&invocation, response.status(), latency, cold, error.as_deref()).write();
        Ok::<_, Infallible>(response)
    });
    // Does the same as `lambda_http::run`, which panics on some paths and queries that callers can send.
    let adapter = Adapter::from(service);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let mut adapter = adapter.clone();
        async move {
            let event = LambdaEvent::new(uri::sanitize(event.payload)?, event.context);
            match adapter.call(event).await {
                Ok(response) => Ok::<_, &'static str>(response),
                Err(never) => match never {},
            }
        }
    }))
    .await
}

async fn with_time_limit(
    response: impl Future<Output = Result<Reply, Error>>,
    context: &RequestContext,
) -> Result<Reply, Error> {
    invocation::record(|invocation| context.record(invocation));
    match tokio::time::timeout(RESPONSE_LIMIT, response).await {
        Ok(result) => result,
        Err(elapsed) => {
            Err(Error::Unavailable { what: "a response in time", cause: elapsed.into() })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place that generates correlation ids")]
fn correlation_id() -> String {
    Uuid::new_v4().to_string()
}
