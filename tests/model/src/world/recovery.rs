//! Recovery: all processes of a state are killed, all messages are dropped, and only the schedules run on.
//!
//! This is how the model checks what must hold eventually. It does so from every state, not only from final states.

use chrono::{DateTime, Utc};

use super::{Process, StepContext, World};
use crate::operation::Operation;
use crate::protocol::Success;
use crate::specification::{ExpectedState, Specification};
use crate::violation::Violation;
use crate::wallets::Run;
use crate::wire::MAX_OPERATIONS;

/// More runs than a recovery ever needs: reconciliations after 1, 5 and 16 minutes, an hour and a day, abandonment, a repetition of
/// each, and the delivery attempts.
const MAX_RUNS: usize = 40;

impl World {
    /// Checks the recovery from this state, if the schedules have something to do.
    pub(super) fn check_recovery(
        &mut self,
        specification: &Specification,
        context: &StepContext<'_>,
    ) {
        let is_card_waiting = specification.payments.iter().any(|expected| {
            expected.state == ExpectedState::Created && self.completed(expected).next().is_some()
        });
        let is_overdue = self.table.item.as_ref().is_some_and(|item| item.expires_by(self.now))
            || specification != &*self.specification;
        if !is_card_waiting && !is_overdue && !specification.has_pending_notification(self.now)
            || !self.violations.is_none()
        {
            return;
        }
        let mut recovered = self.clone();
        recovered.processes.clear();
        recovered.late.clear();
        let context = StepContext { counts: None, ..*context };
        recovered.run_schedules(&context);
        let mut specification = (*recovered.specification).clone();
        specification.apply_time(recovered.now);
        let is_card_missing = specification.payments.iter().any(|expected| {
            expected.state == ExpectedState::Created
                && recovered.completed(expected).next().is_some()
        });
        let is_card_abandoned = specification.payments.iter().any(|expected| {
            matches!(expected.state, ExpectedState::Cancelled { by_customer: false, .. })
                && self.is_created(expected.sequence)
                && recovered.completed(expected).next().is_some()
        });
        self.violations.join(recovered.violations);
        self.violations
            .add_unless(!is_card_missing && !is_card_abandoned, Violation::CardNotRecovered);
        self.violations.add_unless(
            !specification.has_pending_notification(recovered.now),
            Violation::NotificationNotRecovered,
        );
    }

    /// Whether a recurring payment is CREATED as of now.
    fn is_created(&self, sequence: u16) -> bool {
        let mut specification = (*self.specification).clone();
        specification.apply_time(self.now);
        specification
            .payment(sequence)
            .is_some_and(|expected| expected.state == ExpectedState::Created)
    }

    /// Runs both schedules as the indexes demand: expiries that are due now, and all present and future background tasks.
    fn run_schedules(&mut self, context: &StepContext<'_>) {
        for _ in 0..MAX_RUNS {
            let Some(item) = self.table.item.clone() else { return };
            if item.expires_by(self.now) {
                self.run_operation(Operation::Expire, context);
                continue;
            }
            if self.violations.is_none() {
                self.check_nothing_is_overdue();
            }
            let Some(at) = item.entries.task else { return };
            self.now = self.now.max(at);
            self.run_operation(Operation::Finish, context);
        }
        self.violations.add(Violation::ExpiryNotRecovered);
    }

    /// Checks that each stored status is as expected when the index has no overdue expiry.
    fn check_nothing_is_overdue(&mut self) {
        let Some(item) = &self.table.item else { return };
        let mut specification = (*self.specification).clone();
        specification.apply_time(self.now);
        let agrees = item.contents.payments.iter().all(|payment| {
            let expected = specification.payment(payment.sequence.number());
            expected.and_then(|expected| expected.state.status()) == Some(payment.status())
        });
        self.violations.add_unless(agrees, Violation::ExpiryNotRecovered);
    }

    /// Runs an operation from beginning to end, without steps of other processes. Returns its result if it succeeded.
    pub fn run_operation(
        &mut self,
        operation: Operation,
        context: &StepContext<'_>,
    ) -> Option<Success> {
        let run = Run::new(operation, self.now, Vec::new());
        let settings = context.run_settings(MAX_OPERATIONS);
        let result = run.complete(settings, |request, _| self.execute(request, context));
        self.table.reset_sequential_ids();
        result
    }

    /// Runs an operation of the setup. If it opens a terminal, the address of the page is returned to the client.
    pub fn run_setup_operation(&mut self, operation: Operation, context: &StepContext<'_>) {
        if let Some(success) = self.run_operation(operation, context) {
            self.return_to_client(success);
        }
    }

    /// The instant of the due index entry for a schedule. `None` if no entry is due.
    #[must_use]
    pub fn due_at(&self, operation: Operation) -> Option<DateTime<Utc>> {
        let item = self.table.item.as_ref()?;
        match operation {
            Operation::Expire => item.entries.expiry.filter(|at| *at <= self.now),
            Operation::Finish => item.entries.task.filter(|at| *at <= self.now),
            Operation::List
            | Operation::Create { .. }
            | Operation::SetPrimary(_)
            | Operation::UnsetPrimary(_)
            | Operation::Rename(..)
            | Operation::End(_)
            | Operation::Erase
            | Operation::Open { .. }
            | Operation::Authorize(_)
            | Operation::Callback(_) => None,
        }
    }

    /// Sets the number of processes. None of them has begun.
    pub fn set_processes(&mut self, count: usize) {
        self.processes = Process::several(count);
    }
}
