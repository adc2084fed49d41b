//! Checks the history of payments. In an idle period all events of the load are known, so the versions of each payment are checked in
//! their order, and then the responses in the order in which they were sent.

mod history;
mod nets;
mod totals;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::item::Payment;
use super::operation::PaymentOperation;
use super::responses;
use crate::order::checker::Violation;
use crate::order::lambda::Response;
use crate::order::operation::{Call, Caller, Operation};
use history::{History, Invocation, Read, Version};
pub use nets::CardEnd;
pub use totals::PaymentTotals;

/// An exchange with the table of payments.
#[derive(Debug)]
pub enum PaymentEvent {
    /// An invocation read the item with this key, or none.
    Read(u64, Option<Box<Payment>>),
    /// The condition of an invocation's write failed. Contains the stored item if the failure returned it.
    ConditionFailed(Option<Box<Payment>>),
    /// An invocation wrote an item.
    Written(Box<Payment>),
}

/// What the checker of wallets knows.
pub(in crate::order) trait Wallets {
    /// Whether a caller may access a payment of the card: customers their own, others those of their organisation.
    fn allows(&self, caller: &Caller, organisation: u64, card: u64) -> bool;
    /// The keyed hash of the owner of a card.
    fn owner(&self, card: u64) -> Option<String>;
}

/// What responses have promised about a transaction, and what was requested.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Whether a response said that it is captured.
    pub(super) is_captured: bool,
    /// Whether a response to a cancellation said that it is cancelled.
    pub(super) is_cancelled: bool,
    /// The largest total of a credit that was confirmed.
    pub(super) credited: u64,
    /// The totals of all credits that were requested. `None` is everything.
    pub(super) requested: BTreeSet<Option<u64>>,
}

/// The checker of payments. It keeps only the data that later events can refer to.
#[derive(Debug, Default)]
pub(in crate::order) struct PaymentChecker {
    invocations: HashMap<u64, Invocation>,
    /// The invocations that may still send a request to Nets.
    open: BTreeSet<u64>,
    histories: HashMap<u64, History>,
    answers: HashMap<u64, Answers>,
    /// The payments with new versions.
    changed: BTreeSet<u64>,
    /// The position of the last idle period.
    last_idle: u64,
    pub(in crate::order) totals: PaymentTotals,
}

impl PaymentChecker {
    /// Records the start of an invocation.
    pub(in crate::order) fn invoked(&mut self, id: u64, call: Arc<Call>, position: u64) {
        self.open.insert(id);
        self.invocations.insert(id, Invocation::new(call, position));
    }

    /// Records the end of an invocation, with its response; without one if the response is lost.
    pub(in crate::order) fn returned(
        &mut self,
        id: u64,
        response: Option<Response>,
        position: u64,
    ) {
        let Some(invocation) = self.invocations.get_mut(&id) else { return };
        // A killed function can have a request on its way.
        if response.is_some() {
            self.open.remove(&id);
        }
        (invocation.returned_at, invocation.response) = (Some(position), response);
    }

    /// Records an exchange of an invocation with the table.
    ///
    /// # Errors
    /// Fails if the invocation is unknown, or if a version is written twice.
    pub(in crate::order) fn exchanged(
        &mut self,
        id: u64,
        event: PaymentEvent,
        position: u64,
    ) -> Result<(), Violation> {
        let unknown =
            || Violation::new(format!("a request about a payment by {id}, which is unknown"));
        let invocation = self.invocations.get_mut(&id).ok_or_else(unknown)?;
        match event {
            PaymentEvent::Read(payment, item) => {
                self.totals.reads += 1;
                invocation.reads.push(Read { payment, item });
            }
            PaymentEvent::ConditionFailed(item) => {
                self.totals.conflicts += 1;
                invocation.conflicts += 1;
                let read = item.map(|item| Read { payment: item.id, item: Some(item) });
                invocation.reads.extend(read);
            }
            PaymentEvent::Written(item) => {
                invocation.writes.push((item.id, item.version, position));
                self.changed.insert(item.id);
                let history = self.histories.entry(item.id).or_default();
                let (number, version) = (item.version, Version { item: *item, invocation: id });
                if number <= history.checked || history.versions.insert(number, version).is_some() {
                    let what = format!("version {number} was written again, by {id}");
                    return Err(history.violation(&what));
                }
            }
        }
        Ok(())
    }

