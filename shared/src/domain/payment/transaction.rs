//! A transaction: one attempt to pay an order with a stored card.

use chrono::{DateTime, TimeDelta, Utc};

use super::credit::Crediting;
use super::initiated::Initiated;
use super::schedule::Annulment;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::id::{Attempt, RecurringPaymentId};
use crate::domain::money::Money;
use crate::domain::text::CallbackUrl;
use crate::error::{CancelReason, Decline};

/// A transaction as its payment stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What is charged.
    pub charge: Charge,
    /// The card of the recurring payment, for answers: the recurring payment can be deleted earlier than its payments.
    pub card: ChargedCard,
    /// When its first terminal was opened.
    pub initiated_at: Option<DateTime<Utc>>,
    /// When the card was declined with [`Decline::Soft`] within the 24 hours before the last of these declines, oldest first.
    pub soft_declines: Vec<DateTime<Utc>>,
    /// The address for notifications: that of the newest terminal that has one.
    pub callback_url: Option<CallbackUrl>,
    /// The state, with the data that exists in that state.
    pub state: State,
}

/// The facts of a transaction. A repeated create with the same facts returns the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Charge {
    /// The amount, more than zero.
    pub amount: Money,
    /// The recurring payment whose card is charged.
    pub recurring_payment_id: RecurringPaymentId,
}

/// The data of the charged card that callers see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChargedCard {
    /// The card scheme.
    pub payment_type: PaymentType,
    /// The last four digits of the card number.
    pub last_four: LastFour,
}

/// The state of a transaction (payments.md §4.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Nets does not know it yet.
    Created,
    /// It is registered at Nets.
    Initiated(Initiated),
    /// The money is captured.
    Captured(Captured),
    /// Everything that was captured is credited.
    Credited(Captured),
    /// The card was declined permanently, or the customer would have to authenticate and is absent.
    Rejected {
        /// When it was rejected.
        at: DateTime<Utc>,
        /// The decline.
        decline: Decline,
        /// The obligation to annul a late authorization.
        annulment: Option<Annulment>,
    },
    /// It was cancelled.
    Cancelled {
        /// When it was cancelled.
        at: DateTime<Utc>,
        /// Why it was cancelled.
        reason: CancelReason,
        /// The obligation to annul a late authorization. `None` if AUTH was never requested.
        annulment: Option<Annulment>,
    },
}

/// The money of a captured transaction, as Nets reports it. The sums are cumulative.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Captured {
    /// The registration that is captured.
    pub registration: Attempt,
    /// When this service learned of the capture.
    pub at: DateTime<Utc>,
    /// The captured sum, in minor units of the transaction's currency.
    pub captured_minor: u64,
    /// The credited sum, in minor units of the transaction's currency.
    pub credited_minor: u64,
    /// When this service last learned of a credit. `None` if nothing is credited.
    pub credited_at: Option<DateTime<Utc>>,
    /// How many credits this service has begun.
    pub credits: u8,
    /// The credit that was sent to Nets and is not confirmed yet.
    pub crediting: Option<Crediting>,
    /// The obligation to annul authorizations of other registrations. `None` if AUTH was requested for no other one.
    pub annulment: Option<Annulment>,
}

impl Captured {
    /// The state for these sums.
    pub(super) fn into_state(self) -> State {
        if 0 < self.captured_minor && self.captured_minor <= self.credited_minor {
            State::Credited(self)
        } else {
            State::Captured(self)
        }
    }
}

/// The status of a transaction in the API: the variant of its [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "see State")]
pub enum TransactionStatus {
    Created,
    Initiated,
    Captured,
    Credited,
    Rejected,
    Cancelled,
}

impl TransactionStatus {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Initiated => "INITIATED",
            Self::Captured => "CAPTURED",
            Self::Credited => "CREDITED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// The sums of a transaction (`summary` in the API). The remaining sum to capture is positive until the money is captured, also
/// after CANCELLED and REJECTED: a client takes zero for a paid order (payments.md §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the API")]
pub struct Summary {
    pub captured: Money,
    pub credited: Money,
    pub remaining_to_capture: Money,
    pub remaining_to_credit: Money,
}

impl Transaction {
    /// How long a transaction waits for its first terminal, and for an authorization after its last one.
    pub const TIMEOUT: TimeDelta = TimeDelta::hours(24);
    /// The period in which soft declines are counted.
    pub const DECLINE_PERIOD: TimeDelta = TimeDelta::hours(24);
    /// How long after the opening of its registration an authorization is kept at most: an hour less than Nets accepts ANNUL.
    pub const MAX_HOLD: TimeDelta = TimeDelta::hours(7 * 24 - 1);

