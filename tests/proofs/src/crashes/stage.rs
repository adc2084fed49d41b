//! What is there before an operation: payments, pages and cards of one customer.

use super::world::{Request, World, violation};
use crate::Failure;
use crate::order::Answer;
use crate::order::operation::{Change, NewPayment, Operation};

/// A card that is good.
pub(super) const GOOD: &str = "4925000000000004";
/// One that is declined for good.
pub(super) const DECLINED: &str = "4925000000000087";

/// One customer, and what is there of them.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) customer: String,
    /// Recurring payments, oldest first.
    pub(super) ids: Vec<u64>,
    /// The transaction of the last page.
    pub(super) transaction: u64,
}

impl Stage {
    pub(super) fn new(customer: String) -> Self {
        Self { customer, ids: Vec::new(), transaction: 0 }
    }

    /// The newest recurring payment.
    pub(super) fn id(&self) -> u64 {
        self.ids.last().copied().unwrap_or_default()
    }

    async fn ask(world: &World, request: &Request) -> Result<Answer, Failure> {
        let wrong = |what: String| violation(format!("before the crash: {what}"));
        let answer = world.send(request).await.map_err(|lost| lost.failure("before the crash"))?;
        if answer.status >= 300 {
            return Err(wrong(format!("{request:?} was answered {answer:?}")));
        }
        Ok(answer)
    }

    /// Another recurring payment.
    pub(super) async fn create(&mut self, world: &World) -> Result<(), Failure> {
        let answer = Self::ask(world, &self.creation(None)).await?;
        self.ids.extend(answer.body["recurringPaymentId"].as_u64());
        Ok(())
    }

    /// A call that creates another recurring payment, with an idempotency key or without.
    pub(super) fn creation(&self, key: Option<&str>) -> Request {
        Request::partner(Operation::Create(NewPayment {
            customer: self.customer.clone(),
            nickname: Some("Kort".to_owned()),
            primary: Some(true),
            key: key.map(str::to_owned),
        }))
    }

    /// A call that changes one.
    pub(super) fn update(id: u64, nickname: Option<&str>, primary: Option<bool>) -> Request {
        let nickname = nickname.map(|nickname| Some(nickname.to_owned()));
        Request::partner(Operation::Update(id, Change { nickname, primary }))
    }

    /// A call that opens a page for the newest one, whose end is told to the inbox.
    pub(super) fn opening(&self, world: &World, key: Option<&str>) -> Request {
        let operation = Operation::Terminal(self.id(), key.map(str::to_owned));
        Request { tell: Some(world.inbox()), ..Request::partner(operation) }
    }

    /// A page for the newest one, at which a card is entered.
    pub(super) async fn enter(&mut self, world: &World, number: &str) -> Result<(), Failure> {
        let answer = Self::ask(world, &self.opening(world, None)).await?;
        self.transaction = answer.body["transactionId"].as_u64().unwrap_or_default();
        world.enter(answer.body["terminalUri"].as_str().unwrap_or_default(), number).await
    }

    /// A recurring payment with a card, of which everybody was told.
    pub(super) async fn activate(&mut self, world: &World) -> Result<(), Failure> {
        self.create(world).await?;
        self.enter(world, GOOD).await?;
        Self::ask(world, &Request::partner(Operation::Authorize(self.id()))).await?;
        world.local.inbox().forget();
        Ok(())
    }

    /// A page for the newest one, to which nobody goes.
    pub(super) async fn open_for_nobody(&mut self, world: &World) -> Result<(), Failure> {
        Self::ask(world, &self.opening(world, None)).await.map(drop)
    }

    /// The schedule looks at the newest one's pages.
    pub(super) async fn look(&self, world: &World) -> Result<(), Failure> {
        world.do_what_is_due(&self.customer).await
    }

    /// A recurring payment with a card, of which nobody has heard yet.
    pub(super) async fn unheard(&mut self, world: &World) -> Result<(), Failure> {
        self.create(world).await?;
        self.enter(world, GOOD).await?;
        Self::ask(world, &Request::partner(Operation::Authorize(self.id()))).await.map(drop)
    }
}
