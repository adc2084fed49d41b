//! Stores the wallets and the payments in `DynamoDB`: one item for each, one consistent read, one conditional write.
//!
//! A write requires that the version is still the one that was read. On a conflict, the change is retried on the winner's version.
//! So there is never more than one primary, and never more than one live transaction, without transactions or locks.

mod change;
mod due;
mod item;
mod meter;
mod order_search;
mod payment_item;
mod payments;
mod rate_limit;
mod table;
mod uncertain_write;
mod write_ids;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

use crate::aws;
use crate::config::{AwsConfig, Environment, EventConfig, StorageConfig};
use crate::domain::caller::Caller;
use crate::domain::customer::{Customer, CustomerNumber};
use crate::domain::history::HistoryChange;
use crate::domain::id::{RecurringPaymentId, Slot};
use crate::domain::owner::{IdKey, Owner};
use crate::domain::wallet::{Contents, Wallet};
use crate::error::{Cause, Error, Refusal};
use change::{Changed, Loaded};
pub use due::{Due, DueKind, DuePayment, DueWallet};
use item::Item;
pub use payments::{ChangedPayment, CreatedPayment, LoadedPayment, PaymentKey, PaymentStore};
use rate_limit::RateLimits;
pub use rate_limit::WaitingLimit;
pub use table::PageStart;
use table::Table;

/// The maximum number of slots to try for a customer, or of ids for an order. There are 2^39 slots and 2^49 ids, so the second is
/// rarely needed.
const MAX_PROBES: u8 = 64;

/// Identifies a wallet: by customer, by recurring payment, or by slot.
#[derive(Debug, Clone, Copy)]
pub enum WalletKey<'a> {
    /// The wallet of a customer. It can be empty.
    Customer(&'a Customer),
    /// The wallet that contains a recurring payment, if the caller may access it.
    Payment(&'a Caller, RecurringPaymentId),
    /// The wallet that contains a recurring payment, if it belongs to this owner. For a payment: its caller was checked with it.
    Owner(Owner, RecurringPaymentId),
    /// The wallet in a slot. Only for background tasks: there is no check of the caller.
    Slot(Slot),
}

/// The table of wallets.
#[derive(Clone)]
pub struct Store {
    wallets: Table,
    rate_limits: RateLimits,
    id_key: IdKey,
    events: EventConfig,
}

/// A wallet that was read. It can be changed without another read.
pub struct LoadedWallet {
    /// The wallet as of the instant of the read.
    pub wallet: Wallet,
    /// The stored contents, for finding out whether a change has to be written.
    before: Contents,
    /// The stored item, if there is one.
    item: Option<Item>,
}

impl LoadedWallet {
    /// Whether an index entry of the wallet is due although the wallet is not.
    #[must_use]
    pub fn has_stale_index_entry(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.has_stale_index_entry(&self.wallet, now))
    }

    /// The last changes of a recurring payment, oldest first. Also has the changes by time that are not stored yet.
    ///
    /// # Errors
    /// Fails with `NotFound`.
    pub fn history(&self, id: RecurringPaymentId) -> Result<Vec<HistoryChange>, Refusal> {
        self.wallet.view(id)?;
        let history = |item: &Item| item.history(&self.before, &self.wallet, id);
        Ok(self.item.as_ref().map(history).unwrap_or_default())
    }

    fn into_loaded(self) -> Loaded<Wallet> {
        Loaded { aggregate: self.wallet, before: self.before, item: self.item, is_unread: false }
    }

    /// Whether an expiry is due that is not stored yet.
    fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.expires_by(now))
    }
}

/// The result of a change.
pub struct ChangeResult<T> {
    /// The result of the decision.
    pub outcome: T,
    /// Whether anything was written.
    pub written: bool,
}

