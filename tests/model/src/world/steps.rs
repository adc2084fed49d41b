//! The steps, and how each of them changes a state.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::error::Refusal;

use super::{StepContext, World};
use crate::event::Event;
use crate::nets::PageState;
use crate::operation::Operation;
use crate::protocol::Success;
use crate::run::{RunProgress, RunState};
use crate::specification::ExpectedResult;
use crate::violation::Violation;
use crate::wallets::{Answer, AtBegin, Call, Failure, Reply, Request, Run};

/// A step. Processes and late requests have an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A process begins its next operation. Except for `Expire`, this includes its first read.
    Begin {
        /// The index of the process.
        process: usize,
        /// Whether its clock is two seconds behind.
        clock_behind: bool,
        /// Whether its first read is stale.
        stale_read: bool,
    },
    /// The request of a process is executed, and its reply arrives.
    Execute(usize),
    /// A write is executed, its reply is lost, and the SDK sends it again.
    RepeatWrite(usize),
    /// A request is lost, and its sender stops waiting. The request may still arrive later.
    LoseRequest(usize),
    /// A notification is delivered, and the receiver's 202 is lost.
    LoseReply(usize),
    /// A function is killed. Its last request may still arrive.
    Kill(usize),
    /// A late request arrives and is executed.
    ExecuteLate(usize),
    /// The customer acts on a page.
    CustomerActs(TransactionId, PageState),
    /// The clock moves to this instant.
    AdvanceClock(DateTime<Utc>),
}

/// A kind of clock step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockStep {
    /// By this duration.
    By(TimeDelta),
    /// To the entry of the index of background tasks.
    ToTask,
    /// To the entry of the index of expiries.
    ToExpiry,
    /// To one millisecond before the entry of the index of expiries.
    ToBeforeExpiry,
}

impl World {
    /// Executes a step.
    pub fn step(&mut self, step: Step, scripts: &[Vec<Operation>], context: &StepContext<'_>) {
        match step {
            Step::Begin { process, clock_behind, stale_read } => {
                let now = if clock_behind { self.now - CLOCK_SKEW } else { self.now };
                let operation = scripts[process][usize::from(self.processes[process].done)];
                self.begin(process, operation, now, stale_read);
                self.proceed(process, scripts, context);
            }
            Step::Execute(process) => {
                let request = self.request(process);
                let mut reply = self.execute(&request, context);
                if let Reply::Conflict(_, repeated) = &mut reply {
                    *repeated =
                        self.processes[process].run.as_ref().is_some_and(|run| run.repeated);
                }
                self.count_schedule_activation(process, &request, &reply, context);
                self.reply(process, reply, scripts, context);
            }
            Step::RepeatWrite(process) => {
                self.remaining.losses -= 1;
                let request = self.request(process);
                self.execute(&request, context);
                if let Some(run) = &mut self.processes[process].run {
                    Arc::make_mut(run).repeated = true;
                }
            }
            Step::LoseRequest(process) => {
                self.remaining.losses -= 1;
                let request = self.request(process);
                if let Request::Call(Call::Notify(notification)) = &request {
                    self.notify(notification, false, context);
                }
                self.late.push(request);
                self.reply(process, Reply::Lost, scripts, context);
            }
            Step::LoseReply(process) => {
                self.remaining.losses -= 1;
                context.count(Event::DeliveryReplyLost);
                let request = self.request(process);
                self.execute(&request, context);
                self.reply(process, Reply::Lost, scripts, context);
            }
            Step::Kill(process) => self.kill(process, context),
            Step::ExecuteLate(index) => {
                let request = self.late.remove(index);
                self.execute_late(&request, context);
            }
            Step::CustomerActs(id, action) => {
                self.nets.set_page(id, action);
                self.check(context);
            }
            Step::AdvanceClock(now) => {
                self.remaining.clock_steps -= 1;
                if self.now + REGISTER_DELAY < now {
                    self.late.retain(|late| !matches!(late, Request::Call(Call::Register(_))));
                }
                self.now = now;
                self.check(context);
            }
        }
        let late = std::mem::take(&mut self.late);
        self.late = late.into_iter().filter(|late| self.can_have_effect(late, context)).collect();
    }

    /// The request of a process that waits for a reply.
    #[must_use]
    pub fn request(&self, process: usize) -> Request {
        self.processes[process].run.as_ref().map_or(Request::Get, |run| run.request.clone())
    }

    fn begin(
        &mut self,
        process: usize,
        operation: Operation,
        now: DateTime<Utc>,
        stale_read: bool,
    ) {
        let verified = self.nets.transactions().filter(|one| one.verified > 0).map(|one| one.id);
        let verified = if operation.reconciles() { verified.collect() } else { Vec::new() };
        let first = if stale_read { self.table.previous.clone() } else { self.table.item.clone() };
        // The expiry schedule was started by an index entry. Other steps are possible before its read.
        let replies =
            if operation == Operation::Expire { Vec::new() } else { vec![Reply::Read(first)] };
        let at_begin = AtBegin { version: self.table.version(), verified };
        let run = Run { at_begin, ..Run::new(operation, now, replies) };
        self.processes[process].run = Some(Arc::new(run));
    }

    /// Counts a card that the schedule stored.
    fn count_schedule_activation(
        &self,
        process: usize,
        request: &Request,
        reply: &Reply,
        context: &StepContext<'_>,
    ) {
        let is_finish = |run: &Arc<Run>| run.operation == Operation::Finish;
        if self.processes[process].run.as_ref().is_some_and(is_finish)
            && let (Request::Put(put), Reply::Written) = (request, reply)
            && put.annotation.has_card()
        {
            context.count(Event::ActivatedBySchedule);
        }
    }

