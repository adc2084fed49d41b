//! A transaction that is registered at Nets and neither captured nor over.

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule::{Annulment, Schedule};
use super::transaction::{State, Transaction};
use crate::domain::id::Attempt;
use crate::domain::terminal::Terminal;
use crate::error::{CancelReason, Decline, PaymentRefusal};

/// The data of an INITIATED transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Initiated {
    /// The registrations at Nets so far, 1 to 16, oldest first. The index is the [`Attempt`].
    pub registrations: Vec<Registration>,
    /// The only registration for which AUTH may be requested. Stored before the first AUTH, and removed only when Nets says that
    /// nothing is authorized.
    pub chosen: Option<Chosen>,
    /// When to reconcile, counted from the last registration.
    pub schedule: Schedule,
}

/// One registration at Nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Registration {
    /// When it was opened, directly before the request to Nets.
    pub opened_at: DateTime<Utc>,
    /// Who started it.
    pub initiator: Initiator,
    /// Whether AUTH was ever requested, by this service or by Nets itself. If so, a late authorization has to be annulled, also after
    /// a decline.
    pub auth_requested: bool,
    /// Whether the service captures it without a request of the client (`autoSale`). With the customer, Nets authorizes it when the
    /// customer leaves the page.
    pub auto_sale: bool,
    /// The outcome, as far as it is known.
    pub outcome: RegistrationOutcome,
}

/// Who started a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The customer, who is at the terminal page.
    Customer,
    /// The merchant, without the customer (`MIT_UCOF`).
    Merchant,
}

/// The outcome of a registration, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistrationOutcome {
    /// It can still be authorized.
    Open,
    /// Nets does not know it.
    NeverRegistered,
    /// The customer cancelled on the terminal page.
    Cancelled,
    /// The issuer requires authentication: the customer needs another terminal.
    AuthenticationRequired,
    /// It was annulled at Nets.
    Annulled,
}

/// The registration for which AUTH may be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// The registration.
    pub registration: Attempt,
    /// When a request last chose it, directly before AUTH.
    pub at: DateTime<Utc>,
    /// Whether another request chose it less than a minute earlier. That request may still authorize and capture it.
    pub is_shared: bool,
    /// A decline that takes effect a minute after `at`, because it is shared.
    pub decline: Option<Decline>,
    /// When an uncaptured authorization is annulled. `Some` as soon as this service knows that Nets authorized the amount.
    pub hold_until: Option<DateTime<Utc>>,
}

impl Chosen {
    /// An upper limit for the duration of a request (`template.yaml`: timeout of 29 seconds), and the delay until the next
    /// reconciliation.
    const MAX_REQUEST_DURATION: TimeDelta = Terminal::RECONCILE_AFTER[0];

    /// When no request that chose it can be in progress any more.
    pub(super) fn requests_end_at(&self) -> DateTime<Utc> {
        self.at + Self::MAX_REQUEST_DURATION
    }
}

impl Initiated {
    /// Adds a registration to those so far. The timeout and the reconciliations are counted from it. One that Nets authorizes by
    /// itself is chosen.
    pub(super) fn registered(
        mut registrations: Vec<Registration>,
        number: Attempt,
        registration: Registration,
    ) -> Self {
        let opened_at = registration.opened_at;
        registrations.push(registration);
        let chosen = registration.is_auto_auth().then(|| Chosen::when_opened(number, opened_at));
        Self { registrations, chosen, schedule: Schedule::starting(opened_at) }
    }

    /// Returns whether Nets authorized the amount.
    #[must_use]
    pub fn is_authorized(&self) -> bool {
        self.chosen.is_some_and(|chosen| chosen.hold_until.is_some())
    }

    /// Returns whether its last registration is open and Nets has not authorized the amount.
    pub(super) fn is_pending(&self) -> bool {
        let last = self.registrations.last().map(|registration| registration.outcome);
        last == Some(RegistrationOutcome::Open) && !self.is_authorized()
    }

    /// Returns whether this is the chosen registration.
    pub(super) fn is_chosen(&self, number: Attempt) -> bool {
        self.chosen.is_some_and(|chosen| chosen.registration == number)
    }

