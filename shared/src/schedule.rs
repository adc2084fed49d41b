//! The scheduled functions: for each event of `EventBridge` Scheduler, they process the wallets that are due, shard by shard and
//! page by page, until no time is left.
//!
//! Runs can overlap or be killed, because each wallet is changed by one conditional write.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::app::WalletOutcome;
use crate::config::{Environment, LogConfig};
use crate::error::{Cause, Error, chain};
use crate::invocation::{self, Invocation};
use crate::log::{self, Line};
use crate::storage::{DueKind, DueWallet, Store};

/// The maximum number of wallets to process at the same time.
const MAX_CONCURRENT_WALLETS: usize = 16;
/// With less time left than this, the function starts to process no more wallets.
const START_MARGIN: Duration = Duration::from_secs(30);
/// With less time left than this, the function aborts the wallets in progress. The next run processes them again.
const ABORT_MARGIN: Duration = Duration::from_secs(2);

/// The reason why a function cannot start.
pub type StartError = lambda_runtime::Error;

/// The needed part of an event of `EventBridge`.
#[derive(Deserialize)]
struct Event {
    time: String,
}

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
    /// Wallets that were due and were started.
    pub due: usize,
    /// Wallets that were changed.
    pub changed: usize,
    /// Wallets that were not due any more: another run or request was first.
    pub skipped: usize,
    /// Wallets or shards that failed. The next run processes them again.
    pub failed: usize,
    /// Sessions without a clear answer of Nets.
    pub unclear: usize,
    /// Notifications that were delivered.
    pub delivered: usize,
    /// Notifications that were not delivered. Another attempt follows.
    pub undelivered: usize,
    /// Notifications that expired without delivery.
    pub expired: usize,
    /// The time since the oldest of the wallets became due, in seconds.
    pub oldest_due_seconds: u64,
    /// Whether the time ran out before all wallets were started. The next run continues.
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
    let log = &log::init(LogConfig::read(&environment)?);
    let state: &'static S = Box::leak(Box::new(Box::pin(start(&environment)).await?));
    let (run, cold) = (&run, &AtomicBool::new(true));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| async move {
        let now: DateTime<Utc> = event.payload.time.parse()?;
        let left = time_left(event.context.deadline());
        let (summary, invocation) =
            invocation::run(operation, Box::pin(run(state, Run::new(now, left)))).await;
        let trace_id = event.context.xray_trace_id.as_deref();
        log.write(&summary.line(now, trace_id, &invocation, cold.swap(false, Ordering::Relaxed)));
        Ok::<_, StartError>(summary)
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "Lambda's deadline refers to the machine's clock")]
fn time_left(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
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
        let mut summary = RunSummary::default();
        // Start at a random shard, so that overlapping or short runs cover different shards.
        let first = fastrand::u8(..Store::SHARDS);
        for shard in (first..Store::SHARDS).chain(0..first) {
            self.process_shard(store, kind, shard, &work, &mut summary).await;
        }
        summary
    }

    async fn process_shard<F>(
        self,
        store: &Store,
        kind: DueKind,
        shard: u8,
        work: &impl Fn(DueWallet) -> F,
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
            let (wallets, next) = match store.due(kind, shard, self.now, page.take()).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(shard, error = chain(&error), "a shard cannot be read");
                    summary.failed += 1;
                    return;
                }
            };
            self.process_page(wallets, work, summary).await;
            let Some(next) = next.filter(|_| !summary.out_of_time) else { return };
            page = Some(next);
        }
    }

    async fn process_page<F>(
        self,
        wallets: Vec<DueWallet>,
        work: &impl Fn(DueWallet) -> F,
        summary: &mut RunSummary,
    ) where
        F: Future<Output = Result<Option<WalletOutcome>, Error>>,
    {
        let mut left = wallets.len();
        let mut results = stream::iter(wallets)
            .take_while(|_| ready(!self.must_stop()))
            .map(|wallet| async move { (wallet, timeout_at(self.abort_at, work(wallet)).await) })
            .buffer_unordered(MAX_CONCURRENT_WALLETS);
        while let Some((wallet, result)) = results.next().await {
            left -= 1;
            let result = result.unwrap_or_else(|elapsed| Err(aborted(elapsed.into())));
            summary.add(self, wallet, result);
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
    fn line(
        &self,
        at: DateTime<Utc>,
        trace_id: Option<&str>,
        invocation: &Invocation,
        cold: bool,
    ) -> Line {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Line::new(at, "INFO", "run completed", trace_id, invocation)
            .count("Due", count(self.due))
            .count("Changed", count(self.changed))
            .count("Failed", count(self.failed))
            .count("NotificationsExpired", count(self.expired))
            .count("OutOfTime", self.out_of_time.into())
            .seconds("OldestDueAge", Some(Duration::from_secs(self.oldest_due_seconds)))
            .count_nonzero("ColdStarts", cold.into())
    }

    fn add(&mut self, run: Run, wallet: DueWallet, result: Result<Option<WalletOutcome>, Error>) {
        self.due += 1;
        let seconds = u64::try_from((run.now - wallet.due_at()).num_seconds()).unwrap_or_default();
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
            Err(error) => {
                self.failed += 1;
                let slot = wallet.slot.number();
                tracing::error!(slot, error = chain(&error), "the tasks of a wallet failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Slot;

    /// This includes the last page of the last shard.
    #[tokio::test]
    async fn a_run_is_out_of_time_if_a_page_is_not_finished() {
        let wallets: Vec<_> =
            (0..20).map(|slot| DueWallet { slot: Slot::new(slot), at: 0 }).collect();
        for (left, due) in [(START_MARGIN, 0), (Duration::from_mins(2), 20)] {
            let (run, mut summary) = (Run::new(DateTime::UNIX_EPOCH, left), RunSummary::default());
            run.process_page(wallets.clone(), &|_| ready(Ok(None)), &mut summary).await;
            assert_eq!((summary.due, summary.out_of_time), (due, due < wallets.len()));
        }
    }

    #[tokio::test]
    async fn with_no_time_left_no_wallet_is_started() {
        let variables = [
            ("ID_KEY", "a key of at least thirty-two chars"),
            ("TABLE_NAME", "Wallets"),
            ("RATE_LIMIT_TABLE_NAME", "RateLimits"),
            ("AWS_REGION", "eu-north-1"),
            ("TLS_ROOTS", "amazon"),
            ("WARM_UP", "none"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
        let store = Store::start(&Environment::of(&variables)).await.unwrap();
        let run = Run::new(DateTime::<Utc>::UNIX_EPOCH, START_MARGIN);
        let summary = run
            .for_each_due(&store, DueKind::Expiry, async |_| panic!("a wallet was started"))
            .await;
        assert_eq!(summary, RunSummary { out_of_time: true, ..RunSummary::default() });
        // With enough time, the run tries every shard. In this test no shard can be read.
        let run = Run::new(DateTime::<Utc>::UNIX_EPOCH, Duration::from_mins(2));
        let summary =
            run.for_each_due(&store, DueKind::Expiry, async |_| panic!("no wallet is due")).await;
        assert_eq!(
            summary,
            RunSummary { failed: usize::from(Store::SHARDS), ..RunSummary::default() }
        );
    }
}
