//! The JSON of payments, of their transactions and of their terminals (payments.md §1.3, §4.2).

#![expect(clippy::struct_field_names, reason = "the names are those of the JSON members")]

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;
use url::Url;

use super::{Reply, reply, rfc3339};
use crate::domain::id::{PaymentTransactionId, RecurringPaymentId};
use crate::domain::payment::{self, Summary};
use crate::error::Error;
use crate::invocation;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    payment_id: u64,
    order_id: &'a str,
    order_version: u32,
    organisation_id: u64,
    total_amount: String,
    currency: &'static str,
    created_at: String,
    status: &'static str,
    transaction_history: Vec<PastTransaction>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PastTransaction {
    transaction_id: u64,
    amount: String,
    currency: &'static str,
    status: &'static str,
    payment_type: &'static str,
    recurring_payment_id: u64,
    created_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transaction<'a> {
    transaction_id: u64,
    payment_id: u64,
    amount: String,
    currency: &'static str,
    created_at: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'static str>,
    payment_type: &'static str,
    payment_type_group: &'static str,
    card_number: &'a str,
    recurring_payment_id: u64,
    summary: Sums,
    operation_log: Vec<Operation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    captured_amount: String,
    credited_amount: String,
    remaining_amount_to_capture: String,
    remaining_amount_to_credit: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operation: &'static str,
    amount: String,
    created_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Terminal<'a> {
    terminal_uri: &'a str,
    payment_id: u64,
    transaction_id: u64,
    recurring_payment_id: u64,
    terminal_expires_at: String,
}

/// A payment. `created` means that the request created a transaction: 201 with the payment's `Location`, otherwise 200.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn payment(payment: &payment::Payment, created: bool) -> Result<Reply, Error> {
    let history = payment.history().map(|(id, transaction)| past_transaction(id, transaction));
    let history: Vec<_> = history.collect();
    invocation::record(|invocation| {
        invocation.payment_id = Some(payment.id().number());
        if created {
            invocation.transaction_id = history.first().map(|newest| newest.transaction_id);
        }
    });
    let order = &payment.contents().order;
    let body = Payment {
        payment_id: payment.id().number(),
        order_id: order.id.as_str(),
        order_version: order.version.number(),
        organisation_id: order.organisation.number(),
        total_amount: payment.total().to_string(),
        currency: payment.total().currency().code(),
        created_at: rfc3339(payment.created_at()),
        status: payment.status().name(),
        transaction_history: history,
    };
    if created {
        reply(StatusCode::CREATED, Some(payment.id().to_string()), &body)
    } else {
        reply(StatusCode::OK, None, &body)
    }
}

fn past_transaction(
    id: PaymentTransactionId,
    transaction: &payment::Transaction,
) -> PastTransaction {
    let amount = transaction.charge.amount;
    PastTransaction {
        transaction_id: id.number(),
        amount: amount.to_string(),
        currency: amount.currency().code(),
        status: transaction.status().name(),
        payment_type: transaction.card.payment_type.name(),
        recurring_payment_id: transaction.charge.recurring_payment_id.number(),
        created_at: rfc3339(transaction.created_at),
    }
}

/// 200 with one transaction of a payment.
///
/// # Errors
/// Fails with `NotFound` if the payment has no such transaction, and with `Internal` if serialization fails.
pub fn transaction(payment: &payment::Payment, id: PaymentTransactionId) -> Result<Reply, Error> {
    let transaction = payment.transaction(id)?;
    let amount = transaction.charge.amount;
    let operations = transaction.operations().into_iter().map(|operation| Operation {
        operation: operation.kind.name(),
        amount: operation.amount.to_string(),
        created_at: rfc3339(operation.at),
    });
    let body = Transaction {
        transaction_id: id.number(),
        payment_id: payment.id().number(),
        amount: amount.to_string(),
        currency: amount.currency().code(),
        created_at: rfc3339(transaction.created_at),
        status: transaction.status().name(),
        status_reason: transaction.status_reason(),
        payment_type: transaction.card.payment_type.name(),
        payment_type_group: "PAYMENTCARD",
        card_number: transaction.card.last_four.as_str(),
        recurring_payment_id: transaction.charge.recurring_payment_id.number(),
        summary: sums(transaction.summary()),
        operation_log: operations.collect(),
    };
    reply(StatusCode::OK, None, &body)
}

fn sums(summary: Summary) -> Sums {
    Sums {
        captured_amount: summary.captured.to_string(),
        credited_amount: summary.credited.to_string(),
        remaining_amount_to_capture: summary.remaining_to_capture.to_string(),
        remaining_amount_to_credit: summary.remaining_to_credit.to_string(),
    }
}

/// 201 with a terminal of a transaction.
///
/// # Errors
/// Fails with `Internal` if serialization fails.
pub fn payment_terminal(
    transaction: PaymentTransactionId,
    card: RecurringPaymentId,
    uri: &Url,
    expires_at: DateTime<Utc>,
) -> Result<Reply, Error> {
    let body = Terminal {
        terminal_uri: uri.as_str(),
        payment_id: transaction.payment_id().number(),
        transaction_id: transaction.number(),
        recurring_payment_id: card.number(),
        terminal_expires_at: rfc3339(expires_at),
    };
    reply(StatusCode::CREATED, None, &body)
}

#[cfg(test)]
#[path = "payment_tests.rs"]
mod payment_tests;
