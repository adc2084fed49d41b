//! The notifications of a wallet (rule 10): when they are tried, and when they are over.

use super::Wallet;
use crate::domain::id::RecurringPaymentId;
use crate::domain::notification::Notification;

impl Wallet {
    /// Begins a try of every notification that is due, of one recurring payment or of all. Whoever writes this down makes the
    /// tries, so two never make the same; should nobody live to make them, the next ones are due all the same.
    pub fn begin_tries(&mut self, of: Option<RecurringPaymentId>) -> Vec<Notification> {
        let now = self.now;
        let mut begun = Vec::new();
        for notification in &mut self.contents.notifications {
            let of_it =
                of.is_none_or(|id| notification.transaction_id.recurring_payment_id() == id);
            if of_it && notification.due_at() <= now && !notification.is_given_up(now) {
                let tried = notification.clone().tried(now);
                *notification = tried.clone();
                begun.push(tried);
            }
        }
        begun
    }

    /// Forgets a notification that was heard.
    pub fn heard(&mut self, id: &str) {
        self.contents.notifications.retain(|notification| notification.id() != id);
    }

    /// Takes out the notifications whose time is over.
    pub fn give_up(&mut self) -> Vec<Notification> {
        let now = self.now;
        self.contents
            .notifications
            .extract_if(.., |notification| {
                notification.is_given_up(now) && notification.due_at() <= now
            })
            .collect()
    }

    pub(super) fn tell(&mut self, notification: Notification) {
        let notifications = &mut self.contents.notifications;
        // In the order in which things happened, as if somebody had looked each time.
        let later = |other: &Notification| {
            (other.occurred_at, other.transaction_id)
                <= (notification.occurred_at, notification.transaction_id)
        };
        notifications.insert(notifications.partition_point(later), notification);
        let surplus = notifications.len().saturating_sub(Self::NOTIFICATIONS);
        notifications.drain(..surplus);
    }
}
