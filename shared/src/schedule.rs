//! The scheduled functions: for each event of `EventBridge` Scheduler, they process the wallets or payments that are due, shard by
//! shard and page by page, until no time is left.
//!
//! Runs can overlap or be killed, because each of them is changed by one conditional write.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::app::WalletOutcome;
use crate::config::Environment;
use crate::error::{Cause, Error, chain};
use crate::invocation::{self, Invocation};
use crate::log::{self, Line};
use crate::storage::{Due, DueKind, DuePayment, DueWallet, PageStart, PaymentStore, Store};

/// The maximum number of wallets or payments to process at the same time.
const MAX_CONCURRENT: usize = 16;
/// With less time left than this, the function starts to process no more of them.
const START_MARGIN: Duration = Duration::from_secs(30);
/// With less time left than this, the function aborts those in progress. The next run processes them again.
const ABORT_MARGIN: Duration = Duration::from_secs(2);

/// The reason why a function cannot start.
pub type StartError = lambda_runtime::Error;

/// The needed part of an event of `EventBridge`.
#[derive(Deserialize)]
struct Event {
    time: String,
}

/// A page of an index, and the start of the next page.
type Page<K> = (Vec<Due<K>>, Option<PageStart>);

/// One run of a scheduled function.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The scheduled time of the run.
    pub now: DateTime<Utc>,
    stop_at: Instant,
    abort_at: Instant,
}

/// The result of a run: the response of the function, and its metrics.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Wallets or payments that were due and were started.
    pub due: usize,
    /// Those that were changed.
    pub changed: usize,
    /// Those that were not due any more: another run or request was first.
    pub skipped: usize,
    /// Wallets, payments or shards that failed. The next run processes them again.
    pub failed: usize,
    /// Sessions and payments without a clear answer of Nets.
    pub unclear: usize,
    /// Notifications that were delivered.
    pub delivered: usize,
    /// Notifications that were not delivered. Another attempt follows.
    pub undelivered: usize,
    /// Notifications that expired without delivery.
    pub expired: usize,
    /// The time since the oldest of them became due, in seconds.
    pub oldest_due_seconds: u64,
    /// Whether the time ran out before all of them were started. The next run continues.
    pub out_of_time: bool,
}

/// Runs a scheduled function. `operation` is the name of its folder. `start` creates the state, once. `run` processes one event.
///
/// # Errors
/// Fails with the error of `start` or of the Lambda runtime.
pub async fn serve<S, F>(
    operation: &'static str,
    start: impl AsyncFnOnce(&Environment<'_>) -> Result<S, Cause>,
    run: impl Fn(&'static S, Run) -> F,
) -> Result<(), StartError>
where
    S: Send + Sync + 'static,
    F: Future<Output = RunSummary>,
{
    let environment = Environment::of_process();
    log::init();
    let state: &'static S = Box::leak(Box::new(Box::pin(start(&environment)).await?));
    let (run, cold) = (&run, &AtomicBool::new(true));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| async move {
        let now: DateTime<Utc> = event.payload.time.parse()?;
        let left = invocation::time_left(event.context.deadline());
        let (summary, invocation) =
            invocation::run(operation, Box::pin(run(state, Run::new(now, left)))).await;
        let trace_id = event.context.xray_trace_id.as_deref();
        summary.line(trace_id, &invocation, cold.swap(false, Ordering::Relaxed)).write();
        Ok::<_, StartError>(summary)
    }))
    .await
}

impl Run {
    fn new(now: DateTime<Utc>, left: Duration) -> Self {
        let started = Instant::now();
        Self {
            now,
            stop_at: started + left.saturating_sub(START_MARGIN),
            abort_at: started + left.saturating_sub(ABORT_MARGIN),
        }
    }

