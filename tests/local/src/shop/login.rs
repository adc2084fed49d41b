//! Login as a made-up customer, and logout.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use super::Shop;
use super::answers::Card;
use super::calls::{Call, CallLog};
use super::page::Page;
use super::sessions::{Notice, SESSION_COOKIE, Session, cookie, cookie_value};
use super::texts::Texts;
use super::visitor::{Language, Visitor, failed, list_cards};

/// The customer numbers of the made-up customers, and their names.
const CUSTOMERS: [(&str, &str); 3] = [
    ("demo-kari", "Kari Nordmann"),
    ("demo-ola", "Ola Nordmann"),
    ("demo-solveig", "Sólveig Sætre"),
];

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    customer: String,
    /// A customer number that is not in the list.
    #[serde(default)]
    other: String,
}

pub(super) fn routes() -> Router<Shop> {
    Router::new()
        .route("/shop", get(show))
        .route("/shop/login", post(log_in).get(async || Redirect::to("/shop")))
        .route("/shop/logout", post(log_out))
}

async fn show(
    visitor: Result<Visitor, Redirect>,
    State(shop): State<Shop>,
    Language(texts): Language,
) -> Response {
    match visitor {
        Ok(_) => Redirect::to("/shop/cards").into_response(),
        Err(_) => login_page(&shop, texts, Vec::new(), None, "").into_response(),
    }
}

/// Lists the customer's cards, so the API decides which customer numbers are valid.
async fn log_in(
    State(shop): State<Shop>,
    Language(texts): Language,
    Form(form): Form<LoginForm>,
) -> Response {
    let other = form.other.trim();
    let number = if other.is_empty() { &form.customer } else { other };
    let calls = CallLog::default();
    let cards: Result<Vec<Card>, _> = shop.inner.api.call(&calls, list_cards(number)).await;
    match cards {
        Ok(_) => {
            let sessions = &shop.inner.sessions;
            let id = sessions.start(Session::new(sessions.customer(number), calls));
            redirect_with_cookie("/shop/cards", &id)
        }
        Err(failure) => {
            let notice = failed(texts, failure, None);
            let page = login_page(&shop, texts, calls.newest_first(), Some(notice), other);
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}

async fn log_out(State(shop): State<Shop>, headers: HeaderMap) -> Response {
    if let Some(id) = cookie_value(&headers, SESSION_COOKIE) {
        shop.inner.sessions.end(id);
    }
    redirect_with_cookie("/shop", "")
}

fn redirect_with_cookie(address: &str, session: &str) -> Response {
    let mut response = Redirect::to(address).into_response();
    response
        .headers_mut()
        .extend(cookie(SESSION_COOKIE, session).map(|cookie| (SET_COOKIE, cookie)));
    response
}

fn login_page(
    shop: &Shop,
    texts: &'static Texts,
    calls: Vec<Call>,
    notice: Option<Notice>,
    other: &str,
) -> impl IntoResponse + use<> {
    let now = shop.inner.clock.now();
    let page = Page { texts, account: None, tab: None, notice, now, calls };
    page.show(texts.login.title, &content(texts, other))
}

fn content(texts: &Texts, other: &str) -> Markup {
    let login = &texts.login;
    html! {
        h1 { (login.title) }
        p .lead { (login.intro) }
        form .panel method="post" action="/shop/login" {
            fieldset {
                legend { (login.customers) }
                @for (place, (number, name)) in CUSTOMERS.iter().enumerate() {
                    label .choice {
                        input type="radio" name="customer" value=(number) checked[place == 0];
                        span { (name) " " span .note { (number) } }
                    }
                }
            }
            label for="other" { (login.other) }
            p #other-hint .hint { (login.other_hint) }
            input #other name="other" autocomplete="off" maxlength="64" value=(other) aria-describedby="other-hint";
            button #login .main { (login.button) }
        }
    }
}
