
/// Returns whether a seeded fault is active. `.ci/faults` appends this to the library in a patched copy.
pub(crate) fn seeded(fault: &str) -> bool {
    static FAULT: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("SEEDED_FAULT").ok());
    FAULT.as_deref() == Some(fault)
}
