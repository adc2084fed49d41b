//! The wallets in `DynamoDB`: one item a wallet, one consistent read, one conditional write.
//!
//! The write is the lock: it is conditioned on the version that was read, so whoever was beaten decides again on what the
//! winner left. That is what keeps a single primary, with no transaction and no lock.

mod allowance;
mod doubt;
mod due;
mod item;
mod meter;

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
use doubt::Doubt;
pub use due::{Due, Kind, Page};
use item::Item;

/// How often a change is decided before [`Error::Busy`].
const TRIES: u32 = 5;
/// For how long a start waits for its connection.
const WARM_UP: Duration = Duration::from_secs(1);
/// How many slots are looked at for a customer. With 2^39 of them the second is already rare.
const PROBES: u8 = 64;

/// Whose wallet: a customer's, or the one that an id points to.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// The customer's, whether or not anything was ever in it.
    Customer(&'a Customer),
    /// The one that has this recurring payment, if this caller may see it.
    Payment(&'a Caller, RecurringPaymentId),
    /// The one at a place: for what the service does by itself, and answers nobody with.
    Slot(Slot),
}

/// The table of wallets.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    allowances: String,
    id_key: IdKey,
}

/// A wallet as it was read, to be changed without reading it once more.
pub struct Found {
    /// The wallet as of now.
    pub wallet: Wallet,
    /// What is stored, to see whether anything was changed.
    before: Contents,
    /// The item it is stored in.
    item: Option<Item>,
}

impl Found {
    /// Whether an index says that something is overdue which is not.
    #[must_use]
    pub fn is_misled(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.misleads(&self.wallet, now))
    }

    /// Whether time has made something of it that is not stored yet.
    fn expires_by(&self, now: DateTime<Utc>) -> bool {
        self.item.as_ref().is_some_and(|item| item.expires_by(now))
    }
}

/// What a change came to.
pub struct Changed<T> {
    /// What was decided.
    pub outcome: T,
    /// Whether there was anything to write.
    pub written: bool,
}

/// What was decided, and what it makes of the wallet.
struct Decided<T> {
    outcome: T,
    audit: Audit,
}

impl<T> Decided<T> {
    /// It is written: now it can be said.
    fn done(self) -> Changed<T> {
        log::audit(&self.audit);
        Changed { outcome: self.outcome, written: true }
    }
}

enum Put {
    Written,
    /// Somebody else's version is there: the item, where the refusal said so, and why an earlier request of ours may all the
    /// same have been carried out.
    Beaten(Option<Box<Item>>, Option<Cause>),
    Unclear(Cause),
}

