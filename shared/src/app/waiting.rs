//! Requests that wait for news of a recurring payment or of a transaction (`?wait=`, api.md §7).

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep_until};

use crate::config::{Environment, max_waiting_requests};
use crate::error::{Cause, Error};
use crate::invocation;
use crate::storage::{PaymentStore, Store, WaitingLimit};

/// How many reads follow the first one at most.
const MAX_LATER_READS: u32 = 7;

/// A store whose wallets or payments can be read until there is news.
pub struct Waiting<S> {
    /// The store.
    pub store: S,
    limit: WaitingLimit,
}

impl Waiting<Store> {
    /// Creates the state of a function that reads wallets from the environment.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let store = Store::start(environment).await?;
        let limit = store.waiting_limit(max_waiting_requests(environment)?);
        Ok(Self { store, limit })
    }
}

impl Waiting<PaymentStore> {
    /// Creates the state of a function that reads payments from the environment.
    ///
    /// # Errors
    /// Fails if a variable is missing or invalid, or if TLS cannot be set up.
    pub async fn start(environment: &Environment<'_>) -> Result<Self, Cause> {
        let store = PaymentStore::start(environment).await?;
        let limit = store.waiting_limit(max_waiting_requests(environment)?);
        Ok(Self { store, limit })
    }
}

impl<S> Waiting<S> {
    /// Loads an aggregate as of `now`. If it is pending, loads it again until it is not, or until `wait` is over, and returns what it
    /// loaded last. These are at most eight reads. Each is as of its own instant, so nothing is returned as valid after its expiry.
    ///
    /// Only a request that begins to wait counts towards the limit. `now` is the instant of the request.
    ///
    /// # Errors
    /// Fails with an error of `load` or `is_pending`, with `TooManyWaiting` if the limit is reached, and with `Unavailable` if
    /// `DynamoDB` does not answer.
    pub async fn load_until_news<T, E, F>(
        &self,
        wait: Duration,
        now: DateTime<Utc>,
        load: impl Fn(DateTime<Utc>) -> F,
        is_pending: impl Fn(&T) -> Result<bool, E>,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
        E: Into<Error>,
    {
        let started = Instant::now();
        let mut loaded = load(now).await?;
        for (index, read_at) in later_reads(wait).enumerate() {
            // A read that was slow is not repeated after the end.
            if wait <= started.elapsed() || !is_pending(&loaded).map_err(Into::into)? {
                break;
            }
            if index == 0 {
                self.limit.check(now).await?;
            }
            let paused = Instant::now();
            sleep_until(started + read_at).await;
            invocation::record(|invocation| invocation.waited += paused.elapsed());
            let elapsed = TimeDelta::from_std(started.elapsed()).unwrap_or_default();
            loaded = load(now + elapsed).await?;
        }
        Ok(loaded)
    }
}

/// When to read again, counted from the first read: at equal intervals of at least a second, and for the last time at the end.
fn later_reads(wait: Duration) -> impl Iterator<Item = Duration> {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(MAX_LATER_READS);
    let count = seconds.min(MAX_LATER_READS);
    (1..=count).map(move |read| wait * read / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_at_equal_intervals_of_at_least_a_second_and_the_last_is_at_the_end() {
        let milliseconds = |wait: u64| -> Vec<u128> {
            let reads = later_reads(Duration::from_millis(wait));
            reads.map(|read| read.as_millis()).collect()
        };
        for (wait, expected) in [
            (0, &[][..]),
            (999, &[]),
            (1_000, &[1_000]),
            (2_000, &[1_000, 2_000]),
            (2_500, &[1_250, 2_500]),
            (3_000, &[1_000, 2_000, 3_000]),
            (7_000, &[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]),
            (10_000, &[1_428, 2_857, 4_285, 5_714, 7_142, 8_571, 10_000]),
            (20_000, &[2_857, 5_714, 8_571, 11_428, 14_285, 17_142, 20_000]),
        ] {
            assert_eq!(milliseconds(wait), expected, "{wait}");
        }
        for wait in 1..=20 {
            let wait = Duration::from_secs(wait);
            let reads: Vec<_> = later_reads(wait).collect();
            assert!(reads.len() <= 7 && reads.last() == Some(&wait), "{reads:?}");
        }
    }
}
