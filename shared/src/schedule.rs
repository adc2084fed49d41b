//! The door of the scheduled functions: an event of `EventBridge` Scheduler comes in, and what is due is done, shard by shard
//! and page by page, for as long as there is time.
//!
//! Runs may overlap and be killed: whatever is done for a wallet is one conditional write.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::app::Done;
use crate::config::{Environment, LogConfig};
use crate::error::{Cause, Error, chain};
use crate::invocation::{self, Invocation};
use crate::log::{self, Line};
use crate::storage::{Due, Kind, Store};

/// How many wallets are in hand at once.
const AT_ONCE: usize = 16;
/// When no more wallets are taken in hand: so long before the function's end.
const LAST_CALL: Duration = Duration::from_secs(30);
/// When those in hand are left: what they were doing is found again by the next run.
const END: Duration = Duration::from_secs(2);

/// Why a function could not start.
pub type Fatal = lambda_runtime::Error;

/// What of `EventBridge`'s event matters.
#[derive(Deserialize)]
struct Event {
    time: String,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The instant that it is for.
    pub now: DateTime<Utc>,
    last_call: Instant,
    end: Instant,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Wallets with something due.
    pub looked_at: usize,
    /// Those for which it was done.
    pub changed: usize,
    /// Those for which somebody else had done it.
    pub skipped: usize,
    /// Those that could not be read, or written: the next run finds them again.
    pub failed: usize,
    /// Visits about which Nets said nothing clear.
    pub unclear: usize,
    /// Notifications that were heard.
    pub heard: usize,
    /// Notifications that were not, and are tried again.
    pub unheard: usize,
    /// Notifications that were given up.
    pub given_up: usize,
    /// For how long the oldest of them had been due.
    pub oldest_due_seconds: u64,
    /// Whether time ran out: the next run goes on.
    pub out_of_time: bool,
}

