//! What happens beside the clients: instances are killed, the inbox refuses events, and the schedules run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use local::inbox::Answer;
use reqwest::StatusCode;

use super::SETTLE;
use crate::order::load::Load;
use crate::order::operation::Operation;

/// Interval at which an instance is killed.
const KILL_INTERVAL: Duration = Duration::from_secs(1);

/// Interval at which the inbox refuses events.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// Kills every instance and waits for its end, so that the operating system counts its processor time.
pub(super) async fn kill_all_instances(load: &Load) {
    let lambda = load.local.lambda();
    let all = lambda.resident_kilobytes();
    for instance in all.keys().flat_map(|function| lambda.instances(function)) {
        lambda.kill(instance);
    }
    while all.keys().any(|function| !lambda.instances(function).is_empty()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Kills random instances at regular intervals. Returns how many were killed.
pub(super) async fn kill_instances(
    load: Arc<Load>,
    mut rng: Rng,
    stopped: Arc<AtomicBool>,
    inject_faults: bool,
) -> u64 {
    const FUNCTIONS: [&str; 14] = [
        "create-recurring-payment",
        "update-recurring-payment",
        "end-recurring-payment",
        "create-terminal",
        "authorize-recurring-payment",
        "list-recurring-payments",
        "create-payment",
        "create-payment-terminal",
        "capture-transaction",
        "cancel-transaction",
        "credit-transaction",
        "settle-payments",
        "expire-recurring-payments",
        "finish-terminals",
    ];
    let mut killed = 0;
    while inject_faults && !stopped.load(Ordering::Relaxed) {
        tokio::time::sleep(KILL_INTERVAL).await;
        let instances = load.local.lambda().instances(FUNCTIONS[rng.usize(..FUNCTIONS.len())]);
        if let Some(instance) = instances.get(rng.usize(..instances.len().max(1))) {
            load.local.lambda().kill(*instance);
            killed += 1;
        }
    }
    killed
}

/// Lets the inbox refuse some lifecycle events at regular intervals.
pub(super) async fn refuse_events(
    load: Arc<Load>,
    mut rng: Rng,
    stopped: Arc<AtomicBool>,
    inject_faults: bool,
) {
    while inject_faults && !stopped.load(Ordering::Relaxed) {
        tokio::time::sleep(REFUSAL_INTERVAL).await;
        refuse(&load, rng.usize(..2));
    }
}

/// Lets the inbox refuse the next deliveries.
pub(super) fn refuse(load: &Load, count: usize) {
    let answer = Answer::Status(StatusCode::INTERNAL_SERVER_ERROR);
    load.local.inbox().answer_with(answer, count);
}

/// Runs the schedules concurrently with the clients.
pub(super) async fn run_schedules(load: Arc<Load>, stopped: Arc<AtomicBool>) {
    while !stopped.load(Ordering::Relaxed) {
        load.run_schedule(Operation::Expire).await;
        load.run_schedule(Operation::Finish).await;
        load.run_schedule(SETTLE).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
