//! The shop with the real functions, over HTTP and without a browser.

mod card_pages;
mod security;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::netaxept::{FaultKind, Operation};
use crate::{Local, Options, http_client};

/// A card that is accepted.
const VISA: &str = "4925000000000004";
/// Another card that is accepted.
const MASTERCARD: &str = "5413000000000000";
/// A card that the issuer declines when it is charged or verified.
const REFUSED: &str = "4925000000000087";

/// A browser: it keeps the session's cookie.
struct Browser {
    local: Local,
    http: Client,
    cookie: String,
}

/// A page, or a redirect.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    location: String,
    text: String,
}

impl Page {
    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&start).unwrap_or_else(|| panic!("{name}: {self:?}"));
        rest.split('"').next().unwrap().to_owned()
    }

    fn assert_shows(&self, text: &str) {
        assert!(self.text.contains(text), "{text} is not in {}", self.text);
    }

    /// Asserts that it is a redirect to a page of the shop.
    fn assert_leads_to(&self, path: &str) {
        assert_eq!(
            (self.status, self.location.as_str()),
            (StatusCode::SEE_OTHER, path),
            "{self:?}"
        );
    }
}

impl Browser {
    /// Starts a local service, and logs in.
    async fn logged_in() -> Self {
        let local = Local::start(Options::default()).await.unwrap();
        Self::of_customer(&local, "demo-kari").await
    }

