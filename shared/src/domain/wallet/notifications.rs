//! The notifications of a wallet (rule 10): delivery attempts and expiry.

use chrono::{DateTime, Utc};

use super::Wallet;
use crate::domain::id::{RecurringPaymentId, TransactionId};
use crate::domain::notification::{Event, Notification, SetupEvent, queue};
use crate::domain::text::CallbackUrl;

impl Wallet {
    /// Begins a delivery attempt for every notification that is due, of one recurring payment or with `None` of all, and returns
    /// these notifications.
    ///
    /// The caller must store the wallet before it makes the attempts. So two concurrent runs never make the same attempt, and the
    /// next attempt becomes due even if the process stops.
    pub fn begin_delivery_attempts(
        &mut self,
        id: Option<RecurringPaymentId>,
    ) -> Vec<Notification<SetupEvent>> {
        let matches = |subject: &SetupEvent| {
            id.is_none_or(|id| subject.transaction_id.recurring_payment_id() == id)
        };
        queue::begin_attempts(&mut self.contents.notifications, self.now, matches)
    }

    /// Deletes a notification, after its delivery.
    pub fn remove_notification(&mut self, id: &str) {
        queue::remove(&mut self.contents.notifications, id);
    }

    /// Removes and returns the notifications whose delivery period is over.
    pub fn expire_notifications(&mut self) -> Vec<Notification<SetupEvent>> {
        queue::expire(&mut self.contents.notifications, self.now)
    }

    pub(super) fn enqueue(
        &mut self,
        callback_url: CallbackUrl,
        transaction_id: TransactionId,
        event: Event,
        occurred_at: DateTime<Utc>,
    ) {
        let subject = SetupEvent { transaction_id, event };
        let notification = Notification::new(callback_url, subject, occurred_at);
        queue::enqueue(&mut self.contents.notifications, notification);
    }
}
