//! Tests how each reply to CREDIT is interpreted, and how credits are found in the reply to Query.
//!
//! A refusal is clear only if Nets certainly has not credited. After every other reply, the registration is queried.

use super::tests::{
    AUTHORIZED, Clear, DECLINES, Refused, UNCLEAR, Unclear, exception, money, parse, payment_info,
    processed_of, reconciliation_of, refused, response,
};
use super::*;

/// Every code of the table of codes, by source, and codes that are not in it.
fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let others = [
        ("Netaxept", "17 25 86 97 98 99 84 30"),
        ("Terminal", "17 99"),
        ("Issuer", "OK 00 99 98 17 "),
        ("Transport", "OK 98 25"),
        ("01", "17"),
        ("05", "17"),
    ];
    let declines = DECLINES.iter().map(|(source, codes, _)| (*source, *codes));
    let rows = declines.chain(UNCLEAR).chain(others);
    rows.flat_map(|(source, codes)| codes.split(' ').map(move |code| (source, code)))
}

fn credit_of(body: &str) -> super::tests::Interpretation<Processed> {
    processed_of(Operation::Credit, body)
}

#[test]
fn only_an_accepted_credit_is_done() {
    for code in ["OK", "00"] {
        assert_eq!(credit_of(&response(code)), Clear(Processed::Done), "{code}");
        let with_source = response(code)
            .replace("</ResponseCode>", "</ResponseCode><ResponseSource>Issuer</ResponseSource>");
        assert_eq!(credit_of(&with_source), Unclear, "{code}");
    }
    for body in [
        response("ok"),
        response("01"),
        response("17"),
        response("25"),
        response("51"),
        response("86"),
        response("97"),
        response("98"),
        response("99"),
        response("MZ"),
        response("PB"),
        "<RegisterResponse><TransactionId>1</TransactionId></RegisterResponse>".to_owned(),
        payment_info(&[]),
        payment_info(&[AUTHORIZED, ("AmountCaptured", "10000"), ("AmountCredited", "10000")]),
    ] {
        assert_eq!(credit_of(&body), Unclear, "{body}");
    }
}

/// Also 98: the credit in question may be the one that was processed already.
#[test]
fn no_code_of_an_exception_is_clear() {
    for (source, code) in codes() {
        assert_eq!(credit_of(&refused(source, code)), Unclear, "{source} {code}");
    }
    assert!(codes().count() > 100);
}

/// netaxept.md §4.3: only these messages are known.
#[test]
fn only_known_messages_refuse_a_credit() {
    let known = [
        "You cannot run credit on a transaction that has not been captured.",
        "Unable to credit more than captured amount",
        "Unable to find transaction",
    ];
    for message in known {
        let refused = Clear(Processed::Refused);
        assert_eq!(credit_of(&exception("GenericError", message)), refused, "{message}");
        for kind in ["BBSException", "NewException", ""] {
            assert_eq!(credit_of(&exception(kind, message)), Unclear, "{kind} {message}");
        }
    }
    for message in [
        "",
        "Unable to credit",
        "Credit failed",
        "unable to credit more than captured amount",
        "Transaction already processed",
        "Transaction is too old to be processed",
        "Unable to annul, wrong state",
        "Unable to capture more than authorized amount",
        "You cannot run capture on a transaction that never is authorized",
        "The authorization has expired",
        "Unable to translate supermerchant to submerchant",
        "Unable to handle transactionReconRef=CREDIT-3000",
    ] {
        assert_eq!(credit_of(&exception("GenericError", message)), Unclear, "{message}");
    }
}

/// The messages of CREDIT refuse nothing else.
#[test]
fn the_messages_of_credit_are_for_credit_alone() {
    for message in [
        "You cannot run credit on a transaction that has not been captured.",
        "Unable to credit more than captured amount",
    ] {
        for operation in [Operation::Capture, Operation::Annul] {
            let found = processed_of(operation, &exception("GenericError", message));
            assert_eq!(found, Unclear, "{message}");
        }
    }
}

/// The types of which Nets' documents say that the call was refused before it was carried out, and the others.
#[test]
fn every_type_of_exception_is_clear_or_unclear() {
    for (kind, expected) in [
        ("AuthenticationException", Refused),
        ("MerchantTranslationException", Refused),
        ("NotSupportedException", Refused),
        ("SecurityException", Refused),
        ("UniqueTransactionIdException", Refused),
        ("ValidationException", Refused),
        ("BBSException", Unclear),
        ("GenericError", Unclear),
        ("QueryException", Unclear),
        ("NewException", Unclear),
        ("", Unclear),
    ] {
        assert_eq!(credit_of(&exception(kind, "Unable to credit")), expected, "{kind}");
    }
    let no_card = exception("ValidationException", "Issuer is undetermined");
    assert_eq!(credit_of(&no_card), Refused);
}

