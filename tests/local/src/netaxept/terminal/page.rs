//! The layout of the pages, their security headers, and all pages except the form.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use uuid::Uuid;

use super::texts::{ENGLISH, LANGUAGES, Purpose, Texts};
use crate::netaxept::transaction::{Card, Transaction};
use crate::netaxept::{MERCHANT_ID, Parameters};

/// The name of the merchant.
const MERCHANT: &str = "Sandbox";

const STYLE: &str = include_str!("style.css");

/// A page of one transaction.
pub(super) struct Page<'a> {
    pub(super) transaction: &'a Transaction,
    pub(super) texts: &'static Texts,
    /// The language that was selected on the page, if any. Otherwise Register selected it.
    selected: Option<&'static str>,
}

impl<'a> Page<'a> {
    pub(super) fn new(transaction: &'a Transaction, query: &Parameters) -> Self {
        let selected = query.get("language").and_then(|lang| Texts::for_tag(lang));
        let texts =
            selected.unwrap_or_else(|| Texts::for_register(transaction.parameter("language")));
        Self { transaction, texts, selected: selected.map(|texts| texts.lang) }
    }

    /// Returns the texts for a purchase or for storing a card.
    pub(super) fn purpose(&self) -> &'static Purpose {
        let stores_only = self.transaction.parameter("updatestoredpaymentinfo");
        if stores_only.eq_ignore_ascii_case("true") { &self.texts.store } else { &self.texts.pay }
    }

    /// Returns the formatted amount of a purchase. Returns `None` when a card is only stored.
    pub(super) fn amount(&self) -> Option<String> {
        let is_purchase = std::ptr::eq(self.purpose(), &raw const self.texts.pay);
        let minor = self.transaction.parameter("amount").parse().ok().filter(|_| is_purchase)?;
        Some(self.texts.money(minor, self.transaction.parameter("currencycode")))
    }

    /// Returns the query parameters of the page, which its forms and links repeat.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let of_transaction =
            [("MerchantID", MERCHANT_ID), ("TransactionID", self.transaction.id())];
        let language = self.selected.map(|lang| ("language", lang));
        of_transaction.into_iter().chain(language).collect()
    }

    /// Returns the relative address of the page.
    pub(super) fn address(&self) -> String {
        address(&self.parameters())
    }

    /// Returns the merchant, the order number, the amount and the card, if they are known.
    pub(super) fn order_details(&self, card: Option<&Card>) -> Markup {
        html! {
            dl {
                dt { (self.texts.merchant) } dd { (MERCHANT) }
                dt { (self.texts.order) } dd { (self.transaction.parameter("ordernumber")) }
                @if let Some(amount) = self.amount() { dt { (self.texts.amount) } dd .amount { (amount) } }
                @if let Some(card) = card { dt { (self.texts.card) } dd { (card.method) " " (card.masked) } }
            }
        }
    }

    /// Returns the 3-D Secure page of the customer's bank.
    pub(super) fn bank(&self, card: &Card) -> Response {
        let bank = &self.texts.bank;
        let content = html! {
            section {
                h1 { (bank.title) }
                p { (bank.intro) }
                (self.order_details(Some(card)))
                form #bankForm method="post" action=(self.address()) {
                    div .buttons {
                        button #acceptButton .main name="acceptButton" value="Accept" type="submit" { (bank.accept) }
                        button #failButton name="failButton" value="Fail" type="submit" { (bank.fail) }
                        button #cancelButton name="cancelButton" value="Cancel" type="submit" { (self.texts.cancel) }
                    }
                }
            }
        };
        self.show(bank.title, &content)
    }

    /// Returns a page with a single message.
    pub(super) fn notice(&self, content: &Markup) -> Response {
        let title = self.purpose().title;
        let content = html! { section { h1 { (title) } (content) } };
        self.show(title, &content)
    }

    /// Returns a page with its headers.
    pub(super) fn show(&self, title: &str, content: &Markup) -> Response {
        let nonce = Uuid::new_v4().simple().to_string();
        // No form-action: browsers apply it to redirects too, so it would block the redirect to the shop.
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
        );
        let headers = [
            ("content-security-policy", policy.as_str()),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ];
        let page = document(
            self.texts,
            title,
            &nonce,
            &html! { header { (self.language_links()) } main { (content) } },
        );
        (headers, Html(page.into_string())).into_response()
    }

    /// Returns the links to the page in the other languages.
    fn language_links(&self) -> Markup {
        let link = |lang| {
            address(&[
                ("MerchantID", MERCHANT_ID),
                ("TransactionID", self.transaction.id()),
                ("language", lang),
            ])
        };
        html! {
            nav aria-label=(self.texts.languages) {
                ul {
                    @for other in LANGUAGES {
                        li lang=(other.lang) {
                            @if other.lang == self.texts.lang { span aria-current="true" { (other.name) } }
                            @else { a href=(link(other.lang)) hreflang=(other.lang) { (other.name) } }
                        }
                    }
                }
            }
        }
    }
}

fn address(parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("default.aspx?{query}")
}

fn document(texts: &Texts, title: &str, nonce: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(texts.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Netaxept sandbox" }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { p .sandbox { (texts.sandbox) } (content) }
        }
    }
}

/// Returns the start page of the sandbox.
pub(super) fn welcome() -> Markup {
    let content = html! {
        main {
            h1 { "Netaxept sandbox" }
            p { "Register, Process and Query are below " code { "/Netaxept/" } ", the terminal below " code { "/Terminal/" } "." }
        }
    };
    document(ENGLISH, "Netaxept sandbox", "", &content)
}
