//! The changes between two states of a wallet or of a payment, for the audit log.

use crate::domain::id::{PaymentTransactionId, RecurringPaymentId};
use crate::domain::money::Money;
use crate::domain::payment::{Contents, Payment, State, Transaction, TransactionStatus};
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
            primary_before: before.primary_id(),
            primary_after: after.primary_id(),
        }
    }
}

/// The change of one transaction of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionChange {
    /// The transaction.
    pub id: PaymentTransactionId,
    /// The recurring payment whose card is charged.
    pub recurring_payment_id: RecurringPaymentId,
    /// The amount of the transaction.
    pub amount: Money,
    /// The status before. `None` if the transaction is new.
    pub before: Option<TransactionStatus>,
    /// The status after.
    pub after: TransactionStatus,
    /// The credited sum after, if it has grown.
    pub credited: Option<Money>,
    /// The cause of the change, as one word.
    pub cause: &'static str,
}

impl TransactionChange {
    /// The transactions whose status or credited sum changed, oldest first.
    #[must_use]
    pub fn between(before: &Contents, after: &Payment) -> Vec<Self> {
        let mut changes: Vec<_> = after
            .history()
            .filter_map(|(id, transaction)| {
                let old = before.transactions.get(usize::from(id.attempt().number()));
                let credited = transaction.summary().credited;
                let credited_before = old.map_or(0, |old| old.summary().credited.minor());
                let change = Self {
                    id,
                    recurring_payment_id: transaction.charge.recurring_payment_id,
                    amount: transaction.charge.amount,
                    before: old.map(Transaction::status),
                    after: transaction.status(),
                    credited: Some(credited).filter(|sum| sum.minor() > credited_before),
                    cause: cause(transaction),
                };
                let is_changed = change.before != Some(change.after) || change.credited.is_some();
                is_changed.then_some(change)
            })
            .collect();
        changes.reverse();
        changes
    }
}

/// The cause of the state of a transaction: its status reason, else what changed it.
fn cause(transaction: &Transaction) -> &'static str {
    let cause = match transaction.state {
        State::Created => "REQUEST",
        State::Initiated(_) => "TERMINAL",
        State::Captured(_)
        | State::Credited(_)
        | State::Rejected { .. }
        | State::Cancelled { .. } => "NETS",
    };
    transaction.status_reason().unwrap_or(cause)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Months, TimeDelta, Utc};

    use super::*;
    use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
    use crate::domain::customer::Organisation;
    use crate::domain::id::{Attempt, PaymentId, Slot, TransactionId};
    use crate::domain::money::Currency;
    use crate::domain::order::{Order, OrderId, OrderVersion};
    use crate::domain::owner::{OrderHash, Owner};
    use crate::domain::payment::{Charge, ChargedCard, Initiator, NewRegistration, Reconciliation};
    use crate::domain::wallet::NewRecurringPayment;
    use crate::error::Decline;
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

    const HOLD: TimeDelta = TimeDelta::hours(24);

    fn captured(credited_minor: u64) -> Reconciliation {
        let captured = charge(1).amount;
        Reconciliation::Captured { captured, credited_minor, credited_target: None }
    }

    fn charge(card: u64) -> Charge {
        Charge {
            amount: Money::new(10_000, Currency::Nok),
            recurring_payment_id: RecurringPaymentId::try_from(card).unwrap(),
        }
    }

    fn charged_card() -> ChargedCard {
        ChargedCard {
            payment_type: PaymentType::Visa,
            last_four: LastFour::from_masked("0004").unwrap(),
        }
    }

    fn payment() -> Payment {
        let order = Order {
            organisation: Organisation::new(1),
            id: OrderId::try_from("DW2N19A6").unwrap(),
            version: OrderVersion::try_from(1).unwrap(),
        };
        let order = (order, OrderHash([1; 32]));
        let id = PaymentId::from_bits(7);
        Payment::create(id, order, Owner([7; 32]), charge(1), charged_card(), start())
    }

    /// The changes as text: transaction, status before, status after and cause.
    fn transaction_changes(
        before: &Contents,
        after: &Payment,
    ) -> Vec<(u64, &'static str, &'static str, &'static str)> {
        let text = |change: TransactionChange| {
            assert_eq!(change.amount.to_string(), "100.00");
            let before = change.before.map_or("", TransactionStatus::name);
            (change.id.number(), before, change.after.name(), change.cause)
        };
        TransactionChange::between(before, after).into_iter().map(text).collect()
    }

    #[test]
    fn the_audit_of_a_payment_contains_each_change_with_its_cause() {
        let mut payment = payment();
        let none = Contents { transactions: Vec::new(), ..payment.contents().clone() };
        let first = payment.history().next().unwrap().0;
        let number = first.number();
        assert_eq!(transaction_changes(&none, &payment), [(number, "", "CREATED", "REQUEST")]);
        assert_eq!(transaction_changes(payment.contents(), &payment), []);

        let mut before = payment.contents().clone();
        let terminal = NewRegistration {
            initiator: Initiator::Merchant,
            auto_sale: false,
            callback_url: None,
        };
        let opened = payment.open_terminal(first, terminal).unwrap();
        let expected = [(number, "CREATED", "INITIATED", "TERMINAL")];
        assert_eq!(transaction_changes(&before, &payment), expected);

        payment.choose(opened.id).unwrap();
        for (decline, cause) in [
            (Decline::Hard, "DECLINED"),
            (Decline::AuthenticationRequired, "AUTHENTICATION_REQUIRED"),
        ] {
            let mut rejected = payment.clone();
            rejected.apply(opened.id, Reconciliation::Declined(decline), HOLD).unwrap();
            let expected = [(number, "INITIATED", "REJECTED", cause)];
            assert_eq!(transaction_changes(payment.contents(), &rejected), expected);
        }
        for (credited_minor, status) in [(0, "CAPTURED"), (10_000, "CREDITED")] {
            let mut paid = payment.clone();
            paid.apply(opened.id, captured(credited_minor), HOLD).unwrap();
            let expected = [(number, "INITIATED", status, "NETS")];
            assert_eq!(transaction_changes(payment.contents(), &paid), expected);
        }

        // Each growth of the credited sum is a change, also while the status stays CAPTURED.
        let (mut paid, mut sums) = (payment.clone(), Vec::new());
        for credited_minor in [0, 3_000, 3_000, 10_000] {
            before = paid.contents().clone();
            paid.apply(opened.id, captured(credited_minor), HOLD).unwrap();
            let changes = TransactionChange::between(&before, &paid);
            let credited = |change: TransactionChange| change.credited.map(|sum| sum.to_string());
            sums.push(changes.into_iter().map(credited).collect::<Vec<_>>());
        }
        let sum = |text: &str| vec![Some(text.to_owned())];
        assert_eq!(sums, [vec![None], sum("30.00"), vec![], sum("100.00")]);

        // One step lets the first transaction time out, and creates another one. The changes are in the order of creation.
        let mut waiting = self::payment();
        before = waiting.contents().clone();
        waiting = waiting.at(start() + TimeDelta::hours(24));
        let second = waiting.create_again(Owner([7; 32]), charge(2), charged_card()).unwrap();
        let expected = [
            (number, "CREATED", "CANCELLED", "TIMED_OUT"),
            (second.number(), "", "CREATED", "REQUEST"),
        ];
        assert_eq!(transaction_changes(&before, &waiting), expected);
        before = waiting.contents().clone();
        waiting.cancel(second).unwrap();
        let expected = [(second.number(), "CREATED", "CANCELLED", "REQUESTED")];
        assert_eq!(transaction_changes(&before, &waiting), expected);
    }
}
