mod amounts;
mod authentication;
mod auto_auth;
mod callbacks;
mod console;
mod credits;
mod faults;
mod late_calls;
mod ledger;
mod operations;
mod outcomes;
mod query;
mod readme;
mod recurring;
mod register;
mod sessions;
mod transport;

use super::*;
use reqwest::Client;
use serde_json::json;

/// Returns the text of the first element with this name, if there is one.
fn text<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let rest = reply.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Returns the type and the message of an exception. Without an exception the type is `none`.
fn exception(reply: &str) -> (&str, &str) {
    let rest = reply.split_once("<Error xsi:type=\"").map(|(_, rest)| rest);
    let kind = rest.and_then(|rest| rest.split_once('"')).map_or("none", |(kind, _)| kind);
    (kind, text(reply, "Message").unwrap_or(reply))
}

/// Returns the message of a `BBSException`, and the code, source and text of its result.
fn result(reply: &str) -> [&str; 4] {
    ["Message", "ResponseCode", "ResponseSource", "ResponseText"]
        .map(|name| text(reply, name).unwrap_or_default())
}

/// Returns the names of the elements, in their order.
fn element_names(reply: &str) -> Vec<&str> {
    let opening_tags = reply.split('<').skip(2).filter(|tag| !tag.starts_with('/'));
    opening_tags.map(|tag| tag.split([' ', '>', '/']).next().unwrap()).collect()
}

struct Nets {
    sandbox: Netaxept,
    address: String,
    clock: Clock,
    http: Client,
}

impl Nets {
    async fn new() -> Self {
        let clock = Clock::default();
        let (sandbox, address) = Netaxept::start(0, clock.clone()).await.unwrap();
        Self { sandbox, address, clock, http: crate::http_client().unwrap() }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.http
            .post(format!("{}{path}", self.address))
            .form(form)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Calls an operation with the credentials and with more parameters, as `name=value&…`.
    async fn call(&self, operation: &str, more: &str) -> String {
        let query = format!("merchantId={MERCHANT_ID}&token={TOKEN}&{more}");
        let url = format!("{}/Netaxept/{operation}.aspx?{query}", self.address);
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
            (200, "text/xml")
        );
        answer.text().await.unwrap()
    }

    /// Registers a transaction that only stores a card.
    async fn register(&self, id: &str, more: &str) {
        let order = "orderNumber=1&updateStoredPaymentInfo=true&recurringType=S&redirectUrl=https%3A%2F%2Fshop.example%2F";
        let reply = self.call("Register", &format!("transactionId={id}&{order}{more}")).await;
        assert!(reply.contains(&format!("<TransactionId>{id}</TransactionId>")), "{reply}");
    }

    /// Registers a purchase of an amount in minor units.
    async fn buy(&self, id: &str, amount: &str, more: &str) {
        let order = "orderNumber=1&currencyCode=NOK&redirectUrl=https%3A%2F%2Fshop.example%2F";
        let parameters = format!("transactionId={id}&amount={amount}&{order}{more}");
        let reply = self.call("Register", &parameters).await;
        assert_eq!(text(&reply, "TransactionId"), Some(id), "{reply}");
    }

    async fn process(&self, id: &str, operation: &str) -> String {
        self.call("Process", &format!("transactionId={id}&operation={operation}")).await
    }

    async fn query(&self, id: &str) -> String {
        self.call("Query", &format!("transactionId={id}")).await
    }

    /// Registers a purchase of 10.00 and enters a card.
    async fn buy_with_card(&self, id: &str) {
        self.buy(id, "1000", "").await;
        self.pay(id, "4925000000000004").await;
    }

    /// Stores a card and returns its pan hash.
    async fn store_card(&self, id: &str, number: &str) -> String {
        self.register(id, "").await;
        self.pay(id, number).await;
        assert_eq!(text(&self.process(id, "VERIFY").await, "ResponseCode"), Some("OK"));
        text(&self.query(id).await, "PanHash").unwrap().to_owned()
    }

