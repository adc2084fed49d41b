//! The notifications of a wallet (rule 10): delivery attempts and expiry.

use super::Wallet;
use crate::domain::id::RecurringPaymentId;
use crate::domain::notification::Notification;

impl Wallet {
    /// Begins a delivery attempt for every notification that is due, of one recurring payment or with `None` of all, and returns
    /// these notifications.
    ///
    /// The caller must store the wallet before it makes the attempts. So two concurrent runs never make the same attempt, and the
    /// next attempt becomes due even if the process stops.
    pub fn begin_delivery_attempts(&mut self, id: Option<RecurringPaymentId>) -> Vec<Notification> {
        let now = self.now;
        let mut begun = Vec::new();
        for notification in &mut self.contents.notifications {
            let matches =
                id.is_none_or(|id| notification.transaction_id.recurring_payment_id() == id);
            if matches && notification.due_at() <= now && !notification.is_expired(now) {
                let attempted = notification.clone().with_attempt_begun(now);
                *notification = attempted.clone();
                begun.push(attempted);
            }
        }
        begun
    }

    /// Deletes a notification, after its delivery.
    pub fn remove_notification(&mut self, id: &str) {
        self.contents.notifications.retain(|notification| notification.id() != id);
    }

    /// Removes and returns the notifications whose delivery period is over.
    pub fn expire_notifications(&mut self) -> Vec<Notification> {
        let now = self.now;
        self.contents
            .notifications
            .extract_if(.., |notification| {
                notification.is_expired(now) && notification.due_at() <= now
            })
            .collect()
    }

    pub(super) fn enqueue(&mut self, notification: Notification) {
        let notifications = &mut self.contents.notifications;
        // Ordered by time of occurrence, so that the order does not depend on when the wallet was updated.
        let is_not_later = |other: &Notification| {
            (other.occurred_at, other.transaction_id)
                <= (notification.occurred_at, notification.transaction_id)
        };
        notifications.insert(notifications.partition_point(is_not_later), notification);
        let surplus = notifications.len().saturating_sub(Self::MAX_NOTIFICATIONS);
        notifications.drain(..surplus);
    }
}
