//! Finds the wallets and payments that are due, by the indexes, and stores expiry.

use chrono::{DateTime, Utc};

use super::item::{BY_EXPIRY, BY_TASK, Entry};
use super::table::{Index, PageStart, SHARDS};
use super::{ChangeResult, Store, WalletKey};
use crate::domain::id::{PaymentId, Slot};
use crate::domain::notification::{Notification, WalletEvent};
use crate::error::{Error, Refusal};

/// The reason why a wallet is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// An entry of the wallet expires, or has to be announced as expiring.
    Expiry,
    /// A background task: a session has to be reconciled, or a notification to be delivered.
    Task,
}

/// A wallet or a payment that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due<K> {
    /// The slot of the wallet, or the id of the payment.
    pub key: K,
    /// The instant at which it became due, in milliseconds since 1970.
    pub at: i64,
}

/// A wallet that is due.
pub type DueWallet = Due<Slot>;

/// A payment that is due.
pub type DuePayment = Due<PaymentId>;

impl<K> Due<K> {
    /// The instant at which it became due.
    #[must_use]
    pub fn due_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.at).unwrap_or_default()
    }
}

impl DueKind {
    fn index(self) -> Index {
        match self {
            Self::Expiry => BY_EXPIRY,
            Self::Task => BY_TASK,
        }
    }
}

impl Store {
    /// The number of shards of the indexes.
    pub const SHARDS: u8 = SHARDS;

    /// Reads a page of the wallets that are due in a shard, longest due first. Also returns the start of the next page.
    ///
    /// # Errors
    /// Fails with `Unavailable` if `DynamoDB` does not answer, and with `Internal` if an index entry is unreadable.
    pub async fn due(
        &self,
        kind: DueKind,
        shard: u8,
        now: DateTime<Utc>,
        page: Option<PageStart>,
    ) -> Result<(Vec<DueWallet>, Option<PageStart>), Error> {
        let (entries, next) = self.wallets.due(&kind.index(), shard, now, page).await?;
        let due = |entry: Entry| Due { key: Slot::new(entry.slot), at: entry.at };
        Ok((entries.into_iter().map(due).collect(), next))
    }

    /// Stores the entries of a wallet that have expired, and its lifecycle events. Returns the notifications to deliver, whose
    /// attempts are already stored. Returns `None` if nothing is due any more.
    ///
    /// # Errors
    /// Fails like [`Store::change`].
    pub async fn expire(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification<WalletEvent>>>, Error> {
        let key = WalletKey::Slot(slot);
        let loaded = match self.load(key, now).await {
            Err(Error::Refused(Refusal::NotFound)) => return Ok(None),
            loaded => loaded?,
        };
        if !loaded.expires_by(now) {
            return Ok(None);
        }
        let changed =
            self.change_loaded(loaded, key, now, |wallet| Ok(wallet.begin_delivery_attempts(None)));
        let ChangeResult { outcome: attempts, written } = changed.await?;
        Ok(written.then_some(attempts))
    }
}
