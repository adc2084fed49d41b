//! The scenarios of payments: the state before an operation, the operation, and what a client does with its response.

use local::netaxept::{FaultKind, Operation as AtNets};

use super::fixture::Fixture;
use super::world::{Request, World, violation};
use crate::Failure;
use crate::order::Response;
use crate::order::operation::Operation;
use crate::order::payments::operation::{
    ChargeTerminal, NewOrder, PaymentOperation, RegistrationId,
};

/// The total of an order, in minor units.
const TOTAL: u64 = 10_000;
/// A total for which the issuer declines the card permanently.
const DECLINED_TOTAL: u64 = 114;
/// A part of the total, which is credited.
const PART: u64 = 3000;

/// Selects the prepared state and the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaymentCase {
    GetPayment,
    GetTransaction,
    Create,
    Terminal,
    TerminalOfMerchant,
    TerminalWithAutoSale,
    TerminalOfMerchantWithAutoSale,
    Capture,
    CaptureDeclined,
    CancelCreated,
    CancelAuthorized,
    CreditPart,
    CreditRest,
    SettleHoldEnded,
    SettleAutoSale,
    SettleAutoSaleOfMerchant,
    SettleCreditAgain,
    SettleNotification,
    Callback,
}

const CUSTOMER: ChargeTerminal = ChargeTerminal { is_merchant: false, auto_sale: false };
const MERCHANT: ChargeTerminal = ChargeTerminal { is_merchant: true, ..CUSTOMER };
const AUTO_SALE: ChargeTerminal = ChargeTerminal { auto_sale: true, ..CUSTOMER };
const AUTO_SALE_OF_MERCHANT: ChargeTerminal = ChargeTerminal { auto_sale: true, ..MERCHANT };

impl PaymentCase {
    /// Creates the state before the operation.
    pub(super) async fn prepare(self, world: &World, fixture: &mut Fixture) -> Result<(), Failure> {
        fixture.activate(world).await?;
        let total = if self == Self::CaptureDeclined { DECLINED_TOTAL } else { TOTAL };
        if self != Self::Create {
            fixture.create_payment(world, total).await?;
        }
        match self {
            Self::Create
            | Self::Terminal
            | Self::TerminalOfMerchant
            | Self::TerminalWithAutoSale
            | Self::TerminalOfMerchantWithAutoSale
            | Self::CancelCreated => {}
            Self::Capture | Self::CaptureDeclined => fixture.confirm(world, CUSTOMER).await?,
            Self::GetPayment | Self::GetTransaction | Self::CreditPart => {
                fixture.pay(world).await?;
            }
            Self::CreditRest => {
                fixture.pay(world).await?;
                fixture.request(world, fixture.credit(Some(PART))).await?;
            }
            Self::CancelAuthorized => fixture.authorize_only(world).await?,
            Self::SettleHoldEnded => {
                fixture.authorize_only(world).await?;
                world.advance_clock("PT24H1M")?;
            }
            Self::SettleAutoSale | Self::Callback => {
                fixture.confirm(world, AUTO_SALE).await?;
                world.advance_clock("PT62S")?;
            }
            Self::SettleAutoSaleOfMerchant => {
                fixture.confirm(world, AUTO_SALE_OF_MERCHANT).await?;
                world.advance_clock("PT62S")?;
            }
            Self::SettleCreditAgain => {
                fixture.pay(world).await?;
                world.advance_clock("PT2S")?;
                fixture.run_schedules(world).await?;
                world.local.netaxept().inject_fault(AtNets::Credit, FaultKind::Http500, 1);
                fixture.request_unclear(world, fixture.credit(Some(PART))).await?;
                world.advance_clock("PT16M2S")?;
            }
            Self::SettleNotification => {
                fixture.pay(world).await?;
                world.advance_clock("PT2S")?;
            }
        }
        Ok(())
    }

    /// Returns the request of the operation.
    pub(super) fn request(self, world: &World, fixture: &Fixture) -> Request {
        let id = fixture.charge;
        match self {
            Self::GetPayment => payment_request(PaymentOperation::GetPayment(id >> 4)),
            Self::GetTransaction => payment_request(PaymentOperation::GetTransaction(id)),
            Self::Create => payment_request(fixture.order(TOTAL)),
            Self::Terminal => fixture.charge_terminal(world, CUSTOMER),
            Self::TerminalOfMerchant => fixture.charge_terminal(world, MERCHANT),
            Self::TerminalWithAutoSale => fixture.charge_terminal(world, AUTO_SALE),
            Self::TerminalOfMerchantWithAutoSale => {
                fixture.charge_terminal(world, AUTO_SALE_OF_MERCHANT)
            }
            Self::Capture | Self::CaptureDeclined => payment_request(PaymentOperation::Capture(id)),
            Self::CancelCreated | Self::CancelAuthorized => {
                payment_request(PaymentOperation::Cancel(id))
            }
            Self::CreditPart => payment_request(fixture.credit(Some(PART))),
            Self::CreditRest => payment_request(fixture.credit(None)),
            Self::SettleHoldEnded
            | Self::SettleAutoSale
            | Self::SettleAutoSaleOfMerchant
            | Self::SettleCreditAgain
            | Self::SettleNotification => {
                Request::scheduled(Operation::Payment(PaymentOperation::Settle))
            }
            Self::Callback => {
                let id = RegistrationId { transaction: id, number: 0 };
                Request::scheduled(Operation::Payment(PaymentOperation::Callback(id)))
            }
        }
    }

