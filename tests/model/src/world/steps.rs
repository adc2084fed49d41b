//! The steps: what can happen next, and what it makes of a state.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::error::Refusal;

use super::{Rules, World};
use crate::breach::Breach;
use crate::event::Event;
use crate::item::WriteId;
use crate::nets::Page;
use crate::operation::Operation;
use crate::protocol::Given;
use crate::run::{CameTo, Progressed, Run};
use crate::truth::Verdict;
use crate::wire::{Failure, Reply, Request};

/// A step. Parties and late requests are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A party begins its next operation, and reads.
    Begin {
        /// Who.
        who: usize,
        /// Whether its clock is behind.
        behind: bool,
        /// Whether its first read is stale.
        stale: bool,
    },
    /// A request is carried out, and its reply arrives.
    Answer(usize),
    /// A write is carried out, its reply is lost, and the SDK sends it again.
    Repeat(usize),
    /// A request, or its reply, is lost, and its sender gives it up. A write may still arrive.
    Lose(usize),
    /// A receiver hears, and the 202 is lost.
    LoseReply(usize),
    /// A function is killed. A write that is on its way may still arrive.
    Kill(usize),
    /// A request that was given up arrives.
    Arrive(usize),
    /// The customer does something at a page.
    Visit(TransactionId, Page),
    /// The clock moves on.
    Wait(DateTime<Utc>),
}

/// How the clock moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// By so much.
    By(TimeDelta),
    /// To when the index of chores says.
    ToChore,
    /// To when the index of expiries says.
    ToExpiry,
    /// To just before that.
    BeforeExpiry,
}

impl World {
    /// One step.
    pub fn step(&mut self, step: Step, scripts: &[Vec<Operation>], rules: &Rules<'_>) {
        match step {
            Step::Begin { who, behind, stale } => {
                let now = if behind { self.now - BEHIND } else { self.now };
                let operation = scripts[who][usize::from(self.parties[who].done)];
                self.begin(who, operation, now, stale);
                self.proceed(who, scripts, rules);
            }
            Step::Answer(who) => {
                let request = self.request(who);
                let mut reply = self.execute(&request, rules);
                if let Reply::Beaten(_, repeated) = &mut reply {
                    *repeated = self.parties[who].run.as_ref().is_some_and(|run| run.repeated);
                }
                self.note_schedule(who, &request, &reply, rules);
                self.reply(who, reply, scripts, rules);
            }
            Step::Repeat(who) => {
                self.left.losses -= 1;
                let request = self.request(who);
                self.execute(&request, rules);
                if let Some(run) = &mut self.parties[who].run {
                    Arc::make_mut(run).repeated = true;
                }
            }
            Step::Lose(who) => {
                self.left.losses -= 1;
                let request = self.request(who);
                if let Request::Tell(notification) = &request {
                    self.tell(notification, false);
                }
                self.late.push(request);
                self.reply(who, Reply::Lost, scripts, rules);
            }
            Step::LoseReply(who) => {
                self.left.losses -= 1;
                rules.note(Event::HeardUnheard);
                let request = self.request(who);
                self.execute(&request, rules);
                self.reply(who, Reply::Lost, scripts, rules);
            }
            Step::Kill(who) => self.kill(who, rules),
            Step::Arrive(which) => {
                let request = self.late.remove(which);
                self.arrive(&request, rules);
            }
            Step::Visit(id, does) => {
                self.nets.visit(id, does);
                self.judge(rules);
            }
            Step::Wait(now) => {
                self.left.waits -= 1;
                if self.now + LATE_AT_NETS < now {
                    self.late.retain(|late| !matches!(late, Request::Register(_)));
                }
                self.now = now;
                self.judge(rules);
            }
        }
        let late = std::mem::take(&mut self.late);
        self.late = late.into_iter().filter(|late| self.can_matter(late, rules)).collect();
    }

    /// The request that a party waits with.
    #[must_use]
    pub fn request(&self, who: usize) -> Request {
        self.parties[who].run.as_ref().map_or(Request::Get, |run| run.request.clone())
    }

    fn begin(&mut self, who: usize, operation: Operation, now: DateTime<Utc>, stale: bool) {
        let verified = self.nets.transactions().filter(|one| one.verified > 0).map(|one| one.id);
        let verified = if operation.looks() { verified.collect() } else { Vec::new() };
        let first = if stale { self.before.clone() } else { self.table.clone() };
        self.parties[who].run = Some(Arc::new(Run {
            operation,
            now,
            // Between what an index says and the read that follows there is time.
            replies: if operation == Operation::Expire {
                Vec::new()
            } else {
                vec![Reply::Got(first)]
            },
            request: Request::Get,
            repeated: false,
            floor: self.version(),
            verified,
        }));
    }

    /// Counts a card that nobody but the schedule stored.
    fn note_schedule(&self, who: usize, request: &Request, reply: &Reply, rules: &Rules<'_>) {
        let finishes = |run: &Arc<Run>| run.operation == Operation::Finish;
        if self.parties[who].run.as_ref().is_some_and(finishes)
            && let (Request::Put(put), Reply::Written) = (request, reply)
            && put.intent.brings_a_card()
        {
            rules.note(Event::ActivatedBySchedule);
        }
    }

    /// A reply arrives, or nothing will.
    fn reply(&mut self, who: usize, reply: Reply, scripts: &[Vec<Operation>], rules: &Rules<'_>) {
        if let Some(run) = &mut self.parties[who].run {
            Arc::make_mut(run).replies.push(reply);
        }
        self.proceed(who, scripts, rules);
    }

