//! Maps each [`Error`] to a status and a problem body (RFC 9457 and Entur's `PaymentError`). This is the only such table.

mod payment;

use http::header::{ACCEPT_ENCODING, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::api::reply;
use crate::api::request::RequestContext;
use crate::error::{Decline, Error, FieldError, Refusal, Violation};

/// The response to one error.
struct Row {
    status: StatusCode,
    /// The last part of the problem type.
    slug: &'static str,
    /// A full sentence for people. For a 5xx it contains nothing about the cause.
    detail: String,
    error_reason: Option<&'static str>,
    retry_after_seconds: Option<u32>,
}

/// The `errorReason` of a conflict that a retry can resolve.
const RESOURCE_BUSY: &str = "RESOURCE_BUSY";

fn plain(status: StatusCode, slug: &'static str, detail: &str) -> Row {
    Row { status, slug, detail: detail.to_owned(), error_reason: None, retry_after_seconds: None }
}

fn row(error: &Error) -> Row {
    match error {
        Error::Invalid(errors) => {
            let first = errors.first().map(sentence).unwrap_or_default();
            plain(StatusCode::BAD_REQUEST, "invalid-request", &first)
        }
        Error::TooLarge => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "The body is larger than 16 KiB.",
        ),
        Error::NotJson => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "The Content-Type of the body must be application/json.",
        ),
        Error::UnsupportedEncoding(coding) => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body-encoded",
            &format!(
                "The Content-Encoding {coding} is not supported. Send the body without a Content-Encoding."
            ),
        ),
        Error::UnsupportedCharset(charset) => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "charset",
            &format!("The charset {charset} is not supported. Send the body in UTF-8."),
        ),
        Error::NoSuchPath => {
            plain(StatusCode::NOT_FOUND, "no-such-path", "The path does not exist.")
        }
        Error::Unauthorized(reason) => plain(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            &format!("Authentication failed: {reason}."),
        ),
        Error::Forbidden(reason) => {
            plain(StatusCode::FORBIDDEN, "forbidden", &format!("Permission denied: {reason}."))
        }
        Error::Unidentified { retry_after_seconds } => Row {
            retry_after_seconds: Some(*retry_after_seconds),
            ..plain(
                StatusCode::TOO_MANY_REQUESTS,
                "unidentified",
                "Too many requests were sent without a valid ET-Client-Name header. Send the header in the form company-application.",
            )
        },
        Error::TooManyWaiting { retry_after_seconds } => Row {
            retry_after_seconds: Some(*retry_after_seconds),
            ..plain(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-waiting-requests",
                "Too many requests are waiting for news. Send the request without wait, which is answered at once, or try again later.",
            )
        },
        Error::Refused(refusal) => refusal_row(*refusal),
        Error::PaymentRefused(refusal) => payment::row(*refusal),
        Error::Busy { .. } => Row {
            error_reason: Some(RESOURCE_BUSY),
            retry_after_seconds: Some(1),
            ..plain(
                StatusCode::CONFLICT,
                "busy",
                "Other requests are changing the same data. Try again.",
            )
        },
        Error::Unavailable { .. } => Row {
            retry_after_seconds: Some(5),
            ..plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service is temporarily unavailable. No data was lost. Try again later.",
            )
        },
        Error::Internal { .. } => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "An internal error occurred. Include the correlation id when you report it.",
        ),
    }
}

/// The error of one field as a full sentence.
fn sentence(error: &FieldError) -> String {
    let field = if error.field == "body" { "The body" } else { error.field };
    format!("{field} {}.", error.violation.message)
}

