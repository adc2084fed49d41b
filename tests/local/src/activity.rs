//! The activity: what happens in the local service, in order, for the console. It has requests to the API, log lines, calls of Nets,
//! writes to the tables, notifications, and what is done in the console.
//!
//! Secrets are removed before an entry is stored. The newest entries are kept.

mod event;
mod filter;
mod redaction;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::clock::Clock;
pub(crate) use event::{ApiCall, Event, Kind, TableWrite};
pub(crate) use filter::Filter;
pub(crate) use redaction::{plain_item, redacted};

/// How many entries are kept.
pub(crate) const MAX_ENTRIES: usize = 2000;
/// How many customer numbers are kept.
const MAX_CUSTOMERS: usize = 10_000;
/// How far a stream can be behind before it misses entries.
const STREAM_CAPACITY: usize = 512;
/// The number of bits of a recurring payment's id after the slot of its wallet.
pub(crate) const SEQUENCE_BITS: u32 = 10;

/// An event that was recorded.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Counts the entries from 1.
    pub(crate) number: u64,
    /// When it was recorded, by the local clock.
    pub(crate) at: Timestamp,
    /// What happened, without secrets.
    pub(crate) event: Event,
}

/// The record. Clones share their state.
#[derive(Clone)]
pub(crate) struct Activity {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    state: Mutex<State>,
    stream: broadcast::Sender<Arc<Entry>>,
}

#[derive(Default)]
struct State {
    last: u64,
    entries: VecDeque<Arc<Entry>>,
    /// The customer number of each wallet's slot, as far as requests to the API have shown it.
    customers: BTreeMap<u64, String>,
}

impl Activity {
    /// An empty record.
    pub(crate) fn new(clock: Clock) -> Self {
        let (stream, _) = broadcast::channel(STREAM_CAPACITY);
        Self { inner: Arc::new(Inner { clock, state: Mutex::default(), stream }) }
    }

    /// Removes the secrets from an event, and stores it.
    pub(crate) fn record(&self, event: Event) {
        let event = event.redacted();
        let mut state = self.state();
        state.last += 1;
        if state.entries.len() == MAX_ENTRIES {
            state.entries.pop_front();
        }
        let entry = Arc::new(Entry { number: state.last, at: self.inner.clock.now(), event });
        state.entries.push_back(entry.clone());
        // Fails if no stream is open. The lock is kept, so that streams get the entries in their order.
        self.inner.stream.send(entry).unwrap_or_default();
    }

    /// Records a request to the API, and remembers the customer number that it shows.
    pub(crate) fn record_request(&self, call: &ApiCall<'_>) {
        let (customer, wallets) = call.customer();
        if let Some(customer) = customer {
            let state = &mut *self.state();
            for slot in wallets {
                if state.customers.len() < MAX_CUSTOMERS || state.customers.contains_key(&slot) {
                    state.customers.insert(slot, customer.clone());
                }
            }
        }
        self.record(Event::request(call));
    }

    /// Records something that was done in the console.
    pub(crate) fn record_console(&self, summary: String) {
        self.record(Event::console(summary));
    }

    /// The newest entries that a filter accepts, oldest first, and the number of the last entry of all.
    pub(crate) fn entries(&self, filter: &Filter) -> (Vec<Arc<Entry>>, u64) {
        let (all, last) = self.all();
        (all.into_iter().filter(|entry| filter.accepts(entry)).collect(), last)
    }

    fn all(&self) -> (Vec<Arc<Entry>>, u64) {
        let state = self.state();
        (state.entries.iter().cloned().collect(), state.last)
    }

    /// The number of the last entry; 0 if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.state().last
    }

    /// The kept entries after a number, and all later ones.
    pub(crate) fn entries_after(
        &self,
        number: u64,
    ) -> (Vec<Arc<Entry>>, broadcast::Receiver<Arc<Entry>>) {
        let state = self.state();
        let missed = state.entries.iter().filter(|entry| entry.number > number).cloned().collect();
        // While the state is locked: no entry is missed, and none comes twice.
        (missed, self.inner.stream.subscribe())
    }

    /// The customer number of a wallet, if a request has shown it.
    pub(crate) fn customer_of(&self, slot: u64) -> Option<String> {
        self.state().customers.get(&slot).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
