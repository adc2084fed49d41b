//! Checks that what happened is an order: each version of a wallet is what the specification makes of the one before it, and
//! each answer is what the specification answers at the version that its invocation read or wrote.

mod answers;
mod history;
mod invocation;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::event::Answer;
use super::item::{Head, Item};
use super::nets::{Press, Visits};
use super::operation::Call;
use super::place;
use super::spec::Wallet;
use history::History;
use invocation::{Invocation, Returned, Seen};

/// What happened, in an order in which it can have.
#[derive(Debug)]
pub enum Event {
    /// A client, or a schedule, calls.
    Invoked(u64, Arc<Call>),
    /// An invocation was told what is stored at a slot: an item, or that there is none.
    Read(u64, u64, Option<Stored>),
    /// An invocation's conditional write was refused; what is stored, where the refusal said so.
    Refused(u64, Option<Head>),
    /// An invocation wrote an item.
    Wrote(u64, Box<Item>),
    /// It answered, or nobody will ever know what.
    Returned(u64, Option<Answer>),
    /// A customer begins to do something at a page.
    Pressing(u64, Press),
    /// It is done, and was taken or not.
    Pressed(u64, bool),
    /// Nothing is going on, and the schedules have done all that is due.
    Quiet(i64),
    /// A customer of an organisation does not come back.
    Gone(u64, String),
}

/// An item that somebody was told is stored.
#[derive(Debug)]
pub enum Stored {
    /// All of it.
    Whole(Box<Item>),
    /// Which version it is.
    Head(Head),
}

impl Stored {
    fn version(&self) -> u64 {
        match self {
            Self::Whole(item) => item.version,
            Self::Head(head) => head.version,
        }
    }
}

/// There is no order: what is wrong, and what happened to the wallet before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// One line.
    pub what: String,
    /// One line for each of the last versions.
    pub history: Vec<String>,
}

/// What was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answers by function, status and kind of problem.
    pub answers: BTreeMap<(&'static str, u16, String), u64>,
    /// Invocations whose answer nobody knows.
    pub unknown: u64,
    /// Versions, each held against the specification.
    pub versions: u64,
    /// Reads, each held against the version that it is of.
    pub reads: u64,
    /// Conditional writes that were refused.
    pub refused: u64,
    /// Wallets.
    pub wallets: u64,
    /// Writes of invocations that had answered 503, or whose answer nobody knows.
    pub committed_unheard: u64,
}

/// The checker. It keeps what may still matter, and no more.
#[derive(Debug, Default)]
pub struct Checker {
    invocations: HashMap<u64, Invocation>,
    wallets: HashMap<u64, History>,
    /// Where each customer's wallet lies.
    homes: HashMap<(u64, String), u64>,
    visits: Visits,
    /// How many events there were.
    events: u64,
    /// Invocations up to this one are of the time before the last quiet moment but one.
    settled: [u64; 2],
    /// What was checked so far.
    pub totals: Totals,
}

impl Checker {
    /// Takes an event in.
    ///
    /// # Errors
    /// With it, there is no order.
    pub fn take(&mut self, event: Event) -> Result<(), Violation> {
        self.events += 1;
        match event {
            Event::Invoked(id, call) => {
                let floor = self.home(&call).and_then(|slot| self.wallets.get(&slot));
                let floor = floor.map(|history| (history.slot, history.acknowledged));
                self.invocations.insert(id, Invocation::new(call, self.events, floor));
                Ok(())
            }
            Event::Read(id, slot, item) => {
                self.totals.reads += 1;
                self.see(id, slot, item)
            }
            Event::Refused(id, stored) => {
                self.totals.refused += 1;
                let invocation = self.invocation(id)?;
                invocation.refused = true;
                invocation.beaten_unseen = true;
                // Where the refusal does not say what is stored, it is read next.
                stored.map_or(Ok(()), |head| self.see(id, head.slot, Some(Stored::Head(head))))
            }
            Event::Wrote(id, item) => self.write(id, *item),
            Event::Returned(id, answer) => {
                self.invocation(id)?.returned =
                    answer.map_or(Returned::Unknown, Returned::Answered);
                self.check(id)
            }
            Event::Pressing(transaction, press) => {
                self.visits.begins(transaction, press);
                Ok(())
            }
            Event::Pressed(transaction, taken) => {
                self.visits.done(transaction, self.events, taken);
                Ok(())
            }
            Event::Quiet(now) => self.quiet(now),
            Event::Gone(organisation, customer) => {
                self.retire(organisation, customer);
                Ok(())
            }
        }
    }

