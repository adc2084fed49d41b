//! Removing a card: a page that says what will change, and then the change.

use axum::http::Method;
use axum::response::{Redirect, Response};
use maud::{Markup, html};

use super::CARDS;
use super::view::face;
use crate::shop::answers::{Card, CardStatus};
use crate::shop::api::{Failure, Request};
use crate::shop::page::Tab;
use crate::shop::texts::Texts;
use crate::shop::visitor::{OwnCard, Step, Visitor};

/// Shows what the removal of a card will change, as a dry run answers it.
pub(super) async fn confirm(OwnCard { visitor, id }: OwnCard) -> Response {
    let texts = visitor.texts;
    match preview(&visitor, id).await {
        Ok((cards, preview)) => match cards.iter().find(|card| card.id == id) {
            Some(card) => {
                let title = texts.cards.remove_title.replace("{card}", &texts.card_option(card));
                let content = content(
                    texts,
                    &title,
                    card,
                    &outcome(texts, &cards, preview.primary_afterwards),
                );
                visitor.page(Tab::Cards, &title, &content)
            }
            None => visitor.not_found(),
        },
        Err(failure) => visitor.failure_page(Tab::Cards, texts.cards.remove_button, failure),
    }
}

/// The customer's cards, and the answer of a dry run of the removal.
async fn preview(visitor: &Visitor, id: u64) -> Result<(Vec<Card>, Card), Failure> {
    let cards = visitor.cards().await?;
    Ok((cards, visitor.call(end(id, "?dryRun=true")).await?))
}

/// Removes a card.
pub(super) async fn remove(OwnCard { visitor, id }: OwnCard) -> Redirect {
    let result: Result<Card, _> = visitor.call(end(id, "")).await;
    let result = result.map(|removed| {
        visitor.session.customer.add_removed(removed);
        Step::to(CARDS).saying(visitor.texts.cards.removed)
    });
    visitor.redirect(result, CARDS, None)
}

fn end(id: u64, query: &str) -> Request {
    Request::new(Method::DELETE, format!("/v1/recurring-payments/{id}{query}"))
}

/// Says which of the customer's cards is primary afterwards.
fn outcome(texts: &Texts, cards: &[Card], primary_afterwards: Option<u64>) -> String {
    let Some(id) = primary_afterwards else { return texts.cards.none_left.to_owned() };
    let (text, name) = match cards.iter().find(|card| card.id == id) {
        Some(card) if card.primary => (texts.cards.stays_primary, texts.card_option(card)),
        Some(card) if card.status == CardStatus::Active => {
            (texts.cards.becomes_primary, texts.card_option(card))
        }
        Some(card) => (texts.cards.becomes_primary_unregistered, texts.card_option(card)),
        // It was added after the list was read.
        None => (texts.cards.becomes_primary, texts.cards.new.to_owned()),
    };
    text.replace("{card}", &name)
}

fn content(texts: &Texts, title: &str, card: &Card, outcome: &str) -> Markup {
    html! {
        h1 { (title) }
        div .card {
            (face(texts, card))
            div .about {
                p #outcome .lead { (outcome) }
                p { (texts.cards.remove_hint) }
                div .actions {
                    form method="post" action={ (CARDS) "/" (card.id) "/remove" } {
                        button #remove .danger aria-describedby="outcome" { (texts.cards.remove_button) }
                    }
                    a href=(CARDS) { (texts.cards.keep) }
                }
            }
        }
    }
}
