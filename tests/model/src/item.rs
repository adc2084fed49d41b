//! The item of a wallet: the parts of `shared/src/storage/item.rs` that the protocol depends on.
//!
//! The attributes are the same, with other types: the version, the ids of the writes, the wallet, and the entries of the two
//! indexes. The item keeps the ids of all writes, not only of the last eight.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::domain::id::Sequence;
use shared::domain::recurring_payment::{RecurringPayment, State};
use shared::domain::wallet::{Contents, Wallet};

use crate::defect::Defect;

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

/// The stored item of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// A hash of the other fields. A state contains the same item many times, so this makes hashing fast.
    fingerprint: u64,
    /// The version. The next write requires it as its condition.
    pub version: u64,
    /// The ids of all writes so far.
    pub writes: WriteIds,
    /// The wallet.
    pub contents: Contents,
    /// The entry in the index of expiries.
    pub expiry_at: Option<DateTime<Utc>>,
    /// The entry in the index of background tasks.
    pub task_at: Option<DateTime<Utc>>,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl Item {
    /// The item that replaces another one.
    #[must_use]
    pub fn new(
        wallet: &Wallet,
        replaces: Option<&Self>,
        write_id: WriteId,
        defect: Option<Defect>,
    ) -> Self {
        let mut writes = replaces.map(|item| item.writes).unwrap_or_default();
        writes.add(write_id);
        let due = wallet.due();
        let terminals_opened_at = wallet.terminals_opened_within_hour().collect();
        let item = Self {
            fingerprint: 0,
            version: replaces.map_or(0, |item| item.version) + 1,
            writes,
            contents: Contents { terminals_opened_at, ..wallet.contents().clone() },
            expiry_at: due.expiry.filter(|_| defect != Some(Defect::ExpiryNotIndexed)),
            task_at: due.task.filter(|_| defect != Some(Defect::TaskNotIndexed)),
        };
        item.with_fingerprint()
    }

    /// Sets the fingerprint.
    fn with_fingerprint(mut self) -> Self {
        let Self { fingerprint: _, version, writes, contents, expiry_at, task_at } = &self;
        let all = (version, writes, contents, expiry_at, task_at);
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

    /// Whether an index has an overdue entry that does not agree with the wallet. The next change corrects it.
    #[must_use]
    pub fn has_stale_index_entry(&self, wallet: &Wallet, now: DateTime<Utc>) -> bool {
        let due = wallet.due();
        [(self.expiry_at, due.expiry), (self.task_at, due.task)]
            .into_iter()
            .any(|(entry, due)| entry.is_some_and(|at| at <= now && entry != due))
    }

    /// Whether the index of expiries has an entry that is due.
    #[must_use]
    pub fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.expiry_at.is_some_and(|at| at <= now)
    }

    /// The recurring payments that have a pan hash.
    pub fn with_pan_hash(&self) -> impl Iterator<Item = Sequence> {
        let has_pan_hash =
            |payment: &&RecurringPayment| matches!(payment.state, State::Active { .. });
        self.contents.payments.iter().filter(has_pan_hash).map(|payment| payment.sequence)
    }
}
