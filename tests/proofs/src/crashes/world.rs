//! The service that functions crash in: one customer at a time, so that whatever the schedules do is theirs.

use local::Local;
use local::inbox::Signature;
use local::lambda::NoAnswer;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::order::Answer;
use crate::order::item::Item;
use crate::order::operation::{Call, Caller, Operation};
use crate::order::{self, place};
use crate::{Failure, Functions};

/// A service, and a customer whom nobody had before.
pub(super) struct World {
    pub(super) local: Local,
    http: reqwest::Client,
    customers: u32,
}

/// A call, with what only some have.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) caller: Caller,
    pub(super) operation: Operation,
    /// Whether the caller says who is calling.
    pub(super) identified: bool,
    /// Where the end of a setup is told.
    pub(super) tell: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The instance was killed.
    Killed,
    /// The function failed, or answered something else.
    Failed(Failure),
}

impl World {
    pub(super) async fn start(functions: &Functions) -> Result<Self, Failure> {
        let fault = |error: local::Error| Failure::cannot_run(&error);
        let local = Local::start(functions.options()).await.map_err(fault)?;
        Ok(Self { local, http: local::http_client().map_err(fault)?, customers: 0 })
    }

    /// A customer whom nobody had before.
    pub(super) fn customer(&mut self) -> String {
        self.customers += 1;
        format!("crash-{}", self.customers)
    }

    pub(super) fn now(&self) -> i64 {
        self.local.clock().now().as_millisecond()
    }

