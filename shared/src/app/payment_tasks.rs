//! The background tasks of a payment: it captures auto sales, reconciles registrations, continues credits, and delivers
//! notifications.
//!
//! Money is taken without a request of the client only if its terminal had `autoSale` (payments.md §4.1).

use chrono::{DateTime, Utc};

use super::notification_sender::{WalletOutcome, report_expired};
use super::payment_notifications::PaymentNotifications;
use super::time_limit::TimeLimit;
use super::{App, Charges, complete_callback};
use crate::config::Environment;
use crate::domain::id::{PaymentId, PaymentTransactionId, RegistrationId};
use crate::domain::notification::{Notification, PaymentEvent};
use crate::domain::payment::{CreditRequest, Payment};
use crate::error::{Cause, Error, PaymentRefusal, chain};
use crate::secrets::Secrets;
use crate::storage::{LoadedPayment, PaymentKey, PaymentStore};

/// The state of the functions that complete payments without a request of the client.
pub struct PaymentTasks {
    /// The payments, and their captures.
    pub charges: Charges,
    notifications: PaymentNotifications,
}

/// The task of one payment: its key, its instant, and how long it may start calls to Nets.
#[derive(Clone, Copy)]
struct Task {
    key: PaymentKey<'static>,
    now: DateTime<Utc>,
    limit: TimeLimit,
}

/// What to do after the write that stores the reconciliations of a payment.
struct NextTasks {
    credits: Vec<CreditRequest>,
    expired: Vec<Notification<PaymentEvent>>,
    attempts: Vec<Notification<PaymentEvent>>,
}

