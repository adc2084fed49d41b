//! Amounts of money. Text becomes minor units, and minor units become text, only in this module.

use std::fmt;

use crate::error::Violation;

/// A currency in which the service can charge (payments.md §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the ISO 4217 codes")]
pub enum Currency {
    Nok,
    Sek,
    Dkk,
    Eur,
}

impl Currency {
    /// Every currency with its ISO 4217 code.
    pub const CODES: [(Self, &'static str); 4] =
        [(Self::Nok, "NOK"), (Self::Sek, "SEK"), (Self::Dkk, "DKK"), (Self::Eur, "EUR")];

    /// The ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Nok => "NOK",
            Self::Sek => "SEK",
            Self::Dkk => "DKK",
            Self::Eur => "EUR",
        }
    }

    /// The currency with this ISO 4217 code, in upper case. `None` for currencies in which the service cannot charge.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::CODES.into_iter().find(|(_, known)| *known == code).map(|(currency, _)| currency)
    }

    /// The number of decimals of an amount: the exponent of ISO 4217.
    #[must_use]
    pub fn exponent(self) -> u8 {
        match self {
            Self::Nok | Self::Sek | Self::Dkk | Self::Eur => 2,
        }
    }

    /// The number of minor units of one major unit: 100 øre are 1 krone.
    fn minor_per_major(self) -> u64 {
        10_u64.pow(u32::from(self.exponent()))
    }
}

/// An amount in minor units of its currency. Can be zero, as a sum at Nets can; [`Self::parse`] accepts positive amounts only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: u64,
    currency: Currency,
}

impl Money {
    /// The maximum number of digits before the decimal point.
    const MAX_MAJOR_DIGITS: usize = 13;
    /// The maximum number of digits after the decimal point.
    const MAX_DECIMALS: usize = 5;

