//! The layout of the pages: header, notice, content, and the calls to the API.

use axum::response::Html;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::calls::Call;
use super::format::local_time;
use super::sessions::Notice;
use super::texts::{LANGUAGES, Texts};

/// The pages in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Cards,
    Tickets,
}

/// What surrounds the content of a page.
pub(super) struct Page<'a> {
    pub(super) texts: &'static Texts,
    /// The number of the customer who is logged in.
    pub(super) account: Option<&'a str>,
    /// Newest first.
    pub(super) calls: Vec<Call>,
    pub(super) tab: Option<Tab>,
    pub(super) notice: Option<Notice>,
    /// The time on the clock of the local service.
    pub(super) now: Timestamp,
}

impl Page<'_> {
    /// Returns the page. `content` starts with the `h1`.
    pub(super) fn show(&self, title: &str, content: &Markup) -> Html<String> {
        let texts = self.texts;
        let is_error = matches!(self.notice, Some(Notice::Failed { .. }));
        let page = html! {
            (DOCTYPE)
            html lang=(texts.lang) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { @if is_error { (texts.error_prefix) ": " } (title) " – " (texts.shop) }
                    link rel="stylesheet" href="/shop/style.css";
                    script src="/shop/copy.js" defer {}
                }
                body {
                    a .skip href="#content" { (texts.skip) }
                    (self.header())
                    div .columns {
                        main #content tabindex="-1" { (self.notice()) (content) }
                        (self.calls())
                    }
                    footer { p { (texts.demo) " " (texts.clock.replace("{time}", &local_time(texts, self.now))) } }
                }
            }
        };
        Html(page.into_string())
    }

    fn header(&self) -> Markup {
        let texts = self.texts;
        html! {
            header {
                div .bar {
                    a .name href="/shop" { span .mark aria-hidden="true" { "▶" } (texts.shop) }
                    nav .languages aria-label=(texts.languages) {
                        ul {
                            @for other in LANGUAGES {
                                li lang=(other.lang) {
                                    a href={ "?language=" (other.lang) } hreflang=(other.lang)
                                        aria-current=[(other.lang == texts.lang).then_some("true")] { (other.name) }
                                }
                            }
                        }
                    }
                }
                @if let Some(number) = self.account {
                    div .bar {
                        nav .menu aria-label=(texts.menu) {
                            ul {
                                @for (tab, address, name) in [
                                    (Tab::Cards, "/shop/cards", texts.cards.title),
                                    (Tab::Tickets, "/shop/tickets", texts.tickets.title),
                                ] {
                                    li { a href=(address) aria-current=[(self.tab == Some(tab)).then_some("page")] { (name) } }
                                }
                            }
                        }
                        form .account method="post" action="/shop/logout" {
                            span { (number) }
                            button #logout { (texts.log_out) }
                        }
                    }
                }
            }
        }
    }

    /// Returns the notice. It gets the focus, so that screen readers start there.
    fn notice(&self) -> Markup {
        let texts = self.texts;
        html! {
            @match &self.notice {
                Some(Notice::Done(message)) => {
                    div #notice .notice .done role="status" tabindex="-1" autofocus { p { (message) } }
                }
                Some(Notice::Failed { summary, detail, retry }) => {
                    div #notice .notice .failed role="alert" tabindex="-1" autofocus {
                        p { strong { (summary) } }
                        @if !detail.is_empty() { p { (texts.api_says) " " q lang="en" { (detail) } } }
                        @if let Some(address) = retry {
                            form method="post" action=(address) { button #retry { (texts.try_again) } }
                        }
                    }
                }
                None => {}
            }
        }
    }

    /// Returns the calls to the API, newest first. The newest is open.
    fn calls(&self) -> Markup {
        let texts = &self.texts.calls;
        html! {
            aside aria-labelledby="calls" {
                h2 #calls { (texts.title) }
                p { (texts.intro) }
                p #copied .unseen role="status" {}
                @if self.calls.is_empty() { p { (texts.none) } }
                ol {
                    @for (place, call) in self.calls.iter().enumerate() { li { (self.call(place, call)) } }
                }
            }
        }
    }

    fn call(&self, place: usize, call: &Call) -> Markup {
        let texts = &self.texts.calls;
        let is_success = call.status.is_some_and(|status| status < 400);
        let status =
            call.status.map_or_else(|| texts.no_answer.to_owned(), |status| status.to_string());
        html! {
            details open[place == 0] {
                summary id={ "call-" (place) } {
                    span .title { (call.title) } " "
                    span .status .success[is_success] { (status) }
                }
                @for (kind, name, text) in [("curl", texts.request, &call.curl), ("answer", texts.answer, &call.answer)] {
                    @let id = format!("{kind}-{place}");
                    div .text {
                        h3 id={ (id) "-name" } { (name) }
                        button type="button" hidden data-copy=(id) data-copied=(texts.copied) aria-describedby={ (id) "-name" } { (texts.copy) }
                    }
                    pre id=(id) lang="en" { (text) }
                }
            }
        }
    }
}
