//! Tests of the terminal page and the API page in Debian's Chromium. They write screenshots to `target`.
//! Run them with `cargo test --workspace --test browser`.

#![expect(clippy::unwrap_used, reason = "a test fails when it cannot continue")]

mod api_page;
mod appearance;
mod bank;
mod buttons;
mod chromium;
mod console;
mod keyboard;
mod languages;
mod shop;
mod validation;

use axum::Router;
use chromium::{Chromium, Scripts, wait_for};
use fantoccini::{Client, Locator};
use local::clock::Clock;
use local::netaxept::{MERCHANT_ID, Netaxept, TOKEN};
use serde_json::Value;

/// A card that is accepted.
const VISA: &str = "4925000000000004";

/// A sandbox, a shop, and a browser.
struct World {
    nets: Netaxept,
    clock: Clock,
    address: String,
    shop: String,
    http: reqwest::Client,
    browser: Client,
}

/// Runs a test with a new world, and closes the browser afterwards, even if the test fails.
async fn in_browser(scripts: Scripts, test: impl AsyncFnOnce(&World)) {
    let http = local::http_client().unwrap();
    let chromium = Chromium::start(scripts).await;
    let clock = Clock::default();
    let (nets, address) = Netaxept::start(0, clock.clone()).await.unwrap();
    let browser = chromium.browser();
    let world = World { nets, clock, address, shop: start_shop().await, http, browser };
    chromium.end_after(test(&world)).await;
}

/// Starts the shop that customers return to. Returns its address.
async fn start_shop() -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || "The shop.");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl World {
    async fn call(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let credentials = [("merchantId", MERCHANT_ID), ("token", TOKEN)];
        let form: Vec<_> = credentials.iter().chain(parameters).collect();
        let url = format!("{}/Netaxept/{operation}.aspx", self.address);
        self.http.post(url).form(&form).send().await.unwrap().text().await.unwrap()
    }

    async fn verify(&self, id: &str) -> String {
        self.call("Process", &[("transactionId", id), ("operation", "VERIFY")]).await
    }

    async fn query(&self, id: &str) -> String {
        self.call("Query", &[("transactionId", id)]).await
    }

    /// Registers a transaction and opens its page. It only stores a card, unless `more` has an amount.
    async fn open(&self, id: &str, more: &[(&str, &str)]) {
        let redirect = format!("{}/back", self.shop);
        let order = [
            ("transactionId", id),
            ("orderNumber", "4711"),
            ("recurringType", "S"),
            ("redirectUrl", &redirect),
        ];
        let is_purchase = more.iter().any(|(name, _)| *name == "amount");
        let store_only = [("updateStoredPaymentInfo", "true")];
        let store_only = if is_purchase { &store_only[1..] } else { &store_only[..] };
        let all: Vec<_> = order.iter().chain(store_only).chain(more).copied().collect();
        let reply = self.call("Register", &all).await;
        assert!(reply.contains("RegisterResponse"), "{reply}");
        self.browser.goto(&self.page(id)).await.unwrap();
    }

    /// Returns the address of a transaction's page.
    fn page(&self, id: &str) -> String {
        format!(
            "{}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId={id}",
            self.address
        )
    }

    async fn click(&self, css: &str) {
        self.browser.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    async fn write(&self, field: &str, text: &str) {
        let field = self.browser.find(Locator::Id(field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks an element that opens another page, and waits until the browser has left the current page.
    async fn press(&self, css: &str) {
        self.navigate(self.click(css)).await;
    }

    /// Runs an action that opens another page. The driver can answer before the browser has left the current page, so this function
    /// waits for that.
    async fn navigate(&self, action: impl Future<Output = ()>) {
        let page = self.browser.find(Locator::Css("html")).await.unwrap();
        action.await;
        // During the navigation, the driver also answers with other errors.
        let has_left = async || {
            let error = page.tag_name().await.err()?;
            (error.is_stale_element_reference() || error.is_no_such_element()).then_some(())
        };
        wait_for(has_left).await.unwrap();
    }

    /// Selects the option with a value.
    async fn choose(&self, field: &str, value: &str) {
        self.click(&format!("#{field} option[value='{value}']")).await;
    }

    /// Fills in the form, with an expiry date in December two years from now.
    async fn fill(&self, number: &str, code: &str) {
        self.write("cardNo", number).await;
        self.choose("month", "12").await;
        self.click("#year option:nth-child(4)").await;
        self.write("securityCode", code).await;
    }

    async fn text(&self, css: &str) -> String {
        self.browser.find(Locator::Css(css)).await.unwrap().text().await.unwrap()
    }

    async fn attribute(&self, css: &str, name: &str) -> String {
        let element = self.browser.find(Locator::Css(css)).await.unwrap();
        element.attr(name).await.unwrap().unwrap_or_default()
    }

    /// Returns the current value of a field.
    async fn value(&self, field: &str) -> String {
        let field = self.browser.find(Locator::Id(field)).await.unwrap();
        field.prop("value").await.unwrap().unwrap_or_default()
    }

    async fn has(&self, css: &str) -> bool {
        !self.browser.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// Returns the id of the element that has the focus.
    async fn focused_id(&self) -> String {
        self.browser.active_element().await.unwrap().attr("id").await.unwrap().unwrap_or_default()
    }

    /// Asserts that the browser is back at the shop with this response code.
    async fn assert_returned_with(&self, id: &str, code: &str) {
        let expected = format!("{}/back?transactionId={id}&responseCode={code}", self.shop);
        assert_eq!(self.browser.current_url().await.unwrap().as_str(), expected);
    }

    /// Returns the sandbox's data about a transaction.
    fn transaction(&self, id: &str) -> Value {
        let all = self.nets.transactions();
        let mut all = all.as_array().unwrap().iter();
        all.find(|one| one["transactionId"] == id).unwrap()["transaction"].clone()
    }
}
