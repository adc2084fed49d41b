//! What is entered into the form: which card it is, or what is wrong with it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::netaxept::Parameters;
use crate::netaxept::posted::has_check_digit;
use crate::netaxept::transaction::Card;

/// The number whose bank asks the customer: Nets' own ones for this are not public.
const AUTHENTICATED: &str = "4925000000000103";

/// The card that the bank declines.
const DECLINED: &str = "4925000000000087";

/// The cards that the page offers, in the order of their names in [`super::words::Tools`].
pub(super) const TEST_CARDS: [&str; 6] = [
    "4925000000000004",
    "5413000000000000",
    "378282246310005",
    DECLINED,
    "4925000000000079",
    AUTHENTICATED,
];

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NoNumber,
    NumberWithLetters,
    WrongNumber,
    NoMonth,
    NoYear,
    WrongExpiry,
    NoCode,
    WrongCode,
}

impl Fault {
    /// The id of its field.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::NoNumber | Self::NumberWithLetters | Self::WrongNumber => "cardNo",
            Self::NoMonth | Self::WrongExpiry => "month",
            Self::NoYear => "year",
            Self::NoCode | Self::WrongCode => "securityCode",
        }
    }
}

/// What the fields hold, right or wrong.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) number: String,
    pub(super) month: String,
    pub(super) year: String,
    pub(super) code: String,
}

impl Entry {
    /// What was sent. Nobody needs the spaces that stand between the digits on a card.
    pub(super) fn of(form: &Parameters) -> Self {
        let given =
            |name: &str| form.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            number: given("cardno").replace([' ', '-', '\u{a0}'], ""),
            month: given("month"),
            year: given("year"),
            code: given("securitycode"),
        }
    }

    /// A test card, with everything that it needs to be good for some years.
    pub(super) fn test_card(number: &str, now: Timestamp) -> Option<Self> {
        let number = TEST_CARDS.into_iter().find(|known| *known == number)?;
        let year = (this_month(now).0 + 3) % 100;
        let code = "1234"[..code_digits(number)].to_owned();
        Some(Self {
            number: number.to_owned(),
            month: "12".to_owned(),
            year: format!("{year:02}"),
            code,
        })
    }

    /// The card, or everything that is wrong, in the order of the fields.
    pub(super) fn card(&self, now: Timestamp) -> Result<Card, Vec<Fault>> {
        let [month, year] = self.expiry_faults(now);
        let faults = [self.number_fault(), month, year, self.code_fault(&self.number)];
        let faults: Vec<Fault> = faults.into_iter().flatten().collect();
        if faults.is_empty() {
            Ok(Card::new(&self.number, format!("{}{}", self.year, self.month)))
        } else {
            Err(faults)
        }
    }

    /// The card that the bank is going to decline: the entered one if it is good, otherwise the test card for this.
    pub(super) fn declined(&self, now: Timestamp) -> Card {
        let usual = || Self::test_card(DECLINED, now).and_then(|entry| entry.card(now).ok());
        let card = self.card(now).ok().or_else(usual);
        Card { declined: true, ..card.unwrap_or_else(|| Card::new(DECLINED, "9912".to_owned())) }
    }

    /// Whether the bank asks the customer before the card counts.
    pub(super) fn is_authenticated(&self) -> bool {
        self.number == AUTHENTICATED
    }

    fn number_fault(&self) -> Option<Fault> {
        match self.number.as_str() {
            "" => Some(Fault::NoNumber),
            number if !is_digits(number) => Some(Fault::NumberWithLetters),
            number => (!is_card_number(number)).then_some(Fault::WrongNumber),
        }
    }

    /// What is wrong with the month, and with the year.
    fn expiry_faults(&self, now: Timestamp) -> [Option<Fault>; 2] {
        let (has_month, has_year) = (!self.month.is_empty(), !self.year.is_empty());
        if has_month && has_year && !is_to_come(&self.month, &self.year, now) {
            return [Some(Fault::WrongExpiry), None];
        }
        [(!has_month).then_some(Fault::NoMonth), (!has_year).then_some(Fault::NoYear)]
    }

    /// What is wrong with the code, for a card of this number.
    pub(super) fn code_fault(&self, number: &str) -> Option<Fault> {
        match self.code.as_str() {
            "" => Some(Fault::NoCode),
            code => {
                (!is_digits(code) || code.len() != code_digits(number)).then_some(Fault::WrongCode)
            }
        }
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// American Express has four digits on its front, everybody else three on the back.
fn code_digits(number: &str) -> usize {
    if number.starts_with('3') { 4 } else { 3 }
}

/// Whether digits are as many as on a card, of one of the networks, with the right check digit (Luhn).
fn is_card_number(number: &str) -> bool {
    (13..=19).contains(&number.len())
        && number.starts_with(['2', '3', '4', '5', '6'])
        && has_check_digit(number)
}

/// Whether a month that a card is good to the end of is this one, or comes later.
fn is_to_come(month: &str, year: &str, now: Timestamp) -> bool {
    let number = |text: &str| {
        (text.len() == 2 && is_digits(text)).then(|| text.parse::<i16>().ok()).flatten()
    };
    let (Some(month), Some(year)) = (number(month), number(year)) else { return false };
    (1..=12).contains(&month) && (2000 + year, month) >= this_month(now)
}

/// Year and month.
pub(super) fn this_month(now: Timestamp) -> (i16, i16) {
    let today = now.to_zoned(TimeZone::UTC).date();
    (today.year(), i16::from(today.month()))
}
