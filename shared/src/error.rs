//! The errors of the service, in terms of the business. One table in `api/status.rs` maps each error to a response.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// An error from a library. The log contains it with all its sources; responses never do.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a request failed. A failed request leaves nothing that the caller has to undo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is not valid. Each entry names a field.
    #[error("the request is not valid: {}", List(.0))]
    Invalid(Vec<FieldError>),
    /// The body is larger than 16 KiB.
    #[error("the body is too large")]
    TooLarge,
    /// The request has a body, and its `Content-Type` is not JSON.
    #[error("the body is not application/json")]
    NotJson,
    /// The body has this `Content-Encoding`.
    #[error("the Content-Encoding of the body is not supported: {0}")]
    UnsupportedEncoding(String),
    /// The body is in this charset instead of UTF-8.
    #[error("the charset of the body is not supported: {0}")]
    UnsupportedCharset(String),
    /// The path does not exist.
    #[error("the path does not exist")]
    NoSuchPath,
    /// The caller is not authenticated, with the reason why the token was not accepted.
    #[error("the token is not accepted: {0}")]
    Unauthorized(String),
    /// The caller is authenticated but does not have permission.
    #[error("permission denied: {0}")]
    Forbidden(&'static str),
    /// The rate limit for requests without a valid `ET-Client-Name` is exceeded. All such callers share it.
    #[error("the rate limit for unidentified callers is exceeded")]
    Unidentified {
        /// When the next request is possible.
        retry_after_seconds: u32,
    },
    /// Too many requests wait for news (`?wait=`). All callers share the limit.
    #[error("too many requests wait for news")]
    TooManyWaiting {
        /// When the next request can wait.
        retry_after_seconds: u32,
    },
    /// A rule of the wallet does not allow the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A rule of the payment does not allow the request.
    #[error(transparent)]
    PaymentRefused(#[from] PaymentRefusal),
    /// Every attempt to write the wallet or the payment conflicted with another writer.
    #[error("{attempts} write conflicts in a row")]
    Busy {
        /// The number of attempts.
        attempts: u32,
    },
    /// A dependency is down or slow, or its reply is unclear. It is safe to retry later.
    #[error("{what} is not available")]
    Unavailable {
        /// The name of the dependency: `DynamoDB`, `Netaxept`, `the token issuer`.
        what: &'static str,
        /// The failure of the dependency.
        #[source]
        cause: Cause,
    },
    /// A bug or a wrong configuration of the service.
    #[error("{what}")]
    Internal {
        /// What failed.
        what: &'static str,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
}

/// The rule of the wallet that does not allow a request. Each has its own problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The recurring payment does not exist or belongs to another customer. The response does not say which.
    #[error("the recurring payment was not found")]
    NotFound,
    /// The request names a customer who does not own the recurring payment.
    #[error("the recurring payment belongs to another customer number")]
    OtherCustomer,
    /// `isPrimary: false` for the primary recurring payment.
    #[error("the primary recurring payment cannot be unset, only replaced by another one")]
    PrimaryNeedsSuccessor,
    /// `isPrimary: true` for an EXPIRED or CANCELLED recurring payment.
    #[error("an expired or cancelled recurring payment cannot be primary")]
    NeverPrimary,
    /// A change of the nickname of a CANCELLED recurring payment.
    #[error("the recurring payment has ended")]
    Ended,
    /// A terminal or an authorization for a recurring payment that is not CREATED.
    #[error("the recurring payment does not wait for a card")]
    NotAwaitingCard,
    /// The customer already has 16 CREATED and ACTIVE recurring payments.
    #[error("the customer has the maximum number of recurring payments")]
    WalletFull,
    /// The recurring payment has already had 16 terminals.
    #[error("the recurring payment has had the maximum number of terminals")]
    NoTerminalLeft,
    /// Too many terminals were opened within one hour: 5 for the recurring payment, or 10 for the customer.
    #[error("too many terminals within one hour")]
    TooManyTerminals {
        /// When the next terminal is possible.
        retry_after_seconds: u32,
    },
    /// The recurring payment has no terminal yet.
    #[error("no terminal was opened")]
    NoTerminal,
    /// The customer has not completed the terminal yet.
    #[error("the customer has not completed the terminal")]
    TerminalOpen,
    /// The customer pressed the cancel button.
    #[error("the customer cancelled at the terminal")]
    TerminalCancelled,
    /// No card was entered within 15 minutes.
    #[error("the terminal timed out")]
    TerminalTimedOut,
    /// The card was declined.
    #[error("the card was declined")]
    Declined(Decline),
    /// The card had expired when the service received it.
    #[error("the card has expired")]
    CardExpired,
    /// The idempotency key was used with a different body in the last 24 hours.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
}

/// What a decline of a card means (payments.md §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decline {
    /// The issuer requires authentication: the customer can authenticate at a terminal.
    AuthenticationRequired,
    /// A later attempt with the same card can succeed.
    Soft,
    /// The card stays declined. The customer needs another card.
    Hard,
}

