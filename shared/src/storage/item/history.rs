//! The history of a wallet as one binary attribute. Its entries follow each other, oldest first. Numbers are big-endian:
//!
//! ```text
//! 6 bytes  milliseconds since 1970
//! 2 bytes  the recurring payment that changed (10 bits) ‖ status before (3) ‖ status after (3)
//! 2 bytes  primary before (10 bits, 0 for none) ‖ whether it is ACTIVE (1) ‖ cause (3) ‖ unused (2)
//! 2 bytes  primary after (10 bits, 0 for none) ‖ whether it is ACTIVE (1) ‖ actor (2) ‖ unused (3)
//! then     client name, channel, correlation id: each as 1 byte with its length, and the text
//! ```
//!
//! The length 255 means 16 bytes of a UUID. A list of tuples would be 1.5 times as large, and a list of maps with names of one letter
//! 1.7 times.

use chrono::DateTime;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_bytes::ByteBuf;
use uuid::Uuid;

use crate::domain::history::{Actor, Entry, EntryCause, History, Label, Origin, Primary};
use crate::domain::id::Sequence;
use crate::domain::recurring_payment::RecurringStatus;

/// The length of a UUID in its text form, in place of a length.
const UUID: u8 = u8::MAX;

/// The bytes of an item are not a history.
const INVALID: &str = "not a history";

pub(super) fn serialize<S: Serializer>(history: &History, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(&history.entries().iter().flat_map(entry_bytes).collect::<Vec<_>>())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<History, D::Error> {
    let bytes = ByteBuf::deserialize(from)?;
    let (mut reader, mut entries) = (Reader(&bytes), Vec::new());
    while !reader.0.is_empty() {
        entries.push(reader.entry().map_err(D::Error::custom)?);
    }
    Ok(History::from_entries(entries))
}

fn entry_bytes(entry: &Entry) -> Vec<u8> {
    let milliseconds = entry.at.timestamp_millis().to_be_bytes();
    let subject = entry.subject.number() << 6
        | status_bits(entry.before) << 3
        | status_bits(Some(entry.after));
    let (actor, name, channel) = match &entry.origin.actor {
        Actor::Client { name, channel } => (0, name.as_ref(), channel.as_ref()),
        Actor::Time => (1, None, None),
        Actor::Nets => (2, None, None),
    };
    let before = primary_bits(entry.primary_before) | cause_bits(entry.cause) << 2;
    let after = primary_bits(entry.primary_after) | actor << 3;
    let mut bytes = milliseconds[2..].to_vec();
    bytes.extend([subject, before, after].into_iter().flat_map(u16::to_be_bytes));
    push_text(&mut bytes, name.map_or("", Label::as_str));
    push_text(&mut bytes, channel.map_or("", Label::as_str));
    let correlation_id = entry.origin.correlation_id.as_ref().map_or("", Label::as_str);
    match Uuid::try_parse(correlation_id) {
        Ok(uuid) if uuid.to_string() == correlation_id => {
            bytes.push(UUID);
            bytes.extend(uuid.as_bytes());
        }
        Ok(_) | Err(_) => push_text(&mut bytes, correlation_id),
    }
    bytes
}

/// A label has at most 36 bytes.
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).unwrap_or_default());
    bytes.extend(text.as_bytes());
}

fn primary_bits(primary: Option<Primary>) -> u16 {
    primary.map_or(0, |primary| primary.sequence.number() << 6 | u16::from(primary.is_active) << 5)
}

fn status_bits(status: Option<RecurringStatus>) -> u16 {
    match status {
        None => 0,
        Some(RecurringStatus::Created) => 1,
        Some(RecurringStatus::Active) => 2,
        Some(RecurringStatus::Expired) => 3,
        Some(RecurringStatus::Cancelled) => 4,
    }
}

fn cause_bits(cause: EntryCause) -> u16 {
    match cause {
        EntryCause::First => 0,
        EntryCause::Requested => 1,
        EntryCause::CardStored => 2,
        EntryCause::Ended => 3,
        EntryCause::Expired => 4,
        EntryCause::Abandoned => 5,
        EntryCause::ChoiceAbandoned => 6,
    }
}

/// The bytes that were not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn entry(&mut self) -> Result<Entry, &'static str> {
        let mut milliseconds = [0; 8];
        milliseconds[2..].copy_from_slice(&self.take::<6>()?);
        let [subject, before, after] =
            [self.take::<2>()?, self.take::<2>()?, self.take::<2>()?].map(u16::from_be_bytes);
        let (name, channel) = (Label::cut(&self.text()?), Label::cut(&self.text()?));
        let correlation_id = Label::cut(&self.text()?);
        let actor = match after >> 3 & 0b11 {
            0 => Actor::Client { name, channel },
            1 => Actor::Time,
            2 => Actor::Nets,
            _ => return Err(INVALID),
        };
        let milliseconds = i64::from_be_bytes(milliseconds);
        Ok(Entry {
            at: DateTime::from_timestamp_millis(milliseconds).ok_or(INVALID)?,
            origin: Origin { actor, correlation_id },
            subject: Sequence::try_from(subject >> 6).map_err(|_| INVALID)?,
            before: status(subject >> 3 & 0b111)?,
            after: status(subject & 0b111)?.ok_or(INVALID)?,
            cause: cause(before >> 2 & 0b111)?,
            primary_before: primary(before)?,
            primary_after: primary(after)?,
        })
    }

    fn take<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(INVALID)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(&mut self) -> Result<String, &'static str> {
        let [length] = self.take()?;
        if length == UUID {
            return Ok(Uuid::from_bytes(self.take()?).to_string());
        }
        let (text, rest) = self.0.split_at_checked(length.into()).ok_or(INVALID)?;
        self.0 = rest;
        Ok(str::from_utf8(text).map_err(|_| INVALID)?.to_owned())
    }
}

fn primary(bits: u16) -> Result<Option<Primary>, &'static str> {
    let sequence = Sequence::try_from(bits >> 6).map_err(|_| INVALID)?;
    let primary = Primary { sequence, is_active: bits >> 5 & 1 == 1 };
    Ok(Some(primary).filter(|primary| primary.sequence != Sequence::NONE))
}

fn status(bits: u16) -> Result<Option<RecurringStatus>, &'static str> {
    Ok(match bits {
        0 => None,
        1 => Some(RecurringStatus::Created),
        2 => Some(RecurringStatus::Active),
        3 => Some(RecurringStatus::Expired),
        4 => Some(RecurringStatus::Cancelled),
        _ => return Err(INVALID),
    })
}

fn cause(bits: u16) -> Result<EntryCause, &'static str> {
    Ok(match bits {
        0 => EntryCause::First,
        1 => EntryCause::Requested,
        2 => EntryCause::CardStored,
        3 => EntryCause::Ended,
        4 => EntryCause::Expired,
        5 => EntryCause::Abandoned,
        6 => EntryCause::ChoiceAbandoned,
        _ => return Err(INVALID),
    })
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
