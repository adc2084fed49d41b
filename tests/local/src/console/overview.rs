//! The first page: the parts with their addresses, the clock, the schedules, and the first commands.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::layout;
use crate::Local;
use crate::clock::format_timestamp;
use crate::commands::{AFTER_COMMANDS, first_commands, parts};

/// How far the buttons move the clock.
const ADVANCES: [(&str, &str); 5] = [
    ("PT1M", "a minute"),
    ("PT16M", "16 minutes"),
    ("P1D", "a day"),
    ("P1M", "a month"),
    ("P3Y", "three years"),
];

pub(super) async fn page(State(local): State<Local>) -> Html<String> {
    let content = html! {
        h1 { "Recurring payments on this machine" }
        section aria-labelledby="parts" {
            h2 #parts { "Parts" }
            table .parts {
                @for part in parts(local.addresses()) {
                    tr { th scope="row" { (part.name) } td { a href=(part.address) { (part.address) } } td { (part.sentence) } }
                }
            }
        }
        (clock_section(&local))
        (schedules(&local))
        section aria-labelledby="commands" {
            h2 #commands { "The first three commands" }
            @for command in first_commands(local.addresses()) { p { (command.sentence) } pre { (command.text) } }
            p { (AFTER_COMMANDS) " Then it is on the page " a href="/customers" { "Customers" } "." }
        }
        section aria-labelledby="json" {
            h2 #json { "As JSON" }
            p { a href="/clock" { "Clock" } ", " a href="/requests" { "requests to DynamoDB" } ", " a href="/logs" { "logs" } ", "
                a href="/netaxept/transactions" { "transactions at Nets" } ", " a href="/netaxept/ledgers" { "ledgers of the orders" } ", "
                a href="/netaxept/faults" { "faults at Nets" } ", " a href="/netaxept/late-calls" { "late calls" } ", "
                a href="/openapi.yaml" { "openapi.yaml" } "." }
        }
    };
    layout::page("/", "Overview", &content)
}

fn clock_section(local: &Local) -> Markup {
    html! {
        section aria-labelledby="clock" {
            h2 #clock { "Clock" }
            p .clock { (time(local)) }
            form .actions method="post" action="/clock" {
                @for (duration, name) in ADVANCES { button name="advance" value=(duration) { "Advance by " (name) } }
            }
            p .hint { "The clock can only be moved forward. A token is valid for one hour of this clock: get a new one after that." }
        }
    }
}

/// The time, which is loaded again every second.
fn time(local: &Local) -> Markup {
    let now = format_timestamp(local.clock().now());
    let (date, time) = now.split_once('T').unwrap_or_default();
    let time = time.split('.').next().unwrap_or_default();
    html! {
        time #now datetime=(now) hx-get="/console/now" hx-trigger="every 1s" hx-swap="outerHTML" { (date) " " (time) " UTC" }
    }
}

pub(super) async fn now(State(local): State<Local>) -> Html<String> {
    Html(time(&local).into_string())
}

fn schedules(local: &Local) -> Markup {
    html! {
        section aria-labelledby="schedules" {
            h2 #schedules { "Scheduled functions" }
            p .hint { "They run every minute of the clock, unless " code { "cargo local" } " was started with " code { "--no-schedules" } "." }
            div .actions {
                @for function in local.scheduler().functions() {
                    form method="post" action=(format!("/schedule/{function}")) { button { "Run " (function) " now" } }
                }
            }
        }
    }
}

/// What the sandbox knows: the orders and the transactions.
pub(super) async fn nets_page(State(local): State<Local>) -> Html<String> {
    let nets = local.netaxept();
    let content = html! {
        h1 { "Nets" }
        p { "What the Netaxept sandbox has stored. Service and sandbox can differ while an outcome is not known: compare with " a href="/customers" { "Customers" } "." }
        section aria-labelledby="orders" { h2 #orders { "Orders" } (scrolling("Table of the orders", &nets.orders_table())) }
        section aria-labelledby="transactions" {
            h2 #transactions { "Transactions" }
            (scrolling("Table of the transactions", &nets.transactions_table(&local.addresses().netaxept)))
        }
    };
    let live = layout::live("nets", "/nets", local.activity(), &content);
    layout::page("/nets", "Nets", &live)
}

/// A table that can be scrolled sideways, also with the keyboard.
pub(super) fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div .table tabindex="0" role="region" aria-label=(name) { (table) } }
}
