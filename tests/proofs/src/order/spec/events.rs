//! Lifecycle events of stored cards: §7 of api.md, and "Notifications" in `docs/DECISIONS.md`.
//!
//! Which events a version adds follows from the wallet directly before and directly after each instant at which time alone changes
//! it, and from the wallet directly before and after the operation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::responses::end_of;
use super::{Card, DAY, Payment, State, Wallet, instant};
use crate::order::operation::Operation;

/// The organisation that has an address for events in this proof.
const ORGANISATION: u64 = 1;
/// How long before its expiry an ACTIVE recurring payment is announced.
const NOTICE: i64 = 30 * DAY;

/// A lifecycle event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// Its instant.
    pub occurred_at: i64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// An ACTIVE recurring payment expires soon.
    Expiring(CardEvent),
    /// A recurring payment became EXPIRED.
    Expired(CardEvent),
    /// The primary one ended, expired or was abandoned, and another one is primary.
    PrimaryChanged(PrimaryChange),
}

/// The facts of an event about a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEvent {
    /// The recurring payment.
    pub id: u64,
    /// `VISA`, …
    pub card_kind: String,
    /// The last four digits.
    pub last_four: String,
    /// `2027-03`.
    pub expiry: String,
    /// The first instant at which the recurring payment is not valid.
    pub expires_at: i64,
    /// Whether it was primary directly before the event.
    pub primary: bool,
}

/// A change of the primary recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryChange {
    /// The primary one before.
    pub old: u64,
    /// The primary one after.
    pub new: u64,
    /// `ENDED`, `EXPIRED` or `ABANDONED`.
    pub reason: &'static str,
}

impl LifecycleEvent {
    /// The last part of the type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            EventKind::Expiring(_) => "expiring",
            EventKind::Expired(_) => "expired",
            EventKind::PrimaryChanged(_) => "primary-changed",
        }
    }

    /// The recurring payment that it is about. Of a change of the primary, the old one.
    #[must_use]
    pub fn recurring_payment(&self) -> u64 {
        match &self.kind {
            EventKind::Expiring(card) | EventKind::Expired(card) => card.id,
            EventKind::PrimaryChanged(change) => change.old,
        }
    }

    /// The notification id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.recurring_payment(), self.name(), self.occurred_at)
    }

    /// The body of the notification.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = match &self.kind {
            EventKind::Expiring(card) => card.facts("ACTIVE"),
            EventKind::Expired(card) => card.facts("EXPIRED"),
            EventKind::PrimaryChanged(PrimaryChange { old, new, reason }) => json!({
                "oldRecurringPaymentId": old,
                "newRecurringPaymentId": new,
                "reason": reason,
            }),
        };
        body["id"] = self.id().into();
        body["type"] = format!("recurring-payment.{}", self.name()).into();
        body["occurredAt"] = instant(self.occurred_at).into();
        body
    }
}

impl CardEvent {
    fn facts(&self, status: &str) -> Value {
        let card_expires_at = end_of(&self.expiry);
        let is_limited_by_card = card_expires_at <= self.expires_at;
        json!({
            "recurringPaymentId": self.id,
            "recurringStatus": status,
            "primary": self.primary,
            "expiresAt": instant(self.expires_at),
            "cardExpiresAt": instant(card_expires_at),
            "cause": if is_limited_by_card { "CARD" } else { "REGISTRATION" },
            "paymentType": self.card_kind,
            "maskedPan": self.last_four,
        })
    }
}

impl Payment {
    /// When it has to be announced as expiring: thirty days before its expiry, or at once if it is activated later. `None` if it is
    /// not ACTIVE.
    fn notice_at(&self) -> Option<i64> {
        let State::Active(card) = &self.state else { return None };
        Some((card.expires_at - NOTICE).max(card.activated_at))
    }
}

