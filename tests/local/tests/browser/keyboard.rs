//! Nobody needs a mouse.

use thirtyfour::{By, Key, TypingData};

use crate::chromium::Scripts;
use crate::{VISA, World, in_browser};

impl World {
    /// Types where the focus is.
    async fn keys(&self, keys: impl Into<TypingData>) {
        self.browser.action_chain().send_keys(keys).perform().await.unwrap();
    }

    async fn tab(&self) {
        self.keys(Key::Tab).await;
    }
}

#[tokio::test]
async fn tab_and_enter_pay() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[]).await;
        let mut others = Vec::new();
        while world.focused().await != "cardNo" {
            world.tab().await;
            let element = world.browser.active_element().await.unwrap();
            others.extend(element.attr("hreflang").await.unwrap());
        }
        assert_eq!(others, ["nn", "en", "sv"], "before the form there are the other languages");
        for (field, keys) in
            [("cardNo", VISA), ("month", "12"), ("year", "3"), ("securityCode", "123")]
        {
            assert_eq!(world.focused().await, field);
            let outline = world.browser.find(By::Id(field)).await.unwrap();
            assert_eq!(outline.css_value("outline-style").await.unwrap(), "solid");
            assert_eq!(outline.css_value("outline-width").await.unwrap(), "3px");
            world.keys(keys).await;
            world.tab().await;
        }
        assert_eq!(world.focused().await, "okButton");
        world.tab().await;
        assert_eq!(world.focused().await, "cancelButton");
        world.browser.find(By::Id("securityCode")).await.unwrap().focus().await.unwrap();
        world.leave(world.keys(Key::Enter)).await;
        world.is_back_with("1", "OK").await;
    })
    .await;
}

#[tokio::test]
async fn the_faults_lead_to_their_fields() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[]).await;
        world.browser.find(By::Id("cardNo")).await.unwrap().focus().await.unwrap();
        world.leave(world.keys(Key::Enter)).await;
        assert_eq!(world.focused().await, "faults");
        world.tab().await;
        world.keys(Key::Enter).await;
        assert_eq!(world.focused().await, "cardNo");
    })
    .await;
}
