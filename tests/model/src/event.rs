//! Events that must occur at least once in a configuration. Without them, its properties would prove nothing.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $description:literal,)*) => {
        /// An event that a configuration can require.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Event {
            $(#[doc = $description] $name,)*
        }

        impl Event {
            /// All events.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The event, as a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $description,)*
                }
            }
        }
    };
}

events! {
    Conflict = "a write conflicted, and the database returned the winner's version",
    ConflictWithoutItem = "a write conflicted, and the database did not return the winner's version",
    OwnWriteRecognised = "a refused write was recognised as the writer's own",
    OwnWriteFoundByRead = "a read found a write whose reply was lost",
    UncertainWriteFound = "after the last attempt, a read found the uncertain write",
    UncertainWriteNotFound = "after the last attempt, a read did not find the uncertain write",
    Busy = "an operation failed with Busy",
    Refused = "the wallet refused an operation",
    NothingToWrite = "a change had no effect and was not written",
    Killed = "a function was killed",
    KilledWithWrite = "a function was killed while its write was in transit",
    KilledAfterNets = "a function was killed after Nets answered, before the result was stored",
    LateWrite = "a write was executed after its sender had stopped waiting",
    LateRegister = "Nets executed a Register after its sender had stopped waiting",
    LateVerify = "Nets executed a VERIFY after its sender had stopped waiting",
    Promoted = "another recurring payment became primary because the primary had ended or expired",
    PreviousChoiceRestored = "after a chosen primary ended, the previous choice became primary again",
    ReplacedByCard = "an ACTIVE recurring payment replaced a CREATED primary",
    CreateRepeated = "a repeated key returned the same recurring payment",
    OpenRepeated = "a repeated key returned the same session",
    IdTaken = "Nets already knew the transaction id",
    NotRegistered = "Nets did not know a stored session",
    RegistrationResumed = "a request resumed the registration of an earlier request with the same key",
    RegistrationUncertain = "a session stayed open because its registration was uncertain",
    Verified = "Nets verified a card",
    AlreadyProcessed = "Nets answered VERIFY with \"already processed\"",
    VerifiedBefore = "a reconciliation found a card that was already verified",
    Unclear = "a reconciliation got no clear answer",
    CustomerCancelled = "a reconciliation found that the customer had cancelled",
    SoftDecline = "a card had a soft decline",
    HardDecline = "a card had a hard decline",
    CardExpired = "a card had expired when it was verified",
    SecondCard = "a card was verified for a recurring payment that already had one",
    CardTooLate = "a card was verified for a recurring payment that had already ended",
    Activated = "a card was stored",
    ActivatedBySchedule = "the schedule stored a card",
    Abandoned = "a recurring payment was abandoned",
    Expired = "a recurring payment expired",
    NothingDue = "the expiry schedule found that nothing was due any more",
    StaleIndexEntry = "a stale index entry was corrected",
    Delivered = "a notification was delivered",
    DeliveryRetried = "a delivery was attempted again",
    DeliveryReplyLost = "a notification was delivered, and the reply was lost",
    NotificationExpired = "a notification expired undelivered",
    ExpiringDelivered = "an event that a card expires soon was delivered",
    ExpiredDelivered = "an event that a card has expired was delivered",
    PrimaryChangeDelivered = "an event that another recurring payment is primary was delivered",
    Erased = "a customer was erased",
    EarlierClock = "a writer's clock was behind the clock of an earlier writer",
    PaymentCreateRepeated = "a repeated create returned the same transaction",
    Authorized = "Nets authorized an amount",
    CapturedAtNets = "Nets captured an amount",
    CapturedBeforeCancel = "a cancel found that the amount was captured",
    AnnulmentPending = "a cancel found no authorization that it could annul yet",
    Annulled = "an authorization was annulled",
    UnexpectedCapture = "the service did not expect a capture",
    CardEndedBeforeCapture = "a capture found that the card had ended",
    LateAuthorization = "Nets executed an AUTH after its sender had stopped waiting",
    LateCapture = "Nets executed a CAPTURE after its sender had stopped waiting",
    LateCredit = "Nets executed a CREDIT after its sender had stopped waiting",
    AuthorizedByNets = "Nets authorized an auto sale by itself",
    AutoSaleDue = "the service captured an auto sale without a request of the client",
    CreditedAtNets = "Nets credited an amount",
    CreditUnconfirmed = "a CREDIT was not confirmed",
    CreditResent = "the schedule sent a CREDIT again",
    CreditRefused = "Nets refused a CREDIT",
    CreditFailed = "a credit was given up",
    RefundedAtNets = "an operator refunded an amount at Nets",
    ReleasedInTheEnd = "after a crash, the schedule released an authorization",
    CapturedInTheEnd = "after a crash, the schedule captured an auto sale",
    FoundInTheEnd = "after a crash, the schedule found a capture",
    CreditedInTheEnd = "after a crash, the schedule completed a credit",
}

/// How often each event has occurred. Not part of a state: the count depends on the path to it.
#[derive(Debug)]
pub struct EventCounts(Vec<AtomicU64>);

impl Default for EventCounts {
    fn default() -> Self {
        Self(Event::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl EventCounts {
    /// Counts an event.
    pub fn add(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often the event has occurred.
    #[must_use]
    pub fn get(&self, event: Event) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }
}
