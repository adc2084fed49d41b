//! What waiting costs, and how soon it answers. The command that prints the figures of docs/BENCHMARKS.md:
//! `TEST_SIZE=full cargo test --workspace --test api wait::measured -- --nocapture --test-threads=1`

#![expect(clippy::print_stdout, reason = "prints the figures with --nocapture")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::Options;
use serde_json::Value;
use tokio::time::sleep;

use super::limit::with_limit;
use super::{MAX_READS, Reads, WAITING};
use crate::template::{deployed, template};
use crate::{PAYMENTS, Size, TestApi, VISA};

/// The customers who store a card while their client waits.
const CUSTOMERS: Size = Size { usual: 1, full: 20 };
/// The requests that begin to wait at once, their limit, and their seconds.
const BURST: Size = Size { usual: 12, full: 1_000 };
const BURST_LIMIT: Size = Size { usual: 3, full: 100 };
const BURST_WAIT: Size = Size { usual: 1, full: 20 };
/// More instances than requests that wait, so that the others are answered meanwhile.
const INSTANCES: usize = 128;

/// The instances of a test in which they are all busy.
const FEW_INSTANCES: usize = 6;
/// The seconds of a wait in that test: all of them together stay below the timeout of the function.
const SHORT_WAIT: u64 = 2;

/// A request, and when it was answered.
struct Answer {
    status: u16,
    body: Value,
    started: Instant,
    ended: Instant,
}

impl TestApi {
    async fn timed_wait(&self, path: &str, seconds: u64) -> Answer {
        let started = Instant::now();
        let response = self.wait(path, seconds).await;
        let ended = Instant::now();
        Answer { status: response.status.as_u16(), body: response.json(), started, ended }
    }

    /// The seconds for which each request that waited occupied its function.
    fn occupied(&self, function: &str) -> Vec<f64> {
        let lines = self.log_lines(function, "request");
        let waited = lines.iter().filter(|line| line.get("waited_ms").is_some());
        let milliseconds = |line: &Value| {
            ["latency_ms", "waited_ms"].iter().filter_map(|name| line[name].as_f64()).sum::<f64>()
        };
        waited.map(|line| milliseconds(line) / 1000.0).collect()
    }
}

/// The memory of a function in the template, in GB.
fn gigabytes(binary: &str) -> f64 {
    let functions = deployed(&template()).unwrap();
    let function = functions.iter().find(|function| function.binary == binary).unwrap();
    f64::from(u32::try_from(function.memory).unwrap()) / 1024.0
}

/// Smallest, median, 90th percentile and largest.
fn distribution(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() - 1) * percent / 100];
    format!("min {:.2}, p50 {:.2}, p90 {:.2}, max {:.2}", at(0), at(50), at(90), at(100))
}

/// What the customer does at the terminal.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// Stores a card. The browser returns to the shop, whose back end authorizes.
    StoreCard,
    /// Confirms a payment with `autoSale`, which Nets' callback completes.
    Pay,
}

impl Task {
    /// The path to wait for, and the terminal.
    async fn begin(self, api: &TestApi, customer: u32) -> (String, String) {
        match self {
            Self::StoreCard => {
                let id = api.create_id(&customer.to_string()).await;
                let uri = api.open_terminal(&id).await;
                (format!("{PAYMENTS}/{id}"), uri)
            }
            Self::Pay => {
                let card = api.create_active(&format!("p{customer}")).await;
                let charge = api.buy(&format!("order-{customer}"), &card, "100.00").await;
                let uri = api.open_auto_sale(charge).await;
                (charge.path(""), uri)
            }
        }
    }

    /// Presses the button. Returns when that was.
    async fn press(self, api: &TestApi, path: &str, uri: &str) -> Instant {
        let pressed = Instant::now();
        match self {
            Self::StoreCard => {
                api.submit_card(uri, VISA, "okButton").await;
                let authorized = api.call("PUT", &format!("{path}/authorize"), None).await;
                assert_eq!(authorized.status, 200, "{authorized:?}");
            }
            Self::Pay => drop(api.enter_code(uri).await),
        }
        pressed
    }

    fn function(self) -> &'static str {
        match self {
            Self::StoreCard => WAITING[0],
            Self::Pay => WAITING[1],
        }
    }
}

