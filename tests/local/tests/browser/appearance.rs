//! Tests of the pages' layout and accessibility. They also write screenshots.

use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::Scripts;
use crate::{World, in_browser};

/// The page widths of a phone and of a desktop, in pixels.
const WIDTHS: [(&str, u32); 2] = [("phone", 390), ("desktop", 1280)];

/// Waits until the page has a width: the browser resizes it after the window. Returns the height of the page, and that of the parts of
/// the window around it.
const WAIT_FOR_WIDTH: &str = "
    const [width, done] = arguments;
    const check = () => innerWidth === width
        ? done([document.documentElement.scrollHeight, outerHeight - innerHeight])
        : requestAnimationFrame(check);
    check();
";

/// Returns the problems of a page: see `measure.js`.
const MEASURE: &str = include_str!("measure.js");

impl World {
    /// Resizes the window to a width and to the height of the page.
    async fn resize(&self, width: u32) {
        self.browser.set_window_rect(0, 0, width, 800).await.unwrap();
        // Fails after the script timeout of 30 s if the page does not get this width.
        let resized = self.browser.execute_async(WAIT_FOR_WIDTH, vec![width.into()]).await.unwrap();
        let height = resized[0].as_f64().unwrap().ceil() + resized[1].as_f64().unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the height of a page fits into 32 bits"
        )]
        self.browser.set_window_rect(0, 0, width, (height as u32).max(800)).await.unwrap();
    }

    async fn script(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap()
    }

    /// Asserts that the page has no problems at any width.
    async fn assert_accessible(&self, page: &str) {
        for (name, width) in WIDTHS {
            self.resize(width).await;
            assert_eq!(self.script(MEASURE).await, json!([]), "{page} on a {name}");
        }
    }

    async fn screenshot(&self, name: &str) {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let image = self.browser.screenshot().await.unwrap();
        std::fs::write(target.join(format!("terminal-{name}.png")), image).unwrap();
    }
}

#[tokio::test]
async fn every_page_is_accessible_on_phone_and_desktop() {
    in_browser(Scripts::Allowed, async |world: &World| {
        let purchase = [("amount", "123456700"), ("currencyCode", "NOK")];
        for (language, lang) in [("no_NO", "nb"), ("nn_NO", "nn"), ("en_GB", "en"), ("sv_SE", "sv")]
        {
            let more: Vec<_> = purchase.into_iter().chain([("language", language)]).collect();
            world.open(lang, &more).await;
            world.assert_accessible(&format!("{lang} form")).await;
            world.press("#okButton").await;
            world.assert_accessible(&format!("{lang} errors")).await;
            world.press("button[value='4925000000000103']").await;
            world.press("#okButton").await;
            world.assert_accessible(&format!("{lang} bank")).await;
            world.press("#cancelButton").await;
            world.browser.goto(&world.page(lang)).await.unwrap();
            world.assert_accessible(&format!("{lang} notice")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn screenshots_are_taken() {
    in_browser(Scripts::Allowed, async |world: &World| {
        for (language, lang) in [("no_NO", "nb"), ("en_GB", "en")] {
            world.open(lang, &[("language", language)]).await;
            for (name, width) in WIDTHS {
                world.resize(width).await;
                world.screenshot(&format!("{name}-{lang}")).await;
            }
        }
        world.open("errors", &[("amount", "39900"), ("currencyCode", "NOK")]).await;
        world.press("#okButton").await;
        world.resize(390).await;
        world.screenshot("errors").await;
        world.press("button[value='4925000000000103']").await;
        world.press("#okButton").await;
        world.resize(390).await;
        world.screenshot("3ds").await;
        world.press("#failButton").await;
        world.browser.goto(&world.page("errors")).await.unwrap();
        world.resize(390).await;
        world.screenshot("ended").await;
    })
    .await;
}
