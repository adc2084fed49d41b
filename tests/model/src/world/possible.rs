//! What can happen next.

use chrono::{DateTime, TimeDelta, Utc};

use super::steps::{Step, Wait};
use super::{Party, Rules, World};
use crate::configuration::Bounds;
use crate::flaw::Flaw;
use crate::nets::Page;
use crate::operation::Operation;
use crate::wire::Request;

/// Beyond this no function that has begun is alive: API Gateway's requests end after 29 seconds.
const REQUEST: TimeDelta = TimeDelta::seconds(29);
/// And runs of the schedules after 90.
const SCHEDULE: TimeDelta = TimeDelta::seconds(90);

impl World {
    /// All steps that can be next.
    pub fn steps(
        &self,
        scripts: &[Vec<Operation>],
        bounds: &Bounds,
        rules: &Rules<'_>,
        steps: &mut Vec<Step>,
    ) {
        for who in 0..self.parties.len() {
            self.begins(who, scripts, bounds, rules, steps);
            self.replies(who, steps);
        }
        steps.extend((0..self.late.len()).map(Step::Arrive));
        for id in self.pages.iter().filter(|id| self.nets.is_open(**id, self.now)) {
            steps.extend(bounds.pages.iter().map(|card| Step::Visit(*id, *card)));
        }
        if self.left.waits > 0 {
            let later = bounds.waits.iter().filter_map(|wait| self.later(*wait, scripts));
            steps.extend(later.map(Step::Wait));
        }
    }

    fn begins(
        &self,
        who: usize,
        scripts: &[Vec<Operation>],
        bounds: &Bounds,
        rules: &Rules<'_>,
        steps: &mut Vec<Step>,
    ) {
        let party = &self.parties[who];
        let next = scripts[who].get(usize::from(party.done));
        let Some(operation) = next.filter(|_| party.run.is_none()) else { return };
        // Of two with the same script, the first begins first: anything else is the same with other names.
        let twin = who > 0 && scripts[who] == scripts[who - 1];
        if twin && !party.has_begun() && !self.parties[who - 1].has_begun() {
            return;
        }
        if !self.is_called_for(*operation) {
            return;
        }
        steps.push(Step::Begin { who, behind: false, stale: false });
        if bounds.skewed && operation.is_request() {
            steps.push(Step::Begin { who, behind: true, stale: false });
        }
        if rules.has(Flaw::StaleRead) && self.before.is_some() && *operation != Operation::Expire {
            steps.push(Step::Begin { who, behind: false, stale: true });
        }
    }

    /// Whether anybody has a reason: clients always have, Nets when there is news, schedules when the index says so.
    fn is_called_for(&self, operation: Operation) -> bool {
        match operation {
            Operation::Finish | Operation::Expire => self.due_at(operation).is_some(),
            Operation::Callback(of) => self.nets.transactions().any(|one| {
                one.page != Page::Open && one.id.recurring_payment_id() == crate::protocol::id(of)
            }),
            Operation::List
            | Operation::Create { .. }
            | Operation::Choose(_)
            | Operation::Unchoose(_)
            | Operation::Rename(..)
            | Operation::End(_)
            | Operation::Erase
            | Operation::Open { .. }
            | Operation::Authorize(_) => true,
        }
    }

    fn replies(&self, who: usize, steps: &mut Vec<Step>) {
        let Some(run) = &self.parties[who].run else { return };
        steps.push(Step::Answer(who));
        let write = matches!(run.request, Request::Put(_));
        let changes = write || matches!(run.request, Request::Register(_) | Request::Verify(_));
        let tells = matches!(run.request, Request::Tell(_));
        if self.left.losses > 0 {
            if write && self.would_be_done(&run.request) {
                steps.push(Step::Repeat(who));
            }
            if tells {
                steps.push(Step::LoseReply(who));
            }
            steps.push(Step::Lose(who));
        }
        // Killed while it waits to read or to be told something, it leaves nothing that it would not have left before.
        if self.left.kills > 0 && (changes || tells) {
            steps.push(Step::Kill(who));
        }
    }

    /// When the clock can stand next.
    fn later(&self, wait: Wait, scripts: &[Vec<Operation>]) -> Option<DateTime<Utc>> {
        let item = self.table.as_ref();
        let at = match wait {
            Wait::By(time) => Some(self.now + time),
            Wait::ToChore => item?.chore_at,
            Wait::ToExpiry => item?.expiry_at,
            Wait::BeforeExpiry => item?.expiry_at.map(|at| at - TimeDelta::milliseconds(1)),
        };
        let at = at.filter(|at| self.now < *at)?;
        let passes = at - self.now;
        let alive = |(party, script): (&Party, &Vec<Operation>)| {
            let operation = script.get(usize::from(party.done)).filter(|_| party.run.is_some());
            let limit = |operation: &Operation| {
                if operation.is_request() { REQUEST } else { SCHEDULE }
            };
            operation.is_some_and(|operation| limit(operation) < passes)
        };
        (!self.parties.iter().zip(scripts).any(alive)).then_some(at)
    }
}
