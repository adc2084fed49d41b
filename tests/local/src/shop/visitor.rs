//! Who sends a request: the language, the customer who is logged in, and the customer's own cards and orders.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use form_urlencoded::byte_serialize;
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Shop;
use super::answers::{Card, Terminal};
use super::api::{Failure, Request};
use super::page::{Page, Tab};
use super::sessions::{LANGUAGE_COOKIE, Notice, Order, SESSION_COOKIE, Session, cookie_value};
use super::texts::{self, Texts};

/// The `transactionType` of a terminal for charges without the customer.
pub(super) const MERCHANT_INITIATED: &str = "MIT_UCOF";

/// The language of a request: that of the link, of the cookie, or of the browser.
pub(super) struct Language(pub(super) &'static Texts);

/// A customer who is logged in. Requests without a session are redirected to the login page.
pub(super) struct Visitor {
    pub(super) shop: Shop,
    pub(super) session: Arc<Session>,
    pub(super) texts: &'static Texts,
    /// The shop's base address, as the browser knows it.
    pub(super) base: String,
}

/// A card of the customer. The ids of other customers' cards are answered like unknown ones: 404.
pub(super) struct OwnCard {
    pub(super) visitor: Visitor,
    pub(super) id: u64,
}

/// An order of the customer. The ids of other customers' orders are answered like unknown ones: 404.
pub(super) struct OwnOrder {
    pub(super) visitor: Visitor,
    pub(super) order: Order,
}

/// The result of an action: the next page, and what it says first.
pub(super) struct Step {
    pub(super) address: String,
    pub(super) message: Option<String>,
}

impl Step {
    pub(super) fn to(address: impl Into<String>) -> Self {
        Self { address: address.into(), message: None }
    }

    pub(super) fn saying(self, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..self }
    }
}

impl Visitor {
    /// Calls the API.
    pub(super) async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        self.shop.inner.api.call(&self.session.calls, request).await
    }

    /// Lists the customer's cards, oldest first, with the expired ones.
    pub(super) async fn cards(&self) -> Result<Vec<Card>, Failure> {
        self.call(list_cards(&self.session.customer.number)).await
    }

    /// Opens a terminal of a resource of the API. The customer comes back to `{page}/return`.
    pub(super) async fn open_terminal(
        &self,
        resource: &str,
        page: &str,
        transaction_type: Option<&str>,
    ) -> Result<Terminal, Failure> {
        let mut body = json!({
            "redirectUrl": format!("{}{page}/return", self.base),
            "terminalLanguage": self.texts.terminal_language,
        });
        if let Some(transaction_type) = transaction_type {
            body["transactionType"] = transaction_type.into();
        }
        let path = format!("{resource}/terminal");
        self.call(Request::new(Method::POST, path).with_body(body)).await
    }

    /// Whether a card belongs to the customer. The API is asked when the card is not known yet.
    pub(super) async fn owns(&self, card: u64) -> Result<bool, Failure> {
        let customer = &self.session.customer;
        if customer.has_card(card) {
            return Ok(true);
        }
        let is_listed = self.cards().await?.iter().any(|listed| listed.id == card);
        if is_listed {
            customer.add_card(card, false);
        }
        Ok(is_listed)
    }

    /// Redirects to the page after an action, or after a failure to `otherwise`. If the failed request can be repeated, that page
    /// has a button that posts to `retry`.
    pub(super) fn redirect(
        &self,
        result: Result<Step, Failure>,
        otherwise: &str,
        retry: Option<&str>,
    ) -> Redirect {
        match result {
            Ok(Step { address, message }) => {
                if let Some(message) = message {
                    self.session.set_notice(Notice::Done(message));
                }
                Redirect::to(&address)
            }
            Err(failure) => {
                let retry = retry.filter(|_| failure.can_retry).map(str::to_owned);
                self.session.set_notice(failed(self.texts, failure, retry));
                Redirect::to(otherwise)
            }
        }
    }

    /// Shows a page.
    pub(super) fn page(&self, tab: Tab, title: &str, content: &Markup) -> Response {
        self.page_with_status(StatusCode::OK, Some(tab), title, content)
    }

    /// Shows a page about the customer's cards.
    pub(super) async fn page_of_cards(
        &self,
        tab: Tab,
        title: &str,
        content: impl FnOnce(&[Card]) -> Markup,
    ) -> Response {
        match self.cards().await {
            Ok(cards) => self.page(tab, title, &content(&cards)),
            Err(failure) => self.failure_page(tab, title, failure),
        }
    }

    /// Shows a page that says only why it cannot be shown.
    pub(super) fn failure_page(&self, tab: Tab, title: &str, failure: Failure) -> Response {
        self.session.set_notice(failed(self.texts, failure, None));
        let content = html! { h1 { (title) } };
        self.page_with_status(StatusCode::BAD_GATEWAY, Some(tab), title, &content)
    }

    pub(super) fn not_found(&self) -> Response {
        let title = self.texts.not_found;
        let content = html! { h1 { (title) } p { (self.texts.problems.not_found) } };
        self.page_with_status(StatusCode::NOT_FOUND, None, title, &content)
    }

    fn page_with_status(
        &self,
        status: StatusCode,
        tab: Option<Tab>,
        title: &str,
        content: &Markup,
    ) -> Response {
        let page = Page {
            texts: self.texts,
            account: Some(&self.session.customer.number),
            calls: self.session.calls.newest_first(),
            tab,
            notice: self.session.take_notice(),
            now: self.shop.inner.clock.now(),
        };
        (status, page.show(title, content)).into_response()
    }
}

