//! Card data that come without the page: posted to the terminal by a merchant's own page, or given to Register.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Parameters;
use super::transaction::Card;

/// The card in `pan`, `expiryDate` (`MMYY`) and `securityCode`, or what is wrong with it: `Field:Error`, joined by commas. Where
/// the security code is not needed, three or four digits are accepted for every card.
pub(super) fn card(
    parameters: &Parameters,
    needs_code: bool,
    now: Timestamp,
) -> Result<Card, String> {
    let given = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let (number, expiry, code) = (given("pan"), given("expirydate"), given("securitycode"));
    let split = expiry.char_indices().nth(2).map_or(expiry.len(), |(place, _)| place);
    let (month, year) = expiry.split_at(split);
    let lengths = if needs_code { code_lengths(number) } else { 3..=4 };
    let faults = [
        ("Cardnumber", number_fault(number)),
        ("ExpiryMonth", month_fault(month)),
        ("ExpiryYear", year_fault(year, month, now)),
        ("SecurityCode", code_fault(code, lengths).filter(|_| needs_code || !code.is_empty())),
    ];
    let faults: Vec<String> = faults
        .iter()
        .filter_map(|(field, fault)| fault.map(|fault| format!("{field}:{fault}")))
        .collect();
    if faults.is_empty() {
        Ok(Card::new(number, format!("{year}{month}")))
    } else {
        Err(faults.join(","))
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number_fault(number: &str) -> Option<&'static str> {
    match number.len() {
        0 => Some("Required"),
        _ if !is_number(number) => Some("ContainsIllegalCharacters"),
        1..13 => Some("TooFewDigits"),
        20.. => Some("TooManyDigits"),
        _ => (!has_check_digit(number)).then_some("HasWrongCheckDigit"),
    }
}

fn month_fault(month: &str) -> Option<&'static str> {
    match month.len() {
        0 => Some("Required"),
        _ if !is_number(month) => Some("ContainsIllegalCharacters"),
        2 => (!("01"..="12").contains(&month)).then_some("IllegalValue"),
        _ => Some("IllegalLength"),
    }
}

fn year_fault(year: &str, month: &str, now: Timestamp) -> Option<&'static str> {
    match year.len() {
        0 => Some("Required"),
        _ if !is_number(year) => Some("ContainsIllegalCharacters"),
        2 => {
            let this_month = now.to_zoned(TimeZone::UTC).strftime("%y%m").to_string();
            (format!("{year}{month}") < this_month).then_some("ExpiredCard")
        }
        _ => Some("IllegalLength"),
    }
}

/// How many digits the security code of a card has.
fn code_lengths(number: &str) -> RangeInclusive<usize> {
    if number.starts_with('3') { 4..=4 } else { 3..=3 }
}

fn code_fault(code: &str, lengths: RangeInclusive<usize>) -> Option<&'static str> {
    match code.len() {
        0 => Some("Required"),
        _ if !is_number(code) => Some("ContainsIllegalCharacters"),
        length if length < *lengths.start() => Some("TooFewDigits"),
        length if length > *lengths.end() => Some("TooManyDigits"),
        _ => None,
    }
}

/// Whether the last digit is the one that the others ask for (Luhn).
pub(super) fn has_check_digit(number: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0')).enumerate();
    let sum: u32 =
        digits.map(|(place, digit)| if place % 2 == 1 { doubled(digit) } else { digit }).sum();
    sum.is_multiple_of(10)
}
