//! The undelivered notifications of a wallet or of a payment, oldest first: delivery attempts, expiry and the maximum.

use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::Notification;

/// How many undelivered notifications of one kind a wallet or a payment stores. Beyond that the oldest is deleted, so that an
/// unavailable receiver does not make the item large.
pub(crate) const MAX: usize = 16;

/// Adds a notification. The queue is ordered by time of occurrence, so that the order does not depend on when the wallet or the
/// payment was updated. The maximum applies to those with a subject of the same kind.
pub(crate) fn enqueue<S: Ord, A>(
    queue: &mut Vec<Notification<S, A>>,
    notification: Notification<S, A>,
    is_same_kind: impl Fn(&S) -> bool,
) {
    let is_not_later = |other: &Notification<S, A>| {
        (other.occurred_at, &other.subject) <= (notification.occurred_at, &notification.subject)
    };
    queue.insert(queue.partition_point(is_not_later), notification);
    let same_kind = |one: &Notification<S, A>| is_same_kind(&one.subject);
    if queue.iter().filter(|one| same_kind(one)).count() > MAX
        && let Some(oldest) = queue.iter().position(same_kind)
    {
        queue.remove(oldest);
    }
}

/// When the next delivery attempt is due. `None` for an empty queue.
pub(crate) fn due_at<S, A>(queue: &[Notification<S, A>]) -> Option<DateTime<Utc>> {
    queue.iter().map(Notification::due_at).min()
}

/// Begins a delivery attempt for every notification that matches and is due, and returns these notifications.
pub(crate) fn begin_attempts<S: Clone, A: Clone>(
    queue: &mut [Notification<S, A>],
    now: DateTime<Utc>,
    matches: impl Fn(&S) -> bool,
) -> Vec<Notification<S, A>> {
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
pub(crate) fn remove<S: Display, A>(queue: &mut Vec<Notification<S, A>>, id: &str) {
    queue.retain(|notification| notification.id() != id);
}

/// Removes and returns the notifications whose delivery period is over.
pub(crate) fn expire<S, A>(
    queue: &mut Vec<Notification<S, A>>,
    now: DateTime<Utc>,
) -> Vec<Notification<S, A>> {
    let is_over = |one: &mut Notification<S, A>| one.is_expired(now) && one.due_at() <= now;
    queue.extract_if(.., is_over).collect()
}
