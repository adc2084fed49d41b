//! The properties, each with a name and a sentence. Their source is api.md §6 for wallets and payments.md §4.4 for payments, not the
//! code that they check.

macro_rules! violations {
    ($($list:ident: { $($name:ident = $description:literal,)* })*) => {
        /// A violated property. The description states the property as it should hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Violation {
            $($(#[doc = $description] $name,)*)*
        }

        impl Violation {
            /// All properties.
            pub const ALL: &'static [Self] = &[$($(Self::$name),*),*];
            $(
                #[doc = concat!("The properties of the list ", stringify!($list), ".")]
                pub const $list: &'static [Self] = &[$(Self::$name),*];
            )*

            /// The property, as a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $($(Self::$name => $description,)*)*
                }
            }
        }
    };
}

violations! {
WALLETS: {
    TwoPrimaries = "at most one recurring payment is primary",
    NoPrimary = "one is primary whenever any is CREATED or ACTIVE",
    EndedPrimary = "an EXPIRED or CANCELLED recurring payment is never primary",
    WrongPrimary = "primary is the newest usable choice, else the first activated, else the oldest CREATED",
    DiffersFromSpecification = "callers see the result of all writes, in the order of the versions, and nothing else",
    StatusMovedBack = "a status never returns to an earlier one",
    PanHashWithoutCard = "only an ACTIVE recurring payment has a pan hash",
    KeyUsedTwice = "one idempotency key creates at most one resource",
    IdReused = "an id is never assigned twice",
    WrongRefusal = "a request is refused if and only if the contract refuses it",
    StaleResponse = "a response includes every write before its request",
    CardLost = "a completed card is stored, or a reconciliation of its session is due",
    CardNotRecovered = "after a crash at any time, the schedules store every completed card",
    ExpiryNotRecovered = "after a crash at any time, the schedules apply every expiry",
    NotificationNotRecovered = "after a crash at any time, the schedules deliver every notification",
    VerifiedAgain = "an operation does not verify what was verified before it began",
    VerifiedTwice = "Nets verifies a session at most once",
    RegisteredUnstored = "Nets registers only sessions that are stored",
    PageWithoutTransaction = "the address of a page is returned only for a registered session",
    AttemptRepeated = "no delivery attempt is made twice",
    WrongNotification = "a notification agrees with the state of the recurring payment",
    EventNotDue = "a lifecycle event was due, and says what was true then; without an address for events, none is due",
    EventMissing = "a lifecycle event that is due is enqueued until it is delivered or its delivery period is over",
    EventEnqueuedTwice = "a lifecycle event is enqueued once for each recurring payment and kind",
    EventWithOtherId = "a lifecycle event is always sent with the same id",
}
WRITES: {
    Overwritten = "a write replaces only the version that its writer read",
    VersionSkipped = "every write increases the version by one",
    WrittenTwice = "no change is written twice",
    WrongResponse = "a response agrees with what was written",
    RefusedButWritten = "a request that is refused, or fails with Busy, changes nothing",
}
PAYMENTS: {
    CapturedTwice = "an order is captured at most once",
    CapturedTooMuch = "no more than the authorized amount of its transaction is captured",
    CreditedTooMuch = "no more than the captured sum is credited",
    CreditedTwice = "no more is credited than the largest total that a client asked for, and the refunds at Nets",
    UnchosenAuthorization = "AUTH is requested only for a registration that is stored as chosen",
    ChargedAfterEnd = "after the end of the card was answered, no request authorizes, or captures what was not stored as authorized",
    MoneyWithoutRequest = "without a request of a client, money is taken only for autoSale",
    FalseStatus = "CAPTURED, CREDITED and REJECTED are stored only when they are true",
    FalseAnswer = "a response says only what is true",
    AnswerTakenBack = "what was answered stays true",
    NotReleased = "after a crash at any time, every authorization is captured or annulled in the end",
    CreditNotResolved = "after a crash at any time, no credit stays in progress in the end",
    WrongSums = "after a crash at any time, the stored sums are those of Nets in the end",
    AutoSaleNotTaken = "after a crash at any time, an auto sale that Nets has authorized in time and never declined is captured in the end",
}
}

/// The violated properties of a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Violations(u64);

impl Violations {
    /// Adds a violation.
    pub fn add(&mut self, violation: Violation) {
        self.0 |= 1 << violation as u32;
    }

    /// Adds a violation unless the property holds.
    pub fn add_unless(&mut self, holds: bool, violation: Violation) {
        if !holds {
            self.add(violation);
        }
    }

    /// Adds all violations of another set.
    pub fn join(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Whether the set contains this violation.
    #[must_use]
    pub fn has(self, violation: Violation) -> bool {
        self.0 & 1 << violation as u32 != 0
    }

    /// Whether every property holds.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}
