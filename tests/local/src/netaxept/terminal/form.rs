//! The page with the form, and what a sandbox adds to it for whoever tests.

use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::entry::{Entry, Fault, TEST_CARDS, this_month};
use super::page::Page;
use super::words::Words;
use crate::netaxept::transaction::Card;

/// The form as it was sent, and what is wrong with that.
pub(super) struct Form<'a> {
    pub(super) page: Page<'a>,
    pub(super) entry: Entry,
    pub(super) faults: Vec<Fault>,
    pub(super) now: Timestamp,
}

impl Form<'_> {
    /// The page.
    pub(super) fn show(&self) -> Response {
        let (words, purpose) = (self.words(), self.page.purpose());
        let stored = self.page.transaction.stored();
        let content = html! {
            section {
                h1 { (purpose.title) }
                p { (purpose.intro) }
                (self.summary())
                (self.page.order(stored))
                // The browser's own messages would be in the browser's language, and would hide ours.
                form #form1 name="form1" method="post" action=(self.page.address()) novalidate {
                    @if stored.is_none() { (self.number()) (self.expiry()) }
                    (self.code())
                    div .buttons {
                        button #okButton .main name="okButton" value="Pay" type="submit" {
                            (purpose.button) @if let Some(amount) = self.page.amount() { " " (amount) }
                        }
                        button #cancelButton name="cancelButton" value="Cancel" type="submit" { (words.cancel) }
                    }
                }
            }
            (self.tools(stored))
        };
        if self.faults.is_empty() {
            self.page.show(purpose.title, &content)
        } else {
            self.page.show(&format!("{}: {}", words.faults.mark, purpose.title), &content)
        }
    }

    fn words(&self) -> &'static Words {
        self.page.words
    }

    /// Everything that is wrong, with the way to it; whoever cannot see it begins there.
    fn summary(&self) -> Markup {
        let words = self.words();
        html! {
            @if !self.faults.is_empty() {
                div #faults .faults role="alert" tabindex="-1" autofocus aria-labelledby="faults-heading" {
                    h2 #faults-heading { (words.faults.heading) }
                    ul { @for fault in &self.faults { li { a href={ "#" (fault.field()) } { (words.fault(*fault)) } } } }
                }
            }
        }
    }

    fn fault(&self, field: &str) -> Option<Fault> {
        self.faults.iter().copied().find(|fault| fault.field() == field)
    }

    /// What is wrong with a field, as a text that the field refers to.
    fn explain(&self, field: &str) -> Markup {
        html! {
            @if let Some(fault) = self.fault(field) {
                p .fault id={ (field) "-fault" } { (self.words().fault(fault)) }
            }
        }
    }

    fn number(&self) -> Markup {
        let fault = self.fault("cardNo");
        html! {
            label for="cardNo" { (self.words().number) }
            (self.explain("cardNo"))
            input #cardNo name="cardNo" type="text" maxlength="19" inputmode="numeric" autocomplete="cc-number" required
                value=(self.entry.number)
                aria-invalid=[fault.map(|_| "true")] aria-describedby=[fault.map(|_| "cardNo-fault")];
        }
    }

    fn expiry(&self) -> Markup {
        let (words, month, year) = (self.words(), self.fault("month"), self.fault("year"));
        // A date that is over is no more the month's fault than the year's.
        let both = month.filter(|fault| *fault == Fault::WrongExpiry);
        let year_fault = year.map(|_| "year-fault").or(both.map(|_| "month-fault"));
        let this_year = this_month(self.now).0;
        let months: Vec<String> = (1..=12).map(|month| format!("{month:02}")).collect();
        let years: Vec<String> =
            (this_year..=this_year + 15).map(|year| format!("{:02}", year % 100)).collect();
        html! {
            div .expiry { (self.explain("month")) (self.explain("year")) }
            div .row {
                div {
                    label for="month" { (words.month) }
                    select #month name="month" autocomplete="cc-exp-month" required
                        aria-invalid=[month.map(|_| "true")] aria-describedby=[month.map(|_| "month-fault")] {
                        (options(&months, &self.entry.month, words.month_letters))
                    }
                }
                div {
                    label for="year" { (words.year) }
                    select #year name="year" autocomplete="cc-exp-year" required
                        aria-invalid=[year_fault.map(|_| "true")] aria-describedby=[year_fault] {
                        (options(&years, &self.entry.year, words.year_letters))
                    }
                }
            }
        }
    }

    fn code(&self) -> Markup {
        let fault = self.fault("securityCode");
        let described = if fault.is_some() {
            "securityCode-hint securityCode-fault"
        } else {
            "securityCode-hint"
        };
        html! {
            label for="securityCode" { (self.words().code) }
            p #securityCode-hint .hint { (self.words().code_hint) }
            (self.explain("securityCode"))
            input #securityCode name="securityCode" type="password" maxlength="4" inputmode="numeric" autocomplete="cc-csc" required
                value=[Some(&self.entry.code).filter(|code| !code.is_empty())]
                aria-invalid=[fault.map(|_| "true")] aria-describedby=(described);
        }
    }

    /// What a sandbox has and Nets has not: none of it pays.
    fn tools(&self, stored: Option<&Card>) -> Markup {
        let tools = &self.words().tools;
        html! {
            section .tools aria-labelledby="tools" {
                h2 #tools { (tools.title) }
                @if stored.is_none() { (self.test_cards()) }
                h3 { (tools.other) }
                button #refuseButton name="refuseButton" value="Refuse" type="submit" form="form1" aria-describedby="refuse-hint" {
                    (tools.refuse)
                }
                p #refuse-hint .hint { (tools.refuse_hint) }
                button #timeOutButton name="timeOutButton" value="TimeOut" type="submit" form="form1" aria-describedby="time-out-hint" {
                    (tools.time_out)
                }
                p #time-out-hint .hint { (tools.time_out_hint) }
            }
        }
    }

    fn test_cards(&self) -> Markup {
        let tools = &self.words().tools;
        html! {
            h3 { (tools.cards) }
            form method="get" action="default.aspx" {
                @for (name, value) in self.page.tokens() { input type="hidden" name=(name) value=(value); }
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

/// The choices of a list, of which none is made at first.
fn options(values: &[String], chosen: &str, none: &str) -> Markup {
    html! {
        option value="" { (none) }
        @for value in values { option value=(value) selected[value == chosen] { (value) } }
    }
}
