//! Adds the changes of a wallet to its history.

use chrono::{DateTime, Utc};

use super::{Entry, EntryCause, History, Origin, Primary};
use crate::domain::audit::{Audit, Change};
use crate::domain::id::{RecurringPaymentId, Sequence};
use crate::domain::recurring_payment::{RecurringStatus, StatusReason};
use crate::domain::wallet::{Contents, Wallet};

impl History {
    /// The history after a change from the stored contents of a wallet to `after`.
    ///
    /// The changes by time come first, each at the instant at which it was due. So the result does not depend on when they are
    /// stored. What changed in addition, at the instant of `after`, has the given origin.
    #[must_use]
    pub fn with_changes(mut self, stored: Contents, after: &Wallet, origin: &Origin) -> Self {
        let mut before = Wallet::as_stored(after.slot(), stored);
        while let Some(at) =
            before.due().expiry.filter(|at| before.now() < *at && *at <= after.now())
        {
            let next = before.clone().at(at);
            self.add_step(&before, &next, at, &Origin::TIME);
            before = next;
        }
        self.add_step(&before.at(after.now()), after, after.now(), origin);
        self
    }

    /// Adds the entries of one step. A nickname is no change, and neither is the deletion of a recurring payment: its history cannot
    /// be read any more.
    fn add_step(&mut self, before: &Wallet, after: &Wallet, at: DateTime<Utc>, origin: &Origin) {
        let audit = Audit::between(before, after);
        let primaries = [primary(before), primary(after)];
        let mut entries: Vec<Entry> = audit
            .changes
            .iter()
            .filter_map(|change| {
                Some(Entry {
                    at,
                    origin: origin.clone(),
                    subject: change.id.sequence(),
                    before: change.before,
                    after: change.after?,
                    cause: cause(change, &audit, before),
                    primary_before: primaries[1],
                    primary_after: primaries[1],
                })
            })
            .collect();
        if audit.primary_before != audit.primary_after {
            put_primary_change_first(&mut entries, primaries, at, origin);
        }
        let payments = &after.contents().payments;
        self.add(entries, |entry| payments.iter().any(|payment| entry.concerns(payment.sequence)));
    }
}

fn primary(wallet: &Wallet) -> Option<Primary> {
    let sequence = wallet.primary()?;
    let payment = wallet.contents().payments.iter().find(|payment| payment.sequence == sequence)?;
    Some(Primary { sequence, is_active: payment.status() == RecurringStatus::Active })
}

/// The change of the primary belongs to the entry of the new primary, else to that of the old one. If neither has changed otherwise,
/// the new one was chosen, and has an entry of its own. This entry is the first of the step.
fn put_primary_change_first(
    entries: &mut Vec<Entry>,
    [primary_before, primary_after]: [Option<Primary>; 2],
    at: DateTime<Utc>,
    origin: &Origin,
) {
    let of = |primary: Option<Primary>| {
        entries.iter().position(|entry| Some(entry.subject) == sequence_of(primary))
    };
    if let Some(index) = of(primary_after).or_else(|| of(primary_before)) {
        entries[..=index].rotate_right(1);
        entries[0].primary_before = primary_before;
    } else if let Some(chosen) = primary_after {
        let status =
            if chosen.is_active { RecurringStatus::Active } else { RecurringStatus::Created };
        let entry = Entry {
            at,
            origin: origin.clone(),
            subject: chosen.sequence,
            before: Some(status),
            after: status,
            cause: EntryCause::Requested,
            primary_before,
            primary_after,
        };
        entries.insert(0, entry);
    }
}

fn sequence_of(primary: Option<Primary>) -> Option<Sequence> {
    primary.map(|primary| primary.sequence)
}

fn cause(change: &Change, audit: &Audit, before: &Wallet) -> EntryCause {
    let is_primary =
        audit.primary_after.map(RecurringPaymentId::sequence) == Some(change.id.sequence());
    match (change.before, change.after, change.reason) {
        (_, _, Some(StatusReason::Ended)) => EntryCause::Ended,
        (_, _, Some(StatusReason::Abandoned)) => {
            if before.contents().choices.contains(&change.id.sequence()) {
                EntryCause::ChoiceAbandoned
            } else {
                EntryCause::Abandoned
            }
        }
        (None, _, None) if is_primary && audit.primary_before.is_none() => EntryCause::First,
        (Some(_), Some(RecurringStatus::Active), None) => EntryCause::CardStored,
        (Some(_), Some(RecurringStatus::Expired), None) => EntryCause::Expired,
        (None, _, None)
        | (_, Some(RecurringStatus::Created | RecurringStatus::Cancelled) | None, None) => {
            EntryCause::Requested
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
