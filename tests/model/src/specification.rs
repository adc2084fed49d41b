//! The expected state: api.md §6 as a second, sequential specification, written from the contract and not from the code.
//!
//! Each write has an [`Annotation`](crate::annotation::Annotation). The specification applies its effect by the rules of the
//! contract, in the order of the writes. `world::properties` compares what callers see with the result.

mod lifecycle;
mod refusals;
mod transitions;

pub use refusals::ExpectedResult;

use chrono::{DateTime, Months, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::domain::notification::Event;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::{Outcome, TerminalSession};

use crate::operation::SequenceNumber;
use crate::subject::{LifecycleEvent, Subject};

/// Rule 8: how long after its last terminal a CREATED recurring payment is abandoned.
const GRACE_PERIOD: TimeDelta = TimeDelta::hours(24);
/// Entur's prose: how long a page is available.
const PAGE_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Rule 14: how long an ended recurring payment can be read.
const RETENTION: TimeDelta = TimeDelta::days(30);
/// Rule 8: how many can be CREATED.
const MAX_CREATED: usize = 5;
/// Rule 9: the default lifetime of a registration.
const LIFETIME: Months = Months::new(36);
/// Rule 16: the retention of an idempotency key.
const KEY_RETENTION: TimeDelta = TimeDelta::hours(24);
/// Rule 10: how long the delivery of a notification is attempted.
const DELIVERY_PERIOD: TimeDelta = TimeDelta::hours(72);

/// The expected state of the wallet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Specification {
    /// The recurring payments, oldest first.
    pub payments: Vec<ExpectedPayment>,
    /// The explicit choices of primary that are still usable, newest first.
    choices: Vec<SequenceNumber>,
    /// The notifications that are not delivered yet.
    pending: Vec<PendingNotification>,
    /// The lifecycle events that were due so far. None: the organisation has no address for them.
    events: Option<Vec<LifecycleEvent>>,
}

/// One recurring payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExpectedPayment {
    /// Its sequence number.
    pub sequence: SequenceNumber,
    /// The number of its nickname.
    pub name: Option<u8>,
    /// Its terminal sessions, oldest first.
    pub sessions: Vec<ExpectedSession>,
    /// Its state.
    pub state: ExpectedState,
    created_at: DateTime<Utc>,
    key: Option<u8>,
    notify: bool,
}

/// One terminal session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExpectedSession {
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether a reconciliation found that Nets did not know the open session. Then the session may be closed or reconciled again.
    pub unknown: bool,
    key: Option<u8>,
}

/// The state of a recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedState {
    /// It has no card yet.
    Created,
    /// It has a valid card.
    Active(ExpectedCard),
    /// Its card has expired.
    Expired(ExpectedCard),
    /// It has ended.
    Cancelled {
        /// When it ended.
        at: DateTime<Utc>,
        /// Whether the customer ended it. Otherwise it was abandoned.
        by_customer: bool,
        /// The card that it had.
        card: Option<ExpectedCard>,
    },
    /// Its retention is over, or it was erased.
    Removed,
}

/// A stored card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExpectedCard {
    /// Its last four digits.
    pub digits: u16,
    /// When it was stored.
    pub activated_at: DateTime<Utc>,
    /// The first instant at which the registration is not valid.
    pub expires_at: DateTime<Utc>,
}

/// A notification that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PendingNotification {
    subject: Subject,
    first_attempt_at: Option<DateTime<Utc>>,
}

impl ExpectedState {
    /// The status that callers see. None: the response is `NotFound`.
    #[must_use]
    pub fn status(self) -> Option<RecurringStatus> {
        match self {
            Self::Created => Some(RecurringStatus::Created),
            Self::Active(_) => Some(RecurringStatus::Active),
            Self::Expired(_) => Some(RecurringStatus::Expired),
            Self::Cancelled { .. } => Some(RecurringStatus::Cancelled),
            Self::Removed => None,
        }
    }

    /// Its present or former card.
    #[must_use]
    pub fn card(self) -> Option<ExpectedCard> {
        match self {
            Self::Active(card) | Self::Expired(card) => Some(card),
            Self::Cancelled { card, .. } => card,
            Self::Created | Self::Removed => None,
        }
    }

    /// Whether it is CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Created | Self::Active(_))
    }
}

