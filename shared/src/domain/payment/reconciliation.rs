//! Applies what Nets says about a registration to its transaction.

use chrono::{DateTime, TimeDelta, Utc};

use super::initiated::{Chosen, Initiated, Initiator, RegistrationOutcome};
use super::schedule::Annulment;
use super::transaction::{Captured, State, Transaction};
use crate::domain::id::Attempt;
use crate::domain::money::Money;
use crate::error::{CancelReason, Decline};

/// What Nets says about one registration, in a reply to an operation or to `Query`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reconciliation {
    /// It is authorized for this amount, and nothing is captured or annulled.
    Authorized(Money),
    /// It is captured.
    Captured {
        /// The captured sum.
        captured: Money,
        /// The credited sum, in minor units of the same currency.
        credited_minor: u64,
        /// The largest target of this service's credits in Nets' history, in minor units. `None` if there is none.
        credited_target: Option<u64>,
    },
    /// The authorization is annulled.
    Annulled,
    /// AUTH was declined.
    Declined(Decline),
    /// The customer cancelled on the terminal page.
    Cancelled,
    /// AUTH was refused because the customer has not entered a card: nothing is authorized.
    NoCard,
    /// Nets does not know the registration.
    NeverRegistered,
    /// There is no authorization yet.
    Pending,
    /// The reply was missing or unclear.
    Unclear,
}

/// What has to happen at Nets after a reconciliation was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Nothing.
    Nothing,
    /// The registered amount is authorized and can be captured.
    Capture,
    /// The authorization is not needed and has to be annulled.
    Annul,
    /// Money was captured that this payment did not expect: after it was over, with another registration, or another amount. The
    /// status says CAPTURED, and an operator has to decide.
    Alarm,
    /// A credit was not confirmed until its last reconciliation. It is not in progress any more, and an operator has to decide.
    CreditFailed,
}

impl Transaction {
    /// How many soft declines of a card within 24 hours are possible. After them no AUTH is requested.
    pub const MAX_SOFT_DECLINES: usize = 4;

    /// Applies what Nets says about a registration. `hold` is how long an authorization is kept without a capture, counted from the
    /// choice of the registration.
    #[must_use]
    pub(super) fn reconciled(
        mut self,
        number: Attempt,
        reconciliation: Reconciliation,
        hold: TimeDelta,
        now: DateTime<Utc>,
    ) -> (Self, NextStep) {
        let amount = self.charge.amount;
        if let Reconciliation::Captured { captured, credited_minor, credited_target } =
            reconciliation
        {
            // This service credits what is missing to a target. So what Nets has credited is at least each target in its history.
            let credited_minor = credited_minor.max(credited_target.unwrap_or_default());
            return self.captured_at_nets(number, captured, credited_minor, now);
        }
        let (state, step) = match self.state {
            State::Created => (State::Created, NextStep::Nothing),
            State::Initiated(initiated) => {
                if initiated.is_new_decline(number)
                    && reconciliation == Reconciliation::Declined(Decline::Soft)
                {
                    self.soft_declines.retain(|at| now < *at + Self::DECLINE_PERIOD);
                    self.soft_declines.push(now);
                }
                initiated.reconciled(number, reconciliation, amount, hold, now)
            }
            State::Captured(captured) => captured.reconciled(number, reconciliation, now),
            State::Credited(captured) => captured.reconciled(number, reconciliation, now),
            State::Rejected { at, decline, annulment } => {
                let (annulment, step) = over(annulment, number, reconciliation, now);
                (State::Rejected { at, decline, annulment }, step)
            }
            State::Cancelled { at, reason, annulment } => {
                let (annulment, step) = over(annulment, number, reconciliation, now);
                (State::Cancelled { at, reason, annulment }, step)
            }
        };
        (Self { state, ..self }, step)
    }

