//! Executes requests on the table, Nets and receivers, and checks the properties that depend on a request.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::Notification;
use shared::domain::terminal::TerminalSession;
use shared::netaxept::{Registered, Verification};

use super::{StepContext, World, event_counting};
use crate::annotation::Annotation;
use crate::defect::Defect;
use crate::event::Event;
use crate::item::{Item, WriteId};
use crate::nets::Transaction;
use crate::violation::Violation;
use crate::wire::{Put, Reply, Request};

impl World {
    /// Executes a request. The caller decides whether the reply arrives.
    pub fn execute(&mut self, request: &Request, context: &StepContext<'_>) -> Reply {
        match request {
            Request::Get => Reply::Read(self.table.clone()),
            Request::Put(put) => self.put(put, context),
            Request::Register(session) => self.register(session, context),
            Request::Query(session) => self.nets.query(session),
            Request::Verify(session) => self.verify(session, context),
            Request::Notify(notification) => {
                self.notify(notification, true);
                Reply::Delivered
            }
        }
    }

    /// Whether a request can have an effect, now or later.
    #[must_use]
    pub fn can_have_effect(&self, request: &Request, context: &StepContext<'_>) -> bool {
        match request {
            Request::Put(put) => self.condition_holds(put) || context.has(Defect::NoCondition),
            Request::Register(session) => {
                !self.nets.transactions().any(|one| one.id == session.transaction_id)
            }
            Request::Verify(session) => {
                self.nets.of(session).is_none_or(Transaction::can_be_verified)
            }
            Request::Get | Request::Query(_) | Request::Notify(_) => false,
        }
    }

    /// Whether the request is a put whose condition holds now.
    #[must_use]
    pub fn is_executable_put(&self, request: &Request) -> bool {
        match request {
            Request::Put(put) => self.condition_holds(put),
            Request::Get
            | Request::Register(_)
            | Request::Query(_)
            | Request::Verify(_)
            | Request::Notify(_) => false,
        }
    }

    /// Whether the condition of a put holds.
    fn condition_holds(&self, put: &Put) -> bool {
        self.table.as_ref().map(|item| item.version) == put.replaces
    }

    fn put(&mut self, put: &Put, context: &StepContext<'_>) -> Reply {
        if !self.condition_holds(put) && !context.has(Defect::NoCondition) {
            return Reply::Conflict(self.table.clone().filter(|_| context.returns_winner), false);
        }
        self.violations.add_unless(self.condition_holds(put), Violation::Overwritten);
        self.violations
            .add_unless(put.item.version == self.version() + 1, Violation::VersionSkipped);
        self.write(put.change_id, &put.item, context);
        self.apply_annotation(&put.annotation, put.now, context);
        Reply::Written
    }

    /// Replaces the item in the table.
    fn write(&mut self, change_id: WriteId, item: &Arc<Item>, context: &StepContext<'_>) {
        self.violations.add_unless(!self.written.has(change_id), Violation::WrittenTwice);
        self.violations
            .add_unless(!self.reported_not_done.has(change_id), Violation::RefusedButWritten);
        self.written.add(change_id);
        let before = self.table.replace(item.clone());
        self.check_status(before.as_deref(), item);
        self.previous = before.filter(|_| context.has(Defect::StaleRead));
    }

    /// Applies the effect of a write to the specification, and compares the table with it.
    fn apply_annotation(
        &mut self,
        annotation: &Annotation,
        now: DateTime<Utc>,
        context: &StepContext<'_>,
    ) {
        let before = self.specification.clone();
        if now < self.now {
            context.count(Event::EarlierClock);
        }
        let violations = Arc::make_mut(&mut self.specification).apply(annotation, now);
        self.violations.join(violations);
        if !context.is_sequential() {
            event_counting::count_changes(&before, &self.specification, context);
        }
        self.check_write(annotation, context);
        self.check(context);
    }

    fn register(&mut self, session: &TerminalSession, context: &StepContext<'_>) -> Reply {
        self.violations
            .add_unless(self.specification.has_session(session), Violation::RegisteredUnstored);
        let reply = self.nets.register(session);
        if reply == Reply::Registered(Registered::Yes) {
            self.check(context);
        }
        reply
    }

    fn verify(&mut self, session: &TerminalSession, context: &StepContext<'_>) -> Reply {
        let reply = self.nets.verify(session);
        let once = self.nets.transactions().all(|one| one.verified <= 1);
        self.violations.add_unless(once, Violation::VerifiedTwice);
        if reply == Reply::Verification(Verification::Verified) {
            self.check(context);
        }
        reply
    }

    /// Makes a delivery attempt. `delivered`: whether the receiver gets it.
    pub fn notify(&mut self, notification: &Notification, delivered: bool) {
        let (session, event) = (notification.transaction_id, notification.event);
        let number = notification.attempts.map_or(0, |attempts| attempts.count);
        let attempt = (session, event.name(), number);
        self.violations.add_unless(!self.attempts.contains(&attempt), Violation::AttemptRepeated);
        self.violations.add_unless(
            self.specification.permits_notification(session, event),
            Violation::WrongNotification,
        );
        self.attempts.push(attempt);
        self.attempts.sort_unstable();
        if delivered {
            Arc::make_mut(&mut self.specification).delivered(session, event);
        }
    }
}
