//! The state before an operation: recurring payments, terminal sessions and cards of one customer.

use super::world::{Request, World, violation};
use crate::Failure;
use crate::order::Response;
use crate::order::operation::{Change, NewPayment, Operation};

/// A valid card.
pub(super) const VALID_CARD: &str = "4925000000000004";
/// A card that the issuer declines.
pub(super) const DECLINED_CARD: &str = "4925000000000087";

/// One customer and the customer's state.
#[derive(Debug, Clone)]
pub(super) struct Fixture {
    pub(super) customer: String,
    /// The ids of the recurring payments, oldest first.
    pub(super) ids: Vec<u64>,
    /// The transaction id of the newest terminal session.
    pub(super) transaction: u64,
    /// The id of the transaction of the customer's payment.
    pub(super) charge: u64,
}

impl Fixture {
    pub(super) fn new(customer: String) -> Self {
        Self { customer, ids: Vec::new(), transaction: 0, charge: 0 }
    }

    /// The id of the newest recurring payment.
    pub(super) fn id(&self) -> u64 {
        self.ids.last().copied().unwrap_or_default()
    }

    pub(super) async fn send(world: &World, request: &Request) -> Result<Response, Failure> {
        let failed = |what: String| violation(format!("before the crash: {what}"));
        let response =
            world.send(request).await.map_err(|error| error.failure("before the crash"))?;
        if response.status >= 300 {
            return Err(failed(format!("the response to {request:?} is {response:?}")));
        }
        Ok(response)
    }

    /// Creates a recurring payment.
    pub(super) async fn create(&mut self, world: &World) -> Result<(), Failure> {
        let response = Self::send(world, &self.create_request(None)).await?;
        self.ids.extend(response.body["recurringPaymentId"].as_u64());
        Ok(())
    }

    /// Returns a request that creates a recurring payment.
    pub(super) fn create_request(&self, key: Option<&str>) -> Request {
        Request::partner(Operation::Create(NewPayment {
            customer: self.customer.clone(),
            nickname: Some("Kort".to_owned()),
            primary: Some(true),
            key: key.map(str::to_owned),
        }))
    }

    /// Returns a request that changes a recurring payment.
    pub(super) fn update_request(
        id: u64,
        nickname: Option<&str>,
        primary: Option<bool>,
    ) -> Request {
        let nickname = nickname.map(|nickname| Some(nickname.to_owned()));
        Request::partner(Operation::Update(id, Change { nickname, primary }))
    }

    /// Returns a request that opens a terminal for the newest recurring payment, with the inbox as `callbackUrl`.
    pub(super) fn terminal_request(&self, world: &World, key: Option<&str>) -> Request {
        let operation = Operation::Terminal(self.id(), key.map(str::to_owned));
        Request { callback_url: Some(world.inbox()), ..Request::partner(operation) }
    }

    /// Opens a terminal for the newest recurring payment and enters a card.
    pub(super) async fn enter_card(&mut self, world: &World, number: &str) -> Result<(), Failure> {
        let response = Self::send(world, &self.terminal_request(world, None)).await?;
        self.transaction = response.body["transactionId"].as_u64().unwrap_or_default();
        world.enter_card(response.body["terminalUri"].as_str().unwrap_or_default(), number).await
    }

    /// Creates and activates a recurring payment. Its notification is delivered.
    pub(super) async fn activate(&mut self, world: &World) -> Result<(), Failure> {
        self.create(world).await?;
        self.enter_card(world, VALID_CARD).await?;
        Self::send(world, &Request::partner(Operation::Authorize(self.id()))).await?;
        world.local.inbox().clear();
        Ok(())
    }

    /// Opens a terminal for the newest recurring payment. No card is entered.
    pub(super) async fn open_terminal(&mut self, world: &World) -> Result<(), Failure> {
        Self::send(world, &self.terminal_request(world, None)).await.map(drop)
    }

    /// Runs the schedules while work for the customer is due.
    pub(super) async fn run_schedules(&self, world: &World) -> Result<(), Failure> {
        world.run_due_schedules(&self.customer).await
    }

    /// Creates and activates a recurring payment whose notification is not delivered.
    pub(super) async fn activate_undelivered(&mut self, world: &World) -> Result<(), Failure> {
        self.create(world).await?;
        self.enter_card(world, VALID_CARD).await?;
        Self::send(world, &Request::partner(Operation::Authorize(self.id()))).await.map(drop)
    }
}