    /// Checks everything that is known. Called in an idle period.
    ///
    /// # Errors
    /// Fails if a rule is violated, or if work is due at `now`.
    pub(in crate::order) fn check_idle(
        &mut self,
        wallets: &dyn Wallets,
        now: i64,
        position: u64,
    ) -> Result<(), Violation> {
        let changed = std::mem::take(&mut self.changed);
        for payment in &changed {
            self.check_versions(*payment, wallets)?;
        }
        let mut ended: Vec<(u64, u64)> = self
            .invocations
            .iter()
            .filter(|(_, invocation)| !invocation.is_checked)
            .filter_map(|(id, invocation)| Some((invocation.returned_at?, *id)))
            .collect();
        ended.sort_unstable();
        for (_, id) in ended {
            self.check_response(id, wallets)?;
        }
        for payment in changed {
            let Some(history) = self.histories.get_mut(&payment) else { continue };
            history.keep_newest_only();
            let due = history.newest().and_then(|newest| newest.task_at).filter(|at| *at <= now);
            if let Some(at) = due {
                return Err(history.violation(&format!("work is due since {at}, at {now}")));
            }
        }
        let last_idle = std::mem::replace(&mut self.last_idle, position);
        self.invocations.retain(|_, one| !one.is_checked || last_idle < one.position);
        let invocations = &self.invocations;
        self.open.retain(|id| invocations.get(id).is_some_and(|one| one.returned_at.is_none()));
        Ok(())
    }

    /// Checks that no version is missing, and that every invocation is finished. Called after the last idle period.
    ///
    /// # Errors
    /// Fails otherwise.
    pub(in crate::order) fn finish(&self) -> Result<(), Violation> {
        for history in self.histories.values() {
            if history.versions.keys().any(|version| history.checked < *version) {
                let missing = history.checked + 1;
                return Err(history.violation(&format!("version {missing} was never written")));
            }
        }
        match self.invocations.iter().find(|(_, invocation)| !invocation.is_checked) {
            Some((id, invocation)) => Err(Violation::new(format!(
                "invocation {id} did not finish: {:?}",
                invocation.call.operation
            ))),
            None => Ok(()),
        }
    }

    /// Checks the new versions of a payment, in their order.
    fn check_versions(&mut self, payment: u64, wallets: &dyn Wallets) -> Result<(), Violation> {
        let Some(history) = self.histories.get_mut(&payment) else { return Ok(()) };
        while let Some(version) = history.versions.get(&(history.checked + 1)) {
            let id = version.invocation;
            let call = self.invocations.get(&id).map(|invocation| invocation.call.clone());
            let Some(call) = call else {
                return Err(history.violation(&format!("a write by {id}, which is unknown")));
            };
            let (after, before) = (&version.item, history.newest());
            let log_line = format!(
                "version {} by {id} at {}: {:?} by {:?}: {:?}",
                after.version, call.now, call.operation, call.caller, after.transactions
            );
            let transition = super::transitions::check(before, after, &call)
                .and_then(|()| check_access(after, &call, wallets));
            self.totals.versions += 1;
            self.totals.orders += u64::from(before.is_none());
            history.log(log_line);
            history.checked += 1;
            if let Err(what) = transition {
                let what = format!("version {}: {what}", history.checked);
                return Err(history.violation(&what));
            }
        }
        Ok(())
    }

    /// Checks the response of an invocation, and that it wrote nothing after its response.
    fn check_response(&mut self, id: u64, wallets: &dyn Wallets) -> Result<(), Violation> {
        let Some(invocation) = self.invocations.get(&id) else { return Ok(()) };
        for read in &invocation.reads {
            let history = self.histories.get(&read.payment);
            match history.map_or(Ok(()), |history| history.check_read(read)) {
                Ok(()) => {}
                Err(what) => return Err(self.violation(read.payment, &format!("{id}: {what}"))),
            }
        }
        let call = invocation.call.clone();
        let Operation::Payment(operation) = &call.operation else { return Ok(()) };
        let matched = match &invocation.response {
            None => None,
            Some(response) => {
                if let Some(what) = invocation.write_after_response(response) {
                    let payment = operation.payment().unwrap_or_default();
                    return Err(self.violation(payment, &format!("{id} {call:?}: {what}")));
                }
                self.matching_version(id, invocation, operation, response, wallets)?
            }
        };
        self.record_request(operation, &call, wallets);
        let Some(invocation) = self.invocations.get_mut(&id) else { return Ok(()) };
        invocation.is_checked = true;
        invocation.reads.clear();
        let (at, response) =
            (invocation.returned_at.unwrap_or_default(), invocation.response.take());
        if let Some((payment, version)) = matched
            && let Some(history) = self.histories.get_mut(&payment)
        {
            history.acknowledged.push((at, version));
        }
        if let (Some(response), Some(transaction)) = (response, operation.transaction()) {
            self.record_answer(operation, transaction, &response);
        }
        Ok(())
    }

