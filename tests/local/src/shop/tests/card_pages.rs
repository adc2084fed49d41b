//! What the shop says about a card: what its removal will change, that it expires soon, and what has happened to it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use reqwest::StatusCode;

use super::{Browser, MASTERCARD, Page, VISA};
use crate::shop::format::local_time;
use crate::shop::texts::LANGUAGES;

impl Page {
    /// The texts after each `start`, until `end`.
    fn texts_between(&self, start: &str, end: &str) -> Vec<&str> {
        let texts = self.text.split(start).skip(1);
        texts.map(|rest| rest.split(end).next().unwrap()).collect()
    }

    fn assert_hides(&self, text: &str) {
        assert!(!self.text.contains(text), "{text} is in {}", self.text);
    }

    /// The duration of the button that moves the clock to shortly before the expiry of a card.
    fn until_notice(&self) -> &str {
        let texts = self.texts_between("id=\"move-to-notice\" name=\"advance\" value=\"", "\"");
        texts.first().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The number of notices that a card expires soon.
    fn notices(&self) -> usize {
        self.texts_between("<p class=\"notice waiting expiring\">", "<").len()
    }
}

impl Browser {
    /// Adds a Mastercard. Returns its id.
    async fn add_mastercard(&self, nickname: &str) -> String {
        let terminal = self.begin_card(nickname, false).await;
        self.complete_terminal(&terminal, MASTERCARD).await.assert_leads_to("/shop/cards");
        self.stored_card().await
    }

