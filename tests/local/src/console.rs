//! The console: the customers and what happens, the clock, scheduled functions, faults, and logs. Its pages are complete without
//! scripts; with scripts they are live.

mod customers;
mod faults;
mod items;
mod layout;
mod overview;
mod stream;
#[cfg(test)]
mod tests;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::clock::format_timestamp;
use crate::scheduler::RunError;
use crate::{Local, openapi, shop};
pub(crate) use layout::{live, page};

/// The console's routes.
pub(crate) fn router(local: &Local) -> Router {
    let parts = local.netaxept().console_router().merge(local.inbox().clone().router());
    let parts = parts.merge(openapi::router(local.addresses().api.clone()));
    let parts = parts.merge(shop::router(local));
    Router::new()
        .route("/", get(overview::page))
        .route("/console/now", get(overview::now))
        .route("/nets", get(overview::nets_page))
        .route("/customers", get(customers::page))
        .route("/recurring-payments/{id}", get(customers::recurring_payment))
        .route("/payments/{id}", get(customers::payment))
        .route("/activity", get(stream::activity_page))
        .route("/activity/stream", get(stream::stream))
        .route("/function-logs", get(stream::logs_page))
        .route("/faults", get(faults::page))
        .route("/faults/clear", post(faults::clear))
        .route("/faults/{name}", post(faults::inject))
        .route("/clock", get(clock).post(advance))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/logs", get(logs))
        .route("/schedule/{function}", post(run))
        .with_state(local.clone())
        .merge(parts)
        .merge(layout::files())
        .layer(from_fn_with_state(local.activity().clone(), layout::skip_unchanged))
}

/// An error response with a message.
pub(crate) fn error_response(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// Deserializes a number of repetitions: 1 to 1000.
pub(crate) fn deserialize_count<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<usize, D::Error> {
    let count = usize::deserialize(deserializer)?;
    let valid = (1..=1000).contains(&count).then_some(count);
    valid.ok_or_else(|| D::Error::custom("count must be from 1 to 1000"))
}

/// Whether the body of a request is a form of the console's page.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"))
}

fn clock_json(now: Timestamp) -> Value {
    json!({ "now": format_timestamp(now) })
}

async fn clock(State(local): State<Local>) -> Json<Value> {
    Json(clock_json(local.clock().now()))
}

/// Moves the clock. The body is `{"advance": "PT16M"}`, or the same as a form, which the console's page sends.
async fn advance(State(local): State<Local>, headers: HeaderMap, body: Bytes) -> Response {
    let is_form = is_form(&headers);
    let advance = if is_form {
        form_urlencoded::parse(&body)
            .find(|(name, _)| name == "advance")
            .map(|(_, value)| value.into_owned())
    } else {
        serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| Some(body["advance"].as_str()?.to_owned()))
    };
    let bad_request = |message: &str| error_response(StatusCode::BAD_REQUEST, message);
    let Some(advance) = advance else {
        return bad_request("send a duration: {\"advance\": \"PT16M\"}");
    };
    let advanced = local.clock().advance(&advance);
    if let Ok(now) = &advanced {
        let text = format!("The clock was moved by {advance}, to {}", format_timestamp(*now));
        local.activity().record_console(text);
    }
    match advanced {
        Ok(_) if is_form => Redirect::to("/").into_response(),
        Ok(now) => Json(clock_json(now)).into_response(),
        Err(error) => bad_request(&error.to_string()),
    }
}

async fn requests(State(local): State<Local>) -> Response {
    Json(local.dynamodb().requests()).into_response()
}

async fn clear_requests(State(local): State<Local>) -> StatusCode {
    local.dynamodb().clear_requests();
    StatusCode::NO_CONTENT
}

async fn logs(State(local): State<Local>) -> Response {
    Json(local.lambda().lines()).into_response()
}

/// Runs a scheduled function once, immediately.
async fn run(
    State(local): State<Local>,
    Path(function): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = local.scheduler().run(&function).await;
    if result.is_ok() {
        local.activity().record_console(format!("{function} was run"));
    }
    match result {
        Ok(_) if is_form(&headers) => Redirect::to("/").into_response(),
        Ok(answer) => Json(answer).into_response(),
        Err(error @ RunError::Unknown(_)) => {
            error_response(StatusCode::NOT_FOUND, &error.to_string())
        }
        Err(error @ (RunError::Invocation(_) | RunError::InvalidJson(_))) => {
            error_response(StatusCode::BAD_GATEWAY, &error.to_string())
        }
    }
}

/// The style sheet of the issuer's page.
pub(crate) fn style() -> Markup {
    html! {
        meta name="viewport" content="width=device-width, initial-scale=1";
        style { (PreEscaped("body{font:1rem/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem}\
            table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd}\
            form{display:inline}button{font:inherit;padding:.3rem .6rem;margin:.2rem}")) }
    }
}
