//! A wallet as an item of the table: the only file that knows attribute names.
//!
//! Instants are milliseconds since 1970. `schema` says which version of this file wrote an item; every version that was
//! ever written stays readable, and a stored literal of it stays in the tests.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::domain::caller::Organisation;
use crate::domain::card::{Card, LastFour, PaymentType, Registration};
use crate::domain::id::{Sequence, Slot};
use crate::domain::owner::Owner;
use crate::domain::recurring_payment::{Idempotency, RecurringPayment, State, StatusReason};
use crate::domain::terminal::{Outcome, Terminal};
use crate::domain::text::Nickname;
use crate::domain::wallet::Contents;
use crate::error::{Cause, Error};
use crate::secret::Secret;

const SCHEMA: u8 = 1;
/// How many write ids an item remembers. A lost answer is recognised until so many other writes came after it.
const WRITES: usize = 8;

/// What is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    schema: u8,
    slot: u64,
    organisation: u64,
    owner: ByteArray<32>,
    version: u64,
    /// Ids of the last writes, newest first, 8 bytes each.
    writes: ByteBuf,
    last_sequence: u16,
    choices: Vec<u16>,
    payments: Vec<Payment>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    sequence: u16,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<StoredKey>,
    state: StoredState,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    key: ByteArray<16>,
    request: ByteArray<16>,
    primary: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum StoredState {
    Created {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        terminals: Vec<StoredTerminal>,
    },
    Active {
        card: StoredCard,
        pan_hash: String,
    },
    Expired {
        card: StoredCard,
    },
    Cancelled {
        reason: Reason,
        at: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<StoredCard>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reason {
    Ended,
    Abandoned,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTerminal {
    opened_at: i64,
    outcome: StoredOutcome,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredOutcome {
    Open,
    Failed,
    Cancelled,
    Declined,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCard {
    #[serde(rename = "type")]
    payment_type: String,
    last_four: String,
    expiry: String,
    activated_at: i64,
    expires_at: i64,
}

impl Item {
    /// The item that takes the place of another one.
    pub(super) fn new(
        slot: Slot,
        contents: &Contents,
        replaces: Option<&Self>,
        write_id: u64,
    ) -> Self {
        let mut writes = write_id.to_be_bytes().to_vec();
        writes.extend(replaces.into_iter().flat_map(|item| item.writes.iter()));
        writes.truncate(WRITES * size_of::<u64>());
        Self {
            schema: SCHEMA,
            slot: slot.number(),
            organisation: contents.organisation.number(),
            owner: ByteArray::new(contents.owner.0),
            version: replaces.map_or(0, Self::version) + 1,
            writes: ByteBuf::from(writes),
            last_sequence: contents.last_sequence.number(),
            choices: contents.choices.iter().map(|choice| choice.number()).collect(),
            payments: contents.payments.iter().map(Payment::from).collect(),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether this write is among the last ones.
    pub(super) fn was_written_by(&self, write_id: u64) -> bool {
        self.writes.chunks(size_of::<u64>()).any(|write| write == write_id.to_be_bytes())
    }

    pub(super) fn read(attributes: HashMap<String, AttributeValue>) -> Result<Self, Error> {
        serde_dynamo::from_item(attributes).map_err(|cause| unreadable(cause.into()))
    }

    pub(super) fn write(self) -> Result<HashMap<String, AttributeValue>, Error> {
        let what = "a wallet can not be written as an item";
        serde_dynamo::to_item(self).map_err(|cause| Error::Internal { what, cause: cause.into() })
    }

    /// The wallet's contents.
    pub(super) fn contents(&self) -> Result<Contents, Error> {
        if self.schema != SCHEMA {
            return Err(unreadable(format!("schema {}", self.schema).into()));
        }
        let sequence =
            |number: &u16| Sequence::try_from(*number).map_err(|cause| unreadable(cause.into()));
        Ok(Contents {
            organisation: Organisation::new(self.organisation),
            owner: Owner(*self.owner),
            last_sequence: sequence(&self.last_sequence)?,
            choices: self.choices.iter().map(sequence).collect::<Result<_, _>>()?,
            payments: self
                .payments
                .iter()
                .map(RecurringPayment::try_from)
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
        })
    }
}

fn unreadable(cause: Cause) -> Error {
    Error::Internal { what: "a stored wallet can not be read", cause }
}

fn instant(milliseconds: i64) -> Result<DateTime<Utc>, Cause> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| "an instant out of range".into())
}

impl From<&RecurringPayment> for Payment {
    fn from(payment: &RecurringPayment) -> Self {
        Self {
            sequence: payment.sequence.number(),
            created_at: payment.created_at.timestamp_millis(),
            nickname: payment.nickname.as_ref().map(|nickname| nickname.as_str().to_owned()),
            key: payment.idempotency.map(|idempotency| StoredKey {
                key: ByteArray::new(idempotency.key),
                request: ByteArray::new(idempotency.request),
                primary: idempotency.primary,
            }),
            state: StoredState::from(&payment.state),
        }
    }
}

impl TryFrom<&Payment> for RecurringPayment {
    type Error = Cause;

    fn try_from(stored: &Payment) -> Result<Self, Cause> {
        Ok(Self {
            sequence: Sequence::try_from(stored.sequence)?,
            created_at: instant(stored.created_at)?,
            nickname: stored.nickname.clone().map(Nickname::kept),
            idempotency: stored.key.as_ref().map(|stored| Idempotency {
                key: *stored.key,
                request: *stored.request,
                primary: stored.primary,
            }),
            state: State::try_from(&stored.state)?,
        })
    }
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        match state {
            State::Created { terminals } => {
                Self::Created { terminals: terminals.iter().map(StoredTerminal::from).collect() }
            }
            State::Active { registration, pan_hash } => Self::Active {
                card: StoredCard::from(registration),
                pan_hash: pan_hash.expose().to_owned(),
            },
            State::Expired { registration } => {
                Self::Expired { card: StoredCard::from(registration) }
            }
            State::Cancelled { reason, at, registration } => Self::Cancelled {
                reason: match reason {
                    StatusReason::Ended => Reason::Ended,
                    StatusReason::Abandoned => Reason::Abandoned,
                },
                at: at.timestamp_millis(),
                card: registration.as_ref().map(StoredCard::from),
            },
        }
    }
}

impl TryFrom<&StoredState> for State {
    type Error = Cause;

    fn try_from(stored: &StoredState) -> Result<Self, Cause> {
        Ok(match stored {
            StoredState::Created { terminals } => Self::Created {
                terminals: terminals.iter().map(Terminal::try_from).collect::<Result<_, _>>()?,
            },
            StoredState::Active { card, pan_hash } => Self::Active {
                registration: card.try_into()?,
                pan_hash: Secret::new(pan_hash.clone()),
            },
            StoredState::Expired { card } => Self::Expired { registration: card.try_into()? },
            StoredState::Cancelled { reason, at, card } => Self::Cancelled {
                reason: match reason {
                    Reason::Ended => StatusReason::Ended,
                    Reason::Abandoned => StatusReason::Abandoned,
                },
                at: instant(*at)?,
                registration: card.as_ref().map(Registration::try_from).transpose()?,
            },
        })
    }
}

impl From<&Terminal> for StoredTerminal {
    fn from(terminal: &Terminal) -> Self {
        Self {
            opened_at: terminal.opened_at.timestamp_millis(),
            outcome: match terminal.outcome {
                Outcome::Open => StoredOutcome::Open,
                Outcome::Failed => StoredOutcome::Failed,
                Outcome::Cancelled => StoredOutcome::Cancelled,
                Outcome::Declined => StoredOutcome::Declined,
            },
        }
    }
}

impl TryFrom<&StoredTerminal> for Terminal {
    type Error = Cause;

    fn try_from(stored: &StoredTerminal) -> Result<Self, Cause> {
        Ok(Self {
            opened_at: instant(stored.opened_at)?,
            outcome: match stored.outcome {
                StoredOutcome::Open => Outcome::Open,
                StoredOutcome::Failed => Outcome::Failed,
                StoredOutcome::Cancelled => Outcome::Cancelled,
                StoredOutcome::Declined => Outcome::Declined,
            },
        })
    }
}

impl From<&Registration> for StoredCard {
    fn from(registration: &Registration) -> Self {
        Self {
            payment_type: registration.card.payment_type.name().to_owned(),
            last_four: registration.card.last_four.as_str().to_owned(),
            expiry: registration.card.expiry.to_string(),
            activated_at: registration.activated_at.timestamp_millis(),
            expires_at: registration.expires_at.timestamp_millis(),
        }
    }
}

impl TryFrom<&StoredCard> for Registration {
    type Error = Cause;

    fn try_from(stored: &StoredCard) -> Result<Self, Cause> {
        Ok(Self {
            card: Card {
                payment_type: PaymentType::named(&stored.payment_type),
                last_four: LastFour::of_masked(&stored.last_four).ok_or("not four digits")?,
                expiry: stored.expiry.parse()?,
            },
            activated_at: instant(stored.activated_at)?,
            expires_at: instant(stored.expires_at)?,
        })
    }
}
