//! Tests of `autoSale`: what the service captures without a request of the client.

use chrono::TimeDelta;

use super::fixtures::*;
use super::*;
use crate::domain::terminal::Terminal;
use crate::error::Decline;

const SOFT: Reconciliation = Reconciliation::Declined(Decline::Soft);
const PENDING: Reconciliation = Reconciliation::Pending;

fn payment_of_merchant() -> Payment {
    payment().opened(Initiator::Merchant)
}

fn off_session() -> Payment {
    payment().opened_with(auto_sale(Initiator::Merchant))
}

impl Payment {
    fn open(&mut self, terminal: NewRegistration) -> Result<OpenedRegistration, PaymentRefusal> {
        self.open_terminal(transaction_id(0), terminal)
    }

    fn refusal(&self) -> PaymentRefusal {
        self.check_captured(transaction_id(0)).unwrap_err()
    }

    fn chosen(&self) -> Option<Attempt> {
        match &self.transaction(transaction_id(0)).unwrap().state {
            State::Initiated(initiated) => initiated.chosen.map(|chosen| chosen.registration),
            State::Created
            | State::Captured(_)
            | State::Credited(_)
            | State::Rejected { .. }
            | State::Cancelled { .. } => panic!("{self:?}"),
        }
    }
}

fn opened(index: usize, is_new: bool) -> OpenedRegistration {
    OpenedRegistration { id: registration(index), is_new }
}

#[test]
fn with_the_customer_the_registration_is_chosen_when_it_is_opened() {
    let payment = auto_sale_at_page();
    let stored = payment.registration(registration(0)).unwrap();
    assert!(stored.auto_sale && stored.auth_requested);
    assert_eq!(payment.chosen(), Some(attempt(0)));
    assert!(!payment.may_request_auth(registration(0)), "Nets authorizes it");
    assert_eq!(payment.auto_sale(transaction_id(0)), Some(registration(0)));
    let ordinary = open();
    assert!(ordinary.may_request_auth(registration(0)) && ordinary.chosen().is_none());
    assert!(!ordinary.is_auto_sale(transaction_id(0)));
    // A charge of the merchant has no page, so the service requests AUTH.
    let off_session = off_session();
    let stored = off_session.registration(registration(0)).unwrap();
    assert!(stored.auto_sale && !stored.auth_requested);
    assert!(off_session.may_request_auth(registration(0)) && off_session.chosen().is_none());
}

#[test]
fn an_auto_sale_is_reconciled_every_minute_for_16_minutes_and_then_as_planned() {
    let mut payment = auto_sale_at_page();
    for minute in 1..=16 {
        assert_eq!(payment.due_at(), Some(start() + minutes(minute)));
        payment = payment.at(start() + minutes(minute));
        assert_eq!(payment.due_auto_sales(), [transaction_id(0)]);
        payment.found(0, PENDING);
        assert_eq!(payment.due_auto_sales(), []);
    }
    assert_eq!((payment.chosen(), payment.due_at()), (None, Some(start() + minutes(60))));
    let mut authorized = auto_sale_at_page().with(0, Reconciliation::Authorized(amount()));
    authorized = authorized.after(minutes(16)).with(0, Reconciliation::Authorized(amount()));
    assert_eq!(authorized.due_at(), Some(start() + minutes(60)), "the capture failed so far");
    assert_eq!(authorized.after(minutes(44)).due_auto_sales(), [transaction_id(0)]);
}

#[test]
fn a_repeated_terminal_uses_the_registration_while_its_page_is_available() {
    let last = Terminal::LIFETIME - millisecond();
    let mut payment = auto_sale_at_page().after(last);
    assert_eq!(payment.open(auto_sale(Initiator::Customer)), Ok(opened(0, false)));
    let refused = Err(PaymentRefusal::AuthorizationInProgress);
    assert_eq!(payment.open(terminal(Initiator::Customer)), refused);
    assert_eq!(payment.open(auto_sale(Initiator::Merchant)), refused);
    let mut late = payment.clone().after(millisecond());
    assert_eq!(late.open(auto_sale(Initiator::Customer)), refused);
    let mut authorized = payment.with(0, Reconciliation::Authorized(amount()));
    assert_eq!(authorized.open(auto_sale(Initiator::Customer)), refused);
    // A registration that the client chose is no page of Nets' own authorization.
    assert_eq!(chosen().open(auto_sale(Initiator::Customer)), refused);
}

