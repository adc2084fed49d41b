//! The local service in which functions are killed. It has one customer at a time, so all work of the schedules is for this
//! customer.

use local::Local;
use local::inbox::Signature;
use local::lambda::InvocationError;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::order::Response;
use crate::order::item::Item;
use crate::order::operation::{Call, Caller, Operation};
use crate::order::{self, slots};
use crate::{Failure, Functions};

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
    pub(super) async fn start(functions: &Functions) -> Result<Self, Failure> {
        let cannot_run = |error: local::Error| Failure::cannot_run(&error);
        let local = Local::start(functions.options()).await.map_err(cannot_run)?;
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
        let event = order::lambda_event(&Call { caller, operation, now });
        let failed = |error: &dyn std::fmt::Display| {
            NoResponse::Failed(violation(format!("{function}: {error}")))
        };
        let mut event: Value = serde_json::from_slice(&event).map_err(|error| failed(&error))?;
        if !identified && let Some(headers) = event["headers"].as_object_mut() {
            headers.remove("et-client-name");
        }
        if let Some(callback_url) = callback_url {
            let body =
                json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": callback_url });
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
        let now = self.local.clock().now().to_zoned(jiff::tz::TimeZone::UTC);
        let (month, year) =
            (format!("{:02}", now.month()), format!("{:02}", (now.year() + 1) % 100));
        let form = [
            ("cardNo", number),
            ("month", &month),
            ("year", &year),
            ("securityCode", "123"),
            ("okButton", "x"),
        ];
        let page = self.http.post(uri).form(&form).send().await;
        match page.map(|page| page.status()) {
            Ok(StatusCode::FOUND) => Ok(()),
            other => Err(Failure::CannotRun(format!("the terminal page responded with {other:?}"))),
        }
    }

    /// Returns the stored item of a customer.
    pub(super) async fn stored(&self, customer: &str) -> Result<Option<Item>, Failure> {
        let key = json!({ "slot": { "N": slots::slot(1, customer, 0).to_string() } });
        let get = json!({ "TableName": "Wallets", "Key": key, "ConsistentRead": true });
        let response = self.local.dynamodb().call("GetItem", &get).await;
        let response = response.map_err(|error| Failure::cannot_run(&error))?;
        if response["Item"].is_null() {
            return Ok(None);
        }
        let item = serde_json::from_str(&response["Item"].to_string());
        item.map(Some).map_err(|error| Failure::cannot_run(&error))
    }

    /// Deletes a customer's wallet, the injected faults of Nets, and the notifications in the inbox.
    pub(super) async fn delete(&self, customer: &str) -> Result<(), Failure> {
        let key = json!({ "slot": { "N": slots::slot(1, customer, 0).to_string() } });
        let delete = json!({ "TableName": "Wallets", "Key": key });
        let deleted = self.local.dynamodb().call("DeleteItem", &delete).await;
        deleted.map_err(|error| Failure::cannot_run(&error))?;
        let faults = format!("{}/netaxept/faults", self.local.addresses().console);
        let cleared = self.http.delete(faults).send().await;
        cleared.map_err(|error| Failure::cannot_run(&error))?;
        self.local.inbox().clear();
        Ok(())
    }

    /// Runs the schedules until nothing of the customer is due. Fails with a violation after eight rounds.
    pub(super) async fn run_due_schedules(&self, customer: &str) -> Result<(), Failure> {
        for _ in 0..8 {
            let Some(item) = self.stored(customer).await? else { return Ok(()) };
            let now = self.now() / 1000 * 1000;
            let due = |at: Option<i64>| at.is_some_and(|at| at <= now);
            let kinds =
                [(due(item.expiry_at), Operation::Expire), (due(item.task_at), Operation::Finish)];
            if kinds.iter().all(|(due, _)| !due) {
                return Ok(());
            }
            for (_, operation) in kinds.into_iter().filter(|(due, _)| *due) {
                let run = self.send(&Request::scheduled(operation)).await;
                let summary = run.map_err(|error| error.failure("a schedule"))?.body;
                if summary["failed"] != 0 {
                    return Err(violation(format!("a schedule: {summary}")));
                }
            }
            self.advance_clock("PT1S")?;
        }
        Err(violation(format!("work of {customer} stays due: {:?}", self.stored(customer).await?)))
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
