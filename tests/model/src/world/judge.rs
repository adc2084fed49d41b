//! Holds what callers would see now against what is so.

use shared::domain::id::Sequence;
use shared::domain::recurring_payment::{RecurringPayment, RecurringStatus, State, View};
use shared::domain::terminal::{Outcome, Terminal};
use shared::domain::wallet::Wallet;

use super::{Rules, World};
use crate::breach::Breach;
use crate::intent::Intent;
use crate::item::Item;
use crate::nets::{Page, Transaction, short_card_ends};
use crate::operation::Place;
use crate::protocol::{id, nickname, slot};
use crate::truth::{Fact, Fate, Truth};

impl World {
    /// Whatever can be said of a state without asking how it came about. Called whenever the table, Nets or the clock changed.
    pub fn judge(&mut self, rules: &Rules<'_>) {
        let Some(item) = self.table.clone() else { return };
        let wallet = Wallet::new(slot(), item.contents.clone(), self.now);
        let mut truth = (*self.truth).clone();
        truth.settle(self.now);
        self.judge_primary(&wallet, &truth);
        self.breaches.unless(is_as_done(&wallet, &truth), Breach::NotAsDone);
        self.breaches.unless(self.no_card_is_lost(&wallet, &truth), Breach::CardLost);
        if !rules.are_alone() {
            self.judge_aftermath(&truth, rules);
        }
    }

    /// Rules 1 and 3, by what callers see.
    fn judge_primary(&mut self, wallet: &Wallet, truth: &Truth) {
        let views: Vec<View> =
            truth.facts.iter().filter_map(|fact| wallet.view(id(fact.place)).ok()).collect();
        let primaries: Vec<&View> = views.iter().filter(|view| view.primary).collect();
        let is_live = |status| matches!(status, RecurringStatus::Created | RecurringStatus::Active);
        let any_live = views.iter().any(|view| is_live(view.status));
        let dead = primaries.iter().any(|view| !is_live(view.status));
        let places: Vec<Place> = primaries.iter().map(|view| view.id.sequence().number()).collect();
        self.breaches.unless(primaries.len() <= 1, Breach::TwoPrimaries);
        self.breaches.unless(!any_live || !primaries.is_empty(), Breach::NoPrimary);
        self.breaches.unless(!dead, Breach::DeadPrimary);
        let other = places.first().copied() != truth.primary();
        self.breaches.unless(!other, Breach::OtherPrimary);
    }

    /// What a write has to bring about at once: what its caller is answered, and no pan hash where there is no card.
    pub fn judge_write(&mut self, intent: &Intent, rules: &Rules<'_>) {
        if let Some(answer) = intent.answer
            && !rules.has(crate::flaw::Flaw::NoCondition)
        {
            let status = self.truth.fact(answer.place).and_then(|fact| fact.fate.status());
            let is_primary = self.truth.primary() == Some(answer.place);
            let so = status == Some(answer.status) && is_primary == answer.primary;
            self.breaches.unless(so, Breach::FalseAnswer);
        }
        let active = |place: Sequence| {
            let fact = self.truth.fact(place.number());
            fact.is_some_and(|fact| matches!(fact.fate, Fate::Active(_)))
        };
        let only_active = self.table.iter().flat_map(|item| item.with_pan_hash()).all(active);
        self.breaches.unless(only_active, Breach::PanHash);
    }

    /// What is stored moves forward only.
    pub fn judge_status(&mut self, before: Option<&Item>, after: &Item) {
        let Some(before) = before else { return };
        let (before, after) = (&before.contents, &after.contents);
        let backward = before.payments.iter().any(|old| {
            let new = after.payments.iter().find(|new| new.sequence == old.sequence);
            new.is_some_and(|new| new.status() < old.status())
        });
        self.breaches.unless(!backward, Breach::Backward);
    }

    /// For every recurring payment that waits while a customer has completed a page of it: a look at such a page is due.
    fn no_card_is_lost(&self, wallet: &Wallet, truth: &Truth) -> bool {
        let payments = &wallet.contents().payments;
        truth.facts.iter().filter(|fact| fact.fate == Fate::Waiting).all(|fact| {
            let mut completed = self.completed(fact).peekable();
            let payment = payments.iter().find(|one| one.sequence.number() == fact.place);
            completed.peek().is_none()
                || completed.any(|one| payment.is_some_and(|payment| is_looked_at(payment, one)))
        })
    }

    /// The transactions of a recurring payment at which a customer who was given the address entered a card that is good.
    pub fn completed<'a>(&'a self, fact: &Fact) -> impl Iterator<Item = &'a Transaction> {
        let place = fact.place;
        self.nets.transactions().filter(move |one| {
            one.id.recurring_payment_id() == id(place)
                && one.is_completed()
                && !(one.page == Page::ShortCard && short_card_ends() <= self.now)
                && self.pages.contains(&one.id)
        })
    }
}

/// Whether the service is going to look at a transaction by itself.
fn is_looked_at(payment: &RecurringPayment, one: &Transaction) -> bool {
    let State::Created { terminals, .. } = &payment.state else { return false };
    let terminal = terminals.get(usize::from(one.id.attempt().number()));
    let open = |terminal: &&Terminal| {
        terminal.outcome == Outcome::Open && Some(terminal.opened_at) == one.ordered_at
    };
    terminal.filter(open).is_some_and(|terminal| terminal.look_at.is_some())
}

/// Whether callers see each recurring payment as it is, and no other; and of those that wait, what came of their visits.
fn is_as_done(wallet: &Wallet, truth: &Truth) -> bool {
    let seen = |fact: &Fact| match wallet.view(id(fact.place)) {
        Ok(view) => is_as_is(&view, fact) && visits_are_as_are(wallet, fact),
        Err(_) => fact.fate == Fate::Gone,
    };
    let there = truth.facts.iter().filter(|fact| fact.fate != Fate::Gone).count();
    let listed =
        |fact: &&Fact| matches!(fact.fate, Fate::Waiting | Fate::Active(_) | Fate::Expired(_));
    let list = wallet.list(true);
    truth.facts.iter().all(seen)
        && wallet.contents().payments.len() == there
        && truth
            .facts
            .iter()
            .filter(listed)
            .map(|fact| id(fact.place))
            .eq(list.iter().map(|view| view.id))
}

fn is_as_is(view: &View, fact: &Fact) -> bool {
    let card = fact.fate.card().map(|card| (card.digits, card.activated_at, card.until));
    let seen = view.registration.as_ref().map(|registration| {
        let digits = registration.card.last_four.as_str().parse().unwrap_or_default();
        (digits, registration.activated_at, registration.expires_at)
    });
    fact.fate.status() == Some(view.status)
        && card == seen
        && view.nickname == fact.name.map(nickname)
}

fn visits_are_as_are(wallet: &Wallet, fact: &Fact) -> bool {
    let payments = &wallet.contents().payments;
    let payment = payments.iter().find(|payment| payment.sequence.number() == fact.place);
    let Some(State::Created { terminals, .. }) = payment.map(|payment| &payment.state) else {
        return true;
    };
    terminals.len() == fact.visits.len()
        && terminals.iter().zip(&fact.visits).all(|(terminal, visit)| {
            let written_off = visit.unknown && terminal.outcome == Outcome::Failed;
            terminal.opened_at == visit.opened_at
                && (terminal.outcome == visit.outcome || written_off)
        })
}
