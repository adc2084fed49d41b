//! Payments with a stored card: HTTP requests to the real function binaries, and what the sandbox has done for each order
//! afterwards.

mod access;
mod answer_times;
mod auto_sale;
mod bodies;
mod concurrency;
mod credit;
mod declines;
mod erasure;
mod lost_replies;
mod notifications;
mod off_session;
mod purchase;
mod refusals;
mod schedule;
mod uncertain_credits;

use std::collections::BTreeMap;

use local::Options;
use local::netaxept::CALLBACK_SECRET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{PAYMENTS, Response, TestApi};

/// Path of the collection of payments. The constant of the crate is that of recurring payments.
pub(crate) const COLLECTION: &str = "/v1/payments";
/// The schedule of payments.
pub(crate) const SETTLE: &str = "settle-payments";
/// The amount of an order, if the test does not need another one, in text and in minor units.
const AMOUNT: &str = "100.00";
const AMOUNT_MINOR: u64 = 10_000;
/// The address of the shop, with a query as in Entur's web client.
const SHOP: &str = "https://shop.example/payment-return?enturPaymentId=1&enturTransactionId=2";
/// The address of the shop without a query.
const DONE: &str = "https://shop.example/done";

/// A transaction of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    payment: u64,
    transaction: u64,
}

impl Charge {
    /// The newest transaction of a payment.
    pub(crate) fn newest(payment: &Value) -> Self {
        let transaction = payment["transactionHistory"][0]["transactionId"].as_u64();
        let payment = payment["paymentId"].as_u64();
        Self { payment: payment.unwrap(), transaction: transaction.unwrap() }
    }

    pub(crate) fn payment_path(self) -> String {
        format!("{COLLECTION}/{}", self.payment)
    }

    /// The path of the transaction, and `tail`.
    pub(crate) fn path(self, tail: &str) -> String {
        format!("{COLLECTION}/{}/transactions/{}{tail}", self.payment, self.transaction)
    }
}

/// What the sandbox has done for all registrations of a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ledger {
    registrations: u64,
    /// The number of successful operations, by name.
    operations: BTreeMap<String, u64>,
    captured_minor: u64,
    credited_minor: u64,
    /// The sum that is authorized and neither captured nor annulled.
    held_minor: u64,
}

impl Ledger {
    /// The ledger of one registration that was authorized and captured once.
    fn paid(amount_minor: u64) -> Self {
        Self {
            registrations: 1,
            operations: [("AUTH".to_owned(), 1), ("CAPTURE".to_owned(), 1)].into(),
            captured_minor: amount_minor,
            ..Self::default()
        }
    }

    /// The number of successful operations with this name.
    fn count(&self, operation: &str) -> u64 {
        self.operations.get(operation).copied().unwrap_or_default()
    }

    fn add(&mut self, registration: &Value) {
        let number = |name: &str| registration[name].as_u64().unwrap_or_default();
        self.registrations += 1;
        self.captured_minor += number("capturedMinor");
        self.credited_minor += number("creditedMinor");
        let is_held = registration["authorized"] == true && registration["annulled"] == false;
        if is_held {
            self.held_minor += number("amountMinor") - number("capturedMinor");
        }
        for (name, count) in registration["done"].as_object().unwrap() {
            *self.operations.entry(name.clone()).or_default() += count.as_u64().unwrap();
        }
    }
}

/// The body of a create request, as Entur's web client sends it (payments.md §1.2).
pub(crate) fn order(id: &str, card: &Value, amount: &str) -> Value {
    json!({
        "orderId": id, "orderVersion": 1, "totalAmount": amount,
        "transaction": { "amount": amount, "currency": "NOK", "recurringPaymentId": card },
    })
}

/// The body of a terminal request for a charge without the customer.
fn merchant_initiated() -> Value {
    json!({ "redirectUrl": DONE, "transactionType": "MIT_UCOF" })
}

impl TestApi {
    /// A service whose functions have additional environment variables.
    async fn with_environment(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Self::with(Options { environment: variables.collect(), ..Options::default() }).await
    }