    /// Returns whether a decline of this registration is one of the AUTH in progress. Nets shows the decline of its own AUTH again and
    /// again.
    pub(super) fn is_new_decline(&self, number: Attempt) -> bool {
        self.chosen.is_some_and(|chosen| {
            let is_known = chosen.decline.is_some() && self.is_auto_auth(number);
            chosen.registration == number && chosen.hold_until.is_none() && !is_known
        })
    }

    /// Returns whether another request than the last one may still authorize the chosen registration.
    pub(super) fn is_shared(&self, now: DateTime<Utc>) -> bool {
        self.chosen.is_some_and(|chosen| chosen.is_shared && now < chosen.requests_end_at())
    }

    /// The open registrations, newest first.
    pub(super) fn open(&self) -> impl Iterator<Item = Attempt> {
        self.numbered(|registration| registration.outcome == RegistrationOutcome::Open)
    }

    pub(super) fn to_reconcile(&self) -> Vec<Attempt> {
        match self.chosen {
            Some(chosen) => vec![chosen.registration],
            None => self.open().collect(),
        }
    }

    pub(super) fn is_open(&self, number: Attempt) -> bool {
        self.get(number).is_some_and(|one| one.outcome == RegistrationOutcome::Open)
    }

    pub(super) fn get(&self, number: Attempt) -> Option<&Registration> {
        self.registrations.get(usize::from(number.number()))
    }

    /// Stores the registration for which AUTH may be requested, or that another request is going to request AUTH for it.
    pub(super) fn choosing(mut self, number: Attempt, now: DateTime<Utc>) -> Self {
        self.update(number, |registration| Registration { auth_requested: true, ..registration });
        let is_shared = self.chosen.is_some_and(|chosen| now < chosen.requests_end_at());
        let chosen =
            Chosen { registration: number, at: now, is_shared, decline: None, hold_until: None };
        let schedule = Schedule { reconcile_at: Some(chosen.requests_end_at()), ..self.schedule };
        Self { chosen: Some(chosen), schedule, ..self }
    }

    /// Removes the choice of a registration.
    pub(super) fn unchosen(self, number: Attempt) -> Self {
        let chosen = self.chosen.filter(|chosen| chosen.registration != number);
        Self { chosen, ..self }
    }

    /// Stores the outcome of a registration, which cannot be authorized any more. The first outcome stays.
    pub(super) fn closed(mut self, number: Attempt, outcome: RegistrationOutcome) -> Self {
        if self.is_open(number) {
            self.update(number, |registration| Registration { outcome, ..registration });
        }
        self.unchosen(number)
    }

    /// CANCELLED. If an authorization was in progress, the order stays blocked until Nets confirms its end.
    pub(super) fn cancelled(self, reason: CancelReason, at: DateTime<Utc>) -> State {
        let schedule = match reason {
            CancelReason::TimedOut | CancelReason::HoldEnded => Schedule::starting_now(at),
            // The request that cancels it also annuls the authorization.
            CancelReason::Requested
            | CancelReason::AtTerminal
            | CancelReason::AnnulledAtNets
            | CancelReason::CardNotActive
            | CancelReason::AmountDiffers => Schedule::starting(at),
        };
        let unconfirmed = self.chosen.map(|chosen| chosen.registration);
        let annulment =
            self.annulment(at).map(|annulment| Annulment { unconfirmed, schedule, ..annulment });
        State::Cancelled { at, reason, annulment }
    }

    /// REJECTED. Nets declined the only AUTH in progress, so the order can be paid again.
    pub(super) fn rejected(self, decline: Decline, at: DateTime<Utc>) -> State {
        State::Rejected { at, decline, annulment: self.annulment(at) }
    }

    /// The obligation to annul what is found later. `None` if AUTH was never requested.
    pub(super) fn annulment(&self, at: DateTime<Utc>) -> Option<Annulment> {
        let registrations: Vec<Attempt> =
            self.numbered(|registration| registration.auth_requested).collect();
        (!registrations.is_empty()).then(|| Annulment {
            registrations,
            unconfirmed: None,
            schedule: Schedule::starting(at),
        })
    }

