//! Tickets: buy with a stored card, the receipt, refunds, and a charge without the customer.

mod view;

use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use serde_json::json;

use super::Shop;
use super::answers::{Card, Payment, Terminal, Transaction};
use super::api::{Failure, Request};
use super::format::{decimal, minor_units, money};
use super::page::Tab;
use super::sessions::{Order, Purchase};
use super::visitor::{MERCHANT_INITIATED, OwnOrder, Step, Visitor};

/// The page of the tickets.
const TICKETS: &str = "/shop/tickets";
/// The prices of the tickets, in the order of their names in the texts.
const PRICES: [&str; 3] = ["45.00", "135.00", "905.00"];
/// The price of a trip that is charged when it has ended.
const TRIP_PRICE: &str = "49.50";
const CURRENCY: &str = "NOK";

pub(super) fn routes() -> Router<Shop> {
    Router::new()
        .route(TICKETS, get(show_tickets))
        .route("/shop/orders", post(buy))
        .route("/shop/charges", post(charge))
        .route("/shop/orders/{id}", get(show_order))
        .route("/shop/orders/{id}/return", get(capture))
        .route("/shop/orders/{id}/capture", post(capture))
        .route("/shop/orders/{id}/pay", post(pay_again))
        .route("/shop/orders/{id}/refund", post(refund))
}

/// The page chose the order id, so a form that is sent twice is the same order.
#[derive(Deserialize)]
struct BuyForm {
    order: String,
    ticket: usize,
    card: u64,
}

#[derive(Deserialize)]
struct ChargeForm {
    order: String,
    card: u64,
}

#[derive(Deserialize)]
struct PayForm {
    card: u64,
}

#[derive(Deserialize)]
struct RefundForm {
    /// The sum that was credited when the page was shown. With it, a form that is sent twice is the same refund.
    #[serde(default)]
    credited: String,
    /// The amount of this refund. Absent: everything.
    amount: Option<String>,
}

impl Purchase {
    fn price(self) -> Option<&'static str> {
        match self {
            Self::Ticket(ticket) => PRICES.get(ticket).copied(),
            Self::Trip => Some(TRIP_PRICE),
        }
    }
}

impl Order {
    /// The path of the transaction at the API.
    fn transaction_path(&self) -> String {
        format!("/v1/payments/{}/transactions/{}", self.payment, self.transaction)
    }

    /// The page of the order.
    fn page(&self) -> String {
        format!("/shop/orders/{}", self.id)
    }
}

async fn show_tickets(visitor: Visitor) -> Response {
    let (texts, customer) = (visitor.texts, &visitor.session.customer);
    let content = |cards: &[Card]| view::TicketsPage { texts, customer, cards }.content();
    visitor.page_of_cards(Tab::Tickets, texts.tickets.title, content).await
}

async fn buy(visitor: Visitor, Form(form): Form<BuyForm>) -> Redirect {
    let purchase = Purchase::Ticket(form.ticket);
    let result = pay(&visitor, &form.order, purchase, form.card).await;
    visitor.redirect(result, &page_of(&visitor, &form.order), None)
}

/// Pays an order with another transaction, after a decline or a cancelled terminal. The customer confirms it at the terminal.
async fn pay_again(order: OwnOrder, Form(form): Form<PayForm>) -> Redirect {
    let OwnOrder { visitor, order } = order;
    let result = pay(&visitor, &order.id, order.purchase, form.card).await;
    visitor.redirect(result, &order.page(), None)
}

/// The page of an order if there is one, otherwise the page of the tickets.
fn page_of(visitor: &Visitor, order: &str) -> String {
    let order = visitor.session.customer.order(order);
    order.map_or_else(|| TICKETS.to_owned(), |order| order.page())
}

/// Creates the payment of an order, or finds it, and goes to the terminal where the customer confirms it.
async fn pay(
    visitor: &Visitor,
    order: &str,
    purchase: Purchase,
    card: u64,
) -> Result<Step, Failure> {
    let order = create_payment(visitor, order, purchase, card).await?;
    if order.status.is_paid() {
        return Ok(Step::to(order.page()));
    }
    let terminal = open_terminal(visitor, &order, None).await?;
    Ok(Step::to(terminal.terminal_uri))
}

