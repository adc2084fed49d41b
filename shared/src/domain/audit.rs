//! The changes between two states of a wallet, for the audit log.

use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::{RecurringPayment, RecurringStatus, StatusReason, View};
use crate::domain::wallet::Wallet;

/// The change of one recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The recurring payment.
    pub id: RecurringPaymentId,
    /// The status before. `None` if the recurring payment is new.
    pub before: Option<RecurringStatus>,
    /// The status after. `None` if the recurring payment was deleted (rule 14).
    pub after: Option<RecurringStatus>,
    /// The reason, if the status after is CANCELLED.
    pub reason: Option<StatusReason>,
}

impl Change {
    /// The cause of the change, as one word.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match (self.before, self.after, self.reason) {
            (_, _, Some(reason)) => reason.name(),
            (None, _, None) => "REQUEST",
            (Some(_), Some(RecurringStatus::Active), None) => "CARD",
            (Some(_), Some(_), None) => "TIME",
            // Deleted after 30 days, because of the limit, or by an erasure. The log line's operation shows which.
            (Some(_), None, None) => "GONE",
        }
    }
}

/// All changes of a wallet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// The recurring payments whose status changed, oldest first.
    pub changes: Vec<Change>,
    /// The primary recurring payment before.
    pub primary_before: Option<RecurringPaymentId>,
    /// The primary recurring payment after.
    pub primary_after: Option<RecurringPaymentId>,
}

impl Audit {
    /// Compares two states of a wallet.
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
            let view: Option<View> = after.view(id).ok();
            let change = Change {
                id,
                before: Some(payment.status()),
                after: view.as_ref().map(|view| view.status),
                reason: view.and_then(|view| view.reason),
            };
            (change.after != change.before).then_some(change)
        });
        let existed_before = |payment: &&RecurringPayment| {
            before.contents().payments.iter().any(|old| old.sequence == payment.sequence)
        };
        let new = after.contents().payments.iter().filter(|payment| !existed_before(payment));
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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Months, TimeDelta, Utc};

    use super::*;
    use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
    use crate::domain::customer::Organisation;
    use crate::domain::id::{Attempt, Slot, TransactionId};
    use crate::domain::owner::Owner;
    use crate::domain::wallet::NewRecurringPayment;
    use crate::secret::Secret;

    fn start() -> DateTime<Utc> {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn create(wallet: &mut Wallet) -> RecurringPaymentId {
        let new = NewRecurringPayment { nickname: None, primary: false, idempotency: None };
        wallet.create(new).unwrap().id
    }

    /// Activates with a card that is valid until the end of 2028-02.
    fn activate(wallet: &mut Wallet, id: RecurringPaymentId) {
        let card = Card {
            payment_type: PaymentType::Visa,
            last_four: LastFour::from_masked("0004").unwrap(),
            expiry: CardExpiry::new(2028, 2).unwrap(),
        };
        let card = VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) };
        let session = TransactionId::new(id, Attempt::try_from(0).unwrap());
        wallet.activate(session, card, Months::new(36)).unwrap();
    }

    /// The audit as text: recurring payment, status before, status after and cause; and the primary before and after.
    #[derive(Debug, PartialEq, Eq)]
    struct Summary {
        changes: Vec<(RecurringPaymentId, &'static str, &'static str, &'static str)>,
        primary: [Option<RecurringPaymentId>; 2],
    }

    fn summary(before: &Wallet, after: &Wallet) -> Summary {
        let name = |status: Option<RecurringStatus>| status.map_or("", RecurringStatus::name);
        let Audit { changes, primary_before, primary_after } = Audit::between(before, after);
        let changes = changes
            .iter()
            .map(|change| (change.id, name(change.before), name(change.after), change.cause()));
        Summary { changes: changes.collect(), primary: [primary_before, primary_after] }
    }

    #[test]
    fn the_audit_contains_each_change_with_its_cause_and_nothing_else() {
        let mut wallet = Wallet::empty(Slot::new(7), Organisation::new(1), Owner([7; 32]), start());
        let mut before = wallet.clone();
        let first = create(&mut wallet);
        let expected = Summary {
            changes: vec![(first, "", "CREATED", "REQUEST")],
            primary: [None, Some(first)],
        };
        assert_eq!(summary(&before, &wallet), expected);

        before = wallet.clone();
        let second = create(&mut wallet);
        let expected = Summary {
            changes: vec![(second, "", "CREATED", "REQUEST")],
            primary: [Some(first), Some(first)],
        };
        assert_eq!(summary(&before, &wallet), expected);

        before = wallet.clone();
        activate(&mut wallet, second);
        let expected = Summary {
            changes: vec![(second, "CREATED", "ACTIVE", "CARD")],
            primary: [Some(first), Some(second)],
        };
        assert_eq!(summary(&before, &wallet), expected);

        // One step abandons a recurring payment and creates another one. The changes are in the order of creation.
        before = wallet.clone();
        wallet = wallet.at(start() + TimeDelta::hours(24));
        let third = create(&mut wallet);
        let expected = Summary {
            changes: vec![
                (first, "CREATED", "CANCELLED", "ABANDONED"),
                (third, "", "CREATED", "REQUEST"),
            ],
            primary: [Some(second), Some(second)],
        };
        assert_eq!(summary(&before, &wallet), expected);

        before = wallet.clone();
        wallet.end(third).unwrap();
        let expected = Summary {
            changes: vec![(third, "CREATED", "CANCELLED", "ENDED")],
            primary: [Some(second), Some(second)],
        };
        assert_eq!(summary(&before, &wallet), expected);

        // The card expires in 2028. The recurring payments that had ended were deleted long before.
        before = wallet.clone();
        wallet = wallet.at("2028-03-01T00:00:00Z".parse().unwrap());
        let expected = Summary {
            changes: vec![
                (first, "CANCELLED", "", "GONE"),
                (second, "ACTIVE", "EXPIRED", "TIME"),
                (third, "CANCELLED", "", "GONE"),
            ],
            primary: [Some(second), None],
        };
        assert_eq!(summary(&before, &wallet), expected);
        assert_eq!(
            summary(&wallet, &wallet),
            Summary { changes: Vec::new(), primary: [None, None] }
        );
    }
}