    /// CAPTURED or CREDITED, whatever the state was: the status says what Nets says (payments.md §4.4).
    fn captured_at_nets(
        self,
        number: Attempt,
        sum: Money,
        credited_minor: u64,
        now: DateTime<Utc>,
    ) -> (Self, NextStep) {
        let (is_expected, captured) = match self.state {
            // `Payment::apply` refuses it: nothing is registered.
            State::Created => return (self, NextStep::Alarm),
            State::Initiated(initiated) => {
                let annulment = initiated.annulment(now);
                (initiated.is_chosen(number), new_capture(number, annulment, now))
            }
            State::Captured(captured) | State::Credited(captured) => {
                if captured.registration != number {
                    // It cannot be annulled, so it is not queried again, and the alarm is not repeated.
                    let annulment = captured.annulment.and_then(|one| one.without(number));
                    let state = Captured { annulment, ..captured }.into_state();
                    return (Self { state, ..self }, NextStep::Alarm);
                }
                (true, captured)
            }
            State::Rejected { annulment, .. } | State::Cancelled { annulment, .. } => {
                (false, new_capture(number, annulment, now))
            }
        };
        // The alarm follows the first reply with another sum, and each one with a larger sum.
        let has_right_sum = sum == self.charge.amount || sum.minor() <= captured.captured_minor;
        let credited_at =
            if captured.credited_minor < credited_minor { Some(now) } else { captured.credited_at };
        let captured = Captured {
            // Both sums only grow at Nets, so a smaller one is an older reply.
            captured_minor: captured.captured_minor.max(sum.minor()),
            credited_minor: captured.credited_minor.max(credited_minor),
            credited_at,
            ..captured
        };
        let (captured, has_credit_failed) = captured.with_credit_reconciled(now);
        let step = match (has_credit_failed, is_expected && has_right_sum) {
            (true, _) => NextStep::CreditFailed,
            (false, false) => NextStep::Alarm,
            (false, true) => NextStep::Nothing,
        };
        (Self { state: captured.into_state(), ..self }, step)
    }
}

fn new_capture(number: Attempt, annulment: Option<Annulment>, now: DateTime<Utc>) -> Captured {
    Captured {
        registration: number,
        at: now,
        captured_minor: 0,
        credited_minor: 0,
        credited_at: None,
        credits: 0,
        crediting: None,
        annulment: annulment.and_then(|annulment| annulment.without(number)),
    }
}

impl Captured {
    /// Applies a reply that does not say captured. For the captured registration it is an older reply, which says nothing about a
    /// credit. Authorizations of other registrations are annulled.
    fn reconciled(
        self,
        number: Attempt,
        reconciliation: Reconciliation,
        now: DateTime<Utc>,
    ) -> (State, NextStep) {
        if number == self.registration {
            if reconciliation == Reconciliation::Unclear {
                return (self.with_credit_rescheduled_soon(now).into_state(), NextStep::Nothing);
            }
            let (captured, has_failed) = self.with_credit_rescheduled(now);
            let step = if has_failed { NextStep::CreditFailed } else { NextStep::Nothing };
            return (captured.into_state(), step);
        }
        let (annulment, step) = over(self.annulment, number, reconciliation, now);
        (Self { annulment, ..self }.into_state(), step)
    }
}

impl Initiated {
    fn reconciled(
        self,
        number: Attempt,
        reconciliation: Reconciliation,
        amount: Money,
        hold: TimeDelta,
        now: DateTime<Utc>,
    ) -> (State, NextStep) {
        let initiated =
            |initiated: Self| (State::Initiated(initiated.rescheduled(now)), NextStep::Nothing);
        match reconciliation {
            Reconciliation::Authorized(found) => {
                self.authorized(number, found == amount, hold, now)
            }
            Reconciliation::Annulled if self.is_chosen(number) => (
                self.closed(number, RegistrationOutcome::Annulled)
                    .cancelled(CancelReason::AnnulledAtNets, now),
                NextStep::Nothing,
            ),
            Reconciliation::Annulled => {
                initiated(self.closed(number, RegistrationOutcome::Annulled))
            }
            // A reply that is older than the authorization.
            Reconciliation::Declined(_)
            | Reconciliation::Cancelled
            | Reconciliation::NoCard
            | Reconciliation::NeverRegistered
                if self.is_authorized() && self.is_chosen(number) =>
            {
                initiated(self)
            }
            Reconciliation::Declined(decline) => match self.declined(number, decline, now) {
                State::Initiated(left) => initiated(left),
                over @ (State::Created
                | State::Captured(_)
                | State::Credited(_)
                | State::Rejected { .. }
                | State::Cancelled { .. }) => (over, NextStep::Nothing),
            },
            Reconciliation::Cancelled if !self.is_open(number) => initiated(self),
            Reconciliation::Cancelled => {
                let closed = self.closed(number, RegistrationOutcome::Cancelled);
                if closed.chosen.is_none() && closed.open().next().is_none() {
                    (closed.cancelled(CancelReason::AtTerminal, now), NextStep::Nothing)
                } else {
                    initiated(closed)
                }
            }
            // Another request may still find a card.
            Reconciliation::NoCard if self.is_shared(now) => initiated(self),
            Reconciliation::NoCard => initiated(self.unchosen(number)),
            // Before a reconciliation is due, another request may still register it.
            Reconciliation::NeverRegistered if !self.schedule.is_due(now) => initiated(self),
            // A late Register and a late AUTH would complete it, so it stays chosen. It is not queried each minute.
            Reconciliation::NeverRegistered if self.is_chosen_for_merchant_sale(number) => {
                let schedule = self.schedule.rescheduled(now);
                (State::Initiated(Self { schedule, ..self }), NextStep::Nothing)
            }
            Reconciliation::NeverRegistered => {
                initiated(self.closed(number, RegistrationOutcome::NeverRegistered))
            }
            Reconciliation::Unclear => {
                let schedule = self.schedule.rescheduled_soon(now);
                (State::Initiated(Self { schedule, ..self }), NextStep::Nothing)
            }
            Reconciliation::Pending => initiated(self.pending(number, now)),
            // `Captured` has its own function.
            Reconciliation::Captured { .. } => initiated(self),
        }
    }

