//! The page with the card form and the test tools.

use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::input::{CardInput, FieldError, TEST_CARDS, this_month};
use super::page::Page;
use super::texts::Texts;
use crate::netaxept::transaction::Card;

/// The card form, with its input and the errors in it.
pub(super) struct Form<'a> {
    pub(super) page: Page<'a>,
    pub(super) input: CardInput,
    pub(super) errors: Vec<FieldError>,
    pub(super) now: Timestamp,
}

impl Form<'_> {
    /// Returns the page.
    pub(super) fn show(&self) -> Response {
        let (texts, purpose) = (self.texts(), self.page.purpose());
        let stored = self.page.transaction.stored_card();
        let content = html! {
            section {
                h1 { (purpose.title) }
                p { (purpose.intro) }
                (self.error_summary())
                (self.page.order_details(stored))
                // No validation by the browser: its messages have the browser's language and hide the page's own messages.
                form #form1 name="form1" method="post" action=(self.page.address()) novalidate {
                    @if stored.is_none() { (self.number()) (self.expiry()) }
                    (self.code())
                    div .buttons {
                        button #okButton .main name="okButton" value="Pay" type="submit" {
                            (purpose.button) @if let Some(amount) = self.page.amount() { " " (amount) }
                        }
                        button #cancelButton name="cancelButton" value="Cancel" type="submit" { (texts.cancel) }
                    }
                }
            }
            (self.tools(stored))
        };
        if self.errors.is_empty() {
            self.page.show(purpose.title, &content)
        } else {
            self.page.show(&format!("{}: {}", texts.errors.title_prefix, purpose.title), &content)
        }
    }

    fn texts(&self) -> &'static Texts {
        self.page.texts
    }

    /// Returns the list of all errors, with links to their fields. It gets the focus, so that screen readers start there.
    fn error_summary(&self) -> Markup {
        let texts = self.texts();
        html! {
            @if !self.errors.is_empty() {
                div #errors .errors role="alert" tabindex="-1" autofocus aria-labelledby="errors-heading" {
                    h2 #errors-heading { (texts.errors.heading) }
                    ul { @for error in &self.errors { li { a href={ "#" (error.field()) } { (texts.error(*error)) } } } }
                }
            }
        }
    }

    fn error(&self, field: &str) -> Option<FieldError> {
        self.errors.iter().copied().find(|error| error.field() == field)
    }

    /// Returns the error text of a field. The field refers to it with `aria-describedby`.
    fn error_text(&self, field: &str) -> Markup {
        html! {
            @if let Some(error) = self.error(field) {
                p .error id={ (field) "-error" } { (self.texts().error(error)) }
            }
        }
    }

    fn number(&self) -> Markup {
        let error = self.error("cardNo");
        html! {
            label for="cardNo" { (self.texts().number) }
            (self.error_text("cardNo"))
            input #cardNo name="cardNo" type="text" maxlength="19" inputmode="numeric" autocomplete="cc-number" required
                value=(self.input.number)
                aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "cardNo-error")];
        }
    }

    fn expiry(&self) -> Markup {
        let (texts, month, year) = (self.texts(), self.error("month"), self.error("year"));
        // An expired date is an error of both the month and the year.
        let expired = month.filter(|error| *error == FieldError::WrongExpiry);
        let year_error = year.map(|_| "year-error").or(expired.map(|_| "month-error"));
        let this_year = this_month(self.now).0;
        let months: Vec<String> = (1..=12).map(|month| format!("{month:02}")).collect();
        let years: Vec<String> =
            (this_year..=this_year + 15).map(|year| format!("{:02}", year % 100)).collect();
        html! {
            div .expiry { (self.error_text("month")) (self.error_text("year")) }
            div .row {
                div {
                    label for="month" { (texts.month) }
                    select #month name="month" autocomplete="cc-exp-month" required
                        aria-invalid=[month.map(|_| "true")] aria-describedby=[month.map(|_| "month-error")] {
                        (options(&months, &self.input.month, texts.month_placeholder))
                    }
                }
                div {
                    label for="year" { (texts.year) }
                    select #year name="year" autocomplete="cc-exp-year" required
                        aria-invalid=[year_error.map(|_| "true")] aria-describedby=[year_error] {
                        (options(&years, &self.input.year, texts.year_placeholder))
                    }
                }
            }
        }
    }

    fn code(&self) -> Markup {
        let error = self.error("securityCode");
        let described = if error.is_some() {
            "securityCode-hint securityCode-error"
        } else {
            "securityCode-hint"
        };
        html! {
            label for="securityCode" { (self.texts().code) }
            p #securityCode-hint .hint { (self.texts().code_hint) }
            (self.error_text("securityCode"))
            input #securityCode name="securityCode" type="password" maxlength="4" inputmode="numeric" autocomplete="cc-csc" required
                value=[Some(&self.input.code).filter(|code| !code.is_empty())]
                aria-invalid=[error.map(|_| "true")] aria-describedby=(described);
        }
    }

    /// Returns the test tools, which Nets' page does not have.
    fn tools(&self, stored: Option<&Card>) -> Markup {
        let tools = &self.texts().tools;
        html! {
            section .tools aria-labelledby="tools" {
                h2 #tools { (tools.title) }
                @if stored.is_none() { (self.test_cards()) }
                h3 { (tools.other) }
                button #refuseButton name="refuseButton" value="Refuse" type="submit" form="form1" aria-describedby="refuse-hint" {
                    (tools.refuse)
                }
                p #refuse-hint .hint { (tools.refuse_hint) }
                button #authenticationButton name="authenticationButton" value="Authentication" type="submit" form="form1"
                    aria-describedby="authentication-hint" {
                    (tools.authentication)
                }
                p #authentication-hint .hint { (tools.authentication_hint) }
                button #timeOutButton name="timeOutButton" value="TimeOut" type="submit" form="form1" aria-describedby="time-out-hint" {
                    (tools.time_out)
                }
                p #time-out-hint .hint { (tools.time_out_hint) }
            }
        }
    }

    fn test_cards(&self) -> Markup {
        let tools = &self.texts().tools;
        html! {
            h3 { (tools.cards) }
            form method="get" action="default.aspx" {
                @for (name, value) in self.page.parameters() { input type="hidden" name=(name) value=(value); }
                ul {
                    @for (number, name) in TEST_CARDS.iter().zip(tools.card_names) {
                        li {
                            button name="testCard" value=(number) type="submit" {
                                span { (name) } " " span .number { (number) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the options of a list. The first option has the text `placeholder` and no value.
fn options(values: &[String], selected: &str, placeholder: &str) -> Markup {
    html! {
        option value="" { (placeholder) }
        @for value in values { option value=(value) selected[value == selected] { (value) } }
    }
}
