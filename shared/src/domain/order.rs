//! Orders. An order version is the identity of a payment (payments.md §4.1).

use crate::domain::customer::Organisation;
use crate::domain::id::InvalidId;
use crate::error::Violation;

/// The id of an order in the system of the caller: 1 to 64 visible ASCII characters (payments.md §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrderId(String);

impl OrderId {
    const MAX_LENGTH: usize = 64;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for OrderId {
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        let is_valid = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Violation::new("syntax", "must have 1 to 64 visible ASCII characters"))
        }
    }
}

/// The version of an order: 1 to 2^31 (payments.md §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderVersion(u32);

impl OrderVersion {
    /// The version of an order for which the caller names none.
    pub const FIRST: Self = Self(1);

    const MAX: u64 = 1 << 31;

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for OrderVersion {
    type Error = InvalidId;

    fn try_from(number: u64) -> Result<Self, InvalidId> {
        let is_valid = (1..=Self::MAX).contains(&number);
        u32::try_from(number).ok().filter(|_| is_valid).map(Self).ok_or(InvalidId)
    }
}

/// One version of an order of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// The organisation that chose the id.
    pub organisation: Organisation,
    /// The id.
    pub id: OrderId,
    /// The version.
    pub version: OrderVersion,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_has_1_to_64_visible_ascii_characters() {
        let longest = "a".repeat(64);
        for text in ["a", "DW2N19A6", "!~", longest.as_str()] {
            assert_eq!(OrderId::try_from(text).unwrap().as_str(), text);
        }
        let too_long = "a".repeat(65);
        for text in ["", " ", "a b", "a\n", "a\u{7f}", "ø", "１", too_long.as_str()] {
            assert!(OrderId::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_order_version_is_a_number_from_1_to_2_to_the_31st() {
        for (number, is_valid) in
            [(0, false), (1, true), (1 << 31, true), ((1 << 31) + 1, false), (u64::MAX, false)]
        {
            let version = OrderVersion::try_from(number).map(OrderVersion::number);
            assert_eq!(version.map(u64::from).ok(), is_valid.then_some(number));
        }
    }
}
