//! The local service in which functions are killed. It has one customer at a time, so all work of the schedules is for this
//! customer.

use local::inbox::Signature;
use local::lambda::InvocationError;
use local::{EventWebhooks, Local, Options};
use serde_json::{Value, json};

use crate::ledger::{self, Registration};
use crate::local_access::{self, stored_item};
use crate::order::Response;
use crate::order::item::Item;
use crate::order::operation::{Call, Caller, Operation};
use crate::order::payments::item::Payment;
use crate::order::payments::operation::PaymentOperation;
use crate::order::{self, slots};
use crate::{Failure, Functions};

/// The schedule of payments.
const SETTLE: Operation = Operation::Payment(PaymentOperation::Settle);
/// Number of tasks after which nothing is planned for a payment any more.
const MAX_TASKS: usize = 16;
/// A day, in seconds.
const A_DAY: i64 = 86_400;

/// A running local service.
pub(super) struct World {
    pub(super) local: Local,
    http: reqwest::Client,
    customers: u32,
}

/// A request. Only some requests use the last two fields.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) caller: Caller,
    pub(super) operation: Operation,
    /// Whether the request has the header `ET-Client-Name`.
    pub(super) identified: bool,
    /// The `callbackUrl` of a new terminal.
    pub(super) callback_url: Option<String>,
}

/// The reason for a missing response.
#[derive(Debug)]
pub(super) enum NoResponse {
    /// The instance was killed.
    Killed,
    /// The function failed, or its response cannot be parsed.
    Failed(Failure),
}

impl World {
    /// Starts a local service. `has_events`: whether the inbox receives the lifecycle events of the organisation.
    pub(super) async fn start(functions: &Functions, has_events: bool) -> Result<Self, Failure> {
        let cannot_run = |error: local::Error| Failure::cannot_run(&error);
        let event_webhooks =
            if has_events { EventWebhooks::Inbox } else { EventWebhooks::default() };
        let options = Options { event_webhooks, ..functions.options() };
        let local = Local::start(options).await.map_err(cannot_run)?;
        Ok(Self { local, http: local::http_client().map_err(cannot_run)?, customers: 0 })
    }

    /// Returns a new customer number.
    pub(super) fn customer(&mut self) -> String {
        self.customers += 1;
        format!("crash-{}", self.customers)
    }

    pub(super) fn now(&self) -> i64 {
        self.local.clock().now().as_millisecond()
    }

