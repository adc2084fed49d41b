//! What becomes of a state when everybody in it is killed, nothing that is on its way arrives, and the schedules run on.
//!
//! This is how the model says "in the end": from every state that it reaches, not only from those in which it ends.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Party, Rules, World};
use crate::breach::Breach;
use crate::operation::Operation;
use crate::protocol::Given;
use crate::run::{CameTo, Run};
use crate::truth::{Fate, Truth};
use crate::wire::{Request, WRITES_EACH};

/// No more runs are ever needed: looks after 1, 5 and 16 minutes, an hour and a day, abandonment, a repeat each, and the
/// tries to tell.
const RUNS: usize = 40;
/// Ids of writes for those who are not among the parties.
const ALONE: u8 = 20;

impl World {
    /// Checks the aftermath, if there is anything to do in it.
    pub(super) fn judge_aftermath(&mut self, truth: &Truth, rules: &Rules<'_>) {
        let waiting = truth
            .facts
            .iter()
            .any(|fact| fact.fate == Fate::Waiting && self.completed(fact).next().is_some());
        let overdue = self.table.as_ref().is_some_and(|item| item.expires_by(self.now))
            || truth != &*self.truth;
        if !waiting && !overdue && !truth.owes(self.now) || !self.breaches.is_none() {
            return;
        }
        let mut after = self.clone();
        after.parties.clear();
        after.late.clear();
        let rules = Rules { seen: None, ..*rules };
        after.run_on(&rules);
        let mut truth = (*after.truth).clone();
        truth.settle(after.now);
        let unfinished = truth
            .facts
            .iter()
            .any(|fact| fact.fate == Fate::Waiting && after.completed(fact).next().is_some());
        let late = truth.facts.iter().any(|fact| {
            matches!(fact.fate, Fate::Cancelled { ended: false, .. })
                && self.truth_waits(fact.place)
                && after.completed(fact).next().is_some()
        });
        self.breaches.join(after.breaches);
        self.breaches.unless(!unfinished && !late, Breach::Unfinished);
        self.breaches.unless(!truth.owes(after.now), Breach::Untold);
    }

    /// Whether a recurring payment waits for its card as of now.
    fn truth_waits(&self, place: u16) -> bool {
        let mut truth = (*self.truth).clone();
        truth.settle(self.now);
        truth.fact(place).is_some_and(|fact| fact.fate == Fate::Waiting)
    }

    /// Both schedules run whenever the indexes say that there is something to do: what is overdue now, and all chores to come.
    fn run_on(&mut self, rules: &Rules<'_>) {
        for _ in 0..RUNS {
            let Some(item) = self.table.clone() else { return };
            if item.expires_by(self.now) {
                self.perform(Operation::Expire, rules);
                continue;
            }
            if self.breaches.is_none() {
                self.judge_overdue();
            }
            let Some(at) = item.chore_at else { return };
            self.now = self.now.max(at);
            self.perform(Operation::Finish, rules);
        }
        self.breaches.add(Breach::Overdue);
    }

    /// What is stored is what is so, once the index says that nothing is overdue.
    fn judge_overdue(&mut self) {
        let Some(item) = &self.table else { return };
        let mut truth = (*self.truth).clone();
        truth.settle(self.now);
        let so = item.contents.payments.iter().all(|payment| {
            let fact = truth.fact(payment.sequence.number());
            fact.and_then(|fact| fact.fate.status()) == Some(payment.status())
        });
        self.breaches.unless(so, Breach::Overdue);
    }

    /// Carries out an operation from beginning to end with nobody between its steps. What it gave out, if it went well.
    pub fn perform(&mut self, operation: Operation, rules: &Rules<'_>) -> Option<Given> {
        let mut run = Run {
            operation,
            now: self.now,
            replies: Vec::new(),
            request: Request::Get,
            repeated: false,
            floor: 0,
            verified: Vec::new(),
        };
        let came_to = loop {
            match run.progress(rules.setting(ALONE)).came_to {
                CameTo::Waits(request) => {
                    let reply = self.execute(&request, rules);
                    run.replies.push(reply);
                }
                CameTo::Gives(given) => break Some(given),
                CameTo::Fails(_) => break None,
            }
        };
        self.forget_writes();
        came_to
    }

    /// The same, and whoever asked for a page has its address.
    pub fn perform_and_give(&mut self, operation: Operation, rules: &Rules<'_>) {
        if let Some(given) = self.perform(operation, rules) {
            self.give(given);
        }
    }

    /// The next who is not among the parties has the same ids.
    fn forget_writes(&mut self) {
        let first = ALONE * WRITES_EACH;
        (self.written, self.denied) = (self.written.before(first), self.denied.before(first));
        if let Some(item) = &mut self.table {
            *item = Arc::new(item.written_before(first));
        }
    }

    /// What the index says to a schedule.
    #[must_use]
    pub fn due_at(&self, operation: Operation) -> Option<DateTime<Utc>> {
        let item = self.table.as_ref()?;
        match operation {
            Operation::Expire => item.expiry_at.filter(|at| *at <= self.now),
            Operation::Finish => item.chore_at.filter(|at| *at <= self.now),
            Operation::List
            | Operation::Create { .. }
            | Operation::Choose(_)
            | Operation::Unchoose(_)
            | Operation::Rename(..)
            | Operation::End(_)
            | Operation::Erase
            | Operation::Open { .. }
            | Operation::Authorize(_)
            | Operation::Callback(_) => None,
        }
    }

    /// Parties that have begun nothing yet.
    pub fn set_parties(&mut self, count: usize) {
        self.parties = vec![Party::default(); count];
    }
}
