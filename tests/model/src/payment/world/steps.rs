//! The steps, and how each of them changes a state.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use shared::domain::id::RegistrationId;
use shared::domain::payment::State;
use shared::netaxept::Processed;

use super::{LateRequest, World};
use crate::event::Event;
use crate::payment::nets::Page;
use crate::payment::operation::Operation;
use crate::payment::protocol::Success;
use crate::payment::{Answer, AtBegin, Call, Failure, Put, Reply, Request, Run};
use crate::run::{RunProgress, RunState};
use crate::violation::Violation;
use crate::world::StepContext;

/// A step. Processes and late requests have an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A process begins its next operation. Except for `Create`, this includes its first request.
    Begin(usize),
    /// The request of a process is executed, and its reply arrives.
    Execute(usize),
    /// A write is executed, its reply is lost, and the SDK sends it again.
    RepeatWrite(usize),
    /// A request is lost, and its sender stops waiting. The request may still arrive later, also at once: then only its reply is
    /// lost.
    LoseRequest(usize),
    /// A function is killed. Its last request may still arrive.
    Kill(usize),
    /// A late request arrives and is executed.
    ExecuteLate(usize),
    /// The customer acts on a page.
    CustomerActs(RegistrationId, Page),
    /// Nets authorizes an auto sale by itself.
    NetsAuthorizes(RegistrationId),
    /// The clock moves to this instant.
    AdvanceClock(DateTime<Utc>),
}

