//! The item that a wallet is stored in: what of `shared/src/storage/item.rs` the protocol depends on.
//!
//! The attributes have other types here, but the same life: a version, the ids of writes, the wallet as it lies there, what
//! lapses, and the entries of the two indexes. All ids of writes are remembered, not the last eight: within the bounds there
//! are fewer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use shared::domain::id::Sequence;
use shared::domain::recurring_payment::{RecurringPayment, State};
use shared::domain::wallet::{Contents, Wallet};
use shared::secret::Secret;

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
    /// The wallet as it lies there: what lapses is EXPIRED already.
    pub stored: Contents,
    /// The pan hashes of what is ACTIVE until `expiry_at`, when nothing else is ever due.
    pub lapsing: Option<BTreeMap<Sequence, Secret>>,
    /// The write that took them away.
    pub expired_by: Option<WriteId>,
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
        let mut stored = wallet.contents().clone();
        stored.opened = wallet.opened_lately().collect();
        let lapsing = expired(wallet).map(|(payments, pan_hashes)| {
            stored.payments = payments;
            pan_hashes
        });
        let item = Self {
            fingerprint: 0,
            version: replaces.map_or(0, |item| item.version) + 1,
            writes,
            stored,
            lapsing,
            expired_by: None,
            expiry_at: due.expiry,
            chore_at: due.chore.filter(|_| flaw != Some(Flaw::NotIndexed)),
        };
        item.sealed()
    }

    /// With its fingerprint.
    fn sealed(mut self) -> Self {
        let Self {
            fingerprint: _,
            version,
            writes,
            stored,
            lapsing,
            expired_by,
            expiry_at,
            chore_at,
        } = &self;
        let all = (version, writes, stored, lapsing, expired_by, expiry_at, chore_at);
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

    /// Whether this write was its expiry.
    #[must_use]
    pub fn was_expired_by(&self, write_id: WriteId) -> bool {
        self.expired_by == Some(write_id)
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

    /// The condition of the expiry without a read: all that is still due is what lapses at this instant.
    #[must_use]
    pub fn can_expire(&self, at: DateTime<Utc>) -> bool {
        self.expiry_at == Some(at) && self.lapsing.is_some()
    }

    /// What the expiry without a read makes of it.
    #[must_use]
    pub fn after_expiry(&self, own: WriteId) -> Self {
        Self {
            version: self.version + 1,
            lapsing: None,
            expiry_at: None,
            expired_by: Some(own),
            ..self.clone()
        }
        .sealed()
    }

    /// The wallet's contents: what lapses, put together with its pan hash.
    #[must_use]
    pub fn contents(&self, flaw: Option<Flaw>) -> Contents {
        let mut contents = self.stored.clone();
        let lapsing = self.lapsing.iter().filter(|_| flaw != Some(Flaw::ReadsWithoutLapsing));
        for (sequence, pan_hash) in lapsing.flatten() {
            for payment in &mut contents.payments {
                if payment.sequence == *sequence
                    && let State::Expired { registration } = &payment.state
                {
                    let (registration, pan_hash) = (registration.clone(), pan_hash.clone());
                    payment.state = State::Active { registration, pan_hash };
                }
            }
        }
        contents
    }

    /// Of which recurring payments there is a pan hash in it.
    pub fn with_pan_hash(&self) -> impl Iterator<Item = Sequence> {
        let active = |payment: &&RecurringPayment| pan_hash(payment).is_some();
        let lapsing = self.lapsing.iter().flat_map(BTreeMap::keys).copied();
        self.stored.payments.iter().filter(active).map(|payment| payment.sequence).chain(lapsing)
    }
}

/// The payments as they will be after the next expiry, and the pan hashes that they have until then: when nothing else is
/// ever due.
fn expired(wallet: &Wallet) -> Option<(Vec<RecurringPayment>, BTreeMap<Sequence, Secret>)> {
    let before = &wallet.contents().payments;
    let after = wallet.clone().at(wallet.due().expiry?);
    if after.due().expiry.is_some() || before.len() != after.contents().payments.len() {
        return None;
    }
    let stored = |(before, after): (&RecurringPayment, &RecurringPayment)| RecurringPayment {
        state: after.state.clone(),
        ..before.clone()
    };
    Some((
        before.iter().zip(&after.contents().payments).map(stored).collect(),
        before.iter().filter_map(|one| Some((one.sequence, pan_hash(one)?.clone()))).collect(),
    ))
}

fn pan_hash(payment: &RecurringPayment) -> Option<&Secret> {
    match &payment.state {
        State::Active { pan_hash, .. } => Some(pan_hash),
        State::Created { .. } | State::Expired { .. } | State::Cancelled { .. } => None,
    }
}
