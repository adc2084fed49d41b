//! The JSON bodies of notifications.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::domain::money::Money;
use crate::domain::notification::{
    Event, Notification, PaymentEvent, PaymentEventKind, SetupEvent,
};
use crate::domain::payment::{Payment, Transaction, TransactionStatus};
use crate::domain::text::CallbackUrl;
use crate::error::PaymentRefusal;

/// A notification as it is sent: the same in every attempt, also if the transaction has changed since the event. Only
/// `statusReason` is missing if the transaction has another status by then.
pub struct Message<'a> {
    /// The address that receives it.
    pub(super) to: &'a CallbackUrl,
    /// The notification id.
    pub id: String,
    /// The instant of the event.
    pub occurred_at: DateTime<Utc>,
    facts: Facts<'a>,
}

/// The JSON body: the members that all notifications have, and those of one kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    #[serde(flatten)]
    facts: &'a Facts<'a>,
    occurred_at: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Facts<'a> {
    Setup(SetupFacts),
    Payment(PaymentFacts<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetupFacts {
    r#type: &'static str,
    recurring_payment_id: u64,
    transaction_id: u64,
    recurring_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<&'static str>,
}

/// Amounts are text with the decimals of the currency, as in the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentFacts<'a> {
    r#type: &'static str,
    payment_id: u64,
    transaction_id: u64,
    order_id: &'a str,
    order_version: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'static str>,
    amount: String,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credited_amount: Option<String>,
}

impl<'a> Message<'a> {
    /// The notification about the end of a card setup.
    #[must_use]
    pub fn about_setup(notification: &'a Notification<SetupEvent>) -> Self {
        let SetupEvent { transaction_id, event } = notification.subject;
        let facts = SetupFacts {
            r#type: match event {
                Event::Activated => "recurring-payment.activated",
                Event::Declined | Event::CardExpired => "recurring-payment.declined",
                Event::Abandoned => "recurring-payment.abandoned",
            },
            recurring_payment_id: transaction_id.recurring_payment_id().number(),
            transaction_id: transaction_id.number(),
            recurring_status: event.status().name(),
            error_reason: match event {
                Event::Declined => Some("REFUSED_BY_ISSUER"),
                Event::CardExpired => Some("CARD_EXPIRED"),
                Event::Activated | Event::Abandoned => None,
            },
        };
        Self::new(notification.id(), notification, Facts::Setup(facts))
    }

    /// The notification about a transaction of `payment`.
    ///
    /// # Errors
    /// `NotFound` if the transaction is one of another payment.
    pub fn about_payment(
        payment: &'a Payment,
        notification: &'a Notification<PaymentEvent>,
    ) -> Result<Self, PaymentRefusal> {
        let PaymentEvent { transaction_id, kind } = notification.subject;
        let transaction = payment.transaction(transaction_id)?;
        let (order, amount) = (&payment.contents().order, transaction.charge.amount);
        let status = status(kind, transaction);
        let facts = PaymentFacts {
            r#type: match kind {
                PaymentEventKind::Captured => "payment.captured",
                PaymentEventKind::Rejected => "payment.rejected",
                PaymentEventKind::Cancelled => "payment.cancelled",
                PaymentEventKind::Credited { .. } => "payment.credited",
            },
            payment_id: payment.id().number(),
            transaction_id: transaction_id.number(),
            order_id: order.id.as_str(),
            order_version: order.version.number(),
            status: status.name(),
            status_reason: transaction.status_reason().filter(|_| transaction.status() == status),
            amount: amount.to_string(),
            currency: amount.currency().code(),
            credited_amount: match kind {
                PaymentEventKind::Credited { credited_minor } => {
                    Some(Money::new(credited_minor, amount.currency()).to_string())
                }
                PaymentEventKind::Captured
                | PaymentEventKind::Rejected
                | PaymentEventKind::Cancelled => None,
            },
        };
        Ok(Self::new(notification.id(), notification, Facts::Payment(facts)))
    }

    fn new<S>(id: String, notification: &'a Notification<S>, facts: Facts<'a>) -> Self {
        Self { to: &notification.callback_url, id, occurred_at: notification.occurred_at, facts }
    }

    /// The JSON body.
    pub(super) fn body(&self) -> Result<String, serde_json::Error> {
        let occurred_at = self.occurred_at.to_rfc3339_opts(SecondsFormat::Millis, true);
        serde_json::to_string(&Body { id: &self.id, facts: &self.facts, occurred_at })
    }
}

/// The status of the transaction directly after the event.
fn status(kind: PaymentEventKind, transaction: &Transaction) -> TransactionStatus {
    match kind {
        PaymentEventKind::Captured => TransactionStatus::Captured,
        PaymentEventKind::Rejected => TransactionStatus::Rejected,
        PaymentEventKind::Cancelled => TransactionStatus::Cancelled,
        PaymentEventKind::Credited { credited_minor } => {
            if transaction.summary().captured.minor() <= credited_minor {
                TransactionStatus::Credited
            } else {
                TransactionStatus::Captured
            }
        }
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
