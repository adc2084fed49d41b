//! A terminal session: the page, the automatic operation at its end, and the redirect to the shop.

use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::transaction::{Phase, Transaction};
use super::{MERCHANT_ID, Netaxept, Operation, Parameters, card_data, terminal};
use crate::activity::Event;

/// A request of a browser to the terminal.
pub(super) struct TerminalRequest<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a Parameters,
    pub(super) form: &'a Parameters,
}

impl TerminalRequest<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.query.get(name).or(self.form.get(name)).map(String::as_str).unwrap_or_default()
    }

    fn user_agent(&self) -> &str {
        self.headers.get("user-agent").and_then(|name| name.to_str().ok()).unwrap_or_default()
    }

    fn parameters(&self) -> Parameters {
        self.query.clone().into_iter().chain(self.form.clone()).collect()
    }

    /// Whether the request is a press of a button or the card of a merchant's page.
    fn is_action(&self) -> bool {
        let is_posted = self.method == Method::POST && self.form.contains_key("pan");
        is_posted || terminal::is_pressed(self.method, self.form)
    }
}

impl Netaxept {
    pub(super) async fn terminal(&self, request: &TerminalRequest<'_>) -> Response {
        self.execute_due_calls();
        self.record_button(request);
        let fault =
            request.is_action().then(|| self.inner.faults.next(&[Operation::Terminal])).flatten();
        let perform = || self.terminal_page(request);
        match fault {
            None => perform(),
            Some(fault) => self.inner.faults.apply(&fault, request.form, perform).await,
        }
    }

    /// Records the button that was pressed on the page, if any.
    fn record_button(&self, request: &TerminalRequest<'_>) {
        if let Some(button) = terminal::pressed_name(request.method, request.form) {
            let id = request.parameter("transactionid");
            let summary = format!("Terminal {id}: the customer pressed {button}");
            self.record(|| Event::nets("terminal page", id, summary, Value::Null));
        }
    }

    fn terminal_page(&self, request: &TerminalRequest<'_>) -> Response {
        let (id, now) = (request.parameter("transactionid"), self.inner.clock.now());
        let is_our_merchant = request.parameter("merchantid") == MERCHANT_ID;
        let mut all = self.lock_transactions();
        let page = match all.get_mut(id).filter(|found| is_our_merchant && found.has_terminal()) {
            None => Html(terminal::internal_error()).into_response(),
            Some(transaction) => {
                let page = respond(transaction, request, now);
                self.send_callback(transaction);
                page
            }
        };
        // The page can contain card data.
        ([("cache-control", "no-store")], page).into_response()
    }
}

/// Processes a request. Returns a page or, when the request ends the session, the redirect to the shop.
fn respond(
    transaction: &mut Transaction,
    request: &TerminalRequest<'_>,
    now: Timestamp,
) -> Response {
    let had_ended = transaction.phase(now) == Phase::Ended;
    let failures = transaction.failure_count();
    transaction.enter_terminal(request.user_agent(), now);
    let page = process(transaction, request, now);
    if had_ended || transaction.phase(now) != Phase::Ended {
        return page;
    }
    transaction.redirect(now);
    if transaction.failure_count() == failures {
        let code = match transaction.run_automatic(now) {
            Some(Err(refusal)) => refusal.code().to_owned(),
            Some(Ok(_)) | None => "OK".to_owned(),
        };
        return redirect_to_shop(transaction, request, &code);
    }
    redirect_to_shop(transaction, request, transaction.response_code())
}

/// Processes the posted card or the input on the page. The response is empty when the request ends the session.
fn process(
    transaction: &mut Transaction,
    request: &TerminalRequest<'_>,
    now: Timestamp,
) -> Response {
    if !transaction.accepts_posted_card() || transaction.phase(now) != Phase::Waiting {
        return terminal::process(transaction, request.method, request.query, request.form, now);
    }
    match card_data::parse(&request.parameters(), true, now) {
        Ok(card) => transaction.enter_card(card, now),
        Err(errors) => transaction.reject_card(&errors, now),
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Redirects to the shop. The query has first the transaction id and then the code, as recorded. Without a redirect address, shows
/// a page with the result.
fn redirect_to_shop(
    transaction: &Transaction,
    request: &TerminalRequest<'_>,
    code: &str,
) -> Response {
    let (is_ok, on_error) = (code == "OK", transaction.parameter("redirectonerror"));
    let to =
        if is_ok || on_error.is_empty() { transaction.parameter("redirecturl") } else { on_error };
    if to.is_empty() {
        return terminal::completed(transaction, request.query, is_ok);
    }
    let (address, fragment) = to.find('#').map_or((to, ""), |place| to.split_at(place));
    let separator = if address.contains('?') { '&' } else { '?' };
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (id, code) = (encoded(transaction.id()), encoded(code));
    let location = format!("{address}{separator}transactionId={id}&responseCode={code}{fragment}");
    (StatusCode::FOUND, [("location", location)]).into_response()
}
