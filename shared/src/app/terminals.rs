//! Opens terminals: the visit is written down first, and then Nets is asked to register it.

use chrono::{DateTime, Utc};
use futures_util::future::try_join;
use url::Url;

use super::netaxept;
use crate::config::{CallbackAddresses, Environment};
use crate::domain::id::RecurringPaymentId;
use crate::domain::owner::Owner;
use crate::domain::terminal::{Asked, Closing, Visit};
use crate::domain::text::CallbackUrl;
use crate::domain::wallet::Opened;
use crate::error::{Cause, Error, Flaw};
use crate::netaxept::{Netaxept, Progress, Registered, TerminalWish};
use crate::notify;
use crate::secrets::Secrets;
use crate::storage::{Key, Store};

/// How many transaction ids are tried when Nets knows one from long ago.
const IDS: u32 = 3;

/// What the function that opens terminals works with.
pub struct Terminals {
    /// The wallets.
    pub store: Store,
    netaxept: Netaxept,
    addresses: CallbackAddresses,
}

/// A terminal that is to be opened.
pub struct NewTerminal {
    /// Whose the request says that it is, beside the id.
    pub owner: Option<Owner>,
    /// What it is to be like.
    pub wish: TerminalWish,
    /// Where the end of the setup is to be told.
    pub tell: Option<CallbackUrl>,
    /// What tells a repeated request from a new one.
    pub asked: Option<Asked>,
}

impl Terminals {
    /// Everything from the environment, and Nets' token from where it is kept.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; the token cannot be had; or the TLS stack cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let addresses = CallbackAddresses::read(environment)?;
        let netaxept = netaxept(environment, &secrets);
        let (store, netaxept) = try_join(Store::with(environment, &sdk), netaxept).await?;
        Ok(Self { store, netaxept, addresses })
    }

    /// An address that a caller names, if it is one that could ever be told something.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn callback_url(&self, text: &str) -> Result<CallbackUrl, Flaw> {
        notify::callback_url(text, self.addresses)
    }

    /// Opens a terminal: the visit, and the address of the page.
    ///
    /// # Errors
    /// What the wallet refuses with; what the store fails with; `Unavailable` when Nets does not say clearly that it
    /// registered the visit. The visit is in the wallet then, and harmless: nobody has its address.
    pub async fn open(
        &self,
        key: Key<'_>,
        id: RecurringPaymentId,
        new: &NewTerminal,
        now: DateTime<Utc>,
    ) -> Result<(Visit, Url), Error> {
        for _ in 0..IDS {
            let opened = self.store.change(key, now, |wallet| {
                wallet.must_be_of(new.owner)?;
                wallet.open_terminal(id, new.tell.clone(), new.asked)
            });
            let Opened { visit, again } = opened.await?;
            let there = Ok((visit, self.netaxept.terminal_uri(visit.transaction_id)));
            if again {
                if self.is_registered(&visit).await? {
                    return there;
                }
                if !self.store.change(key, now, |wallet| wallet.take_over(&visit)).await? {
                    continue;
                }
            }
            if self.register(&visit, &new.wish).await? {
                return there;
            }
            // The id is another transaction's for good: nobody will ever register this visit.
            self.store
                .change(key, now, |wallet| wallet.close_terminal(&visit, Closing::NeverRegistered))
                .await?;
        }
        Err(Error::Unavailable { what: "Netaxept", cause: "every transaction id was taken".into() })
    }

    async fn is_registered(&self, visit: &Visit) -> Result<bool, Error> {
        match self.netaxept.query(visit).await? {
            Progress::NeverRegistered => Ok(false),
            Progress::Cancelled | Progress::Unverified | Progress::Verified(_) => Ok(true),
        }
    }

    /// Has Nets register a visit; not, if its id is another transaction's.
    ///
    /// When Nets does not say that it did, the visit stays open, also when Nets does not know it: somebody else with the same
    /// key may just be registering it, and give its address to the customer. The first look at it finds out.
    async fn register(&self, visit: &Visit, wish: &TerminalWish) -> Result<bool, Error> {
        match self.netaxept.register(visit, wish).await {
            Ok(Registered::Yes) => Ok(true),
            Ok(Registered::IdTaken) => self.is_registered(visit).await,
            Err(failure) => match self.is_registered(visit).await {
                Ok(true) => Ok(true),
                Ok(false) | Err(_) => Err(failure.into()),
            },
        }
    }
}
