//! One stored payment card, or the wish for one.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::card::{Registration, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Sequence};
use crate::domain::terminal::Terminal;
use crate::domain::text::{CallbackUrl, Nickname};
use crate::secret::Secret;

/// A recurring payment, which its wallet keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecurringPayment {
    /// Its place in the wallet.
    pub sequence: Sequence,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What the customer calls it.
    pub nickname: Option<Nickname>,
    /// The idempotency key of its creation, for 24 hours.
    pub idempotency: Option<Idempotency>,
    /// Where it is in its life, with what it has there.
    pub state: State,
}

/// Where a recurring payment is in its life. It only moves forward, and only here has it a pan hash: while ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for a card.
    Created {
        /// The visits to Nets' page so far, at most 16, oldest first: the place is the attempt.
        terminals: Vec<Terminal>,
        /// Where the end of the setup is told: what the newest terminal that named an address named.
        callback: Option<CallbackUrl>,
    },
    /// Can be paid with.
    Active {
        /// The stored card.
        registration: Registration,
        /// Nets' name for it.
        pan_hash: Secret,
    },
    /// Past its time.
    Expired {
        /// The card that was stored.
        registration: Registration,
    },
    /// Over for good.
    Cancelled {
        /// Why.
        reason: StatusReason,
        /// Since when.
        at: DateTime<Utc>,
        /// The card that was stored, if it came so far.
        registration: Option<Registration>,
    },
}

/// What callers see of a [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "see State")]
pub enum RecurringStatus {
    Created,
    Active,
    Expired,
    Cancelled,
}

impl RecurringStatus {
    /// The word that callers see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Active => "ACTIVE",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl StatusReason {
    /// The word that callers see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ENDED",
            Self::Abandoned => "ABANDONED",
        }
    }
}

/// Why a recurring payment is CANCELLED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusReason {
    /// The customer ended it.
    Ended,
    /// Nobody finished it (rule 8).
    Abandoned,
}

/// What tells a repeated creation from a new one (rule 16): hashes, so that neither key nor body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// Of the key.
    pub key: [u8; 16],
    /// Of what was asked for.
    pub request: [u8; 16],
    /// Whether the answer said `primary`.
    pub primary: bool,
}

/// A recurring payment as callers see it at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: RecurringPaymentId,
    /// Whether it is the wallet's primary one.
    pub primary: bool,
    /// Where it is in its life.
    pub status: RecurringStatus,
    /// Why, when it is CANCELLED.
    pub reason: Option<StatusReason>,
    /// What the customer calls it.
    pub nickname: Option<Nickname>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The stored card, from ACTIVE on.
    pub registration: Option<Registration>,
}

impl RecurringPayment {
    /// How long a key is remembered (rule 16).
    pub const KEY_LIFETIME: TimeDelta = TimeDelta::hours(24);
    /// How long nobody may finish it before it is abandoned (rule 8).
    pub const PATIENCE: TimeDelta = TimeDelta::hours(24);
    /// How long an ended one still answers (rule 14).
    pub const MEMORY: TimeDelta = TimeDelta::days(30);

    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> RecurringStatus {
        match self.state {
            State::Created { .. } => RecurringStatus::Created,
            State::Active { .. } => RecurringStatus::Active,
            State::Expired { .. } => RecurringStatus::Expired,
            State::Cancelled { .. } => RecurringStatus::Cancelled,
        }
    }

