//! The responses to the refusals of a payment (payments.md §4.3).

use http::StatusCode;

use super::{RESOURCE_BUSY, Row, decline_row, plain};
use crate::error::{CancelReason, PaymentRefusal};

/// When a request that had to wait for the authorization of another one can be repeated.
const AUTHORIZATION_SECONDS: u32 = 5;

pub(super) fn row(refusal: PaymentRefusal) -> Row {
    let conflict = |slug, detail| plain(StatusCode::CONFLICT, slug, detail);
    match refusal {
        PaymentRefusal::NotFound => {
            plain(StatusCode::NOT_FOUND, "not-found", "The payment was not found.")
        }
        PaymentRefusal::OrderHasPayment => conflict(
            "order-has-payment",
            "The order already has a payment with a different amount, card or customer. Cancel that payment first, unless it is captured.",
        ),
        PaymentRefusal::AnnulmentPending { retry_after_seconds } => busy(
            conflict(
                "annulment-pending",
                "The transaction is cancelled, but the reserved amount is not released yet. Try again later.",
            ),
            retry_after_seconds,
        ),
        PaymentRefusal::NoTransactionLeft => conflict(
            "no-transaction-left",
            "The payment has reached the limit of 16 transactions. It cannot be paid any more.",
        ),
        PaymentRefusal::NoTerminalLeft => conflict(
            "no-terminal-left",
            "The transaction has reached the limit of 16 terminals. Cancel it and create the payment again.",
        ),
        PaymentRefusal::NoTerminal => {
            conflict("no-terminal", "The transaction has no terminal. Create a terminal first.")
        }
        PaymentRefusal::TerminalOpen => conflict(
            "terminal-open",
            "The customer has not completed the terminal. Capture again when the customer returns.",
        ),
        PaymentRefusal::TerminalCancelled => conflict(
            "terminal-cancelled",
            "The customer cancelled at the terminal. Create a new terminal to try again.",
        ),
        PaymentRefusal::TerminalTimedOut => conflict(
            "terminal-timed-out",
            "The customer did not complete the terminal before it expired. Create a new terminal.",
        ),
        PaymentRefusal::AuthorizationInProgress => busy(
            conflict(
                "authorization-in-progress",
                "An authorization of the transaction is in progress. Try again in a few seconds.",
            ),
            AUTHORIZATION_SECONDS,
        ),
        PaymentRefusal::AlreadyCaptured => {
            conflict("already-captured", "The transaction is already captured.")
        }
        PaymentRefusal::NotCaptured => conflict(
            "not-captured",
            "The transaction is not captured, so there is nothing to credit.",
        ),
        PaymentRefusal::CreditAboveCaptured => conflict(
            "credit-above-captured",
            "The amount to credit is more than the captured amount. Send at most the captured amount.",
        ),
        PaymentRefusal::CreditBelowCredited => conflict(
            "credit-below-credited",
            "A larger amount is already credited or being credited. A credit cannot be taken back.",
        ),
        PaymentRefusal::CreditTooLate => conflict(
            "credit-too-late",
            "The amount was captured more than 365 days ago. It cannot be credited to the card any more.",
        ),
        PaymentRefusal::TooManyCredits => conflict(
            "too-many-credits",
            "The transaction has reached the limit of 100 credits of a part. Only the whole captured amount can still be credited.",
        ),
        PaymentRefusal::CreditInProgress { retry_after_seconds } => busy(
            conflict(
                "credit-in-progress",
                "Another credit of the transaction is in progress. Try again later.",
            ),
            retry_after_seconds,
        ),
        PaymentRefusal::CreditRefused => conflict(
            "credit-refused",
            "The payment service provider refused the credit. No amount was credited by this request.",
        ),
        PaymentRefusal::Cancelled(reason) => cancelled(reason),
        PaymentRefusal::Declined(decline) => {
            decline_row(decline, "Capture again later.", "Pay with another card.")
        }
        PaymentRefusal::TooManyDeclines { retry_after_seconds } => Row {
            retry_after_seconds: Some(retry_after_seconds),
            ..plain(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-declines",
                "The card was declined too often within 24 hours. Pay with another card or try again later.",
            )
        },
        PaymentRefusal::CardNotActive => not_active(),
        PaymentRefusal::NoAgreement => conflict(
            "no-agreement",
            "The customer has not agreed that the card is charged without the customer. Create a terminal without transactionType.",
        ),
    }
}

/// The request can be repeated after these seconds.
fn busy(row: Row, seconds: u32) -> Row {
    Row { error_reason: Some(RESOURCE_BUSY), retry_after_seconds: Some(seconds), ..row }
}

/// The customer's own cancellation has the same type whether other terminals of the transaction are open or not.
fn cancelled(reason: CancelReason) -> Row {
    match reason {
        CancelReason::CardNotActive => not_active(),
        CancelReason::AtTerminal => plain(
            StatusCode::CONFLICT,
            "terminal-cancelled",
            "The customer cancelled at the terminal. Create the payment again to try again.",
        ),
        CancelReason::Requested
        | CancelReason::TimedOut
        | CancelReason::HoldEnded
        | CancelReason::AnnulledAtNets
        | CancelReason::AmountDiffers => plain(
            StatusCode::CONFLICT,
            "cancelled",
            "The transaction is cancelled. Create the payment again to pay the order.",
        ),
    }
}

/// The sentence is Entur's.
fn not_active() -> Row {
    plain(
        StatusCode::CONFLICT,
        "not-active",
        "The customer has no active recurring payment with given id",
    )
}
