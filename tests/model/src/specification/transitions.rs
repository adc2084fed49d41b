//! How the expected state changes with each write and with time.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::domain::notification::Event;
use shared::domain::terminal::{Outcome, TerminalSession};

use super::{
    ExpectedCard, ExpectedPayment, ExpectedSession, ExpectedState, KEY_RETENTION, LIFETIME,
    MAX_CREATED, PendingNotification, RETENTION, Specification,
};
use crate::annotation::{Annotation, Effect, ReconciliationSummary};
use crate::operation::SequenceNumber;
use crate::subject::Subject;
use crate::violation::{Violation, Violations};

impl Specification {
    /// Applies the effect of a write at the writer's instant. Returns the violations that the effect shows.
    pub fn apply(&mut self, annotation: &Annotation, now: DateTime<Utc>) -> Violations {
        let mut violations = Violations::default();
        self.apply_time(now);
        match &annotation.effect {
            Effect::TimeOnly | Effect::RemoveDelivered(_) => {}
            Effect::Create { sequence, primary, key } => {
                violations.join(self.create(*sequence, *primary, *key, now));
            }
            Effect::SetPrimary(sequence) => {
                if self.primary() != Some(*sequence) {
                    self.choose(*sequence);
                }
                self.apply_time(now);
                violations.add_unless(self.primary() == Some(*sequence), Violation::WrongResponse);
            }
            Effect::Rename(sequence, name) => self.change(*sequence, |payment| {
                let has_ended = matches!(payment.state, ExpectedState::Cancelled { .. });
                violations.add_unless(!has_ended, Violation::WrongRefusal);
                payment.name = Some(*name);
            }),
            Effect::End(sequence) => self.add_primary_change(now, |specification| {
                specification.change(*sequence, |payment| end(payment, now));
            }),
            Effect::Erase => {
                self.payments.iter_mut().for_each(remove);
                self.pending.clear();
            }
            Effect::Open { session, key, notify } => {
                violations.join(self.open(session, *key, *notify, now));
            }
            Effect::CloseUnregistered(session) => self.close(session, Outcome::Failed),
            Effect::ApplyReconciliations(reconciliations) => {
                for (session, summary) in reconciliations {
                    self.apply_reconciliation(session, *summary, now);
                }
            }
        }
        for subject in &annotation.attempts {
            let attempted = self.pending.iter_mut().find(|pending| pending.subject == *subject);
            if let Some(pending) = attempted {
                pending.first_attempt_at.get_or_insert(now);
            }
        }
        self.apply_time(now);
        violations
    }

    /// Applies abandonment, expiry and retention as of `now` (rules 8, 9 and 14).
    pub fn apply_time(&mut self, now: DateTime<Utc>) {
        for at in self.instants(now).into_iter().chain([now]) {
            self.add_card_events(at);
            self.add_primary_change(at, |specification| specification.apply_instant(at));
        }
    }

    fn apply_instant(&mut self, now: DateTime<Utc>) {
        let mut pending = Vec::new();
        for payment in &mut self.payments {
            match payment.state {
                ExpectedState::Created if payment.abandoned_at() <= now => {
                    let at = payment.abandoned_at();
                    pending.extend(abandon(payment, at));
                }
                ExpectedState::Active(card) if card.expires_at <= now => {
                    payment.state = ExpectedState::Expired(card);
                }
                ExpectedState::Created
                | ExpectedState::Active(_)
                | ExpectedState::Expired(_)
                | ExpectedState::Removed => {}
                ExpectedState::Cancelled { .. } => {}
            }
            if matches!(payment.state, ExpectedState::Cancelled { at, .. } if at + RETENTION <= now)
            {
                remove(payment);
            }
        }
        self.pending.extend(pending);
        let is_live = |sequence: &SequenceNumber| {
            self.payments
                .iter()
                .any(|payment| payment.sequence == *sequence && payment.state.is_live())
        };
        self.choices.retain(is_live);
    }

