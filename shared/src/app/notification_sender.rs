//! Delivers notifications about card setups and lifecycle events, and stores expiry. The delivery itself is the same for payments.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};
use futures_util::future::{join_all, try_join};
use tokio::time::Instant;

use crate::config::{CallbackAddresses, Environment, NotificationConfig};
use crate::domain::id::Slot;
use crate::domain::notification::{Notification, WalletEvent, WalletNotification};
use crate::error::{Cause, Error, chain};
use crate::invocation;
use crate::notify::{Message, Notifier};
use crate::secrets::Secrets;
use crate::storage::{Store, WalletKey};

/// For how long a run starts deliveries to one address, for one wallet or payment. The last one takes at most 5 seconds more, so
/// everything fits the 30 seconds that a scheduled function leaves for the work that it has started.
const DELIVERY_TIME: Duration = Duration::from_secs(10);
/// The number of attempts in which an undelivered notification holds back the later ones to the same address: half an hour. After
/// that, a receiver that never accepts one notification still gets the others.
const ATTEMPTS_IN_ORDER: u16 = 5;

/// Delivers the notifications of wallets.
pub struct NotificationSender {
    /// The wallets.
    pub store: Store,
    pub(super) notifier: Arc<Notifier>,
}

/// The result of a scheduled function for one wallet or payment.
#[derive(Debug, Default)]
pub struct WalletOutcome {
    /// Notifications that were delivered.
    pub delivered: usize,
    /// Notifications that were not delivered. Another attempt follows.
    pub undelivered: usize,
    /// Notifications that expired without delivery.
    pub expired: usize,
    /// Sessions without a clear answer of Nets. They are reconciled again.
    pub unclear: usize,
}

impl NotificationSender {
    /// Reads the configuration from the environment and fetches the secret.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if the secret cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        Self::with(environment, &sdk, &secrets).await
    }

    pub(super) async fn with(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
        secrets: &Secrets,
    ) -> Result<Self, Cause> {
        let notifier = notifier(environment, secrets);
        let (store, notifier) = try_join(Store::with_changes(environment, sdk), notifier).await?;
        for address in store.lifecycle_events().addresses() {
            let checked = notifier.check_address(address);
            checked.map_err(|violation| format!("an address for events {}", violation.message))?;
        }
        Ok(Self { store, notifier })
    }

    /// Stores the entries of a wallet that have expired, and delivers the notifications about them. Returns `None` if nothing is
    /// due any more.
    ///
    /// # Errors
    /// Fails with an error of the store.
    pub async fn expire(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Option<WalletOutcome>, Error> {
        let Some(attempts) = self.store.expire(slot, now).await? else { return Ok(None) };
        Ok(Some(self.deliver(WalletKey::Slot(slot), attempts, now).await))
    }

    /// Makes the delivery attempts that are already stored. Removes the delivered notifications from the wallet. The others stay
    /// due for their next attempt.
    pub async fn deliver(
        &self,
        key: WalletKey<'_>,
        attempts: Vec<Notification<WalletEvent>>,
        now: DateTime<Utc>,
    ) -> WalletOutcome {
        let messages: Vec<_> = attempts.iter().map(Message::about_wallet).collect();
        let remove = |delivered: Vec<String>| async move {
            let removed = self.store.change(key, now, |wallet| {
                for id in &delivered {
                    wallet.remove_notification(id);
                }
                Ok(())
            });
            removed.await
        };
        deliver(&self.notifier, &messages, now, remove).await
    }
}

/// Reads the configuration from the environment, fetches the secret, and creates a notifier.
pub(super) async fn notifier(
    environment: &Environment<'_>,
    secrets: &Secrets,
) -> Result<Arc<Notifier>, Cause> {
    let addresses = CallbackAddresses::read(environment)?;
    let secret = secrets.fetch(environment, NotificationConfig::SECRET).await?;
    Ok(Arc::new(Notifier::new(&NotificationConfig { secret, addresses })?))
}

/// Makes delivery attempts that are already stored: for each address one after the other, oldest first, and for different addresses
/// at the same time. `remove` removes the notifications with these ids from their wallet or payment, after their delivery.
pub(super) async fn deliver<F: Future<Output = Result<(), Error>>>(
    notifier: &Notifier,
    messages: &[Message<'_>],
    now: DateTime<Utc>,
    remove: impl FnOnce(Vec<String>) -> F,
) -> WalletOutcome {
    let mut by_address: Vec<Vec<&Message<'_>>> = Vec::new();
    for message in messages {
        match by_address.iter_mut().find(|queue| queue.iter().any(|one| one.to == message.to)) {
            Some(queue) => queue.push(message),
            None => by_address.push(vec![message]),
        }
    }
    let sent = by_address.iter().map(|queue| send_in_order(notifier, queue, now));
    let delivered: Vec<String> = join_all(sent).await.concat();
    let outcome = WalletOutcome {
        delivered: delivered.len(),
        undelivered: messages.len() - delivered.len(),
        ..WalletOutcome::default()
    };
    if !delivered.is_empty()
        && let Err(error) = remove(delivered).await
    {
        tracing::warn!(
            error = chain(&error),
            "delivery not recorded: the notification is sent again with the same id"
        );
    }
    let ages = messages.iter().map(|message| now - message.occurred_at);
    let age = ages.filter_map(|age| age.to_std().ok()).max();
    invocation::record(|invocation| {
        invocation.delivered += outcome.delivered as u64;
        invocation.undelivered += outcome.undelivered as u64;
        invocation.notification_age = invocation.notification_age.max(age);
    });
    outcome
}

/// Sends notifications to one address, oldest first. Stops at the first one that is not delivered, or when the time is over: the
/// others follow at their next attempt. Returns the ids of the delivered ones.
async fn send_in_order(
    notifier: &Notifier,
    messages: &[&Message<'_>],
    now: DateTime<Utc>,
) -> Vec<String> {
    let (started, mut delivered) = (Instant::now(), Vec::new());
    for message in messages {
        if DELIVERY_TIME <= started.elapsed() {
            break;
        }
        match notifier.send(message, now).await {
            Ok(()) => delivered.push(message.id.clone()),
            Err(error) => {
                let (notification, error) = (&message.id, chain(error.as_ref()));
                tracing::warn!(
                    notification,
                    error,
                    "notification not delivered: another attempt follows"
                );
                if message.attempt <= ATTEMPTS_IN_ORDER {
                    break;
                }
            }
        }
    }
    delivered
}

/// Logs the lifecycle events that were removed because their organisation has no address any more.
pub(super) fn report_dropped(dropped: &[WalletNotification]) {
    for notification in dropped {
        tracing::warn!(
            notification = notification.id(),
            "notification dropped: its organisation has no address for events any more"
        );
    }
}

/// Logs the notifications that were removed because their delivery period is over.
pub(super) fn report_expired<S: Display, A>(expired: &[Notification<S, A>]) {
    for notification in expired {
        tracing::error!(
            notification = notification.id(),
            "notification expired: not delivered within 72 hours"
        );
    }
}
