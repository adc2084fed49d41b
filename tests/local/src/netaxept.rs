//! The Netaxept sandbox: Register, Process, Query, the terminal page and callbacks, written from Nets' documents.
//!
//! The README of this package lists each rule with its test, and the choices of the sandbox where Nets documents nothing.

mod call;
mod callbacks;
mod card_data;
mod console;
mod exception;
mod faults;
mod ledger;
mod session;
mod terminal;
#[cfg(test)]
mod tests;
mod transaction;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::activity::{Activity, Event};
use crate::clock::Clock;
use crate::listeners::Listener;
use crate::side_effects::SideEffects;
use call::{Call, CallKind, LateCalls};
use callbacks::Callbacks;
pub(crate) use console::fault_form;
use exception::Exception;
use faults::Faults;
pub use faults::{FaultKind, Operation};
pub use ledger::{Ledger, LedgerOperation};
use session::TerminalRequest;
use transaction::{Card, Transaction};

/// The id of the only merchant.
pub const MERCHANT_ID: &str = "12000001";
/// The merchant's token, which authenticates each call.
pub const TOKEN: &str = "sandbox-token";
/// The last path segment of the callback address.
pub const CALLBACK_SECRET: &str = "a-secret-between-nets-and-this-machine";

/// The page of IIS for an unknown path.
const NOT_FOUND: &str = "<!DOCTYPE html>\r\n<html>\r\n    <head>\r\n        <title>The resource cannot be found.</title>\r\n    </head>\r\n    \
    <body bgcolor=\"white\">\r\n        <h1>Server Error in '/' Application.</h1>\r\n        \
    <h2><i>The resource cannot be found.</i></h2>\r\n        <b>Description:</b> HTTP 404.\r\n    </body>\r\n</html>\r\n";

/// The headers of every reply, as recorded from Nets. The content type has no charset.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "private"),
    ("content-type", "text/xml"),
    ("vary", "Accept-Encoding"),
    ("server", "Microsoft-IIS/7.5"),
    ("x-aspnet-version", "4.0.30319"),
    ("x-powered-by", "ASP.NET"),
];

/// Parameters by lower-case name. Empty parameters are omitted.
type Parameters = BTreeMap<String, String>;

/// The sandbox. Clones share their state.
#[derive(Clone)]
pub struct Netaxept {
    inner: Arc<Inner>,
}

struct Inner {
    side_effects: SideEffects,
    clock: Clock,
    transactions: Mutex<BTreeMap<String, Transaction>>,
    faults: Faults,
    late_calls: LateCalls,
    callbacks: Callbacks,
    observer: OnceLock<Observer>,
    activity: OnceLock<Activity>,
}

/// See [`Netaxept::observe`].
type Observer = Box<dyn Fn(Operation, &str) + Send + Sync>;

impl Netaxept {
    /// Returns a sandbox without transactions.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_side_effects(SideEffects::default(), clock)
    }

    /// Like [`Self::new`]. Records Register and Process in `side_effects`.
    pub(crate) fn with_side_effects(side_effects: SideEffects, clock: Clock) -> Self {
        let (transactions, faults) = (Mutex::default(), Faults::default());
        let (late_calls, callbacks) = (LateCalls::default(), Callbacks::default());
        let (observer, activity) = (OnceLock::new(), OnceLock::new());
        let inner = Inner {
            side_effects,
            clock,
            transactions,
            faults,
            late_calls,
            callbacks,
            observer,
            activity,
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on records calls and buttons in `activity`. Only the first call has an effect.
    pub(crate) fn record_in(&self, activity: Activity) {
        self.inner.activity.get_or_init(|| activity);
    }

    fn record(&self, event: impl FnOnce() -> Event) {
        if let Some(activity) = self.inner.activity.get() {
            activity.record(event());
        }
    }

    /// The routes of Nets. Paths are not case-sensitive.
    pub fn router(self) -> Router {
        Router::new().fallback(receive).with_state(self)
    }

    /// The routes of the sandbox at the console.
    pub(crate) fn console_router(&self) -> Router {
        console::router(self.clone())
    }

    /// Listens on `port` of 127.0.0.1; 0 selects a free port. Returns the base address, without a trailing slash.
    ///
    /// # Errors
    /// Fails if the port is in use.
    pub async fn start(port: u16, clock: Clock) -> Result<(Self, String), crate::Error> {
        let listener = Listener::open("Netaxept", port).await?;
        let (sandbox, address) = (Self::new(clock), listener.address()?);
        let router = sandbox.clone().router();
        listener.serve(router);
        Ok((sandbox, address))
    }

    /// Returns all transactions as JSON, without secrets, for tests and the console.
    #[must_use]
    pub fn transactions(&self) -> Value {
        self.execute_due_calls();
        self.lock_transactions().iter().map(|(id, transaction)| json!({ "transactionId": id, "transaction": transaction.public_json() })).collect()
    }

    fn lock_transactions(&self) -> MutexGuard<'_, BTreeMap<String, Transaction>> {
        self.inner.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, parameters: &Parameters, now: Timestamp) -> Result<xml::Element, Exception> {
        transaction::check_registration(parameters)?;
        let mut all = self.lock_transactions();
        let card = card_at_register(&all, parameters, now)?;
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
            .or_insert_with(|| Transaction::new(id, parameters.clone(), card, now));
        if transaction.card.is_some() {
            transaction.run_automatic(now).transpose()?;
            self.send_callback(transaction);
        }
        Ok(reply)
    }

    fn process(&self, parameters: &Parameters, now: Timestamp) -> Result<xml::Element, Exception> {
        let id = parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let mut all = self.lock_transactions();
        let transaction =
            all.get_mut(id).ok_or_else(|| Exception::generic("Unable to find transaction"))?;
        let reply = transaction.process(parameters, now);
        self.send_callback(transaction);
        reply
    }

    /// Returns the reply of Query, without the operations after `shown_until`.
    fn query(
        &self,
        parameters: &Parameters,
        now: Timestamp,
        shown_until: Timestamp,
    ) -> Result<xml::Element, Exception> {
        let id = parameters.get("transactionid").map(String::as_str).unwrap_or_default();
        let all = self.lock_transactions();
        let transaction = all
            .get(id)
            .ok_or_else(|| Exception::new("QueryException", "Unable to find transaction"))?;
        Ok(transaction.payment_info(now, shown_until))
    }
}

/// Returns the card that Register identifies, by the pan hash of an earlier transaction or by its number.
fn card_at_register(
    all: &BTreeMap<String, Transaction>,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Option<Card>, Exception> {
    let Some(pan_hash) = parameters.get("panhash") else {
        return transaction::card_from_parameters(parameters, now);
    };
    let card = all.values().find_map(|transaction| transaction.card_for(pan_hash));
    card.cloned().map(Some).ok_or_else(|| Exception::validation("Unknown pan hash"))
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
    let call = |kind| {
        let parameters = query.clone().into_iter().chain(form.clone()).collect();
        sandbox.call(Call { kind, parameters })
    };
    match uri.path().to_ascii_lowercase().as_str() {
        "/" => Html(terminal::welcome()).into_response(),
        "/netaxept/register.aspx" => call(CallKind::Register).await,
        "/netaxept/process.aspx" => call(CallKind::Process).await,
        "/netaxept/query.aspx" => call(CallKind::Query).await,
        "/terminal/default.aspx" | "/terminal/mobile/default.aspx" => {
            let (method, headers, query, form) = (&method, &headers, &query, &form);
            sandbox.terminal(&TerminalRequest { method, headers, query, form }).await
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
