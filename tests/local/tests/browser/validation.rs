//! Tests of the validation of each field, and of its error messages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::chromium::Scripts;
use crate::{VISA, World, in_browser};

const NO_NUMBER: &str = "Enter the card number.";
const LETTERS: &str = "The card number can only have digits.";
const WRONG_NUMBER: &str = "The card number is not valid.";
const NO_MONTH: &str = "Choose the expiry month.";
const NO_YEAR: &str = "Choose the expiry year.";
const WRONG_EXPIRY: &str = "The card has expired, or the date is not valid.";
const NO_CODE: &str = "Enter the security code.";
const WRONG_CODE: &str = "The security code has three digits, four for American Express.";

/// Positions in the list of years.
const NO_CHOICE: usize = 1;
const THIS_YEAR: usize = 2;
const LATER: usize = 4;

/// Number, month, year and code; the field that has the error, and its message.
const INVALID: [(&str, &str, usize, &str, &str, &str); 21] = [
    ("", "12", LATER, "123", "cardNo", NO_NUMBER),
    ("   ", "12", LATER, "123", "cardNo", NO_NUMBER),
    ("4925OOOOOOOOOOO4", "12", LATER, "123", "cardNo", LETTERS),
    ("card", "12", LATER, "123", "cardNo", LETTERS),
    ("٤٩٢٥٠٠٠٠٠٠٠٠٠٠٠٤", "12", LATER, "123", "cardNo", LETTERS),
    ("<b>4925</b>", "12", LATER, "123", "cardNo", LETTERS),
    ("4925000000000005", "12", LATER, "123", "cardNo", WRONG_NUMBER),
    ("492500000000", "12", LATER, "123", "cardNo", WRONG_NUMBER),
    ("49250000000000040000", "12", LATER, "123", "cardNo", WRONG_NUMBER),
    ("0000000000000000", "12", LATER, "123", "cardNo", WRONG_NUMBER),
    (VISA, "", LATER, "123", "month", NO_MONTH),
    (VISA, "12", NO_CHOICE, "123", "year", NO_YEAR),
    (VISA, "05", THIS_YEAR, "123", "month", WRONG_EXPIRY),
    (VISA, "12", LATER, "", "securityCode", NO_CODE),
    (VISA, "12", LATER, "12", "securityCode", WRONG_CODE),
    (VISA, "12", LATER, "1234", "securityCode", WRONG_CODE),
    (VISA, "12", LATER, "12a", "securityCode", WRONG_CODE),
    (VISA, "12", LATER, "-12", "securityCode", WRONG_CODE),
    ("5413000000000000", "12", LATER, "1234", "securityCode", WRONG_CODE),
    ("378282246310005", "12", LATER, "123", "securityCode", WRONG_CODE),
    ("378282246310005", "12", LATER, "abcd", "securityCode", WRONG_CODE),
];

impl World {
    /// Moves the clock to June of the next year, so that the year has earlier and later months.
    fn advance_to_june(&self) {
        let month = self.clock.now().to_zoned(TimeZone::UTC).month();
        let moved: Timestamp = self.clock.advance(&format!("P{}M", 18 - month)).unwrap();
        assert_eq!(moved.to_zoned(TimeZone::UTC).month(), 6);
    }

    async fn assert_shows_error(&self, field: &str, message: &str) {
        let link = format!("#errors a[href='#{field}']");
        assert_eq!(self.text(&link).await, message);
        assert_eq!(self.text(&format!("#{field}-error")).await, message);
        assert_eq!(self.attribute("#errors", "role").await, "alert");
        assert_eq!(self.focused_id().await, "errors", "the error summary has the focus");
        let field = format!("#{field}");
        assert_eq!(self.attribute(&field, "aria-invalid").await, "true");
        let described = self.attribute(&field, "aria-describedby").await;
        assert!(described.split(' ').any(|id| format!("#{id}") == format!("{field}-error")));
        assert!(self.browser.title().await.unwrap().starts_with("Error: "));
        assert_eq!(self.value("securityCode").await, "", "the security code is not sent back");
    }
}

#[tokio::test]
async fn each_field_shows_its_error() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.advance_to_june();
        world.open("1", &[("language", "en_GB")]).await;
        for (number, month, year, code, field, message) in INVALID {
            world.browser.goto(&world.page("1")).await.unwrap();
            world.write("cardNo", number).await;
            world.choose("month", month).await;
            world.click(&format!("#year option:nth-child({year})")).await;
            world.write("securityCode", code).await;
            world.press("#okButton").await;
            world.assert_shows_error(field, message).await;
            let errors =
                world.browser.find_all(fantoccini::Locator::Css("#errors li")).await.unwrap();
            assert_eq!(errors.len(), 1, "{number} {month} {code}");
        }
        assert_eq!(world.transaction("1")["cardEntered"], false);
        // Valid fields keep their values, and a card is valid until the end of its month.
        world.write("cardNo", VISA).await;
        world.choose("month", "06").await;
        world.click("#year option:nth-child(2)").await;
        world.press("#okButton").await;
        assert_eq!(
            (world.value("cardNo").await.as_str(), world.value("month").await.as_str()),
            (VISA, "06")
        );
        world.write("securityCode", "123").await;
        world.press("#okButton").await;
        world.assert_returned_with("1", "OK").await;
    })
    .await;
}

#[tokio::test]
async fn all_errors_are_shown_together() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[("language", "en_GB")]).await;
        world.press("#okButton").await;
        let all = format!("There is a problem\n{NO_NUMBER}\n{NO_MONTH}\n{NO_YEAR}\n{NO_CODE}");
        assert_eq!(world.text("#errors").await, all);
    })
    .await;
}