impl World {
    /// Executes a step.
    pub fn step(&mut self, step: Step, scripts: &[Vec<Operation>], context: &StepContext<'_>) {
        match step {
            Step::Begin(process) => {
                let operation = scripts[process][usize::from(self.processes[process].done)];
                self.begin(process, operation, scripts, context);
            }
            Step::Execute(process) => self.execute_and_reply(process, scripts, context),
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
                self.late.push(LateRequest { request, since: self.now });
                self.reply(process, Reply::Lost, scripts, context);
            }
            Step::Kill(process) => self.kill(process, context),
            Step::ExecuteLate(index) => {
                let LateRequest { request, .. } = self.late.remove(index);
                self.execute_late(&request, context);
            }
            Step::CustomerActs(id, action) => self.nets.set_page(id, action),
            Step::NetsAuthorizes(id) => {
                self.nets.authorize_automatically(id, self.now);
                context.count(Event::AuthorizedByNets);
                self.check(context);
            }
            Step::AdvanceClock(now) => {
                self.remaining.clock_steps -= 1;
                self.now = now;
                self.check(context);
            }
        }
        let late = std::mem::take(&mut self.late);
        self.late = late.into_iter().filter(|late| self.can_arrive(late)).collect();
    }

    fn begin(
        &mut self,
        process: usize,
        operation: Operation,
        scripts: &[Vec<Operation>],
        context: &StepContext<'_>,
    ) {
        self.requested(operation);
        let mut run = Run::new(operation, self.now, Vec::new());
        run.at_begin = self.at_begin();
        self.processes[process].run = Some(Arc::new(run));
        self.proceed(process, scripts, context);
        if operation.begins_with_first_request() {
            self.execute_and_reply(process, scripts, context);
        }
    }

    /// Adds a request to the history.
    pub(super) fn requested(&mut self, operation: Operation) {
        if let Operation::Credit(_, total) = operation {
            let captured = self.nets.registered().map(|one| one.captured).max().unwrap_or_default();
            let history = Arc::make_mut(&mut self.history);
            history.creditable_minor = history.creditable_minor.max(total.unwrap_or(captured));
        }
    }

    pub(super) fn at_begin(&self) -> AtBegin {
        let is_authorized = self.payment().is_some_and(|payment| {
            let mut transactions = payment.history().map(|(_, transaction)| transaction);
            transactions.any(|one| {
                matches!(&one.state, State::Initiated(initiated) if initiated.is_authorized())
            })
        });
        // The facts are part of the state, so they are kept only where a property needs them.
        AtBegin { card_ended: self.card_ended, is_authorized: self.card_ended && is_authorized }
    }

    fn execute_and_reply(
        &mut self,
        process: usize,
        scripts: &[Vec<Operation>],
        context: &StepContext<'_>,
    ) {
        let request = self.request(process);
        let mut reply = self.execute(&request, context);
        if let Reply::Conflict(_, repeated) = &mut reply {
            *repeated = self.processes[process].run.as_ref().is_some_and(|run| run.repeated);
        }
        self.reply(process, reply, scripts, context);
    }

    /// Executes a request. The caller decides whether the reply arrives.
    pub(super) fn execute(&mut self, request: &Request, context: &StepContext<'_>) -> Reply {
        match request {
            Request::Get => Reply::Read(self.table.item.clone()),
            Request::Put(put) => self.put(put, context),
            Request::Call(Call::ReadCard) => Reply::Answered(Answer::Card(!self.card_ended)),
            Request::Call(Call::EndCard) => {
                self.card_ended = true;
                Reply::Answered(Answer::Done)
            }
            Request::Call(Call::Refund(minor)) => {
                self.refund(*minor, context);
                Reply::Answered(Answer::Done)
            }
            Request::Call(call) => self.call_nets(call, context),
        }
    }

    /// A refund that a credit in progress cannot know of is creditable in addition. Any other one is part of the totals.
    fn refund(&mut self, minor: u64, context: &StepContext<'_>) {
        if !self.nets.refund(minor) {
            return;
        }
        context.count(Event::RefundedAtNets);
        let credited = self.nets.registered().map(|one| one.credited).sum();
        let is_crediting = self.is_crediting();
        let history = Arc::make_mut(&mut self.history);
        history.refunded_minor += minor;
        history.creditable_minor = if is_crediting {
            history.creditable_minor + minor
        } else {
            history.creditable_minor.max(credited)
        };
        self.check(context);
    }

    /// Whether a CREDIT may be sent or executed without a Query after this instant.
    fn is_crediting(&self) -> bool {
        let runs = self.processes.iter().filter_map(|process| process.run.as_deref());
        let is_late =
            |late: &LateRequest| matches!(late.request, Request::Call(Call::Credit { .. }));
        runs.into_iter().any(|run| run.operation.may_credit()) || self.late.iter().any(is_late)
    }

    fn call_nets(&mut self, call: &Call, context: &StepContext<'_>) -> Reply {
        let Some(answer) = self.nets.execute(call, self.now) else { return Reply::Lost };
        let is_done = answer == Answer::Processed(Processed::Done);
        if let Call::Capture(id, _) = call
            && is_done
        {
            context.count(Event::CapturedAtNets);
            let is_over = self.history.answer(id.transaction).over;
            self.violations.add_unless(!is_over, Violation::AnswerTakenBack);
        }
        if matches!(call, Call::Credit { .. }) && is_done {
            context.count(Event::CreditedAtNets);
        }
        if !matches!(call, Call::Query { .. }) {
            self.check(context);
        }
        Reply::Answered(answer)
    }

    fn put(&mut self, put: &Put, context: &StepContext<'_>) -> Reply {
        if let Err(conflict) = self.table.put(put, &mut self.violations, context) {
            return conflict;
        }
        Arc::make_mut(&mut self.history).stored(&put.item.contents);
        self.check_write();
        self.check(context);
        Reply::Written
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
        // `PaymentModel::new` checks that there are enough ids.
        let ordinal = u8::try_from(earlier).unwrap_or_default() + self.processes[process].done;
        let RunProgress { state, events, reported_done, reported_not_done, .. } =
            run.replay(context.run_settings(ordinal));
        for event in events {
            context.count(event);
        }
        self.table.check_reported(&reported_done, reported_not_done, &mut self.violations);
        match state {
            RunState::Waiting(request) => {
                self.check_request(&request, &run);
                let waiting = Arc::make_mut(&mut run);
                (waiting.request, waiting.repeated) = (request, false);
                self.processes[process].run = Some(run);
                return;
            }
            RunState::Succeeded(success) => self.answer(run.operation, success),
            RunState::Failed(Failure::Refused(refusal)) => self.refuse(run.operation, refusal),
            RunState::Failed(Failure::Busy | Failure::Unavailable) => {}
        }
        self.processes[process].done += 1;
    }

    /// Returns a result to the client, which may include the address of a page.
    pub(super) fn answer(&mut self, operation: Operation, success: Success) {
        match success {
            Success::Plain => {}
            Success::Terminal(id) => {
                self.violations.add_unless(self.nets.get(id).is_some(), Violation::FalseAnswer);
                if let Err(index) = self.pages.binary_search(&id) {
                    self.pages.insert(index, id);
                }
            }
            Success::Transaction(view) => self.answer_transaction(operation, view),
        }
    }

    fn kill(&mut self, process: usize, context: &StepContext<'_>) {
        self.remaining.kills -= 1;
        context.count(Event::Killed);
        let Some(run) = self.processes[process].run.take() else { return };
        self.processes[process].done += 1;
        if matches!(run.request, Request::Put(_)) {
            context.count(Event::KilledWithWrite);
            let is_money = |reply: &Reply| {
                matches!(reply, Reply::Answered(Answer::Processed(_) | Answer::Authorization(_)))
            };
            if run.replies.iter().any(is_money) {
                context.count(Event::KilledAfterNets);
            }
        }
        self.late.push(LateRequest { request: run.request.clone(), since: self.now });
    }

    fn execute_late(&mut self, request: &Request, context: &StepContext<'_>) {
        let reply = self.execute(request, context);
        match (request, reply) {
            (Request::Put(_), Reply::Written) => context.count(Event::LateWrite),
            (Request::Call(Call::Register { .. }), _) => context.count(Event::LateRegister),
            (Request::Call(Call::Authorize(_)), _) => context.count(Event::LateAuthorization),
            (Request::Call(Call::Capture(..)), _) => context.count(Event::LateCapture),
            (Request::Call(Call::Credit { .. }), _) => context.count(Event::LateCredit),
            _ => {}
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(process) => write!(f, "process {process} begins"),
            Self::Execute(process) => write!(f, "the request of process {process} is executed"),
            Self::RepeatWrite(process) => {
                write!(f, "the write of process {process} is executed and sent again")
            }
            Self::LoseRequest(process) => write!(f, "the request of process {process} is lost"),
            Self::Kill(process) => write!(f, "process {process} is killed"),
            Self::ExecuteLate(index) => write!(f, "late request {index} is executed"),
            Self::CustomerActs(id, page) => write!(f, "the page of {id} becomes {page:?}"),
            Self::NetsAuthorizes(id) => write!(f, "Nets authorizes {id} by itself"),
            Self::AdvanceClock(now) => write!(f, "the clock moves to {now}"),
        }
    }
}
