//! The events of each function, and their preconditions.

use serde_json::Value;

use crate::Error;
use crate::events::{self, HOUR, START};
use crate::world::World;

/// The kind of a function, which determines its preparation and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Uses tables only.
    Table,
    /// Fetches secrets and calls Nets.
    Psp,
    /// Runs on a schedule.
    Schedule,
    /// Verifies tokens.
    Authorizer,
}

/// A measured function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// The name of the binary.
    pub(crate) function: &'static str,
    /// The kind.
    pub(crate) kind: Kind,
    /// Number of requests to `DynamoDB` per event.
    pub(crate) requests: u32,
}

const fn case(function: &'static str, kind: Kind, requests: u32) -> Case {
    Case { function, kind, requests }
}

/// All functions.
pub(crate) const ALL: [Case; 21] = [
    case("list-recurring-payments", Kind::Table, 1),
    case("get-recurring-payment", Kind::Table, 1),
    case("get-history", Kind::Table, 1),
    case("create-recurring-payment", Kind::Table, 2),
    case("update-recurring-payment", Kind::Table, 2),
    case("end-recurring-payment", Kind::Table, 2),
    case("erase-customer", Kind::Table, 2),
    case("create-terminal", Kind::Psp, 2),
    case("authorize-recurring-payment", Kind::Psp, 2),
    case("receive-netaxept-callback", Kind::Psp, 2),
    case("create-payment", Kind::Table, 2),
    case("get-payment", Kind::Table, 1),
    case("get-transaction", Kind::Table, 1),
    case("create-payment-terminal", Kind::Psp, 3),
    // The payment and the wallet are read; the choice of the registration and the result are written.
    case("capture-transaction", Kind::Psp, 4),
    case("cancel-transaction", Kind::Psp, 2),
    // The payment is read; the intent and the result are written.
    case("credit-transaction", Kind::Psp, 3),
    // A run with one due wallet: eight shards, a read and a write.
    case("expire-recurring-payments", Kind::Schedule, 10),
    // A run with one due wallet, with requests to Nets between read and write.
    case("finish-terminals", Kind::Schedule, 10),
    // A run with one due payment, with a request to Nets between read and write.
    case("settle-payments", Kind::Schedule, 10),
    case("authorizer", Kind::Authorizer, 0),
];

impl Case {
    /// Returns events that have the same effect as the first one: none is a repetition, none is refused.
    pub(crate) async fn events(self, world: &World, count: usize) -> Result<Vec<Value>, Error> {
        let mut events = Vec::with_capacity(count);
        match self.function {
            "list-recurring-payments" => {
                let (customer, _) = customer_with_card(world, START).await?;
                events.resize(count, events::list(&customer, START + HOUR)?);
            }
            "get-recurring-payment" => {
                let (_, id) = customer_with_card(world, START).await?;
                events.resize(count, events::get(id, START + HOUR)?);
            }
            "get-history" => {
                let (_, id) = customer_with_card(world, START).await?;
                events.resize(count, events::history(id, START + HOUR)?);
            }
            "update-recurring-payment" => {
                let (_, id) = customer_with_card(world, START).await?;
                for number in 0..count {
                    let nickname = ["Mitt", "Kort"][number % 2];
                    events.push(events::update(id, nickname, START + HOUR)?);
                }
            }
            "create-recurring-payment" => {
                for _ in 0..count {
                    events.push(events::create(&world.customer(), START)?);
                }
            }
            "create-payment" => {
                let (_, card) = customer_with_card(world, START).await?;
                for _ in 0..count {
                    events.push(events::create_payment(&world.customer(), card, START + HOUR)?);
                }
            }
            "get-payment" | "get-transaction" => {
                let transaction = new_transaction(world, START).await?;
                let event = events::transaction(self.function, transaction, START + HOUR)?;
                events.resize(count, event);
            }
            "authorizer" => {
                let at = world.local.clock().now().as_millisecond();
                events.resize(count, events::authorizer(&world.token().await?, at)?);
            }
            _ => {
                for number in 0..count {
                    events.push(
                        self.single_event(world, i64::try_from(number).unwrap_or_default()).await?,
                    );
                }
            }
        }
        Ok(events)
    }

    /// Returns a function that creates any number of events. The first is like those of [`Self::events`]. Operations that can be
    /// done only once are repeated without effect.
    pub(crate) async fn unlimited_events(
        self,
        world: &World,
    ) -> Result<impl Fn(usize) -> Result<Value, Error>, Error> {
        let events = self.events(world, 2).await?;
        Ok(move |number: usize| match self.function {
            "create-recurring-payment" => events::create(&format!("repeated-{number}"), START),
            // The nickname alternates, so each event is a write.
            "update-recurring-payment" => Ok(events[number % 2].clone()),
            _ => Ok(events[0].clone()),
        })
    }

    /// Creates a recurring payment and returns an event for it.
    async fn single_event(self, world: &World, number: i64) -> Result<Value, Error> {
        // Each run of a schedule has one due wallet: the wallets are due an hour apart.
        let at = START + number * HOUR;
        match self.function {
            "end-recurring-payment" => {
                events::end(customer_with_card(world, START).await?.1, START + HOUR)
            }
            "erase-customer" => {
                events::erase(&customer_with_card(world, START).await?.0, START + HOUR)
            }
            "create-terminal" => {
                events::terminal(customer_with_payment(world, START).await?.1, START)
            }
            "authorize-recurring-payment" => {
                let (_, id) = customer_with_payment(world, START).await?;
                enter_card(world, id, START).await?;
                events::authorize(id, START + 1000)
            }
            "receive-netaxept-callback" => {
                let (_, id) = customer_with_payment(world, START).await?;
                events::callback(enter_card(world, id, START).await?, START + 1000)
            }
            "expire-recurring-payments" => {
                customer_with_payment(world, at).await?;
                events::schedule("46-expire-recurring-payments.json", at + 24 * HOUR + 1000)
            }
            "finish-terminals" => {
                let (_, id) = customer_with_payment(world, at).await?;
                enter_card(world, id, at).await?;
                events::schedule("22-finish-terminals.json", at + HOUR / 60 + 1000)
            }
            _ => self.payment_event(world, at).await,
        }
    }

