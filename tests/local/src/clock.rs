//! One clock for everything that is played here: real time, and what it was moved by.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::SpanParser;
use jiff::tz::TimeZone;
use tokio::sync::watch;

/// A clock that can be moved forward. Clones show the same time.
#[derive(Clone, Default)]
pub struct Clock {
    ahead_milliseconds: Arc<watch::Sender<i64>>,
}

/// The clock could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// The text is no ISO 8601 duration.
    #[error("not an ISO 8601 duration such as PT16M or P3Y: {0}")]
    Unreadable(jiff::Error),
    /// Time goes forward only.
    #[error("the clock can only be moved forward")]
    Backward,
    /// Too far.
    #[error("the clock can not be moved that far: {0}")]
    TooFar(jiff::Error),
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead = *self.ahead_milliseconds.borrow();
        let now = Timestamp::now().as_millisecond().saturating_add(ahead);
        Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock by an ISO 8601 duration, in UTC's calendar: `PT16M`, `P1D`, `P3Y`.
    ///
    /// # Errors
    /// The text is no such duration, or it would move the clock backward or beyond the year 9999.
    pub fn advance(&self, duration: &str) -> Result<Timestamp, NotMoved> {
        let span = SpanParser::new().parse_span(duration).map_err(NotMoved::Unreadable)?;
        if span.is_negative() {
            return Err(NotMoved::Backward);
        }
        let now = self.now();
        let then =
            now.to_zoned(TimeZone::UTC).checked_add(span).map_err(NotMoved::TooFar)?.timestamp();
        let by = then.as_millisecond() - now.as_millisecond();
        self.ahead_milliseconds.send_modify(|ahead| *ahead = ahead.saturating_add(by));
        Ok(then)
    }

    /// Waits until the clock shows an instant: because time went by, or because the clock was moved.
    pub async fn until(&self, instant: Timestamp) {
        let mut moved = self.ahead_milliseconds.subscribe();
        while let Ok(left) = Duration::try_from(instant.duration_since(self.now()))
            && !left.is_zero()
        {
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = moved.changed() => {}
            }
        }
    }
}

/// An instant as the console writes it: UTC, with milliseconds.
pub(crate) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_of_a_move() {
        let clock = Clock::default();
        let instant = clock.now() + 48.hours();
        let moved = async {
            clock.advance("PT47H").unwrap();
            tokio::task::yield_now().await;
            clock.advance("PT1H").unwrap();
        };
        tokio::join!(clock.until(instant), moved);
        assert!(clock.now() >= instant);
        clock.until(instant).await;
    }

    #[test]
    fn it_moves_forward_for_every_clone() {
        let clock = Clock::default();
        let (other, before) = (clock.clone(), clock.now());
        clock.advance("PT16M").unwrap();
        let moved = other.now().as_second() - before.as_second();
        assert!((16 * 60..17 * 60).contains(&moved), "{moved}");
        clock.advance("P3Y").unwrap();
        assert!(matches!(clock.advance("-PT1S"), Err(NotMoved::Backward)));
        for text in ["soon", "", "16 minutes", "PT1S PT1S", "P1H"] {
            assert!(matches!(clock.advance(text), Err(NotMoved::Unreadable(_))), "{text}");
        }
        assert!(matches!(clock.advance("P9000Y"), Err(NotMoved::TooFar(_))));
    }
}
