//! Tests how each reply to AUTH, CAPTURE, ANNUL and Query of a charge is interpreted. CREDIT is in `credit_tests.rs`.

use super::*;
use crate::domain::money::Currency;

pub(super) const ORDER: &str = "DW2N19A6";

/// An interpretation of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpretation<T> {
    Clear(T),
    Unclear,
    Refused,
}
pub(super) use Interpretation::{Clear, Refused, Unclear};

pub(super) fn interpretation<T>(result: Result<T, Failure>) -> Interpretation<T> {
    match result {
        Ok(clear) => Clear(clear),
        Err(Failure::Unclear { .. }) => Unclear,
        Err(Failure::Refused { .. }) => Refused,
    }
}

pub(super) fn parse(body: &str) -> Reply {
    Reply::parse(body.as_bytes()).unwrap()
}

pub(super) fn authorization_of(body: &str) -> Interpretation<Authorization> {
    interpretation(authorization(parse(body)))
}

pub(super) fn processed_of(operation: Operation, body: &str) -> Interpretation<Processed> {
    interpretation(processed(operation, parse(body)))
}

/// A reply that is not XML of Netaxept is unclear for each operation: `Netaxept::post` parses it first.
pub(super) fn reconciliation_of(body: &str) -> Interpretation<Reconciliation> {
    interpretation(reconciliation(parse(body), ORDER, false))
}

pub(super) fn exception(kind: &str, message: &str) -> String {
    format!(
        r#"<Exception xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Error xsi:type="{kind}"><Message>{message}</Message></Error></Exception>"#
    )
}

/// A refused payment.
pub(super) fn refused(source: &str, code: &str) -> String {
    let result = format!(
        "</Message><Result><ResponseCode>{code}</ResponseCode><ResponseSource>{source}</ResponseSource></Result>"
    );
    exception("BBSException", "Unable to auth").replace("</Message>", &result)
}

pub(super) fn response(code: &str) -> String {
    format!(
        "<ProcessResponse><Operation>AUTH</Operation><ResponseCode>{code}</ResponseCode></ProcessResponse>"
    )
}

/// The codes of declines, of other refusals, and of unclear replies, by source.
pub(super) const DECLINES: [(&str, &str, Decline); 7] = [
    ("Issuer", "65 1A", Decline::AuthenticationRequired),
    ("Issuer", "05 19 31 51 61 68 91 92 96 TB", Decline::Soft),
    ("Netaxept", "TB", Decline::Soft),
    ("Issuer", "01 02 03 04 06 07 12 13 14 30 33 36 41 43 52 54 56 57 58 59 62 63", Decline::Hard),
    ("Issuer", "78 79 80 93 C9 N0 N7 P1 P9 T3 T8 PB", Decline::Hard),
    ("Netaxept", "14 30 84 MZ PB", Decline::Hard),
    ("Terminal", "14 30 84 MZ", Decline::Hard),
];
pub(super) const UNCLEAR: [(&str, &str); 8] = [
    ("Netaxept", "96 99 Z9 51 65 1A"),
    ("Terminal", "96 99 51"),
    ("Issuer", "99 20 53 Z9 OK 00 17 98"),
    ("Transport", "01 06 30 51"),
    ("Module", "01 06 30"),
    ("netaxept", "98"),
    ("", "98"),
    // An exception is never a success.
    ("Netaxept", "OK 00"),
];

#[test]
fn auth_declines_only_with_a_known_code() {
    for (source, codes, decline) in DECLINES {
        for code in codes.split(' ') {
            let expected = Clear(Authorization::Declined(decline));
            assert_eq!(authorization_of(&refused(source, code)), expected, "{source} {code}");
        }
    }
    for (source, codes) in UNCLEAR {
        for code in codes.split(' ') {
            assert_eq!(authorization_of(&refused(source, code)), Unclear, "{source} {code}");
        }
    }
}

