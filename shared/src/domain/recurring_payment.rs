//! A recurring payment: a stored card, or one that is being set up.
//!
//! A setup begins with the creation of the recurring payment. It ends when a card is stored or declined permanently, or when the
//! recurring payment is cancelled. After a decline the customer can open another terminal.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::card::{Registration, VerifiedCard};
use crate::domain::id::{Attempt, RecurringPaymentId, Sequence};
use crate::domain::terminal::Terminal;
use crate::domain::text::{CallbackUrl, Nickname};
use crate::secret::Secret;

/// A recurring payment as its wallet stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecurringPayment {
    /// Its number within the wallet.
    pub sequence: Sequence,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The customer's name for it.
    pub nickname: Option<Nickname>,
    /// The idempotency record of its creation, kept for 24 hours.
    pub idempotency: Option<Idempotency>,
    /// The state, with the data that exists in that state.
    pub state: State,
}

/// The state of a recurring payment. States only change in the order below. The pan hash exists only while ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Has no card yet.
    Created {
        /// The terminal sessions so far, at most 16, oldest first. The index is the [`Attempt`].
        terminals: Vec<Terminal>,
        /// Receives the notification about the end of the setup: the `callbackUrl` of the newest terminal that had one.
        callback: Option<CallbackUrl>,
    },
    /// Has a valid card.
    Active {
        /// The stored card.
        registration: Registration,
        /// Nets' token for the card.
        pan_hash: Secret,
        /// Whether the event about its coming expiry exists (api.md §7). Always false without an address for events.
        notice_given: bool,
    },
    /// The card or the registration has expired.
    Expired {
        /// The card that was stored.
        registration: Registration,
    },
    /// Ended by the customer, or abandoned.
    Cancelled {
        /// Why it is cancelled.
        reason: StatusReason,
        /// When it was cancelled.
        at: DateTime<Utc>,
        /// The card that was stored, if it was ever ACTIVE.
        registration: Option<Registration>,
    },
}

/// The status of a recurring payment in the API: the variant of its [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "see State")]
pub enum RecurringStatus {
    Created,
    Active,
    Expired,
    Cancelled,
}

impl RecurringStatus {
    /// The name in the API.
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
    /// The name in the API.
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
    /// The setup was not completed in time (rule 8).
    Abandoned,
}

/// The idempotency record of a creation (rule 16). Contains hashes, so neither the key nor the body is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// The hash of the idempotency key.
    pub key: [u8; 16],
    /// The hash of the request.
    pub request: [u8; 16],
    /// The value of `primary` in the first response.
    pub primary: bool,
}

/// A recurring payment as callers see it, at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: RecurringPaymentId,
    /// Whether it is the primary one of its wallet.
    pub primary: bool,
    /// The status.
    pub status: RecurringStatus,
    /// The reason, if the status is CANCELLED.
    pub reason: Option<StatusReason>,
    /// The customer's name for it.
    pub nickname: Option<Nickname>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The stored card, from ACTIVE on.
    pub registration: Option<Registration>,
}

impl RecurringPayment {
    /// How long an idempotency key is stored (rule 16).
    pub const KEY_LIFETIME: TimeDelta = TimeDelta::hours(24);
    /// How long after its last terminal, or after its creation, an unfinished setup is abandoned (rule 8).
    pub const GRACE_PERIOD: TimeDelta = TimeDelta::hours(24);
    /// How long a CANCELLED one can still be read (rule 14).
    pub const RETENTION: TimeDelta = TimeDelta::days(30);

    /// The status.
    #[must_use]
    pub fn status(&self) -> RecurringStatus {
        match self.state {
            State::Created { .. } => RecurringStatus::Created,
            State::Active { .. } => RecurringStatus::Active,
            State::Expired { .. } => RecurringStatus::Expired,
            State::Cancelled { .. } => RecurringStatus::Cancelled,
        }
    }

