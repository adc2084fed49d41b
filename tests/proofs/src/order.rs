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
    /// How many clients there are at once.
    pub clients: usize,
    /// Whether trouble is made.
    pub trouble: bool,
    /// Which functions.
    pub functions: Functions,
}

/// After so many operations everything begins anew: table, functions, Nets and clock, so that memory and years do not run out.
const CHAPTER: u64 = 250_000;

/// Runs it.
///
/// # Errors
/// There is no order, or it could not be run.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut left = options.operations;
    let mut number = 0;
    while left > 0 {
        let operations = left.min(CHAPTER);
        chapter::run(options, number, operations, &mut report)?;
        left -= operations;
        number += 1;
    }
    report.must_show_something()?;
    Ok(report)
}