    /// Stores a card whose customer agreed to charges of the merchant. Returns the id of the recurring payment.
    pub(crate) async fn create_agreed(&self, customer: &str, number: &str) -> Value {
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let path = format!("{PAYMENTS}/{id}/terminal");
        let opened = self.call("POST", &path, Some(&merchant_initiated())).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        let uri = opened.json()["terminalUri"].as_str().unwrap().to_owned();
        self.enter_card_and_authenticate(&uri, number).await;
        let authorized = self.authorize(&id).await;
        assert_eq!(authorized.status, StatusCode::OK, "{authorized:?}");
        id
    }

    /// Stores a card with this number. Returns the id of the recurring payment.
    async fn create_with_card(&self, customer: &str, number: &str) -> Value {
        let id = self.create(customer, json!({})).await["recurringPaymentId"].clone();
        let uri = self.open_terminal(&id).await;
        self.enter_card_and_authenticate(&uri, number).await;
        let authorized = self.authorize(&id).await;
        assert_eq!(authorized.status, StatusCode::OK, "{authorized:?}");
        id
    }

    /// Enters a card on the page, and accepts on the page of the bank if that is shown.
    pub(crate) async fn enter_card_and_authenticate(&self, uri: &str, number: &str) {
        let form = Self::card_form(number, "okButton");
        let mut page = self.http.post(uri).form(&form).send().await.unwrap();
        if page.status() == StatusCode::OK {
            page = self.http.post(uri).form(&[("acceptButton", "x")]).send().await.unwrap();
        }
        assert_eq!(page.status(), StatusCode::FOUND);
    }

    /// Posts the form of the page of a charge. Returns the status and the redirect address.
    async fn press(&self, uri: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
        let page = self.http.post(uri).form(form).send().await.unwrap();
        let location = page.headers().get("location").map(|address| address.to_str().unwrap());
        (page.status(), location.unwrap_or_default().to_owned())
    }

    /// Enters the security code of the stored card on the page of a charge. Returns the redirect address.
    pub(crate) async fn enter_code(&self, uri: &str) -> String {
        let (status, location) =
            self.press(uri, &[("securityCode", "123"), ("okButton", "x")]).await;
        assert_eq!(status, StatusCode::FOUND);
        location
    }

    pub(crate) async fn post_order(&self, body: &Value) -> Response {
        self.call("POST", COLLECTION, Some(body)).await
    }

    /// Advances the clock to the end of November and stores a card that expires then. Returns its id.
    async fn store_card_expiring_soon(&mut self) -> Value {
        self.advance_to_month_end().await;
        let card = self.create("4711", json!({})).await["recurringPaymentId"].clone();
        let uri = self.open_terminal(&card).await;
        self.submit_card_expiring_in_november(&uri).await;
        assert_eq!(self.authorize(&card).await.status, StatusCode::OK);
        card
    }

