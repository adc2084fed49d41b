//! Tests every response code and every exception type.

#[path = "hostile_tests.rs"]
mod hostile;

use super::codes::{AUTHENTICATION_REQUIRED, CODES, HARD, SOFT, classify};
use super::payment_info::payment_type;
use super::*;

const ORDER: &str = "114704-1795428000000";

/// The reply of Query about a verified transaction.
const PAYMENT_INFO: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<PaymentInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <MerchantId>12000001</MerchantId>
  <TransactionId>114704</TransactionId>
  <CardInformation><ExpiryDate>2903</ExpiryDate><Issuer>Visa</Issuer><MaskedPAN>492500******0004</MaskedPAN><PaymentMethod>Visa</PaymentMethod><PanHash>q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=</PanHash></CardInformation>
  <Error><Operation>Auth</Operation><ResponseCode>51</ResponseCode><ResponseSource>Issuer</ResponseSource><ResponseText>Refused</ResponseText></Error>
  <ErrorLog><PaymentError><ResponseCode>51</ResponseCode></PaymentError><PaymentError><ResponseCode>05</ResponseCode></PaymentError></ErrorLog>
  <History><TransactionLogLine><Operation>Register</Operation></TransactionLogLine><TransactionLogLine><Operation>Verify</Operation></TransactionLogLine></History>
  <OrderInformation><Amount>0</Amount><OrderNumber>114704-1795428000000</OrderNumber></OrderInformation>
  <Summary><Annuled>false</Annuled><Annulled>false</Annulled><Authorized>true</Authorized></Summary>
</PaymentInfo>"#;
const PROCESSED: &str = "<ProcessResponse><Operation>VERIFY</Operation><ResponseCode>OK</ResponseCode><TransactionId>114704</TransactionId></ProcessResponse>";
const REGISTERED: &str =
    "<RegisterResponse><TransactionId>114704</TransactionId></RegisterResponse>";
const EXCEPTION: &str = r#"<Exception xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Error xsi:type="BBSException"><Message>Unable to verify</Message><Result><IssuerId>3</IssuerId><ResponseCode>51</ResponseCode><ResponseText>Refused</ResponseText><ResponseSource>Issuer</ResponseSource><TransactionId>114704</TransactionId></Result></Error></Exception>"#;

/// The client's interpretation of the body of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conclusion {
    /// The body is not a valid reply.
    Invalid,
    /// The reply confirms nothing.
    NotConfirmed,
    /// The transaction is registered.
    Registered,
    /// The card was accepted.
    Accepted,
    /// The card is verified.
    Card,
}

fn conclusion(body: &[u8]) -> Conclusion {
    match Reply::parse(body) {
        Err(_) => Conclusion::Invalid,
        Ok(Reply::Registered { transaction_id }) if transaction_id == "114704" => {
            Conclusion::Registered
        }
        Ok(Reply::PaymentInfo(info))
            if info.verified && info.card.is_some() && info.order_number == ORDER =>
        {
            Conclusion::Card
        }
        Ok(reply) if reply.class() == Some(ResponseClass::Accepted) => Conclusion::Accepted,
        Ok(_) => Conclusion::NotConfirmed,
    }
}

#[test]
fn valid_replies_are_accepted() {
    assert_eq!(conclusion(PAYMENT_INFO.as_bytes()), Conclusion::Card);
    assert_eq!(conclusion(PROCESSED.as_bytes()), Conclusion::Accepted);
    assert_eq!(conclusion(REGISTERED.as_bytes()), Conclusion::Registered);
    assert_eq!(conclusion(EXCEPTION.as_bytes()), Conclusion::NotConfirmed);
}

