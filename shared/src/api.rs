//! The door: an HTTP API event comes in, a function answers, and whatever happened becomes a reply and one line in the log.

pub mod authorizer;
pub mod context;
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

use crate::config::{Environment, LogConfig};
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::log;
pub use reply::Reply;
use request::About;
pub use request::Request;

/// Why a function could not start.
pub type Fatal = lambda_runtime::Error;

/// Every answer arrives before 28 s, whatever the dependencies do (api.md §4).
const LIMIT: Duration = Duration::from_secs(26);

/// Runs a function, named by its folder: `start` makes what it works with, once; `answer` answers each request.
///
/// A refusal is an answer, not a failed invocation: Lambda only hears of a function that cannot start.
///
/// # Errors
/// What `start` fails with, or the runtime.
pub async fn serve<S, F>(
    operation: &'static str,
    start: impl AsyncFnOnce(&Environment<'_>) -> Result<S, Cause>,
    answer: impl Fn(&'static S, Request) -> F + Send + Sync,
) -> Result<(), Fatal>
where
    S: Send + Sync + 'static,
    F: Future<Output = Result<Reply, Error>> + Send,
{
    let environment = Environment::of_process();
    let log = &log::begin(LogConfig::read(&environment)?);
    let state: &'static S = Box::leak(Box::new(Box::pin(start(&environment)).await?));
    let (answer, cold) = (&answer, &AtomicBool::new(true));
    let service = service_fn(move |request: lambda_http::Request| async move {
        let began = Instant::now();
        let request = Request::new(request, correlation_id);
        let about = request.about();
        let answered = invocation::of(operation, Box::pin(in_time(answer(state, request), &about)));
        let (result, known) = answered.await;
        let error = result.as_ref().err().map(|error| chain(error));
        let response = result
            .map_or_else(|error| status::problem(&error, &about), |reply| reply.response(&about));
        let (took, cold) = (began.elapsed(), cold.swap(false, Ordering::Relaxed));
        log.write(&about.line(&known, response.status(), took, cold, error.as_deref()));
        Ok::<_, Infallible>(response)
    });
    // As `lambda_http::run`, which panics on some of the addresses that callers send.
    let adapter = Adapter::from(service);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let mut adapter = adapter.clone();
        async move {
            let event = LambdaEvent::new(uri::readable(event.payload)?, event.context);
            match adapter.call(event).await {
                Ok(response) => Ok::<_, &'static str>(response),
                Err(never) => match never {},
            }
        }
    }))
    .await
}

async fn in_time(
    answer: impl Future<Output = Result<Reply, Error>>,
    about: &About,
) -> Result<Reply, Error> {
    invocation::note(|at_hand| at_hand.correlation_id.clone_from(&about.correlation_id));
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(result) => result,
        Err(late) => Err(Error::Unavailable { what: "an answer in time", cause: late.into() }),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where correlation ids come from")]
fn correlation_id() -> String {
    Uuid::new_v4().to_string()
}
