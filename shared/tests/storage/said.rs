//! What is said in the thread of a test.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static SAID: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Said;

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.with_borrow_mut(|said| said.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on. Before anything else of any test: what is said first while nobody listens is not heard later, either.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Said).init();
    });
}

/// The lines of the audit since the last look: the recurring payment, before, after and why.
pub(crate) fn audit() -> Vec<(u64, String, String, String)> {
    let said = SAID.take();
    let lines = serde_json::Deserializer::from_slice(&said).into_iter::<Value>();
    let audit = lines.map(Result::unwrap).filter(|line| line["message"] == "audit");
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    audit
        .map(|line| {
            let id = line["recurring_payment_id"].as_u64().unwrap();
            (id, text(&line, "before"), text(&line, "after"), text(&line, "reason"))
        })
        .collect()
}