    /// An amount of minor units.
    #[must_use]
    pub const fn new(minor: u64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Parses an amount in a request: `^(0|[1-9][0-9]{0,12})(\.[0-9]{1,5})?$`, more than zero, with no more decimals than the
    /// currency has, except trailing zeros (payments.md §4.2).
    ///
    /// # Errors
    /// `syntax`, `decimals` or `zero`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, Violation> {
        let (major, decimals) = split(text).ok_or(Violation::new(
            "syntax",
            "must be an amount such as 100.00: at most 13 digits, then optionally a dot and at most 5 digits",
        ))?;
        let significant = decimals.trim_end_matches('0');
        let exponent = usize::from(currency.exponent());
        if significant.len() > exponent {
            return Err(Violation::new(
                "decimals",
                "must not have more decimals than the currency",
            ));
        }
        // At most 13 + 2 digits.
        let digits = major.bytes().chain(significant.bytes());
        let padding = std::iter::repeat_n(b'0', exponent - significant.len());
        let minor =
            digits.chain(padding).fold(0_u64, |minor, digit| minor * 10 + u64::from(digit - b'0'));
        if minor == 0 {
            return Err(Violation::new("zero", "must be more than zero"));
        }
        Ok(Self { minor, currency })
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    fn is_major(digits: &str) -> bool {
        is_digits(digits, Self::MAX_MAJOR_DIGITS) && (digits == "0" || !digits.starts_with('0'))
    }
}

/// The digits before and after the decimal point of an amount with valid syntax.
fn split(text: &str) -> Option<(&str, &str)> {
    match text.split_once('.') {
        Some((major, decimals)) => (Money::is_major(major)
            && is_digits(decimals, Money::MAX_DECIMALS))
        .then_some((major, decimals)),
        None => Money::is_major(text).then_some((text, "")),
    }
}

fn is_digits(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The amount with all decimals of its currency and without the currency: `100.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.currency.minor_per_major();
        let width = usize::from(self.currency.exponent());
        write!(f, "{}.{:0width$}", self.minor / unit, self.minor % unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<u64, &'static str> {
        Money::parse(text, Currency::Nok).map(Money::minor).map_err(|violation| violation.code)
    }

    #[test]
    fn an_amount_becomes_minor_units() {
        for (text, minor) in [
            ("100.00", 10_000),
            ("100", 10_000),
            ("0.01", 1),
            ("0.1", 10),
            ("0.10", 10),
            ("1.5", 150),
            ("1.50000", 150),
            ("1.23000", 123),
            ("1.00000", 100),
            ("9999999999999.99", 999_999_999_999_999),
        ] {
            assert_eq!(parse(text), Ok(minor), "{text}");
        }
    }

    #[test]
    fn every_invalid_amount_is_refused() {
        for (text, code) in [
            ("0", "zero"),
            ("0.0", "zero"),
            ("0.00", "zero"),
            ("0.00000", "zero"),
            ("0.001", "decimals"),
            ("1.001", "decimals"),
            ("1.00001", "decimals"),
            ("1.000001", "syntax"),
            ("1.000000", "syntax"),
            ("-1", "syntax"),
            ("-0.01", "syntax"),
            ("+1", "syntax"),
            (" 1", "syntax"),
            ("1 ", "syntax"),
            ("1\n", "syntax"),
            ("1e2", "syntax"),
            ("100000000000000", "syntax"),
            ("10000000000000", "syntax"),
            ("10000000000000.00", "syntax"),
            ("18446744073709551616", "syntax"),
            ("01", "syntax"),
            ("00", "syntax"),
            ("00.10", "syntax"),
            (".5", "syntax"),
            ("1.", "syntax"),
            (".", "syntax"),
            ("", "syntax"),
            ("1.2.3", "syntax"),
            ("1.-2", "syntax"),
            ("1,00", "syntax"),
            ("1 000", "syntax"),
            ("1_000", "syntax"),
            ("0x10", "syntax"),
            ("NaN", "syntax"),
            ("inf", "syntax"),
            ("１００", "syntax"),
            ("1.０0", "syntax"),
            ("١", "syntax"),
            ("100.00 NOK", "syntax"),
            ("1\u{0}", "syntax"),
        ] {
            assert_eq!(parse(text), Err(code), "{text:?}");
        }
    }

    #[test]
    fn an_amount_is_written_with_all_decimals_of_its_currency() {
        for (minor, text) in
            [(0, "0.00"), (1, "0.01"), (10, "0.10"), (123, "1.23"), (10_000, "100.00")]
        {
            assert_eq!(Money::new(minor, Currency::Sek).to_string(), text);
        }
        assert_eq!(Money::new(u64::MAX, Currency::Eur).to_string(), "184467440737095516.15");
    }

    #[test]
    fn currencies_have_codes_and_two_decimals() {
        for (currency, code) in Currency::CODES {
            assert_eq!((currency.code(), Currency::from_code(code)), (code, Some(currency)));
            assert_eq!(currency.exponent(), 2);
            assert_eq!(Money::parse("1", currency), Ok(Money::new(100, currency)));
        }
        for unknown in ["nok", "USD", "JPY", "BHD", "", "NOK "] {
            assert_eq!(Currency::from_code(unknown), None, "{unknown:?}");
        }
        assert_ne!(Money::new(1, Currency::Nok), Money::new(1, Currency::Sek));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_amount_keeps_its_value_when_it_is_written_and_parsed(minor in 1..1_000_000_000_000_000_u64, zeros in 0..=3_usize) {
            let amount = Money::new(minor, Currency::Dkk);
            let text = format!("{amount}{}", "0".repeat(zeros));
            prop_assert_eq!(Money::parse(&text, Currency::Dkk), Ok(amount));
        }

        /// The reference reads the value as a number of 10^-5 units, independently of the parser.
        #[test]
        fn a_text_is_an_amount_only_if_it_has_the_documented_form(text in "[0-9+. e０-]{0,18}") {
            let (major, decimals) = text.split_once('.').unwrap_or((&text, "0"));
            let all_digits = |part: &str| !part.is_empty() && part.chars().all(|c| "0123456789".contains(c));
            let fits = all_digits(major) && all_digits(decimals) && major.len() <= 13 && decimals.len() <= 5
                && (major.len() == 1 || !major.starts_with('0'));
            let value = fits.then(|| format!("{major}{decimals:0<5}").parse::<u64>().unwrap());
            let expected = value.filter(|value| *value > 0 && value % 1_000 == 0).map(|value| value / 1_000);
            prop_assert_eq!(parse(&text).ok(), expected, "{:?}", text);
        }
    }
}
