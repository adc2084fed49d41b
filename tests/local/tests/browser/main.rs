//! The terminal's pages and the API's page in Debian's Chromium, with pictures of them in `target`:
//! `cargo test -p local --features browser --test browser`.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod api_page;
mod bank;
mod buttons;
mod chromium;
mod keyboard;
mod languages;
mod looks;
mod rubbish;

use axum::Router;
use chromium::{Chromium, Scripts};
use local::clock::Clock;
use local::netaxept::{MERCHANT_ID, Netaxept, TOKEN};
use reqwest::Client;
use serde_json::Value;
use thirtyfour::extensions::query::ElementWaitable;
use thirtyfour::{By, WebDriver};

/// A card that goes well.
const VISA: &str = "4925000000000004";

/// A sandbox, a shop, and somebody with a browser.
struct World {
    nets: Netaxept,
    clock: Clock,
    address: String,
    shop: String,
    http: Client,
    browser: WebDriver,
}

/// Runs a test with a world of its own, and ends the browser whatever came of it.
async fn in_browser(scripts: Scripts, test: impl AsyncFnOnce(&World)) {
    let http = local::http_client().unwrap();
    let chromium = Chromium::start(http.clone(), scripts).await;
    let clock = Clock::default();
    let (nets, address) = Netaxept::start(0, clock.clone()).await.unwrap();
    let browser = chromium.browser();
    let world = World { nets, clock, address, shop: shop().await, http, browser };
    chromium.end_after(test(&world)).await;
}

/// Where customers come back to: the address.
async fn shop() -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || "The shop.");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl World {
    async fn call(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let known = [("merchantId", MERCHANT_ID), ("token", TOKEN)];
        let form: Vec<_> = known.iter().chain(parameters).collect();
        let url = format!("{}/Netaxept/{operation}.aspx", self.address);
        self.http.post(url).form(&form).send().await.unwrap().text().await.unwrap()
    }

    async fn verify(&self, id: &str) -> String {
        self.call("Process", &[("transactionId", id), ("operation", "VERIFY")]).await
    }

    async fn query(&self, id: &str) -> String {
        self.call("Query", &[("transactionId", id)]).await
    }

    /// Registers a card to be stored, or what else is asked for, and goes to its page.
    async fn open(&self, id: &str, more: &[(&str, &str)]) {
        let redirect = format!("{}/back", self.shop);
        let stored = [
            ("transactionId", id),
            ("orderNumber", "4711"),
            ("recurringType", "S"),
            ("redirectUrl", &redirect),
        ];
        let is_purchase = more.iter().any(|(name, _)| *name == "amount");
        let only = [("updateStoredPaymentInfo", "true")];
        let only = if is_purchase { &only[1..] } else { &only[..] };
        let all: Vec<_> = stored.iter().chain(only).chain(more).copied().collect();
        let reply = self.call("Register", &all).await;
        assert!(reply.contains("RegisterResponse"), "{reply}");
        self.browser.goto(self.page(id)).await.unwrap();
    }

    fn page(&self, id: &str) -> String {
        format!(
            "{}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId={id}",
            self.address
        )
    }

    async fn click(&self, css: &str) {
        self.browser.find(By::Css(css)).await.unwrap().click().await.unwrap();
    }

    async fn write(&self, field: &str, text: &str) {
        let field = self.browser.find(By::Id(field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks what leads to another page, and waits for that.
    async fn press(&self, css: &str) {
        self.leave(self.click(css)).await;
    }

    /// Does what leads to another page. The driver alone may answer before the browser has left this one.
    async fn leave(&self, how: impl Future<Output = ()>) {
        let page = self.browser.find(By::Tag("html")).await.unwrap();
        how.await;
        page.wait_until().stale().await.unwrap();
    }

    /// Chooses from a list, by the value.
    async fn choose(&self, field: &str, value: &str) {
        self.click(&format!("#{field} option[value='{value}']")).await;
    }

    /// Fills the form; December of some year.
    async fn fill(&self, number: &str, code: &str) {
        self.write("cardNo", number).await;
        self.choose("month", "12").await;
        self.click("#year option:nth-child(4)").await;
        self.write("securityCode", code).await;
    }

    async fn text(&self, css: &str) -> String {
        self.browser.find(By::Css(css)).await.unwrap().text().await.unwrap()
    }

    async fn attribute(&self, css: &str, name: &str) -> String {
        let element = self.browser.find(By::Css(css)).await.unwrap();
        element.attr(name).await.unwrap().unwrap_or_default()
    }

    /// What a field holds now.
    async fn value(&self, field: &str) -> String {
        let field = self.browser.find(By::Id(field)).await.unwrap();
        field.value().await.unwrap().unwrap_or_default()
    }

    async fn has(&self, css: &str) -> bool {
        !self.browser.find_all(By::Css(css)).await.unwrap().is_empty()
    }

    async fn focused(&self) -> String {
        self.browser.active_element().await.unwrap().attr("id").await.unwrap().unwrap_or_default()
    }

    async fn is_back_with(&self, id: &str, code: &str) {
        let expected = format!("{}/back?transactionId={id}&responseCode={code}", self.shop);
        assert_eq!(self.browser.current_url().await.unwrap().as_str(), expected);
    }

    /// What the sandbox tells of a transaction.
    fn told(&self, id: &str) -> Value {
        let all = self.nets.transactions();
        let mut all = all.as_array().unwrap().iter();
        all.find(|one| one["transactionId"] == id).unwrap()["transaction"].clone()
    }
}