#[test]
fn a_registration_that_a_repeated_terminal_sends_again_is_not_closed_meanwhile() {
    let never = Reconciliation::NeverRegistered;
    let mut payment = auto_sale_at_page().after(TimeDelta::seconds(59));
    payment.open(auto_sale(Initiator::Customer)).unwrap();
    payment = payment.after(TimeDelta::seconds(1)).with(0, never);
    assert_eq!(payment.refusal(), PaymentRefusal::TerminalOpen);
    payment = payment.after(TimeDelta::seconds(59)).with(0, never);
    assert_eq!((payment.refusal(), payment.chosen()), (PaymentRefusal::NoTerminal, None));
}

#[test]
fn without_an_authorization_after_16_minutes_the_choice_is_removed() {
    let early = auto_sale_at_page().after(minutes(16) - millisecond()).with(0, PENDING);
    assert_eq!((early.chosen(), early.refusal()), (Some(attempt(0)), PaymentRefusal::TerminalOpen));
    let timed_out = PaymentRefusal::TerminalTimedOut;
    assert_eq!(early.after(millisecond()).refusal(), timed_out, "nothing is known yet");
    let mut payment = auto_sale_at_page().after(minutes(16)).with(0, PENDING);
    assert_eq!((payment.chosen(), payment.refusal()), (None, timed_out));
    assert_eq!(payment.choose(registration(0)), Err(timed_out));
    assert_eq!(payment.registrations_to_capture(transaction_id(0)), Ok(vec![]));
    assert!(!payment.is_auto_sale(transaction_id(0)) && !payment.may_request_auth(registration(0)));
    // Another terminal is possible, and a late authorization is annulled.
    assert_eq!(payment.clone().open(auto_sale(Initiator::Customer)), Ok(opened(1, true)));
    payment = payment.after(minutes(44));
    assert_eq!(payment.due_registrations(), [registration(0)]);
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
}

/// A request that found the authorization may still capture it.
#[test]
fn the_choice_stays_while_another_request_may_be_capturing() {
    let alone = auto_sale_at_page().after(minutes(16)).choosing(0);
    assert_eq!(alone.clone().with(0, PENDING).chosen(), None);
    let shared = alone.after(minutes(1) - millisecond()).choosing(0).with(0, PENDING);
    assert_eq!(shared.chosen(), Some(attempt(0)));
    assert_eq!(shared.clone().after(minutes(1)).due_auto_sales(), [transaction_id(0)]);
    assert_eq!(shared.after(minutes(1)).choosing(0).with(0, PENDING).chosen(), None);
    // A reply that is older than the authorization.
    let authorized = auto_sale_at_page().with(0, Reconciliation::Authorized(amount()));
    assert_eq!(authorized.after(minutes(16)).with(0, PENDING).chosen(), Some(attempt(0)));
}

/// Only a request that chooses the registration knows whether another one may be capturing it.
#[test]
fn a_chosen_auto_sale_is_not_among_the_registrations_to_reconcile() {
    let at_page = auto_sale_at_page().after(minutes(1));
    assert_eq!((at_page.due_registrations(), at_page.due_auto_sales().len()), (vec![], 1));
    let in_progress = off_session().choosing(0).after(minutes(1));
    assert_eq!((in_progress.due_registrations(), in_progress.due_auto_sales().len()), (vec![], 1));
    let mut cancelled = at_page.cancelled();
    cancelled = cancelled.after(minutes(1));
    assert_eq!(cancelled.due_registrations(), [registration(0)]);
}

#[test]
fn a_soft_decline_is_never_repeated_and_the_client_is_told() {
    let mut payment = auto_sale_at_page().with(0, SOFT);
    let declined = PaymentRefusal::Declined(Decline::Soft);
    assert_eq!((payment.first_status(), payment.refusal()), ("INITIATED", declined));
    assert_eq!(payment.choose(registration(0)), Err(declined));
    assert!(!payment.is_auto_sale(transaction_id(0)));
    assert_eq!(payment.due_at(), Some(start() + minutes(1)));
    payment = payment.after(minutes(1)).with(0, SOFT);
    assert_eq!(payment.due_at(), Some(start() + minutes(5)));
    let stored = payment.transaction(transaction_id(0)).unwrap();
    assert_eq!(stored.soft_declines, [start()], "Nets shows one decline again and again");
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
    assert_eq!(payment.open(auto_sale(Initiator::Customer)), Ok(opened(1, true)));

    let mut merchant = off_session().after(minutes(1)).choosing(0).with(0, SOFT);
    assert!(!merchant.is_auto_sale(transaction_id(0)));
    assert_eq!(merchant.after(minutes(1)).due_auto_sales(), []);
    // The client can: with a capture, or with a new terminal.
    merchant = off_session().choosing(0).with(0, SOFT);
    assert_eq!(merchant.choose(registration(0)), Ok(Capture::Authorize(registration(0))));
    let mut again = off_session().choosing(0).with(0, SOFT);
    assert_eq!(again.open(auto_sale(Initiator::Merchant)), Ok(opened(1, true)));
    assert_eq!(again.auto_sale(transaction_id(0)), Some(registration(1)));
}

