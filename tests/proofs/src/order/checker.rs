//! Checks the history of a run: each version of a wallet is the specification's result for the previous version, and each response
//! is the specification's response at a version that the invocation read or wrote.

mod cards;
mod events;
mod history;
mod inbox;
mod invocation;
mod responses;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use local::netaxept::Operation as AtNets;

use super::item::{Head, Item};
use super::lambda::Response;
use super::nets::{PageAction, TerminalSessions};
use super::operation::{Call, Operation};
use super::payments::checker::{PaymentChecker, PaymentEvent, PaymentTotals};
use super::payments::operation::RegistrationId;
use super::slots;
use super::spec::Wallet;
use crate::ledger::Registration;
pub use events::EventTotals;
use history::History;
pub use inbox::Delivery;
use inbox::Inbox;
use invocation::{Invocation, Read, Returned};

/// An event of a run. The order of the events is a possible order in time.
#[derive(Debug)]
pub enum Event {
    /// An invocation starts.
    Invoked(u64, Arc<Call>),
    /// An invocation read a slot: the stored item, or none.
    Read(u64, u64, Option<Stored>),
    /// The condition of an invocation's write failed. Contains the stored item's head if the failure returned it.
    ConditionFailed(u64, Option<Head>),
    /// An invocation wrote an item.
    Written(u64, Box<Item>),
    /// An invocation ended, with its response; without one if the response is lost.
    Returned(u64, Option<Response>),
    /// A customer starts an action on a terminal page.
    ActionStarted(u64, PageAction),
    /// The action is finished, and was accepted or not.
    ActionFinished(u64, bool),
    /// The inbox received a lifecycle event.
    Delivered(Delivery),
    /// There is no load, and the schedules have done all work that is due at this instant.
    Idle(i64),
    /// A customer of an organisation is not used any more.
    CustomerRetired(u64, String),
    /// An exchange of an invocation with the table of payments.
    Payment(u64, PaymentEvent),
    /// Nets received a call about a registration of a payment.
    NetsCalled(AtNets, RegistrationId),
    /// There is no load, and the schedules have done all their work for payments, also the work that was planned for later.
    PaymentsSettled(i64, Vec<Registration>),
}

/// An item that an invocation read.
#[derive(Debug)]
pub enum Stored {
    /// The whole item.
    Full(Box<Item>),
    /// Only its slot and version.
    Head(Head),
}

impl Stored {
    fn version(&self) -> u64 {
        match self {
            Self::Full(item) => item.version,
            Self::Head(head) => head.version,
        }
    }
}

/// The history has no sequential order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The violated rule, in one line.
    pub what: String,
    /// The last versions of the wallet, one per line.
    pub history: Vec<String>,
}

/// The figures of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of responses by operation, status and problem type.
    pub responses: BTreeMap<(&'static str, u16, String), u64>,
    /// Number of invocations whose response is lost.
    pub unknown_responses: u64,
    /// Number of versions, all compared with the specification.
    pub versions: u64,
    /// Number of reads, all compared with the version that they returned.
    pub reads: u64,
    /// Number of writes whose condition failed.
    pub conflicts: u64,
    /// Number of wallets.
    pub wallets: u64,
    /// Number of writes of invocations that had responded 503, or whose response is lost.
    pub committed_without_response: u64,
    /// The figures of lifecycle events.
    pub events: EventTotals,
    /// The figures of payments.
    pub payments: PaymentTotals,
}

/// The checker. It keeps only the data that later events can refer to.
#[derive(Debug, Default)]
pub struct Checker {
    invocations: HashMap<u64, Invocation>,
    wallets: HashMap<u64, History>,
    /// The slot of each customer's wallet.
    slots: HashMap<(u64, String), u64>,
    sessions: TerminalSessions,
    inbox: Inbox,
    payments: PaymentChecker,
    /// The recurring payments whose end was answered, with the position of the response.
    ended: HashMap<u64, u64>,
    /// The wallets whose erasure was answered, with the position of the last response and the last sequence number before it.
    erased: HashMap<u64, (u64, u16)>,
    /// Number of events so far.
    events: u64,
    /// The positions of the last two idle periods. Older invocations that are finished are removed.
    idle_positions: [u64; 2],
    /// The figures so far.
    pub totals: Totals,
}

impl Checker {
    /// Processes an event.
    ///
    /// # Errors
    /// Fails if there is no sequential order with this event.
    pub fn process(&mut self, event: Event) -> Result<(), Violation> {
        self.events += 1;
        match event {
            Event::Invoked(id, call) => {
                if let Operation::Payment(_) = call.operation {
                    self.payments.invoked(id, call.clone(), self.events);
                }
                let min_version = self.slot_of(&call).and_then(|slot| self.wallets.get(&slot));
                let min_version = min_version.map(|history| (history.slot, history.acknowledged));
                self.invocations.insert(id, Invocation::new(call, self.events, min_version));
                Ok(())
            }
            Event::Read(id, slot, item) => {
                self.totals.reads += 1;
                self.record_read(id, slot, item)
            }
            Event::ConditionFailed(id, stored) => {
                self.totals.conflicts += 1;
                let invocation = self.invocation(id)?;
                invocation.has_conflict = true;
                invocation.conflict_unread = true;
                // If the failure did not return the item, the invocation reads it next.
                stored.map_or(Ok(()), |head| {
                    self.record_read(id, head.slot, Some(Stored::Head(head)))
                })
            }
            Event::Written(id, item) => self.record_write(id, *item),
            Event::Returned(id, response) => {
                self.record_card_end(id, response.as_ref())?;
                self.payments.returned(id, response.clone(), self.events);
                self.invocation(id)?.returned =
                    response.map_or(Returned::Unknown, Returned::Responded);
                self.check(id)
            }
            Event::ActionStarted(transaction, action) => {
                self.sessions.start_action(transaction, action);
                Ok(())
            }
            Event::ActionFinished(transaction, accepted) => {
                self.sessions.finish_action(transaction, self.events, accepted);
                Ok(())
            }
            Event::Delivered(delivery) => self.receive(&delivery),
            Event::Idle(now) => {
                self.check_payments(now)?;
                self.check_idle(now)
            }
            Event::CustomerRetired(organisation, customer) => {
                self.retire(organisation, customer);
                Ok(())
            }
            Event::Payment(id, event) => self.payments.exchanged(id, event, self.events),
            Event::NetsCalled(operation, id) => self.check_call_of_nets(operation, id),
            Event::PaymentsSettled(now, registrations) => {
                self.check_payments(now)?;
                self.payments.check_ledger(&registrations, now)
            }
        }
    }

