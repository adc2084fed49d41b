//! Tests of the rules in payments.md §4.3 and §4.4: the boundaries of each rule.

use chrono::TimeDelta;

use super::fixtures::*;
use super::*;
use crate::domain::terminal::Terminal;

const SOFT: Reconciliation = Reconciliation::Declined(Decline::Soft);
const HARD: Reconciliation = Reconciliation::Declined(Decline::Hard);

fn reason(payment: &Payment) -> CancelReason {
    match payment.transaction(transaction_id(0)).unwrap().state {
        State::Cancelled { reason, .. } => reason,
        State::Created
        | State::Initiated(_)
        | State::Captured(_)
        | State::Credited(_)
        | State::Rejected { .. } => panic!("{payment:?}"),
    }
}

#[test]
fn a_live_transaction_times_out_24_hours_after_its_creation_or_its_last_terminal() {
    let last = Transaction::TIMEOUT - millisecond();
    assert_eq!(payment().after(last).first_status(), "CREATED");
    assert_eq!(reason(&payment().after(Transaction::TIMEOUT)), CancelReason::TimedOut);
    let open_late = payment().after(last).opened(Initiator::Customer);
    assert_eq!(open_late.clone().after(last).first_status(), "INITIATED");
    let again = open_late.after(last).opened(Initiator::Customer).after(last);
    assert_eq!(again.first_status(), "INITIATED");
    assert_eq!(reason(&again.after(millisecond())), CancelReason::TimedOut);
}

