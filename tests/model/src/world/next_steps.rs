//! The steps that are possible in a state.

use chrono::{DateTime, TimeDelta, Utc};

use super::steps::{ClockStep, Step};
use super::{Process, StepContext, World};
use crate::configuration::Bounds;
use crate::defect::Defect;
use crate::nets::PageState;
use crate::operation::Operation;
use crate::wallets::{Call, Request, Wallets};

/// The longest duration of a request. API Gateway ends it after 29 seconds.
pub(crate) const REQUEST_LIMIT: TimeDelta = TimeDelta::seconds(29);
/// The longest duration of a run of a schedule.
pub(crate) const SCHEDULE_LIMIT: TimeDelta = TimeDelta::seconds(90);

impl World {
    /// Adds all possible next steps to `steps`.
    pub fn steps(
        &self,
        scripts: &[Vec<Operation>],
        bounds: &Bounds,
        context: &StepContext<'_>,
        steps: &mut Vec<Step>,
    ) {
        for process in 0..self.processes.len() {
            self.begin_steps(process, scripts, bounds, context, steps);
            self.reply_steps(process, steps);
        }
        steps.extend((0..self.late.len()).map(Step::ExecuteLate));
        for id in self.pages.iter().filter(|id| self.nets.is_open(**id, self.now)) {
            let actions = bounds.customer_actions.iter();
            steps.extend(actions.map(|action| Step::CustomerActs(*id, *action)));
        }
        if self.remaining.clock_steps > 0 {
            let allowed = bounds.allowed_clock_steps.iter();
            let instants = allowed.filter_map(|step| self.instant_after(*step, scripts));
            steps.extend(instants.map(Step::AdvanceClock));
        }
    }

    fn begin_steps(
        &self,
        process: usize,
        scripts: &[Vec<Operation>],
        bounds: &Bounds,
        context: &StepContext<'_>,
        steps: &mut Vec<Step>,
    ) {
        let Process { done, run } = &self.processes[process];
        let next = scripts[process].get(usize::from(*done));
        let Some(operation) = next.filter(|_| run.is_none()) else { return };
        // Of two processes with the same script, the first begins first. The other order leads to equivalent states.
        let has_same_script = process > 0 && scripts[process] == scripts[process - 1];
        if has_same_script
            && !self.processes[process].has_begun()
            && !self.processes[process - 1].has_begun()
        {
            return;
        }
        if !self.can_begin(*operation) {
            return;
        }
        steps.push(Step::Begin { process, clock_behind: false, stale_read: false });
        if bounds.clock_skew && operation.is_request() {
            steps.push(Step::Begin { process, clock_behind: true, stale_read: false });
        }
        if context.has(Defect::StaleRead)
            && self.table.previous.is_some()
            && *operation != Operation::Expire
        {
            steps.push(Step::Begin { process, clock_behind: false, stale_read: true });
        }
    }

    /// Whether an operation can begin. A client's always can, Nets' callback after an action of the customer, and a schedule
    /// when its index has a due entry.
    fn can_begin(&self, operation: Operation) -> bool {
        match operation {
            Operation::Finish | Operation::Expire => self.due_at(operation).is_some(),
            Operation::Callback(of) => self.nets.transactions().any(|one| {
                one.page != PageState::Open
                    && one.id.recurring_payment_id() == crate::protocol::id(of)
            }),
            Operation::List
            | Operation::Create { .. }
            | Operation::SetPrimary(_)
            | Operation::UnsetPrimary(_)
            | Operation::Rename(..)
            | Operation::End(_)
            | Operation::Erase
            | Operation::Open { .. }
            | Operation::Authorize(_) => true,
        }
    }

    fn reply_steps(&self, process: usize, steps: &mut Vec<Step>) {
        let Some(run) = &self.processes[process].run else { return };
        steps.push(Step::Execute(process));
        let is_write = matches!(run.request, Request::Put(_));
        let is_change =
            is_write || matches!(run.request, Request::Call(Call::Register(_) | Call::Verify(_)));
        let is_notification = matches!(run.request, Request::Call(Call::Notify(_)));
        if self.remaining.losses > 0 {
            if is_write && self.table.is_executable_put(&run.request) {
                steps.push(Step::RepeatWrite(process));
            }
            if is_notification {
                steps.push(Step::LoseReply(process));
            }
            steps.push(Step::LoseRequest(process));
        }
        // A function that is killed while it waits for a read or a Query leaves the same state as one killed earlier.
        if self.remaining.kills > 0 && (is_change || is_notification) {
            steps.push(Step::Kill(process));
        }
    }

    /// The instant after a clock step. None if it is not later than now, or if a run in progress would exceed its limit.
    fn instant_after(&self, step: ClockStep, scripts: &[Vec<Operation>]) -> Option<DateTime<Utc>> {
        let item = self.table.item.as_ref();
        let at = match step {
            ClockStep::By(duration) => Some(self.now + duration),
            ClockStep::ToTask => item?.entries.task,
            ClockStep::ToExpiry => item?.entries.expiry,
            ClockStep::ToBeforeExpiry => {
                item?.entries.expiry.map(|at| at - TimeDelta::milliseconds(1))
            }
        };
        let at = at.filter(|at| self.now < *at)?;
        let duration = at - self.now;
        let exceeds_limit = |(process, script): (&Process<Wallets>, &Vec<Operation>)| {
            let operation = script.get(usize::from(process.done)).filter(|_| process.run.is_some());
            let limit = |operation: &Operation| {
                if operation.is_request() { REQUEST_LIMIT } else { SCHEDULE_LIMIT }
            };
            operation.is_some_and(|operation| limit(operation) < duration)
        };
        (!self.processes.iter().zip(scripts).any(exceeds_limit)).then_some(at)
    }
}
