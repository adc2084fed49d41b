//! The data of a stored card. The card number is never part of it.

use std::fmt;

use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};

use crate::secret::Secret;

/// The last four digits of a card number. Callers never see more of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LastFour(String);

impl LastFour {
    /// Takes the last four characters of a masked number such as `492500******0004`. `None` if they are not four digits.
    #[must_use]
    pub fn from_masked(masked: &str) -> Option<Self> {
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

/// The expiry month that is printed on a card. The card is valid until the end of that month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardExpiry(NaiveDate);

impl CardExpiry {
    /// Year 2000 to 2999 and month 1 to 12. `None` for other values.
    #[must_use]
    pub fn new(year: i32, month: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, 1).filter(|_| (2000..3000).contains(&year)).map(Self)
    }

    /// The first instant at which the card is no longer valid: the start of the next month, UTC.
    #[must_use]
    pub fn ends_at(self) -> DateTime<Utc> {
        // Cannot overflow: the year is below 3000.
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        next.and_time(NaiveTime::MIN).and_utc()
    }
}

impl fmt::Display for CardExpiry {
    /// Formats as `2027-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m").fmt(f)
    }
}

impl std::str::FromStr for CardExpiry {
    type Err = chrono::ParseError;

    /// Parses `2027-03`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map(Self)
    }
}

/// The card schemes that the API distinguishes. `Unknown` is the fallback for other names that Nets sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the schemes' names")]
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
    /// Every card scheme with its name in the API.
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

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(kind, _)| *kind == self).map_or("UNKNOWN", |(_, name)| name)
    }

    /// The card scheme with this name in the API. `Unknown` for a name that only a later version knows.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::NAMES
            .into_iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Unknown, |(kind, _)| kind)
    }
}

/// The card data that callers see.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Card {
    /// The card scheme.
    pub payment_type: PaymentType,
    /// The last four digits of the card number.
    pub last_four: LastFour,
    /// The expiry month printed on the card.
    pub expiry: CardExpiry,
}

impl Card {
    /// Returns whether the expiry month is over.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expiry.ends_at() <= now
    }
}

/// A card that Nets verified, with Nets' token for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifiedCard {
    /// The card data that callers see.
    pub card: Card,
    /// Nets' token for charging the card. It exists only while the recurring payment is ACTIVE.
    pub pan_hash: Secret,
}

/// A stored card and its period of validity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The card data that callers see.
    pub card: Card,
    /// When it was activated.
    pub activated_at: DateTime<Utc>,
    /// The first instant at which it is no longer valid. Never later than the expiry of the card.
    pub expires_at: DateTime<Utc>,
    /// Whether the customer stored the card at a terminal with `MIT_UCOF`, and so agreed to charges by the merchant.
    pub allows_merchant_initiated: bool,
}

impl Registration {
    /// A registration that is valid until the card expires or `lifetime` is over, whichever is earlier (rule 9).
    #[must_use]
    pub fn new(
        card: Card,
        activated_at: DateTime<Utc>,
        lifetime: Months,
        allows_merchant_initiated: bool,
    ) -> Self {
        let lifetime_ends =
            activated_at.checked_add_months(lifetime).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let expires_at = card.expiry.ends_at().min(lifetime_ends);
        Self { card, activated_at, expires_at, allows_merchant_initiated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_is_valid_until_the_end_of_its_month() {
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
    fn last_four_accepts_only_digits() {
        assert_eq!(LastFour::from_masked("492500******0004").unwrap().as_str(), "0004");
        for wrong in ["", "123", "49250000******", "æ04", "00*4"] {
            assert_eq!(LastFour::from_masked(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_name_parses_to_its_payment_type() {
        for (kind, name) in PaymentType::NAMES {
            assert_eq!((kind.name(), PaymentType::from_name(name)), (name, kind));
        }
    }

    #[test]
    fn a_registration_expires_with_the_card_or_after_its_lifetime() {
        let registration = |expiry| {
            let card = Card {
                payment_type: PaymentType::Visa,
                last_four: LastFour("0004".to_owned()),
                expiry,
            };
            let activated_at = instant("2026-11-23T10:00:00Z");
            Registration::new(card, activated_at, Months::new(36), false).expires_at
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
