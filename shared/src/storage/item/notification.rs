//! The stored form of a notification.

use serde::{Deserialize, Serialize};

use super::instant;
use super::lifecycle_event::{StoredCardEvent, StoredPrimaryChange};
use crate::domain::id::TransactionId;
use crate::domain::notification::{
    DeliveryAttempts, Event, Notification, SetupEvent, WalletEvent, WalletNotification,
};
use crate::domain::text::CallbackUrl;
use crate::error::Cause;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredNotification {
    /// Absent for a lifecycle event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Absent for a lifecycle event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction_id: Option<u64>,
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
    Expiring(StoredCardEvent),
    Expired(StoredCardEvent),
    PrimaryChanged(StoredPrimaryChange),
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

impl From<&WalletNotification> for StoredNotification {
    fn from(notification: &WalletNotification) -> Self {
        let setup = notification.subject.setup();
        Self {
            to: notification.callback_url.as_ref().map(|url| url.as_url().to_string()),
            transaction_id: setup.map(|setup| setup.transaction_id.number()),
            event: StoredEvent::from(&notification.subject),
            occurred_at: notification.occurred_at.timestamp_millis(),
            attempts: notification.attempts.map(From::from),
        }
    }
}

impl From<&WalletEvent> for StoredEvent {
    fn from(event: &WalletEvent) -> Self {
        match event {
            WalletEvent::Setup(setup) => match setup.event {
                Event::Activated => Self::Activated,
                Event::Declined => Self::Declined,
                Event::CardExpired => Self::CardExpired,
                Event::Abandoned => Self::Abandoned,
            },
            WalletEvent::Expiring(event) => Self::Expiring(event.into()),
            WalletEvent::Expired(event) => Self::Expired(event.into()),
            WalletEvent::PrimaryChanged(change) => Self::PrimaryChanged(change.into()),
        }
    }
}

impl TryFrom<&StoredNotification> for WalletNotification {
    type Error = Cause;

    fn try_from(stored: &StoredNotification) -> Result<Self, Cause> {
        let setup = |event| -> Result<WalletEvent, Cause> {
            let number = stored.transaction_id.ok_or("a card setup has no transaction id")?;
            let transaction_id = TransactionId::try_from(number)?;
            Ok(WalletEvent::Setup(SetupEvent { transaction_id, event }))
        };
        let subject = match &stored.event {
            StoredEvent::Activated => setup(Event::Activated)?,
            StoredEvent::Declined => setup(Event::Declined)?,
            StoredEvent::CardExpired => setup(Event::CardExpired)?,
            StoredEvent::Abandoned => setup(Event::Abandoned)?,
            StoredEvent::Expiring(event) => WalletEvent::Expiring(event.try_into()?),
            StoredEvent::Expired(event) => WalletEvent::Expired(event.try_into()?),
            StoredEvent::PrimaryChanged(change) => WalletEvent::PrimaryChanged(change.try_into()?),
        };
        Ok(Notification {
            callback_url: stored.to.as_deref().map(CallbackUrl::from_stored).transpose()?,
            subject,
            occurred_at: instant(stored.occurred_at)?,
            attempts: stored.attempts.as_ref().map(DeliveryAttempts::try_from).transpose()?,
        })
    }
}