    /// Registers a later charge with a pan hash. Returns the reply.
    async fn register_charge(&self, id: &str, amount: &str, pan_hash: &str, more: &str) -> String {
        let hash: String = form_urlencoded::byte_serialize(pan_hash.as_bytes()).collect();
        let order = "orderNumber=1&currencyCode=NOK&redirectUrl=https%3A%2F%2Fshop.example%2F";
        let parameters =
            format!("transactionId={id}&amount={amount}&{order}&panHash={hash}&{more}");
        self.call("Register", &parameters).await
    }

    /// Runs each operation and compares its result with the expected one.
    async fn assert_steps(&self, id: &str, steps: &[(&str, &str)]) {
        for (operation, expected) in steps {
            let reply = self.process(id, operation).await;
            let result = match exception(&reply) {
                ("none", _) => text(&reply, "ResponseCode").unwrap().to_owned(),
                ("BBSException", message) => format!("{message} {}", result(&reply)[1]),
                (kind, message) => format!("{kind}: {message}"),
            };
            assert_eq!(result, *expected, "{operation}");
        }
    }

    /// Posts a form to the terminal. Returns the status, the redirect address and the body.
    async fn post_page(&self, id: &str, form: &[(&str, &str)]) -> (u16, String, String) {
        let url = format!(
            "{}/Terminal/Default.aspx?MerchantID={MERCHANT_ID}&TransactionID={id}",
            self.address
        );
        let answer = self.http.post(url).form(form).send().await.unwrap();
        let location = answer
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned())
            .unwrap_or_default();
        (answer.status().as_u16(), location, answer.text().await.unwrap())
    }

    /// Enters a card at the terminal. Returns the redirect address.
    async fn pay(&self, id: &str, number: &str) -> String {
        let form = [
            ("cardNo", number),
            ("month", "12"),
            ("year", "30"),
            ("securityCode", "123"),
            ("okButton", "Pay"),
        ];
        self.post_page(id, &form).await.1
    }
}

#[tokio::test]
async fn the_page_refuses_invalid_input() {
    let nets = Nets::new().await;
    nets.register("1", "&language=en_GB").await;
    let (status, _, page) = nets.post_page("1", &[]).await;
    assert!(status == 200 && page.contains("<html lang=\"en\">"));
    for id in ["form1", "cardNo", "month", "year", "securityCode", "okButton", "cancelButton"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for (number, month, year, code, error) in [
        ("4925000000000005", "12", "30", "123", "card number is not valid"),
        ("4925", "12", "30", "123", "card number is not valid"),
        ("4925000000000004", "01", "20", "123", "has expired"),
        ("4925000000000004", "13", "30", "123", "has expired"),
        ("4925000000000004", "12", "30", "12", "three digits"),
        ("378282246310005", "12", "30", "123", "three digits"),
    ] {
        let form = [
            ("cardNo", number),
            ("month", month),
            ("year", year),
            ("securityCode", code),
            ("okButton", "x"),
        ];
        let (status, _, page) = nets.post_page("1", &form).await;
        assert!(
            status == 200 && page.contains(error) && page.contains("aria-invalid=\"true\""),
            "{number}: {page}"
        );
    }
    let (_, _, unknown) = nets.post_page("404", &[]).await;
    assert!(unknown.contains("<div class=\"errorPanel\">Internal error</div>"));
}

#[tokio::test]
async fn the_page_is_open_for_fifteen_minutes() {
    let nets = Nets::new().await;
    nets.register("1", "").await;
    nets.clock.advance("PT14M59S").unwrap();
    assert!(nets.post_page("1", &[]).await.2.contains("id=\"cardNo\""));
    nets.clock.advance("PT1S").unwrap();
    assert!(nets.post_page("1", &[]).await.2.contains("Tiden er ute."));
    assert_eq!(nets.pay("1", "4925000000000004").await, "");
}
