//! The item of an aggregate: the parts of `shared/src/storage/item.rs` and `payment_item.rs` that the protocol depends on.
//!
//! The attributes are the same, with other types: the version, the ids of the writes, the contents, and the entries of the indexes.
//! The item keeps the ids of all writes, not only of the last eight.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use crate::defect::Defect;
use crate::system::{Entries, System};

/// The id of a write. In the service it has 64 random bits. Here it is a small number, so that equal states compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u8);

/// A set of write ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct WriteIds(u128);

impl WriteIds {
    /// Adds an id.
    pub fn add(&mut self, id: WriteId) {
        self.0 |= 1 << id.0;
    }

    /// The ids below `first`.
    #[must_use]
    pub fn before(self, first: u8) -> Self {
        Self(self.0 & ((1 << first) - 1))
    }

    /// Whether the set contains this id.
    #[must_use]
    pub fn has(self, id: WriteId) -> bool {
        self.0 & 1 << id.0 != 0
    }
}

/// The stored item of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<S: System> {
    /// A hash of the other fields. A state contains the same item many times, so this makes hashing fast.
    fingerprint: u64,
    /// The version. The next write requires it as its condition.
    pub version: u64,
    /// The ids of all writes so far.
    pub writes: WriteIds,
    /// The data of the aggregate.
    pub contents: S::Contents,
    /// The entries in the indexes.
    pub entries: Entries,
}

impl<S: System> Hash for Item<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl<S: System> Item<S> {
    /// The item that replaces another one.
    #[must_use]
    pub fn new(
        aggregate: &S::Aggregate,
        replaces: Option<&Self>,
        write_id: WriteId,
        now: DateTime<Utc>,
        defect: Option<Defect>,
    ) -> Self {
        let mut writes = replaces.map(|item| item.writes).unwrap_or_default();
        writes.add(write_id);
        let Entries { expiry, task } = S::entries(aggregate, replaces, now);
        let item = Self {
            fingerprint: 0,
            version: replaces.map_or(0, |item| item.version) + 1,
            writes,
            contents: S::stored(aggregate),
            entries: Entries {
                expiry: expiry.filter(|_| defect != Some(Defect::ExpiryNotIndexed)),
                task: task.filter(|_| defect != Some(Defect::TaskNotIndexed)),
            },
        };
        item.with_fingerprint()
    }

    /// Sets the fingerprint.
    fn with_fingerprint(mut self) -> Self {
        let Self { fingerprint: _, version, writes, contents, entries } = &self;
        let all = (version, writes, contents, entries);
        let mut hasher = DefaultHasher::new();
        all.hash(&mut hasher);
        self.fingerprint = hasher.finish();
        self
    }

    /// The same item without the write ids from `first` on.
    #[must_use]
    pub fn without_writes_from(&self, first: u8) -> Self {
        Self { writes: self.writes.before(first), ..self.clone() }.with_fingerprint()
    }

    /// Whether the item contains this write.
    #[must_use]
    pub fn was_written_by(&self, write_id: WriteId) -> bool {
        self.writes.has(write_id)
    }

    /// Whether an index has an overdue entry that does not agree with the aggregate. The next change corrects it.
    #[must_use]
    pub fn has_stale_index_entry(&self, aggregate: &S::Aggregate, now: DateTime<Utc>) -> bool {
        let (entries, due) = (self.entries, S::due(aggregate));
        [(entries.expiry, due.expiry), (entries.task, due.task)]
            .into_iter()
            .any(|(entry, due)| entry.is_some_and(|at| at <= now && entry != due))
    }

    /// Whether the index of expiries has an entry that is due.
    #[must_use]
    pub fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.entries.expiry.is_some_and(|at| at <= now)
    }

    /// Whether the index of background tasks has an entry that is due.
    #[must_use]
    pub fn has_due_task(&self, now: DateTime<Utc>) -> bool {
        self.entries.task.is_some_and(|at| at <= now)
    }
}