/// Runs a scheduled function, named by its folder: `start` makes what it works with, once; `run` does what is due at each event.
///
/// # Errors
/// What `start` fails with, or the runtime.
pub async fn serve<S, F>(
    operation: &'static str,
    start: impl AsyncFnOnce(&Environment<'_>) -> Result<S, Cause>,
    run: impl Fn(&'static S, Run) -> F,
) -> Result<(), Fatal>
where
    S: Send + Sync + 'static,
    F: Future<Output = Tally>,
{
    let environment = Environment::of_process();
    let log = &log::begin(LogConfig::read(&environment)?);
    let state: &'static S = Box::leak(Box::new(Box::pin(start(&environment)).await?));
    let (run, cold) = (&run, &AtomicBool::new(true));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| async move {
        let now: DateTime<Utc> = event.payload.time.parse()?;
        let left = time_left(event.context.deadline());
        let (tally, known) =
            invocation::of(operation, Box::pin(run(state, Run::new(now, left)))).await;
        let trace_id = event.context.xray_trace_id.as_deref();
        log.write(&tally.line(now, trace_id, &known, cold.swap(false, Ordering::Relaxed)));
        Ok::<_, Fatal>(tally)
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "Lambda's deadline is one of the machine's clock")]
fn time_left(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}

impl Run {
    fn new(now: DateTime<Utc>, left: Duration) -> Self {
        let begins = Instant::now();
        Self {
            now,
            last_call: begins + left.saturating_sub(LAST_CALL),
            end: begins + left.saturating_sub(END),
        }
    }

    /// Does something for every wallet with something due. What goes wrong with one is logged, and does not stop the rest.
    pub async fn each<F>(self, store: &Store, kind: Kind, work: impl Fn(Due) -> F) -> Tally
    where
        F: Future<Output = Result<Option<Done>, Error>>,
    {
        let mut tally = Tally::default();
        // Runs that overlap, or have too little time, begin at different shards.
        let first = fastrand::u8(..Store::SHARDS);
        for shard in (first..Store::SHARDS).chain(0..first) {
            self.shard(store, kind, shard, &work, &mut tally).await;
        }
        tally
    }

    async fn shard<F>(
        self,
        store: &Store,
        kind: Kind,
        shard: u8,
        work: &impl Fn(Due) -> F,
        tally: &mut Tally,
    ) where
        F: Future<Output = Result<Option<Done>, Error>>,
    {
        let mut page = None;
        loop {
            if self.is_over() {
                tally.out_of_time = true;
                return;
            }
            let (dues, next) = match store.due(kind, shard, self.now, page.take()).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(shard, error = chain(&error), "a shard can not be read");
                    tally.failed += 1;
                    return;
                }
            };
            self.page(dues, work, tally).await;
            let Some(next) = next.filter(|_| !tally.out_of_time) else { return };
            page = Some(next);
        }
    }

    async fn page<F>(self, dues: Vec<Due>, work: &impl Fn(Due) -> F, tally: &mut Tally)
    where
        F: Future<Output = Result<Option<Done>, Error>>,
    {
        let mut left = dues.len();
        let mut done = stream::iter(dues)
            .take_while(|_| ready(!self.is_over()))
            .map(|due| async move { (due, timeout_at(self.end, work(due)).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((due, done)) = done.next().await {
            left -= 1;
            tally.add(self, due, done.unwrap_or_else(|late| Err(out_of_time(late.into()))));
        }
        tally.out_of_time |= left > 0;
    }

    fn is_over(self) -> bool {
        self.last_call <= Instant::now()
    }
}

fn out_of_time(cause: Cause) -> Error {
    Error::Unavailable { what: "an end in time", cause }
}

impl Tally {
    /// The one line of a run, which is its metrics, too.
    fn line(
        &self,
        at: DateTime<Utc>,
        trace_id: Option<&str>,
        known: &Invocation,
        cold: bool,
    ) -> Line {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Line::new(at, "INFO", "ran", trace_id, known)
            .count("Due", count(self.looked_at))
            .count("Changed", count(self.changed))
            .count("Failed", count(self.failed))
            .count("NotificationsGivenUp", count(self.given_up))
            .count("OutOfTime", self.out_of_time.into())
            .seconds("OldestDueAge", Some(Duration::from_secs(self.oldest_due_seconds)))
            .some("ColdStarts", cold.into())
    }

    fn add(&mut self, run: Run, due: Due, done: Result<Option<Done>, Error>) {
        self.looked_at += 1;
        let seconds = u64::try_from((run.now - due.since()).num_seconds()).unwrap_or_default();
        self.oldest_due_seconds = self.oldest_due_seconds.max(seconds);
        match done {
            Ok(None) => self.skipped += 1,
            Ok(Some(done)) => {
                self.changed += 1;
                self.unclear += done.unclear;
                self.heard += done.heard;
                self.unheard += done.unheard;
                self.given_up += done.given_up;
            }
            Err(error) => {
                self.failed += 1;
                let slot = due.slot.number();
                tracing::error!(slot, error = chain(&error), "a wallet is left as it is");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Slot;

    /// Also in the last page of the last shard: what is left is said to be left.
    #[tokio::test]
    async fn a_page_that_is_cut_short_is_out_of_time() {
        let dues: Vec<_> = (0..20).map(|slot| Due { slot: Slot::new(slot), at: 0 }).collect();
        for (left, looked_at) in [(LAST_CALL, 0), (Duration::from_mins(2), 20)] {
            let (run, mut tally) = (Run::new(DateTime::UNIX_EPOCH, left), Tally::default());
            run.page(dues.clone(), &|_| ready(Ok(None)), &mut tally).await;
            assert_eq!((tally.looked_at, tally.out_of_time), (looked_at, looked_at < dues.len()));
        }
    }

    #[tokio::test]
    async fn with_no_time_left_nothing_is_begun() {
        let variables = [
            ("ID_KEY", "a key of at least thirty-two chars"),
            ("TABLE_NAME", "Wallets"),
            ("ALLOWANCE_TABLE_NAME", "Allowances"),
            ("AWS_REGION", "eu-north-1"),
            ("TLS_ROOTS", "amazon"),
            ("WARM_UP", "none"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let variables = variables.map(|(name, text)| (name, text.to_owned())).into();
        let store = Store::start(&Environment::of(&variables)).await.unwrap();
        let run = Run::new(DateTime::<Utc>::UNIX_EPOCH, LAST_CALL);
        let tally = run.each(&store, Kind::Expiry, async |_| panic!("nothing is begun")).await;
        assert_eq!(tally, Tally { out_of_time: true, ..Tally::default() });
        // With time, it is seen that no shard can be read, and each is tried.
        let run = Run::new(DateTime::<Utc>::UNIX_EPOCH, Duration::from_mins(2));
        let tally = run.each(&store, Kind::Expiry, async |_| panic!("nothing is due")).await;
        assert_eq!(tally, Tally { failed: usize::from(Store::SHARDS), ..Tally::default() });
    }
}