    /// Whether it may be, or become, one to pay with: CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self.state {
            State::Created { .. } | State::Active { .. } => true,
            State::Expired { .. } | State::Cancelled { .. } => false,
        }
    }

    /// The stored card, from ACTIVE on.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        match &self.state {
            State::Created { .. } => None,
            State::Active { registration, .. } | State::Expired { registration } => {
                Some(registration)
            }
            State::Cancelled { registration, .. } => registration.as_ref(),
        }
    }

    /// The visits while it waits for a card, oldest first.
    pub fn terminals(&self) -> impl Iterator<Item = (Attempt, &Terminal)> {
        let terminals = match &self.state {
            State::Created { terminals, .. } => terminals.as_slice(),
            State::Active { .. } | State::Expired { .. } | State::Cancelled { .. } => &[],
        };
        (0..).map_while(|place| Attempt::try_from(place).ok()).zip(terminals)
    }

    /// Whom its abandonment is told, and of which visit: the newest one, unless that its card was declined, or had expired, was
    /// told already.
    #[must_use]
    pub fn unfinished(&self) -> Option<(&CallbackUrl, Attempt)> {
        let State::Created { callback, .. } = &self.state else { return None };
        let (attempt, newest) = self.terminals().last()?;
        Some((callback.as_ref().filter(|_| !newest.outcome.is_decline())?, attempt))
    }

    /// The card is stored: CREATED becomes ACTIVE. Whoever is past that stays as it is.
    #[must_use]
    pub fn activated(
        self,
        card: VerifiedCard,
        at: DateTime<Utc>,
        lifetime: chrono::Months,
    ) -> Self {
        let state = match self.state {
            State::Created { .. } => State::Active {
                registration: Registration::new(card.card, at, lifetime),
                pan_hash: card.pan_hash,
            },
            past @ (State::Active { .. } | State::Expired { .. } | State::Cancelled { .. }) => past,
        };
        Self { state, ..self }
    }

    /// The customer, or impatience, ends it. The pan hash is gone with this. CANCELLED stays as it is.
    #[must_use]
    pub fn cancelled(self, reason: StatusReason, at: DateTime<Utc>) -> Self {
        let state = match self.state {
            State::Created { .. } => State::Cancelled { reason, at, registration: None },
            State::Active { registration, .. } | State::Expired { registration } => {
                State::Cancelled { reason, at, registration: Some(registration) }
            }
            past @ State::Cancelled { .. } => past,
        };
        Self { state, ..self }
    }

    /// What time alone has made of it by now: ACTIVE past its end is EXPIRED, without its pan hash (rule 9); CREATED that
    /// nobody finished is CANCELLED (rule 8). A key is forgotten after its day.
    #[must_use]
    pub fn settled(self, now: DateTime<Utc>) -> Self {
        let abandoned_at = self.abandoned_at();
        let idempotency = self.idempotency.filter(|_| now < self.created_at + Self::KEY_LIFETIME);
        let settled = Self { idempotency, ..self };
        match settled.state {
            State::Active { registration, .. } if registration.expires_at <= now => {
                Self { state: State::Expired { registration }, ..settled }
            }
            State::Created { .. } if abandoned_at <= now => {
                settled.cancelled(StatusReason::Abandoned, abandoned_at)
            }
            State::Created { .. }
            | State::Active { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => settled,
        }
    }

    /// When it was over.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Created { .. } | State::Active { .. } => None,
            State::Expired { registration } => Some(registration.expires_at),
            State::Cancelled { at, .. } => Some(*at),
        }
    }

    /// Rule 14: an ended one is forgotten after 30 days.
    #[must_use]
    pub fn is_forgotten(&self, now: DateTime<Utc>) -> bool {
        matches!(self.state, State::Cancelled { at, .. } if at + Self::MEMORY <= now)
    }

    /// When time alone makes something else of it, or has it forgotten: what [`Self::settled`] and [`Self::is_forgotten`] do.
    #[must_use]
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Created { .. } => Some(self.abandoned_at()),
            State::Active { registration, .. } => Some(registration.expires_at),
            State::Expired { .. } => None,
            State::Cancelled { at, .. } => Some(*at + Self::MEMORY),
        }
    }

    /// Rule 8: 24 hours after its last terminal timed out, or after creation when there was none.
    fn abandoned_at(&self) -> DateTime<Utc> {
        let last = self.terminals().last().map(|(_, terminal)| terminal.expires_at());
        last.unwrap_or(self.created_at) + Self::PATIENCE
    }
}
