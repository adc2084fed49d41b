//! Random scenarios of one payment: requests that run at the same time, operations that arrive late at Nets, replies that are lost.

#[path = "scenario_checks.rs"]
mod checks;
#[path = "scenario_credits.rs"]
mod credits;
#[path = "scenario_nets.rs"]
mod nets;
#[path = "scenario_steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::fixtures::{charged_card, nok, order_of, start};
use super::*;
use crate::domain::id::{RecurringPaymentId, RegistrationId};
use crate::domain::money::Money;
use crate::domain::text::CallbackUrl;
use credits::{CreditPhase, CreditRun};
use nets::{AtNets, Nets, Operation, Reply};
use steps::racing_step;
pub(crate) use steps::{Delivery, Step, credit_step, step};

const HOLD: TimeDelta = TimeDelta::hours(30);
const OWNER: Owner = Owner([7; 32]);
/// The API's limit for a request, `template.yaml`.
const REQUEST: TimeDelta = TimeDelta::seconds(29);
/// The longest delay of an operation on its way to Nets, and the lifetime of Nets' page. The delay of a credit is shorter:
/// [`Crediting::RESEND_AFTER`].
const LATEST: TimeDelta = TimeDelta::minutes(50);

/// A capture: a function that has chosen a registration.
#[derive(Debug, Clone)]
struct Request {
    started_at: DateTime<Utc>,
    registration: RegistrationId,
    /// The payment as this request stored it.
    payment: Payment,
    may_request_auth: bool,
    may_capture: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) payment: Payment,
    nets: Nets,
    late: Vec<(DateTime<Utc>, RegistrationId, Operation)>,
    requests: Vec<Request>,
    credits: Vec<CreditRun>,
    observed: checks::Observed,
}

fn charge(amount: u64, card: u64) -> Charge {
    let recurring_payment_id = RecurringPaymentId::try_from(card).unwrap();
    Charge { amount: nok(amount), recurring_payment_id }
}