    /// Returns whether it is CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self.state {
            State::Created { .. } | State::Active { .. } => true,
            State::Expired { .. } | State::Cancelled { .. } => false,
        }
    }

    /// Returns whether its setup is pending (api.md §7): it is CREATED, and its last terminal session, if there is one, is pending.
    #[must_use]
    pub fn is_pending(&self, now: DateTime<Utc>) -> bool {
        let last = self.terminals().last();
        self.status() == RecurringStatus::Created
            && last.is_none_or(|(_, terminal)| terminal.is_pending(now))
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

    /// The terminal sessions while it is CREATED, oldest first. Empty in every other state.
    pub fn terminals(&self) -> impl Iterator<Item = (Attempt, &Terminal)> {
        let terminals = match &self.state {
            State::Created { terminals, .. } => terminals.as_slice(),
            State::Active { .. } | State::Expired { .. } | State::Cancelled { .. } => &[],
        };
        (0..).map_while(|index| Attempt::try_from(index).ok()).zip(terminals)
    }

    /// The `callbackUrl` and the newest terminal session, for the notification about its abandonment. `None` without a
    /// `callbackUrl`, and if the card of the newest session was declined, because there was already a notification.
    #[must_use]
    pub fn abandonment_callback(&self) -> Option<(&CallbackUrl, Attempt)> {
        let State::Created { callback, .. } = &self.state else { return None };
        let (attempt, newest) = self.terminals().last()?;
        Some((callback.as_ref().filter(|_| !newest.outcome.is_decline())?, attempt))
    }

    /// Stores the card of a terminal session: CREATED becomes ACTIVE. Any other state stays unchanged.
    #[must_use]
    pub fn activated(
        self,
        session: Attempt,
        card: VerifiedCard,
        at: DateTime<Utc>,
        lifetime: chrono::Months,
    ) -> Self {
        let state = match self.state {
            State::Created { terminals, .. } => {
                let terminal = terminals.get(usize::from(session.number()));
                let allows = terminal.is_some_and(|terminal| terminal.allows_merchant_initiated);
                State::Active {
                    registration: Registration::new(card.card, at, lifetime, allows),
                    pan_hash: card.pan_hash,
                    notice_given: false,
                }
            }
            other @ (State::Active { .. } | State::Expired { .. } | State::Cancelled { .. }) => {
                other
            }
        };
        Self { state, ..self }
    }

    /// Cancels it and deletes the pan hash. CANCELLED stays unchanged.
    #[must_use]
    pub fn cancelled(self, reason: StatusReason, at: DateTime<Utc>) -> Self {
        let state = match self.state {
            State::Created { .. } => State::Cancelled { reason, at, registration: None },
            State::Active { registration, .. } | State::Expired { registration } => {
                State::Cancelled { reason, at, registration: Some(registration) }
            }
            cancelled @ State::Cancelled { .. } => cancelled,
        };
        Self { state, ..self }
    }

    /// Applies the changes that depend only on time. ACTIVE becomes EXPIRED at `expires_at`, without its pan hash (rule 9).
    /// CREATED becomes CANCELLED after the grace period (rule 8). The idempotency record is deleted after 24 hours.
    #[must_use]
    pub fn with_time_applied(self, now: DateTime<Utc>) -> Self {
        let abandoned_at = self.abandoned_at();
        let idempotency = self.idempotency.filter(|_| now < self.created_at + Self::KEY_LIFETIME);
        let payment = Self { idempotency, ..self };
        match payment.state {
            State::Active { registration, .. } if registration.expires_at <= now => {
                Self { state: State::Expired { registration }, ..payment }
            }
            State::Created { .. } if abandoned_at <= now => {
                payment.cancelled(StatusReason::Abandoned, abandoned_at)
            }
            State::Created { .. }
            | State::Active { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => payment,
        }
    }

    /// When it expired or was cancelled. `None` while it is CREATED or ACTIVE.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Created { .. } | State::Active { .. } => None,
            State::Expired { registration } => Some(registration.expires_at),
            State::Cancelled { at, .. } => Some(*at),
        }
    }

    /// Returns whether it has been CANCELLED for 30 days and has to be deleted (rule 14).
    #[must_use]
    pub fn is_past_retention(&self, now: DateTime<Utc>) -> bool {
        matches!(self.state, State::Cancelled { at, .. } if at + Self::RETENTION <= now)
    }

    /// When an ACTIVE one has to be announced as expiring: `notice` before its expiry, but not before its activation. `None` if it
    /// was announced, and in every other state.
    #[must_use]
    pub fn notice_at(&self, notice: TimeDelta) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Active { registration, notice_given: false, .. } => {
                Some((registration.expires_at - notice).max(registration.activated_at))
            }
            State::Created { .. }
            | State::Active { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// Stores that it was announced as expiring. Any state other than ACTIVE stays unchanged.
    #[must_use]
    pub fn with_notice_given(mut self) -> Self {
        if let State::Active { notice_given, .. } = &mut self.state {
            *notice_given = true;
        }
        self
    }

    /// When [`Self::with_time_applied`] next changes its state, [`Self::is_past_retention`] becomes true, or it has to be announced
    /// as expiring. `notice` is `None` without an address for events.
    #[must_use]
    pub fn due_at(&self, notice: Option<TimeDelta>) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Created { .. } => Some(self.abandoned_at()),
            State::Active { registration, .. } => {
                let notice_at = notice.and_then(|notice| self.notice_at(notice));
                Some(
                    notice_at.map_or(registration.expires_at, |at| at.min(registration.expires_at)),
                )
            }
            State::Expired { .. } => None,
            State::Cancelled { at, .. } => Some(*at + Self::RETENTION),
        }
    }

    /// Rule 8: 24 hours after its last terminal timed out, or after its creation if it had none.
    fn abandoned_at(&self) -> DateTime<Utc> {
        let last = self.terminals().last().map(|(_, terminal)| terminal.expires_at());
        last.unwrap_or(self.created_at) + Self::GRACE_PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::terminal::Outcome;

    /// A terminal session that was opened at the start.
    fn session(opened_at: DateTime<Utc>, outcome: Outcome) -> Terminal {
        Terminal { outcome, ..Terminal::opened(opened_at) }
    }

    #[test]
    fn a_setup_is_pending_until_its_last_terminal_has_an_outcome_or_has_timed_out() {
        let start: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let (minutes, millisecond) = (TimeDelta::minutes, TimeDelta::milliseconds(1));
        let created = |terminals| RecurringPayment {
            sequence: Sequence::NONE,
            created_at: start,
            nickname: None,
            idempotency: None,
            state: State::Created { terminals, callback: None },
        };
        let open = session(start, Outcome::Open);
        let later = session(start + minutes(14), Outcome::Open);
        let closed = [Outcome::Failed, Outcome::Cancelled, Outcome::Declined, Outcome::CardExpired];
        let mut table = vec![
            (created(Vec::new()), minutes(0), true),
            (created(Vec::new()), minutes(60), true),
            (created(vec![open]), minutes(0), true),
            (created(vec![open]), minutes(15) - millisecond, true),
            (created(vec![open]), minutes(15), false),
            (created(vec![open, later]), minutes(15), true),
            (created(vec![open, later]), minutes(29), false),
            (created(Vec::new()).cancelled(StatusReason::Ended, start), minutes(0), false),
            (created(vec![open]).cancelled(StatusReason::Abandoned, start), minutes(0), false),
        ];
        for outcome in closed {
            table.push((created(vec![session(start, outcome)]), minutes(0), false));
            // The last one decides.
            table.push((created(vec![session(start, outcome), later]), minutes(14), true));
            table.push((created(vec![open, session(start, outcome)]), minutes(0), false));
        }
        for (payment, time, expected) in table {
            assert_eq!(payment.is_pending(start + time), expected, "{time}: {payment:?}");
        }
    }
}
