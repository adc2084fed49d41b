//! The ids of payments, of their transactions and of the registrations at Nets (payments.md §4.5).
//!
//! ```text
//! paymentId     = 49 bits of a keyed hash of the order                  < 2^49
//! transactionId = paymentId ‖ transaction (4 bits)                      < 2^53
//! Nets' id      = p{transactionId}-{registration}                       own namespace beside terminal sessions
//! ```

use std::fmt;
use std::str::FromStr;

use super::{ATTEMPT_BITS, Attempt, InvalidId, number};

const PAYMENT_BITS: u32 = 49;

/// The id of a payment in the API, and the partition key of its item: 0 < id < 2^49, not sequential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(u64);

impl PaymentId {
    /// The number of bits of an id.
    pub const BITS: u32 = PAYMENT_BITS;

    /// The id with the lowest 49 bits of a number. Zero is not an id, so it becomes 1.
    #[must_use]
    pub fn from_bits(number: u64) -> Self {
        Self((number & ((1 << PAYMENT_BITS) - 1)).max(1))
    }
}

numeric_id!(PaymentId);

/// The id of a transaction of a payment in the API: 0 < id < 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentTransactionId(u64);

impl PaymentTransactionId {
    /// The id of one transaction of a payment.
    #[must_use]
    pub fn new(payment: PaymentId, transaction: Attempt) -> Self {
        Self(payment.0 << ATTEMPT_BITS | u64::from(transaction.0))
    }

    /// The payment of the transaction.
    #[must_use]
    pub fn payment_id(self) -> PaymentId {
        PaymentId(self.0 >> ATTEMPT_BITS)
    }

    /// The index of the transaction within its payment.
    #[must_use]
    pub fn attempt(self) -> Attempt {
        Attempt((self.0 & ((1 << ATTEMPT_BITS) - 1)) as u8)
    }
}

numeric_id!(PaymentTransactionId);

/// The id of one registration of a transaction at Nets. This service chooses it, so it is known before the registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationId {
    /// The transaction.
    pub transaction: PaymentTransactionId,
    /// The index of the registration within its transaction.
    pub number: Attempt,
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}-{}", self.transaction, self.number.0)
    }
}

impl FromStr for RegistrationId {
    type Err = InvalidId;

    /// Accepts exactly the text that `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (transaction, registration) =
            text.strip_prefix('p').and_then(|rest| rest.split_once('-')).ok_or(InvalidId)?;
        let index = if registration == "0" { 0 } else { number(registration)? };
        let index = usize::try_from(index).map_err(|_| InvalidId)?;
        Ok(Self { transaction: transaction.parse()?, number: index.try_into()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(index: usize) -> Attempt {
        Attempt::try_from(index).unwrap()
    }

    #[test]
    fn ids_decode_to_their_parts() {
        for payment in [1, 4711, (1 << 49) - 1].map(PaymentId::from_bits) {
            for index in 0..Attempt::COUNT {
                let transaction = PaymentTransactionId::new(payment, attempt(index));
                assert_eq!(
                    (transaction.payment_id(), transaction.attempt()),
                    (payment, attempt(index))
                );
                assert!(0 < payment.number() && payment.number() < 1 << 49);
                assert!(0 < transaction.number() && transaction.number() < 1 << 53);
                let registration = RegistrationId { transaction, number: attempt(15 - index) };
                assert_eq!(registration.to_string().parse(), Ok(registration));
                assert!(registration.to_string().len() <= 32, "Nets' limit");
            }
        }
        assert_eq!(PaymentId::from_bits(0).number(), 1);
        assert_eq!(PaymentId::from_bits(1 << 49 | 7).number(), 7);
    }

    /// The layout must not change: callers and Nets store these numbers.
    #[test]
    fn an_id_consists_of_payment_transaction_and_registration() {
        let transaction = PaymentTransactionId::new(PaymentId::from_bits(7171), attempt(5));
        let registration = RegistrationId { transaction, number: attempt(12) };
        assert_eq!(
            (transaction.number(), registration.to_string().as_str()),
            (114_741, "p114741-12")
        );
        assert_eq!(("7171".parse(), "114741".parse()), (Ok(PaymentId(7171)), Ok(transaction)));
    }

    #[test]
    fn an_id_has_one_text_form() {
        for wrong in ["", "0", "01", "+1", "-1", " 1", "1.0", "1e3", "１", "9007199254740992"] {
            assert_eq!(wrong.parse::<PaymentId>(), Err(InvalidId), "{wrong:?}");
            assert_eq!(wrong.parse::<PaymentTransactionId>(), Err(InvalidId), "{wrong:?}");
        }
        for wrong in [
            "", "p", "p1", "p1-", "1-0", "p0-0", "p01-0", "p1-00", "p1-01", "p1-16", "p1-+1",
            "p1-1-1", "P1-0", " p1-0",
        ] {
            assert_eq!(wrong.parse::<RegistrationId>(), Err(InvalidId), "{wrong:?}");
        }
        for number in [0, 1 << 53] {
            assert_eq!(PaymentId::try_from(number), Err(InvalidId));
            assert_eq!(PaymentTransactionId::try_from(number), Err(InvalidId));
        }
    }
}