fn terminal(by: Initiator, auto_sale: bool, has_callback: bool) -> NewRegistration {
    let callback_url =
        has_callback.then(|| CallbackUrl::from_stored("https://shop.example/").unwrap());
    NewRegistration { initiator: by, auto_sale, callback_url }
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
        let (id, order) = (PaymentId::from_bits(7), (order_of("1"), OrderHash([1; 32])));
        let payment = Payment::create(id, order, OWNER, charge(10_000, 1), charged_card(), start());
        Self {
            now: start(),
            payment,
            nets: Nets::default(),
            late: Vec::new(),
            requests: Vec::new(),
            credits: Vec::new(),
            observed: checks::Observed::default(),
        }
    }

    /// A captured payment whose credits are notified.
    pub(crate) fn paid() -> Self {
        let mut world = Self::new();
        let (by, delivery) = (Initiator::Merchant, Delivery::Replied);
        for step in [
            Step::Open { by, auto_sale: false, has_callback: true, delivery },
            Step::StartCapture(0),
            Step::ContinueCapture { which: 0, decline: None, delivery },
            Step::ContinueCapture { which: 0, decline: None, delivery },
        ] {
            world.step(&step);
        }
        assert_eq!(world.payment.status(), TransactionStatus::Captured);
        world
    }

    fn newest(&self) -> PaymentTransactionId {
        self.payment.history().next().unwrap().0
    }

    fn execute(&mut self, id: RegistrationId, operation: Operation) -> Reply {
        match operation {
            Operation::Auth(_) | Operation::Capture => self.check_was_chosen(id),
            Operation::Register { .. } | Operation::Annul | Operation::Credit { .. } => {}
        }
        let reply = self.nets.execute(id, operation, self.now);
        self.check_ledger(id);
        reply
    }

    fn query(&self, id: RegistrationId) -> Reconciliation {
        self.nets.query(id, !self.payment.may_request_auth(id))
    }

    /// Sends an operation of a request that began at `started_at`. Without a reply the caller knows nothing.
    fn send(
        &mut self,
        id: RegistrationId,
        operation: Operation,
        delivery: Delivery,
        started_at: DateTime<Utc>,
    ) -> Reply {
        match delivery {
            Delivery::Replied => self.execute(id, operation),
            Delivery::ReplyLost => {
                self.execute(id, operation);
                Reply::Found(Reconciliation::Unclear)
            }
            Delivery::Late => {
                let latest = match operation {
                    Operation::Credit { .. } => started_at + Crediting::RESEND_AFTER,
                    Operation::Register { .. }
                    | Operation::Auth(_)
                    | Operation::Capture
                    | Operation::Annul => self.now + LATEST,
                };
                self.late.push((latest, id, operation));
                Reply::Found(Reconciliation::Unclear)
            }
        }
    }

    fn apply(&mut self, id: RegistrationId, reconciliation: Reconciliation) -> NextStep {
        self.note_soft_decline(id, reconciliation);
        let crediting = self.crediting(id.transaction);
        let step = self.payment.apply(id, reconciliation, HOLD).unwrap();
        if step == NextStep::CreditFailed {
            self.note_failed_credit(id, crediting);
        }
        self.observe();
        step
    }

    fn apply_reply(&mut self, id: RegistrationId, reply: Reply) -> NextStep {
        match reply {
            Reply::Found(found) => self.apply(id, found),
            Reply::Refused => panic!("only a credit is refused"),
        }
    }

    fn crediting(&self, id: PaymentTransactionId) -> Option<Crediting> {
        self.payment.transaction(id).unwrap().captured().and_then(|captured| captured.crediting)
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
        let now = self.now;
        let middle = self.payment.clone().at(now - time / 2);
        self.payment = self.payment.clone().at(now);
        assert_eq!(middle.at(now), self.payment, "an update in between changes nothing");
        self.observe();
        self.requests.retain(|request| now <= request.started_at + REQUEST);
        self.credits.retain(|run| now <= run.started_at + REQUEST);
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
            Step::Open { by, auto_sale, has_callback, delivery } => {
                self.open(&terminal(*by, *auto_sale, *has_callback), *delivery);
            }
            Step::EnterCard { which, decline } => {
                if let Some(id) = self.at_nets(*which)
                    && self.nets.enter_card(id, *decline, self.now)
                {
                    self.check_was_chosen(id);
                }
            }
            Step::CancelAtPage(which) => {
                self.at_nets(*which).into_iter().for_each(|id| self.nets.cancel_at_page(id));
            }
            Step::StartCapture(which) => self.start_capture(*which),
            Step::StartAutoSales { is_callback } => self.start_auto_sales(*is_callback),
            Step::ContinueCapture { which, decline, delivery } => {
                self.continue_capture(*which, *decline, *delivery);
            }
            Step::Cancel => {
                let _ = self.payment.cancel(self.newest());
            }
            Step::CardEnds => self.payment.cancel_without_card(self.newest()).unwrap(),
            Step::StartCredit { total } => self.start_credit(*total),
            Step::ContinueCredit { which, is_refused, delivery } => {
                self.continue_credit(*which, *is_refused, *delivery);
            }
            Step::Refund { which, minor } => {
                self.at_nets(*which).into_iter().for_each(|id| self.nets.refund(id, *minor));
            }
            Step::Reconcile { delivery } => self.reconcile(*delivery),
            Step::DeliverNotifications => self.deliver_notifications(),
            Step::DeliverLate(which) if !self.late.is_empty() => {
                let (_, id, operation) = self.late.remove(which % self.late.len());
                self.execute(id, operation);
            }
            Step::DeliverLate(_) => {}
            Step::Wait(time) => self.wait(*time),
        }
        self.observe();
    }

    fn at_nets(&self, which: usize) -> Option<RegistrationId> {
        pick(&self.nets.0.keys().copied().collect::<Vec<_>>(), which)
    }

    fn open(&mut self, terminal: &NewRegistration, delivery: Delivery) {
        let id = self.newest();
        let transaction = self.payment.transaction(id).unwrap();
        let (amount, may_be_authorized) = (transaction.charge.amount, has_chosen(transaction));
        if let Ok(opened) = self.payment.open_terminal(id, terminal.clone()) {
            assert!(!(opened.is_new && may_be_authorized), "{}: {:?}", opened.id, self.payment);
            let is_auto_auth = !self.payment.may_request_auth(opened.id);
            let register = Operation::Register { amount, is_auto_auth };
            self.send(opened.id, register, delivery, self.now);
            if terminal.initiator == Initiator::Merchant {
                self.nets.enter_card(opened.id, None, self.now);
            }
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
        if let Some(id) = pick(&candidates, which) {
            // The client may repeat a declined AUTH.
            if let Some(chosen) = self.choose(id) {
                self.forget_soft_decline(chosen);
            }
        }
    }

    fn start_auto_sales(&mut self, is_callback: bool) {
        let ids = if is_callback { vec![self.newest()] } else { self.payment.due_auto_sales() };
        for id in ids {
            if let Some(registration) = self.payment.auto_sale(id) {
                self.check_auto_sale(registration);
                let is_auto_auth = !self.payment.may_request_auth(registration);
                if is_auto_auth || self.payment.may_request_auth_for_sale(registration) {
                    self.choose(registration);
                } else {
                    self.begin_capture(registration, false);
                }
            }
        }
    }

    fn choose(&mut self, id: RegistrationId) -> Option<RegistrationId> {
        let Ok(Capture::Authorize(registration)) = self.payment.choose(id) else { return None };
        self.begin_capture(registration, self.payment.may_request_auth(registration));
        Some(registration)
    }

    fn begin_capture(&mut self, registration: RegistrationId, may_request_auth: bool) {
        let (started_at, payment, may_capture) = (self.now, self.payment.clone(), false);
        let request = Request { started_at, registration, payment, may_request_auth, may_capture };
        self.requests.push(request);
    }

    /// AUTH or Query, then CAPTURE without a write in between.
    fn continue_capture(&mut self, which: usize, decline: Option<Decline>, delivery: Delivery) {
        if self.requests.is_empty() {
            return;
        }
        let mut request = self.requests.remove(which % self.requests.len());
        let id = request.registration;
        if request.may_capture {
            let reply = self.send(id, Operation::Capture, delivery, request.started_at);
            self.apply_reply(id, reply);
            return;
        }
        let reply = if request.may_request_auth {
            self.send(id, Operation::Auth(decline), delivery, request.started_at)
        } else {
            Reply::Found(self.query(id))
        };
        let Reply::Found(found) = reply else { panic!("{reply:?}") };
        if request.payment.apply(id, found, HOLD) == Ok(NextStep::Capture) {
            request.may_capture = true;
            self.requests.push(request);
        } else {
            self.apply(id, found);
        }
    }

    /// A schedule or a cancel: queries Nets, annuls, and begins to send credits again.
    fn reconcile(&mut self, delivery: Delivery) {
        let mut ids = self.payment.due_registrations();
        for (transaction, _) in self.payment.history() {
            // The schedule captures them instead.
            if self.payment.is_auto_sale(transaction) {
                continue;
            }
            ids.extend(self.payment.registrations_to_reconcile(transaction).unwrap());
        }
        for id in ids {
            let is_unclear = matches!(delivery, Delivery::Late);
            let found = if is_unclear { Reconciliation::Unclear } else { self.query(id) };
            if self.apply(id, found) == NextStep::Annul {
                let reply = self.send(id, Operation::Annul, delivery, self.now);
                self.apply_reply(id, reply);
            }
        }
        for request in self.credits_to_resend() {
            let phase = CreditPhase::Send(request);
            self.credits.push(CreditRun { started_at: self.now, phase });
        }
    }

    fn deliver_notifications(&mut self) {
        for notification in self.payment.begin_delivery_attempts() {
            self.payment.remove_notification(&notification.id());
        }
    }
}

fn check_scenario(mut world: World, steps: &[Step]) {
    for step in steps {
        world.step(step);
        world.check();
    }
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_scenarios_keep_every_invariant(steps in prop::collection::vec(step(), 1..60)) {
        check_scenario(World::new(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn racing_requests_keep_every_invariant(steps in prop::collection::vec(racing_step(), 10..50)) {
        check_scenario(World::new(), &steps);
    }

    #[test]
    fn credits_keep_every_invariant(steps in prop::collection::vec(credit_step(), 5..50)) {
        check_scenario(World::paid(), &steps);
    }
}
