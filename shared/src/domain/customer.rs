//! Customers and their organisations.

use std::fmt;

use crate::error::Violation;

/// The number of an organisation. Each customer belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Organisation(u64);

impl Organisation {
    /// The organisation with this number.
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

/// A customer's number within an organisation (api.md rule 17): 1 to 64 characters of `A-Z a-z 0-9 . _ - : @ +`, except `.` and
/// `..`, which many HTTP clients cannot send in a path (Entur's API says only "string").
///
/// The number is personal data: only its hash is stored, and no log contains it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerNumber(String);

impl CustomerNumber {
    /// The operators of Entur's query syntax.
    const OPERATORS: [&'static str; 6] = ["eq", "ne", "gt", "gte", "lt", "lte"];

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the number in a query (api.md rule 17): plain, or with the operator `eq` before the first colon. Any word before the
    /// first colon that is not an operator is part of the number.
    ///
    /// # Errors
    /// Fails if the number is invalid, or with the code `operator` for any other operator, which would list other customers.
    pub fn from_query(text: &str) -> Result<Self, Violation> {
        match text.split_once(':') {
            Some(("eq", number)) => Self::try_from(number),
            Some((operator, _)) if Self::OPERATORS.contains(&operator) => {
                Err(Violation::new("operator", "must not have an operator other than eq:"))
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
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@+".contains(&byte);
        match text.len() {
            0 => Err(Violation::new("empty", "must not be empty")),
            1..=2 if text.bytes().all(|byte| byte == b'.') => {
                Err(Violation::new("characters", "must not be only . or .."))
            }
            1..=64 if text.bytes().all(is_allowed) => Ok(Self(text.to_owned())),
            _ if text.chars().count() > 64 => {
                Err(Violation::new("too-long", "must have at most 64 characters"))
            }
            _ => Err(Violation::new(
                "characters",
                "must have 1 to 64 characters of A-Z a-z 0-9 . _ - : @ +",
            )),
        }
    }
}

/// One customer of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Customer {
    /// The organisation that the customer belongs to.
    pub organisation: Organisation,
    /// The customer's number within the organisation.
    pub number: CustomerNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        CustomerNumber::try_from(text).err().map(|violation| violation.code)
    }

    #[test]
    fn customer_numbers_have_1_to_64_characters_of_a_fixed_set() {
        let set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@+";
        for character in (0..=255).map(char::from).chain(['ı', 'K', '٣', '：', '\u{10ffff}']) {
            for text in [format!("4{character}1"), format!("{character}4"), format!("4{character}")]
            {
                let expected = (!set.contains(character)).then_some("characters");
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
    fn netex_ids_emails_uuids_and_dots_are_customer_numbers_but_not_dots_alone() {
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
    fn only_a_known_word_before_the_first_colon_is_an_operator() {
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
