//! Everything that can go wrong, in business words. What a caller is told of each stands in `api/status.rs`, in one table.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A cause from a library: logged with all its sources, never shown to a caller.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a request was not carried out. Whatever it says, nothing was changed that the caller would have to undo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong; each fault names its field.
    #[error("the request is not valid: {}", Listed(.0))]
    Invalid(Vec<Fault>),
    /// The body is larger than 16 KiB.
    #[error("the body is too large")]
    TooLarge,
    /// There is a body, and it does not say that it is JSON.
    #[error("the body is not application/json")]
    NotJson,
    /// The body has a `Content-Encoding`: which.
    #[error("the body's Content-Encoding is not supported: {0}")]
    Encoded(String),
    /// The body is not in UTF-8: in which charset instead.
    #[error("the body's charset is not supported: {0}")]
    Charset(String),
    /// There is nothing at this path.
    #[error("nothing is at this path")]
    NoSuchPath,
    /// Nobody is calling: why the token was not accepted.
    #[error("the token is not accepted: {0}")]
    Unauthorized(String),
    /// Somebody is calling who may not do this.
    #[error("not permitted: {0}")]
    Forbidden(&'static str),
    /// Callers who do not say who they are have used what they share.
    #[error("the allowance of unidentified callers is used up")]
    Unidentified {
        /// When there is another one.
        retry_after_seconds: u32,
    },
    /// The rules of the wallet say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Beaten by other writers five times in a row.
    #[error("lost {tries} write races in a row")]
    Busy {
        /// How often it was tried.
        tries: u32,
    },
    /// Something that we depend on is down, slow or unclear; a later try is safe.
    #[error("{what} is not available")]
    Unavailable {
        /// What it is: `DynamoDB`, `Netaxept`, `the token issuer`.
        what: &'static str,
        /// What it said.
        #[source]
        cause: Cause,
    },
    /// Ours to mend.
    #[error("{what}")]
    Internal {
        /// What should have been.
        what: &'static str,
        /// What was instead.
        #[source]
        cause: Cause,
    },
}

/// What the rules of the wallet say no with; each has its own problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such recurring payment, or it is somebody else's: nobody is told which.
    #[error("there is no such recurring payment")]
    NotFound,
    /// The request names a customer, and it is not the one whose recurring payment it is.
    #[error("the customer number is another one")]
    OtherCustomer,
    /// `isPrimary: false` on the primary one.
    #[error("the primary recurring payment can not be un-chosen, only another one be chosen")]
    PrimaryNeedsSuccessor,
    /// An EXPIRED or CANCELLED one was to become primary.
    #[error("an expired or ended recurring payment can not be primary")]
    NeverPrimary,
    /// A CANCELLED one was to be changed.
    #[error("the recurring payment has ended")]
    Ended,
    /// A card was to be entered for one that is not CREATED.
    #[error("the recurring payment does not wait for a card")]
    NotAwaitingCard,
    /// Sixteen CREATED and ACTIVE ones are there already.
    #[error("the customer has as many recurring payments as one can have")]
    WalletFull,
    /// The recurring payment has had its sixteen terminals.
    #[error("the recurring payment has had as many terminals as one can have")]
    NoTerminalLeft,
    /// Five terminals were opened within the hour.
    #[error("too many terminals within the hour")]
    TooManyTerminals {
        /// When the next one is possible.
        retry_after_seconds: u32,
    },
    /// Authorize without a terminal.
    #[error("no terminal was opened")]
    NoTerminal,
    /// The customer is still at the terminal.
    #[error("the customer has not finished at the terminal")]
    TerminalOpen,
    /// The customer pressed cancel.
    #[error("the customer cancelled at the terminal")]
    TerminalCancelled,
    /// Nobody entered a card within 15 minutes.
    #[error("the terminal timed out")]
    TerminalTimedOut,
    /// The card was declined.
    #[error("the card was declined")]
    Declined(Decline),
    /// The card had expired when it arrived.
    #[error("the card has expired")]
    CardExpired,
    /// The idempotency key came with another body within its 24 hours.
    #[error("the idempotency key was used for another request")]
    KeyReused,
}

/// How a card was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decline {
    /// A later try with the same card may go well.
    Soft,
    /// It will not: the customer needs another card.
    Hard,
}

/// One fault of a request: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The member of the body, or the parameter, as the caller spells it.
    pub field: &'static str,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a text: a code for programs and a sentence for people. Neither repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Stable, in `kebab-case`.
    pub code: &'static str,
    /// What would be right.
    pub message: Cow<'static, str>,
}

impl Flaw {
    /// A flaw of this code.
    #[must_use]
    pub const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message) }
    }

    /// The same, with more about it: `must be JSON: trailing comma at line 1 column 23`.
    #[must_use]
    pub fn because(self, reason: impl fmt::Display) -> Self {
        Self { message: format!("{}: {reason}", self.message).into(), ..self }
    }

    /// The same, told of a field.
    #[must_use]
    pub fn of(self, field: &'static str) -> Fault {
        Fault { field, flaw: self }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }
}

struct Listed<'a>(&'a [Fault]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({})", fault.field, fault.flaw.code)?;
        }
        Ok(())
    }
}

/// An error and all its sources in one line, as `serve` logs it once: Lambda's own JSON format would drop the sources.
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
