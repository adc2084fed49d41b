//! Checks the lifecycle events of each version of a wallet, by rules for consecutive versions:
//!
//! - A new event is one of those that the specification has between the two versions, and each of those is stored, whole and once.
//! - A recurring payment has the mark that it was announced as expiring if and only if its event was stored.
//! - An event is removed only after the inbox had accepted it, or 72 hours after its first attempt, or as the oldest of more than 16
//!   of a kind, or with the customer's data. The first two only by a schedule that delivers.
//! - An attempt is stored only by a schedule that delivers, when it is due, and the next one is planned then.

mod totals;

use super::inbox::Inbox;
use crate::order::item::{DeliveryAttempts, Events, StoredEvent};
use crate::order::operation::Operation;
use crate::order::spec::{EventKind, HOUR, LifecycleEvent, MINUTE, State, Wallet};
pub use totals::EventTotals;

/// For how long the delivery is attempted, counted from the first attempt (rule 10).
const DELIVERY_PERIOD: i64 = 72 * HOUR;
/// The time between the first two attempts. Each further one is twice as long, up to [`MAX_BACKOFF`].
const MIN_BACKOFF: i64 = MINUTE;
const MAX_BACKOFF: i64 = 6 * HOUR;
/// How many undelivered events of a kind a wallet has at most.
const MAX_OF_A_KIND: usize = 16;

/// A version of a wallet, and what it follows from.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    /// The wallet of the previous version.
    pub(super) previous: &'a Wallet,
    /// The wallet of this version.
    pub(super) wallet: &'a Wallet,
    /// The operation that wrote it.
    pub(super) operation: &'a Operation,
    /// The instant of the operation.
    pub(super) now: i64,
    /// What the inbox has received.
    pub(super) inbox: &'a Inbox,
}

/// Why an event is not stored any more.
#[derive(Clone, Copy)]
pub(super) enum Removal {
    /// The inbox had accepted it.
    Delivered,
    /// It was not accepted within 72 hours.
    GivenUp,
    /// There were more than 16 of its kind, and it was the oldest.
    Displaced,
    /// The customer was erased.
    Erased,
}

/// The specified sort keys of the indexes: `expiryAt` and `taskAt`.
pub(super) fn index_entries(wallet: &Wallet, events: &Events) -> [Option<i64>; 2] {
    let notice_at = wallet.next_notice_at(&events.notices_given);
    [
        wallet.next_change_at().into_iter().chain(notice_at).min(),
        wallet.next_reconcile_at().into_iter().chain(events.next_attempt_at()).min(),
    ]
}

/// Checks the events of a version. Returns what it stored and removed.
pub(super) fn check(
    before: &Events,
    after: &Events,
    version: &Version<'_>,
) -> Result<EventTotals, String> {
    let Version { previous, wallet, operation, now, .. } = *version;
    let specified = previous.events_until(wallet, &before.notices_given, operation, now);
    check_queue(after)?;
    for stored in &after.stored {
        let known = before.stored.iter().find(|known| known.event == stored.event);
        if known.is_none() && !specified.contains(&stored.event) {
            let event = &stored.event;
            return Err(format!("the event is not specified: {event:?}, but {specified:?}"));
        }
        check_attempts(known, stored, version)?;
    }
    check_notices(before, after, wallet, &specified)?;
    check_missing(before, after, &specified, version)
}

/// Each event that was stored, or is specified, is stored now or was removed for a reason.
fn check_missing(
    before: &Events,
    after: &Events,
    specified: &[LifecycleEvent],
    version: &Version<'_>,
) -> Result<EventTotals, String> {
    let is_missing = |event: &LifecycleEvent| after.stored.iter().all(|one| one.event != *event);
    let is_displaced = |event: &LifecycleEvent| {
        is_displaced(event, before.stored.iter().map(|one| &one.event).chain(specified))
    };
    let mut totals = EventTotals::default();
    for event in specified {
        totals.add_stored(event);
        if !is_missing(event) {
            continue;
        }
        if !is_displaced(event) {
            return Err(format!("an event is missing: {event:?}"));
        }
        totals.add_removed(Removal::Displaced);
    }
    for known in before.stored.iter().filter(|known| is_missing(&known.event)) {
        let removal = match removal(known, version) {
            None if is_displaced(&known.event) => Some(Removal::Displaced),
            removal => removal,
        };
        let undelivered = || format!("an event was removed without delivery: {known:?}");
        totals.add_removed(removal.ok_or_else(undelivered)?);
    }
    Ok(totals)
}

