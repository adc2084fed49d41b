//! What the table, Nets and receivers do with a request, and what has to be so when they do.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;
use shared::domain::terminal::Visit;
use shared::netaxept::{Registered, Verification};

use super::{Rules, World, note};
use crate::breach::Breach;
use crate::event::Event;
use crate::flaw::Flaw;
use crate::intent::Intent;
use crate::item::{Item, WriteId};
use crate::nets::Transaction;
use crate::wire::{Put, Reply, Request};

impl World {
    /// Carries a request out. The reply may or may not arrive.
    pub fn execute(&mut self, request: &Request, rules: &Rules<'_>) -> Reply {
        match request {
            Request::Get => Reply::Got(self.table.clone()),
            Request::Put(put) => self.put(put, rules),
            Request::Register(visit) => self.register(visit, rules),
            Request::Query(visit) => self.nets.query(visit),
            Request::Verify(visit) => self.verify(visit, rules),
            Request::Tell(notification) => {
                self.tell(notification, true);
                Reply::Heard
            }
        }
    }

    /// Whether a request can still do anything, now or later.
    #[must_use]
    pub fn can_matter(&self, request: &Request, rules: &Rules<'_>) -> bool {
        match request {
            Request::Put(put) => self.holds(put) || rules.has(Flaw::NoCondition),
            Request::Register(visit) => {
                !self.nets.transactions().any(|one| one.id == visit.transaction_id)
            }
            Request::Verify(visit) => self.nets.of(visit).is_none_or(Transaction::can_be_verified),
            Request::Get | Request::Query(_) | Request::Tell(_) => false,
        }
    }

    /// Whether a write would be made now.
    #[must_use]
    pub fn would_be_done(&self, request: &Request) -> bool {
        match request {
            Request::Put(put) => self.holds(put),
            Request::Get
            | Request::Register(_)
            | Request::Query(_)
            | Request::Verify(_)
            | Request::Tell(_) => false,
        }
    }

    /// Whether the condition of a put holds.
    fn holds(&self, put: &Put) -> bool {
        self.table.as_ref().map(|item| item.version) == put.replaces
    }

    fn put(&mut self, put: &Put, rules: &Rules<'_>) -> Reply {
        if !self.holds(put) && !rules.has(Flaw::NoCondition) {
            return Reply::Beaten(self.table.clone().filter(|_| rules.telling), false);
        }
        self.breaches.unless(self.holds(put), Breach::Overwritten);
        self.breaches.unless(put.item.version == self.version() + 1, Breach::VersionSkipped);
        self.write(put.change, &put.item, rules);
        self.means(&put.intent, put.now, rules);
        Reply::Written
    }

    /// Something takes the place of what is stored.
    fn write(&mut self, own: WriteId, item: &Arc<Item>, rules: &Rules<'_>) {
        self.breaches.unless(!self.written.has(own), Breach::DoneTwice);
        self.breaches.unless(!self.denied.has(own), Breach::DeniedAndDone);
        self.written.add(own);
        let before = self.table.replace(item.clone());
        self.judge_status(before.as_deref(), item);
        self.before = before.filter(|_| rules.has(Flaw::StaleRead));
    }

    /// What was written becomes part of what is so, and is held against it.
    fn means(&mut self, intent: &Intent, now: DateTime<Utc>, rules: &Rules<'_>) {
        let before = self.truth.clone();
        if now < self.now {
            rules.note(Event::OlderClock);
        }
        let breaches = Arc::make_mut(&mut self.truth).apply(intent, now);
        self.breaches.join(breaches);
        if !rules.are_alone() {
            note::change(&before, &self.truth, rules);
        }
        self.judge_write(intent, rules);
        self.judge(rules);
    }

    fn register(&mut self, visit: &Visit, rules: &Rules<'_>) -> Reply {
        self.breaches.unless(self.truth.knows(visit), Breach::NotWrittenDown);
        let reply = self.nets.register(visit);
        if reply == Reply::Registered(Registered::Yes) {
            self.judge(rules);
        }
        reply
    }

    fn verify(&mut self, visit: &Visit, rules: &Rules<'_>) -> Reply {
        let reply = self.nets.verify(visit);
        let once = self.nets.transactions().all(|one| one.verified <= 1);
        self.breaches.unless(once, Breach::ProcessedTwice);
        if reply == Reply::Verification(Verification::Verified) {
            self.judge(rules);
        }
        reply
    }

    /// A try to tell something is made, and heard or not.
    pub fn tell(&mut self, notification: &Notification, heard: bool) {
        let (visit, event) = (notification.transaction_id, notification.event);
        let made = notification.tries.map_or(0, |tries| tries.made);
        let one = (visit, event.name(), made);
        self.breaches.unless(!self.tries.contains(&one), Breach::SameTry);
        self.breaches.unless(self.truth.agrees(visit, event), Breach::ToldFalsely);
        self.tries.push(one);
        self.tries.sort_unstable();
        if heard {
            Arc::make_mut(&mut self.truth).heard(visit, event);
        }
    }
}
