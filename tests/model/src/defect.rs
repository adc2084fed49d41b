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
    /// AUTH is requested before the registration is stored as chosen.
    AuthorizesBeforeChoice,
    /// An unclear reply to AUTH is treated as a hard decline.
    UnclearAuthorizationCountsAsDecline,
    /// An unclear reply to CAPTURE is treated as a capture.
    UnclearCaptureCountsAsCaptured,
    /// The schedule captures every authorization that it finds.
    ScheduleCaptures,
    /// A capture does not read the wallet.
    CardNotRead,
    /// A cancelled transaction is not annulled at Nets, and the cancellation is confirmed.
    CancelsWithoutAnnulment,
    /// A registration is opened although another one is chosen.
    OpensBesideChosen,
    /// The amount of a CREDIT is computed from the stored sums, not from those of Nets.
    CreditsFromStoredSums,
    /// CREDIT is sent before its intent is stored.
    CreditsBeforeIntent,
    /// A CREDIT whose reply is unclear is sent again at once, if Query does not show it.
    CreditRepeatedAtOnce,
    /// A credit in progress does not block another one.
    CreditInProgressIgnored,
    /// The schedule sends a credit again without a Query before it.
    CreditResentWithoutQuery,
    /// An unclear reply to CREDIT is treated as a credit.
    UnclearCreditCountsAsCredited,
}
