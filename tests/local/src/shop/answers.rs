//! The answers of the API that the shop reads.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// How long before a card expires the shop tells the customer.
const EXPIRY_NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A recurring payment: to the customer, a stored card.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    #[serde(rename = "recurringPaymentId")]
    pub(super) id: u64,
    pub(super) primary: bool,
    #[serde(rename = "recurringStatus")]
    pub(super) status: CardStatus,
    /// The scheme, such as `VISA`. Absent until ACTIVE, like the next two.
    pub(super) payment_type: Option<String>,
    /// The last four digits.
    pub(super) masked_pan: Option<String>,
    /// The month of expiry, such as `2027-03`.
    #[serde(rename = "cardExpiry")]
    pub(super) expiry: Option<String>,
    /// When the recurring payment expires, RFC 3339.
    pub(super) expires_at: Option<String>,
    /// When the card itself expires, RFC 3339. The recurring payment can expire earlier.
    #[serde(rename = "cardExpiresAt")]
    pub(super) valid_until: Option<String>,
    pub(super) nickname: Option<String>,
    /// Only in the answer of a dry run: the card that would be primary afterwards.
    #[serde(rename = "primaryRecurringPaymentId")]
    pub(super) primary_afterwards: Option<u64>,
}

impl Card {
    /// When the card expires, if it is active.
    pub(super) fn active_until(&self) -> Option<Timestamp> {
        let expires_at = self.expires_at.as_deref().filter(|_| self.status == CardStatus::Active);
        expires_at?.parse().ok()
    }

    /// When the card expires, if it is active and the customer has to be told now.
    pub(super) fn expires_soon(&self, now: Timestamp) -> Option<Timestamp> {
        self.active_until().filter(|at| at.duration_since(now) < EXPIRY_NOTICE)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CardStatus {
    Created,
    Active,
    Expired,
    Cancelled,
}

/// A change in the history of a card.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    /// RFC 3339.
    pub(super) changed_at: String,
    pub(super) actor: Actor,
    /// Absent if the card is new.
    pub(super) status_before: Option<CardStatus>,
    pub(super) status_after: CardStatus,
    pub(super) reason: Reason,
    pub(super) primary_before: Option<u64>,
    pub(super) primary_after: Option<u64>,
}

/// Who changed a card.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub(super) enum Actor {
    /// A request, with its `ET-Client-Name` and `Entur-Distribution-Channel`.
    Client {
        client: Option<String>,
        channel: Option<String>,
    },
    Time,
    Nets,
}

/// Why a card changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Reason {
    First,
    Requested,
    CardStored,
    Ended,
    Expired,
    Abandoned,
    PromotedAfterEnd,
    PromotedAfterExpiry,
    PromotedAfterAbandonment,
    HandedBack,
}

/// The page at Nets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terminal {
    pub(super) terminal_uri: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) payment_id: u64,
    /// Newest first.
    pub(super) transaction_history: Vec<PaymentTransaction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentTransaction {
    pub(super) transaction_id: u64,
    pub(super) status: TransactionStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum TransactionStatus {
    Created,
    Initiated,
    Captured,
    Credited,
    Rejected,
    Cancelled,
}

impl TransactionStatus {
    /// Whether the money was captured, even if it was credited later.
    pub(super) fn is_paid(self) -> bool {
        match self {
            Self::Captured | Self::Credited => true,
            Self::Created | Self::Initiated | Self::Rejected | Self::Cancelled => false,
        }
    }

    /// Whether another transaction is needed to pay the order.
    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Rejected | Self::Cancelled => true,
            Self::Created | Self::Initiated | Self::Captured | Self::Credited => false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    #[serde(rename = "transactionId")]
    pub(super) id: u64,
    /// A decimal number, such as `100.00`.
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) status: TransactionStatus,
    pub(super) payment_type: Option<String>,
    /// The last four digits.
    pub(super) card_number: Option<String>,
    pub(super) summary: Summary,
    #[serde(default)]
    pub(super) operation_log: Vec<Operation>,
}

/// Sums, as decimal numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) credited_amount: String,
    pub(super) remaining_amount_to_credit: String,
}

/// A step of a transaction that succeeded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    /// Such as `CAPTURE`.
    #[serde(rename = "operation")]
    pub(super) name: String,
    pub(super) amount: Option<String>,
    /// RFC 3339.
    pub(super) created_at: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_active_card_with_less_than_30_days_left_expires_soon() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        for (status, expires_at, is_soon) in [
            ("ACTIVE", "2026-12-27T12:00:00.000Z", false),
            ("ACTIVE", "2026-12-27T11:59:59.999Z", true),
            ("ACTIVE", "2026-11-27T12:00:00.001Z", true),
            ("EXPIRED", "2026-12-01T00:00:00.000Z", false),
            ("CANCELLED", "2026-12-01T00:00:00.000Z", false),
        ] {
            let card = json!({
                "recurringPaymentId": 1, "primary": true, "recurringStatus": status, "expiresAt": expires_at
            });
            let card: Card = serde_json::from_value(card).unwrap();
            let expected = is_soon.then(|| expires_at.parse().unwrap());
            assert_eq!(card.expires_soon(now), expected, "{status} {expires_at}");
        }
        let created =
            json!({ "recurringPaymentId": 1, "primary": true, "recurringStatus": "CREATED" });
        let created: Card = serde_json::from_value(created).unwrap();
        assert_eq!(created.expires_soon(now), None);
    }
}
