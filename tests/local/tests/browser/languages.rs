//! Every language is there, chosen by Register or by the customer.

use crate::chromium::Scripts;
use crate::{World, in_browser};

/// Register's language, the attribute, and the title, button, first fault, bank and end of time in that language.
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
    /// Sees every page in one language.
    async fn sees_all_in(&self, language: &[&str; 7]) {
        let [_, lang, title, button, fault, bank, over] = language;
        let is_right = async |css: &str, text: &str| {
            assert_eq!(self.attribute("html", "lang").await, *lang);
            let shown = self.text(css).await;
            assert!(shown.contains(text), "{text} in {shown}");
        };
        is_right("h1", title).await;
        is_right("#okButton", button).await;
        assert_eq!(self.attribute("[aria-current=true]", "lang").await, "");
        is_right(&format!("li[lang={lang}] [aria-current=true]"), "").await;
        self.press("#okButton").await;
        is_right("#faults", fault).await;
        self.press("button[value='4925000000000103']").await;
        is_right("#okButton", button).await;
        self.press("#okButton").await;
        is_right("h1", bank).await;
        self.browser.back().await.unwrap();
        self.browser.refresh().await.unwrap();
        is_right("h1", bank).await;
        self.clock.advance("PT15M").unwrap();
        self.browser.refresh().await.unwrap();
        is_right("[role=status]", over).await;
    }
}

#[tokio::test]
async fn register_chooses_it() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for language in LANGUAGES {
            world.open(language[1], &[("language", language[0])]).await;
            world.sees_all_in(&language).await;
        }
        for (language, lang) in [("da_DK", "en"), ("rubbish", "en"), ("", "nb")] {
            world.open(&format!("{language}-"), &[("language", language)]).await;
            assert_eq!(world.attribute("html", "lang").await, lang, "{language}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_customer_chooses_another() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for (place, language) in LANGUAGES.iter().enumerate() {
            let before = LANGUAGES[(place + 1) % LANGUAGES.len()];
            world.open(language[1], &[("language", before[0])]).await;
            world.press(&format!("a[hreflang={}]", language[1])).await;
            world.sees_all_in(language).await;
        }
    })
    .await;
}
