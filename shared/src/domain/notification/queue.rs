//! The undelivered notifications of a wallet or of a payment, oldest first: delivery attempts, expiry and the maximum.

use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::Notification;

/// How many undelivered notifications a wallet or a payment stores. Beyond that the oldest is deleted, so that an unavailable
/// receiver does not make the item large.
pub(crate) const MAX: usize = 16;

/// Adds a notification. The queue is ordered by time of occurrence, so that the order does not depend on when the wallet or the
/// payment was updated.
pub(crate) fn enqueue<S: Ord>(queue: &mut Vec<Notification<S>>, notification: Notification<S>) {
    let is_not_later = |other: &Notification<S>| {
        (other.occurred_at, &other.subject) <= (notification.occurred_at, &notification.subject)
    };
    queue.insert(queue.partition_point(is_not_later), notification);
    let surplus = queue.len().saturating_sub(MAX);
    queue.drain(..surplus);
}

/// When the next delivery attempt is due. `None` for an empty queue.
pub(crate) fn due_at<S>(queue: &[Notification<S>]) -> Option<DateTime<Utc>> {
    queue.iter().map(Notification::due_at).min()
}

/// Begins a delivery attempt for every notification that matches and is due, and returns these notifications.
pub(crate) fn begin_attempts<S: Clone>(
    queue: &mut [Notification<S>],
    now: DateTime<Utc>,
    matches: impl Fn(&S) -> bool,
) -> Vec<Notification<S>> {
    let mut begun = Vec::new();
    for notification in queue {
        let is_due = notification.due_at() <= now && !notification.is_expired(now);
        if is_due && matches(&notification.subject) {
            let attempted = notification.clone().with_attempt_begun(now);
            *notification = attempted.clone();
            begun.push(attempted);
        }
    }
    begun
}

/// Removes a notification, after its delivery.
pub(crate) fn remove<S: Display>(queue: &mut Vec<Notification<S>>, id: &str) {
    queue.retain(|notification| notification.id() != id);
}

/// Removes and returns the notifications whose delivery period is over.
pub(crate) fn expire<S>(
    queue: &mut Vec<Notification<S>>,
    now: DateTime<Utc>,
) -> Vec<Notification<S>> {
    let is_over = |one: &mut Notification<S>| one.is_expired(now) && one.due_at() <= now;
    queue.extract_if(.., is_over).collect()
}
