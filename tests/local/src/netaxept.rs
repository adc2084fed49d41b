//! Nets' Netaxept: Register, Process, Query, the terminal and the callback, from Nets' documents.
//!
//! Which rule is held by which test, and what Nets leaves unsaid and is our own choice, stands in this package's README.

mod callbacks;
mod exception;
mod faults;
mod posted;
mod terminal;
#[cfg(test)]
mod tests;
mod transaction;
mod visit;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::doors::{Change, Doors};
use callbacks::Callbacks;
use exception::Exception;
use faults::Faults;
pub use faults::{Kind, Operation};
use transaction::{Card, Transaction};
use visit::Visit;

/// The merchant that is built in.
pub const MERCHANT_ID: &str = "12000001";
/// Its secret.
pub const TOKEN: &str = "sandbox-token";
/// What the address ends with that Nets calls back.
pub const CALLBACK_SECRET: &str = "a-secret-between-nets-and-this-machine";

/// What IIS says of an address that it does not know.
const NOT_FOUND: &str = "<!DOCTYPE html>\r\n<html>\r\n    <head>\r\n        <title>The resource cannot be found.</title>\r\n    </head>\r\n    \
    <body bgcolor=\"white\">\r\n        <h1>Server Error in '/' Application.</h1>\r\n        \
    <h2><i>The resource cannot be found.</i></h2>\r\n        <b>Description:</b> HTTP 404.\r\n    </body>\r\n</html>\r\n";

/// The headers of every reply to a call, as recorded; no charset.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "private"),
    ("content-type", "text/xml"),
    ("vary", "Accept-Encoding"),
    ("server", "Microsoft-IIS/7.5"),
    ("x-aspnet-version", "4.0.30319"),
    ("x-powered-by", "ASP.NET"),
];

/// Parameters by lower-case name. An empty one is absent.
type Parameters = BTreeMap<String, String>;

/// The sandbox. Clones are the same.
#[derive(Clone)]
pub struct Netaxept {
    inner: Arc<Inner>,
}

struct Inner {
    doors: Doors,
    clock: Clock,
    transactions: Mutex<BTreeMap<String, Transaction>>,
    faults: Faults,
    callbacks: Callbacks,
}

impl Netaxept {
    /// An empty sandbox.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::behind(Doors::default(), clock)
    }

    /// The same, behind these doors.
    pub(crate) fn behind(doors: Doors, clock: Clock) -> Self {
        let (transactions, faults) = (Mutex::default(), Faults::default());
        let callbacks = Callbacks::default();
        Self { inner: Arc::new(Inner { doors, clock, transactions, faults, callbacks }) }
    }

    /// Everything is found whatever the case of its path.
    pub fn router(self) -> Router {
        Router::new().fallback(receive).with_state(self)
    }

    /// What the console has of it.
    pub(crate) fn console_router(&self) -> Router {
        faults::router(self.clone())
    }

    /// Listens on a port of 127.0.0.1, 0 being any: the address, without a trailing slash.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(port: u16, clock: Clock) -> Result<(Self, String), crate::Error> {
        let listener = crate::listen("Netaxept", port).await?;
        let (sandbox, address) = (Self::new(clock), crate::address(&listener)?);
        let router = sandbox.clone().router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((sandbox, address))
    }

    /// What happened so far, for tests and the console: no secrets.
    #[must_use]
    pub fn transactions(&self) -> Value {
        self.all().iter().map(|(id, transaction)| json!({ "transactionId": id, "transaction": transaction.told() })).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Transaction>> {
        self.inner.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, parameters: &Parameters) -> Result<xml::Element, Exception> {
        let now = self.inner.clock.now();
        transaction::check_registration(parameters)?;
        let mut all = self.all();
        let known = known_card(&all, parameters, now)?;
        let id = parameters
            .get("transactionid")
            .cloned()
            .unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        if all.contains_key(&id) {
            let kind = "UniqueTransactionIdException";
            return Err(Exception::new(kind, "Transaction ID not unique"));
        }
        let reply = xml::Element::root("RegisterResponse").with("TransactionId", &id);
        let transaction = all
            .entry(id.clone())
            .or_insert_with(|| Transaction::new(id, parameters.clone(), known, now));
        if transaction.card.is_some() {
            transaction.run_automatic(now).transpose()?;
            self.tell_change(transaction);
        }
        Ok(reply)
    }

    fn process(&self, parameters: &Parameters) -> Result<xml::Element, Exception> {
        let id = parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let mut all = self.all();
        let transaction =
            all.get_mut(id).ok_or_else(|| Exception::generic("Unable to find transaction"))?;
        let reply = transaction.process(parameters, self.inner.clock.now());
        self.tell_change(transaction);
        reply
    }

    fn query(&self, parameters: &Parameters) -> Result<xml::Element, Exception> {
        let id = parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let all = self.all();
        let transaction = all
            .get(id)
            .ok_or_else(|| Exception::new("QueryException", "Unable to find transaction"))?;
        Ok(transaction.payment_info(self.inner.clock.now()))
    }

    async fn call(
        &self,
        operation: Operation,
        perform: fn(&Self, &Parameters) -> Result<xml::Element, Exception>,
        parameters: Parameters,
    ) -> Response {
        let perform = || {
            let done = credentials(&parameters).and_then(|()| perform(self, &parameters));
            // Errors too have status 200: so it was recorded.
            (HEADERS, done.unwrap_or_else(Exception::element).document()).into_response()
        };
        let passing = self.inner.faults.pass(operation, &parameters, perform);
        match operation {
            Operation::Register | Operation::Process => {
                self.inner.doors.pass(Change::new(format!("Netaxept {operation:?}")), passing).await
            }
            Operation::Query | Operation::Terminal => passing.await,
        }
    }
}

