//! The audit: a line for whatever became of a recurring payment or of who is primary: who, why, before, after.

use crate::domain::audit::Audit;
use crate::domain::id::RecurringPaymentId;
use crate::domain::recurring_payment::RecurringStatus;
use crate::invocation::{Invocation, at_hand};

/// Says what became of a wallet, once it is written. Who set it off is the invocation at hand.
pub fn audit(audit: &Audit) {
    let Invocation { operation, tenant, organisation, client, correlation_id, .. } = at_hand();
    let primary_before = audit.primary_before.map(RecurringPaymentId::number);
    let primary_after = audit.primary_after.map(RecurringPaymentId::number);
    let say = |id: Option<RecurringPaymentId>, before, after, reason| {
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
        say(Some(change.id), Some(before), Some(after), change.why());
    }
    if audit.changes.is_empty() && primary_before != primary_after {
        say(None, None, None, "CHOICE");
    }
}
