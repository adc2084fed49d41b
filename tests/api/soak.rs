//! A steady rate through the real functions while Nets and `DynamoDB` misbehave; nothing is lost, and nothing happens twice.
//!
//! A few seconds in every test run. The long one:
//! `SOAK_SECONDS=600 cargo test -p api --test api soak -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use local::dynamodb::Faults;
use local::netaxept::{Kind, Operation};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::{PAYMENTS, SCHEDULED, VISA, World};

/// Requests of a customer begin so often.
const A_SECOND: u32 = 15;
const CUSTOMERS: u64 = 300;
/// Every so many seconds a minute passes on the local clock, and every schedule runs.
const MINUTE: u64 = 5;
/// One visit to Nets in so many meets trouble there.
const TROUBLED_VISITS: u32 = 6;
const TROUBLE_AT_NETS: [(Operation, Kind); 5] = [
    (Operation::Register, Kind::DropReply),
    (Operation::Process, Kind::DropReply),
    (Operation::Query, Kind::Http500),
    (Operation::Process, Kind::Html),
    (Operation::Query, Kind::Delay),
];

/// What callers were promised, and what they saw.
#[derive(Default)]
struct Ledger {
    /// Customers by recurring payment.
    created: BTreeMap<u64, u64>,
    /// A 200 said that it is ACTIVE.
    active: BTreeSet<u64>,
    /// Somebody asked for its end, whatever was answered.
    perhaps_ended: BTreeSet<u64>,
    /// A 200 said that it has ended.
    ended: BTreeSet<u64>,
    /// How long each answer took, by class of its status.
    answers: BTreeMap<u16, Vec<Duration>>,
}

#[derive(Clone)]
struct Soak {
    world: Arc<World>,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
}

impl Soak {
    fn note<T>(&self, what: impl FnOnce(&mut Ledger) -> T) -> T {
        what(&mut self.ledger.lock().unwrap())
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let began = Instant::now();
        let answer = self.world.call_as(&self.token, method, path, body.as_ref()).await;
        let (status, took) = (answer.status, began.elapsed());
        self.note(|ledger| ledger.answers.entry(status.as_u16()).or_default().push(took));
        (status, serde_json::from_str(&answer.text).unwrap_or_default())
    }

    async fn create(&self, customer: u64) -> Option<u64> {
        let body = json!({ "customerNumber": customer.to_string() });
        let (status, created) = self.call("POST", PAYMENTS, Some(body)).await;
        let id =
            created["recurringPaymentId"].as_u64().filter(|_| status == StatusCode::CREATED)?;
        self.note(|ledger| ledger.created.insert(id, customer));
        Some(id)
    }

    /// A card, from the first call to the last; what fails is tried once more, as a caller would.
    async fn store_a_card(&self, customer: u64, trouble: Option<(Operation, Kind)>) {
        let Some(id) = self.create(customer).await else { return };
        if let Some((operation, kind)) = trouble {
            self.world.local.netaxept().fail(operation, kind, 1);
        }
        let tell = format!("{}/inbox/{id}", self.world.local.addresses().console);
        let body = json!({ "redirectUrl": "https://shop.example/", "callbackUrl": tell });
        let path = format!("{PAYMENTS}/{id}");
        let (_, terminal) = self.call("POST", &format!("{path}/terminal"), Some(body)).await;
        let Some(uri) = terminal["terminalUri"].as_str() else { return };
        let form = World::card(VISA, "okButton");
        // The page could be asked for when Nets forgot it: then the customer is gone.
        let Ok(page) = self.world.http.post(uri).form(&form).send().await else { return };
        if page.status() != StatusCode::FOUND {
            return;
        }
        for _ in 0..2 {
            let (status, _) = self.call("PUT", &format!("{path}/authorize"), None).await;
            if status == StatusCode::OK {
                self.note(|ledger| ledger.active.insert(id));
                return;
            }
        }
    }

    async fn end(&self, id: u64) {
        self.note(|ledger| ledger.perhaps_ended.insert(id));
        let (status, _) = self.call("DELETE", &format!("{PAYMENTS}/{id}"), None).await;
        if status == StatusCode::OK {
            self.note(|ledger| ledger.ended.insert(id));
        }
    }