    fn create(
        &mut self,
        sequence: SequenceNumber,
        primary: bool,
        key: Option<u8>,
        now: DateTime<Utc>,
    ) -> Violations {
        let mut violations = Violations::default();
        let has_same_key = |payment: &&ExpectedPayment| {
            payment.state != ExpectedState::Removed
                && key.is_some()
                && payment.key == key
                && now < payment.created_at + KEY_RETENTION
        };
        violations
            .add_unless(self.payments.iter().find(has_same_key).is_none(), Violation::KeyUsedTwice);
        let is_new = self.payments.iter().all(|payment| payment.sequence < sequence);
        violations.add_unless(is_new, Violation::IdReused);
        self.payments.push(ExpectedPayment {
            sequence,
            name: None,
            sessions: Vec::new(),
            state: ExpectedState::Created,
            created_at: now,
            key,
            notify: false,
        });
        if primary {
            self.choose(sequence);
        }
        let created: Vec<_> = self
            .payments
            .iter()
            .filter(|payment| payment.state == ExpectedState::Created)
            .map(|payment| payment.sequence)
            .collect();
        if created.len() > MAX_CREATED {
            let mut pending = None;
            self.add_primary_change(now, |specification| {
                specification.change(created[0], |payment| pending = abandon(payment, now));
            });
            self.pending.extend(pending);
        }
        violations
    }

    fn open(
        &mut self,
        session: &TerminalSession,
        key: Option<u8>,
        notify: bool,
        now: DateTime<Utc>,
    ) -> Violations {
        let mut violations = Violations::default();
        self.change(sequence_of(session.transaction_id), |payment| {
            violations.add_unless(payment.state == ExpectedState::Created, Violation::WrongRefusal);
            let attempt = usize::from(session.transaction_id.attempt().number());
            violations.add_unless(attempt == payment.sessions.len(), Violation::IdReused);
            let has_same_key = |expected: &ExpectedSession| {
                key.is_some()
                    && expected.key == key
                    && expected.outcome != Outcome::Failed
                    && !expected.unknown
                    && now < expected.opened_at + KEY_RETENTION
            };
            violations
                .add_unless(!payment.sessions.iter().any(has_same_key), Violation::KeyUsedTwice);
            let opened_at = session.terminal.opened_at;
            payment.sessions.push(ExpectedSession {
                opened_at,
                outcome: Outcome::Open,
                unknown: false,
                key,
            });
            payment.notify |= notify;
        });
        violations
    }

    fn apply_reconciliation(
        &mut self,
        session: &TerminalSession,
        summary: ReconciliationSummary,
        now: DateTime<Utc>,
    ) {
        match summary {
            ReconciliationSummary::Card { digits, expires_soon } => {
                self.activate(session, digits, expires_soon, now);
            }
            ReconciliationSummary::NeverRegistered => {
                self.change(sequence_of(session.transaction_id), |payment| {
                    if let Some(expected) = payment.session_mut(session) {
                        expected.unknown |= expected.outcome == Outcome::Open;
                    }
                });
            }
            ReconciliationSummary::Cancelled => self.close(session, Outcome::Cancelled),
            ReconciliationSummary::Declined => self.close(session, Outcome::Declined),
            ReconciliationSummary::NoChange => {}
        }
    }

