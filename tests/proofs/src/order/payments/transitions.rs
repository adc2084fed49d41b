//! The rules for two consecutive versions of a payment (payments.md §4.3, §4.4).

use super::item::{Captured, Crediting, Initiated, Payment, State, Transaction};
use super::operation::{NewOrder, PaymentOperation};
use crate::order::operation::{Call, Operation};
use crate::order::slots;

/// Checks that an invocation can have written this version after the version before.
///
/// # Errors
/// Fails with the violated rule.
pub(super) fn check(before: Option<&Payment>, after: &Payment, call: &Call) -> Result<(), String> {
    let Operation::Payment(operation) = &call.operation else {
        return Err(format!("it was written by {:?}", call.operation));
    };
    if let PaymentOperation::GetPayment(_) | PaymentOperation::GetTransaction(_) = operation {
        return Err("a read operation wrote".to_owned());
    }
    let new = if let PaymentOperation::Create(new) = operation { Some(new) } else { None };
    match before {
        None => check_first(after, call, new)?,
        Some(before) => check_facts(before, after)?,
    }
    let old = before.map(|before| before.at(call.now).transactions).unwrap_or_default();
    for (before, after) in old.iter().zip(&after.transactions) {
        check_transaction(before, after, operation)?;
    }
    check_additions(&old, after, new, call.now)?;
    let blocking = after.transactions.iter().filter(|one| one.blocks_order()).count();
    if blocking > 1 {
        return Err(format!("{blocking} transactions are live or captured"));
    }
    let has_task = after.transactions.iter().any(needs_task) || after.notifications > 0;
    if has_task && after.task_at.is_none() {
        return Err("the schedule would not find it: there is no taskAt".to_owned());
    }
    Ok(())
}

fn check_first(after: &Payment, call: &Call, new: Option<&NewOrder>) -> Result<(), String> {
    let Some(new) = new else {
        return Err("the first version was not written by create-payment".to_owned());
    };
    let organisation = call.caller.organisation();
    let is_own =
        (after.organisation, &*after.order, after.order_version) == (organisation, &*new.order, 1);
    if !is_own {
        return Err("it has another order than the request".to_owned());
    }
    let expected = slots::payment_id(organisation, &new.order, 1);
    if after.id == expected { Ok(()) } else { Err(format!("the id of the order is {expected}")) }
}

/// What never changes.
fn check_facts(before: &Payment, after: &Payment) -> Result<(), String> {
    let facts = |payment: &Payment| {
        let Payment { organisation, owner, order, order_version, .. } = payment;
        (*organisation, owner.clone(), order.clone(), *order_version)
    };
    if facts(before) != facts(after) {
        return Err("the order or the owner changed".to_owned());
    }
    if after.transactions.len() < before.transactions.len() {
        return Err("a transaction was removed".to_owned());
    }
    Ok(())
}

/// Only `create-payment` adds a transaction, at most one, and only to an order that no transaction pays.
fn check_additions(
    old: &[Transaction],
    after: &Payment,
    new: Option<&NewOrder>,
    now: i64,
) -> Result<(), String> {
    let added = &after.transactions[old.len()..];
    let Some(transaction) = added.first() else { return Ok(()) };
    let Some(new) = new.filter(|_| added.len() == 1) else {
        return Err("a transaction was added without a request".to_owned());
    };
    if old.iter().any(Transaction::blocks_order) {
        return Err("a transaction was added to an order that is paid or being paid".to_owned());
    }
    if old.iter().any(|one| unconfirmed(one).is_some()) {
        return Err("a transaction was added before the end of an authorization".to_owned());
    }
    let is_as_requested = transaction.state == State::Created
        && (transaction.created_at, transaction.amount) == (now, new.minor)
        && (transaction.recurring_payment, &*transaction.currency) == (new.card, "NOK");
    if is_as_requested { Ok(()) } else { Err(format!("it is not as requested: {transaction:?}")) }
}

fn check_transaction(
    before: &Transaction,
    after: &Transaction,
    operation: &PaymentOperation,
) -> Result<(), String> {
    let facts = |one: &Transaction| {
        let card = (one.card_type.clone(), one.last_four.clone());
        (one.created_at, one.amount, one.currency.clone(), one.recurring_payment, card)
    };
    let changed = |what: &str| Err(format!("{what}: {before:?} became {after:?}"));
    if facts(before) != facts(after) {
        return changed("the facts of a transaction changed");
    }
    let (captured, credited) = before.sums();
    let (captured_after, credited_after) = after.sums();
    if captured_after < captured || credited_after < credited {
        return changed("a sum became smaller");
    }
    if captured_after > after.amount || credited_after > captured_after {
        return changed("more than the total is captured, or more than that is credited");
    }
    let is_full = matches!(after.state, State::Credited(_));
    if is_full != (captured_after > 0 && captured_after == credited_after) {
        return changed("CREDITED does not mean that everything is credited");
    }
    check_state(&before.state, &after.state, operation)
}

