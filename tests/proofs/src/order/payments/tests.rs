//! Small histories of payments, some with an error that the checker must find.

use std::sync::Arc;

use local::netaxept::Operation as AtNets;
use serde_json::{Value, json};

use super::checker::{CardEnd, PaymentChecker, PaymentEvent, Wallets};
use super::item::{Captured, Chosen, Crediting, Initiated, Over, Payment, Registration, State};
use super::operation::{ChargeTerminal, NewOrder, PaymentOperation, RegistrationId};
use crate::ledger;
use crate::order::lambda::Response;
use crate::order::operation::{Call, Caller, Operation};
use crate::order::slots;

/// 2026-11-23T10:00:00Z.
const START: i64 = 1_795_428_000_000;
const MINUTE: i64 = 60_000;
const TOTAL: u64 = 10_000;
const CARD: u64 = 7;

/// Every caller of organisation 1 may access the card.
struct Everyone;

impl Wallets for Everyone {
    fn allows(&self, caller: &Caller, organisation: u64, _: u64) -> bool {
        *caller == Caller::Unauthenticated || caller.organisation() == organisation
    }

    fn owner(&self, _: u64) -> Option<String> {
        Some("owner".to_owned())
    }
}

/// A simulated store and clients. Without modification, its histories are correct.
struct Simulation {
    checker: PaymentChecker,
    payment: Payment,
    next: u64,
    position: u64,
    now: i64,
}

impl Simulation {
    /// An empty table.
    fn new() -> Self {
        let payment = Payment {
            id: slots::payment_id(1, "order", 1),
            version: 0,
            organisation: 1,
            owner: "owner".to_owned(),
            order: "order".to_owned(),
            order_version: 1,
            transactions: Vec::new(),
            task_at: None,
            notifications: 0,
        };
        let checker = PaymentChecker::default();
        Self { checker, payment, next: 0, position: 0, now: START }
    }

    /// A payment in a state.
    fn with(state: fn(&Simulation) -> State) -> Self {
        let mut simulation = Self::new();
        simulation.create();
        for next in [initiated, chosen, captured] {
            let next = next(&simulation);
            if simulation.payment.transactions[0].state == state(&simulation) {
                break;
            }
            simulation.store(next).unwrap();
        }
        simulation
    }

    fn id(&self) -> u64 {
        self.payment.id << 4
    }

