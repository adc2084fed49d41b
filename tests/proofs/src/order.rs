//! Linearizability: concurrent clients call the real functions, and every response and stored version is compared with one
//! sequential order of the operations.

pub mod checker;
mod exchange;
pub mod item;
mod lambda;
mod load;
mod nets;
pub mod operation;
pub mod payments;
mod report;
mod segment;
pub mod slots;
pub mod spec;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::{Failure, Functions};
pub use lambda::Response;
pub(crate) use lambda::{Parts, lambda_event, parts};
pub use report::Report;
pub(crate) use segment::UNTIL_SETTLED;

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of operations that clients start, without duplicated events.
    pub operations: u64,
    /// Seed of the random number generator.
    pub seed: u64,
    /// Number of concurrent clients of each service.
    pub clients: usize,
    /// Number of services that run in parallel, each with its own segments.
    pub services: u64,
    /// Whether faults are injected and instances are killed.
    pub inject_faults: bool,
    /// The function binaries.
    pub functions: Functions,
}

/// Number of operations after which a new service with a new clock starts. This limits memory use, and keeps the expiry years of
/// cards in one century.
const SEGMENT_OPERATIONS: u64 = 250_000;

/// Runs the proof. Calls `on_segment` with the number and report of each completed segment.
///
/// # Errors
/// Fails with [`Failure::Violation`] if there is no sequential order, and with [`Failure::CannotRun`] if the proof cannot run.
pub fn run(
    options: &Options,
    on_segment: &(dyn Fn(u64, &Report) + Sync),
) -> Result<Report, Failure> {
    let services = options.services.max(1);
    let length = options.operations.div_ceil(services).clamp(1, SEGMENT_OPERATIONS);
    let (started, next) = (Instant::now(), AtomicU64::new(0));
    // A failure in one segment stops all of them.
    let stopped = Arc::new(AtomicBool::new(false));
    let serve = || {
        let mut report = Report::default();
        while !stopped.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let operations = options.operations.saturating_sub(number * length).min(length);
            if operations == 0 {
                break;
            }
            let segment = segment::run(options, number, operations, &stopped);
            let segment = segment.inspect_err(|_| stopped.store(true, Ordering::Relaxed))?;
            if !stopped.load(Ordering::Relaxed) {
                on_segment(number, &segment);
            }
            report.merge(segment);
        }
        Ok(report)
    };
    let mut report = std::thread::scope(|scope| {
        let services: Vec<_> = (0..services).map(|_| scope.spawn(serve)).collect();
        let mut report = Report::default();
        for service in services {
            let failed = |_| Err(Failure::CannotRun("a service thread panicked".to_owned()));
            report.merge(service.join().unwrap_or_else(failed)?);
        }
        Ok(report)
    })?;
    report.duration = started.elapsed();
    report.check_share_of_unclear_responses()?;
    Ok(report)
}
