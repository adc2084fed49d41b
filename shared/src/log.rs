//! The log: structured lines on standard output, which Lambda collects.
//!
//! The line of an invocation is in `CloudWatch`'s embedded metric format. `CloudWatch` turns its numbers into metrics of the
//! function, in the stack's namespace. So no call is needed for a metric.

mod audit;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use metrique_writer_core::format::Format;
use metrique_writer_core::unit::{Millisecond, Second, UnitTag};
use metrique_writer_core::value::{MetricFlags, Observation, ValueWriter};
use metrique_writer_core::{Entry, EntryWriter, Unit, Value};
use metrique_writer_format_emf::Emf;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogConfig;
use crate::invocation::{Charges, Invocation};
pub use audit::{audit, audit_payment};

/// The only dimension of the metrics: the function.
const DIMENSION: &str = "Operation";

/// The log of a process.
pub struct Log {
    metrics: Mutex<Emf>,
}

/// A log line, with its fields in order.
pub struct Line {
    at: DateTime<Utc>,
    fields: Vec<(&'static str, Field)>,
}

enum Field {
    Text(String),
    /// A number that is not a metric.
    Number(u64),
    Count(u64),
    Units(f64),
    Milliseconds(Duration),
    Seconds(Duration),
}

/// Sets up the log. Call it once in a process.
#[must_use]
pub fn init(config: LogConfig) -> Log {
    // This fails if there is a subscriber already, for example in a test. That subscriber stays.
    tracing::subscriber::set_global_default(subscriber(std::io::stdout)).unwrap_or_default();
    let metrics = Emf::builder(config.namespace, vec![vec![DIMENSION.to_owned()]]);
    Log { metrics: Mutex::new(metrics.skip_all_validations(!cfg!(debug_assertions)).build()) }
}

/// A subscriber that writes each `tracing` event as a line of JSON, as Lambda's JSON log format expects: `timestamp`, `level`,
/// `target`, `message` and the fields of the event. Fields of spans are not written.
fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(writer)
        .finish()
}

impl Log {
    /// Writes a line.
    pub fn write(&self, line: &Line) {
        let mut written = Vec::with_capacity(1024);
        let formatted =
            self.metrics.lock().unwrap_or_else(PoisonError::into_inner).format(line, &mut written);
        let result = formatted.map_err(|error| error.to_string()).and_then(|()| {
            std::io::stdout().write_all(&written).map_err(|error| error.to_string())
        });
        if let Err(error) = result {
            tracing::error!(error, "a log line could not be written");
        }
    }
}

impl Line {
    /// A line with its instant, its level (`INFO` or `ERROR`), its message, and the data of the invocation.
    #[must_use]
    pub fn new(
        at: DateTime<Utc>,
        level: &str,
        message: &str,
        trace_id: Option<&str>,
        invocation: &Invocation,
    ) -> Self {
        let line = Self { at, fields: Vec::with_capacity(32) };
        line.text("level", level)
            .text("message", message)
            .text(DIMENSION, invocation.operation)
            .text("correlation_id", &invocation.correlation_id)
            .text("trace_id", trace_id.unwrap_or_default())
            .text("tenant", invocation.tenant)
            .number("organisation", invocation.organisation)
            .text("client", &invocation.client)
            .number("recurring_payment_id", invocation.recurring_payment_id)
            .number("payment_id", invocation.payment_id)
            .number("transaction_id", invocation.transaction_id)
            .count("DynamodbRequests", invocation.dynamodb_requests)
            .count_nonzero("DynamodbRetries", invocation.dynamodb_retries)
            .units("ReadUnits", invocation.read_units)
            .units("WriteUnits", invocation.write_units)
            .count_nonzero("Conflicts", invocation.conflicts)
            .count_nonzero("NotificationsDelivered", invocation.delivered)
            .count_nonzero("NotificationsUndelivered", invocation.undelivered)
            .seconds("NotificationAge", invocation.notification_age)
            .count_nonzero("KeyRefreshesFailed", invocation.key_refreshes_failed)
            .psp_metrics(invocation)
            .charge_metrics(invocation.charges)
    }

    fn psp_metrics(self, invocation: &Invocation) -> Self {
        if invocation.psp_calls == 0 {
            return self;
        }
        self.count("PspCalls", invocation.psp_calls)
            .count("PspUnclear", invocation.psp_unclear)
            .count("PspDeclined", invocation.psp_declined)
            .milliseconds("PspLatency", invocation.psp_duration)
    }

