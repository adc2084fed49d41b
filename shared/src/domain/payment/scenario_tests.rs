//! Random scenarios of one payment: requests that run at the same time, operations that arrive late at Nets, replies that are lost.
//! Nets is a model of its documented behaviour (payments.md §2.2).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::card::{LastFour, PaymentType};
use crate::domain::customer::Organisation;
use crate::domain::id::{RecurringPaymentId, RegistrationId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderId, OrderVersion};

const HOLD: TimeDelta = TimeDelta::hours(30);
const OWNER: Owner = Owner([7; 32]);
/// The API's limit for a request, `template.yaml`.
const REQUEST: TimeDelta = TimeDelta::seconds(29);
/// The longest delay of an operation on its way to Nets.
const LATEST: TimeDelta = TimeDelta::minutes(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtNets {
    Registered,
    CardEntered,
    Cancelled,
    Authorized,
    Captured,
    Annulled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Register(Money),
    Auth(Option<Decline>),
    Capture,
    Annul,
}

/// How an operation reaches Nets, and whether the reply comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivery {
    Replied,
    ReplyLost,
    Late,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    CreateAgain { amount: u64, card: u64 },
    Open { by: Initiator, delivery: Delivery },
    EnterCard(usize),
    CancelAtPage(usize),
    StartCapture(usize),
    ContinueCapture { which: usize, decline: Option<Decline>, delivery: Delivery },
    Cancel,
    CardEnds,
    Reconcile { delivery: Delivery },
    DeliverLate(usize),
    Wait(TimeDelta),
}

/// A capture request: a function that has chosen a registration.
#[derive(Debug, Clone)]
struct Request {
    started_at: DateTime<Utc>,
    registration: RegistrationId,
    /// The payment as this request stored it.
    payment: Payment,
    may_capture: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) payment: Payment,
    nets: BTreeMap<RegistrationId, (AtNets, Money)>,
    late: Vec<(DateTime<Utc>, RegistrationId, Operation)>,
    requests: Vec<Request>,
}

fn start() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn charge(amount: u64, card: u64) -> Charge {
    Charge {
        amount: Money::new(amount, Currency::Nok),
        recurring_payment_id: RecurringPaymentId::try_from(card).unwrap(),
    }
}

fn charged_card() -> ChargedCard {
    let last_four = LastFour::from_masked("0004").unwrap();
    ChargedCard { payment_type: PaymentType::Visa, last_four }
}

/// Returns whether AUTH may have been requested and was not declined: then no other registration may be opened.
fn has_chosen(transaction: &Transaction) -> bool {
    match &transaction.state {
        State::Initiated(initiated) => initiated.chosen.is_some(),
        State::Created
        | State::Captured(_)
        | State::Credited(_)
        | State::Rejected { .. }
        | State::Cancelled { .. } => false,
    }
}

fn pick<T: Clone>(all: &[T], which: usize) -> Option<T> {
    all.get(which % all.len().max(1)).cloned()
}

impl World {
    pub(crate) fn new() -> Self {
        let order = Order {
            organisation: Organisation::new(1),
            id: OrderId::try_from("1").unwrap(),
            version: OrderVersion::try_from(1).unwrap(),
        };
        let id = PaymentId::from_bits(7);
        let order = (order, OrderHash([1; 32]));
        let payment = Payment::create(id, order, OWNER, charge(10_000, 1), charged_card(), start());
        let (nets, late, requests) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { now: start(), payment, nets, late, requests }
    }

    fn newest(&self) -> PaymentTransactionId {
        self.payment.history().next().unwrap().0
    }

