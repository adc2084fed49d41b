//! Tells callers how a setup ended: the tries that a wallet has written down, and what time alone makes of a wallet.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::config::{Environment, NotificationConfig};
use crate::domain::audit::Audit;
use crate::domain::notification::Notification;
use crate::domain::text::CallbackUrl;
use crate::error::{Cause, Error, Flaw, chain};
use crate::notify::Notifier;
use crate::storage::{Due, Key, Store};

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
    /// What became of the wallet.
    pub audit: Audit,
}

impl Teller {
    /// Everything from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; or the TLS stack cannot be set up.
    pub fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        Ok(Self {
            store: Store::start(environment)?,
            notifier: Notifier::new(&NotificationConfig::read(environment)?)?,
        })
    }

    /// An address that a caller names, if it is one that could ever be told something.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn callback_url(&self, text: &str) -> Result<CallbackUrl, Flaw> {
        self.notifier.callback_url(text)
    }

    /// Makes durable what time has made of a wallet, and tells it. Nothing is due any more: `None`.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn settle(&self, due: Due, now: DateTime<Utc>) -> Result<Option<Done>, Error> {
        let Some(settled) = self.store.settle(due, now).await? else { return Ok(None) };
        let audit = Audit::between(&settled.before, &settled.after);
        let done = self.tell(Key::Slot(due.slot), settled.tries, now).await;
        Ok(Some(Done { audit, ..done }))
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
        Done { heard: heard.len(), unheard: tries.len() - heard.len(), ..Done::default() }
    }
}