impl Store {
    /// Creates a store for the configured tables, without lifecycle events.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: StorageConfig) -> Self {
        let client = table::client(sdk, config.endpoint.clone());
        Self::on(client, config)
    }

    fn on(client: Client, config: StorageConfig) -> Self {
        let rate_limits = RateLimits { client: client.clone(), table: config.rate_limits };
        let wallets = Table { client, name: config.table, key: item::KEY };
        Self { wallets, rate_limits, id_key: config.id_key, events: EventConfig::default() }
    }

    /// The same store with lifecycle events in its wallets (api.md §7), for the organisations that have an address for them.
    #[must_use]
    pub fn with_lifecycle_events(self, events: EventConfig) -> Self {
        Self { events, ..self }
    }

    /// The configuration of lifecycle events.
    #[must_use]
    pub fn lifecycle_events(&self) -> &EventConfig {
        &self.events
    }

    /// Creates a store from the environment for a function that changes wallets: with lifecycle events.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start_for_changes(environment: &Environment<'_>) -> Result<Self, Cause> {
        Self::with_changes(environment, &aws::sdk(AwsConfig::read(environment)?)?).await
    }

    /// Does the same as [`Store::start_for_changes`] with an existing base configuration of AWS clients.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub async fn with_changes(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
    ) -> Result<Self, Cause> {
        let events = EventConfig::read(environment)?;
        Ok(Self::with(environment, sdk).await?.with_lifecycle_events(events))
    }

    /// Creates a store from the environment for a function that only reads wallets: without lifecycle events.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Self::with(environment, &aws::sdk(AwsConfig::read(environment)?)?).await
    }

    /// Does the same as [`Store::start`] with an existing base configuration of AWS clients.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub async fn with(environment: &Environment<'_>, sdk: &SdkConfig) -> Result<Self, Cause> {
        let config = StorageConfig::read(environment)?;
        let warm_up = config.warm_up;
        let store = Self::new(sdk, config);
        if warm_up {
            store.wallets.warm_up(Slot::INVALID.number()).await;
        }
        Ok(store)
    }

    /// Counts a request of an unidentified caller. Does nothing for an identified one.
    ///
    /// # Errors
    /// Fails with `Unidentified` if the rate limit is exceeded, and with `Unavailable` if `DynamoDB` does not answer.
    pub async fn check_rate_limit(
        &self,
        is_identified: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.rate_limits.check(is_identified, now).await
    }

    /// The limit of the requests that wait for news. `max_requests` can begin in 20 seconds.
    #[must_use]
    pub fn waiting_limit(&self, max_requests: u32) -> WaitingLimit {
        WaitingLimit { rate_limits: self.rate_limits.clone(), max_requests }
    }

    /// The owner that a privileged caller names besides an id. `None` for a customer, whose request cannot name one (api.md §5).
    #[must_use]
    pub fn named_owner(&self, caller: &Caller, named: Option<CustomerNumber>) -> Option<Owner> {
        let number = named.filter(|_| caller.customer.is_none())?;
        Some(self.id_key.owner(&Customer { organisation: caller.organisation, number }))
    }

    /// Loads a wallet as of `now`, with one consistent read.
    ///
    /// # Errors
    /// Fails with `NotFound` if there is no such wallet or the caller may not access it, with `Unavailable` if `DynamoDB` does not
    /// answer, and with `Internal` if the item is unreadable.
    pub async fn load(
        &self,
        key: WalletKey<'_>,
        now: DateTime<Utc>,
    ) -> Result<LoadedWallet, Error> {
        match key {
            WalletKey::Payment(_, id) | WalletKey::Owner(_, id) => {
                self.load_at(key, id.slot(), now).await
            }
            WalletKey::Slot(slot) => self.load_at(key, slot, now).await,
            WalletKey::Customer(customer) => {
                for slot in (0..MAX_PROBES).map(|probe| self.id_key.slot(customer, probe)) {
                    let Some(item) = self.get(slot).await? else {
                        let wallet = Wallet::empty(
                            slot,
                            customer.organisation,
                            self.id_key.owner(customer),
                            now,
                        )
                        .with_lifecycle_rules(self.events.rules(customer.organisation));
                        return Ok(LoadedWallet {
                            before: wallet.contents().clone(),
                            wallet,
                            item: None,
                        });
                    };
                    if let Some(loaded) = self.open_item(key, slot, item, now)? {
                        return Ok(loaded);
                    }
                }
                Err(Error::Internal {
                    what: "there is no free slot for the customer",
                    cause: "every probed slot has another owner".into(),
                })
            }
        }
    }

    async fn load_at(
        &self,
        key: WalletKey<'_>,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<LoadedWallet, Error> {
        let item = self.get(slot).await?.ok_or(Refusal::NotFound)?;
        Ok(self.open_item(key, slot, item, now)?.ok_or(Refusal::NotFound)?)
    }

    /// Changes a wallet: reads it, calls `decide`, and writes the result if the stored version is unchanged. On a conflict, the
    /// change is retried on the winner's version, so `decide` must be pure. A wallet that `decide` leaves unchanged is not written.
    ///
    /// After an uncertain write, the wallet is read again. If the write was carried out, its id is in the item, and the change is
    /// not repeated. If there were so many other writes that the id may have been dropped, the change fails.
    ///
    /// # Errors
    /// Fails with the refusal of `decide`, like [`Store::load`], with `Busy` after five conflicts, and with `Unavailable` if it is
    /// unknown whether the change was written.
    pub async fn change<T>(
        &self,
        key: WalletKey<'_>,
        now: DateTime<Utc>,
        decide: impl FnMut(&mut Wallet) -> Result<T, Refusal>,
    ) -> Result<T, Error> {
        let loaded = self.load(key, now).await?;
        Ok(self.change_loaded(loaded, key, now, decide).await?.outcome)
    }

    /// Does the same as [`Store::change`] for a wallet that is already loaded. Also returns whether anything was written.
    ///
    /// # Errors
    /// Fails like [`Store::change`].
    pub async fn change_loaded<T>(
        &self,
        loaded: LoadedWallet,
        key: WalletKey<'_>,
        now: DateTime<Utc>,
        decide: impl FnMut(&mut Wallet) -> Result<T, Refusal>,
    ) -> Result<ChangeResult<T>, Error> {
        let slot = loaded.wallet.slot();
        let changed = change::change(
            &self.wallets,
            loaded.into_loaded(),
            now,
            || async { Ok(self.load(key, now).await?.into_loaded()) },
            |item| Ok(self.open_item(key, slot, item, now)?.map(LoadedWallet::into_loaded)),
            decide,
        );
        let Changed { outcome, written, .. } = changed.await?;
        Ok(ChangeResult { outcome, written })
    }

    /// Opens the wallet in an item. Returns `None` if the wallet does not match the key.
    fn open_item(
        &self,
        key: WalletKey<'_>,
        slot: Slot,
        item: Item,
        now: DateTime<Utc>,
    ) -> Result<Option<LoadedWallet>, Error> {
        let contents = item.contents()?;
        let matches_key = match key {
            WalletKey::Customer(customer) => contents.owner == self.id_key.owner(customer),
            WalletKey::Payment(caller, _) => {
                self.id_key.caller_can_access(caller, contents.organisation, contents.owner)
            }
            WalletKey::Owner(owner, _) => contents.owner == owner,
            WalletKey::Slot(_) => true,
        };
        let loaded = |before: Contents| {
            let rules = self.events.rules(before.organisation);
            let wallet = Wallet::as_stored(slot, before.clone()).with_lifecycle_rules(rules);
            LoadedWallet { wallet: wallet.at(now), before, item: Some(item) }
        };
        Ok(matches_key.then(|| loaded(contents)))
    }

    async fn get(&self, slot: Slot) -> Result<Option<Item>, Error> {
        self.wallets.get(slot.number()).await?.map(Item::read).transpose()
    }
}

#[cfg(test)]
#[path = "../tests/storage/size.rs"]
mod size;
