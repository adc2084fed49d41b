//! A simulated store and clients, whose histories are correct unless a test modifies them.

use std::sync::Arc;

use serde_json::json;

use super::super::*;
use crate::order::item::{DeliveryAttempts, Events, StoredEvent};
use crate::order::operation::{Caller, Change, NewPayment, Operation};
use crate::order::spec::{EventKind, Expected, Origin, decide};

/// 2026-11-23T10:00:00Z.
pub(super) const START: i64 = 1_795_428_000_000;

/// A simulated store and clients. Without modification, its histories are correct.
pub(super) struct Simulation {
    pub(super) checker: Checker,
    pub(super) slot: u64,
    pub(super) wallet: Wallet,
    pub(super) events: Events,
    pub(super) version: u64,
    pub(super) next: u64,
    pub(super) now: i64,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let slot = slots::slot(1, "4711", 0);
        let wallet = Wallet::empty(slot, 1, "4711");
        let (checker, events) = (Checker::default(), Events::default());
        Self { checker, slot, wallet, events, version: 0, next: 0, now: START }
    }

    pub(super) fn process(&mut self, event: Event) -> Result<(), String> {
        self.checker.process(event).map_err(|violation| violation.what)
    }

    pub(super) fn invoke(&mut self, operation: Operation) -> (u64, Arc<Call>) {
        self.next += 1;
        self.now += 1;
        let call = Arc::new(Call { caller: Caller::Partner(1), operation, now: self.now });
        self.process(Event::Invoked(self.next, call.clone())).unwrap();
        (self.next, call)
    }

    pub(super) fn read(&mut self, id: u64) {
        let head = Head { slot: self.slot, version: self.version };
        let stored = (self.version > 0).then_some(Stored::Head(head));
        self.process(Event::Read(id, self.slot, stored)).unwrap();
    }

    /// The stored item of the wallet.
    pub(super) fn item(&self) -> Item {
        let [expiry_at, task_at] = events::index_entries(&self.wallet, &self.events);
        Item {
            wallet: Wallet { customer: String::new(), ..self.wallet.clone() },
            version: self.version,
            owner: "b3duZXI=".to_owned(),
            events: self.events.clone(),
            expiry_at,
            task_at,
            has_correct_pan_hashes: true,
        }
    }

    /// Runs a change: reads, writes the item after `modify`, and responds.
    pub(super) fn change(
        &mut self,
        operation: Operation,
        modify: impl FnOnce(&mut Item),
    ) -> Result<Response, String> {
        let (id, call) = self.invoke(operation);
        self.read(id);
        let before = self.wallet.at(call.now);
        let mut wallet = before.clone();
        let expected = decide(&call, &mut wallet).unwrap();
        wallet.record(&before, call.now, Origin::of(&call, id));
        self.add_events(&wallet, &call);
        self.wallet = wallet.as_stored(call.now);
        self.version += 1;
        let mut item = self.item();
        modify(&mut item);
        self.process(Event::Written(id, Box::new(item)))?;
        let response = response_to(&expected);
        self.process(Event::Returned(id, Some(response.clone())))?;
        Ok(response)
    }

    /// Delivers the stored events as a schedule does: stores the attempts, sends the events, and removes them.
    pub(super) fn deliver(&mut self) -> Result<(), String> {
        let (id, call) = self.invoke(Operation::Finish);
        self.read(id);
        let attempt = DeliveryAttempts { first_at: call.now, count: 1, next_at: call.now + 60_000 };
        for stored in &mut self.events.stored {
            stored.attempts = Some(attempt);
        }
        self.write(id)?;
        for StoredEvent { event, .. } in std::mem::take(&mut self.events.stored) {
            let (id, body) = (event.id(), event.body());
            self.process(Event::Delivered(Delivery { id, body, is_accepted: true }))?;
        }
        self.write(id)?;
        self.respond(id, Response { status: 200, headers: json!({}), body: json!({}) })
    }

    fn write(&mut self, id: u64) -> Result<(), String> {
        self.version += 1;
        self.process(Event::Written(id, Box::new(self.item())))
    }

    /// Stores the events of a change.
    fn add_events(&mut self, after: &Wallet, call: &Call) {
        let Call { operation, now, .. } = call;
        let given = &mut self.events.notices_given;
        for event in self.wallet.events_until(after, given, operation, *now) {
            if let EventKind::Expiring(card) = &event.kind {
                given.insert(u16::try_from(card.id & 1023).unwrap());
            }
            self.events.stored.push(StoredEvent { event, attempts: None });
        }
    }

    pub(super) fn create(&mut self) -> u64 {
        let response = self.change(create_operation(), |_| {}).unwrap();
        response.body["recurringPaymentId"].as_u64().unwrap()
    }

    pub(super) fn respond(&mut self, id: u64, response: Response) -> Result<(), String> {
        self.process(Event::Returned(id, Some(response)))
    }
}

pub(super) fn create_operation() -> Operation {
    Operation::Create(NewPayment {
        customer: "4711".to_owned(),
        nickname: None,
        primary: None,
        key: None,
    })
}

pub(super) fn rename(id: u64) -> Operation {
    Operation::Update(id, Change { nickname: Some(Some("Kort".to_owned())), primary: None })
}

pub(super) fn response_to(expected: &Expected) -> Response {
    let hal = "application/hal+json";
    match expected {
        Expected::Success(status, body, location) => {
            let mut headers = json!({ "content-type": hal });
            if let Some(location) = location {
                headers["location"] = location.as_str().into();
            }
            Response { status: *status, headers, body: body.clone() }
        }
        Expected::Terminal(body) => {
            let mut body = body.clone();
            body["terminalUri"] =
                format!("http://nets/?transactionId={}", body["transactionId"]).into();
            Response { status: 201, headers: json!({ "content-type": hal }), body }
        }
        Expected::Refused(refused) => problem(refused.status, refused.kind),
    }
}

pub(super) fn problem(status: u16, kind: &str) -> Response {
    let kind = format!("urn:problem-type:recurring-payments:{kind}");
    let headers = json!({ "content-type": "application/problem+json" });
    let mut body = json!({ "type": kind, "status": status });
    if kind.ends_with(":busy") {
        body["errorReason"] = "RESOURCE_BUSY".into();
    }
    Response { status, headers, body }
}

pub(super) fn assert_violation(result: Result<(), String>, expected: &str) {
    let violation = result.unwrap_err();
    assert!(violation.contains(expected), "{violation}");
}
