//! Compares what callers see with the specification.

use std::sync::Arc;

use shared::domain::id::Sequence;
use shared::domain::recurring_payment::{RecurringPayment, RecurringStatus, State, View};
use shared::domain::terminal::{Outcome, Terminal};
use shared::domain::wallet::Wallet;

use super::{StepContext, World};
use crate::annotation::Annotation;
use crate::nets::{PageState, Transaction, expiring_card_expires_at};
use crate::operation::SequenceNumber;
use crate::protocol::{id, nickname};
use crate::specification::{ExpectedPayment, ExpectedState, Specification};
use crate::system::System;
use crate::violation::Violation;
use crate::wallets::{Item, Wallets};

impl World {
    /// Checks the properties that depend only on the state. Called after each change of the table, of Nets or of the clock.
    pub fn check(&mut self, context: &StepContext<'_>) {
        let Some(item) = self.table.item.clone() else { return };
        let wallet = Wallets::open(item.contents.clone(), self.now);
        let mut specification = (*self.specification).clone();
        specification.apply_time(self.now);
        self.check_primary(&wallet, &specification);
        self.violations.add_unless(
            matches_specification(&wallet, &specification),
            Violation::DiffersFromSpecification,
        );
        self.violations
            .add_unless(self.has_no_lost_card(&wallet, &specification), Violation::CardLost);
        self.check_events(&wallet, &specification);
        if !context.is_sequential() {
            self.check_recovery(&specification, context);
        }
    }

    /// Rules 1 and 3, as callers see them.
    fn check_primary(&mut self, wallet: &Wallet, specification: &Specification) {
        let views: Vec<View> = specification
            .payments
            .iter()
            .filter_map(|expected| wallet.view(id(expected.sequence)).ok())
            .collect();
        let primaries: Vec<&View> = views.iter().filter(|view| view.primary).collect();
        let is_live = |status| matches!(status, RecurringStatus::Created | RecurringStatus::Active);
        let is_any_live = views.iter().any(|view| is_live(view.status));
        let has_ended = primaries.iter().any(|view| !is_live(view.status));
        let sequences: Vec<SequenceNumber> =
            primaries.iter().map(|view| view.id.sequence().number()).collect();
        self.violations.add_unless(primaries.len() <= 1, Violation::TwoPrimaries);
        self.violations.add_unless(!is_any_live || !primaries.is_empty(), Violation::NoPrimary);
        self.violations.add_unless(!has_ended, Violation::EndedPrimary);
        let is_expected = sequences.first().copied() == specification.primary();
        self.violations.add_unless(is_expected, Violation::WrongPrimary);
    }

    /// Checks the response of a write, and that there is no pan hash without a valid card.
    pub fn check_write(&mut self, annotation: &Annotation, context: &StepContext<'_>) {
        if let Some(response) = annotation.response
            && !context.has(crate::defect::Defect::NoCondition)
        {
            let status = self
                .specification
                .payment(response.sequence)
                .and_then(|expected| expected.state.status());
            let is_primary = self.specification.primary() == Some(response.sequence);
            let agrees = status == Some(response.status) && is_primary == response.primary;
            self.violations.add_unless(agrees, Violation::WrongResponse);
        }
        let is_active = |sequence: Sequence| {
            let expected = self.specification.payment(sequence.number());
            expected.is_some_and(|expected| matches!(expected.state, ExpectedState::Active(_)))
        };
        let only_active = self.table.item.iter().flat_map(with_pan_hash).all(is_active);
        self.violations.add_unless(only_active, Violation::PanHashWithoutCard);
    }

    /// Checks that no stored status returns to an earlier one.
    pub fn check_status(&mut self, before: Option<&Item>, after: &Item) {
        let Some(before) = before else { return };
        let (before, after) = (&before.contents, &after.contents);
        let is_moved_back = before.payments.iter().any(|old| {
            let new = after.payments.iter().find(|new| new.sequence == old.sequence);
            new.is_some_and(|new| new.status() < old.status())
        });
        self.violations.add_unless(!is_moved_back, Violation::StatusMovedBack);
    }