/// Every code of netaxept.md §6.3 and §6.4, by source.
#[test]
fn every_response_code_has_its_class() {
    use ResponseClass::{Accepted, AlreadyProcessed, Cancelled, Unclear, Undetermined};
    for (source, codes, expected) in [
        ("Netaxept", "OK 00", Accepted),
        ("Netaxept", "17", Cancelled),
        ("Terminal", "17", Cancelled),
        ("05", "17", Cancelled),
        ("Netaxept", "25 86 97 98", AlreadyProcessed),
        ("Netaxept", "14 30 84 MZ PB", HARD),
        ("Terminal", "14 30 84 MZ", HARD),
        ("Netaxept", "TB", SOFT),
        ("Netaxept", "99", Undetermined),
        ("Terminal", "99", Undetermined),
        ("Netaxept", "96", Unclear),
        ("Issuer", "65 1A", AUTHENTICATION_REQUIRED),
        ("Issuer", "TB 05 19 31 51 61 68 91 92 96", SOFT),
        (
            "Issuer",
            "PB 01 02 03 04 06 07 12 13 14 30 33 36 41 43 52 54 56 57 58 59 62 63 78 79 80 93",
            HARD,
        ),
        ("Issuer", "C9 N0 N7 P1 P9 T3 T8", HARD),
        ("Transport", "01 06 30", Unclear),
    ] {
        for code in codes.split(' ') {
            assert_eq!(classify(source, code), (expected, true), "{source} {code}");
        }
    }
    for (source, code, expected) in [
        ("Issuer", "Z9", Undetermined),
        ("Issuer", "99", Undetermined),
        ("Issuer", "", Undetermined),
        ("Netaxept", "Z9", Unclear),
        ("Transport", "51", Unclear),
        ("", "", Unclear),
        ("netaxept", "OK", Unclear),
    ] {
        assert_eq!(classify(source, code), (expected, false), "{source} {code}");
    }
    let rows = CODES.iter().flat_map(|(sources, codes, _)| {
        sources.iter().flat_map(move |source| codes.iter().map(move |code| (source, code)))
    });
    let rows: Vec<_> = rows.collect();
    assert!(
        rows.iter().enumerate().all(|(index, row)| !rows[..index].contains(row)),
        "a code occurs twice"
    );
}

#[test]
fn every_exception_name_has_its_kind() {
    for (name, kind, had_no_effect) in [
        ("AuthenticationException", ExceptionKind::Authentication, true),
        ("BBSException", ExceptionKind::Bbs, false),
        ("GenericError", ExceptionKind::Generic, false),
        ("MerchantTranslationException", ExceptionKind::MerchantTranslation, true),
        ("NotSupportedException", ExceptionKind::NotSupported, true),
        ("QueryException", ExceptionKind::Query, false),
        ("SecurityException", ExceptionKind::Security, true),
        ("UniqueTransactionIdException", ExceptionKind::UniqueTransactionId, true),
        ("ValidationException", ExceptionKind::Validation, true),
        ("q1:ValidationException", ExceptionKind::Validation, true),
        ("NewException", ExceptionKind::Other, false),
        ("", ExceptionKind::Other, false),
    ] {
        let body = EXCEPTION.replace("BBSException", name);
        let Ok(Reply::Exception(exception)) = Reply::parse(body.as_bytes()) else {
            panic!("{name}")
        };
        assert_eq!((exception.kind, exception.had_no_effect()), (kind, had_no_effect), "{name}");
    }
}

/// Nets' names of payment methods (netaxept.md §3.2), and the fallback.
#[test]
fn every_payment_method_has_its_type() {
    for (name, expected) in [
        ("Visa", "VISA"),
        ("MasterCard", "MASTERCARD"),
        ("AmericanExpress", "AMEX"),
        ("BankAxept", "BANKAXEPT"),
        ("DinersClubInternational", "DINERS"),
        ("Maestro", "MAESTRO"),
        ("JCB", "JCB"),
        ("Dankort", "DANKORT"),
        ("Vipps", "UNKNOWN"),
        ("", "UNKNOWN"),
    ] {
        assert_eq!(payment_type(name).name(), expected, "{name}");
    }
}

