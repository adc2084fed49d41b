//! The log: structured lines on standard output, which Lambda collects.

/// Begins it, once in a process.
pub fn begin() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_current_span(false)
        .with_span_list(false)
        .init();
}