    /// Calls `work` for every wallet that is due. An error is logged and does not stop the run.
    pub async fn for_each_due<F>(
        self,
        store: &Store,
        kind: DueKind,
        work: impl Fn(DueWallet) -> F,
    ) -> RunSummary
    where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let log_failure = |wallet: DueWallet, error: &Error| {
            let slot = wallet.key.number();
            tracing::error!(slot, error = chain(error), "the tasks of a wallet failed");
        };
        let read = async |shard, page| store.due(kind, shard, self.now, page).await;
        self.process(read, work, log_failure).await
    }

    /// Calls `work` for every payment that is due. An error is logged and does not stop the run.
    pub async fn for_each_due_payment<F>(
        self,
        store: &PaymentStore,
        work: impl Fn(DuePayment) -> F,
    ) -> RunSummary
    where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let log_failure = |payment: DuePayment, error: &Error| {
            let payment_id = payment.key.number();
            tracing::error!(payment_id, error = chain(error), "the tasks of a payment failed");
        };
        let read = async |shard, page| store.due(shard, self.now, page).await;
        self.process(read, work, log_failure).await
    }

    /// Processes all shards. `read` reads a page of a shard.
    async fn process<K: Copy, F>(
        self,
        read: impl AsyncFn(u8, Option<PageStart>) -> Result<Page<K>, Error>,
        work: impl Fn(Due<K>) -> F,
        log_failure: impl Fn(Due<K>, &Error),
    ) -> RunSummary
    where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let mut summary = RunSummary::default();
        // Start at a random shard, so that overlapping or short runs cover different shards.
        let first = fastrand::u8(..Store::SHARDS);
        for shard in (first..Store::SHARDS).chain(0..first) {
            self.process_shard(shard, &read, &work, &log_failure, &mut summary).await;
        }
        summary
    }

    async fn process_shard<K: Copy, F>(
        self,
        shard: u8,
        read: &impl AsyncFn(u8, Option<PageStart>) -> Result<Page<K>, Error>,
        work: &impl Fn(Due<K>) -> F,
        log_failure: &impl Fn(Due<K>, &Error),
        summary: &mut RunSummary,
    ) where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let mut page = None;
        loop {
            if self.must_stop() {
                summary.out_of_time = true;
                return;
            }
            let (dues, next) = match read(shard, page.take()).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(shard, error = chain(&error), "a shard cannot be read");
                    summary.failed += 1;
                    return;
                }
            };
            self.process_page(dues, work, log_failure, summary).await;
            let Some(next) = next.filter(|_| !summary.out_of_time) else { return };
            page = Some(next);
        }
    }

    async fn process_page<K: Copy, F>(
        self,
        dues: Vec<Due<K>>,
        work: &impl Fn(Due<K>) -> F,
        log_failure: &impl Fn(Due<K>, &Error),
        summary: &mut RunSummary,
    ) where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let mut left = dues.len();
        let mut results = stream::iter(dues)
            .take_while(|_| ready(!self.must_stop()))
            .map(|due| async move { (due, timeout_at(self.abort_at, work(due)).await) })
            .buffer_unordered(MAX_CONCURRENT);
        while let Some((due, result)) = results.next().await {
            left -= 1;
            let result = result.unwrap_or_else(|elapsed| Err(aborted(elapsed.into())));
            if let Err(error) = &result {
                log_failure(due, error);
            }
            summary.add(self.now - due.due_at(), result);
        }
        summary.out_of_time |= left > 0;
    }

    fn must_stop(self) -> bool {
        self.stop_at <= Instant::now()
    }
}

fn aborted(cause: Cause) -> Error {
    Error::Unavailable { what: "a result in time", cause }
}

impl RunSummary {
    /// The log line of a run. It contains the metrics.
    fn line(&self, trace_id: Option<&str>, invocation: &Invocation, cold: bool) -> Line {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Line::new("run", trace_id, invocation)
            .count("due", count(self.due))
            .count("changed", count(self.changed))
            .count("failed", count(self.failed))
            .count("notifications_expired", count(self.expired))
            .count("out_of_time", self.out_of_time.into())
            .count("oldest_due_seconds", self.oldest_due_seconds)
            .count("cold_start", cold.into())
    }

