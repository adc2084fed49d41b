//! `autoSale`: the service captures a transaction without a request of the client.
//!
//! With the customer, Nets authorizes the registration when the customer leaves the page (`autoAuth`). So the registration is chosen
//! when it is opened, and this service never requests AUTH for it. A charge of the merchant has no page: the schedule chooses the
//! registration and requests AUTH. After a decline that is not permanent, only the client tries again. If it is not clear whether
//! AUTH succeeded, the schedule requests it again, but only a few times, because the card schemes limit repeated authorizations. It
//! queries the registration until the transaction ends.

use chrono::{DateTime, TimeDelta, Utc};

use super::Payment;
use super::initiated::{Chosen, Initiated, Initiator, Registration};
use super::schedule::Schedule;
use super::transaction::{State, Transaction};
use crate::domain::id::{Attempt, PaymentTransactionId, RegistrationId};
use crate::domain::terminal::Terminal;

impl Registration {
    /// How long Nets can authorize it by itself, counted from its opening: the lifetime of the page, and a minute for Nets.
    const AUTO_AUTH_PERIOD: TimeDelta = Terminal::RECONCILE_AFTER[2];
    /// When the schedule requests AUTH for a charge of the merchant, counted from its opening: in the first run after each of these
    /// instants, and before [`Self::AUTO_AUTH_PERIOD`] is over. A run requests AUTH at most twice.
    const AUTH_AFTER: [TimeDelta; 3] =
        [Terminal::RECONCILE_AFTER[0], Terminal::RECONCILE_AFTER[1], Terminal::LIFETIME];

    /// Returns whether Nets authorizes it by itself when the customer leaves the page. This service requests no AUTH for it.
    pub(super) fn is_auto_auth(&self) -> bool {
        self.auto_sale && self.initiator == Initiator::Customer
    }

    /// Returns whether Nets cannot authorize it by itself any more.
    pub(super) fn has_auto_auth_ended(&self, now: DateTime<Utc>) -> bool {
        self.is_auto_auth() && self.opened_at + Self::AUTO_AUTH_PERIOD <= now
    }
}

impl Chosen {
    /// The choice of a registration that Nets authorizes by itself.
    pub(super) fn when_opened(number: Attempt, opened_at: DateTime<Utc>) -> Self {
        Self {
            registration: number,
            at: opened_at,
            is_shared: false,
            decline: None,
            hold_until: None,
        }
    }
}

impl Initiated {
    /// The registration that the service has to capture without a request: the chosen one if it was opened with `autoSale`, or
    /// without a choice the newest open one for which AUTH was never requested.
    pub(super) fn auto_sale(&self) -> Option<Attempt> {
        let is_auto_sale = |number: &Attempt| self.get(*number).is_some_and(|one| one.auto_sale);
        let was_requested =
            |number: &Attempt| self.get(*number).is_some_and(|one| one.auth_requested);
        match self.chosen {
            Some(chosen) => {
                Some(chosen.registration).filter(is_auto_sale).filter(|_| chosen.decline.is_none())
            }
            None => self.open().find(|number| is_auto_sale(number) && !was_requested(number)),
        }
    }

    /// Returns whether the schedule may request AUTH for a registration of the merchant: for the first time, or again at one of the
    /// planned instants.
    fn may_request_auth_for_sale(&self, number: Attempt, now: DateTime<Utc>) -> bool {
        let Some(one) = self.get(number) else { return false };
        let chosen_at = self.chosen.map(|chosen| chosen.at);
        let is_planned = |after| {
            let at = one.opened_at + after;
            chosen_at < Some(at) && at <= now
        };
        let is_too_late = one.opened_at + Registration::AUTO_AUTH_PERIOD <= now;
        !one.auth_requested || !is_too_late && Registration::AUTH_AFTER.into_iter().any(is_planned)
    }

    /// Returns whether this is the chosen registration of an auto sale of the merchant.
    pub(super) fn is_chosen_for_merchant_sale(&self, number: Attempt) -> bool {
        let is_merchant_sale =
            |one: &Registration| one.auto_sale && one.initiator == Initiator::Merchant;
        self.is_chosen(number) && self.get(number).is_some_and(is_merchant_sale)
    }

    /// Returns whether Nets authorizes this registration by itself.
    pub(super) fn is_auto_auth(&self, number: Attempt) -> bool {
        self.get(number).is_some_and(Registration::is_auto_auth)
    }

    /// Returns whether Nets authorizes the chosen registration by itself and has not done it yet.
    pub(super) fn is_auto_auth_in_progress(&self) -> bool {
        self.chosen.is_some_and(|chosen| {
            chosen.hold_until.is_none() && self.is_auto_auth(chosen.registration)
        })
    }