    /// Applies a decline that waited for another request, unless time cancels the transaction first.
    pub(super) fn with_time_applied(self, now: DateTime<Utc>) -> State {
        let (ends_at, _) = self.ends_at();
        let over = self
            .chosen
            .filter(|chosen| chosen.requests_end_at() <= now && chosen.requests_end_at() < ends_at);
        match over.and_then(|chosen| Some((chosen, chosen.decline?))) {
            Some((chosen, decline)) => {
                self.declined_finally(chosen.registration, decline, chosen.requests_end_at())
            }
            None => State::Initiated(self),
        }
    }

    /// When and why time cancels it.
    pub(super) fn ends_at(&self) -> (DateTime<Utc>, CancelReason) {
        match self.chosen.and_then(|chosen| chosen.hold_until) {
            Some(hold_until) => (hold_until, CancelReason::HoldEnded),
            None => (self.schedule.since + Transaction::TIMEOUT, CancelReason::TimedOut),
        }
    }

    /// When the service next has to do something at Nets. Without a registration to query this is the timeout, if a late
    /// authorization has to be annulled after it.
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        let (ends_at, _) = self.ends_at();
        if self.to_reconcile().is_empty() {
            return self.annulment(ends_at).map(|_| ends_at);
        }
        let hold_until = self.chosen.and_then(|chosen| chosen.hold_until);
        hold_until.into_iter().chain(self.schedule.reconcile_at).min()
    }

    /// The refusal of a capture if Nets has no authorization: the state of the chosen registration, else the outcome of the newest
    /// one that Nets knows. `declined_at` is the instant of the last decline with [`Decline::Soft`].
    pub(super) fn refusal_of_capture(
        &self,
        declined_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> PaymentRefusal {
        if let Some(chosen) = self.chosen {
            let is_at_page = self.is_auto_auth_in_progress();
            let has_ended =
                self.get(chosen.registration).is_some_and(|one| one.has_auto_auth_ended(now));
            return match (chosen.decline, is_at_page) {
                (Some(decline), _) => PaymentRefusal::Declined(decline),
                (None, true) if has_ended => PaymentRefusal::TerminalTimedOut,
                (None, true) => PaymentRefusal::TerminalOpen,
                (None, false) => PaymentRefusal::AuthorizationInProgress,
            };
        }
        let is_known = |registration: &&Registration| {
            registration.outcome != RegistrationOutcome::NeverRegistered
        };
        let Some(newest) = self.registrations.iter().rev().find(is_known) else {
            return PaymentRefusal::NoTerminal;
        };
        let is_declined = newest.is_auto_auth() && declined_at >= Some(newest.opened_at);
        match newest.outcome {
            // Nets requests AUTH only once by itself.
            RegistrationOutcome::Open if is_declined => PaymentRefusal::Declined(Decline::Soft),
            RegistrationOutcome::Open if newest.opened_at + Terminal::LIFETIME <= now => {
                PaymentRefusal::TerminalTimedOut
            }
            RegistrationOutcome::Open => PaymentRefusal::TerminalOpen,
            RegistrationOutcome::NeverRegistered => PaymentRefusal::NoTerminal,
            RegistrationOutcome::Cancelled => PaymentRefusal::TerminalCancelled,
            RegistrationOutcome::AuthenticationRequired => {
                PaymentRefusal::Declined(Decline::AuthenticationRequired)
            }
            RegistrationOutcome::Annulled => {
                PaymentRefusal::Cancelled(CancelReason::AnnulledAtNets)
            }
        }
    }

    /// The numbers of the registrations that match, newest first.
    fn numbered(&self, matches: impl Fn(&Registration) -> bool) -> impl Iterator<Item = Attempt> {
        let numbers = (0..self.registrations.len()).rev();
        numbers
            .filter(move |index| matches(&self.registrations[*index]))
            .filter_map(|index| Attempt::try_from(index).ok())
    }

    pub(super) fn update(
        &mut self,
        number: Attempt,
        update: impl FnOnce(Registration) -> Registration,
    ) {
        if let Some(registration) = self.registrations.get_mut(usize::from(number.number())) {
            *registration = update(*registration);
        }
    }
}
