//! The stored form of a transaction. Registrations are stored with their number, 0 to 15.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::super::item::instant;
use super::captured::{StoredAnnulment, StoredCaptured};
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::id::{Attempt, RecurringPaymentId};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{
    Annulment, Charge, ChargedCard, Chosen, Initiated, Initiator, Registration,
    RegistrationOutcome, Schedule, State, Transaction,
};
use crate::domain::text::CallbackUrl;
use crate::error::{CancelReason, Cause, Decline};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredTransaction {
    created_at: i64,
    /// In minor units.
    amount: u64,
    currency: String,
    recurring_payment: u64,
    card_type: String,
    last_four: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    soft_declines: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback: Option<String>,
    state: StoredState,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum StoredState {
    Created,
    Initiated {
        registrations: Vec<StoredRegistration>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chosen: Option<StoredChosen>,
        since: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reconcile_at: Option<i64>,
    },
    Captured(StoredCaptured),
    Credited(StoredCaptured),
    Rejected {
        at: i64,
        decline: StoredDecline,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annulment: Option<StoredAnnulment>,
    },
    Cancelled {
        at: i64,
        reason: StoredReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annulment: Option<StoredAnnulment>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRegistration {
    at: i64,
    by: StoredInitiator,
    #[serde(default, skip_serializing_if = "is_false")]
    auth_requested: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    auto_sale: bool,
    outcome: StoredOutcome,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredChosen {
    registration: u8,
    at: i64,
    #[serde(default, skip_serializing_if = "is_false")]
    is_shared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decline: Option<StoredDecline>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold_until: Option<i64>,
}

/// Defines the stored form of an enum without data, and both conversions.
macro_rules! stored_enum {
    ($stored:ident is $domain:ident { $($variant:ident),+ }) => {
        #[derive(Clone, Copy, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        enum $stored { $($variant),+ }

        impl From<$domain> for $stored {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$stored> for $domain {
            fn from(stored: $stored) -> Self {
                match stored { $($stored::$variant => Self::$variant),+ }
            }
        }
    };
}

stored_enum!(StoredInitiator is Initiator { Customer, Merchant });
stored_enum!(StoredOutcome is RegistrationOutcome {
    Open, NeverRegistered, Cancelled, AuthenticationRequired, Annulled
});
stored_enum!(StoredDecline is Decline { AuthenticationRequired, Soft, Hard });
stored_enum!(StoredReason is CancelReason {
    Requested, AtTerminal, TimedOut, HoldEnded, AnnulledAtNets, CardNotActive, AmountDiffers
});

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

pub(super) fn attempt(number: u8) -> Result<Attempt, Cause> {
    Ok(Attempt::try_from(usize::from(number))?)
}

pub(super) fn schedule(since: i64, reconcile_at: Option<i64>) -> Result<Schedule, Cause> {
    Ok(Schedule { since: instant(since)?, reconcile_at: reconcile_at.map(instant).transpose()? })
}

impl From<&Transaction> for StoredTransaction {
    fn from(transaction: &Transaction) -> Self {
        let Charge { amount, recurring_payment_id } = transaction.charge;
        let declines = transaction.soft_declines.iter().map(DateTime::timestamp_millis);
        Self {
            created_at: transaction.created_at.timestamp_millis(),
            amount: amount.minor(),
            currency: amount.currency().code().to_owned(),
            recurring_payment: recurring_payment_id.number(),
            card_type: transaction.card.payment_type.name().to_owned(),
            last_four: transaction.card.last_four.as_str().to_owned(),
            initiated_at: transaction.initiated_at.map(|at| at.timestamp_millis()),
            soft_declines: declines.collect(),
            callback: transaction.callback_url.as_ref().map(|url| url.as_url().to_string()),
            state: StoredState::from(&transaction.state),
        }
    }
}

impl TryFrom<&StoredTransaction> for Transaction {
    type Error = Cause;

    fn try_from(stored: &StoredTransaction) -> Result<Self, Cause> {
        let currency = Currency::from_code(&stored.currency).ok_or("not a currency")?;
        let declines = stored.soft_declines.iter().copied().map(instant);
        Ok(Self {
            created_at: instant(stored.created_at)?,
            charge: Charge {
                amount: Money::new(stored.amount, currency),
                recurring_payment_id: RecurringPaymentId::try_from(stored.recurring_payment)?,
            },
            card: ChargedCard {
                payment_type: PaymentType::from_name(&stored.card_type),
                last_four: LastFour::from_masked(&stored.last_four).ok_or("not four digits")?,
            },
            initiated_at: stored.initiated_at.map(instant).transpose()?,
            soft_declines: declines.collect::<Result<_, _>>()?,
            callback_url: stored.callback.as_deref().map(CallbackUrl::from_stored).transpose()?,
            state: State::try_from(&stored.state)?,
        })
    }
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        match state {
            State::Created => Self::Created,
            State::Initiated(initiated) => Self::Initiated {
                registrations: initiated.registrations.iter().map(From::from).collect(),
                chosen: initiated.chosen.as_ref().map(From::from),
                since: initiated.schedule.since.timestamp_millis(),
                reconcile_at: initiated.schedule.reconcile_at.map(|at| at.timestamp_millis()),
            },
            State::Captured(captured) => Self::Captured(captured.into()),
            State::Credited(captured) => Self::Credited(captured.into()),
            State::Rejected { at, decline, annulment } => Self::Rejected {
                at: at.timestamp_millis(),
                decline: (*decline).into(),
                annulment: annulment.as_ref().map(From::from),
            },
            State::Cancelled { at, reason, annulment } => Self::Cancelled {
                at: at.timestamp_millis(),
                reason: (*reason).into(),
                annulment: annulment.as_ref().map(From::from),
            },
        }
    }
}

impl TryFrom<&StoredState> for State {
    type Error = Cause;

    fn try_from(stored: &StoredState) -> Result<Self, Cause> {
        Ok(match stored {
            StoredState::Created => Self::Created,
            StoredState::Initiated { registrations, chosen, since, reconcile_at } => {
                let registrations = registrations.iter().map(Registration::try_from);
                Self::Initiated(Initiated {
                    registrations: registrations.collect::<Result<_, _>>()?,
                    chosen: chosen.as_ref().map(Chosen::try_from).transpose()?,
                    schedule: schedule(*since, *reconcile_at)?,
                })
            }
            StoredState::Captured(captured) => Self::Captured(captured.try_into()?),
            StoredState::Credited(captured) => Self::Credited(captured.try_into()?),
            StoredState::Rejected { at, decline, annulment } => Self::Rejected {
                at: instant(*at)?,
                decline: (*decline).into(),
                annulment: annulment.as_ref().map(Annulment::try_from).transpose()?,
            },
            StoredState::Cancelled { at, reason, annulment } => Self::Cancelled {
                at: instant(*at)?,
                reason: (*reason).into(),
                annulment: annulment.as_ref().map(Annulment::try_from).transpose()?,
            },
        })
    }
}

impl From<&Registration> for StoredRegistration {
    fn from(registration: &Registration) -> Self {
        Self {
            at: registration.opened_at.timestamp_millis(),
            by: registration.initiator.into(),
            auth_requested: registration.auth_requested,
            auto_sale: registration.auto_sale,
            outcome: registration.outcome.into(),
        }
    }
}

impl TryFrom<&StoredRegistration> for Registration {
    type Error = Cause;

    fn try_from(stored: &StoredRegistration) -> Result<Self, Cause> {
        Ok(Self {
            opened_at: instant(stored.at)?,
            initiator: stored.by.into(),
            auth_requested: stored.auth_requested,
            auto_sale: stored.auto_sale,
            outcome: stored.outcome.into(),
        })
    }
}

impl From<&Chosen> for StoredChosen {
    fn from(chosen: &Chosen) -> Self {
        Self {
            registration: chosen.registration.number(),
            at: chosen.at.timestamp_millis(),
            is_shared: chosen.is_shared,
            decline: chosen.decline.map(From::from),
            hold_until: chosen.hold_until.map(|at| at.timestamp_millis()),
        }
    }
}

impl TryFrom<&StoredChosen> for Chosen {
    type Error = Cause;

    fn try_from(stored: &StoredChosen) -> Result<Self, Cause> {
        Ok(Self {
            registration: attempt(stored.registration)?,
            at: instant(stored.at)?,
            is_shared: stored.is_shared,
            decline: stored.decline.map(From::from),
            hold_until: stored.hold_until.map(instant).transpose()?,
        })
    }
}