/// Events are stored once and in the order of their instants.
fn check_queue(after: &Events) -> Result<(), String> {
    for (index, one) in after.stored.iter().enumerate() {
        let later = &after.stored[index + 1..];
        if later.iter().any(|other| other.event.id() == one.event.id()) {
            return Err(format!("an event is stored twice: {one:?}"));
        }
        if later.iter().any(|other| other.event.occurred_at < one.event.occurred_at) {
            return Err(format!("an event is stored before an older one: {one:?}"));
        }
        let same_kind = after.stored.iter().filter(|other| other.event.name() == one.event.name());
        if same_kind.count() > MAX_OF_A_KIND {
            return Err(format!(
                "more than {MAX_OF_A_KIND} events are stored: {}",
                one.event.name()
            ));
        }
    }
    Ok(())
}

/// The attempts stay as they are, or one was begun by this version, which was due.
fn check_attempts(
    known: Option<&StoredEvent>,
    stored: &StoredEvent,
    version: &Version<'_>,
) -> Result<(), String> {
    let before = known.and_then(|known| known.attempts);
    if stored.attempts == before {
        return Ok(());
    }
    let now = version.now;
    let due_at = known.map_or(stored.event.occurred_at, StoredEvent::due_at);
    let first_at = before.map_or(now, |attempts| attempts.first_at);
    let count = before.map_or(0, |attempts| attempts.count) + 1;
    let next_at = now + MIN_BACKOFF.saturating_mul(1_i64 << (count - 1).min(16)).min(MAX_BACKOFF);
    let begun = Some(DeliveryAttempts { first_at, count, next_at });
    let may_begin = delivers(version) && due_at <= now && now < first_at + DELIVERY_PERIOD;
    if may_begin && stored.attempts == begun {
        return Ok(());
    }
    let operation = version.operation;
    Err(format!("the attempts changed from {before:?} to {stored:?} by {operation:?} at {now}"))
}

/// Whether the operation delivers lifecycle events. Requests and callbacks deliver only the end of a card setup.
fn delivers(version: &Version<'_>) -> bool {
    matches!(version.operation, Operation::Expire | Operation::Finish)
}

/// Why this version can have removed an event.
fn removal(known: &StoredEvent, version: &Version<'_>) -> Option<Removal> {
    let is_over = known.attempts.is_some_and(|attempts| {
        attempts.first_at + DELIVERY_PERIOD <= version.now && attempts.next_at <= version.now
    });
    if matches!(version.operation, Operation::Erase(_)) {
        Some(Removal::Erased)
    } else if delivers(version) && version.inbox.has_accepted(&known.event) {
        Some(Removal::Delivered)
    } else if matches!(version.operation, Operation::Finish) && is_over {
        Some(Removal::GivenUp)
    } else {
        None
    }
}

/// Whether an event is one of the oldest above the limit.
fn is_displaced<'a>(event: &LifecycleEvent, all: impl Iterator<Item = &'a LifecycleEvent>) -> bool {
    let mut instants: Vec<i64> =
        all.filter(|one| one.name() == event.name()).map(|one| one.occurred_at).collect();
    instants.sort_unstable();
    let surplus = instants.len().saturating_sub(MAX_OF_A_KIND);
    instants[..surplus].last().is_some_and(|last| event.occurred_at <= *last)
}

/// Those that are ACTIVE are marked if they were before, or if their event is stored with this version.
fn check_notices(
    before: &Events,
    after: &Events,
    wallet: &Wallet,
    specified: &[LifecycleEvent],
) -> Result<(), String> {
    let is_announced = |sequence: u16| {
        let is_own = |event: &LifecycleEvent| event.recurring_payment() == wallet.id(sequence);
        let is_expiring = |event: &LifecycleEvent| matches!(event.kind, EventKind::Expiring(_));
        specified.iter().any(|event| is_expiring(event) && is_own(event))
    };
    for payment in &wallet.payments {
        let sequence = payment.sequence;
        let was_given = before.notices_given.contains(&sequence);
        let is_active = matches!(payment.state, State::Active(_));
        let specified = is_active && (was_given || is_announced(sequence));
        if after.notices_given.contains(&sequence) != specified {
            return Err(format!("the mark of the notice of {payment:?}: specified {specified}"));
        }
    }
    Ok(())
}
