//! A soak test: requests at a constant rate while faults are injected at Nets and `DynamoDB`. Nothing is lost, and nothing happens
//! twice.
//!
//! It runs for a few seconds in every test run. For a longer run:
//! `SOAK_SECONDS=600 cargo test -p api --test api soak -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use local::dynamodb::Faults;
use local::netaxept::{FaultKind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::{PAYMENTS, SCHEDULED, Size, TestApi, VISA};

/// Scenarios started per second.
const RATE: u32 = 15;
const SECONDS: Size = Size { usual: 2, full: 8 };
const CUSTOMERS: u64 = 300;
/// Seconds after which the local clock moves by a minute and both schedules run.
const SECONDS_PER_MINUTE: u64 = 5;
/// One terminal session in this many has an injected fault at Nets.
const FAULTY_SESSIONS: u32 = 6;
const NETS_FAULTS: [(Operation, FaultKind); 5] = [
    (Operation::Register, FaultKind::DropReply),
    (Operation::Process, FaultKind::DropReply),
    (Operation::Query, FaultKind::Http500),
    (Operation::Process, FaultKind::Html),
    (Operation::Query, FaultKind::Delay),
];

/// The successful responses that callers got, and the duration of all responses.
#[derive(Default)]
struct Ledger {
    /// Customer of each created recurring payment.
    created: BTreeMap<u64, u64>,
    /// Recurring payments for which authorize returned 200.
    active: BTreeSet<u64>,
    /// Recurring payments for which the end was requested, with any response.
    end_requested: BTreeSet<u64>,
    /// Recurring payments for which the end returned 200.
    ended: BTreeSet<u64>,
    /// Durations of the responses, by status.
    durations: BTreeMap<u16, Vec<Duration>>,
}

#[derive(Clone)]
struct Soak {
    api: Arc<TestApi>,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
}

impl Soak {
    fn record<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.ledger.lock().unwrap())
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let start = Instant::now();
        let response = self.api.call_as(&self.token, method, path, body.as_ref()).await;
        let (status, duration) = (response.status, start.elapsed());
        self.record(|ledger| ledger.durations.entry(status.as_u16()).or_default().push(duration));
        (status, serde_json::from_str(&response.text).unwrap_or_default())
    }

    async fn create(&self, customer: u64) -> Option<u64> {
        let body = json!({ "customerNumber": customer.to_string() });
        let (status, created) = self.call("POST", PAYMENTS, Some(body)).await;
        let id =
            created["recurringPaymentId"].as_u64().filter(|_| status == StatusCode::CREATED)?;
        self.record(|ledger| ledger.created.insert(id, customer));
        Some(id)
    }

    /// Creates a recurring payment and stores a card. A failed authorize is retried once, as a client does.
    async fn store_card(&self, customer: u64, fault: Option<(Operation, FaultKind)>) {
        let Some(id) = self.create(customer).await else { return };
        if let Some((operation, kind)) = fault {
            self.api.local.netaxept().inject_fault(operation, kind, 1);
        }
        let callback_url = format!("{}/inbox/{id}", self.api.local.addresses().console);
        let body = json!({ "redirectUrl": "https://shop.example/", "callbackUrl": callback_url });
        let path = format!("{PAYMENTS}/{id}");
        let (_, terminal) = self.call("POST", &format!("{path}/terminal"), Some(body)).await;
        let Some(uri) = terminal["terminalUri"].as_str() else { return };
        let form = TestApi::card_form(VISA, "okButton");
        // If the page fails, the customer does not continue.
        let Ok(page) = self.api.http.post(uri).form(&form).send().await else { return };
        if page.status() != StatusCode::FOUND {
            return;
        }
        for _ in 0..2 {
            let (status, _) = self.call("PUT", &format!("{path}/authorize"), None).await;
            if status == StatusCode::OK {
                self.record(|ledger| ledger.active.insert(id));
                return;
            }
        }
    }

    async fn end(&self, id: u64) {
        self.record(|ledger| ledger.end_requested.insert(id));
        let (status, _) = self.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
        if status == StatusCode::OK {
            self.record(|ledger| ledger.ended.insert(id));
        }
    }

    /// Runs a random scenario of one customer.
    async fn run_scenario(self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let customer = random.u64(..CUSTOMERS);
        let pick = |ledger: &mut Ledger, random: &mut fastrand::Rng| {
            let last = ledger.created.len().checked_sub(1)?;
            ledger.created.keys().nth(random.usize(..=last)).copied()
        };
        let id = self.record(|ledger| pick(ledger, &mut random));
        match (random.u32(..100), id) {
            (0..20, _) => {
                let fault = (random.u32(..FAULTY_SESSIONS) == 0)
                    .then(|| NETS_FAULTS[random.usize(..NETS_FAULTS.len())]);
                self.store_card(customer, fault).await;
            }
            (20..25, _) | (_, None) => drop(self.create(customer).await),
            (25..40, Some(id)) => self.end(id).await,
            (40..55, Some(id)) => {
                let body = json!({ "isPrimary": true });
                self.call("PATCH", &format!("{PAYMENTS}/{id}"), Some(body)).await;
            }
            (55..75, Some(id)) => drop(self.call("GET", &format!("{PAYMENTS}/{id}"), None).await),
            _ => {
                let path = format!("{PAYMENTS}?customerNumber={customer}");
                let (status, list) = self.call("GET", &path, None).await;
                if status == StatusCode::OK {
                    assert_one_primary(&list);
                }
            }
        }
    }

    /// Asserts that the state at the end agrees with all successful responses.
    #[expect(clippy::print_stdout, reason = "prints the results of the soak test")]
    async fn check(&self) {
        let ledger = std::mem::take(&mut *self.ledger.lock().unwrap());
        let mut statuses = BTreeMap::new();
        for customer in 0..CUSTOMERS {
            let path = format!("{PAYMENTS}?customerNumber={customer}&includeExpired=true");
            let (status, list) = self.call("GET", &path, None).await;
            assert_eq!(status, StatusCode::OK);
            assert_one_primary(&list);
            for payment in list.as_array().unwrap() {
                let id = payment["recurringPaymentId"].as_u64().unwrap();
                statuses.insert(id, payment["recurringStatus"].as_str().unwrap().to_owned());
            }
        }
        let status = |id: &u64| statuses.get(id).map_or("removed", String::as_str);
        for id in ledger.active.difference(&ledger.end_requested) {
            assert_eq!(
                status(id),
                "ACTIVE",
                "the card of {id} was stored, and no end was requested"
            );
        }
        for id in &ledger.ended {
            assert!(
                matches!(status(id), "CANCELLED" | "removed"),
                "{id} was ended: {}",
                status(id)
            );
        }
        let transactions = self.api.local.netaxept().transactions();
        for transaction in transactions.as_array().unwrap() {
            let done = transaction["transaction"]["done"]["VERIFY"].as_u64();
            assert!(done.unwrap_or_default() <= 1, "{transaction}");
        }
        assert!(self.api.has_nothing_due().await);
        println!(
            "{} recurring payments created, {} activated, {} ended; {} transactions at Nets; all responses agree with the final state",
            ledger.created.len(),
            ledger.active.len(),
            ledger.ended.len(),
            transactions.as_array().unwrap().len()
        );
        print_durations(&ledger.durations);
    }
}