/// The customer presses the button, and the client that waits is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seconds_from_the_button_to_the_answer() {
    let api = TestApi::with(Options { callbacks: true, ..Options::default() }).await;
    api.local.lambda().set_max_instances(INSTANCES);
    let mut reads = Reads::of(&api);
    for task in [Task::StoreCard, Task::Pay] {
        let customers = u32::try_from(CUSTOMERS.get()).unwrap();
        let mut terminals = Vec::new();
        for customer in 0..customers {
            terminals.push(task.begin(&api, customer).await);
        }
        // Customers press the button at instants that are spread over the wait.
        let runs = join_all(terminals.iter().zip(0_u32..).map(|((path, uri), number)| {
            let api = &api;
            let pressed = async move {
                sleep(Duration::from_secs(1) + Duration::from_secs(14) * number / customers).await;
                task.press(api, path, uri).await
            };
            async move { tokio::join!(api.timed_wait(path, 20), pressed) }
        }));
        let mut seconds = Vec::new();
        for (answer, pressed) in runs.await {
            let status = answer.body.get("status").unwrap_or(&answer.body["recurringStatus"]);
            assert!(["ACTIVE", "CAPTURED"].contains(&status.as_str().unwrap()), "{}", answer.body);
            seconds.push(answer.ended.duration_since(pressed).as_secs_f64());
        }
        let counts = reads.take();
        assert!(counts.iter().all(|count| (2..MAX_READS).contains(count)), "{counts:?}");
        let occupied = api.occupied(task.function());
        assert_eq!(occupied.len(), counts.len());
        let costs = occupied.iter().map(|seconds| seconds * gigabytes(task.function())).collect();
        let counts = counts.into_iter().map(|count| f64::from(u32::try_from(count).unwrap()));
        println!("{task:?}, {customers} waits of at most 20 s");
        println!("  seconds from the button to the answer: {}", distribution(seconds));
        println!("  reads: {}", distribution(counts.collect()));
        println!("  seconds of the function: {}", distribution(occupied));
        println!("  GB-seconds: {}", distribution(costs));
    }
}

/// Many clients begin to wait at once. Those above the limit are refused at once, and the others wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_waiting_requests() {
    let limit = BURST_LIMIT.get();
    let api = with_limit(&limit.to_string()).await;
    api.local.lambda().set_max_instances(INSTANCES);
    let path = format!("{PAYMENTS}/{}", api.create_id("4711").await);
    let answers = join_all((0..BURST.get()).map(|_| api.timed_wait(&path, BURST_WAIT.get()))).await;
    let with = |status| answers.iter().filter(move |answer| answer.status == status);
    let (waited, refused) = (with(200).count() as u64, with(429).count() as u64);
    assert_eq!(waited + refused, BURST.get());
    // The burst is in one period of 20 seconds, or in two.
    assert!((limit..=2 * limit).contains(&waited), "{waited}");
    let at = |instant: Instant| {
        with(200).filter(|one| one.started <= instant && instant < one.ended).count()
    };
    let most = with(200).map(|answer| at(answer.started)).max().unwrap();
    let seconds = |status| {
        with(status).map(|one| one.ended.duration_since(one.started).as_secs_f64()).collect()
    };
    println!("{} at once with a limit of {limit}: 200: {waited}, 429: {refused}", BURST.get());
    println!("at most {most} waited at once");
    println!("seconds to 200: {}", distribution(seconds(200)));
    println!("seconds to 429: {}", distribution(seconds(429)));
    println!("instances of the function: {}", api.local.lambda().instances(WAITING[0]).len());
    let later = api.call("GET", &path, None).await;
    assert_eq!(later.status, 200);
}

/// Seconds of a get without `wait`, which arrives after many waits. All instances are busy, unless a limit leaves some of them free.
async fn seconds_of_a_get_behind_waits(limit: u32) -> f64 {
    let api = with_limit(&limit.to_string()).await;
    api.local.lambda().set_max_instances(FEW_INSTANCES);
    let path = format!("{PAYMENTS}/{}", api.create_id("4711").await);
    let mut reads = Reads::of(&api);
    let waits = join_all((0..3 * FEW_INSTANCES).map(|_| api.wait(&path, SHORT_WAIT)));
    let get = async {
        // Each instance that can wait does.
        reads.begun(FEW_INSTANCES.min(usize::try_from(limit).unwrap())).await;
        api.timed_wait(&path, 0).await
    };
    let (_, answer) = tokio::join!(waits, get);
    assert_eq!(answer.status, 200);
    answer.ended.duration_since(answer.started).as_secs_f64()
}

/// The instances stand for the concurrency of an account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_keeps_instances_free_for_other_requests() {
    let [limited, unlimited] =
        [seconds_of_a_get_behind_waits(2).await, seconds_of_a_get_behind_waits(10_000).await];
    println!(
        "a get without wait, after {} waits with {FEW_INSTANCES} instances:",
        3 * FEW_INSTANCES
    );
    println!("  with a limit of 2: {limited:.2} s, without a limit: {unlimited:.2} s");
    assert!(limited < unlimited, "{limited} {unlimited}");
}
