//! A visit to Nets' page.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::TransactionId;
use crate::error::Decline;

/// One visit: when it began and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// When Nets was asked for it.
    pub opened_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a visit, as far as we know. A visit that stored a card is not here: its recurring payment is ACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not known yet: Nets has to be asked.
    Open,
    /// Nets never registered it.
    Failed,
    /// The customer pressed cancel.
    Cancelled,
    /// The card was declined for good.
    Declined,
}

impl Terminal {
    /// For how long the page is there (Entur's prose: 15 minutes).
    pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    /// A visit that begins.
    #[must_use]
    pub fn opened(at: DateTime<Utc>) -> Self {
        Self { opened_at: at, outcome: Outcome::Open }
    }

    /// First instant at which the page is no longer there.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.opened_at + Self::LIFETIME
    }
}

/// A visit with its id, to ask Nets about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Nets' and the caller's name for it.
    pub transaction_id: TransactionId,
    /// The visit itself.
    pub terminal: Terminal,
}

impl Visit {
    /// The order number that Nets shows for it, at most 32 characters.
    ///
    /// After 1,023 recurring payments of one customer their ids, and so their transaction ids, come round again, while Nets
    /// remembers the old ones: the instant in the order number tells this visit from one before it with the same id.
    #[must_use]
    pub fn order_number(&self) -> String {
        format!("{}-{}", self.transaction_id, self.terminal.opened_at.timestamp_millis())
    }
}

/// What Nets knows of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// Nets knows nothing of it.
    NeverRegistered,
    /// The customer pressed cancel.
    Cancelled,
    /// The card was declined.
    Declined(Decline),
}

impl Closing {
    /// What is written down. A soft decline leaves the visit open: the same card may go well later.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NeverRegistered => Outcome::Failed,
            Self::Cancelled => Outcome::Cancelled,
            Self::Declined(Decline::Hard) => Outcome::Declined,
            Self::Declined(Decline::Soft) => Outcome::Open,
        }
    }
}
