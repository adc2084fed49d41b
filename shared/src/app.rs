//! Card setup: terminal sessions at Nets, their reconciliation, and the notifications about the result. Payments with the stored
//! cards: their creation, terminals, charges and settlement.
//!
//! The order is always the same: store the intended step, call Nets, store the result. If a function is killed in between, the
//! stored session or registration remains open, and a schedule reconciles it with Nets (rule 7). So a card setup completes without
//! another request of the caller, and an authorization that is not captured is annulled.

mod capture_request;
mod charges;
mod credits;
mod notification_sender;
mod payment_notifications;
mod payment_tasks;
mod payment_terminals;
mod payments;
mod reconciliation;
mod settlement;
mod terminals;
mod time_limit;
mod waiting;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

use crate::config::{Environment, NetaxeptConfig, SecretVariable};
use crate::domain::id::{RecurringPaymentId, Slot, TransactionId};
use crate::domain::recurring_payment::{RecurringStatus, View};
use crate::domain::terminal::{Reconciliation, TerminalSession};
use crate::domain::wallet::SetupProgress;
use crate::error::{Cause, Error, Refusal, chain};
use crate::invocation;
use crate::netaxept::Netaxept;
use crate::secret::Secret;
use crate::secrets::Secrets;
use crate::storage::{ChangeResult, WalletKey};
pub use charges::Charges;
pub use notification_sender::{NotificationSender, WalletOutcome};
use notification_sender::{report_dropped, report_expired};
pub use payment_tasks::PaymentTasks;
pub use payment_terminals::{OpenedTerminal, PaymentTerminals};
pub use payments::{NewPayment, Payments};
use reconciliation::Reconciled;
pub use settlement::Settlement;
pub use terminals::{NewTerminal, Terminals};
pub use waiting::Waiting;

/// The time limit for the work of a Netaxept callback. If it takes longer, the schedule completes it.
const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// The state of the functions that complete card setups.
pub struct App {
    /// The wallets and the delivery of notifications.
    pub notification_sender: NotificationSender,
    netaxept: Arc<Netaxept>,
}

