//! Stores the wallets in `DynamoDB`: one item for each wallet, one consistent read, one conditional write.
//!
//! A write requires that the version is still the one that was read. On a conflict, the change is retried on the winner's version.
//! So there is never more than one primary, without transactions or locks.

mod due;
mod item;
mod meter;
mod rate_limit;
mod uncertain_write;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use aws_types::SdkConfig;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::aws;
use crate::config::{AwsConfig, Environment, StorageConfig};
use crate::domain::audit::Audit;
use crate::domain::caller::Caller;
use crate::domain::customer::{Customer, CustomerNumber};
use crate::domain::id::{RecurringPaymentId, Slot};
use crate::domain::owner::{IdKey, Owner};
use crate::domain::wallet::{Contents, Wallet};
use crate::error::{Cause, Error, Refusal, chain};
use crate::invocation;
use crate::log;
pub use due::{DueKind, DueWallet, PageStart};
use item::Item;
use uncertain_write::UncertainWrite;

/// The number of attempts of a change before [`Error::Busy`].
const MAX_ATTEMPTS: u32 = 5;
/// The time limit for opening the connection at start.
const WARM_UP_LIMIT: Duration = Duration::from_secs(1);
/// The maximum number of slots to try for a customer. There are 2^39 slots, so the second is rarely needed.
const MAX_PROBES: u8 = 64;