    /// A new transaction.
    #[must_use]
    pub(super) fn new(charge: Charge, card: ChargedCard, now: DateTime<Utc>) -> Self {
        Self {
            created_at: now,
            charge,
            card,
            initiated_at: None,
            soft_declines: Vec::new(),
            callback_url: None,
            state: State::Created,
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        match self.state {
            State::Created => TransactionStatus::Created,
            State::Initiated(_) => TransactionStatus::Initiated,
            State::Captured(_) => TransactionStatus::Captured,
            State::Credited(_) => TransactionStatus::Credited,
            State::Rejected { .. } => TransactionStatus::Rejected,
            State::Cancelled { .. } => TransactionStatus::Cancelled,
        }
    }

    /// Why it is REJECTED or CANCELLED (`statusReason` in the API). `None` in other states.
    #[must_use]
    pub fn status_reason(&self) -> Option<&'static str> {
        match &self.state {
            State::Created | State::Initiated(_) | State::Captured(_) | State::Credited(_) => None,
            State::Rejected { decline, .. } => Some(match decline {
                Decline::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
                Decline::Soft | Decline::Hard => "DECLINED",
            }),
            State::Cancelled { reason, .. } => Some(match reason {
                CancelReason::Requested => "REQUESTED",
                CancelReason::AtTerminal => "TERMINAL_CANCELLED",
                CancelReason::TimedOut => "TIMED_OUT",
                CancelReason::HoldEnded => "HOLD_ENDED",
                CancelReason::AnnulledAtNets => "ANNULLED_AT_NETS",
                CancelReason::CardNotActive => "CARD_NOT_ACTIVE",
                CancelReason::AmountDiffers => "AMOUNT_DIFFERS",
            }),
        }
    }

    /// Returns whether money can still be captured: CREATED or INITIATED.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self.state {
            State::Created | State::Initiated(_) => true,
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => false,
        }
    }

    /// Returns whether it is pending (api.md §7): CREATED, or INITIATED while nothing is known of its last registration.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match &self.state {
            State::Created => true,
            State::Initiated(initiated) => initiated.is_pending(),
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => false,
        }
    }

    /// The money, if it is captured.
    #[must_use]
    pub fn captured(&self) -> Option<&Captured> {
        match &self.state {
            State::Captured(captured) | State::Credited(captured) => Some(captured),
            State::Created
            | State::Initiated(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// Returns whether the order cannot be paid by another transaction: this one is live, or its money is captured.
    #[must_use]
    pub fn blocks_order(&self) -> bool {
        self.is_live() || self.captured().is_some()
    }

    /// The obligation to annul authorizations.
    #[must_use]
    pub fn annulment(&self) -> Option<&Annulment> {
        match &self.state {
            State::Created | State::Initiated(_) => None,
            State::Captured(captured) | State::Credited(captured) => captured.annulment.as_ref(),
            State::Rejected { annulment, .. } | State::Cancelled { annulment, .. } => {
                annulment.as_ref()
            }
        }
    }

    /// The sums.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let money = |minor| Money::new(minor, self.charge.amount.currency());
        let (captured, credited) = self
            .captured()
            .map_or((0, 0), |captured| (captured.captured_minor, captured.credited_minor));
        Summary {
            captured: money(captured),
            credited: money(credited),
            remaining_to_capture: money(self.charge.amount.minor().saturating_sub(captured)),
            remaining_to_credit: money(captured.saturating_sub(credited)),
        }
    }

    /// The same transaction with a change of its captured money. Any other state stays unchanged.
    #[must_use]
    pub(super) fn with_captured(self, change: impl FnOnce(Captured) -> Captured) -> Self {
        let state = match self.state {
            State::Captured(captured) => State::Captured(change(captured)),
            State::Credited(captured) => State::Credited(change(captured)),
            other @ (State::Created
            | State::Initiated(_)
            | State::Rejected { .. }
            | State::Cancelled { .. }) => other,
        };
        Self { state, ..self }
    }

    /// Returns whether it can have a registration with this number. A transaction that is over does not store all its registrations.
    #[must_use]
    pub(super) fn may_have_registration(&self, number: Attempt) -> bool {
        match &self.state {
            State::Created => false,
            State::Initiated(initiated) => initiated.get(number).is_some(),
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => true,
        }
    }

    /// Cancels it if it is live. An authorization that was in progress has to be annulled. Any other state stays unchanged.
    #[must_use]
    pub(super) fn cancelled(self, reason: CancelReason, at: DateTime<Utc>) -> Self {
        let state = match self.state {
            State::Created => State::Cancelled { at, reason, annulment: None },
            State::Initiated(initiated) => initiated.cancelled(reason, at),
            ended @ (State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. }) => ended,
        };
        Self { state, ..self }
    }

    /// Applies the changes that depend only on time: CREATED becomes CANCELLED after 24 hours; INITIATED 24 hours after its last
    /// registration, or if it is authorized, at the end of the hold. A decline that waited for another request takes effect.
    #[must_use]
    pub(super) fn with_time_applied(self, now: DateTime<Utc>) -> Self {
        let state = match self.state {
            State::Initiated(initiated) => initiated.with_time_applied(now),
            other @ (State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. }) => other,
        };
        let transaction = Self { state, ..self };
        match transaction.ends_at() {
            Some((at, reason)) if at <= now => transaction.cancelled(reason, at),
            Some(_) | None => transaction,
        }
    }

    fn ends_at(&self) -> Option<(DateTime<Utc>, CancelReason)> {
        match &self.state {
            State::Created => Some((self.created_at + Self::TIMEOUT, CancelReason::TimedOut)),
            State::Initiated(initiated) => Some(initiated.ends_at()),
            State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => None,
        }
    }
}