#[test]
fn a_secret_that_nets_repeats_is_redacted() {
    let secret = Secret::new("canary".to_owned());
    let body =
        EXCEPTION.replace("Unable to verify", "bad token canary!").replace("Refused", "xcanaryx");
    let Ok(Reply::Exception(exception)) =
        Reply::parse(body.as_bytes()).map(|reply| reply.redact(&secret))
    else {
        panic!("an exception")
    };
    assert_eq!(exception.to_string(), "Bbs: bad token [secret]! (Issuer 51: x[secret]x)");
}

/// The redirect address of a card setup contains a recurring payment's id, which looks like a card number.
#[test]
fn a_secret_with_a_long_number_is_redacted() {
    let secret = "https://shop.example/?session=canary&recurringPaymentId=22726309830657";
    let body =
        EXCEPTION.replace("Unable to verify", &format!("bad {secret}").replace('&', "&amp;"));
    let Ok(Reply::Exception(exception)) =
        Reply::parse(body.as_bytes()).map(|reply| reply.redact(&Secret::new(secret.to_owned())))
    else {
        panic!("an exception")
    };
    assert_eq!(exception.to_string(), "Bbs: bad [secret] (Issuer 51: Refused)");
}

/// In 2013, Nets' texts contained the number of a declined card.
#[test]
fn a_card_number_in_a_text_is_redacted() {
    let body = EXCEPTION
        .replace("Unable to verify", "Unable to verify 123456789012 at 2013")
        .replace("Refused", "Auth Reg Comp Failure (4925000000000087)");
    let Ok(Reply::Exception(exception)) = Reply::parse(body.as_bytes()) else {
        panic!("an exception")
    };
    assert_eq!(
        exception.to_string(),
        "Bbs: Unable to verify [number] at 2013 (Issuer 51: Auth Reg Comp Failure ([number]))"
    );
}

#[test]
fn a_reply_about_another_transaction_or_operation_is_recognised() {
    let is_about =
        |body: &str, id: &str| Reply::parse(body.as_bytes()).unwrap().is_about(id, "VERIFY");
    for body in [PAYMENT_INFO, PROCESSED, REGISTERED, EXCEPTION] {
        assert!(is_about(body, "114704"), "{body}");
        for other in ["114705", "11470", "0114704", "p114704-0", ""] {
            assert!(!is_about(body, other), "{other}: {body}");
        }
    }
    // Only the reply to Register must contain the id.
    for body in [PAYMENT_INFO, PROCESSED, EXCEPTION] {
        let without_id = body.replace("<TransactionId>114704</TransactionId>", "");
        assert!(is_about(&without_id, "114704"), "{without_id}");
    }
    for (operation, expected) in [("Verify", true), ("", true), ("AUTH", false), ("x", false)] {
        let body = PROCESSED.replace("VERIFY", operation);
        assert_eq!(is_about(&body, "114704"), expected, "{operation}");
    }
}

/// Comments, CDATA, prefixes, white space and unknown elements are accepted.
#[test]
fn unusual_but_valid_replies_are_accepted() {
    for body in [
        "<RegisterResponse><TransactionId>114<!-- -->704</TransactionId></RegisterResponse>",
        "<RegisterResponse><TransactionId><![CDATA[114704]]></TransactionId></RegisterResponse>",
        "<n:RegisterResponse xmlns:n='urn:x'><n:New/><n:TransactionId> 114704\r\n</n:TransactionId></n:RegisterResponse>",
        "<RegisterResponse a='b'><WalletURL>x</WalletURL><TransactionId>&#49;14704</TransactionId></RegisterResponse>",
        "\u{feff}<?xml version=\"1.0\"?><?x y?><RegisterResponse><TransactionId>114704</TransactionId></RegisterResponse>\r\n",
    ] {
        assert_eq!(conclusion(body.as_bytes()), Conclusion::Registered, "{body}");
    }
}
