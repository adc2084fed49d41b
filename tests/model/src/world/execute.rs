//! Executes requests on the table, Nets and receivers, and checks the properties that depend on a request.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::notification::{Notification, WalletEvent};
use shared::domain::terminal::TerminalSession;
use shared::netaxept::{Registered, Verification};

use super::{StepContext, World, event_counting};
use crate::annotation::Annotation;
use crate::defect::Defect;
use crate::event::Event;
use crate::nets::Transaction;
use crate::subject::Subject;
use crate::violation::Violation;
use crate::wallets::{Answer, Call, Put, Reply, Request};

impl World {
    /// Executes a request. The caller decides whether the reply arrives.
    pub fn execute(&mut self, request: &Request, context: &StepContext<'_>) -> Reply {
        match request {
            Request::Get => Reply::Read(self.table.item.clone()),
            Request::Put(put) => self.put(put, context),
            Request::Call(call) => Reply::Answered(self.answer(call, context)),
        }
    }

    fn answer(&mut self, call: &Call, context: &StepContext<'_>) -> Answer {
        match call {
            Call::Register(session) => self.register(session, context),
            Call::Query(session) => self.nets.query(session),
            Call::Verify(session) => self.verify(session, context),
            Call::Notify(notification) => {
                self.notify(notification, true, context);
                Answer::Delivered
            }
        }
    }

    /// Whether a request can have an effect, now or later.
    #[must_use]
    pub fn can_have_effect(&self, request: &Request, context: &StepContext<'_>) -> bool {
        match request {
            Request::Put(put) => {
                self.table.condition_holds(put) || context.has(Defect::NoCondition)
            }
            Request::Call(Call::Register(session)) => {
                !self.nets.transactions().any(|one| one.id == session.transaction_id)
            }
            Request::Call(Call::Verify(session)) => {
                self.nets.of(session).is_none_or(Transaction::can_be_verified)
            }
            Request::Get | Request::Call(Call::Query(_) | Call::Notify(_)) => false,
        }
    }

    fn put(&mut self, put: &Put, context: &StepContext<'_>) -> Reply {
        let before = match self.table.put(put, &mut self.violations, context) {
            Ok(before) => before,
            Err(conflict) => return conflict,
        };
        self.check_status(before.as_deref(), &put.item);
        self.record_enqueued_events(before.as_deref(), &put.item);
        self.apply_annotation(&put.annotation, put.now, context);
        Reply::Written
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

    fn register(&mut self, session: &TerminalSession, context: &StepContext<'_>) -> Answer {
        self.violations
            .add_unless(self.specification.has_session(session), Violation::RegisteredUnstored);
        let reply = self.nets.register(session);
        if reply == Answer::Registered(Registered::Yes) {
            self.check(context);
        }
        reply
    }

    fn verify(&mut self, session: &TerminalSession, context: &StepContext<'_>) -> Answer {
        let reply = self.nets.verify(session);
        let once = self.nets.transactions().all(|one| one.verified <= 1);
        self.violations.add_unless(once, Violation::VerifiedTwice);
        if reply == Answer::Verification(Verification::Verified) {
            self.check(context);
        }
        reply
    }

    /// Makes a delivery attempt. `delivered`: whether the receiver gets it.
    pub fn notify(
        &mut self,
        notification: &Notification<WalletEvent>,
        delivered: bool,
        context: &StepContext<'_>,
    ) {
        let subject = Subject::new(&notification.subject, notification.occurred_at);
        let number = notification.attempts.map_or(0, |attempts| attempts.count);
        let is_repeated = self
            .attempts
            .iter()
            .any(|(other, other_number)| *other_number == number && other.is_same_event(subject));
        self.violations.add_unless(!is_repeated, Violation::AttemptRepeated);
        let is_permitted = self.specification.permits_notification(subject);
        match subject.lifecycle() {
            Some(event) => self.check_sent_event(event, is_permitted),
            None => self.violations.add_unless(is_permitted, Violation::WrongNotification),
        }
        self.attempts.push((subject, number));
        self.attempts.sort_unstable();
        if delivered {
            event_counting::count_delivery(subject, context);
            Arc::make_mut(&mut self.specification).delivered(subject);
        }
    }
}
