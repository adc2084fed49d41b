//! All configurations, with bounds that are small enough for a build without optimisation. Every property holds in every state,
//! and every expected event occurs. The last test shows that the properties detect each seeded defect of the protocol.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use model::configuration::Size;
use model::defect::Defect;
use model::exploration::{SearchOptions, explore};
use model::report;
use model::violation::Violation::{
    self, AnswerTakenBack, AttemptRepeated, CapturedTwice, CardLost, CardNotRecovered,
    ChargedAfterEnd, CreditedTwice, DiffersFromSpecification, ExpiryNotRecovered, FalseStatus,
    MoneyWithoutRequest, NotificationNotRecovered, Overwritten, PageWithoutTransaction,
    RefusedButWritten, RegisteredUnstored, StaleResponse, UnchosenAuthorization, VerifiedAgain,
    WrittenTwice, WrongResponse,
};

const OPTIONS: SearchOptions =
    SearchOptions { threads: 1, depth: None, defect: None, shortest: false };

/// Explores all states of these configurations, and checks that every property holds.
fn check(names: &[&str]) {
    for name in names {
        let exploration = explore(name, Size::Small, OPTIONS).unwrap();
        assert!(exploration.is_success(), "{name}\n{}", report::details(&exploration, true));
    }
}

#[test]
fn properties_hold_with_concurrent_clients() {
    check(&["primary", "sequences", "created-limit"]);
}

#[test]
fn properties_hold_when_replies_are_lost() {
    check(&["uncertain-writes", "conflicts-without-item", "idempotency-keys"]);
}

#[test]
fn properties_hold_when_a_card_is_completed() {
    check(&["card", "sessions"]);
}

#[test]
fn properties_hold_with_concurrent_reconciliations() {
    check(&["card-kinds"]);
}

#[test]
fn properties_hold_when_terminal_requests_are_repeated() {
    check(&["repeated-terminals"]);
}

#[test]
fn properties_hold_for_notifications() {
    check(&["notifications"]);
}

#[test]
fn properties_hold_when_time_passes() {
    check(&["expiry", "expired-card", "abandonment"]);
}

#[test]
fn properties_hold_for_lifecycle_events() {
    check(&["lifecycle-events"]);
}

#[test]
fn properties_hold_when_an_order_is_paid() {
    check(&["payment-create", "payment-two-captures", "payment-second-terminal"]);
}

#[test]
fn properties_hold_when_a_payment_ends() {
    check(&["payment-capture-and-cancel", "payment-cancel-and-create"]);
    check(&["payment-end-of-card", "payment-hold"]);
}

#[test]
fn properties_hold_for_auto_sales() {
    check(&["payment-auto-sale"]);
}

#[test]
fn properties_hold_for_credits() {
    check(&["payment-two-credits", "payment-credit-in-doubt"]);
}

/// Each defect, the configuration in which it is detected, and the property that detects it.
const DEFECTS: &[(Defect, &str, Violation)] = &[
    (Defect::NoCondition, "primary", Overwritten),
    (Defect::StaleRead, "primary", StaleResponse),
    (Defect::OwnWriteNotRecognised, "uncertain-writes", RefusedButWritten),
    (Defect::RetriesWithoutCheck, "uncertain-writes", WrittenTwice),
    (Defect::NewWriteIdPerAttempt, "uncertain-writes", WrittenTwice),
    (Defect::DecisionNotRepeated, "primary", DiffersFromSpecification),
    (Defect::UncertainWriteNotChecked, "uncertain-writes", RefusedButWritten),
    (Defect::LostReplyCountsAsWritten, "primary", WrongResponse),
    (Defect::RepeatedPutCountsAsConflict, "conflicts-without-item", RefusedButWritten),
    (Defect::VerifiesWithoutQuery, "card", VerifiedAgain),
    (Defect::RegistersBeforeWrite, "card", RegisteredUnstored),
    (Defect::UnclearCountsAsUnregistered, "card", CardLost),
    (Defect::TakenIdCountsAsRegistered, "repeated-terminals", PageWithoutTransaction),
    (Defect::ClosesSessionDuringRegistration, "card", CardLost),
    (Defect::ClosesSessionAfterFailedRegistration, "repeated-terminals", CardLost),
    (Defect::ResumeNotWritten, "repeated-terminals", CardLost),
    (Defect::ExpiryNotIndexed, "abandonment", ExpiryNotRecovered),
    (Defect::TaskNotIndexed, "card", CardNotRecovered),
    (Defect::AttemptsNotWritten, "notifications", AttemptRepeated),
    (Defect::RemovesUndelivered, "notifications", NotificationNotRecovered),
    (Defect::AuthorizesBeforeChoice, "payment-two-captures", UnchosenAuthorization),
    (Defect::UnclearAuthorizationCountsAsDecline, "payment-two-captures", FalseStatus),
    (Defect::UnclearCaptureCountsAsCaptured, "payment-two-captures", FalseStatus),
    (Defect::ScheduleCaptures, "payment-capture-and-cancel", MoneyWithoutRequest),
    (Defect::CardNotRead, "payment-end-of-card", ChargedAfterEnd),
    (Defect::CancelsWithoutAnnulment, "payment-capture-and-cancel", AnswerTakenBack),
    (Defect::OpensBesideChosen, "payment-second-terminal", CapturedTwice),
    (Defect::CreditsFromStoredSums, "payment-two-credits", CreditedTwice),
    (Defect::CreditsBeforeIntent, "payment-two-credits", CreditedTwice),
    (Defect::CreditRepeatedAtOnce, "payment-credit-in-doubt", CreditedTwice),
    (Defect::CreditInProgressIgnored, "payment-two-credits", CreditedTwice),
    (Defect::CreditResentWithoutQuery, "payment-credit-in-doubt", CreditedTwice),
    (Defect::UnclearCreditCountsAsCredited, "payment-credit-in-doubt", FalseStatus),
];

#[test]
fn each_seeded_defect_violates_its_property() {
    for defect in <Defect as clap::ValueEnum>::value_variants() {
        let Some((_, name, violation)) = DEFECTS.iter().find(|(known, ..)| known == defect) else {
            panic!("{defect:?} is missing in DEFECTS");
        };
        let options = SearchOptions { defect: Some(*defect), shortest: true, ..OPTIONS };
        let exploration = explore(name, Size::Small, options).unwrap();
        let found: Vec<_> = exploration.violations.iter().map(|(found, _)| *found).collect();
        assert!(found.contains(violation), "{defect:?} in {name}: {found:?}");
    }
}
