use reqwest::{Client, Response};

use super::input::{CardInput, FieldError, TEST_CARDS};
use super::*;
use crate::clock::Clock;
use crate::netaxept::{MERCHANT_ID, Netaxept, TOKEN};

/// Returns a time in June 2030.
fn june() -> Timestamp {
    "2030-06-15T12:00:00Z".parse().unwrap()
}

fn input(number: &str, month: &str, year: &str, code: &str) -> CardInput {
    let fields = [("cardno", number), ("month", month), ("year", year), ("securitycode", code)];
    CardInput::from_form(&fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

#[test]
fn every_field_rule_has_its_error() {
    let visa = "4925000000000004";
    for (number, month, year, code, errors) in [
        (visa, "06", "30", "123", vec![]),
        ("4925 0000-0000 0004", "06", "30", "123", vec![]),
        ("378282246310005", "06", "30", "1234", vec![]),
        (
            "",
            "",
            "",
            "",
            vec![FieldError::NoNumber, FieldError::NoMonth, FieldError::NoYear, FieldError::NoCode],
        ),
        ("4925000000000004x", "06", "30", "123", vec![FieldError::NumberWithLetters]),
        ("492500000000000\u{664}", "06", "30", "123", vec![FieldError::NumberWithLetters]),
        ("4925000000000005", "06", "30", "123", vec![FieldError::WrongNumber]),
        ("492500000004", "06", "30", "123", vec![FieldError::WrongNumber]),
        ("49250000000000000000", "06", "30", "123", vec![FieldError::WrongNumber]),
        ("0000000000000000", "06", "30", "123", vec![FieldError::WrongNumber]),
        (visa, "05", "30", "123", vec![FieldError::WrongExpiry]),
        (visa, "12", "29", "123", vec![FieldError::WrongExpiry]),
        (visa, "00", "31", "123", vec![FieldError::WrongExpiry]),
        (visa, "13", "31", "123", vec![FieldError::WrongExpiry]),
        (visa, "7", "31", "123", vec![FieldError::WrongExpiry]),
        (visa, "07", "2031", "123", vec![FieldError::WrongExpiry]),
        (visa, "+7", "31", "123", vec![FieldError::WrongExpiry]),
        (visa, "06", "30", "12", vec![FieldError::WrongCode]),
        (visa, "06", "30", "1234", vec![FieldError::WrongCode]),
        (visa, "06", "30", "12x", vec![FieldError::WrongCode]),
        ("378282246310005", "06", "30", "123", vec![FieldError::WrongCode]),
    ] {
        let found = input(number, month, year, code).card(june()).err().unwrap_or_default();
        assert_eq!(found, errors, "{number} {month} {year} {code}");
    }
}

#[test]
fn every_test_card_is_valid() {
    for number in TEST_CARDS {
        let card = CardInput::test_card(number, june()).unwrap().card(june()).unwrap();
        assert_eq!((&card.masked[..6], card.year_month.as_str()), (&number[..6], "3312"));
    }
    assert!(
        CardInput::test_card("5105105105105100", june()).is_none(),
        "the number is not a test card"
    );
}

/// A registered transaction and a client that posts to its page.
struct Customer {
    nets: Netaxept,
    address: String,
    http: Client,
}

impl Customer {
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

    fn has_card(&self) -> bool {
        self.nets.transactions()[0]["transaction"]["cardEntered"] == true
    }
}

#[tokio::test]
async fn every_page_has_the_security_headers() {
    let customer = Customer::new().await;
    for (number, button, part) in [
        ("", "none", "id=\"form1\""),
        ("x", "okButton", "id=\"errors\""),
        ("4925000000000103", "okButton", "id=\"acceptButton\""),
        ("", "timeOutButton", "Tiden er ute."),
    ] {
        let page = customer.post(number, button).await;
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
async fn a_button_works_only_on_its_page_and_only_by_post() {
    let customer = Customer::new().await;
    for button in ["acceptButton", "failButton"] {
        assert_eq!(
            customer.post("4925000000000004", button).await.status(),
            200,
            "the page of the bank is not shown"
        );
    }
    let query = "cardNo=4925000000000004&month=12&year=40&securityCode=123&okButton=Pay";
    let address = format!("{}&{query}", customer.address);
    assert_eq!(customer.http.get(address).send().await.unwrap().status(), 200);
    assert!(!customer.has_card());
    assert_eq!(customer.post("4925000000000103", "okButton").await.status(), 200);
    assert!(!customer.has_card(), "the bank step is not finished");
    // The customer goes back and enters another card.
    let paid = customer.post("4925000000000004", "okButton").await;
    assert_eq!((paid.status().as_u16(), customer.has_card()), (302, true));
    assert_eq!(customer.post("", "timeOutButton").await.status(), 200);
    assert!(customer.has_card());
}
