//! Checks that each response is the specification's response at a version that the invocation read or wrote.

use serde_json::Value;

use super::invocation::{Invocation, Read, Returned};
use super::{Checker, Violation, customer_of, empty_wallet, probe_of};
use crate::order::lambda::Response;
use crate::order::operation::{Call, Operation};
use crate::order::spec::{
    Expected, Problem, SECOND, Wallet, authorize_responses, decide, refused_by_request_parsing,
};

/// Number of attempts of a change before the response is "busy".
const MAX_ATTEMPTS: usize = 5;
/// How long after the end of a wait the last read can begin, on a machine with much other work.
const MAX_DELAY: i64 = 2 * SECOND;

impl Checker {
    /// Checks the response of an invocation, if it has one and all versions that it depends on are known.
    pub(super) fn check(&mut self, id: u64) -> Result<(), Violation> {
        let Some(invocation) = self.invocations.get(&id) else { return Ok(()) };
        if invocation.is_checked || invocation.unresolved > 0 {
            return Ok(());
        }
        let matched = match &invocation.returned {
            Returned::Pending => return Ok(()),
            Returned::Unknown => None,
            Returned::Responded(response) => self.matching_version(id, invocation, response)?,
        };
        if let Some((slot, version)) = matched
            && let Some(history) = self.wallets.get_mut(&slot)
        {
            history.acknowledged = history.acknowledged.max(version);
        }
        let call = invocation.call.clone();
        match &invocation.returned {
            Returned::Pending => {}
            Returned::Unknown => self.totals.unknown_responses += 1,
            Returned::Responded(response) => {
                let kind = response.problem().unwrap_or_default().to_owned();
                let key = (call.operation.name(), response.status, kind);
                *self.totals.responses.entry(key).or_default() += 1;
                if let Some(transaction) = response.body["transactionId"].as_u64() {
                    self.record_registration(transaction)?;
                }
            }
        }
        if let Some(invocation) = self.invocations.get_mut(&id) {
            invocation.is_checked = true;
        }
        Ok(())
    }

    /// A response contains the address of a terminal, so Nets has registered the session. The wallet must not have it as failed.
    fn record_registration(&mut self, transaction: u64) -> Result<(), Violation> {
        let at = self.events;
        self.sessions.registered(transaction, at);
        let Some(history) = self.wallets.get(&(transaction >> 14)) else { return Ok(()) };
        let wallet = history.newest();
        let payment = wallet.as_ref().and_then(|wallet| wallet.find(transaction >> 4));
        if payment.is_some_and(|payment| payment.has_failed(transaction & 15)) {
            let what = format!(
                "the session {transaction} is registered at Nets, but failed in the wallet: \
                 an entered card would be lost"
            );
            return Err(history.violation(&what));
        }
        Ok(())
    }

    /// Returns the version that the response matches; `None` if the response does not depend on a wallet.
    fn matching_version(
        &self,
        id: u64,
        invocation: &Invocation,
        response: &Response,
    ) -> Result<Option<(u64, u64)>, Violation> {
        let call = &*invocation.call;
        let violation = |what: String| {
            let history = self.slot_of(call).and_then(|slot| self.wallets.get(&slot));
            history.map_or_else(|| Violation::new(what.clone()), |history| history.violation(&what))
        };
        if let Some(problem) = refused_by_request_parsing(call) {
            let what = || format!("{:?}: expected {problem:?}, got {response:?}", call.operation);
            return if matches_expected(response, &Expected::Refused(problem)) {
                Ok(None)
            } else {
                Err(violation(what()))
            };
        }
        if let Operation::Payment(operation) = &call.operation {
            return self.check_card(invocation, operation, response).map(|()| None);
        }
        let last_write = invocation.writes.last();
        match (response.status, response.problem()) {
            (503, Some("unavailable")) => return Ok(None),
            (409, Some("busy"))
                if last_write.is_none() && invocation.failed_attempts() >= MAX_ATTEMPTS =>
            {
                return Ok(None);
            }
            _ => {}
        }
        if matches!(call.operation, Operation::Callback(_) | Operation::Expire | Operation::Finish)
        {
            let is_ok = response.status == 200;
            return if is_ok {
                Ok(None)
            } else {
                Err(violation(format!("the response of {id} is {response:?}")))
            };
        }
        if let Some(expected) = last_write.and_then(|write| write.response.as_ref()) {
            let at = last_write.map(|write| (write.slot, write.version));
            let what = || format!("{id} {call:?}: expected {expected:?}, got {response:?}");
            return if matches_expected(response, expected) {
                Ok(at)
            } else {
                Err(violation(what()))
            };
        }
        let reads = invocation.reads.iter().rev();
        let mut matching = reads.filter(|read| self.matches_read(invocation, read, response));
        if let Some(read) = matching.find(|read| invocation.is_recent(read.slot, read.version)) {
            return Ok(Some((read.slot, read.version)));
        }
        let versions: Vec<_> =
            invocation.reads.iter().map(|read| (read.version, &read.wallet)).collect();
        Err(violation(format!(
            "{id} {call:?}: the response {response:?} matches no version that the invocation can have read: it read {versions:?}, \
             wrote {:?}, and began after {:?} was acknowledged",
            last_write.map(|write| (write.version, &write.wallet)),
            invocation.min_version
        )))
    }

