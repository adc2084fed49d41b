//! The stored form of a recurring payment.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::instant;
use crate::domain::card::{Card, LastFour, PaymentType, Registration};
use crate::domain::id::Sequence;
use crate::domain::recurring_payment::{Idempotency, RecurringPayment, State, StatusReason};
use crate::domain::terminal::{IdempotencyRecord, Outcome, Terminal};
use crate::domain::text::{CallbackUrl, Nickname};
use crate::error::Cause;
use crate::secret::Secret;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        callback: Option<String>,
    },
    Active {
        card: StoredCard,
        pan_hash: String,
        /// Absent if false, as in items that were written before there were lifecycle events.
        #[serde(rename = "noticed", default, skip_serializing_if = "is_false")]
        notice_given: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reconcile_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency: Option<StoredIdempotency>,
    /// Absent if false, as in items that were written before charges by the merchant were possible.
    #[serde(rename = "mit", default, skip_serializing_if = "is_false")]
    merchant_initiated: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredIdempotency {
    key: ByteArray<16>,
    request: ByteArray<16>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredOutcome {
    Open,
    Failed,
    Cancelled,
    Declined,
    CardExpired,
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
    /// Absent if false, as in items that were written before charges by the merchant were possible.
    #[serde(rename = "mit", default, skip_serializing_if = "is_false")]
    merchant_initiated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde needs")]
fn is_false(flag: &bool) -> bool {
    !flag
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
            nickname: stored.nickname.clone().map(Nickname::from_stored),
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
            State::Created { terminals, callback } => Self::Created {
                terminals: terminals.iter().map(StoredTerminal::from).collect(),
                callback: callback.as_ref().map(|callback| callback.as_url().to_string()),
            },
            State::Active { registration, pan_hash, notice_given } => Self::Active {
                card: StoredCard::from(registration),
                pan_hash: pan_hash.expose().to_owned(),
                notice_given: *notice_given,
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
            StoredState::Created { terminals, callback } => Self::Created {
                terminals: terminals.iter().map(Terminal::try_from).collect::<Result<_, _>>()?,
                callback: callback.as_deref().map(CallbackUrl::from_stored).transpose()?,
            },
            StoredState::Active { card, pan_hash, notice_given } => Self::Active {
                registration: card.try_into()?,
                pan_hash: Secret::new(pan_hash.clone()),
                notice_given: *notice_given,
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
                Outcome::CardExpired => StoredOutcome::CardExpired,
            },
            reconcile_at: terminal.reconcile_at.map(|at| at.timestamp_millis()),
            idempotency: terminal.idempotency.map(|idempotency| StoredIdempotency {
                key: ByteArray::new(idempotency.key),
                request: ByteArray::new(idempotency.request),
            }),
            merchant_initiated: terminal.allows_merchant_initiated,
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
                StoredOutcome::CardExpired => Outcome::CardExpired,
            },
            reconcile_at: stored.reconcile_at.map(instant).transpose()?,
            idempotency: stored.idempotency.as_ref().map(|idempotency| IdempotencyRecord {
                key: *idempotency.key,
                request: *idempotency.request,
            }),
            allows_merchant_initiated: stored.merchant_initiated,
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
            merchant_initiated: registration.allows_merchant_initiated,
        }
    }
}

impl TryFrom<&StoredCard> for Registration {
    type Error = Cause;

    fn try_from(stored: &StoredCard) -> Result<Self, Cause> {
        Ok(Self {
            card: Card {
                payment_type: PaymentType::from_name(&stored.payment_type),
                last_four: LastFour::from_masked(&stored.last_four).ok_or("not four digits")?,
                expiry: stored.expiry.parse()?,
            },
            activated_at: instant(stored.activated_at)?,
            expires_at: instant(stored.expires_at)?,
            allows_merchant_initiated: stored.merchant_initiated,
        })
    }
}
