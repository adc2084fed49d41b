//! A chapter: a service of its own, phases of load, and between them a moment of quiet in which the schedules run and time moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;
use local::Local;
use local::dynamodb::Faults;
use tokio::task::JoinSet;

use super::checker::{Checker, Event, Violation};
use super::load::{Client, Customer, Load};
use super::operation::Operation;
use super::report::Report;
use super::{Options, place, watch};
use crate::Failure;

/// How many operations most phases have.
const PHASE: u64 = 3000;
/// Which phase of eight is a storm.
const STORM: u64 = 1;
/// How many customers there are at once.
const CUSTOMERS: usize = 24;
/// An instance is killed so often.
const KILL: Duration = Duration::from_secs(1);
/// How many operations clients ask for while an expiry runs, after each jump in time.
const BESIDE_EXPIRY: u64 = 64;
/// How often the schedules are tried until nothing is left to do.
const RUNS: usize = 10;
/// Where time moves to after a phase, and how often: one in 20.
const JUMPS: [(&str, u32); 7] =
    [("PT1S", 6), ("PT50M", 3), ("PT7H", 3), ("PT24H", 3), ("P8D", 2), ("P31D", 2), ("P3Y1D", 1)];
/// Cards end within a century: no more than so many of the longest jumps.
const LONGEST_JUMPS: u64 = 12;

/// What a phase makes trouble with.
fn faults(seed: u64, phase: u64) -> Faults {
    let usual = Faults {
        seed,
        lost: 250,
        broken: 250,
        failed: 300,
        throttled: 1500,
        exceeded: 1500,
        late: 400,
        slow: 300,
        stale: 2,
        delay_ms: 25,
    };
    match phase % 8 {
        // Hardly anything goes well: the SDK gives up, and nobody knows what was done.
        STORM => Faults { lost: 10, broken: 16, failed: 2, ..usual },
        // Later than anybody waits: a write that is done after it was tried again.
        3 => Faults { late: 800, slow: 4000, delay_ms: 1800, ..usual },
        _ => usual,
    }
}

/// How many operations a phase has.
fn length(phase: u64) -> u64 {
    // Whoever tries again waits.
    if phase % 8 == STORM { PHASE / 8 } else { PHASE }
}

struct Chapter<'a> {
    options: &'a Options,
    load: Arc<Load>,
    chance: Rng,
    customers: Vec<Arc<Customer>>,
    named: u64,
    longest: u64,
}

