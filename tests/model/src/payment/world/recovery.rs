//! Recovery: all processes of a state are killed, all messages are dropped, and only the schedule runs on.
//!
//! This is how the model checks what must hold eventually. It does so from every state, not only from final states. That a message
//! arrives first is a step of its own, and leads to another state.

use std::hash::{DefaultHasher, Hash, Hasher};

use shared::domain::payment::{State, Transaction};
use shared::error::CancelReason;

use super::World;
use crate::event::Event;
use crate::payment::Run;
use crate::payment::nets::{Authorized, NetsCharge};
use crate::payment::operation::Operation;
use crate::payment::protocol::Success;
use crate::violation::Violation;
use crate::wire::MAX_OPERATIONS;
use crate::world::StepContext;

/// More runs than a recovery ever needs. An auto sale that is never completed needs the most: one run each minute for 16 minutes, and
/// then the planned reconciliations until it times out, and those after that.
const MAX_RUNS: usize = 100;

impl World {
    /// Checks the recovery from this state. Many paths lead to the same table, Nets and clock: these are checked once.
    pub(super) fn check_recovery(&mut self, context: &StepContext<'_>) {
        if !self.violations.is_none() || self.table.item.is_none() {
            return;
        }
        if let Some(checked) = context.recovered
            && let Ok(mut checked) = checked.lock()
            && !checked.insert(self.recovery_key())
        {
            return;
        }
        let mut recovered = self.clone();
        recovered.processes.clear();
        recovered.late.clear();
        let sequential = StepContext { counts: None, recovered: None, ..*context };
        recovered.run_schedule(&sequential);
        recovered.check_recovered();
        self.count_recovery(&recovered, context);
        self.violations.join(recovered.violations);
    }

    /// What a recovery depends on.
    fn recovery_key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let stored = self.table.item.as_ref().map(|item| (&item.contents, item.entries));
        (self.now, stored, self.card_ended, &self.nets, &self.history).hash(&mut hasher);
        hasher.finish()
    }

    /// Runs the schedule as the index demands, until nothing is due any more.
    fn run_schedule(&mut self, context: &StepContext<'_>) {
        for _ in 0..MAX_RUNS {
            let Some(at) = self.table.item.as_ref().and_then(|item| item.entries.task) else {
                return;
            };
            self.now = self.now.max(at);
            self.run_operation(Operation::Settle, context);
            if !self.violations.is_none() {
                return;
            }
        }
        self.violations.add(Violation::NotReleased);
    }

    fn check_recovered(&mut self) {
        let is_held = self.nets.registered().any(NetsCharge::is_held);
        self.violations.add_unless(!is_held, Violation::NotReleased);
        let Some(payment) = self.payment() else { return };
        let captured = |transaction: &Transaction| transaction.captured().cloned();
        let is_crediting = payment
            .history()
            .any(|(_, one)| captured(one).is_some_and(|captured| captured.crediting.is_some()));
        self.violations.add_unless(!is_crediting, Violation::CreditNotResolved);
        let agrees = self.nets.registered().filter(|one| one.captured > 0).all(|one| {
            let stored = payment.transaction(one.id.transaction).ok().and_then(captured);
            stored.is_some_and(|stored| {
                // A refund in Netaxept Admin is seen only when the service queries the registration for another reason.
                let unseen = one.credited.saturating_sub(stored.credited_minor);
                stored.captured_minor == one.captured
                    && stored.credited_minor <= one.credited
                    && unseen <= self.history.refunded_minor
            })
        });
        self.violations.add_unless(agrees, Violation::WrongSums);
        let is_missed = payment.history().any(|(id, transaction)| {
            let is_timed_out = matches!(
                transaction.state,
                State::Cancelled { reason: CancelReason::TimedOut | CancelReason::HoldEnded, .. }
            );
            is_timed_out && self.nets_charges(id).any(|one| self.is_missed_auto_sale(one))
        });
        self.violations.add_unless(!is_missed, Violation::AutoSaleNotTaken);
    }

    /// Whether an auto sale was authorized in time and never declined, and no later registration of its transaction replaces it.
    fn is_missed_auto_sale(&self, one: &NetsCharge) -> bool {
        let is_last =
            self.nets_charges(one.id.transaction).all(|other| other.id.number <= one.id.number);
        let is_authorized = one.authorized == Authorized::InTime && one.declined.is_none();
        is_authorized && self.history.is_auto_sale(one.id) && is_last && !self.card_ended
    }

    fn count_recovery(&self, recovered: &Self, context: &StepContext<'_>) {
        let stored = |world: &Self, of: fn(&Transaction) -> u64| -> u64 {
            let payment = world.payment();
            payment.map_or(0, |payment| payment.history().map(|(_, one)| of(one)).sum())
        };
        let captured = |one: &Transaction| one.summary().captured.minor();
        let credited = |one: &Transaction| one.summary().credited.minor();
        let held = |world: &Self| world.nets.registered().filter(|one| one.is_held()).count();
        let at_nets = |world: &Self| world.nets.registered().map(|one| one.captured).sum::<u64>();
        if held(self) > 0 && at_nets(self) == at_nets(recovered) {
            context.count(Event::ReleasedInTheEnd);
        }
        if at_nets(self) < at_nets(recovered) {
            context.count(Event::CapturedInTheEnd);
        }
        if stored(self, captured) < at_nets(self) {
            context.count(Event::FoundInTheEnd);
        }
        if stored(self, credited) < stored(recovered, credited) {
            context.count(Event::CreditedInTheEnd);
        }
    }

    /// Runs an operation from beginning to end, without steps of other processes. Returns its result if it succeeded.
    pub fn run_operation(
        &mut self,
        operation: Operation,
        context: &StepContext<'_>,
    ) -> Option<Success> {
        self.requested(operation);
        let mut run = Run::new(operation, self.now, Vec::new());
        run.at_begin = self.at_begin();
        let result = run.complete(context.run_settings(MAX_OPERATIONS), |request, run| {
            self.check_request(request, run);
            self.execute(request, context)
        });
        self.table.reset_sequential_ids();
        result
    }

    /// Runs an operation of the setup, and returns its result to the client.
    pub fn run_setup_operation(&mut self, operation: Operation, context: &StepContext<'_>) {
        if let Some(success) = self.run_operation(operation, context) {
            self.answer(operation, success);
        }
    }
}
