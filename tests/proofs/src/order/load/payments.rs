//! The part of a client that pays orders with stored cards.

use std::sync::Arc;
use std::time::Duration;

use local::netaxept::{FaultKind, Operation as AtNets};

use super::{Client, Customer};
use crate::order::lambda::Response;
use crate::order::operation::{Call, Caller, NewPayment, Operation};
use crate::order::payments::operation::{
    ChargeTerminal, NewOrder, PaymentOperation, RegistrationId,
};

/// Amounts, in minor units, for which the sandbox's issuer declines a card: permanently, for now, and until the customer
/// authenticates.
const DECLINED_AMOUNTS: [u64; 3] = [114, 151, 165];
/// The calls of Nets that can fail in this proof. Registrations and queries do not: card setups need them too.
const FAILING_CALLS: [AtNets; 4] = [AtNets::Auth, AtNets::Capture, AtNets::Annul, AtNets::Credit];
/// The faults: the reply is lost, the call is not executed, and the call is executed half a minute later.
const NETS_FAULTS: [FaultKind; 3] =
    [FaultKind::DropReply, FaultKind::Http500, FaultKind::ArriveLate];

/// An order that a client has created a payment for.
#[derive(Debug, Clone)]
pub(in crate::order) struct KnownOrder {
    new: NewOrder,
    /// The newest transaction.
    transaction: u64,
    /// The registration of the last terminal.
    registration: Option<RegistrationId>,
    /// The number of digits of the card's security code.
    code: &'static str,
}

impl KnownOrder {
    pub(super) fn number(&self) -> &str {
        &self.new.order
    }
}

impl Client {
    /// Pays a new order, or sends a request about an earlier one.
    pub(super) async fn use_payments(&mut self, customer: &Arc<Customer>) {
        let earlier = customer.random_order(&mut self.rng);
        if let Some(order) = earlier.filter(|_| self.rng.u32(..10) < 6) {
            return self.request_again(customer, order).await;
        }
        let Some(card) = self.card(customer).await else { return };
        let order = format!("order-{:x}", self.rng.u64(..));
        let new = NewOrder { order, minor: self.amount(), card };
        if let Some(order) = self.create_payment(customer, new).await {
            self.pay(customer, order).await;
        }
    }

    /// A recurring payment with a card. Without one, usually sets up a new one.
    async fn card(&mut self, customer: &Arc<Customer>) -> Option<u64> {
        if let Some(card) = customer.random_card(&mut self.rng).filter(|_| self.rng.u32(..20) > 0) {
            return Some(card);
        }
        if self.rng.u32(..6) == 0 {
            return customer.random_id(&mut self.rng);
        }
        let new = NewPayment {
            customer: customer.number.clone(),
            nickname: None,
            primary: None,
            key: None,
        };
        let created = self.call(Caller::Partner(1), Operation::Create(new)).await?;
        let id = created.body["recurringPaymentId"].as_u64()?;
        customer.add_id(id);
        self.use_terminal(customer, id).await;
        Some(id)
    }

    fn amount(&mut self) -> u64 {
        if self.rng.u32(..12) == 0 {
            return DECLINED_AMOUNTS[self.rng.usize(..DECLINED_AMOUNTS.len())];
        }
        self.rng.u64(200..50_000)
    }

    async fn create_payment(
        &mut self,
        customer: &Arc<Customer>,
        new: NewOrder,
    ) -> Option<KnownOrder> {
        let caller = self.caller(customer);
        let created = self.request(caller, PaymentOperation::Create(new.clone())).await?;
        if created.problem() == Some("not-active") {
            customer.remove_card(new.card);
        }
        let newest = &created.body["transactionHistory"][0];
        let transaction = newest["transactionId"].as_u64()?;
        let code = if newest["paymentType"] == "AMEX" { "1234" } else { "123" };
        let order = KnownOrder { new, transaction, registration: None, code };
        customer.add_order(order.clone());
        Some(order)
    }

    async fn request(&mut self, caller: Caller, operation: PaymentOperation) -> Option<Response> {
        self.inject_nets_fault();
        self.call(caller, Operation::Payment(operation)).await
    }

    /// Sometimes makes a call of Nets fail: this client's next one, or that of another client.
    fn inject_nets_fault(&mut self) {
        if self.load.injects_faults && self.rng.u32(..40) == 0 {
            let call = FAILING_CALLS[self.rng.usize(..FAILING_CALLS.len())];
            let fault = NETS_FAULTS[self.rng.usize(..NETS_FAULTS.len())];
            self.load.local.netaxept().inject_fault(call, fault, self.rng.usize(1..3));
        }
    }