#[test]
fn a_soft_decline_that_waits_for_another_request_counts_once() {
    let payment = auto_sale_at_page().choosing(0).after(TimeDelta::seconds(10)).choosing(0);
    let payment = payment.with(0, SOFT).after(TimeDelta::seconds(10)).with(0, SOFT);
    assert_eq!(payment.refusal(), PaymentRefusal::Declined(Decline::Soft));
    assert_eq!(payment.chosen(), Some(attempt(0)));
    assert!(!payment.is_auto_sale(transaction_id(0)));
    let payment = payment.after(minutes(1));
    assert_eq!(payment.transaction(transaction_id(0)).unwrap().soft_declines.len(), 1);
    assert_eq!(payment.chosen(), None);
}

#[test]
fn other_declines_have_the_results_of_a_capture() {
    let hard = auto_sale_at_page().with(0, Reconciliation::Declined(Decline::Hard));
    assert_eq!((hard.first_status(), hard.due_auto_sales()), ("REJECTED", vec![]));
    let required = Reconciliation::Declined(Decline::AuthenticationRequired);
    let mut payment = auto_sale_at_page().with(0, required);
    let refusal = PaymentRefusal::Declined(Decline::AuthenticationRequired);
    assert_eq!((payment.first_status(), payment.refusal()), ("INITIATED", refusal));
    assert_eq!(payment.open(auto_sale(Initiator::Customer)), Ok(opened(1, true)));
    assert_eq!(off_session().choosing(0).with(0, required).first_status(), "REJECTED");
}

#[test]
fn a_charge_of_the_merchant_is_due_a_minute_after_its_terminal() {
    let payment = off_session().after(minutes(1) - millisecond());
    assert_eq!(payment.due_auto_sales(), []);
    let mut payment = payment.after(millisecond());
    assert_eq!(payment.due_auto_sales(), [transaction_id(0)]);
    assert_eq!(payment.choose(registration(0)), Ok(Capture::Authorize(registration(0))));
    // AUTH is in doubt: the next run continues.
    payment = payment.after(minutes(1)).with(0, Reconciliation::Unclear);
    assert_eq!(payment.after(minutes(1)).due_auto_sales(), [transaction_id(0)]);
    assert_eq!(open().after(minutes(1)).due_auto_sales(), [], "not without autoSale");
}

/// The card schemes limit repeated authorizations, so an AUTH in doubt is requested at 1, 5 and 15 minutes. The registration is
/// queried each minute, and an authorization that is found is captured.
#[test]
fn an_auth_in_doubt_is_requested_in_three_runs() {
    let mut payment = off_session();
    let mut requested = Vec::new();
    for minute in 1..=70 {
        payment = payment.at(start() + minutes(minute));
        if payment.due_auto_sales().is_empty() {
            continue;
        }
        if payment.may_request_auth_for_sale(registration(0)) {
            requested.push(minute);
            payment = payment.choosing(0).with(0, Reconciliation::Unclear);
        } else {
            payment.found(0, PENDING);
        }
        assert_eq!(payment.chosen(), Some(attempt(0)));
    }
    assert_eq!((requested, payment.due_at()), (vec![1, 5, 15], Some(start() + minutes(24 * 60))));
    assert!(payment.may_request_auth(registration(0)), "the client can request it");
    let mut found = payment.clone();
    assert_eq!(found.found(0, Reconciliation::Authorized(amount())), NextStep::Capture);
    let ended = payment.after(minutes(24 * 60));
    assert_eq!(ended.refusal(), PaymentRefusal::Cancelled(CancelReason::TimedOut));
    assert!(!ended.may_request_auth_for_sale(registration(0)));
    assert_eq!(ended.due_registrations(), [registration(0)], "to annul what is found");
}

/// The first AUTH is never too late: it is no repetition.
#[test]
fn the_first_auth_can_be_late_and_a_later_one_is_not_requested() {
    let edge = minutes(16);
    let mut payment = off_session().after(minutes(4));
    assert!(payment.may_request_auth_for_sale(registration(0)));
    payment = payment.choosing(0);
    assert!(!payment.may_request_auth_for_sale(registration(0)), "in this run");
    payment = payment.at(start() + edge - millisecond());
    assert!(payment.may_request_auth_for_sale(registration(0)));
    assert!(!payment.at(start() + edge).may_request_auth_for_sale(registration(0)));
    let late = off_session().after(minutes(90));
    assert!(late.may_request_auth_for_sale(registration(0)));
    let late = late.choosing(0).after(minutes(1));
    assert!(!late.may_request_auth_for_sale(registration(0)));
    // Nets authorizes it by itself.
    assert!(!auto_sale_at_page().may_request_auth_for_sale(registration(0)));
}