    /// The registrations to try for a capture, newest first: the chosen one, or without one every open one that this service may
    /// authorize.
    pub(super) fn to_capture(&self) -> Vec<Attempt> {
        match self.chosen {
            Some(chosen) => vec![chosen.registration],
            None => self.open().filter(|number| !self.is_auto_auth(*number)).collect(),
        }
    }

    /// Applies that a request that chose a registration has found no authorization at Nets. When Nets cannot authorize it by itself any
    /// more, the choice is removed, unless another request that chose it may have found an authorization meanwhile.
    pub(super) fn pending(self, number: Attempt, now: DateTime<Utc>) -> Self {
        let has_ended = self.get(number).is_some_and(|one| one.has_auto_auth_ended(now));
        let can_be_authorized = self.is_authorized() || self.is_shared(now);
        if has_ended && !can_be_authorized { self.unchosen(number) } else { self }
    }

    /// The customer's open registration that a repeated terminal with `autoSale` uses again: Nets can still authorize the chosen one
    /// by itself, and its page is available.
    pub(super) fn reusable_auto_auth(&self, now: DateTime<Utc>) -> Option<Attempt> {
        let number = self.chosen.filter(|chosen| chosen.decline.is_none())?.registration;
        let has_page = self.get(number).is_some_and(|one| now < one.opened_at + Terminal::LIFETIME);
        (has_page && self.is_open(number) && self.is_auto_auth_in_progress()).then_some(number)
    }

    /// Plans the next reconciliation after a clear reply: with `autoSale` every minute for 16 minutes, then as without it.
    pub(super) fn rescheduled(self, now: DateTime<Utc>) -> Self {
        let schedule = if self.auto_sale().is_some() {
            self.schedule.rescheduled_each_minute(now, Registration::AUTO_AUTH_PERIOD)
        } else {
            self.schedule.rescheduled(now)
        };
        Self { schedule, ..self }
    }

    /// Postpones a reconciliation until a request that resumes a registration is over: until then Nets may not know it.
    pub(super) fn postponed(self, now: DateTime<Utc>) -> Self {
        let earliest = Schedule::starting(now).reconcile_at;
        let schedule =
            Schedule { reconcile_at: self.schedule.reconcile_at.max(earliest), ..self.schedule };
        Self { schedule, ..self }
    }
}

impl Payment {
    /// The transactions that the service has to capture without a request, and that are due, newest first.
    #[must_use]
    pub fn due_auto_sales(&self) -> Vec<PaymentTransactionId> {
        let is_due = |transaction: &Transaction| {
            transaction.due_at().is_some_and(|due_at| due_at <= self.now)
        };
        let due = self.history().filter(|(_, transaction)| is_due(transaction));
        due.map(|(id, _)| id).filter(|id| self.is_auto_sale(*id)).collect()
    }

    /// Returns whether the service has to capture a transaction without a request.
    #[must_use]
    pub fn is_auto_sale(&self, id: PaymentTransactionId) -> bool {
        self.auto_sale(id).is_some()
    }

    /// The registration of a transaction that the service has to capture without a request. `None` also if the card was declined too
    /// often: then AUTH is not requested.
    #[must_use]
    pub fn auto_sale(&self, id: PaymentTransactionId) -> Option<RegistrationId> {
        let transaction = self.transaction(id).ok()?;
        let State::Initiated(initiated) = &transaction.state else { return None };
        let number = initiated.auto_sale()?;
        let is_allowed =
            initiated.chosen.is_some() || self.check_declines(&transaction.charge).is_ok();
        is_allowed.then_some(RegistrationId { transaction: id, number })
    }

    /// Returns whether this service may request AUTH for a registration. `false`: Nets authorizes it by itself.
    #[must_use]
    pub fn may_request_auth(&self, id: RegistrationId) -> bool {
        !self.registration(id).is_some_and(Registration::is_auto_auth)
    }

    /// Returns whether this service may now request AUTH for a registration without a request of the client. `false`: it may only
    /// query the registration, and capture what Nets has authorized.
    #[must_use]
    pub fn may_request_auth_for_sale(&self, id: RegistrationId) -> bool {
        let transaction = self.transaction(id.transaction).ok();
        self.may_request_auth(id)
            && transaction.is_some_and(|one| match &one.state {
                State::Initiated(initiated) => {
                    initiated.may_request_auth_for_sale(id.number, self.now)
                }
                State::Created
                | State::Captured(_)
                | State::Credited(_)
                | State::Rejected { .. }
                | State::Cancelled { .. } => false,
            })
    }
}
