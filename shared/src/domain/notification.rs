//! Notifications about the end of a card setup (rule 10 of api.md §6), about the lifecycle of stored cards (§7) and about the
//! transactions of a payment. A wallet or a payment stores each one until it is delivered or has expired.

pub(crate) mod queue;
mod wallet_event;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::{PaymentTransactionId, TransactionId};
use crate::domain::recurring_payment::RecurringStatus;
use crate::domain::text::CallbackUrl;
pub use wallet_event::{
    CardEvent, ExpiryCause, PrimaryChange, PrimaryChangeReason, WalletEvent, WalletNotification,
};

/// How long the delivery of a notification is attempted, counted from the first attempt.
pub const DELIVERY_PERIOD: TimeDelta = TimeDelta::hours(72);
/// The delay between the first attempt and the second. Each further delay is twice as long.
const MIN_BACKOFF: TimeDelta = TimeDelta::minutes(1);
/// The upper limit of the delay.
const MAX_BACKOFF: TimeDelta = TimeDelta::hours(6);

/// One notification and the state of its delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notification<S, A = CallbackUrl> {
    /// The address that receives the notification.
    pub callback_url: A,
    /// What the notification reports: an event, and the terminal session or the transaction that it is about. Its text is the first
    /// part of the notification id, and its order is that of notifications with the same instant.
    pub subject: S,
    /// The instant of the event.
    pub occurred_at: DateTime<Utc>,
    /// The delivery attempts so far. `None` before the first one.
    pub attempts: Option<DeliveryAttempts>,
}

/// The end of a card setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetupEvent {
    /// The terminal session.
    pub transaction_id: TransactionId,
    /// How the setup ended.
    pub event: Event,
}

/// How a setup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// The card is stored.
    Activated,
    /// The card was declined permanently. The customer can open another terminal.
    Declined,
    /// The card had expired when Nets reported it (rule 9). Callers receive this as a decline. The customer can open another
    /// terminal.
    CardExpired,
    /// The setup was not completed in time (rule 8).
    Abandoned,
}

/// A change of a transaction of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentEvent {
    /// The transaction.
    pub transaction_id: PaymentTransactionId,
    /// How it changed.
    pub kind: PaymentEventKind,
}

/// How a transaction of a payment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentEventKind {
    /// The money is captured.
    Captured,
    /// The transaction is REJECTED.
    Rejected,
    /// The transaction is CANCELLED.
    Cancelled,
    /// The credited sum has grown.
    Credited {
        /// The credited sum afterwards, in minor units of the transaction's currency.
        credited_minor: u64,
    },
}

/// The delivery attempts of one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryAttempts {
    /// When the first attempt began.
    pub first_at: DateTime<Utc>,
    /// How many attempts were begun, including the current one.
    pub count: u16,
    /// When the next attempt is due if the current one fails.
    pub next_at: DateTime<Utc>,
}

impl Event {
    /// The status of the recurring payment directly after the event.
    #[must_use]
    pub fn status(self) -> RecurringStatus {
        match self {
            Self::Activated => RecurringStatus::Active,
            Self::Declined | Self::CardExpired => RecurringStatus::Created,
            Self::Abandoned => RecurringStatus::Cancelled,
        }
    }

    /// The name in notification ids and bodies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::Declined | Self::CardExpired => "declined",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for SetupEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.transaction_id, self.event.name())
    }
}

/// A credited sum is part of the id because it can grow twice within a millisecond: by a credit that was made in Netaxept Admin, and
/// by the credit of the request that found it.
impl fmt::Display for PaymentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.transaction_id)?;
        match self.kind {
            PaymentEventKind::Captured => f.write_str("captured"),
            PaymentEventKind::Rejected => f.write_str("rejected"),
            PaymentEventKind::Cancelled => f.write_str("cancelled"),
            PaymentEventKind::Credited { credited_minor } => write!(f, "credited-{credited_minor}"),
        }
    }
}

impl<S, A> Notification<S, A> {
    /// A notification without delivery attempts.
    #[must_use]
    pub fn new(callback_url: A, subject: S, occurred_at: DateTime<Utc>) -> Self {
        Self { callback_url, subject, occurred_at, attempts: None }
    }

    /// The same notification with another form of its address.
    #[must_use]
    pub fn with_address<B>(self, callback_url: B) -> Notification<S, B> {
        let Self { callback_url: _, subject, occurred_at, attempts } = self;
        Notification { callback_url, subject, occurred_at, attempts }
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn due_at(&self) -> DateTime<Utc> {
        self.attempts.map_or(self.occurred_at, |attempts| attempts.next_at)
    }

    /// Returns whether its delivery period is over.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.attempts.is_some_and(|attempts| attempts.first_at + DELIVERY_PERIOD <= now)
    }

    /// Counts one more attempt, begun at `now`, and sets when the next one is due. So the next attempt follows even if the
    /// process stops during this one.
    #[must_use]
    pub fn with_attempt_begun(self, now: DateTime<Utc>) -> Self {
        let (first_at, count) =
            self.attempts.map_or((now, 1), |attempts| (attempts.first_at, attempts.count + 1));
        let doublings = u32::from(count - 1).min(16);
        let delay = (MIN_BACKOFF * 2_i32.pow(doublings)).min(MAX_BACKOFF);
        Self { attempts: Some(DeliveryAttempts { first_at, count, next_at: now + delay }), ..self }
    }
}

impl<S: fmt::Display, A> Notification<S, A> {
    /// The notification id: unique, and the same in every attempt, so that receivers can recognise a repeated delivery.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.subject, self.occurred_at.timestamp_millis())
    }
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
