//! Why a rule of a payment does not allow a request.

/// The rule of the payment that does not allow a request (payments.md §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// The payment, transaction or registration does not exist.
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
    /// The transaction is CANCELLED.
    #[error("the transaction is cancelled")]
    Cancelled(CancelReason),
    /// The card was declined.
    #[error("the card was declined")]
    Declined(PaymentDecline),
    /// The card was declined too often within 24 hours.
    #[error("the card was declined too often within 24 hours")]
    TooManyDeclines {
        /// When the next attempt is possible.
        retry_after_seconds: u32,
    },
}

/// What a decline of an authorization means (payments.md §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentDecline {
    /// The customer has to authenticate at a terminal.
    AuthenticationRequired,
    /// A later attempt with the same card can succeed.
    Soft,
    /// The card stays declined. The customer needs another card.
    Hard,
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
