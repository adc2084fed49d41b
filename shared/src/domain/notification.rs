//! What a caller is told when a setup ends (rule 10 of api.md §6). It stays in the wallet until it was heard or given up.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::TransactionId;
use crate::domain::recurring_payment::RecurringStatus;
use crate::domain::text::CallbackUrl;

/// One fact to be told: to whom, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notification {
    /// Where it is told.
    pub to: CallbackUrl,
    /// The visit that it is about.
    pub transaction_id: TransactionId,
    /// What happened.
    pub event: Event,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// How far telling it has come; none yet: nobody tried.
    pub tries: Option<Tries>,
}

/// How a setup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The card is stored.
    Activated,
    /// The card was declined for good; another terminal may still bring one.
    Declined,
    /// The card had expired when it arrived (rule 9): told as a decline; another terminal may still bring one.
    CardExpired,
    /// Nobody finished it (rule 8).
    Abandoned,
}

/// What was tried so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tries {
    /// When the first try began.
    pub first_at: DateTime<Utc>,
    /// How many there were, the one under way included.
    pub made: u16,
    /// When the next one is due, unless the last one was heard.
    pub next_at: DateTime<Utc>,
}

impl Event {
    /// What the recurring payment was right after it.
    #[must_use]
    pub fn status(self) -> RecurringStatus {
        match self {
            Self::Activated => RecurringStatus::Active,
            Self::Declined | Self::CardExpired => RecurringStatus::Created,
            Self::Abandoned => RecurringStatus::Cancelled,
        }
    }

    /// The word for it, in ids and in what is told.
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
    /// For how long it is tried, from the first try on.
    pub const PATIENCE: TimeDelta = TimeDelta::hours(72);
    /// How long after the first try the second one comes; after that it doubles.
    const SHORTEST: TimeDelta = TimeDelta::minutes(1);
    /// Where the doubling ends.
    const LONGEST: TimeDelta = TimeDelta::hours(6);

    /// A fact that nobody was told yet.
    #[must_use]
    pub fn new(
        to: CallbackUrl,
        transaction_id: TransactionId,
        event: Event,
        occurred_at: DateTime<Utc>,
    ) -> Self {
        Self { to, transaction_id, event, occurred_at, tries: None }
    }

    /// The same through all tries, and nobody else's: receivers know a repeat by it.
    #[must_use]
    pub fn id(&self) -> String {
        let Self { transaction_id, event, occurred_at, .. } = self;
        format!("{transaction_id}-{}-{}", event.name(), occurred_at.timestamp_millis())
    }

    /// When the next try is due.
    #[must_use]
    pub fn due_at(&self) -> DateTime<Utc> {
        self.tries.map_or(self.occurred_at, |tries| tries.next_at)
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_given_up(&self, now: DateTime<Utc>) -> bool {
        self.tries.is_some_and(|tries| tries.first_at + Self::PATIENCE <= now)
    }

    /// The same with a try under way. The next one is due when this one should not be heard, even if nobody lives to say so.
    #[must_use]
    pub fn tried(self, now: DateTime<Utc>) -> Self {
        let (first_at, made) =
            self.tries.map_or((now, 1), |tries| (tries.first_at, tries.made + 1));
        let doublings = u32::from(made - 1).min(16);
        let pause = (Self::SHORTEST * 2_i32.pow(doublings)).min(Self::LONGEST);
        Self { tries: Some(Tries { first_at, made, next_at: now + pause }), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Attempt, RecurringPaymentId, Sequence, Slot};

    #[test]
    fn it_is_tried_after_a_minute_twice_as_long_each_time_up_to_six_hours_for_three_days() {
        let id = RecurringPaymentId::new(Slot::new(7), Sequence::NONE.next());
        let id = TransactionId::new(id, Attempt::try_from(0).unwrap());
        let begins: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let to = CallbackUrl::kept("https://shop.example/").unwrap();
        let mut notification = Notification::new(to, id, Event::Activated, begins);
        let (first_id, mut now, mut pauses) = (notification.id(), begins, Vec::new());
        while !notification.is_given_up(now) {
            assert_eq!(notification.due_at(), now);
            notification = notification.tried(now);
            pauses.push((notification.due_at() - now).num_minutes());
            now = notification.due_at();
            assert_eq!(notification.id(), first_id);
            assert!(pauses.len() <= 20, "it is never given up");
        }
        let expected: Vec<i64> =
            [1, 2, 4, 8, 16, 32, 64, 128, 256].into_iter().chain([360; 11]).collect();
        assert_eq!(pauses, expected);
        assert_eq!(first_id, "114704-activated-1795428000000");
        assert!(
            !notification.is_given_up(begins + Notification::PATIENCE - TimeDelta::milliseconds(1))
        );
        assert!(notification.is_given_up(begins + Notification::PATIENCE));
    }
}
