//! The recurring payments and payments of every customer, and the page of each with its history.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::items::{self, Item, MAX_ITEMS, Payment, state};
use super::overview::scrolling;
use super::stream::{self, Fields};
use super::{error_response, layout};
use crate::activity::{Filter, SEQUENCE_BITS};
use crate::{Error, Local};

const WALLETS: (&str, &str) = ("Wallets", "slot");
const PAYMENTS: (&str, &str) = ("Payments", "payment");

/// What one customer has.
#[derive(Default)]
struct Customer {
    name: String,
    organisation: u64,
    wallets: Vec<Item>,
    payments: Vec<Item>,
}

pub(super) async fn page(State(local): State<Local>) -> Response {
    let customers = match customers(&local).await {
        Ok(customers) => customers,
        Err(error) => return error_response(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    let content = html! {
        @if customers.is_empty() {
            section { p { "There is no customer yet. The " a href="/" { "overview" } " has the first commands, and the " a href="/shop" { "demo shop" } " stores cards too." } }
        }
        @for (owner, customer) in &customers { (customer_section(owner, customer)) }
    };
    let content = html! {
        h1 { "Customers" }
        p { "From the tables, up to " (MAX_ITEMS) " items of each. The tables have a keyed hash of a customer, not the number: the number is shown if a request has named it since the start. A status is the stored one: expiry by time alone is stored by the next change." }
        (layout::live("customers", "/customers", local.activity(), &content))
    };
    layout::page("/customers", "Customers", &content).into_response()
}

/// The customers by their hash.
async fn customers(local: &Local) -> Result<BTreeMap<String, Customer>, Error> {
    let mut customers: BTreeMap<String, Customer> = BTreeMap::new();
    for wallet in items::scan(local, WALLETS.0, WALLETS.1).await? {
        let customer = customers.entry(wallet.owner.clone()).or_default();
        customer.organisation = wallet.organisation;
        customer.name = local.activity().customer_of(wallet.key).unwrap_or_default();
        customer.wallets.push(wallet);
    }
    for payment in items::scan(local, PAYMENTS.0, PAYMENTS.1).await? {
        let customer = customers.entry(payment.owner.clone()).or_default();
        customer.organisation = payment.organisation;
        customer.payments.push(payment);
    }
    for customer in customers.values_mut().filter(|customer| customer.name.is_empty()) {
        let item = customer.wallets.first().or(customer.payments.first());
        customer.name =
            item.map(|item| format!("with hash {}", item.short_owner())).unwrap_or_default();
    }
    Ok(customers)
}

fn customer_section(owner: &str, customer: &Customer) -> Markup {
    let id: String = owner.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let id = format!("c{id}");
    let recurring: Vec<_> = customer.wallets.iter().flat_map(Item::recurring_payments).collect();
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { "Customer " (customer.name) span .hint { ", organisation " (customer.organisation) } }
            h3 { "Recurring payments" }
            @if recurring.is_empty() { p { "None." } } @else {
                (scrolling(&format!("Recurring payments of {}", customer.name), &html! { table {
                    tr { @for name in ["id", "stored status", "card", "nickname"] { th scope="col" { (name) } } }
                    @for one in &recurring {
                        tr { td { a id=(format!("r{}", one.id)) href=(format!("/recurring-payments/{}", one.id)) { (one.id) } }
                            td { (one.status()) } td { (one.card()) } td { (one.nickname()) } }
                    }
                } }))
            }
            @if !customer.payments.is_empty() { (payments(&customer.name, &customer.payments)) }
        }
    }
}

fn payments(customer: &str, items: &[Item]) -> Markup {
    html! {
        h3 { "Payments" }
        (scrolling(&format!("Payments of {customer}"), &html! { table {
            tr { @for name in ["id", "order", "stored status"] { th scope="col" { (name) } }
                @for name in ["amount", "captured", "credited"] { th scope="col" .number { (name) } } }
            @for item in items {
                @let payment = Payment { item };
                tr { td { a id=(format!("p{}", item.key)) href=(format!("/payments/{}", item.key)) { (item.key) } }
                    td { (payment.order()) } td { (payment.status()) } @for sum in payment.sums() { td .number { (sum) } } }
            }
        } }))
    }
}

/// A recurring payment with its history.
pub(super) async fn recurring_payment(
    State(local): State<Local>,
    Path(id): Path<u64>,
    uri: Uri,
) -> Response {
    let (table, key) = WALLETS;
    let wallet = match items::get(&local, table, key, id >> SEQUENCE_BITS).await {
        Ok(wallet) => wallet,
        Err(error) => return error_response(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    let all = wallet.iter().flat_map(Item::recurring_payments);
    let stored = all.into_iter().find(|one| one.id == id);
    let customer = local.activity().customer_of(id >> SEQUENCE_BITS);
    let facts = stored.as_ref().map(|one| {
        vec![
            ("Customer", customer.unwrap_or_else(|| "not known".to_owned())),
            ("Stored status", one.status()),
            ("Card", one.card()),
            ("Nickname", one.nickname().to_owned()),
        ]
    });
    let data = stored.map_or(Value::Null, |one| one.data.clone());
    item_page(&local, &uri, &format!("Recurring payment {id}"), id, facts, &data)
}

/// A payment with its history.
pub(super) async fn payment(State(local): State<Local>, Path(id): Path<u64>, uri: Uri) -> Response {
    let (table, key) = PAYMENTS;
    let item = match items::get(&local, table, key, id).await {
        Ok(item) => item,
        Err(error) => return error_response(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    let facts = item.as_ref().map(|item| {
        let payment = Payment { item };
        let [amount, captured, credited] = payment.sums();
        let transactions: Vec<String> =
            payment.transactions().map(|one| state(&one["state"]).0).collect();
        vec![
            ("Order", payment.order()),
            ("Stored status", payment.status()),
            ("Amount", amount),
            ("Captured", captured),
            ("Credited", credited),
            ("Transactions, newest first", transactions.join(", ")),
        ]
    });
    let data = item.map_or(Value::Null, |item| item.data);
    item_page(&local, &uri, &format!("Payment {id}"), id, facts, &data)
}

fn item_page(
    local: &Local,
    uri: &Uri,
    title: &str,
    id: u64,
    facts: Option<Vec<(&str, String)>>,
    data: &Value,
) -> Response {
    let filter = Filter { item: Some(id), ..Filter::from_query(uri.query().unwrap_or_default()) };
    let status = if facts.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let stored = html! {
        section aria-labelledby="facts" {
            h2 #facts { "Now" }
            @if let Some(facts) = facts {
                dl { @for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) { dt { (name) } dd { (value) } } }
                pre { (stream::pretty(data)) }
            } @else { p { "It is not in the table." } }
        }
    };
    let content = html! {
        h1 { (title) }
        (layout::live("stored", uri.path(), local.activity(), &stored))
        h2 { "History" }
        p .hint { "Newest first. A write to a wallet belongs to all recurring payments of its customer." }
        (stream::list(local, uri.path(), &filter, Fields::Kinds))
    };
    (status, layout::page("/customers", title, &content)).into_response()
}