    async fn of_customer(local: &Local, customer: &str) -> Self {
        let mut browser =
            Self { local: local.clone(), http: http_client().unwrap(), cookie: String::new() };
        let form = [("customer", "demo-kari"), ("other", customer)];
        let request = browser.http.post(browser.url("/shop/login")).form(&form);
        let response = request.header("accept-language", "en").send().await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/shop; HttpOnly; SameSite=Lax"), "{cookie}");
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.local.addresses().console)
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let request = request.header("cookie", &self.cookie).header("accept-language", "en");
        let response = request.send().await.unwrap();
        let location = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let (status, location) = (response.status(), location.unwrap_or_default());
        Page { status, location, text: response.text().await.unwrap() }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(self.url(path))).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(self.http.post(self.url(path)).form(form)).await
    }

    /// Fills in the page at Nets, with a card that is valid for long, and returns to the shop.
    async fn complete_terminal(&self, terminal: &Page, number: &str) -> Page {
        self.enter_card(terminal, number, ["12", "39"]).await
    }

    /// Fills in the page at Nets, with a card that is valid until a month and year, and returns to the shop.
    async fn enter_card(&self, terminal: &Page, number: &str, [month, year]: [&str; 2]) -> Page {
        let uri = &terminal.location;
        assert!(uri.starts_with(&self.local.addresses().netaxept), "{terminal:?}");
        let form = [
            ("cardNo", number),
            ("month", month),
            ("year", year),
            ("securityCode", "123"),
            ("okButton", "x"),
        ];
        let left = self.send(self.http.post(uri).form(&form)).await;
        let path = left.location.strip_prefix(&self.local.addresses().console).map(str::to_owned);
        self.get(&path.unwrap_or_else(|| panic!("{left:?}"))).await
    }

    /// Adds a card. `consent` lets the shop charge it without the customer. Returns its id.
    async fn add_card(&self, nickname: &str, consent: bool) -> String {
        let terminal = self.begin_card(nickname, consent).await;
        self.complete_terminal(&terminal, VISA).await.assert_leads_to("/shop/cards");
        self.stored_card().await
    }

    /// Sends the form that adds a card. Returns the redirect to the page at Nets.
    async fn begin_card(&self, nickname: &str, consent: bool) -> Page {
        let key = self.get("/shop/cards").await.field("key");
        let mut form = vec![("key", key.as_str()), ("nickname", nickname)];
        form.extend(consent.then_some(("consent", "yes")));
        self.post("/shop/cards", &form).await
    }

    /// Asserts that a card was stored. Returns the id of the newest one.
    async fn stored_card(&self) -> String {
        let page = self.get("/shop/cards").await;
        page.assert_shows("The card is stored.");
        let (_, last) = page.text.rsplit_once("id=\"card-").unwrap();
        last.split('"').next().unwrap().to_owned()
    }

    /// Buys the first ticket. Returns the order id.
    async fn buy(&self, card: &str) -> String {
        let order = self.get("/shop/tickets").await.field("order");
        let form = [("order", order.as_str()), ("ticket", "0"), ("card", card)];
        let terminal = self.post("/shop/orders", &form).await;
        let back = self.complete_terminal(&terminal, VISA).await;
        back.assert_leads_to(&format!("/shop/orders/{order}"));
        order
    }

    /// What Nets captured and credited for an order, in minor units.
    fn captured_and_credited(&self, order: &str) -> (u64, u64) {
        let ledger = self.local.netaxept().ledger(order);
        (ledger.captured_minor, ledger.credited_minor)
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_stores_buys_and_refunds_once() {
    let browser = Browser::logged_in().await;
    let key = browser.get("/shop/cards").await.field("key");
    let form = [("key", key.as_str()), ("nickname", "Twice")];
    browser.post("/shop/cards", &form).await;
    let terminal = browser.post("/shop/cards", &form).await;
    browser.complete_terminal(&terminal, VISA).await.assert_leads_to("/shop/cards");
    assert_eq!(browser.get("/shop/cards").await.text.matches("id=\"card-").count(), 1);
    let card = browser.add_card("", false).await;
    let order = browser.get("/shop/tickets").await.field("order");
    let form = [("order", order.as_str()), ("ticket", "0"), ("card", &card)];
    let first = browser.post("/shop/orders", &form).await;
    let second = browser.post("/shop/orders", &form).await;
    let page = format!("/shop/orders/{order}");
    browser.complete_terminal(&second, VISA).await.assert_leads_to(&page);
    browser.complete_terminal(&first, VISA).await.assert_leads_to(&page);
    browser.post("/shop/orders", &form).await.assert_leads_to(&page);
    assert_eq!(browser.captured_and_credited(&order), (4500, 0));

    let receipt = browser.get(&page).await;
    receipt.assert_shows("<h1>Receipt</h1>");
    receipt.assert_shows("NOK\u{a0}45.00");
    let refund = [("credited", receipt.field("credited")), ("amount", "10,5".to_owned())];
    let refund = refund.each_ref().map(|(name, value)| (*name, value.as_str()));
    for _ in 0..2 {
        browser.post(&format!("{page}/refund"), &refund).await.assert_leads_to(&page);
        browser.get(&page).await.assert_shows("NOK\u{a0}10.50 has been refunded in all.");
        assert_eq!(browser.captured_and_credited(&order), (4500, 1050));
    }
    for (amount, message) in
        [("-1", "Write an amount"), ("0", "Write an amount"), ("50", "more than you have paid")]
    {
        browser.post(&format!("{page}/refund"), &[("credited", "10.50"), ("amount", amount)]).await;
        browser.get(&page).await.assert_shows(message);
    }
    assert_eq!(browser.captured_and_credited(&order), (4500, 1050));
    browser.post(&format!("{page}/refund"), &[]).await.assert_leads_to(&page);
    browser.get(&page).await.assert_shows("data-status=\"CREDITED\"");
    assert_eq!(browser.captured_and_credited(&order), (4500, 4500));
    browser.get("/shop/tickets").await.assert_shows("data-status=\"CREDITED\"");
}

#[tokio::test]
async fn a_card_with_consent_is_charged_without_the_customer() {
    let browser = Browser::logged_in().await;
    let without = browser.add_card("Without", false).await;
    browser
        .get("/shop/tickets")
        .await
        .assert_shows("None of the cards was stored with your consent");
    let with = browser.add_card("With", true).await;
    let order = browser.get("/shop/tickets").await.text;
    let order = order.split("value=\"trip-").nth(1).unwrap().split('"').next().unwrap();
    let order = format!("trip-{order}");
    for _ in 0..2 {
        let charged = browser.post("/shop/charges", &[("order", &order), ("card", &with)]).await;
        charged.assert_leads_to(&format!("/shop/orders/{order}"));
    }
    assert_eq!(browser.captured_and_credited(&order), (4950, 0));
    browser.post("/shop/charges", &[("order", "trip-2"), ("card", &without)]).await;
    let refused = browser.get("/shop/orders/trip-2").await;
    refused.assert_shows("The card was stored without your consent");
    assert_eq!(browser.captured_and_credited("trip-2"), (0, 0));
}

/// The clock is moved by three years, so the token expires too: the shop gets a new one.
#[tokio::test]
async fn a_card_expires_when_the_clock_is_moved() {
    let browser = Browser::logged_in().await;
    browser.add_card("Old", false).await;
    browser.post("/shop/clock", &[("advance", "P3Y")]).await.assert_leads_to("/shop/cards");
    let page = browser.get("/shop/cards").await;
    page.assert_shows("data-status=\"EXPIRED\"");
    let titles = page.text.split("<span class=\"title\">").skip(1);
    let titles: Vec<_> =
        titles.map(|rest| rest.split("</span></summary>").next().unwrap()).collect();
    assert!(titles[0].starts_with("GET ") && titles[0].ends_with(">200"), "{titles:?}");
    assert!(
        titles[1].starts_with("POST /oauth/token") && titles[1].ends_with(">200"),
        "{titles:?}"
    );
    assert!(titles[2].starts_with("GET ") && titles[2].ends_with(">401"), "{titles:?}");
    assert!(!page.text.contains("eyJ"), "a token is on the page");
    let card = browser.add_card("New", false).await;
    browser.buy(&card).await;
}

#[tokio::test]
async fn the_page_says_which_card_became_primary() {
    let browser = Browser::logged_in().await;
    let first = browser.add_card("First", false).await;
    let second = browser.add_card("Second", false).await;
    let assert_promoted = async |card: &str| {
        let page = browser.get("/shop/cards").await;
        page.assert_shows(&format!("{card} is your primary card now."));
        let again = browser.get("/shop/cards").await;
        assert!(!again.text.contains("is your primary card now."));
    };
    browser.post(&format!("/shop/cards/{second}/primary"), &[]).await;
    assert_promoted("Second").await;
    browser.post(&format!("/shop/cards/{first}/nickname"), &[("nickname", "Renamed")]).await;
    browser.post(&format!("/shop/cards/{second}/remove"), &[]).await;
    assert_promoted("Renamed").await;
    browser
        .post(&format!("/shop/cards/{first}/nickname"), &[("nickname", "4925 0000 0000 0004")])
        .await;
    let page = browser.get("/shop/cards").await;
    page.assert_shows("Something in the form is not valid.");
    page.assert_shows("nickname");
}

#[tokio::test]
async fn after_an_unclear_answer_the_customer_can_try_again() {
    let browser = Browser::logged_in().await;
    let terminal = browser.begin_card("", false).await;
    browser.local.netaxept().inject_fault(Operation::Query, FaultKind::Http500, 1);
    browser.complete_terminal(&terminal, VISA).await.assert_leads_to("/shop/cards");
    let page = browser.get("/shop/cards").await;
    page.assert_shows("The outcome is not known yet.");
    page.assert_shows("data-status=\"CREATED\"");
    let (_, form) = page.text.split_once("role=\"alert\"").unwrap();
    let retry = form.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    browser.post(retry, &[]).await.assert_leads_to("/shop/cards");
    browser.get("/shop/cards").await.assert_shows("data-status=\"ACTIVE\"");
}

#[tokio::test]
async fn after_a_decline_the_order_can_be_paid_with_another_card() {
    let browser = Browser::logged_in().await;
    let terminal = browser.begin_card("", false).await;
    browser.complete_terminal(&terminal, REFUSED).await.assert_leads_to("/shop/cards");
    let page = browser.get("/shop/cards").await;
    page.assert_shows("role=\"alert\"");
    page.assert_shows("data-status=\"CREATED\"");
    let card = browser.add_card("Good", false).await;
    let order = browser.get("/shop/tickets").await.field("order");
    let form = [("order", order.as_str()), ("ticket", "1"), ("card", &card)];
    let terminal = browser.post("/shop/orders", &form).await;
    // The customer does not complete the page at Nets.
    let page = format!("/shop/orders/{order}");
    browser.get(&format!("{page}/return")).await.assert_leads_to(&page);
    browser.get(&page).await.assert_shows("You have not finished on the page at Nets.");
    let form = [("cancelButton", "x")];
    let left = browser.send(browser.http.post(&terminal.location).form(&form)).await;
    browser.send(browser.http.get(&left.location)).await.assert_leads_to(&page);
    let cancelled = browser.get(&page).await;
    cancelled.assert_shows("You cancelled at Nets.");
    let again = browser.post(&format!("{page}/pay"), &[("card", &card)]).await;
    browser.complete_terminal(&again, VISA).await.assert_leads_to(&page);
    browser.get(&page).await.assert_shows("data-status=\"CAPTURED\"");
    assert_eq!(browser.captured_and_credited(&order), (13_500, 0));
}

#[tokio::test]
async fn a_customer_number_that_the_api_refuses_cannot_log_in() {
    let local = Local::start(Options::default()).await.unwrap();
    let http = http_client().unwrap();
    let address = format!("{}/shop/login", local.addresses().console);
    let form = [("customer", "demo-kari"), ("other", "not valid!")];
    let response =
        http.post(address).form(&form).header("cookie", "shop-language=nn").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(response.headers().get("set-cookie"), None);
    let page = response.text().await.unwrap();
    for text in [
        "<html lang=\"nn\">",
        "Noko i skjemaet er ikkje gyldig.",
        "value=\"not valid!\"",
        "customerNumber must have",
    ] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let page =
        http.get(format!("{}/shop?language=en", local.addresses().console)).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(cookie, "shop-language=en; Path=/shop; HttpOnly; SameSite=Lax");
    assert!(page.text().await.unwrap().contains("<html lang=\"en\">"));
}

/// Every call that the page shows is a call that the API received, with its correlation id.
#[tokio::test]
async fn the_shown_calls_are_the_calls_that_were_made() {
    let browser = Browser::logged_in().await;
    let card = browser.add_card("Kari's", true).await;
    browser.buy(&card).await;
    let page = browser.get("/shop/cards").await;
    let logged: Vec<Value> = {
        let lines = browser.local.lambda().lines();
        lines.iter().filter_map(|line| serde_json::from_str(&line.line).ok()).collect()
    };
    let ids = page.text.split("X-Correlation-Id: ").skip(1);
    let ids: Vec<_> = ids.map(|rest| rest.split('\'').next().unwrap()).collect();
    assert!(ids.len() > 8, "{ids:?}");
    for id in ids {
        assert!(logged.iter().any(|line| line.to_string().contains(id)), "{id}");
    }
    page.assert_shows("POST /oauth/token");
    page.assert_shows("\\\n  -H \"Authorization: Bearer $TOKEN\"".replace('"', "&quot;").as_str());
    page.assert_shows("ET-Client-Name: demo-shop");
}
