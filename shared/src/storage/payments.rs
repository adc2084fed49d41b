//! The table of payments. The order is the key of a payment, so a repeated create finds the same item (payments.md §4.5).

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

use super::Store;
use super::change::{self, Aggregate, Changed, Loaded};
use super::due::Due;
use super::payment_item::{self, BY_TASK, PaymentEntry, PaymentItem};
use super::rate_limit::{RateLimits, WaitingLimit};
use super::table::{self, PageStart, Table};
use crate::aws;
use crate::config::{AwsConfig, Environment, PaymentStorageConfig, StorageConfig};
use crate::domain::caller::Caller;
use crate::domain::id::PaymentId;
use crate::domain::order::Order;
use crate::domain::owner::{IdKey, OrderHash, Owner};
use crate::domain::payment::{Charge, ChargedCard, Contents, Payment};
use crate::error::{Cause, Error, PaymentRefusal};

/// A number that is not an id of a payment. No item has this key.
const INVALID_ID: u64 = 0;

/// Identifies a payment.
#[derive(Debug, Clone, Copy)]
pub enum PaymentKey<'a> {
    /// A payment, if the caller may access it.
    Caller(&'a Caller, PaymentId),
    /// A payment. Only for background tasks: there is no check of the caller.
    Any(PaymentId),
}

impl PaymentKey<'_> {
    fn id(self) -> PaymentId {
        match self {
            Self::Caller(_, id) | Self::Any(id) => id,
        }
    }
}

/// The table of payments.
#[derive(Clone)]
pub struct PaymentStore {
    pub(super) payments: Table,
    rate_limits: RateLimits,
    pub(super) id_key: IdKey,
}

/// A payment that was read. It can be changed without another read.
pub struct LoadedPayment {
    /// The payment as of the instant of the read.
    pub payment: Payment,
    /// The stored contents, for finding out whether a change has to be written.
    before: Contents,
    /// The stored item.
    item: Option<PaymentItem>,
}

impl LoadedPayment {
    /// Whether the index entry of the payment is due although the payment is not.
    #[must_use]
    pub fn has_stale_index_entry(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| self.payment.has_stale_index_entry(item, now))
    }

    fn into_loaded(self) -> Loaded<Payment> {
        Loaded { aggregate: self.payment, before: self.before, item: self.item, is_unread: false }
    }

    fn from_loaded(loaded: Loaded<Payment>) -> Self {
        Self { payment: loaded.aggregate, before: loaded.before, item: loaded.item }
    }
}

/// The result of creating a payment.
pub struct CreatedPayment {
    /// The payment.
    pub payment: Payment,
    /// Whether this call created a transaction. `false` if the order already had one with the same facts.
    pub is_new: bool,
}

/// The result of a change.
pub struct ChangedPayment<T> {
    /// The result of the decision.
    pub outcome: T,
    /// Whether anything was written.
    pub written: bool,
    /// The payment after the change. It can be changed again without a read.
    pub loaded: LoadedPayment,
}

impl PaymentStore {
    /// The number of shards of the index.
    pub const SHARDS: u8 = table::SHARDS;

