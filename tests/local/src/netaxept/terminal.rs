//! The terminal pages, where the customer enters a card. They use no scripts, and the field ids of Nets' recorded page.

mod form;
mod input;
mod page;
#[cfg(test)]
mod tests;
mod texts;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::html;

use super::Parameters;
use super::transaction::{Card, Phase, Step, Transaction};
use form::Form;
use input::{CardInput, FieldError};
use page::Page;

/// A button of the terminal pages that processes input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Button {
    Pay,
    Cancel,
    Refuse,
    RequireAuthentication,
    TimeOut,
    Accept,
    Fail,
}

const BUTTONS: [(&str, Button); 7] = [
    ("cancelbutton", Button::Cancel),
    ("okbutton", Button::Pay),
    ("refusebutton", Button::Refuse),
    ("authenticationbutton", Button::RequireAuthentication),
    ("timeoutbutton", Button::TimeOut),
    ("acceptbutton", Button::Accept),
    ("failbutton", Button::Fail),
];

/// Returns the button that was pressed. A POST can be without a button, because a shop can redirect a customer with POST.
fn pressed(method: &Method, form: &Parameters) -> Option<Button> {
    let pressed = BUTTONS.iter().find(|(name, _)| form.contains_key(*name));
    pressed.filter(|_| method == Method::POST).map(|(_, button)| *button)
}

/// Returns the id of the button that was pressed, in lower case.
pub(super) fn pressed_name(method: &Method, form: &Parameters) -> Option<&'static str> {
    let button = pressed(method, form)?;
    BUTTONS.iter().find(|(_, one)| *one == button).map(|(name, _)| *name)
}

/// Whether a button of the page was pressed.
pub(super) fn is_pressed(method: &Method, form: &Parameters) -> bool {
    pressed(method, form).is_some()
}

/// Processes the pressed button, if any, and returns the next page. When the button ends the session, the response is empty, and
/// the transaction has the result.
pub(super) fn process(
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
            let input = CardInput::from_form(form);
            if let Err(errors) = pay(transaction, &input, now) {
                // A security code is never sent back to the browser.
                let input = CardInput { code: String::new(), ..input };
                let page = Page::new(transaction, query);
                return Form { page, input, errors, now }.show();
            }
        }
        Some(Button::Cancel) => transaction.cancel(now),
        Some(Button::Refuse) => {
            let stored =
                transaction.stored_card().map(|card| Card { is_declined: true, ..card.clone() });
            transaction.enter_card(
                stored.unwrap_or_else(|| CardInput::from_form(form).declined_card(now)),
                now,
            );
        }
        Some(Button::RequireAuthentication) => {
            let stored = transaction.stored_card();
            let stored = stored.map(|card| Card { requires_authentication: true, ..card.clone() });
            let entered = || CardInput::from_form(form).unauthenticated_card(now);
            transaction.enter_card(stored.unwrap_or_else(entered), now);
        }
        Some(Button::TimeOut) => transaction.step = Step::TimedOut,
        Some(answer @ (Button::Accept | Button::Fail)) => authenticate(transaction, answer, now),
    }
    show(transaction, query, phase, now)
}

/// Enters the card, or starts its 3-D Secure step.
///
/// # Errors
/// Returns all errors of the fields.
fn pay(
    transaction: &mut Transaction,
    input: &CardInput,
    now: Timestamp,
) -> Result<(), Vec<FieldError>> {
    if let Some(card) = transaction.stored_card().cloned() {
        return match input.code_error(&card.masked) {
            None => {
                use_card(transaction, card, false, now);
                Ok(())
            }
            Some(error) => Err(vec![error]),
        };
    }
    let card = input.card(now)?;
    use_card(transaction, card, input.has_3d_secure(), now);
    Ok(())
}

/// Enters the card, or starts its 3-D Secure step if it has one or if its issuer requires one.
fn use_card(transaction: &mut Transaction, card: Card, has_3d_secure: bool, now: Timestamp) {
    if has_3d_secure || card.requires_authentication {
        transaction.step = Step::Bank(card);
    } else {
        transaction.enter_card(card, now);
    }
}

/// Applies the customer's answer on the page of the bank, if that page is shown.
fn authenticate(transaction: &mut Transaction, answer: Button, now: Timestamp) {
    let Step::Bank(card) = &transaction.step else { return };
    if answer == Button::Accept {
        transaction.enter_authenticated_card(card.clone(), now);
    } else {
        transaction.deny(now);
    }
}

/// Returns the current page of a transaction. The response is empty if the session ended with this request.
fn show(transaction: &Transaction, query: &Parameters, before: Phase, now: Timestamp) -> Response {
    let page = Page::new(transaction, query);
    match (transaction.phase(now), &transaction.step) {
        (Phase::Ended, _) if before != Phase::Ended => StatusCode::NO_CONTENT.into_response(),
        (Phase::Ended, _) => page.notice(&html! { p role="status" { (page.texts.ended) } }),
        (Phase::TimedOut, _) => page.notice(&html! { p role="status" { (page.texts.timed_out) } }),
        (Phase::Authenticating, Step::Bank(card)) => page.bank(card),
        (Phase::Waiting | Phase::Authenticating, _) => {
            let test_card =
                query.get("testcard").and_then(|number| CardInput::test_card(number, now));
            Form { page, input: test_card.unwrap_or_default(), errors: Vec::new(), now }.show()
        }
    }
}

/// Returns the page for the end of a session without a redirect address. It contains the panel of Nets' page.
pub(super) fn completed(transaction: &Transaction, query: &Parameters, is_ok: bool) -> Response {
    let page = Page::new(transaction, query);
    if is_ok {
        page.notice(&html! { div #status_okPanel role="status" { (page.texts.succeeded) } })
    } else {
        page.notice(&html! { div .errorPanel role="status" { (page.texts.failed) } })
    }
}

/// Returns Nets' page for an unknown transaction. Its status is 200, as recorded.
pub(super) fn internal_error() -> String {
    "<html><head><link href=\"StyleSheet.css\" rel=\"stylesheet\"></head><body><div class=\"errorPanel\">Internal error</div></body></html>".to_owned()
}

/// Returns the start page of the sandbox.
pub(super) fn welcome() -> String {
    page::welcome().into_string()
}
