//! The stored form of lifecycle events and of their delivery attempts.

use serde::Deserialize;

use super::{Flag, Map, Number, Text};
use crate::order::item::{DeliveryAttempts, StoredEvent};
use crate::order::spec::{CardEvent, EventKind, LifecycleEvent, PrimaryChange};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredNotification<'a> {
    #[serde(borrow)]
    event: Event<'a>,
    occurred_at: Number<'a>,
    attempts: Option<Map<Attempts<'a>>>,
}

/// A lifecycle event is a map; the end of a card setup is a text.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "M", borrow)]
    lifecycle: Option<Lifecycle<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Lifecycle<'a> {
    #[serde(borrow)]
    Expiring(Map<Card<'a>>),
    Expired(Map<Card<'a>>),
    PrimaryChanged(Map<Change<'a>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card<'a> {
    #[serde(borrow)]
    id: Number<'a>,
    #[serde(rename = "type")]
    kind: Text<'a>,
    last_four: Text<'a>,
    expiry: Text<'a>,
    expires_at: Number<'a>,
    primary: Flag,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    old: Number<'a>,
    new: Number<'a>,
    reason: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempts<'a> {
    #[serde(borrow)]
    first_at: Number<'a>,
    made: Number<'a>,
    next_at: Number<'a>,
}

impl StoredNotification<'_> {
    /// The lifecycle event. `None` for the end of a card setup.
    pub(super) fn read(&self) -> Result<Option<StoredEvent>, String> {
        let Some(lifecycle) = &self.event.lifecycle else { return Ok(None) };
        let attempts = self.attempts.as_ref().map(|attempts| attempts.m.read()).transpose()?;
        let event =
            LifecycleEvent { occurred_at: self.occurred_at.read()?, kind: lifecycle.read()? };
        Ok(Some(StoredEvent { event, attempts }))
    }
}

impl Lifecycle<'_> {
    fn read(&self) -> Result<EventKind, String> {
        Ok(match self {
            Self::Expiring(Map { m: card }) => EventKind::Expiring(card.read()?),
            Self::Expired(Map { m: card }) => EventKind::Expired(card.read()?),
            Self::PrimaryChanged(Map { m: change }) => EventKind::PrimaryChanged(change.read()?),
        })
    }
}

impl Card<'_> {
    fn read(&self) -> Result<CardEvent, String> {
        Ok(CardEvent {
            id: self.id.read()?,
            card_kind: self.kind.read(),
            last_four: self.last_four.read(),
            expiry: self.expiry.read(),
            expires_at: self.expires_at.read()?,
            primary: self.primary.flag,
        })
    }
}

impl Change<'_> {
    fn read(&self) -> Result<PrimaryChange, String> {
        let reason = match &*self.reason.s {
            "ended" => "ENDED",
            "expired" => "EXPIRED",
            "abandoned" => "ABANDONED",
            other => return Err(format!("unknown reason: {other}")),
        };
        Ok(PrimaryChange { old: self.old.read()?, new: self.new.read()?, reason })
    }
}

impl Attempts<'_> {
    fn read(&self) -> Result<DeliveryAttempts, String> {
        Ok(DeliveryAttempts {
            first_at: self.first_at.read()?,
            count: self.made.read()?,
            next_at: self.next_at.read()?,
        })
    }
}
