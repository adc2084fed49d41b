//! The history of one wallet: its last versions, and the reads and writes that wait for an earlier version.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Stored, Violation, events};
use crate::order::item::{Events, Item};
use crate::order::nets::TerminalSessions;
use crate::order::spec::{State, Wallet};

/// Number of versions that are kept. A read of an older one is stale.
const MAX_VERSIONS: usize = 512;
/// Number of versions that a violation shows.
const MAX_LOG_LINES: usize = 12;

/// The history of a wallet.
#[derive(Debug)]
pub(super) struct History {
    pub(super) slot: u64,
    /// The newest version for which all earlier versions are known.
    pub(super) last_version: u64,
    /// The newest version that a response has shown.
    pub(super) acknowledged: u64,
    /// The keyed hash of the owner.
    pub(super) owner: String,
    /// Whether there is a new version since the last idle period.
    pub(super) is_changed: bool,
    /// The lifecycle events of the newest version.
    pub(super) events: Events,
    states: VecDeque<(u64, Arc<Wallet>)>,
    /// Versions that arrived before an earlier one, with the invocation that wrote them.
    early_writes: BTreeMap<u64, (u64, Item)>,
    /// Reads of versions that are not known yet, with the invocation.
    pending_reads: BTreeMap<u64, Vec<(u64, Stored)>>,
    log: VecDeque<String>,
}

impl History {
    pub(super) fn new(slot: u64) -> Self {
        Self {
            slot,
            last_version: 0,
            acknowledged: 0,
            owner: String::new(),
            is_changed: false,
            events: Events::default(),
            states: VecDeque::new(),
            early_writes: BTreeMap::new(),
            pending_reads: BTreeMap::new(),
            log: VecDeque::new(),
        }
    }

    pub(super) fn newest(&self) -> Option<Arc<Wallet>> {
        self.states.back().map(|(_, wallet)| wallet.clone())
    }

    /// Adds the next version.
    pub(super) fn push(&mut self, wallet: Arc<Wallet>, events: Events, log_line: String) {
        self.last_version += 1;
        self.is_changed = true;
        self.events = events;
        self.states.push_back((self.last_version, wallet));
        if self.states.len() > MAX_VERSIONS {
            self.states.pop_front();
        }
        self.log(log_line);
    }

    pub(super) fn log(&mut self, line: String) {
        self.log.push_back(line);
        if self.log.len() > MAX_LOG_LINES {
            self.log.pop_front();
        }
    }

    /// Returns the state that an item has. A whole item must equal what was written.
    pub(super) fn state_of(&self, stored: &Stored, now: i64) -> Result<Arc<Wallet>, Violation> {
        let version = stored.version();
        let back = usize::try_from(self.last_version - version).unwrap_or(usize::MAX);
        let index = self.states.len().checked_sub(1 + back);
        let Some((_, wallet)) = index.and_then(|index| self.states.get(index)) else {
            return Err(self
                .violation(&format!("stale read: version {version} after {}", self.last_version)));
        };
        let Stored::Full(item) = stored else { return Ok(wallet.clone()) };
        match difference(&wallet.at(now), &item.wallet.at(now)) {
            None => Ok(wallet.clone()),
            Some(what) => {
                Err(self.violation(&format!("version {version} differs when read: {what}")))
            }
        }
    }

    pub(super) fn add_pending_read(&mut self, version: u64, id: u64, stored: Stored) {
        self.pending_reads.entry(version).or_default().push((id, stored));
    }

    /// Removes and returns the pending reads of the newest version.
    pub(super) fn take_pending_reads(&mut self) -> Vec<(u64, Stored)> {
        self.pending_reads.remove(&self.last_version).unwrap_or_default()
    }

    /// Adds a version that arrived before an earlier one.
    pub(super) fn add_early_write(&mut self, id: u64, item: Item) -> Result<(), Violation> {
        let version = item.version;
        match self.early_writes.insert(version, (id, item)) {
            None => Ok(()),
            Some((other, _)) => {
                let what = format!("version {version} was written by {other} and by {id}");
                Err(self.violation(&what))
            }
        }
    }

