//! The stored form of a lifecycle event.

use serde::{Deserialize, Serialize};

use super::instant;
use crate::domain::card::{Card, LastFour, PaymentType};
use crate::domain::id::RecurringPaymentId;
use crate::domain::notification::{CardEvent, PrimaryChange, PrimaryChangeReason};
use crate::error::Cause;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredCardEvent {
    id: u64,
    #[serde(rename = "type")]
    payment_type: String,
    last_four: String,
    expiry: String,
    expires_at: i64,
    primary: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPrimaryChange {
    old: u64,
    new: u64,
    reason: StoredReason,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredReason {
    Ended,
    Expired,
    Abandoned,
}

impl From<&CardEvent> for StoredCardEvent {
    fn from(event: &CardEvent) -> Self {
        Self {
            id: event.recurring_payment_id.number(),
            payment_type: event.card.payment_type.name().to_owned(),
            last_four: event.card.last_four.as_str().to_owned(),
            expiry: event.card.expiry.to_string(),
            expires_at: event.expires_at.timestamp_millis(),
            primary: event.primary,
        }
    }
}

impl TryFrom<&StoredCardEvent> for CardEvent {
    type Error = Cause;

    fn try_from(stored: &StoredCardEvent) -> Result<Self, Cause> {
        Ok(Self {
            recurring_payment_id: RecurringPaymentId::try_from(stored.id)?,
            expires_at: instant(stored.expires_at)?,
            card: Card {
                payment_type: PaymentType::from_name(&stored.payment_type),
                last_four: LastFour::from_masked(&stored.last_four).ok_or("not four digits")?,
                expiry: stored.expiry.parse()?,
            },
            primary: stored.primary,
        })
    }
}

impl From<&PrimaryChange> for StoredPrimaryChange {
    fn from(change: &PrimaryChange) -> Self {
        let reason = match change.reason {
            PrimaryChangeReason::Ended => StoredReason::Ended,
            PrimaryChangeReason::Expired => StoredReason::Expired,
            PrimaryChangeReason::Abandoned => StoredReason::Abandoned,
        };
        Self { old: change.old.number(), new: change.new.number(), reason }
    }
}

impl TryFrom<&StoredPrimaryChange> for PrimaryChange {
    type Error = Cause;

    fn try_from(stored: &StoredPrimaryChange) -> Result<Self, Cause> {
        let reason = match stored.reason {
            StoredReason::Ended => PrimaryChangeReason::Ended,
            StoredReason::Expired => PrimaryChangeReason::Expired,
            StoredReason::Abandoned => PrimaryChangeReason::Abandoned,
        };
        Ok(Self {
            old: RecurringPaymentId::try_from(stored.old)?,
            new: RecurringPaymentId::try_from(stored.new)?,
            reason,
        })
    }
}
