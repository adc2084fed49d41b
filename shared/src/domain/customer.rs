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

/// A customer's number within an organisation: 1 to 64 of `A-Z a-z 0-9 . _ -` (ours: Entur says only "string").
///
/// It is personal: it is hashed before it is stored, and no log shows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerNumber(String);

impl CustomerNumber {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match text.len() {
            0 => Err(Flaw::new("empty", "must not be empty")),
            1..=64 if text.bytes().all(fits) => Ok(Self(text.to_owned())),
            1..=64 => Err(Flaw::new(
                "characters",
                "may have letters A to Z, digits, dots, dashes and underscores only",
            )),
            _ => Err(Flaw::new("too-long", "may have at most 64 characters")),
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

    #[test]
    fn customer_numbers() {
        for good in ["1", "4711", "A-b_c.9", &"x".repeat(64)] {
            assert_eq!(CustomerNumber::try_from(good).unwrap().as_str(), good);
        }
        for (bad, code) in [
            ("", "empty"),
            (" ", "characters"),
            ("ø", "characters"),
            ("eq:1", "characters"),
            ("1,2", "characters"),
        ] {
            assert_eq!(CustomerNumber::try_from(bad).unwrap_err().code, code, "{bad:?}");
        }
        assert_eq!(CustomerNumber::try_from("x".repeat(65).as_str()).unwrap_err().code, "too-long");
    }

    #[test]
    fn a_customer_number_is_never_printed() {
        let number = CustomerNumber::try_from("4711").unwrap();
        assert_eq!(format!("{:?}", Some(number)), "Some([customer])");
    }
}
