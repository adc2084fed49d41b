//! A notification as it is stored.

use serde::{Deserialize, Serialize};

use super::instant;
use crate::domain::id::TransactionId;
use crate::domain::notification::{Event, Notification, Tries};
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
    tries: Option<StoredTries>,
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
struct StoredTries {
    first_at: i64,
    made: u16,
    next_at: i64,
}

impl From<&Notification> for StoredNotification {
    fn from(notification: &Notification) -> Self {
        Self {
            to: notification.to.as_url().to_string(),
            transaction_id: notification.transaction_id.number(),
            event: match notification.event {
                Event::Activated => StoredEvent::Activated,
                Event::Declined => StoredEvent::Declined,
                Event::CardExpired => StoredEvent::CardExpired,
                Event::Abandoned => StoredEvent::Abandoned,
            },
            occurred_at: notification.occurred_at.timestamp_millis(),
            tries: notification.tries.map(|tries| StoredTries {
                first_at: tries.first_at.timestamp_millis(),
                made: tries.made,
                next_at: tries.next_at.timestamp_millis(),
            }),
        }
    }
}

impl TryFrom<&StoredNotification> for Notification {
    type Error = Cause;

    fn try_from(stored: &StoredNotification) -> Result<Self, Cause> {
        let tries = |tries: &StoredTries| {
            Ok::<_, Cause>(Tries {
                first_at: instant(tries.first_at)?,
                made: tries.made,
                next_at: instant(tries.next_at)?,
            })
        };
        Ok(Self {
            to: CallbackUrl::kept(&stored.to)?,
            transaction_id: TransactionId::try_from(stored.transaction_id)?,
            event: match stored.event {
                StoredEvent::Activated => Event::Activated,
                StoredEvent::Declined => Event::Declined,
                StoredEvent::CardExpired => Event::CardExpired,
                StoredEvent::Abandoned => Event::Abandoned,
            },
            occurred_at: instant(stored.occurred_at)?,
            tries: stored.tries.as_ref().map(tries).transpose()?,
        })
    }
}