/// AUTH may have been requested, so it stays chosen. It is queried as planned, not each minute.
#[test]
fn a_charge_of_the_merchant_that_nets_does_not_know_is_queried_as_planned() {
    let never = Reconciliation::NeverRegistered;
    let mut payment = off_session().after(minutes(1)).choosing(0).with(0, never);
    let mut queried = Vec::new();
    while payment.first_status() == "INITIATED" {
        let due_at = payment.due_at().unwrap();
        queried.push((due_at - start()).num_minutes());
        payment = payment.at(due_at);
        if payment.first_status() == "INITIATED" {
            assert_eq!(payment.due_auto_sales(), [transaction_id(0)]);
            payment.found(0, never);
            assert_eq!(payment.chosen(), Some(attempt(0)));
        }
    }
    assert_eq!(queried, [2, 5, 16, 60, 24 * 60]);
    assert_eq!(payment.refusal(), PaymentRefusal::Cancelled(CancelReason::TimedOut));
    // A charge that the client captures is closed, so that another terminal can follow.
    let mut client = payment_of_merchant().choosing(0).after(minutes(1)).with(0, never);
    assert_eq!(
        (client.chosen(), client.open(terminal(Initiator::Merchant))),
        (None, Ok(opened(1, true)))
    );
}

#[test]
fn a_repeated_terminal_of_the_merchant_can_add_auto_sale_and_never_removes_it() {
    let ordinary = payment_of_merchant;
    let mut payment = ordinary();
    assert_eq!(payment.open(auto_sale(Initiator::Merchant)), Ok(opened(0, false)));
    assert_eq!(payment.auto_sale(transaction_id(0)), Some(registration(0)));
    assert_eq!(payment.open(terminal(Initiator::Merchant)), Ok(opened(0, false)));
    assert_eq!(payment.auto_sale(transaction_id(0)), Some(registration(0)));
    let mut in_progress = ordinary().choosing(0);
    assert_eq!(in_progress.open(auto_sale(Initiator::Merchant)), Ok(opened(0, false)));
    assert_eq!(in_progress.auto_sale(transaction_id(0)), Some(registration(0)));
}

#[test]
fn a_card_that_was_declined_too_often_is_not_charged() {
    // The customer's terminal stays open, and the merchant's one is opened before the last decline.
    let mut payment = open();
    for _ in 1..Transaction::MAX_SOFT_DECLINES {
        payment = payment.choosing(0).with(0, SOFT).after(minutes(1));
    }
    payment = payment.opened_with(auto_sale(Initiator::Merchant));
    assert!(payment.is_auto_sale(transaction_id(0)));
    payment = payment.choosing(0).with(0, SOFT).after(minutes(1));
    assert_eq!(payment.due_auto_sales(), []);
    assert_eq!(payment.due_registrations(), [registration(1), registration(0)], "it is reconciled");
}

#[test]
fn without_an_active_card_an_authorization_that_is_not_stored_is_annulled() {
    let mut payment = auto_sale_at_page();
    payment.cancel_without_card(transaction_id(0)).unwrap();
    assert_eq!(payment.refusal(), PaymentRefusal::Cancelled(CancelReason::CardNotActive));
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
    let mut stored = auto_sale_at_page().with(0, Reconciliation::Authorized(amount()));
    stored.cancel_without_card(transaction_id(0)).unwrap();
    assert_eq!(stored.first_status(), "INITIATED", "an authorization needs no card");
}

/// CANCELLED blocks the order until no request can capture the authorization that Nets may make.
#[test]
fn a_cancelled_auto_sale_is_annulled_before_the_order_can_be_paid_again() {
    let mut payment = auto_sale_at_page().cancelled();
    assert_eq!(
        payment.annulment_pending(),
        PaymentRefusal::AnnulmentPending { retry_after_seconds: 60 }
    );
    assert!(payment.create_again(OWNER, charge(), charged_card()).is_err());
    payment = payment.after(TimeDelta::milliseconds(59_001));
    assert_eq!(
        payment.create_again(OWNER, charge(), charged_card()),
        Err(PaymentRefusal::AnnulmentPending { retry_after_seconds: 1 })
    );
    payment = payment.after(minutes(1)).with(0, PENDING);
    assert_eq!(payment.create_again(OWNER, charge(), charged_card()), Ok(transaction_id(1)));
    payment = payment.after(minutes(14));
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
}