/// The request that lists a customer's cards.
pub(super) fn list_cards(customer: &str) -> Request {
    let number: String = byte_serialize(customer.as_bytes()).collect();
    let path = format!("/v1/recurring-payments?customerNumber={number}&includeExpired=true");
    Request::new(Method::GET, path)
}

/// What a page says about a failure.
pub(super) fn failed(texts: &Texts, failure: Failure, retry: Option<String>) -> Notice {
    let mut summary = texts.problem(&failure.slug).to_owned();
    if let Some(seconds) = failure.retry_after {
        let hint = texts.problems.retry_after.replace("{seconds}", &seconds.to_string());
        summary = format!("{summary} {hint}");
    }
    Notice::Failed { summary, detail: failure.detail, retry }
}

impl FromRequestParts<Shop> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shop) -> Result<Self, Infallible> {
        let selected = texts::selected_by(parts.uri.query().unwrap_or_default());
        let stored = || cookie_value(&parts.headers, LANGUAGE_COOKIE).and_then(texts::for_tag);
        let accepted = || {
            let accepted = parts.headers.get("accept-language").map(HeaderValue::to_str);
            texts::accepted_by(accepted.and_then(Result::ok).unwrap_or_default())
        };
        Ok(Self(selected.or_else(stored).unwrap_or_else(accepted)))
    }
}

impl FromRequestParts<Shop> for Visitor {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Redirect> {
        let Ok(Language(texts)) = Language::from_request_parts(parts, shop).await;
        let id = cookie_value(&parts.headers, SESSION_COOKIE);
        let session = id.and_then(|id| shop.inner.sessions.get(id));
        let base = base(&parts.headers, &shop.inner.console);
        let visitor = session.map(|session| Self { shop: shop.clone(), session, texts, base });
        visitor.ok_or_else(|| Redirect::to("/shop"))
    }
}

/// The address to which the browser returns. It has the name by which the browser knows this machine, so that cookies are sent.
fn base(headers: &HeaderMap, console: &str) -> String {
    let localhost = console.replace("127.0.0.1", "localhost");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if localhost.strip_prefix("http://") == Some(host) { localhost } else { console.to_owned() }
}

impl FromRequestParts<Shop> for OwnCard {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, shop).await;
        let visitor = visitor.map_err(IntoResponse::into_response)?;
        let Ok(Path(id)) = Path::<u64>::from_request_parts(parts, shop).await else {
            return Err(visitor.not_found());
        };
        match visitor.owns(id).await {
            Ok(true) => Ok(Self { visitor, id }),
            Ok(false) => Err(visitor.not_found()),
            Err(failure) => {
                Err(visitor.failure_page(Tab::Cards, visitor.texts.cards.title, failure))
            }
        }
    }
}

impl FromRequestParts<Shop> for OwnOrder {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, shop).await;
        let visitor = visitor.map_err(IntoResponse::into_response)?;
        let id = Path::<String>::from_request_parts(parts, shop).await.ok();
        let order = id.and_then(|Path(id)| visitor.session.customer.order(&id));
        match order {
            Some(order) => Ok(Self { visitor, order }),
            None => Err(visitor.not_found()),
        }
    }
}
