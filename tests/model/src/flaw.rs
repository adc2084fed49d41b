//! Faults that can be put into the protocol, to see that they are found.

/// One rule of the protocol, broken. `tests/small.rs` says which property finds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// A put is made whatever is stored.
    NoCondition,
    /// A read may bring what was stored before the last write, as one does that is not `consistent_read`.
    StaleRead,
    /// A refused put is not known for one's own by what the refusal brings.
    ForgetsOwnWrite,
    /// After a lost answer the wallet is read and decided upon again without looking whether the write is there.
    RetriesBlindly,
    /// Every try has a write id of its own.
    AnotherIdEachTry,
    /// Beaten, the first decision is written again over what the winner left.
    DecidesOnce,
    /// The last doubtful write is not looked up, but said not to be done.
    NoLookAfterDoubt,
    /// A write whose answer was lost is taken for done.
    AnswersFirst,
    /// The refusal of a last put that was sent twice, and that brings no item, is taken for a lost race.
    BeatenWithoutALook,
    /// Nets is asked to verify without being asked what it knows.
    VerifiesWithoutQuery,
    /// Nets is asked to register a visit before it is written down.
    WritesAfterNets,
    /// No clear answer of Nets is taken for a no.
    DoubtIsNo,
    /// A transaction id that is taken is taken for a registration.
    TakenIsRegistered,
    /// A look writes a visit off that Nets does not know, also when somebody may just be registering it.
    WritesOffTheYoung,
    /// Whoever fails to register a visit writes it off, also when somebody with the same key may just be registering it.
    WritesOffUnregistered,
    /// Whoever takes over the visit of an earlier request with the same key does not write that down.
    TakesOverSilently,
    /// The index of expiries is not told when time next changes the wallet.
    ExpiryNotIndexed,
    /// The index is not told of a look or a notification that is due.
    NotIndexed,
    /// Tries of notifications are made without being written down first.
    TriesNotWrittenDown,
    /// A notification that was written down is forgotten before it is heard.
    ForgetsUnheard,
}