    /// Only the chosen registration with the right amount can be captured. Everything else is annulled.
    ///
    /// Nets refuses ANNUL 7 days after AUTH (payments.md §2.2). So the hold ends an hour before that. A request that chooses a
    /// registration again can be later than AUTH, but its opening cannot.
    fn authorized(
        self,
        number: Attempt,
        is_right_amount: bool,
        hold: TimeDelta,
        now: DateTime<Utc>,
    ) -> (State, NextStep) {
        let Some(chosen) = self.chosen.filter(|chosen| chosen.registration == number) else {
            let schedule = self.schedule.rescheduled_soon(now);
            return (State::Initiated(Self { schedule, ..self }), NextStep::Annul);
        };
        if !is_right_amount {
            return (self.cancelled(CancelReason::AmountDiffers, now), NextStep::Annul);
        }
        let hold_until = chosen.at + hold;
        let last_annulment = self.get(number).map(|one| one.opened_at + Transaction::MAX_HOLD);
        let hold_until = last_annulment.map_or(hold_until, |last| last.min(hold_until));
        let chosen = Chosen { hold_until: Some(hold_until), decline: None, ..chosen };
        let initiated = Self { chosen: Some(chosen), ..self }.rescheduled(now);
        if hold_until <= now {
            (initiated.cancelled(CancelReason::HoldEnded, hold_until), NextStep::Annul)
        } else {
            (State::Initiated(initiated), NextStep::Capture)
        }
    }

    /// A decline of another registration than the chosen one is an older reply. If another request may still authorize the chosen
    /// one, the decline takes effect when that request is over.
    fn declined(self, number: Attempt, decline: Decline, now: DateTime<Utc>) -> State {
        match self.chosen.filter(|chosen| chosen.registration == number) {
            None => State::Initiated(self),
            Some(chosen) if self.is_shared(now) => {
                let chosen = Some(Chosen { decline: Some(decline), ..chosen });
                State::Initiated(Self { chosen, ..self })
            }
            Some(_) => self.declined_finally(number, decline, now),
        }
    }

    /// The state after a decline of the chosen registration that no other request can change.
    pub(super) fn declined_finally(
        self,
        number: Attempt,
        decline: Decline,
        at: DateTime<Utc>,
    ) -> State {
        let initiator = self.get(number).map(|registration| registration.initiator);
        match (decline, initiator) {
            (Decline::Soft, _) => State::Initiated(self.unchosen(number)),
            (Decline::AuthenticationRequired, Some(Initiator::Customer)) => {
                State::Initiated(self.closed(number, RegistrationOutcome::AuthenticationRequired))
            }
            (Decline::Hard | Decline::AuthenticationRequired, _) => self.rejected(decline, at),
        }
    }
}

/// Applies a reply about a registration whose authorization is not needed any more: every authorization is annulled.
fn over(
    annulment: Option<Annulment>,
    number: Attempt,
    reconciliation: Reconciliation,
    now: DateTime<Utc>,
) -> (Option<Annulment>, NextStep) {
    let Some(annulment) = annulment else {
        let is_authorized = matches!(reconciliation, Reconciliation::Authorized(_));
        return (None, if is_authorized { NextStep::Annul } else { NextStep::Nothing });
    };
    let (annulment, step) = match reconciliation {
        // The next reconciliation shows whether the annulment succeeded.
        Reconciliation::Authorized(_) => (annulment.rescheduled_soon(now), NextStep::Annul),
        Reconciliation::Annulled | Reconciliation::Cancelled => {
            (annulment.confirmed(number).rescheduled(now), NextStep::Nothing)
        }
        Reconciliation::Declined(_)
        | Reconciliation::NoCard
        | Reconciliation::NeverRegistered
        | Reconciliation::Pending => {
            (annulment.confirmed_if_late(number, now).rescheduled(now), NextStep::Nothing)
        }
        // `Captured` has its own function.
        Reconciliation::Unclear | Reconciliation::Captured { .. } => {
            (annulment.rescheduled_soon(now), NextStep::Nothing)
        }
    };
    (Some(annulment), step)
}
