//! The audit log: one line for each change of a recurring payment, or of the primary one. It says who changed it, why, and the
//! status before and after.

use crate::domain::audit::Audit;
use crate::domain::id::RecurringPaymentId;
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
