//! Captures the log of each test. A test runs on one thread, so each thread has its own log.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts to capture the log. Every test must call this first: `tracing` caches that an event has no subscriber when the event
/// occurs before the call.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| LogWriter).init();
    });
}

fn take_audit_lines() -> Vec<Value> {
    let log = LOG.take();
    let lines = serde_json::Deserializer::from_slice(&log).into_iter::<Value>();
    lines.map(Result::unwrap).filter(|line| line["message"] == "audit").collect()
}

fn text(line: &Value, name: &str) -> String {
    line[name].as_str().unwrap().to_owned()
}

/// Takes the audit entries since the last call: the recurring payment, the status before and after, and the reason.
pub(crate) fn take_audit() -> Vec<(u64, String, String, String)> {
    let entry = |line: Value| {
        let id = line["recurring_payment_id"].as_u64().unwrap();
        (id, text(&line, "before"), text(&line, "after"), text(&line, "reason"))
    };
    take_audit_lines().into_iter().map(entry).collect()
}

/// Takes the audit entries of payments since the last call, each as one text: transaction, status before, status after, reason,
/// amount and currency.
pub(crate) fn take_payment_audit() -> Vec<String> {
    let entry = |line: Value| {
        let ids = ["payment_id", "transaction_id"].map(|name| line[name].as_u64().unwrap());
        assert_eq!(ids[0], ids[1] >> 4, "the payment of the transaction");
        let texts =
            ["before", "after", "reason", "amount", "currency"].map(|name| text(&line, name));
        format!("{} {}", ids[1], texts.join(" "))
    };
    take_audit_lines().into_iter().map(entry).collect()
}