impl Store {
    /// A client for the configured table.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: StorageConfig) -> Self {
        let sdk = aws_sdk_dynamodb::config::Builder::from(sdk).interceptor(meter::Requests);
        let sdk = match config.endpoint {
            Some(endpoint) => sdk.endpoint_url(endpoint),
            None => sdk,
        };
        Self {
            client: Client::from_conf(sdk.build()),
            table: config.table,
            allowances: config.allowances,
            id_key: config.id_key,
        }
    }

    /// From the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Self::with(environment, &aws::sdk(AwsConfig::read(environment)?)?).await
    }

    /// The same, with the client of AWS that there is already.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub async fn with(environment: &Environment<'_>, sdk: &SdkConfig) -> Result<Self, Cause> {
        let config = StorageConfig::read(environment)?;
        let warm_up = config.warm_up;
        let store = Self::new(sdk, config);
        if warm_up {
            store.warm_up().await;
        }
        Ok(store)
    }

    /// Reads what cannot be there, before anybody waits: so the first request finds an open connection, and all in its place.
    /// Should it fail, the first request sees for itself.
    async fn warm_up(&self) {
        match tokio::time::timeout(WARM_UP, self.get(Slot::NOWHERE)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "not warmed up"),
            Err(late) => tracing::warn!(error = chain(&late), "not warmed up"),
        }
    }

    /// The owner that a privileged caller names beside an id; what a customer says is not considered (api.md §5).
    #[must_use]
    pub fn named_owner(&self, caller: &Caller, named: Option<CustomerNumber>) -> Option<Owner> {
        let number = named.filter(|_| caller.customer.is_none())?;
        Some(self.id_key.owner(&Customer { organisation: caller.organisation, number }))
    }

    /// A wallet as of now: one consistent read.
    ///
    /// # Errors
    /// `NotFound` when the id points to nothing, or to somebody else's; `Unavailable`; `Internal` when the item cannot be read.
    pub async fn load(&self, key: Key<'_>, now: DateTime<Utc>) -> Result<Found, Error> {
        match key {
            Key::Payment(_, id) => self.load_at(key, id.slot(), now).await,
            Key::Slot(slot) => self.load_at(key, slot, now).await,
            Key::Customer(customer) => {
                for slot in (0..PROBES).map(|probe| self.id_key.slot(customer, probe)) {
                    let Some(item) = self.get(slot).await? else {
                        let wallet = Wallet::empty(
                            slot,
                            customer.organisation,
                            self.id_key.owner(customer),
                            now,
                        );
                        return Ok(Found { before: wallet.contents().clone(), wallet, item: None });
                    };
                    if let Some(found) = self.look_into(key, slot, item, now)? {
                        return Ok(found);
                    }
                }
                Err(Error::Internal {
                    what: "a customer has no slot",
                    cause: "every probe met another owner".into(),
                })
            }
        }
    }

    async fn load_at(&self, key: Key<'_>, slot: Slot, now: DateTime<Utc>) -> Result<Found, Error> {
        let item = self.get(slot).await?.ok_or(Refusal::NotFound)?;
        Ok(self.look_into(key, slot, item, now)?.ok_or(Refusal::NotFound)?)
    }

    /// Changes a wallet: read it, decide, write it on the condition that nobody else did meanwhile. Beaten, it decides again
    /// on what the winner left, so `decide` has to be pure. What changes nothing is not written.
    ///
    /// A write whose answer was lost is recognised by its id when the wallet is read again, so nothing happens twice. When so
    /// many others wrote meanwhile that the item may have forgotten it, nothing is decided again.
    ///
    /// # Errors
    /// What `decide` refuses with; as for [`Store::load`]; `Busy` after five lost races; `Unavailable` when nobody knows whether
    /// it was done.
    pub async fn change<T>(
        &self,
        key: Key<'_>,
        now: DateTime<Utc>,
        decide: impl FnMut(&mut Wallet) -> Result<T, Refusal>,
    ) -> Result<T, Error> {
        let found = self.load(key, now).await?;
        Ok(self.change_found(found, key, now, decide).await?.outcome)
    }

    /// [`Store::change`] of a wallet that was read before; it is read again only when somebody else changed it since. Says
    /// whether anything was written, too.
    ///
    /// # Errors
    /// As for [`Store::change`].
    pub async fn change_found<T>(
        &self,
        found: Found,
        key: Key<'_>,
        now: DateTime<Utc>,
        mut decide: impl FnMut(&mut Wallet) -> Result<T, Refusal>,
    ) -> Result<Changed<T>, Error> {
        let write_id = new_write_id();
        let mut doubt = None;
        let mut decided = None;
        let mut seen = Some(found);
        for attempt in 0..TRIES {
            let Found { mut wallet, before, item } = match seen.take() {
                Some(found) => found,
                None => self.load(key, now).await?,
            };
            if let (Some(own), Some(item)) = (decided.take(), &item) {
                if item.was_written_by(write_id) {
                    return Ok(Decided::done(own));
                }
                doubt = Doubt::after(doubt, item)?;
            }
            let outcome = decide(&mut wallet)?;
            let misleads = item.as_ref().is_some_and(|item| item.misleads(&wallet, now));
            if *wallet.contents() == before && !misleads {
                return Ok(Changed { outcome, written: false });
            }
            let audit = Audit::between(&Wallet::as_stored(wallet.slot(), before), &wallet);
            let own = Decided { outcome, audit };
            let replaces = item.as_ref().map_or(0, Item::version);
            let doubtful = |cause| Doubt { replaces, cause };
            match self.put(Item::new(&wallet, item.as_ref(), write_id), item.as_ref()).await? {
                Put::Written => return Ok(own.done()),
                Put::Beaten(Some(item), _) if item.was_written_by(write_id) => {
                    return Ok(own.done());
                }
                Put::Beaten(winner, repeated) => {
                    invocation::note(|at_hand| at_hand.conflicts += 1);
                    doubt = repeated.map(doubtful).or(doubt);
                    if let Some(item) = &winner {
                        doubt = Doubt::after(doubt, item)?;
                    }
                    seen = winner
                        .and_then(|item| self.look_into(key, wallet.slot(), *item, now).transpose())
                        .transpose()?;
                }
                Put::Unclear(cause) => doubt = Some(doubtful(cause)),
            }
            decided = Some(own);
            pause(attempt).await;
        }
        let Some(Doubt { cause, .. }) = doubt else { return Err(Error::Busy { tries: TRIES }) };
        let written =
            self.load(key, now).await?.item.is_some_and(|item| item.was_written_by(write_id));
        decided.filter(|_| written).map(Decided::done).ok_or_else(|| unavailable(cause))
    }

    /// The wallet in the item, if it is the one that the key means.
    fn look_into(
        &self,
        key: Key<'_>,
        slot: Slot,
        item: Item,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>, Error> {
        let contents = item.contents()?;
        let admitted = match key {
            Key::Customer(customer) => contents.owner == self.id_key.owner(customer),
            Key::Payment(caller, _) => {
                self.id_key.admits(caller, contents.organisation, contents.owner)
            }
            Key::Slot(_) => true,
        };
        let found = |before: Contents| Found {
            wallet: Wallet::new(slot, before.clone(), now),
            before,
            item: Some(item),
        };
        Ok(admitted.then(|| found(contents)))
    }

    async fn get(&self, slot: Slot) -> Result<Option<Item>, Error> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("slot", AttributeValue::N(slot.number().to_string()));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let got = Box::pin(get.send()).await.map_err(|cause| unavailable(cause.into()))?;
        meter::read(got.consumed_capacity());
        got.item.map(Item::read).transpose()
    }

    async fn put(&self, item: Item, replaces: Option<&Item>) -> Result<Put, Error> {
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
        let (put, repeated) = meter::repeated(Box::pin(put.send())).await;
        match put {
            Ok(put) => {
                meter::written(put.consumed_capacity());
                Ok(Put::Written)
            }
            Err(SdkError::ServiceError(refused)) => {
                let error = refused.into_err();
                if let PutItemError::ConditionalCheckFailedException(failed) = error {
                    let winner = failed.item.map(Item::read).transpose()?;
                    let lost = repeated.then(|| "the answer to a write was lost".into());
                    return Ok(Put::Beaten(winner.map(Box::new), lost));
                }
                Ok(Put::Unclear(error.into()))
            }
            Err(lost) => Ok(Put::Unclear(lost.into())),
        }
    }
}

fn unavailable(cause: Cause) -> Error {
    Error::Unavailable { what: "DynamoDB", cause }
}

#[expect(clippy::disallowed_methods, reason = "the one place where write ids come from")]
fn new_write_id() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// Up to 20, 40, 80 … ms, by chance, so that those who were beaten together do not meet again.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..20 << attempt))).await;
}
