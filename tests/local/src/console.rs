//! The console: the clock, what is to run or to go wrong, and what has happened.

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

use crate::clock::written;
use crate::scheduler::NotRun;
use crate::{Local, openapi};

/// The console's routes.
pub(crate) fn router(local: Local) -> Router {
    let parts = local.netaxept().console_router().merge(local.inbox().clone().router());
    let parts = parts.merge(openapi::router(local.addresses().api.clone()));
    Router::new()
        .route("/", get(page))
        .route("/clock", get(clock).post(advance))
        .route("/requests", get(requests).delete(forget_requests))
        .route("/netaxept/transactions", get(transactions))
        .route("/logs", get(logs))
        .route("/schedule/{function}", post(run))
        .with_state(local)
        .merge(parts)
}

/// A refusal with its reason.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// How often something is to happen: 1 to 1000 times.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(deserializer)?;
    let right = (1..=1000).contains(&count).then_some(count);
    right.ok_or_else(|| D::Error::custom("count is 1 to 1000"))
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"))
}

fn told(now: Timestamp) -> Value {
    json!({ "now": written(now) })
}

async fn clock(State(local): State<Local>) -> Json<Value> {
    Json(told(local.clock().now()))
}

/// `{"advance": "PT16M"}`, or the same as a form, as the console's own page sends it.
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
    let wrong = |message: &str| refusal(StatusCode::BAD_REQUEST, message);
    let Some(advance) = advance else { return wrong("send {\"advance\": \"PT16M\"}") };
    match local.clock().advance(&advance) {
        Ok(_) if is_form => Redirect::to("/").into_response(),
        Ok(now) => Json(told(now)).into_response(),
        Err(fault) => wrong(&fault.to_string()),
    }
}

async fn requests(State(local): State<Local>) -> Response {
    Json(local.dynamodb().requests()).into_response()
}

async fn forget_requests(State(local): State<Local>) -> StatusCode {
    local.dynamodb().forget_requests();
    StatusCode::NO_CONTENT
}

async fn transactions(State(local): State<Local>) -> Json<Value> {
    Json(local.netaxept().transactions())
}

async fn logs(State(local): State<Local>) -> Response {
    Json(local.lambda().lines()).into_response()
}

/// Runs a scheduled function once, now.
async fn run(
    State(local): State<Local>,
    Path(function): Path<String>,
    headers: HeaderMap,
) -> Response {
    match local.scheduler().run(&function).await {
        Ok(_) if is_form(&headers) => Redirect::to("/").into_response(),
        Ok(answer) => Json(answer).into_response(),
        Err(fault @ NotRun::Unknown(_)) => refusal(StatusCode::NOT_FOUND, &fault.to_string()),
        Err(fault @ (NotRun::NoAnswer(_) | NotRun::NoJson(_))) => {
            refusal(StatusCode::BAD_GATEWAY, &fault.to_string())
        }
    }
}

/// The style of the pages for engineers.
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
    let named = [
        ("API", &addresses.api),
        ("Netaxept sandbox", &addresses.netaxept),
        ("Token issuer", &addresses.issuer),
        ("DynamoDB", &addresses.dynamodb),
    ];
    let transactions = local.netaxept().transactions();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Console" } (style()) }
            body {
                h1 { "Recurring payments on this machine" }
                table { @for (name, address) in named { tr { th { (name) } td { a href=(address) { (address) } } } } }
                p { a href="/api" { "What the API takes and answers, to read and to try" } ", and the same as " a href="/openapi.yaml" { "openapi.yaml" } "." }
                h2 { "Clock" }
                p { (told(local.clock().now())["now"].as_str().unwrap_or_default()) }
                @for (duration, name) in [("PT16M", "16 minutes"), ("P1D", "a day"), ("P1M", "a month"), ("P3Y", "three years")] {
                    form method="post" action="/clock" { button name="advance" value=(duration) { "Forward by " (name) } }
                }
                p { "Tokens end with the clock: get a new one after you moved it by an hour." }
                h2 { "Scheduled functions" }
                @for function in local.scheduler().functions() {
                    form method="post" action=(format!("/schedule/{function}")) { button { "Run " (function) " now" } }
                }
                h2 { "Transactions at Nets" }
                table {
                    tr { th { "id" } th { "order" } th { "card entered" } th { "cancelled" } th { "done" } }
                    @for transaction in transactions.as_array().into_iter().flatten() {
                        @let told = &transaction["transaction"];
                        @let id = transaction["transactionId"].as_str().unwrap_or_default();
                        tr {
                            td {
                                a href=(format!("{}/Terminal/default.aspx?merchantId={}&transactionId={id}", addresses.netaxept, crate::netaxept::MERCHANT_ID)) { (id) }
                            }
                            td { (told["orderNumber"].as_str().unwrap_or_default()) }
                            td { (told["cardEntered"].to_string()) }
                            td { (told["cancelled"].to_string()) }
                            td { code { (told["done"].to_string()) } }
                        }
                    }
                }
                p { (local.dynamodb().requests().len()) " requests to DynamoDB: " a href="/requests" { "list" } ". " a href="/logs" { "Logs of the functions" } "." }
                p { a href="/inbox" { "Inbox" } ": " (local.inbox().received().len()) " notifications. " a href="/netaxept/faults" { "Faults to come at Nets" } "." }
            }
        }
    };
    Html(page.into_string())
}
