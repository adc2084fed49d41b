//! The rules for calls of Nets, and for the sandbox's ledger at the end.

use std::collections::BTreeMap;

use local::netaxept::Operation as AtNets;

use super::history::Invocation;
use super::{Answers, PaymentChecker};
use crate::ledger::Registration;
use crate::order::checker::Violation;
use crate::order::operation::Operation;
use crate::order::payments::item::{State, Transaction};
use crate::order::payments::operation::{PaymentOperation, RegistrationId};
use crate::order::payments::settled::check_payment;

/// When a card stops being usable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardEnd {
    /// The position of the first response that said that the card is ended or erased.
    pub answered_at: Option<u64>,
    /// The first instant at which it is not valid.
    pub expires_at: Option<i64>,
}

impl PaymentChecker {
    /// The recurring payment whose card a registration charges.
    pub(in crate::order) fn card_of(&self, id: RegistrationId) -> Option<u64> {
        let versions = &self.histories.get(&(id.transaction >> 4))?.versions;
        let transactions = versions.values().map(|one| one.item.transaction(id.transaction));
        Some(transactions.flatten().next()?.recurring_payment)
    }

    /// Checks a call of Nets about a registration, when Nets receives it.
    ///
    /// # Errors
    /// Fails if the service may not send this call.
    pub(in crate::order) fn check_call(
        &mut self,
        operation: AtNets,
        id: RegistrationId,
        end: CardEnd,
    ) -> Result<(), Violation> {
        *self.totals.calls.entry(format!("{operation:?}")).or_default() += 1;
        let payment = id.transaction >> 4;
        let rule = match operation {
            AtNets::Auth | AtNets::Capture
                if !self.is_stored(id, &|one| one.was_chosen(id.number)) =>
            {
                "only a registration that is stored as chosen is authorized and captured"
            }
            AtNets::Auth | AtNets::Capture if !self.is_requested(id) => {
                "without a request to capture, only a terminal with autoSale is authorized and captured"
            }
            AtNets::Auth if self.is_stored(id, &|one| one.is_authorized_by_nets(id.number)) => {
                "no AUTH is sent for a registration that Nets authorizes by itself"
            }
            AtNets::Auth if !self.may_authorize(payment, end) => {
                "no AUTH is sent after the end of the card was answered, or after its expiry"
            }
            AtNets::Credit if !self.is_stored(id, &Transaction::has_credit_in_progress) => {
                "a credit is stored before it is sent"
            }
            AtNets::Verify | AtNets::Sale => "a charge is neither a verification nor a SALE",
            AtNets::Auth
            | AtNets::Capture
            | AtNets::Credit
            | AtNets::Annul
            | AtNets::Register
            | AtNets::Query
            | AtNets::Process
            | AtNets::Terminal => return Ok(()),
        };
        Err(self.violation(payment, &format!("{operation:?} of {id}: not true: {rule}")))
    }

    /// Whether a version of the transaction since the last idle period, or the newest one before it, has a property.
    fn is_stored(&self, id: RegistrationId, rule: &dyn Fn(&Transaction) -> bool) -> bool {
        let history = self.histories.get(&(id.transaction >> 4));
        let mut versions = history.into_iter().flat_map(|history| history.versions.values());
        versions.any(|one| one.item.transaction(id.transaction).is_some_and(rule))
    }

    /// The invocations in progress that can send AUTH or CAPTURE for a payment.
    fn senders(&self, payment: u64) -> impl Iterator<Item = (&Invocation, &PaymentOperation)> {
        let invocations = self.open.iter().filter_map(|id| self.invocations.get(id));
        let operations = invocations.filter_map(|invocation| match &invocation.call.operation {
            Operation::Payment(operation) => Some((invocation, operation)),
            Operation::List(..)
            | Operation::Get(_)
            | Operation::Wait(..)
            | Operation::Create(_)
            | Operation::Update(..)
            | Operation::End(_)
            | Operation::DryRun(..)
            | Operation::History(_)
            | Operation::Terminal(..)
            | Operation::Authorize(_)
            | Operation::Erase(_)
            | Operation::Callback(_)
            | Operation::Expire
            | Operation::Finish => None,
        });
        operations.filter(move |(_, operation)| operation.can_authorize(payment))
    }

    /// Whether a client requests the capture, or has requested it at the terminal.
    fn is_requested(&self, id: RegistrationId) -> bool {
        let is_capture = |operation: &PaymentOperation| matches!(operation, PaymentOperation::Capture(transaction) if *transaction == id.transaction);
        self.senders(id.transaction >> 4).any(|(_, operation)| is_capture(operation))
            || self.is_stored(id, &|one| one.has_auto_sale(id.number))
    }

    /// Whether an invocation that began before the end of the card can have sent AUTH.
    fn may_authorize(&self, payment: u64, end: CardEnd) -> bool {
        self.senders(payment).any(|(sender, _)| {
            end.answered_at.is_none_or(|at| sender.position < at)
                && end.expires_at.is_none_or(|at| sender.call.now < at)
        })
    }

    /// Compares every payment with the sandbox's ledger, after the schedules have done all their work.
    ///
    /// # Errors
    /// Fails with the violated rule.
    pub(in crate::order) fn check_ledger(
        &mut self,
        registrations: &[Registration],
        now: i64,
    ) -> Result<(), Violation> {
        let mut by_payment = BTreeMap::<u64, Vec<&Registration>>::new();
        for registration in registrations {
            by_payment.entry(registration.id.transaction >> 4).or_default().push(registration);
        }
        if let Some(unknown) = by_payment.keys().find(|id| !self.histories.contains_key(id)) {
            return Err(Violation::new(format!(
                "Nets knows payment {unknown}, which is not stored"
            )));
        }
        let mut totals = std::mem::take(&mut self.totals);
        for (id, history) in &self.histories {
            let Some(newest) = history.newest() else { continue };
            let payment = newest.at(now);
            let ledger = by_payment.remove(id).unwrap_or_default();
            let checked = check_payment(&payment, &ledger)
                .and_then(|()| self.check_answers(&payment.transactions().collect::<Vec<_>>()));
            checked.map_err(|what| history.violation(&format!("not true at the end: {what}")))?;
            for transaction in &payment.transactions {
                *totals.transactions.entry(transaction.state.status()).or_default() += 1;
            }
            for one in ledger {
                let sums = [one.captured, one.credited, one.annulled(), one.held()];
                totals.ledger = std::array::from_fn(|index| totals.ledger[index] + sums[index]);
            }
        }
        self.totals = totals;
        Ok(())
    }

    /// Every answer stays true.
    fn check_answers(&self, transactions: &[(u64, &Transaction)]) -> Result<(), String> {
        for (id, transaction) in transactions {
            let none = Answers::default();
            let answers = self.answers.get(id).unwrap_or(&none);
            let Answers { is_captured, is_cancelled, credited: confirmed, requested } = answers;
            let (captured, credited) = transaction.sums();
            if *is_captured && captured != transaction.amount {
                return Err(format!("an answered capture is captured: {id} {transaction:?}"));
            }
            let is_over = matches!(transaction.state, State::Cancelled(_));
            if *is_cancelled && !is_over {
                return Err(format!("an answered cancellation stays: {id} {transaction:?}"));
            }
            let is_requested =
                requested.iter().any(|target| target.unwrap_or(captured) == credited);
            let is_larger = *confirmed < credited && is_requested;
            if credited != *confirmed && !is_larger {
                return Err(format!(
                    "the credited sum is the largest confirmed total, or a larger one that was requested: {id} {confirmed} {transaction:?}"
                ));
            }
        }
        Ok(())
    }
}
