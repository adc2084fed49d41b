//! The item that a wallet is stored in: what of `shared/src/storage/item.rs` the protocol depends on.
//!
//! The attributes have other types here, but the same life: a version, the ids of writes, the wallet, and the entries of the
//! two indexes. All ids of writes are remembered, not the last eight: within the bounds there are fewer.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::domain::id::Sequence;
use shared::domain::recurring_payment::{RecurringPayment, State};
use shared::domain::wallet::{Contents, Wallet};

use crate::flaw::Flaw;

/// What a write is known by. In the service 64 random bits; here small numbers, so that equal states are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u8);

/// Ids of writes, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct WriteIds(u128);

impl WriteIds {
    /// One more.
    pub fn add(&mut self, id: WriteId) {
        self.0 |= 1 << id.0;
    }

    /// All but those from this one on.
    #[must_use]
    pub fn before(self, first: u8) -> Self {
        Self(self.0 & ((1 << first) - 1))
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(self, id: WriteId) -> bool {
        self.0 & 1 << id.0 != 0
    }
}

/// A wallet as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// A hash of all the rest: the same item is in many places of a state.
    fingerprint: u64,
    /// The condition of the next write.
    pub version: u64,
    /// Who wrote it so far.
    pub writes: WriteIds,
    /// The wallet.
    pub contents: Contents,
    /// The entry of the index of what expires.
    pub expiry_at: Option<DateTime<Utc>>,
    /// The entry of the index of what is to be looked at, or told.
    pub chore_at: Option<DateTime<Utc>>,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl Item {
    /// The item that takes the place of another one.
    #[must_use]
    pub fn new(
        wallet: &Wallet,
        replaces: Option<&Self>,
        write_id: WriteId,
        flaw: Option<Flaw>,
    ) -> Self {
        let mut writes = replaces.map(|item| item.writes).unwrap_or_default();
        writes.add(write_id);
        let due = wallet.due();
        let opened = wallet.opened_lately().collect();
        let item = Self {
            fingerprint: 0,
            version: replaces.map_or(0, |item| item.version) + 1,
            writes,
            contents: Contents { opened, ..wallet.contents().clone() },
            expiry_at: due.expiry.filter(|_| flaw != Some(Flaw::ExpiryNotIndexed)),
            chore_at: due.chore.filter(|_| flaw != Some(Flaw::NotIndexed)),
        };
        item.sealed()
    }

    /// With its fingerprint.
    fn sealed(mut self) -> Self {
        let Self { fingerprint: _, version, writes, contents, expiry_at, chore_at } = &self;
        let all = (version, writes, contents, expiry_at, chore_at);
        let mut hasher = DefaultHasher::new();
        all.hash(&mut hasher);
        self.fingerprint = hasher.finish();
        self
    }

    /// The same, its last writers forgotten: all from this id on.
    #[must_use]
    pub fn written_before(&self, first: u8) -> Self {
        Self { writes: self.writes.before(first), ..self.clone() }.sealed()
    }

    /// Whether this write is among those that made it.
    #[must_use]
    pub fn was_written_by(&self, write_id: WriteId) -> bool {
        self.writes.has(write_id)
    }

    /// Whether an index says that something is overdue which is not: whoever meets that puts it right.
    #[must_use]
    pub fn misleads(&self, wallet: &Wallet, now: DateTime<Utc>) -> bool {
        let due = wallet.due();
        [(self.expiry_at, due.expiry), (self.chore_at, due.chore)]
            .into_iter()
            .any(|(says, is)| says.is_some_and(|at| at <= now && says != is))
    }

    /// Whether time has something to make of it by now.
    #[must_use]
    pub fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.expiry_at.is_some_and(|at| at <= now)
    }

    /// Of which recurring payments there is a pan hash in it.
    pub fn with_pan_hash(&self) -> impl Iterator<Item = Sequence> {
        let has_one = |payment: &&RecurringPayment| matches!(payment.state, State::Active { .. });
        self.contents.payments.iter().filter(has_one).map(|payment| payment.sequence)
    }
}
