//! What has to happen somewhere in a configuration, or it shows nothing. Counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// Something worth reaching.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Event {
            $(#[doc = $words] $name,)*
        }

        impl Event {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What happened.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

events! {
    Beaten = "a write was beaten",
    BeatenSilently = "a write was beaten, and the engine did not say by what",
    Recognised = "a refused write was known for one's own",
    RecognisedByReading = "a write whose answer was lost was found by reading",
    RecognisedAtLast = "the last doubtful write was looked up, and found",
    LeftInDoubt = "the last doubtful write was looked up, and not found",
    Busy = "somebody was told Busy",
    Refused = "the rules refused",
    NothingToWrite = "a change changed nothing, and was not written",
    Killed = "somebody was killed",
    KilledWithWrite = "somebody was killed with a write on its way",
    KilledAfterNets = "somebody was killed after Nets had answered, before that was written down",
    LateWrite = "a write was made after its sender had given it up",
    LateRegister = "Nets registered after the sender had given it up",
    LateVerify = "Nets verified after the sender had given it up",
    Promoted = "another one became primary because the primary was over",
    HandedBack = "a choice that was over handed primary back to the choice before it",
    Overtaken = "a card took primary over from one that never got one",
    SamePayment = "a key that came again brought the same recurring payment",
    SameVisit = "a key that came again brought the same visit",
    IdTaken = "Nets knew the transaction id",
    NotRegistered = "Nets did not know a visit that was written down",
    TakenOver = "a request took over the visit of an earlier one with the same key",
    LeftToTheSchedule = "a visit that may be on its way to Nets was left open",
    Verified = "Nets verified a card",
    AlreadyProcessed = "Nets said that it had verified before",
    VerifiedBefore = "a look found a card that was verified before",
    Unclear = "a look brought no clear answer",
    CustomerCancelled = "a look found that the customer had cancelled",
    SoftDecline = "a card was declined for now",
    HardDecline = "a card was declined for good",
    CardExpired = "a card had expired when it came",
    SecondCard = "a card came for what had one by then",
    CardTooLate = "a card came for what was over by then",
    Activated = "a card was stored",
    ActivatedBySchedule = "a card was stored by the schedule",
    Abandoned = "one was abandoned",
    Expired = "one expired",
    NotDueAnyMore = "a run of the expiry found nothing due any more",
    Misled = "an index that misled was put right",
    Told = "somebody was told",
    ToldAgain = "somebody was told again",
    HeardUnheard = "somebody heard, and we did not hear so",
    GivenUp = "a notification was given up",
    Erased = "a customer was erased",
    OlderClock = "somebody wrote after a writer with a later clock",
}

/// How often each has happened. Not part of a state: two ways to the same state are one.
#[derive(Debug)]
pub struct Seen(Vec<AtomicU64>);

impl Default for Seen {
    fn default() -> Self {
        Self(Event::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Seen {
    /// It happened.
    pub fn note(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self, event: Event) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }
}
