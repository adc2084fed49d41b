//! What each function is asked, and everything that has to be there before.

use serde_json::Value;

use crate::Error;
use crate::events::{self, BEGINS, HOUR};
use crate::world::World;

/// The kind of a function: what it needs before its first event, and so which figures it is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Wallets alone.
    Wallet,
    /// Secrets, and calls to others.
    Psp,
    /// Runs by schedule.
    Schedule,
    /// Checks tokens.
    Authorizer,
}

/// A function, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Its binary.
    pub(crate) function: &'static str,
    /// Its kind.
    pub(crate) kind: Kind,
    /// Requests to `DynamoDB` for each of its events.
    pub(crate) requests: u32,
}

const fn case(function: &'static str, kind: Kind, requests: u32) -> Case {
    Case { function, kind, requests }
}

/// Every function.
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
    // A run that finds one wallet due: eight shards, a read, and a write.
    case("expire-recurring-payments", Kind::Schedule, 10),
    // Eight shards, a read, and a write, with Nets in between.
    case("finish-terminals", Kind::Schedule, 10),
    case("authorizer", Kind::Authorizer, 0),
];

impl Case {
    /// So many events, each of which does what the first one does: nothing is repeated, and nothing refused.
    pub(crate) async fn events(self, world: &World, count: usize) -> Result<Vec<Value>, Error> {
        let mut events = Vec::with_capacity(count);
        match self.function {
            "list-recurring-payments" => {
                let (customer, _) = with_a_card(world, BEGINS).await?;
                events.resize(count, events::list(&customer, BEGINS + HOUR)?);
            }
            "get-recurring-payment" => {
                let (_, id) = with_a_card(world, BEGINS).await?;
                events.resize(count, events::get(id, BEGINS + HOUR)?);
            }
            "update-recurring-payment" => {
                let (_, id) = with_a_card(world, BEGINS).await?;
                for number in 0..count {
                    let nickname = ["Mitt", "Kort"][number % 2];
                    events.push(events::update(id, nickname, BEGINS + HOUR)?);
                }
            }
            "create-recurring-payment" => {
                for _ in 0..count {
                    events.push(events::create(&world.customer(), BEGINS)?);
                }
            }
            "authorizer" => {
                let at = world.local.clock().now().as_millisecond();
                events.resize(count, events::authorizer(&world.token().await?, at)?);
            }
            _ => {
                for number in 0..count {
                    events.push(
                        self.another(world, i64::try_from(number).unwrap_or_default()).await?,
                    );
                }
            }
        }
        Ok(events)
    }

    /// An event for each number, however many there are: the first is as those of [`Self::events`], and what cannot be done
    /// twice is asked again all the same.
    pub(crate) async fn lasting(
        self,
        world: &World,
    ) -> Result<impl Fn(usize) -> Result<Value, Error>, Error> {
        let two = self.events(world, 2).await?;
        Ok(move |number: usize| match self.function {
            "create-recurring-payment" => events::create(&format!("lasting-{number}"), BEGINS),
            // Another nickname each time, so that each is a write.
            "update-recurring-payment" => Ok(two[number % 2].clone()),
            _ => Ok(two[0].clone()),
        })
    }

    /// An event that needs a recurring payment of its own.
    async fn another(self, world: &World, number: i64) -> Result<Value, Error> {
        // Schedules meet one wallet at a time: each is due an hour after the one before it.
        let at = BEGINS + number * HOUR;
        match self.function {
            "end-recurring-payment" => {
                events::end(with_a_card(world, BEGINS).await?.1, BEGINS + HOUR)
            }
            "erase-customer" => events::erase(&with_a_card(world, BEGINS).await?.0, BEGINS + HOUR),
            "create-terminal" => events::terminal(created(world, BEGINS).await?.1, BEGINS),
            "authorize-recurring-payment" => {
                let (_, id) = created(world, BEGINS).await?;
                card_entered(world, id, BEGINS).await?;
                events::authorize(id, BEGINS + 1000)
            }
            "receive-netaxept-callback" => {
                let (_, id) = created(world, BEGINS).await?;
                events::callback(card_entered(world, id, BEGINS).await?, BEGINS + 1000)
            }
            "expire-recurring-payments" => {
                created(world, at).await?;
                events::schedule("26-expire-recurring-payments.json", at + 24 * HOUR + 1000)
            }
            "finish-terminals" => {
                let (_, id) = created(world, at).await?;
                card_entered(world, id, at).await?;
                events::schedule("22-finish-terminals.json", at + HOUR / 60 + 1000)
            }
            other => Err(Error::failed(other, "there is no such function")),
        }
    }
}

/// A customer with a new recurring payment.
async fn created(world: &World, at: i64) -> Result<(String, u64), Error> {
    let customer = world.customer();
    let created = world.call("create-recurring-payment", &events::create(&customer, at)?).await?;
    let id = created["recurringPaymentId"].as_u64();
    Ok((customer, id.ok_or_else(|| Error::failed("create", &created))?))
}

/// A card is entered at a new terminal: its transaction.
async fn card_entered(world: &World, id: u64, at: i64) -> Result<u64, Error> {
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

/// A customer with a card.
async fn with_a_card(world: &World, at: i64) -> Result<(String, u64), Error> {
    let (customer, id) = created(world, at).await?;
    card_entered(world, id, at).await?;
    world.call("authorize-recurring-payment", &events::authorize(id, at + 1000)?).await?;
    Ok((customer, id))
}
