//! The sandbox at the console: the transactions and the ledgers as JSON and as tables, and the routes and the page section for
//! faults and late calls.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::faults::Fault;
use super::{MERCHANT_ID, Netaxept};
use crate::console;

/// The operations of the form, and their descriptions.
const OPERATIONS: [(&str, &str); 10] = [
    ("AUTH", "AUTH"),
    ("CAPTURE", "CAPTURE"),
    ("ANNUL", "ANNUL"),
    ("CREDIT", "CREDIT"),
    ("SALE", "SALE"),
    ("VERIFY", "VERIFY"),
    ("Process", "Process, with any operation"),
    ("Register", "Register"),
    ("Query", "Query"),
    ("Terminal", "Terminal page, any button"),
];

/// The kinds of the form, and their descriptions.
const KINDS: [(&str, &str); 10] = [
    ("drop-reply", "Execute the call, then break the connection without an answer"),
    ("drop-request", "Do not execute the call, and break the connection without an answer"),
    ("arrive-late", "Break the connection without an answer, and execute the call later"),
    ("delay", "Execute the call, and answer 10 seconds late"),
    ("stale", "Answer Query without the operations of the last seconds"),
    ("http-500", "Do not execute the call, answer 500 with an HTML page"),
    ("html", "Do not execute the call, answer 200 with an HTML page"),
    ("garbage", "Do not execute the call, answer 200 with invalid XML"),
    ("repeat", "Do not execute the call, answer with an error that repeats the request"),
    ("pass", "Execute the call without a fault, and keep the next fault for the next call"),
];

/// The console's routes for the sandbox.
pub(super) fn router(sandbox: Netaxept) -> Router {
    Router::new()
        .route("/netaxept/transactions", get(transactions))
        .route("/netaxept/ledgers", get(ledgers))
        .route("/netaxept/faults", get(list).post(add).delete(clear))
        .route("/netaxept/faults/clear", post(clear_from_page))
        .route("/netaxept/late-calls", get(late_calls).post(execute_late_calls))
        .with_state(sandbox)
}

/// All transactions, or with `?orderNumber=` those of one order, such as the registrations of a payment.
async fn transactions(State(sandbox): State<Netaxept>, uri: Uri) -> Json<Value> {
    let mut transactions = sandbox.transactions();
    if let (Some(order), Value::Array(all)) = (order_number(&uri), &mut transactions) {
        all.retain(|one| one["transaction"]["orderNumber"] == order);
    }
    Json(transactions)
}

/// The ledgers of all orders, or with `?orderNumber=` those of one order.
async fn ledgers(State(sandbox): State<Netaxept>, uri: Uri) -> Json<Value> {
    let order = order_number(&uri);
    let mut ledgers = sandbox.ledgers();
    ledgers.retain(|ledger| order.as_ref().is_none_or(|order| *order == ledger.order_number));
    Json(json!(ledgers))
}

/// The parameter `orderNumber`, if there is one.
fn order_number(uri: &Uri) -> Option<String> {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.find(|(name, _)| name == "orderNumber").map(|(_, value)| value.into_owned())
}

/// The address of the transactions or of the ledgers with an order number.
fn address_of_order(list: &str, order: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(order.as_bytes()).collect();
    format!("/netaxept/{list}?orderNumber={encoded}")
}

async fn list(State(sandbox): State<Netaxept>) -> Response {
    Json(sandbox.inner.faults.list()).into_response()
}

/// Adds a fault. The body is JSON, or the same as a form, which the console's page sends.
async fn add(State(sandbox): State<Netaxept>, headers: HeaderMap, body: Bytes) -> Response {
    let is_form = console::is_form(&headers);
    let fault = if is_form {
        serde_json::from_value::<Fault>(form_value(&body))
    } else {
        serde_json::from_slice(&body)
    };
    let valid = fault.map_err(|error| error.to_string()).and_then(|fault| match fault.error() {
        Some(error) => Err(error.to_owned()),
        None => Ok(fault),
    });
    match valid {
        Ok(fault) => {
            sandbox.add_fault(fault);
            if is_form {
                Redirect::to("/faults").into_response()
            } else {
                StatusCode::NO_CONTENT.into_response()
            }
        }
        Err(error) => console::error_response(StatusCode::BAD_REQUEST, &error),
    }
}

/// Returns the fields of a form as JSON, with numbers as numbers. Empty fields are omitted.
fn form_value(body: &[u8]) -> Value {
    let fields = form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty());
    let json_value = |value: &str| value.parse::<u64>().map_or_else(|_| json!(value), Value::from);
    Value::Object(
        fields.map(|(name, value)| (name.into_owned(), json_value(&value))).collect::<Map<_, _>>(),
    )
}

async fn clear(State(sandbox): State<Netaxept>) -> StatusCode {
    sandbox.clear_faults();
    StatusCode::NO_CONTENT
}

async fn clear_from_page(State(sandbox): State<Netaxept>) -> Redirect {
    sandbox.clear_faults();
    Redirect::to("/faults")
}

async fn late_calls(State(sandbox): State<Netaxept>) -> Json<Value> {
    Json(sandbox.waiting_calls())
}

async fn execute_late_calls(State(sandbox): State<Netaxept>, headers: HeaderMap) -> Response {
    let executed = sandbox.execute_late_calls();
    if console::is_form(&headers) {
        return Redirect::to("/faults").into_response();
    }
    Json(json!({ "executed": executed })).into_response()
}

