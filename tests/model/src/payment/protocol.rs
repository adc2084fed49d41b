//! The operations of `functions/`, as far as they use a payment or Nets.
//!
//! Each file transcribes a file of `shared/src/app/`, function by function and with the same names. Access control, metrics, time
//! limits and notifications are omitted. The rules of the payment are not transcribed: the model calls those of `shared`.

pub mod charges;
pub mod credits;
pub mod settlement;
pub mod tasks;
pub mod terminals;

use chrono::{DateTime, Utc};
use shared::domain::id::{PaymentTransactionId, RegistrationId};
use shared::domain::payment::{NewRegistration, Payment, TransactionStatus};
use shared::error::PaymentRefusal;

use super::operation::Operation;
use super::{
    Answer, Call, Failure, OWNER, PaymentKey, Stop, Wire, charge, charged_card, transaction_id,
};
use crate::event::Event;
use crate::storage::{self, Loaded};

/// The response to an operation that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// A response without facts that a later state could contradict.
    Plain,
    /// The address of the page of this registration.
    Terminal(RegistrationId),
    /// A transaction.
    Transaction(TransactionView),
}

/// A transaction in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionView {
    /// Its id.
    pub id: PaymentTransactionId,
    /// Its status.
    pub status: TransactionStatus,
    /// The credited sum, in minor units.
    pub credited_minor: u64,
}

impl Success {
    /// A transaction as it is in a payment.
    fn transaction(payment: &Payment, id: PaymentTransactionId) -> Result<Self, Stop> {
        let transaction = payment.transaction(id)?;
        let credited_minor = transaction.summary().credited.minor();
        Ok(Self::Transaction(TransactionView { id, status: transaction.status(), credited_minor }))
    }
}

/// Runs an operation until it ends or waits for a reply.
///
/// # Errors
/// `Waiting` with a request that has no reply yet, or `Failed` with the error for the caller.
pub fn run(wire: &mut Wire<'_>, operation: Operation, now: DateTime<Utc>) -> Result<Success, Stop> {
    match operation {
        Operation::Create(minor) => create(wire, minor, now),
        Operation::Terminal { of, initiator, auto_sale } => {
            let terminal = NewRegistration { initiator, auto_sale, callback_url: None };
            terminals::open(wire, transaction_id(of), &terminal, now).map(Success::Terminal)
        }
        Operation::Capture(of) => charges::capture(wire, transaction_id(of), now),
        Operation::Cancel(of) => settlement::cancel(wire, transaction_id(of), now),
        Operation::Credit(of, total) => credits::credit(wire, transaction_id(of), total, now),
        Operation::Callback(of, _) => tasks::receive_callback(wire, transaction_id(of), now),
        Operation::Settle => tasks::run(wire, now),
        Operation::EndCard => wire.call(Call::EndCard).map(|_| Success::Plain),
        Operation::Refund(minor) => wire.call(Call::Refund(minor)).map(|_| Success::Plain),
    }
}

/// `Payments::create`. The first request to the table is the write.
fn create(wire: &mut Wire<'_>, minor: u64, now: DateTime<Utc>) -> Result<Success, Stop> {
    if !is_card_active(wire)? {
        return existing(wire, minor, now);
    }
    let key = PaymentKey::Order(minor);
    let new = Loaded::unread(key, now)?;
    let created = storage::change_loaded(wire, new, key, now, |payment| {
        let count = payment.contents().transactions.len();
        let id = payment.create_again(OWNER, charge(minor), charged_card())?;
        let is_same = count == payment.contents().transactions.len();
        Ok(((id, is_same), "create"))
    })?;
    let (id, is_same) = created.outcome;
    if is_same && !created.written {
        wire.record(Event::PaymentCreateRepeated);
    }
    Success::transaction(&created.loaded.aggregate, id)
}

/// `Payments::existing`.
fn existing(wire: &mut Wire<'_>, minor: u64, now: DateTime<Utc>) -> Result<Success, Stop> {
    let found = storage::get(wire)?.map(|item| storage::open_item(item, now).aggregate);
    let is_paid = |payment: &Payment| {
        let mut transactions = payment.history().map(|(_, transaction)| transaction);
        transactions.any(|one| one.charge == charge(minor) && one.blocks_order())
    };
    match found.filter(is_paid) {
        Some(_) => Ok(Success::Plain),
        None => Err(PaymentRefusal::CardNotActive.into()),
    }
}

/// `payments::active_card`.
fn is_card_active(wire: &mut Wire<'_>) -> Result<bool, Stop> {
    match wire.call(Call::ReadCard)? {
        Some(Answer::Card(is_active)) => Ok(*is_active),
        _ => Err(Stop::Failed(Failure::Unavailable)),
    }
}
