//! The events of a wallet: the end of a card setup (rule 10 of api.md §6), and the lifecycle events of its stored cards (api.md §7).

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Notification, SetupEvent};
use crate::domain::card::Card;
use crate::domain::id::RecurringPaymentId;
use crate::domain::text::CallbackUrl;

/// A notification of a wallet. Without a `callbackUrl` it goes to the address for lifecycle events of the wallet's organisation.
pub type WalletNotification = Notification<WalletEvent, Option<CallbackUrl>>;

/// An event of a wallet. The order of the variants is the order of events with the same instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WalletEvent {
    /// A card setup ended.
    Setup(SetupEvent),
    /// An ACTIVE recurring payment expires soon.
    Expiring(CardEvent),
    /// A recurring payment became EXPIRED.
    Expired(CardEvent),
    /// The primary recurring payment ended by itself or by a request, and another one became primary.
    PrimaryChanged(PrimaryChange),
}

/// A lifecycle event of a stored card, with everything that the notification says. So each delivery attempt has the same body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardEvent {
    /// The recurring payment.
    pub recurring_payment_id: RecurringPaymentId,
    /// The first instant at which it is no longer valid.
    pub expires_at: DateTime<Utc>,
    /// Its card.
    pub card: Card,
    /// Whether it was the primary one directly before the event.
    pub primary: bool,
}

/// Why a recurring payment expires (rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryCause {
    /// The expiry month of the card is over.
    Card,
    /// The lifetime of the registration is over. The card itself is still valid.
    Registration,
}

/// A change of the primary recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrimaryChange {
    /// The primary one before. It is never live again, so each one occurs in at most one event.
    pub old: RecurringPaymentId,
    /// The primary one after.
    pub new: RecurringPaymentId,
    /// Why the old one is no longer primary.
    pub reason: PrimaryChangeReason,
}

/// Why another recurring payment became primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrimaryChangeReason {
    /// The customer ended the old one.
    Ended,
    /// The old one expired.
    Expired,
    /// The setup of the old one was abandoned (rule 8).
    Abandoned,
}

impl WalletEvent {
    /// The end of a card setup. `None` for a lifecycle event, which goes to the address of the organisation.
    #[must_use]
    pub fn setup(&self) -> Option<&SetupEvent> {
        match self {
            Self::Setup(setup) => Some(setup),
            Self::Expiring(_) | Self::Expired(_) | Self::PrimaryChanged(_) => None,
        }
    }
}

impl CardEvent {
    /// Whether the card or the registration limits `expires_at`. The card, if both end at the same instant.
    #[must_use]
    pub fn cause(&self) -> ExpiryCause {
        if self.card.expiry.ends_at() <= self.expires_at {
            ExpiryCause::Card
        } else {
            ExpiryCause::Registration
        }
    }
}

impl ExpiryCause {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "CARD",
            Self::Registration => "REGISTRATION",
        }
    }
}

impl PrimaryChangeReason {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ENDED",
            Self::Expired => "EXPIRED",
            Self::Abandoned => "ABANDONED",
        }
    }
}

/// The first part of the notification id.
impl fmt::Display for WalletEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(setup) => setup.fmt(f),
            Self::Expiring(event) => write!(f, "{}-expiring", event.recurring_payment_id),
            Self::Expired(event) => write!(f, "{}-expired", event.recurring_payment_id),
            Self::PrimaryChanged(change) => write!(f, "{}-primary-changed", change.old),
        }
    }
}
