//! The pages: their frame, their security headers, and all but the form.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use uuid::Uuid;

use super::words::{ENGLISH, LANGUAGES, Purpose, Words};
use crate::netaxept::transaction::{Card, Transaction};
use crate::netaxept::{MERCHANT_ID, Parameters};

/// The name of the merchant that is built in.
const MERCHANT: &str = "Sandbox";

const STYLE: &str = include_str!("style.css");

/// A page of one transaction.
pub(super) struct Page<'a> {
    pub(super) transaction: &'a Transaction,
    pub(super) words: &'static Words,
    /// The language, where it was chosen on the page and not by Register.
    chosen: Option<&'static str>,
}

impl<'a> Page<'a> {
    pub(super) fn new(transaction: &'a Transaction, query: &Parameters) -> Self {
        let chosen = query.get("language").and_then(|lang| Words::chosen(lang));
        let words = chosen.unwrap_or_else(|| Words::registered(transaction.parameter("language")));
        Self { transaction, words, chosen: chosen.map(|words| words.lang) }
    }

    /// What the customer came for: a purchase, or to have the card stored.
    pub(super) fn purpose(&self) -> &'static Purpose {
        let stores_only = self.transaction.parameter("updatestoredpaymentinfo");
        if stores_only.eq_ignore_ascii_case("true") { &self.words.store } else { &self.words.pay }
    }

    /// The amount, unless nothing is charged.
    pub(super) fn amount(&self) -> Option<String> {
        let is_purchase = std::ptr::eq(self.purpose(), &raw const self.words.pay);
        let minor = self.transaction.parameter("amount").parse().ok().filter(|_| is_purchase)?;
        Some(self.words.money(minor, self.transaction.parameter("currencycode")))
    }

    /// What a form or a link of the page has to tell besides what it is for.
    pub(super) fn tokens(&self) -> Vec<(&'static str, &str)> {
        let of_transaction =
            [("MerchantID", MERCHANT_ID), ("TransactionID", self.transaction.id())];
        let language = self.chosen.map(|lang| ("language", lang));
        of_transaction.into_iter().chain(language).collect()
    }

    /// The address of the page.
    pub(super) fn address(&self) -> String {
        address(&self.tokens())
    }

    /// Who is paid how much for what, and with which card if that is known.
    pub(super) fn order(&self, card: Option<&Card>) -> Markup {
        html! {
            dl {
                dt { (self.words.merchant) } dd { (MERCHANT) }
                dt { (self.words.order) } dd { (self.transaction.parameter("ordernumber")) }
                @if let Some(amount) = self.amount() { dt { (self.words.amount) } dd .amount { (amount) } }
                @if let Some(card) = card { dt { (self.words.card) } dd { (card.method) " " (card.masked) } }
            }
        }
    }

    /// The page of the customer's bank: 3-D Secure.
    pub(super) fn bank(&self, card: &Card) -> Response {
        let bank = &self.words.bank;
        let content = html! {
            section {
                h1 { (bank.title) }
                p { (bank.intro) }
                (self.order(Some(card)))
                form #bankForm method="post" action=(self.address()) {
                    div .buttons {
                        button #acceptButton .main name="acceptButton" value="Accept" type="submit" { (bank.accept) }
                        button #failButton name="failButton" value="Fail" type="submit" { (bank.fail) }
                        button #cancelButton name="cancelButton" value="Cancel" type="submit" { (self.words.cancel) }
                    }
                }
            }
        };
        self.show(bank.title, &content)
    }

    /// A page that says one thing.
    pub(super) fn notice(&self, content: &Markup) -> Response {
        let title = self.purpose().title;
        let content = html! { section { h1 { (title) } (content) } };
        self.show(title, &content)
    }

    /// The whole page, with its headers.
    pub(super) fn show(&self, title: &str, content: &Markup) -> Response {
        let nonce = Uuid::new_v4().simple().to_string();
        // No form-action: browsers hold the redirect to the shop to it as well, and wherever the shop leads on to.
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
            self.words,
            title,
            &nonce,
            &html! { header { (self.switch()) } main { (content) } },
        );
        (headers, Html(page.into_string())).into_response()
    }

    /// The links to the page in the other languages.
    fn switch(&self) -> Markup {
        let to = |lang| {
            address(&[
                ("MerchantID", MERCHANT_ID),
                ("TransactionID", self.transaction.id()),
                ("language", lang),
            ])
        };
        html! {
            nav aria-label=(self.words.languages) {
                ul {
                    @for other in LANGUAGES {
                        li lang=(other.lang) {
                            @if other.lang == self.words.lang { span aria-current="true" { (other.name) } }
                            @else { a href=(to(other.lang)) hreflang=(other.lang) { (other.name) } }
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

fn document(words: &Words, title: &str, nonce: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Netaxept sandbox" }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { p .sandbox { (words.sandbox) } (content) }
        }
    }
}

/// What somebody sees who comes by.
pub(super) fn welcome() -> Markup {
    let content = html! {
        main {
            h1 { "Netaxept sandbox" }
            p { "Register, Process and Query are below " code { "/Netaxept/" } ", the terminal below " code { "/Terminal/" } "." }
        }
    };
    document(ENGLISH, "Netaxept sandbox", "", &content)
}
