//! Fault injection: faults of the network and of `DynamoDB`, at random requests. The same seed selects the same requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::Answer;
use super::{Dynamodb, Request};

/// The faults to inject. The value of each kind is a rate: `200` means one in 200 requests, and 0 means none. The same seed
/// selects the same requests, in the order in which they arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The seed of the random numbers.
    pub seed: u64,
    /// See [`FaultKind::Lost`].
    pub lost: u32,
    /// See [`FaultKind::Broken`].
    pub broken: u32,
    /// See [`FaultKind::Failed`].
    pub failed: u32,
    /// See [`FaultKind::Throttled`].
    pub throttled: u32,
    /// See [`FaultKind::Exceeded`].
    pub exceeded: u32,
    /// See [`FaultKind::Late`].
    pub late: u32,
    /// See [`FaultKind::Slow`].
    pub slow: u32,
    /// The rate of stale reads: such a `GetItem` without `ConsistentRead` gets the answer of the last `GetItem` of that item.
    pub stale: u32,
    /// The delay of late and slow requests, in milliseconds.
    pub delay_ms: u64,
}

/// A fault, and whether the request is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Executed, and answered with 500 `InternalServerError`.
    Lost,
    /// Executed; the connection is closed without an answer.
    Broken,
    /// Not executed: 500 `InternalServerError`.
    Failed,
    /// Not executed: 400 `ThrottlingException`.
    Throttled,
    /// Not executed: 400 `ProvisionedThroughputExceededException`.
    Exceeded,
    /// Executed after the delay, even if the client no longer waits.
    Late,
    /// Executed, and answered after the delay.
    Slow,
}

impl Faults {
    fn choose(&self, rng: &mut Rng) -> Option<FaultKind> {
        let kinds = [
            (FaultKind::Lost, self.lost),
            (FaultKind::Broken, self.broken),
            (FaultKind::Failed, self.failed),
            (FaultKind::Throttled, self.throttled),
            (FaultKind::Exceeded, self.exceeded),
            (FaultKind::Late, self.late),
            (FaultKind::Slow, self.slow),
        ];
        let mut is_chosen = |one_in: u32| one_in > 0 && rng.u32(0..one_in) == 0;
        kinds.into_iter().find(|(_, one_in)| is_chosen(*one_in)).map(|(kind, _)| kind)
    }
}

/// The faults to inject, and how many were injected.
#[derive(Default)]
pub(super) struct FaultInjection {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    active: Option<(Faults, Rng)>,
    lost_writes: u32,
    injected: BTreeMap<FaultKind, u64>,
    /// The last answer to a read of each item, while reads can be stale.
    last_answers: HashMap<String, Answer>,
}

impl FaultInjection {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault to inject into this request, and its delay.
    pub(super) fn next(&self, request: &Request) -> Option<(FaultKind, Duration)> {
        let state = &mut *self.state();
        let is_write = ["PutItem", "UpdateItem"].contains(&request.operation.as_str());
        if state.lost_writes > 0 && is_write {
            state.lost_writes -= 1;
            return Some((FaultKind::Lost, Duration::ZERO));
        }
        let (faults, rng) = state.active.as_mut()?;
        let kind = faults.choose(rng)?;
        *state.injected.entry(kind).or_default() += 1;
        Some((kind, Duration::from_millis(faults.delay_ms)))
    }
}

/// The members of a `GetItem` that decide whether it can be stale.
#[derive(Deserialize)]
struct Read {
    #[serde(rename = "Key")]
    key: Value,
    #[serde(rename = "ConsistentRead", default)]
    consistent: bool,
}

impl Read {
    fn parse(request: &Request, body: &[u8]) -> Option<Self> {
        let body = Some(body).filter(|_| request.operation == "GetItem");
        serde_json::from_slice(body?).ok()
    }

    fn item_key(&self, request: &Request) -> String {
        format!("{} {}", request.table, self.key)
    }
}

impl FaultInjection {
    /// The stale answer to a read, if this read is to be stale.
    pub(super) fn stale_answer(&self, request: &Request, body: &[u8]) -> Option<Answer> {
        let state = &mut *self.state();
        let (faults, rng) = state.active.as_mut().filter(|(faults, _)| faults.stale > 0)?;
        let read = Read::parse(request, body).filter(|read| !read.consistent)?;
        (rng.u32(0..faults.stale) == 0)
            .then(|| state.last_answers.get(&read.item_key(request)).cloned())?
    }

    /// Remembers the answer to a read, for later stale reads.
    pub(super) fn remember_answer(&self, request: &Request, body: &[u8], answer: &Answer) {
        let state = &mut *self.state();
        if state.active.as_ref().is_none_or(|(faults, _)| faults.stale == 0) {
            return;
        }
        if let Some(read) = Read::parse(request, body) {
            state.last_answers.insert(read.item_key(request), answer.clone());
        }
    }
}

impl Dynamodb {
    /// From now on injects faults into requests to the proxy. [`Faults::default`] ends this. [`Dynamodb::call`] is not
    /// affected.
    pub fn inject_faults(&self, faults: Faults) {
        self.inner.faults.state().active = Some((faults, Rng::with_seed(faults.seed)));
    }

    /// The faults that are injected now, and how many of the next writes lose their reply.
    pub(crate) fn active_faults(&self) -> (Faults, u32) {
        let state = self.inner.faults.state();
        (state.active.as_ref().map(|(faults, _)| *faults).unwrap_or_default(), state.lost_writes)
    }

    /// How often each kind was injected since the start.
    #[must_use]
    pub fn injected_faults(&self) -> BTreeMap<FaultKind, u64> {
        self.inner.faults.state().injected.clone()
    }

    /// Executes the next `count` writes (`PutItem`, `UpdateItem`), and answers them with 500 `InternalServerError`.
    pub fn lose_replies_to_writes(&self, count: u32) {
        self.inner.faults.state().lost_writes = count;
    }
}
