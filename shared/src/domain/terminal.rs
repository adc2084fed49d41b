//! Terminal sessions. A session is one use of the Nets terminal page.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::card::VerifiedCard;
use crate::domain::id::TransactionId;
use crate::error::Decline;

/// A terminal session as its recurring payment stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terminal {
    /// When it was opened, directly before its registration at Nets.
    pub opened_at: DateTime<Utc>,
    /// The outcome, as far as it is known.
    pub outcome: Outcome,
    /// When the service next reconciles it automatically (rule 7). Only open sessions have this.
    pub reconcile_at: Option<DateTime<Utc>>,
    /// The idempotency record of the request that opened it (rule 16).
    pub idempotency: Option<IdempotencyRecord>,
    /// Whether it was opened with `MIT_UCOF`: a customer who stores a card in it agrees to charges by the merchant.
    pub allows_merchant_initiated: bool,
}

/// The idempotency record of a terminal. Contains hashes, so neither the key nor the request is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyRecord {
    /// The hash of the idempotency key.
    pub key: [u8; 16],
    /// The hash of the request.
    pub request: [u8; 16],
}

/// The outcome of a session, as far as it is known. A stored card has no outcome here: its recurring payment is ACTIVE and has no
/// sessions any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The outcome is not known yet. The session has to be reconciled with Nets.
    Open,
    /// The session was never registered at Nets.
    Failed,
    /// The customer cancelled on the terminal page.
    Cancelled,
    /// The card was declined permanently.
    Declined,
    /// The card was verified, but had expired by then.
    CardExpired,
}

impl Outcome {
    /// Returns whether the customer entered a card that cannot be stored.
    #[must_use]
    pub fn is_decline(self) -> bool {
        match self {
            Self::Declined | Self::CardExpired => true,
            Self::Open | Self::Failed | Self::Cancelled => false,
        }
    }
}

impl Terminal {
    /// How long the terminal page is available (Entur's prose: 15 minutes).
    pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    /// When the service reconciles an open session automatically, counted from `opened_at` (rule 7).
    pub const RECONCILE_AFTER: [TimeDelta; 5] = [
        TimeDelta::minutes(1),
        TimeDelta::minutes(5),
        TimeDelta::minutes(16),
        TimeDelta::hours(1),
        TimeDelta::hours(24),
    ];
    /// The delay until the next reconciliation after an unclear reply.
    const RETRY_DELAY: TimeDelta = TimeDelta::minutes(1);
    /// An upper limit for the duration of a request (`template.yaml`: timeout of 29 seconds).
    const MAX_REQUEST_DURATION: TimeDelta = TimeDelta::seconds(30);

    /// A new open session.
    #[must_use]
    pub fn opened(at: DateTime<Utc>) -> Self {
        Self {
            opened_at: at,
            outcome: Outcome::Open,
            reconcile_at: Some(at + Self::RECONCILE_AFTER[0]),
            idempotency: None,
            allows_merchant_initiated: false,
        }
    }

    /// Schedules the next planned reconciliation, after Nets replied that there is no outcome yet.
    #[must_use]
    pub fn rescheduled(self, now: DateTime<Utc>) -> Self {
        let mut planned = Self::RECONCILE_AFTER.into_iter().map(|after| self.opened_at + after);
        Self { reconcile_at: planned.find(|reconcile_at| now < *reconcile_at), ..self }
    }

    /// Schedules a reconciliation within a minute, after an unclear reply: Nets may have verified the card.
    #[must_use]
    pub fn rescheduled_soon(self, now: DateTime<Utc>) -> Self {
        let soon = now + Self::RETRY_DELAY;
        let planned = self.reconcile_at.filter(|reconcile_at| now < *reconcile_at);
        Self { reconcile_at: Some(planned.map_or(soon, |planned| planned.min(soon))), ..self }
    }

    /// Closes a session that Nets does not know, if its reconciliation is due. Before that, another request may still register it
    /// and return its terminal address to the customer.
    #[must_use]
    pub fn closed_if_never_registered(self, now: DateTime<Utc>) -> Self {
        let may_be_registering = self.reconcile_at.is_some_and(|reconcile_at| now < reconcile_at);
        if may_be_registering { self } else { self.closed(CloseReason::NeverRegistered, now) }
    }

    /// Postpones the next reconciliation, if necessary, until a request that resumes the registration has finished.
    #[must_use]
    pub fn postponed_for_registration(self, now: DateTime<Utc>) -> Self {
        let late_enough = self
            .reconcile_at
            .filter(|reconcile_at| now + Self::MAX_REQUEST_DURATION <= *reconcile_at);
        Self { reconcile_at: late_enough.or(Some(now + Self::RECONCILE_AFTER[0])), ..self }
    }

    /// Stores the outcome for a close reason. A decline that is not permanent leaves the session open and schedules the next
    /// reconciliation.
    #[must_use]
    pub fn closed(self, close_reason: CloseReason, now: DateTime<Utc>) -> Self {
        match close_reason.outcome() {
            Outcome::Open => self.rescheduled(now),
            outcome @ (Outcome::Failed
            | Outcome::Cancelled
            | Outcome::Declined
            | Outcome::CardExpired) => Self { outcome, reconcile_at: None, ..self },
        }
    }

    /// Returns whether the customer can still complete it: it has no outcome, and its page is available.
    #[must_use]
    pub fn is_pending(&self, now: DateTime<Utc>) -> bool {
        self.outcome == Outcome::Open && now < self.expires_at()
    }

    /// The first instant at which the terminal page is no longer available.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.opened_at + Self::LIFETIME
    }
}

/// A terminal session with its transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalSession {
    /// The id, in the API and at Nets.
    pub transaction_id: TransactionId,
    /// The stored data of the session.
    pub terminal: Terminal,
}

impl TerminalSession {
    /// The order number of the session at Nets, at most 32 characters.
    ///
    /// After 1,023 recurring payments of a customer, their ids and transaction ids are reused, but Nets still stores the old
    /// transactions. The instant in the order number distinguishes this session from an older one with the same id.
    #[must_use]
    pub fn order_number(&self) -> String {
        format!("{}-{}", self.transaction_id, self.terminal.opened_at.timestamp_millis())
    }
}

/// The result of the reconciliation of a session with Nets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reconciliation {
    /// The customer entered a card and Nets verified it. The card may have expired since (rule 9).
    Card(VerifiedCard),
    /// The session is closed, or the card was declined.
    Closed(CloseReason),
    /// There is no outcome yet.
    Pending,
    /// The reply was missing or unclear: Nets may or may not have verified the card.
    Unclear,
}

impl Reconciliation {
    /// Returns whether it is a card that has not expired.
    #[must_use]
    pub fn is_valid_card(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::Card(verified) => !verified.card.has_expired(now),
            Self::Closed(_) | Self::Pending | Self::Unclear => false,
        }
    }
}

/// Why a session closes, or a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Nets does not know the session.
    NeverRegistered,
    /// The customer cancelled on the terminal page.
    Cancelled,
    /// The card was declined.
    Declined(Decline),
    /// The card was verified, but has expired.
    CardExpired,
}

impl CloseReason {
    /// The outcome to store. After a decline that is not permanent the session stays open: the same card may succeed later, or the
    /// customer can return to the page and authenticate.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NeverRegistered => Outcome::Failed,
            Self::Cancelled => Outcome::Cancelled,
            Self::Declined(Decline::Hard) => Outcome::Declined,
            Self::Declined(Decline::Soft | Decline::AuthenticationRequired) => Outcome::Open,
            Self::CardExpired => Outcome::CardExpired,
        }
    }
}