    /// Whether a response is correct for an invocation that read this and changed nothing.
    fn matches_read(&self, invocation: &Invocation, read: &Read, response: &Response) -> bool {
        let call = &*invocation.call;
        let Some(wallet) = wallet_of_call(call, read) else {
            return call.operation.id().is_some()
                && matches_expected(response, &Expected::Refused(Problem::new(404, "not-found")));
        };
        let wallet = wallet.at(call.now);
        if let Operation::Authorize(id) = call.operation {
            let possible = |transaction| {
                self.sessions.possible_reconciliations(transaction, invocation.position)
            };
            let is_hidden = !wallet.allows(&call.caller);
            let all = if is_hidden {
                vec![Expected::Refused(Problem::new(404, "not-found"))]
            } else {
                authorize_responses(&wallet, id, &possible, call.now)
            };
            return all.iter().any(|expected| matches_expected(response, expected));
        }
        possible_wallets(call, wallet).into_iter().any(|before| {
            let mut wallet = before.clone();
            match decide(call, &mut wallet) {
                Ok(expected) => wallet == before && matches_expected(response, &expected),
                Err(problem) => matches_expected(response, &Expected::Refused(problem)),
            }
        })
    }
}

/// The wallets that a response can show: the one as of the call. A request that waits reads the wallet again, so for it also the one
/// after each change by time until the end of the wait.
fn possible_wallets(call: &Call, wallet: Wallet) -> Vec<Wallet> {
    let mut wallets = vec![wallet];
    let Operation::Wait(_, seconds) = call.operation else { return wallets };
    let end = call.now + i64::from(seconds) * SECOND + MAX_DELAY;
    while let Some(last) = wallets.last()
        && let Some(at) = last.next_change_at().filter(|at| *at <= end)
    {
        wallets.push(last.at(at));
    }
    wallets
}

/// The wallet that an invocation read, if it is the one that the call concerns.
pub(super) fn wallet_of_call(call: &Call, read: &Read) -> Option<Wallet> {
    let customer = customer_of(call);
    match (&read.wallet, customer) {
        (Some(wallet), None) => Some((**wallet).clone()),
        (Some(wallet), Some(customer)) => {
            let is_same = (wallet.organisation, &wallet.customer) == (customer.0, &customer.1);
            is_same.then(|| (**wallet).clone())
        }
        (None, None) => None,
        (None, Some(customer)) => {
            probe_of(read.slot, &customer).map(|_| empty_wallet(read.slot, &customer))
        }
    }
}

/// Whether a response equals the expected one.
fn matches_expected(response: &Response, expected: &Expected) -> bool {
    let header = |name: &str| response.headers[name].as_str();
    match expected {
        Expected::Success(status, body, location) => {
            let matches = response.status == *status && header("location") == location.as_deref();
            matches
                && response.body == *body
                && (body.is_null() || header("content-type") == Some("application/hal+json"))
        }
        Expected::Terminal(body) => {
            let mut rest = response.body.clone();
            let uri = rest.as_object_mut().and_then(|members| members.remove("terminalUri"));
            let query = format!("transactionId={}", body["transactionId"]);
            let uri = uri.as_ref().and_then(Value::as_str).unwrap_or_default();
            response.status == 201 && rest == *body && uri.ends_with(&query)
        }
        Expected::Refused(problem) => {
            response.status == problem.status
                && response.problem() == Some(problem.kind)
                && response.body["errorReason"].as_str() == problem.reason
                && response.body["status"] == problem.status
                && header("content-type") == Some("application/problem+json")
        }
    }
}
