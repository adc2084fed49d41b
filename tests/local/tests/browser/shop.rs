//! Tests of the demo shop with the whole local service, in Chromium.

mod accessibility;

use fantoccini::key::Key;
use local::{Local, Options};
use serde_json::Value;
use tokio::process::Command;

use crate::chromium::{Chromium, Scripts, wait_for};
use crate::{VISA, World};
use accessibility::pages_are_accessible;

/// Runs a test with a new local service and a browser.
async fn in_shop(scripts: Scripts, test: impl AsyncFnOnce(&World)) {
    let local = Local::start(Options::default()).await.unwrap();
    let chromium = Chromium::start(scripts).await;
    let world = World {
        nets: local.netaxept().clone(),
        clock: local.clock().clone(),
        address: local.addresses().netaxept.clone(),
        shop: format!("{}/shop", local.addresses().console),
        http: local::http_client().unwrap(),
        browser: chromium.browser(),
    };
    chromium.end_after(test(&world)).await;
}

impl World {
    /// Opens a page of the shop.
    async fn visit(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.shop)).await.unwrap();
    }

    /// Asserts that an element has a text.
    async fn assert_text(&self, css: &str, text: &str) {
        let shown = self.text(css).await;
        assert!(shown.contains(text), "{text} is not in {shown}");
    }

    /// Adds a card: the form of the shop, then the page at Nets.
    async fn add_card(&self, nickname: &str, has_consent: bool) {
        self.write("nickname", nickname).await;
        if has_consent {
            self.click("#consent").await;
        }
        self.press("#add-card").await;
        self.press(&format!("button[value='{VISA}']")).await;
        self.press("#okButton").await;
        self.assert_text("#notice", "The card is stored.").await;
    }

    /// Opens the form of an action of a card, such as `rename`.
    async fn open_action(&self, place: usize, action: &str) {
        self.click(&format!(".cards > li:nth-child({place}) .{action} summary")).await;
    }

    /// Follows the link that removes a card, reads what will change, and confirms it.
    async fn remove_card(&self, place: usize, outcome: &str) {
        self.press(&format!(".cards > li:nth-child({place}) .remove")).await;
        self.assert_text("#outcome", outcome).await;
        assert!(self.text("#call-0").await.ends_with("?dryRun=true 200"));
        self.press("#remove").await;
        self.assert_text("#notice", "The card is removed.").await;
    }

    /// Returns what the newest copy button of a kind copies: `curl` or `answer`, of a call from its place in the list.
    async fn copied(&self, kind: &str, place: usize) -> String {
        if place > 0 {
            self.click(&format!("aside li:nth-child({}) summary", place + 1)).await;
        }
        self.click(&format!("[data-copy={kind}-{place}]")).await;
        let announced = wait_for(async || (self.text("#copied").await == "Copied.").then_some(()));
        announced.await.unwrap();
        let read = "navigator.clipboard.readText().then(arguments[0])";
        let text = self.browser.execute_async(read, Vec::new()).await.unwrap();
        text.as_str().unwrap().to_owned()
    }

    async fn count(&self, css: &str) -> usize {
        let found = self.browser.find_all(fantoccini::Locator::Css(css)).await;
        found.unwrap().len()
    }
}

