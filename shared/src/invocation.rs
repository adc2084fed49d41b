//! The current invocation: its caller, its ids and its metrics, for the log line at its end.
//!
//! The data is task-local, so that functions need no parameter for it. Outside an invocation, for example in a test, nothing is
//! recorded.

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::domain::caller::Caller;

tokio::task_local! {
    static CURRENT: RefCell<Invocation>;
}

/// The data of an invocation. It contains only ids of this service, and nothing personal or secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invocation {
    /// The function: the name of its folder.
    pub operation: &'static str,
    /// The tenant of the caller. Empty if there is no caller.
    pub tenant: &'static str,
    /// The caller's organisation.
    pub organisation: Option<u64>,
    /// The caller's client id.
    pub client: String,
    /// `ET-Client-Name`.
    pub client_name: String,
    /// `Entur-Distribution-Channel`.
    pub channel: String,
    /// `X-Correlation-Id`.
    pub correlation_id: String,
    /// The recurring payment of the request.
    pub recurring_payment_id: Option<u64>,
    /// The payment of the request.
    pub payment_id: Option<u64>,
    /// The transaction of the payment, or that of the terminal session.
    pub transaction_id: Option<u64>,
    /// How long the request waited for news (`?wait=`). It is not part of the latency.
    pub waited: Duration,
    /// Retries of the SDK after a failure.
    pub dynamodb_retries: u64,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units.
    pub write_units: f64,
    /// Writes that failed because another writer was first. Each was retried.
    pub conflicts: u64,
    /// Calls to Nets.
    pub psp_calls: u64,
    /// The total duration of the calls to Nets.
    pub psp_duration: Duration,
    /// Calls to Nets without a clear answer.
    pub psp_unclear: u64,
    /// Cards that were declined.
    pub psp_declined: u64,
    /// Payments in this invocation.
    pub charges: Charges,
    /// Notifications that were delivered.
    pub delivered: u64,
    /// Notifications that were not delivered.
    pub undelivered: u64,
    /// Failed refreshes of a token issuer's keys.
    pub key_refreshes_failed: u64,
    /// The age of the oldest notification that was attempted.
    pub notification_age: Option<Duration>,
}

/// What an invocation did with payments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charges {
    /// Requests for an authorization, and those that Nets made by itself (`autoSale`).
    pub authorizations: u64,
    /// Authorizations that were declined.
    pub declined: u64,
    /// Transactions that became CAPTURED.
    pub captures: u64,
    /// The sum of these transactions, in minor units of the configured currency.
    pub captured_minor_units: u64,
    /// Authorizations that were annulled.
    pub annulled: u64,
    /// Credits that Nets confirmed.
    pub credits: u64,
    /// The sum of these credits, in minor units of the configured currency.
    pub credited_minor_units: u64,
    /// Credits that were given up, although the answer to the caller was that they continue.
    pub credits_failed: u64,
    /// Authorizations that were not captured before the end of the hold.
    pub holds_ended: u64,
    /// Captures that the service did not expect.
    pub unexpected_captures: u64,
}

impl Invocation {
    /// Records the caller.
    pub fn set_caller(&mut self, caller: &Caller) {
        self.tenant = caller.tenant.name();
        self.organisation = Some(caller.organisation.number());
        self.client.clone_from(&caller.client);
    }
}

/// Runs `work` as an invocation of a function. Returns the result and the recorded data.
pub async fn run<T>(operation: &'static str, work: impl Future<Output = T>) -> (T, Invocation) {
    let initial = Invocation { operation, ..Invocation::default() };
    let recorded = async { (work.await, CURRENT.with(RefCell::take)) };
    CURRENT.scope(RefCell::new(initial), recorded).await
}

/// Updates the data of the current invocation.
pub fn record(update: impl FnOnce(&mut Invocation)) {
    CURRENT.try_with(|invocation| update(&mut invocation.borrow_mut())).unwrap_or_default();
}

/// The time until the deadline of an invocation. Zero if it is over.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "Lambda's deadline refers to the machine's clock")]
pub fn time_left(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}

/// The data of the current invocation so far.
#[must_use]
pub fn current() -> Invocation {
    CURRENT.try_with(|invocation| invocation.borrow().clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_invocation_records_its_own_data() {
        let work = async |conflicts| {
            record(|invocation| invocation.conflicts += conflicts);
            tokio::task::yield_now().await;
            record(|invocation| invocation.conflicts += conflicts);
            current().operation
        };
        let (one, two) = tokio::join!(run("one", work(1)), run("two", work(10)));
        assert_eq!((one.0, one.1.conflicts), ("one", 2));
        assert_eq!((two.0, two.1.conflicts), ("two", 20));
        record(|_| panic!("there is no current invocation"));
        assert_eq!(current(), Invocation::default());
    }
}
