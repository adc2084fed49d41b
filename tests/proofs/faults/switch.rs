
/// Whether this fault is to be there: `.ci/faults` adds this to the library of a patched copy.
pub(crate) fn seeded(fault: &str) -> bool {
    static FAULT: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("SEEDED_FAULT").ok());
    FAULT.as_deref() == Some(fault)
}
