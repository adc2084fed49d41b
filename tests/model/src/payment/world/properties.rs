//! Compares the stored payment, the requests and the answers with what is true at Nets.

use std::sync::Arc;

use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::payment::{Captured, State, Transaction, TransactionStatus};
use shared::error::{Decline, PaymentRefusal};

use super::World;
use crate::payment::nets::NetsCharge;
use crate::payment::operation::Operation;
use crate::payment::protocol::TransactionView;
use crate::payment::{Call, Request, Run, transaction_id};
use crate::violation::Violation;
use crate::world::StepContext;

impl World {
    /// Checks the properties that depend only on the state. Called after each change of the table, of Nets or of the clock.
    pub(super) fn check(&mut self, context: &StepContext<'_>) {
        self.check_sums();
        self.check_stored_statuses();
        if !context.is_sequential() {
            self.check_recovery(context);
        }
    }

    fn check_sums(&mut self) {
        let captured = self.nets.registered().filter(|one| one.captured > 0).count();
        let too_much = self.nets.registered().any(|one| {
            let authorized = if one.is_authorized() { one.minor } else { 0 };
            one.captured > authorized
        });
        let credited_too_much = self.nets.registered().any(|one| one.credited > one.captured);
        let credited: u64 = self.nets.registered().map(|one| one.credited).sum();
        self.violations.add_unless(captured <= 1, Violation::CapturedTwice);
        self.violations.add_unless(!too_much, Violation::CapturedTooMuch);
        self.violations.add_unless(!credited_too_much, Violation::CreditedTooMuch);
        self.violations
            .add_unless(credited <= self.history.creditable_minor, Violation::CreditedTwice);
    }

    /// Checks what the stored item says. A status that follows only from the time is not stored.
    fn check_stored_statuses(&mut self) {
        let Some(item) = &self.table.item else { return };
        let is_true = (0..).zip(&item.contents.transactions).all(|(number, transaction)| {
            let id = transaction_id(number);
            match &transaction.state {
                State::Created | State::Initiated(_) | State::Cancelled { .. } => true,
                State::Captured(captured) | State::Credited(captured) => {
                    self.is_captured(id, captured)
                }
                State::Rejected { .. } => self.is_declined(id),
            }
        });
        self.violations.add_unless(is_true, Violation::FalseStatus);
    }

    fn is_captured(&self, id: PaymentTransactionId, captured: &Captured) -> bool {
        let id = RegistrationId { transaction: id, number: captured.registration };
        self.nets.get(id).is_some_and(|one| {
            0 < captured.captured_minor
                && captured.captured_minor <= one.captured
                && captured.credited_minor <= one.credited
        })
    }

    fn is_declined(&self, id: PaymentTransactionId) -> bool {
        let mut of_transaction = self.nets_charges(id).peekable();
        let is_captured = self.nets_charges(id).any(|one| one.captured > 0);
        of_transaction.any(|one| one.declined.is_some()) && !is_captured
    }

    /// The registrations of a transaction at Nets.
    pub(super) fn nets_charges(
        &self,
        id: PaymentTransactionId,
    ) -> impl Iterator<Item = &NetsCharge> {
        self.nets.registered().filter(move |one| one.id.transaction == id)
    }

    /// Checks that a write takes nothing back that was answered.
    pub(super) fn check_write(&mut self) {
        let Some(item) = &self.table.item else { return };
        let stored = |id: PaymentTransactionId| {
            item.contents.transactions.get(usize::from(id.attempt().number()))
        };
        let is_kept = self.history.answers().all(|(id, answered)| {
            let captured = stored(id).and_then(Transaction::captured);
            captured.is_some_and(|captured| answered.credited_minor <= captured.credited_minor)
                || !answered.captured
        });
        self.violations.add_unless(is_kept, Violation::AnswerTakenBack);
    }

    /// Checks a request when it is sent.
    pub(super) fn check_request(&mut self, request: &Request, run: &Run) {
        let Request::Call(call) = request else { return };
        let (id, is_charge) = match *call {
            Call::Authorize(id) => (id, true),
            Call::Capture(id, _) => (id, !run.at_begin.is_authorized),
            Call::Register { id, .. } => (id, true),
            Call::ReadCard
            | Call::Query { .. }
            | Call::Annul(_)
            | Call::Credit { .. }
            | Call::EndCard
            | Call::Refund(_) => return,
        };
        let may_charge = !run.at_begin.card_ended || !is_charge;
        self.violations.add_unless(may_charge, Violation::ChargedAfterEnd);
        if !matches!(call, Call::Register { auto_auth: false, .. }) {
            self.violations
                .add_unless(self.history.was_chosen(id), Violation::UnchosenAuthorization);
        }
        if run.operation.is_unattended() {
            self.violations
                .add_unless(self.history.is_auto_sale(id), Violation::MoneyWithoutRequest);
        }
    }

    /// Checks an answer about a transaction, and adds it to the history.
    pub(super) fn answer_transaction(&mut self, operation: Operation, view: TransactionView) {
        let TransactionView { id, status, credited_minor } = view;
        let captured: u64 = self.nets_charges(id).map(|one| one.captured).sum();
        let credited: u64 = self.nets_charges(id).map(|one| one.credited).sum();
        let is_true = match status {
            TransactionStatus::Created | TransactionStatus::Initiated => true,
            TransactionStatus::Captured => captured > 0 && credited_minor <= credited,
            TransactionStatus::Credited => captured > 0 && credited_minor == captured,
            TransactionStatus::Rejected | TransactionStatus::Cancelled => captured == 0,
        };
        self.violations.add_unless(is_true, Violation::FalseAnswer);
        self.violations.add_unless(is_success(operation, view), Violation::FalseAnswer);
        Arc::make_mut(&mut self.history).answered(view);
    }

    /// Checks a refusal that says something about the money.
    pub(super) fn refuse(&mut self, operation: Operation, refusal: PaymentRefusal) {
        let (Operation::Capture(of) | Operation::Cancel(of)) = operation else { return };
        let id = transaction_id(of);
        let is_captured = self.nets_charges(id).any(|one| one.captured > 0);
        if refusal == PaymentRefusal::AlreadyCaptured {
            self.violations.add_unless(is_captured, Violation::FalseAnswer);
        }
        if refusal == PaymentRefusal::Declined(Decline::Hard) {
            self.violations.add_unless(self.is_declined(id), Violation::FalseAnswer);
            let status = TransactionStatus::Rejected;
            Arc::make_mut(&mut self.history).answered(TransactionView {
                id,
                status,
                credited_minor: 0,
            });
        }
    }
}

/// Whether an answer reports that its operation succeeded.
fn is_success(operation: Operation, view: TransactionView) -> bool {
    let is_captured =
        matches!(view.status, TransactionStatus::Captured | TransactionStatus::Credited);
    match operation {
        Operation::Capture(_) => is_captured,
        Operation::Cancel(_) => {
            matches!(view.status, TransactionStatus::Cancelled | TransactionStatus::Rejected)
        }
        Operation::Credit(_, Some(total)) => is_captured && total <= view.credited_minor,
        Operation::Credit(_, None) => view.status == TransactionStatus::Credited,
        Operation::Create(_)
        | Operation::Terminal { .. }
        | Operation::Callback(..)
        | Operation::Settle
        | Operation::EndCard
        | Operation::Refund(_) => true,
    }
}
