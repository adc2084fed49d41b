//! What runs: the operations of `functions/`, as far as they touch a wallet or Nets.
//!
//! Each file transcribes one of `shared`'s, function by function and with the same names. What is left out: probing of other
//! slots, who may see what, JSON, and waiting. The wallet's rules are not transcribed: they are `shared`'s own.

pub mod app;
pub mod due;
pub mod look;
pub mod storage;
pub mod teller;
pub mod terminals;

use chrono::{DateTime, Months, Utc};
use shared::domain::id::{RecurringPaymentId, Sequence, Slot};
use shared::domain::text::{CallbackUrl, Nickname};
use shared::domain::wallet::{Change, NewRecurringPayment};

use crate::event::Event;
use crate::intent::{Deed, Intent};
use crate::operation::{Operation, Place};
use crate::wire::{Stop, Wire};
use storage::Key;

/// For how long an activated recurring payment is valid: the service's default.
pub const LIFETIME: Months = Months::new(36);

/// Where the one wallet of the model lies.
#[must_use]
pub fn slot() -> Slot {
    Slot::new(7)
}

/// The id of a recurring payment in it.
#[must_use]
pub fn id(place: Place) -> RecurringPaymentId {
    // A place is a number of a scenario, far below 1024.
    RecurringPaymentId::new(slot(), Sequence::try_from(place).unwrap_or(Sequence::NONE))
}

/// Sixteen bytes that stand for a key, or for what was asked with it.
#[must_use]
pub fn hash(key: u8) -> [u8; 16] {
    [key; 16]
}

/// The name with this number.
#[must_use]
pub fn nickname(name: u8) -> Nickname {
    Nickname::kept(format!("card {name}"))
}

/// Where the ends of setups are told.
fn callback_url() -> Option<CallbackUrl> {
    CallbackUrl::kept("https://shop.example/told").ok()
}

/// What a run that went well has given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// An answer.
    Answer,
    /// The address of the page of a visit.
    Page(shared::domain::terminal::Visit),
}

/// Runs an operation as far as it comes.
///
/// # Errors
/// `Waits` for a reply; `Fails` with what the caller is told.
pub fn run(wire: &mut Wire<'_>, operation: Operation, now: DateTime<Utc>) -> Result<Given, Stop> {
    let answered = match operation {
        Operation::List => {
            let found = storage::load(wire, Key::Customer, now)?;
            drop(found.wallet.list(true));
            Ok(())
        }
        Operation::Create { primary, key } => create(wire, primary, key, now),
        Operation::Choose(of) => update(wire, of, &choice(true), &Deed::Choose(of), now),
        Operation::Unchoose(of) => update(wire, of, &choice(false), &Deed::Settle, now),
        Operation::Rename(of, name) => {
            let renamed = Change { nickname: Some(Some(nickname(name))), ..Change::default() };
            update(wire, of, &renamed, &Deed::Rename(of, name), now)
        }
        Operation::End(of) => storage::change(wire, Key::Payment, now, |wallet| {
            let view = wallet.end(id(of))?;
            Ok(((), Intent::answered(Deed::End(of), &view)))
        }),
        Operation::Erase => erase(wire, now),
        Operation::Open { of, key, tell } => {
            return terminals::open(wire, of, key, tell, now).map(Given::Page);
        }
        Operation::Authorize(of) => app::complete(wire, Key::Payment, id(of), now).map(drop),
        Operation::Callback(of) => app::called_back(wire, id(of), now),
        Operation::Finish => app::finish(wire, now),
        Operation::Expire => due::settle(wire, now),
    };
    answered.map(|()| Given::Answer)
}

fn choice(primary: bool) -> Change {
    Change { primary: Some(primary), ..Change::default() }
}

fn create(
    wire: &mut Wire<'_>,
    primary: bool,
    key: Option<u8>,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let again = storage::change(wire, Key::Customer, now, |wallet| {
        let before = wallet.contents().last_sequence;
        let idempotency = key.map(|key| (hash(key), hash(key)));
        let view = wallet.create(NewRecurringPayment { nickname: None, primary, idempotency })?;
        let place = view.id.sequence().number();
        let again = wallet.contents().last_sequence == before;
        let deed = if again { Deed::Settle } else { Deed::Create { place, primary, key } };
        Ok((again, Intent::answered(deed, &view)))
    });
    if again? {
        wire.note(Event::SamePayment);
    }
    Ok(())
}

fn update(
    wire: &mut Wire<'_>,
    of: Place,
    change: &Change,
    deed: &Deed,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    storage::change(wire, Key::Payment, now, |wallet| {
        let view = wallet.update(id(of), change.clone())?;
        Ok(((), Intent::answered(deed.clone(), &view)))
    })
}

fn erase(wire: &mut Wire<'_>, now: DateTime<Utc>) -> Result<(), Stop> {
    storage::change(wire, Key::Customer, now, |wallet| {
        wallet.erase();
        Ok(((), Intent::silent(Deed::Erase)))
    })?;
    wire.note(Event::Erased);
    Ok(())
}