    fn add(&mut self, due_for: TimeDelta, result: Result<Option<WalletOutcome>, Error>) {
        self.due += 1;
        let seconds = u64::try_from(due_for.num_seconds()).unwrap_or_default();
        self.oldest_due_seconds = self.oldest_due_seconds.max(seconds);
        match result {
            Ok(None) => self.skipped += 1,
            Ok(Some(outcome)) => {
                self.changed += 1;
                self.unclear += outcome.unclear;
                self.delivered += outcome.delivered;
                self.undelivered += outcome.undelivered;
                self.expired += outcome.expired;
            }
            Err(_) => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::domain::id::Slot;

    /// This includes the last page of the last shard.
    #[tokio::test]
    async fn a_run_is_out_of_time_if_a_page_is_not_finished() {
        let wallets: Vec<_> = (0..20).map(|slot| Due { key: Slot::new(slot), at: 0 }).collect();
        for (left, due) in [(START_MARGIN, 0), (Duration::from_mins(2), 20)] {
            let (run, mut summary) = (Run::new(DateTime::UNIX_EPOCH, left), RunSummary::default());
            run.process_page(wallets.clone(), &|_| ready(Ok(None)), &|_, _| {}, &mut summary).await;
            assert_eq!((summary.due, summary.out_of_time), (due, due < wallets.len()));
        }
    }

    #[tokio::test]
    async fn with_no_time_left_nothing_is_started() {
        let variables = [
            ("ID_KEY", "a key of at least thirty-two chars"),
            ("TABLE_NAME", "Wallets"),
            ("PAYMENT_TABLE_NAME", "Payments"),
            ("RATE_LIMIT_TABLE_NAME", "RateLimits"),
            ("AWS_REGION", "eu-north-1"),
            ("TLS_ROOTS", "amazon"),
            ("WARM_UP", "none"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
        let environment = Environment::of(&variables);
        let store = Store::start(&environment).await.unwrap();
        let payments = PaymentStore::start(&environment).await.unwrap();
        // With enough time, the run tries every shard. In this test no shard can be read.
        let failed = usize::from(Store::SHARDS);
        for (left, expected) in [
            (START_MARGIN, RunSummary { out_of_time: true, ..RunSummary::default() }),
            (Duration::from_mins(2), RunSummary { failed, ..RunSummary::default() }),
        ] {
            let run = Run::new(DateTime::<Utc>::UNIX_EPOCH, left);
            let kind = DueKind::Expiry;
            let wallets = run.for_each_due(&store, kind, async |_| panic!("a wallet was started"));
            let payments =
                run.for_each_due_payment(&payments, async |_| panic!("a payment was started"));
            let (wallets, payments) = tokio::join!(wallets, payments);
            assert_eq!(wallets, expected);
            assert_eq!(payments, expected);
        }
    }

    /// The log names each one that failed.
    #[tokio::test]
    async fn failures_are_counted_and_logged_with_their_key() {
        let dues: Vec<_> = (0..6).map(|slot| Due { key: Slot::new(slot), at: 0 }).collect();
        let run = Run::new(DateTime::UNIX_EPOCH + TimeDelta::seconds(90), Duration::from_mins(2));
        let (mut summary, logged) = (RunSummary::default(), RefCell::new(Vec::new()));
        let work = async |due: DueWallet| match due.key.number() {
            0 | 4 => Err(Error::Busy { attempts: 5 }),
            1 => Ok(None),
            _ => Ok(Some(WalletOutcome::default())),
        };
        let log_failure = |due: DueWallet, error: &Error| {
            logged.borrow_mut().push((due.key.number(), error.to_string()));
        };
        run.process_page(dues, &work, &log_failure, &mut summary).await;
        let mut logged = logged.into_inner();
        logged.sort_unstable();
        let busy = "5 write conflicts in a row".to_owned();
        assert_eq!(logged, [(0, busy.clone()), (4, busy)]);
        let expected = RunSummary {
            due: 6,
            changed: 3,
            skipped: 1,
            failed: 2,
            oldest_due_seconds: 90,
            ..RunSummary::default()
        };
        assert_eq!(summary, expected);
    }
}