    /// Where a caller of ours is told how a setup ended.
    pub(super) fn inbox(&self) -> String {
        format!("{}/inbox", self.local.addresses().console)
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Lost> {
        let Request { caller, operation, identified, tell } = request.clone();
        let scheduled = operation.is_scheduled();
        let now = if scheduled { self.now() / 1000 * 1000 } else { self.now() };
        let function = operation.function();
        let event = order::event(&Call { caller, operation, now });
        let failed =
            |error: &dyn std::fmt::Display| Lost::Failed(violation(format!("{function}: {error}")));
        let mut event: Value = serde_json::from_slice(&event).map_err(|error| failed(&error))?;
        if !identified && let Some(headers) = event["headers"].as_object_mut() {
            headers.remove("et-client-name");
        }
        if let Some(tell) = tell {
            let body = json!({ "redirectUrl": "https://shop.example/done", "callbackUrl": tell });
            event["body"] = body.to_string().into();
        }
        match self.local.lambda().invoke(function, event.to_string().into_bytes()).await {
            Ok(bytes) => Answer::read(&bytes).map_err(|error| failed(&error)),
            Err(NoAnswer::Exited) => Err(Lost::Killed),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Kills a function, whatever it is doing.
    pub(super) fn kill(&self, function: &str) {
        for instance in self.local.lambda().instances(function) {
            self.local.lambda().kill(instance);
        }
    }

    pub(super) fn pass(&self, time: &str) -> Result<(), Failure> {
        self.local.clock().advance(time).map(drop).map_err(|error| Failure::cannot_run(&error))
    }

    /// The customer enters a card at a page.
    pub(super) async fn enter(&self, uri: &str, number: &str) -> Result<(), Failure> {
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
            other => Err(Failure::CannotRun(format!("the page at Nets answered {other:?}"))),
        }
    }

    /// What is stored of a customer.
    pub(super) async fn stored(&self, customer: &str) -> Result<Option<Item>, Failure> {
        let key = json!({ "slot": { "N": place::slot(1, customer, 0).to_string() } });
        let get = json!({ "TableName": "Wallets", "Key": key, "ConsistentRead": true });
        let got = self.local.dynamodb().call("GetItem", &get).await;
        let got = got.map_err(|error| Failure::cannot_run(&error))?;
        if got["Item"].is_null() {
            return Ok(None);
        }
        let item = serde_json::from_str(&got["Item"].to_string());
        item.map(Some).map_err(|error| Failure::cannot_run(&error))
    }

    /// Takes a customer out of the table, and what Nets was to do wrong.
    pub(super) async fn forget(&self, customer: &str) -> Result<(), Failure> {
        let key = json!({ "slot": { "N": place::slot(1, customer, 0).to_string() } });
        let delete = json!({ "TableName": "Wallets", "Key": key });
        let deleted = self.local.dynamodb().call("DeleteItem", &delete).await;
        deleted.map_err(|error| Failure::cannot_run(&error))?;
        let faults = format!("{}/netaxept/faults", self.local.addresses().console);
        let cleared = self.http.delete(faults).send().await;
        cleared.map_err(|error| Failure::cannot_run(&error))?;
        self.local.inbox().forget();
        Ok(())
    }

    /// Runs the schedules while something of the customer's is due: that ends soon.
    pub(super) async fn do_what_is_due(&self, customer: &str) -> Result<(), Failure> {
        for _ in 0..8 {
            let Some(item) = self.stored(customer).await? else { return Ok(()) };
            let now = self.now() / 1000 * 1000;
            let due = |at: Option<i64>| at.is_some_and(|at| at <= now);
            let kinds =
                [(due(item.expiry_at), Operation::Expire), (due(item.chore_at), Operation::Finish)];
            if kinds.iter().all(|(due, _)| !due) {
                return Ok(());
            }
            for (_, operation) in kinds.into_iter().filter(|(due, _)| *due) {
                let run = self.send(&Request::scheduled(operation)).await;
                let tally = run.map_err(|lost| lost.failure("a schedule"))?.body;
                if tally["failed"] != 0 {
                    return Err(violation(format!("a schedule: {tally}")));
                }
            }
            self.pass("PT1S")?;
        }
        Err(violation(format!(
            "something of {customer} stays due: {:?}",
            self.stored(customer).await?
        )))
    }

    /// What callers were told, each notification once: kind by id.
    pub(super) fn told(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut told = Vec::new();
        for one in self.local.inbox().received() {
            let kind = one.body["type"].as_str().unwrap_or_default().to_owned();
            let id = one.id.unwrap_or_default();
            if one.signature != Signature::Valid || one.body["id"] != id.as_str() {
                return Err(violation(format!("a notification without a right signature: {id}")));
            }
            told.push((id, kind));
        }
        told.sort();
        told.dedup();
        Ok(told)
    }

    /// How many of a customer's visits Nets verified. None was verified twice.
    pub(super) fn verified(&self, customer: &str) -> Result<usize, Failure> {
        let slot = place::slot(1, customer, 0);
        let mut verified = 0;
        for one in self.local.netaxept().transactions().as_array().into_iter().flatten() {
            let id = one["transactionId"].as_str().and_then(|id| id.parse::<u64>().ok());
            let times = one["transaction"]["done"]["VERIFY"].as_u64().unwrap_or_default();
            if id.is_some_and(|id| id >> 14 == slot) && times > 0 {
                verified += 1;
            }
            if times > 1 {
                return Err(violation(format!("Nets verified twice: {one}")));
            }
        }
        Ok(verified)
    }
}

impl Lost {
    /// The same for whoever waited for an answer.
    pub(super) fn failure(self, whose: &str) -> Failure {
        match self {
            Self::Killed => violation(format!("{whose}: its instance died")),
            Self::Failed(failure) => failure,
        }
    }
}

impl Request {
    /// A partner's call.
    pub(super) fn partner(operation: Operation) -> Self {
        Self { caller: Caller::Partner(1), operation, identified: true, tell: None }
    }

    /// A schedule's.
    pub(super) fn scheduled(operation: Operation) -> Self {
        Self { caller: Caller::Nobody, ..Self::partner(operation) }
    }
}

pub(super) fn violation(what: String) -> Failure {
    Failure::Violation(what, Vec::new())
}
