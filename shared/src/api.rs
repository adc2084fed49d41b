//! The door: an HTTP API event comes in, a function answers, and whatever happened becomes a reply and one line in the log.

pub mod authorizer;
pub mod context;
pub mod reply;
pub mod request;
mod status;

use std::convert::Infallible;
use std::future::Future;
use std::time::{Duration, Instant};

use lambda_http::{Body, Response, service_fn};
use uuid::Uuid;

use crate::config::Environment;
use crate::error::{Cause, Error, chain};
use crate::log;
pub use reply::Reply;
pub use request::Request;

/// Why a function could not start.
pub type Fatal = lambda_http::Error;

/// Every answer arrives before 28 s, whatever the dependencies do (api.md §4).
const LIMIT: Duration = Duration::from_secs(26);

/// Runs a function: `start` makes what it works with, once; `answer` answers each request.
///
/// A refusal is an answer, not a failed invocation: Lambda only hears of a function that cannot start.
///
/// # Errors
/// What `start` fails with, or the runtime.
pub async fn serve<S, F>(
    start: fn(&Environment<'_>) -> Result<S, Cause>,
    answer: impl Fn(&'static S, Request) -> F + Send + Sync,
) -> Result<(), Fatal>
where
    S: Send + Sync + 'static,
    F: Future<Output = Result<Reply, Error>> + Send,
{
    log::begin();
    let state: &'static S = Box::leak(Box::new(start(&Environment::of_process())?));
    let answer = &answer;
    lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
        let began = Instant::now();
        let request = Request::new(event, correlation_id);
        let about = request.about();
        let result = match tokio::time::timeout(LIMIT, answer(state, request)).await {
            Ok(result) => result,
            Err(late) => Err(Error::Unavailable { what: "an answer in time", cause: late.into() }),
        };
        let error = result.as_ref().err().map(|error| chain(error));
        let response = result
            .map_or_else(|error| status::problem(&error, &about), |reply| reply.response(&about));
        about.log(response.status(), began.elapsed(), error.as_deref());
        Ok::<Response<Body>, Infallible>(response)
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "the one place where correlation ids come from")]
fn correlation_id() -> String {
    Uuid::new_v4().to_string()
}
