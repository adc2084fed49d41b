//! Tests of the buttons of the terminal page.

use crate::chromium::Scripts;
use crate::{VISA, World, in_browser};

/// The English names of the test cards, and their numbers.
const TEST_CARDS: [(&str, &str); 10] = [
    ("Visa", VISA),
    ("Mastercard", "5413000000000000"),
    ("American Express", "378282246310005"),
    ("Visa that is declined", "4925000000000087"),
    ("Visa that cannot be captured", "4925000000000079"),
    ("Visa with 3-D Secure", "4925000000000103"),
    ("Visa that needs 3-D Secure (1A)", "4925000000000111"),
    ("Mastercard that needs 3-D Secure (65)", "5413000000000018"),
    ("Visa that is blocked permanently (PB)", "4925000000000129"),
    ("Visa that is blocked temporarily (TB)", "4925000000000137"),
];

#[tokio::test]
async fn paying_and_cancelling_redirect_to_the_shop() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("paid", &[]).await;
        world.fill("4925 0000 0000 0004", "123").await;
        world.press("#okButton").await;
        world.assert_returned_with("paid", "OK").await;
        assert!(world.verify("paid").await.contains("<ResponseCode>OK<"));
        world.browser.goto(&world.page("paid")).await.unwrap();
        assert_eq!(world.text("[role=status]").await, "Transaksjonen er allerede behandlet.");
        world.open("cancelled", &[]).await;
        world.press("#cancelButton").await;
        world.assert_returned_with("cancelled", "Cancel").await;
        assert_eq!(world.transaction("cancelled")["cancelled"], true);
    })
    .await;
}

#[tokio::test]
async fn the_refuse_button_declines_any_input() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for (id, number) in [("valid", VISA), ("empty", ""), ("invalid", "x")] {
            world.open(id, &[]).await;
            world.fill(number, "123").await;
            world.press("#refuseButton").await;
            world.assert_returned_with(id, "OK").await;
            let reply = world.verify(id).await;
            assert!(
                reply.contains("BBSException") && reply.contains("<ResponseCode>99<"),
                "{reply}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_time_out_button_ends_only_one_session() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("other", &[("language", "en_GB")]).await;
        world.open("late", &[("language", "en_GB")]).await;
        world.fill(VISA, "123").await;
        world.press("#timeOutButton").await;
        let timed_out = "The time is up. Go back to the shop and try again.";
        assert_eq!(world.text("[role=status]").await, timed_out);
        assert!(!world.has("#okButton").await);
        assert!(world.verify("late").await.contains("Issuer is undetermined"));
        world.browser.goto(&world.page("late")).await.unwrap();
        assert_eq!(world.text("[role=status]").await, timed_out);
        world.browser.goto(&world.page("other")).await.unwrap();
        assert!(world.has("#okButton").await);
    })
    .await;
}

#[tokio::test]
async fn a_test_card_fills_in_the_form_without_paying() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        for (place, (name, number)) in TEST_CARDS.into_iter().enumerate() {
            let id = place.to_string();
            world.open(&id, &[("language", "en_GB")]).await;
            let button = format!("button[name=testCard][value='{number}']");
            assert_eq!(world.text(&format!("{button} span")).await, name);
            world.press(&button).await;
            assert_eq!(world.value("cardNo").await, number);
            assert_eq!(world.transaction(&id)["cardEntered"], false, "{name}");
            world.press("#okButton").await;
            if name.contains("3-D Secure") {
                assert!(world.has("#acceptButton").await);
                continue;
            }
            world.assert_returned_with(&id, "OK").await;
            let end = format!("{}</MaskedPAN>", &number[number.len() - 4..]);
            assert!(world.query(&id).await.contains(&end), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_purchase_shows_its_amount() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        let purchase = [("amount", "123450"), ("currencyCode", "NOK"), ("language", "en_GB")];
        world.open("bought", &purchase).await;
        assert_eq!(world.text("h1").await, "Pay by card");
        assert_eq!(
            world.text("dl").await,
            "Merchant\nSandbox\nOrder number\n4711\nAmount\nNOK 1,234.50"
        );
        assert_eq!(world.text("#okButton").await, "Pay NOK 1,234.50");
        world.open("stored", &[("language", "en_GB")]).await;
        assert_eq!(world.text("dl").await, "Merchant\nSandbox\nOrder number\n4711");
        assert!(world.text("main").await.contains("Nothing is charged now."));
    })
    .await;
}

#[tokio::test]
async fn a_stored_card_needs_only_its_security_code() {
    in_browser(Scripts::Forbidden, async |world: &World| {
        world.open("first", &[]).await;
        world.fill(VISA, "123").await;
        world.press("#okButton").await;
        world.verify("first").await;
        let query = world.query("first").await;
        let (_, pan_hash) = query.split_once("<PanHash>").unwrap();
        let (pan_hash, _) = pan_hash.split_once('<').unwrap();
        let more = [
            ("amount", "100"),
            ("currencyCode", "NOK"),
            ("panHash", pan_hash),
            ("recurringUse3DS", "true"),
        ];
        world.open("later", &more).await;
        assert!(!world.has("#cardNo").await && !world.has("button[name=testCard]").await);
        assert!(world.text("dl").await.contains("Visa 492500******0004"));
        world.write("securityCode", "12").await;
        world.press("#okButton").await;
        assert!(world.text("#securityCode-error").await.contains("tre sifre"));
        world.write("securityCode", "123").await;
        world.press("#okButton").await;
        world.assert_returned_with("later", "OK").await;
    })
    .await;
}
