//! Nets as a ledger, after its documented behaviour (payments.md §2.2).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::{CreditRequest, Reconciliation};
use super::LATEST;
use crate::domain::id::RegistrationId;
use crate::domain::money::Money;
use crate::error::Decline;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtNets {
    Registered,
    CardEntered,
    Cancelled,
    Authorized,
    Captured,
    Annulled,
}

/// One registration.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: AtNets,
    pub(super) amount: Money,
    /// Whether Nets authorizes it when the customer leaves the page.
    is_auto_auth: bool,
    /// Until when the customer can complete the page.
    page_until: DateTime<Utc>,
    /// The decline of Nets' own AUTH.
    declined: Option<Decline>,
    /// The credited sum.
    pub(super) credited: u64,
    /// What this service has credited of it.
    pub(super) credited_by_service: u64,
    /// The largest target of this service's credits in the history.
    credited_target: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Register { amount: Money, is_auto_auth: bool },
    Auth(Option<Decline>),
    Capture,
    Annul,
    Credit { request: CreditRequest, is_refused: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Found(Reconciliation),
    /// A CREDIT was clearly refused.
    Refused,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Nets(pub(super) BTreeMap<RegistrationId, Entry>);

impl Nets {
    /// Executes an operation. The result is the reply.
    pub(super) fn execute(
        &mut self,
        id: RegistrationId,
        operation: Operation,
        now: DateTime<Utc>,
    ) -> Reply {
        if let Operation::Register { amount, is_auto_auth } = operation {
            self.0.entry(id).or_insert(Entry {
                state: AtNets::Registered,
                amount,
                is_auto_auth,
                page_until: now + LATEST,
                declined: None,
                credited: 0,
                credited_by_service: 0,
                credited_target: None,
            });
            return Reply::Found(Reconciliation::Pending);
        }
        let Some(entry) = self.0.get_mut(&id) else {
            return Reply::Found(Reconciliation::NeverRegistered);
        };
        match (operation, entry.state) {
            (Operation::Auth(_), AtNets::Registered) => {
                return Reply::Found(Reconciliation::NoCard);
            }
            (Operation::Auth(Some(decline)), AtNets::CardEntered) => {
                return Reply::Found(Reconciliation::Declined(decline));
            }
            (Operation::Auth(None), AtNets::CardEntered) => entry.state = AtNets::Authorized,
            (Operation::Capture, AtNets::Authorized) => entry.state = AtNets::Captured,
            (Operation::Annul, AtNets::Authorized) => entry.state = AtNets::Annulled,
            (Operation::Credit { is_refused: true, .. }, _) => return Reply::Refused,
            (Operation::Credit { request, .. }, AtNets::Captured) => return entry.credit(request),
            _ => {}
        }
        Reply::Found(self.query(id, false))
    }

    pub(super) fn query(&self, id: RegistrationId, is_auto_auth: bool) -> Reconciliation {
        let Some(entry) = self.0.get(&id) else { return Reconciliation::NeverRegistered };
        match entry.state {
            AtNets::Registered | AtNets::CardEntered => match entry.declined {
                Some(decline) if is_auto_auth => Reconciliation::Declined(decline),
                Some(_) | None => Reconciliation::Pending,
            },
            AtNets::Cancelled => Reconciliation::Cancelled,
            AtNets::Authorized => Reconciliation::Authorized(entry.amount),
            AtNets::Captured => Reconciliation::Captured {
                captured: entry.amount,
                credited_minor: entry.credited,
                credited_target: entry.credited_target,
            },
            AtNets::Annulled => Reconciliation::Annulled,
        }
    }

    /// The customer enters a card and leaves the page. Returns whether Nets requested AUTH.
    pub(super) fn enter_card(
        &mut self,
        id: RegistrationId,
        decline: Option<Decline>,
        now: DateTime<Utc>,
    ) -> bool {
        let at_page =
            |entry: &&mut Entry| entry.state == AtNets::Registered && now <= entry.page_until;
        let Some(entry) = self.0.get_mut(&id).filter(at_page) else { return false };
        let is_authorized = entry.is_auto_auth && decline.is_none();
        entry.state = if is_authorized { AtNets::Authorized } else { AtNets::CardEntered };
        entry.declined = decline.filter(|_| entry.is_auto_auth);
        entry.is_auto_auth
    }

    pub(super) fn cancel_at_page(&mut self, id: RegistrationId) {
        if let Some(entry) = self.0.get_mut(&id).filter(|one| one.state == AtNets::Registered) {
            entry.state = AtNets::Cancelled;
        }
    }

    /// A refund in Netaxept Admin.
    pub(super) fn refund(&mut self, id: RegistrationId, minor: u64) {
        if let Some(entry) = self.0.get_mut(&id).filter(|one| one.state == AtNets::Captured) {
            entry.credited = (entry.credited + minor).min(entry.amount.minor());
        }
    }
}

impl Entry {
    fn credit(&mut self, request: CreditRequest) -> Reply {
        let minor = request.amount.minor();
        if minor == 0 || self.amount.minor() < self.credited + minor {
            return Reply::Refused;
        }
        self.credited += minor;
        self.credited_by_service += minor;
        self.credited_target = self.credited_target.max(Some(request.target_minor));
        // The service knows of no other refund.
        Reply::Found(Reconciliation::Captured {
            captured: self.amount,
            credited_minor: request.target_minor,
            credited_target: Some(request.target_minor),
        })
    }
}