impl Wallet {
    /// Whether its organisation has an address for events.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.organisation == ORGANISATION
    }

    /// When the next ACTIVE recurring payment has to be announced as expiring. `given` has those that were announced.
    #[must_use]
    pub fn next_notice_at(&self, given: &BTreeSet<u16>) -> Option<i64> {
        self.notices(given).map(|(_, at)| at).min()
    }

    /// The events between this version of the wallet and the next one, `after`, which `operation` wrote at `now`. `given` has the
    /// recurring payments that were announced as expiring.
    #[must_use]
    pub fn events_until(
        &self,
        after: &Self,
        given: &BTreeSet<u16>,
        operation: &Operation,
        now: i64,
    ) -> Vec<LifecycleEvent> {
        // Undelivered notifications are deleted with the other data of the customer.
        if !self.has_events() || matches!(operation, Operation::Erase(_)) {
            return Vec::new();
        }
        let mut events = self.events_by_time(given, now);
        events.extend(self.at(now).events_by_operation(after, operation, now));
        events
    }

    /// The recurring payments that have to be announced as expiring, and when.
    fn notices<'a>(&'a self, given: &'a BTreeSet<u16>) -> impl Iterator<Item = (u16, i64)> + 'a {
        let payments = self.payments.iter().filter(|_| self.has_events());
        payments
            .filter(|payment| !given.contains(&payment.sequence))
            .filter_map(|payment| Some((payment.sequence, payment.notice_at()?)))
    }

    /// The events of all changes by time until an instant, oldest first.
    fn events_by_time(&self, given: &BTreeSet<u16>, now: i64) -> Vec<LifecycleEvent> {
        let live = self.payments.iter().filter(|payment| payment.is_live());
        let changes = live.filter_map(Payment::changes_at);
        let notices = self.notices(given).map(|(_, at)| at);
        let instants: BTreeSet<i64> = changes.chain(notices).filter(|at| *at <= now).collect();
        instants.into_iter().flat_map(|at| self.events_at(at, given)).collect()
    }

    /// The events at one instant. All of them see the wallet directly before this instant.
    fn events_at(&self, at: i64, given: &BTreeSet<u16>) -> Vec<LifecycleEvent> {
        let (primary, after) = (self.at(at - 1).primary(), self.at(at));
        let is_announced =
            |payment: &Payment| self.notices(given).any(|notice| notice == (payment.sequence, at));
        let mut kinds = Vec::new();
        for payment in &self.payments {
            let State::Active(card) = &payment.state else { continue };
            let event = self.card_event(payment, card, primary);
            kinds.extend(is_announced(payment).then(|| EventKind::Expiring(event.clone())));
            kinds.extend((card.expires_at == at).then_some(EventKind::Expired(event)));
        }
        let change = self.primary_change(primary, &after, false);
        kinds.extend(change.map(EventKind::PrimaryChanged));
        kinds.into_iter().map(|kind| LifecycleEvent { occurred_at: at, kind }).collect()
    }

    /// The events of an operation. The wallet is that directly before it.
    fn events_by_operation(
        &self,
        after: &Self,
        operation: &Operation,
        now: i64,
    ) -> Vec<LifecycleEvent> {
        let mut events = Vec::new();
        for payment in &after.payments {
            let was_active = self.is_active(payment.sequence);
            let notice_at = payment.notice_at().filter(|at| !was_active && *at <= now);
            if let (State::Active(card), Some(occurred_at)) = (&payment.state, notice_at) {
                let event = after.card_event(payment, card, after.primary());
                events.push(LifecycleEvent { occurred_at, kind: EventKind::Expiring(event) });
            }
        }
        let is_end = matches!(operation, Operation::End(_));
        // A new one that is primary was chosen by the request.
        let change = self
            .primary_change(self.primary(), after, is_end)
            .filter(|change| self.find(change.new).is_some());
        let change = change.map(EventKind::PrimaryChanged);
        events.extend(change.map(|kind| LifecycleEvent { occurred_at: now, kind }));
        events
    }

    /// The change of the primary one if `old` was primary, is not live any more, and another one is primary in `after`.
    fn primary_change(
        &self,
        old: Option<u16>,
        after: &Self,
        is_end: bool,
    ) -> Option<PrimaryChange> {
        let (old, new) = (old.filter(|old| !after.is_live(*old))?, after.primary()?);
        let reason = match (is_end, self.is_active(old)) {
            (true, _) => "ENDED",
            (false, true) => "EXPIRED",
            (false, false) => "ABANDONED",
        };
        Some(PrimaryChange { old: self.id(old), new: self.id(new), reason })
    }

    fn is_active(&self, sequence: u16) -> bool {
        let is_active = |payment: &Payment| matches!(payment.state, State::Active(_));
        self.payments.iter().any(|payment| payment.sequence == sequence && is_active(payment))
    }

    fn card_event(&self, payment: &Payment, card: &Card, primary: Option<u16>) -> CardEvent {
        CardEvent {
            id: self.id(payment.sequence),
            card_kind: card.kind.clone(),
            last_four: card.last_four.clone(),
            expiry: card.expiry.clone(),
            expires_at: card.expires_at,
            primary: primary == Some(payment.sequence),
        }
    }
}
