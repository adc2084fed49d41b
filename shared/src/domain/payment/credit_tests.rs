//! Tests of the rules for credits (payments.md §4.4).

use chrono::TimeDelta;

use super::fixtures::*;
use super::*;
use crate::domain::id::RegistrationId;
use crate::domain::money::{Currency, Money};
use crate::domain::terminal::Terminal;
use crate::error::PaymentRefusal::{CreditTooLate, TooManyCredits};

/// A Query that shows these credited minor units, and no reference.
fn credited(minor: u64) -> Reconciliation {
    captured(10_000, minor)
}

fn with_reference(target: u64) -> Reconciliation {
    Reconciliation::Captured {
        captured: nok(10_000),
        credited_minor: 0,
        credited_target: Some(target),
    }
}

fn request(minor: u64, target_minor: u64) -> CreditRequest {
    CreditRequest { id: registration(0), amount: nok(minor), target_minor }
}

impl Payment {
    fn resend(&mut self) -> Option<CreditRequest> {
        self.resend_credit(transaction_id(0))
    }

    fn in_progress(&self) -> Option<Crediting> {
        self.money().crediting
    }
}

#[test]
fn a_credit_sends_what_is_missing_to_the_total() {
    for (shown, total, expected) in [
        (0, Some(3_000), 3_000),
        (0, Some(1), 1),
        (0, Some(10_000), 10_000),
        (0, None, 10_000),
        // 30.00 were credited before, by this service or in Netaxept Admin.
        (3_000, Some(3_001), 1),
        (3_000, Some(7_000), 4_000),
        (3_000, None, 7_000),
    ] {
        let total = total.map(nok);
        let mut payment = paid();
        assert_eq!(payment.check_credit(transaction_id(0), total), Ok(Some(registration(0))));
        payment.found(0, credited(shown));
        let target = total.map_or(10_000, Money::minor);
        let begun = payment.begin_credit(transaction_id(0), total);
        assert_eq!(begun, Ok(Credit::Send(request(expected, target))));
        let expected = Crediting {
            target_minor: target,
            sent_at: start(),
            sends: 1,
            is_refused: false,
            schedule: Schedule { since: start(), reconcile_at: Some(start() + minutes(1)) },
        };
        assert_eq!(payment.in_progress(), Some(expected));
    }
}

#[test]
fn a_total_that_is_credited_needs_no_call_to_nets() {
    let mut payment = paid().with_credit(3_000).with(0, credited(3_000));
    let total = Some(nok(3_000));
    assert_eq!(payment.check_credit(transaction_id(0), total), Ok(None));
    assert_eq!(payment.begin_credit(transaction_id(0), total), Ok(Credit::Completed));
    assert_eq!((payment.in_progress(), payment.due_at()), (None, None));
    let everything = payment.with_credit(10_000).with(0, credited(10_000));
    assert_eq!(everything.first_status(), "CREDITED");
    assert_eq!(everything.check_credit(transaction_id(0), None), Ok(None));
    assert_eq!(everything.check_credit(transaction_id(0), Some(nok(10_000))), Ok(None));
}

#[test]
fn a_total_is_at_least_the_credited_and_at_most_the_captured_sum() {
    let payment = paid().with(0, credited(3_000));
    for (total, refusal) in [
        (nok(2_999), PaymentRefusal::CreditBelowCredited),
        (nok(10_001), PaymentRefusal::CreditAboveCaptured),
        (Money::new(5_000, Currency::Sek), PaymentRefusal::CreditAboveCaptured),
    ] {
        assert_eq!(payment.check_credit(transaction_id(0), Some(total)), Err(refusal));
        let mut unchanged = payment.clone();
        assert_eq!(unchanged.begin_credit(transaction_id(0), Some(total)), Err(refusal));
        assert_eq!(unchanged, payment);
    }
    let unknown = payment.check_credit(transaction_id(1), None);
    assert_eq!(unknown, Err(PaymentRefusal::NotFound));
    // What Nets says counts, not the stored sum.
    let mut payment = paid().with(0, credited(5_000));
    let below = payment.begin_credit(transaction_id(0), Some(nok(4_000)));
    assert_eq!(below, Err(PaymentRefusal::CreditBelowCredited));
}

