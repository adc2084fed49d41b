//! A client: what it does next, and how it goes wrong.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::{Customer, Load};
use crate::order::checker::Event;
use crate::order::event::Answer;
use crate::order::nets::Press;
use crate::order::operation::{Call, Caller, Change, NewPayment, Operation};

/// Names, as they are sent; one has blanks around it.
const NICKNAMES: [&str; 5] = ["Kort", "Felles", " Privat ", "Ørlandet 🚌", "Jobb-kort"];
/// Clocks of two clients differ by up to so many milliseconds each way.
const SKEW: i64 = 700;
/// Cards that are good: number, what Nets calls it, and the last four digits.
const CARDS: [(&str, &str, &str); 3] = [
    ("4925000000000004", "VISA", "0004"),
    ("5413000000000000", "MASTERCARD", "0000"),
    ("378282246310005", "AMEX", "0005"),
];
const DECLINED: &str = "4925000000000087";

/// A client, with chance of its own.
pub(in crate::order) struct Client {
    load: Arc<Load>,
    customers: Vec<Arc<Customer>>,
    chance: Rng,
    skew: i64,
    /// Calls that nobody waits for any more, and duplicates.
    beside: JoinSet<()>,
}

impl Client {
    pub(in crate::order) fn new(
        load: Arc<Load>,
        customers: Vec<Arc<Customer>>,
        mut chance: Rng,
    ) -> Self {
        let skew = chance.i64(-SKEW..=SKEW);
        Self { load, customers, chance, skew, beside: JoinSet::new() }
    }

    /// Does one thing after the other while there are any left.
    pub(in crate::order) async fn work(mut self) {
        while self.load.begins() {
            let customer = self.some_customer();
            self.something(&customer).await;
            while self.beside.try_join_next().is_some() {}
        }
        while self.beside.join_next().await.is_some() {}
    }

    /// A quarter of all is about the first one.
    fn some_customer(&mut self) -> Arc<Customer> {
        let index =
            if self.chance.u32(..4) == 0 { 0 } else { self.chance.usize(..self.customers.len()) };
        self.customers[index].clone()
    }

    fn caller(&mut self, customer: &Customer) -> Caller {
        match self.chance.u32(..100) {
            0..84 => Caller::Partner(1),
            84..88 => Caller::Internal(1),
            88..95 => Caller::Traveller(1, customer.number.clone()),
            95..98 => Caller::Traveller(1, self.some_customer().number.clone()),
            _ => Caller::Partner(2),
        }
    }

    async fn something(&mut self, customer: &Arc<Customer>) {
        let id = customer.some_id(&mut self.chance);
        let operation = match (self.chance.u32(..1000), id) {
            (0..190, _) => Operation::List(customer.number.clone(), self.chance.bool()),
            (190..320, _) | (_, None) => Operation::Create(self.creation(customer)),
            (320..510, Some(id)) => Operation::Get(id),
            (510..650, Some(id)) => Operation::Update(id, self.renaming()),
            (650..800, Some(id)) => Operation::Update(id, self.choosing()),
            (800..920, Some(id)) => Operation::End(id),
            (920..965, Some(id)) => return self.enter_a_card(id).await,
            (965..985, Some(id)) => Operation::Authorize(id),
            (985..988, _) => Operation::Erase(customer.number.clone()),
            // An id of nobody's.
            (_, Some(id)) => Operation::Get(id ^ self.chance.u64(1..1 << 39) << 10),
        };
        let caller = self.caller(customer);
        let answer = self.call(caller, operation.clone()).await;
        if let (Operation::Create(new), Some(answer)) = (operation, answer) {
            if let Some(id) = answer.body["recurringPaymentId"].as_u64() {
                customer.hear(id);
            }
            if new.key.is_some() {
                customer.keep(new);
            }
        }
    }

    fn nickname(&mut self) -> String {
        if self.chance.u32(..200) == 0 {
            return "  ".to_owned();
        }
        NICKNAMES[self.chance.usize(..NICKNAMES.len())].to_owned()
    }

    fn creation(&mut self, customer: &Customer) -> NewPayment {
        if let Some(before) = customer.some_creation(&mut self.chance)
            && self.chance.u32(..3) == 0
        {
            // The same, or now and then another one under the same key.
            return if self.chance.u32(..6) == 0 {
                NewPayment { primary: Some(before.primary.is_none()), ..before }
            } else {
                before
            };
        }
        NewPayment {
            customer: customer.number.clone(),
            nickname: self.chance.bool().then(|| self.nickname()),
            primary: self.chance.bool().then(|| self.chance.u32(..4) > 0),
            key: self.chance.bool().then(|| format!("key-{:x}", self.chance.u32(..))),
        }
    }