    /// Goes on to the next request, or to the end.
    fn proceed(&mut self, who: usize, scripts: &[Vec<Operation>], rules: &Rules<'_>) {
        let Some(mut run) = self.parties[who].run.take() else { return };
        let earlier: usize = scripts[..who].iter().map(Vec::len).sum();
        // Scripts are short: `Configuration` checks that there are ids enough.
        let ordinal = u8::try_from(earlier).unwrap_or_default() + self.parties[who].done;
        let Progressed { came_to, events, version, done, denied } =
            run.progress(rules.setting(ordinal));
        for event in events {
            rules.note(event);
        }
        self.check_claims(&done, denied);
        let knows = version >= run.floor || !run.operation.is_request();
        let decided = version == self.version() && done.is_empty();
        match came_to {
            CameTo::Waits(request) => {
                self.check_request(&request, &run);
                let waiting = Arc::make_mut(&mut run);
                (waiting.request, waiting.repeated) = (request, false);
                self.parties[who].run = Some(run);
                return;
            }
            CameTo::Gives(given) => {
                self.breaches.unless(knows, Breach::StaleAnswer);
                self.check_refusal(&run, None, decided);
                self.give(given);
            }
            CameTo::Fails(Failure::Refused(refusal)) => {
                if refusal == Refusal::NotAwaitingCard && run.has_verified() {
                    rules.note(Event::CardTooLate);
                }
                self.breaches.unless(knows, Breach::StaleAnswer);
                self.check_refusal(&run, Some(refusal), decided);
            }
            CameTo::Fails(Failure::Busy | Failure::Unavailable) => {}
        }
        self.parties[who].done += 1;
    }

    /// What a function takes for done is done, and what it says is not done is not.
    fn check_claims(&mut self, done: &[WriteId], denied: Option<WriteId>) {
        let so = done.iter().all(|id| self.written.has(*id));
        self.breaches.unless(so, Breach::FalseAnswer);
        if let Some(id) = denied {
            self.denied.add(id);
            self.breaches.unless(!self.written.has(id), Breach::DeniedAndDone);
        }
    }

    /// What is answered is what the contract says, if it was decided on what is stored now, and without a write.
    fn check_refusal(&mut self, run: &Run, refusal: Option<Refusal>, on_this: bool) {
        let right = match self.truth.verdict(run.operation, run.now) {
            Verdict::Carried => refusal.is_none(),
            Verdict::Refused(expected) => refusal == Some(expected),
            Verdict::Open => refusal != Some(Refusal::NotFound),
        };
        self.breaches.unless(right || !on_this, Breach::FalseRefusal);
    }

    fn check_request(&mut self, request: &Request, run: &Run) {
        if let Request::Verify(visit) = request {
            let again = run.verified.contains(&visit.transaction_id);
            self.breaches.unless(!again, Breach::AskedAgain);
        }
    }

    /// Somebody is given what they asked for.
    pub(super) fn give(&mut self, given: Given) {
        if let Given::Page(visit) = given {
            self.breaches.unless(self.nets.of(&visit).is_some(), Breach::NoPage);
            if !self.pages.contains(&visit.transaction_id) {
                self.pages.push(visit.transaction_id);
                self.pages.sort_unstable();
            }
        }
    }

    fn kill(&mut self, who: usize, rules: &Rules<'_>) {
        self.left.kills -= 1;
        rules.note(Event::Killed);
        let Some(run) = self.parties[who].run.take() else { return };
        self.parties[who].done += 1;
        if matches!(run.request, Request::Put(_)) {
            rules.note(Event::KilledWithWrite);
            if run.replies.iter().any(|reply| matches!(reply, Reply::Verification(_))) {
                rules.note(Event::KilledAfterNets);
            }
        }
        self.late.push(run.request.clone());
    }

    fn arrive(&mut self, request: &Request, rules: &Rules<'_>) {
        let reply = self.execute(request, rules);
        match (request, reply) {
            (Request::Put(_), Reply::Written) => rules.note(Event::LateWrite),
            (Request::Register(_), _) => rules.note(Event::LateRegister),
            (Request::Verify(_), _) => rules.note(Event::LateVerify),
            _ => {}
        }
    }
}

/// After how long Nets is not going to begin with what its sender has given up.
const LATE_AT_NETS: TimeDelta = TimeDelta::seconds(30);
/// How far a clock can be behind another one.
const BEHIND: TimeDelta = TimeDelta::seconds(2);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { who, behind, stale } => {
                let behind = if *behind { ", its clock behind" } else { "" };
                let stale = if *stale { ", and reads what is stale" } else { "" };
                write!(f, "{who} begins{behind}{stale}")
            }
            Self::Answer(who) => write!(f, "{who} is answered"),
            Self::Repeat(who) => write!(f, "{who}'s write is done, and sent again"),
            Self::Lose(who) => write!(f, "{who} hears nothing"),
            Self::LoseReply(who) => write!(f, "{who} is heard, and does not hear so"),
            Self::Kill(who) => write!(f, "{who} is killed"),
            Self::Arrive(which) => write!(f, "late request {which} arrives"),
            Self::Visit(id, page) => write!(f, "the customer at {id}: {page:?}"),
            Self::Wait(now) => write!(f, "it is {now}"),
        }
    }
}