    fn position(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    fn invoke(&mut self, operation: PaymentOperation) -> u64 {
        self.next += 1;
        self.now += 1;
        let (caller, operation) = (Caller::Partner(1), Operation::Payment(operation));
        let call = Arc::new(Call { caller, operation, now: self.now });
        let position = self.position();
        self.checker.invoked(self.next, call, position);
        self.next
    }

    fn exchange(&mut self, id: u64, event: PaymentEvent) -> Result<(), String> {
        let position = self.position();
        self.checker.exchanged(id, event, position).map_err(|violation| violation.what)
    }

    fn read(&mut self, id: u64) {
        let item = (self.payment.version > 0).then(|| Box::new(self.payment.clone()));
        self.exchange(id, PaymentEvent::Read(self.payment.id, item)).unwrap();
    }

    fn write(&mut self, id: u64) -> Result<(), String> {
        self.payment.version += 1;
        self.exchange(id, PaymentEvent::Written(Box::new(self.payment.clone())))
    }

    fn respond(&mut self, id: u64, status: u16, body: Value) {
        let kind = if status < 400 { "hal" } else { "problem" };
        let headers = json!({ "content-type": format!("application/{kind}+json") });
        let position = self.position();
        self.checker.returned(id, Some(Response { status, headers, body }), position);
    }

    fn check(&mut self) -> Result<(), String> {
        let position = self.position();
        let checked = self.checker.check_idle(&Everyone, self.now, position);
        checked.map_err(|violation| violation.what)
    }

    fn body(&self) -> Value {
        self.payment.transaction_representation(self.id()).unwrap()
    }

    fn create(&mut self) {
        let new = NewOrder { order: "order".to_owned(), minor: TOTAL, card: CARD };
        let id = self.invoke(PaymentOperation::Create(new));
        self.payment.transactions.push(super::item::Transaction {
            created_at: self.now,
            amount: TOTAL,
            currency: "NOK".to_owned(),
            recurring_payment: CARD,
            card_type: "VISA".to_owned(),
            last_four: "0004".to_owned(),
            initiated_at: None,
            state: State::Created,
        });
        self.write(id).unwrap();
        let position = self.position();
        let headers = json!({
            "content-type": "application/hal+json",
            "location": format!("/v1/payments/{}", self.payment.id),
        });
        let body = self.payment.representation();
        self.checker.returned(id, Some(Response { status: 201, headers, body }), position);
    }

    /// Stores a state by the operation that leads to it, without a response.
    fn store(&mut self, state: State) -> Result<(), String> {
        let id = self.id();
        let is_chosen = matches!(&state, State::Initiated(initiated) if initiated.chosen.is_some());
        let operation = if matches!(state, State::Initiated(_)) && !is_chosen {
            PaymentOperation::Terminal(id, ChargeTerminal::default())
        } else {
            PaymentOperation::Capture(id)
        };
        self.change(operation, |payment| {
            payment.transactions[0].state = state;
            payment.task_at = Some(START + 20 * MINUTE);
        })
    }

    /// Runs an operation that writes, and whose response is lost.
    fn change(
        &mut self,
        operation: PaymentOperation,
        change: impl FnOnce(&mut Payment),
    ) -> Result<(), String> {
        let id = self.invoke(operation);
        self.read(id);
        change(&mut self.payment);
        self.write(id)?;
        let position = self.position();
        self.checker.returned(id, None, position);
        self.check()
    }

    fn call(&mut self, operation: AtNets, end: CardEnd) -> Result<(), String> {
        let id = RegistrationId { transaction: self.id(), number: 0 };
        self.position();
        self.checker.check_call(operation, id, end).map_err(|violation| violation.what)
    }

    /// Compares the payment with a ledger.
    fn settle(&mut self, registrations: &[ledger::Registration]) -> Result<(), String> {
        self.change(PaymentOperation::Settle, |payment| payment.task_at = None)?;
        self.checker.finish().unwrap();
        let checked = self.checker.check_ledger(registrations, self.now);
        checked.map_err(|violation| violation.what)
    }

    fn registration(&self, number: u64) -> ledger::Registration {
        ledger::Registration {
            id: RegistrationId { transaction: self.id(), number },
            amount: TOTAL,
            is_authorized: true,
            is_annulled: false,
            captures: 1,
            captured: TOTAL,
            credited: 0,
        }
    }
}

fn initiated(_: &Simulation) -> State {
    let registration = Registration {
        at: START,
        by: "customer".to_owned(),
        auth_requested: false,
        auto_sale: false,
        outcome: "open".to_owned(),
    };
    State::Initiated(Initiated { registrations: vec![registration], chosen: None, since: START })
}

fn chosen(simulation: &Simulation) -> State {
    let State::Initiated(mut state) = initiated(simulation) else { unreachable!() };
    state.registrations[0].auth_requested = true;
    state.chosen = Some(Chosen { registration: 0, at: START, decline: None, hold_until: None });
    State::Initiated(state)
}

fn captured(_: &Simulation) -> State {
    State::Captured(Captured {
        registration: 0,
        at: START,
        captured: TOTAL,
        credited: 0,
        credited_at: None,
        crediting: None,
        annulment: None,
    })
}

fn credited(captured: u64, credited: u64, crediting: Option<u64>) -> State {
    State::Captured(Captured {
        registration: 0,
        at: START,
        captured,
        credited,
        credited_at: (credited > 0).then_some(START),
        crediting: crediting.map(|target| Crediting { target, sends: 1 }),
        annulment: None,
    })
}

fn cancelled() -> State {
    let reason = Some("requested".to_owned());
    State::Cancelled(Over { at: START, reason, decline: None, annulment: None })
}

fn problem(status: u16, kind: &str) -> Value {
    json!({ "type": format!("urn:problem-type:recurring-payments:{kind}"), "status": status })
}

fn assert_violation(result: Result<(), String>, expected: &str) {
    let violation = result.unwrap_err();
    assert!(violation.contains(expected), "{expected}: {violation}");
}

#[test]
fn correct_purchase_and_credit_have_no_violation() {
    let mut simulation = Simulation::with(chosen);
    let capture = simulation.invoke(PaymentOperation::Capture(simulation.id()));
    simulation.read(capture);
    simulation.call(AtNets::Auth, CardEnd::default()).unwrap();
    simulation.call(AtNets::Capture, CardEnd::default()).unwrap();
    simulation.payment.transactions[0].state = captured(&simulation);
    simulation.write(capture).unwrap();
    simulation.respond(capture, 200, simulation.body());
    let credit = simulation.invoke(PaymentOperation::Credit(simulation.id(), Some(3000)));
    simulation.read(credit);
    simulation.payment.transactions[0].state = credited(TOTAL, 0, Some(3000));
    simulation.write(credit).unwrap();
    simulation.call(AtNets::Credit, CardEnd::default()).unwrap();
    simulation.payment.transactions[0].state = credited(TOTAL, 3000, None);
    simulation.write(credit).unwrap();
    simulation.respond(credit, 200, simulation.body());
    simulation.check().unwrap();
    let registration = ledger::Registration { credited: 3000, ..simulation.registration(0) };
    simulation.settle(&[registration]).unwrap();
    let totals = &simulation.checker.totals;
    assert_eq!((totals.orders, totals.versions), (1, 7));
    assert_eq!(totals.transactions, [("CAPTURED", 1)].into());
    assert_eq!(totals.ledger, [TOTAL, 3000, 0, 0]);
}

#[test]
fn impossible_versions_are_violations() {
    type Change = fn(&mut Payment);
    let cases: [(Change, &str); 11] = [
        (|one| one.transactions[0].state = State::Created, "sum became smaller"),
        (|one| one.transactions[0].state = cancelled(), "sum became smaller"),
        (|one| one.transactions[0].state = credited(TOTAL - 1, 0, None), "sum became smaller"),
        (|one| one.transactions[0].state = credited(TOTAL + 1, 0, None), "more than the total"),
        (|one| one.transactions[0].state = credited(TOTAL, TOTAL, None), "CREDITED does not mean"),
        (|one| one.transactions[0].state = credited(TOTAL, 0, Some(1)), "without a request"),
        (|one| one.transactions[0].state = credited(TOTAL, 5, Some(5)), "in progress is not"),
        (|one| one.transactions[0].amount += 1, "facts of a transaction"),
        (|one| one.transactions.push(one.transactions[0].clone()), "without a request"),
        (|one| drop(one.transactions.pop()), "was removed"),
        (|one| one.owner = "another".to_owned(), "the owner changed"),
    ];
    for (change, what) in cases {
        let mut simulation = Simulation::with(captured);
        let capture = PaymentOperation::Capture(simulation.id());
        assert_violation(simulation.change(capture, change), what);
    }
    let mut simulation = Simulation::with(captured);
    let credit = PaymentOperation::Credit(simulation.id(), Some(1));
    let change = |one: &mut Payment| {
        one.transactions[0].state = credited(TOTAL, 0, Some(1));
        one.task_at = None;
    };
    assert_violation(simulation.change(credit, change), "there is no taskAt");
    let mut simulation = Simulation::with(captured);
    let new = NewOrder { order: "order".to_owned(), minor: TOTAL, card: CARD };
    let add = |one: &mut Payment| one.transactions.push(one.transactions[0].clone());
    let create = PaymentOperation::Create(new);
    assert_violation(simulation.change(create, add), "paid or being paid");
}

#[test]
fn what_is_stored_of_a_registration_stays() {
    let mut simulation = Simulation::with(chosen);
    let capture = PaymentOperation::Capture(simulation.id());
    let unchosen = initiated(&simulation);
    let result = simulation.change(capture, |one| one.transactions[0].state = unchosen);
    assert_violation(result, "what is stored of a registration changed");
    let mut simulation = Simulation::with(|_| State::Created);
    let state = initiated(&simulation);
    let capture = PaymentOperation::Capture(simulation.id());
    let result = simulation.change(capture, |one| one.transactions[0].state = state);
    assert_violation(result, "not possible");
    let mut simulation = Simulation::with(initiated);
    let state = captured(&simulation);
    let capture = PaymentOperation::Capture(simulation.id());
    let result = simulation.change(capture, |one| one.transactions[0].state = state);
    assert_violation(result, "not possible");
}

#[test]
fn calls_that_are_not_stored_before_are_violations() {
    let mut simulation = Simulation::with(initiated);
    simulation.invoke(PaymentOperation::Capture(simulation.id()));
    for call in [AtNets::Auth, AtNets::Capture] {
        assert_violation(simulation.call(call, CardEnd::default()), "stored as chosen");
    }
    let mut simulation = Simulation::with(chosen);
    for schedule in [PaymentOperation::Settle, PaymentOperation::Capture(simulation.id() + 1)] {
        simulation.invoke(schedule);
        for call in [AtNets::Auth, AtNets::Capture] {
            assert_violation(simulation.call(call, CardEnd::default()), "only a terminal with");
        }
    }
    let mut simulation = Simulation::with(initiated);
    let State::Initiated(mut state) = chosen(&simulation) else { unreachable!() };
    state.registrations[0].auto_sale = true;
    simulation.store(State::Initiated(state)).unwrap();
    simulation.invoke(PaymentOperation::Settle);
    simulation.call(AtNets::Capture, CardEnd::default()).unwrap();
    assert_violation(simulation.call(AtNets::Auth, CardEnd::default()), "by itself");
    let mut simulation = Simulation::with(captured);
    assert_violation(simulation.call(AtNets::Credit, CardEnd::default()), "before it is sent");
    assert_violation(simulation.call(AtNets::Sale, CardEnd::default()), "SALE");
}

/// A capture that overlaps with the end of the card can authorize it; a later one cannot.
#[test]
fn authorization_after_the_end_of_the_card_is_a_violation() {
    let mut simulation = Simulation::with(chosen);
    let ended = |simulation: &mut Simulation| CardEnd {
        answered_at: Some(simulation.position()),
        expires_at: None,
    };
    let end = ended(&mut simulation);
    assert_violation(simulation.call(AtNets::Auth, end), "without a request to capture");
    let capture = simulation.invoke(PaymentOperation::Capture(simulation.id()));
    assert_violation(simulation.call(AtNets::Auth, end), "no AUTH is sent");
    let end = ended(&mut simulation);
    simulation.call(AtNets::Auth, end).unwrap();
    simulation.respond(capture, 503, problem(503, "unavailable"));
    simulation.invoke(PaymentOperation::Capture(simulation.id()));
    assert_violation(simulation.call(AtNets::Auth, end), "no AUTH is sent");
    let expires_at = |at| CardEnd { answered_at: None, expires_at: Some(at) };
    simulation.call(AtNets::Auth, expires_at(simulation.now + 1)).unwrap();
    let result = simulation.call(AtNets::Auth, expires_at(simulation.now));
    assert_violation(result, "after its expiry");
}

#[test]
fn response_that_matches_no_version_is_a_violation() {
    type Body = fn(&Simulation) -> Value;
    let not_captured = |simulation: &Simulation| {
        let mut payment = simulation.payment.clone();
        payment.transactions[0].state = State::Created;
        payment.transaction_representation(simulation.id()).unwrap()
    };
    let cases: [(u16, Body); 4] = [
        (200, not_captured),
        (404, |_| problem(404, "not-found")),
        (409, |_| problem(409, "declined")),
        (409, |_| problem(409, "busy")),
    ];
    for (status, body) in cases {
        let mut simulation = Simulation::with(captured);
        let capture = simulation.invoke(PaymentOperation::Capture(simulation.id()));
        simulation.read(capture);
        simulation.respond(capture, status, body(&simulation));
        assert_violation(simulation.check(), "matches no version");
    }
    let mut simulation = Simulation::with(captured);
    let credit = simulation.invoke(PaymentOperation::Credit(simulation.id(), Some(1)));
    simulation.read(credit);
    simulation.respond(credit, 200, simulation.body());
    assert_violation(simulation.check(), "matches no version");
}

#[test]
fn response_older_than_the_request_is_a_violation() {
    let mut simulation = Simulation::with(chosen);
    let before = simulation.payment.clone();
    let capture = simulation.invoke(PaymentOperation::Capture(simulation.id()));
    simulation.payment.transactions[0].state = captured(&simulation);
    simulation.write(capture).unwrap();
    let body = simulation.body();
    let concurrent = simulation.invoke(PaymentOperation::GetTransaction(simulation.id()));
    simulation.respond(capture, 200, body);
    let later = simulation.invoke(PaymentOperation::GetTransaction(simulation.id()));
    for get in [concurrent, later] {
        let read = PaymentEvent::Read(before.id, Some(Box::new(before.clone())));
        simulation.exchange(get, read).unwrap();
        let body = before.transaction_representation(simulation.id()).unwrap();
        simulation.respond(get, 200, body);
        if get == later {
            assert_violation(simulation.check(), "matches no version");
        }
    }
}

#[test]
fn lost_and_repeated_versions_are_violations() {
    let mut simulation = Simulation::with(chosen);
    let capture = simulation.invoke(PaymentOperation::Capture(simulation.id()));
    simulation.read(capture);
    let item = Box::new(simulation.payment.clone());
    assert_violation(simulation.exchange(capture, PaymentEvent::Written(item)), "written again");
    simulation.payment.version += 1;
    simulation.write(capture).unwrap();
    simulation.check().unwrap();
    assert!(simulation.checker.finish().unwrap_err().what.contains("was never written"));
    let mut simulation = Simulation::with(chosen);
    let cancel = simulation.invoke(PaymentOperation::Cancel(simulation.id()));
    simulation.read(cancel);
    simulation.payment.transactions[0].state = cancelled();
    simulation.respond(cancel, 200, simulation.body());
    simulation.write(cancel).unwrap();
    assert_violation(simulation.check(), "was written after the response");
}

#[test]
fn a_credit_is_too_late_a_year_after_the_capture_and_not_earlier() {
    for (days, is_allowed) in [(364, false), (366, true)] {
        let mut simulation = Simulation::with(captured);
        simulation.now = START + days * 24 * 60 * MINUTE;
        let credit = simulation.invoke(PaymentOperation::Credit(simulation.id(), Some(1)));
        simulation.read(credit);
        simulation.respond(credit, 409, problem(409, "credit-too-late"));
        assert_eq!(simulation.check().is_ok(), is_allowed, "{days} days");
    }
}

#[test]
fn work_that_stays_due_is_a_violation() {
    let mut simulation = Simulation::with(chosen);
    simulation.now = START + 20 * MINUTE;
    let read = PaymentOperation::Settle;
    assert_violation(simulation.change(read, |_| {}), "work is due");
}

#[test]
fn ledger_that_breaks_a_rule_is_a_violation() {
    type Change = fn(&mut ledger::Registration);
    let cases: [(Change, &str); 6] = [
        (|one| one.captures = 2, "captured at most once"),
        (|one| one.captured -= 1, "only the whole total is captured"),
        (|one| one.credited = TOTAL + 1, "at most the captured sum"),
        (|one| one.credited = 1, "the stored sums are those of Nets"),
        (|one| (one.captures, one.captured) = (0, 0), "captured or annulled"),
        (|one| one.id.number = 1, "the captured registration is stored"),
    ];
    for (change, what) in cases {
        let mut simulation = Simulation::with(captured);
        let mut registration = simulation.registration(0);
        change(&mut registration);
        assert_violation(simulation.settle(&[registration]), what);
    }
    let mut simulation = Simulation::with(captured);
    let both = [simulation.registration(0), simulation.registration(1)];
    assert_violation(simulation.settle(&both), "captured at most once");
}

/// A confirmed credit is the credited sum, unless a larger one was requested whose outcome is not known.
#[test]
fn answers_stay_true() {
    let credit = |requested: &[(u64, bool)], done: u64| {
        let mut simulation = Simulation::with(captured);
        for (target, is_confirmed) in requested {
            let credit = PaymentOperation::Credit(simulation.id(), Some(*target));
            let id = simulation.invoke(credit);
            simulation.read(id);
            if *is_confirmed {
                simulation.payment.transactions[0].state = credited(TOTAL, 0, Some(*target));
                simulation.write(id).unwrap();
                simulation.payment.transactions[0].state = credited(TOTAL, *target, None);
                simulation.write(id).unwrap();
                simulation.respond(id, 200, simulation.body());
            } else {
                let position = simulation.position();
                simulation.checker.returned(id, None, position);
            }
        }
        let (_, stored) = simulation.payment.transactions[0].sums();
        if stored < done {
            simulation.check().unwrap();
            let settle = PaymentOperation::Settle;
            let change = |one: &mut Payment| {
                one.transactions[0].state = credited(TOTAL, done, None);
            };
            simulation.change(settle, change).unwrap();
        }
        let registration = ledger::Registration { credited: done, ..simulation.registration(0) };
        simulation.settle(&[registration])
    };
    credit(&[(3000, true)], 3000).unwrap();
    credit(&[(3000, true), (5000, false)], 3000).unwrap();
    credit(&[(3000, true), (5000, false)], 5000).unwrap();
    let rule = "the credited sum is the largest confirmed total";
    assert_violation(credit(&[(3000, true)], 4000), rule);
    assert_violation(credit(&[(3000, true), (5000, false)], 4000), rule);
    assert_violation(credit(&[], 1000), rule);
}