    /// Creates a payment. Returns its newest transaction.
    pub(crate) async fn buy(&self, order_id: &str, card: &Value, amount: &str) -> Charge {
        let created = self.post_order(&order(order_id, card, amount)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        Charge::newest(&created.json())
    }

    /// Opens a terminal for the customer. Returns its address.
    pub(crate) async fn open_page(&self, charge: Charge) -> String {
        self.open_page_with(charge, &json!({ "redirectUrl": DONE })).await
    }

    async fn open_page_with(&self, charge: Charge, body: &Value) -> String {
        let opened = self.open_terminal_with(charge, body).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        opened.json()["terminalUri"].as_str().unwrap().to_owned()
    }

    async fn open_for_merchant(&self, charge: Charge) -> Response {
        self.open_terminal_with(charge, &merchant_initiated()).await
    }

    async fn open_terminal_with(&self, charge: Charge, body: &Value) -> Response {
        self.call("POST", &charge.path("/terminal"), Some(body)).await
    }

    /// Creates a payment whose customer has entered the security code.
    pub(crate) async fn buy_with_code(&self, order_id: &str, card: &Value, amount: &str) -> Charge {
        let charge = self.buy(order_id, card, amount).await;
        let uri = self.open_page(charge).await;
        self.enter_code(&uri).await;
        charge
    }

    /// Creates a payment with a terminal of the merchant.
    pub(crate) async fn buy_off_session(
        &self,
        order_id: &str,
        card: &Value,
        amount: &str,
    ) -> Charge {
        let charge = self.buy(order_id, card, amount).await;
        let opened = self.open_for_merchant(charge).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        charge
    }

    /// Creates a payment and captures it.
    pub(crate) async fn buy_captured(&self, order_id: &str, card: &Value, amount: &str) -> Charge {
        let charge = self.buy_with_code(order_id, card, amount).await;
        let captured = self.capture(charge).await;
        assert_eq!(captured.status, StatusCode::OK, "{captured:?}");
        charge
    }

    pub(crate) async fn capture(&self, charge: Charge) -> Response {
        self.call("PUT", &charge.path("/capture"), None).await
    }

    pub(crate) async fn cancel(&self, charge: Charge) -> Response {
        self.call("PUT", &charge.path("/cancel"), None).await
    }

    /// Credits up to a total, or everything that was captured.
    pub(crate) async fn credit(&self, charge: Charge, total: Option<&str>) -> Response {
        let body = total.map(|total| json!({ "creditedAmount": total }));
        self.call("PUT", &charge.path("/credit"), body.as_ref()).await
    }

    /// Sends Nets' callback about a registration. Its answer does not depend on what the service finds out.
    pub(crate) async fn call_back(&self, charge: Charge, registration: usize) {
        let response = self.try_call_back(charge, registration).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
    }

    async fn try_call_back(&self, charge: Charge, registration: usize) -> Response {
        let id = format!("p{}-{registration}", charge.transaction);
        let path = format!("/v1/netaxept/callback/{CALLBACK_SECRET}");
        let body = json!({ "TransactionId": id }).to_string();
        self.send("POST", &path, &[("content-type", "application/json")], Some(&body)).await
    }

    pub(crate) async fn transaction(&self, charge: Charge) -> Value {
        let response = self.call("GET", &charge.path(""), None).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        response.json()
    }

    async fn status(&self, charge: Charge) -> String {
        self.transaction(charge).await["status"].as_str().unwrap().to_owned()
    }

    /// Asserts that a transaction was authorized and captured once, and that the API says so.
    async fn assert_paid(&self, charge: Charge, amount: &str, amount_minor: u64) {
        let transaction = self.transaction(charge).await;
        assert_eq!(transaction["status"], "CAPTURED", "{transaction}");
        assert_eq!(transaction["summary"]["capturedAmount"], amount, "{transaction}");
        let ledger = self.ledger(charge);
        assert_eq!((ledger.captured_minor, ledger.held_minor), (amount_minor, 0), "{ledger:?}");
        let counts = ["AUTH", "CAPTURE"].map(|name| ledger.operations.get(name).copied());
        assert_eq!(counts, [Some(1); 2], "{ledger:?}");
    }

    /// What the sandbox has done for the payment of a transaction.
    fn ledger(&self, charge: Charge) -> Ledger {
        let mut ledger = Ledger::default();
        for transaction in self.local.netaxept().transactions().as_array().unwrap() {
            let id = transaction["transactionId"].as_str().unwrap();
            let number = id.strip_prefix('p').and_then(|id| id.split('-').next());
            let number = number.and_then(|number| number.parse::<u64>().ok());
            if number.is_some_and(|number| number >> 4 == charge.payment) {
                ledger.add(&transaction["transaction"]);
            }
        }
        ledger
    }

    /// Moves the clock by `time` and one second, gets a new token, and runs the schedule of payments twice.
    async fn advance_and_settle(&mut self, time: &str) {
        self.local.clock().advance("PT1S").unwrap();
        self.advance_clock(time).await;
        for _ in 0..2 {
            let summary = self.run_schedule(SETTLE).await;
            assert_eq!(summary["failed"], 0, "{summary}");
        }
    }

    /// Returns the items of the table of payments.
    pub(crate) async fn payment_items(&self) -> Vec<Value> {
        let scan = json!({ "TableName": "Payments" });
        let table = self.local.dynamodb().call("Scan", &scan).await.unwrap();
        table["Items"].as_array().unwrap().clone()
    }

    /// Asserts that the schedule has nothing to do for any payment, now or later.
    async fn assert_nothing_is_planned(&self) {
        for item in self.payment_items().await {
            assert!(item.get("taskAt").is_none() && item.get("taskShard").is_none(), "{item}");
        }
    }
}
