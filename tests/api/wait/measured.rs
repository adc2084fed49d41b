//! What waiting costs, and how soon it answers. The command that prints the figures of docs/BENCHMARKS.md:
//! `TEST_SIZE=full cargo test --workspace --test api wait::measured -- --nocapture --test-threads=1`

#![expect(clippy::print_stdout, reason = "prints the figures with --nocapture")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::Options;
use serde_json::Value;
use tokio::time::sleep;

use super::{MAX_READS, Reads, WAITING};
use crate::template::{deployed, template};
use crate::{Size, TestApi, VISA};

/// The customers who store a card while their client waits.
const CUSTOMERS: Size = Size { usual: 2, full: 20 };
/// The requests that begin to wait at once, their limit, and their seconds.
const BURST: Size = Size { usual: 12, full: 200 };
const BURST_LIMIT: Size = Size { usual: 3, full: 20 };
const BURST_WAIT: Size = Size { usual: 1, full: 20 };
/// The instances that a burst needs: those that wait, in two periods, and those that answer 429.
const INSTANCES: usize = 64;

/// A request, and when it was answered.
struct Answer {
    status: u16,
    started: Instant,
    ended: Instant,
}

impl TestApi {
    async fn timed_wait(&self, id: &Value, seconds: u64) -> Answer {
        let started = Instant::now();
        let response = self.wait_for_setup(id, seconds).await;
        Answer { status: response.status.as_u16(), started, ended: Instant::now() }
    }

    /// The seconds for which the function that reads recurring payments was occupied by each request that waited.
    fn occupied(&self) -> Vec<f64> {
        let lines = self.log_lines(WAITING[0], "request");
        let waited = lines.iter().filter(|line| line.get("waited_ms").is_some());
        let milliseconds = |line: &Value| {
            ["latency_ms", "waited_ms"].iter().filter_map(|name| line[name].as_f64()).sum::<f64>()
        };
        waited.map(|line| milliseconds(line) / 1000.0).collect()
    }
}

/// The memory of the function in the template, in GB.
fn gigabytes() -> f64 {
    let functions = deployed(&template()).unwrap();
    let function = functions.iter().find(|function| function.binary == WAITING[0]).unwrap();
    f64::from(u32::try_from(function.memory).unwrap()) / 1024.0
}

/// Smallest, median, 90th percentile and largest.
fn distribution(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() - 1) * percent / 100];
    format!("min {:.2}, p50 {:.2}, p90 {:.2}, max {:.2}", at(0), at(50), at(90), at(100))
}

/// The customer presses the button, Nets calls back, and the waiting client is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seconds_from_the_button_to_the_answer() {
    let api = TestApi::with(Options { callbacks: true, ..Options::default() }).await;
    let customers = CUSTOMERS.get();
    api.local.lambda().set_max_instances(INSTANCES);
    let mut setups = Vec::new();
    for customer in 0..customers {
        let id = api.create_id(&customer.to_string()).await;
        let uri = api.open_terminal(&id).await;
        setups.push((id, uri));
    }
    let mut reads = Reads::of(&api);
    // Customers press the button at instants that are spread over the wait.
    let setups = setups.iter().zip(0_u32..);
    let (api, customers) = (&api, f64::from(u32::try_from(customers).unwrap()));
    let runs = join_all(setups.map(|((id, uri), number)| {
        let pressed = async move {
            let share = f64::from(number) / customers;
            sleep(Duration::from_secs_f64(1.0 + 15.0 * share)).await;
            api.submit_card(uri, VISA, "okButton").await;
            Instant::now()
        };
        async { tokio::join!(api.timed_wait(id, 20), pressed) }
    }));
    let mut seconds = Vec::new();
    for (answer, pressed) in runs.await {
        assert_eq!(answer.status, 200);
        seconds.push(answer.ended.duration_since(pressed).as_secs_f64());
    }
    let counts = reads.take();
    assert!(counts.iter().all(|count| (2..MAX_READS).contains(count)), "{counts:?}");
    let occupied = api.occupied();
    assert_eq!(occupied.len(), counts.len());
    let costs: Vec<_> = occupied.iter().map(|seconds| seconds * gigabytes()).collect();
    println!("{customers} waits: seconds from the button to the answer: {}", distribution(seconds));
    println!(
        "reads: {}",
        distribution(
            counts.iter().map(|count| f64::from(u32::try_from(*count).unwrap())).collect()
        )
    );
    println!("seconds of the function: {}", distribution(occupied));
    println!("GB-seconds: {}", distribution(costs));
}

/// Many clients begin to wait at once. Those above the limit are refused at once, and the others wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_waiting_requests() {
    let limit = BURST_LIMIT.get();
    let environment = [("MAX_WAITING_REQUESTS".to_owned(), limit.to_string())].into();
    let api = TestApi::with(Options { environment, ..Options::default() }).await;
    api.local.lambda().set_max_instances(INSTANCES);
    let id = api.create_id("4711").await;
    let answers = join_all((0..BURST.get()).map(|_| api.timed_wait(&id, BURST_WAIT.get()))).await;
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
    let later = api.call("GET", &format!("{}/{id}", crate::PAYMENTS), None).await;
    assert_eq!(later.status, 200);
}
