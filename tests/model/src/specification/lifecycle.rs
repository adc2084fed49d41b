//! The lifecycle events that are due (api.md §7).

use chrono::{DateTime, Utc};
use shared::domain::notification::PrimaryChangeReason;

use super::{ExpectedCard, ExpectedState, PendingNotification, Specification};
use crate::operation::SequenceNumber;
use crate::subject::{CardFacts, EventContent, LifecycleEvent, Subject};
use crate::wallets::NOTICE;

impl Specification {
    /// The initial state of a wallet whose organisation has an address for events.
    #[must_use]
    pub fn with_events() -> Self {
        Self { events: Some(Vec::new()), ..Self::default() }
    }

    /// Whether this event was due.
    #[must_use]
    pub fn was_due(&self, event: LifecycleEvent) -> bool {
        self.events.iter().flatten().any(|due| *due == event)
    }

    /// The events that are not delivered, and whose delivery period is not over.
    pub fn undelivered_events(&self, now: DateTime<Utc>) -> impl Iterator<Item = LifecycleEvent> {
        let pending = self.pending.iter().filter(move |pending| !pending.has_expired(now));
        pending.filter_map(|pending| pending.subject.lifecycle())
    }

    /// The instants until `now` at which an event can be due: the notice, the expiry, and the abandonment.
    pub(super) fn instants(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        if self.events.is_none() {
            return Vec::new();
        }
        let of_payment = |state, abandoned_at| match state {
            ExpectedState::Created => [Some(abandoned_at), None],
            ExpectedState::Active(card) => [Some(notice_at(card)), Some(card.expires_at)],
            ExpectedState::Expired(_)
            | ExpectedState::Cancelled { .. }
            | ExpectedState::Removed => [None, None],
        };
        let payments = self.payments.iter();
        let all = payments.flat_map(|payment| of_payment(payment.state, payment.abandoned_at()));
        let mut instants: Vec<_> = all.flatten().filter(|at| *at <= now).collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    /// Adds the events of the cards that are announced, or expire, at this instant. They say what was true directly before it.
    pub(super) fn add_card_events(&mut self, at: DateTime<Utc>) {
        let primary = self.primary();
        let mut due = Vec::new();
        for payment in &self.payments {
            let ExpectedState::Active(card) = payment.state else { continue };
            let (of, ExpectedCard { digits, expires_at, .. }) = (payment.sequence, card);
            let facts = CardFacts { primary: primary == Some(of), digits, expires_at };
            let notice_at = notice_at(card);
            let notice =
                LifecycleEvent { at: notice_at, of, content: EventContent::Expiring(facts) };
            let is_announced =
                self.events.iter().flatten().any(|event| event.is_same_event(notice));
            due.extend((notice_at <= at && !is_announced).then_some(notice));
            let content = EventContent::Expired(facts);
            due.extend((expires_at <= at).then_some(LifecycleEvent { at, of, content }));
        }
        for event in due {
            self.add_event(event);
        }
    }

    /// Makes a change, and adds an event if it ended the primary recurring payment and another one is primary now.
    pub(super) fn add_primary_change(&mut self, at: DateTime<Utc>, change: impl FnOnce(&mut Self)) {
        let before = self.primary();
        change(self);
        if let (Some(of), Some(new)) = (before, self.primary())
            && let Some(reason) = self.reason_of_end(of)
        {
            let content = EventContent::PrimaryChanged { new, reason };
            self.add_event(LifecycleEvent { at, of, content });
        }
    }

    fn reason_of_end(&self, of: SequenceNumber) -> Option<PrimaryChangeReason> {
        match self.payment(of)?.state {
            ExpectedState::Created | ExpectedState::Active(_) | ExpectedState::Removed => None,
            ExpectedState::Expired(_) => Some(PrimaryChangeReason::Expired),
            ExpectedState::Cancelled { by_customer: true, .. } => Some(PrimaryChangeReason::Ended),
            ExpectedState::Cancelled { by_customer: false, .. } => {
                Some(PrimaryChangeReason::Abandoned)
            }
        }
    }

    fn add_event(&mut self, event: LifecycleEvent) {
        if let Some(events) = &mut self.events {
            events.push(event);
            let subject = Subject::Lifecycle(event);
            self.pending.push(PendingNotification { subject, first_attempt_at: None });
        }
    }
}

/// When a card is announced: the notice before its expiry, but not before its activation.
fn notice_at(card: ExpectedCard) -> DateTime<Utc> {
    (card.expires_at - NOTICE).max(card.activated_at)
}
