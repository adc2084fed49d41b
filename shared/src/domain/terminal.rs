//! A visit to Nets' page.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::card::VerifiedCard;
use crate::domain::id::TransactionId;
use crate::error::Decline;

/// One visit: when it began and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terminal {
    /// When Nets was asked for it.
    pub opened_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
    /// When the service looks at it by itself (rule 7), while it is open.
    pub look_at: Option<DateTime<Utc>>,
    /// What tells a repeated request for it from a new one (rule 16).
    pub asked: Option<Asked>,
}

/// Hashes of an idempotency key and of the request that it came with, so that neither is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Of the key.
    pub key: [u8; 16],
    /// Of what was asked for.
    pub request: [u8; 16],
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
    /// The card was verified, but it had expired by then.
    CardExpired,
}

impl Outcome {
    /// Whether a card was entered that cannot be stored.
    #[must_use]
    pub fn is_decline(self) -> bool {
        match self {
            Self::Declined | Self::CardExpired => true,
            Self::Open | Self::Failed | Self::Cancelled => false,
        }
    }
}

impl Terminal {
    /// For how long the page is there (Entur's prose: 15 minutes).
    pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    /// When the service looks by itself, counted from the opening (rule 7).
    pub const LOOKS: [TimeDelta; 5] = [
        TimeDelta::minutes(1),
        TimeDelta::minutes(5),
        TimeDelta::minutes(16),
        TimeDelta::hours(1),
        TimeDelta::hours(24),
    ];
    /// After a look that brought no clear answer.
    const AGAIN: TimeDelta = TimeDelta::minutes(1);
    /// Longer than a request lives (`template.yaml`: 29 seconds).
    const REQUEST: TimeDelta = TimeDelta::seconds(30);

    /// A visit that begins.
    #[must_use]
    pub fn opened(at: DateTime<Utc>) -> Self {
        Self {
            opened_at: at,
            outcome: Outcome::Open,
            look_at: Some(at + Self::LOOKS[0]),
            asked: None,
        }
    }

    /// The same after a look, when Nets said that there is nothing yet.
    #[must_use]
    pub fn looked(self, now: DateTime<Utc>) -> Self {
        let mut looks = Self::LOOKS.into_iter().map(|after| self.opened_at + after);
        Self { look_at: looks.find(|look_at| now < *look_at), ..self }
    }

    /// The same after a look without a clear answer: Nets may have done something, so another look comes soon.
    #[must_use]
    pub fn unclear(self, now: DateTime<Utc>) -> Self {
        let soon = now + Self::AGAIN;
        let planned = self.look_at.filter(|look_at| now < *look_at);
        Self { look_at: Some(planned.map_or(soon, |planned| planned.min(soon))), ..self }
    }

    /// The same when Nets does not know it. Before a look is due, somebody may just be registering it, and be about to give its
    /// address to the customer.
    #[must_use]
    pub fn unknown(self, now: DateTime<Utc>) -> Self {
        let is_young = self.look_at.is_some_and(|look_at| now < look_at);
        if is_young { self } else { self.closed(Closing::NeverRegistered, now) }
    }

    /// The same when another request is going to register it: it is over before the next look.
    #[must_use]
    pub fn taken_over(self, now: DateTime<Utc>) -> Self {
        let far = self.look_at.filter(|look_at| now + Self::REQUEST <= *look_at);
        Self { look_at: far.or(Some(now + Self::LOOKS[0])), ..self }
    }

    /// The same with what came of it.
    #[must_use]
    pub fn closed(self, closing: Closing, now: DateTime<Utc>) -> Self {
        match closing.outcome() {
            Outcome::Open => self.looked(now),
            outcome @ (Outcome::Failed
            | Outcome::Cancelled
            | Outcome::Declined
            | Outcome::CardExpired) => Self { outcome, look_at: None, ..self },
        }
    }

    /// First instant at which the page is no longer there.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.opened_at + Self::LIFETIME
    }
}

/// A visit with its id, to ask Nets about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// What a look at a visit brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The customer entered a card, and Nets verified it. It may have expired since (rule 9).
    Card(VerifiedCard),
    /// The visit is over, or went wrong for now.
    Closed(Closing),
    /// Nothing yet.
    Waiting,
    /// Nets did not say clearly: it may have done something, or not.
    Unclear,
}

impl Finding {
    /// Whether it is a card that has not expired.
    #[must_use]
    pub fn is_good_card(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Card(verified) => !verified.card.has_expired(now),
            Self::Closed(_) | Self::Waiting | Self::Unclear => false,
        }
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
    /// The card was verified, but it has expired.
    CardExpired,
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
            Self::CardExpired => Outcome::CardExpired,
        }
    }
}
