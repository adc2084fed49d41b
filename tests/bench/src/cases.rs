//! The events of each function, and their preconditions.

use serde_json::Value;

use crate::Error;
use crate::events::{self, HOUR, START};
use crate::world::World;

/// The kind of a function, which determines its preparation and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Uses wallets only.
    Wallet,
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
pub(crate) const ALL: [Case; 12] = [
    case("list-recurring-payments", Kind::Wallet, 1),
    case("get-recurring-payment", Kind::Wallet, 1),
    case("create-recurring-payment", Kind::Wallet, 2),
    case("update-recurring-payment", Kind::Wallet, 2),
    case("end-recurring-payment", Kind::Wallet, 2),
    case("erase-customer", Kind::Wallet, 2),
    case("create-terminal", Kind::Psp, 2),
    case("authorize-recurring-payment", Kind::Psp, 2),
    case("receive-netaxept-callback", Kind::Psp, 2),
    // A run with one due wallet: eight shards, a read and a write.
    case("expire-recurring-payments", Kind::Schedule, 10),
    // A run with one due wallet, with requests to Nets between read and write.
    case("finish-terminals", Kind::Schedule, 10),
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
                events::schedule("26-expire-recurring-payments.json", at + 24 * HOUR + 1000)
            }
            "finish-terminals" => {
                let (_, id) = customer_with_payment(world, at).await?;
                enter_card(world, id, at).await?;
                events::schedule("22-finish-terminals.json", at + HOUR / 60 + 1000)
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
    let page = world.http.post(uri).form(&form).send().await;
    let page = page.map_err(|error| Error::failed("the terminal page", error))?;
    if page.status() != reqwest::StatusCode::FOUND {
        return Err(Error::failed("the terminal page", page.status()));
    }
    terminal["transactionId"].as_u64().ok_or_else(failed)
}

/// Creates a customer with an ACTIVE recurring payment.
async fn customer_with_card(world: &World, at: i64) -> Result<(String, u64), Error> {
    let (customer, id) = customer_with_payment(world, at).await?;
    enter_card(world, id, at).await?;
    world.call("authorize-recurring-payment", &events::authorize(id, at + 1000)?).await?;
    Ok((customer, id))
}
