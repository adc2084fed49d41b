//! Opens terminals: stores the session first, then registers it at Nets.

use chrono::{DateTime, Utc};
use futures_util::future::try_join;
use url::Url;

use super::netaxept;
use crate::config::{CallbackAddresses, Environment};
use crate::domain::id::RecurringPaymentId;
use crate::domain::owner::Owner;
use crate::domain::terminal::{CloseReason, IdempotencyRecord, TerminalSession};
use crate::domain::text::CallbackUrl;
use crate::domain::wallet::OpenedTerminal;
use crate::error::{Cause, Error, Violation};
use crate::netaxept::{Netaxept, Progress, Registered, TerminalOptions};
use crate::notify;
use crate::secrets::Secrets;
use crate::storage::{Store, WalletKey};

/// The maximum number of transaction ids to try, if Nets already has a transaction with an id.
const MAX_TRANSACTION_IDS: u32 = 3;

/// The state of the function that opens terminals.
pub struct Terminals {
    /// The wallets.
    pub store: Store,
    netaxept: Netaxept,
    addresses: CallbackAddresses,
}

/// A terminal to open.
pub struct NewTerminal {
    /// The owner that the request names, besides the id.
    pub owner: Option<Owner>,
    /// The options of the terminal.
    pub options: TerminalOptions,
    /// The receiver of notifications about the result.
    pub callback: Option<CallbackUrl>,
    /// The idempotency record of the request.
    pub idempotency: Option<IdempotencyRecord>,
}

impl Terminals {
    /// Reads the configuration from the environment and fetches Nets' token.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the token cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let addresses = CallbackAddresses::read(environment)?;
        let netaxept = netaxept(environment, &secrets);
        let (store, netaxept) = try_join(Store::with_changes(environment, &sdk), netaxept).await?;
        Ok(Self { store, netaxept, addresses })
    }

    /// Parses and checks a caller's `callbackUrl`.
    ///
    /// # Errors
    /// Fails if the text is not an address that notifications may be sent to.
    pub fn callback_url(&self, text: &str) -> Result<CallbackUrl, Violation> {
        notify::callback_url(text, self.addresses)
    }

    /// Opens a terminal. Returns the session and the address of Nets' page.
    ///
    /// # Errors
    /// Fails with a refusal of the wallet, with an error of the store, or with `Unavailable` if Nets does not confirm that it
    /// registered the session. In the last case the session stays in the wallet, but no customer has its address.
    pub async fn open(
        &self,
        key: WalletKey<'_>,
        id: RecurringPaymentId,
        new: &NewTerminal,
        now: DateTime<Utc>,
    ) -> Result<(TerminalSession, Url), Error> {
        for _ in 0..MAX_TRANSACTION_IDS {
            let opened = self.store.change(key, now, |wallet| {
                wallet.check_owner(new.owner)?;
                wallet.open_terminal(
                    id,
                    new.callback.clone(),
                    new.idempotency,
                    new.options.merchant_initiated,
                )
            });
            let OpenedTerminal { session, repeated } = opened.await?;
            let terminal = Ok((session, self.netaxept.terminal_uri(session.transaction_id)));
            if repeated {
                if self.is_registered(&session).await? {
                    return terminal;
                }
                if !self
                    .store
                    .change(key, now, |wallet| wallet.resume_registration(&session))
                    .await?
                {
                    continue;
                }
            }
            if self.register(&session, &new.options).await? {
                return terminal;
            }
            // The id belongs to another transaction, so this session can never be registered.
            self.store
                .change(key, now, |wallet| {
                    wallet.close_terminal(&session, CloseReason::NeverRegistered)
                })
                .await?;
        }
        Err(Error::Unavailable { what: "Netaxept", cause: "all transaction ids were taken".into() })
    }

    async fn is_registered(&self, session: &TerminalSession) -> Result<bool, Error> {
        match self.netaxept.query(session).await? {
            Progress::NeverRegistered => Ok(false),
            Progress::Cancelled | Progress::Unverified | Progress::Verified(_) => Ok(true),
        }
    }

    /// Registers a session at Nets. Returns false if its id belongs to another transaction.
    ///
    /// If Nets does not confirm the registration, the session stays open, even if Nets does not know it: another request with the
    /// same idempotency key may be registering it at the same time. The first reconciliation closes it if needed.
    async fn register(
        &self,
        session: &TerminalSession,
        options: &TerminalOptions,
    ) -> Result<bool, Error> {
        match self.netaxept.register(session, options).await {
            Ok(Registered::Yes) => Ok(true),
            Ok(Registered::IdTaken) => self.is_registered(session).await,
            Err(failure) => match self.is_registered(session).await {
                Ok(true) => Ok(true),
                Ok(false) | Err(_) => Err(failure.into()),
            },
        }
    }
}
