//! Tests of the page's languages, which Register or the customer selects.

use crate::chromium::Scripts;
use crate::{World, in_browser};

/// `language` at Register, the attribute `lang`, and the texts of the title, the button, an error, the bank page and the timeout.
const LANGUAGES: [[&str; 7]; 4] = [
    [
        "no_NO",
        "nb",
        "Registrer betalingskort",
        "Registrer kort",
        "Skriv inn kortnummeret.",
        "Bekreft at det er deg",
        "Tiden er ute.",
    ],
    [
        "nn_NO",
        "nn",
        "Registrer betalingskort",
        "Registrer kort",
        "Vel utløpsmånaden.",
        "Stadfest at det er deg",
        "Tida er ute.",
    ],
    [
        "en_GB",
        "en",
        "Register a payment card",
        "Register card",
        "Enter the card number.",
        "Confirm that it is you",
        "The time is up.",
    ],
    [
        "sv_SE",
        "sv",
        "Registrera betalkort",
        "Registrera kort",
        "Skriv in kortnumret.",
        "Bekräfta att det är du",
        "Tiden är ute.",
    ],
];

impl World {
    /// Opens every page and checks its language.
    async fn assert_all_pages_in(&self, language: &[&str; 7]) {
        let [_, lang, title, button, error, bank, timed_out] = language;
        let assert_text = async |css: &str, text: &str| {
            assert_eq!(self.attribute("html", "lang").await, *lang);
            let shown = self.text(css).await;
            assert!(shown.contains(text), "{text} in {shown}");
        };
        assert_text("h1", title).await;
        assert_text("#okButton", button).await;
        assert_eq!(self.attribute("[aria-current=true]", "lang").await, "");
        assert_text(&format!("li[lang={lang}] [aria-current=true]"), "").await;
        self.press("#okButton").await;
        assert_text("#errors", error).await;
        self.press("button[value='4925000000000103']").await;
        assert_text("#okButton", button).await;
        self.press("#okButton").await;
        assert_text("h1", bank).await;
        self.browser.back().await.unwrap();
        self.browser.refresh().await.unwrap();
        assert_text("h1", bank).await;
        self.clock.advance("PT15M").unwrap();
        self.browser.refresh().await.unwrap();
        assert_text("[role=status]", timed_out).await;
    }
}

#[tokio::test]
async fn register_selects_the_page_language() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for language in LANGUAGES {
            world.open(language[1], &[("language", language[0])]).await;
            world.assert_all_pages_in(&language).await;
        }
        for (language, lang) in [("da_DK", "en"), ("unknown", "en"), ("", "nb")] {
            world.open(&format!("{language}-"), &[("language", language)]).await;
            assert_eq!(world.attribute("html", "lang").await, lang, "{language}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_customer_can_change_the_language() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for (place, language) in LANGUAGES.iter().enumerate() {
            let before = LANGUAGES[(place + 1) % LANGUAGES.len()];
            world.open(language[1], &[("language", before[0])]).await;
            world.press(&format!("a[hreflang={}]", language[1])).await;
            world.assert_all_pages_in(language).await;
        }
    })
    .await;
}