    /// Rule 6: the first completed session counts. Rule 9: the lifetime. A card that has already expired closes the session.
    fn activate(
        &mut self,
        session: &TerminalSession,
        digits: u16,
        expires_soon: bool,
        now: DateTime<Utc>,
    ) {
        let last = self
            .payments
            .iter()
            .filter_map(|payment| payment.state.card())
            .map(|card| card.activated_at);
        // Design decision: at least a millisecond after the previous card, so that cards keep their order.
        let just_after = last.max().map(|last| last + TimeDelta::milliseconds(1));
        let activated_at = just_after.map_or(now, |just_after| now.max(just_after));
        let (year, month) = if expires_soon { (2026, 12) } else { (2050, 1) };
        let card_ends = NaiveDate::from_ymd_opt(year, month, 1)
            .unwrap_or_default()
            .and_time(NaiveTime::MIN)
            .and_utc();
        if card_ends <= activated_at {
            self.close(session, Outcome::CardExpired);
            return;
        }
        let expires_at = card_ends.min(activated_at + LIFETIME);
        let mut pending = None;
        self.change(sequence_of(session.transaction_id), |payment| {
            let expired = payment.session_mut(session).map(|expected| expected.outcome)
                == Some(Outcome::CardExpired);
            if payment.state == ExpectedState::Created && !expired {
                payment.state =
                    ExpectedState::Active(ExpectedCard { digits, activated_at, expires_at });
                pending = payment
                    .notify
                    .then(|| pending_notification(session.transaction_id, Event::Activated));
            }
        });
        self.pending.extend(pending);
        self.apply_time(now);
    }

    /// Closes an open session. The first outcome of a session is final.
    fn close(&mut self, session: &TerminalSession, outcome: Outcome) {
        let mut pending = None;
        self.change(sequence_of(session.transaction_id), |payment| {
            let (is_created, notify) = (payment.state == ExpectedState::Created, payment.notify);
            if let Some(expected) = payment.session_mut(session)
                && is_created
                && expected.outcome == Outcome::Open
            {
                expected.outcome = outcome;
                let event = match outcome {
                    Outcome::Declined => Some(Event::Declined),
                    Outcome::CardExpired => Some(Event::CardExpired),
                    Outcome::Open | Outcome::Failed | Outcome::Cancelled => None,
                };
                pending = event
                    .filter(|_| notify)
                    .map(|event| pending_notification(session.transaction_id, event));
            }
        });
        self.pending.extend(pending);
    }

    fn choose(&mut self, sequence: SequenceNumber) {
        self.choices.retain(|chosen| *chosen != sequence);
        self.choices.insert(0, sequence);
    }

    fn change(&mut self, sequence: SequenceNumber, change: impl FnOnce(&mut ExpectedPayment)) {
        if let Some(payment) = self.payments.iter_mut().find(|payment| payment.sequence == sequence)
            && payment.state != ExpectedState::Removed
        {
            change(payment);
        }
    }
}

fn sequence_of(session: TransactionId) -> SequenceNumber {
    session.recurring_payment_id().sequence().number()
}

fn pending_notification(session: TransactionId, event: Event) -> PendingNotification {
    PendingNotification { subject: Subject::Setup(session, event), first_attempt_at: None }
}

/// Ends a recurring payment at the request of the customer.
fn end(payment: &mut ExpectedPayment, at: DateTime<Utc>) {
    if !matches!(payment.state, ExpectedState::Cancelled { .. }) {
        let card = payment.state.card();
        payment.state = ExpectedState::Cancelled { at, by_customer: true, card };
    }
}

/// Abandons a CREATED recurring payment. Returns the notification, unless the newest session had a decline, which has its own.
fn abandon(payment: &mut ExpectedPayment, at: DateTime<Utc>) -> Option<PendingNotification> {
    payment.state = ExpectedState::Cancelled { at, by_customer: false, card: None };
    let with_own_notification = [Outcome::Declined, Outcome::CardExpired];
    let newest = payment
        .sessions
        .last()
        .filter(|newest| payment.notify && !with_own_notification.contains(&newest.outcome))?;
    debug_assert!(newest.opened_at <= at);
    let attempt = shared::domain::id::Attempt::try_from(payment.sessions.len() - 1).ok()?;
    Some(pending_notification(
        TransactionId::new(crate::protocol::id(payment.sequence), attempt),
        Event::Abandoned,
    ))
}

/// Removes the data. The sequence number stays assigned.
fn remove(payment: &mut ExpectedPayment) {
    payment.state = ExpectedState::Removed;
    payment.sessions.clear();
    payment.name = None;
}
