//! Faults that can be put into the service on purpose, to see that the model, the order and the crash points find them:
//! `.ci/faults` puts each of them in, one after the other.
//!
//! Only a build with the feature `seeded-faults` has them, and there the variable `SEEDED_FAULT` names the one. Without the
//! feature [`seeded`] is a constant `false`: nothing of this is in what is deployed.

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A wallet is written whatever is stored.
    NoCondition,
    /// A customer's first wallet is written whatever is stored.
    FirstUnconditioned,
    /// A wallet is read as it may have been before the last write.
    StaleRead,
    /// Who meets somebody else's wallet takes it for their own.
    LostProbe,
    /// An id alone opens a wallet.
    AnybodySees,
    /// A write is not known for one's own when it is met again.
    ForgetsOwnWrite,
    /// Every try has a write id of its own.
    AnotherIdEachTry,
    /// A write whose answer was lost is taken for done.
    DoubtIsDone,
    /// That an item may have forgotten a write is not considered.
    IgnoresForgotten,
    /// A write leaves the version as it was.
    SameVersion,
    /// The expiry without a read is made whatever is stored.
    ExpiryUnconditioned,
    /// Pan hashes that lapse are not put together with their payments when the item is read.
    LapsingUnread,
    /// The index is not told of a chore.
    NotIndexed,
    /// Whoever was chosen once is primary: a flag, and nothing derived.
    FlagPrimary,
    /// Without a choice the newest ACTIVE one is primary.
    NewestIsPrimary,
    /// The primary can be un-chosen.
    FalseUnchooses,
    /// An ended one can be chosen.
    EndedIsChosen,
    /// An idempotency key of a creation is not looked up.
    KeyIgnored,
    /// A place that was given out is not written down.
    SequenceStands,
    /// An erased wallet begins from the first place again.
    ErasesSequence,
    /// Of too many that wait for a card the newest are abandoned.
    AbandonsNewest,
    /// A card never expires.
    NeverExpires,
    /// A look at a visit that waits is the last one.
    LooksOnce,
    /// A look writes off a visit that somebody may just be registering.
    WritesOffTheYoung,
    /// Whoever takes over a visit does not write that down.
    TakesOverSilently,
    /// A try of a notification is not written down before it is made.
    TriesUnwritten,
    /// A notification that was heard is not forgotten.
    HeardIsKept,
    /// Callers are not told, and it is said that they heard.
    TellsNobody,
}

/// Whether this fault is to be there.
#[cfg(not(feature = "seeded-faults"))]
#[must_use]
pub const fn seeded(_: Fault) -> bool {
    false
}

/// Whether this fault is to be there.
#[cfg(feature = "seeded-faults")]
#[must_use]
pub fn seeded(fault: Fault) -> bool {
    static NAMED: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("SEEDED_FAULT").ok());
    NAMED.as_ref().is_some_and(|named| *named == format!("{fault:?}"))
}
