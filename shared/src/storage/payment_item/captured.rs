//! The stored form of captured money: its credits, and the obligation to annul other registrations.

use serde::{Deserialize, Serialize};

use super::super::item::instant;
use super::transaction::{attempt, is_false, schedule};
use crate::domain::id::Attempt;
use crate::domain::payment::{Annulment, Captured, Crediting};
use crate::error::Cause;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredCaptured {
    registration: u8,
    at: i64,
    /// In minor units.
    captured: u64,
    /// In minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    credited: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credited_at: Option<i64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    credits: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crediting: Option<StoredCrediting>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annulment: Option<StoredAnnulment>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCrediting {
    /// In minor units.
    target: u64,
    sent_at: i64,
    sends: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    is_refused: bool,
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reconcile_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredAnnulment {
    registrations: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<u8>,
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reconcile_at: Option<i64>,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<&Captured> for StoredCaptured {
    fn from(captured: &Captured) -> Self {
        Self {
            registration: captured.registration.number(),
            at: captured.at.timestamp_millis(),
            captured: captured.captured_minor,
            credited: captured.credited_minor,
            credited_at: captured.credited_at.map(|at| at.timestamp_millis()),
            credits: captured.credits,
            crediting: captured.crediting.as_ref().map(From::from),
            annulment: captured.annulment.as_ref().map(From::from),
        }
    }
}

impl TryFrom<&StoredCaptured> for Captured {
    type Error = Cause;

    fn try_from(stored: &StoredCaptured) -> Result<Self, Cause> {
        Ok(Self {
            registration: attempt(stored.registration)?,
            at: instant(stored.at)?,
            captured_minor: stored.captured,
            credited_minor: stored.credited,
            credited_at: stored.credited_at.map(instant).transpose()?,
            credits: stored.credits,
            crediting: stored.crediting.as_ref().map(Crediting::try_from).transpose()?,
            annulment: stored.annulment.as_ref().map(Annulment::try_from).transpose()?,
        })
    }
}

impl From<&Crediting> for StoredCrediting {
    fn from(crediting: &Crediting) -> Self {
        Self {
            target: crediting.target_minor,
            sent_at: crediting.sent_at.timestamp_millis(),
            sends: crediting.sends,
            is_refused: crediting.is_refused,
            since: crediting.schedule.since.timestamp_millis(),
            reconcile_at: crediting.schedule.reconcile_at.map(|at| at.timestamp_millis()),
        }
    }
}

impl TryFrom<&StoredCrediting> for Crediting {
    type Error = Cause;

    fn try_from(stored: &StoredCrediting) -> Result<Self, Cause> {
        Ok(Self {
            target_minor: stored.target,
            sent_at: instant(stored.sent_at)?,
            sends: stored.sends,
            is_refused: stored.is_refused,
            schedule: schedule(stored.since, stored.reconcile_at)?,
        })
    }
}

impl From<&Annulment> for StoredAnnulment {
    fn from(annulment: &Annulment) -> Self {
        Self {
            registrations: annulment.registrations.iter().copied().map(Attempt::number).collect(),
            unconfirmed: annulment.unconfirmed.map(Attempt::number),
            since: annulment.schedule.since.timestamp_millis(),
            reconcile_at: annulment.schedule.reconcile_at.map(|at| at.timestamp_millis()),
        }
    }
}

impl TryFrom<&StoredAnnulment> for Annulment {
    type Error = Cause;

    fn try_from(stored: &StoredAnnulment) -> Result<Self, Cause> {
        let registrations = stored.registrations.iter().map(|number| attempt(*number));
        Ok(Self {
            registrations: registrations.collect::<Result<_, _>>()?,
            unconfirmed: stored.unconfirmed.map(attempt).transpose()?,
            schedule: schedule(stored.since, stored.reconcile_at)?,
        })
    }
}
