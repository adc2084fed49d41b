//! A segment: one local service, and phases of load with idle periods between them. In an idle period the schedules run and the
//! clock advances.

mod background;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;
use local::dynamodb::Faults;
use local::inbox::Answer;
use local::{EventWebhooks, Local, Options as LocalOptions};
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::checker::{Checker, Delivery, Event, Violation};
use super::load::{Client, Customer, Load};
use super::operation::Operation;
use super::payments::operation::{PaymentOperation, RegistrationId};
use super::report::Report;
use super::{Options, exchange, slots};
use crate::{Failure, ledger};
use background::{kill_all_instances, kill_instances, refuse, refuse_events, run_schedules};

/// Number of operations of most phases.
const PHASE_OPERATIONS: u64 = 3000;
/// The phase of eight in which most requests to the table fail.
const HEAVY_FAULT_PHASE: u64 = 1;
/// Number of customers at a time.
const CUSTOMERS: usize = 24;
/// Number of operations that run concurrently with the expiry after a clock jump.
const OPERATIONS_DURING_EXPIRY: u64 = 64;
/// Number of schedule runs after which all due work must be done.
const MAX_SCHEDULE_RUNS: usize = 10;
/// Clock jumps after a phase, with their weights; the weights add up to 20.
const CLOCK_JUMPS: [(&str, u32); 7] =
    [("PT1S", 6), ("PT50M", 3), ("PT7H", 3), ("PT24H", 3), ("P8D", 2), ("P31D", 2), ("P3Y1D", 1)];
/// The schedule of payments.
const SETTLE: Operation = Operation::Payment(PaymentOperation::Settle);
/// Clock jumps after which the schedule has nothing to do for any payment.
pub(crate) const UNTIL_SETTLED: [&str; 7] =
    ["PT24H1M", "PT17M", "PT17M", "PT17M", "PT24H1M", "PT24H1M", "PT17M"];
/// A clock jump after which each event that is not delivered has another attempt.
const UNTIL_DELIVERED: &str = "PT6H1M";
/// Upper limit for the longest jump: the sandbox accepts expiry years of one century.
const MAX_LONGEST_JUMPS: u64 = 12;

/// The faults to inject in a phase.
fn phase_faults(seed: u64, phase: u64) -> Faults {
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
        // The SDK's retries often fail too, so many outcomes are unknown.
        HEAVY_FAULT_PHASE => Faults { lost: 10, broken: 16, failed: 2, ..usual },
        // The delay exceeds the client's timeout: a write can be done after its retry.
        3 => Faults { late: 800, slow: 4000, delay_ms: 1800, ..usual },
        _ => usual,
    }
}

/// The number of operations of a phase.
fn phase_operations(phase: u64) -> u64 {
    // This phase has fewer operations because retries take long.
    if phase % 8 == HEAVY_FAULT_PHASE { PHASE_OPERATIONS / 8 } else { PHASE_OPERATIONS }
}

struct Segment<'a> {
    options: &'a Options,
    load: Arc<Load>,
    rng: Rng,
    customers: Vec<Arc<Customer>>,
    last_customer_number: u64,
    longest_jumps: u64,
}

