//! The invocation at hand: who set it off and what it did, gathered where it is known, and said in one line at its end.
//!
//! It goes along with the task, so that no signature has to carry it. Outside an invocation, in a test say, nothing is
//! gathered.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use crate::domain::caller::Caller;

tokio::task_local! {
    static AT_HAND: RefCell<Invocation>;
}

/// What is known of an invocation. Ids are ours; nothing in it is personal or secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invocation {
    /// The function: the name of its folder.
    pub operation: &'static str,
    /// Where the caller's token comes from; empty when nobody is calling.
    pub tenant: &'static str,
    /// The caller's organisation.
    pub organisation: Option<u64>,
    /// The caller's client id.
    pub client: String,
    /// `X-Correlation-Id`.
    pub correlation_id: String,
    /// The recurring payment that it is about.
    pub recurring_payment_id: Option<u64>,
    /// The visit to Nets that it is about.
    pub transaction_id: Option<u64>,
    /// Requests to `DynamoDB`, repeated ones included.
    pub dynamodb_requests: u64,
    /// How many of them were repeated by the SDK, because of a failure.
    pub dynamodb_retries: u64,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units.
    pub write_units: f64,
    /// Write races that were lost, and decided again.
    pub conflicts: u64,
    /// Calls to Nets.
    pub psp_calls: u64,
    /// How long they took, all of them.
    pub psp_duration: Duration,
    /// Calls to Nets that brought no clear answer.
    pub psp_unclear: u64,
    /// Cards that were declined.
    pub psp_declined: u64,
    /// Notifications that were heard.
    pub heard: u64,
    /// Notifications that were not.
    pub unheard: u64,
    /// Refreshes of a token issuer's keys that failed.
    pub key_refreshes_failed: u64,
    /// How old the oldest notification was that was tried.
    pub notification_age: Option<Duration>,
}

impl Invocation {
    /// Somebody is calling.
    pub fn is_set_off_by(&mut self, caller: &Caller) {
        self.tenant = caller.tenant.name();
        self.organisation = Some(caller.organisation.number());
        self.client.clone_from(&caller.client);
    }
}

/// Does something as an invocation of a function: what came of it, and what is known of the invocation after it.
pub async fn of<T>(operation: &'static str, work: impl Future<Output = T>) -> (T, Invocation) {
    let begun = Invocation { operation, ..Invocation::default() };
    let gathered = async { (work.await, AT_HAND.with(RefCell::take)) };
    AT_HAND.scope(RefCell::new(begun), gathered).await
}

/// Adds to what is known.
pub fn note(add: impl FnOnce(&mut Invocation)) {
    AT_HAND.try_with(|at_hand| add(&mut at_hand.borrow_mut())).unwrap_or_default();
}

/// What is known so far.
#[must_use]
pub fn at_hand() -> Invocation {
    AT_HAND.try_with(|at_hand| at_hand.borrow().clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_invocation_gathers_its_own() {
        let work = async |conflicts| {
            note(|at_hand| at_hand.conflicts += conflicts);
            tokio::task::yield_now().await;
            note(|at_hand| at_hand.conflicts += conflicts);
            at_hand().operation
        };
        let (one, two) = tokio::join!(of("one", work(1)), of("two", work(10)));
        assert_eq!((one.0, one.1.conflicts), ("one", 2));
        assert_eq!((two.0, two.1.conflicts), ("two", 20));
        note(|_| panic!("nothing is at hand"));
        assert_eq!(at_hand(), Invocation::default());
    }
}
