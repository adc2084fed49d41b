//! The properties of lifecycle events.

use std::sync::Arc;

use shared::domain::notification::WalletNotification;
use shared::domain::wallet::Wallet;

use super::World;
use crate::item::WriteId;
use crate::specification::Specification;
use crate::subject::{LifecycleEvent, Subject};
use crate::system::System;
use crate::violation::Violation;
use crate::wallets::{self, Item, ORGANISATION_WITH_EVENTS, Wallets};
use crate::wire::{MAX_OPERATIONS, MAX_WRITES_PER_RUN};

impl World {
    /// Stores an empty wallet of an organisation that has an address for events.
    pub fn store_wallet_with_events(&mut self) {
        let contents = wallets::empty(ORGANISATION_WITH_EVENTS, self.now).contents().clone();
        let wallet = Wallets::open(contents, self.now);
        let write_id = WriteId(MAX_OPERATIONS * MAX_WRITES_PER_RUN);
        self.table.item = Some(Arc::new(Item::new(&wallet, None, write_id, self.now, None)));
        self.specification = Arc::new(Specification::with_events());
    }

    /// Checks the events of the wallet as of now: exactly those that are due, and each of them once.
    pub(super) fn check_events(&mut self, wallet: &Wallet, specification: &Specification) {
        let events = events(&wallet.contents().notifications);
        let was_due = |event: &LifecycleEvent| specification.was_due(*event);
        self.violations.add_unless(events.iter().all(was_due), Violation::EventNotDue);
        let mut undelivered = specification.undelivered_events(self.now);
        let none_is_missing = undelivered.all(|event| events.contains(&event));
        self.violations.add_unless(none_is_missing, Violation::EventMissing);
        let is_once = |event: &LifecycleEvent| {
            events.iter().filter(|other| other.is_same_event(*event)).count() == 1
        };
        self.violations.add_unless(events.iter().all(is_once), Violation::EventEnqueuedTwice);
    }

    /// Records the events that a write enqueues. An event that was enqueued before must not be enqueued again after its delivery.
    pub(super) fn record_enqueued_events(&mut self, before: Option<&Item>, after: &Item) {
        let before = before.map(|item| events(&item.contents.notifications)).unwrap_or_default();
        for event in events(&after.contents.notifications) {
            if before.contains(&event) {
                continue;
            }
            let is_new = !self.enqueued.iter().any(|other| other.is_same_event(event));
            self.violations.add_unless(is_new, Violation::EventEnqueuedTwice);
            self.enqueued.push(event);
        }
    }

    /// Checks an event that is sent.
    pub(super) fn check_sent_event(&mut self, event: LifecycleEvent, was_due: bool) {
        self.violations.add_unless(was_due, Violation::EventNotDue);
        let sent = self.attempts.iter().filter_map(|(subject, _)| subject.lifecycle());
        let has_same_id =
            sent.filter(|other| other.is_same_event(event)).all(|other| other.at == event.at);
        self.violations.add_unless(has_same_id, Violation::EventWithOtherId);
    }
}

/// The lifecycle events in a queue.
fn events(queue: &[WalletNotification]) -> Vec<LifecycleEvent> {
    let subjects = queue.iter().map(|one| Subject::new(&one.subject, one.occurred_at));
    subjects.filter_map(Subject::lifecycle).collect()
}