    /// Executes an operation at Nets. The result is Nets' reply.
    fn execute(&mut self, id: RegistrationId, operation: Operation) -> Reconciliation {
        if let Operation::Register(amount) = operation {
            self.nets.entry(id).or_insert((AtNets::Registered, amount));
            return Reconciliation::Pending;
        }
        if operation != Operation::Annul {
            self.check_was_chosen(id);
        }
        let Some((state, _)) = self.nets.get_mut(&id) else {
            return Reconciliation::NeverRegistered;
        };
        match (operation, *state) {
            (Operation::Auth(_), AtNets::Registered) => return Reconciliation::NoCard,
            (Operation::Auth(Some(decline)), AtNets::CardEntered) => {
                return Reconciliation::Declined(decline);
            }
            (Operation::Auth(None), AtNets::CardEntered) => *state = AtNets::Authorized,
            (Operation::Capture, AtNets::Authorized) => *state = AtNets::Captured,
            (Operation::Annul, AtNets::Authorized) => *state = AtNets::Annulled,
            _ => {}
        }
        self.query(id)
    }

    fn query(&self, id: RegistrationId) -> Reconciliation {
        match self.nets.get(&id) {
            None => Reconciliation::NeverRegistered,
            Some((AtNets::Registered | AtNets::CardEntered, _)) => Reconciliation::Pending,
            Some((AtNets::Cancelled, _)) => Reconciliation::Cancelled,
            Some((AtNets::Authorized, amount)) => Reconciliation::Authorized(*amount),
            Some((AtNets::Captured, amount)) => {
                Reconciliation::Captured { captured: *amount, credited_minor: 0 }
            }
            Some((AtNets::Annulled, _)) => Reconciliation::Annulled,
        }
    }

    /// AUTH and CAPTURE are sent only for a registration that was stored as chosen.
    fn check_was_chosen(&self, id: RegistrationId) {
        let transaction = self.payment.transaction(id.transaction).unwrap();
        let was_chosen = match &transaction.state {
            State::Created => false,
            State::Initiated(initiated) => {
                initiated.registrations[usize::from(id.number.number())].auth_requested
            }
            State::Captured(captured) | State::Credited(captured) => {
                captured.registration == id.number
                    || captured
                        .annulment
                        .as_ref()
                        .is_some_and(|one| one.registrations.contains(&id.number))
            }
            State::Rejected { annulment, .. } | State::Cancelled { annulment, .. } => {
                annulment.as_ref().unwrap().registrations.contains(&id.number)
            }
        };
        assert!(was_chosen, "{id}: {transaction:?}");
    }

    /// Sends an operation. Without a reply the caller knows nothing.
    fn send(
        &mut self,
        id: RegistrationId,
        operation: Operation,
        delivery: Delivery,
    ) -> Reconciliation {
        match delivery {
            Delivery::Replied => self.execute(id, operation),
            Delivery::ReplyLost => {
                self.execute(id, operation);
                Reconciliation::Unclear
            }
            Delivery::Late => {
                self.late.push((self.now + LATEST, id, operation));
                Reconciliation::Unclear
            }
        }
    }

    fn apply(&mut self, id: RegistrationId, reconciliation: Reconciliation) -> NextStep {
        self.payment.apply(id, reconciliation, HOLD).unwrap()
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
        let now = self.now;
        let middle = self.payment.clone().at(now - time / 2);
        self.payment = self.payment.clone().at(now);
        assert_eq!(middle.at(now), self.payment, "an update in between changes nothing");
        self.requests.retain(|request| now <= request.started_at + REQUEST);
        while let Some(index) = self.late.iter().position(|(latest, ..)| *latest <= now) {
            let (_, id, operation) = self.late.remove(index);
            self.execute(id, operation);
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::CreateAgain { amount, card } => {
                let _ = self.payment.create_again(OWNER, charge(*amount, *card), charged_card());
            }
            Step::Open { by, delivery } => self.open(*by, *delivery),
            Step::EnterCard(which) => self.at_page(*which, AtNets::CardEntered),
            Step::CancelAtPage(which) => self.at_page(*which, AtNets::Cancelled),
            Step::StartCapture(which) => self.start_capture(*which),
            Step::ContinueCapture { which, decline, delivery } => {
                self.continue_capture(*which, *decline, *delivery);
            }
            Step::Cancel => {
                let _ = self.payment.cancel(self.newest());
            }
            Step::CardEnds => self.payment.cancel_without_card(self.newest()).unwrap(),
            Step::Reconcile { delivery } => self.reconcile(*delivery),
            Step::DeliverLate(which) if !self.late.is_empty() => {
                let (_, id, operation) = self.late.remove(which % self.late.len());
                self.execute(id, operation);
            }
            Step::DeliverLate(_) => {}
            Step::Wait(time) => self.wait(*time),
        }
    }