/// The changes of the state that are possible (payments.md §4.3).
fn check_state(before: &State, after: &State, operation: &PaymentOperation) -> Result<(), String> {
    let is_allowed = match (before, after) {
        (State::Created, State::Initiated(_)) => {
            matches!(operation, PaymentOperation::Terminal(..))
        }
        (State::Created, State::Created | State::Cancelled(_))
        | (State::Initiated(_), State::Rejected(_) | State::Cancelled(_)) => true,
        (State::Initiated(before), State::Initiated(after)) => {
            return check_initiated(before, after, operation);
        }
        (State::Initiated(initiated), State::Captured(captured) | State::Credited(captured)) => {
            let chosen = initiated.chosen.as_ref().map(|chosen| chosen.registration);
            chosen == Some(captured.registration)
        }
        (
            State::Captured(before) | State::Credited(before),
            State::Captured(after) | State::Credited(after),
        ) => return check_captured(before, after, operation),
        (State::Rejected(before), State::Rejected(after)) => before.at == after.at,
        (State::Cancelled(before), State::Cancelled(after)) => {
            (before.at, &before.reason) == (after.at, &after.reason)
        }
        // The capture was in progress when the transaction was cancelled. Time can have cancelled it since the version before: then
        // the obligation to annul is not stored yet.
        (State::Cancelled(over), State::Captured(captured)) => {
            let annulment = over.annulment.as_ref();
            annulment.is_none_or(|one| one.unconfirmed == Some(captured.registration))
        }
        _ => false,
    };
    let changed = || format!("this change is not possible: {before:?} became {after:?}");
    if is_allowed { Ok(()) } else { Err(changed()) }
}

/// Registrations are only added, and what is stored of them stays.
fn check_initiated(
    before: &Initiated,
    after: &Initiated,
    operation: &PaymentOperation,
) -> Result<(), String> {
    let changed = |what: &str| Err(format!("{what}: {before:?} became {after:?}"));
    let added = after.registrations.len().checked_sub(before.registrations.len());
    let can_add = usize::from(matches!(operation, PaymentOperation::Terminal(..)));
    if added.is_none_or(|added| added > can_add) {
        return changed("a registration was added without a request, or removed");
    }
    for (before, after) in before.registrations.iter().zip(&after.registrations) {
        let is_same = (before.at, &before.by) == (after.at, &after.by);
        let is_later = !before.auth_requested || after.auth_requested;
        let keeps_outcome = before.outcome == "open" || before.outcome == after.outcome;
        if !(is_same && is_later && keeps_outcome) {
            return changed("what is stored of a registration changed");
        }
    }
    if let Some(chosen) = &after.chosen {
        let index = usize::try_from(chosen.registration).unwrap_or(usize::MAX);
        let registration = after.registrations.get(index);
        let can_be_chosen = registration.is_some_and(|one| one.auth_requested);
        if !can_be_chosen {
            return changed("the chosen registration cannot be authorized");
        }
    }
    let held = |initiated: &Initiated| initiated.chosen.as_ref()?.hold_until;
    if held(before).is_some() && held(after).is_none() {
        return changed("a stored authorization was dropped");
    }
    Ok(())
}

/// A credit is stored before it is sent, one at a time, and with a larger target than what is credited.
fn check_captured(
    before: &Captured,
    after: &Captured,
    operation: &PaymentOperation,
) -> Result<(), String> {
    let changed = |what: &str| Err(format!("{what}: {before:?} became {after:?}"));
    if (before.registration, before.at) != (after.registration, after.at) {
        return changed("another capture is stored");
    }
    let Some(crediting) = &after.crediting else { return Ok(()) };
    let Crediting { target, sends } = crediting;
    if *target <= after.credited || after.captured < *target || *sends == 0 {
        return changed("the credit in progress is not possible");
    }
    match before.crediting.as_ref().filter(|before| before.target == *target) {
        Some(before) if (before.sends..=before.sends + 1).contains(sends) => Ok(()),
        Some(_) => changed("a credit was sent more than once"),
        None => {
            let is_over = before.crediting.as_ref().is_none_or(|one| one.target <= after.credited);
            let is_credit = matches!(operation, PaymentOperation::Credit(..));
            if is_credit && is_over && *sends == 1 {
                Ok(())
            } else {
                changed("a credit began without a request, or before the end of another one")
            }
        }
    }
}

/// The registration whose authorization was in progress when its transaction was cancelled.
fn unconfirmed(transaction: &Transaction) -> Option<u64> {
    match &transaction.state {
        State::Cancelled(over) | State::Rejected(over) => over.annulment.as_ref()?.unconfirmed,
        State::Created | State::Initiated(_) | State::Captured(_) | State::Credited(_) => None,
    }
}

/// Whether the service still has something to do at Nets.
fn needs_task(transaction: &Transaction) -> bool {
    match &transaction.state {
        State::Created => false,
        State::Initiated(initiated) => initiated.chosen.is_some(),
        State::Captured(captured) | State::Credited(captured) => captured.crediting.is_some(),
        State::Rejected(_) | State::Cancelled(_) => unconfirmed(transaction).is_some(),
    }
}