    /// Whether each CREATED recurring payment with a completed session has a reconciliation of such a session due.
    fn has_no_lost_card(&self, wallet: &Wallet, specification: &Specification) -> bool {
        let payments = &wallet.contents().payments;
        specification
            .payments
            .iter()
            .filter(|expected| expected.state == ExpectedState::Created)
            .all(|expected| {
                let mut completed = self.completed(expected).peekable();
                let payment =
                    payments.iter().find(|one| one.sequence.number() == expected.sequence);
                completed.peek().is_none()
                    || completed.any(|one| {
                        payment.is_some_and(|payment| has_pending_reconciliation(payment, one))
                    })
            })
    }

    /// The transactions of a recurring payment that the customer completed with a card that is valid now, on a page whose
    /// address was returned.
    pub fn completed<'a>(
        &'a self,
        expected: &ExpectedPayment,
    ) -> impl Iterator<Item = &'a Transaction> {
        let sequence = expected.sequence;
        self.nets.transactions().filter(move |one| {
            one.id.recurring_payment_id() == id(sequence)
                && one.is_completed()
                && !(one.page == PageState::ExpiringCard && expiring_card_expires_at() <= self.now)
                && self.pages.contains(&one.id)
        })
    }
}

/// The recurring payments that have a pan hash.
fn with_pan_hash(item: &Arc<Item>) -> impl Iterator<Item = Sequence> {
    let has_pan_hash = |payment: &&RecurringPayment| matches!(payment.state, State::Active { .. });
    item.contents.payments.iter().filter(has_pan_hash).map(|payment| payment.sequence)
}

/// Whether the reconciliation of a transaction is due at some time.
fn has_pending_reconciliation(payment: &RecurringPayment, one: &Transaction) -> bool {
    let State::Created { terminals, .. } = &payment.state else { return false };
    let terminal = terminals.get(usize::from(one.id.attempt().number()));
    let is_open = |terminal: &&Terminal| {
        terminal.outcome == Outcome::Open && Some(terminal.opened_at) == one.ordered_at
    };
    terminal.filter(is_open).is_some_and(|terminal| terminal.reconcile_at.is_some())
}

/// Whether callers see exactly the expected recurring payments. For CREATED ones, the outcomes of the sessions are compared too.
fn matches_specification(wallet: &Wallet, specification: &Specification) -> bool {
    let is_as_expected = |expected: &ExpectedPayment| match wallet.view(id(expected.sequence)) {
        Ok(view) => has_expected_view(&view, expected) && has_expected_sessions(wallet, expected),
        Err(_) => expected.state == ExpectedState::Removed,
    };
    let count = specification
        .payments
        .iter()
        .filter(|expected| expected.state != ExpectedState::Removed)
        .count();
    let is_listed = |expected: &&ExpectedPayment| {
        matches!(
            expected.state,
            ExpectedState::Created | ExpectedState::Active(_) | ExpectedState::Expired(_)
        )
    };
    let list = wallet.list(true);
    specification.payments.iter().all(is_as_expected)
        && wallet.contents().payments.len() == count
        && specification
            .payments
            .iter()
            .filter(is_listed)
            .map(|expected| id(expected.sequence))
            .eq(list.iter().map(|view| view.id))
}

fn has_expected_view(view: &View, expected: &ExpectedPayment) -> bool {
    let expected_card =
        expected.state.card().map(|card| (card.digits, card.activated_at, card.expires_at));
    let card = view.registration.as_ref().map(|registration| {
        let digits = registration.card.last_four.as_str().parse().unwrap_or_default();
        (digits, registration.activated_at, registration.expires_at)
    });
    expected.state.status() == Some(view.status)
        && card == expected_card
        && view.nickname == expected.name.map(nickname)
}

fn has_expected_sessions(wallet: &Wallet, expected: &ExpectedPayment) -> bool {
    let payments = &wallet.contents().payments;
    let payment = payments.iter().find(|payment| payment.sequence.number() == expected.sequence);
    let Some(State::Created { terminals, .. }) = payment.map(|payment| &payment.state) else {
        return true;
    };
    terminals.len() == expected.sessions.len()
        && terminals.iter().zip(&expected.sessions).all(|(terminal, session)| {
            let is_closed_unknown = session.unknown && terminal.outcome == Outcome::Failed;
            terminal.opened_at == session.opened_at
                && (terminal.outcome == session.outcome || is_closed_unknown)
        })
}
