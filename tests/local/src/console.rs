//! The console: moves the clock, runs scheduled functions, sets faults, and shows requests, transactions and logs.

#[cfg(test)]
mod tests;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::clock::format_timestamp;
use crate::scheduler::RunError;
use crate::{Local, openapi};

/// The console's routes.
pub(crate) fn router(local: Local) -> Router {
    let parts = local.netaxept().console_router().merge(local.inbox().clone().router());
    let parts = parts.merge(openapi::router(local.addresses().api.clone()));
    Router::new()
        .route("/", get(page))
        .route("/clock", get(clock).post(advance))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/logs", get(logs))
        .route("/schedule/{function}", post(run))
        .with_state(local)
        .merge(parts)
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
    match local.clock().advance(&advance) {
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
    match local.scheduler().run(&function).await {
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

/// The style sheet of the pages for engineers.
pub(crate) fn style() -> Markup {
    html! {
        meta name="viewport" content="width=device-width, initial-scale=1";
        style { (PreEscaped("body{font:1rem/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem}\
            table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd}\
            form{display:inline}button{font:inherit;padding:.3rem .6rem;margin:.2rem}")) }
    }
}

async fn page(State(local): State<Local>) -> Html<String> {
    let addresses = local.addresses();
    let services = [
        ("API", &addresses.api),
        ("Netaxept sandbox", &addresses.netaxept),
        ("Token issuer", &addresses.issuer),
        ("DynamoDB", &addresses.dynamodb),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Console" } (style()) }
            body {
                h1 { "Recurring payments on this machine" }
                table { @for (name, address) in services { tr { th { (name) } td { a href=(address) { (address) } } } } }
                p { a href="/api" { "API reference" } ", also as " a href="/openapi.yaml" { "openapi.yaml" } "." }
                h2 { "Clock" }
                p { (clock_json(local.clock().now())["now"].as_str().unwrap_or_default()) }
                @for (duration, name) in [("PT16M", "16 minutes"), ("P1D", "a day"), ("P1M", "a month"), ("P3Y", "three years")] {
                    form method="post" action="/clock" { button name="advance" value=(duration) { "Advance by " (name) } }
                }
                p { "A token is valid for one hour of this clock. After you advance the clock by an hour or more, get a new token." }
                h2 { "Scheduled functions" }
                @for function in local.scheduler().functions() {
                    form method="post" action=(format!("/schedule/{function}")) { button { "Run " (function) " now" } }
                }
                h2 { "Orders at Nets" }
                (local.netaxept().orders_table())
                h2 { "Transactions at Nets" }
                (local.netaxept().transactions_table(&addresses.netaxept))
                (local.netaxept().faults_section())
                p { (local.dynamodb().requests().len()) " requests to DynamoDB: " a href="/requests" { "list" } ". " a href="/logs" { "Logs of the functions" } "." }
                p { a href="/inbox" { "Inbox" } ": " (local.inbox().received().len()) " notifications. " a href="/netaxept/faults" { "Faults at Nets" } ", " a href="/netaxept/late-calls" { "late calls" } " and "
                    a href="/netaxept/ledgers" { "ledgers of the orders" } " as JSON." }
            }
        }
    };
    Html(page.into_string())
}
