//! What is known of a stored card. Never its number.

use std::fmt;

use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};

use crate::secret::Secret;

/// The last four digits of a card's number: all that anybody ever sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LastFour(String);

impl LastFour {
    /// The last four characters of a masked number such as `492500******0004`, if they are digits.
    #[must_use]
    pub fn of_masked(masked: &str) -> Option<Self> {
        let start = masked.len().checked_sub(4)?;
        let last = masked.get(start..)?;
        last.bytes().all(|byte| byte.is_ascii_digit()).then(|| Self(last.to_owned()))
    }

    /// The four digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The month that is printed on a card: it is good to the month's end. A month, not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardExpiry(NaiveDate);

impl CardExpiry {
    /// Year (2000 to 2999) and month (1 to 12).
    #[must_use]
    pub fn new(year: i32, month: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, 1).filter(|_| (2000..3000).contains(&year)).map(Self)
    }

    /// First instant at which the card is no longer good: the first of the next month, UTC.
    #[must_use]
    pub fn ends_at(self) -> DateTime<Utc> {
        // Adding a month to a year below 3000 stays far within chrono's range.
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        next.and_time(NaiveTime::MIN).and_utc()
    }
}

impl fmt::Display for CardExpiry {
    /// `2027-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m").fmt(f)
    }
}

impl std::str::FromStr for CardExpiry {
    type Err = chrono::ParseError;

    /// From `2027-03`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map(Self)
    }
}

/// The kinds of card that callers are told apart. `Unknown` is the fallback for a name of Nets' that we have never met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PaymentType {
    Visa,
    Mastercard,
    Amex,
    BankAxept,
    Diners,
    Maestro,
    Jcb,
    Dankort,
    Unknown,
}

impl PaymentType {
    /// Every kind with the name that callers see.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::Visa, "VISA"),
        (Self::Mastercard, "MASTERCARD"),
        (Self::Amex, "AMEX"),
        (Self::BankAxept, "BANKAXEPT"),
        (Self::Diners, "DINERS"),
        (Self::Maestro, "MAESTRO"),
        (Self::Jcb, "JCB"),
        (Self::Dankort, "DANKORT"),
        (Self::Unknown, "UNKNOWN"),
    ];

    /// The name that callers see.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(kind, _)| *kind == self).map_or("UNKNOWN", |(_, name)| name)
    }

    /// The kind of a name; `Unknown` for one that a later version wrote.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::NAMES
            .into_iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Unknown, |(kind, _)| kind)
    }
}

/// What is shown of a card.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Card {
    /// What kind it is.
    pub payment_type: PaymentType,
    /// The end of its number.
    pub last_four: LastFour,
    /// The month printed on it.
    pub expiry: CardExpiry,
}

impl Card {
    /// Whether its month is over.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expiry.ends_at() <= now
    }
}

/// A card that Nets verified, with what Nets calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifiedCard {
    /// What is shown of it.
    pub card: Card,
    /// Nets' name for it, with which it is charged; exists only while the recurring payment is ACTIVE.
    pub pan_hash: Secret,
}

/// A card that was stored, from its activation on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registration {
    /// What is shown of the card.
    pub card: Card,
    /// When it was activated.
    pub activated_at: DateTime<Utc>,
    /// First instant at which it is no longer valid; never after the card's own end.
    pub expires_at: DateTime<Utc>,
}

impl Registration {
    /// Rule 9: valid until the card ends or the registration's lifetime is over, whichever is first.
    #[must_use]
    pub fn new(card: Card, activated_at: DateTime<Utc>, lifetime: Months) -> Self {
        let lifetime_ends =
            activated_at.checked_add_months(lifetime).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let expires_at = card.expiry.ends_at().min(lifetime_ends);
        Self { card, activated_at, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_is_good_to_the_end_of_its_month() {
        for (year, month, end) in [
            (2027, 3, "2027-04-01T00:00:00Z"),
            (2026, 12, "2027-01-01T00:00:00Z"),
            (2028, 2, "2028-03-01T00:00:00Z"),
        ] {
            let expiry = CardExpiry::new(year, month).unwrap();
            assert_eq!(expiry.ends_at(), instant(end));
            assert_eq!(expiry.to_string().parse(), Ok(expiry));
        }
        for (year, month) in [(2027, 0), (2027, 13), (1999, 1), (3000, 1)] {
            assert_eq!(CardExpiry::new(year, month), None);
        }
    }

    #[test]
    fn only_digits_are_shown() {
        assert_eq!(LastFour::of_masked("492500******0004").unwrap().as_str(), "0004");
        for wrong in ["", "123", "49250000******", "æ04", "00*4"] {
            assert_eq!(LastFour::of_masked(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_go_both_ways() {
        for (kind, name) in PaymentType::NAMES {
            assert_eq!((kind.name(), PaymentType::named(name)), (name, kind));
        }
    }

    #[test]
    fn the_registration_ends_with_the_card_or_its_lifetime() {
        let registration = |expiry| {
            let card = Card {
                payment_type: PaymentType::Visa,
                last_four: LastFour("0004".to_owned()),
                expiry,
            };
            Registration::new(card, instant("2026-11-23T10:00:00Z"), Months::new(36)).expires_at
        };
        assert_eq!(
            registration(CardExpiry::new(2027, 3).unwrap()),
            instant("2027-04-01T00:00:00Z")
        );
        assert_eq!(
            registration(CardExpiry::new(2029, 10).unwrap()),
            instant("2029-11-01T00:00:00Z")
        );
        assert_eq!(
            registration(CardExpiry::new(2029, 11).unwrap()),
            instant("2029-11-23T10:00:00Z")
        );
    }
}