    /// What one customer wants now.
    async fn something(self, seed: u64) {
        let mut chance = fastrand::Rng::with_seed(seed);
        let customer = chance.u64(..CUSTOMERS);
        let some = |ledger: &mut Ledger, chance: &mut fastrand::Rng| {
            let known = ledger.created.len().checked_sub(1)?;
            ledger.created.keys().nth(chance.usize(..=known)).copied()
        };
        let id = self.note(|ledger| some(ledger, &mut chance));
        match (chance.u32(..100), id) {
            (0..20, _) => {
                let trouble = (chance.u32(..TROUBLED_VISITS) == 0)
                    .then(|| TROUBLE_AT_NETS[chance.usize(..TROUBLE_AT_NETS.len())]);
                self.store_a_card(customer, trouble).await;
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
                    one_primary(&list);
                }
            }
        }
    }

    /// Everything that callers were promised is so.
    #[expect(clippy::print_stdout, reason = "what a soak is for")]
    async fn check(&self) {
        let ledger = std::mem::take(&mut *self.ledger.lock().unwrap());
        let mut statuses = BTreeMap::new();
        for customer in 0..CUSTOMERS {
            let path = format!("{PAYMENTS}?customerNumber={customer}&includeExpired=true");
            let (status, list) = self.call("GET", &path, None).await;
            assert_eq!(status, StatusCode::OK);
            one_primary(&list);
            for payment in list.as_array().unwrap() {
                let id = payment["recurringPaymentId"].as_u64().unwrap();
                statuses.insert(id, payment["recurringStatus"].as_str().unwrap().to_owned());
            }
        }
        let status = |id: &u64| statuses.get(id).map_or("gone", String::as_str);
        for id in ledger.active.difference(&ledger.perhaps_ended) {
            assert_eq!(status(id), "ACTIVE", "{id} was stored, and nobody ended it");
        }
        for id in &ledger.ended {
            assert!(matches!(status(id), "CANCELLED" | "gone"), "{id} has ended: {}", status(id));
        }
        let transactions = self.world.local.netaxept().transactions();
        for transaction in transactions.as_array().unwrap() {
            let done = transaction["transaction"]["done"]["VERIFY"].as_u64();
            assert!(done.unwrap_or_default() <= 1, "{transaction}");
        }
        assert!(self.world.nothing_is_due().await);
        println!(
            "{} recurring payments, {} of them said to be ACTIVE, {} to have ended; {} visits at Nets: all is as it was said",
            ledger.created.len(),
            ledger.active.len(),
            ledger.ended.len(),
            transactions.as_array().unwrap().len()
        );
        figures(&ledger.answers);
    }
}

/// Exactly one, when any is live.
fn one_primary(list: &Value) {
    let list = list.as_array().unwrap();
    let live = |payment: &&Value| {
        ["ACTIVE", "CREATED"].contains(&payment["recurringStatus"].as_str().unwrap())
    };
    let primary: Vec<&Value> = list.iter().filter(|payment| payment["primary"] == true).collect();
    assert_eq!(primary.len(), usize::from(list.iter().any(|payment| live(&payment))), "{list:?}");
    assert!(primary.iter().all(live), "{list:?}");
}

#[expect(clippy::print_stdout, reason = "what a soak is for")]
fn figures(answers: &BTreeMap<u16, Vec<Duration>>) {
    let all: usize = answers.values().map(Vec::len).sum();
    println!("| status | answers | share | p50 ms | p99 ms |\n|---|---|---|---|---|");
    for (status, took) in answers {
        let mut took = took.clone();
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        let share = took.len() * 10_000 / all;
        println!(
            "| {status} | {} | {}.{:02} % | {:.1} | {:.1} |",
            took.len(),
            share / 100,
            share % 100,
            at(50),
            at(99)
        );
    }
    println!("| all | {all} | | | |");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "what a soak is for")]
#[expect(clippy::disallowed_methods, reason = "no configuration: how long to soak")]
async fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(8, |text| text.parse().unwrap());
    let world = Arc::new(World::new().await);
    let token = world.token("partner-demo", json!({ "expires_in": 86_400 })).await;
    let mut soak = Soak { world, token, ledger: Arc::default() };
    let local = soak.world.local.clone();
    local.dynamodb().disturb(Faults {
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
    let (mut memory, mut running) = (BTreeMap::new(), JoinSet::new());
    let mut tick = tokio::time::interval(Duration::from_secs(1) / A_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..seconds * u64::from(A_SECOND) {
        tick.tick().await;
        running.spawn(soak.clone().something(number));
        if number % (MINUTE * u64::from(A_SECOND)) == 0 {
            local.clock().advance("PT1M").unwrap();
            for function in SCHEDULED {
                let world = soak.world.clone();
                running.spawn(async move { drop(world.run(function).await) });
            }
        }
        if number == seconds * u64::from(A_SECOND) / 10 {
            memory = local.lambda().resident_kilobytes();
        }
        while let Some(done) = running.try_join_next() {
            done.unwrap();
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    println!("| function | resident kB after a tenth of the time | at the end |\n|---|---|---|");
    for (function, end) in local.lambda().resident_kilobytes() {
        println!("| {function} | {:?} | {end:?} |", memory.get(&function).unwrap_or(&Vec::new()));
    }
    println!("trouble at DynamoDB: {:?}", local.dynamodb().disturbed());
    local.dynamodb().disturb(Faults::default());

    // The end: a day in which the schedules finish what nobody did.
    for time in ["PT2M", "PT1H", "PT24H"] {
        local.clock().advance(time).unwrap();
        for function in SCHEDULED.iter().chain(&SCHEDULED) {
            soak.world.run(function).await;
        }
    }
    soak.token = soak.world.token("partner-demo", json!({})).await;
    soak.check().await;
}