    fn open(&mut self, by: Initiator, delivery: Delivery) {
        let id = self.newest();
        let transaction = self.payment.transaction(id).unwrap();
        let (amount, may_be_authorized) = (transaction.charge.amount, has_chosen(transaction));
        if let Ok(opened) = self.payment.open_terminal(id, by) {
            assert!(!(opened.is_new && may_be_authorized), "{}: {:?}", opened.id, self.payment);
            self.send(opened.id, Operation::Register(amount), delivery);
            if by == Initiator::Merchant
                && let Some((state @ AtNets::Registered, _)) = self.nets.get_mut(&opened.id)
            {
                *state = AtNets::CardEntered;
            }
        }
    }

    fn at_page(&mut self, which: usize, becomes: AtNets) {
        let ids: Vec<RegistrationId> = self.nets.keys().copied().collect();
        if let Some(id) = pick(&ids, which)
            && let Some((state @ AtNets::Registered, _)) = self.nets.get_mut(&id)
        {
            *state = becomes;
        }
    }

    fn start_capture(&mut self, which: usize) {
        // Any registration: another request may have chosen one since this request read the payment.
        let newest = self.newest();
        let State::Initiated(initiated) = &self.payment.transaction(newest).unwrap().state else {
            return;
        };
        let numbers = 0..initiated.registrations.len();
        let candidates: Vec<_> = numbers
            .map(|number| RegistrationId {
                transaction: newest,
                number: number.try_into().unwrap(),
            })
            .collect();
        if let Some(id) = pick(&candidates, which)
            && let Ok(Capture::Authorize(registration)) = self.payment.choose(id)
        {
            let payment = self.payment.clone();
            self.requests.push(Request {
                started_at: self.now,
                registration,
                payment,
                may_capture: false,
            });
        }
    }

    /// AUTH, then CAPTURE without a write in between.
    fn continue_capture(&mut self, which: usize, decline: Option<Decline>, delivery: Delivery) {
        if self.requests.is_empty() {
            return;
        }
        let mut request = self.requests.remove(which % self.requests.len());
        let id = request.registration;
        if request.may_capture {
            let reply = self.send(id, Operation::Capture, delivery);
            self.apply(id, reply);
            return;
        }
        let reply = self.send(id, Operation::Auth(decline), delivery);
        if request.payment.apply(id, reply, HOLD) == Ok(NextStep::Capture) {
            request.may_capture = true;
            self.requests.push(request);
        } else {
            self.apply(id, reply);
        }
    }

    /// A schedule or a cancel: queries Nets and annuls.
    fn reconcile(&mut self, delivery: Delivery) {
        for (transaction, _) in self.payment.clone().history() {
            for id in self.payment.registrations_to_reconcile(transaction).unwrap() {
                let reply = self.query(id);
                if self.apply(id, reply) == NextStep::Annul {
                    let reply = self.send(id, Operation::Annul, delivery);
                    self.apply(id, reply);
                }
            }
        }
    }

    fn check(&self) {
        let transactions = &self.payment.contents.transactions;
        assert!(transactions.iter().filter(|one| one.is_live()).count() <= 1);
        assert!(!transactions.is_empty() && transactions.len() <= Payment::MAX_ATTEMPTS);
        let captured: Vec<_> =
            self.nets.iter().filter(|(_, (state, _))| *state == AtNets::Captured).collect();
        assert!(captured.len() <= 1, "captured twice: {captured:?} {:?}", self.payment);
        for (id, (_, amount)) in captured {
            assert_eq!(*amount, self.payment.transaction(id.transaction).unwrap().charge.amount);
        }
        for (id, transaction) in self.payment.history() {
            if let Some(captured) = transaction.captured() {
                let registration =
                    RegistrationId { transaction: id, number: captured.registration };
                assert_eq!(self.nets[&registration].0, AtNets::Captured, "{id}");
                assert_eq!(captured.captured_minor, transaction.charge.amount.minor());
            }
        }
    }

