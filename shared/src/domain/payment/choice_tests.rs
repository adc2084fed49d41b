//! Tests of the chosen registration: which one a capture tries, and what a reply changes while another request may be capturing.

use chrono::TimeDelta;

use super::fixtures::*;
use super::*;

const SOFT: Reconciliation = Reconciliation::Declined(Decline::Soft);
const HARD: Reconciliation = Reconciliation::Declined(Decline::Hard);

/// Two requests use the first registration. A reply without a card frees it when the other request is over, a minute after its choice.
#[test]
fn a_choice_without_a_card_stays_while_another_request_may_find_one() {
    let shared = chosen().after(TimeDelta::seconds(30)).choosing(0);
    let refusal = |payment: Payment| {
        payment.with(0, Reconciliation::NoCard).check_captured(transaction_id(0))
    };
    let last = shared.clone().after(minutes(1) - millisecond());
    assert_eq!(refusal(last), Err(PaymentRefusal::AuthorizationInProgress));
    assert_eq!(refusal(shared.after(minutes(1))), Err(PaymentRefusal::TerminalOpen));
    assert_eq!(refusal(chosen()), Err(PaymentRefusal::TerminalOpen), "the only request");
}

#[test]
fn a_capture_tries_the_chosen_registration_or_every_open_one() {
    let to_capture = |payment: &Payment| payment.registrations_to_capture(transaction_id(0));
    let two = open().opened(Initiator::Customer);
    assert_eq!(to_capture(&two), Ok(vec![registration(1), registration(0)]));
    assert_eq!(to_capture(&two.choosing(0)), Ok(vec![registration(0)]));
    assert_eq!(to_capture(&authorized()), Ok(vec![registration(0)]));
    for without in [payment(), paid(), open().cancelled(), chosen().with(0, HARD)] {
        assert_eq!(to_capture(&without), Ok(vec![]));
    }
}

#[test]
fn at_the_same_instant_the_timeout_comes_before_a_decline_that_waited() {
    let shared = |last: TimeDelta| {
        let first = open().after(last - TimeDelta::seconds(30)).choosing(0);
        first.after(TimeDelta::seconds(30)).choosing(0).with(0, HARD).after(minutes(1))
    };
    let last = Transaction::TIMEOUT - minutes(1);
    let timed_out = PaymentRefusal::Cancelled(CancelReason::TimedOut);
    assert_eq!(shared(last).check_captured(transaction_id(0)), Err(timed_out));
    assert_eq!(shared(last - millisecond()).first_status(), "REJECTED");
}

/// The amount can be captured, so the decline is an older reply.
#[test]
fn an_authorization_that_is_found_ends_the_wait_of_a_decline() {
    let shared = chosen().after(TimeDelta::seconds(30)).choosing(0).with(0, HARD);
    let found = shared.with(0, Reconciliation::Authorized(amount()));
    assert_eq!(found.after(minutes(1)).first_status(), "INITIATED");
}

#[test]
fn an_authorization_that_was_not_chosen_is_checked_again_within_a_minute() {
    let mut payment = open().after(minutes(1)).with(0, Reconciliation::Pending);
    assert_eq!(payment.due_at(), Some(start() + minutes(5)));
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
    assert_eq!(payment.due_at(), Some(start() + minutes(2)));
}

#[test]
fn a_soft_decline_is_stored_for_24_hours() {
    let declined = chosen().with(0, SOFT).after(minutes(60)).opened(Initiator::Customer);
    let stored = |payment: Payment| {
        let payment = payment.choosing(1).with(1, SOFT);
        payment.transaction(transaction_id(0)).unwrap().soft_declines.len()
    };
    let last = Transaction::DECLINE_PERIOD - minutes(60) - millisecond();
    assert_eq!(stored(declined.clone().after(last)), 2);
    assert_eq!(stored(declined.after(last + millisecond())), 1);
}

#[test]
fn a_captured_sum_of_zero_is_not_a_credited_one() {
    assert_eq!(authorized().with(0, captured(0, 0)).first_status(), "CAPTURED");
}
