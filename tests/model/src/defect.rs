//! Seeded defects of the protocol, to test that the properties detect them.

/// One defect of the protocol. `tests/small.rs` lists the property that detects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Defect {
    /// A put has no condition.
    NoCondition,
    /// A read may return the item before the last write, as a read without `consistent_read` does.
    StaleRead,
    /// When a put is refused, the returned item is not checked for the writer's own write id.
    OwnWriteNotRecognised,
    /// After a lost reply, a retry decides again without checking whether its write is stored.
    RetriesWithoutCheck,
    /// Each attempt has a different write id.
    NewWriteIdPerAttempt,
    /// After a conflict, the first decision is written again, over the winner's version.
    DecisionNotRepeated,
    /// After the last attempt, an uncertain write is not checked, but reported as not done.
    UncertainWriteNotChecked,
    /// A write whose reply was lost is reported as done.
    LostReplyCountsAsWritten,
    /// The last put was sent twice and refused without an item. It is treated as a conflict, although the first may be stored.
    RepeatedPutCountsAsConflict,
    /// VERIFY is sent to Nets without a Query before it.
    VerifiesWithoutQuery,
    /// Register is sent to Nets before the session is stored.
    RegistersBeforeWrite,
    /// An unclear answer of Nets is treated as "never registered".
    UnclearCountsAsUnregistered,
    /// "Transaction id taken" is treated as a registration of this session.
    TakenIdCountsAsRegistered,
    /// A reconciliation closes a session that Nets does not know, even while it may be being registered.
    ClosesSessionDuringRegistration,
    /// A failed registration closes the session, even while another request with the same key may be registering it.
    ClosesSessionAfterFailedRegistration,
    /// A request that resumes the registration of an earlier one with the same key does not store this.
    ResumeNotWritten,
    /// The item has no entry in the index of expiries.
    ExpiryNotIndexed,
    /// The item has no entry in the index of background tasks.
    TaskNotIndexed,
    /// A delivery attempt is not stored before it is made.
    AttemptsNotWritten,
    /// A stored notification is removed although it was not delivered.
    RemovesUndelivered,
}
