//! A client: runs random operations, with duplicated events and timeouts.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::ToSpan;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::{Customer, Load};
use crate::order::checker::Event;
use crate::order::lambda::Response;
use crate::order::nets::PageAction;
use crate::order::operation::{Call, Caller, Change, NewPayment, Operation};

/// Nicknames as sent. One has leading and trailing spaces.
const NICKNAMES: [&str; 5] = ["Kort", "Felles", " Privat ", "Ørlandet 🚌", "Jobb-kort"];
/// Maximum deviation of a client's clock from the local clock, in either direction.
const MAX_CLOCK_SKEW_MS: i64 = 700;
/// Valid cards: number, Nets' name of the kind, and last four digits.
const VALID_CARDS: [(&str, &str, &str); 3] = [
    ("4925000000000004", "VISA", "0004"),
    ("5413000000000000", "MASTERCARD", "0000"),
    ("378282246310005", "AMEX", "0005"),
];
const DECLINED_CARD: &str = "4925000000000087";

/// A client with its own random number generator.
pub(in crate::order) struct Client {
    pub(super) load: Arc<Load>,
    customers: Vec<Arc<Customer>>,
    pub(super) rng: Rng,
    pub(super) skew: i64,
    /// Duplicated calls, and calls after a timeout of the client.
    pub(super) background: JoinSet<()>,
}

impl Client {
    pub(in crate::order) fn new(
        load: Arc<Load>,
        customers: Vec<Arc<Customer>>,
        mut rng: Rng,
    ) -> Self {
        let skew = rng.i64(-MAX_CLOCK_SKEW_MS..=MAX_CLOCK_SKEW_MS);
        Self { load, customers, rng, skew, background: JoinSet::new() }
    }

    /// Runs operations until none is left.
    pub(in crate::order) async fn run(mut self) {
        while self.load.take_operation() {
            let customer = self.random_customer();
            self.random_operation(&customer).await;
            while self.background.try_join_next().is_some() {}
        }
        while self.background.join_next().await.is_some() {}
    }

    /// A quarter of the operations are for the first customer.
    fn random_customer(&mut self) -> Arc<Customer> {
        let index = if self.rng.u32(..4) == 0 { 0 } else { self.rng.usize(..self.customers.len()) };
        self.customers[index].clone()
    }

    pub(super) fn caller(&mut self, customer: &Customer) -> Caller {
        match self.rng.u32(..100) {
            0..84 => Caller::Partner(1),
            84..88 => Caller::Internal(1),
            88..95 => Caller::Traveller(1, customer.number.clone()),
            95..98 => Caller::Traveller(1, self.random_customer().number.clone()),
            _ => Caller::Partner(2),
        }
    }

    async fn random_operation(&mut self, customer: &Arc<Customer>) {
        if self.rng.u32(..6) == 0 {
            return self.use_payments(customer).await;
        }
        let id = customer.random_id(&mut self.rng);
        let operation = match (self.rng.u32(..1000), id) {
            (0..160, _) => Operation::List(customer.number.clone(), self.rng.bool()),
            (160..290, _) | (_, None) => Operation::Create(self.new_payment(customer)),
            (290..415, Some(id)) => Operation::Get(id),
            (415..420, Some(id)) => Operation::Wait(id, self.rng.u8(1..3)),
            (420..480, Some(id)) => Operation::History(id),
            (480..520, Some(id)) => Operation::DryRun(id, self.previewed_change()),
            (520..650, Some(id)) => Operation::Update(id, self.rename()),
            (650..800, Some(id)) => Operation::Update(id, self.change_primary()),
            (800..920, Some(id)) => Operation::End(id),
            (920..965, Some(id)) => return self.use_terminal(customer, id).await,
            (965..985, Some(id)) => Operation::Authorize(id),
            (985..988, _) => Operation::Erase(customer.number.clone()),
            // An id of another slot.
            (_, Some(id)) => Operation::Get(id ^ self.rng.u64(1..1 << 39) << 10),
        };
        let caller = self.caller(customer);
        let response = self.call(caller, operation.clone()).await;
        if let (Operation::Create(new), Some(response)) = (operation, response) {
            if let Some(id) = response.body["recurringPaymentId"].as_u64() {
                customer.add_id(id);
            }
            if new.key.is_some() {
                customer.add_creation(new);
            }
        }
    }

    fn random_nickname(&mut self) -> String {
        if self.rng.u32(..200) == 0 {
            return "  ".to_owned();
        }
        NICKNAMES[self.rng.usize(..NICKNAMES.len())].to_owned()
    }

    fn new_payment(&mut self, customer: &Customer) -> NewPayment {
        if let Some(before) = customer.random_creation(&mut self.rng)
            && self.rng.u32(..3) == 0
        {
            // The same request again; in one of six cases with another body.
            return if self.rng.u32(..6) == 0 {
                NewPayment { primary: Some(before.primary.is_none()), ..before }
            } else {
                before
            };
        }
        NewPayment {
            customer: customer.number.clone(),
            nickname: self.rng.bool().then(|| self.random_nickname()),
            primary: self.rng.bool().then(|| self.rng.u32(..4) > 0),
            key: self.rng.bool().then(|| format!("key-{:x}", self.rng.u32(..))),
        }
    }

    fn rename(&mut self) -> Change {
        let nickname = Some((self.rng.u32(..4) > 0).then(|| self.random_nickname()));
        Change { nickname, primary: (self.rng.u32(..5) == 0).then_some(true) }
    }

