//! The stored form of a notification about a transaction.
//!
//! The address is that of the transaction, which does not change after its first notification. So it is stored once, and the
//! longest addresses do not double the size of the item.

use serde::{Deserialize, Serialize};

use super::super::item::{StoredDeliveryAttempts, instant};
use super::transaction::attempt;
use crate::domain::id::{PaymentId, PaymentTransactionId};
use crate::domain::notification::{DeliveryAttempts, Notification, PaymentEvent, PaymentEventKind};
use crate::domain::payment::Transaction;
use crate::domain::text::CallbackUrl;
use crate::error::Cause;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredNotification {
    /// The number of the transaction, 0 to 15.
    transaction: u8,
    event: StoredEvent,
    occurred_at: i64,
    /// The address, if it is not that of the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<StoredDeliveryAttempts>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredEvent {
    Captured,
    Rejected,
    Cancelled,
    /// The credited sum afterwards, in minor units.
    Credited(u64),
}

impl StoredNotification {
    /// The stored form, in an item with these transactions.
    pub(super) fn new(
        notification: &Notification<PaymentEvent>,
        transactions: &[Transaction],
    ) -> Self {
        let PaymentEvent { transaction_id, kind } = notification.subject;
        let transaction = transaction_id.attempt().number();
        let callback_url = Some(&notification.callback_url);
        let is_stored = callback_url == address(transactions, transaction);
        Self {
            transaction,
            event: match kind {
                PaymentEventKind::Captured => StoredEvent::Captured,
                PaymentEventKind::Rejected => StoredEvent::Rejected,
                PaymentEventKind::Cancelled => StoredEvent::Cancelled,
                PaymentEventKind::Credited { credited_minor } => {
                    StoredEvent::Credited(credited_minor)
                }
            },
            occurred_at: notification.occurred_at.timestamp_millis(),
            to: callback_url.filter(|_| !is_stored).map(|url| url.as_url().to_string()),
            attempts: notification.attempts.map(From::from),
        }
    }

    /// The notification, in a payment with this id and these transactions.
    pub(super) fn read(
        &self,
        payment: PaymentId,
        transactions: &[Transaction],
    ) -> Result<Notification<PaymentEvent>, Cause> {
        let number = attempt(self.transaction)?;
        if transactions.len() <= usize::from(number.number()) {
            return Err("a notification about no transaction".into());
        }
        let callback_url = match &self.to {
            Some(to) => CallbackUrl::from_stored(to)?,
            None => address(transactions, self.transaction).ok_or("no address")?.clone(),
        };
        let subject = PaymentEvent {
            transaction_id: PaymentTransactionId::new(payment, number),
            kind: match self.event {
                StoredEvent::Captured => PaymentEventKind::Captured,
                StoredEvent::Rejected => PaymentEventKind::Rejected,
                StoredEvent::Cancelled => PaymentEventKind::Cancelled,
                StoredEvent::Credited(credited_minor) => {
                    PaymentEventKind::Credited { credited_minor }
                }
            },
        };
        Ok(Notification {
            callback_url,
            subject,
            occurred_at: instant(self.occurred_at)?,
            attempts: self.attempts.as_ref().map(DeliveryAttempts::try_from).transpose()?,
        })
    }
}

/// The address of the transaction with this number.
fn address(transactions: &[Transaction], number: u8) -> Option<&CallbackUrl> {
    transactions.get(usize::from(number))?.callback_url.as_ref()
}