impl ExpectedPayment {
    /// Rule 8: 24 hours after its last terminal timed out, or after its creation if it has no terminal.
    fn abandoned_at(&self) -> DateTime<Utc> {
        let last = self.sessions.last().map(|session| session.opened_at + PAGE_LIFETIME);
        last.unwrap_or(self.created_at) + GRACE_PERIOD
    }

    /// The session with this id and this start.
    fn session_mut(&mut self, session: &TerminalSession) -> Option<&mut ExpectedSession> {
        let attempt = usize::from(session.transaction_id.attempt().number());
        let expected = self.sessions.get_mut(attempt);
        expected.filter(|expected| expected.opened_at == session.terminal.opened_at)
    }
}

impl PendingNotification {
    /// Whether its delivery period is over.
    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.first_attempt_at.is_some_and(|first| first + DELIVERY_PERIOD <= now)
    }
}

impl Specification {
    /// The recurring payment with this sequence number.
    #[must_use]
    pub fn payment(&self, sequence: SequenceNumber) -> Option<&ExpectedPayment> {
        self.payments.iter().find(|payment| payment.sequence == sequence)
    }

    /// Rule 1: the newest explicit choice that is still usable; else the ACTIVE one activated first; else the oldest CREATED.
    #[must_use]
    pub fn primary(&self) -> Option<SequenceNumber> {
        let is_live = |sequence: &&SequenceNumber| {
            self.payment(**sequence).is_some_and(|payment| payment.state.is_live())
        };
        if let Some(chosen) = self.choices.iter().find(is_live) {
            return Some(*chosen);
        }
        let mut active: Vec<_> = self
            .payments
            .iter()
            .filter_map(|payment| match payment.state {
                ExpectedState::Active(card) => Some((card.activated_at, payment.sequence)),
                ExpectedState::Created
                | ExpectedState::Expired(_)
                | ExpectedState::Cancelled { .. }
                | ExpectedState::Removed => None,
            })
            .collect();
        active.sort_unstable();
        let created = self.payments.iter().find(|payment| payment.state == ExpectedState::Created);
        active
            .first()
            .map(|(_, sequence)| *sequence)
            .or_else(|| created.map(|payment| payment.sequence))
    }

    /// The explicit choices that are still usable, newest first.
    #[must_use]
    pub fn choices(&self) -> &[SequenceNumber] {
        &self.choices
    }

    /// Whether a session was stored. A removed recurring payment has no record of its sessions: true.
    #[must_use]
    pub fn has_session(&self, session: &TerminalSession) -> bool {
        let sequence = session.transaction_id.recurring_payment_id().sequence().number();
        let mut payment = self.payment(sequence).cloned();
        payment.as_mut().is_some_and(|payment| {
            payment.state == ExpectedState::Removed || payment.session_mut(session).is_some()
        })
    }

    /// Whether a notification agrees with the expected state. Every notification about a setup of a removed recurring payment does.
    #[must_use]
    pub fn permits_notification(&self, subject: Subject) -> bool {
        match subject {
            Subject::Setup(session, event) => self.permits_setup_event(session, event),
            Subject::Lifecycle(event) => self.was_due(event),
        }
    }

    fn permits_setup_event(&self, session: TransactionId, event: Event) -> bool {
        let sequence = session.recurring_payment_id().sequence().number();
        let attempt = usize::from(session.attempt().number());
        let outcome =
            |payment: &ExpectedPayment| payment.sessions.get(attempt).map(|one| one.outcome);
        self.payment(sequence).is_some_and(|payment| match (event, payment.state) {
            (_, ExpectedState::Removed) => true,
            (Event::Activated, state) => state.card().is_some(),
            (Event::Declined, _) => outcome(payment) == Some(Outcome::Declined),
            (Event::CardExpired, _) => outcome(payment) == Some(Outcome::CardExpired),
            (Event::Abandoned, state) => {
                matches!(state, ExpectedState::Cancelled { by_customer: false, .. })
            }
        })
    }

    /// Removes a notification that was delivered.
    pub fn delivered(&mut self, subject: Subject) {
        self.pending.retain(|pending| pending.subject != subject);
    }

    /// Whether a notification is to be delivered and has not expired.
    #[must_use]
    pub fn has_pending_notification(&self, now: DateTime<Utc>) -> bool {
        self.pending.iter().any(|pending| !pending.has_expired(now))
    }
}
