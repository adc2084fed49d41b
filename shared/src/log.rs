//! The log: lines of JSON on standard output, which Lambda collects.
//!
//! An invocation writes one line with its numbers. Metric filters in `template.yaml` make metrics of them, by function. So no call
//! is needed for a metric.

mod audit;

use std::io::Write;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Number, Value};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::invocation::{Charges, Invocation};
pub use audit::{audit, audit_payment};

/// The line of an invocation: a JSON object, with its fields in order.
pub struct Line {
    fields: Vec<(&'static str, Value)>,
}

/// Sets up the log. Call it once in a process.
pub fn init() {
    // This fails if there is a subscriber already, for example in a test. That subscriber stays.
    tracing::subscriber::set_global_default(subscriber(std::io::stdout)).unwrap_or_default();
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

impl Line {
    /// A line with its message and the data of the invocation. `trace` is the header `X-Amzn-Trace-Id`.
    ///
    /// It has no instant, because `CloudWatch` stores one with each line, and no level, because Lambda takes a line without one as
    /// `INFO`. A line contains what differs from an ordinary request: no zeros, and no ids that do not exist.
    #[must_use]
    pub fn new(message: &str, trace: Option<&str>, invocation: &Invocation) -> Self {
        let line = Self { fields: Vec::with_capacity(24) };
        line.text("message", message)
            .text("operation", invocation.operation)
            .text("correlation_id", &invocation.correlation_id)
            .text("trace_id", trace.and_then(sampled_trace).unwrap_or_default())
            .number("organisation", invocation.organisation)
            .text("client", &invocation.client)
            .number("recurring_payment_id", invocation.recurring_payment_id)
            .number("payment_id", invocation.payment_id)
            .number("transaction_id", invocation.transaction_id)
            .count("dynamodb_retries", invocation.dynamodb_retries)
            .units("read_units", invocation.read_units)
            .units("write_units", invocation.write_units)
            .count("conflicts", invocation.conflicts)
            .count("notifications_delivered", invocation.delivered)
            .count("notifications_undelivered", invocation.undelivered)
            .number(
                "notification_age_seconds",
                invocation.notification_age.map(|age| age.as_secs()),
            )
            .count("key_refreshes_failed", invocation.key_refreshes_failed)
            .psp(invocation)
            .charges(invocation.charges)
    }

    fn psp(self, invocation: &Invocation) -> Self {
        if invocation.psp_calls == 0 {
            return self;
        }
        self.count("psp_calls", invocation.psp_calls)
            .count("psp_unclear", invocation.psp_unclear)
            .count("psp_declined", invocation.psp_declined)
            .milliseconds("psp_ms", invocation.psp_duration)
    }

    fn charges(self, charges: Charges) -> Self {
        self.count("authorizations", charges.authorizations)
            .count("authorizations_declined", charges.declined)
            .count("captures", charges.captures)
            .count("captured_minor", charges.captured_minor_units)
            .count("authorizations_annulled", charges.annulled)
            .count("credits", charges.credits)
            .count("credited_minor", charges.credited_minor_units)
            .count("credits_failed", charges.credits_failed)
            .count("holds_ended", charges.holds_ended)
            .count("unexpected_captures", charges.unexpected_captures)
    }

    /// Writes the line.
    pub fn write(&self) {
        let written =
            serde_json::to_vec(self).map_err(std::io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                std::io::stdout().write_all(&line)
            });
        if let Err(error) = written {
            tracing::error!(error = %error, "a log line could not be written");
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds the level `ERROR` if the service failed. The metric `ServerErrors` counts these lines.
    #[must_use]
    pub fn failed(self, failed: bool) -> Self {
        self.text("level", if failed { "ERROR" } else { "" })
    }

    /// Adds a text, unless it is empty.
    #[must_use]
    pub fn text(self, name: &'static str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, text) }
    }

    /// Adds a number, unless it is `None`.
    #[must_use]
    pub fn number(self, name: &'static str, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.with(name, number),
            None => self,
        }
    }

    /// Adds a count, unless it is zero.
    #[must_use]
    pub fn count(self, name: &'static str, count: u64) -> Self {
        self.number(name, Some(count).filter(|count| *count != 0))
    }

    /// Adds a duration in whole milliseconds.
    #[must_use]
    pub fn milliseconds(self, name: &'static str, duration: Duration) -> Self {
        self.number(name, u64::try_from(duration.as_millis()).ok())
    }

    /// Adds capacity units, unless there are none: `2`, `0.5`.
    fn units(self, name: &'static str, units: f64) -> Self {
        // `Display` of a float writes no `.0`, so that whole units are written as an integer.
        match units.to_string().parse::<Number>() {
            Ok(number) if units > 0.0 => self.with(name, number),
            Ok(_) | Err(_) => self,
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

/// The id of a sampled trace. A trace that is not sampled is recorded nowhere, so that its id leads to nothing.
fn sampled_trace(header: &str) -> Option<&str> {
    let mut parts = header.split(';');
    let is_sampled = parts.clone().any(|part| part == "Sampled=1");
    parts.find_map(|part| part.strip_prefix("Root=")).filter(|_| is_sampled)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::sync::Mutex;

    use chrono::DateTime;
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

    #[test]
    fn a_line_has_its_fields_in_order_and_no_zeros() {
        let invocation = Invocation {
            operation: "list-recurring-payments",
            organisation: Some(1),
            read_units: 1.5,
            write_units: 2.0,
            ..Invocation::default()
        };
        let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let line = Line::new("request", Some(trace), &invocation)
            .failed(true)
            .count("conflicts", 0)
            .milliseconds("latency_ms", Duration::from_micros(12_999));
        let expected = concat!(
            r#"{"message":"request","operation":"list-recurring-payments","#,
            r#""trace_id":"1-5759e988-bd862e3fe1be46a994272793","organisation":1,"#,
            r#""read_units":1.5,"write_units":2,"level":"ERROR","latency_ms":12}"#,
        );
        assert_eq!(serde_json::to_string(&line).unwrap(), expected);
        let empty = Line::new("run", None, &Invocation::default()).failed(false);
        assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"message":"run"}"#);
    }

    #[test]
    fn only_the_id_of_a_sampled_trace_is_written() {
        assert_eq!(sampled_trace("Sampled=1;Root=1-2-3;Lineage=a:0"), Some("1-2-3"));
        for header in ["Root=1-2-3;Parent=4;Sampled=0", "Root=1-2-3", "Sampled=1", ""] {
            assert_eq!(sampled_trace(header), None, "{header}");
        }
    }
}
