//! Each answer is what the specification answers at the version that its invocation read or wrote.

use serde_json::Value;

use super::invocation::{Invocation, Returned, Seen};
use super::{Checker, Violation, empty, probe_of, whose};
use crate::order::event::Answer;
use crate::order::operation::{Call, Operation};
use crate::order::spec::{Expected, Problem, Wallet, answers, decide, refused_at_the_door};

/// How often a change is decided before a caller is told that it is busy.
const TRIES: usize = 5;

impl Checker {
    /// Checks an answer, once it is there and everything that it may stand on is known.
    pub(super) fn check(&mut self, id: u64) -> Result<(), Violation> {
        let Some(invocation) = self.invocations.get(&id) else { return Ok(()) };
        if invocation.checked || invocation.unresolved > 0 {
            return Ok(());
        }
        let point = match &invocation.returned {
            Returned::NotYet => return Ok(()),
            Returned::Unknown => None,
            Returned::Answered(answer) => self.point(id, invocation, answer)?,
        };
        if let Some((slot, version)) = point
            && let Some(history) = self.wallets.get_mut(&slot)
        {
            history.acknowledged = history.acknowledged.max(version);
        }
        let call = invocation.call.clone();
        match &invocation.returned {
            Returned::NotYet => {}
            Returned::Unknown => self.totals.unknown += 1,
            Returned::Answered(answer) => {
                let kind = answer.problem().unwrap_or_default().to_owned();
                let key = (call.operation.function(), answer.status, kind);
                *self.totals.answers.entry(key).or_default() += 1;
                if let Some(transaction) = answer.body["transactionId"].as_u64() {
                    self.opened(transaction)?;
                }
            }
        }
        if let Some(invocation) = self.invocations.get_mut(&id) {
            invocation.checked = true;
        }
        Ok(())
    }

    /// Somebody was told of a terminal: so Nets has it, and the wallet must not say otherwise.
    fn opened(&mut self, transaction: u64) -> Result<(), Violation> {
        let at = self.events;
        self.visits.registered(transaction, at);
        let Some(history) = self.wallets.get(&(transaction >> 14)) else { return Ok(()) };
        let wallet = history.newest();
        let payment = wallet.as_ref().and_then(|wallet| wallet.find(transaction >> 4));
        if payment.is_some_and(|payment| payment.has_failed(transaction & 15)) {
            let what = format!(
                "the page of {transaction} is there, and the wallet says that Nets does not know of it: \
                 a card that is entered is lost"
            );
            return Err(history.violation(&what));
        }
        Ok(())
    }

    /// The version at which the answer is right; nothing where it says nothing of a wallet.
    fn point(
        &self,
        id: u64,
        invocation: &Invocation,
        answer: &Answer,
    ) -> Result<Option<(u64, u64)>, Violation> {
        let call = &*invocation.call;
        let wrong = |what: String| {
            let home = self.home(call).and_then(|slot| self.wallets.get(&slot));
            home.map_or_else(|| Violation::new(what.clone()), |history| history.violation(&what))
        };
        if let Some(problem) = refused_at_the_door(call) {
            let what = || format!("{:?}: expected {problem:?}, got {answer:?}", call.operation);
            return if is(answer, &Expected::Refused(problem)) {
                Ok(None)
            } else {
                Err(wrong(what()))
            };
        }
        let own = invocation.wrote.last();
        match (answer.status, answer.problem()) {
            (503, Some("unavailable")) => return Ok(None),
            (409, Some("busy")) if own.is_none() && invocation.decided_in_vain() >= TRIES => {
                return Ok(None);
            }
            _ => {}
        }
        if matches!(call.operation, Operation::Callback(_) | Operation::Expire | Operation::Finish)
        {
            let fine = answer.status == 200;
            return if fine { Ok(None) } else { Err(wrong(format!("{id} answered {answer:?}"))) };
        }
        if let Some(expected) = own.and_then(|own| own.answer.as_ref()) {
            let at = own.map(|own| (own.slot, own.version));
            let what = || format!("{id} {call:?}: expected {expected:?}, got {answer:?}");
            return if is(answer, expected) { Ok(at) } else { Err(wrong(what())) };
        }
        let seen = invocation.seen.iter().rev();
        let mut fits = seen.filter(|seen| self.fits(invocation, seen, answer));
        if let Some(seen) = fits.find(|seen| invocation.is_recent(seen.slot, seen.version)) {
            return Ok(Some((seen.slot, seen.version)));
        }
        let saw: Vec<_> = invocation.seen.iter().map(|seen| (seen.version, &seen.wallet)).collect();
        Err(wrong(format!(
            "{id} {call:?} answered {answer:?}, which fits no version that it can have read: it saw {saw:?}, \
             wrote {:?}, and began after {:?} was known",
            own.map(|own| (own.version, &own.wallet)),
            invocation.floor
        )))
    }

    /// Whether an answer is right for whoever saw that, and changed nothing.
    fn fits(&self, invocation: &Invocation, seen: &Seen, answer: &Answer) -> bool {
        let call = &*invocation.call;
        let Some(wallet) = wallet(call, seen) else {
            return call.operation.id().is_some()
                && is(answer, &Expected::Refused(Problem::new(404, "not-found")));
        };
        let mut wallet = wallet.at(call.now);
        if let Operation::Authorize(id) = call.operation {
            let found = |transaction| self.visits.findings(transaction, invocation.invoked);
            let hidden = !wallet.admits(&call.caller);
            let all = if hidden {
                vec![Expected::Refused(Problem::new(404, "not-found"))]
            } else {
                answers(&wallet, id, &found, call.now)
            };
            return all.iter().any(|expected| is(answer, expected));
        }
        let before = wallet.clone();
        match decide(call, &mut wallet) {
            Ok(expected) => wallet == before && is(answer, &expected),
            Err(problem) => is(answer, &Expected::Refused(problem)),
        }
    }
}

/// The wallet that somebody saw, if it is the one that the call is about.
fn wallet(call: &Call, seen: &Seen) -> Option<Wallet> {
    let whose = whose(call);
    match (&seen.wallet, whose) {
        (Some(wallet), None) => Some((**wallet).clone()),
        (Some(wallet), Some(whose)) => {
            let is_theirs = (wallet.organisation, &wallet.customer) == (whose.0, &whose.1);
            is_theirs.then(|| (**wallet).clone())
        }
        (None, None) => None,
        (None, Some(whose)) => probe_of(seen.slot, &whose).map(|_| empty(seen.slot, &whose)),
    }
}

/// Whether an answer is the expected one, whole.
fn is(answer: &Answer, expected: &Expected) -> bool {
    let header = |name: &str| answer.headers[name].as_str();
    match expected {
        Expected::Done(status, body, location) => {
            let fits = answer.status == *status && header("location") == location.as_deref();
            fits && answer.body == *body
                && (body.is_null() || header("content-type") == Some("application/hal+json"))
        }
        Expected::Terminal(body) => {
            let mut rest = answer.body.clone();
            let uri = rest.as_object_mut().and_then(|members| members.remove("terminalUri"));
            let named = format!("transactionId={}", body["transactionId"]);
            let uri = uri.as_ref().and_then(Value::as_str).unwrap_or_default();
            answer.status == 201 && rest == *body && uri.ends_with(&named)
        }
        Expected::Refused(problem) => {
            answer.status == problem.status
                && answer.problem() == Some(problem.kind)
                && answer.body["errorReason"].as_str() == problem.reason
                && answer.body["status"] == problem.status
                && header("content-type") == Some("application/problem+json")
        }
    }
}
