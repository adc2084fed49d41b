//! Tests which response codes are logged.

use std::io::{Read, pipe};
use std::sync::Mutex;

use super::auto_auth_tests::with_error;
use super::tests::{
    ORDER, authorization_of, interpretation, parse, processed_of, refused, response,
};
use super::*;

/// The log lines of the interpretation of a reply, as level, message and fields.
fn log_of<T>(interpret: impl FnOnce() -> T) -> Vec<[String; 5]> {
    let (mut written, writer) = pipe().unwrap();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(Mutex::new(writer));
    tracing::subscriber::with_default(subscriber.finish(), interpret);
    let mut text = String::new();
    written.read_to_string(&mut text).unwrap();
    let lines = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    lines
        .map(|line| {
            let line = line.unwrap();
            let fields = ["level", "message", "source", "code", "class"];
            assert_eq!(line.as_object().unwrap().len(), fields.len() + 2, "no texts: {line}");
            fields.map(|name| line[name].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Rule 25 of payments.md: a decline can be explained without another look at Nets.
#[test]
fn the_code_of_a_decline_is_logged_once() {
    let text = "</ResponseSource><ResponseText>canary</ResponseText>";
    let with_text = |body: String| body.replace("</ResponseSource>", text);
    for (source, code, level, message, class) in [
        ("Issuer", "51", "INFO", "Nets declined the card", "Declined(Soft)"),
        ("Issuer", "1A", "INFO", "Nets declined the card", "Declined(AuthenticationRequired)"),
        ("Netaxept", "PB", "INFO", "Nets declined the card", "Declined(Hard)"),
        ("Netaxept", "99", "INFO", "Nets declined the card", "Undetermined"),
        ("Issuer", "Z9", "WARN", "Nets returned an unknown response code", "Undetermined"),
        ("Transport", "Z9", "WARN", "Nets returned an unknown response code", "Unclear"),
    ] {
        let body = with_text(refused(source, code));
        let expected = [level, message, source, code, class].map(str::to_owned);
        let auth = log_of(|| authorization_of(&body));
        assert_eq!(auth.as_slice(), std::slice::from_ref(&expected));
        let capture = log_of(|| processed_of(Operation::Capture, &body));
        assert_eq!(capture, [expected]);
    }
    for body in [response("OK"), refused("Netaxept", "98"), refused("Terminal", "17")] {
        assert_eq!(log_of(|| authorization_of(&body)), [[""; 5]; 0]);
    }
}

/// The text of the error is not logged.
#[test]
fn the_code_of_an_automatic_decline_is_logged_once() {
    let body = with_error(["Auth", "Issuer", "51"], &[])
        .replace("</ResponseSource>", "</ResponseSource><ResponseText>canary</ResponseText>");
    let query =
        |body: &str, is_auto_auth| interpretation(reconciliation(parse(body), ORDER, is_auto_auth));
    let expected = ["INFO", "Nets declined the card", "Issuer", "51", "Declined(Soft)"];
    assert_eq!(log_of(|| query(&body, true)), [expected.map(str::to_owned)]);
    assert_eq!(log_of(|| query(&body, false)), [[""; 5]; 0]);
    for code in ["99", "Z9"] {
        let body = with_error(["Auth", "Issuer", code], &[]);
        assert_eq!(log_of(|| query(&body, true)), [[""; 5]; 0], "{code}");
    }
}
