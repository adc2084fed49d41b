//! Trouble on order: what the network or `DynamoDB` could do to anybody's request, by chance, and again for the same seed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::Answer;
use super::{Dynamodb, Request};

/// Trouble by chance: each kind meets one in so many requests, 0 being none. It meets the same requests for the same seed,
/// in the order in which they arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Where chance begins.
    pub seed: u64,
    /// See [`Kind::Lost`].
    pub lost: u32,
    /// See [`Kind::Broken`].
    pub broken: u32,
    /// See [`Kind::Failed`].
    pub failed: u32,
    /// See [`Kind::Throttled`].
    pub throttled: u32,
    /// See [`Kind::Exceeded`].
    pub exceeded: u32,
    /// See [`Kind::Late`].
    pub late: u32,
    /// See [`Kind::Slow`].
    pub slow: u32,
    /// One in so many `GetItem`s that do not ask for a consistent answer gets the one that the last `GetItem` of that item got.
    pub stale: u32,
    /// How late the late and slow ones are, in milliseconds.
    pub delay_ms: u64,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is done, and answered with an internal error.
    Lost,
    /// It is done, and the connection breaks without an answer.
    Broken,
    /// It is not done, and answered with an internal error.
    Failed,
    /// It is not done: 400 `ThrottlingException`.
    Throttled,
    /// It is not done: 400 `ProvisionedThroughputExceededException`.
    Exceeded,
    /// It is done late, even when nobody waits for it any more.
    Late,
    /// It is done, and answered late.
    Slow,
}

impl Faults {
    fn meet(&self, chance: &mut Rng) -> Option<Kind> {
        let kinds = [
            (Kind::Lost, self.lost),
            (Kind::Broken, self.broken),
            (Kind::Failed, self.failed),
            (Kind::Throttled, self.throttled),
            (Kind::Exceeded, self.exceeded),
            (Kind::Late, self.late),
            (Kind::Slow, self.slow),
        ];
        let mut met = |one_in: u32| one_in > 0 && chance.u32(0..one_in) == 0;
        kinds.into_iter().find(|(_, one_in)| met(*one_in)).map(|(kind, _)| kind)
    }
}

/// What was ordered, and what came of it.
#[derive(Default)]
pub(super) struct Trouble {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ordered: Option<(Faults, Rng)>,
    lost_writes: u32,
    met: BTreeMap<Kind, u64>,
    /// What was last answered of each item, while reads can be stale.
    answered: HashMap<String, Answer>,
}

impl Trouble {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to this request, and how late.
    pub(super) fn next(&self, request: &Request) -> Option<(Kind, Duration)> {
        let state = &mut *self.state();
        let writes = ["PutItem", "UpdateItem"].contains(&request.operation.as_str());
        if state.lost_writes > 0 && writes {
            state.lost_writes -= 1;
            return Some((Kind::Lost, Duration::ZERO));
        }
        let (faults, chance) = state.ordered.as_mut()?;
        let kind = faults.meet(chance)?;
        *state.met.entry(kind).or_default() += 1;
        Some((kind, Duration::from_millis(faults.delay_ms)))
    }
}

/// What of a read counts here.
#[derive(Deserialize)]
struct Read {
    #[serde(rename = "Key")]
    key: Value,
    #[serde(rename = "ConsistentRead", default)]
    consistent: bool,
}

impl Read {
    fn of(request: &Request, body: &[u8]) -> Option<Self> {
        let body = Some(body).filter(|_| request.operation == "GetItem");
        serde_json::from_slice(body?).ok()
    }

    fn item(&self, request: &Request) -> String {
        format!("{} {}", request.table, self.key)
    }
}

impl Trouble {
    /// What a read is answered that is stale.
    pub(super) fn stale(&self, request: &Request, body: &[u8]) -> Option<Answer> {
        let state = &mut *self.state();
        let (faults, chance) = state.ordered.as_mut().filter(|(faults, _)| faults.stale > 0)?;
        let read = Read::of(request, body).filter(|read| !read.consistent)?;
        (chance.u32(0..faults.stale) == 0)
            .then(|| state.answered.get(&read.item(request)).cloned())?
    }

    /// Keeps what a read was answered.
    pub(super) fn answered(&self, request: &Request, body: &[u8], answer: &Answer) {
        let state = &mut *self.state();
        if state.ordered.as_ref().is_none_or(|(faults, _)| faults.stale == 0) {
            return;
        }
        if let Some(read) = Read::of(request, body) {
            state.answered.insert(read.item(request), answer.clone());
        }
    }
}

impl Dynamodb {
    /// From now on, trouble by chance for what comes through the door; [`Faults::default`] is the end of it. What
    /// [`Dynamodb::call`] asks for is spared.
    pub fn disturb(&self, faults: Faults) {
        self.inner.trouble.state().ordered = Some((faults, Rng::with_seed(faults.seed)));
    }

    /// How often each kind of trouble was met by chance, since the start.
    #[must_use]
    pub fn disturbed(&self) -> BTreeMap<Kind, u64> {
        self.inner.trouble.state().met.clone()
    }

    /// The next so many writes (`PutItem`, `UpdateItem`) are done, and answered with an internal error all the same.
    pub fn lose_replies_to_writes(&self, count: u32) {
        self.inner.trouble.state().lost_writes = count;
    }
}
