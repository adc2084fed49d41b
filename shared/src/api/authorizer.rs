//! The authorizer's door: API Gateway asks who is calling, and passes the answer on to the functions.

use chrono::DateTime;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::api::{Fatal, context};
use crate::config::Environment;
use crate::error::{Cause, Error, chain};
use crate::log;
use crate::token::Tokens;

/// Runs the authorizer.
///
/// When the issuer's keys cannot be had, the invocation fails: API Gateway answers 500 by itself and remembers nothing, where
/// it would remember an answer for minutes.
///
/// # Errors
/// What `start` fails with, or the runtime.
pub async fn serve(start: fn(&Environment<'_>) -> Result<Tokens, Cause>) -> Result<(), Fatal> {
    log::begin();
    let tokens = &start(&Environment::of_process())?;
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayV2CustomAuthorizerV2Request>| async move {
            answer(tokens, event.payload).await.map_err(|error| {
                let error = chain(&error);
                tracing::error!(error, "failed");
                error
            })
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
    let authorization =
        request.headers.get("authorization").and_then(|header| header.to_str().ok());
    let caller = tokens.caller(authorization.unwrap_or_default(), now).await?;
    Ok(json!({ "isAuthorized": true, "context": context::write(&caller) }))
}
