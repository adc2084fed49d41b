//! A card's way into a wallet: what is decided in the wallet, asked of Nets, and written down.
//!
//! First it is written down what we are about to do, then Nets is asked, then what came of it is written down. Whoever is
//! killed in between leaves a visit that Nets can be asked about.

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Environment, NetaxeptConfig};
use crate::domain::card::VerifiedCard;
use crate::domain::id::RecurringPaymentId;
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::View;
use crate::domain::terminal::{Closing, Visit};
use crate::domain::wallet::Setup;
use crate::error::{Cause, Error, Refusal};
use crate::netaxept::{Netaxept, Progress, Registered, TerminalWish, Verification};
use crate::storage::{Key, Store};

/// How many transaction ids are tried when Nets knows one from long ago.
const IDS: u32 = 3;

/// What the functions that talk to Nets work with.
pub struct App {
    /// The wallets.
    pub store: Store,
    netaxept: Netaxept,
}

/// What is now known of a visit.
enum Finding {
    Card(VerifiedCard),
    Closed(Closing),
    Waiting,
}

impl App {
    /// Everything from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Ok(Self::new(
            Store::start(environment)?,
            Netaxept::new(NetaxeptConfig::read(environment)?)?,
        ))
    }

    /// From its parts.
    #[must_use]
    pub fn new(store: Store, netaxept: Netaxept) -> Self {
        Self { store, netaxept }
    }

    /// Opens a terminal: the visit, and the address of the page.
    ///
    /// # Errors
    /// What the wallet refuses with; what the store fails with; `Unavailable` when Nets does not say clearly that it
    /// registered the visit. The visit is in the wallet then, and harmless: nobody has its address.
    pub async fn open_terminal(
        &self,
        key: Key<'_>,
        owner: Option<Owner>,
        id: RecurringPaymentId,
        wish: &TerminalWish,
        now: DateTime<Utc>,
    ) -> Result<(Visit, Url), Error> {
        for _ in 0..IDS {
            let opened = self.store.change(key, now, |wallet| {
                wallet.must_be_of(owner)?;
                wallet.open_terminal(id)
            });
            let visit = opened.await?;
            let registered = self.netaxept.register(&visit, wish).await;
            let refused = match registered {
                Ok(Registered::Yes) => None,
                Ok(Registered::IdTaken) | Err(_) => match self.netaxept.query(&visit).await {
                    Ok(Progress::NeverRegistered) => Some(registered),
                    Ok(Progress::Cancelled | Progress::Unverified | Progress::Verified(_)) => None,
                    Err(unclear) => return Err(registered.err().unwrap_or(unclear).into()),
                },
            };
            let Some(refused) = refused else {
                return Ok((visit, self.netaxept.terminal_uri(visit.transaction_id)));
            };
            self.store
                .change(key, now, |wallet| wallet.close_terminal(&visit, Closing::NeverRegistered))
                .await?;
            refused?;
        }
        Err(Error::Unavailable { what: "Netaxept", cause: "every transaction id was taken".into() })
    }

    /// Looks at every visit that may have brought a card, has the card verified and keeps it. The first completed visit
    /// counts (rule 6). Nets is always asked what it knows before it is asked to do anything.
    ///
    /// # Errors
    /// What the wallet refuses with (rule 5); what the store fails with; `Unavailable` when Nets does not say clearly what
    /// became of a visit: nothing is lost, ask again.
    pub async fn complete(
        &self,
        key: Key<'_>,
        id: RecurringPaymentId,
        now: DateTime<Utc>,
    ) -> Result<View, Error> {
        let found = self.store.load(key, now).await?;
        let visits = match found.wallet.setup(id)? {
            Setup::Done(view) => return Ok(*view),
            Setup::Open(visits) => visits,
        };
        let (mut card, mut closed, mut doubt, mut answer) =
            (None, Vec::new(), None, Refusal::NoTerminal);
        for visit in visits {
            match self.look_up(&visit).await {
                Ok(Finding::Card(verified)) => {
                    card = Some(verified);
                    break;
                }
                Ok(Finding::Closed(closing)) => {
                    answer = refusal(closing).unwrap_or(answer);
                    closed.push((visit, closing));
                }
                Ok(Finding::Waiting) if visit.terminal.expires_at() <= now => {
                    answer = Refusal::TerminalTimedOut;
                }
                Ok(Finding::Waiting) => answer = Refusal::TerminalOpen,
                Err(unclear) => doubt = Some(unclear),
            }
        }
        let lifetime = self.netaxept.lifetime();
        let view = self.store.change_found(found, key, now, |wallet| {
            for (visit, closing) in &closed {
                wallet.close_terminal(visit, *closing)?;
            }
            card.clone().map(|card| wallet.activate(id, card, lifetime)).transpose()
        });
        view.await?.ok_or_else(|| doubt.unwrap_or_else(|| answer.into()))
    }

    async fn look_up(&self, visit: &Visit) -> Result<Finding, Error> {
        match self.netaxept.query(visit).await? {
            Progress::Verified(card) => Ok(Finding::Card(card)),
            Progress::Cancelled => Ok(Finding::Closed(Closing::Cancelled)),
            Progress::NeverRegistered => Ok(Finding::Closed(Closing::NeverRegistered)),
            Progress::Unverified => self.verify(visit).await,
        }
    }

    async fn verify(&self, visit: &Visit) -> Result<Finding, Error> {
        match self.netaxept.verify(visit).await? {
            Verification::NoCard => Ok(Finding::Waiting),
            Verification::Cancelled => Ok(Finding::Closed(Closing::Cancelled)),
            Verification::Declined(decline) => Ok(Finding::Closed(Closing::Declined(decline))),
            Verification::Verified | Verification::AlreadyProcessed => {
                match self.netaxept.query(visit).await? {
                    Progress::Verified(card) => Ok(Finding::Card(card)),
                    Progress::Cancelled | Progress::NeverRegistered | Progress::Unverified => {
                        Err(Error::Unavailable {
                            what: "Netaxept",
                            cause: "processed, but not verified".into(),
                        })
                    }
                }
            }
        }
    }
}

/// What the caller is told of the newest visit that Nets knows.
fn refusal(closing: Closing) -> Option<Refusal> {
    match closing {
        Closing::NeverRegistered => None,
        Closing::Cancelled => Some(Refusal::TerminalCancelled),
        Closing::Declined(decline) => Some(Refusal::Declined(decline)),
    }
}
