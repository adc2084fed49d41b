//! The operations of `functions/`, as far as they use a wallet or Nets.
//!
//! Each file transcribes a file of `shared`, function by function and with the same names. The probing of slots, access control,
//! JSON and pauses are omitted. The rules of the wallet are not transcribed: the model calls those of `shared`.

pub mod app;
pub mod due;
pub mod notification_sender;
pub mod reconciliation;
pub mod terminals;

use chrono::{DateTime, Months, Utc};
use shared::domain::id::{RecurringPaymentId, Sequence, Slot};
use shared::domain::text::{CallbackUrl, Nickname};
use shared::domain::wallet::{Change, NewRecurringPayment};

use crate::annotation::{Annotation, Effect};
use crate::event::Event;
use crate::operation::{Operation, SequenceNumber};
use crate::storage;
use crate::wallets::{Stop, WalletKey, Wire};

/// The lifetime of an ACTIVE recurring payment: the default of the service.
pub const LIFETIME: Months = Months::new(36);

/// The slot of the model's only wallet.
#[must_use]
pub fn slot() -> Slot {
    Slot::new(7)
}

/// The id of a recurring payment in the wallet.
#[must_use]
pub fn id(sequence: SequenceNumber) -> RecurringPaymentId {
    // A sequence number in the model is far below the limit of 1024.
    RecurringPaymentId::new(slot(), Sequence::try_from(sequence).unwrap_or(Sequence::NONE))
}

/// Sixteen bytes in place of the hash of an idempotency key or of its request.
#[must_use]
pub fn hash(key: u8) -> [u8; 16] {
    [key; 16]
}

/// The nickname with this number.
#[must_use]
pub fn nickname(name: u8) -> Nickname {
    Nickname::from_stored(format!("card {name}"))
}

/// The `callbackUrl` of all terminals that have one.
fn callback_url() -> Option<CallbackUrl> {
    CallbackUrl::from_stored("https://shop.example/hook").ok()
}

/// The result of an operation that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// A response without the address of a page.
    Plain,
    /// The address of the page of this session.
    Page(shared::domain::terminal::TerminalSession),
}

/// Runs an operation until it ends or waits for a reply.
///
/// # Errors
/// `Waiting` with a request that has no reply yet, or `Failed` with the error for the caller.
pub fn run(wire: &mut Wire<'_>, operation: Operation, now: DateTime<Utc>) -> Result<Success, Stop> {
    let result = match operation {
        Operation::List => {
            let found = storage::load(wire, WalletKey::Customer, now)?;
            drop(found.aggregate.list(true));
            Ok(())
        }
        Operation::Create { primary, key } => create(wire, primary, key, now),
        Operation::SetPrimary(of) => {
            update(wire, of, &primary_change(true), &Effect::SetPrimary(of), now)
        }
        Operation::UnsetPrimary(of) => {
            update(wire, of, &primary_change(false), &Effect::TimeOnly, now)
        }
        Operation::Rename(of, name) => {
            let renamed = Change { nickname: Some(Some(nickname(name))), ..Change::default() };
            update(wire, of, &renamed, &Effect::Rename(of, name), now)
        }
        Operation::End(of) => storage::change(wire, WalletKey::Payment, now, |wallet| {
            let view = wallet.end(id(of))?;
            Ok(((), Annotation::with_response(Effect::End(of), &view)))
        }),
        Operation::Erase => erase(wire, now),
        Operation::Open { of, key, notify } => {
            return terminals::open(wire, of, key, notify, now).map(Success::Page);
        }
        Operation::Authorize(of) => app::complete(wire, WalletKey::Payment, id(of), now).map(drop),
        Operation::Callback(of) => app::receive_callback(wire, id(of), now),
        Operation::Finish => app::finish(wire, now),
        Operation::Expire => due::expire(wire, now),
    };
    result.map(|()| Success::Plain)
}

fn primary_change(primary: bool) -> Change {
    Change { primary: Some(primary), ..Change::default() }
}

fn create(
    wire: &mut Wire<'_>,
    primary: bool,
    key: Option<u8>,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let repeated = storage::change(wire, WalletKey::Customer, now, |wallet| {
        let last_sequence = wallet.contents().last_sequence;
        let idempotency = key.map(|key| (hash(key), hash(key)));
        let view = wallet.create(NewRecurringPayment { nickname: None, primary, idempotency })?;
        let sequence = view.id.sequence().number();
        let repeated = wallet.contents().last_sequence == last_sequence;
        let effect =
            if repeated { Effect::TimeOnly } else { Effect::Create { sequence, primary, key } };
        Ok((repeated, Annotation::with_response(effect, &view)))
    });
    if repeated? {
        wire.record(Event::CreateRepeated);
    }
    Ok(())
}

fn update(
    wire: &mut Wire<'_>,
    of: SequenceNumber,
    change: &Change,
    effect: &Effect,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    storage::change(wire, WalletKey::Payment, now, |wallet| {
        let view = wallet.update(id(of), change.clone())?;
        Ok(((), Annotation::with_response(effect.clone(), &view)))
    })
}

fn erase(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    storage::change(wire, WalletKey::Customer, now, |wallet| {
        wallet.erase();
        Ok(((), Annotation::without_response(Effect::Erase)))
    })?;
    wire.record(Event::Erased);
    Ok(())
}