    /// Checks that no version is missing, that every lifecycle event was delivered, and that every invocation is finished. Called
    /// after the last event.
    ///
    /// # Errors
    /// Fails otherwise.
    pub fn finish(&mut self) -> Result<(), Violation> {
        self.totals.payments = std::mem::take(&mut self.payments.totals);
        self.payments.finish()?;
        for history in self.wallets.values() {
            if let Some(version) = history.missing_version() {
                return Err(history.violation(&format!("version {version} was never written")));
            }
            if let Some(stored) = history.events.stored.first() {
                return Err(history.violation(&format!("an event is still stored: {stored:?}")));
            }
        }
        match self.invocations.iter().find(|(_, invocation)| invocation.is_unfinished()) {
            Some((id, invocation)) => Err(Violation::new(format!(
                "invocation {id} did not finish: {:?}",
                invocation.call.operation
            ))),
            None => Ok(()),
        }
    }

    fn invocation(&mut self, id: u64) -> Result<&mut Invocation, Violation> {
        let unknown_invocation =
            || Violation::new(format!("a request to the table with an unknown invocation: {id}"));
        self.invocations.get_mut(&id).ok_or_else(unknown_invocation)
    }

    /// The slot of the wallet that a call concerns, if known.
    fn slot_of(&self, call: &Call) -> Option<u64> {
        match call.operation.id() {
            Some(id) => Some(id >> 10),
            None => self.slots.get(&customer_of(call)?).copied(),
        }
    }

    /// Records a read. If the version is not known yet, the read stays pending until it is.
    fn record_read(&mut self, id: u64, slot: u64, item: Option<Stored>) -> Result<(), Violation> {
        let invocation = self.invocation(id)?;
        invocation.conflict_unread = false;
        let now = invocation.call.now;
        let Some(item) = item else {
            invocation.reads.push(Read { slot, version: 0, wallet: None });
            return Ok(());
        };
        let version = item.version();
        let history = self.wallets.entry(slot).or_insert_with(|| History::new(slot));
        if version > history.last_version {
            history.add_pending_read(version, id, item);
            self.invocation(id)?.unresolved += 1;
            return Ok(());
        }
        let wallet = history.state_of(&item, now)?;
        self.invocation(id)?.reads.push(Read { slot, version, wallet: Some(wallet) });
        Ok(())
    }

    /// Records a delivery of a lifecycle event.
    fn receive(&mut self, delivery: &Delivery) -> Result<(), Violation> {
        self.totals.events.deliveries[usize::from(!delivery.is_accepted)] += 1;
        self.inbox.receive(delivery).map_err(|what| {
            let payment = delivery.id.split('-').next().and_then(|id| id.parse::<u64>().ok());
            let history = payment.and_then(|payment| self.wallets.get(&(payment >> 10)));
            history.map_or_else(|| Violation::new(what.clone()), |history| history.violation(&what))
        })
    }

    /// Checks the changed wallets in an idle period: no card is lost, and nothing is due.
    fn check_idle(&mut self, now: i64) -> Result<(), Violation> {
        for history in self.wallets.values_mut().filter(|history| history.is_changed) {
            history.is_changed = false;
            let Some(wallet) = history.newest() else { continue };
            history.check_idle(&wallet, &self.sessions, now)?;
        }
        let [previous, last] = self.idle_positions;
        self.idle_positions = [last, self.events];
        self.invocations
            .retain(|_, invocation| invocation.is_unfinished() || invocation.position >= previous);
        Ok(())
    }

    /// Removes the sessions of a customer, and all versions of the wallet but the newest.
    fn retire(&mut self, organisation: u64, customer: String) {
        if let Some(slot) = self.slots.get(&(organisation, customer)) {
            self.sessions.remove_wallet(*slot);
            if let Some(history) = self.wallets.get_mut(slot) {
                history.keep_newest_only();
            }
        }
    }
}

impl Violation {
    pub(super) fn new(what: String) -> Self {
        Self { what, history: Vec::new() }
    }
}

/// The customer that a call concerns: the caller, or the customer that the call names.
fn customer_of(call: &Call) -> Option<(u64, String)> {
    let named = call.operation.customer()?;
    let customer = call.caller.customer().unwrap_or(named);
    Some((call.caller.organisation(), customer.to_owned()))
}

/// The probe at which a customer has this slot, if any.
fn probe_of(slot: u64, (organisation, customer): &(u64, String)) -> Option<u8> {
    (0..8).find(|probe| slots::slot(*organisation, customer, *probe) == slot)
}

/// Returns a wallet without any history.
fn empty_wallet(slot: u64, (organisation, customer): &(u64, String)) -> Wallet {
    Wallet::empty(slot, *organisation, customer)
}