#[test]
fn auth_has_six_results() {
    for (body, expected) in [
        (response("OK"), Clear(Authorization::Authorized)),
        (response("00"), Clear(Authorization::Authorized)),
        (response("17"), Clear(Authorization::Cancelled)),
        (response("98"), Clear(Authorization::AlreadyProcessed)),
        (response("MZ"), Clear(Authorization::Declined(Decline::Hard))),
        (response("99"), Unclear),
        (response("51"), Unclear),
        (response("ok"), Unclear),
        (refused("Terminal", "17"), Clear(Authorization::Cancelled)),
        (exception("ValidationException", "Issuer is undetermined"), Clear(Authorization::NoCard)),
        (exception("GenericError", "Issuer is undetermined"), Unclear),
        (exception("ValidationException", "Unknown operation: AUTH"), Refused),
        (exception("AuthenticationException", "Authentication failed"), Refused),
        (exception("NotSupportedException", "no"), Refused),
        (exception("GenericError", "Unable to find transaction"), Unclear),
        (exception("GenericError", "Too late to authorize the transaction"), Unclear),
        (exception("BBSException", "Unable to auth"), Unclear),
        (exception("NewException", "Transaction already processed"), Unclear),
        ("<RegisterResponse><TransactionId>1</TransactionId></RegisterResponse>".into(), Unclear),
        (payment_info(&[]), Unclear),
    ] {
        assert_eq!(authorization_of(&body), expected, "{body}");
    }
    for code in ["25", "86", "97", "98"] {
        let expected = Clear(Authorization::AlreadyProcessed);
        assert_eq!(authorization_of(&refused("Netaxept", code)), expected, "{code}");
    }
}

#[test]
fn capture_and_annul_have_two_results() {
    let wrong_state = [
        exception(
            "GenericError",
            "You cannot run capture on a transaction that never is authorized",
        ),
        exception("GenericError", "Unable to annul, wrong state"),
        exception("GenericError", "Unable to capture more than authorized amount"),
        exception("GenericError", "The authorization has expired"),
        exception("GenericError", "Unable to find transaction"),
        refused("Netaxept", "25"),
        refused("Netaxept", "86"),
        refused("Netaxept", "97"),
        refused("Netaxept", "98"),
    ];
    let unclear = [
        response("51"),
        response("99"),
        response("17"),
        refused("Netaxept", "99"),
        refused("Terminal", "17"),
        exception("GenericError", "Unable to translate supermerchant to submerchant"),
        exception("BBSException", "Unable to annul, wrong state"),
        exception("BBSException", "Unable to capture"),
        exception("GenericError", ""),
        exception("GenericError", "The authorization is in progress"),
        exception("GenericError", "Unable to capture"),
        exception("GenericError", "Unable to annul"),
        payment_info(&[]),
    ];
    let codes = DECLINES.iter().map(|(source, codes, _)| (source, codes));
    let codes = codes.chain(UNCLEAR.iter().map(|(source, codes)| (source, codes)));
    let declined =
        codes.flat_map(|(source, codes)| codes.split(' ').map(|code| refused(source, code)));
    for operation in [Operation::Capture, Operation::Annul] {
        assert_eq!(processed_of(operation, &response("OK")), Clear(Processed::Done));
        for body in &wrong_state {
            assert_eq!(processed_of(operation, body), Clear(Processed::Refused), "{body}");
        }
        for body in unclear.iter().cloned().chain(declined.clone()) {
            assert_eq!(processed_of(operation, &body), Unclear, "{body}");
        }
        for kind in ["ValidationException", "NotSupportedException", "AuthenticationException"] {
            assert_eq!(processed_of(operation, &exception(kind, "")), Refused, "{kind}");
        }
    }
}

