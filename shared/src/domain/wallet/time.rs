//! Changes that depend only on time and on the number of recurring payments: rules 8, 9 and 14.

use chrono::{DateTime, Utc};

use super::Wallet;
use crate::domain::id::Sequence;
use crate::domain::notification::queue;
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, StatusReason};

/// When the service next has to process a wallet without a request, for each kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When a recurring payment next changes by time alone, or has to be announced as expiring.
    pub expiry: Option<DateTime<Utc>>,
    /// When the next background task is due: a reconciliation or a delivery attempt.
    pub task: Option<DateTime<Utc>>,
}

impl Wallet {
    /// Returns when the wallet next has to be processed. `expiry` is always after the wallet's instant; `task` can be overdue.
    #[must_use]
    pub fn due(&self) -> Due {
        let (payments, notice) = (&self.contents.payments, self.notice());
        let reconciliations = payments
            .iter()
            .flat_map(|payment| self.open_sessions(payment))
            .filter_map(|session| session.terminal.reconcile_at);
        Due {
            expiry: payments.iter().filter_map(|payment| payment.due_at(notice)).min(),
            task: reconciliations.chain(queue::due_at(&self.contents.notifications)).min(),
        }
    }

    /// Applies rules 8, 9 and 14 as of the wallet's instant.
    pub(super) fn apply_time(&mut self) {
        self.apply_instants();
        let now = self.now;
        for index in 0..self.contents.payments.len() {
            self.update_payment_at(index, |payment| payment.with_time_applied(now));
        }
        let is_created = |payment: &RecurringPayment| payment.status() == RecurringStatus::Created;
        let payments = &self.contents.payments;
        let created: Vec<usize> =
            (0..payments.len()).filter(|index| is_created(&payments[*index])).collect();
        self.add_primary_change(now, |wallet| {
            for index in &created[..created.len().saturating_sub(Self::MAX_CREATED)] {
                wallet.update_payment_at(*index, |payment| {
                    payment.cancelled(StatusReason::Abandoned, now)
                });
            }
        });
        self.delete_surplus_ended(Self::MAX_ENDED);
        let payments = &self.contents.payments;
        let is_live = |sequence: &Sequence| {
            payments.iter().any(|payment| payment.sequence == *sequence && payment.is_live())
        };
        self.contents.choices.retain(is_live);
    }

    /// Deletes recurring payments after their retention, and the oldest ended ones while more than `max` are left. Processes them
    /// in the order in which they ended, so that the result does not depend on how often the wallet was updated.
    pub(super) fn delete_surplus_ended(&mut self, max: usize) {
        let (now, payments) = (self.now, &mut self.contents.payments);
        // If clocks differ, `ended_at` can be slightly later than `now`.
        let ended_at = |payment: &RecurringPayment| payment.ended_at().map(|at| at.min(now));
        let mut instants: Vec<_> = payments.iter().filter_map(ended_at).collect();
        instants.sort_unstable();
        for at in instants.into_iter().chain([now]) {
            payments.retain(|payment| !payment.is_past_retention(at));
            let ended_by_then =
                |payment: &RecurringPayment| ended_at(payment).filter(|ended_at| *ended_at <= at);
            while payments.iter().filter_map(ended_by_then).count() > max {
                let ended = payments
                    .iter()
                    .enumerate()
                    .filter_map(|(index, payment)| Some((ended_by_then(payment)?, index)));
                if let Some((_, oldest)) = ended.min() {
                    payments.remove(oldest);
                }
            }
        }
    }
}
