//! What became of a wallet between two looks at it.

use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, StatusReason, View};
use crate::domain::wallet::Wallet;

/// What became of one recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which one.
    pub id: RecurringPaymentId,
    /// What it was; none: it is new.
    pub before: Option<RecurringStatus>,
    /// What it is; none: it was forgotten (rule 14).
    pub after: Option<RecurringStatus>,
    /// Why, when it is CANCELLED.
    pub reason: Option<StatusReason>,
}

impl Change {
    /// Why, in a word.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match (self.before, self.after, self.reason) {
            (_, _, Some(reason)) => reason.name(),
            (None, _, None) => "REQUEST",
            (Some(_), Some(RecurringStatus::Active), None) => "CARD",
            (Some(_), Some(_), None) => "TIME",
            // After 30 days, to make room, or because the customer was erased: the operation tells.
            (Some(_), None, None) => "GONE",
        }
    }
}

/// What became of a wallet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// The recurring payments that are no longer what they were, oldest first.
    pub changes: Vec<Change>,
    /// Who was primary.
    pub primary_before: Option<RecurringPaymentId>,
    /// Who is primary.
    pub primary_after: Option<RecurringPaymentId>,
}

impl Audit {
    /// Compares a wallet with what it was.
    #[must_use]
    pub fn between(before: &Wallet, after: &Wallet) -> Self {
        let id = |wallet: &Wallet, payment: &RecurringPayment| {
            RecurringPaymentId::new(wallet.slot(), payment.sequence)
        };
        let primary = |wallet: &Wallet| {
            wallet.primary().map(|sequence| RecurringPaymentId::new(wallet.slot(), sequence))
        };
        let changes = before.contents().payments.iter().filter_map(|payment| {
            let id = id(before, payment);
            let now: Option<View> = after.view(id).ok();
            let change = Change {
                id,
                before: Some(payment.status()),
                after: now.as_ref().map(|view| view.status),
                reason: now.and_then(|view| view.reason),
            };
            (change.after != change.before).then_some(change)
        });
        let known = |payment: &&RecurringPayment| {
            before.contents().payments.iter().any(|old| old.sequence == payment.sequence)
        };
        let new = after.contents().payments.iter().filter(|payment| !known(payment));
        let new = new.map(|payment| Change {
            id: id(after, payment),
            before: None,
            after: Some(payment.status()),
            reason: None,
        });
        Self {
            changes: changes.chain(new).collect(),
            primary_before: primary(before),
            primary_after: primary(after),
        }
    }
}
