//! Successful responses: the JSON of a recurring payment and of its terminal, and the headers that every response has.

#![expect(clippy::struct_field_names, reason = "the names are those of the JSON members")]

mod history;
mod payment;

use chrono::{DateTime, SecondsFormat, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde::Serialize;
use url::Url;

use crate::api::request::RequestContext;
use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::{StatusReason, View};
use crate::domain::terminal::TerminalSession;
use crate::domain::text::Nickname;
use crate::domain::wallet::Preview;
use crate::error::{Cause, Error};
use crate::invocation;
pub use history::history;
pub use payment::{payment, payment_terminal, transaction};

/// A successful response.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    /// The id of the created resource: the last segment of `Location`.
    created_id: Option<String>,
    body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecurringPayment<'a> {
    recurring_payment_id: u64,
    primary: bool,
    recurring_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
    created_at: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    card: Option<Card<'a>>,
}

/// A recurring payment as it would be after a change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecurringPaymentPreview<'a> {
    #[serde(flatten)]
    recurring_payment: RecurringPayment<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_recurring_payment_id: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Card<'a> {
    payment_type: &'static str,
    masked_pan: &'a str,
    expires_at: String,
    card_expires_at: String,
    card_expiry: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Terminal<'a> {
    terminal_uri: &'a str,
    transaction_id: u64,
    payment_id: u64,
    recurring_payment_id: u64,
    terminal_expires_at: String,
}

/// 200 with a recurring payment.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn ok(view: &View) -> Result<Reply, Error> {
    reply(StatusCode::OK, None, &recurring_payment(view))
}

/// 200 with a recurring payment as it would be after a change, and the id of the one that would be primary.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn preview(preview: &Preview) -> Result<Reply, Error> {
    let body = RecurringPaymentPreview {
        recurring_payment: recurring_payment(&preview.view),
        primary_recurring_payment_id: preview.primary.map(RecurringPaymentId::number),
    };
    reply(StatusCode::OK, None, &body)
}

/// 200 with a bare array of recurring payments.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn list(views: &[View]) -> Result<Reply, Error> {
    reply(StatusCode::OK, None, &views.iter().map(recurring_payment).collect::<Vec<_>>())
}

/// 201 with a new recurring payment and its `Location`.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn created(view: &View) -> Result<Reply, Error> {
    invocation::record(|invocation| invocation.recurring_payment_id = Some(view.id.number()));
    reply(StatusCode::CREATED, Some(view.id.to_string()), &recurring_payment(view))
}

/// 201 with a terminal.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn terminal(session: &TerminalSession, uri: &Url) -> Result<Reply, Error> {
    let id = session.transaction_id.recurring_payment_id().number();
    invocation::record(|invocation| {
        invocation.transaction_id = Some(session.transaction_id.number());
    });
    let body = Terminal {
        terminal_uri: uri.as_str(),
        transaction_id: session.transaction_id.number(),
        payment_id: id,
        recurring_payment_id: id,
        terminal_expires_at: rfc3339(session.terminal.expires_at()),
    };
    reply(StatusCode::CREATED, None, &body)
}

/// 200 with an empty JSON object.
#[must_use]
pub fn empty_object() -> Reply {
    Reply { status: StatusCode::OK, created_id: None, body: "{}".to_owned() }
}

/// 204, without a body.
#[must_use]
pub fn no_content() -> Reply {
    Reply { status: StatusCode::NO_CONTENT, created_id: None, body: String::new() }
}

/// Formats an instant for callers: RFC 3339, always with milliseconds and `Z`.
pub(super) fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn recurring_payment(view: &View) -> RecurringPayment<'_> {
    RecurringPayment {
        recurring_payment_id: view.id.number(),
        primary: view.primary,
        recurring_status: view.status.name(),
        status_reason: view.reason.map(StatusReason::name),
        nickname: view.nickname.as_ref().map(Nickname::as_str),
        created_at: rfc3339(view.created_at),
        card: view.registration.as_ref().map(|registration| Card {
            payment_type: registration.card.payment_type.name(),
            masked_pan: registration.card.last_four.as_str(),
            expires_at: rfc3339(registration.expires_at),
            card_expires_at: rfc3339(registration.card.expiry.ends_at()),
            card_expiry: registration.card.expiry.to_string(),
        }),
    }
}

fn reply(
    status: StatusCode,
    created_id: Option<String>,
    body: &impl Serialize,
) -> Result<Reply, Error> {
    let what = "the response cannot be serialized as JSON";
    let body = serde_json::to_string(body)
        .map_err(|cause| Error::Internal { what, cause: Cause::from(cause) })?;
    Ok(Reply { status, created_id, body })
}

impl Reply {
    pub(super) fn response(self, context: &RequestContext) -> Response<Body> {
        let mut response = response(self.status, "application/hal+json", self.body, context);
        let location =
            self.created_id.map(|id| format!("{}/{id}", context.path.trim_end_matches('/')));
        if let Some(location) = location.and_then(|path| HeaderValue::try_from(path).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// A response with the headers that every response has. An empty `body` means no body.
pub(super) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: String,
    context: &RequestContext,
) -> Response<Body> {
    let has_body = !body.is_empty();
    let mut response = Response::new(if has_body { Body::Text(body) } else { Body::Empty });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(correlation_id) = HeaderValue::try_from(&context.correlation_id) {
        headers.insert(HeaderName::from_static("x-correlation-id"), correlation_id);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
