//! Nets' Netaxept, as far as it stores cards: Register, Process, Query and the terminal page, from Nets' documents.
//!
//! What Nets leaves unsaid is our own choice and is listed in this package's README.

mod faults;
mod terminal;
#[cfg(test)]
mod tests;
mod transaction;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use faults::Faults;
pub use faults::{Kind, Operation};
use transaction::{Exception, Transaction};

/// The merchant that is built in.
pub const MERCHANT_ID: &str = "12000001";
/// Its secret.
pub const TOKEN: &str = "sandbox-token";
/// What the address ends with that Nets calls back.
pub const CALLBACK_SECRET: &str = "a-secret-between-nets-and-this-machine";

/// Parameters by lower-case name. An empty one is absent.
type Parameters = BTreeMap<String, String>;

/// The sandbox. Clones are the same.
#[derive(Clone)]
pub struct Netaxept {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    transactions: Mutex<BTreeMap<String, Transaction>>,
    faults: Faults,
}

impl Netaxept {
    /// An empty sandbox.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let (transactions, faults) = (Mutex::default(), Faults::default());
        Self { inner: Arc::new(Inner { clock, transactions, faults }) }
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
        transaction::check_registration(parameters)?;
        let id = parameters
            .get("transactionid")
            .cloned()
            .unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        let mut all = self.all();
        if all.contains_key(&id) {
            return Err(Exception::new(
                "UniqueTransactionIdException",
                "Transaction ID not unique",
            ));
        }
        let reply = xml::Element::root("RegisterResponse").with("TransactionId", &id);
        all.insert(id.clone(), Transaction::new(id, parameters.clone(), self.inner.clock.now()));
        Ok(reply)
    }

    fn process(&self, parameters: &Parameters) -> Result<xml::Element, Exception> {
        let id = parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let mut all = self.all();
        let transaction = all
            .get_mut(id)
            .ok_or_else(|| Exception::new("GenericError", "Unable to find transaction"))?;
        transaction.process(parameters, self.inner.clock.now())
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
            // Errors too have status 200, and there is no charset: so it was recorded.
            let body = done.unwrap_or_else(transaction::Exception::element).document();
            ([("content-type", "text/xml"), ("cache-control", "private")], body).into_response()
        };
        self.inner.faults.pass(operation, perform).await
    }

    async fn terminal(&self, method: &Method, query: &Parameters, form: &Parameters) -> Response {
        let visit = || self.visit(method, query, form);
        let buttons = ["okbutton", "cancelbutton"];
        if method == Method::POST && buttons.iter().any(|button| form.contains_key(*button)) {
            self.inner.faults.pass(Operation::Terminal, visit).await
        } else {
            visit()
        }
    }

    fn visit(&self, method: &Method, query: &Parameters, form: &Parameters) -> Response {
        let id = query
            .get("transactionid")
            .or(form.get("transactionid"))
            .map(String::as_str)
            .unwrap_or_default();
        let merchant = query.get("merchantid").or(form.get("merchantid")).map(String::as_str);
        let mut all = self.all();
        let page = match all.get_mut(id).filter(|_| merchant == Some(MERCHANT_ID)) {
            None => Html(terminal::internal_error()).into_response(),
            Some(transaction) => terminal::visit(transaction, method, form, self.inner.clock.now()),
        };
        // What was entered belongs into no cache.
        ([("cache-control", "no-store")], page).into_response()
    }
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
            sandbox.terminal(&method, &query, &form).await
        }
        _ => (
            StatusCode::NOT_FOUND,
            Html("<html><head><title>The resource cannot be found.</title></head></html>"),
        )
            .into_response(),
    }
}

fn parameters(encoded: &[u8]) -> Parameters {
    let pairs = form_urlencoded::parse(encoded).into_owned();
    pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}