    /// Does what a client does that receives a response: completes the purchase.
    pub(super) async fn follow(
        self,
        world: &World,
        fixture: &mut Fixture,
        response: &Response,
    ) -> Result<(), Failure> {
        let uri = response.body["terminalUri"].as_str();
        match self {
            Self::Create => {
                fixture.read_charge(response);
                fixture.pay(world).await
            }
            Self::Terminal => {
                world.enter_code(uri.unwrap_or_default()).await?;
                fixture.request(world, PaymentOperation::Capture(fixture.charge)).await.map(drop)
            }
            Self::TerminalOfMerchant => {
                fixture.request(world, PaymentOperation::Capture(fixture.charge)).await.map(drop)
            }
            Self::TerminalWithAutoSale => world.enter_code(uri.unwrap_or_default()).await,
            Self::TerminalOfMerchantWithAutoSale
            | Self::GetPayment
            | Self::GetTransaction
            | Self::Capture
            | Self::CaptureDeclined
            | Self::CancelCreated
            | Self::CancelAuthorized
            | Self::CreditPart
            | Self::CreditRest
            | Self::SettleHoldEnded
            | Self::SettleAutoSale
            | Self::SettleAutoSaleOfMerchant
            | Self::SettleCreditAgain
            | Self::SettleNotification
            | Self::Callback => Ok(()),
        }
    }
}

fn payment_request(operation: PaymentOperation) -> Request {
    Request::partner(Operation::Payment(operation))
}

impl Fixture {
    /// The request that creates the payment. Each customer has one order, with the customer's number.
    fn order(&self, minor: u64) -> PaymentOperation {
        let (order, card) = (self.customer.clone(), self.id());
        PaymentOperation::Create(NewOrder { order, minor, card })
    }

    fn credit(&self, target: Option<u64>) -> PaymentOperation {
        PaymentOperation::Credit(self.charge, target)
    }

    /// Returns a request that opens a terminal of the transaction, with the inbox as `callbackUrl`.
    fn charge_terminal(&self, world: &World, terminal: ChargeTerminal) -> Request {
        let operation = PaymentOperation::Terminal(self.charge, terminal);
        Request { callback_url: Some(world.inbox()), ..payment_request(operation) }
    }

    async fn request(
        &self,
        world: &World,
        operation: PaymentOperation,
    ) -> Result<Response, Failure> {
        Self::send(world, &payment_request(operation)).await
    }

    /// Sends a request whose outcome is unclear because Nets does not answer.
    async fn request_unclear(
        &self,
        world: &World,
        operation: PaymentOperation,
    ) -> Result<(), Failure> {
        let response = world.send(&payment_request(operation)).await;
        let response = response.map_err(|error| error.failure("before the crash"))?;
        if response.status == 503 {
            return Ok(());
        }
        Err(violation(format!("before the crash: expected 503, got {response:?}")))
    }

    fn read_charge(&mut self, created: &Response) {
        let newest = &created.body["transactionHistory"][0];
        self.charge = newest["transactionId"].as_u64().unwrap_or_default();
    }

    async fn create_payment(&mut self, world: &World, minor: u64) -> Result<(), Failure> {
        let created = self.request(world, self.order(minor)).await?;
        self.read_charge(&created);
        Ok(())
    }

    /// Opens a terminal. If it has a page, the customer enters the security code.
    async fn confirm(&self, world: &World, terminal: ChargeTerminal) -> Result<(), Failure> {
        let opened = Self::send(world, &self.charge_terminal(world, terminal)).await?;
        if terminal.is_merchant {
            return Ok(());
        }
        world.enter_code(opened.body["terminalUri"].as_str().unwrap_or_default()).await
    }

    /// Opens a terminal, enters the security code and captures.
    async fn pay(&self, world: &World) -> Result<(), Failure> {
        self.confirm(world, CUSTOMER).await?;
        self.request(world, PaymentOperation::Capture(self.charge)).await.map(drop)
    }

    /// Authorizes the transaction. The capture fails.
    async fn authorize_only(&self, world: &World) -> Result<(), Failure> {
        self.confirm(world, CUSTOMER).await?;
        world.local.netaxept().inject_fault(AtNets::Capture, FaultKind::Http500, 2);
        self.request_unclear(world, PaymentOperation::Capture(self.charge)).await
    }
}
