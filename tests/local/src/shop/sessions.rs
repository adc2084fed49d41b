//! Sessions, and what the shop knows about its customers. All of it is in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::answers::{Card, TransactionStatus};
use super::calls::CallLog;

/// The cookie with the session's id. It is random, and only this process knows what it means.
pub(super) const SESSION_COOKIE: &str = "shop-session";
/// The cookie with the language tag.
pub(super) const LANGUAGE_COOKIE: &str = "shop-language";
/// How many sessions are kept. The oldest ends when there are more.
const MAX_SESSIONS: usize = 1000;

/// All sessions, and all customers that logged in once.
#[derive(Default)]
pub(super) struct Sessions {
    sessions: Mutex<VecDeque<(String, Arc<Session>)>>,
    customers: Mutex<BTreeMap<String, Arc<Customer>>>,
}

/// The session of a customer who is logged in.
pub(super) struct Session {
    pub(super) customer: Arc<Customer>,
    pub(super) calls: CallLog,
    notice: Mutex<Option<Notice>>,
}

/// What the next page says first.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    Done(String),
    Failed {
        summary: String,
        /// The API's sentence, in English.
        detail: String,
        /// The address to which the button "Try again" posts.
        retry: Option<String>,
    },
}

/// A customer of the shop.
pub(super) struct Customer {
    /// The `customerNumber` at the API.
    pub(super) number: String,
    known: Mutex<Known>,
}

/// What the shop knows about a customer.
#[derive(Default)]
struct Known {
    /// The cards that the API has listed.
    cards: BTreeSet<u64>,
    /// The cards that the shop may charge without the customer.
    chargeable: BTreeSet<u64>,
    /// The cards that the shop removed, as the API answered, oldest first.
    removed: Vec<Card>,
    /// The primary card of the last list.
    primary: Option<u64>,
    /// Oldest first.
    orders: Vec<Order>,
}

/// An order, as the shop stores it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The `orderId` at the API.
    pub(super) id: String,
    pub(super) purchase: Purchase,
    /// The recurring payment that pays.
    pub(super) card: u64,
    pub(super) payment: u64,
    pub(super) transaction: u64,
    pub(super) status: TransactionStatus,
}

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purchase {
    /// A ticket, by its place in the list of tickets.
    Ticket(usize),
    /// A trip that is charged without the customer.
    Trip,
}

impl Sessions {
    /// The customer with a number. The same customer can have more than one session.
    pub(super) fn customer(&self, number: &str) -> Arc<Customer> {
        let mut customers = lock(&self.customers);
        let new = || Arc::new(Customer { number: number.to_owned(), known: Mutex::default() });
        Arc::clone(customers.entry(number.to_owned()).or_insert_with(new))
    }

    /// Starts a session. Returns its id.
    pub(super) fn start(&self, session: Session) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let mut sessions = lock(&self.sessions);
        sessions.push_back((id.clone(), Arc::new(session)));
        if sessions.len() > MAX_SESSIONS {
            sessions.pop_front();
        }
        id
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Session>> {
        let sessions = lock(&self.sessions);
        sessions.iter().find(|(known, _)| known == id).map(|(_, session)| Arc::clone(session))
    }

    pub(super) fn end(&self, id: &str) {
        lock(&self.sessions).retain(|(known, _)| known != id);
    }
}

impl Session {
    pub(super) fn new(customer: Arc<Customer>, calls: CallLog) -> Self {
        Self { customer, calls, notice: Mutex::default() }
    }

    pub(super) fn set_notice(&self, notice: Notice) {
        *lock(&self.notice) = Some(notice);
    }

    /// Returns the notice and removes it: only one page shows it.
    pub(super) fn take_notice(&self) -> Option<Notice> {
        lock(&self.notice).take()
    }
}

impl Customer {
    /// Remembers the cards of a list. Returns the card that became primary since the last list, if another one was before.
    pub(super) fn remember<'a>(&self, cards: &'a [Card]) -> Option<&'a Card> {
        let mut known = lock(&self.known);
        known.cards.extend(cards.iter().map(|card| card.id));
        let primary = cards.iter().find(|card| card.primary);
        let before = std::mem::replace(&mut known.primary, primary.map(|card| card.id));
        primary.filter(|card| before.is_some_and(|before| before != card.id))
    }

    /// Remembers a new card, and whether the customer agreed that the shop charges it without the customer.
    pub(super) fn add_card(&self, id: u64, is_chargeable: bool) {
        let mut known = lock(&self.known);
        known.cards.insert(id);
        if is_chargeable {
            known.chargeable.insert(id);
        }
    }

    /// Remembers a card that was removed, because the API lists it no more.
    pub(super) fn add_removed(&self, card: Card) {
        let removed = &mut lock(&self.known).removed;
        removed.retain(|known| known.id != card.id);
        removed.push(card);
    }

    /// Forgets a removed card whose history the API does not keep any more.
    pub(super) fn forget_removed(&self, id: u64) {
        lock(&self.known).removed.retain(|known| known.id != id);
    }

    /// The removed cards, oldest first.
    pub(super) fn removed(&self) -> Vec<Card> {
        lock(&self.known).removed.clone()
    }

    pub(super) fn has_card(&self, id: u64) -> bool {
        lock(&self.known).cards.contains(&id)
    }

    pub(super) fn is_chargeable(&self, card: u64) -> bool {
        lock(&self.known).chargeable.contains(&card)
    }

    /// Stores an order, or its new state.
    pub(super) fn store_order(&self, order: Order) {
        let orders = &mut lock(&self.known).orders;
        match orders.iter_mut().find(|known| known.id == order.id) {
            Some(known) => *known = order,
            None => orders.push(order),
        }
    }

    pub(super) fn order(&self, id: &str) -> Option<Order> {
        lock(&self.known).orders.iter().find(|order| order.id == id).cloned()
    }

    /// The orders, newest first.
    pub(super) fn orders(&self) -> Vec<Order> {
        lock(&self.known).orders.iter().rev().cloned().collect()
    }
}

/// The value of a cookie in a request.
pub(super) fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|text| text.split("; ")).filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The header value that sets a cookie. An empty value removes it.
pub(super) fn cookie(name: &str, value: &str) -> Option<HeaderValue> {
    let end = if value.is_empty() { "; Max-Age=0" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/shop; HttpOnly; SameSite=Lax{end}")).ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
