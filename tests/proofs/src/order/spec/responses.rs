//! The representation of a wallet in responses: §2 and §4 of api.md.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Card, Payment, Reason, State, Wallet};

/// The response that the contract requires.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A success: status, whole body, and `Location`.
    Success(u16, Value, Option<String>),
    /// A new terminal: the body without `terminalUri`, which contains Nets' address.
    Terminal(Value),
    /// A problem.
    Refused(Problem),
}

/// A problem response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The last part of `type`, after `urn:problem-type:recurring-payments:`.
    pub kind: &'static str,
    /// The `errorReason`, if any.
    pub reason: Option<&'static str>,
}

impl Problem {
    /// A problem without an `errorReason`.
    #[must_use]
    pub const fn new(status: u16, kind: &'static str) -> Self {
        Self { status, kind, reason: None }
    }
}

/// Formats an instant: RFC 3339 with milliseconds and `Z`.
#[must_use]
pub fn instant(milliseconds: i64) -> String {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The first instant after a month (`2027-03`), in milliseconds.
pub(super) fn end_of(month: &str) -> i64 {
    let (year, month) = month.split_once('-').unwrap_or_default();
    let (year, month) = (year.parse().unwrap_or_default(), month.parse::<i8>().unwrap_or_default());
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = jiff::civil::Date::new(year, month, 1).unwrap_or_default();
    let midnight = first.to_zoned(jiff::tz::TimeZone::UTC);
    midnight.map(|midnight| midnight.timestamp().as_millisecond()).unwrap_or_default()
}

impl Payment {
    pub(super) fn status(&self) -> &'static str {
        match self.state {
            State::Created(_) => "CREATED",
            State::Active(_) => "ACTIVE",
            State::Expired(_) => "EXPIRED",
            State::Cancelled(..) => "CANCELLED",
        }
    }

    /// The card, if it has one.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        match &self.state {
            State::Created(_) => None,
            State::Active(card) | State::Expired(card) => Some(card),
            State::Cancelled(_, _, card) => card.as_ref(),
        }
    }
}

impl Wallet {
    /// The representation of a recurring payment.
    pub(super) fn representation(&self, payment: &Payment) -> Value {
        let mut members =
            self.representation_at_creation(payment, self.primary() == Some(payment.sequence));
        members.insert("recurringStatus".to_owned(), payment.status().into());
        if let State::Cancelled(reason, ..) = payment.state {
            let text = match reason {
                Reason::Ended => "ENDED",
                Reason::Abandoned => "ABANDONED",
            };
            members.insert("statusReason".to_owned(), text.into());
        }
        if let Some(card) = payment.card() {
            let card_members = json!({
                "paymentType": card.kind,
                "maskedPan": card.last_four,
                "expiresAt": instant(card.expires_at),
                "cardExpiresAt": instant(end_of(&card.expiry)),
                "cardExpiry": card.expiry,
            });
            members.extend(card_members.as_object().cloned().unwrap_or_default());
        }
        Value::Object(members)
    }

    /// The representation in the response to its creation.
    pub(super) fn representation_at_creation(
        &self,
        payment: &Payment,
        primary: bool,
    ) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("recurringPaymentId".to_owned(), self.id(payment.sequence).into());
        members.insert("primary".to_owned(), primary.into());
        members.insert("recurringStatus".to_owned(), "CREATED".into());
        if let Some(nickname) = &payment.nickname {
            members.insert("nickname".to_owned(), nickname.as_str().into());
        }
        members.insert("createdAt".to_owned(), instant(payment.created_at).into());
        members
    }

    /// The response of a list: CREATED and ACTIVE recurring payments, and EXPIRED ones on request, oldest first.
    pub(super) fn list(&self, include_expired: bool) -> Value {
        let is_listed = |payment: &&Payment| match payment.state {
            State::Created(_) | State::Active(_) => true,
            State::Expired(_) => include_expired,
            State::Cancelled(..) => false,
        };
        self.payments.iter().filter(is_listed).map(|payment| self.representation(payment)).collect()
    }
}