    /// Adds a reply, or its absence, and continues the run.
    fn reply(
        &mut self,
        process: usize,
        reply: Reply,
        scripts: &[Vec<Operation>],
        context: &StepContext<'_>,
    ) {
        if let Some(run) = &mut self.processes[process].run {
            Arc::make_mut(run).replies.push(reply);
        }
        self.proceed(process, scripts, context);
    }

    /// Continues a run to its next request, or to its end.
    fn proceed(&mut self, process: usize, scripts: &[Vec<Operation>], context: &StepContext<'_>) {
        let Some(mut run) = self.processes[process].run.take() else { return };
        let earlier: usize = scripts[..process].iter().map(Vec::len).sum();
        // `ProtocolModel::new` checks that there are enough ids.
        let ordinal = u8::try_from(earlier).unwrap_or_default() + self.processes[process].done;
        let RunProgress { state, events, version, reported_done, reported_not_done } =
            run.replay(context.run_settings(ordinal));
        for event in events {
            context.count(event);
        }
        self.table.check_reported(&reported_done, reported_not_done, &mut self.violations);
        let is_current = version >= run.at_begin.version || !run.operation.is_request();
        let is_decided_on_current = version == self.table.version() && reported_done.is_empty();
        match state {
            RunState::Waiting(request) => {
                self.check_request(&request, &run);
                let waiting = Arc::make_mut(&mut run);
                (waiting.request, waiting.repeated) = (request, false);
                self.processes[process].run = Some(run);
                return;
            }
            RunState::Succeeded(success) => {
                self.violations.add_unless(is_current, Violation::StaleResponse);
                self.check_refusal(&run, None, is_decided_on_current);
                self.return_to_client(success);
            }
            RunState::Failed(Failure::Refused(refusal)) => {
                if refusal == Refusal::NotAwaitingCard && run.has_verified_card() {
                    context.count(Event::CardTooLate);
                }
                self.violations.add_unless(is_current, Violation::StaleResponse);
                self.check_refusal(&run, Some(refusal), is_decided_on_current);
            }
            RunState::Failed(Failure::Busy | Failure::Unavailable) => {}
        }
        self.processes[process].done += 1;
    }

    /// Checks the result against the contract, if the run decided on the current version and wrote nothing.
    fn check_refusal(&mut self, run: &Run, refusal: Option<Refusal>, is_decided_on_current: bool) {
        let is_expected = match self.specification.expected_result(run.operation, run.now) {
            ExpectedResult::Accepted => refusal.is_none(),
            ExpectedResult::Refused(expected) => refusal == Some(expected),
            ExpectedResult::DependsOnNets => refusal != Some(Refusal::NotFound),
        };
        self.violations.add_unless(is_expected || !is_decided_on_current, Violation::WrongRefusal);
    }

    fn check_request(&mut self, request: &Request, run: &Run) {
        if let Request::Call(Call::Verify(session)) = request {
            let is_verified_again = run.at_begin.verified.contains(&session.transaction_id);
            self.violations.add_unless(!is_verified_again, Violation::VerifiedAgain);
        }
    }

    /// Returns a result to the client, which may include the address of a page.
    pub(super) fn return_to_client(&mut self, success: Success) {
        if let Success::Page(session) = success {
            self.violations
                .add_unless(self.nets.of(&session).is_some(), Violation::PageWithoutTransaction);
            if !self.pages.contains(&session.transaction_id) {
                self.pages.push(session.transaction_id);
                self.pages.sort_unstable();
            }
        }
    }

    fn kill(&mut self, process: usize, context: &StepContext<'_>) {
        self.remaining.kills -= 1;
        context.count(Event::Killed);
        let Some(run) = self.processes[process].run.take() else { return };
        self.processes[process].done += 1;
        if matches!(run.request, Request::Put(_)) {
            context.count(Event::KilledWithWrite);
            if run
                .replies
                .iter()
                .any(|reply| matches!(reply, Reply::Answered(Answer::Verification(_))))
            {
                context.count(Event::KilledAfterNets);
            }
        }
        self.late.push(run.request.clone());
    }

    fn execute_late(&mut self, request: &Request, context: &StepContext<'_>) {
        let reply = self.execute(request, context);
        match (request, reply) {
            (Request::Put(_), Reply::Written) => context.count(Event::LateWrite),
            (Request::Call(Call::Register(_)), _) => context.count(Event::LateRegister),
            (Request::Call(Call::Verify(_)), _) => context.count(Event::LateVerify),
            _ => {}
        }
    }
}

/// How long after its sender stopped waiting Nets may still start a Register.
const REGISTER_DELAY: TimeDelta = TimeDelta::seconds(30);
/// How far the clock of a client can be behind.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(2);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { process, clock_behind, stale_read } => {
                let clock_behind = if *clock_behind { " with its clock behind" } else { "" };
                let stale_read = if *stale_read { " with a stale read" } else { "" };
                write!(f, "process {process} begins{clock_behind}{stale_read}")
            }
            Self::Execute(process) => write!(f, "the request of process {process} is executed"),
            Self::RepeatWrite(process) => {
                write!(f, "the write of process {process} is executed and sent again")
            }
            Self::LoseRequest(process) => {
                write!(f, "the request of process {process} is lost")
            }
            Self::LoseReply(process) => {
                write!(f, "the request of process {process} is executed, its reply is lost")
            }
            Self::Kill(process) => write!(f, "process {process} is killed"),
            Self::ExecuteLate(index) => write!(f, "late request {index} is executed"),
            Self::CustomerActs(id, page) => write!(f, "the page of {id} becomes {page:?}"),
            Self::AdvanceClock(now) => write!(f, "the clock moves to {now}"),
        }
    }
}
