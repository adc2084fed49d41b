//! Ids that contain the key of their wallet, so that an id finds its wallet with one read and without an index.
//!
//! ```text
//! recurringPaymentId = slot (39 bits) ‖ sequence (10 bits)        < 2^49
//! transactionId      = recurringPaymentId ‖ attempt (4 bits)      < 2^53, exact in every JSON reader
//! ```

/// Implements the forms in which the API contract has an id: a number with 0 < id < 2^53, and decimal digits without a leading zero,
/// so that each id has exactly one text form. A number in this range that no id has is accepted, and a lookup returns not found.
macro_rules! numeric_id {
    ($id:ident) => {
        impl $id {
            /// The number as callers see it.
            #[must_use]
            pub fn number(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $id {
            type Error = InvalidId;

            fn try_from(number: u64) -> Result<Self, InvalidId> {
                if number == 0 || number >= 1 << 53 { Err(InvalidId) } else { Ok(Self(number)) }
            }
        }

        impl std::str::FromStr for $id {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                number(text)?.try_into()
            }
        }

        impl std::fmt::Display for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

mod payment;

pub use payment::{PaymentId, PaymentTransactionId, RegistrationId};

const SLOT_BITS: u32 = 39;
const SEQUENCE_BITS: u32 = 10;
const ATTEMPT_BITS: u32 = 4;

/// The text or number is not a valid id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// The partition key of a wallet's item: 39 bits of a keyed hash of its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u64);

impl Slot {
    /// The number of bits of a slot.
    pub const BITS: u32 = SLOT_BITS;
    /// The number after the last valid slot. No wallet has this slot.
    pub const INVALID: Self = Self(1 << SLOT_BITS);

    /// The slot of a number. Uses the lowest 39 bits.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number & ((1 << SLOT_BITS) - 1))
    }

    /// The number as it is stored.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The number of a recurring payment within its wallet, 1 to 1023. After 1023 the numbers that are free again are reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(u16);

impl Sequence {
    /// The value before the first number.
    pub const NONE: Self = Self(0);

    const LAST: u16 = (1 << SEQUENCE_BITS) - 1;

    /// The next number. Wraps from 1023 to 1.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 % Self::LAST + 1)
    }

    /// The number as it is stored.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Sequence {
    type Error = InvalidId;

    fn try_from(number: u16) -> Result<Self, InvalidId> {
        if number <= Self::LAST { Ok(Self(number)) } else { Err(InvalidId) }
    }
}

/// The index of a terminal session within its recurring payment, of a transaction within its payment, or of a registration within
/// its transaction: 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(u8);

impl Attempt {
    /// How many terminal sessions one recurring payment can have, and how many transactions or registrations.
    pub const COUNT: usize = 1 << ATTEMPT_BITS;

    /// The number as it is stored.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<usize> for Attempt {
    type Error = InvalidId;

    fn try_from(number: usize) -> Result<Self, InvalidId> {
        u8::try_from(number).ok().filter(|_| number < Self::COUNT).map(Self).ok_or(InvalidId)
    }
}

/// The id of a recurring payment in the API: 0 < id < 2^49, not sequential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecurringPaymentId(u64);

impl RecurringPaymentId {
    /// The id of a recurring payment in the wallet at `slot`.
    #[must_use]
    pub fn new(slot: Slot, sequence: Sequence) -> Self {
        Self(slot.0 << SEQUENCE_BITS | u64::from(sequence.0))
    }

    /// The slot of its wallet.
    #[must_use]
    pub fn slot(self) -> Slot {
        Slot::new(self.0 >> SEQUENCE_BITS)
    }

    /// Its number within the wallet.
    #[must_use]
    pub fn sequence(self) -> Sequence {
        #[expect(clippy::cast_possible_truncation, reason = "ten bits fit sixteen")]
        Sequence((self.0 & u64::from(Sequence::LAST)) as u16)
    }
}

numeric_id!(RecurringPaymentId);

fn number(text: &str) -> Result<u64, InvalidId> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidId);
    }
    text.parse().map_err(|_| InvalidId)
}

/// The id of a terminal session, also at Nets. This service chooses it, so it is known before the session is registered at Nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

impl TransactionId {
    /// The id of one terminal session of a recurring payment.
    #[must_use]
    pub fn new(id: RecurringPaymentId, attempt: Attempt) -> Self {
        Self(id.0 << ATTEMPT_BITS | u64::from(attempt.0))
    }

    /// The recurring payment of the session.
    #[must_use]
    pub fn recurring_payment_id(self) -> RecurringPaymentId {
        RecurringPaymentId(self.0 >> ATTEMPT_BITS)
    }

    /// The index of the session within its recurring payment.
    #[must_use]
    pub fn attempt(self) -> Attempt {
        Attempt((self.0 & ((1 << ATTEMPT_BITS) - 1)) as u8)
    }
}

numeric_id!(TransactionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_decode_to_their_parts() {
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
    fn the_invalid_slot_cannot_belong_to_a_wallet() {
        assert_ne!(Slot::new(Slot::INVALID.number()), Slot::INVALID);
    }

    /// The layout must not change: callers and Nets store these numbers.
    #[test]
    fn an_id_consists_of_slot_sequence_and_attempt() {
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
    fn an_id_has_one_text_form() {
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
            assert_eq!(wrong.parse::<RecurringPaymentId>(), Err(InvalidId), "{wrong:?}");
            assert_eq!(wrong.parse::<TransactionId>(), Err(InvalidId), "{wrong:?}");
        }
    }

    #[test]
    fn ids_are_numbers_from_1_to_below_2_to_the_53rd() {
        for (number, is_valid) in [(0, false), (1, true), ((1 << 53) - 1, true), (1 << 53, false)] {
            assert_eq!(RecurringPaymentId::try_from(number).is_ok(), is_valid, "{number}");
            assert_eq!(TransactionId::try_from(number).is_ok(), is_valid, "{number}");
        }
    }

    #[test]
    fn an_id_from_2_to_the_49th_never_equals_the_id_that_its_parts_encode() {
        let beyond = RecurringPaymentId::try_from((1 << 49) + 5).unwrap();
        assert_ne!(RecurringPaymentId::new(beyond.slot(), beyond.sequence()), beyond);
    }

    #[test]
    fn sequences_wrap_to_1_and_skip_zero() {
        assert_eq!(Sequence::NONE.next(), Sequence(1));
        assert_eq!(Sequence(1023).next(), Sequence(1));
        assert_eq!(Sequence::try_from(1024), Err(InvalidId));
        assert_eq!(Attempt::try_from(16), Err(InvalidId));
    }
}