    fn renaming(&mut self) -> Change {
        let nickname = Some((self.chance.u32(..4) > 0).then(|| self.nickname()));
        Change { nickname, primary: (self.chance.u32(..5) == 0).then_some(true) }
    }

    fn choosing(&mut self) -> Change {
        Change { nickname: None, primary: Some(self.chance.u32(..8) > 0) }
    }

    /// Calls, as a client does: by a clock that is not quite right, sometimes twice at once, sometimes without patience.
    async fn call(&mut self, caller: Caller, operation: Operation) -> Option<Answer> {
        let now = self.load.now() + self.skew;
        let call = Arc::new(Call { caller, operation, now });
        match self.chance.u32(..300) {
            // The same event is delivered twice at once.
            0..4 => {
                let (load, twin) = (self.load.clone(), call.clone());
                self.beside.spawn(async move { drop(load.call(twin).await) });
                self.load.call(call).await
            }
            // The same event is delivered again later.
            4..6 => {
                let (load, again) = (self.load.clone(), call.clone());
                let later = Duration::from_millis(self.chance.u64(1..200));
                self.beside.spawn(async move {
                    tokio::time::sleep(later).await;
                    load.call(again).await;
                });
                self.load.call(call).await
            }
            // Nobody waits for the answer, and the client asks again.
            6..9 => {
                let (load, first) = (self.load.clone(), call.clone());
                self.beside.spawn(async move { drop(load.call(first).await) });
                let patience = Duration::from_micros(self.chance.u64(..4000));
                tokio::time::sleep(patience).await;
                let now = self.load.now() + self.skew;
                self.load.call(Arc::new(Call { now, ..(*call).clone() })).await
            }
            _ => self.load.call(call).await,
        }
    }

    /// A page at Nets, what the customer does there, and who finishes it.
    async fn enter_a_card(&mut self, id: u64) {
        let key = (self.chance.u32(..3) == 0).then(|| format!("page-{:x}", self.chance.u32(..4)));
        let operation = Operation::Terminal(id, key);
        if self.chance.u32(..5) == 0 {
            // Another window of the same customer, which waits for an older page.
            let (load, now) = (self.load.clone(), self.load.now() + self.skew);
            let operation = Operation::Authorize(id);
            let call = Arc::new(Call { caller: Caller::Partner(1), operation, now });
            let moment = Duration::from_micros(self.chance.u64(..8000));
            self.beside.spawn(async move {
                tokio::time::sleep(moment).await;
                load.call(call).await;
            });
        }
        let Some(answer) = self.call(Caller::Partner(1), operation).await else { return };
        let transaction = answer.body["transactionId"].as_u64();
        let uri = answer.body["terminalUri"].as_str();
        let (Some(transaction), Some(uri)) = (transaction, uri) else { return };
        match self.chance.u32(..10) {
            0..7 => self.press(transaction, uri, 0).await,
            7 => self.press(transaction, uri, 1).await,
            8 => self.press(transaction, uri, 2).await,
            _ => {}
        }
        match self.chance.u32(..10) {
            0..6 => drop(self.call(Caller::Partner(1), Operation::Authorize(id)).await),
            6..8 => drop(self.call(Caller::Nobody, Operation::Callback(transaction)).await),
            // The schedule.
            _ => {}
        }
    }

    /// What a customer does at a page, which may have seen another one before: with the same key, it is the same page.
    async fn press(&mut self, transaction: u64, uri: &str, what: u32) {
        let (number, kind, last_four) = CARDS[self.chance.usize(..CARDS.len())];
        let year = self.load.local.clock().now().to_zoned(jiff::tz::TimeZone::UTC).year();
        let year = year + self.chance.i16(1..6);
        let month = self.chance.u32(1..=12);
        let (press, number, button) = match what {
            0 => {
                let month = format!("{year:04}-{month:02}");
                (Press::Good(kind.to_owned(), last_four.to_owned(), month), number, "okButton")
            }
            1 => (Press::Declined, DECLINED, "okButton"),
            _ => (Press::Cancel, number, "cancelButton"),
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
        if !self.load.presses(transaction) {
            return;
        }
        self.load.tell(Event::Pressing(transaction, press));
        let page = self.load.http.post(uri).form(&form).send().await;
        let taken = page.is_ok_and(|page| page.status() == StatusCode::FOUND);
        self.load.tell(Event::Pressed(transaction, taken));
    }
}
