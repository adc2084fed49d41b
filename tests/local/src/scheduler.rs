//! `EventBridge` Scheduler: runs the functions that the template gives a schedule, on the local clock.
//!
//! Unlike Amazon's it runs a function once, and not again when that failed.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::lambda::{Lambda, NoAnswer};
use crate::template::Function;

/// The scheduler. Clones are the same.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    lambda: Lambda,
    clock: Clock,
    schedules: Vec<Schedule>,
}

/// When a function is run.
#[derive(Debug, Clone)]
struct Schedule {
    logical_id: String,
    binary: String,
    every: Duration,
}

/// Why there is no result of a scheduled function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// The template has no such function, or gives it no schedule.
    #[error("no scheduled function is called {0}")]
    Unknown(String),
    /// The invocation failed.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The function answered something else than JSON.
    #[error("the function answered no JSON: {0}")]
    NoJson(String),
}

impl Scheduler {
    /// A scheduler of those functions that have a schedule. It runs nothing by itself before [`Self::begin`].
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

    /// Runs a function, named by its binary, once and now, and says what it answered.
    ///
    /// # Errors
    /// See [`NotRun`].
    pub async fn run(&self, binary: &str) -> Result<Value, NotRun> {
        let schedule = self.inner.schedules.iter().find(|schedule| schedule.binary == binary);
        self.invoke(schedule.ok_or_else(|| NotRun::Unknown(binary.to_owned()))?).await
    }

    /// From now on runs every function when its time has come on the local clock, until the tokio runtime ends. To be called
    /// once.
    ///
    /// A function is not run again before it has answered, and once only after the clock was moved, however far. A failure is
    /// logged.
    pub fn begin(&self) {
        for schedule in self.inner.schedules.clone() {
            let next = schedule.after(self.inner.clock.now());
            tokio::spawn(self.clone().repeat(schedule, next));
        }
    }

    /// Ends when the clock is at the end of time.
    async fn repeat(self, schedule: Schedule, mut next: Option<Timestamp>) {
        while let Some(instant) = next {
            self.inner.clock.until(instant).await;
            next = schedule.after(self.inner.clock.now());
            match self.invoke(&schedule).await {
                Ok(answer) => tracing::debug!("{}: {answer}", schedule.binary),
                Err(error) => tracing::error!("{}: {error}", schedule.binary),
            }
        }
    }

    async fn invoke(&self, schedule: &Schedule) -> Result<Value, NotRun> {
        let event = schedule.event(self.inner.clock.now()).to_string();
        let answer = self.inner.lambda.invoke(&schedule.binary, event.into_bytes()).await?;
        serde_json::from_slice(&answer).map_err(|error| NotRun::NoJson(error.to_string()))
    }
}

impl Schedule {
    fn after(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add(self.every).ok()
    }

    /// What `EventBridge` Scheduler sends when the schedule names no input of its own.
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
