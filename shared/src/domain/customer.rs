//! Customers, and the organisations whose they are.

use std::fmt;

use crate::error::Flaw;

/// An organisation's number: whose customers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Organisation(u64);

impl Organisation {
    /// The organisation of a number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A customer's number within an organisation (api.md rule 17): 1 to 64 of `A-Z a-z 0-9 . _ - : @ +`, but neither `.` nor `..`,
/// which many HTTP clients cannot put into a path (ours: Entur says only "string").
///
/// It is personal: it is hashed before it is stored, and no log shows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerNumber(String);

impl CustomerNumber {
    /// The operators of Entur's queries.
    const OPERATORS: [&'static str; 6] = ["eq", "ne", "gt", "gte", "lt", "lte"];

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of a query (api.md rule 17): plain, or with the operator `eq` before the first colon. Any other word before
    /// a colon is a part of the number.
    ///
    /// # Errors
    /// What is wrong with the number; or another operator, which would list other customers.
    pub fn from_query(text: &str) -> Result<Self, Flaw> {
        match text.split_once(':') {
            Some(("eq", number)) => Self::try_from(number),
            Some((operator, _)) if Self::OPERATORS.contains(&operator) => {
                Err(Flaw::new("operator", "may have no operator but eq:"))
            }
            Some(_) | None => Self::try_from(text),
        }
    }
}

impl fmt::Debug for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[customer]")
    }
}

impl TryFrom<&str> for CustomerNumber {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@+".contains(&byte);
        match text.len() {
            0 => Err(Flaw::new("empty", "must not be empty")),
            1..=2 if text.bytes().all(|byte| byte == b'.') => {
                Err(Flaw::new("characters", "must not be . or .. alone"))
            }
            1..=64 if text.bytes().all(fits) => Ok(Self(text.to_owned())),
            _ if text.chars().count() > 64 => {
                Err(Flaw::new("too-long", "may have at most 64 characters"))
            }
            _ => Err(Flaw::new(
                "characters",
                "must have 1 to 64 characters of A-Z a-z 0-9 . _ - : @ +",
            )),
        }
    }
}

/// One customer of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Customer {
    /// Whose customer.
    pub organisation: Organisation,
    /// Which one.
    pub number: CustomerNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        CustomerNumber::try_from(text).err().map(|flaw| flaw.code)
    }

    #[test]
    fn customer_numbers_have_1_to_64_characters_of_one_set() {
        let set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@+";
        for letter in (0..=255).map(char::from).chain(['ı', 'K', '٣', '：', '\u{10ffff}']) {
            for text in [format!("4{letter}1"), format!("{letter}4"), format!("4{letter}")] {
                let expected = (!set.contains(letter)).then_some("characters");
                assert_eq!(code(&text), expected, "{text:?}");
            }
        }
        for (length, expected) in
            [(0, Some("empty")), (1, None), (64, None), (65, Some("too-long"))]
        {
            assert_eq!(code(&"x".repeat(length)), expected, "{length}");
        }
        assert_eq!(code(&"ø".repeat(64)), Some("characters"));
        assert_eq!(code(&"ø".repeat(65)), Some("too-long"));
    }

    #[test]
    fn what_callers_have_is_a_customer_number() {
        for good in [
            "ENT:Customer:42",
            "kari+kort@example.no",
            "c0ffee00-1234-4abc-8def-0123456789ab",
            "...",
            ".a",
            "..a",
        ] {
            assert_eq!(CustomerNumber::try_from(good).unwrap().as_str(), good);
        }
        for bad in [".", ".."] {
            assert_eq!(code(bad), Some("characters"), "{bad}");
        }
    }

    #[test]
    fn only_a_known_operator_before_the_first_colon_is_one() {
        for (text, number) in [
            ("4711", "4711"),
            ("eq:4711", "4711"),
            ("eq:eq:4711", "eq:4711"),
            ("eq:ne:4711", "ne:4711"),
            ("ENT:Customer:42", "ENT:Customer:42"),
            ("eq:ENT:Customer:42", "ENT:Customer:42"),
            ("EQ:4711", "EQ:4711"),
            ("like:4711", "like:4711"),
            ("eqs:4711", "eqs:4711"),
            (":4711", ":4711"),
            ("eq::", ":"),
            ("ne", "ne"),
        ] {
            assert_eq!(CustomerNumber::from_query(text).unwrap().as_str(), number, "{text}");
        }
        for operator in ["ne", "gt", "gte", "lt", "lte"] {
            for text in
                [format!("{operator}:4711"), format!("{operator}:"), format!("{operator}:eq:1")]
            {
                assert_eq!(
                    CustomerNumber::from_query(&text).unwrap_err().code,
                    "operator",
                    "{text}"
                );
            }
        }
        for (text, code) in
            [("", "empty"), ("eq:", "empty"), ("eq:4711 ", "characters"), ("eq:..", "characters")]
        {
            assert_eq!(CustomerNumber::from_query(text).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn a_customer_number_is_never_printed() {
        let number = CustomerNumber::try_from("4711").unwrap();
        assert_eq!(format!("{:?}", Some(number)), "Some([customer])");
    }
}
