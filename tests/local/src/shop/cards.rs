//! "My cards": add, rename, choose the primary, remove, the history of a card, and the clock that lets cards expire.

mod history;
mod removal;
mod view;

use axum::http::Method;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shop;
use super::answers::Card;
use super::api::{Failure, Request};
use super::format::local_time;
use super::page::Tab;
use super::visitor::{MERCHANT_INITIATED, OwnCard, Step, Visitor};

/// The page of the cards.
const CARDS: &str = "/shop/cards";

pub(super) fn routes() -> Router<Shop> {
    Router::new()
        .route(CARDS, get(show).post(add))
        .route("/shop/cards/{id}/terminal", post(continue_at_terminal))
        .route("/shop/cards/{id}/return", get(authorize))
        .route("/shop/cards/{id}/authorize", post(authorize))
        .route("/shop/cards/{id}/primary", post(choose_primary))
        .route("/shop/cards/{id}/nickname", post(rename))
        .route("/shop/cards/{id}/remove", get(removal::confirm).post(removal::remove))
        .route("/shop/cards/{id}/history", get(history::show))
        .route("/shop/clock", post(move_clock))
}

#[derive(Deserialize)]
struct AddForm {
    /// The `Idempotency-Key`: a form that is sent twice creates one card.
    key: String,
    nickname: String,
    /// Present if the customer agrees that the shop charges the card without the customer.
    consent: Option<String>,
}

#[derive(Deserialize)]
struct NicknameForm {
    nickname: String,
}

#[derive(Deserialize)]
struct ClockForm {
    /// How far the clock is moved, as an ISO 8601 duration.
    advance: String,
}

async fn show(visitor: Visitor) -> Response {
    let (texts, customer) = (visitor.texts, &visitor.session.customer);
    let content = |cards: &[Card]| {
        let promoted = customer.remember(cards);
        let now = visitor.shop.inner.clock.now();
        view::CardsPage { texts, customer, cards, promoted, now }.content()
    };
    visitor.page_of_cards(Tab::Cards, texts.cards.title, content).await
}

async fn add(visitor: Visitor, Form(form): Form<AddForm>) -> Redirect {
    let result = create_card(&visitor, &form).await;
    visitor.redirect(result, CARDS, None)
}

/// Creates a recurring payment, and goes to the terminal where the customer enters the card.
async fn create_card(visitor: &Visitor, form: &AddForm) -> Result<Step, Failure> {
    let customer = &visitor.session.customer;
    let mut body = json!({ "customerNumber": customer.number });
    if !form.nickname.trim().is_empty() {
        body["nickname"] = form.nickname.clone().into();
    }
    let request = Request::new(Method::POST, "/v1/recurring-payments").with_body(body);
    let card: Card = visitor.call(request.with_idempotency_key(&form.key)).await?;
    customer.add_card(card.id, form.consent.is_some());
    open_terminal(visitor, card.id).await
}

async fn open_terminal(visitor: &Visitor, card: u64) -> Result<Step, Failure> {
    let is_chargeable = visitor.session.customer.is_chargeable(card);
    let (resource, page) = (format!("/v1/recurring-payments/{card}"), format!("{CARDS}/{card}"));
    let terminal = visitor
        .open_terminal(&resource, &page, is_chargeable.then_some(MERCHANT_INITIATED))
        .await?;
    Ok(Step::to(terminal.terminal_uri))
}

/// Opens a new terminal for a card that was not entered.
async fn continue_at_terminal(card: OwnCard) -> Redirect {
    let result = open_terminal(&card.visitor, card.id).await;
    card.visitor.redirect(result, CARDS, None)
}

/// Has the API verify and store the card. The redirect from the terminal proves nothing, so its parameters are not read.
async fn authorize(card: OwnCard) -> Redirect {
    let path = format!("/v1/recurring-payments/{}/authorize", card.id);
    let result: Result<Card, _> = card.visitor.call(Request::new(Method::PUT, path)).await;
    let result = result.map(|_| Step::to(CARDS).saying(card.visitor.texts.cards.added));
    let retry = format!("/shop/cards/{}/authorize", card.id);
    card.visitor.redirect(result, CARDS, Some(&retry))
}

async fn choose_primary(card: OwnCard) -> Redirect {
    // The page of the cards says which card became primary.
    change(card, json!({ "isPrimary": true }), None).await
}

async fn rename(card: OwnCard, Form(form): Form<NicknameForm>) -> Redirect {
    let nickname = form.nickname.trim();
    let nickname = if nickname.is_empty() { Value::Null } else { nickname.into() };
    let message = card.visitor.texts.cards.renamed;
    change(card, json!({ "nickname": nickname }), Some(message)).await
}

async fn change(card: OwnCard, body: Value, message: Option<&str>) -> Redirect {
    let path = format!("/v1/recurring-payments/{}", card.id);
    let request = Request::new(Method::PATCH, path).with_body(body);
    let result: Result<Card, _> = card.visitor.call(request).await;
    let step = Step { address: CARDS.to_owned(), message: message.map(str::to_owned) };
    card.visitor.redirect(result.map(|_| step), CARDS, None)
}

/// Moves the clock of the local service, as a test would.
async fn move_clock(visitor: Visitor, Form(form): Form<ClockForm>) -> Redirect {
    let moved = visitor.shop.inner.clock.advance(&form.advance);
    let moved = moved.map_err(|error| Failure { detail: error.to_string(), ..Failure::default() });
    let message = |now| visitor.texts.clock.replace("{time}", &local_time(visitor.texts, now));
    visitor.redirect(moved.map(|now| Step::to(CARDS).saying(message(now))), CARDS, None)
}
