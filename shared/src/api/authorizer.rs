//! The Lambda authorizer: verifies the token. API Gateway passes its response to the functions as context.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use chrono::DateTime;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::api::event::Event;
use crate::api::{StartError, authorizer_context};
use crate::config::Environment;
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::log::{self, Line};
use crate::token::TokenVerifier;

/// Runs the authorizer. `operation` is the name of its folder.
///
/// If the issuer's keys cannot be fetched, the invocation fails, and API Gateway answers 500. API Gateway caches a response of
/// the authorizer, but not a failed invocation.
///
/// # Errors
/// Fails with the error of `start` or of the Lambda runtime.
pub async fn serve(
    operation: &'static str,
    start: fn(&Environment<'_>) -> Result<TokenVerifier, Cause>,
) -> Result<(), StartError> {
    let environment = Environment::of_process();
    log::init();
    let verifier = &start(&environment)?;
    let cold = &AtomicBool::new(true);
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<Event<ApiGatewayV2CustomAuthorizerV2Request>>| async move {
            let started = Instant::now();
            let LambdaEvent { payload: Event(request), context, .. } = event;
            let (result, invocation) = invocation::run(operation, respond(verifier, request)).await;
            let error = result.as_ref().err().map(|error| chain(error));
            // The functions do not write the tenant: it belongs to the client.
            Line::new("token", context.xray_trace_id.as_deref(), &invocation)
                .failed(error.is_some())
                .text("tenant", invocation.tenant)
                .text("error", error.as_deref().unwrap_or_default())
                .count("cold_start", cold.swap(false, Ordering::Relaxed).into())
                .milliseconds("latency_ms", started.elapsed())
                .write();
            result.map_err(|_| error.unwrap_or_default())
        },
    ))
    .await
}

async fn respond(
    verifier: &TokenVerifier,
    request: ApiGatewayV2CustomAuthorizerV2Request,
) -> Result<Value, Error> {
    let cause =
        || Error::Internal { what: "the event has no time", cause: Cause::from("timeEpoch") };
    let now =
        DateTime::from_timestamp_millis(request.request_context.time_epoch).ok_or_else(cause)?;
    // Read the identity source, not the headers: API Gateway caches this response by the value of the identity source. The
    // template has exactly one identity source, the header Authorization.
    let authorization = match request.identity_source.as_deref() {
        Some([authorization]) => authorization.as_str(),
        Some(_) | None => "",
    };
    let caller = verifier.caller(authorization, now).await?;
    if let Ok(caller) = &caller {
        invocation::record(|invocation| invocation.set_caller(caller));
    }
    Ok(json!({ "isAuthorized": true, "context": authorizer_context::write(&caller) }))
}
