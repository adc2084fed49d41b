//! How long a request, a scheduled task or a callback may start calls to Nets.

use std::time::{Duration, Instant};

use super::CALLBACK_LIMIT;
use crate::netaxept::{CALL_LIMIT, Failure};

/// No call to Nets starts later than this after the start of a request: a call takes at most 6 s, and the response has to be ready
/// after 26 s. A run of a schedule starts no task in its last 30 s, so the same limit is right for a task.
const LAST_CALL: Duration = Duration::from_secs(19);

/// The last instant at which a call to Nets may start.
#[derive(Clone, Copy)]
pub(super) struct TimeLimit(Instant);

impl TimeLimit {
    /// The limit of a request or of a scheduled task that starts now.
    pub(super) fn of_request() -> Self {
        Self(Instant::now() + LAST_CALL)
    }

    /// The limit of a callback that starts now: a call that would end after [`CALLBACK_LIMIT`] is left to the schedule.
    pub(super) fn of_callback() -> Self {
        Self(Instant::now() + CALLBACK_LIMIT.saturating_sub(CALL_LIMIT))
    }

    /// Whether no call may start any more.
    pub(super) fn is_over(self) -> bool {
        self.0 < Instant::now()
    }

    /// Fails if no call may start any more.
    pub(super) fn check(self, operation: &'static str) -> Result<(), Failure> {
        if self.is_over() {
            let cause = "no time is left for another call".into();
            return Err(Failure::Unclear { operation, cause });
        }
        Ok(())
    }
}