/// Runs a chapter, in a runtime of its own, unless another one is over before.
pub(super) fn run(
    options: &Options,
    number: u64,
    operations: u64,
    over: &Arc<AtomicBool>,
) -> Result<Report, Failure> {
    let began = Instant::now();
    // One thread does: what races are the functions, and they are processes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::cannot_run(&error))?;
    let (sender, events) = channel();
    let checking = std::thread::spawn(move || check(&events));
    let done = runtime.block_on(async {
        let local = Local::start(options.functions.options()).await;
        let local = local.map_err(|error| Failure::cannot_run(&error))?;
        let load = Load::new(local, sender, over.clone());
        let load = Arc::new(load.map_err(|error| Failure::cannot_run(&error))?);
        observe(&load);
        let chance = Rng::with_seed(options.seed ^ number << 32);
        let (customers, mut report) = (Vec::new(), Report::default());
        let mut chapter =
            Chapter { options, load, chance, customers, named: number << 20, longest: 0 };
        chapter.run(operations, &mut report).await;
        end_functions(&chapter.load).await;
        report.exited = chapter.load.exited();
        if report.exited > 0 && report.killed == 0 {
            let exited = report.exited;
            chapter
                .load
                .fault(format!("{exited} invocations ended with an instance nobody killed"));
        }
        match chapter.load.first_fault() {
            Some(fault) => Err(Failure::Violation(fault, Vec::new())),
            None => Ok(report),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let checked = finished(checking)?;
    let mut report = done?;
    (report.totals, report.took) = (checked.totals, began.elapsed());
    Ok(report)
}

fn check(events: &Receiver<Event>) -> Result<Checker, Violation> {
    let mut checker = Checker::default();
    while let Ok(event) = events.recv() {
        checker.take(event)?;
    }
    checker.end()?;
    Ok(checker)
}

fn finished(checking: JoinHandle<Result<Checker, Violation>>) -> Result<Checker, Failure> {
    let checked =
        checking.join().map_err(|_| Failure::CannotRun("the checker failed".to_owned()))?;
    checked.map_err(|violation| Failure::Violation(violation.what, violation.history))
}

/// Has the table's door tell everything.
fn observe(load: &Arc<Load>) {
    let told = Arc::downgrade(load);
    load.local.dynamodb().observe(move |exchange| {
        let Some(load) = told.upgrade() else { return };
        match watch::event(exchange) {
            Ok(Some(event)) => load.tell(event),
            Ok(None) => {}
            Err(fault) => load.fault(fault),
        }
    });
}

impl Chapter<'_> {
    async fn run(&mut self, operations: u64, report: &mut Report) {
        let mut left = operations;
        for phase in 0.. {
            if left == 0 || self.load.is_over() {
                break;
            }
            let now = left.min(length(phase));
            left -= now;
            self.turn_over(phase);
            self.phase(phase, now, report).await;
            self.nobody_panicked();
            self.quiet(report).await;
        }
        report.trouble = self.load.local.dynamodb().disturbed();
    }

    /// Some customers go, others come. Every so often two of those who come meet in one slot.
    fn turn_over(&mut self, phase: u64) {
        let stay = if phase.is_multiple_of(2) { 0 } else { CUSTOMERS / 2 };
        let gone = self.customers.len().saturating_sub(stay);
        for customer in self.customers.drain(..gone) {
            self.load.tell(Event::Gone(1, customer.number.clone()));
        }
        let pair = usize::try_from(phase / 4).ok().filter(|_| phase.is_multiple_of(4));
        if let Some((one, other)) = pair.and_then(|pair| place::COLLIDING.get(pair)) {
            for number in [one, other] {
                self.customers.push(Arc::new(Customer::new((*number).to_owned())));
            }
        }
        while self.customers.len() < CUSTOMERS {
            self.named += 1;
            self.customers.push(Arc::new(Customer::new(format!("{}", self.named))));
        }
        self.chance.shuffle(&mut self.customers);
    }

    async fn phase(&mut self, phase: u64, operations: u64, report: &mut Report) {
        if self.options.trouble {
            self.load.local.dynamodb().disturb(faults(self.chance.u64(..), phase));
        }
        let clients = self.clients(operations);
        let over = Arc::new(AtomicBool::new(false));
        let killing = tokio::spawn(kill(
            self.load.clone(),
            self.chance.fork(),
            over.clone(),
            self.options.trouble,
        ));
        let scheduling = tokio::spawn(schedule(self.load.clone(), over.clone()));
        self.finish(clients).await;
        over.store(true, Ordering::Relaxed);
        report.killed += killing.await.unwrap_or_default();
        if let Err(failed) = scheduling.await {
            self.load.fault(format!("a schedule failed: {failed}"));
        }
        self.load.local.dynamodb().disturb(Faults::default());
    }

    /// A function that panics dies, as those do that are killed; but it says so.
    fn nobody_panicked(&self) {
        let lines = self.load.local.lambda().lines();
        if let Some(line) = lines.iter().find(|line| line.line.contains("panicked at")) {
            self.load.fault(format!("{}: {}", line.function, line.line));
        }
    }

    /// Every visit's planned looks pass, and the schedules do what is due. Then time moves on, and what the jump has made due
    /// is expired while clients are at work on it. At last, planned looks pass again.
    async fn quiet(&mut self, report: &mut Report) {
        self.pass("PT17M", report).await;
        self.jump(report);
        let clients = self.clients(BESIDE_EXPIRY);
        self.load.run(Operation::Expire).await;
        self.finish(clients).await;
        self.pass("PT17M", report).await;
    }

    fn jump(&mut self, report: &mut Report) {
        let mut jump = self.chance.u32(..20);
        for (by, weight) in JUMPS {
            if jump >= weight {
                jump -= weight;
                continue;
            }
            if by.starts_with("P3Y") {
                self.longest += 1;
                if self.longest > LONGEST_JUMPS {
                    return;
                }
            }
            return self.advance(by, report);
        }
    }

    fn advance(&self, by: &str, report: &mut Report) {
        report.jumps += 1;
        if let Err(error) = self.load.local.clock().advance(by) {
            self.load.fault(error.to_string());
        }
    }

    /// Clients at work: so many operations together.
    fn clients(&mut self, operations: u64) -> JoinSet<()> {
        self.load.allow(operations);
        let mut clients = JoinSet::new();
        for _ in 0..self.options.clients {
            let (customers, chance) = (self.customers.clone(), self.chance.fork());
            clients.spawn(Client::new(self.load.clone(), customers, chance).work());
        }
        clients
    }

    async fn finish(&self, mut clients: JoinSet<()>) {
        while let Some(done) = clients.join_next().await {
            if let Err(failed) = done {
                self.load.fault(format!("a client failed: {failed}"));
            }
        }
    }

    async fn pass(&self, by: &str, report: &mut Report) {
        self.advance(by, report);
        for _ in 0..RUNS {
            // Past the whole second that a schedule's event has.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.load.local.clock().advance("PT2S").is_err() || self.load.is_over() {
                return;
            }
            let now = self.load.now() / 1000 * 1000;
            let (expired, finished) =
                (self.load.run(Operation::Expire).await, self.load.run(Operation::Finish).await);
            let idle = |answer: Option<super::event::Answer>| {
                let tally = answer.map(|answer| answer.body).unwrap_or_default();
                ["changed", "failed", "unclear"].iter().all(|name| tally[*name] == 0)
            };
            if idle(expired) && idle(finished) {
                return self.load.tell(Event::Quiet(now));
            }
        }
        self.load.fault(format!("the schedules are not done after {RUNS} runs"));
    }
}

/// Ends every instance, so that the system adds up what they took.
async fn end_functions(load: &Load) {
    let lambda = load.local.lambda();
    let all = lambda.resident_kilobytes();
    for instance in all.keys().flat_map(|function| lambda.instances(function)) {
        lambda.kill(instance);
    }
    while all.keys().any(|function| !lambda.instances(function).is_empty()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Kills some instance of some function, again and again: how often.
async fn kill(load: Arc<Load>, mut chance: Rng, over: Arc<AtomicBool>, trouble: bool) -> u64 {
    const FUNCTIONS: [&str; 6] = [
        "create-recurring-payment",
        "update-recurring-payment",
        "end-recurring-payment",
        "create-terminal",
        "authorize-recurring-payment",
        "list-recurring-payments",
    ];
    let mut killed = 0;
    while trouble && !over.load(Ordering::Relaxed) {
        tokio::time::sleep(KILL).await;
        let instances = load.local.lambda().instances(FUNCTIONS[chance.usize(..FUNCTIONS.len())]);
        if let Some(instance) = instances.get(chance.usize(..instances.len().max(1))) {
            load.local.lambda().kill(*instance);
            killed += 1;
        }
    }
    killed
}

/// Runs the schedules while clients are at work.
async fn schedule(load: Arc<Load>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        load.run(Operation::Expire).await;
        load.run(Operation::Finish).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
