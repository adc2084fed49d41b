//! The clock of the local service: real time plus an offset.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::SpanParser;
use jiff::tz::TimeZone;
use tokio::sync::watch;

/// A clock that can be moved forward. Clones show the same time.
#[derive(Clone, Default)]
pub struct Clock {
    offset_milliseconds: Arc<watch::Sender<i64>>,
}

/// The clock could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    /// The text is not an ISO 8601 duration.
    #[error("not an ISO 8601 duration such as PT16M or P3Y: {0}")]
    InvalidDuration(jiff::Error),
    /// The duration is negative.
    #[error("the clock can only be moved forward")]
    Backward,
    /// The clock would show a time after the year 9999.
    #[error("the clock cannot be moved that far: {0}")]
    TooFar(jiff::Error),
}

impl Clock {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = *self.offset_milliseconds.borrow();
        let now = Timestamp::now().as_millisecond().saturating_add(offset);
        Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock by an ISO 8601 duration, in UTC's calendar: `PT16M`, `P1D`, `P3Y`.
    ///
    /// # Errors
    /// Fails if the text is not such a duration, or if the clock would move backward or beyond the year 9999.
    pub fn advance(&self, duration: &str) -> Result<Timestamp, AdvanceError> {
        let span = SpanParser::new().parse_span(duration).map_err(AdvanceError::InvalidDuration)?;
        if span.is_negative() {
            return Err(AdvanceError::Backward);
        }
        let now = self.now();
        let then = now
            .to_zoned(TimeZone::UTC)
            .checked_add(span)
            .map_err(AdvanceError::TooFar)?
            .timestamp();
        let by = then.as_millisecond() - now.as_millisecond();
        self.offset_milliseconds.send_modify(|offset| *offset = offset.saturating_add(by));
        Ok(then)
    }

    /// Waits until the clock shows an instant, because time passes or because the clock is moved.
    pub async fn wait_until(&self, instant: Timestamp) {
        let mut moved = self.offset_milliseconds.subscribe();
        while let Ok(remaining) = Duration::try_from(instant.duration_since(self.now()))
            && !remaining.is_zero()
        {
            tokio::select! {
                () = tokio::time::sleep(remaining) => {}
                _ = moved.changed() => {}
            }
        }
    }
}

/// An instant in the console's format: UTC, with milliseconds.
pub(crate) fn format_timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[tokio::test]
    async fn moving_the_clock_ends_a_wait() {
        let clock = Clock::default();
        let instant = clock.now() + 48.hours();
        let moved = async {
            clock.advance("PT47H").unwrap();
            tokio::task::yield_now().await;
            clock.advance("PT1H").unwrap();
        };
        tokio::join!(clock.wait_until(instant), moved);
        assert!(clock.now() >= instant);
        clock.wait_until(instant).await;
    }

    #[test]
    fn moving_the_clock_forward_moves_every_clone() {
        let clock = Clock::default();
        let (other, before) = (clock.clone(), clock.now());
        clock.advance("PT16M").unwrap();
        let moved = other.now().as_second() - before.as_second();
        assert!((16 * 60..17 * 60).contains(&moved), "{moved}");
        clock.advance("P3Y").unwrap();
        assert!(matches!(clock.advance("-PT1S"), Err(AdvanceError::Backward)));
        for text in ["soon", "", "16 minutes", "PT1S PT1S", "P1H"] {
            assert!(matches!(clock.advance(text), Err(AdvanceError::InvalidDuration(_))), "{text}");
        }
        assert!(matches!(clock.advance("P9000Y"), Err(AdvanceError::TooFar(_))));
    }
}
