//! What a caller is told of each error: the one table, and the body that it becomes (RFC 9457 and Entur's `PaymentError`).

use http::header::{ACCEPT_ENCODING, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::api::reply;
use crate::api::request::About;
use crate::error::{Decline, Error, Fault, Flaw, Refusal};

/// One row of the table.
struct Row {
    status: StatusCode,
    /// The last part of the problem type.
    slug: &'static str,
    /// What the caller can do about it. A 5xx says nothing of its cause.
    detail: String,
    error_reason: Option<&'static str>,
    retry_after_seconds: Option<u32>,
}

fn row(error: &Error) -> Row {
    let plain = |status, slug, detail: &str| Row {
        status,
        slug,
        detail: detail.to_owned(),
        error_reason: None,
        retry_after_seconds: None,
    };
    match error {
        Error::Invalid(faults) => {
            let first = faults.first().map(sentence).unwrap_or_default();
            plain(StatusCode::BAD_REQUEST, "invalid-request", &first)
        }
        Error::TooLarge => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "The body may have at most 16 KiB.",
        ),
        Error::NotJson => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "Send the body as Content-Type: application/json.",
        ),
        Error::Encoded(coding) => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body-encoded",
            &format!("Send the body without Content-Encoding: {coding} is not supported."),
        ),
        Error::Charset(charset) => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "charset",
            &format!("Send the body in UTF-8: the charset {charset} is not supported."),
        ),
        Error::NoSuchPath => {
            plain(StatusCode::NOT_FOUND, "no-such-path", "There is nothing at this path.")
        }
        Error::Unauthorized(reason) => {
            plain(StatusCode::UNAUTHORIZED, "unauthorized", &format!("Get a new token: {reason}."))
        }
        Error::Forbidden(reason) => {
            plain(StatusCode::FORBIDDEN, "forbidden", &format!("Not with this token: {reason}."))
        }
        Error::Unidentified { retry_after_seconds } => Row {
            retry_after_seconds: Some(*retry_after_seconds),
            ..plain(
                StatusCode::TOO_MANY_REQUESTS,
                "unidentified",
                "Say who is calling: ET-Client-Name, as company-application.",
            )
        },
        Error::Refused(refusal) => refused(*refusal),
        Error::Busy { .. } => Row {
            error_reason: Some("RESOURCE_BUSY"),
            retry_after_seconds: Some(1),
            ..plain(
                StatusCode::CONFLICT,
                "busy",
                "Others are changing the same customer's recurring payments. Try again.",
            )
        },
        Error::Unavailable { .. } => Row {
            retry_after_seconds: Some(5),
            ..plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Nothing is lost. Try again later.",
            )
        },
        Error::Internal { .. } => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Our mistake. Tell us the correlation id.",
        ),
    }
}

/// A fault as a sentence of its own.
fn sentence(fault: &Fault) -> String {
    let field = if fault.field == "body" { "The body" } else { fault.field };
    format!("{field} {}.", fault.flaw.message)
}