    /// The oldest version that the response shows. `None` if the response shows no version.
    fn matching_version(
        &self,
        id: u64,
        invocation: &Invocation,
        operation: &PaymentOperation,
        response: &Response,
        wallets: &dyn Wallets,
    ) -> Result<Option<(u64, u64)>, Violation> {
        let call = &*invocation.call;
        match (response.status, response.problem()) {
            (503, Some("unavailable")) => return Ok(None),
            (409, Some("busy")) if invocation.is_busy() => return Ok(None),
            _ => {}
        }
        let is_background =
            matches!(operation, PaymentOperation::Callback(_) | PaymentOperation::Settle);
        if is_background && response.status == 200 {
            return Ok(None);
        }
        let versions = self.versions_of(invocation);
        let mut matching = versions.iter().filter(|(_, item)| {
            let is_allowed = |item: &&Payment| {
                let card = item.transactions.last().map(|one| one.recurring_payment);
                wallets.allows(&call.caller, item.organisation, card.unwrap_or_default())
            };
            responses::matches(response, operation, item.filter(is_allowed), call.now)
        });
        let found = matching.find(|((payment, version), _)| {
            let history = self.histories.get(payment);
            history
                .is_none_or(|history| history.acknowledged_before(invocation.position) <= *version)
        });
        if let Some((version, _)) = found {
            return Ok(Some(*version));
        }
        let payment = operation.payment().or(versions.first().map(|((payment, _), _)| *payment));
        let what = format!(
            "{id} {call:?}: the response {response:?} matches no version that the invocation can have read: it read or wrote {versions:?}"
        );
        Err(self.violation(payment.unwrap_or_default(), &what))
    }

    /// The versions that an invocation read or wrote, oldest first. Version 0 means that there is no item.
    fn versions_of<'a>(
        &'a self,
        invocation: &'a Invocation,
    ) -> Vec<((u64, u64), Option<&'a Payment>)> {
        let read = |read: &'a Read| {
            let item = read.item.as_deref();
            ((read.payment, item.map_or(0, |item| item.version)), item)
        };
        let written = |(payment, version, _): &(u64, u64, u64)| {
            let history = self.histories.get(payment)?;
            let item = &history.versions.get(version)?.item;
            Some(((*payment, *version), Some(item)))
        };
        let mut versions: Vec<_> = invocation.reads.iter().map(read).collect();
        versions.extend(invocation.writes.iter().filter_map(written));
        if versions.is_empty() {
            // A new payment whose card cannot be charged.
            versions.push(((0, 0), None));
        }
        versions.sort_by_key(|(version, _)| *version);
        versions
    }

    fn record_request(&mut self, operation: &PaymentOperation, call: &Call, wallets: &dyn Wallets) {
        let PaymentOperation::Credit(id, target) = operation else { return };
        let history = self.histories.get(&(id >> 4));
        let Some(newest) = history.and_then(History::newest) else { return };
        let Some(transaction) = newest.transaction(*id) else { return };
        if wallets.allows(&call.caller, newest.organisation, transaction.recurring_payment) {
            self.answers.entry(*id).or_default().requested.insert(*target);
        }
    }

    /// Records what a response promised.
    fn record_answer(&mut self, operation: &PaymentOperation, id: u64, response: &Response) {
        if response.status != 200 {
            return;
        }
        let credited = response.body["summary"]["creditedAmount"].as_str().map(minor);
        let is_cancelled = response.body["status"] == "CANCELLED";
        let answers = self.answers.entry(id).or_default();
        match operation {
            PaymentOperation::Capture(_) => answers.is_captured = true,
            PaymentOperation::Cancel(_) => answers.is_cancelled |= is_cancelled,
            PaymentOperation::Credit(..) => {
                answers.credited = answers.credited.max(credited.unwrap_or_default());
            }
            PaymentOperation::Create(_)
            | PaymentOperation::Terminal(..)
            | PaymentOperation::GetPayment(_)
            | PaymentOperation::GetTransaction(_)
            | PaymentOperation::Callback(_)
            | PaymentOperation::Settle => {}
        }
    }

    fn violation(&self, payment: u64, what: &str) -> Violation {
        let history = self.histories.get(&payment);
        history.map_or_else(|| Violation::new(what.to_owned()), |history| history.violation(what))
    }
}

/// Reads an amount: `10.00` is 1000.
fn minor(amount: &str) -> u64 {
    amount.replace('.', "").parse().unwrap_or_default()
}

/// A payment belongs to the owner of its cards, and only callers with access change it.
fn check_access(after: &Payment, call: &Call, wallets: &dyn Wallets) -> Result<(), String> {
    for transaction in &after.transactions {
        let card = transaction.recurring_payment;
        if wallets.owner(card).is_some_and(|owner| owner != after.owner) {
            return Err(format!("the owner is not that of {card}"));
        }
        if !wallets.allows(&call.caller, after.organisation, card) {
            return Err(format!("{:?} may not access it", call.caller));
        }
    }
    Ok(())
}
