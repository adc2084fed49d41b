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

    /// A card that is good to the end of 2028-02.
    fn activate(wallet: &mut Wallet, id: RecurringPaymentId) {
        let card = Card {
            payment_type: PaymentType::Visa,
            last_four: LastFour::of_masked("0004").unwrap(),
            expiry: CardExpiry::new(2028, 2).unwrap(),
        };
        let card = VerifiedCard { card, pan_hash: Secret::new("hash".to_owned()) };
        let visit = TransactionId::new(id, Attempt::try_from(0).unwrap());
        wallet.activate(visit, card, Months::new(36)).unwrap();
    }

    /// What is said of a step: the recurring payment, before, after and why; and who is primary.
    #[derive(Debug, PartialEq, Eq)]
    struct Said {
        changes: Vec<(RecurringPaymentId, &'static str, &'static str, &'static str)>,
        primary: [Option<RecurringPaymentId>; 2],
    }

    fn said(before: &Wallet, after: &Wallet) -> Said {
        let word = |status: Option<RecurringStatus>| status.map_or("", RecurringStatus::name);
        let Audit { changes, primary_before, primary_after } = Audit::between(before, after);
        let changes = changes
            .iter()
            .map(|change| (change.id, word(change.before), word(change.after), change.why()));
        Said { changes: changes.collect(), primary: [primary_before, primary_after] }
    }

    #[test]
    fn what_changed_is_said_and_why_and_nothing_else() {
        let mut wallet = Wallet::empty(Slot::new(7), Organisation::new(1), Owner([7; 32]), start());
        let mut before = wallet.clone();
        let first = create(&mut wallet);
        let expected =
            Said { changes: vec![(first, "", "CREATED", "REQUEST")], primary: [None, Some(first)] };
        assert_eq!(said(&before, &wallet), expected);

        before = wallet.clone();
        let second = create(&mut wallet);
        let expected = Said {
            changes: vec![(second, "", "CREATED", "REQUEST")],
            primary: [Some(first), Some(first)],
        };
        assert_eq!(said(&before, &wallet), expected);

        before = wallet.clone();
        activate(&mut wallet, second);
        let expected = Said {
            changes: vec![(second, "CREATED", "ACTIVE", "CARD")],
            primary: [Some(first), Some(second)],
        };
        assert_eq!(said(&before, &wallet), expected);

        // Everything at once, the old ones first: one is abandoned, and one is new.
        before = wallet.clone();
        wallet = wallet.at(start() + TimeDelta::hours(24));
        let third = create(&mut wallet);
        let expected = Said {
            changes: vec![
                (first, "CREATED", "CANCELLED", "ABANDONED"),
                (third, "", "CREATED", "REQUEST"),
            ],
            primary: [Some(second), Some(second)],
        };
        assert_eq!(said(&before, &wallet), expected);

        before = wallet.clone();
        wallet.end(third).unwrap();
        let expected = Said {
            changes: vec![(third, "CREATED", "CANCELLED", "ENDED")],
            primary: [Some(second), Some(second)],
        };
        assert_eq!(said(&before, &wallet), expected);

        // In 2028 the card expires, and what had ended was forgotten long ago.
        before = wallet.clone();
        wallet = wallet.at("2028-03-01T00:00:00Z".parse().unwrap());
        let expected = Said {
            changes: vec![
                (first, "CANCELLED", "", "GONE"),
                (second, "ACTIVE", "EXPIRED", "TIME"),
                (third, "CANCELLED", "", "GONE"),
            ],
            primary: [Some(second), None],
        };
        assert_eq!(said(&before, &wallet), expected);
        assert_eq!(said(&wallet, &wallet), Said { changes: Vec::new(), primary: [None, None] });
    }
}
