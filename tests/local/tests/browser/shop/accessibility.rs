//! axe-core finds no violations on any page of the shop: in light and dark, on a phone and a desktop, in each language.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use fantoccini::wd::WebDriverCompatibleCommand;
use local::binaries::root;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::World;

const AXE: &str = "target/tools/npm/node_modules/axe-core/axe.min.js";

/// Returns the violations as texts, and the width by which the page is too wide.
const CHECK: &str = "
    const done = arguments[0];
    const options = {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        rules: { 'target-size': { enabled: true } },
    };
    const root = document.documentElement;
    axe.run(document, options).then((results) => done([
        results.passes.length,
        ...results.violations.map((rule) => rule.id + ': ' + rule.nodes.map((node) => node.html + ' ' + node.failureSummary).join(' ')),
        ...(root.scrollWidth > root.clientWidth ? ['scrolls sideways: ' + root.scrollWidth] : []),
    ]), (error) => done([0, String(error)]));
";

/// Colour scheme, device, and the width of the page in pixels.
const VARIANTS: [(&str, &str, u32); 4] = [
    ("light", "phone", 360),
    ("light", "desktop", 1280),
    ("dark", "desktop", 1280),
    ("dark", "phone", 360),
];

/// A command of Chromium's own protocol.
#[derive(Debug)]
struct ChromiumCommand {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.name, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

/// The source of axe-core.
fn axe() -> String {
    let path = root().join(AXE);
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{AXE}: {error}; run: npm install --prefix target/tools/npm axe-core@4.14.1")
    })
}

impl World {
    async fn chromium(&self, name: &'static str, parameters: Value) {
        self.browser.issue_cmd(ChromiumCommand { name, parameters }).await.unwrap();
    }

    /// Allows the page to copy, as a user's click does in a window that is not headless.
    pub(super) async fn allow_clipboard(&self) {
        let permissions =
            json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        self.chromium("Browser.grantPermissions", permissions).await;
    }

    async fn set_scheme(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.chromium("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    async fn set_size(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn check(&self, page: &str) {
        let results = self.browser.execute_async(CHECK, Vec::new()).await.unwrap();
        let passes = results[0].as_u64().unwrap();
        assert!(passes > 15, "axe-core checked only {passes} rules of {page}: {results}");
        assert_eq!(results.as_array().unwrap()[1..], [] as [Value; 0], "{page}");
    }

    /// Checks the current page in light and dark, on a phone and a desktop, and its layout at 320 pixels. Writes two screenshots to
    /// `target`.
    pub(crate) async fn assert_accessible_in_all_variants(&self, page: &str) {
        self.browser.execute(&axe(), Vec::new()).await.unwrap();
        for (scheme, device, width) in VARIANTS {
            self.set_scheme(scheme).await;
            self.set_size(width, 900).await;
            self.check(&format!("{page} {scheme} {device}")).await;
            if (scheme == "light") == (device == "phone") {
                self.take_screenshot(&format!("{page}-{device}-{scheme}"), width).await;
            }
        }
        self.set_size(320, 900).await;
        let too_wide =
            "const root = document.documentElement; return root.scrollWidth - root.clientWidth";
        let too_wide = self.browser.execute(too_wide, Vec::new()).await.unwrap();
        assert_eq!(too_wide, 0, "{page} scrolls sideways at 320 pixels");
    }

    /// Writes a screenshot of the whole page.
    async fn take_screenshot(&self, name: &str, width: u32) {
        let height = "return document.documentElement.scrollHeight";
        let height = self.browser.execute(height, Vec::new()).await.unwrap();
        let height = u32::try_from(height.as_u64().unwrap()).unwrap();
        self.set_size(width, height.max(900)).await;
        let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().into();
        let image = self.browser.screenshot().await.unwrap();
        std::fs::write(target.join(format!("{name}.png")), image).unwrap();
        self.set_size(width, 900).await;
    }
}

/// Every page in every language, with the data of the other steps: two cards, a receipt and a refund, and an order that is not paid.
pub(super) async fn pages_are_accessible(world: &World) {
    world.visit("/tickets?language=en").await;
    let paid = world.attribute(".orders li:nth-child(1) a", "href").await;
    let refunded = world.attribute(".orders li:nth-child(2) a", "href").await;
    world.press("#buy").await;
    world.press("#cancelButton").await;
    let cancelled = world.browser.current_url().await.unwrap().path().to_owned();
    world.visit("/cards").await;
    world.press("#add-card").await;
    world.press("#cancelButton").await;
    world.assert_text("#notice", "You cancelled at Nets.").await;
    world.assert_accessible_in_all_variants("shop-en-cancelled-terminal").await;
    let removal = world.attribute(".cards > li:nth-child(2) .remove", "href").await;
    let history = world.attribute(".cards > li:nth-child(2) .history", "href").await;
    for lang in ["nb", "nn", "en"] {
        world.visit(&format!("/cards?language={lang}")).await;
        assert_eq!(world.attribute("html", "lang").await, lang);
        for (name, path) in [
            ("cards", "/shop/cards"),
            ("removal", &removal),
            ("history", &history),
            ("tickets", "/shop/tickets"),
            ("receipt", &paid),
            ("refunded", &refunded),
            ("cancelled", &cancelled),
            ("unknown", "/shop/cards/1/return"),
        ] {
            world.visit(path.strip_prefix("/shop").unwrap()).await;
            world.assert_accessible_in_all_variants(&format!("shop-{lang}-{name}")).await;
        }
        world.visit(paid.strip_prefix("/shop").unwrap()).await;
        world.write("amount", "1000").await;
        world.press("#refund").await;
        world.assert_accessible_in_all_variants(&format!("shop-{lang}-failed")).await;
    }
    // The card that was not entered is not needed any more.
    world.visit("/cards?language=en").await;
    world.remove_card(3, "Office (Visa 0004) stays your primary card.").await;
    world.assert_accessible_in_all_variants("shop-en-removed").await;
}