impl Netaxept {
    /// Returns the table of the faults that are left, if any.
    pub(crate) fn fault_list(&self) -> Option<Markup> {
        let faults = self.inner.faults.list();
        let table = html! {
            table {
                tr { @for name in ["operation", "fault", "calls left", "seconds"] { th scope="col" { (name) } } }
                @for fault in &faults {
                    @let fault = json!(fault);
                    tr {
                        td { (description(&OPERATIONS, &fault["operation"])) }
                        td { (description(&KINDS, &fault["kind"])) }
                        td { (fault["count"].to_string()) }
                        td { @if let Some(seconds) = fault["delaySeconds"].as_u64() { (seconds) } }
                    }
                }
            }
        };
        (!faults.is_empty()).then_some(table)
    }

    /// Returns the list of the calls that are executed later; empty if there is none.
    pub(crate) fn late_call_list(&self) -> Markup {
        let waiting = self.waiting_calls();
        html! {
            @if let Some(calls) = waiting.as_array().filter(|calls| !calls.is_empty()) {
                h3 { "Calls that are not executed yet" }
                ul {
                    @for call in calls {
                        @let text = |name: &str| call[name].as_str().unwrap_or_default();
                        li { (text("operation")) " of transaction " (text("transactionId")) ", executed at " (text("dueAt")) }
                    }
                }
                form method="post" action="/netaxept/late-calls" { button { "Execute these calls now" } }
            }
        }
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        self.inner.faults.clear();
    }

    /// Returns the table of orders on the console's page.
    pub(crate) fn orders_table(&self) -> Markup {
        html! {
            table {
                tr { @for name in ["order", "registrations", "authorized", "held", "captured", "credited", "annulled", "calls"] { th scope="col" { (name) } } }
                @for ledger in self.ledgers() {
                    @let amounts = [ledger.authorized_minor, ledger.held_minor, ledger.captured_minor, ledger.credited_minor, ledger.annulled_minor];
                    tr {
                        td { a href=(address_of_order("ledgers", &ledger.order_number)) { (ledger.order_number) } }
                        td { (ledger.registrations.len()) }
                        @for minor in amounts { td { (amount(minor, &ledger.currency)) } }
                        td { code { (json!(ledger.calls).to_string()) } }
                    }
                }
            }
        }
    }

    /// Returns the table of transactions on the console's page. `address` is the sandbox's address.
    pub(crate) fn transactions_table(&self, address: &str) -> Markup {
        let transactions = self.transactions();
        html! {
            table {
                tr { @for name in ["id", "order", "amount", "captured", "credited", "annulled", "card entered", "cancelled", "operations"] { th scope="col" { (name) } } }
                @for transaction in transactions.as_array().into_iter().flatten() {
                    @let data = &transaction["transaction"];
                    @let id = transaction["transactionId"].as_str().unwrap_or_default();
                    tr {
                        td { a href=(format!("{address}/Terminal/default.aspx?merchantId={MERCHANT_ID}&transactionId={id}")) { (id) } }
                        @let order = data["orderNumber"].as_str().unwrap_or_default();
                        td { a href=(address_of_order("transactions", order)) { (order) } }
                        @for name in ["amountMinor", "capturedMinor", "creditedMinor"] { td { (money(data, name)) } }
                        td { (data["annulled"].to_string()) }
                        td { (data["cardEntered"].to_string()) }
                        td { (data["cancelled"].to_string()) }
                        td { code { (data["done"].to_string()) } }
                    }
                }
            }
        }
    }
}

/// Returns the form of the console's page for a fault.
pub(crate) fn fault_form() -> Markup {
    html! {
        form .fields method="post" action="/netaxept/faults" {
            (select("operation", "Operation", &OPERATIONS))
            (select("kind", "Fault", &KINDS))
            label for="count" { "Number of calls" }
            input #count name="count" type="number" min="1" max="1000" value="1" required;
            label for="delaySeconds" { "Seconds, by the local clock, for a call that is executed later and for a Query without recent operations" }
            input #delaySeconds name="delaySeconds" type="number" min="1" placeholder=(Fault::DEFAULT_DELAY_SECONDS);
            button { "Add fault" }
        }
    }
}

fn select(name: &str, label: &str, options: &[(&str, &str)]) -> Markup {
    html! {
        label for=(name) { (label) }
        select id=(name) name=(name) { @for (value, text) in options { option value=(value) { (text) } } }
    }
}

/// Returns the text of an option of the form.
fn description(options: &[(&'static str, &'static str)], value: &Value) -> &'static str {
    options.iter().find(|(name, _)| value == name).map(|(_, text)| *text).unwrap_or_default()
}

/// Formats an amount of a transaction. Returns an empty text if the transaction only stores a card.
fn money(data: &Value, name: &str) -> String {
    match (data[name].as_u64(), data["currency"].as_str()) {
        (Some(minor), Some(currency)) => amount(minor, currency),
        _ => String::new(),
    }
}

/// Formats an amount, such as `10.00 NOK`. All currencies of the sandbox have two decimals.
fn amount(minor: u64, currency: &str) -> String {
    format!("{}.{:02} {currency}", minor / 100, minor % 100)
}
