//! Notifications to callers about the end of a setup (rule 10 of api.md §6). A wallet stores each one until it is delivered or
//! has expired.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::TransactionId;
use crate::domain::recurring_payment::RecurringStatus;
use crate::domain::text::CallbackUrl;

/// One notification and the state of its delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The address that receives the notification.
    pub callback_url: CallbackUrl,
    /// The terminal session that the notification is about.
    pub transaction_id: TransactionId,
    /// The event that the notification reports.
    pub event: Event,
    /// The instant of the event.
    pub occurred_at: DateTime<Utc>,
    /// The delivery attempts so far. `None` before the first one.
    pub attempts: Option<DeliveryAttempts>,
}

/// How a setup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Notification {
    /// How long delivery is attempted, counted from the first attempt.
    pub const DELIVERY_PERIOD: TimeDelta = TimeDelta::hours(72);
    /// The delay between the first attempt and the second. Each further delay is twice as long.
    const MIN_BACKOFF: TimeDelta = TimeDelta::minutes(1);
    /// The upper limit of the delay.
    const MAX_BACKOFF: TimeDelta = TimeDelta::hours(6);

    /// A notification without delivery attempts.
    #[must_use]
    pub fn new(
        callback_url: CallbackUrl,
        transaction_id: TransactionId,
        event: Event,
        occurred_at: DateTime<Utc>,
    ) -> Self {
        Self { callback_url, transaction_id, event, occurred_at, attempts: None }
    }

    /// The notification id: unique, and the same in every attempt, so that receivers can recognise a repeated delivery.
    #[must_use]
    pub fn id(&self) -> String {
        let Self { transaction_id, event, occurred_at, .. } = self;
        format!("{transaction_id}-{}-{}", event.name(), occurred_at.timestamp_millis())
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn due_at(&self) -> DateTime<Utc> {
        self.attempts.map_or(self.occurred_at, |attempts| attempts.next_at)
    }

    /// Returns whether its delivery period is over.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.attempts.is_some_and(|attempts| attempts.first_at + Self::DELIVERY_PERIOD <= now)
    }

    /// Counts one more attempt, begun at `now`, and sets when the next one is due. So the next attempt follows even if the
    /// process stops during this one.
    #[must_use]
    pub fn with_attempt_begun(self, now: DateTime<Utc>) -> Self {
        let (first_at, count) =
            self.attempts.map_or((now, 1), |attempts| (attempts.first_at, attempts.count + 1));
        let doublings = u32::from(count - 1).min(16);
        let delay = (Self::MIN_BACKOFF * 2_i32.pow(doublings)).min(Self::MAX_BACKOFF);
        Self { attempts: Some(DeliveryAttempts { first_at, count, next_at: now + delay }), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot};

    #[test]
    fn delivery_attempts_back_off_from_one_minute_to_six_hours_for_72_hours() {
        let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
        let id = TransactionId::new(id, Attempt::try_from(0).unwrap());
        let start: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let callback_url = CallbackUrl::from_stored("https://shop.example/").unwrap();
        let mut notification = Notification::new(callback_url, id, Event::Activated, start);
        let (first_id, mut now, mut delays) = (notification.id(), start, Vec::new());
        while !notification.is_expired(now) {
            assert_eq!(notification.due_at(), now);
            notification = notification.with_attempt_begun(now);
            delays.push((notification.due_at() - now).num_minutes());
            now = notification.due_at();
            assert_eq!(notification.id(), first_id);
            assert!(delays.len() <= 20, "the notification never expires");
        }
        let expected: Vec<i64> =
            [1, 2, 4, 8, 16, 32, 64, 128, 256].into_iter().chain([360; 11]).collect();
        assert_eq!(delays, expected);
        assert_eq!(first_id, "114704-activated-1795428000000");
        assert!(
            !notification
                .is_expired(start + Notification::DELIVERY_PERIOD - TimeDelta::milliseconds(1))
        );
        assert!(notification.is_expired(start + Notification::DELIVERY_PERIOD));
    }
}
