//! Tells callers how a setup ended: the tries that a wallet has written down, and what time alone makes of a wallet.

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};
use futures_util::future::{join_all, try_join};

use crate::config::{CallbackAddresses, Environment, NotificationConfig};
use crate::domain::id::Slot;
use crate::domain::notification::Notification;
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::notify::Notifier;
use crate::secrets::Secrets;
use crate::storage::{Key, Store};

/// The wallets, and a way to tell what happens in them.
pub struct Teller {
    /// The wallets.
    pub store: Store,
    notifier: Notifier,
}

/// What was done for one wallet.
#[derive(Debug, Default)]
pub struct Done {
    /// How many notifications were heard.
    pub heard: usize,
    /// How many were not, and are tried again.
    pub unheard: usize,
    /// How many were given up.
    pub given_up: usize,
    /// How many visits brought no clear answer, and are looked at again.
    pub unclear: usize,
}

impl Teller {
    /// Everything from the environment, and the secret from where it is kept.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; the secret cannot be had; or the TLS stack cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        Self::with(environment, &sdk, &secrets).await
    }

    pub(super) async fn with(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
        secrets: &Secrets,
    ) -> Result<Self, Cause> {
        let addresses = CallbackAddresses::read(environment)?;
        let secret = secrets.fetch(environment, NotificationConfig::SECRET);
        let (store, secret) = try_join(Store::with(environment, sdk), secret).await?;
        Ok(Self { store, notifier: Notifier::new(&NotificationConfig { secret, addresses })? })
    }

    /// Makes durable what time has made of a wallet, and tells it. Nothing is due any more: `None`.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn settle(&self, slot: Slot, now: DateTime<Utc>) -> Result<Option<Done>, Error> {
        let Some(tries) = self.store.settle(slot, now).await? else { return Ok(None) };
        Ok(Some(self.tell(Key::Slot(slot), tries, now).await))
    }

    /// Makes tries that are written down already. What was heard is forgotten; the rest is due again by itself.
    pub async fn tell(&self, key: Key<'_>, tries: Vec<Notification>, now: DateTime<Utc>) -> Done {
        let told = tries.iter().map(|notification| async {
            let told = self.notifier.tell(notification, now).await;
            told.map(|()| notification.id()).inspect_err(|error| {
                let (notification, error) = (notification.id(), chain(error.as_ref()));
                tracing::warn!(notification, error, "not heard: tried again later");
            })
        });
        let heard: Vec<String> = join_all(told).await.into_iter().flatten().collect();
        if !heard.is_empty() {
            let forgotten = self.store.change(key, now, |wallet| {
                for id in &heard {
                    wallet.heard(id);
                }
                Ok(())
            });
            if let Err(error) = forgotten.await {
                tracing::warn!(error = chain(&error), "heard, and told again: it has the same id");
            }
        }
        let done =
            Done { heard: heard.len(), unheard: tries.len() - heard.len(), ..Done::default() };
        let age = tries.iter().filter_map(|tried| (now - tried.occurred_at).to_std().ok()).max();
        invocation::note(|at_hand| {
            at_hand.heard += done.heard as u64;
            at_hand.unheard += done.unheard as u64;
            at_hand.notification_age = at_hand.notification_age.max(age);
        });
        done
    }
}
