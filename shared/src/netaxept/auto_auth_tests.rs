//! Tests how Query about a registration that Nets authorizes by itself is interpreted.

use super::tests::{
    AUTHORIZED, Clear, DECLINES, Interpretation, ORDER, captured, exception, interpretation, money,
    parse, payment_info, reconciliation_of,
};
use super::*;

fn auto_auth(body: &str) -> Interpretation<Reconciliation> {
    interpretation(reconciliation(parse(body), ORDER, true))
}

/// A reply about a charge whose latest error has this operation, source and code.
pub(super) fn with_error(
    [operation, source, code]: [&str; 3],
    replaced: &[(&str, &str)],
) -> String {
    let error = format!(
        "<Error><Operation>{operation}</Operation><ResponseCode>{code}</ResponseCode><ResponseSource>{source}</ResponseSource></Error><ErrorLog>"
    );
    payment_info(replaced).replace("<ErrorLog>", &error)
}

#[test]
fn a_decline_of_the_automatic_authorization_is_declined() {
    for (source, codes, decline) in DECLINES {
        for code in codes.split(' ') {
            for operation in ["Auth", "Terminal"] {
                let body = with_error([operation, source, code], &[]);
                let expected = Clear(Reconciliation::Declined(decline));
                assert_eq!(auto_auth(&body), expected, "{source} {code}");
                assert_eq!(reconciliation_of(&body), Clear(Reconciliation::Pending), "{code}");
            }
        }
    }
}

/// 99 and unknown codes do not say whether the amount is authorized.
#[test]
fn an_undetermined_error_stays_pending() {
    for (source, codes) in [
        ("Netaxept", "99 96 98 25 Z9 51 OK"),
        ("Terminal", "99 96"),
        ("Issuer", "99 20 Z9 OK"),
        ("Transport", "01 06 30 51"),
        ("", "51"),
    ] {
        for code in codes.split(' ') {
            let body = with_error(["Auth", source, code], &[]);
            assert_eq!(auto_auth(&body), Clear(Reconciliation::Pending), "{source} {code}");
        }
    }
    // The error log alone proves nothing.
    assert_eq!(auto_auth(&payment_info(&[])), Clear(Reconciliation::Pending));
}

#[test]
fn what_nets_did_comes_before_the_latest_error() {
    for (error, replaced, expected) in [
        (
            ["Auth", "Issuer", "51"],
            &[AUTHORIZED][..],
            Clear(Reconciliation::Authorized(money(10_000))),
        ),
        (["Auth", "Issuer", "51"], &[AUTHORIZED, ("AmountCaptured", "10000")], captured(10_000, 0)),
        (["Auth", "Issuer", "51"], &[("AmountCaptured", "4000")], captured(4_000, 0)),
        (
            ["Auth", "Issuer", "51"],
            &[AUTHORIZED, ("Annulled", "true")],
            Clear(Reconciliation::Annulled),
        ),
        (["Terminal", "Terminal", "17"], &[], Clear(Reconciliation::Cancelled)),
        (
            ["Auth", "Issuer", "51"],
            &[("OrderNumber", "another")],
            Clear(Reconciliation::NeverRegistered),
        ),
        (["Auth", "Issuer", "51"], &[("Amount", "x")], Interpretation::Unclear),
    ] {
        assert_eq!(auto_auth(&with_error(error, replaced)), expected, "{replaced:?}");
    }
    let unknown = exception("QueryException", "Unable to find transaction");
    assert_eq!(auto_auth(&unknown), Clear(Reconciliation::NeverRegistered));
}
