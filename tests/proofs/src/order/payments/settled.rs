//! The sandbox's ledger as a second specification: the rules for a payment after the schedules have done all their work
//! (payments.md §4.4).

use super::item::Payment;
use crate::ledger::Registration;

/// Compares a payment with its registrations at Nets.
///
/// # Errors
/// Fails with the rule that is violated, in words.
pub(crate) fn check_payment(
    payment: &Payment,
    registrations: &[&Registration],
) -> Result<(), String> {
    let describe = |rule: &str| Err(format!("{rule}: {payment:?}, at Nets {registrations:?}"));
    let captured = || registrations.iter().filter(|one| one.captured > 0);
    if captured().count() > 1 || captured().any(|one| one.captures != 1) {
        return describe("an order is captured at most once");
    }
    let sum = |amount: fn(&Registration) -> u64| -> u64 {
        registrations.iter().map(|one| amount(one)).sum()
    };
    let is_above = |one: &&&Registration| {
        payment.transaction(one.id.transaction).is_none_or(|own| one.captured != own.amount)
    };
    if let Some(above) = captured().find(is_above) {
        return describe(&format!("only the whole total is captured, not {}", above.captured));
    }
    if registrations.iter().any(|one| one.captured < one.credited) {
        return describe("at most the captured sum is credited");
    }
    if sum(Registration::held) > 0 {
        return describe("every authorization is captured or annulled");
    }
    for (id, transaction) in payment.transactions() {
        let own = || registrations.iter().filter(|one| one.id.transaction == id);
        let at_nets = (own().map(|one| one.captured).sum(), own().map(|one| one.credited).sum());
        if transaction.sums() != at_nets {
            return describe("the stored sums are those of Nets");
        }
        let is_stored = |one: &&&Registration| {
            transaction.captured().is_some_and(|it| it.registration == one.id.number)
        };
        if own().filter(|one| one.captured > 0).any(|one| !is_stored(&one)) {
            return describe("the captured registration is stored");
        }
        if transaction.captured().is_some_and(|captured| captured.crediting.is_some()) {
            return describe("no credit is in progress");
        }
    }
    if payment.task_at.is_some() {
        return describe("the schedule has nothing to do");
    }
    Ok(())
}
