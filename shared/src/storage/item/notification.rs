//! The stored form of a notification.

use serde::{Deserialize, Serialize};

use super::instant;
use crate::domain::id::TransactionId;
use crate::domain::notification::{DeliveryAttempts, Event, Notification, SetupEvent};
use crate::domain::text::CallbackUrl;
use crate::error::Cause;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredNotification {
    to: String,
    transaction_id: u64,
    event: StoredEvent,
    occurred_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<StoredDeliveryAttempts>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredEvent {
    Activated,
    Declined,
    CardExpired,
    Abandoned,
}

/// The stored form of the delivery attempts, for wallets and payments.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct StoredDeliveryAttempts {
    first_at: i64,
    made: u16,
    next_at: i64,
}

impl From<DeliveryAttempts> for StoredDeliveryAttempts {
    fn from(attempts: DeliveryAttempts) -> Self {
        Self {
            first_at: attempts.first_at.timestamp_millis(),
            made: attempts.count,
            next_at: attempts.next_at.timestamp_millis(),
        }
    }
}

impl TryFrom<&StoredDeliveryAttempts> for DeliveryAttempts {
    type Error = Cause;

    fn try_from(stored: &StoredDeliveryAttempts) -> Result<Self, Cause> {
        Ok(Self {
            first_at: instant(stored.first_at)?,
            count: stored.made,
            next_at: instant(stored.next_at)?,
        })
    }
}

impl From<&Notification<SetupEvent>> for StoredNotification {
    fn from(notification: &Notification<SetupEvent>) -> Self {
        let SetupEvent { transaction_id, event } = notification.subject;
        Self {
            to: notification.callback_url.as_url().to_string(),
            transaction_id: transaction_id.number(),
            event: match event {
                Event::Activated => StoredEvent::Activated,
                Event::Declined => StoredEvent::Declined,
                Event::CardExpired => StoredEvent::CardExpired,
                Event::Abandoned => StoredEvent::Abandoned,
            },
            occurred_at: notification.occurred_at.timestamp_millis(),
            attempts: notification.attempts.map(From::from),
        }
    }
}

impl TryFrom<&StoredNotification> for Notification<SetupEvent> {
    type Error = Cause;

    fn try_from(stored: &StoredNotification) -> Result<Self, Cause> {
        let event = match stored.event {
            StoredEvent::Activated => Event::Activated,
            StoredEvent::Declined => Event::Declined,
            StoredEvent::CardExpired => Event::CardExpired,
            StoredEvent::Abandoned => Event::Abandoned,
        };
        let transaction_id = TransactionId::try_from(stored.transaction_id)?;
        Ok(Self {
            callback_url: CallbackUrl::from_stored(&stored.to)?,
            subject: SetupEvent { transaction_id, event },
            occurred_at: instant(stored.occurred_at)?,
            attempts: stored.attempts.as_ref().map(DeliveryAttempts::try_from).transpose()?,
        })
    }
}
