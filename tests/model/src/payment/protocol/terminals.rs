//! `shared/src/app/payment_terminals.rs`: stores the registration first, then registers it at Nets.

use chrono::{DateTime, Utc};
use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::payment::{
    Initiator, NewRegistration, OpenedRegistration, Payment, Reconciliation,
};
use shared::error::PaymentRefusal;
use shared::netaxept::Registered;

use super::super::{Answer, Call, Failure, LoadedPayment, PaymentKey, Stop, Wire};
use super::is_card_active;
use super::settlement::query;
use crate::defect::Defect;
use crate::event::Event;
use crate::storage;

const KEY: PaymentKey = PaymentKey::Existing;

/// `PaymentTerminals::open`, without the check of the customer's agreement.
///
/// # Errors
/// Fails with a refusal of the payment, with an error of the store, or with `Unavailable` if Nets does not confirm the registration.
pub fn open(
    wire: &mut Wire<'_>,
    id: PaymentTransactionId,
    terminal: &NewRegistration,
    now: DateTime<Utc>,
) -> Result<RegistrationId, Stop> {
    let loaded = storage::load(wire, KEY, now)?;
    let is_live = loaded.aggregate.transaction(id)?.is_live();
    if !is_card_active(wire)? {
        return Err(if is_live {
            cancel_without_card(wire, loaded, id, now)
        } else {
            refusal_if_over(&loaded.aggregate, id)
        });
    }
    let beside = wire.has(Defect::OpensBesideChosen);
    let opened = storage::change_loaded(wire, loaded, KEY, now, |payment| {
        if beside {
            forget_choice(payment, id);
        }
        Ok((payment.open_terminal(id, terminal.clone())?, "open a terminal"))
    })?;
    register(wire, &opened.loaded.aggregate, opened.outcome, terminal)?;
    Ok(opened.outcome.id)
}

/// With the defect, an annulled authorization of the chosen registration is invented, so that another one can be opened.
fn forget_choice(payment: &mut Payment, id: PaymentTransactionId) {
    use shared::domain::payment::State;
    let Ok(transaction) = payment.transaction(id) else { return };
    let State::Initiated(initiated) = &transaction.state else { return };
    if let Some(chosen) = initiated.chosen {
        let id = RegistrationId { transaction: id, number: chosen.registration };
        let soft = Reconciliation::Declined(shared::error::Decline::Soft);
        payment.apply(id, soft, super::super::HOLD).ok();
    }
}

fn cancel_without_card(
    wire: &mut Wire<'_>,
    loaded: LoadedPayment,
    id: PaymentTransactionId,
    now: DateTime<Utc>,
) -> Stop {
    let cancelled = storage::change_loaded(wire, loaded, KEY, now, |payment| {
        Ok((payment.cancel_without_card(id)?, "cancel without a card"))
    });
    match cancelled {
        Ok(cancelled) => refusal_if_over(&cancelled.loaded.aggregate, id),
        Err(error) => error,
    }
}

fn register(
    wire: &mut Wire<'_>,
    payment: &Payment,
    opened: OpenedRegistration,
    terminal: &NewRegistration,
) -> Result<(), Stop> {
    if !opened.is_new && is_registered(wire, opened.id)? {
        return Ok(());
    }
    let Some(opened_at) = payment.registration(opened.id).map(|one| one.opened_at) else {
        return Err(Stop::Failed(Failure::Unavailable));
    };
    let registered = wire.call(Call::Register {
        id: opened.id,
        initiator: terminal.initiator,
        auto_auth: terminal.auto_sale && terminal.initiator == Initiator::Customer,
        minor: payment.transaction(opened.id.transaction)?.charge.amount.minor(),
        opened_at,
    })?;
    if let Some(Answer::Registered(Registered::Yes)) = registered {
        return Ok(());
    }
    if is_registered(wire, opened.id)? {
        return Ok(());
    }
    wire.record(Event::RegistrationUncertain);
    Err(Stop::Failed(Failure::Unavailable))
}

fn is_registered(wire: &mut Wire<'_>, id: RegistrationId) -> Result<bool, Stop> {
    match query(wire, id, false)? {
        Some(Reconciliation::Unclear) | None => Err(Stop::Failed(Failure::Unavailable)),
        Some(found) => Ok(found != Reconciliation::NeverRegistered),
    }
}

/// The refusal of a terminal for a transaction that is captured or over.
fn refusal_if_over(payment: &Payment, id: PaymentTransactionId) -> Stop {
    payment.check_captured(id).err().unwrap_or(PaymentRefusal::AlreadyCaptured).into()
}
