//! A card's way into a wallet: what is decided in the wallet, asked of Nets, written down, and told.
//!
//! First it is written down what we are about to do, then Nets is asked, then what came of it is written down. Whoever is
//! killed in between leaves a visit that Nets can be asked about: the schedule does (rule 7). Nothing here needs the caller
//! to come back.

mod look;
mod teller;
mod terminals;

use std::time::Duration;

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

use crate::config::{Environment, NetaxeptConfig, SecretVariable};
use crate::domain::id::{RecurringPaymentId, Slot, TransactionId};
use crate::domain::recurring_payment::{RecurringStatus, View};
use crate::domain::terminal::{Finding, Visit};
use crate::domain::wallet::Setup;
use crate::error::{Cause, Error, Refusal, chain};
use crate::invocation;
use crate::netaxept::Netaxept;
use crate::secret::Secret;
use crate::secrets::Secrets;
use crate::storage::{Changed, Key};
use look::Look;
pub use teller::{Done, Teller};
pub use terminals::{NewTerminal, Terminals};

/// How long Nets waits for the answer to its callback while we ask it in return. The schedule finishes what takes longer.
const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// What the functions that bring a card into a wallet work with.
pub struct App {
    /// The wallets, and whoever tells callers how a setup ended.
    pub teller: Teller,
    netaxept: Netaxept,
}

impl App {
    /// Everything from the environment, and the secrets from where they are kept.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; a secret cannot be had; or the TLS stack cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        Self::with(environment, &sdk, &secrets).await
    }

    /// The same, and another secret.
    ///
    /// # Errors
    /// As for [`App::start`].
    pub async fn start_with(
        environment: &Environment<'_>,
        another: SecretVariable,
    ) -> Result<(Self, Secret), Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let app = Self::with(environment, &sdk, &secrets).await?;
        Ok((app, secrets.fetch(environment, another).await?))
    }

    /// One secret after the other, over one connection: at once, each would open its own.
    async fn with(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
        secrets: &Secrets,
    ) -> Result<Self, Cause> {
        let teller = Teller::with(environment, sdk, secrets).await?;
        Ok(Self { teller, netaxept: netaxept(environment, secrets).await? })
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
        let found = self.teller.store.load(key, now).await?;
        let visits = match found.wallet.setup(id)? {
            Setup::Done(view) => return Ok(*view),
            Setup::Open(visits) => visits,
        };
        let looks = self.look_until_a_card(visits, now).await;
        let lifetime = self.netaxept.lifetime();
        let changed = self.teller.store.change_found(found, key, now, |wallet| {
            for look in &looks {
                wallet.conclude(&look.visit, &look.finding, lifetime)?;
            }
            Ok((wallet.view(id)?, wallet.begin_tries(Some(id))))
        });
        let (view, tries) = changed.await?.outcome;
        self.teller.tell(key, tries, now).await;
        let is_stored = view.status != RecurringStatus::Created;
        if is_stored && looks.iter().any(|look| matches!(look.finding, Finding::Card(_))) {
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
        let found = match self.teller.store.load(key, now).await {
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
        let changed = self.teller.store.change_found(found, key, now, |wallet| {
            for look in &looks {
                // Ended meanwhile, or activated by another visit: then there is nothing to keep.
                wallet.conclude(&look.visit, &look.finding, lifetime).unwrap_or_default();
            }
            Ok((wallet.give_up(), wallet.begin_tries(None)))
        });
        let Changed { outcome: (given_up, tries), written } = changed.await?;
        if !written {
            return Ok(None);
        }
        for notification in &given_up {
            tracing::error!(notification = notification.id(), "given up: never heard in 72 hours");
        }
        let done = self.teller.tell(key, tries, now).await;
        let unclear = looks.iter().filter(|look| look.doubt.is_some()).count();
        for doubt in looks.iter().filter_map(|look| look.doubt.as_ref()) {
            tracing::warn!(error = chain(doubt), "no clear answer: looked at again in a minute");
        }
        Ok(Some(Done { unclear, given_up: given_up.len(), ..done }))
    }

    /// What Nets' callback sets off. Nothing in it is trusted: Nets is asked. Whatever comes of it, Nets need not call again,
    /// because the schedule looks too.
    pub async fn called_back(&self, visit: TransactionId, now: DateTime<Utc>) {
        let id = visit.recurring_payment_id();
        invocation::note(|at_hand| {
            at_hand.recurring_payment_id = Some(id.number());
            at_hand.transaction_id = Some(visit.number());
        });
        let completed = self.complete(Key::Slot(id.slot()), id, now);
        match tokio::time::timeout(CALLBACK_LIMIT, completed).await {
            Ok(Ok(_) | Err(Error::Refused(_))) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "left to the schedule"),
            Err(late) => tracing::warn!(error = chain(&late), "left to the schedule"),
        }
    }

    /// Looks at visits, oldest first, until one has a card that is good.
    async fn look_until_a_card(&self, visits: Vec<Visit>, now: DateTime<Utc>) -> Vec<Look> {
        let mut looks = Vec::new();
        for visit in visits {
            let look = self.look_up(visit).await;
            let is_good = look.finding.is_good_card(now);
            looks.push(look);
            if is_good {
                break;
            }
        }
        looks
    }
}

async fn netaxept(environment: &Environment<'_>, secrets: &Secrets) -> Result<Netaxept, Cause> {
    let token = secrets.fetch(environment, NetaxeptConfig::TOKEN).await?;
    Ok(Netaxept::new(NetaxeptConfig::read(environment, token)?)?)
}
