//! The figures of the check of lifecycle events.

use std::collections::BTreeMap;
use std::fmt;

use super::Removal;
use crate::order::spec::LifecycleEvent;

/// The figures of the check of lifecycle events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Number of events that were stored, by type.
    pub stored: BTreeMap<&'static str, u64>,
    /// Number of events that were removed after their delivery.
    pub delivered: u64,
    /// Number of events that were given up after 72 hours.
    pub given_up: u64,
    /// Number of events that were displaced by newer ones.
    pub displaced: u64,
    /// Number of events that were erased with their customer.
    pub erased: u64,
    /// Number of deliveries that the inbox accepted, and that it refused.
    pub deliveries: [u64; 2],
}

impl EventTotals {
    pub(super) fn add_stored(&mut self, event: &LifecycleEvent) {
        *self.stored.entry(event.name()).or_default() += 1;
    }

    pub(super) fn add_removed(&mut self, removal: Removal) {
        *match removal {
            Removal::Delivered => &mut self.delivered,
            Removal::GivenUp => &mut self.given_up,
            Removal::Displaced => &mut self.displaced,
            Removal::Erased => &mut self.erased,
        } += 1;
    }

    /// Adds the figures of another part of the run.
    pub(in crate::order) fn merge(&mut self, other: Self) {
        for (kind, count) in other.stored {
            *self.stored.entry(kind).or_default() += count;
        }
        self.delivered += other.delivered;
        self.given_up += other.given_up;
        self.displaced += other.displaced;
        self.erased += other.erased;
        self.deliveries = [0, 1].map(|index| self.deliveries[index] + other.deliveries[index]);
    }
}

impl fmt::Display for EventTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, delivered, given_up, displaced, erased, deliveries } = self;
        let [accepted, refused] = deliveries;
        write!(
            f,
            "lifecycle events: {stored:?} stored; {delivered} delivered, {given_up} given up, {displaced} displaced, {erased} erased; \
             {accepted} deliveries accepted, {refused} refused"
        )
    }
}
