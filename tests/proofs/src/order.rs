//! Linearizability: many clients through the real functions, and every answer and every version held against one order.

mod chapter;
pub mod checker;
mod event;
pub mod item;
mod load;
mod nets;
pub mod operation;
pub mod place;
mod report;
pub mod spec;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::{Failure, Functions};
pub use event::Answer;
pub(crate) use event::event;
pub use report::Report;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many invocations clients begin; repeated ones come on top.
    pub operations: u64,
    /// Where chance begins.
    pub seed: u64,
    /// How many clients each service has at once.
    pub clients: usize,
    /// How many services there are side by side, each with chapters of its own: while one waits, another works.
    pub services: u64,
    /// Whether trouble is made.
    pub trouble: bool,
    /// Which functions.
    pub functions: Functions,
}

/// After so many operations everything begins anew: table, functions, Nets and clock, so that memory and years do not run out.
const CHAPTER: u64 = 250_000;

/// Runs it, and tells of each chapter that is done: its number and what it showed.
///
/// # Errors
/// There is no order, or it could not be run.
pub fn run(options: &Options, told: &(dyn Fn(u64, &Report) + Sync)) -> Result<Report, Failure> {
    let services = options.services.max(1);
    let length = options.operations.div_ceil(services).clamp(1, CHAPTER);
    let (began, next) = (Instant::now(), AtomicU64::new(0));
    // What ends one chapter ends all.
    let over = Arc::new(AtomicBool::new(false));
    let serve = || {
        let mut report = Report::default();
        while !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let operations = options.operations.saturating_sub(number * length).min(length);
            if operations == 0 {
                break;
            }
            let chapter = chapter::run(options, number, operations, &over);
            let chapter = chapter.inspect_err(|_| over.store(true, Ordering::Relaxed))?;
            if !over.load(Ordering::Relaxed) {
                told(number, &chapter);
            }
            report.add(chapter);
        }
        Ok(report)
    };
    let mut report = std::thread::scope(|scope| {
        let services: Vec<_> = (0..services).map(|_| scope.spawn(serve)).collect();
        let mut report = Report::default();
        for service in services {
            let failed = |_| Err(Failure::CannotRun("a service failed".to_owned()));
            report.add(service.join().unwrap_or_else(failed)?);
        }
        Ok(report)
    })?;
    report.took = began.elapsed();
    report.must_show_something()?;
    Ok(report)
}