    async fn move_clock(&self, duration: &str) {
        self.post("/shop/clock", &[("advance", duration)]).await.assert_leads_to("/shop/cards");
    }
}

/// The confirmation says it before, and the page of the cards says the same after the removal.
#[tokio::test]
async fn a_removal_says_what_will_change_before_it_is_confirmed() {
    let browser = Browser::logged_in().await;
    let visa = browser.add_card("", false).await;
    let mastercard = browser.add_mastercard("").await;
    let [remove_visa, remove_mastercard] =
        [&visa, &mastercard].map(|card| format!("/shop/cards/{card}/remove"));
    let page = browser.get(&remove_visa).await;
    page.assert_shows("<h1>Remove Visa 0004?</h1>");
    page.assert_shows("Mastercard 0000 will become your primary card.");
    let title = format!("DELETE /v1/recurring-payments/{visa}?dryRun=true");
    assert_eq!(page.texts_between("<span class=\"title\">", "<")[0], title);
    page.assert_shows(&format!("/v1/recurring-payments/{visa}?dryRun=true'"));
    page.assert_shows(&format!("primaryRecurringPaymentId&quot;: {mastercard}"));
    browser.get(&remove_mastercard).await.assert_shows("Visa 0004 stays your primary card.");
    // Nothing has changed.
    let page = browser.get("/shop/cards").await;
    assert_eq!(page.texts_between("data-status=\"", "\""), ["ACTIVE", "ACTIVE"]);
    page.assert_hides("is your primary card now.");

    browser.post(&remove_visa, &[]).await.assert_leads_to("/shop/cards");
    let page = browser.get("/shop/cards").await;
    page.assert_shows("The card is removed.");
    page.assert_shows("Mastercard 0000 is your primary card now.");
    assert_eq!(browser.get(&remove_visa).await.status, StatusCode::NOT_FOUND);
    browser.get(&remove_mastercard).await.assert_shows("You will have no active card.");

    // The customer does not complete the page at Nets.
    browser.begin_card("Later", false).await;
    let page = browser.get(&remove_mastercard).await;
    page.assert_shows("Later will become your primary card, but it is not registered yet.");
}

#[tokio::test]
async fn the_confirmation_has_the_language_of_the_customer() {
    let browser = Browser::logged_in().await;
    let visa = browser.add_card("", false).await;
    browser.add_mastercard("").await;
    for (lang, sentence) in [
        ("nb", "Mastercard 0000 blir hovedkortet ditt."),
        ("nn", "Mastercard 0000 blir hovudkortet ditt."),
        ("en", "Mastercard 0000 will become your primary card."),
    ] {
        let page = browser.get(&format!("/shop/cards/{visa}/remove?language={lang}")).await;
        page.assert_shows(&format!("<html lang=\"{lang}\">"));
        page.assert_shows(sentence);
    }
}

/// One card expires itself, the other one's registration ends three years after it was stored.
#[tokio::test]
async fn a_card_that_expires_soon_has_a_notice() {
    let [_, _, en] = LANGUAGES;
    let browser = Browser::logged_in().await;
    let now = browser.local.clock().now().to_zoned(TimeZone::UTC);
    let last_month = now.date().first_of_month().checked_add(2.months()).unwrap();
    let terminal = browser.begin_card("Short", false).await;
    let month = [last_month.strftime("%m").to_string(), last_month.strftime("%y").to_string()];
    let back = browser.enter_card(&terminal, VISA, month.each_ref().map(String::as_str)).await;
    back.assert_leads_to("/shop/cards");
    browser.add_mastercard("Long").await;
    let page = browser.get("/shop/cards").await;
    assert_eq!(page.notices(), 0);

    browser.move_clock(page.until_notice()).await;
    let page = browser.get("/shop/cards").await;
    let expiry = last_month.checked_add(1.month()).unwrap().to_zoned(TimeZone::UTC).unwrap();
    let time = local_time(en, expiry.timestamp());
    page.assert_shows(&format!("Short expires on {time}. Add another card"));
    page.assert_shows("<a href=\"#add\">Add a card</a>");
    assert_eq!((page.notices(), page.texts_between("data-status=\"", "\"").len()), (1, 2));
    page.assert_hides("data-status=\"EXPIRED\"");

    browser.move_clock(page.until_notice()).await;
    let page = browser.get("/shop/cards").await;
    page.assert_shows("data-status=\"EXPIRED\"");
    page.assert_shows("data-status=\"ACTIVE\"");
    page.assert_shows("The shop can use Long until ");
    page.assert_hides("Short expires on");
    assert_eq!(page.notices(), 1);
    page.assert_hides("id=\"move-to-notice\"");
}

#[tokio::test]
async fn a_duration_that_the_clock_refuses_is_an_error() {
    let browser = Browser::logged_in().await;
    let before: Timestamp = browser.local.clock().now();
    for duration in ["-P1D", "soon"] {
        browser.move_clock(duration).await;
        browser.get("/shop/cards").await.assert_shows("role=\"alert\"");
    }
    assert!(browser.local.clock().now().duration_since(before).as_hours() < 1);
}

#[tokio::test]
async fn the_history_of_a_card_is_shown_in_words_also_after_its_removal() {
    let browser = Browser::logged_in().await;
    let first = browser.add_card("First", false).await;
    let second = browser.add_mastercard("Second").await;
    browser.post(&format!("/shop/cards/{second}/primary"), &[]).await;
    browser.post(&format!("/shop/cards/{second}/remove"), &[]).await;

    let history = async |card: &str| browser.get(&format!("/shop/cards/{card}/history")).await;
    let page = history(&first).await;
    page.assert_shows("<h1>What has happened to First</h1>");
    let added = "The card was added, but its number was not entered yet.";
    let stored = "Its number was entered at Nets, and the card was stored.";
    let first_changes = [
        format!("{added} It became primary because you had no primary card."),
        stored.to_owned(),
        "It is not primary any more because another card was chosen.".to_owned(),
        "It became primary because the previous primary card was removed.".to_owned(),
    ];
    assert_eq!(page.texts_between("<span class=\"change\">", "<"), first_changes);
    // The service can have found the stored card at Nets before the shop asked for it.
    let notes = page.texts_between("<span class=\"note\">", "<");
    assert_eq!([notes[1], notes[5], notes[7]], ["By demo-shop"; 3]);
    assert_eq!(
        page.texts_between("<span class=\"title\">", "<")[0],
        format!("GET /v1/recurring-payments/{first}/history")
    );

    let cards = browser.get("/shop/cards").await;
    cards.assert_shows(&format!(
        "<a href=\"/shop/cards/{second}/history\">What has happened to Second</a>"
    ));
    let page = history(&second).await;
    let second_changes =
        [added, stored, "It became primary because it was chosen.", "The card was removed."];
    assert_eq!(page.texts_between("<span class=\"change\">", "<"), second_changes);

    browser.move_clock("P3Y").await;
    let page = history(&first).await;
    assert_eq!(
        page.texts_between("<span class=\"change\">", "<").last(),
        Some(&"The card expired.")
    );
    assert_eq!(
        page.texts_between("<span class=\"note\">", "<").last(),
        Some(&"Because time passed")
    );
    // The API keeps a removed card for 30 days.
    assert_eq!(history(&second).await.status, StatusCode::NOT_FOUND);
    browser.get("/shop/cards").await.assert_hides("What has happened to Second");
}
