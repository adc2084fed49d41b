//! Delivers notifications about the transactions of payments.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::notification_sender::{self, NotificationSender, WalletOutcome};
use crate::config::Environment;
use crate::domain::notification::{Notification, PaymentEvent};
use crate::error::Cause;
use crate::notify::{Message, Notifier};
use crate::secrets::Secrets;
use crate::storage::{LoadedPayment, PaymentKey, PaymentStore};

/// Delivers the notifications of payments.
pub(super) struct PaymentNotifications {
    payments: PaymentStore,
    notifier: Arc<Notifier>,
}

impl PaymentNotifications {
    /// Reads the configuration from the environment and fetches the secret.
    pub(super) async fn with(
        environment: &Environment<'_>,
        secrets: &Secrets,
        payments: PaymentStore,
    ) -> Result<Self, Cause> {
        let notifier = notification_sender::notifier(environment, secrets).await?;
        Ok(Self { payments, notifier })
    }

    /// Shares the HTTP client and the secret of the sender for wallets.
    pub(super) fn sharing(sender: &NotificationSender, payments: PaymentStore) -> Self {
        Self { payments, notifier: Arc::clone(&sender.notifier) }
    }

    /// Makes the delivery attempts that are already stored in `loaded`. Removes the delivered notifications from the payment. The
    /// others stay due for their next attempt.
    pub(super) async fn deliver(
        &self,
        loaded: LoadedPayment,
        attempts: Vec<Notification<PaymentEvent>>,
        now: DateTime<Utc>,
    ) -> WalletOutcome {
        let payment = loaded.payment.clone();
        // The payment has the transaction of each of its notifications.
        let messages = attempts.iter().map(|one| Message::about_payment(&payment, one));
        let messages: Vec<_> = messages.flatten().collect();
        let remove = |delivered: Vec<String>| async move {
            let key = PaymentKey::Any(loaded.payment.id());
            let removed = self.payments.change_loaded(loaded, key, now, |payment| {
                for id in &delivered {
                    payment.remove_notification(id);
                }
                Ok(())
            });
            removed.await.map(drop)
        };
        notification_sender::deliver(&self.notifier, &messages, now, remove).await
    }
}
