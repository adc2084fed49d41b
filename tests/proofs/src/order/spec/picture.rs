//! What callers are shown of a wallet: §2 and §4 of the contract.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Card, Payment, Reason, State, Wallet};

/// An answer that the contract wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A success: its status, its whole body, and where the new thing is.
    Done(u16, Value, Option<String>),
    /// A terminal: everything but its address, which is Nets'.
    Terminal(Value),
    /// A refusal.
    Refused(Problem),
}

/// A refusal: its status, the end of its `type`, and its `errorReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What follows `urn:problem-type:recurring-payments:`.
    pub kind: &'static str,
    /// `REFUSED_BY_ISSUER`, `RESOURCE_BUSY`, or nothing.
    pub reason: Option<&'static str>,
}

impl Problem {
    /// A refusal without a reason of Entur's.
    #[must_use]
    pub const fn new(status: u16, kind: &'static str) -> Self {
        Self { status, kind, reason: None }
    }
}

/// RFC 3339 with milliseconds and `Z`.
pub(super) fn instant(milliseconds: i64) -> String {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// First instant after a month, `2027-03`, in milliseconds.
pub(super) fn end_of(month: &str) -> i64 {
    let (year, month) = month.split_once('-').unwrap_or_default();
    let (year, month) = (year.parse().unwrap_or_default(), month.parse::<i8>().unwrap_or_default());
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = jiff::civil::Date::new(year, month, 1).unwrap_or_default();
    let midnight = first.to_zoned(jiff::tz::TimeZone::UTC);
    midnight.map(|midnight| midnight.timestamp().as_millisecond()).unwrap_or_default()
}

impl Payment {
    fn status(&self) -> &'static str {
        match self.state {
            State::Created(_) => "CREATED",
            State::Active(_) => "ACTIVE",
            State::Expired(_) => "EXPIRED",
            State::Cancelled(..) => "CANCELLED",
        }
    }

    pub(super) fn card(&self) -> Option<&Card> {
        match &self.state {
            State::Created(_) => None,
            State::Active(card) | State::Expired(card) => Some(card),
            State::Cancelled(_, _, card) => card.as_ref(),
        }
    }
}

impl Wallet {
    /// One recurring payment, as it is shown.
    pub(super) fn shown(&self, payment: &Payment) -> Value {
        let mut shown = self.as_created(payment, self.primary() == Some(payment.place));
        shown.insert("recurringStatus".to_owned(), payment.status().into());
        if let State::Cancelled(reason, ..) = payment.state {
            let word = match reason {
                Reason::Ended => "ENDED",
                Reason::Abandoned => "ABANDONED",
            };
            shown.insert("statusReason".to_owned(), word.into());
        }
        if let Some(card) = payment.card() {
            let more = json!({
                "paymentType": card.kind,
                "maskedPan": card.last_four,
                "expiresAt": instant(card.expires_at),
                "cardExpiresAt": instant(end_of(&card.expiry)),
                "cardExpiry": card.expiry,
            });
            shown.extend(more.as_object().cloned().unwrap_or_default());
        }
        Value::Object(shown)
    }

    /// As it was shown when it was new.
    pub(super) fn as_created(&self, payment: &Payment, primary: bool) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("recurringPaymentId".to_owned(), self.id(payment.place).into());
        shown.insert("primary".to_owned(), primary.into());
        shown.insert("recurringStatus".to_owned(), "CREATED".into());
        if let Some(nickname) = &payment.nickname {
            shown.insert("nickname".to_owned(), nickname.as_str().into());
        }
        shown.insert("createdAt".to_owned(), instant(payment.created_at).into());
        shown
    }

    /// All that are CREATED or ACTIVE, and the EXPIRED ones if they are asked for, oldest first.
    pub(super) fn listed(&self, include_expired: bool) -> Value {
        let shown = |payment: &&Payment| match payment.state {
            State::Created(_) | State::Active(_) => true,
            State::Expired(_) => include_expired,
            State::Cancelled(..) => false,
        };
        self.payments.iter().filter(shown).map(|payment| self.shown(payment)).collect()
    }
}
