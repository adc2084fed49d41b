//! Lists of the activity with a filter, and the stream of server-sent events that keeps them up to date.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::sse::{Event as ServerSentEvent, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use futures_util::future::ready;
use futures_util::{Stream, StreamExt, stream};
use maud::{Markup, html};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::layout;
use crate::Local;
use crate::activity::{Entry, Filter, Kind, MAX_ENTRIES};
use crate::clock::format_timestamp;

/// How many entries a list has.
const MAX_SHOWN: usize = 300;
/// The levels of log lines.
const LEVELS: [&str; 3] = ["ERROR", "WARN", "INFO"];

/// The fields that a list's form has besides the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    Kinds,
    FunctionAndLevel,
}

/// Everything that happened.
pub(super) async fn activity_page(State(local): State<Local>, uri: Uri) -> Html<String> {
    let filter = Filter::from_query(uri.query().unwrap_or_default());
    let content = html! {
        h1 { "Activity" }
        p { "The newest " (MAX_ENTRIES) " events in the local service, newest first: requests to the API, audit and log lines of the functions, calls of Nets, writes to the tables, and notifications. Secrets are removed." }
        (list(&local, "/activity", &filter, Fields::Kinds))
    };
    layout::page("/activity", "Activity", &content)
}

/// The logs of the functions.
pub(super) async fn logs_page(State(local): State<Local>, uri: Uri) -> Html<String> {
    let mut filter = Filter::from_query(uri.query().unwrap_or_default());
    filter.kinds = vec![Kind::Audit, Kind::Log];
    let content = html! {
        h1 { "Logs" }
        p { "The newest lines of the functions' logs, newest first. All stored lines as JSON: " a href="/logs" { "/logs" } "." }
        (list(&local, "/function-logs", &filter, Fields::FunctionAndLevel))
    };
    layout::page("/function-logs", "Logs", &content)
}

/// A form and a list of entries. `address` is that of the page.
pub(super) fn list(local: &Local, address: &str, filter: &Filter, fields: Fields) -> Markup {
    let (entries, last) = local.activity().entries(filter);
    let shown = entries.iter().rev().take(MAX_SHOWN);
    let stream = format!("/activity/stream?after={last}&{}", filter.query());
    html! {
        (form(local, address, filter, fields))
        div .stream #stream hx-ext="sse" sse-connect=(stream) {
            p .state { span #state { "As of now. Reload the page for newer entries." } " "
                @if entries.len() > MAX_SHOWN { "The newest " (MAX_SHOWN) " of " (entries.len()) " entries that match are shown." }
                @else if entries.is_empty() { "No entry matches yet." } }
            ol #entries .entries sse-swap="entry" hx-swap="afterbegin" data-max=(MAX_SHOWN) { @for entry in shown { (entry_item(entry)) } }
        }
    }
}

fn form(local: &Local, address: &str, filter: &Filter, fields: Fields) -> Markup {
    html! {
        form .filter #filter method="get" action=(address) hx-get=(address) hx-target="#stream" hx-select="#stream" hx-swap="outerHTML"
            hx-trigger="input delay:250ms, submit, refresh" hx-replace-url="true" hx-sync="this:replace" {
            label for="text" { "Text, id or correlation id" }
            input #text type="search" name="text" value=(filter.text) autocomplete="off";
            @match fields {
                Fields::Kinds => (kinds(filter)),
                Fields::FunctionAndLevel => {
                    @let functions: Vec<&str> = local.lambda().functions().collect();
                    (select("source", "Function", &functions, &filter.source))
                    (select("level", "Level", &LEVELS, &filter.level))
                }
            }
            div .buttons {
                button { "Filter" }
                a href=(address) { "Remove the filter" }
                label .pause hidden { input #pause type="checkbox"; " Pause" }
            }
        }
    }
}

fn kinds(filter: &Filter) -> Markup {
    html! {
        fieldset {
            legend { "Kinds (none selected: all)" }
            @for kind in Kind::ALL {
                label { input type="checkbox" name="kind" value=(kind.name()) checked[filter.kinds.contains(&kind)]; " " (kind.label()) }
            }
        }
    }
}

fn select(name: &str, label: &str, options: &[&str], selected: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        select id=(name) name=(name) {
            option value="" { "all" }
            @for option in options { option selected[*option == selected] { (option) } }
        }
    }
}

/// An entry of a list.
fn entry_item(entry: &Entry) -> Markup {
    let at = format_timestamp(entry.at);
    let (event, kind) = (&entry.event, entry.event.kind);
    let line = html! {
        time datetime=(at) { (at.replace('T', " ").trim_end_matches('Z')) } " "
        span class=(format!("kind {}", kind.name())) { (kind.label()) } " "
        span .source { (event.source) } " "
        span .summary { (event.summary) }
    };
    html! {
        li id=(format!("e{}", entry.number)) {
            @if event.detail.is_null() { div .line { (line) } } @else {
                details {
                    summary .line { (line) }
                    (links(event.correlation_id(), &event.detail))
                    pre { (pretty(&event.detail)) }
                }
            }
        }
    }
}

/// Links to what an entry is about.
fn links(correlation_id: Option<&str>, detail: &Value) -> Markup {
    let id = |names: [&str; 2]| {
        names.iter().find_map(|name| detail[*name].as_u64()).filter(|id| *id > 0)
    };
    let recurring_payment = id(["recurring_payment_id", "recurringPaymentId"]);
    let payment = id(["payment_id", "paymentId"]);
    html! {
        p .links {
            @if let Some(id) = correlation_id { a href=(format!("/activity?text={id}")) { "Everything with this correlation id" } " " }
            @if let Some(id) = recurring_payment { a href=(format!("/recurring-payments/{id}")) { "Recurring payment " (id) } " " }
            @if let Some(id) = payment { a href=(format!("/payments/{id}")) { "Payment " (id) } }
        }
    }
}

/// JSON with one member in a line.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The stream: an event with the HTML of each entry that the filter accepts, after the entry with the number `after`.
pub(super) async fn stream(State(local): State<Local>, uri: Uri) -> impl IntoResponse {
    let query = uri.query().unwrap_or_default().to_owned();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let after =
        parameters.find(|(name, _)| name == "after").and_then(|(_, after)| after.parse().ok());
    let (missed, later) = local.activity().entries_after(after.unwrap_or(u64::MAX));
    let filter = Filter::from_query(&query);
    let accepted = move |entry: Arc<Entry>| {
        let event = filter.accepts(&entry).then(|| Ok::<_, Infallible>(server_sent_event(&entry)));
        ready(event)
    };
    Sse::new(stream::iter(missed).chain(entries(later)).filter_map(accepted))
        .keep_alive(KeepAlive::default())
}

/// The entries that a receiver gets. A receiver that is too slow misses entries.
fn entries(receiver: Receiver<Arc<Entry>>) -> impl Stream<Item = Arc<Entry>> {
    stream::unfold(receiver, async |mut receiver| {
        loop {
            match receiver.recv().await {
                Ok(entry) => return Some((entry, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn server_sent_event(entry: &Entry) -> ServerSentEvent {
    // A carriage return cannot be sent in an event.
    let item = entry_item(entry).into_string().replace('\r', "");
    ServerSentEvent::default().event("entry").id(entry.number.to_string()).data(item)
}
