//! Counts the effects of a write as events, so that a configuration without effects is detected.

use super::StepContext;
use crate::event::Event;
use crate::specification::{ExpectedState, Specification};
use crate::subject::{EventContent, Subject};

/// Counts the differences between the specification before and after a write.
pub fn count_changes(before: &Specification, after: &Specification, context: &StepContext<'_>) {
    count_primary_change(before, after, context);
    for payment in &after.payments {
        let old_state = before.payment(payment.sequence).map(|payment| payment.state);
        match (old_state, payment.state) {
            (Some(ExpectedState::Created), ExpectedState::Active(_)) => {
                context.count(Event::Activated);
            }
            (Some(ExpectedState::Created), ExpectedState::Cancelled { by_customer: false, .. }) => {
                context.count(Event::Abandoned);
            }
            (Some(ExpectedState::Active(_)), ExpectedState::Expired(_)) => {
                context.count(Event::Expired);
            }
            _ => {}
        }
    }
}

fn count_primary_change(before: &Specification, after: &Specification, context: &StepContext<'_>) {
    let (Some(old), Some(new)) = (before.primary(), after.primary()) else { return };
    if old == new {
        return;
    }
    let state = after.payment(old).map_or(ExpectedState::Removed, |payment| payment.state);
    if state.is_live() {
        if state == ExpectedState::Created && !after.choices().contains(&new) {
            context.count(Event::ReplacedByCard);
        }
        return;
    }
    context.count(Event::Promoted);
    if before.choices().first() == Some(&old) && after.choices().first() == Some(&new) {
        context.count(Event::PreviousChoiceRestored);
    }
}

/// Counts a lifecycle event that was delivered.
pub fn count_delivery(subject: Subject, context: &StepContext<'_>) {
    if let Some(event) = subject.lifecycle() {
        context.count(match event.content {
            EventContent::Expiring(_) => Event::ExpiringDelivered,
            EventContent::Expired(_) => Event::ExpiredDelivered,
            EventContent::PrimaryChanged { .. } => Event::PrimaryChangeDelivered,
        });
    }
}
