//! Tests of the console's pages with the whole local service, in Chromium.

use fantoccini::Locator;
use local::commands::first_commands;
use local::{Local, Options};
use serde_json::json;

use crate::chromium::{Chromium, Scripts, wait_for};
use crate::shop::shell;
use crate::{VISA, World};

/// A local service that records its activity, and a browser.
async fn in_console(test: impl AsyncFnOnce(&World, &Local)) {
    let options = Options { activity: true, ..Options::default() };
    let local = Local::start(options).await.unwrap();
    let chromium = Chromium::start(Scripts::Allowed).await;
    let world = World {
        nets: local.netaxept().clone(),
        clock: local.clock().clone(),
        address: local.addresses().netaxept.clone(),
        shop: local.addresses().console.clone(),
        http: local::http_client().unwrap(),
        browser: chromium.browser(),
    };
    chromium.end_after(test(&world, &local)).await;
}

impl World {
    async fn open_console(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.shop)).await.unwrap();
    }

    /// The texts of the entries, newest first.
    async fn entries(&self) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll('#entries > li')].map(entry => entry.innerText)";
        let texts = self.browser.execute(script, Vec::new()).await.unwrap();
        serde_json::from_value(texts).unwrap()
    }

    /// Waits until the entries are as expected.
    async fn wait_for_entries(&self, what: &str, expected: impl Fn(&[String]) -> bool) {
        let found =
            wait_for(async || Some(self.entries().await).filter(|entries| expected(entries)));
        assert!(found.await.is_some(), "{what}: {:?}", self.entries().await);
    }

    async fn wait_for_state(&self, text: &str) {
        let found = wait_for(async || (self.text("#state").await == text).then_some(()));
        assert!(found.await.is_some(), "{text}: {}", self.text("#state").await);
    }

    /// Sends a request without a token to the API.
    async fn request(&self, local: &Local, path: &str) {
        let answer =
            self.http.get(format!("{}{path}", local.addresses().api)).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
}

fn has(entries: &[String], text: &str) -> bool {
    entries.iter().any(|entry| entry.contains(text))
}

#[tokio::test]
async fn an_event_arrives_without_a_reload_and_the_list_can_be_paused_and_filtered() {
    in_console(async |world: &World, local: &Local| {
        world.open_console("/activity").await;
        world.wait_for_state("Live.").await;
        world.browser.execute("window.isSamePage = true", Vec::new()).await.unwrap();
        world.click("#text").await;
        world.request(local, "/first").await;
        world.wait_for_entries("live", |entries| has(entries, "GET /first → 404")).await;
        assert_eq!(world.focused_id().await, "text");

        world.click("#pause").await;
        world.request(local, "/second").await;
        world.wait_for_state("Paused: 1 new entry.").await;
        assert!(!has(&world.entries().await, "/second"));
        world.click("#pause").await;
        world
            .wait_for_entries("resumed", |entries| {
                has(entries, "/second") && has(entries, "/first")
            })
            .await;

        world.write("text", "third").await;
        world.wait_for_entries("filtered", <[String]>::is_empty).await;
        world.wait_for_state("Live.").await;
        world.request(local, "/fourth").await;
        world.request(local, "/third").await;
        world.wait_for_entries("filtered live", |entries| has(entries, "/third")).await;
        assert_eq!((world.entries().await.len(), world.focused_id().await.as_str()), (1, "text"));
        world.write("text", "").await;
        world.click("input[value=nets]").await;
        world.wait_for_entries("only Nets", <[String]>::is_empty).await;

        let is_same_page =
            world.browser.execute("return window.isSamePage", Vec::new()).await.unwrap();
        assert_eq!(is_same_page, json!(true), "the page was loaded again");
    })
    .await;
}

/// Stores a card and pays with it in the shop. Then every page has content.
async fn fill(world: &World) {
    world.open_console("/shop?language=en").await;
    world.press("#login").await;
    world.write("nickname", "Private").await;
    world.press("#add-card").await;
    world.press(&format!("button[value='{VISA}']")).await;
    world.press("#okButton").await;
    world.open_console("/shop/tickets").await;
    world.press("#buy").await;
    world.write("securityCode", "123").await;
    world.press("#okButton").await;
}

/// The pages in the menu: names of screenshots, and paths.
const PAGES: [(&str, &str); 7] = [
    ("overview", "/"),
    ("customers", "/customers"),
    ("activity", "/activity"),
    ("faults", "/faults"),
    ("logs", "/function-logs"),
    ("inbox", "/inbox"),
    ("nets", "/nets"),
];

/// Asserts that no page has the pan hash that is in the table, a token, or another secret.
async fn assert_no_secrets(world: &World, local: &Local, items: &[&str]) {
    let wallets = local.dynamodb().call("Scan", &json!({ "TableName": "Wallets" })).await.unwrap();
    let wallets = wallets.to_string();
    let pan_hash =
        wallets.split_once("\"panHash\":{\"S\":\"").unwrap().1.split('"').next().unwrap();
    let mut shown = String::new();
    for path in PAGES.iter().map(|(_, path)| path).chain(items) {
        let page = world.http.get(format!("{}{path}", world.shop)).header("accept", "text/html");
        shown.push_str(&page.send().await.unwrap().text().await.unwrap());
    }
    assert!(shown.contains("[removed]") && shown.contains("Process VERIFY"), "{shown}");
    for secret in [pan_hash, "eyJ", local::netaxept::TOKEN, local::netaxept::CALLBACK_SECRET] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn every_page_is_accessible_and_has_no_secret() {
    in_console(async |world: &World, local: &Local| {
        fill(world).await;
        // A second customer: the commands that `cargo local` prints.
        let commands = first_commands(local.addresses()).map(|command| command.text);
        shell(&commands.join("\n")).await;
        local.netaxept().inject_fault(
            local::netaxept::Operation::Query,
            local::netaxept::FaultKind::Delay,
            3,
        );
        let inbox = format!("{}/inbox", world.shop);
        world.http.post(inbox).json(&json!({ "type": "payment.captured" })).send().await.unwrap();
        for (name, path) in PAGES {
            world.open_console(path).await;
            world.assert_accessible_in_all_variants(&format!("console-{name}")).await;
        }
        world.open_console("/customers").await;
        let payment = world.attribute("td a[id^=p]", "href").await;
        world.open_console(&payment).await;
        world.wait_for_entries("history", |entries| has(entries, "CREATED → INITIATED")).await;
        world.assert_accessible_in_all_variants("console-payment").await;
        world.open_console("/customers").await;
        let card = world.attribute("td a[id^=r]", "href").await;
        world.open_console(&card).await;
        world
            .wait_for_entries("history", |entries| {
                has(entries, "Audit line") && has(entries, "Nets") && has(entries, "Table write")
            })
            .await;
        world.click("#entries li summary").await;
        assert!(world.browser.find(Locator::Css("#entries details[open] pre")).await.is_ok());
        world.assert_accessible_in_all_variants("console-recurring-payment").await;
        assert_no_secrets(world, local, &[&payment, &card]).await;
    })
    .await;
}
