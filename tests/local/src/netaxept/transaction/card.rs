//! A card, and the test cards.

/// A card that was entered. Only its masked number is stored.
#[derive(Debug, Clone)]
pub(in crate::netaxept) struct Card {
    pub(in crate::netaxept) masked: String,
    pub(in crate::netaxept) method: &'static str,
    pub(in crate::netaxept) issuer_id: &'static str,
    /// `YYMM`, as in Query.
    pub(in crate::netaxept) year_month: String,
    pub(in crate::netaxept) is_declined: bool,
    pub(in crate::netaxept) capture_fails: bool,
    /// Whether the issuer declines the card until the customer has passed 3-D Secure in the same transaction.
    pub(in crate::netaxept) requires_authentication: bool,
    /// The code with which Netaxept blocks payments, but not VERIFY: `PB` (permanent) or `TB` (temporary).
    pub(in crate::netaxept) block: Option<&'static str>,
}

impl Card {
    /// Returns a card with a number that is already validated. Only the first six and the last four digits are stored.
    pub(in crate::netaxept) fn new(number: &str, year_month: String) -> Self {
        let (method, issuer_id) = match number.as_bytes().first() {
            Some(b'5') => ("MasterCard", "4"),
            Some(b'3') => ("AmericanExpress", "2"),
            _ => ("Visa", "3"),
        };
        let is_shown = |place: usize| place < 6 || place + 4 >= number.len();
        let masked = number.chars().enumerate();
        let masked =
            masked.map(|(place, digit)| if is_shown(place) { digit } else { '*' }).collect();
        Self {
            masked,
            method,
            issuer_id,
            year_month,
            is_declined: number == numbers::DECLINED,
            capture_fails: number == numbers::CAPTURE_FAILS,
            requires_authentication: [
                numbers::VISA_AUTHENTICATION,
                numbers::MASTERCARD_AUTHENTICATION,
            ]
            .contains(&number),
            block: match number {
                numbers::PERMANENT_BLOCK => Some("PB"),
                numbers::TEMPORARY_BLOCK => Some("TB"),
                _ => None,
            },
        }
    }
}

/// The numbers of the test cards that are not accepted everywhere. Those without a source are the sandbox's own.
pub(in crate::netaxept) mod numbers {
    /// Declined by every operation, as at Nets.
    pub(in crate::netaxept) const DECLINED: &str = "4925000000000087";
    /// CAPTURE fails, as at Nets.
    pub(in crate::netaxept) const CAPTURE_FAILS: &str = "4925000000000079";
    /// The page has a 3-D Secure step. The card is accepted without it too.
    pub(in crate::netaxept) const THREE_D_SECURE: &str = "4925000000000103";
    /// A Visa that is declined with 1A without 3-D Secure.
    pub(in crate::netaxept) const VISA_AUTHENTICATION: &str = "4925000000000111";
    /// A Mastercard that is declined with 65 without 3-D Secure.
    pub(in crate::netaxept) const MASTERCARD_AUTHENTICATION: &str = "5413000000000018";
    /// Payments are declined with PB.
    pub(in crate::netaxept) const PERMANENT_BLOCK: &str = "4925000000000129";
    /// Payments are declined with TB.
    pub(in crate::netaxept) const TEMPORARY_BLOCK: &str = "4925000000000137";
}