/// The reply of Query about a charge that is registered and nothing else, with some elements replaced.
pub(super) fn payment_info(replaced: &[(&str, &str)]) -> String {
    let body = "<PaymentInfo><TransactionId>p114736-0</TransactionId><CardInformation><MaskedPAN /><PanHash /></CardInformation>\
        <ErrorLog><PaymentError><ResponseCode>17</ResponseCode><ResponseSource>Terminal</ResponseSource></PaymentError></ErrorLog>\
        <OrderInformation><Amount>10000</Amount><Currency>NOK</Currency><Fee>0</Fee><OrderNumber>DW2N19A6</OrderNumber><Total>10000</Total></OrderInformation>\
        <Summary><AmountCaptured>0</AmountCaptured><AmountCredited>0</AmountCredited><Annuled>false</Annuled><Annulled>false</Annulled><Authorized>false</Authorized></Summary>\
        </PaymentInfo>";
    replaced.iter().fold(body.to_owned(), |body, (name, text)| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (before, rest) = body.split_once(&open).unwrap();
        let (_, after) = rest.split_once(&close).unwrap();
        format!("{before}{open}{text}{close}{after}")
    })
}

/// A captured charge without a credit of this service.
pub(super) fn captured(minor: u64, credited_minor: u64) -> Interpretation<Reconciliation> {
    let captured = money(minor);
    Clear(Reconciliation::Captured { captured, credited_minor, credited_target: None })
}

pub(super) const AUTHORIZED: (&str, &str) = ("Authorized", "true");

pub(super) fn money(minor: u64) -> Money {
    Money::new(minor, Currency::Nok)
}

#[test]
fn query_tells_the_state_of_a_charge() {
    let authorized = |money| Clear(Reconciliation::Authorized(money));
    for (replaced, expected) in [
        (&[][..], Clear(Reconciliation::Pending)),
        (&[AUTHORIZED], authorized(money(10_000))),
        (&[("Authorized", "TRUE")], authorized(money(10_000))),
        (&[AUTHORIZED, ("Amount", "9999")], authorized(money(9_999))),
        (&[AUTHORIZED, ("Currency", "SEK")], authorized(Money::new(10_000, Currency::Sek))),
        (&[AUTHORIZED, ("Amount", "0")], authorized(money(0))),
        (&[AUTHORIZED, ("Annulled", "true"), ("Annuled", "true")], Clear(Reconciliation::Annulled)),
        (&[AUTHORIZED, ("Annulled", "true")], Clear(Reconciliation::Annulled)),
        (&[AUTHORIZED, ("Annuled", "true")], Clear(Reconciliation::Annulled)),
        (&[AUTHORIZED, ("Annuled", "True"), ("Annulled", "")], Clear(Reconciliation::Annulled)),
        (&[AUTHORIZED, ("Annuled", "")], authorized(money(10_000))),
        (&[AUTHORIZED, ("AmountCaptured", "10000")], captured(10_000, 0)),
        (&[AUTHORIZED, ("AmountCaptured", "4000")], captured(4_000, 0)),
        (&[("AmountCaptured", "10000")], captured(10_000, 0)),
        (&[("AmountCaptured", "4000"), ("Annulled", "true")], captured(4_000, 0)),
        (&[("AmountCaptured", "10000"), ("AmountCredited", "1")], captured(10_000, 1)),
        (&[("AmountCaptured", "10000"), ("AmountCredited", "10000")], captured(10_000, 10_000)),
        (&[AUTHORIZED, ("OrderNumber", "DW2N19A7")], Clear(Reconciliation::NeverRegistered)),
        (&[("OrderNumber", "dw2n19a6")], Clear(Reconciliation::NeverRegistered)),
    ] {
        assert_eq!(reconciliation_of(&payment_info(replaced)), expected, "{replaced:?}");
    }
    let verified = payment_info(&[]).replace(
        "<Summary>",
        "<History><TransactionLogLine><Operation>Verify</Operation></TransactionLogLine></History><Summary>",
    );
    assert_eq!(reconciliation_of(&verified), Clear(Reconciliation::Pending));
}