/// Identifies a wallet: by customer, by recurring payment, or by slot.
#[derive(Debug, Clone, Copy)]
pub enum WalletKey<'a> {
    /// The wallet of a customer. It can be empty.
    Customer(&'a Customer),
    /// The wallet that contains a recurring payment, if the caller may access it.
    Payment(&'a Caller, RecurringPaymentId),
    /// The wallet in a slot. Only for background tasks: there is no check of the caller.
    Slot(Slot),
}

/// The table of wallets.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    rate_limits: String,
    id_key: IdKey,
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

/// A decision that is not confirmed as written yet.
struct Decision<T> {
    outcome: T,
    audit: Audit,
}

impl<T> Decision<T> {
    /// Confirms the write, and writes the audit log.
    fn written(self) -> ChangeResult<T> {
        log::audit(&self.audit);
        ChangeResult { outcome: self.outcome, written: true }
    }
}

enum PutOutcome {
    Written,
    /// The condition failed. With the current item, if the response has it. With a cause, if the SDK sent the request more than
    /// once, because then an earlier request may have been carried out.
    Conflict(Option<Box<Item>>, Option<Cause>),
    /// The write may or may not have been carried out.
    Uncertain(Cause),
}

impl Store {
    /// Creates a store for the configured tables.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: StorageConfig) -> Self {
        let builder = aws_sdk_dynamodb::config::Builder::from(sdk).interceptor(meter::Requests);
        let builder = match config.endpoint {
            Some(endpoint) => builder.endpoint_url(endpoint),
            None => builder,
        };
        Self {
            client: Client::from_conf(builder.build()),
            table: config.table,
            rate_limits: config.rate_limits,
            id_key: config.id_key,
        }
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
        let config = StorageConfig::read(environment)?;
        let warm_up = config.warm_up;
        let store = Self::new(sdk, config);
        if warm_up {
            store.warm_up().await;
        }
        Ok(store)
    }

    /// Reads an item that cannot exist, so that the connection is open before the first request. A failure is only logged.
    async fn warm_up(&self) {
        match tokio::time::timeout(WARM_UP_LIMIT, self.get(Slot::INVALID)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "warm-up failed"),
            Err(elapsed) => tracing::warn!(error = chain(&elapsed), "warm-up failed"),
        }
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
            WalletKey::Payment(_, id) => self.load_at(key, id.slot(), now).await,
            WalletKey::Slot(slot) => self.load_at(key, slot, now).await,
            WalletKey::Customer(customer) => {
                for slot in (0..MAX_PROBES).map(|probe| self.id_key.slot(customer, probe)) {
                    let Some(item) = self.get(slot).await? else {
                        let wallet = Wallet::empty(
                            slot,
                            customer.organisation,
                            self.id_key.owner(customer),
                            now,
                        );
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
        mut decide: impl FnMut(&mut Wallet) -> Result<T, Refusal>,
    ) -> Result<ChangeResult<T>, Error> {
        let write_id = new_write_id();
        let mut uncertain = None;
        let mut previous = None;
        let mut current = Some(loaded);
        for attempt in 0..MAX_ATTEMPTS {
            let LoadedWallet { mut wallet, before, item } = match current.take() {
                Some(loaded) => loaded,
                None => self.load(key, now).await?,
            };
            if let (Some(decision), Some(item)) = (previous.take(), &item) {
                if item.was_written_by(write_id) {
                    return Ok(Decision::written(decision));
                }
                uncertain = UncertainWrite::after(uncertain, item)?;
            }
            let outcome = decide(&mut wallet)?;
            let has_stale_index_entry =
                item.as_ref().is_some_and(|item| item.has_stale_index_entry(&wallet, now));
            if *wallet.contents() == before && !has_stale_index_entry {
                return Ok(ChangeResult { outcome, written: false });
            }
            let audit = Audit::between(&Wallet::as_stored(wallet.slot(), before), &wallet);
            let decision = Decision { outcome, audit };
            let replaces = item.as_ref().map_or(0, Item::version);
            let uncertain_write = |cause| UncertainWrite { replaces, cause };
            match self.put(Item::new(&wallet, item.as_ref(), write_id), item.as_ref()).await? {
                PutOutcome::Written => return Ok(decision.written()),
                PutOutcome::Conflict(Some(item), _) if item.was_written_by(write_id) => {
                    return Ok(decision.written());
                }
                PutOutcome::Conflict(winner, retried) => {
                    invocation::record(|invocation| invocation.conflicts += 1);
                    uncertain = retried.map(uncertain_write).or(uncertain);
                    if let Some(item) = &winner {
                        uncertain = UncertainWrite::after(uncertain, item)?;
                    }
                    current = winner
                        .and_then(|item| self.open_item(key, wallet.slot(), *item, now).transpose())
                        .transpose()?;
                }
                PutOutcome::Uncertain(cause) => uncertain = Some(uncertain_write(cause)),
            }
            previous = Some(decision);
            pause(attempt).await;
        }
        let Some(UncertainWrite { cause, .. }) = uncertain else {
            return Err(Error::Busy { attempts: MAX_ATTEMPTS });
        };
        let written =
            self.load(key, now).await?.item.is_some_and(|item| item.was_written_by(write_id));
        previous.filter(|_| written).map(Decision::written).ok_or_else(|| unavailable(cause))
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
            WalletKey::Slot(_) => true,
        };
        let loaded = |before: Contents| LoadedWallet {
            wallet: Wallet::new(slot, before.clone(), now),
            before,
            item: Some(item),
        };
        Ok(matches_key.then(|| loaded(contents)))
    }

    async fn get(&self, slot: Slot) -> Result<Option<Item>, Error> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("slot", AttributeValue::N(slot.number().to_string()));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = Box::pin(get.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::record_read(response.consumed_capacity());
        response.item.map(Item::read).transpose()
    }

    async fn put(&self, item: Item, replaces: Option<&Item>) -> Result<PutOutcome, Error> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item.write()?));
        let put = match replaces {
            None => put.condition_expression("attribute_not_exists(slot)"),
            Some(read) => put.condition_expression("version = :read").expression_attribute_values(
                ":read",
                AttributeValue::N(read.version().to_string()),
            ),
        };
        let put = put
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let (result, was_retried) = meter::detect_retry(Box::pin(put.send())).await;
        match result {
            Ok(response) => {
                meter::record_write(response.consumed_capacity());
                Ok(PutOutcome::Written)
            }
            Err(SdkError::ServiceError(refused)) => {
                let error = refused.into_err();
                if let PutItemError::ConditionalCheckFailedException(failed) = error {
                    let winner = failed.item.map(Item::read).transpose()?;
                    let cause = was_retried.then(|| "the response to a write was lost".into());
                    return Ok(PutOutcome::Conflict(winner.map(Box::new), cause));
                }
                Ok(PutOutcome::Uncertain(error.into()))
            }
            Err(error) => Ok(PutOutcome::Uncertain(error.into())),
        }
    }
}

fn unavailable(cause: Cause) -> Error {
    Error::Unavailable { what: "DynamoDB", cause }
}

#[expect(clippy::disallowed_methods, reason = "the only place that generates write ids")]
fn new_write_id() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// Waits for a random time of up to 20, 40, 80 … ms, so that writers with the same conflict do not retry at the same time.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..20 << attempt))).await;
}
