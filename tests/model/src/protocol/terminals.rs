//! `shared/src/app/terminals.rs`: stores a terminal session first, and then has Nets register it.

use chrono::{DateTime, Utc};
use shared::domain::terminal::{CloseReason, IdempotencyRecord, TerminalSession};
use shared::domain::wallet::{OpenedTerminal, Wallet};
use shared::error::Refusal;
use shared::netaxept::{Progress, Registered};

use super::reconciliation::query;
use super::{callback_url, hash, id};
use crate::annotation::{Annotation, Effect};
use crate::defect::Defect;
use crate::event::Event;
use crate::operation::SequenceNumber;
use crate::storage;
use crate::wallets::{Answer, Call, Failure, Stop, WalletKey, Wire};

/// How many transaction ids are tried if Nets already knows them.
const MAX_IDS: u32 = 3;

/// `Terminals::open`: returns the session whose page the client can use.
///
/// # Errors
/// Fails with the refusal of the wallet, with an error of the store, or with `Unavailable` if Nets gives no clear answer.
pub fn open(
    wire: &mut Wire<'_>,
    of: SequenceNumber,
    key: Option<u8>,
    notify: bool,
    now: DateTime<Utc>,
) -> Result<TerminalSession, Stop> {
    if wire.has(Defect::RegistersBeforeWrite) {
        return open_after_registration(wire, of, key, notify, now);
    }
    for _ in 0..MAX_IDS {
        let opened = storage::change(wire, WalletKey::Payment, now, |wallet| {
            opened(wallet, of, key, notify)
        });
        let OpenedTerminal { session, repeated } = opened?;
        if repeated {
            wire.record(Event::OpenRepeated);
            if is_registered(wire, &session)? {
                return Ok(session);
            }
            if !wire.has(Defect::ResumeNotWritten) && !resume_registration(wire, &session, now)? {
                continue;
            }
            wire.record(Event::RegistrationResumed);
        }
        if register(wire, &session)? {
            return Ok(session);
        }
        close(wire, &session, now)?;
    }
    Err(Stop::Failed(Failure::Unavailable))
}

/// Stores that the registration is in progress again, so that no reconciliation closes the session. Returns whether it is open.
fn resume_registration(
    wire: &mut Wire<'_>,
    session: &TerminalSession,
    now: DateTime<Utc>,
) -> Result<bool, Stop> {
    storage::change(wire, WalletKey::Payment, now, |wallet| {
        Ok((wallet.resume_registration(session)?, Annotation::without_response(Effect::TimeOnly)))
    })
}

/// Closes a session whose id belongs to another transaction. It can never be registered.
fn close(wire: &mut Wire<'_>, session: &TerminalSession, now: DateTime<Utc>) -> Result<(), Stop> {
    storage::change(wire, WalletKey::Payment, now, |wallet| {
        wallet.close_terminal(session, CloseReason::NeverRegistered)?;
        Ok(((), Annotation::without_response(Effect::CloseUnregistered(*session))))
    })
}

fn opened(
    wallet: &mut Wallet,
    of: SequenceNumber,
    key: Option<u8>,
    notify: bool,
) -> Result<(OpenedTerminal, Annotation), Refusal> {
    let idempotency = key.map(|key| IdempotencyRecord { key: hash(key), request: hash(key) });
    let callback_url = if notify { callback_url() } else { None };
    let opened = wallet.open_terminal(id(of), callback_url, idempotency, false)?;
    let effect = if opened.repeated {
        Effect::TimeOnly
    } else {
        Effect::Open { session: opened.session, key, notify }
    };
    Ok((opened, Annotation::without_response(effect)))
}

fn is_registered(wire: &mut Wire<'_>, session: &TerminalSession) -> Result<bool, Stop> {
    match query(wire, session)? {
        Progress::NeverRegistered => Ok(false),
        Progress::Cancelled | Progress::Unverified | Progress::Verified(_) => Ok(true),
    }
}

/// Has Nets register a session. Returns false if its id belongs to another transaction.
fn register(wire: &mut Wire<'_>, session: &TerminalSession) -> Result<bool, Stop> {
    if let Some(Answer::Registered(registered)) = wire.call(Call::Register(*session))? {
        return match registered {
            Registered::Yes => Ok(true),
            Registered::IdTaken => {
                wire.record(Event::IdTaken);
                Ok(wire.has(Defect::TakenIdCountsAsRegistered) || is_registered(wire, session)?)
            }
        };
    }
    match is_registered(wire, session) {
        Ok(true) => Ok(true),
        Ok(false) if wire.has(Defect::ClosesSessionAfterFailedRegistration) => Ok(false),
        Ok(false) => {
            wire.record(Event::RegistrationUncertain);
            Err(Stop::Failed(Failure::Unavailable))
        }
        Err(failure) => Err(failure),
    }
}

/// The wrong order, as a defect: register the session first, then store it.
fn open_after_registration(
    wire: &mut Wire<'_>,
    of: SequenceNumber,
    key: Option<u8>,
    notify: bool,
    now: DateTime<Utc>,
) -> Result<TerminalSession, Stop> {
    let found = storage::load(wire, WalletKey::Payment, now)?;
    let (OpenedTerminal { session, .. }, _) =
        opened(&mut found.aggregate.clone(), of, key, notify)?;
    register(wire, &session)?;
    storage::change(wire, WalletKey::Payment, now, |wallet| opened(wallet, of, key, notify))?;
    Ok(session)
}
