//! The stored form of a notification.

use serde::{Deserialize, Serialize};

use super::instant;
use crate::domain::id::TransactionId;
use crate::domain::notification::{DeliveryAttempts, Event, Notification};
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredDeliveryAttempts {
    first_at: i64,
    made: u16,
    next_at: i64,
}

impl From<&Notification> for StoredNotification {
    fn from(notification: &Notification) -> Self {
        Self {
            to: notification.callback_url.as_url().to_string(),
            transaction_id: notification.transaction_id.number(),
            event: match notification.event {
                Event::Activated => StoredEvent::Activated,
                Event::Declined => StoredEvent::Declined,
                Event::CardExpired => StoredEvent::CardExpired,
                Event::Abandoned => StoredEvent::Abandoned,
            },
            occurred_at: notification.occurred_at.timestamp_millis(),
            attempts: notification.attempts.map(|attempts| StoredDeliveryAttempts {
                first_at: attempts.first_at.timestamp_millis(),
                made: attempts.count,
                next_at: attempts.next_at.timestamp_millis(),
            }),
        }
    }
}

impl TryFrom<&StoredNotification> for Notification {
    type Error = Cause;

    fn try_from(stored: &StoredNotification) -> Result<Self, Cause> {
        let attempts = |attempts: &StoredDeliveryAttempts| {
            Ok::<_, Cause>(DeliveryAttempts {
                first_at: instant(attempts.first_at)?,
                count: attempts.made,
                next_at: instant(attempts.next_at)?,
            })
        };
        Ok(Self {
            callback_url: CallbackUrl::from_stored(&stored.to)?,
            transaction_id: TransactionId::try_from(stored.transaction_id)?,
            event: match stored.event {
                StoredEvent::Activated => Event::Activated,
                StoredEvent::Declined => Event::Declined,
                StoredEvent::CardExpired => Event::CardExpired,
                StoredEvent::Abandoned => Event::Abandoned,
            },
            occurred_at: instant(stored.occurred_at)?,
            attempts: stored.attempts.as_ref().map(attempts).transpose()?,
        })
    }
}
