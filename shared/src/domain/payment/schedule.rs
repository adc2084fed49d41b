//! When the service reconciles a transaction with Nets, and the obligation to annul what is found after a transaction is over.

use chrono::{DateTime, TimeDelta, Utc};

use super::transaction::{State, Transaction};
use crate::domain::id::Attempt;
use crate::domain::terminal::Terminal;

/// The planned reconciliations of a transaction: 1, 5 and 16 minutes, 1 hour and 24 hours after an instant
/// ([`Terminal::RECONCILE_AFTER`]), and one minute after an unclear reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The instant from which the planned reconciliations are counted.
    pub since: DateTime<Utc>,
    /// When the next reconciliation is due. `None` after the last one.
    pub reconcile_at: Option<DateTime<Utc>>,
}

impl Schedule {
    /// The schedule from an instant. The first reconciliation is due a minute later.
    #[must_use]
    pub fn starting(since: DateTime<Utc>) -> Self {
        Self { since, reconcile_at: Some(since + Terminal::RECONCILE_AFTER[0]) }
    }

    /// The schedule from an instant. The first reconciliation is due immediately.
    #[must_use]
    pub fn starting_now(since: DateTime<Utc>) -> Self {
        Self { since, reconcile_at: Some(since) }
    }

    /// Plans the next reconciliation after a clear reply. Does not change a reconciliation that is not due yet.
    #[must_use]
    pub fn rescheduled(self, now: DateTime<Utc>) -> Self {
        if self.reconcile_at.is_some_and(|reconcile_at| now < reconcile_at) {
            return self;
        }
        let mut planned = Terminal::RECONCILE_AFTER.into_iter().map(|after| self.since + after);
        Self { reconcile_at: planned.find(|reconcile_at| now < *reconcile_at), ..self }
    }

    /// Plans the next reconciliation after a clear reply: every minute until `period` is over, counted from `since`, and then as
    /// [`Self::rescheduled`]. Does not change a reconciliation that is not due yet.
    #[must_use]
    pub(super) fn rescheduled_each_minute(self, now: DateTime<Utc>, period: TimeDelta) -> Self {
        let planned = self.rescheduled(now);
        if self.reconcile_at == planned.reconcile_at || self.since + period <= now {
            return planned;
        }
        let minutes = (now - self.since).num_minutes() + 1;
        Self { reconcile_at: Some(self.since + TimeDelta::minutes(minutes)), ..self }
    }

    /// Plans a reconciliation within a minute: after an unclear reply, or to confirm an annulment.
    #[must_use]
    pub fn rescheduled_soon(self, now: DateTime<Utc>) -> Self {
        let soon = now + Terminal::RECONCILE_AFTER[0];
        let planned = self.reconcile_at.filter(|reconcile_at| now < *reconcile_at);
        Self { reconcile_at: Some(planned.map_or(soon, |planned| planned.min(soon))), ..self }
    }

    /// Returns whether a reconciliation is due.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.reconcile_at.is_some_and(|reconcile_at| reconcile_at <= now)
    }
}

/// The obligation to annul every authorization that is found at Nets although its transaction does not need it any more
/// (payments.md §4.1): after CANCELLED and REJECTED, and after CAPTURED for the other registrations.
///
/// Exists only if AUTH was ever requested: without a request of ours Nets authorizes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Annulment {
    /// The registrations for which AUTH was requested.
    pub registrations: Vec<Attempt>,
    /// The registration whose authorization was in progress when the transaction was cancelled, until Nets confirms that it cannot
    /// be captured any more. Until then the order cannot be paid again.
    pub unconfirmed: Option<Attempt>,
    /// When to reconcile.
    pub schedule: Schedule,
}

impl Annulment {
    /// Plans the next reconciliation after a clear reply that shows no authorization.
    #[must_use]
    pub(super) fn rescheduled(self, now: DateTime<Utc>) -> Self {
        Self { schedule: self.schedule.rescheduled(now), ..self }
    }

    /// Plans a reconciliation within a minute.
    #[must_use]
    pub(super) fn rescheduled_soon(self, now: DateTime<Utc>) -> Self {
        Self { schedule: self.schedule.rescheduled_soon(now), ..self }
    }

    /// Stores that a registration cannot be captured any more.
    #[must_use]
    pub(super) fn confirmed(self, number: Attempt) -> Self {
        Self { unconfirmed: self.unconfirmed.filter(|unconfirmed| *unconfirmed != number), ..self }
    }

    /// Stores that Nets shows no authorization yet. A minute after the end of the transaction this confirms that it cannot be
    /// captured: CAPTURE follows AUTH in the same request, and a request takes at most 30 seconds.
    #[must_use]
    pub(super) fn confirmed_if_late(self, number: Attempt, now: DateTime<Utc>) -> Self {
        let is_late = self.schedule.since + Terminal::RECONCILE_AFTER[0] <= now;
        if is_late { self.confirmed(number) } else { self }
    }

    /// The same obligation without one registration. `None` if no registration is left.
    #[must_use]
    pub(super) fn without(mut self, number: Attempt) -> Option<Self> {
        self.registrations.retain(|registration| *registration != number);
        Some(self.confirmed(number)).filter(|annulment| !annulment.registrations.is_empty())
    }
}

impl Transaction {
    /// When the service next has to do something without a request: a reconciliation, an annulment at the end of the hold, or a
    /// notification that the transaction ended by time. Can be overdue.
    #[must_use]
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Initiated(initiated) => {
                let notified_at = self.callback_url.as_ref().map(|_| initiated.ends_at().0);
                initiated.due_at().into_iter().chain(notified_at).min()
            }
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => {
                let schedules = self.schedules();
                schedules.into_iter().filter_map(|(schedule, _)| schedule.reconcile_at).min()
            }
        }
    }

    /// The registrations to query at Nets. While INITIATED the chosen one, or without one every open one, newest first. Later those
    /// whose authorizations have to be annulled.
    #[must_use]
    pub(super) fn registrations_to_reconcile(&self) -> Vec<Attempt> {
        match &self.state {
            State::Initiated(initiated) => initiated.to_reconcile(),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => self
                .annulment()
                .map(|annulment| annulment.registrations.clone())
                .unwrap_or_default(),
        }
    }

    /// The registrations whose reconciliation is due. The chosen one of an auto sale is only queried by a request that chooses it and
    /// then captures it ([`due_auto_sales`](super::Payment::due_auto_sales)): it knows whether another request may be capturing.
    #[must_use]
    pub(super) fn due_registrations(&self, now: DateTime<Utc>) -> Vec<Attempt> {
        match &self.state {
            State::Initiated(initiated) => {
                let is_due = self.due_at().is_some_and(|due_at| due_at <= now);
                let is_auto_sale = initiated.chosen.is_some() && initiated.auto_sale().is_some();
                if is_due && !is_auto_sale { initiated.to_reconcile() } else { Vec::new() }
            }
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => {
                let schedules = self.schedules().into_iter();
                let due = schedules.filter(|(schedule, _)| schedule.is_due(now));
                due.flat_map(|(_, registrations)| registrations).collect()
            }
        }
    }

    /// After CAPTURED, REJECTED or CANCELLED: the schedules of the annulment and of the credit, with the registrations to query.
    fn schedules(&self) -> Vec<(Schedule, Vec<Attempt>)> {
        let annulment = self.annulment().map(|one| (one.schedule, one.registrations.clone()));
        let crediting = self.captured().and_then(|captured| {
            captured.crediting.map(|one| (one.schedule, vec![captured.registration]))
        });
        annulment.into_iter().chain(crediting).collect()
    }
}
