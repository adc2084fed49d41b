//! The steps that are possible in a state.

use chrono::{DateTime, Utc};

use super::World;
use super::steps::Step;
use crate::configuration::Bounds;
use crate::payment::nets::NetsCharge;
use crate::payment::operation::Operation;
use crate::payment::{Call, Payments, Request, registration_id};
use crate::world::Process;
use crate::world::next_steps::{REQUEST_LIMIT, SCHEDULE_LIMIT};
use crate::world::steps::ClockStep;

impl World {
    /// Adds all possible next steps to `steps`.
    pub fn steps(
        &self,
        scripts: &[Vec<Operation>],
        bounds: &Bounds<Payments>,
        steps: &mut Vec<Step>,
    ) {
        for process in 0..self.processes.len() {
            if self.can_begin(process, scripts) {
                steps.push(Step::Begin(process));
            }
            self.reply_steps(process, steps);
        }
        let late = self.late.iter().enumerate().filter(|(_, late)| {
            !matches!(late.request, Request::Put(_)) || self.table.is_executable_put(&late.request)
        });
        steps.extend(late.map(|(index, _)| Step::ExecuteLate(index)));
        for id in self.pages.iter().filter(|id| self.nets.is_open(**id, self.now)) {
            let actions = bounds.customer_actions.iter();
            steps.extend(actions.map(|action| Step::CustomerActs(*id, *action)));
        }
        steps.extend(self.nets.to_authorize(self.now).map(Step::NetsAuthorizes));
        if self.remaining.clock_steps > 0 {
            let allowed = bounds.allowed_clock_steps.iter();
            let instants = allowed.filter_map(|step| self.instant_after(*step));
            steps.extend(instants.map(Step::AdvanceClock));
        }
    }

    fn can_begin(&self, process: usize, scripts: &[Vec<Operation>]) -> bool {
        let Process { done, run } = &self.processes[process];
        let next = scripts[process].get(usize::from(*done));
        let Some(operation) = next.filter(|_| run.is_none()) else { return false };
        // Of two processes with the same script, the first begins first. The other order leads to equivalent states.
        let has_same_script = process > 0 && scripts[process] == scripts[process - 1];
        if has_same_script
            && !self.processes[process].has_begun()
            && !self.processes[process - 1].has_begun()
        {
            return false;
        }
        match *operation {
            Operation::Settle => {
                self.table.item.as_ref().is_some_and(|item| item.has_due_task(self.now))
            }
            Operation::Callback(of, number) => {
                self.nets.get(registration_id(of, number)).is_some_and(NetsCharge::is_authorized)
            }
            Operation::Refund(minor) => self
                .nets
                .registered()
                .any(|one| one.captured > 0 && one.credited + minor <= one.captured),
            Operation::Create(_)
            | Operation::Terminal { .. }
            | Operation::Capture(_)
            | Operation::Cancel(_)
            | Operation::Credit(..)
            | Operation::EndCard => true,
        }
    }

    fn reply_steps(&self, process: usize, steps: &mut Vec<Step>) {
        let Some(run) = &self.processes[process].run else { return };
        steps.push(Step::Execute(process));
        let is_change = match &run.request {
            Request::Get | Request::Call(Call::ReadCard | Call::Query { .. }) => false,
            Request::Put(_) | Request::Call(_) => true,
        };
        if self.remaining.losses > 0 {
            if self.table.is_executable_put(&run.request) {
                steps.push(Step::RepeatWrite(process));
            }
            // A request that ends because it cannot read has no effect.
            if !matches!(run.request, Request::Call(Call::ReadCard)) {
                steps.push(Step::LoseRequest(process));
            }
        }
        // A function that is killed while it waits for a read or a Query leaves the same state as one killed earlier.
        if self.remaining.kills > 0 && is_change {
            steps.push(Step::Kill(process));
        }
    }

    /// The instant after a clock step. None if it is not later than now, or if a run in progress would exceed its limit.
    fn instant_after(&self, step: ClockStep) -> Option<DateTime<Utc>> {
        let item = self.table.item.as_ref();
        let at = match step {
            ClockStep::By(duration) => Some(self.now + duration),
            ClockStep::ToTask => item?.entries.task,
            ClockStep::ToExpiry | ClockStep::ToBeforeExpiry => None,
        };
        let at = at.filter(|at| self.now < *at)?;
        let exceeds_limit = |process: &Process<Payments>| {
            process.run.as_ref().is_some_and(|run| {
                let limit = if run.operation.is_request() { REQUEST_LIMIT } else { SCHEDULE_LIMIT };
                run.now + limit < at
            })
        };
        (!self.processes.iter().any(exceeds_limit)).then_some(at)
    }
}
