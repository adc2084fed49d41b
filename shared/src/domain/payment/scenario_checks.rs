//! The invariants of random scenarios (payments.md §4.4).

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AtNets, BTreeMap, BTreeSet, CreditRequest, Crediting, Decline, Delivery, LATEST, NextStep,
    Operation, Payment, PaymentEvent, PaymentTransactionId, Reconciliation, RegistrationId, State,
    Transaction, TransactionStatus, World, has_chosen,
};
use crate::domain::notification::{Notification, PaymentEventKind};

/// What was observed so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    /// The registrations whose AUTH was softly declined, and that no client has tried again.
    soft_declines: BTreeSet<RegistrationId>,
    /// The largest target of the credits of a registration.
    asked: BTreeMap<RegistrationId, u64>,
    /// The target that the service has to credit, unless Nets refuses it.
    promised: BTreeMap<RegistrationId, u64>,
    /// The credits that were sent and not clearly refused.
    sent: Vec<(RegistrationId, u64, DateTime<Utc>)>,
    /// The status and the credited sum of each transaction.
    transactions: BTreeMap<PaymentTransactionId, (TransactionStatus, u64)>,
    /// The ids of all notifications so far.
    notifications: BTreeSet<String>,
}

impl World {
    /// AUTH and CAPTURE are sent only for a registration that was stored as chosen. The same is true of Nets' own AUTH.
    pub(super) fn check_was_chosen(&self, id: RegistrationId) {
        let transaction = self.payment.transaction(id.transaction).unwrap();
        let was_chosen = match &transaction.state {
            State::Created => false,
            State::Initiated(initiated) => {
                initiated.registrations[usize::from(id.number.number())].auth_requested
            }
            State::Captured(captured) | State::Credited(captured) => {
                let annulled = captured.annulment.as_ref();
                captured.registration == id.number
                    || annulled.is_some_and(|one| one.registrations.contains(&id.number))
            }
            State::Rejected { annulment, .. } | State::Cancelled { annulment, .. } => {
                annulment.as_ref().unwrap().registrations.contains(&id.number)
            }
        };
        assert!(was_chosen, "{id}: {transaction:?}");
    }

    /// This service never credits more than the largest total that was requested.
    pub(super) fn check_ledger(&self, id: RegistrationId) {
        if let Some(entry) = self.nets.0.get(&id) {
            let asked = self.observed.asked.get(&id).copied().unwrap_or(0);
            assert!(entry.credited <= entry.amount.minor(), "{id}: {entry:?}");
            assert!(entry.credited_by_service <= asked, "{id}: {entry:?} {:?}", self.payment);
        }
    }

    pub(super) fn note_soft_decline(&mut self, id: RegistrationId, found: Reconciliation) {
        let transaction = self.payment.transaction(id.transaction).unwrap();
        if has_chosen(transaction) && found == Reconciliation::Declined(Decline::Soft) {
            self.observed.soft_declines.insert(id);
        }
    }

    pub(super) fn forget_soft_decline(&mut self, id: RegistrationId) {
        self.observed.soft_declines.remove(&id);
    }

    /// The service does not repeat a soft decline without a client. It only captures what another request authorized.
    pub(super) fn check_auto_sale(&self, id: RegistrationId) {
        let is_authorized = match &self.payment.transaction(id.transaction).unwrap().state {
            State::Initiated(initiated) => initiated.is_authorized(),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => panic!("{id}: {:?}", self.payment),
        };
        let was_declined = self.observed.soft_declines.contains(&id);
        assert!(is_authorized || !was_declined, "{id}: {:?}", self.payment);
        assert!(self.payment.registration(id).unwrap().auto_sale, "{id}: {:?}", self.payment);
    }

    pub(super) fn note_asked_credit(&mut self, request: CreditRequest) {
        let asked = self.observed.asked.entry(request.id).or_default();
        *asked = request.target_minor.max(*asked);
        self.observed.promised.insert(request.id, request.target_minor);
    }

    /// A credit is not sent twice within 16 minutes.
    pub(super) fn check_credit_is_not_repeated(
        &mut self,
        request: CreditRequest,
        started_at: DateTime<Utc>,
    ) {
        let is_same = |id, target| id == request.id && target == request.target_minor;
        let earlier = self.observed.sent.iter().filter(|(id, target, _)| is_same(*id, *target));
        let earlier: Vec<_> = earlier.map(|(_, _, sent_at)| *sent_at).collect();
        let is_late = |sent_at: &DateTime<Utc>| *sent_at + Crediting::RESEND_AFTER <= started_at;
        assert!(earlier.iter().all(is_late), "{request:?} at {started_at}, sent at {earlier:?}");
        self.observed.sent.push((request.id, request.target_minor, started_at));
    }

    pub(super) fn note_refused_credit(&mut self, request: CreditRequest, sent_at: DateTime<Utc>) {
        self.observed.sent.retain(|one| *one != (request.id, request.target_minor, sent_at));
        if self.crediting(request.id.transaction).is_none() {
            self.observed.promised.remove(&request.id);
        }
    }