fn refused(refusal: Refusal) -> Row {
    let (status, slug, detail) = match refusal {
        Refusal::NotFound => {
            (StatusCode::NOT_FOUND, "not-found", "There is no such recurring payment.")
        }
        Refusal::OtherCustomer => {
            (StatusCode::BAD_REQUEST, "invalid-request", "customerNumber can not be updated.")
        }
        Refusal::PrimaryNeedsSuccessor => (
            StatusCode::CONFLICT,
            "primary-needs-successor",
            "Make another recurring payment primary instead.",
        ),
        Refusal::NeverPrimary => (
            StatusCode::CONFLICT,
            "never-primary",
            "Only a CREATED or ACTIVE recurring payment can be primary.",
        ),
        Refusal::Ended => {
            (StatusCode::CONFLICT, "ended", "The recurring payment has ended. Create another one.")
        }
        Refusal::NotAwaitingCard => (
            StatusCode::CONFLICT,
            "not-awaiting-card",
            "Only a CREATED recurring payment takes a card. Create another one.",
        ),
        Refusal::WalletFull => (
            StatusCode::CONFLICT,
            "wallet-full",
            "The customer has 16 recurring payments. End one of them first.",
        ),
        Refusal::NoTerminalLeft => (
            StatusCode::CONFLICT,
            "no-terminal-left",
            "It has had 16 terminals. Create another recurring payment.",
        ),
        Refusal::TooManyTerminals { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-terminals",
            "There were too many terminals within an hour. Wait.",
        ),
        Refusal::NoTerminal => (StatusCode::CONFLICT, "no-terminal", "Create a terminal first."),
        Refusal::TerminalOpen => (
            StatusCode::CONFLICT,
            "terminal-open",
            "The customer has not finished at the terminal. Authorize after that.",
        ),
        Refusal::TerminalCancelled => (
            StatusCode::CONFLICT,
            "terminal-cancelled",
            "The customer cancelled. Create another terminal to try again.",
        ),
        Refusal::TerminalTimedOut => (
            StatusCode::CONFLICT,
            "terminal-timed-out",
            "Nobody entered a card in time. Create another terminal.",
        ),
        Refusal::Declined(Decline::Soft) => (
            StatusCode::CONFLICT,
            "declined-for-now",
            "The card was declined for now. Authorize again later.",
        ),
        Refusal::Declined(Decline::Hard) => (
            StatusCode::CONFLICT,
            "declined",
            "The card was declined. Create another terminal for another card.",
        ),
        Refusal::CardExpired => (
            StatusCode::CONFLICT,
            "card-expired",
            "The card has expired. Create another terminal for another card.",
        ),
        Refusal::KeyReused => (
            StatusCode::CONFLICT,
            "idempotency-key-reused",
            "Use a new Idempotency-Key for another request.",
        ),
    };
    let error_reason = if let Refusal::Declined(decline) = refusal {
        Some(match decline {
            Decline::Soft => "SOFT_DECLINE",
            Decline::Hard => "REFUSED_BY_ISSUER",
        })
    } else {
        None
    };
    let retry_after_seconds = if let Refusal::TooManyTerminals { retry_after_seconds } = refusal {
        Some(retry_after_seconds)
    } else {
        None
    };
    Row { status, slug, detail: detail.to_owned(), error_reason, retry_after_seconds }
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
    errors: Vec<Wrong<'a>>,
    correlation_id: &'a str,
}

#[derive(Serialize)]
struct Wrong<'a> {
    field: &'a str,
    message: &'a str,
    code: &'a str,
}

/// The answer to an error.
pub(super) fn problem(error: &Error, about: &About) -> Response<Body> {
    let Row { status, slug, detail, error_reason, retry_after_seconds } = row(error);
    let title = status.canonical_reason().unwrap_or_default();
    let other = [Flaw::new("other-customer", "can not be updated").of("customerNumber")];
    let faults: &[Fault] = match error {
        Error::Invalid(faults) => faults,
        Error::Refused(Refusal::OtherCustomer) => &other,
        Error::TooLarge
        | Error::NotJson
        | Error::Encoded(_)
        | Error::Charset(_)
        | Error::NoSuchPath
        | Error::Unauthorized(_)
        | Error::Forbidden(_)
        | Error::Unidentified { .. }
        | Error::Refused(_)
        | Error::Busy { .. }
        | Error::Unavailable { .. }
        | Error::Internal { .. } => &[],
    };
    let wrong = faults.iter().map(|fault| Wrong {
        field: fault.field,
        message: &fault.flaw.message,
        code: fault.flaw.code,
    });
    let problem = Problem {
        r#type: format!("urn:problem-type:recurring-payments:{slug}"),
        title,
        status: status.as_u16(),
        detail: &detail,
        instance: &about.path,
        timestamp: about.received_at.map(reply::instant),
        error: title,
        message: &detail,
        path: &about.path,
        error_reason,
        errors: wrong.collect(),
        correlation_id: &about.correlation_id,
    };
    // Texts and numbers only: it always serializes.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut response = reply::response(status, "application/problem+json", body, about);
    if matches!(error, Error::Encoded(_)) {
        // RFC 9110, section 12.5.3.
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
