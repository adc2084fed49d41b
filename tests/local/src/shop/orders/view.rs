//! The pages "Tickets" and "Receipt".

use maud::{Markup, html};
use uuid::Uuid;

use super::{CURRENCY, PRICES, TRIP_PRICE};
use crate::shop::answers::{Card, CardStatus, Transaction, TransactionStatus};
use crate::shop::format::{money, time};
use crate::shop::sessions::{Customer, Order};
use crate::shop::texts::Texts;

/// The page with the tickets to buy, and the customer's orders.
pub(super) struct TicketsPage<'a> {
    pub(super) texts: &'static Texts,
    pub(super) customer: &'a Customer,
    pub(super) cards: &'a [Card],
}

/// The page of an order: the receipt, or what is left to do.
pub(super) struct OrderPage<'a> {
    pub(super) texts: &'static Texts,
    pub(super) order: &'a Order,
    pub(super) transaction: &'a Transaction,
    /// The cards to pay with, if the order is not paid.
    pub(super) cards: &'a [Card],
}

impl TicketsPage<'_> {
    pub(super) fn content(&self) -> Markup {
        let texts = &self.texts.tickets;
        html! {
            h1 { (texts.title) }
            @if active(self.cards).next().is_none() {
                p .lead { (texts.no_card) }
                p { a .button href="/shop/cards" { (texts.to_cards) } }
            } @else {
                (self.buy())
                (self.charge())
            }
            (self.orders())
        }
    }

    fn buy(&self) -> Markup {
        let texts = &self.texts.tickets;
        html! {
            form .panel method="post" action="/shop/orders" {
                input type="hidden" name="order" value=(new_order_id("ticket"));
                fieldset {
                    legend { (texts.choose) }
                    @for (place, (name, price)) in texts.names.iter().zip(PRICES).enumerate() {
                        label .choice {
                            input type="radio" name="ticket" value=(place) checked[place == 0];
                            span .grow { (name) } " " strong { (money(self.texts, price, CURRENCY)) }
                        }
                    }
                }
                (card_choice(self.texts, "card", active(self.cards)))
                button #buy .main { (texts.buy) }
            }
        }
    }

    /// The form that charges a card without the customer. Only for cards that were stored with the customer's consent.
    fn charge(&self) -> Markup {
        let texts = &self.texts.tickets;
        let chargeable = || active(self.cards).filter(|card| self.customer.is_chargeable(card.id));
        html! {
            section aria-labelledby="charge-title" {
                h2 #charge-title { (texts.charge_title) }
                p { (texts.charge_intro) }
                @if chargeable().next().is_none() { p .note { (texts.charge_none) } }
                @else {
                    form method="post" action="/shop/charges" {
                        input type="hidden" name="order" value=(new_order_id("trip"));
                        (card_choice(self.texts, "charge-card", chargeable()))
                        button #charge { (texts.charge.replace("{amount}", &money(self.texts, TRIP_PRICE, CURRENCY))) }
                    }
                }
            }
        }
    }

    fn orders(&self) -> Markup {
        let (texts, orders) = (&self.texts.tickets, self.customer.orders());
        html! {
            section aria-labelledby="orders" {
                h2 #orders { (texts.mine) }
                @if orders.is_empty() { p { (texts.none) } }
                ul .orders {
                    @for order in orders {
                        li {
                            a href=(order.page()) { (self.texts.purchase(order.purchase)) " " span .note { (order.id) } }
                            (status(self.texts, order.status))
                        }
                    }
                }
            }
        }
    }
}