#[test]
fn an_authorization_is_held_for_the_given_time_and_then_annulled() {
    for hold in [TimeDelta::hours(1), TimeDelta::hours(24), TimeDelta::hours(167)] {
        let mut payment = chosen();
        let step = payment.apply(registration(0), Reconciliation::Authorized(amount()), hold);
        assert_eq!(step, Ok(NextStep::Capture));
        let payment = payment.after(hold - millisecond());
        assert_eq!(payment.first_status(), "INITIATED", "{hold}");
        let mut ended = payment.after(millisecond());
        assert_eq!(reason(&ended), CancelReason::HoldEnded);
        assert_eq!(ended.due_at(), Some(start() + hold));
        assert_eq!(ended.due_registrations(), [registration(0)]);
        assert_eq!(ended.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
    }
}

#[test]
fn an_authorization_that_is_found_after_the_hold_is_annulled() {
    let mut payment = chosen().after(minutes(61));
    let step =
        payment.apply(registration(0), Reconciliation::Authorized(amount()), TimeDelta::hours(1));
    assert_eq!((step, reason(&payment)), (Ok(NextStep::Annul), CancelReason::HoldEnded));
}

#[test]
fn an_open_transaction_is_reconciled_at_the_times_of_a_terminal_session() {
    for after in Terminal::RECONCILE_AFTER {
        let mut payment = open().after(after - millisecond());
        payment.found(0, Reconciliation::Pending);
        let payment = payment.after(millisecond());
        if after == Transaction::TIMEOUT {
            assert_eq!((payment.first_status(), payment.due_at()), ("CANCELLED", None));
        } else {
            assert_eq!(payment.due_at(), Some(start() + after));
            assert_eq!(payment.due_registrations(), [registration(0)]);
        }
    }
    assert_eq!(payment().due_at(), None);
    assert_eq!(authorized().with(0, captured(10_000, 0)).due_at(), None);
    let unclear = open().after(minutes(6)).with(0, Reconciliation::Unclear);
    assert_eq!(unclear.due_at(), Some(start() + minutes(7)));
}

#[test]
fn what_is_found_after_the_end_is_annulled_at_every_reconciliation() {
    for ended in [chosen().cancelled(), chosen().with(0, HARD)] {
        for after in Terminal::RECONCILE_AFTER {
            let mut late = ended.clone();
            while late.due_at().unwrap() < start() + after {
                let due_at = late.due_at().unwrap();
                late = late.at(due_at);
                late.found(0, Reconciliation::Pending);
            }
            let mut late = late.at(start() + after);
            assert_eq!(late.due_registrations(), [registration(0)], "{after}");
            assert_eq!(late.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
            assert_eq!(late.due_at(), Some(start() + after + minutes(1)), "checks the annulment");
        }
        let over = ended.after(TimeDelta::hours(24)).with(0, Reconciliation::Pending);
        assert_eq!(over.due_at(), None);
    }
}

#[test]
fn without_a_request_for_auth_nothing_has_to_be_annulled() {
    let cancelled = open().cancelled();
    assert_eq!((cancelled.due_at(), cancelled.due_registrations()), (None, vec![]));
}

#[test]
fn an_order_stays_blocked_until_nets_confirms_the_annulment() {
    let blocked =
        |mut payment: Payment| payment.create_again(OWNER, charge(), charged_card()).is_err();
    let cancelled = authorized().cancelled();
    assert!(blocked(cancelled.clone()));
    assert!(blocked(cancelled.clone().with(0, Reconciliation::Unclear)));
    assert!(blocked(
        cancelled.clone().after(minutes(5)).with(0, Reconciliation::Authorized(amount()))
    ));
    assert!(!blocked(cancelled.with(0, Reconciliation::Annulled)));
    let in_doubt = chosen().cancelled();
    let early = in_doubt.clone().after(minutes(1) - millisecond());
    assert!(blocked(early.with(0, Reconciliation::Pending)), "a request may be in progress");
    assert!(!blocked(in_doubt.after(minutes(1)).with(0, Reconciliation::Pending)));
}

#[test]
fn a_decline_takes_effect_when_no_other_request_can_capture() {
    let shared = chosen().after(minutes(1) - millisecond()).choosing(0).with(0, HARD);
    assert_eq!(shared.first_status(), "INITIATED");
    assert_eq!(shared.clone().after(minutes(1) - millisecond()).first_status(), "INITIATED");
    assert_eq!(shared.clone().after(minutes(1)).first_status(), "REJECTED");
    assert_eq!(shared.with(0, captured(10_000, 0)).first_status(), "CAPTURED");
    let alone = chosen().after(minutes(1)).choosing(0).with(0, HARD);
    assert_eq!(alone.first_status(), "REJECTED");
}

#[test]
fn after_four_soft_declines_within_24_hours_auth_is_not_requested() {
    let mut payment = open();
    for count in 0..Transaction::MAX_SOFT_DECLINES {
        payment = payment.choosing(0).with(0, SOFT).after(minutes(1));
        assert_eq!(payment.first_status(), "INITIATED", "{count}");
    }
    let retry_after_seconds = 24 * 3600 - 4 * 60;
    let refusal = PaymentRefusal::TooManyDeclines { retry_after_seconds };
    assert_eq!(payment.choose(registration(0)), Err(refusal));
    assert_eq!(
        payment.open_terminal(transaction_id(0), terminal(Initiator::Customer)),
        Err(refusal)
    );
    let mut next = payment.clone().cancelled();
    let id = next.create_again(OWNER, charge(), charged_card()).unwrap();
    assert_eq!(
        next.open_terminal(id, terminal(Initiator::Merchant)),
        Err(refusal),
        "also for a new one"
    );
    let mut other = payment.clone().cancelled();
    let id = other.create_again(OWNER, other_card(), charged_card()).unwrap();
    assert!(other.open_terminal(id, terminal(Initiator::Merchant)).is_ok(), "not for another card");
    let mut later = next.after(TimeDelta::seconds(i64::from(retry_after_seconds)));
    let id = later.create_again(OWNER, charge(), charged_card()).unwrap();
    assert!(later.open_terminal(id, terminal(Initiator::Merchant)).is_ok());
}

#[test]
fn a_declined_card_is_refused_in_the_same_payment_and_another_one_is_not() {
    let mut payment = chosen().with(0, HARD);
    let declined = PaymentRefusal::Declined(Decline::Hard);
    assert_eq!(payment.create_again(OWNER, charge(), charged_card()), Err(declined));
    assert_eq!(payment.create_again(OWNER, other_card(), charged_card()), Ok(transaction_id(1)));
    payment.cancel(transaction_id(1)).unwrap();
    assert_eq!(payment.create_again(OWNER, charge(), charged_card()), Err(declined), "also later");
}

#[test]
fn a_payment_has_at_most_16_transactions_and_a_transaction_16_registrations() {
    let mut payment = payment();
    for index in 0..Payment::MAX_ATTEMPTS {
        assert_eq!(payment.history().next().unwrap().0, transaction_id(index));
        payment.cancel(transaction_id(index)).unwrap();
        let next = payment.create_again(OWNER, charge(), charged_card());
        assert_eq!(next.is_ok(), index + 1 < Payment::MAX_ATTEMPTS, "{index}");
    }
    assert_eq!(
        payment.create_again(OWNER, charge(), charged_card()),
        Err(PaymentRefusal::NoTransactionLeft)
    );
    let mut payment = self::payment();
    for index in 0..Payment::MAX_ATTEMPTS {
        let opened =
            payment.open_terminal(transaction_id(0), terminal(Initiator::Customer)).unwrap();
        assert_eq!(opened, OpenedRegistration { id: registration(index), is_new: true });
    }
    let refused = payment.open_terminal(transaction_id(0), terminal(Initiator::Customer));
    assert_eq!(refused, Err(PaymentRefusal::NoTerminalLeft));
}

#[test]
fn a_second_terminal_cannot_lead_to_a_second_authorization() {
    let mut payment = open().opened(Initiator::Customer).choosing(0);
    let first = Ok(Capture::Authorize(registration(0)));
    assert_eq!(payment.choose(registration(1)), first);
    assert_eq!(payment.found(1, Reconciliation::Authorized(amount())), NextStep::Annul);
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Capture);
    assert_eq!(payment.choose(registration(1)), first);
}

#[test]
fn after_a_capture_authorizations_of_other_registrations_are_annulled() {
    let mut payment =
        chosen().with(0, SOFT).opened(Initiator::Customer).choosing(1).with(1, captured(10_000, 0));
    assert_eq!(
        (payment.first_status(), payment.due_at()),
        ("CAPTURED", Some(start() + minutes(1)))
    );
    assert_eq!(payment.registrations_to_reconcile(transaction_id(0)), Ok(vec![registration(0)]));
    assert_eq!(payment.found(0, Reconciliation::Authorized(amount())), NextStep::Annul);
    assert_eq!(payment.found(1, Reconciliation::Authorized(amount())), NextStep::Nothing);
    assert_eq!(payment.found(0, captured(10_000, 0)), NextStep::Alarm);
}

#[test]
fn an_unknown_registration_is_closed_only_when_a_reconciliation_is_due() {
    let early = open().after(minutes(1) - millisecond()).with(0, Reconciliation::NeverRegistered);
    assert_eq!(early.check_captured(transaction_id(0)), Err(PaymentRefusal::TerminalOpen));
    let due = open().after(minutes(1)).with(0, Reconciliation::NeverRegistered);
    assert_eq!(due.check_captured(transaction_id(0)), Err(PaymentRefusal::NoTerminal));
}

#[test]
fn a_terminal_times_out_after_15_minutes() {
    let refusal = |payment: Payment| payment.check_captured(transaction_id(0)).unwrap_err();
    let last = Terminal::LIFETIME - millisecond();
    assert_eq!(refusal(open().after(last)), PaymentRefusal::TerminalOpen);
    assert_eq!(refusal(open().after(Terminal::LIFETIME)), PaymentRefusal::TerminalTimedOut);
}

#[test]
fn a_repeated_off_session_terminal_uses_the_same_registration() {
    let mut payment = payment().opened(Initiator::Merchant).choosing(0);
    let opened = payment.open_terminal(transaction_id(0), terminal(Initiator::Merchant)).unwrap();
    assert_eq!(opened, OpenedRegistration { id: registration(0), is_new: false });
}

#[test]
fn the_sums_are_those_of_nets_and_only_grow() {
    let summary = |payment: &Payment| {
        let summary = payment.transaction(transaction_id(0)).unwrap().summary();
        [
            summary.captured,
            summary.remaining_to_capture,
            summary.credited,
            summary.remaining_to_credit,
        ]
        .map(Money::minor)
    };
    assert_eq!(summary(&open()), [0, 10_000, 0, 0]);
    assert_eq!(summary(&open().cancelled()), [0, 10_000, 0, 0], "zero would mean paid");
    let payment = authorized().with(0, captured(10_000, 0));
    assert_eq!(summary(&payment), [10_000, 0, 0, 10_000]);
    let payment = payment.with(0, captured(10_000, 3_000));
    assert_eq!(summary(&payment), [10_000, 0, 3_000, 7_000]);
    let payment = payment.with(0, captured(10_000, 0));
    assert_eq!(
        (summary(&payment), payment.first_status()),
        ([10_000, 0, 3_000, 7_000], "CAPTURED")
    );
    let payment = payment.with(0, captured(10_000, 10_000));
    assert_eq!((summary(&payment), payment.first_status()), ([10_000, 0, 10_000, 0], "CREDITED"));
    for (minor, step) in
        [(9_999, NextStep::Alarm), (10_000, NextStep::Nothing), (10_001, NextStep::Alarm)]
    {
        assert_eq!(authorized().found(0, captured(minor, 0)), step, "{minor}");
    }
}

#[test]
fn the_status_is_that_of_the_captured_transaction_else_of_the_newest_one() {
    let mut payment = chosen().cancelled().with(0, Reconciliation::Annulled);
    assert_eq!(payment.status(), TransactionStatus::Cancelled);
    payment.create_again(OWNER, other_amount(), charged_card()).unwrap();
    assert_eq!(
        (payment.status(), payment.total()),
        (TransactionStatus::Created, other_amount().amount)
    );
    payment.found(0, captured(10_000, 0));
    assert_eq!((payment.status(), payment.total()), (TransactionStatus::Captured, amount()));
    assert_eq!(payment.created_at(), start());
}

#[test]
fn the_operations_are_those_that_succeeded() {
    use OperationKind as K;
    let operations = |payment: &Payment| {
        let operations = payment.transaction(transaction_id(0)).unwrap().operations();
        operations
            .into_iter()
            .map(|one| (one.kind, one.amount.minor(), (one.at - start()).num_minutes()))
            .collect::<Vec<_>>()
    };
    let created = (K::Create, 10_000, 0);
    assert_eq!(operations(&payment()), [created]);
    let opened = payment().after(minutes(1)).opened(Initiator::Customer);
    let initiated = (K::Initiate, 10_000, 1);
    let again = opened.after(minutes(2)).opened(Initiator::Customer);
    assert_eq!(operations(&again), [created, initiated], "the first terminal only");
    let chosen = again.choosing(0);
    assert_eq!(
        operations(&chosen.clone().with(0, HARD)),
        [created, initiated, (K::Reject, 10_000, 3)]
    );
    assert_eq!(
        operations(&chosen.clone().cancelled()),
        [created, initiated, (K::Cancel, 10_000, 3)]
    );
    let captured_once = chosen.after(minutes(1)).with(0, captured(10_000, 0));
    assert_eq!(operations(&captured_once), [created, initiated, (K::Capture, 10_000, 4)]);
    let credited = captured_once.after(minutes(1)).with(0, captured(10_000, 3_000));
    assert_eq!(operations(&credited)[3..], [(K::Credit, 3_000, 5)]);
    assert_eq!(
        operations(&credited.after(minutes(1)).with(0, captured(10_000, 3_000)))[3..],
        [(K::Credit, 3_000, 5)]
    );
}

/// Nets refuses ANNUL 7 days after AUTH.
#[test]
fn a_hold_ends_before_nets_refuses_the_annulment() {
    let hold = TimeDelta::days(30);
    let mut payment = chosen();
    payment.apply(registration(0), Reconciliation::Authorized(amount()), hold).unwrap();
    let last = TimeDelta::hours(7 * 24 - 1);
    assert_eq!(payment.clone().after(last - millisecond()).first_status(), "INITIATED");
    assert_eq!(payment.after(last).first_status(), "CANCELLED");
    // AUTH can be as old as the registration, also if a later request chose it again.
    let late = TimeDelta::hours(23);
    let mut payment = chosen().after(late).choosing(0);
    payment.apply(registration(0), Reconciliation::Authorized(amount()), hold).unwrap();
    assert_eq!(payment.clone().after(last - late - millisecond()).first_status(), "INITIATED");
    assert_eq!(payment.after(last - late).first_status(), "CANCELLED");
}

#[test]
fn ids_of_other_payments_and_unknown_numbers_are_not_found() {
    let other = PaymentTransactionId::new(PaymentId::from_bits(8), attempt(0));
    for id in [other, transaction_id(1)] {
        let mut payment = open();
        assert_eq!(payment.transaction(id), Err(PaymentRefusal::NotFound));
        assert_eq!(payment.cancel(id), Err(PaymentRefusal::NotFound));
    }
    assert_eq!(open().choose(registration(1)), Err(PaymentRefusal::NotFound));
    let unknown = open().apply(registration(1), captured(10_000, 0), HOLD);
    assert_eq!(unknown, Err(PaymentRefusal::NotFound));
}

#[test]
fn the_order_number_is_the_order_id_if_it_fits_32_characters() {
    let number = |id: &str| {
        let order = (order_of(id), OrderHash([1; 32]));
        Payment::create(PaymentId::from_bits(7), order, OWNER, charge(), charged_card(), start())
            .order_number()
    };
    assert_eq!(number(&"x".repeat(32)), "x".repeat(32));
    assert_eq!(number(&"x".repeat(33)), "7");
}
