//! The answers of the API that the shop reads.

use serde::Deserialize;

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
    pub(super) nickname: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CardStatus {
    Created,
    Active,
    Expired,
    Cancelled,
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