    /// Removes and returns the next version, if it arrived early.
    pub(super) fn take_next_early_write(&mut self) -> Option<(u64, Item)> {
        self.early_writes.remove(&(self.last_version + 1))
    }

    /// A version that was never written, although it was read or a later one was written.
    pub(super) fn missing_version(&self) -> Option<u64> {
        let is_missing = !self.early_writes.is_empty() || !self.pending_reads.is_empty();
        is_missing.then_some(self.last_version + 1)
    }

    /// Checks a wallet when there is no load and the schedules have run.
    pub(super) fn check_idle(
        &self,
        wallet: &Wallet,
        sessions: &TerminalSessions,
        now: i64,
    ) -> Result<(), Violation> {
        for payment in &wallet.payments {
            let id = wallet.id(payment.sequence);
            let is_created = matches!(payment.state, State::Created(_));
            let mut cards =
                sessions.entered_cards(id).filter(|card| !payment.has_expired_card(card & 15));
            if let Some(transaction) = cards.next().filter(|_| is_created) {
                let what = format!(
                    "a card is lost: it was entered in session {transaction}, and {id} is {payment:?}"
                );
                return Err(self.violation(&what));
            }
        }
        let due = events::index_entries(wallet, &self.events).into_iter().flatten().min();
        match due.filter(|at| *at <= now) {
            Some(at) => Err(self.violation(&format!("work is due since {at}, at {now}"))),
            None => Ok(()),
        }
    }

    /// Removes all versions but the newest.
    pub(super) fn keep_newest_only(&mut self) {
        let surplus = self.states.len().saturating_sub(1);
        self.states.drain(..surplus);
        self.states.shrink_to_fit();
        self.log.clear();
        self.log.shrink_to_fit();
    }

    pub(super) fn violation(&self, what: &str) -> Violation {
        let what = format!("wallet {}: {what}", self.slot);
        Violation { what, history: self.log.iter().cloned().collect() }
    }
}

/// Describes the first difference between a stored wallet and the specification.
pub(super) fn difference(expected: &Wallet, stored: &Wallet) -> Option<String> {
    let describe = |name: &str, expected: &dyn std::fmt::Debug, stored: &dyn std::fmt::Debug| {
        Some(format!("{name}: stored {stored:?}, specified {expected:?}"))
    };
    if expected.last_sequence != stored.last_sequence {
        return describe("last sequence number", &expected.last_sequence, &stored.last_sequence);
    }
    if expected.choices != stored.choices {
        return describe("choices", &expected.choices, &stored.choices);
    }
    if expected.opened != stored.opened {
        return describe("opened", &expected.opened, &stored.opened);
    }
    let sequences = |wallet: &Wallet| -> Vec<u16> {
        wallet.payments.iter().map(|payment| payment.sequence).collect()
    };
    if expected.payments.len() != stored.payments.len() {
        return describe("list of recurring payments", &sequences(expected), &sequences(stored));
    }
    for (expected, stored) in expected.payments.iter().zip(&stored.payments) {
        let key = |payment: &crate::order::spec::Payment| {
            payment.key.as_ref().map(|key| key.primary_in_response)
        };
        let is_same_key = key(expected) == key(stored);
        let is_same = is_same_key
            && expected.sequence == stored.sequence
            && expected.created_at == stored.created_at
            && expected.nickname == stored.nickname
            && same_state(&expected.state, &stored.state);
        if !is_same {
            return describe("recurring payment", expected, stored);
        }
    }
    None
}

/// Whether two states are equal. Of the idempotency keys of sessions, only their presence is compared: the table has hashes.
fn same_state(expected: &State, stored: &State) -> bool {
    let (State::Created(expected), State::Created(stored)) = (expected, stored) else {
        return expected == stored;
    };
    expected.len() == stored.len()
        && expected.iter().zip(stored).all(|(expected, stored)| {
            (expected.opened_at, expected.outcome, expected.reconcile_at, expected.key.is_some())
                == (stored.opened_at, stored.outcome, stored.reconcile_at, stored.key.is_some())
        })
}
