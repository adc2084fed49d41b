//! Ids that carry their route: an id alone finds its wallet, with no index and no second read.
//!
//! ```text
//! recurringPaymentId = slot (39 bits) ‖ sequence (10 bits)        < 2^49
//! transactionId      = recurringPaymentId ‖ attempt (4 bits)      < 2^53, exact in every JSON reader
//! ```

use std::fmt;
use std::str::FromStr;

const SLOT_BITS: u32 = 39;
const SEQUENCE_BITS: u32 = 10;
const ATTEMPT_BITS: u32 = 4;

/// The text or number is not an id that this service could have given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this service")]
pub struct NotAnId;

/// Where a wallet lies: the partition key of its item, 39 bits of a keyed hash of its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u64);

impl Slot {
    /// How many bits a slot has.
    pub const BITS: u32 = SLOT_BITS;
    /// Just beyond the last one: no wallet can lie there.
    pub const NOWHERE: Self = Self(1 << SLOT_BITS);

    /// The slot of a number, of which the lowest 39 bits count.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number & ((1 << SLOT_BITS) - 1))
    }

    /// The number that is stored.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The place of a recurring payment in its wallet, 1 to 1023. After the last one come those that are free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(u16);

impl Sequence {
    /// The one that stands before the first.
    pub const NONE: Self = Self(0);

    const LAST: u16 = (1 << SEQUENCE_BITS) - 1;

    /// The next one, round and round, never 0.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 % Self::LAST + 1)
    }

    /// The number that is stored.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Sequence {
    type Error = NotAnId;

    fn try_from(number: u16) -> Result<Self, NotAnId> {
        if number <= Self::LAST { Ok(Self(number)) } else { Err(NotAnId) }
    }
}

/// Which of a recurring payment's terminals, 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(u8);

impl Attempt {
    /// How many terminals one recurring payment can have.
    pub const COUNT: usize = 1 << ATTEMPT_BITS;

    /// The number that is stored.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<usize> for Attempt {
    type Error = NotAnId;

    fn try_from(number: usize) -> Result<Self, NotAnId> {
        u8::try_from(number).ok().filter(|_| number < Self::COUNT).map(Self).ok_or(NotAnId)
    }
}

/// What callers know a recurring payment by: 0 < id < 2^49, not sequential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecurringPaymentId(u64);

impl RecurringPaymentId {
    /// The id of a place in a wallet.
    #[must_use]
    pub fn new(slot: Slot, sequence: Sequence) -> Self {
        Self(slot.0 << SEQUENCE_BITS | u64::from(sequence.0))
    }

    /// Where its wallet lies.
    #[must_use]
    pub fn slot(self) -> Slot {
        Slot::new(self.0 >> SEQUENCE_BITS)
    }

    /// Its place in the wallet.
    #[must_use]
    pub fn sequence(self) -> Sequence {
        // The mask keeps ten bits: the cast loses nothing.
        #[expect(clippy::cast_possible_truncation, reason = "ten bits fit sixteen")]
        Sequence((self.0 & u64::from(Sequence::LAST)) as u16)
    }

    /// The number that callers see.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for RecurringPaymentId {
    type Error = NotAnId;

    fn try_from(number: u64) -> Result<Self, NotAnId> {
        let id = Self(number);
        // Up to 2^53 the syntax is right (the contract's range), and nothing can be found there.
        if number == 0 || number >= 1 << 53 { Err(NotAnId) } else { Ok(id) }
    }
}

impl FromStr for RecurringPaymentId {
    type Err = NotAnId;

    /// Decimal digits only, without a leading zero: one spelling for one id.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        number(text)?.try_into()
    }
}

fn number(text: &str) -> Result<u64, NotAnId> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAnId);
    }
    text.parse().map_err(|_| NotAnId)
}

impl fmt::Display for RecurringPaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What Nets knows a terminal by; our own choice, so that it is known before Nets is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

impl TransactionId {
    /// The id of one visit to Nets' page.
    #[must_use]
    pub fn new(id: RecurringPaymentId, attempt: Attempt) -> Self {
        Self(id.0 << ATTEMPT_BITS | u64::from(attempt.0))
    }

    /// The recurring payment that the visit is for.
    #[must_use]
    pub fn recurring_payment_id(self) -> RecurringPaymentId {
        RecurringPaymentId(self.0 >> ATTEMPT_BITS)
    }

