//! A card's way into a wallet: what is decided in the wallet, asked of Nets, written down, and told.
//!
//! First it is written down what we are about to do, then Nets is asked, then what came of it is written down. Whoever is
//! killed in between leaves a visit that Nets can be asked about: the schedule does (rule 7). Nothing here needs the caller
//! to come back.

mod look;
mod teller;

use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Environment, NetaxeptConfig};
use crate::domain::audit::Audit;
use crate::domain::id::{RecurringPaymentId, Slot, TransactionId};
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::View;
use crate::domain::terminal::{Asked, Closing, Finding, Visit};
use crate::domain::text::CallbackUrl;
use crate::domain::wallet::{Opened, Setup, Wallet};
use crate::error::{Cause, Error, Refusal, chain};
use crate::netaxept::{Netaxept, Progress, Registered, TerminalWish};
use crate::storage::{Changed, Key, Store};
use look::Look;
pub use teller::{Done, Teller};

/// How many transaction ids are tried when Nets knows one from long ago.
const IDS: u32 = 3;
/// How long Nets waits for the answer to its callback while we ask it in return. The schedule finishes what takes longer.
const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// What the functions that talk to Nets work with.
pub struct App {
    /// The wallets.
    pub store: Store,
    /// Whoever tells callers how a setup ended.
    pub teller: Teller,
    netaxept: Netaxept,
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

impl App {
    /// Everything from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let teller = Teller::start(environment)?;
        let netaxept = Netaxept::new(NetaxeptConfig::read(environment)?)?;
        Ok(Self { store: teller.store.clone(), teller, netaxept })
    }

    /// Opens a terminal: the visit, and the address of the page.
    ///
    /// # Errors
    /// What the wallet refuses with; what the store fails with; `Unavailable` when Nets does not say clearly that it
    /// registered the visit. The visit is in the wallet then, and harmless: nobody has its address.
    pub async fn open_terminal(
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
            let refused = if again && self.is_registered(&visit).await? {
                None
            } else {
                self.register(&visit, &new.wish).await?
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

    async fn is_registered(&self, visit: &Visit) -> Result<bool, Error> {
        match self.netaxept.query(visit).await? {
            Progress::NeverRegistered => Ok(false),
            Progress::Cancelled | Progress::Unverified | Progress::Verified(_) => Ok(true),
        }
    }

    /// Has Nets register a visit; what it said when it certainly did not.
    async fn register(
        &self,
        visit: &Visit,
        wish: &TerminalWish,
    ) -> Result<Option<Result<(), Error>>, Error> {
        let registered = self.netaxept.register(visit, wish).await;
        let said = match registered {
            Ok(Registered::Yes) => return Ok(None),
            Ok(Registered::IdTaken) => Ok(()),
            Err(failure) => Err(failure.into()),
        };
        match self.is_registered(visit).await {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(said)),
            Err(unclear) => Err(said.err().unwrap_or(unclear)),
        }
    }

    /// Looks at every visit that may have brought a card, has the card verified, keeps it, and tells how it ended. The first
    /// completed visit counts (rule 6). Nets is always asked what it knows before it is asked to do anything.
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
        let looks = self.look_until_a_card(visits).await;
        let lifetime = self.netaxept.lifetime();
        let changed = self.store.change_found(found, key, now, |wallet| {
            for look in &looks {
                wallet.conclude(&look.visit, &look.finding, lifetime)?;
            }
            Ok((wallet.view(id)?, wallet.begin_tries(Some(id))))
        });
        let (view, tries) = changed.await?.outcome;
        self.teller.tell(key, tries, now).await;
        if looks.iter().any(|look| matches!(look.finding, Finding::Card(_))) {
            return Ok(view);
        }
        Err(look::answer(looks, now))
    }

    /// What the schedule does for a wallet: looks at the visits whose time has come, keeps what came of them, and tells
    /// whatever is to be told. Nothing is due any more: `None`.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn finish(&self, slot: Slot, now: DateTime<Utc>) -> Result<Option<Done>, Error> {
        let key = Key::Slot(slot);
        let found = match self.store.load(key, now).await {
            Err(Error::Refused(Refusal::NotFound)) => return Ok(None),
            found => found?,
        };
        if found.wallet.due().chore.is_none_or(|at| now < at) && !found.is_misled(now) {
            return Ok(None);
        }
        let mut looks = Vec::new();
        for visit in found.wallet.visits_due() {
            looks.push(self.look_up(visit).await);
        }
        let lifetime = self.netaxept.lifetime();
        let changed = self.store.change_found(found, key, now, |wallet| {
            for look in &looks {
                // Ended meanwhile, or activated by another visit: then there is nothing to keep.
                wallet.conclude(&look.visit, &look.finding, lifetime).unwrap_or_default();
            }
            Ok((wallet.give_up(), wallet.begin_tries(None), wallet.clone()))
        });
        let Changed { outcome: (given_up, tries, after), replaced } = changed.await?;
        let Some(replaced) = replaced else { return Ok(None) };
        let audit = Audit::between(&Wallet::as_stored(slot, replaced), &after);
        for notification in &given_up {
            tracing::error!(notification = notification.id(), "given up: never heard in 72 hours");
        }
        let done = self.teller.tell(key, tries, now).await;
        let unclear = looks.iter().filter(|look| look.doubt.is_some()).count();
        for doubt in looks.iter().filter_map(|look| look.doubt.as_ref()) {
            tracing::warn!(error = chain(doubt), "no clear answer: looked at again in a minute");
        }
        Ok(Some(Done { unclear, given_up: given_up.len(), audit, ..done }))
    }

    /// What Nets' callback sets off. Nothing in it is trusted: Nets is asked. Whatever comes of it, Nets need not call again,
    /// because the schedule looks too.
    pub async fn called_back(&self, visit: TransactionId, now: DateTime<Utc>) {
        let id = visit.recurring_payment_id();
        let completed = self.complete(Key::Slot(id.slot()), id, now);
        match tokio::time::timeout(CALLBACK_LIMIT, completed).await {
            Ok(Ok(_) | Err(Error::Refused(_))) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "left to the schedule"),
            Err(late) => tracing::warn!(error = chain(&late), "left to the schedule"),
        }
    }

    async fn look_until_a_card(&self, visits: Vec<Visit>) -> Vec<Look> {
        let mut looks = Vec::new();
        for visit in visits {
            let look = self.look_up(visit).await;
            let card = matches!(look.finding, Finding::Card(_));
            looks.push(look);
            if card {
                break;
            }
        }
        looks
    }
}
