//! The lifecycle events that the inbox received. Each was stored before with its attempt, and each delivery has the body that the
//! contract defines for the stored event, so all deliveries of an event are equal.

use std::collections::HashMap;

use serde_json::Value;

use crate::order::item::Events;
use crate::order::spec::LifecycleEvent;

/// A delivery of a lifecycle event.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The header `webhook-id`.
    pub id: String,
    /// The body.
    pub body: Value,
    /// Whether the inbox answered 202.
    pub is_accepted: bool,
}

/// All events that were ever stored, by notification id.
#[derive(Debug, Default)]
pub(super) struct Inbox(HashMap<String, Known>);

/// An event that was stored.
#[derive(Debug)]
struct Known {
    event: LifecycleEvent,
    /// Number of stored attempts.
    attempts: u16,
    /// Number of deliveries.
    received: u16,
    is_accepted: bool,
}

impl Inbox {
    /// Records the events of a written item.
    pub(super) fn record(&mut self, events: &Events) {
        for stored in &events.stored {
            let event = &stored.event;
            let known = self.0.entry(event.id()).or_insert_with(|| Known {
                event: event.clone(),
                attempts: 0,
                received: 0,
                is_accepted: false,
            });
            let attempts = stored.attempts.map_or(0, |attempts| attempts.count);
            known.attempts = known.attempts.max(attempts);
        }
    }

    /// Records a delivery, and checks it.
    pub(super) fn receive(&mut self, delivery: &Delivery) -> Result<(), String> {
        let Delivery { id, body, is_accepted } = delivery;
        let Some(known) = self.0.get_mut(id) else {
            return Err(format!("an event was delivered that was not stored: {body}"));
        };
        let specified = known.event.body();
        if *body != specified {
            return Err(format!("an event was delivered as {body}, specified {specified}"));
        }
        known.received += 1;
        known.is_accepted |= is_accepted;
        if known.received > known.attempts {
            let Known { received, attempts, .. } = known;
            return Err(format!("{id} was delivered {received} times with {attempts} attempts"));
        }
        Ok(())
    }

    /// Whether the inbox has accepted an event.
    pub(super) fn has_accepted(&self, event: &LifecycleEvent) -> bool {
        self.0.get(&event.id()).is_some_and(|known| known.is_accepted)
    }
}