/// The rule of the payment that does not allow a request (payments.md §4.3). Each has its own problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// The payment, transaction or registration does not exist, or the caller may not access it. The response does not say which.
    #[error("the payment was not found")]
    NotFound,
    /// The order has a live or captured transaction with another amount or card, or it belongs to another customer.
    #[error("the order has a payment with other facts")]
    OrderHasPayment,
    /// The last transaction is CANCELLED, but Nets has not confirmed yet that its authorization is annulled. Until then it could
    /// still be captured, so the order cannot be paid again.
    #[error("the cancelled transaction is not annulled at Nets yet")]
    AnnulmentPending {
        /// When Nets' confirmation is expected.
        retry_after_seconds: u32,
    },
    /// The payment has already had 16 transactions.
    #[error("the payment has had the maximum number of transactions")]
    NoTransactionLeft,
    /// The transaction has already had 16 registrations at Nets.
    #[error("the transaction has had the maximum number of terminals")]
    NoTerminalLeft,
    /// The transaction has no terminal yet.
    #[error("no terminal was opened")]
    NoTerminal,
    /// The customer has not completed the terminal yet.
    #[error("the customer has not completed the terminal")]
    TerminalOpen,
    /// The customer pressed the cancel button.
    #[error("the customer cancelled at the terminal")]
    TerminalCancelled,
    /// The customer did not complete the terminal within 15 minutes.
    #[error("the terminal timed out")]
    TerminalTimedOut,
    /// An authorization was requested and Nets has not declined it. Another terminal could lead to a second authorization.
    #[error("an authorization is in progress")]
    AuthorizationInProgress,
    /// The transaction is CAPTURED or CREDITED.
    #[error("the transaction is captured")]
    AlreadyCaptured,
    /// A credit of a transaction that is neither CAPTURED nor CREDITED.
    #[error("the transaction is not captured")]
    NotCaptured,
    /// The total to credit is larger than the captured sum, or in another currency.
    #[error("the total to credit is more than the captured sum")]
    CreditAboveCaptured,
    /// More than the total to credit is credited already, or a credit of a larger total is in progress.
    #[error("the total to credit is less than the credited sum")]
    CreditBelowCredited,
    /// The capture is too old: Nets credits for 365 days.
    #[error("the capture is too old to be credited")]
    CreditTooLate,
    /// The transaction has already had 100 credits of a part.
    #[error("the transaction has had the maximum number of credits")]
    TooManyCredits,
    /// Another credit was sent to Nets, and Nets has not confirmed it yet.
    #[error("a credit of the transaction is in progress")]
    CreditInProgress {
        /// When the next reconciliation is due, at most an hour.
        retry_after_seconds: u32,
    },
    /// Nets clearly refused the credit.
    #[error("Nets refused the credit")]
    CreditRefused,
    /// The transaction is CANCELLED.
    #[error("the transaction is cancelled")]
    Cancelled(CancelReason),
    /// The card was declined.
    #[error("the card was declined")]
    Declined(Decline),
    /// The card was declined too often within 24 hours.
    #[error("the card was declined too often within 24 hours")]
    TooManyDeclines {
        /// When the next attempt is possible.
        retry_after_seconds: u32,
    },
    /// The recurring payment is not ACTIVE, so it has no card that can be charged.
    #[error("the recurring payment is not active")]
    CardNotActive,
    /// The merchant wants to charge the card without the customer, but the customer did not store it at a terminal with `MIT_UCOF`.
    #[error("the customer has not agreed to charges by the merchant")]
    NoAgreement,
}

/// Why a transaction is CANCELLED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The caller cancelled it.
    Requested,
    /// The customer cancelled at the terminal.
    AtTerminal,
    /// It was neither authorized nor cancelled within 24 hours.
    TimedOut,
    /// It was authorized, but not captured in time (`AuthorizationHoldHours`).
    HoldEnded,
    /// The authorization was annulled at Nets, for example in Netaxept Admin.
    AnnulledAtNets,
    /// The recurring payment ended or expired before the authorization.
    CardNotActive,
    /// Nets authorized another amount or currency than was registered.
    AmountDiffers,
}

/// One field of a request that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the body member, parameter or header, as in the API.
    pub field: &'static str,
    /// The rule that the value violates.
    pub violation: Violation,
}

/// The rule that a value violates: a code for programs and a message for people. Neither contains the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A stable code in `kebab-case`.
    pub code: &'static str,
    /// What the rule demands, without a subject and a full stop: `must not be empty`.
    pub message: Cow<'static, str>,
}

impl Violation {
    /// A violation with this code and message.
    #[must_use]
    pub const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message) }
    }

    /// Appends a reason to the message: `must be JSON: trailing comma at line 1 column 23`.
    #[must_use]
    pub fn with_reason(self, reason: impl fmt::Display) -> Self {
        Self { message: format!("{}: {reason}", self.message).into(), ..self }
    }

    /// Adds the name of the field.
    #[must_use]
    pub fn in_field(self, field: &'static str) -> FieldError {
        FieldError { field, violation: self }
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

struct List<'a>(&'a [FieldError]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} ({})", error.field, error.violation.code)?;
        }
        Ok(())
    }
}

/// Formats an error and all its sources as one line for the log. Lambda's own JSON format drops the sources.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}