impl OrderPage<'_> {
    pub(super) fn title(&self) -> &'static str {
        let texts = &self.texts.order;
        if self.transaction.status.is_paid() { texts.receipt } else { texts.title }
    }

    pub(super) fn content(&self) -> Markup {
        let texts = &self.texts.order;
        html! {
            h1 { (self.title()) }
            (self.receipt())
            @if self.transaction.status.is_paid() { (self.refund()) } @else { (self.payment()) }
            section aria-labelledby="log" {
                h2 #log { (texts.log) }
                ol .log {
                    @for entry in &self.transaction.operation_log {
                        li {
                            span { (self.texts.operation(&entry.name)) }
                            span .note { (time(self.texts, &entry.created_at)) }
                            @if let Some(amount) = &entry.amount { span .sum { (self.money(amount)) } }
                        }
                    }
                }
            }
            p { a href="/shop/tickets" { (texts.back) } }
        }
    }

    fn money(&self, amount: &str) -> String {
        money(self.texts, amount, &self.transaction.currency)
    }

    fn receipt(&self) -> Markup {
        let (texts, transaction) = (&self.texts.order, self.transaction);
        let scheme = transaction.payment_type.as_deref().map(Texts::scheme);
        html! {
            div .ticket {
                p .what { (self.texts.purchase(self.order.purchase)) " " (status(self.texts, transaction.status)) }
                p .amount { (self.money(&transaction.amount)) }
                dl {
                    dt { (texts.number) } dd { (self.order.id) }
                    dt { (texts.transaction) } dd { (transaction.id) }
                    @if let (Some(scheme), Some(digits)) = (scheme, &transaction.card_number) {
                        dt { (texts.card) } dd { (scheme) " " span .unseen { (self.texts.cards.ending) " " } span aria-hidden="true" { "•••• " } (digits) }
                    }
                    dt { (texts.credited) } dd #credited { (self.money(&transaction.summary.credited_amount)) }
                }
            }
        }
    }

    fn refund(&self) -> Markup {
        let (texts, summary) = (&self.texts.order, &self.transaction.summary);
        let address = format!("{}/refund", self.order.page());
        html! {
            section aria-labelledby="refund-title" {
                h2 #refund-title { (texts.refund) }
                @if self.transaction.status == TransactionStatus::Credited { p { (texts.all_refunded) } }
                @else {
                    form method="post" action=(address) {
                        input type="hidden" name="credited" value=(summary.credited_amount);
                        label for="amount" { (texts.amount) }
                        p #amount-hint .hint { (texts.amount_hint.replace("{amount}", &self.money(&summary.remaining_amount_to_credit))) }
                        input #amount name="amount" inputmode="decimal" autocomplete="off" required aria-describedby="amount-hint";
                        button #refund { (texts.refund_part) }
                    }
                    form method="post" action=(address) { button #refund-all .danger { (texts.refund_all) } }
                }
            }
        }
    }

    /// The forms that complete or repeat the payment.
    fn payment(&self) -> Markup {
        let (texts, is_over) = (&self.texts.order, self.transaction.status.is_over());
        html! {
            section aria-labelledby="payment" {
                h2 #payment { (texts.not_paid) }
                p { @if is_over { (texts.is_over) } @else { (texts.is_open) } }
                @if is_over && active(self.cards).next().is_none() { p { a href="/shop/cards" { (self.texts.tickets.to_cards) } } }
                @else {
                    form method="post" action={ (self.order.page()) "/pay" } {
                        @if is_over { (card_choice(self.texts, "card", active(self.cards))) }
                        @else { input type="hidden" name="card" value=(self.order.card); }
                        button #pay .main { (texts.pay) }
                    }
                }
                @if !is_over {
                    form method="post" action={ (self.order.page()) "/capture" } { button #check { (texts.check) } }
                }
            }
        }
    }
}

fn active(cards: &[Card]) -> impl Iterator<Item = &Card> {
    cards.iter().filter(|card| card.status == CardStatus::Active)
}

/// A list to choose a card from. The primary card is chosen first.
fn card_choice<'a>(texts: &Texts, id: &str, cards: impl Iterator<Item = &'a Card>) -> Markup {
    html! {
        label for=(id) { (texts.tickets.pay_with) }
        select id=(id) name="card" {
            @for card in cards { option value=(card.id) selected[card.primary] { (texts.card_option(card)) } }
        }
    }
}

fn status(texts: &Texts, status: TransactionStatus) -> Markup {
    let texts = &texts.order;
    let (name, class, word) = match status {
        TransactionStatus::Created => (texts.created, "waiting", "CREATED"),
        TransactionStatus::Initiated => (texts.initiated, "waiting", "INITIATED"),
        TransactionStatus::Captured => (texts.captured, "good", "CAPTURED"),
        TransactionStatus::Credited => (texts.status_credited, "good", "CREDITED"),
        TransactionStatus::Rejected => (texts.rejected, "bad", "REJECTED"),
        TransactionStatus::Cancelled => (texts.cancelled, "bad", "CANCELLED"),
    };
    html! { span class={ "badge " (class) } data-status=(word) { (name) } }
}

/// A new order id, such as `ticket-5d0c1f4b9a7e`.
fn new_order_id(kind: &str) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("{kind}-{}", &random[..12])
}
