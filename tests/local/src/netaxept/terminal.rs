//! The pages where the customer enters a card: without scripts, for a person, with the field ids of Nets' recorded page.

mod entry;
mod form;
mod page;
#[cfg(test)]
mod tests;
mod words;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::html;

use super::Parameters;
use super::transaction::{Card, Phase, Step, Transaction};
use entry::{Entry, Fault};
use form::Form;
use page::Page;

/// The buttons that settle something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Button {
    Pay,
    Cancel,
    Refuse,
    TimeOut,
    Accept,
    Fail,
}

const BUTTONS: [(&str, Button); 6] = [
    ("cancelbutton", Button::Cancel),
    ("okbutton", Button::Pay),
    ("refusebutton", Button::Refuse),
    ("timeoutbutton", Button::TimeOut),
    ("acceptbutton", Button::Accept),
    ("failbutton", Button::Fail),
];

/// The button that was pressed. Nets lets shops lead customers here by POST too, which presses none.
fn pressed(method: &Method, form: &Parameters) -> Option<Button> {
    let pressed = BUTTONS.iter().find(|(name, _)| form.contains_key(*name));
    pressed.filter(|_| method == Method::POST).map(|(_, button)| *button)
}

/// Whether a button was pressed.
pub(super) fn is_pressed(method: &Method, form: &Parameters) -> bool {
    pressed(method, form).is_some()
}

/// A turn: shows a page, or takes what the customer did. When that ends the visit, the answer is empty, and the transaction says
/// how it ended.
pub(super) fn visit(
    transaction: &mut Transaction,
    method: &Method,
    query: &Parameters,
    form: &Parameters,
    now: Timestamp,
) -> Response {
    let phase = transaction.phase(now);
    let is_open = matches!(phase, Phase::Waiting | Phase::Authenticating);
    match pressed(method, form).filter(|_| is_open) {
        None => {}
        Some(Button::Pay) => {
            let entry = Entry::of(form);
            if let Err(faults) = pay(transaction, &entry, now) {
                // Nobody gets a security code back.
                let entry = Entry { code: String::new(), ..entry };
                let page = Page::new(transaction, query);
                return Form { page, entry, faults, now }.show();
            }
        }
        Some(Button::Cancel) => transaction.cancel(now),
        Some(Button::Refuse) => {
            let stored = transaction.stored().map(|card| Card { declined: true, ..card.clone() });
            transaction.enter(stored.unwrap_or_else(|| Entry::of(form).declined(now)), now);
        }
        Some(Button::TimeOut) => transaction.step = Step::TimedOut,
        Some(answer @ (Button::Accept | Button::Fail)) => authenticate(transaction, answer, now),
    }
    show(transaction, query, phase, now)
}

/// Takes the card, or sends it to the bank; otherwise says what is wrong.
fn pay(transaction: &mut Transaction, entry: &Entry, now: Timestamp) -> Result<(), Vec<Fault>> {
    if let Some(card) = transaction.stored().cloned() {
        return match entry.code_fault(&card.masked) {
            None => {
                transaction.enter(card, now);
                Ok(())
            }
            Some(fault) => Err(vec![fault]),
        };
    }
    let card = entry.card(now)?;
    if entry.is_authenticated() {
        transaction.step = Step::Bank(card);
    } else {
        transaction.enter(card, now);
    }
    Ok(())
}

/// The customer's answer to the bank, if the bank has asked.
fn authenticate(transaction: &mut Transaction, answer: Button, now: Timestamp) {
    let Step::Bank(card) = &transaction.step else { return };
    if answer == Button::Accept {
        transaction.enter(card.clone(), now);
    } else {
        transaction.deny(now);
    }
}

/// The page that a transaction is at, and none where it ended just now.
fn show(transaction: &Transaction, query: &Parameters, before: Phase, now: Timestamp) -> Response {
    let page = Page::new(transaction, query);
    match (transaction.phase(now), &transaction.step) {
        (Phase::Over, _) if before != Phase::Over => StatusCode::NO_CONTENT.into_response(),
        (Phase::Over, _) => page.notice(&html! { p role="status" { (page.words.over) } }),
        (Phase::TimedOut, _) => page.notice(&html! { p role="status" { (page.words.timed_out) } }),
        (Phase::Authenticating, Step::Bank(card)) => page.bank(card),
        (Phase::Waiting | Phase::Authenticating, _) => {
            let test_card = query.get("testcard").and_then(|number| Entry::test_card(number, now));
            Form { page, entry: test_card.unwrap_or_default(), faults: Vec::new(), now }.show()
        }
    }
}

/// What a customer sees who is led back nowhere, with the panel that Nets' page is known by.
pub(super) fn completed(transaction: &Transaction, query: &Parameters, is_fine: bool) -> Response {
    let page = Page::new(transaction, query);
    if is_fine {
        page.notice(&html! { div #status_okPanel role="status" { (page.words.done) } })
    } else {
        page.notice(&html! { div .errorPanel role="status" { (page.words.stopped) } })
    }
}

/// What Nets shows for a transaction that it does not know; status 200, as recorded.
pub(super) fn internal_error() -> String {
    "<html><head><link href=\"StyleSheet.css\" rel=\"stylesheet\"></head><body><div class=\"errorPanel\">Internal error</div></body></html>".to_owned()
}

/// What somebody sees who comes by.
pub(super) fn welcome() -> String {
    page::welcome().into_string()
}