#[test]
fn query_with_an_error_is_cancelled_or_pending() {
    let error = |source: &str, code: &str, replaced| {
        let error = format!(
            "<Error><ResponseCode>{code}</ResponseCode><ResponseSource>{source}</ResponseSource></Error><ErrorLog>"
        );
        reconciliation_of(&payment_info(replaced).replace("<ErrorLog>", &error))
    };
    assert_eq!(error("Terminal", "17", &[]), Clear(Reconciliation::Cancelled));
    let authorized = Clear(Reconciliation::Authorized(money(10_000)));
    assert_eq!(error("Terminal", "17", &[AUTHORIZED]), authorized);
    // A decline proves nothing: AUTH can be tried again, and the error stays the latest one until the next.
    for (source, codes, _) in DECLINES {
        for code in codes.split(' ') {
            let expected = Clear(Reconciliation::Pending);
            assert_eq!(error(source, code, &[]), expected, "{source} {code}");
        }
    }
    for code in ["98", "99", "OK", ""] {
        assert_eq!(error("Netaxept", code, &[]), Clear(Reconciliation::Pending), "{code}");
        assert_eq!(error("Netaxept", code, &[AUTHORIZED]), authorized, "{code}");
    }
}

#[test]
fn query_with_an_exception_is_never_registered_or_unclear() {
    for (body, expected) in [
        (
            exception("QueryException", "Unable to find transaction"),
            Clear(Reconciliation::NeverRegistered),
        ),
        (
            exception("GenericError", "Unable to find transaction"),
            Clear(Reconciliation::NeverRegistered),
        ),
        (exception("BBSException", "Unable to find transaction"), Unclear),
        (exception("QueryException", "Unable to query"), Unclear),
        (exception("AuthenticationException", "Authentication failed"), Refused),
        (refused("Netaxept", "97"), Unclear),
        (response("OK"), Unclear),
    ] {
        assert_eq!(reconciliation_of(&body), expected, "{body}");
    }
}

/// Every amount, in every state: only a whole number of minor units is clear.
#[test]
fn an_amount_that_is_not_a_whole_number_is_unclear() {
    let texts = [
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "100,00",
        "100.00",
        "1e2",
        "0x10",
        "1 000",
        "1_000",
        "NaN",
        "null",
        "true",
        "１００",
        "١",
        "NOK 100",
        "18446744073709551616",
        "99999999999999999999999999",
        "<b>1</b>",
        "1<b/>0",
    ];
    for name in ["Amount", "AmountCaptured", "AmountCredited"] {
        for text in texts {
            for state in [&[][..], &[AUTHORIZED], &[AUTHORIZED, ("Annulled", "true")]] {
                let replaced = [&[(name, text)], state].concat();
                assert_eq!(reconciliation_of(&payment_info(&replaced)), Unclear, "{replaced:?}");
            }
        }
    }
}

#[test]
fn a_missing_doubled_or_impossible_element_is_unclear() {
    for name in ["Amount", "Currency", "AmountCaptured", "AmountCredited"] {
        let body = payment_info(&[AUTHORIZED]);
        let renamed = body.replace(&format!("{name}>"), &format!("Other{name}>"));
        assert_eq!(reconciliation_of(&renamed), Unclear, "no {name}");
        let second = format!("<{name}>10000</{name}><{name}>");
        let doubled = body.replace(&format!("<{name}>"), &second);
        assert_eq!(reconciliation_of(&doubled), Unclear, "two {name}");
    }
    let without_annulled = payment_info(&[AUTHORIZED]).replace("Annul", "Other");
    assert_eq!(reconciliation_of(&without_annulled), Unclear);
    for replaced in [
        ("Currency", "GBP"),
        ("Currency", "nok"),
        ("Currency", "578"),
        ("Currency", ""),
        ("Annulled", "yes"),
        ("Annuled", "1"),
        ("AmountCredited", "1"),
    ] {
        assert_eq!(
            reconciliation_of(&payment_info(&[AUTHORIZED, replaced])),
            Unclear,
            "{replaced:?}"
        );
    }
    // Nothing that the setup of a card needs depends on the amounts.
    let Reply::PaymentInfo(info) = parse(&payment_info(&[AUTHORIZED, ("Amount", "x")])) else {
        panic!("the reply of Query")
    };
    assert!(info.verified && info.amounts.is_err());
    for text in ["yes", "", "1"] {
        let body = payment_info(&[("Authorized", text)]);
        assert!(Reply::parse(body.as_bytes()).is_err(), "{text}");
    }
}
