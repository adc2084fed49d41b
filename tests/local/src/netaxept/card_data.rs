//! Card data that do not come from the terminal page: posted by a merchant's page, or sent with Register.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Parameters;
use super::transaction::Card;

/// Parses `pan`, `expiryDate` (`MMYY`) and `securityCode`. Where the security code is not required, three or four digits are
/// accepted for every card.
///
/// # Errors
/// Returns `Field:Error` for each field that is not valid, joined by commas.
pub(super) fn parse(
    parameters: &Parameters,
    is_code_required: bool,
    now: Timestamp,
) -> Result<Card, String> {
    let value = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let (number, expiry, code) = (value("pan"), value("expirydate"), value("securitycode"));
    let split = expiry.char_indices().nth(2).map_or(expiry.len(), |(place, _)| place);
    let (month, year) = expiry.split_at(split);
    let lengths = if is_code_required { code_lengths(number) } else { 3..=4 };
    let errors = [
        ("Cardnumber", number_error(number)),
        ("ExpiryMonth", month_error(month)),
        ("ExpiryYear", year_error(year, month, now)),
        (
            "SecurityCode",
            code_error(code, lengths).filter(|_| is_code_required || !code.is_empty()),
        ),
    ];
    let errors: Vec<String> = errors
        .iter()
        .filter_map(|(field, error)| error.map(|error| format!("{field}:{error}")))
        .collect();
    if errors.is_empty() {
        Ok(Card::new(number, format!("{year}{month}")))
    } else {
        Err(errors.join(","))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number_error(number: &str) -> Option<&'static str> {
    match number.len() {
        0 => Some("Required"),
        _ if !is_digits(number) => Some("ContainsIllegalCharacters"),
        1..13 => Some("TooFewDigits"),
        20.. => Some("TooManyDigits"),
        _ => (!has_check_digit(number)).then_some("HasWrongCheckDigit"),
    }
}

fn month_error(month: &str) -> Option<&'static str> {
    match month.len() {
        0 => Some("Required"),
        _ if !is_digits(month) => Some("ContainsIllegalCharacters"),
        2 => (!("01"..="12").contains(&month)).then_some("IllegalValue"),
        _ => Some("IllegalLength"),
    }
}

fn year_error(year: &str, month: &str, now: Timestamp) -> Option<&'static str> {
    match year.len() {
        0 => Some("Required"),
        _ if !is_digits(year) => Some("ContainsIllegalCharacters"),
        2 => is_expired(&format!("{year}{month}"), now).then_some("ExpiredCard"),
        _ => Some("IllegalLength"),
    }
}

/// Whether a card with an expiry date `YYMM` has expired. A card is valid until the end of its month, in UTC.
pub(super) fn is_expired(year_month: &str, now: Timestamp) -> bool {
    year_month < now.to_zoned(TimeZone::UTC).strftime("%y%m").to_string().as_str()
}

/// Returns the number of digits that the security code of a card has.
fn code_lengths(number: &str) -> RangeInclusive<usize> {
    if number.starts_with('3') { 4..=4 } else { 3..=3 }
}

fn code_error(code: &str, lengths: RangeInclusive<usize>) -> Option<&'static str> {
    match code.len() {
        0 => Some("Required"),
        _ if !is_digits(code) => Some("ContainsIllegalCharacters"),
        length if length < *lengths.start() => Some("TooFewDigits"),
        length if length > *lengths.end() => Some("TooManyDigits"),
        _ => None,
    }
}

/// Whether the last digit is the correct check digit (Luhn).
pub(super) fn has_check_digit(number: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0')).enumerate();
    let sum: u32 =
        digits.map(|(place, digit)| if place % 2 == 1 { doubled(digit) } else { digit }).sum();
    sum.is_multiple_of(10)
}
