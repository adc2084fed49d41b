//! What time and number alone make of a wallet: rules 8, 9 and 14.

use chrono::{DateTime, Utc};

use super::Wallet;
use crate::domain::id::Sequence;
use crate::domain::notification::Notification;
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, StatusReason};

/// When the service has something to do for a wallet by itself, the first instant of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When time makes something else of a recurring payment.
    pub expiry: Option<DateTime<Utc>>,
    /// When a terminal has to be looked at, or somebody to be told something.
    pub chore: Option<DateTime<Utc>>,
}

impl Wallet {
    /// When the service next has something to do by itself. As of now nothing of the first kind is overdue; of the second may be.
    #[must_use]
    pub fn due(&self) -> Due {
        let payments = &self.contents.payments;
        let looks = payments
            .iter()
            .flat_map(|payment| self.open_visits(payment))
            .filter_map(|visit| visit.terminal.look_at);
        let tries = self.contents.notifications.iter().map(Notification::due_at);
        Due {
            expiry: payments.iter().filter_map(RecurringPayment::due_at).min(),
            chore: looks.chain(tries).min(),
        }
    }

    /// Carries out what time and number alone decide: rules 8, 9 and 14.
    pub(super) fn settle(&mut self) {
        let now = self.now;
        for place in 0..self.contents.payments.len() {
            self.replace_at(place, |payment| payment.settled(now));
        }
        let waiting = |payment: &RecurringPayment| payment.status() == RecurringStatus::Created;
        let payments = &self.contents.payments;
        let oldest: Vec<usize> =
            (0..payments.len()).filter(|place| waiting(&payments[*place])).collect();
        for place in &oldest[..oldest.len().saturating_sub(Self::OPEN)] {
            self.replace_at(*place, |payment| payment.cancelled(StatusReason::Abandoned, now));
        }
        self.keep_ended(Self::ENDED);
        let payments = &self.contents.payments;
        let live = |sequence: &Sequence| {
            payments.iter().any(|payment| payment.sequence == *sequence && payment.is_live())
        };
        self.contents.choices.retain(live);
    }

    /// Forgets those whose time is over, and the oldest of the ended ones while more than so many are left: in the order in
    /// which they ended, as if somebody had looked each time.
    pub(super) fn keep_ended(&mut self, most: usize) {
        let (now, payments) = (self.now, &mut self.contents.payments);
        // Under clocks that differ something may have ended just after now.
        let ended_at = |payment: &RecurringPayment| payment.ended_at().map(|at| at.min(now));
        let mut instants: Vec<_> = payments.iter().filter_map(ended_at).collect();
        instants.sort_unstable();
        for at in instants.into_iter().chain([now]) {
            payments.retain(|payment| !payment.is_forgotten(at));
            let by_then =
                |payment: &RecurringPayment| ended_at(payment).filter(|ended_at| *ended_at <= at);
            while payments.iter().filter_map(by_then).count() > most {
                let ended = payments
                    .iter()
                    .enumerate()
                    .filter_map(|(place, payment)| Some((by_then(payment)?, place)));
                if let Some((_, oldest)) = ended.min() {
                    payments.remove(oldest);
                }
            }
        }
    }
}