    /// At the end: everything that was told has found its place.
    ///
    /// # Errors
    /// It has not.
    pub fn end(&self) -> Result<(), Violation> {
        for history in self.wallets.values() {
            if let Some(version) = history.missing() {
                return Err(history.violation(&format!("version {version} was never written")));
            }
        }
        match self.invocations.iter().find(|(_, invocation)| invocation.is_unfinished()) {
            Some((id, invocation)) => Err(Violation::new(format!(
                "invocation {id} has no end: {:?}",
                invocation.call.operation
            ))),
            None => Ok(()),
        }
    }

    fn invocation(&mut self, id: u64) -> Result<&mut Invocation, Violation> {
        let unknown = || Violation::new(format!("a request to the table by nobody known: {id}"));
        self.invocations.get_mut(&id).ok_or_else(unknown)
    }

    /// Where the wallet lies that a call is about, as far as is known.
    fn home(&self, call: &Call) -> Option<u64> {
        match call.operation.id() {
            Some(id) => Some(id >> 10),
            None => self.homes.get(&whose(call)?).copied(),
        }
    }

    /// An invocation saw what is stored at a slot: the state of that version, or, when that is not known yet, as soon as it is.
    fn see(&mut self, id: u64, slot: u64, item: Option<Stored>) -> Result<(), Violation> {
        let invocation = self.invocation(id)?;
        invocation.beaten_unseen = false;
        let now = invocation.call.now;
        let Some(item) = item else {
            invocation.seen.push(Seen { slot, version: 0, wallet: None });
            return Ok(());
        };
        let version = item.version();
        let history = self.wallets.entry(slot).or_insert_with(|| History::new(slot));
        if version > history.last {
            history.wait(version, id, item);
            self.invocation(id)?.unresolved += 1;
            return Ok(());
        }
        let wallet = history.recall(&item, now)?;
        self.invocation(id)?.seen.push(Seen { slot, version, wallet: Some(wallet) });
        Ok(())
    }

    /// No load, and the schedules are done: no card is lost, and nothing is due.
    fn quiet(&mut self, now: i64) -> Result<(), Violation> {
        for history in self.wallets.values_mut().filter(|history| history.touched) {
            history.touched = false;
            let Some(wallet) = history.newest() else { continue };
            history.quiet(&wallet, &self.visits, now)?;
        }
        let [before, last] = self.settled;
        self.settled = [last, self.events];
        self.invocations.retain(|_, one| one.is_unfinished() || one.invoked >= before);
        Ok(())
    }

    /// Forgets the visits of customers who do not come back, and all but the newest version of their wallets.
    fn retire(&mut self, organisation: u64, customer: String) {
        if let Some(slot) = self.homes.get(&(organisation, customer)) {
            self.visits.forget(*slot);
            if let Some(history) = self.wallets.get_mut(slot) {
                history.shrink();
            }
        }
    }
}

impl Violation {
    fn new(what: String) -> Self {
        Self { what, history: Vec::new() }
    }
}

/// The customer that a call is about: the caller, or whom it names.
fn whose(call: &Call) -> Option<(u64, String)> {
    let named = call.operation.customer()?;
    let customer = call.caller.customer().unwrap_or(named);
    Some((call.caller.organisation(), customer.to_owned()))
}

/// Whether a slot is one of a customer's, and which of them.
fn probe_of(slot: u64, (organisation, customer): &(u64, String)) -> Option<u8> {
    (0..8).find(|probe| place::slot(*organisation, customer, *probe) == slot)
}

/// A wallet in which there was never anything.
fn empty(slot: u64, (organisation, customer): &(u64, String)) -> Wallet {
    Wallet::empty(slot, *organisation, customer)
}