/// Creates the payment of an order. Repeated, the API answers with the same payment; after a transaction that is over, with a new
/// transaction.
async fn create_payment(
    visitor: &Visitor,
    order: &str,
    purchase: Purchase,
    card: u64,
) -> Result<Order, Failure> {
    let price = purchase.price().ok_or_else(|| Failure::of_shop("not-found"))?;
    if !visitor.owns(card).await? {
        return Err(Failure::of_shop("not-found"));
    }
    let transaction = json!({ "amount": price, "currency": CURRENCY, "recurringPaymentId": card });
    let body = json!({ "orderId": order, "orderVersion": 1, "totalAmount": price, "transaction": transaction });
    let payment: Payment =
        visitor.call(Request::new(Method::POST, "/v1/payments").with_body(body)).await?;
    let newest = payment.transaction_history.first().ok_or_else(Failure::default)?;
    let order = Order {
        id: order.to_owned(),
        purchase,
        card,
        payment: payment.payment_id,
        transaction: newest.transaction_id,
        status: newest.status,
    };
    visitor.session.customer.store_order(order.clone());
    Ok(order)
}

async fn open_terminal(
    visitor: &Visitor,
    order: &Order,
    transaction_type: Option<&str>,
) -> Result<Terminal, Failure> {
    visitor.open_terminal(&order.transaction_path(), &order.page(), transaction_type).await
}

/// Takes the money when the customer returns from the terminal, or when the customer tries again. Repeated, it takes nothing more.
async fn capture(order: OwnOrder) -> Redirect {
    let OwnOrder { visitor, order } = order;
    let result = capture_transaction(&visitor, &order).await;
    visitor.redirect(result, &order.page(), Some(&format!("{}/capture", order.page())))
}

async fn capture_transaction(visitor: &Visitor, order: &Order) -> Result<Step, Failure> {
    let path = format!("{}/capture", order.transaction_path());
    let _: Transaction = visitor.call(Request::new(Method::PUT, path)).await?;
    Ok(Step::to(order.page()).saying(visitor.texts.order.paid))
}

/// Charges a card without the customer: the same three calls as for a purchase, and no page at Nets.
async fn charge(visitor: Visitor, Form(form): Form<ChargeForm>) -> Redirect {
    let result = charge_card(&visitor, &form).await;
    let otherwise = page_of(&visitor, &form.order);
    visitor.redirect(result, &otherwise, Some(&format!("{otherwise}/capture")))
}

async fn charge_card(visitor: &Visitor, form: &ChargeForm) -> Result<Step, Failure> {
    let order = create_payment(visitor, &form.order, Purchase::Trip, form.card).await?;
    if order.status.is_paid() {
        return Ok(Step::to(order.page()));
    }
    open_terminal(visitor, &order, Some(MERCHANT_INITIATED)).await?;
    capture_transaction(visitor, &order).await
}

async fn show_order(order: OwnOrder) -> Response {
    let OwnOrder { visitor, mut order } = order;
    let texts = visitor.texts;
    let request = Request::new(Method::GET, order.transaction_path());
    let transaction: Transaction = match visitor.call(request).await {
        Ok(transaction) => transaction,
        Err(failure) => return visitor.failure_page(Tab::Tickets, texts.order.title, failure),
    };
    order.status = transaction.status;
    visitor.session.customer.store_order(order.clone());
    let cards = if transaction.status.is_paid() { Ok(Vec::new()) } else { visitor.cards().await };
    let cards = cards.unwrap_or_default();
    let page = view::OrderPage { texts, order: &order, transaction: &transaction, cards: &cards };
    visitor.page(Tab::Tickets, page.title(), &page.content()).into_response()
}

async fn refund(order: OwnOrder, Form(form): Form<RefundForm>) -> Redirect {
    let OwnOrder { visitor, order } = order;
    let result = refund_order(&visitor, &order, &form).await;
    visitor.redirect(result, &order.page(), None)
}

/// Gives money back. The API expects the total that shall have been credited, so a repeated request credits nothing more.
async fn refund_order(
    visitor: &Visitor,
    order: &Order,
    form: &RefundForm,
) -> Result<Step, Failure> {
    let mut request = Request::new(Method::PUT, format!("{}/credit", order.transaction_path()));
    if let Some(amount) = &form.amount {
        let invalid = || Failure::of_shop("invalid-amount");
        let amount = minor_units(amount).filter(|amount| *amount > 0).ok_or_else(invalid)?;
        let credited = minor_units(&form.credited).ok_or_else(invalid)?;
        request = request.with_body(json!({ "creditedAmount": decimal(credited + amount) }));
    }
    let transaction: Transaction = visitor.call(request).await?;
    let credited =
        money(visitor.texts, &transaction.summary.credited_amount, &transaction.currency);
    Ok(Step::to(order.page()).saying(visitor.texts.order.refunded.replace("{amount}", &credited)))
}
