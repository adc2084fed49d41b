use reqwest::{Client, Response};

use super::entry::{Entry, Fault, TEST_CARDS};
use super::*;
use crate::clock::Clock;
use crate::netaxept::{MERCHANT_ID, Netaxept, TOKEN};

/// Noon of a day in June 2030.
fn june() -> Timestamp {
    "2030-06-15T12:00:00Z".parse().unwrap()
}

fn entry(number: &str, month: &str, year: &str, code: &str) -> Entry {
    let fields = [("cardno", number), ("month", month), ("year", year), ("securitycode", code)];
    Entry::of(&fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

#[test]
fn every_rule_of_a_field_has_its_fault() {
    let visa = "4925000000000004";
    for (number, month, year, code, faults) in [
        (visa, "06", "30", "123", vec![]),
        ("4925 0000-0000 0004", "06", "30", "123", vec![]),
        ("378282246310005", "06", "30", "1234", vec![]),
        ("", "", "", "", vec![Fault::NoNumber, Fault::NoMonth, Fault::NoYear, Fault::NoCode]),
        ("4925000000000004x", "06", "30", "123", vec![Fault::NumberWithLetters]),
        ("492500000000000\u{664}", "06", "30", "123", vec![Fault::NumberWithLetters]),
        ("4925000000000005", "06", "30", "123", vec![Fault::WrongNumber]),
        ("492500000004", "06", "30", "123", vec![Fault::WrongNumber]),
        ("49250000000000000000", "06", "30", "123", vec![Fault::WrongNumber]),
        ("0000000000000000", "06", "30", "123", vec![Fault::WrongNumber]),
        (visa, "05", "30", "123", vec![Fault::WrongExpiry]),
        (visa, "12", "29", "123", vec![Fault::WrongExpiry]),
        (visa, "00", "31", "123", vec![Fault::WrongExpiry]),
        (visa, "13", "31", "123", vec![Fault::WrongExpiry]),
        (visa, "7", "31", "123", vec![Fault::WrongExpiry]),
        (visa, "07", "2031", "123", vec![Fault::WrongExpiry]),
        (visa, "+7", "31", "123", vec![Fault::WrongExpiry]),
        (visa, "06", "30", "12", vec![Fault::WrongCode]),
        (visa, "06", "30", "1234", vec![Fault::WrongCode]),
        (visa, "06", "30", "12x", vec![Fault::WrongCode]),
        ("378282246310005", "06", "30", "123", vec![Fault::WrongCode]),
    ] {
        let found = entry(number, month, year, code).card(june()).err().unwrap_or_default();
        assert_eq!(found, faults, "{number} {month} {year} {code}");
    }
}

#[test]
fn every_test_card_is_good() {
    for number in TEST_CARDS {
        let card = Entry::test_card(number, june()).unwrap().card(june()).unwrap();
        assert_eq!((&card.masked[..6], card.year_month.as_str()), (&number[..6], "3312"));
    }
    assert!(Entry::test_card("5105105105105100", june()).is_none(), "others are not offered");
}

/// A registered transaction, and somebody who posts to its page.
struct Visitor {
    nets: Netaxept,
    address: String,
    http: Client,
}

impl Visitor {
    async fn new() -> Self {
        let (nets, address) = Netaxept::start(0, Clock::default()).await.unwrap();
        let http = crate::http_client().unwrap();
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&transactionId=1&orderNumber=1");
        let more = "updateStoredPaymentInfo=true&redirectUrl=https%3A%2F%2Fshop.example%2F";
        let register = format!("{address}/Netaxept/Register.aspx?{query}&{more}");
        assert_eq!(http.get(register).send().await.unwrap().status(), 200);
        let address =
            format!("{address}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId=1");
        Self { nets, address, http }
    }

    async fn post(&self, number: &str, button: &str) -> Response {
        let form = [
            ("CARDNO", number),
            ("Month", "12"),
            ("year", "40"),
            ("securitycode", "123"),
            (button, "x"),
        ];
        self.http.post(&self.address).form(&form).send().await.unwrap()
    }

    fn is_paid(&self) -> bool {
        self.nets.transactions()[0]["transaction"]["cardEntered"] == true
    }
}

#[tokio::test]
async fn every_page_is_kept_from_scripts_frames_caches_and_other_sites() {
    let visitor = Visitor::new().await;
    for (number, button, part) in [
        ("", "none", "id=\"form1\""),
        ("x", "okButton", "id=\"faults\""),
        ("4925000000000103", "okButton", "id=\"acceptButton\""),
        ("", "timeOutButton", "Tiden er ute."),
    ] {
        let page = visitor.post(number, button).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.headers()[name], value, "{button}");
        }
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let (before, after) = policy.split_once("'nonce-").unwrap();
        let (nonce, after) = after.split_once('\'').unwrap();
        assert_eq!(before, "default-src 'none'; style-src ");
        assert_eq!(after, "; base-uri 'none'; frame-ancestors 'none'");
        let page = page.text().await.unwrap();
        assert!(
            page.contains(part) && page.contains(&format!("<style nonce=\"{nonce}\">")),
            "{page}"
        );
        assert!(!page.contains("<script"));
    }
}

#[tokio::test]
async fn a_button_counts_only_where_it_is_offered_and_only_by_post() {
    let visitor = Visitor::new().await;
    for button in ["acceptButton", "failButton"] {
        assert_eq!(
            visitor.post("4925000000000004", button).await.status(),
            200,
            "nobody was asked"
        );
    }
    let query = "cardNo=4925000000000004&month=12&year=40&securityCode=123&okButton=Pay";
    let address = format!("{}&{query}", visitor.address);
    assert_eq!(visitor.http.get(address).send().await.unwrap().status(), 200);
    assert!(!visitor.is_paid());
    assert_eq!(visitor.post("4925000000000103", "okButton").await.status(), 200);
    assert!(!visitor.is_paid(), "the bank has not answered yet");
    // Whoever goes back takes another card.
    let paid = visitor.post("4925000000000004", "okButton").await;
    assert_eq!((paid.status().as_u16(), visitor.is_paid()), (302, true));
    assert_eq!(visitor.post("", "timeOutButton").await.status(), 200);
    assert!(visitor.is_paid());
}