    /// Creates a store for the configured tables. `table` is that of payments.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: StorageConfig) -> Self {
        let client = table::client(sdk, config.endpoint.clone());
        Self::on(client, config)
    }

    fn on(client: Client, config: StorageConfig) -> Self {
        let rate_limits = RateLimits { client: client.clone(), table: config.rate_limits };
        let payments = Table { client, name: config.table, key: payment_item::KEY };
        Self { payments, rate_limits, id_key: config.id_key }
    }

    /// Creates a store from the environment.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Self::with(environment, &aws::sdk(AwsConfig::read(environment)?)?).await
    }

    /// Creates a store from the environment, with an existing base configuration of AWS clients.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub async fn with(environment: &Environment<'_>, sdk: &SdkConfig) -> Result<Self, Cause> {
        let config = PaymentStorageConfig::read(environment)?;
        let client = table::client(sdk, config.endpoint.clone());
        Ok(Self::connect(client, config).await)
    }

    /// Does the same as [`PaymentStore::start`], and creates a store of the wallets that shares the client.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start_with_wallets(environment: &Environment<'_>) -> Result<(Self, Store), Cause> {
        Self::with_wallets(environment, &aws::sdk(AwsConfig::read(environment)?)?).await
    }

    /// Does the same as [`PaymentStore::with`], and creates a store of the wallets that shares the client.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub async fn with_wallets(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
    ) -> Result<(Self, Store), Cause> {
        let config = PaymentStorageConfig::read(environment)?;
        let client = table::client(sdk, config.endpoint.clone());
        let wallets = Store::on(client.clone(), StorageConfig::read(environment)?);
        Ok((Self::connect(client, config).await, wallets))
    }

    /// Creates a store from the environment that shares the client of a store of wallets.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn beside(wallets: &Store, environment: &Environment<'_>) -> Result<Self, Cause> {
        Ok(Self::on(wallets.wallets.client.clone(), PaymentStorageConfig::read(environment)?))
    }

    async fn connect(client: Client, config: StorageConfig) -> Self {
        let warm_up = config.warm_up;
        let store = Self::on(client, config);
        if warm_up {
            store.payments.warm_up(INVALID_ID).await;
        }
        store
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

    /// Loads a payment as of `now`, with one consistent read.
    ///
    /// # Errors
    /// Fails with `NotFound` if there is no such payment or the caller may not access it, with `Unavailable` if `DynamoDB` does not
    /// answer, and with `Internal` if the item is unreadable.
    pub async fn load(
        &self,
        key: PaymentKey<'_>,
        now: DateTime<Utc>,
    ) -> Result<LoadedPayment, Error> {
        let item = self.get(key.id()).await?.ok_or(PaymentRefusal::NotFound)?;
        let loaded = self.open_for_key(key, item, now)?.ok_or(PaymentRefusal::NotFound)?;
        Ok(LoadedPayment::from_loaded(loaded))
    }

    /// Finds the payment of an order, as of `now`. This is one consistent read, unless another order has the same first id.
    ///
    /// # Errors
    /// Fails with `Unavailable` if `DynamoDB` does not answer, and with `Internal` if an item is unreadable.
    pub async fn find(
        &self,
        order: &Order,
        now: DateTime<Utc>,
    ) -> Result<Option<LoadedPayment>, Error> {
        let search = self.search(order, self.id_key.order_hash(order), now).await?;
        Ok(search.found.map(LoadedPayment::from_loaded))
    }

    /// Creates a payment of an order, or creates it again: see [`Payment::create_again`]. A call that changes nothing writes
    /// nothing. The first request is already the write; if the order has a payment, the refusal of the write contains it.
    ///
    /// # Errors
    /// Fails with the refusal of [`Payment::create_again`], and like [`PaymentStore::change`].
    pub async fn create(
        &self,
        order: Order,
        owner: Owner,
        charge: Charge,
        card: ChargedCard,
        now: DateTime<Utc>,
    ) -> Result<CreatedPayment, Error> {
        let (order, card) = (&order, &card);
        let hash = self.id_key.order_hash(order);
        let new = move |id| {
            let key = (order.clone(), hash);
            let payment = Payment::create(id, key, owner, charge, card.clone(), now);
            let before = Contents { transactions: Vec::new(), ..payment.contents().clone() };
            Loaded { aggregate: payment, before, item: None, is_unread: false }
        };
        let changed = change::change(
            &self.payments,
            Loaded { is_unread: true, ..new(self.id_key.payment_id(order, 0)) },
            now,
            || self.load_or_new(order, hash, now, new),
            |item| open_for_order(hash, item, now),
            |payment| {
                let count = payment.contents().transactions.len();
                payment.create_again(owner, charge, card.clone())?;
                Ok(count < payment.contents().transactions.len())
            },
        );
        let Changed { outcome: is_added, written, loaded } = changed.await?;
        let is_first = written && loaded.item.is_some_and(|item| item.is_first());
        Ok(CreatedPayment { payment: loaded.aggregate, is_new: is_added || is_first })
    }

    /// Changes a payment: reads it, calls `decide`, and writes the result if the stored version is unchanged. On a conflict, the
    /// change is retried on the winner's version, so `decide` must be pure. A payment that `decide` leaves unchanged is not written.
    ///
    /// # Errors
    /// Fails with the refusal of `decide`, like [`PaymentStore::load`], with `Busy` after five conflicts, and with `Unavailable` if
    /// it is unknown whether the change was written.
    pub async fn change<T>(
        &self,
        key: PaymentKey<'_>,
        now: DateTime<Utc>,
        decide: impl FnMut(&mut Payment) -> Result<T, PaymentRefusal>,
    ) -> Result<ChangedPayment<T>, Error> {
        let loaded = self.load(key, now).await?;
        self.change_loaded(loaded, key, now, decide).await
    }

    /// Does the same as [`PaymentStore::change`] for a payment that is already loaded.
    ///
    /// # Errors
    /// Fails like [`PaymentStore::change`].
    pub async fn change_loaded<T>(
        &self,
        loaded: LoadedPayment,
        key: PaymentKey<'_>,
        now: DateTime<Utc>,
        decide: impl FnMut(&mut Payment) -> Result<T, PaymentRefusal>,
    ) -> Result<ChangedPayment<T>, Error> {
        let changed = change::change(
            &self.payments,
            loaded.into_loaded(),
            now,
            || async { Ok(self.load(key, now).await?.into_loaded()) },
            |item| self.open_for_key(key, item, now),
            decide,
        );
        let Changed { outcome, written, loaded } = changed.await?;
        Ok(ChangedPayment { outcome, written, loaded: LoadedPayment::from_loaded(loaded) })
    }

    /// Reads a page of the payments that are due in a shard, longest due first. Also returns the start of the next page.
    ///
    /// # Errors
    /// Fails with `Unavailable` if `DynamoDB` does not answer, and with `Internal` if an index entry is unreadable.
    pub async fn due(
        &self,
        shard: u8,
        now: DateTime<Utc>,
        page: Option<PageStart>,
    ) -> Result<(Vec<Due<PaymentId>>, Option<PageStart>), Error> {
        let (entries, next) = self.payments.due(&BY_TASK, shard, now, page).await?;
        let due = |entry: PaymentEntry| {
            Ok(Due { key: PaymentId::try_from(entry.payment)?, at: entry.task_at })
        };
        let dues = entries.into_iter().map(due).collect::<Result<_, Cause>>();
        let what = "an index entry cannot be read";
        Ok((dues.map_err(|cause| Error::Internal { what, cause })?, next))
    }

    pub(super) async fn get(&self, id: PaymentId) -> Result<Option<PaymentItem>, Error> {
        self.payments.get(id.number()).await?.map(Payment::read).transpose()
    }

    /// Opens the payment in an item. Returns `None` if the caller may not access it.
    fn open_for_key(
        &self,
        key: PaymentKey<'_>,
        item: PaymentItem,
        now: DateTime<Utc>,
    ) -> Result<Option<Loaded<Payment>>, Error> {
        let loaded = open(item, now)?;
        let can_access = match key {
            PaymentKey::Caller(caller, _) => {
                let Contents { order, owner, .. } = &loaded.before;
                self.id_key.caller_can_access(caller, order.organisation, *owner)
            }
            PaymentKey::Any(_) => true,
        };
        Ok(Some(loaded).filter(|_| can_access))
    }
}

/// Opens the payment in an item. Returns `None` if it is that of another order.
pub(super) fn open_for_order(
    hash: OrderHash,
    item: PaymentItem,
    now: DateTime<Utc>,
) -> Result<Option<Loaded<Payment>>, Error> {
    if item.order_hash() == hash { open(item, now).map(Some) } else { Ok(None) }
}

fn open(item: PaymentItem, now: DateTime<Utc>) -> Result<Loaded<Payment>, Error> {
    let before = item.contents()?;
    let payment = Payment::new(item.id()?, before.clone(), now);
    Ok(Loaded { aggregate: payment, before, item: Some(item), is_unread: false })
}
