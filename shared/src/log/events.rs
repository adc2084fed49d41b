//! What is said along the way, by us and by the libraries: each event of `tracing` a line of JSON.
//!
//! Spans are nobody's affair here. The usual subscriber keeps a registry of them, which costs each start more than what is
//! ever said.

use std::fmt;
use std::io::Write;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is said at this level matters, and what is more important.
const LEVEL: LevelFilter = LevelFilter::INFO;

/// Writes events to standard output, which Lambda collects.
pub(super) struct Events;

impl Subscriber for Events {
    fn enabled(&self, what: &Metadata<'_>) -> bool {
        what.is_event() && *what.level() <= LEVEL
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LEVEL)
    }

    fn event(&self, event: &Event<'_>) {
        // Who cannot write a line has nowhere to say so.
        writeln!(std::io::stdout().lock(), "{}", line(event)).unwrap_or_default();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The members of a line.
struct Line(Map<String, Value>);

fn line(event: &Event<'_>) -> Value {
    let of = event.metadata();
    let about = [("level", of.level().as_str()), ("target", of.target())];
    let about = about.map(|(name, text)| (name.to_owned(), text.into()));
    let mut line = Line(about.into_iter().collect());
    event.record(&mut line);
    Value::Object(line.0)
}

impl Line {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line is made of what is said, whatever is in it, and of nothing that is not important enough.
    #[test]
    fn an_event_is_a_line() {
        struct Kept(std::sync::Mutex<Vec<Value>>);

        impl Subscriber for Kept {
            fn enabled(&self, what: &Metadata<'_>) -> bool {
                Events.enabled(what)
            }
            fn event(&self, event: &Event<'_>) {
                self.0.lock().unwrap().push(line(event));
            }
            fn new_span(&self, of: &Attributes<'_>) -> Id {
                Events.new_span(of)
            }
            fn record(&self, _: &Id, _: &Record<'_>) {}
            fn record_follows_from(&self, _: &Id, _: &Id) {}
            fn enter(&self, _: &Id) {}
            fn exit(&self, _: &Id) {}
        }

        let kept = std::sync::Arc::new(Kept(std::sync::Mutex::default()));
        tracing::subscriber::with_default(kept.clone(), || {
            let span = tracing::error_span!("a span", secret = "never said").entered();
            tracing::warn!(shard = 7_u8, late = true, error = "a\n\"b\"", "a shard {}", "is late");
            tracing::debug!("not important enough");
            drop(span);
        });
        let said = kept.0.lock().unwrap();
        let expected = serde_json::json!({
            "level": "WARN", "target": module_path!(), "message": "a shard is late", "shard": 7, "late": true, "error": "a\n\"b\"",
        });
        assert_eq!(*said, [expected]);
    }
}