#[test]
fn one_credit_is_in_progress_at_a_time() {
    let mut payment = paid().with_credit(3_000).after(TimeDelta::milliseconds(20_500));
    let in_progress = PaymentRefusal::CreditInProgress { retry_after_seconds: 40 };
    for total in [Some(nok(3_000)), Some(nok(5_000)), Some(nok(2_000)), None] {
        assert_eq!(
            payment.check_credit(transaction_id(0), total),
            Ok(Some(registration(0))),
            "a Query may confirm it"
        );
        assert_eq!(payment.begin_credit(transaction_id(0), total), Err(in_progress));
    }
    payment = payment.after(minutes(1));
    let late = payment.begin_credit(transaction_id(0), None);
    assert_eq!(late, Err(PaymentRefusal::CreditInProgress { retry_after_seconds: 1 }));
    // A Query confirms it, and the request continues with its own total.
    let mut same = payment.clone().with(0, credited(3_000));
    assert_eq!(same.begin_credit(transaction_id(0), Some(nok(3_000))), Ok(Credit::Completed));
    let mut more = payment.with(0, credited(3_000));
    let sent = more.begin_credit(transaction_id(0), Some(nok(5_000)));
    assert_eq!(sent, Ok(Credit::Send(request(2_000, 5_000))));
}

/// Nets adds what this service sends to what it knows, so a target in the history is credited at least.
#[test]
fn a_reference_in_the_history_confirms_a_credit_up_to_its_target() {
    let payment = paid().with(0, credited(1_000)).with_credit(5_000);
    for (target, is_confirmed) in [(3_000, false), (4_999, false), (5_000, true), (6_000, true)] {
        let found = payment.clone().with(0, with_reference(target));
        assert_eq!(found.in_progress().is_none(), is_confirmed, "{target}");
        assert_eq!(found.money().credited_minor, target);
    }
    let mut payment = payment.with(0, with_reference(5_000));
    let next = payment.begin_credit(transaction_id(0), Some(nok(7_000)));
    assert_eq!(next, Ok(Credit::Send(request(2_000, 7_000))), "not 6_000: the sum lags behind");
}

#[test]
fn a_credit_that_nets_does_not_show_is_sent_again_after_16_minutes() {
    let mut payment = paid().with_credit(3_000).after(minutes(1)).with(0, credited(0));
    assert_eq!((payment.resend(), payment.due_at()), (None, Some(start() + minutes(5))));
    payment = payment.after(minutes(4)).with(0, credited(0));
    assert_eq!((payment.resend(), payment.due_at()), (None, Some(start() + minutes(16))));
    let mut early = payment.clone().after(minutes(11) - millisecond()).with(0, credited(0));
    assert_eq!(early.resend(), None);
    payment = payment.after(minutes(11));
    assert_eq!(payment.due_registrations(), [registration(0)]);
    payment.found(0, credited(0));
    assert_eq!(payment.resend(), Some(request(3_000, 3_000)));
    let sent = payment.in_progress().unwrap();
    assert_eq!((sent.sends, sent.sent_at), (2, start() + minutes(16)));
    assert_eq!((payment.resend(), payment.due_at()), (None, Some(start() + minutes(17))), "once");
    // Meanwhile 10.00 were credited in Netaxept Admin.
    let mut again = payment.after(minutes(16)).with(0, credited(1_000));
    assert_eq!(again.resend(), Some(request(2_000, 3_000)));
}

/// `sent_at` is the instant of a run, which ends at most 5 minutes later (`tests/api/template/functions.rs` checks it).
#[test]
fn between_two_credits_are_more_than_5_minutes_also_if_a_run_is_late() {
    assert!(Crediting::RESEND_AFTER - minutes(5) > minutes(5));
}

#[test]
fn without_a_clear_query_of_the_capture_a_credit_is_not_sent_again() {
    let payment = paid().with_credit(3_000).after(minutes(16));
    let mut unclear = payment.clone().with(0, Reconciliation::Unclear);
    assert_eq!((unclear.resend(), unclear.due_at()), (None, Some(start() + minutes(17))));
    let mut clear = unclear.after(minutes(1)).with(0, credited(0));
    assert_eq!(clear.resend(), Some(request(3_000, 3_000)));
    for older in [
        Reconciliation::Authorized(amount()),
        Reconciliation::Annulled,
        Reconciliation::Pending,
        Reconciliation::NeverRegistered,
        Reconciliation::Cancelled,
    ] {
        let mut payment = payment.clone().with(0, older);
        assert_eq!((payment.resend(), payment.due_at()), (None, Some(start() + minutes(60))));
    }
}

