//! What the checker of payments needs to know of wallets: who may access a card, and when its end was answered.

use local::netaxept::Operation as AtNets;

use super::history::History;
use super::invocation::Invocation;
use super::responses::wallet_of_call;
use super::{Checker, Violation};
use crate::order::lambda::Response;
use crate::order::operation::{Caller, Operation};
use crate::order::payments::checker::{CardEnd, Wallets};
use crate::order::payments::operation::{PaymentOperation, RegistrationId};
use crate::order::spec::{State, Wallet};

impl Checker {
    /// Records that a response confirmed the end of a recurring payment, or the erasure of a wallet.
    pub(super) fn record_card_end(
        &mut self,
        id: u64,
        response: Option<&Response>,
    ) -> Result<(), Violation> {
        let position = self.events;
        let invocation = self.invocation(id)?;
        let written = invocation.writes.last();
        let written = written.map(|write| (write.slot, write.wallet.last_sequence));
        match (&invocation.call.operation, response.map(|response| response.status)) {
            (Operation::End(card), Some(200)) => {
                let card = *card;
                self.ended.entry(card).or_insert(position);
            }
            (Operation::Erase(_), Some(204)) => {
                self.erased.extend(written.map(|(slot, last)| (slot, (position, last))));
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks a call of Nets about a payment.
    pub(super) fn check_call_of_nets(
        &mut self,
        operation: AtNets,
        id: RegistrationId,
    ) -> Result<(), Violation> {
        let card = self.payments.card_of(id);
        let end = card.map(|card| self.card_end(card)).unwrap_or_default();
        self.payments.check_call(operation, id, end)
    }

    fn card_end(&self, card: u64) -> CardEnd {
        let slot = card >> 10;
        let is_erased = |(_, last): &&(u64, u16)| card & 1023 <= u64::from(*last);
        let erased_at = self.erased.get(&slot).filter(is_erased).map(|(at, _)| *at);
        let ended_at = self.ended.get(&card).copied();
        let wallet = self.wallets.get(&slot).and_then(History::newest);
        let payment = wallet.as_ref().and_then(|wallet| wallet.find(card));
        let stored = payment.and_then(|payment| payment.card());
        CardEnd {
            answered_at: ended_at.into_iter().chain(erased_at).min(),
            expires_at: stored.map(|card| card.expires_at),
        }
    }

    /// Checks the payments in an idle period.
    pub(super) fn check_payments(&mut self, now: i64) -> Result<(), Violation> {
        let mut payments = std::mem::take(&mut self.payments);
        let checked = payments.check_idle(self, now, self.events);
        self.payments = payments;
        checked
    }

    /// A payment is created only with a card that is ACTIVE as of the request.
    pub(super) fn check_card(
        &self,
        invocation: &Invocation,
        operation: &PaymentOperation,
        response: &Response,
    ) -> Result<(), Violation> {
        let PaymentOperation::Create(new) = operation else { return Ok(()) };
        let call = &*invocation.call;
        let is_active = |wallet: &Wallet| {
            let wallet = wallet.at(call.now);
            wallet
                .allows(&call.caller)
                .then(|| wallet.find(new.card).map(|one| matches!(one.state, State::Active(_))))
                .flatten()
        };
        let recent =
            invocation.reads.iter().filter(|read| invocation.is_recent(read.slot, read.version));
        let mut cards =
            recent.map(|read| wallet_of_call(call, read).and_then(|wallet| is_active(&wallet)));
        let is_true = match (response.status, response.problem()) {
            (201, _) => cards.any(|card| card == Some(true)),
            (404, Some("not-found")) => cards.any(|card| card.is_none()),
            (409, Some("not-active")) => cards.any(|card| card == Some(false)),
            _ => true,
        };
        if is_true {
            return Ok(());
        }
        let what = format!("{call:?}: the card was not in this state: {response:?}");
        let history = self.wallets.get(&(new.card >> 10));
        Err(history.map_or_else(|| Violation::new(what.clone()), |one| one.violation(&what)))
    }
}

impl Wallets for Checker {
    fn allows(&self, caller: &Caller, organisation: u64, card: u64) -> bool {
        let is_own = |(organisation, customer): (u64, String)| {
            self.slots.get(&(organisation, customer)) == Some(&(card >> 10))
        };
        match caller {
            Caller::Unauthenticated => true,
            Caller::Partner(own) | Caller::Internal(own) => *own == organisation,
            Caller::Traveller(own, customer) => {
                *own == organisation && is_own((*own, customer.clone()))
            }
        }
    }

    fn owner(&self, card: u64) -> Option<String> {
        self.wallets.get(&(card >> 10)).map(|history| history.owner.clone())
    }
}
