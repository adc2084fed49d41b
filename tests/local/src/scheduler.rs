//! `EventBridge` Scheduler: runs the functions that have a schedule in the template, on the local clock.
//!
//! Unlike AWS, it does not retry a failed run.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::lambda::{InvocationError, Lambda};
use crate::template::Function;

/// The scheduler. Clones share their state.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    lambda: Lambda,
    clock: Clock,
    schedules: Vec<Schedule>,
}

/// The schedule of a function.
#[derive(Debug, Clone)]
struct Schedule {
    logical_id: String,
    binary: String,
    every: Duration,
}

/// A scheduled function could not be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The template has no such function, or the function has no schedule.
    #[error("there is no scheduled function {0}")]
    Unknown(String),
    /// The invocation failed.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
    /// The answer is not JSON.
    #[error("the function's answer is not JSON: {0}")]
    InvalidJson(String),
}

impl Scheduler {
    /// A scheduler for those functions that have a schedule. It runs nothing by itself until [`Self::start`].
    #[must_use]
    pub fn new(lambda: Lambda, clock: Clock, functions: &[Function]) -> Self {
        let schedules = functions.iter().filter_map(|function| {
            Some(Schedule {
                logical_id: function.logical_id.clone(),
                binary: function.binary.clone(),
                every: function.schedule?,
            })
        });
        let schedules = schedules.collect();
        Self { inner: Arc::new(Inner { lambda, clock, schedules }) }
    }

    /// The binaries of the scheduled functions, in the template's order.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.inner.schedules.iter().map(|schedule| schedule.binary.as_str())
    }

    /// Runs a function, named by its binary, once and immediately. Returns its answer.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run(&self, binary: &str) -> Result<Value, RunError> {
        let schedule = self.inner.schedules.iter().find(|schedule| schedule.binary == binary);
        self.invoke(schedule.ok_or_else(|| RunError::Unknown(binary.to_owned()))?).await
    }

    /// From now on runs every function when it is due on the local clock, until the tokio runtime ends. Call this once.
    ///
    /// The runs of a function do not overlap. When the clock is moved, each function runs once, however far it is moved. Failures
    /// are logged.
    pub fn start(&self) {
        for schedule in self.inner.schedules.clone() {
            let next = schedule.next_after(self.inner.clock.now());
            tokio::spawn(self.clone().run_repeatedly(schedule, next));
        }
    }

    /// Runs a function each time it is due. Returns when the next time is after the last possible timestamp.
    async fn run_repeatedly(self, schedule: Schedule, mut next: Option<Timestamp>) {
        while let Some(instant) = next {
            self.inner.clock.wait_until(instant).await;
            next = schedule.next_after(self.inner.clock.now());
            match self.invoke(&schedule).await {
                Ok(answer) => tracing::debug!("{}: {answer}", schedule.binary),
                Err(error) => tracing::error!("{}: {error}", schedule.binary),
            }
        }
    }

    async fn invoke(&self, schedule: &Schedule) -> Result<Value, RunError> {
        let event = schedule.event(self.inner.clock.now()).to_string();
        let answer = self.inner.lambda.invoke(&schedule.binary, event.into_bytes()).await?;
        serde_json::from_slice(&answer).map_err(|error| RunError::InvalidJson(error.to_string()))
    }
}

impl Schedule {
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add(self.every).ok()
    }

    /// The event that `EventBridge` Scheduler sends for a schedule without an input.
    fn event(&self, now: Timestamp) -> Value {
        let arn = "arn:aws:scheduler:eu-north-1:000000000000:schedule/default";
        json!({
            "version": "0",
            "id": Uuid::new_v4(),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": "000000000000",
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": "eu-north-1",
            "resources": [format!("{arn}/{}", self.logical_id)],
            "detail": "{}",
        })
    }
}
