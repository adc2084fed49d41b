//! The properties, each with a name and a sentence. They are written from api.md §6, not from the code that they judge.

macro_rules! breaches {
    ($($name:ident = $words:literal,)*) => {
        /// A property that does not hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Breach {
            $(#[doc = $words] $name,)*
        }

        impl Breach {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The property, as a sentence.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

breaches! {
    TwoPrimaries = "at most one is primary",
    NoPrimary = "one is primary whenever any is CREATED or ACTIVE",
    DeadPrimary = "an EXPIRED or CANCELLED one is never primary",
    OtherPrimary = "primary is the newest usable choice, else the first activated, else the oldest CREATED",
    NotAsDone = "what is seen is what was done, in the order of the versions, and nothing else",
    Backward = "a status only moves forward",
    PanHash = "a pan hash is stored only of what is ACTIVE",
    Overwritten = "a write takes the place of what its writer saw, and of nothing else",
    VersionSkipped = "every write makes the version one greater",
    DoneTwice = "no change is made twice",
    KeyTwice = "one idempotency key makes one thing",
    IdGivenAgain = "a place that was given out is not given to another one",
    FalseAnswer = "who is answered is answered what was written",
    FalseRefusal = "what is refused is what the contract refuses",
    DeniedAndDone = "who is refused, or told Busy, changed nothing",
    StaleAnswer = "an answer knows of every write before its request",
    CardLost = "a completed card is stored, or a look at its visit is due",
    Unfinished = "whatever is killed now, the schedules alone store every completed card",
    Overdue = "whatever is killed now, the schedule alone takes away what time took",
    Untold = "whatever is killed now, the schedules alone tell whatever is to be told",
    AskedAgain = "nothing is verified again that was verified before one began",
    ProcessedTwice = "Nets verifies a visit at most once",
    NotWrittenDown = "Nets registers nothing that is not written down",
    NoPage = "an address is given out only of a page that is there",
    SameTry = "the same try to tell something is never made twice",
    ToldFalsely = "what is told is so",
}

/// Those that do not hold in a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Breaches(u32);

impl Breaches {
    /// One more.
    pub fn add(&mut self, breach: Breach) {
        self.0 |= 1 << breach as u32;
    }

    /// One more, unless the property holds.
    pub fn unless(&mut self, holds: bool, breach: Breach) {
        if !holds {
            self.add(breach);
        }
    }

    /// All of another state's.
    pub fn join(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(self, breach: Breach) -> bool {
        self.0 & 1 << breach as u32 != 0
    }

    /// Whether everything holds.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}