    /// The `callbackUrl` of the local inbox.
    pub(super) fn inbox(&self) -> String {
        format!("{}/inbox", self.local.addresses().console)
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Response, NoResponse> {
        let Request { caller, operation, identified, callback_url } = request.clone();
        let scheduled = operation.is_scheduled();
        let now = if scheduled { self.now() / 1000 * 1000 } else { self.now() };
        let function = operation.function();
        let event = order::lambda_event(&Call { caller, operation, now }, 0);
        let failed = |error: &dyn std::fmt::Display| {
            NoResponse::Failed(violation(format!("{function}: {error}")))
        };
        let mut event: Value = serde_json::from_slice(&event).map_err(|error| failed(&error))?;
        if !identified && let Some(headers) = event["headers"].as_object_mut() {
            headers.remove("et-client-name");
        }
        if let Some(callback_url) = callback_url {
            let body = event["body"].as_str().unwrap_or_default();
            let mut body: Value = serde_json::from_str(body).map_err(|error| failed(&error))?;
            body["callbackUrl"] = callback_url.into();
            event["body"] = body.to_string().into();
        }
        match self.local.lambda().invoke(function, event.to_string().into_bytes()).await {
            Ok(bytes) => Response::parse(&bytes).map_err(|error| failed(&error)),
            Err(InvocationError::Exited) => Err(NoResponse::Killed),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Kills all instances of a function.
    pub(super) fn kill(&self, function: &str) {
        for instance in self.local.lambda().instances(function) {
            self.local.lambda().kill(instance);
        }
    }

    pub(super) fn advance_clock(&self, time: &str) -> Result<(), Failure> {
        self.local.clock().advance(time).map(drop).map_err(|error| Failure::cannot_run(&error))
    }

    /// Enters a card on a terminal page.
    pub(super) async fn enter_card(&self, uri: &str, number: &str) -> Result<(), Failure> {
        local_access::enter_card(&self.local, &self.http, uri, number).await
    }

    /// Enters the security code of the stored card on the page of a charge.
    pub(super) async fn enter_code(&self, uri: &str) -> Result<(), Failure> {
        local_access::enter_code(&self.http, uri).await
    }

    /// Returns the stored wallet of a customer.
    pub(super) async fn stored(&self, customer: &str) -> Result<Option<Item>, Failure> {
        stored_item(&self.local, "Wallets", "slot", slots::slot(1, customer, 0)).await
    }

    /// Returns the stored payment of a customer. The order has the customer's number.
    async fn payment(&self, customer: &str) -> Result<Option<Payment>, Failure> {
        stored_item(&self.local, "Payments", "payment", slots::payment_id(1, customer, 1)).await
    }

    /// Deletes a customer's wallet and payment, the injected faults of Nets, and the notifications in the inbox.
    pub(super) async fn delete(&self, customer: &str) -> Result<(), Failure> {
        let items = [
            ("Wallets", "slot", slots::slot(1, customer, 0)),
            ("Payments", "payment", slots::payment_id(1, customer, 1)),
        ];
        for (table, name, key) in items {
            let key = json!({ name: { "N": key.to_string() } });
            let delete = json!({ "TableName": table, "Key": key });
            let deleted = self.local.dynamodb().call("DeleteItem", &delete).await;
            deleted.map_err(|error| Failure::cannot_run(&error))?;
        }
        let cleared = self.http.delete(local_access::nets_faults(&self.local)).send().await;
        cleared.map_err(|error| Failure::cannot_run(&error))?;
        self.local.inbox().clear();
        Ok(())
    }

    /// Runs the schedules until nothing of the customer is due. Fails with a violation after eight rounds.
    pub(super) async fn run_due_schedules(&self, customer: &str) -> Result<(), Failure> {
        for _ in 0..8 {
            let wallet = self.stored(customer).await?;
            let payment = self.payment(customer).await?;
            let now = self.now() / 1000 * 1000;
            let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now);
            let (expiry_at, task_at) =
                wallet.map(|item| (item.expiry_at, item.task_at)).unwrap_or_default();
            let mut kinds = vec![
                (is_due(expiry_at), Operation::Expire),
                (is_due(task_at), Operation::Finish),
                (is_due(payment.and_then(|item| item.task_at)), SETTLE),
            ];
            kinds.retain(|(is_due, _)| *is_due);
            if kinds.is_empty() {
                return Ok(());
            }
            for (_, operation) in kinds {
                let run = self.send(&Request::scheduled(operation)).await;
                let summary = run.map_err(|error| error.failure("a schedule"))?.body;
                if summary["failed"] != 0 {
                    return Err(violation(format!("a schedule: {summary}")));
                }
            }
            self.advance_clock("PT1S")?;
        }
        let items = (self.stored(customer).await?, self.payment(customer).await?);
        Err(violation(format!("work of {customer} stays due: {items:?}")))
    }

    /// Lets the schedule do all work that is planned for the customer's payment, also the work that is planned for later. Returns
    /// the payment as of the end.
    pub(super) async fn settle_payment(&self, customer: &str) -> Result<Option<Payment>, Failure> {
        for _ in 0..MAX_TASKS {
            let Some(payment) = self.payment(customer).await? else { return Ok(None) };
            let payment = payment.at(self.now());
            let has_end = payment.transactions.iter().all(|one| !one.is_live());
            if payment.task_at.is_none() && has_end {
                return Ok(Some(payment));
            }
            let wait = payment.task_at.map_or(A_DAY, |at| (at - self.now()).max(0) / 1000 + 1);
            self.advance_clock(&format!("PT{wait}S"))?;
            self.run_due_schedules(customer).await?;
        }
        let payment = self.payment(customer).await?;
        Err(violation(format!("work is planned after {MAX_TASKS} tasks: {payment:?}")))
    }

    /// The registrations of a payment at Nets.
    pub(super) fn registrations(&self, payment: u64) -> Vec<Registration> {
        let mut all = ledger::registrations(self.local.netaxept());
        all.retain(|registration| registration.id.transaction >> 4 == payment);
        all
    }

    /// Returns the id and type of each notification in the inbox, without repetitions. Checks every signature.
    pub(super) fn notifications(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut notifications = Vec::new();
        for notification in self.local.inbox().received() {
            let kind = notification.body["type"].as_str().unwrap_or_default().to_owned();
            let id = notification.id.unwrap_or_default();
            if notification.signature != Signature::Valid || notification.body["id"] != id.as_str()
            {
                return Err(violation(format!(
                    "a notification has an invalid signature or id: {id}"
                )));
            }
            notifications.push((id, kind));
        }
        notifications.sort();
        notifications.dedup();
        Ok(notifications)
    }

    /// Counts the customer's terminal sessions that Nets verified. A second verification is a violation.
    pub(super) fn verified(&self, customer: &str) -> Result<usize, Failure> {
        let slot = slots::slot(1, customer, 0);
        let mut verified = 0;
        for transaction in self.local.netaxept().transactions().as_array().into_iter().flatten() {
            let id = transaction["transactionId"].as_str().and_then(|id| id.parse::<u64>().ok());
            let times = transaction["transaction"]["done"]["VERIFY"].as_u64().unwrap_or_default();
            if id.is_some_and(|id| id >> 14 == slot) && times > 0 {
                verified += 1;
            }
            if times > 1 {
                return Err(violation(format!("Nets verified twice: {transaction}")));
            }
        }
        Ok(verified)
    }
}

impl NoResponse {
    /// Converts to a failure, where a response was required. `what` names the function or step.
    pub(super) fn failure(self, what: &str) -> Failure {
        match self {
            Self::Killed => violation(format!("{what}: the instance was killed")),
            Self::Failed(failure) => failure,
        }
    }
}

impl Request {
    /// A request of a partner.
    pub(super) fn partner(operation: Operation) -> Self {
        Self { caller: Caller::Partner(1), operation, identified: true, callback_url: None }
    }

    /// A request of a schedule or of Nets, without a caller.
    pub(super) fn scheduled(operation: Operation) -> Self {
        Self { caller: Caller::Unauthenticated, ..Self::partner(operation) }
    }
}

pub(super) fn violation(what: String) -> Failure {
    Failure::Violation(what, Vec::new())
}
