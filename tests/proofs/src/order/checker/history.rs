//! One wallet's versions: the last ones as the specification has them, and what waits for one that is not known yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Stored, Violation};
use crate::order::item::Item;
use crate::order::nets::Visits;
use crate::order::spec::{State, Wallet};

/// How many versions are kept: whoever reads an older one was told something stale.
const KEPT: usize = 512;
/// How many versions are told when something is wrong.
const TOLD: usize = 12;

/// The versions of a wallet.
#[derive(Debug)]
pub(super) struct History {
    pub(super) slot: u64,
    /// The newest version that is known with all before it.
    pub(super) last: u64,
    /// The newest version that somebody was told of.
    pub(super) acknowledged: u64,
    /// The keyed hash of whose it is.
    pub(super) owner: String,
    /// Whether there was a version since the last quiet moment.
    pub(super) touched: bool,
    states: VecDeque<(u64, Arc<Wallet>)>,
    /// Versions that came before an older one did, with who wrote them.
    early: BTreeMap<u64, (u64, Item)>,
    /// Who read a version that is not known yet.
    waiting: BTreeMap<u64, Vec<(u64, Stored)>>,
    told: VecDeque<String>,
}

impl History {
    pub(super) fn new(slot: u64) -> Self {
        Self {
            slot,
            last: 0,
            acknowledged: 0,
            owner: String::new(),
            touched: false,
            states: VecDeque::new(),
            early: BTreeMap::new(),
            waiting: BTreeMap::new(),
            told: VecDeque::new(),
        }
    }

    pub(super) fn newest(&self) -> Option<Arc<Wallet>> {
        self.states.back().map(|(_, wallet)| wallet.clone())
    }

    /// The next version.
    pub(super) fn push(&mut self, wallet: Arc<Wallet>, told: String) {
        self.last += 1;
        self.touched = true;
        self.states.push_back((self.last, wallet));
        if self.states.len() > KEPT {
            self.states.pop_front();
        }
        self.tell(told);
    }

    pub(super) fn tell(&mut self, told: String) {
        self.told.push_back(told);
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
    }

    /// The state that an item is of, which has to be as it was written.
    pub(super) fn recall(&self, stored: &Stored, now: i64) -> Result<Arc<Wallet>, Violation> {
        let version = stored.version();
        let back = usize::try_from(self.last - version).unwrap_or(usize::MAX);
        let index = self.states.len().checked_sub(1 + back);
        let Some((_, wallet)) = index.and_then(|index| self.states.get(index)) else {
            return Err(self.violation(&format!("version {version} was read after {}", self.last)));
        };
        let Stored::Whole(item) = stored else { return Ok(wallet.clone()) };
        match difference(&wallet.at(now), &item.wallet.at(now)) {
            None => Ok(wallet.clone()),
            Some(what) => {
                Err(self.violation(&format!("version {version} was read changed: {what}")))
            }
        }
    }

    pub(super) fn wait(&mut self, version: u64, id: u64, stored: Stored) {
        self.waiting.entry(version).or_default().push((id, stored));
    }

    /// Those who waited for the newest version.
    pub(super) fn waited(&mut self) -> Vec<(u64, Stored)> {
        self.waiting.remove(&self.last).unwrap_or_default()
    }

    /// A version that came too early.
    pub(super) fn keep(&mut self, id: u64, item: Item) -> Result<(), Violation> {
        let version = item.version;
        match self.early.insert(version, (id, item)) {
            None => Ok(()),
            Some((other, _)) => {
                let what = format!("version {version} was written by {other} and by {id}");
                Err(self.violation(&what))
            }
        }
    }

    /// The next version, if it came too early.
    pub(super) fn next(&mut self) -> Option<(u64, Item)> {
        self.early.remove(&(self.last + 1))
    }

    /// A version that never came, though somebody saw it or wrote a later one.
    pub(super) fn missing(&self) -> Option<u64> {
        let is_missing = !self.early.is_empty() || !self.waiting.is_empty();
        is_missing.then_some(self.last + 1)
    }

    /// Nobody calls, and the schedules are done.
    pub(super) fn quiet(
        &self,
        wallet: &Wallet,
        visits: &Visits,
        now: i64,
    ) -> Result<(), Violation> {
        for payment in &wallet.payments {
            let id = wallet.id(payment.place);
            let waits = matches!(payment.state, State::Created(_));
            let mut cards = visits.cards_of(id).filter(|card| !payment.has_expired_card(card & 15));
            if let Some(transaction) = cards.next().filter(|_| waits) {
                let what =
                    format!("a card is lost: {transaction} brought one, and {id} is {payment:?}");
                return Err(self.violation(&what));
            }
        }
        let due = wallet.expires_next().into_iter().chain(wallet.looked_at_next()).min();
        match due.filter(|at| *at <= now) {
            Some(at) => Err(self.violation(&format!("something is due since {at}, at {now}"))),
            None => Ok(()),
        }
    }

    /// Keeps the newest version alone.
    pub(super) fn shrink(&mut self) {
        let surplus = self.states.len().saturating_sub(1);
        self.states.drain(..surplus);
        self.states.shrink_to_fit();
        self.told.clear();
        self.told.shrink_to_fit();
    }

    pub(super) fn violation(&self, what: &str) -> Violation {
        let what = format!("wallet {}: {what}", self.slot);
        Violation { what, history: self.told.iter().cloned().collect() }
    }
}

/// How what is stored differs from what the specification says.
pub(super) fn difference(expected: &Wallet, stored: &Wallet) -> Option<String> {
    let told = |name: &str, expected: &dyn std::fmt::Debug, stored: &dyn std::fmt::Debug| {
        Some(format!("{name}: stored {stored:?}, specified {expected:?}"))
    };
    if expected.last != stored.last {
        return told("the last place", &expected.last, &stored.last);
    }
    if expected.choices != stored.choices {
        return told("the choices", &expected.choices, &stored.choices);
    }
    if expected.opened != stored.opened {
        return told("opened", &expected.opened, &stored.opened);
    }
    let places = |wallet: &Wallet| -> Vec<u16> {
        wallet.payments.iter().map(|payment| payment.place).collect()
    };
    if expected.payments.len() != stored.payments.len() {
        return told("the recurring payments", &places(expected), &places(stored));
    }
    for (expected, stored) in expected.payments.iter().zip(&stored.payments) {
        let key =
            |payment: &crate::order::spec::Payment| payment.key.as_ref().map(|key| key.primary);
        let keys = key(expected) == key(stored);
        let same = keys
            && expected.place == stored.place
            && expected.created_at == stored.created_at
            && expected.nickname == stored.nickname
            && same_state(&expected.state, &stored.state);
        if !same {
            return told("a recurring payment", expected, stored);
        }
    }
    None
}

/// Whether two are the same but for the keys of visits, of which the table has hashes.
fn same_state(expected: &State, stored: &State) -> bool {
    let (State::Created(expected), State::Created(stored)) = (expected, stored) else {
        return expected == stored;
    };
    expected.len() == stored.len()
        && expected.iter().zip(stored).all(|(expected, stored)| {
            (expected.opened_at, expected.outcome, expected.look_at, expected.key.is_some())
                == (stored.opened_at, stored.outcome, stored.look_at, stored.key.is_some())
        })
}
