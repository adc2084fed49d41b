//! The input of the card form, and its validation.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::netaxept::Parameters;
use crate::netaxept::card_data::has_check_digit;
use crate::netaxept::transaction::{Card, numbers};

/// The test cards of the page, in the order of their names in [`super::texts::TestTools`].
pub(super) const TEST_CARDS: [&str; 10] = [
    "4925000000000004",
    "5413000000000000",
    "378282246310005",
    numbers::DECLINED,
    numbers::CAPTURE_FAILS,
    numbers::THREE_D_SECURE,
    numbers::VISA_AUTHENTICATION,
    numbers::MASTERCARD_AUTHENTICATION,
    numbers::PERMANENT_BLOCK,
    numbers::TEMPORARY_BLOCK,
];

/// An error in a field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldError {
    NoNumber,
    NumberWithLetters,
    WrongNumber,
    NoMonth,
    NoYear,
    WrongExpiry,
    NoCode,
    WrongCode,
}

impl FieldError {
    /// Returns the id of the field that has the error.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::NoNumber | Self::NumberWithLetters | Self::WrongNumber => "cardNo",
            Self::NoMonth | Self::WrongExpiry => "month",
            Self::NoYear => "year",
            Self::NoCode | Self::WrongCode => "securityCode",
        }
    }
}

/// The values of the fields, valid or not.
#[derive(Debug, Default)]
pub(super) struct CardInput {
    pub(super) number: String,
    pub(super) month: String,
    pub(super) year: String,
    pub(super) code: String,
}

impl CardInput {
    /// Reads the fields of a form. Removes spaces and hyphens between the digits of the card number.
    pub(super) fn from_form(form: &Parameters) -> Self {
        let value =
            |name: &str| form.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            number: value("cardno").replace([' ', '-', '\u{a0}'], ""),
            month: value("month"),
            year: value("year"),
            code: value("securitycode"),
        }
    }

    /// Returns the input for a test card, with an expiry date in three years. Returns `None` for other numbers.
    pub(super) fn test_card(number: &str, now: Timestamp) -> Option<Self> {
        let number = TEST_CARDS.into_iter().find(|test_card| *test_card == number)?;
        let year = (this_month(now).0 + 3) % 100;
        let code = "1234"[..code_digits(number)].to_owned();
        Some(Self {
            number: number.to_owned(),
            month: "12".to_owned(),
            year: format!("{year:02}"),
            code,
        })
    }

    /// Validates the input and returns the card.
    ///
    /// # Errors
    /// Returns all errors, in the order of the fields.
    pub(super) fn card(&self, now: Timestamp) -> Result<Card, Vec<FieldError>> {
        let [month, year] = self.expiry_errors(now);
        let errors = [self.number_error(), month, year, self.code_error(&self.number)];
        let errors: Vec<FieldError> = errors.into_iter().flatten().collect();
        if errors.is_empty() {
            Ok(Card::new(&self.number, format!("{}{}", self.year, self.month)))
        } else {
            Err(errors)
        }
    }

    /// Returns a card that is declined later: the entered card if it is valid, otherwise the declined test card.
    pub(super) fn declined_card(&self, now: Timestamp) -> Card {
        let test_card =
            || Self::test_card(numbers::DECLINED, now).and_then(|input| input.card(now).ok());
        let card = self.card(now).ok().or_else(test_card);
        Card {
            is_declined: true,
            ..card.unwrap_or_else(|| Card::new(numbers::DECLINED, "9912".to_owned()))
        }
    }

    /// Returns the entered card, or another one if it is not valid, which the issuer declines until the customer has passed 3-D
    /// Secure.
    pub(super) fn unauthenticated_card(&self, now: Timestamp) -> Card {
        let card = self.card(now).ok();
        let other = || Card::new(numbers::VISA_AUTHENTICATION, "9912".to_owned());
        Card { requires_authentication: true, ..card.unwrap_or_else(other) }
    }

    /// Whether the card always has a 3-D Secure step.
    pub(super) fn has_3d_secure(&self) -> bool {
        self.number == numbers::THREE_D_SECURE
    }

    fn number_error(&self) -> Option<FieldError> {
        match self.number.as_str() {
            "" => Some(FieldError::NoNumber),
            number if !is_digits(number) => Some(FieldError::NumberWithLetters),
            number => (!is_card_number(number)).then_some(FieldError::WrongNumber),
        }
    }

    /// Returns the errors of the month and of the year.
    fn expiry_errors(&self, now: Timestamp) -> [Option<FieldError>; 2] {
        let (has_month, has_year) = (!self.month.is_empty(), !self.year.is_empty());
        if has_month && has_year && !is_current_or_future(&self.month, &self.year, now) {
            return [Some(FieldError::WrongExpiry), None];
        }
        [(!has_month).then_some(FieldError::NoMonth), (!has_year).then_some(FieldError::NoYear)]
    }

    /// Returns the error of the security code, for a card with this number.
    pub(super) fn code_error(&self, number: &str) -> Option<FieldError> {
        match self.code.as_str() {
            "" => Some(FieldError::NoCode),
            code => (!is_digits(code) || code.len() != code_digits(number))
                .then_some(FieldError::WrongCode),
        }
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the length of the security code: four digits for American Express, otherwise three.
fn code_digits(number: &str) -> usize {
    if number.starts_with('3') { 4 } else { 3 }
}

/// Whether the number has a valid length, a first digit of a card network, and the correct check digit (Luhn).
fn is_card_number(number: &str) -> bool {
    (13..=19).contains(&number.len())
        && number.starts_with(['2', '3', '4', '5', '6'])
        && has_check_digit(number)
}

/// Whether an expiry month is the current month or later. A card is valid until the end of its month.
fn is_current_or_future(month: &str, year: &str, now: Timestamp) -> bool {
    let number = |text: &str| {
        (text.len() == 2 && is_digits(text)).then(|| text.parse::<i16>().ok()).flatten()
    };
    let (Some(month), Some(year)) = (number(month), number(year)) else { return false };
    (1..=12).contains(&month) && (2000 + year, month) >= this_month(now)
}

/// Returns the current year and month, in UTC.
pub(super) fn this_month(now: Timestamp) -> (i16, i16) {
    let today = now.to_zoned(TimeZone::UTC).date();
    (today.year(), i16::from(today.month()))
}