    fn change_primary(&mut self) -> Change {
        Change { nickname: None, primary: Some(self.rng.u32(..8) > 0) }
    }

    /// The change of a dry run. `None` is an end.
    fn previewed_change(&mut self) -> Option<Change> {
        match self.rng.u32(..4) {
            0 => Some(self.rename()),
            1 => Some(self.change_primary()),
            _ => None,
        }
    }

    /// Calls a function with the client's clock. Sometimes the event is duplicated or the client times out.
    pub(super) async fn call(&mut self, caller: Caller, operation: Operation) -> Option<Response> {
        let now = self.load.now() + self.skew;
        let call = Arc::new(Call { caller, operation, now });
        match self.rng.u32(..300) {
            // The same event is delivered twice at once.
            0..4 => {
                let (load, duplicate) = (self.load.clone(), call.clone());
                self.background.spawn(async move { drop(load.call(duplicate).await) });
                self.load.call(call).await
            }
            // The same event is delivered again later.
            4..6 => {
                let (load, duplicate) = (self.load.clone(), call.clone());
                let delay = Duration::from_millis(self.rng.u64(1..200));
                self.background.spawn(async move {
                    tokio::time::sleep(delay).await;
                    load.call(duplicate).await;
                });
                self.load.call(call).await
            }
            // The client times out and retries.
            6..9 => {
                let (load, first) = (self.load.clone(), call.clone());
                self.background.spawn(async move { drop(load.call(first).await) });
                let timeout = Duration::from_micros(self.rng.u64(..4000));
                tokio::time::sleep(timeout).await;
                let now = self.load.now() + self.skew;
                self.load.call(Arc::new(Call { now, ..(*call).clone() })).await
            }
            _ => self.load.call(call).await,
        }
    }

    /// Opens a terminal, acts on its page, and completes the setup in one of several ways.
    pub(super) async fn use_terminal(&mut self, customer: &Customer, id: u64) {
        let key = (self.rng.u32(..3) == 0).then(|| format!("page-{:x}", self.rng.u32(..4)));
        let operation = Operation::Terminal(id, key);
        if self.rng.u32(..5) == 0 {
            // Another window of the same customer calls authorize for an older session.
            let (load, now) = (self.load.clone(), self.load.now() + self.skew);
            let operation = Operation::Authorize(id);
            let call = Arc::new(Call { caller: Caller::Partner(1), operation, now });
            let delay = Duration::from_micros(self.rng.u64(..8000));
            self.background.spawn(async move {
                tokio::time::sleep(delay).await;
                load.call(call).await;
            });
        }
        let Some(response) = self.call(Caller::Partner(1), operation).await else { return };
        let transaction = response.body["transactionId"].as_u64();
        let uri = response.body["terminalUri"].as_str();
        let (Some(transaction), Some(uri)) = (transaction, uri) else { return };
        match self.rng.u32(..10) {
            0..7 => self.act_on_page(transaction, uri, 0).await,
            7 => self.act_on_page(transaction, uri, 1).await,
            8 => self.act_on_page(transaction, uri, 2).await,
            _ => {}
        }
        match self.rng.u32(..10) {
            0..6 => {
                let authorized = self.call(Caller::Partner(1), Operation::Authorize(id)).await;
                if authorized.is_some_and(|response| response.status == 200) {
                    customer.add_card(id);
                }
            }
            6..8 => {
                drop(self.call(Caller::Unauthenticated, Operation::Callback(transaction)).await);
            }
            // The schedule completes the setup.
            _ => {}
        }
    }

    /// The year and month of a card: in one of three cases of this or the next two months, so that the card expires soon.
    fn card_month(&mut self) -> (i16, i8) {
        let now = self.load.local.clock().now().to_zoned(jiff::tz::TimeZone::UTC);
        let months = if self.rng.u32(..3) == 0 { self.rng.i64(0..3) } else { self.rng.i64(3..72) };
        let then = now.checked_add(months.months()).unwrap_or(now);
        (then.year(), then.month())
    }

    /// Acts on a terminal page. With a repeated idempotency key, the page can have been used before.
    async fn act_on_page(&mut self, transaction: u64, uri: &str, choice: u32) {
        let (number, kind, last_four) = VALID_CARDS[self.rng.usize(..VALID_CARDS.len())];
        let (year, month) = self.card_month();
        let (action, number, button) = match choice {
            0 => {
                let month = format!("{year:04}-{month:02}");
                (
                    PageAction::EnterCard(kind.to_owned(), last_four.to_owned(), month),
                    number,
                    "okButton",
                )
            }
            1 => (PageAction::EnterDeclinedCard, DECLINED_CARD, "okButton"),
            _ => (PageAction::Cancel, number, "cancelButton"),
        };
        let code = if number.starts_with('3') { "1234" } else { "123" };
        let (month, year) = (format!("{month:02}"), format!("{:02}", year % 100));
        let form = [
            ("cardNo", number),
            ("month", &month),
            ("year", &year),
            ("securityCode", code),
            (button, "x"),
        ];
        if !self.load.claim_page(transaction) {
            return;
        }
        self.load.send(Event::ActionStarted(transaction, action));
        let page = self.load.http.post(uri).form(&form).send().await;
        let accepted = page.is_ok_and(|page| page.status() == StatusCode::FOUND);
        self.load.send(Event::ActionFinished(transaction, accepted));
    }
}