/// The card that Register brings, by the pan hash of an earlier transaction or by its number.
fn known_card(
    all: &BTreeMap<String, Transaction>,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Option<Card>, Exception> {
    let Some(pan_hash) = parameters.get("panhash") else {
        return transaction::told_card(parameters, now);
    };
    let card = all.values().find_map(|transaction| transaction.card_of(pan_hash));
    card.cloned().map(Some).ok_or_else(|| Exception::validation("Unknown pan hash"))
}

fn credentials(parameters: &Parameters) -> Result<(), Exception> {
    let given = |name| parameters.get(name).map(String::as_str);
    match (given("merchantid"), given("token")) {
        (Some(MERCHANT_ID), Some(TOKEN)) => Ok(()),
        (Some(merchant), Some(_)) => {
            let message = format!("Authentication failed (Test) MerchantId: {merchant}");
            Err(Exception::new("AuthenticationException", &message))
        }
        _ => Err(Exception::new(
            "AuthenticationException",
            "Test: Unable to authenticate merchant (credentials not passed)",
        )),
    }
}

async fn receive(
    State(sandbox): State<Netaxept>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = parameters(uri.query().unwrap_or_default().as_bytes());
    let form = parameters(&body);
    if method != Method::GET && method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let both = || query.clone().into_iter().chain(form.clone()).collect();
    match uri.path().to_ascii_lowercase().as_str() {
        "/" => Html(terminal::welcome()).into_response(),
        "/netaxept/register.aspx" => {
            sandbox.call(Operation::Register, Netaxept::register, both()).await
        }
        "/netaxept/process.aspx" => {
            sandbox.call(Operation::Process, Netaxept::process, both()).await
        }
        "/netaxept/query.aspx" => sandbox.call(Operation::Query, Netaxept::query, both()).await,
        "/terminal/default.aspx" | "/terminal/mobile/default.aspx" => {
            let (method, headers, query, form) = (&method, &headers, &query, &form);
            sandbox.terminal(&Visit { method, headers, query, form }).await
        }
        _ => (StatusCode::NOT_FOUND, Html(NOT_FOUND)).into_response(),
    }
}

fn parameters(encoded: &[u8]) -> Parameters {
    let pairs = form_urlencoded::parse(encoded).into_owned();
    pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}