/// Runs a segment in its own runtime. Stops early if `stopped` is set.
pub(super) fn run(
    options: &Options,
    number: u64,
    operations: u64,
    stopped: &Arc<AtomicBool>,
) -> Result<Report, Failure> {
    let started = Instant::now();
    // One thread is sufficient: the concurrency is between the functions, which are processes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::cannot_run(&error))?;
    let (sender, events) = channel();
    let checking = std::thread::spawn(move || run_checker(&events));
    let done = runtime.block_on(async {
        let event_webhooks = EventWebhooks::Inbox;
        let local_options = LocalOptions { event_webhooks, ..options.functions.options() };
        let local = Local::start(local_options).await;
        let local = local.map_err(|error| Failure::cannot_run(&error))?;
        let load = Load::new(local, sender, stopped.clone(), options.inject_faults);
        let load = Arc::new(load.map_err(|error| Failure::cannot_run(&error))?);
        observe_table(&load);
        observe_nets(&load);
        observe_inbox(&load);
        let rng = Rng::with_seed(options.seed ^ number << 32);
        let (customers, mut report) = (Vec::new(), Report::default());
        let mut segment = Segment {
            options,
            load,
            rng,
            customers,
            last_customer_number: number << 20,
            longest_jumps: 0,
        };
        segment.run(operations, &mut report).await;
        kill_all_instances(&segment.load).await;
        report.killed_invocations = segment.load.killed_invocations();
        if report.killed_invocations > 0 && report.killed_instances == 0 {
            let killed_invocations = report.killed_invocations;
            segment.load.fail(format!(
                "{killed_invocations} invocations ended with their instance, but no instance was killed"
            ));
        }
        match segment.load.first_failure() {
            Some(failure) => Err(Failure::Violation(failure, Vec::new())),
            None => Ok(report),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let mut checked = join_checker(checking)?;
    let mut report = done?;
    // If another segment has failed, this one ended early, and its last invocations are missing.
    if !stopped.load(Ordering::Relaxed) {
        checked.finish().map_err(violation)?;
    }
    (report.totals, report.duration) = (checked.totals, started.elapsed());
    Ok(report)
}

fn run_checker(events: &Receiver<Event>) -> Result<Checker, Violation> {
    let mut checker = Checker::default();
    while let Ok(event) = events.recv() {
        checker.process(event)?;
    }
    Ok(checker)
}

fn join_checker(checking: JoinHandle<Result<Checker, Violation>>) -> Result<Checker, Failure> {
    let checked =
        checking.join().map_err(|_| Failure::CannotRun("the checker panicked".to_owned()))?;
    checked.map_err(violation)
}

fn violation(Violation { what, history }: Violation) -> Failure {
    Failure::Violation(what, history)
}

/// Sends every exchange with the table to the checker.
fn observe_table(load: &Arc<Load>) {
    let weak = Arc::downgrade(load);
    load.local.dynamodb().observe(move |exchange| {
        let Some(load) = weak.upgrade() else { return };
        match exchange::checker_event(exchange) {
            Ok(Some(event)) => load.send(event),
            Ok(None) => {}
            Err(error) => load.fail(error),
        }
    });
}

/// Sends every call of Nets about a payment to the checker.
fn observe_nets(load: &Arc<Load>) {
    let weak = Arc::downgrade(load);
    load.local.netaxept().observe(move |operation, id| {
        if let (Some(load), Some(id)) = (weak.upgrade(), RegistrationId::parse(id)) {
            load.send(Event::NetsCalled(operation, id));
        }
    });
}

/// Sends every delivery of a lifecycle event to the checker.
fn observe_inbox(load: &Arc<Load>) {
    let weak = Arc::downgrade(load);
    load.local.inbox().observe(move |notification| {
        let Some(load) = weak.upgrade() else { return };
        let is_accepted = notification.answered == Answer::Status(StatusCode::ACCEPTED);
        let (id, body) = (notification.id.clone().unwrap_or_default(), notification.body.clone());
        load.send(Event::Delivered(Delivery { id, body, is_accepted }));
    });
}

impl Segment<'_> {
    async fn run(&mut self, operations: u64, report: &mut Report) {
        let mut left = operations;
        for phase in 0.. {
            if left == 0 || self.load.is_stopped() {
                break;
            }
            let operations = left.min(phase_operations(phase));
            left -= operations;
            self.replace_customers(phase);
            self.phase(phase, operations, report).await;
            self.check_for_panics();
            self.idle_period(report).await;
        }
        self.deliver_events(report).await;
        self.settle_payments(report).await;
        report.faults = self.load.local.dynamodb().injected_faults();
    }

    /// Replaces all or half of the customers. In every fourth phase, two new customers have the same slot.
    fn replace_customers(&mut self, phase: u64) {
        let stay = if phase.is_multiple_of(2) { 0 } else { CUSTOMERS / 2 };
        let replaced = self.customers.len().saturating_sub(stay);
        for customer in self.customers.drain(..replaced) {
            self.load.send(Event::CustomerRetired(1, customer.number.clone()));
        }
        let pair = usize::try_from(phase / 4).ok().filter(|_| phase.is_multiple_of(4));
        if let Some((first, second)) = pair.and_then(|pair| slots::COLLIDING_CUSTOMERS.get(pair)) {
            for number in [first, second] {
                self.customers.push(Arc::new(Customer::new((*number).to_owned())));
            }
        }
        while self.customers.len() < CUSTOMERS {
            self.last_customer_number += 1;
            self.customers.push(Arc::new(Customer::new(format!("{}", self.last_customer_number))));
        }
        self.rng.shuffle(&mut self.customers);
    }

    async fn phase(&mut self, phase: u64, operations: u64, report: &mut Report) {
        if self.options.inject_faults {
            self.load.local.dynamodb().inject_faults(phase_faults(self.rng.u64(..), phase));
        }
        let clients = self.start_clients(operations);
        let stopped = Arc::new(AtomicBool::new(false));
        let killing = tokio::spawn(kill_instances(
            self.load.clone(),
            self.rng.fork(),
            stopped.clone(),
            self.options.inject_faults,
        ));
        let refusing = tokio::spawn(refuse_events(
            self.load.clone(),
            self.rng.fork(),
            stopped.clone(),
            self.options.inject_faults,
        ));
        let scheduling = tokio::spawn(run_schedules(self.load.clone(), stopped.clone()));
        self.wait_for(clients).await;
        stopped.store(true, Ordering::Relaxed);
        report.killed_instances += killing.await.unwrap_or_default();
        for task in [refusing, scheduling] {
            if let Err(failed) = task.await {
                self.load.fail(format!("a background task panicked: {failed}"));
            }
        }
        self.load.local.dynamodb().inject_faults(Faults::default());
        self.load.remove_nets_faults().await;
    }

    /// A panic ends the process like a kill does, so panics are found in the log.
    fn check_for_panics(&self) {
        let lines = self.load.local.lambda().lines();
        if let Some(line) = lines.iter().find(|line| line.line.contains("panicked at")) {
            self.load.fail(format!("{}: {}", line.function, line.line));
        }
    }

    /// Lets all planned reconciliations happen. Then advances the clock and expires the due entries while clients send requests. At
    /// the end, lets the planned reconciliations of the new sessions happen.
    async fn idle_period(&mut self, report: &mut Report) {
        self.advance_and_run_schedules("PT17M", report).await;
        self.jump(report).await;
        if self.options.inject_faults && self.rng.u32(..3) == 0 {
            refuse(&self.load, self.rng.usize(1..16));
        }
        let clients = self.start_clients(OPERATIONS_DURING_EXPIRY);
        self.load.run_schedule(Operation::Expire).await;
        self.wait_for(clients).await;
        self.advance_and_run_schedules("PT17M", report).await;
    }

    /// After the load, lets all events be delivered, also those whose next attempt is planned for later.
    async fn deliver_events(&self, report: &mut Report) {
        self.load.local.inbox().clear();
        self.advance_and_run_schedules(UNTIL_DELIVERED, report).await;
    }

    /// Lets a day pass, and another one, and runs the schedule of payments: no authorization is held after that.
    async fn release_authorizations(&self, report: &mut Report) {
        for by in ["PT24H1M", "PT24H1M", "PT2M"] {
            self.advance(by, report);
            self.run_schedules(&[SETTLE]).await;
        }
    }

    /// After the load, lets time pass until the schedule has nothing to do for any payment, and compares all payments with Nets.
    async fn settle_payments(&self, report: &mut Report) {
        for by in UNTIL_SETTLED {
            self.advance(by, report);
            self.run_schedules(&[SETTLE]).await;
        }
        if !self.load.is_stopped() {
            let registrations = ledger::registrations(self.load.local.netaxept());
            self.load.send(Event::PaymentsSettled(self.load.now(), registrations));
        }
    }

    async fn jump(&mut self, report: &mut Report) {
        let mut jump = self.rng.u32(..20);
        for (by, weight) in CLOCK_JUMPS {
            if jump >= weight {
                jump -= weight;
                continue;
            }
            if by.starts_with("P3Y") {
                self.longest_jumps += 1;
                if self.longest_jumps > MAX_LONGEST_JUMPS {
                    return;
                }
            }
            if by.starts_with('P') && !by.starts_with("PT") {
                self.release_authorizations(report).await;
            }
            return self.advance(by, report);
        }
    }

    fn advance(&self, by: &str, report: &mut Report) {
        report.clock_jumps += 1;
        if let Err(error) = self.load.local.clock().advance(by) {
            self.load.fail(error.to_string());
        }
    }

    /// Starts the clients. Together they run this number of operations.
    fn start_clients(&mut self, operations: u64) -> JoinSet<()> {
        self.load.set_remaining(operations);
        let mut clients = JoinSet::new();
        for _ in 0..self.options.clients {
            let (customers, rng) = (self.customers.clone(), self.rng.fork());
            clients.spawn(Client::new(self.load.clone(), customers, rng).run());
        }
        clients
    }

    async fn wait_for(&self, mut clients: JoinSet<()>) {
        while let Some(done) = clients.join_next().await {
            if let Err(failed) = done {
                self.load.fail(format!("a client panicked: {failed}"));
            }
        }
    }

    /// Advances the clock, runs all schedules until nothing is due, and then lets the checker compare everything.
    async fn advance_and_run_schedules(&self, by: &str, report: &mut Report) {
        self.advance(by, report);
        if let Some(now) = self.run_schedules(&[Operation::Expire, Operation::Finish, SETTLE]).await
        {
            self.load.send(Event::Idle(now));
        }
    }

    /// Runs schedules until they have nothing to do. Returns the instant of the last run. `None` if the load is stopped.
    async fn run_schedules(&self, schedules: &[Operation]) -> Option<i64> {
        for _ in 0..MAX_SCHEDULE_RUNS {
            // The events of schedules have whole seconds: wait for the next one.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.load.local.clock().advance("PT2S").is_err() || self.load.is_stopped() {
                return None;
            }
            let now = self.load.now() / 1000 * 1000;
            let mut is_idle = true;
            for schedule in schedules {
                let response = self.load.run_schedule(schedule.clone()).await;
                let summary = response.map(|response| response.body).unwrap_or_default();
                is_idle &= ["changed", "failed", "unclear"].iter().all(|name| summary[*name] == 0);
            }
            if is_idle {
                return Some(now);
            }
        }
        self.load.fail(format!("work is still due after {MAX_SCHEDULE_RUNS} schedule runs"));
        None
    }
}