    /// Which visit.
    #[must_use]
    pub fn attempt(self) -> Attempt {
        Attempt((self.0 & ((1 << ATTEMPT_BITS) - 1)) as u8)
    }

    /// The number that callers see.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for TransactionId {
    type Error = NotAnId;

    fn try_from(number: u64) -> Result<Self, NotAnId> {
        if number == 0 || number >= 1 << 53 { Err(NotAnId) } else { Ok(Self(number)) }
    }
}

impl FromStr for TransactionId {
    type Err = NotAnId;

    /// As for a [`RecurringPaymentId`].
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        number(text)?.try_into()
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_back_what_it_was_made_of() {
        for (slot, sequence) in [(0, 1), (1, 1), (4711, 1023), ((1 << 39) - 1, 1023)] {
            let (slot, sequence) = (Slot::new(slot), Sequence::try_from(sequence).unwrap());
            let id = RecurringPaymentId::new(slot, sequence);
            assert_eq!((id.slot(), id.sequence()), (slot, sequence));
            for attempt in 0..Attempt::COUNT {
                let attempt = Attempt::try_from(attempt).unwrap();
                let transaction = TransactionId::new(id, attempt);
                assert_eq!(
                    (transaction.recurring_payment_id(), transaction.attempt()),
                    (id, attempt)
                );
                assert!(0 < id.number() && id.number() < 1 << 49 && transaction.number() < 1 << 53);
            }
        }
    }

    #[test]
    fn nowhere_is_no_wallets_place() {
        assert_ne!(Slot::new(Slot::NOWHERE.number()), Slot::NOWHERE);
    }

    /// Stored literals: callers and Nets remember these numbers.
    #[test]
    fn an_id_is_slot_sequence_and_attempt_side_by_side() {
        let id = RecurringPaymentId::new(Slot::new(7), Sequence(3));
        let transaction = TransactionId::new(id, Attempt(5));
        assert_eq!((id.number(), id.to_string().as_str()), (7 << 10 | 3, "7171"));
        assert_eq!(
            (transaction.number(), transaction.to_string().as_str()),
            (7171 << 4 | 5, "114741")
        );
        assert_eq!(
            ["7171".parse(), "114741".parse()].map(|id| id.map(RecurringPaymentId::number)),
            [Ok(7171), Ok(114_741)]
        );
        assert_eq!("114741".parse(), Ok(transaction));
        assert_eq!((Slot::new(7).number(), Sequence(3).number(), Attempt(5).number()), (7, 3, 5));
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!("1".parse(), Ok(RecurringPaymentId(1)));
        assert_eq!("9007199254740991".parse(), Ok(RecurringPaymentId((1 << 53) - 1)));
        assert_eq!("9007199254740991".parse(), Ok(TransactionId((1 << 53) - 1)));
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "٣",
            "9007199254740992",
            "18446744073709551616",
        ] {
            assert_eq!(wrong.parse::<RecurringPaymentId>(), Err(NotAnId), "{wrong:?}");
            assert_eq!(wrong.parse::<TransactionId>(), Err(NotAnId), "{wrong:?}");
        }
    }

    #[test]
    fn a_number_is_an_id_up_to_2_to_the_53rd() {
        for (number, is_one) in [(0, false), (1, true), ((1 << 53) - 1, true), (1 << 53, false)] {
            assert_eq!(RecurringPaymentId::try_from(number).is_ok(), is_one, "{number}");
            assert_eq!(TransactionId::try_from(number).is_ok(), is_one, "{number}");
        }
    }

    #[test]
    fn an_id_beyond_every_slot_points_nowhere_it_could_have_come_from() {
        let beyond = RecurringPaymentId::try_from((1 << 49) + 5).unwrap();
        assert_ne!(RecurringPaymentId::new(beyond.slot(), beyond.sequence()), beyond);
    }

    #[test]
    fn sequences_go_round_without_zero() {
        assert_eq!(Sequence::NONE.next(), Sequence(1));
        assert_eq!(Sequence(1023).next(), Sequence(1));
        assert_eq!(Sequence::try_from(1024), Err(NotAnId));
        assert_eq!(Attempt::try_from(16), Err(NotAnId));
    }
}