impl App {
    /// Reads the configuration from the environment and fetches the secrets.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if a secret cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        Self::with(environment, &sdk, &secrets).await
    }

    /// Does the same as [`App::start`], and fetches one more secret.
    ///
    /// # Errors
    /// Fails like [`App::start`].
    pub async fn start_with_secret(
        environment: &Environment<'_>,
        variable: SecretVariable,
    ) -> Result<(Self, Secret), Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let app = Self::with(environment, &sdk, &secrets).await?;
        Ok((app, secrets.fetch(environment, variable).await?))
    }

    /// Fetches the secrets one after the other, so that they share one connection.
    async fn with(
        environment: &Environment<'_>,
        sdk: &SdkConfig,
        secrets: &Secrets,
    ) -> Result<Self, Cause> {
        let notification_sender = NotificationSender::with(environment, sdk, secrets).await?;
        Ok(Self { notification_sender, netaxept: netaxept(environment, secrets).await?.into() })
    }

    /// Completes a card setup: reconciles the open sessions, verifies the card, stores the result, and delivers the
    /// notifications about it. The first completed session counts (rule 6). A session is always queried before it is processed.
    ///
    /// # Errors
    /// Fails with a refusal of the wallet (rule 5), with an error of the store, or with `Unavailable` if Nets gives no clear
    /// answer. In the last case nothing is lost, and a retry is safe.
    pub async fn complete(
        &self,
        key: WalletKey<'_>,
        id: RecurringPaymentId,
        now: DateTime<Utc>,
    ) -> Result<View, Error> {
        let loaded = self.notification_sender.store.load(key, now).await?;
        let sessions = match loaded.wallet.setup_progress(id)? {
            SetupProgress::Completed(view) => return Ok(*view),
            SetupProgress::AwaitingCard(sessions) => sessions,
        };
        let reconciled = self.reconcile_until_card(sessions, now).await;
        let lifetime = self.netaxept.lifetime();
        let changed = self.notification_sender.store.change_loaded(loaded, key, now, |wallet| {
            for one in &reconciled {
                wallet.apply_reconciliation(&one.session, &one.reconciliation, lifetime)?;
            }
            Ok((wallet.view(id)?, wallet.begin_delivery_attempts(Some(id))))
        });
        let (view, attempts) = changed.await?.outcome;
        self.notification_sender.deliver(key, attempts, now).await;
        let is_stored = view.status != RecurringStatus::Created;
        if is_stored
            && reconciled.iter().any(|one| matches!(one.reconciliation, Reconciliation::Card(_)))
        {
            return Ok(view);
        }
        Err(reconciliation::error_without_card(reconciled, now))
    }

    /// Runs the background tasks of a wallet that are due: reconciles its sessions, stores the results, and delivers its
    /// notifications. Returns `None` if nothing is due any more.
    ///
    /// # Errors
    /// Fails with an error of the store.
    pub async fn finish(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Option<WalletOutcome>, Error> {
        let key = WalletKey::Slot(slot);
        let loaded = match self.notification_sender.store.load(key, now).await {
            Err(Error::Refused(Refusal::NotFound)) => return Ok(None),
            loaded => loaded?,
        };
        if loaded.wallet.due().task.is_none_or(|at| now < at) && !loaded.has_stale_index_entry(now)
        {
            return Ok(None);
        }
        let mut reconciled = Vec::new();
        for session in loaded.wallet.due_sessions() {
            reconciled.push(self.reconcile(session).await);
        }
        let lifetime = self.netaxept.lifetime();
        let changed = self.notification_sender.store.change_loaded(loaded, key, now, |wallet| {
            for one in &reconciled {
                // The wallet refuses this if the recurring payment was ended or activated in the meantime. Ignore the result then.
                wallet
                    .apply_reconciliation(&one.session, &one.reconciliation, lifetime)
                    .unwrap_or_default();
            }
            let removed = (wallet.expire_notifications(), wallet.drop_undeliverable_events());
            Ok((removed, wallet.begin_delivery_attempts(None)))
        });
        let ChangeResult { outcome: ((expired, dropped), attempts), written } = changed.await?;
        if !written {
            return Ok(None);
        }
        report_expired(&expired);
        report_dropped(&dropped);
        let deliveries = self.notification_sender.deliver(key, attempts, now).await;
        let unclear = reconciled.iter().filter(|one| one.error.is_some()).count();
        for error in reconciled.iter().filter_map(|one| one.error.as_ref()) {
            tracing::warn!(
                error = chain(error),
                "no clear answer from Nets: the session is reconciled again in a minute"
            );
        }
        Ok(Some(WalletOutcome { unclear, expired: expired.len(), ..deliveries }))
    }

    /// Handles a Netaxept callback about a session. The callback is not trusted; the session is reconciled with Nets. Errors are
    /// only logged, because the schedule reconciles the session too. So Nets need not repeat the callback.
    pub async fn receive_callback(&self, session: TransactionId, now: DateTime<Utc>) {
        let id = session.recurring_payment_id();
        invocation::record(|invocation| {
            invocation.recurring_payment_id = Some(id.number());
            invocation.transaction_id = Some(session.number());
        });
        let completed = self.complete(WalletKey::Slot(id.slot()), id, now);
        complete_callback(completed).await;
    }

    /// Reconciles sessions, oldest first, until one has a valid card.
    async fn reconcile_until_card(
        &self,
        sessions: Vec<TerminalSession>,
        now: DateTime<Utc>,
    ) -> Vec<Reconciled> {
        let mut reconciled = Vec::new();
        for session in sessions {
            let one = self.reconcile(session).await;
            let has_valid_card = one.reconciliation.is_valid_card(now);
            reconciled.push(one);
            if has_valid_card {
                break;
            }
        }
        reconciled
    }
}

/// Does the work of a callback. An error is only logged: the schedule does the work later.
async fn complete_callback<T>(work: impl Future<Output = Result<T, Error>>) {
    let error = match tokio::time::timeout(CALLBACK_LIMIT, work).await {
        Ok(Ok(_) | Err(Error::Refused(_) | Error::PaymentRefused(_))) => return,
        Ok(Err(error)) => chain(&error),
        Err(elapsed) => chain(&elapsed),
    };
    tracing::warn!(error, "callback not completed: left to the schedule");
}

async fn netaxept(environment: &Environment<'_>, secrets: &Secrets) -> Result<Netaxept, Cause> {
    let token = secrets.fetch(environment, NetaxeptConfig::TOKEN).await?;
    Ok(Netaxept::new(NetaxeptConfig::read(environment, token)?)?)
}
