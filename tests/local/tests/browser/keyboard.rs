//! Tests of the terminal page with the keyboard only.

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::json;

use crate::chromium::Scripts;
use crate::{VISA, World, in_browser};

impl World {
    /// Types keys into the element that has the focus.
    pub(crate) async fn type_keys(&self, keys: &str) {
        let pressed =
            keys.chars().fold(KeyActions::new("keyboard".to_owned()), |actions, value| {
                actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
            });
        self.browser.perform_actions(pressed).await.unwrap();
    }

    pub(crate) async fn tab(&self) {
        self.type_keys(&Key::Tab).await;
    }

    async fn focus(&self, field: &str) {
        let field = self.browser.find(Locator::Id(field)).await.unwrap();
        self.browser.execute("arguments[0].focus()", vec![json!(field)]).await.unwrap();
    }
}

#[tokio::test]
async fn tab_and_enter_complete_a_payment() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[]).await;
        let mut languages = Vec::new();
        while world.focused_id().await != "cardNo" {
            world.tab().await;
            let element = world.browser.active_element().await.unwrap();
            languages.extend(element.attr("hreflang").await.unwrap());
        }
        assert_eq!(languages, ["nn", "en", "sv"], "the language links come before the form");
        for (field, keys) in
            [("cardNo", VISA), ("month", "12"), ("year", "3"), ("securityCode", "123")]
        {
            assert_eq!(world.focused_id().await, field);
            let field = world.browser.find(Locator::Id(field)).await.unwrap();
            assert_eq!(field.css_value("outline-style").await.unwrap(), "solid");
            assert_eq!(field.css_value("outline-width").await.unwrap(), "3px");
            world.type_keys(keys).await;
            world.tab().await;
        }
        assert_eq!(world.focused_id().await, "okButton");
        world.tab().await;
        assert_eq!(world.focused_id().await, "cancelButton");
        world.focus("securityCode").await;
        world.navigate(world.type_keys(&Key::Enter)).await;
        world.assert_returned_with("1", "OK").await;
    })
    .await;
}

#[tokio::test]
async fn errors_link_to_their_fields() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[]).await;
        world.focus("cardNo").await;
        world.navigate(world.type_keys(&Key::Enter)).await;
        assert_eq!(world.focused_id().await, "errors");
        world.tab().await;
        world.type_keys(&Key::Enter).await;
        assert_eq!(world.focused_id().await, "cardNo");
    })
    .await;
}