#[test]
fn a_query_of_a_request_does_not_postpone_the_sending() {
    let payment = paid().with_credit(3_000).after(minutes(16)).with(0, credited(0));
    let mut later = payment.after(minutes(2)).with(0, credited(0));
    assert_eq!(later.due_at(), Some(start() + minutes(1)), "still overdue");
    assert_eq!(later.resend(), Some(request(3_000, 3_000)));
}

/// The service queries the last one after an hour and a day, but a client can find the result earlier.
#[test]
fn a_caller_is_told_to_wait_an_hour_at_most() {
    let mut payment = paid().with_credit(3_000);
    let waits = |payment: &Payment| match payment.clone().begin_credit(transaction_id(0), None) {
        Err(PaymentRefusal::CreditInProgress { retry_after_seconds }) => retry_after_seconds,
        other => panic!("{other:?}"),
    };
    for sends in 1..=Crediting::MAX_SENDS {
        assert_eq!((payment.in_progress().unwrap().sends, waits(&payment)), (sends, 60));
        payment = payment.after(minutes(1)).with(0, credited(0));
        assert_eq!(waits(&payment), 240);
        payment = payment.after(minutes(15)).with(0, credited(0));
        let is_last = sends == Crediting::MAX_SENDS;
        assert_eq!(payment.resend().is_none(), is_last);
    }
    assert_eq!(waits(&payment), 44 * 60);
    payment = payment.after(minutes(44)).with(0, credited(0));
    assert_eq!((waits(&payment), payment.due_at()), (3600, Some(payment.now + minutes(23 * 60))));
}

/// After the last part only everything, so that no rest stays. Also after Nets refused it.
#[test]
fn a_transaction_has_at_most_100_credits_of_a_part() {
    let mut payment = paid();
    for part in 1..=u64::from(Crediting::MAX_PARTS) {
        payment = payment.with_credit(part);
        let (again, next) = (Some(nok(part)), Some(nok(part + 1)));
        assert!(payment.check_credit(transaction_id(0), again).is_ok(), "a Query may confirm it");
        let is_last = part == u64::from(Crediting::MAX_PARTS);
        let expected = if is_last { Err(TooManyCredits) } else { Ok(Some(registration(0))) };
        assert_eq!(payment.check_credit(transaction_id(0), next), expected, "{part}");
        payment = payment.with(0, credited(part));
    }
    let next = Some(nok(9_999));
    assert_eq!(payment.check_credit(transaction_id(0), next), Err(TooManyCredits));
    assert_eq!(payment.begin_credit(transaction_id(0), next), Err(TooManyCredits));
    assert_eq!(payment.check_credit(transaction_id(0), Some(nok(100))), Ok(None));
    for _ in 0..200 {
        assert_eq!(payment.check_credit(transaction_id(0), None), Ok(Some(registration(0))));
        let begun = payment.begin_credit(transaction_id(0), None);
        assert_eq!(begun, Ok(Credit::Send(request(9_900, 10_000))));
        payment.credit_refused(request(9_900, 10_000));
    }
    assert_eq!(payment.with_credit(10_000).with(0, credited(10_000)).first_status(), "CREDITED");
}

#[test]
fn a_credit_begins_at_most_365_days_after_the_capture() {
    let payment = paid().after(TimeDelta::days(365) - millisecond());
    let mut last = payment.clone();
    assert_eq!(
        last.begin_credit(transaction_id(0), None),
        Ok(Credit::Send(request(10_000, 10_000)))
    );
    // It is completed, and sent again if necessary.
    let mut in_progress = last.after(minutes(16));
    assert_eq!(in_progress.check_credit(transaction_id(0), None), Ok(Some(registration(0))));
    in_progress.found(0, credited(0));
    assert_eq!(in_progress.resend(), Some(request(10_000, 10_000)));
    let mut late = payment.with(0, credited(3_000)).after(millisecond());
    for total in [Some(nok(3_001)), None] {
        assert_eq!(late.check_credit(transaction_id(0), total), Err(CreditTooLate));
        assert_eq!(late.begin_credit(transaction_id(0), total), Err(CreditTooLate));
    }
    assert_eq!(late.check_credit(transaction_id(0), Some(nok(3_000))), Ok(None));
    let above = late.check_credit(transaction_id(0), Some(nok(10_001)));
    assert_eq!(above, Err(PaymentRefusal::CreditAboveCaptured));
}

