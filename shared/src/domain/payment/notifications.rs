//! The notifications of a payment: when they are enqueued, their delivery attempts and their expiry.

use chrono::{DateTime, Utc};

use super::Payment;
use super::transaction::{State, Transaction, TransactionStatus};
use crate::domain::id::{Attempt, PaymentTransactionId};
use crate::domain::notification::{Notification, PaymentEvent, PaymentEventKind, queue};

impl Payment {
    /// Changes a transaction, and enqueues the notifications of the change. Every change of a transaction is made here, so no
    /// notification can be forgotten or enqueued twice.
    pub(super) fn update<T>(
        &mut self,
        number: Attempt,
        change: impl FnOnce(Transaction) -> (Transaction, T),
    ) -> T {
        let index = usize::from(number.number());
        let before = self.contents.transactions.remove(index);
        let (status, credited_minor) = (before.status(), credited_minor(&before));
        let (after, result) = change(before);
        if let Some(callback_url) = &after.callback_url {
            let transaction_id = PaymentTransactionId::new(self.id, number);
            for (kind, occurred_at) in events(status, credited_minor, &after) {
                let subject = PaymentEvent { transaction_id, kind };
                let notification = Notification::new(callback_url.clone(), subject, occurred_at);
                queue::enqueue(&mut self.contents.notifications, notification, |_| true);
            }
        }
        self.contents.transactions.insert(index, after);
        result
    }

    /// Begins a delivery attempt for every notification that is due, and returns these notifications. The caller must store the
    /// payment before it makes the attempts, so that two concurrent runs never make the same attempt.
    pub fn begin_delivery_attempts(&mut self) -> Vec<Notification<PaymentEvent>> {
        queue::begin_attempts(&mut self.contents.notifications, self.now, |_| true)
    }

    /// Deletes a notification, after its delivery.
    pub fn remove_notification(&mut self, id: &str) {
        queue::remove(&mut self.contents.notifications, id);
    }

    /// Removes and returns the notifications whose delivery period is over.
    pub fn expire_notifications(&mut self) -> Vec<Notification<PaymentEvent>> {
        queue::expire(&mut self.contents.notifications, self.now)
    }
}

/// The events of a change, with their instants. `status` and `credited` are those before the change.
fn events(
    status: TransactionStatus,
    credited: u64,
    after: &Transaction,
) -> Vec<(PaymentEventKind, DateTime<Utc>)> {
    match &after.state {
        State::Created | State::Initiated(_) => Vec::new(),
        State::Captured(captured) | State::Credited(captured) => {
            let was_captured =
                matches!(status, TransactionStatus::Captured | TransactionStatus::Credited);
            let new = (!was_captured).then_some((PaymentEventKind::Captured, captured.at));
            let credited_minor = captured.credited_minor;
            let credited_at = captured.credited_at.filter(|_| credited < credited_minor);
            let credit = credited_at.map(|at| (PaymentEventKind::Credited { credited_minor }, at));
            new.into_iter().chain(credit).collect()
        }
        State::Rejected { at, .. } if status != TransactionStatus::Rejected => {
            vec![(PaymentEventKind::Rejected, *at)]
        }
        State::Cancelled { at, .. } if status != TransactionStatus::Cancelled => {
            vec![(PaymentEventKind::Cancelled, *at)]
        }
        State::Rejected { .. } | State::Cancelled { .. } => Vec::new(),
    }
}

fn credited_minor(transaction: &Transaction) -> u64 {
    transaction.captured().map_or(0, |captured| captured.credited_minor)
}