    /// Opens a terminal, acts on its page, and captures in one of several ways.
    async fn pay(&mut self, customer: &Arc<Customer>, mut order: KnownOrder) {
        let is_merchant = self.rng.u32(..4) == 0;
        let auto_sale = self.rng.u32(..4) == 0;
        let terminal = ChargeTerminal { is_merchant, auto_sale };
        let operation = PaymentOperation::Terminal(order.transaction, terminal);
        let opened = self.request(Caller::Partner(1), operation).await;
        let uri = opened.and_then(|opened| opened.body["terminalUri"].as_str().map(str::to_owned));
        let Some(uri) = uri else { return };
        if !is_merchant {
            let id = uri.rsplit_once("transactionId=").map(|(_, id)| id).unwrap_or_default();
            order.registration = RegistrationId::parse(id);
            customer.add_order(order.clone());
            self.confirm_charge(&uri, order.code).await;
        }
        self.act_in_other_window(&order);
        let (caller, id) = (self.caller(customer), order.transaction);
        let next = match (self.rng.u32(..10), order.registration) {
            (0..6, _) => PaymentOperation::Capture(id),
            (6..8, Some(registration)) => PaymentOperation::Callback(registration),
            (8, _) => PaymentOperation::Cancel(id),
            // The schedule ends it.
            _ => return,
        };
        let is_capture = matches!(next, PaymentOperation::Capture(_));
        let caller = if matches!(next, PaymentOperation::Callback(_)) {
            Caller::Unauthenticated
        } else {
            caller
        };
        self.request(caller, next).await;
        if is_capture && self.rng.u32(..3) == 0 {
            let credit = self.credit(&order);
            self.request(Caller::Partner(1), credit).await;
        }
    }

    /// Enters the security code of the stored card, cancels, or leaves the page open.
    async fn confirm_charge(&mut self, uri: &str, code: &str) {
        let button = match self.rng.u32(..10) {
            0..8 => "okButton",
            8 => "cancelButton",
            _ => return,
        };
        let form = [("securityCode", code), (button, "x")];
        // The result of the press is not needed: the functions find out what happened.
        drop(self.load.http.post(uri).form(&form).send().await);
    }

    /// Sometimes another window does something else with the order or its card at the same time.
    fn act_in_other_window(&mut self, order: &KnownOrder) {
        let id = order.transaction;
        let operation = match self.rng.u32(..24) {
            0..2 => Operation::Payment(PaymentOperation::Cancel(id)),
            2..4 => Operation::Payment(PaymentOperation::Capture(id)),
            4..6 => Operation::End(order.new.card),
            6 => Operation::Payment(PaymentOperation::Settle),
            7 => Operation::Payment(PaymentOperation::Terminal(id, ChargeTerminal::default())),
            8 => Operation::Payment(self.credit(order)),
            _ => return,
        };
        let (load, delay) = (self.load.clone(), Duration::from_micros(self.rng.u64(..20_000)));
        let skew = self.skew;
        self.background.spawn(async move {
            tokio::time::sleep(delay).await;
            if operation.is_scheduled() {
                load.run_schedule(operation).await;
                return;
            }
            let now = load.now() + skew;
            load.call(Arc::new(Call { caller: Caller::Partner(1), operation, now })).await;
        });
    }

    /// A credit of a part, of everything, or of too much.
    fn credit(&mut self, order: &KnownOrder) -> PaymentOperation {
        let minor = order.new.minor;
        let target = match self.rng.u32(..10) {
            0..2 => None,
            2..9 => Some((minor * self.rng.u64(1..=4) / 4).max(1)),
            _ => Some(minor + 1),
        };
        PaymentOperation::Credit(order.transaction, target)
    }

    /// Sends one request about an earlier order.
    async fn request_again(&mut self, customer: &Arc<Customer>, order: KnownOrder) {
        let (caller, id) = (self.caller(customer), order.transaction);
        let operation = match (self.rng.u32(..100), order.registration) {
            (0..16, _) => PaymentOperation::Capture(id),
            (16..24, _) => PaymentOperation::Cancel(id),
            (24..44, _) => self.credit(&order),
            (44..54, _) => PaymentOperation::GetPayment(id >> 4),
            (54..66, _) => PaymentOperation::GetTransaction(id),
            (66..72, Some(registration)) => {
                let callback = PaymentOperation::Callback(registration);
                self.request(Caller::Unauthenticated, callback).await;
                return;
            }
            (72..86, _) => {
                // The same request again; in one of four cases with another amount.
                let minor = if self.rng.u32(..4) == 0 { 777 } else { order.new.minor };
                self.create_payment(customer, NewOrder { minor, ..order.new }).await;
                return;
            }
            // A payment that does not exist.
            (86..88, _) => PaymentOperation::GetPayment(id >> 4 ^ 1 << 20),
            _ => return self.pay(customer, order).await,
        };
        self.request(caller, operation).await;
    }
}
