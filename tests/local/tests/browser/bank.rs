//! Tests of the 3-D Secure step, which one of the test cards has.

use crate::chromium::Scripts;
use crate::{VISA, World, in_browser};

impl World {
    /// Enters the card with a 3-D Secure step and opens the page of the bank.
    async fn open_bank_page(&self, id: &str) {
        self.open(id, &[("language", "en_GB"), ("force3DSecure", "true")]).await;
        self.fill("4925000000000103", "123").await;
        self.press("#okButton").await;
        assert_eq!(self.text("h1").await, "Confirm that it is you");
        assert!(self.text("dl").await.contains("492500******0103"));
        assert_eq!(self.transaction(id)["cardEntered"], false);
        assert!(self.verify(id).await.contains("Issuer is undetermined"));
    }
}

#[tokio::test]
async fn the_customer_approves_rejects_or_cancels() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for (id, button, code, has_card) in [
            ("accepted", "#acceptButton", "OK", true),
            ("failed", "#failButton", "MZ", false),
            ("cancelled", "#cancelButton", "Cancel", false),
        ] {
            world.open_bank_page(id).await;
            world.press(button).await;
            world.assert_returned_with(id, code).await;
            assert_eq!(world.transaction(id)["cardEntered"], has_card, "{id}");
            assert_eq!(world.verify(id).await.contains("<ResponseCode>OK<"), has_card, "{id}");
            world.browser.goto(&world.page(id)).await.unwrap();
            assert_eq!(
                world.text("[role=status]").await,
                "The payment has already been processed."
            );
        }
        let failed = world.query("failed").await;
        for part in [
            "<ResponseCode>MZ</ResponseCode>",
            "<ResponseSource>Netaxept</ResponseSource>",
            "<ResponseText>Denied by 3D Secure</ResponseText>",
            "<MaskedPAN />",
        ] {
            assert!(failed.contains(part), "{part} in {failed}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_3d_secure_card_has_a_bank_step() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("1", &[("force3DSecure", "true")]).await;
        world.fill(VISA, "123").await;
        world.press("#okButton").await;
        world.assert_returned_with("1", "OK").await;
    })
    .await;
}