    /// The schedule works until nothing is due: then every authorization is captured or annulled, and the status is the truth.
    fn finish(&mut self) {
        self.wait(LATEST);
        let mut runs = 0..1_000;
        while let Some(due_at) = self.payment.due_at() {
            assert!(runs.next().is_some(), "the schedule does not end: {:?}", self.payment);
            self.wait((due_at - self.now).max(TimeDelta::zero()));
            let due = self.payment.due_registrations();
            for id in due {
                let reply = self.query(id);
                if self.apply(id, reply) == NextStep::Annul {
                    let reply = self.execute(id, Operation::Annul);
                    self.apply(id, reply);
                }
            }
            self.check();
        }
        for (id, (state, _)) in &self.nets {
            assert_ne!(*state, AtNets::Authorized, "{id} is held: {:?}", self.payment);
            let transaction = self.payment.transaction(id.transaction).unwrap();
            assert!(*state != AtNets::Captured || transaction.captured().is_some(), "{id}");
        }
    }
}

fn decline() -> impl Strategy<Value = Option<Decline>> {
    prop_oneof![
        4 => Just(None),
        1 => Just(Some(Decline::Soft)),
        1 => Just(Some(Decline::Hard)),
        1 => Just(Some(Decline::AuthenticationRequired)),
    ]
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        4 => Just(Delivery::Replied),
        1 => Just(Delivery::ReplyLost),
        1 => Just(Delivery::Late),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![Just(Initiator::Customer), Just(Initiator::Merchant)];
    let time = prop_oneof![
        4 => (0..40_i64).prop_map(TimeDelta::seconds),
        2 => (0..90_i64).prop_map(TimeDelta::minutes),
        1 => (0..40_i64).prop_map(TimeDelta::hours),
    ];
    prop_oneof![
        2 => (prop_oneof![Just(10_000_u64), Just(5_000)], 1..4_u64)
            .prop_map(|(amount, card)| Step::CreateAgain { amount, card }),
        3 => (by, delivery()).prop_map(|(by, delivery)| Step::Open { by, delivery }),
        4 => any::<usize>().prop_map(Step::EnterCard),
        1 => any::<usize>().prop_map(Step::CancelAtPage),
        5 => any::<usize>().prop_map(Step::StartCapture),
        8 => (any::<usize>(), decline(), delivery())
            .prop_map(|(which, decline, delivery)| Step::ContinueCapture { which, decline, delivery }),
        1 => Just(Step::Cancel),
        1 => Just(Step::CardEnds),
        2 => delivery().prop_map(|delivery| Step::Reconcile { delivery }),
        2 => any::<usize>().prop_map(Step::DeliverLate),
        4 => time.prop_map(Step::Wait),
    ]
}

/// Steps of requests at the same time: captures, a cancel, and a new create. There the money could be taken twice.
fn racing_step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![4 => Just(Initiator::Customer), 1 => Just(Initiator::Merchant)];
    let decline = prop_oneof![8 => Just(None), 1 => decline()];
    prop_oneof![
        2 => Just(Step::CreateAgain { amount: 10_000, card: 1 }),
        3 => by.prop_map(|by| Step::Open { by, delivery: Delivery::Replied }),
        3 => any::<usize>().prop_map(Step::EnterCard),
        4 => any::<usize>().prop_map(Step::StartCapture),
        6 => (any::<usize>(), decline).prop_map(|(which, decline)| {
            Step::ContinueCapture { which, decline, delivery: Delivery::Replied }
        }),
        1 => Just(Step::Cancel),
        1 => (0..3_i64).prop_map(|seconds| Step::Wait(TimeDelta::seconds(seconds))),
    ]
}

fn check_scenario(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.step(step);
        world.check();
    }
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_scenarios_keep_every_invariant(steps in prop::collection::vec(step(), 1..60)) {
        check_scenario(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn racing_requests_keep_every_invariant(steps in prop::collection::vec(racing_step(), 10..50)) {
        check_scenario(&steps);
    }
}