/// The reply of Query about a captured charge, with lines of the history as operation, amount and reference.
fn with_history(credited: &str, lines: &[(&str, &str, &str)]) -> String {
    let line = |(operation, amount, reference): &(&str, &str, &str)| {
        format!(
            "<TransactionLogLine><Amount>{amount}</Amount><Operation>{operation}</Operation><TransactionReconRef>{reference}</TransactionReconRef></TransactionLogLine>"
        )
    };
    let lines: String = lines.iter().map(line).collect();
    payment_info(&[AUTHORIZED, ("AmountCaptured", "10000"), ("AmountCredited", credited)])
        .replace("<Summary>", &format!("<History>{lines}</History><Summary>"))
}

#[test]
fn query_tells_the_credited_sum_and_the_largest_target() {
    for (credited_minor, lines, credited_target) in [
        (0, &[][..], None),
        (0, &[("Register", "", ""), ("Auth", "", "AUTH"), ("Capture", "10000", "CAPTURE")], None),
        (3_000, &[("Credit", "3000", "CREDIT-3000")], Some(3_000)),
        (3_000, &[("CREDIT", "3000", " CREDIT-3000\r\n")], Some(3_000)),
        (10_000, &[("Credit", "10000", "CREDIT-10000")], Some(10_000)),
        // Of two credits, the one with the largest target, in any order.
        (
            5_000,
            &[("Credit", "3000", "CREDIT-3000"), ("Credit", "2000", "CREDIT-5000")],
            Some(5_000),
        ),
        (
            5_000,
            &[("Credit", "2000", "CREDIT-5000"), ("Credit", "3000", "CREDIT-3000")],
            Some(5_000),
        ),
        // A credit in Netaxept Admin counts in the sum alone.
        (5_000, &[("Credit", "2000", "by hand"), ("Credit", "3000", "CREDIT-3000")], Some(3_000)),
        (2_000, &[("Credit", "2000", "")], None),
        // The sum lags behind the history, and the history behind the sum.
        (0, &[("Credit", "3000", "CREDIT-3000")], Some(3_000)),
        (3_000, &[("Capture", "10000", "CAPTURE")], None),
        // Not this service's references.
        (1, &[("Credit", "1", "CREDIT")], None),
        (1, &[("Credit", "1", "CREDIT-")], None),
        (1, &[("Credit", "1", "CREDIT-01")], None),
        (1, &[("Credit", "1", "CREDIT-+1")], None),
        (1, &[("Credit", "1", "CREDIT-1 ")], Some(1)),
        (1, &[("Credit", "1", "CREDIT-1.0")], None),
        (1, &[("Credit", "1", "CREDIT--1")], None),
        (1, &[("Credit", "1", "credit-1")], None),
        (1, &[("Credit", "1", "X-CREDIT-1")], None),
        (1, &[("Credit", "1", "CREDIT-18446744073709551616")], None),
        // More than was captured.
        (1, &[("Credit", "1", "CREDIT-10001"), ("Credit", "1", "CREDIT-7")], Some(7)),
        // Another operation with the same reference.
        (0, &[("Capture", "10000", "CREDIT-3000"), ("Annul", "", "CREDIT-2000")], None),
    ] {
        let captured = money(10_000);
        let expected = Reconciliation::Captured { captured, credited_minor, credited_target };
        let body = with_history(&credited_minor.to_string(), lines);
        assert_eq!(reconciliation_of(&body), Clear(expected), "{lines:?}");
    }
}

/// What cannot be read is never "not credited".
#[test]
fn a_doubled_element_of_the_history_is_unclear() {
    let whole = with_history("3000", &[("Credit", "3000", "CREDIT-3000")]);
    for (from, to) in [
        (
            "<TransactionReconRef>",
            "<TransactionReconRef>CREDIT-1</TransactionReconRef><TransactionReconRef>",
        ),
        ("<TransactionReconRef>", "<TransactionReconRef><b>1</b>"),
    ] {
        assert_eq!(reconciliation_of(&whole.replace(from, to)), Unclear, "{to}");
    }
    for (from, to) in [
        ("<Operation>", "<Operation>Auth</Operation><Operation>"),
        ("<History>", "<History></History><History>"),
    ] {
        assert!(Reply::parse(whole.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    // A credited sum above the captured one is not possible.
    assert_eq!(reconciliation_of(&with_history("10001", &[])), Unclear);
}

/// The longest history that is read: a transaction with a hundred credits is still clear.
#[test]
fn a_hundred_credits_are_read() {
    let targets: Vec<String> = (1..=100).map(|target| format!("CREDIT-{target}")).collect();
    let lines: Vec<_> = targets.iter().map(|target| ("Credit", "1", target.as_str())).collect();
    let expected = Reconciliation::Captured {
        captured: money(10_000),
        credited_minor: 100,
        credited_target: Some(100),
    };
    assert_eq!(reconciliation_of(&with_history("100", &lines)), Clear(expected));
    assert!(matches!(parse(&with_history("100", &lines)), Reply::PaymentInfo(_)));
}
