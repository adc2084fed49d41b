//! The JSON bodies of notifications.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::domain::money::Money;
use crate::domain::notification::{
    CardEvent, Event, Notification, PaymentEvent, PaymentEventKind, PrimaryChange, SetupEvent,
    WalletEvent,
};
use crate::domain::payment::{Payment, Transaction, TransactionStatus};
use crate::domain::recurring_payment::RecurringStatus;
use crate::domain::text::CallbackUrl;
use crate::error::PaymentRefusal;

/// A notification as it is sent: the same in every attempt, also if the transaction has changed since the event. Only
/// `statusReason` is missing if the transaction has another status by then.
pub struct Message<'a> {
    /// The address that receives it.
    pub to: &'a CallbackUrl,
    /// The notification id.
    pub id: String,
    /// The instant of the event.
    pub occurred_at: DateTime<Utc>,
    /// The number of this delivery attempt.
    pub attempt: u16,
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
    Card(CardFacts<'a>),
    Primary(PrimaryFacts),
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

/// The cause says whether the card or the registration limits `expires_at`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardFacts<'a> {
    r#type: &'static str,
    recurring_payment_id: u64,
    recurring_status: &'static str,
    primary: bool,
    expires_at: String,
    card_expires_at: String,
    cause: &'static str,
    payment_type: &'static str,
    masked_pan: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrimaryFacts {
    r#type: &'static str,
    old_recurring_payment_id: u64,
    new_recurring_payment_id: u64,
    reason: &'static str,
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
    /// The notification about a wallet: the end of a card setup, or a lifecycle event.
    #[must_use]
    pub fn about_wallet(notification: &'a Notification<WalletEvent>) -> Self {
        let facts = match &notification.subject {
            WalletEvent::Setup(setup) => Facts::Setup(SetupFacts::new(*setup)),
            WalletEvent::Expiring(event) => Facts::Card(CardFacts::new(
                "recurring-payment.expiring",
                RecurringStatus::Active,
                event,
            )),
            WalletEvent::Expired(event) => Facts::Card(CardFacts::new(
                "recurring-payment.expired",
                RecurringStatus::Expired,
                event,
            )),
            WalletEvent::PrimaryChanged(change) => Facts::Primary(PrimaryFacts::new(*change)),
        };
        Self::new(notification.id(), notification, facts)
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
        let Notification { callback_url, occurred_at, attempts, .. } = notification;
        let attempt = attempts.map_or(0, |attempts| attempts.count);
        Self { to: callback_url, id, occurred_at: *occurred_at, attempt, facts }
    }

    /// The JSON body.
    pub(super) fn body(&self) -> Result<String, serde_json::Error> {
        let occurred_at = instant(self.occurred_at);
        serde_json::to_string(&Body { id: &self.id, facts: &self.facts, occurred_at })
    }
}

impl SetupFacts {
    fn new(SetupEvent { transaction_id, event }: SetupEvent) -> Self {
        Self {
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
        }
    }
}

impl<'a> CardFacts<'a> {
    fn new(r#type: &'static str, status: RecurringStatus, event: &'a CardEvent) -> Self {
        Self {
            r#type,
            recurring_payment_id: event.recurring_payment_id.number(),
            recurring_status: status.name(),
            primary: event.primary,
            expires_at: instant(event.expires_at),
            card_expires_at: instant(event.card.expiry.ends_at()),
            cause: event.cause().name(),
            payment_type: event.card.payment_type.name(),
            masked_pan: event.card.last_four.as_str(),
        }
    }
}

impl PrimaryFacts {
    fn new(PrimaryChange { old, new, reason }: PrimaryChange) -> Self {
        Self {
            r#type: "recurring-payment.primary-changed",
            old_recurring_payment_id: old.number(),
            new_recurring_payment_id: new.number(),
            reason: reason.name(),
        }
    }
}

/// An instant as in the API: UTC with milliseconds.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
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