#[test]
fn a_credit_is_sent_at_most_5_times_and_then_given_up() {
    let mut payment = paid().with_credit(3_000);
    for sends in 2..=Crediting::MAX_SENDS {
        payment = payment.after(Crediting::RESEND_AFTER).with(0, credited(0));
        assert_eq!(payment.resend(), Some(request(3_000, 3_000)));
        assert_eq!(payment.in_progress().unwrap().sends, sends);
    }
    assert_ends_at_the_last_reconciliation(payment);
}

#[test]
fn after_a_refused_repetition_a_credit_is_only_reconciled() {
    let mut payment = paid().with_credit(3_000).after(minutes(16)).with(0, credited(0));
    let resent = payment.resend().unwrap();
    payment.credit_refused(resent);
    assert!(payment.in_progress().unwrap().is_refused);
    assert_ends_at_the_last_reconciliation(payment);
}

/// Reconciles at the planned instants after the last send. Nets confirms the credit at each of them, or never.
fn assert_ends_at_the_last_reconciliation(mut payment: Payment) {
    let sent_at = payment.in_progress().unwrap().sent_at;
    for after in Terminal::RECONCILE_AFTER {
        assert_eq!(payment.due_at(), Some(sent_at + after));
        payment = payment.at(sent_at + after);
        assert_eq!(payment.due_registrations(), [registration(0)]);
        let confirmed = payment.clone().with(0, credited(3_000));
        assert_eq!((confirmed.in_progress(), confirmed.due_at()), (None, None));
        let unclear = payment.clone().with(0, Reconciliation::Unclear);
        assert_eq!(unclear.due_at(), Some(sent_at + after + minutes(1)));
        let is_last = after == TimeDelta::hours(24);
        let expected = if is_last { NextStep::CreditFailed } else { NextStep::Nothing };
        let mut older = payment.clone();
        assert_eq!(older.found(0, Reconciliation::Pending), expected);
        assert_eq!(payment.found(0, credited(0)), expected, "{after}");
        assert_eq!(payment.resend(), None);
        assert_eq!(payment.in_progress().is_none(), is_last);
    }
    assert_eq!((payment.due_at(), payment.first_status()), (None, "CAPTURED"));
    let again = payment.begin_credit(transaction_id(0), Some(nok(3_000)));
    assert_eq!(again, Ok(Credit::Send(request(3_000, 3_000))), "a new request tries again");
}

#[test]
fn a_refusal_of_the_only_send_ends_the_credit() {
    let mut payment = paid().with_credit(3_000);
    payment.credit_refused(request(3_000, 3_000));
    assert_eq!((payment.in_progress(), payment.due_at()), (None, None));
}

/// Request A is slow. Meanwhile a refund in Netaxept Admin confirms its total, and request B credits more.
#[test]
fn a_refusal_that_arrives_late_does_not_end_another_credit() {
    let mut payment = paid().with_credit(3_000).with(0, credited(3_000)).with_credit(5_000);
    let before = payment.clone();
    payment.credit_refused(request(3_000, 3_000));
    assert_eq!(payment, before);
}

#[test]
fn a_credit_that_another_refund_completes_is_over() {
    let payment = paid().with_credit(3_000).with(0, credited(9_999));
    assert_eq!((payment.in_progress(), payment.first_status()), (None, "CAPTURED"));
    let payment = payment.with_credit(10_000).with(0, credited(10_000));
    assert_eq!((payment.in_progress(), payment.first_status()), (None, "CREDITED"));
}

/// A credit takes longer than the reconciliations of the annulment, and each has its own times.
#[test]
fn a_credit_and_an_annulment_are_reconciled_at_their_own_times() {
    let soft = Reconciliation::Declined(crate::error::Decline::Soft);
    let payment = chosen().with(0, soft).opened(Initiator::Customer).choosing(1);
    let mut payment = payment.with(1, credited(0)).after(TimeDelta::seconds(30)).with_credit(3_000);
    payment = payment.after(TimeDelta::seconds(30));
    assert_eq!(payment.due_registrations(), [registration(0)], "the annulment");
    payment = payment.after(TimeDelta::seconds(30));
    payment.found(0, Reconciliation::Pending);
    assert_eq!(payment.due_registrations(), [registration(1)], "the credit");
    let captured: RegistrationId = registration(1);
    assert_eq!(payment.check_credit(transaction_id(0), None), Ok(Some(captured)));
}
