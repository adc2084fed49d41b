//! How the pages look, and to whom: sizes, contrast, names, and pictures for people.

use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::Scripts;
use crate::{World, in_browser};

/// Phone and desktop.
const WIDTHS: [(&str, u32); 2] = [("phone", 390), ("desktop", 1280)];

/// What is wrong with a page, measured in it: see `measure.js`.
const MEASURE: &str = include_str!("measure.js");

impl World {
    /// Makes what is shown as wide as asked for, and as high as the page.
    async fn size(&self, width: u32) {
        self.browser.set_window_rect(0, 0, width, 800).await.unwrap();
        let lost = self.script("return [innerWidth, outerHeight - innerHeight]").await;
        assert_eq!(lost[0], width, "the window has another width than the page");
        let height = self.script("return document.documentElement.scrollHeight").await;
        let height = height.as_f64().unwrap().ceil() + lost[1].as_f64().unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "pages are not that high"
        )]
        self.browser.set_window_rect(0, 0, width, (height as u32).max(800)).await.unwrap();
    }

    async fn script(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    async fn is_in_order(&self, what: &str) {
        for (name, width) in WIDTHS {
            self.size(width).await;
            assert_eq!(self.script(MEASURE).await, json!([]), "{what} on a {name}");
        }
    }

    async fn picture(&self, name: &str) {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        self.browser.screenshot(&target.join(format!("terminal-{name}.png"))).await.unwrap();
    }
}

#[tokio::test]
async fn every_page_is_in_order_on_a_phone_and_on_a_desktop() {
    in_browser(Scripts::Allowed, async |world: &World| {
        let purchase = [("amount", "123456700"), ("currencyCode", "NOK")];
        for (language, lang) in [("no_NO", "nb"), ("nn_NO", "nn"), ("en_GB", "en"), ("sv_SE", "sv")]
        {
            let more: Vec<_> = purchase.into_iter().chain([("language", language)]).collect();
            world.open(lang, &more).await;
            world.is_in_order(&format!("{lang} form")).await;
            world.press("#okButton").await;
            world.is_in_order(&format!("{lang} faults")).await;
            world.press("button[value='4925000000000103']").await;
            world.press("#okButton").await;
            world.is_in_order(&format!("{lang} bank")).await;
            world.press("#cancelButton").await;
            world.browser.goto(world.page(lang)).await.unwrap();
            world.is_in_order(&format!("{lang} notice")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pictures_are_taken() {
    in_browser(Scripts::Allowed, async |world: &World| {
        for (language, lang) in [("no_NO", "nb"), ("en_GB", "en")] {
            world.open(lang, &[("language", language)]).await;
            for (name, width) in WIDTHS {
                world.size(width).await;
                world.picture(&format!("{name}-{lang}")).await;
            }
        }
        world.open("faults", &[("amount", "39900"), ("currencyCode", "NOK")]).await;
        world.press("#okButton").await;
        world.size(390).await;
        world.picture("faults").await;
        world.press("button[value='4925000000000103']").await;
        world.press("#okButton").await;
        world.size(390).await;
        world.picture("3ds").await;
        world.press("#failButton").await;
        world.browser.goto(world.page("faults")).await.unwrap();
        world.size(390).await;
        world.picture("over").await;
    })
    .await;
}