impl PaymentTasks {
    /// Reads the configuration from the environment and fetches the secrets.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, if a secret cannot be fetched, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let (sdk, secrets) = Secrets::start(environment)?;
        let charges = Charges::with(environment, &sdk, &secrets).await?;
        let payments = charges.settlement.payments.clone();
        let notifications = PaymentNotifications::with(environment, &secrets, payments).await?;
        Ok(Self { charges, notifications })
    }

    /// The state of a function that also completes card setups. It shares the clients of `app`.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid.
    pub fn start_beside(environment: &Environment<'_>, app: &App) -> Result<Self, Cause> {
        let sender = &app.notification_sender;
        let payments = PaymentStore::beside(&sender.store, environment)?;
        let notifications = PaymentNotifications::sharing(sender, payments.clone());
        let (wallets, netaxept) = (sender.store.clone(), app.netaxept.clone());
        Ok(Self { charges: Charges::on(environment, payments, wallets, netaxept)?, notifications })
    }

    /// Runs the background tasks of a payment that are due: captures its auto sales; reconciles its registrations, and annuls the
    /// authorizations that it does not need; continues its credits; delivers its notifications. Returns `None` if nothing is due any
    /// more.
    ///
    /// # Errors
    /// Fails with an error of the store.
    pub async fn run(
        &self,
        id: PaymentId,
        now: DateTime<Utc>,
    ) -> Result<Option<WalletOutcome>, Error> {
        let task = Task { key: PaymentKey::Any(id), now, limit: TimeLimit::of_request() };
        let loaded = match self.payments().load(task.key, now).await {
            Err(Error::PaymentRefused(PaymentRefusal::NotFound)) => return Ok(None),
            loaded => loaded?,
        };
        let is_due = loaded.payment.due_at().is_some_and(|due_at| due_at <= now);
        if !is_due && !loaded.has_stale_index_entry(now) {
            return Ok(None);
        }
        let auto_sales = loaded.payment.due_auto_sales();
        let is_auto_sale = !auto_sales.is_empty();
        let (loaded, unclear) = self.capture_auto_sales(task, loaded, auto_sales).await?;
        if task.limit.is_over() {
            // The next run continues.
            return Ok(Some(WalletOutcome { unclear: unclear.len(), ..WalletOutcome::default() }));
        }
        let settled = self.settle(task, loaded, &unclear).await?;
        let settled = settled.or(is_auto_sale.then(WalletOutcome::default));
        let all_unclear = |outcome: &WalletOutcome| outcome.unclear + unclear.len();
        Ok(settled.map(|outcome| WalletOutcome { unclear: all_unclear(&outcome), ..outcome }))
    }

    /// Handles a Netaxept callback about a registration: captures an auto sale, and delivers the notification about it. Any other
    /// payment is left to the next request and to the schedule. The callback is not trusted; the registration is queried at Nets.
    /// Errors are only logged, because the schedule captures auto sales too. So Nets need not repeat the callback.
    pub async fn receive_callback(&self, registration: RegistrationId, now: DateTime<Utc>) {
        // On the heap: the function's future would contain it.
        complete_callback(Box::pin(self.complete_auto_sale(registration.transaction, now))).await;
    }

    async fn complete_auto_sale(
        &self,
        id: PaymentTransactionId,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let key = PaymentKey::Any(id.payment_id());
        let task = Task { key, now, limit: TimeLimit::of_callback() };
        let loaded = self.payments().load(key, now).await?;
        if loaded.payment.is_auto_sale(id) {
            let (loaded, _) = self.capture_auto_sales(task, loaded, vec![id]).await?;
            let (loaded, attempts) = self.begin_delivery_attempts(task, loaded).await?;
            self.notifications.deliver(loaded, attempts, now).await;
        }
        Ok(())
    }

    /// Captures auto sales. Also returns those that failed, because of the store or without a clear answer of Nets. A refusal of the
    /// payment, for example a decline, is stored and is no failure.
    async fn capture_auto_sales(
        &self,
        Task { key, now, limit }: Task,
        mut loaded: LoadedPayment,
        ids: Vec<PaymentTransactionId>,
    ) -> Result<(LoadedPayment, Vec<PaymentTransactionId>), Error> {
        let mut failed = Vec::new();
        for id in ids {
            let captured = self.charges.capture_auto_sale(loaded, id, now, limit).await;
            let error = match captured {
                Ok(captured) => {
                    loaded = captured;
                    continue;
                }
                Err(error) => error,
            };
            if !matches!(error, Error::PaymentRefused(_)) {
                failed.push(id);
                let payment = id.payment_id().number();
                tracing::warn!(
                    payment,
                    error = chain(&error),
                    "auto sale not completed: it continues in a minute"
                );
            }
            loaded = self.payments().load(key, now).await?;
        }
        Ok((loaded, failed))
    }

    /// Reconciles the registrations that are due, continues the credits and delivers the notifications. Returns `None` if nothing
    /// was written. An auto sale that failed is left out: its authorization must not be stored before its card is read again.
    async fn settle(
        &self,
        task: Task,
        loaded: LoadedPayment,
        failed: &[PaymentTransactionId],
    ) -> Result<Option<WalletOutcome>, Error> {
        let (Task { key, now, limit }, settlement) = (task, &self.charges.settlement);
        let mut due = loaded.payment.due_registrations();
        due.retain(|id| !failed.contains(&id.transaction));
        let findings = settlement.reconcile(&loaded.payment, due, limit).await;
        if let Some(error) = &findings.error {
            tracing::warn!(
                error = chain(error),
                "no clear answer from Nets: the payment is reconciled again in a minute"
            );
        }
        let is_over = limit.is_over();
        let stored = settlement
            .store_and(loaded, key, &findings, now, |payment| Ok(next_tasks(payment, is_over)));
        let stored = stored.await?;
        if !stored.written {
            return Ok(None);
        }
        let NextTasks { credits, expired, mut attempts } = stored.outcome;
        report_expired(&expired);
        let (loaded, unclear) = self.send_credits(task, stored.loaded, &credits).await?;
        // Those about the credits.
        let (loaded, more) = self.begin_delivery_attempts(task, loaded).await?;
        attempts.extend(more);
        let unclear = unclear + findings.unclear;
        let deliveries = self.notifications.deliver(loaded, attempts, now).await;
        Ok(Some(WalletOutcome { unclear, expired: expired.len(), ..deliveries }))
    }

    /// Sends the credits whose new send is stored. Also returns how many of them Nets did not confirm.
    async fn send_credits(
        &self,
        Task { key, now, limit }: Task,
        mut loaded: LoadedPayment,
        credits: &[CreditRequest],
    ) -> Result<(LoadedPayment, usize), Error> {
        let mut unclear = 0;
        for credit in credits {
            let sent = self.charges.settlement.send_credit(loaded, key, credit, now, limit).await?;
            loaded = sent.loaded;
            if let Some(error) = sent.error {
                unclear += 1;
                let error = chain(&error);
                tracing::warn!(error, "credit not confirmed: it is reconciled again");
            }
        }
        Ok((loaded, unclear))
    }

    /// Begins the delivery attempts that are due, unless too little time is left for them.
    async fn begin_delivery_attempts(
        &self,
        Task { key, now, limit }: Task,
        loaded: LoadedPayment,
    ) -> Result<(LoadedPayment, Vec<Notification<PaymentEvent>>), Error> {
        let is_over = limit.is_over();
        let begun = self.payments().change_loaded(loaded, key, now, |payment| {
            Ok(if is_over { Vec::new() } else { payment.begin_delivery_attempts() })
        });
        let begun = begun.await?;
        Ok((begun.loaded, begun.outcome))
    }

    fn payments(&self) -> &PaymentStore {
        &self.charges.settlement.payments
    }
}

/// Stores what follows a reconciliation, unless too little time is left for it. The next run does it then.
fn next_tasks(payment: &mut Payment, is_over: bool) -> NextTasks {
    let expired = payment.expire_notifications();
    if is_over {
        return NextTasks { credits: Vec::new(), expired, attempts: Vec::new() };
    }
    let ids: Vec<_> = payment.history().map(|(id, _)| id).collect();
    let credits = ids.into_iter().filter_map(|id| payment.resend_credit(id)).collect();
    NextTasks { credits, expired, attempts: payment.begin_delivery_attempts() }
}
