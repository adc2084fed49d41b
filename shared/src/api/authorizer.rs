//! The authorizer's door: API Gateway asks who is calling, and passes the answer on to the functions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use chrono::DateTime;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::api::event::Event;
use crate::api::{Fatal, context};
use crate::config::{Environment, LogConfig};
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::log::{self, Line};
use crate::token::Tokens;

/// Runs the authorizer, named by its folder.
///
/// When the issuer's keys cannot be had, the invocation fails: API Gateway answers 500 by itself and remembers nothing, where
/// it would remember an answer for minutes.
///
/// # Errors
/// What `start` fails with, or the runtime.
pub async fn serve(
    operation: &'static str,
    start: fn(&Environment<'_>) -> Result<Tokens, Cause>,
) -> Result<(), Fatal> {
    let environment = Environment::of_process();
    let log = &log::begin(LogConfig::read(&environment)?);
    let tokens = &start(&environment)?;
    let cold = &AtomicBool::new(true);
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<Event<ApiGatewayV2CustomAuthorizerV2Request>>| async move {
            let began = Instant::now();
            let LambdaEvent { payload: Event(asked), context, .. } = event;
            let at = asked.request_context.time_epoch;
            let (checked, known) = invocation::of(operation, answer(tokens, asked)).await;
            let error = checked.as_ref().err().map(|error| chain(error));
            let line = Line::new(
                DateTime::from_timestamp_millis(at).unwrap_or_default(),
                if error.is_some() { "ERROR" } else { "INFO" },
                "checked",
                context.xray_trace_id.as_deref(),
                &known,
            );
            let line = line
                .text("error", error.as_deref().unwrap_or_default())
                .count("Requests", 1)
                .count("ServerErrors", error.is_some().into())
                .some("ColdStarts", cold.swap(false, Ordering::Relaxed).into())
                .milliseconds("Latency", began.elapsed());
            log.write(&line);
            checked.map_err(|_| error.unwrap_or_default())
        },
    ))
    .await
}

async fn answer(
    tokens: &Tokens,
    request: ApiGatewayV2CustomAuthorizerV2Request,
) -> Result<Value, Error> {
    let cause =
        || Error::Internal { what: "the event has no time", cause: Cause::from("timeEpoch") };
    let now =
        DateTime::from_timestamp_millis(request.request_context.time_epoch).ok_or_else(cause)?;
    // The identity source and not the headers: API Gateway caches this answer for the value of the identity source. The template
    // has one, the header Authorization.
    let authorization = match request.identity_source.as_deref() {
        Some([authorization]) => authorization.as_str(),
        Some(_) | None => "",
    };
    let caller = tokens.caller(authorization, now).await?;
    if let Ok(caller) = &caller {
        invocation::note(|at_hand| at_hand.is_set_off_by(caller));
    }
    Ok(json!({ "isAuthorized": true, "context": context::write(&caller) }))
}