    /// A credit fails only after a refusal or after the last send.
    pub(super) fn note_failed_credit(&mut self, id: RegistrationId, crediting: Option<Crediting>) {
        let crediting = crediting.unwrap();
        assert!(crediting.is_refused || crediting.sends == Crediting::MAX_SENDS, "{crediting:?}");
        assert!(crediting.sent_at + Transaction::TIMEOUT <= self.now, "{crediting:?}");
        self.observed.promised.remove(&id);
    }

    /// Each change of the status or of the credited sum since the last call has exactly one notification.
    pub(super) fn observe(&mut self) {
        let mut expected = BTreeSet::new();
        for (id, transaction) in self.payment.history() {
            let credited_minor = transaction.summary().credited.minor();
            let new = (transaction.status(), credited_minor);
            let old = self.observed.transactions.insert(id, new);
            let (old, credited) = old.unwrap_or((TransactionStatus::Created, 0));
            if transaction.callback_url.is_none() {
                continue;
            }
            let was_captured =
                old >= TransactionStatus::Captured && old <= TransactionStatus::Credited;
            let kind = match new.0 {
                TransactionStatus::Created | TransactionStatus::Initiated => None,
                TransactionStatus::Captured | TransactionStatus::Credited => {
                    (!was_captured).then_some(PaymentEventKind::Captured)
                }
                TransactionStatus::Rejected => (old != new.0).then_some(PaymentEventKind::Rejected),
                TransactionStatus::Cancelled => {
                    (old != new.0).then_some(PaymentEventKind::Cancelled)
                }
            };
            let credit = PaymentEventKind::Credited { credited_minor };
            let kinds = kind.into_iter().chain((credited < credited_minor).then_some(credit));
            expected.extend(kinds.map(|kind| PaymentEvent { transaction_id: id, kind }));
        }
        let stored = &self.payment.contents().notifications;
        let is_new =
            |one: &&Notification<PaymentEvent>| self.observed.notifications.insert(one.id());
        let new: Vec<_> = stored.iter().filter(is_new).map(|one| one.subject).collect();
        assert_eq!(new.len(), new.iter().collect::<BTreeSet<_>>().len(), "{new:?}");
        let is_full = stored.len() == 16;
        let new: BTreeSet<_> = new.into_iter().collect();
        // A full queue drops the oldest.
        assert!(new == expected || is_full && new.is_subset(&expected), "{new:?} {expected:?}");
    }

    pub(super) fn check(&self) {
        let transactions = &self.payment.contents().transactions;
        assert!(transactions.iter().filter(|one| one.is_live()).count() <= 1);
        assert!(!transactions.is_empty() && transactions.len() <= Payment::MAX_ATTEMPTS);
        let entries = self.nets.0.iter();
        let captured: Vec<_> =
            entries.filter(|(_, entry)| entry.state == AtNets::Captured).collect();
        assert!(captured.len() <= 1, "captured twice: {captured:?} {:?}", self.payment);
        for (id, entry) in captured {
            let charged = self.payment.transaction(id.transaction).unwrap().charge.amount;
            assert_eq!(entry.amount, charged);
        }
        for (id, transaction) in self.payment.history() {
            if let Some(captured) = transaction.captured() {
                let registration =
                    RegistrationId { transaction: id, number: captured.registration };
                let entry = &self.nets.0[&registration];
                assert_eq!(entry.state, AtNets::Captured, "{id}");
                assert_eq!(captured.captured_minor, transaction.charge.amount.minor());
                assert!(captured.credited_minor <= entry.credited, "{captured:?} {entry:?}");
            }
        }
    }

    /// The schedule works until nothing is due.
    pub(super) fn finish(&mut self) {
        self.wait(LATEST);
        let mut runs = 0..1_000;
        while let Some(due_at) = self.payment.due_at() {
            assert!(runs.next().is_some(), "the schedule does not end: {:?}", self.payment);
            self.wait((due_at - self.now).max(TimeDelta::zero()));
            self.start_auto_sales(false);
            while !self.requests.is_empty() {
                self.continue_capture(0, None, Delivery::Replied);
            }
            for id in self.payment.due_registrations() {
                let found = self.query(id);
                if self.apply(id, found) == NextStep::Annul {
                    let reply = self.execute(id, Operation::Annul);
                    self.apply_reply(id, reply);
                }
            }
            for request in self.credits_to_resend() {
                self.send_credit(request, false, Delivery::Replied, self.now);
            }
            self.deliver_notifications();
            self.check();
        }
        self.check_end();
    }

    /// When nothing is due, every authorization is captured or annulled, every credit is done or failed, every notification is
    /// delivered, and the status is the truth.
    fn check_end(&self) {
        for (id, entry) in &self.nets.0 {
            assert_ne!(entry.state, AtNets::Authorized, "{id} is held: {:?}", self.payment);
            let transaction = self.payment.transaction(id.transaction).unwrap();
            assert!(entry.state != AtNets::Captured || transaction.captured().is_some(), "{id}");
            assert_eq!(self.crediting(id.transaction), None);
            let promised = self.observed.promised.get(id).copied().unwrap_or(0);
            assert!(promised <= entry.credited, "{id}: {promised} {entry:?} {:?}", self.payment);
        }
        assert_eq!(self.payment.contents().notifications, []);
    }
}