/// Asserts that a list with CREATED or ACTIVE ones has exactly one primary, and that it is one of them.
fn assert_one_primary(list: &Value) {
    let list = list.as_array().unwrap();
    let live = |payment: &&Value| {
        ["ACTIVE", "CREATED"].contains(&payment["recurringStatus"].as_str().unwrap())
    };
    let primary: Vec<&Value> = list.iter().filter(|payment| payment["primary"] == true).collect();
    assert_eq!(primary.len(), usize::from(list.iter().any(|payment| live(&payment))), "{list:?}");
    assert!(primary.iter().all(live), "{list:?}");
}

#[expect(clippy::print_stdout, reason = "prints the results of the soak test")]
fn print_durations(durations: &BTreeMap<u16, Vec<Duration>>) {
    let all: usize = durations.values().map(Vec::len).sum();
    println!("| status | responses | share | p50 ms | p99 ms |\n|---|---|---|---|---|");
    for (status, duration) in durations {
        let mut duration = duration.clone();
        duration.sort_unstable();
        let at =
            |percent: usize| duration[(duration.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        let share = duration.len() * 10_000 / all;
        println!(
            "| {status} | {} | {}.{:02} % | {:.1} | {:.1} |",
            duration.len(),
            share / 100,
            share % 100,
            at(50),
            at(99)
        );
    }
    println!("| all | {all} | | | |");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "prints the results of the soak test")]
#[expect(
    clippy::disallowed_methods,
    reason = "SOAK_SECONDS sets the duration of the test, not a configuration"
)]
async fn soak() {
    let seconds =
        std::env::var("SOAK_SECONDS").map_or_else(|_| SECONDS.get(), |text| text.parse().unwrap());
    let api = Arc::new(TestApi::new().await);
    let token = api.token("partner-demo", json!({ "expires_in": 86_400 })).await;
    let mut soak = Soak { api, token, ledger: Arc::default() };
    let local = soak.api.local.clone();
    local.dynamodb().inject_faults(Faults {
        seed: 4711,
        lost: 300,
        broken: 300,
        failed: 300,
        throttled: 300,
        exceeded: 300,
        late: 600,
        slow: 100,
        stale: 2,
        delay_ms: 400,
    });
    let (mut memory_at_start, mut scenarios) = (BTreeMap::new(), JoinSet::new());
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..seconds * u64::from(RATE) {
        tick.tick().await;
        scenarios.spawn(soak.clone().run_scenario(number));
        if number % (SECONDS_PER_MINUTE * u64::from(RATE)) == 0 {
            local.clock().advance("PT1M").unwrap();
            for function in SCHEDULED {
                let api = soak.api.clone();
                scenarios.spawn(async move { drop(api.run_schedule(function).await) });
            }
        }
        if number == seconds * u64::from(RATE) / 10 {
            memory_at_start = local.lambda().resident_kilobytes();
        }
        while let Some(done) = scenarios.try_join_next() {
            done.unwrap();
        }
    }
    while let Some(done) = scenarios.join_next().await {
        done.unwrap();
    }
    println!("| function | resident kB after a tenth of the time | at the end |\n|---|---|---|");
    for (function, end) in local.lambda().resident_kilobytes() {
        println!(
            "| {function} | {:?} | {end:?} |",
            memory_at_start.get(&function).unwrap_or(&Vec::new())
        );
    }
    println!("faults injected at DynamoDB: {:?}", local.dynamodb().injected_faults());
    local.dynamodb().inject_faults(Faults::default());

    // For one more day the schedules complete the open work.
    for time in ["PT2M", "PT1H", "PT24H"] {
        local.clock().advance(time).unwrap();
        for function in SCHEDULED.iter().chain(&SCHEDULED) {
            soak.api.run_schedule(function).await;
        }
    }
    soak.token = soak.api.token("partner-demo", json!({})).await;
    soak.check().await;
}
