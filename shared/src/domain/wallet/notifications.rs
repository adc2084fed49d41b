//! The notifications of a wallet (rule 10): delivery attempts and expiry.

use chrono::{DateTime, Utc};

use super::Wallet;
use crate::domain::id::{RecurringPaymentId, TransactionId};
use crate::domain::notification::{
    Event, Notification, SetupEvent, WalletEvent, WalletNotification, queue,
};
use crate::domain::text::CallbackUrl;

impl Wallet {
    /// Begins a delivery attempt for the notifications that are due, and returns them with their addresses: with an id for the end
    /// of its setup only, and with `None` for all. So a request never delivers a lifecycle event before an older one of the wallet.
    /// Lifecycle events have an address only if the wallet has [`super::LifecycleRules`].
    ///
    /// The caller must store the wallet before it makes the attempts. So two concurrent runs never make the same attempt, and the
    /// next attempt becomes due even if the process stops.
    pub fn begin_delivery_attempts(
        &mut self,
        id: Option<RecurringPaymentId>,
    ) -> Vec<Notification<WalletEvent>> {
        let events_address = self.rules.as_ref().map(|rules| &rules.address);
        let matches = |event: &WalletEvent| match event.setup() {
            Some(setup) => id.is_none_or(|id| setup.transaction_id.recurring_payment_id() == id),
            None => id.is_none() && events_address.is_some(),
        };
        let begun = queue::begin_attempts(&mut self.contents.notifications, self.now, matches);
        let addressed = begun.into_iter().filter_map(|one| {
            let address = one.callback_url.as_ref().or(events_address)?.clone();
            Some(one.with_address(address))
        });
        addressed.collect()
    }

    /// Deletes a notification, after its delivery.
    pub fn remove_notification(&mut self, id: &str) {
        queue::remove(&mut self.contents.notifications, id);
    }

    /// Removes and returns the notifications whose delivery period is over.
    pub fn expire_notifications(&mut self) -> Vec<WalletNotification> {
        queue::expire(&mut self.contents.notifications, self.now)
    }

    pub(super) fn enqueue(
        &mut self,
        callback_url: CallbackUrl,
        transaction_id: TransactionId,
        event: Event,
        occurred_at: DateTime<Utc>,
    ) {
        let subject = WalletEvent::Setup(SetupEvent { transaction_id, event });
        self.enqueue_notification(Notification::new(Some(callback_url), subject, occurred_at));
    }
}
