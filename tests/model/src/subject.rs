//! What a notification is about, as the receiver sees it.

use chrono::{DateTime, Utc};
use shared::domain::id::TransactionId;
use shared::domain::notification::{
    CardEvent, Event, PrimaryChangeReason, SetupEvent, WalletEvent,
};

use crate::operation::SequenceNumber;

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The end of a card setup: its session, and how it ended.
    Setup(TransactionId, Event),
    /// A lifecycle event.
    Lifecycle(LifecycleEvent),
}

/// A lifecycle event (api.md §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LifecycleEvent {
    /// `occurredAt`.
    pub at: DateTime<Utc>,
    /// The recurring payment. Of a change of the primary one, the old one.
    pub of: SequenceNumber,
    /// What the event says.
    pub content: EventContent,
}

/// What a lifecycle event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventContent {
    /// The card expires soon.
    Expiring(CardFacts),
    /// The card has expired.
    Expired(CardFacts),
    /// Another recurring payment is primary.
    PrimaryChanged {
        /// The new primary one.
        new: SequenceNumber,
        /// Why the old one is not primary any more.
        reason: PrimaryChangeReason,
    },
}

/// What an event says about a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardFacts {
    /// Whether the recurring payment is primary, or was until the event.
    pub primary: bool,
    /// The last four digits of the card.
    pub digits: u16,
    /// The first instant at which the registration is not valid.
    pub expires_at: DateTime<Utc>,
}

impl Subject {
    /// The subject of a notification about this event, which occurred at `at`.
    #[must_use]
    pub fn new(event: &WalletEvent, at: DateTime<Utc>) -> Self {
        let of_card = |card: &CardEvent, content: fn(CardFacts) -> EventContent| {
            let of = card.recurring_payment_id.sequence().number();
            Self::Lifecycle(LifecycleEvent { at, of, content: content(CardFacts::new(card)) })
        };
        match event {
            WalletEvent::Setup(SetupEvent { transaction_id, event }) => {
                Self::Setup(*transaction_id, *event)
            }
            WalletEvent::Expiring(card) => of_card(card, EventContent::Expiring),
            WalletEvent::Expired(card) => of_card(card, EventContent::Expired),
            WalletEvent::PrimaryChanged(change) => {
                let [of, new] = [change.old, change.new].map(|id| id.sequence().number());
                let content = EventContent::PrimaryChanged { new, reason: change.reason };
                Self::Lifecycle(LifecycleEvent { at, of, content })
            }
        }
    }

    /// The lifecycle event. `None` for the end of a setup.
    #[must_use]
    pub fn lifecycle(self) -> Option<LifecycleEvent> {
        match self {
            Self::Setup(..) => None,
            Self::Lifecycle(event) => Some(event),
        }
    }

    /// Whether both are about the same event, even if its instant or its content differs.
    #[must_use]
    pub fn is_same_event(self, other: Self) -> bool {
        match (self, other) {
            // A decline and an expired card have the same name.
            (Self::Setup(session, event), Self::Setup(other, other_event)) => {
                (session, event.name()) == (other, other_event.name())
            }
            (Self::Lifecycle(event), Self::Lifecycle(other)) => event.is_same_event(other),
            (Self::Setup(..), Self::Lifecycle(_)) | (Self::Lifecycle(_), Self::Setup(..)) => false,
        }
    }
}

impl LifecycleEvent {
    /// Whether both are of the same kind and about the same recurring payment.
    #[must_use]
    pub fn is_same_event(self, other: Self) -> bool {
        let kind = |event: Self| std::mem::discriminant(&event.content);
        (self.of, kind(self)) == (other.of, kind(other))
    }
}

impl CardFacts {
    fn new(event: &CardEvent) -> Self {
        let digits = event.card.last_four.as_str().parse().unwrap_or_default();
        Self { primary: event.primary, digits, expires_at: event.expires_at }
    }
}
