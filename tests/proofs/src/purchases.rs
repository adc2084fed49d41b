//! Load with injected faults: many customers pay orders through the whole local service, over HTTP.
//!
//! The API layer, the authorizer, the functions, the tables and Nets are those of `cargo local`. Calls of Nets and requests to the
//! tables fail; clients repeat their requests as docs/CLIENTS.md describes. At the end the faults stop, the schedules do what is left,
//! and the ledger of the Nets sandbox is compared with the stored payments and with what the clients requested and were answered.

mod purchase;
mod report;
mod shop;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::ledger::Registration;
use crate::local_access::stored_item;
use crate::order::slots;
use crate::{Failure, Functions, ledger};
use purchase::Purchase;
pub use report::Report;
use shop::Shop;

/// How many purchases begin together. Before the clock advances, all of their requests are answered.
const WAVE: usize = 500;
/// Number of customers, each with one card.
const CUSTOMERS: u64 = 50;
/// Interval at which the schedules run during the load.
const SCHEDULE_INTERVAL: Duration = Duration::from_secs(1);

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of orders.
    pub orders: u64,
    /// Seed of the random number generator.
    pub seed: u64,
    /// Number of concurrent clients.
    pub clients: usize,
    /// Whether faults are injected.
    pub inject_faults: bool,
    /// The function binaries.
    pub functions: Functions,
}

/// Runs the load, and compares every order with the ledger.
///
/// # Errors
/// Fails with [`Failure::Violation`] if an order differs, and with [`Failure::CannotRun`] if the load cannot run.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::cannot_run(&error))?;
    let done = runtime.block_on(run_load(options));
    runtime.shutdown_timeout(Duration::from_secs(5));
    let (report, differences) = done?;
    match differences.first() {
        None => Ok(report),
        Some(first) => {
            let what = format!("{} orders differ, such as {first}", differences.len());
            let history = std::iter::once(report.to_string()).chain(differences).collect();
            Err(Failure::Violation(what, history))
        }
    }
}

async fn run_load(options: &Options) -> Result<(Report, Vec<String>), Failure> {
    let mut shop = Shop::open(options).await?;
    let mut rng = Rng::with_seed(options.seed);
    let cards = shop.store_cards(CUSTOMERS.min(options.orders)).await?;
    let orders = (0..options.orders).map(|number| Purchase::plan(number, &cards, &mut rng));
    let orders: Vec<Purchase> = orders.collect();
    shop.begin(options);
    let shop = Arc::new(shop);
    let started = Instant::now();
    let ended = run_waves(&shop, orders, options.clients).await?;
    let mut report = shop.report(started.elapsed()).await?;
    shop.settle().await?;
    let differences = compare(&shop, &ended, &mut report).await?;
    Ok((report, differences))
}

/// Runs all purchases. While a purchase waits for the time that `Retry-After` names, others begin. When all wait, the clock advances.
async fn run_waves(
    shop: &Arc<Shop>,
    orders: Vec<Purchase>,
    clients: usize,
) -> Result<Vec<Purchase>, Failure> {
    let (mut planned, mut waiting, mut ended) = (orders.into_iter(), Vec::new(), Vec::new());
    loop {
        let now = shop.now();
        let (mut due, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|purchase: &Purchase| purchase.wake_at <= now);
        waiting = later;
        due.extend(planned.by_ref().take(WAVE));
        if due.is_empty() {
            let Some(next) = waiting.iter().map(|purchase| purchase.wake_at).min() else {
                return Ok(ended);
            };
            shop.advance(&format!("PT{}S", (next - now) / 1000 + 1))?;
            continue;
        }
        for purchase in wave(shop, due, clients).await? {
            if purchase.has_ended() { &mut ended } else { &mut waiting }.push(purchase);
        }
    }
}

/// Continues each of these purchases until it has ended or waits. The schedules run at the same time.
async fn wave(
    shop: &Arc<Shop>,
    due: Vec<Purchase>,
    clients: usize,
) -> Result<Vec<Purchase>, Failure> {
    let (queue, is_done) = (Arc::new(Mutex::new(due)), Arc::new(AtomicBool::new(false)));
    let schedules = tokio::spawn(run_schedules(shop.clone(), is_done.clone()));
    let mut workers = JoinSet::new();
    for _ in 0..clients {
        workers.spawn(run_client(shop.clone(), queue.clone()));
    }
    let mut continued = Vec::new();
    while let Some(done) = workers.join_next().await {
        continued.extend(done.map_err(|failed| Failure::cannot_run(&failed))?);
    }
    is_done.store(true, Ordering::Relaxed);
    schedules.await.map_err(|failed| Failure::cannot_run(&failed))?;
    Ok(continued)
}

async fn run_client(shop: Arc<Shop>, queue: Arc<Mutex<Vec<Purchase>>>) -> Vec<Purchase> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut continued = Vec::new();
    while let Some(mut purchase) = next() {
        purchase.proceed(&shop).await;
        continued.push(purchase);
    }
    continued
}

async fn run_schedules(shop: Arc<Shop>, is_done: Arc<AtomicBool>) {
    let mut next = Instant::now();
    while !is_done.load(Ordering::Relaxed) {
        if next <= Instant::now() {
            next = Instant::now() + SCHEDULE_INTERVAL;
            shop.run_schedules().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Compares each order with the ledger and the stored payment. Returns the differences.
async fn compare(
    shop: &Shop,
    ended: &[Purchase],
    report: &mut Report,
) -> Result<Vec<String>, Failure> {
    let registrations = ledger::registrations(shop.local.netaxept());
    let mut by_payment: HashMap<u64, Vec<&Registration>> = HashMap::new();
    for registration in &registrations {
        report.add_to_ledger(registration);
        by_payment.entry(registration.id.transaction >> 4).or_default().push(registration);
    }
    let (mut differences, now) = (Vec::new(), shop.now());
    for purchase in ended {
        let id = slots::payment_id(1, &purchase.order, 1);
        let payment = stored_item(&shop.local, "Payments", "payment", id).await?;
        let own = by_payment.remove(&id).unwrap_or_default();
        if let Err(difference) = purchase.compare(payment, &own, now) {
            differences.push(format!("{}: {difference}", purchase.order));
        }
    }
    differences.extend(by_payment.keys().map(|id| format!("payment {id} belongs to no order")));
    report.differences = differences.len();
    report.purchases = ended.len().try_into().unwrap_or_default();
    Ok(differences)
}