fn refusal_row(refusal: Refusal) -> Row {
    let (status, slug, detail) = match refusal {
        Refusal::NotFound => {
            (StatusCode::NOT_FOUND, "not-found", "The recurring payment was not found.")
        }
        Refusal::OtherCustomer => {
            (StatusCode::BAD_REQUEST, "invalid-request", "customerNumber can not be updated.")
        }
        Refusal::PrimaryNeedsSuccessor => (
            StatusCode::CONFLICT,
            "primary-needs-successor",
            "The primary recurring payment cannot be unset. Make another recurring payment primary instead.",
        ),
        Refusal::NeverPrimary => (
            StatusCode::CONFLICT,
            "never-primary",
            "Only a CREATED or ACTIVE recurring payment can be primary.",
        ),
        Refusal::Ended => {
            (StatusCode::CONFLICT, "ended", "The recurring payment has ended. Create a new one.")
        }
        Refusal::NotAwaitingCard => (
            StatusCode::CONFLICT,
            "not-awaiting-card",
            "Only a CREATED recurring payment accepts a card. Create a new recurring payment.",
        ),
        Refusal::WalletFull => (
            StatusCode::CONFLICT,
            "wallet-full",
            "The customer already has 16 recurring payments. End one of them first.",
        ),
        Refusal::NoTerminalLeft => (
            StatusCode::CONFLICT,
            "no-terminal-left",
            "The recurring payment has reached the limit of 16 terminals. Create a new recurring payment.",
        ),
        Refusal::TooManyTerminals { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-terminals",
            "Too many terminals were created within one hour. Try again later.",
        ),
        Refusal::NoTerminal => (
            StatusCode::CONFLICT,
            "no-terminal",
            "The recurring payment has no terminal. Create a terminal first.",
        ),
        Refusal::TerminalOpen => (
            StatusCode::CONFLICT,
            "terminal-open",
            "The customer has not completed the terminal. Authorize again when the customer returns.",
        ),
        Refusal::TerminalCancelled => (
            StatusCode::CONFLICT,
            "terminal-cancelled",
            "The customer cancelled at the terminal. Create a new terminal to try again.",
        ),
        Refusal::TerminalTimedOut => (
            StatusCode::CONFLICT,
            "terminal-timed-out",
            "No card was entered before the terminal expired. Create a new terminal.",
        ),
        Refusal::Declined(decline) => {
            return decline_row(
                decline,
                "Authorize again later.",
                "Create a new terminal and use another card.",
            );
        }
        Refusal::CardExpired => (
            StatusCode::CONFLICT,
            "card-expired",
            "The card has expired. Create a new terminal and use another card.",
        ),
        Refusal::IdempotencyKeyReused => (
            StatusCode::CONFLICT,
            "idempotency-key-reused",
            "The Idempotency-Key was already used for a different request. Use a new key.",
        ),
    };
    let retry_after_seconds = if let Refusal::TooManyTerminals { retry_after_seconds } = refusal {
        Some(retry_after_seconds)
    } else {
        None
    };
    Row { retry_after_seconds, ..plain(status, slug, detail) }
}

/// The response to a declined card, of a card setup and of a payment. `later` and `other_card` are sentences that say how to try
/// again later, and how to use another card.
fn decline_row(decline: Decline, later: &str, other_card: &str) -> Row {
    let (slug, detail, error_reason) = match decline {
        Decline::AuthenticationRequired => (
            "authentication-required",
            "The card issuer requires authentication. The customer has to authenticate at a terminal."
                .to_owned(),
            "SOFT_DECLINE",
        ),
        Decline::Soft => (
            "declined-for-now",
            format!("The card was declined temporarily. {later}"),
            "REFUSED_BY_ISSUER",
        ),
        Decline::Hard => {
            ("declined", format!("The card was declined. {other_card}"), "REFUSED_BY_ISSUER")
        }
    };
    Row { error_reason: Some(error_reason), ..plain(StatusCode::CONFLICT, slug, &detail) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    timestamp: Option<String>,
    error: &'a str,
    message: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemField<'a>>,
    correlation_id: &'a str,
}

#[derive(Serialize)]
struct ProblemField<'a> {
    field: &'a str,
    message: &'a str,
    code: &'a str,
}

/// The problem response to an error.
pub(super) fn problem(error: &Error, context: &RequestContext) -> Response<Body> {
    let Row { status, slug, detail, error_reason, retry_after_seconds } = row(error);
    let title = status.canonical_reason().unwrap_or_default();
    let other_customer =
        [Violation::new("other-customer", "can not be updated").in_field("customerNumber")];
    let errors: &[FieldError] = match error {
        Error::Invalid(errors) => errors,
        Error::Refused(Refusal::OtherCustomer) => &other_customer,
        Error::TooLarge
        | Error::NotJson
        | Error::UnsupportedEncoding(_)
        | Error::UnsupportedCharset(_)
        | Error::NoSuchPath
        | Error::Unauthorized(_)
        | Error::Forbidden(_)
        | Error::Unidentified { .. }
        | Error::TooManyWaiting { .. }
        | Error::Refused(_)
        | Error::PaymentRefused(_)
        | Error::Busy { .. }
        | Error::Unavailable { .. }
        | Error::Internal { .. } => &[],
    };
    let errors = errors.iter().map(|error| ProblemField {
        field: error.field,
        message: &error.violation.message,
        code: error.violation.code,
    });
    let problem = Problem {
        r#type: format!("urn:problem-type:recurring-payments:{slug}"),
        title,
        status: status.as_u16(),
        detail: &detail,
        instance: &context.path,
        timestamp: context.received_at.map(reply::rfc3339),
        error: title,
        message: &detail,
        path: &context.path,
        error_reason,
        errors: errors.collect(),
        correlation_id: &context.correlation_id,
    };
    // The problem contains only texts and numbers, so it always serializes.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut response = reply::response(status, "application/problem+json", body, context);
    if matches!(error, Error::UnsupportedEncoding(_)) {
        // RFC 9110, section 12.5.3.
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
#[path = "status/status_tests.rs"]
mod status_tests;
