//! A visit to the terminal: who shows the page, what happens by itself when the card is there, and the way back to the shop.

use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::transaction::{Phase, Transaction};
use super::{MERCHANT_ID, Netaxept, Operation, Parameters, posted, terminal};

/// A request of a browser.
pub(super) struct Visit<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a Parameters,
    pub(super) form: &'a Parameters,
}

impl Visit<'_> {
    fn given(&self, name: &str) -> &str {
        self.query.get(name).or(self.form.get(name)).map(String::as_str).unwrap_or_default()
    }

    fn user_agent(&self) -> &str {
        self.headers.get("user-agent").and_then(|name| name.to_str().ok()).unwrap_or_default()
    }

    fn all(&self) -> Parameters {
        self.query.clone().into_iter().chain(self.form.clone()).collect()
    }

    /// Whether it settles something: a button of the page, or the card of a merchant's own page.
    fn settles(&self) -> bool {
        let is_posted = self.method == Method::POST && self.form.contains_key("pan");
        is_posted || terminal::is_pressed(self.method, self.form)
    }
}

impl Netaxept {
    pub(super) async fn terminal(&self, visit: &Visit<'_>) -> Response {
        if visit.settles() {
            self.inner.faults.pass(Operation::Terminal, visit.form, || self.visit(visit)).await
        } else {
            self.visit(visit)
        }
    }

    fn visit(&self, visit: &Visit<'_>) -> Response {
        let (id, now) = (visit.given("transactionid"), self.inner.clock.now());
        let is_ours = visit.given("merchantid") == MERCHANT_ID;
        let mut all = self.all();
        let page = match all.get_mut(id).filter(|found| is_ours && found.has_terminal()) {
            None => Html(terminal::internal_error()).into_response(),
            Some(transaction) => {
                let page = turn(transaction, visit, now);
                self.tell_change(transaction);
                page
            }
        };
        // What was entered belongs into no cache.
        ([("cache-control", "no-store")], page).into_response()
    }
}

/// One turn: a page, or its end.
fn turn(transaction: &mut Transaction, visit: &Visit<'_>, now: Timestamp) -> Response {
    let is_over = transaction.phase(now) == Phase::Over;
    let failures = transaction.failures();
    transaction.arrive(visit.user_agent(), now);
    let page = show(transaction, visit, now);
    if is_over || transaction.phase(now) != Phase::Over {
        return page;
    }
    transaction.leave(now);
    if transaction.failures() == failures {
        let code = match transaction.run_automatic(now) {
            Some(Err(refusal)) => refusal.code().to_owned(),
            Some(Ok(_)) | None => "OK".to_owned(),
        };
        return way_back(transaction, visit, &code);
    }
    way_back(transaction, visit, transaction.last_code())
}

/// Whatever page it is the turn of; the answer is empty where the visit ends.
fn show(transaction: &mut Transaction, visit: &Visit<'_>, now: Timestamp) -> Response {
    if !transaction.takes_posted_card() || transaction.phase(now) != Phase::Waiting {
        return terminal::visit(transaction, visit.method, visit.query, visit.form, now);
    }
    match posted::card(&visit.all(), true, now) {
        Ok(card) => transaction.enter(card, now),
        Err(faults) => transaction.reject(&faults, now),
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Back to the shop, the transaction id first and then the code, as it was recorded. A shop that wanted nobody back has a page
/// shown that says how it ended.
fn way_back(transaction: &Transaction, visit: &Visit<'_>, code: &str) -> Response {
    let (is_fine, on_error) = (code == "OK", transaction.parameter("redirectonerror"));
    let to = if is_fine || on_error.is_empty() {
        transaction.parameter("redirecturl")
    } else {
        on_error
    };
    if to.is_empty() {
        return terminal::completed(transaction, visit.query, is_fine);
    }
    let (address, fragment) = to.find('#').map_or((to, ""), |place| to.split_at(place));
    let joint = if address.contains('?') { '&' } else { '?' };
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (id, code) = (encoded(transaction.id()), encoded(code));
    let location = format!("{address}{joint}transactionId={id}&responseCode={code}{fragment}");
    (StatusCode::FOUND, [("location", location)]).into_response()
}
