use serde_json::Value;

use super::*;
use crate::api::Request;
use crate::error::{CancelReason, PaymentRefusal};

/// Status, type, `errorReason` and `Retry-After` of a response.
type Expected = (u16, &'static str, Option<&'static str>, Option<u32>);

const DECLINES: [Decline; 3] = [Decline::AuthenticationRequired, Decline::Soft, Decline::Hard];

const CANCEL_REASONS: [CancelReason; 7] = [
    CancelReason::Requested,
    CancelReason::AtTerminal,
    CancelReason::TimedOut,
    CancelReason::HoldEnded,
    CancelReason::AnnulledAtNets,
    CancelReason::CardNotActive,
    CancelReason::AmountDiffers,
];

fn refusals() -> Vec<PaymentRefusal> {
    let mut refusals = vec![
        PaymentRefusal::NotFound,
        PaymentRefusal::OrderHasPayment,
        PaymentRefusal::AnnulmentPending { retry_after_seconds: 60 },
        PaymentRefusal::NoTransactionLeft,
        PaymentRefusal::NoTerminalLeft,
        PaymentRefusal::NoTerminal,
        PaymentRefusal::TerminalOpen,
        PaymentRefusal::TerminalCancelled,
        PaymentRefusal::TerminalTimedOut,
        PaymentRefusal::AuthorizationInProgress,
        PaymentRefusal::AlreadyCaptured,
        PaymentRefusal::NotCaptured,
        PaymentRefusal::CreditAboveCaptured,
        PaymentRefusal::CreditBelowCredited,
        PaymentRefusal::CreditTooLate,
        PaymentRefusal::TooManyCredits,
        PaymentRefusal::CreditInProgress { retry_after_seconds: 300 },
        PaymentRefusal::CreditRefused,
        PaymentRefusal::TooManyDeclines { retry_after_seconds: 3600 },
        PaymentRefusal::CardNotActive,
        PaymentRefusal::NoAgreement,
    ];
    refusals.extend(DECLINES.map(PaymentRefusal::Declined));
    refusals.extend(CANCEL_REASONS.map(PaymentRefusal::Cancelled));
    refusals
}

fn expected_of_decline(decline: Decline) -> Expected {
    match decline {
        Decline::AuthenticationRequired => {
            (409, "authentication-required", Some("SOFT_DECLINE"), None)
        }
        Decline::Soft => (409, "declined-for-now", Some("REFUSED_BY_ISSUER"), None),
        Decline::Hard => (409, "declined", Some("REFUSED_BY_ISSUER"), None),
    }
}

fn expected(refusal: PaymentRefusal) -> Expected {
    match refusal {
        PaymentRefusal::NotFound => (404, "not-found", None, None),
        PaymentRefusal::OrderHasPayment => (409, "order-has-payment", None, None),
        PaymentRefusal::AnnulmentPending { .. } => {
            (409, "annulment-pending", Some("RESOURCE_BUSY"), Some(60))
        }
        PaymentRefusal::NoTransactionLeft => (409, "no-transaction-left", None, None),
        PaymentRefusal::NoTerminalLeft => (409, "no-terminal-left", None, None),
        PaymentRefusal::NoTerminal => (409, "no-terminal", None, None),
        PaymentRefusal::TerminalOpen => (409, "terminal-open", None, None),
        PaymentRefusal::TerminalCancelled => (409, "terminal-cancelled", None, None),
        PaymentRefusal::TerminalTimedOut => (409, "terminal-timed-out", None, None),
        PaymentRefusal::AuthorizationInProgress => {
            (409, "authorization-in-progress", Some("RESOURCE_BUSY"), Some(5))
        }
        PaymentRefusal::AlreadyCaptured => (409, "already-captured", None, None),
        PaymentRefusal::NotCaptured => (409, "not-captured", None, None),
        PaymentRefusal::CreditAboveCaptured => (409, "credit-above-captured", None, None),
        PaymentRefusal::CreditBelowCredited => (409, "credit-below-credited", None, None),
        PaymentRefusal::CreditTooLate => (409, "credit-too-late", None, None),
        PaymentRefusal::TooManyCredits => (409, "too-many-credits", None, None),
        PaymentRefusal::CreditInProgress { .. } => {
            (409, "credit-in-progress", Some("RESOURCE_BUSY"), Some(300))
        }
        PaymentRefusal::CreditRefused => (409, "credit-refused", None, None),
        PaymentRefusal::Cancelled(CancelReason::CardNotActive) => (409, "not-active", None, None),
        PaymentRefusal::Cancelled(CancelReason::AtTerminal) => {
            (409, "terminal-cancelled", None, None)
        }
        PaymentRefusal::Cancelled(
            CancelReason::Requested
            | CancelReason::TimedOut
            | CancelReason::HoldEnded
            | CancelReason::AnnulledAtNets
            | CancelReason::AmountDiffers,
        ) => (409, "cancelled", None, None),
        PaymentRefusal::Declined(decline) => expected_of_decline(decline),
        PaymentRefusal::TooManyDeclines { .. } => (429, "too-many-declines", None, Some(3600)),
        PaymentRefusal::CardNotActive => (409, "not-active", None, None),
        PaymentRefusal::NoAgreement => (409, "no-agreement", None, None),
    }
}

/// The response to an error: `Retry-After` and the body.
fn response(error: &Error) -> (Option<u32>, Value) {
    let request = Request::new(lambda_http::Request::default(), || "1".to_owned());
    let response = problem(error, &request.context());
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
    let Body::Text(body) = response.body() else { panic!("no text") };
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["status"], response.status().as_u16());
    (retry_after, body)
}

fn assert_response(error: &Error, expected: Expected) {
    let (status, slug, reason, seconds) = expected;
    let (retry_after, body) = response(error);
    let kind = format!("urn:problem-type:recurring-payments:{slug}");
    assert_eq!((&body["status"], &body["type"]), (&status.into(), &kind.into()), "{error}");
    assert_eq!((body["errorReason"].as_str(), retry_after), (reason, seconds), "{error}");
    assert_eq!(body["detail"], body["message"]);
}

#[test]
fn every_refusal_of_a_payment_has_its_response() {
    for refusal in refusals() {
        assert_response(&refusal.into(), expected(refusal));
    }
}

#[test]
fn a_decline_of_a_card_setup_has_the_type_of_a_declined_payment() {
    for decline in DECLINES {
        let error = Error::Refused(Refusal::Declined(decline));
        assert_response(&error, expected_of_decline(decline));
    }
    let detail = |error: Error| response(&error).1["detail"].clone();
    assert_eq!(
        detail(Error::Refused(Refusal::Declined(Decline::AuthenticationRequired))),
        detail(PaymentRefusal::Declined(Decline::AuthenticationRequired).into()),
    );
}

/// Clients of Entur compare the text of `not-active`.
#[test]
fn details_are_sentences_except_that_of_entur() {
    const ENTUR: &str = "The customer has no active recurring payment with given id";
    for refusal in refusals() {
        let (_, body) = response(&refusal.into());
        let detail = body["detail"].as_str().unwrap();
        let is_of_entur = expected(refusal).1 == "not-active";
        assert_eq!(detail == ENTUR, is_of_entur, "{detail}");
        assert!(is_of_entur || detail.ends_with('.'), "{detail}");
    }
}
