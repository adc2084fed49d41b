//! Amounts and times in the customer's language. Amounts are decimal texts and integers, never floating-point numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::texts::Texts;

/// Formats an amount of the API, such as `1234.50`, with no-break spaces.
pub(super) fn money(texts: &Texts, amount: &str, currency: &str) -> String {
    let (units, decimals) = amount.split_once('.').unwrap_or((amount, "00"));
    let (separator, point) = if texts.has_decimal_comma { ('\u{a0}', ',') } else { (',', '.') };
    let mut grouped = String::new();
    for (place, digit) in units.char_indices() {
        if place > 0 && (units.len() - place).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    match (texts.has_decimal_comma, currency) {
        (true, "NOK") => format!("{grouped}{point}{decimals}\u{a0}kr"),
        (true, _) => format!("{grouped}{point}{decimals}\u{a0}{currency}"),
        (false, _) => format!("{currency}\u{a0}{grouped}{point}{decimals}"),
    }
}

/// Reads an amount in minor units: an amount of the API, or what a customer wrote, such as `49,5`. At most nine digits before
/// the decimal comma or point, and two after it.
pub(super) fn minor_units(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches("kr").trim_end();
    let (units, decimals) = text.split_once([',', '.']).unwrap_or((text, "0"));
    let is_number = |digits: &str, max| {
        (1..=max).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(units, 9) || !is_number(decimals, 2) {
        return None;
    }
    format!("{units}{decimals:0<2}").parse().ok()
}

/// An amount in minor units as the API expects it.
pub(super) fn decimal(minor_units: u64) -> String {
    format!("{}.{:02}", minor_units / 100, minor_units % 100)
}

/// Formats an instant of the API in Norwegian time.
pub(super) fn time(texts: &Texts, instant: &str) -> String {
    instant.parse().map_or_else(|_| instant.to_owned(), |instant| local_time(texts, instant))
}

/// Formats an instant in Norwegian time.
pub(super) fn local_time(texts: &Texts, instant: Timestamp) -> String {
    let time = instant.to_zoned(TimeZone::get("Europe/Oslo").unwrap_or(TimeZone::UTC));
    let month = usize::try_from(time.month() - 1).ok().and_then(|month| texts.months.get(month));
    let (day, month, year) = (time.day(), month.copied().unwrap_or_default(), time.year());
    let (hour, minute) = (time.hour(), time.minute());
    if texts.has_decimal_comma {
        format!("{day}. {month} {year} kl. {hour:02}.{minute:02}")
    } else {
        format!("{day} {month} {year}, {hour:02}:{minute:02}")
    }
}

/// Formats the month of expiry of a card, `2027-03`, as it is printed on the card.
pub(super) fn card_expiry(month: &str) -> String {
    match month.split_once('-') {
        Some((year, month)) if year.len() == 4 => format!("{month}/{}", &year[2..]),
        Some(_) | None => month.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::texts::LANGUAGES;
    use super::*;

    #[test]
    fn amounts_and_times_have_the_form_of_the_language() {
        let [nb, nn, en] = LANGUAGES;
        for (amount, norwegian, english) in [
            ("0.05", "0,05\u{a0}kr", "NOK\u{a0}0.05"),
            ("100.00", "100,00\u{a0}kr", "NOK\u{a0}100.00"),
            ("1234567.80", "1\u{a0}234\u{a0}567,80\u{a0}kr", "NOK\u{a0}1,234,567.80"),
        ] {
            assert_eq!(money(nb, amount, "NOK"), norwegian);
            assert_eq!(money(nn, amount, "NOK"), norwegian);
            assert_eq!(money(en, amount, "NOK"), english);
        }
        assert_eq!(money(nb, "5.00", "SEK"), "5,00\u{a0}SEK");
        let instant = "2026-11-27T23:05:00.000Z";
        assert_eq!(time(nb, instant), "28. november 2026 kl. 00.05");
        assert_eq!(time(en, instant), "28 November 2026, 00:05");
        assert_eq!(time(en, "soon"), "soon");
        assert_eq!((card_expiry("2027-03").as_str(), card_expiry("27").as_str()), ("03/27", "27"));
    }

    #[test]
    fn a_customer_can_write_an_amount_in_several_forms() {
        for (text, minor) in [
            ("50", 5000),
            ("50,5", 5050),
            ("49.50", 4950),
            (" 0,01 kr ", 1),
            ("999999999,99", 99_999_999_999),
        ] {
            assert_eq!(minor_units(text), Some(minor), "{text}");
        }
        for text in ["", "kr", "-5", "1,234", "1 000", "5,", ",5", "1e3", "٣", "1000000000"] {
            assert_eq!(minor_units(text), None, "{text}");
        }
        assert_eq!((decimal(4950), decimal(5)), ("49.50".to_owned(), "0.05".to_owned()));
    }
}