/// Runs commands in a shell. Returns their output.
pub(crate) async fn shell(commands: &str) -> String {
    let output = Command::new("sh").args(["-c", commands]).output().await.unwrap();
    assert!(output.status.success(), "{commands}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// From nothing to a refund, with every check that needs the same data.
#[tokio::test]
async fn a_customer_clicks_through_the_whole_shop() {
    in_shop(Scripts::Allowed, async |world: &World| {
        world.allow_clipboard().await;
        world.visit("?language=en").await;
        world.assert_accessible_in_all_variants("shop-login").await;
        world.press("#login").await;
        store_cards(world).await;
        copied_commands_work(world).await;
        buy_and_refund(world).await;
        charge_off_session(world).await;
        pages_are_accessible(world).await;
        expiry_is_announced(world).await;
        expire_and_remove(world).await;
    })
    .await;
}

async fn store_cards(world: &World) {
    world.add_card("Private", true).await;
    assert_eq!(world.count("[data-status=ACTIVE]").await, 1);
    world.add_card("Work", false).await;
    assert_eq!(world.count("[data-status=ACTIVE]").await, 2);
    world.assert_text(".cards > li:nth-child(1) .badges", "Primary").await;
    world.open_action(2, "rename").await;
    let field = world.attribute(".cards > li:nth-child(2) .rename input", "id").await;
    world.write(&field, "Office").await;
    world.press(".cards > li:nth-child(2) .rename button").await;
    world.assert_text("#notice", "The name is changed.").await;
    world.press(".cards > li:nth-child(2) .choose").await;
    world.assert_text("#promoted", "Office is your primary card now.").await;
    world.assert_text(".cards > li:nth-child(2) .badges", "Primary").await;
}

/// The copied lines are commands that work: the token first, then a call.
async fn copied_commands_work(world: &World) {
    let titles = world.count("aside li").await;
    let login = world.copied("curl", titles - 1).await;
    assert!(login.starts_with("TOKEN=$(curl "), "{login}");
    let list = world.copied("curl", 0).await;
    assert!(list.starts_with("curl -s -X GET "), "{list}");
    let cards: Value = serde_json::from_str(&shell(&format!("{login}\n{list}")).await).unwrap();
    let shown = world.copied("answer", 0).await;
    let (head, body) = shown.split_once("\n\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\ncontent-type: application/hal+json"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), cards);
    assert_eq!(cards[1]["nickname"], "Office");
    let patch = world.copied("curl", 1).await;
    assert!(patch.contains("-X PATCH") && patch.contains("-d '{\"isPrimary\":true}'"), "{patch}");
    let card: Value = serde_json::from_str(&shell(&format!("{login}\n{patch}")).await).unwrap();
    assert_eq!(card["primary"], true);
}

async fn buy_and_refund(world: &World) {
    world.press("a[href='/shop/tickets']").await;
    world.click("input[name=ticket][value='1']").await;
    world.press("#buy").await;
    world.write("securityCode", "123").await;
    world.press("#okButton").await;
    world.assert_text("h1", "Receipt").await;
    world.assert_text("#notice", "Thank you!").await;
    world.assert_text(".ticket .amount", "NOK 135.00").await;
    world.write("amount", "35.50").await;
    world.press("#refund").await;
    world.assert_text("#credited", "NOK 35.50").await;
    world.press("#refund-all").await;
    world.assert_text("#credited", "NOK 135.00").await;
    assert!(world.has(".ticket [data-status=CREDITED]").await);
    let order = world.browser.current_url().await.unwrap();
    let ledger = world.nets.ledger(order.path_segments().unwrap().next_back().unwrap());
    assert_eq!((ledger.captured_minor, ledger.credited_minor), (13_500, 13_500));
}

async fn charge_off_session(world: &World) {
    world.visit("/tickets").await;
    assert_eq!(world.count("#charge-card option").await, 1, "one card was stored with consent");
    world.press("#charge").await;
    world.assert_text(".ticket .amount", "NOK 49.50").await;
    assert!(world.has(".ticket [data-status=CAPTURED]").await);
}

/// 29 days before they expire, both cards have a notice, and its link leads to the form for another card.
async fn expiry_is_announced(world: &World) {
    world.visit("/cards?language=en").await;
    assert_eq!(world.count(".expiring").await, 0);
    world.press("#move-to-notice").await;
    assert_eq!((world.count(".expiring").await, world.count("[data-status=ACTIVE]").await), (2, 2));
    world.assert_text(".expiring", "Private").await;
    world.click(".expiring a").await;
    assert_eq!(world.focused_id().await, "add");
    for lang in ["nb", "nn", "en"] {
        world.visit(&format!("/cards?language={lang}")).await;
        world.assert_accessible_in_all_variants(&format!("shop-{lang}-expiring")).await;
    }
}

async fn expire_and_remove(world: &World) {
    world.visit("/cards?language=en").await;
    world.press("#move-clock").await;
    assert_eq!(world.count("[data-status=EXPIRED]").await, 2);
    assert_eq!(world.count(".badge.primary").await, 0);
    for left in [1, 0] {
        world.remove_card(1, "You will have no active card.").await;
        assert_eq!(world.count(".cards > li").await, left);
    }
    world.assert_text("main", "You have no stored cards yet.").await;
    world.press(".removed li:nth-child(3) a").await;
    world.assert_text("h1", "What has happened to Office").await;
    world.assert_text(".log li:nth-last-child(2)", "The card expired.").await;
    world.assert_text(".log li:nth-last-child(1)", "The card was removed.").await;
}

/// Without scripts and with the keyboard only: log in, add a card, rename it, and read its answer.
#[tokio::test]
async fn the_keyboard_is_enough_and_scripts_are_not_needed() {
    in_shop(Scripts::Forbidden, async |world: &World| {
        world.visit("?language=en").await;
        world.tab().await;
        world.assert_text(":focus", "Skip to the content").await;
        world.navigate_within(Key::Enter).await;
        assert_eq!(world.focused_id().await, "content");
        world.tab_to("login").await;
        world.navigate(world.type_keys(&Key::Enter)).await;
        world.tab_to("nickname").await;
        world.type_keys("Keys").await;
        world.tab_to("consent").await;
        world.type_keys(" ").await;
        world.tab_to("add-card").await;
        world.navigate(world.type_keys(&Key::Enter)).await;
        for (field, keys) in
            [("cardNo", VISA), ("month", "12"), ("year", "3"), ("securityCode", "123")]
        {
            world.tab_to(field).await;
            world.type_keys(keys).await;
        }
        world.navigate(world.type_keys(&Key::Enter)).await;
        assert_eq!(world.focused_id().await, "notice", "screen readers start at the message");
        world.assert_text("#notice", "The card is stored.").await;
        world.assert_text("[data-status=ACTIVE]", "Active").await;
        world.assert_text(".about .note", "may charge this card").await;
        world.assert_text("#answer-0", "\"nickname\": \"Keys\"").await;
        assert_eq!(world.count("[data-copy]:not([hidden])").await, 0, "copying needs scripts");
        rename_with_keys(world).await;
        remove_with_keys(world).await;
    })
    .await;
}

async fn rename_with_keys(world: &World) {
    let field = world.attribute(".rename input", "id").await;
    world.tab_to_text("Rename").await;
    world.type_keys(&Key::Enter).await;
    world.tab().await;
    assert_eq!(world.focused_id().await, field);
    world.type_keys("Renamed").await;
    world.navigate(world.type_keys(&Key::Enter)).await;
    world.assert_text(".card h2", "Renamed").await;
}

async fn remove_with_keys(world: &World) {
    world.tab_to_text("What has happened").await;
    world.navigate(world.type_keys(&Key::Enter)).await;
    world.assert_text(".log li:nth-last-child(1)", "the card was stored.").await;
    world.tab_to_text("Back to my cards").await;
    world.navigate(world.type_keys(&Key::Enter)).await;
    world.tab_to_text("Remove").await;
    world.navigate(world.type_keys(&Key::Enter)).await;
    world.assert_text("#outcome", "You will have no active card.").await;
    world.tab_to("remove").await;
    world.navigate(world.type_keys(&Key::Enter)).await;
    assert_eq!(world.focused_id().await, "notice");
    world.assert_text("#notice", "The card is removed.").await;
}

impl World {
    /// Presses Tab until an element with a text has the focus.
    async fn tab_to_text(&self, text: &str) {
        let found = wait_for(async || {
            self.tab().await;
            self.text(":focus").await.starts_with(text).then_some(())
        });
        found.await.unwrap();
    }

    /// Presses Tab until an element has the focus. Asserts that each element on the way shows that it has it.
    async fn tab_to(&self, id: &str) {
        for _ in 0..80 {
            self.tab().await;
            let element = self.browser.active_element().await.unwrap();
            if element.tag_name().await.unwrap() != "body" {
                let style = element.css_value("outline-style").await.unwrap();
                assert_eq!(style, "solid", "{:?}", element.html(false).await);
            }
            if self.focused_id().await == id {
                return;
            }
        }
        panic!("Tab does not reach {id}");
    }

    /// Presses a key that moves within the page.
    async fn navigate_within(&self, key: Key) {
        self.type_keys(&key).await;
        let moved = wait_for(async || (!self.focused_id().await.is_empty()).then_some(()));
        moved.await.unwrap();
    }
}