    fn charge_metrics(self, charges: Charges) -> Self {
        self.count_nonzero("Authorizations", charges.authorizations)
            .count_nonzero("AuthorizationsDeclined", charges.declined)
            .count_nonzero("Captures", charges.captures)
            .count_nonzero("CapturedMinorUnits", charges.captured_minor_units)
            .count_nonzero("AuthorizationsAnnulled", charges.annulled)
            .count_nonzero("Credits", charges.credits)
            .count_nonzero("CreditedMinorUnits", charges.credited_minor_units)
            .count_nonzero("CreditsFailed", charges.credits_failed)
            .count_nonzero("HoldsEnded", charges.holds_ended)
            .count_nonzero("UnexpectedCaptures", charges.unexpected_captures)
    }

    fn with(mut self, name: &'static str, field: Field) -> Self {
        self.fields.push((name, field));
        self
    }

    /// Adds a text, unless it is empty.
    #[must_use]
    pub fn text(self, name: &'static str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, Field::Text(text.to_owned())) }
    }

    /// Adds a number that is not a metric, unless it is `None`.
    #[must_use]
    pub fn number(self, name: &'static str, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.with(name, Field::Number(number)),
            None => self,
        }
    }

    /// Adds a metric: a count.
    #[must_use]
    pub fn count(self, name: &'static str, count: u64) -> Self {
        self.with(name, Field::Count(count))
    }

    /// Adds a metric: a count, unless it is zero.
    #[must_use]
    pub fn count_nonzero(self, name: &'static str, count: u64) -> Self {
        if count == 0 { self } else { self.count(name, count) }
    }

    /// Adds a metric: capacity units.
    #[must_use]
    pub fn units(self, name: &'static str, units: f64) -> Self {
        self.with(name, Field::Units(units))
    }

    /// Adds a metric: a duration in milliseconds.
    #[must_use]
    pub fn milliseconds(self, name: &'static str, duration: Duration) -> Self {
        self.with(name, Field::Milliseconds(duration))
    }

    /// Adds a metric: an age in seconds, unless it is `None`.
    #[must_use]
    pub fn seconds(self, name: &'static str, age: Option<Duration>) -> Self {
        match age {
            Some(age) => self.with(name, Field::Seconds(age)),
            None => self,
        }
    }
}

impl Entry for Line {
    fn write<'a>(&'a self, writer: &mut impl EntryWriter<'a>) {
        let at = u64::try_from(self.at.timestamp_millis()).unwrap_or_default();
        writer.timestamp(UNIX_EPOCH + Duration::from_millis(at));
        for (name, field) in &self.fields {
            writer.value(*name, field);
        }
    }
}

impl Value for Field {
    fn write(&self, writer: impl ValueWriter) {
        let (observation, unit) = match self {
            Self::Text(text) => return writer.string(text),
            Self::Number(number) => {
                return metrique_writer_format_emf::NoMetric::from(number).write(writer);
            }
            Self::Count(count) => (Observation::Unsigned(*count), Unit::Count),
            Self::Units(units) => (Observation::Floating(*units), Unit::Count),
            Self::Milliseconds(duration) => {
                (Observation::Floating(duration.as_secs_f64() * 1000.0), Millisecond::UNIT)
            }
            Self::Seconds(age) => (Observation::Unsigned(age.as_secs()), Second::UNIT),
        };
        writer.metric([observation], unit, [], MetricFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use serde_json::json;

    use super::*;

    /// A line has the fields of its event and none of a span. Events below INFO are not written.
    #[test]
    fn an_event_is_written_as_one_json_line() {
        let (mut written, writer) = pipe().unwrap();
        tracing::subscriber::with_default(subscriber(Mutex::new(writer)), || {
            let span = tracing::error_span!("a span", secret = "never written").entered();
            tracing::warn!(shard = 7_u8, late = true, error = "a\n\"b\"", "a shard {}", "is late");
            tracing::debug!("below the level");
            drop(span);
        });
        let mut text = String::new();
        written.read_to_string(&mut text).unwrap();
        let [line] = &text.lines().collect::<Vec<_>>()[..] else { panic!("one line: {text}") };
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(DateTime::parse_from_rfc3339(timestamp.as_str().unwrap()).is_ok(), "{timestamp}");
        let expected = json!({
            "level": "WARN", "target": module_path!(), "message": "a shard is late", "shard": 7, "late": true, "error": "a\n\"b\"",
        });
        assert_eq!(line, expected);
    }
}