    /// Creates a payment with a stored card and returns an event for it.
    async fn payment_event(self, world: &World, at: i64) -> Result<Value, Error> {
        match self.function {
            "create-payment-terminal" | "cancel-transaction" => {
                let transaction = new_transaction(world, START).await?;
                events::transaction(self.function, transaction, START + HOUR)
            }
            "capture-transaction" => {
                let transaction = new_transaction(world, START).await?;
                use_payment_terminal(world, transaction, "okButton", START + HOUR).await?;
                events::transaction(self.function, transaction, START + HOUR + 1000)
            }
            "credit-transaction" => {
                let transaction = new_transaction(world, START).await?;
                use_payment_terminal(world, transaction, "okButton", START + HOUR).await?;
                let capture =
                    events::transaction("capture-transaction", transaction, START + HOUR + 1000)?;
                world.call("capture-transaction", &capture).await?;
                events::transaction(self.function, transaction, START + HOUR + 2000)
            }
            "settle-payments" => {
                // The cancellation ends the transaction, so that it is due only once.
                let transaction = new_transaction(world, at).await?;
                use_payment_terminal(world, transaction, "cancelButton", at).await?;
                events::schedule("35-settle-payments.json", at + HOUR / 60 + 1000)
            }
            other => Err(Error::failed(other, "there is no such function")),
        }
    }
}

/// Creates a customer with a CREATED recurring payment.
async fn customer_with_payment(world: &World, at: i64) -> Result<(String, u64), Error> {
    let customer = world.customer();
    let created = world.call("create-recurring-payment", &events::create(&customer, at)?).await?;
    let id = created["recurringPaymentId"].as_u64();
    Ok((customer, id.ok_or_else(|| Error::failed("create", &created))?))
}

/// Enters a card in a new terminal session. Returns the transaction id.
async fn enter_card(world: &World, id: u64, at: i64) -> Result<u64, Error> {
    let terminal = world.call("create-terminal", &events::terminal(id, at)?).await?;
    let failed = || Error::failed("create-terminal", &terminal);
    let uri = terminal["terminalUri"].as_str().ok_or_else(failed)?;
    let form = [
        ("cardNo", "4925000000000004"),
        ("month", "12"),
        ("year", "40"),
        ("securityCode", "123"),
        ("okButton", "x"),
    ];
    submit(world, uri, &form).await?;
    terminal["transactionId"].as_u64().ok_or_else(failed)
}

/// Submits the form of a terminal page.
async fn submit(world: &World, uri: &str, form: &[(&str, &str)]) -> Result<(), Error> {
    let page = world.http.post(uri).form(form).send().await;
    let page = page.map_err(|error| Error::failed("the terminal page", error))?;
    if page.status() == reqwest::StatusCode::FOUND {
        Ok(())
    } else {
        Err(Error::failed("the terminal page", page.status()))
    }
}

/// Creates a payment of a new order with a new card. Returns the transaction id.
async fn new_transaction(world: &World, at: i64) -> Result<u64, Error> {
    let (_, card) = customer_with_card(world, at).await?;
    let event = events::create_payment(&world.customer(), card, at)?;
    let created = world.call("create-payment", &event).await?;
    let id = created["transactionHistory"][0]["transactionId"].as_u64();
    id.ok_or_else(|| Error::failed("create-payment", &created))
}

/// Enters the security code at a new terminal of a payment, and presses a button.
async fn use_payment_terminal(
    world: &World,
    transaction: u64,
    button: &str,
    at: i64,
) -> Result<(), Error> {
    let function = "create-payment-terminal";
    let event = events::transaction(function, transaction, at)?;
    let terminal = world.call(function, &event).await?;
    let uri = terminal["terminalUri"].as_str();
    let uri = uri.ok_or_else(|| Error::failed(function, &terminal))?;
    submit(world, uri, &[("securityCode", "123"), (button, "x")]).await
}

/// Creates a customer with an ACTIVE recurring payment.
async fn customer_with_card(world: &World, at: i64) -> Result<(String, u64), Error> {
    let (customer, id) = customer_with_payment(world, at).await?;
    enter_card(world, id, at).await?;
    world.call("authorize-recurring-payment", &events::authorize(id, at + 1000)?).await?;
    Ok((customer, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binaries;
    use crate::tls::Identity;

    /// Every event succeeds, and sends the stated number of requests. The count of a schedule depends on the wallets and payments
    /// that are due, so each has a world of its own.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_event_succeeds_with_its_number_of_requests() {
        let folder = binaries::target().unwrap().join("bench-cold/cases");
        std::fs::create_dir_all(&folder).unwrap();
        let start = async || World::start(Identity::new().unwrap(), &folder).await.unwrap();
        let mut world = start().await;
        for case in ALL.into_iter().filter(|case| case.kind != Kind::Authorizer) {
            if case.kind == Kind::Schedule {
                world = start().await;
            }
            for count in [1, 2] {
                let events = case.events(&world, count).await.unwrap();
                world.local.dynamodb().clear_requests();
                for event in &events {
                    world.call(case.function, event).await.unwrap();
                }
                let requests = world.local.dynamodb().requests();
                let made = requests.iter().filter(|one| one.function == case.function).count();
                assert_eq!(made, count * case.requests as usize, "{}", case.function);
            }
        }
    }
}
