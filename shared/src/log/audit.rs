//! The audit log: one line for each change of a recurring payment, of the primary one, or of a transaction of a payment. It says who
//! changed it, why, and the status before and after.

use crate::domain::audit::{Audit, TransactionChange};
use crate::domain::id::{PaymentId, RecurringPaymentId};
use crate::domain::payment::TransactionStatus;
use crate::domain::recurring_payment::RecurringStatus;
use crate::invocation::{Invocation, current};

/// Writes the changes of a wallet to the log, after they are stored. The caller is that of the current invocation.
pub fn audit(audit: &Audit) {
    let Invocation { operation, tenant, organisation, client, correlation_id, .. } = current();
    let primary_before = audit.primary_before.map(RecurringPaymentId::number);
    let primary_after = audit.primary_after.map(RecurringPaymentId::number);
    let write = |id: Option<RecurringPaymentId>, before, after, reason| {
        let recurring_payment_id = id.map(RecurringPaymentId::number);
        tracing::info!(
            operation,
            tenant,
            organisation,
            client,
            correlation_id,
            recurring_payment_id,
            before,
            after,
            reason,
            primary_before,
            primary_after,
            "audit"
        );
    };
    for change in &audit.changes {
        let before = change.before.map_or("NONE", RecurringStatus::name);
        let after = change.after.map_or("NONE", RecurringStatus::name);
        write(Some(change.id), Some(before), Some(after), change.cause());
    }
    if audit.changes.is_empty() && primary_before != primary_after {
        write(None, None, None, "CHOICE");
    }
}

/// Writes the changes of the transactions of a payment to the log, after they are stored. `credited` is a new credited sum.
pub fn audit_payment(id: PaymentId, changes: &[TransactionChange]) {
    let Invocation { operation, tenant, organisation, client, correlation_id, .. } = current();
    for change in changes {
        tracing::info!(
            operation,
            tenant,
            organisation,
            client,
            correlation_id,
            payment_id = id.number(),
            transaction_id = change.id.number(),
            recurring_payment_id = change.recurring_payment_id.number(),
            before = change.before.map_or("NONE", TransactionStatus::name),
            after = change.after.name(),
            reason = change.cause,
            amount = %change.amount,
            credited = change.credited.map(tracing::field::display),
            currency = change.amount.currency().code(),
            "audit"
        );
    }
}
