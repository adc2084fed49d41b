//! One order: what its client plans to do, how it continues after each response, and what must be true at the end.

use std::collections::VecDeque;

use fastrand::Rng;

use super::shop::Shop;
use crate::ledger::Registration;
use crate::local_access::enter_code;
use crate::order::Response;
use crate::order::payments::check_payment;
use crate::order::payments::item::Payment;
use crate::order::payments::operation::{ChargeTerminal, NewOrder, PaymentOperation};

/// How often a request is repeated before the purchase counts as different.
const MAX_REPETITIONS: u32 = 60;
/// `Retry-After` of a response that has none although its outcome is not known, in seconds.
const DEFAULT_RETRY_AFTER: i64 = 1;
/// The refusal of a capture that says that the transaction is cancelled.
const CANCELLED: &str = "cancelled";
/// The refusal that says that the end of a transaction is not confirmed yet: after this, the order can be captured or not.
const ANNULMENT_PENDING: &str = "annulment-pending";

/// A step of a purchase. A step is repeated until its outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    /// Opens a terminal. If it has a page, the customer enters the security code.
    Terminal(ChargeTerminal),
    /// Opens a terminal whose page the customer leaves.
    AbandonedTerminal,
    Capture,
    /// Two captures at the same time.
    CaptureTwice,
    Cancel,
    /// A capture and a cancellation, at the same time or one after the other, whatever the response to the capture is.
    CaptureAndCancel {
        at_once: bool,
    },
    /// Credits this total, or everything.
    Credit(Option<u64>),
}

/// The result of a step.
enum Outcome {
    Done,
    /// The request has to be repeated after this many seconds.
    RetryAfter(i64),
    /// A response that this step must not get.
    Unexpected(String),
}

/// An order and its purchase.
pub(super) struct Purchase {
    /// The order id.
    pub(super) order: String,
    minor: u64,
    card: u64,
    steps: VecDeque<Step>,
    repetitions: u32,
    /// The instant at which the client continues, in milliseconds since 1970.
    pub(super) wake_at: i64,
    /// The transaction, after it is created.
    transaction: u64,
    /// Whether the order must be captured at the end.
    captured: bool,
    /// Whether the order must not be captured at the end.
    cancelled: bool,
    /// The total of the last credit request.
    credited: u64,
    /// The response that ended the purchase early.
    unexpected: Option<String>,
    /// The status and problem of the responses to captures and cancellations.
    responses: Vec<(&'static str, u16, String)>,
}

impl Purchase {
    /// Plans the purchase of an order: of 20, 2 are auto sales, 1 is abandoned, 2 are cancelled, 1 is captured and cancelled, and 14
    /// are captured, 2 of these by a client that sends two requests at once. Each of the 14 can be credited: one of six a part, and
    /// one of six a part and then the rest.
    pub(super) fn plan(number: u64, cards: &[u64], rng: &mut Rng) -> Self {
        let (minor, card) = (rng.u64(200..50_000), cards[rng.usize(..cards.len())]);
        let terminal = ChargeTerminal { is_merchant: rng.u32(..3) == 0, auto_sale: false };
        let auto_sale = ChargeTerminal { auto_sale: true, ..terminal };
        let kind = rng.u32(..20);
        let mut steps = VecDeque::from([Step::Create]);
        match kind {
            0..2 => steps.push_back(Step::Terminal(auto_sale)),
            2 => steps.push_back(Step::AbandonedTerminal),
            3..5 => steps.extend([Step::Terminal(terminal), Step::Cancel]),
            5 => {
                let at_once = rng.bool();
                steps.extend([Step::Terminal(terminal), Step::CaptureAndCancel { at_once }]);
            }
            6..8 => steps.extend([Step::Terminal(terminal), Step::CaptureTwice]),
            _ => steps.extend([Step::Terminal(terminal), Step::Capture]),
        }
        if kind >= 6 {
            let credit = rng.u32(..6);
            if credit < 2 {
                steps.push_back(Step::Credit(Some(minor * rng.u64(1..=9) / 10)));
            }
            if credit == 1 {
                steps.push_back(Step::Credit(None));
            }
        }
        Self {
            order: format!("order-{number}"),
            minor,
            card,
            steps,
            repetitions: 0,
            wake_at: 0,
            transaction: 0,
            captured: kind < 2,
            cancelled: kind == 2,
            credited: 0,
            unexpected: None,
            responses: Vec::new(),
        }
    }

    /// Whether the client has nothing left to do.
    pub(super) fn has_ended(&self) -> bool {
        self.steps.is_empty()
    }

    /// Continues until the purchase has ended or has to wait.
    pub(super) async fn proceed(&mut self, shop: &Shop) {
        while let Some(step) = self.steps.front().copied() {
            match self.perform(shop, step).await {
                Outcome::Done => {
                    self.repetitions = 0;
                    self.steps.pop_front();
                }
                Outcome::RetryAfter(seconds) if self.repetitions < MAX_REPETITIONS => {
                    self.repetitions += 1;
                    shop.count_repetition();
                    self.wake_at = shop.now() + seconds * 1000;
                    return;
                }
                Outcome::RetryAfter(_) => self.end_early(format!("{step:?} has no clear response")),
                Outcome::Unexpected(response) => self.end_early(format!("{step:?}: {response}")),
            }
        }
    }

    fn end_early(&mut self, unexpected: String) {
        self.unexpected = Some(unexpected);
        self.steps.clear();
    }

    async fn perform(&mut self, shop: &Shop, step: Step) -> Outcome {
        let id = self.transaction;
        match step {
            Step::Create => {
                let (order, minor, card) = (self.order.clone(), self.minor, self.card);
                let create = PaymentOperation::Create(NewOrder { order, minor, card });
                let response = shop.pay(create).await;
                let newest = &response.body["transactionHistory"][0];
                self.transaction = newest["transactionId"].as_u64().unwrap_or_default();
                outcome(&response, &[])
            }
            Step::Terminal(terminal) => self.open_terminal(shop, terminal).await,
            Step::AbandonedTerminal => {
                let terminal = PaymentOperation::Terminal(id, ChargeTerminal::default());
                outcome(&shop.pay(terminal).await, &[])
            }
            Step::Capture => self.capture(&shop.pay(PaymentOperation::Capture(id)).await, &[]),
            Step::CaptureTwice => {
                let capture = || shop.pay(PaymentOperation::Capture(id));
                let (one, other) = tokio::join!(capture(), capture());
                both([self.capture(&one, &[]), self.capture(&other, &[])])
            }
            Step::Cancel => self.cancel(&shop.pay(PaymentOperation::Cancel(id)).await, &[]),
            Step::CaptureAndCancel { at_once } => self.capture_and_cancel(shop, at_once).await,
            Step::Credit(total) => {
                self.credited = total.unwrap_or(self.minor);
                outcome(&shop.pay(PaymentOperation::Credit(id, total)).await, &[])
            }
        }
    }

    async fn capture_and_cancel(&mut self, shop: &Shop, at_once: bool) -> Outcome {
        let capture = shop.pay(PaymentOperation::Capture(self.transaction));
        let cancel = shop.pay(PaymentOperation::Cancel(self.transaction));
        let (capture, cancel) =
            if at_once { tokio::join!(capture, cancel) } else { (capture.await, cancel.await) };
        let captured = self.capture(&capture, &[CANCELLED, ANNULMENT_PENDING]);
        let cancelled = self.cancel(&cancel, &["already-captured", ANNULMENT_PENDING]);
        both([captured, cancelled])
    }

    async fn open_terminal(&self, shop: &Shop, terminal: ChargeTerminal) -> Outcome {
        let response = shop.pay(PaymentOperation::Terminal(self.transaction, terminal)).await;
        let opened = outcome(&response, &[]);
        if let (Outcome::Done, false) = (&opened, terminal.is_merchant) {
            let uri = response.body["terminalUri"].as_str().unwrap_or_default();
            if let Err(failure) = enter_code(&shop.http, uri).await {
                return Outcome::Unexpected(failure.to_string());
            }
        }
        opened
    }

    /// Notes what the response to a capture says. `refusals` are possible because of a cancellation at the same time.
    fn capture(&mut self, response: &Response, refusals: &[&str]) -> Outcome {
        self.note("capture", response);
        self.captured |= response.status == 200;
        self.cancelled |= response.problem() == Some(CANCELLED);
        outcome(response, refusals)
    }

    /// Notes what the response to a cancellation says. `refusals` are possible because of a capture at the same time.
    fn cancel(&mut self, response: &Response, refusals: &[&str]) -> Outcome {
        self.note("cancel", response);
        self.cancelled |= response.status == 200;
        outcome(response, refusals)
    }

    fn note(&mut self, request: &'static str, response: &Response) {
        let problem = response.problem().unwrap_or_default().to_owned();
        self.responses.push((request, response.status, problem));
    }

    /// Compares the order with its stored payment and with its registrations at Nets, after the schedules have done all their work.
    ///
    /// # Errors
    /// Fails with what differs.
    pub(super) fn compare(
        &self,
        payment: Option<Payment>,
        registrations: &[&Registration],
        now: i64,
    ) -> Result<(), String> {
        if let Some(unexpected) = &self.unexpected {
            return Err(unexpected.clone());
        }
        let payment = payment.ok_or("no payment is stored")?;
        check_payment(&payment.at(now), registrations)?;
        let sum = |amount: fn(&Registration) -> u64| -> u64 {
            registrations.iter().map(|one| amount(one)).sum()
        };
        let (captured, credited) = (sum(|one| one.captured), sum(|one| one.credited));
        let describe = |rule: &str| {
            Err(format!("{rule}: {:?}, {payment:?}, at Nets {registrations:?}", self.responses))
        };
        if self.captured && captured != self.minor {
            return describe("an answered capture or an auto sale is captured");
        }
        if self.cancelled && captured > 0 {
            return describe("a cancelled or abandoned order is not captured");
        }
        if credited != self.credited {
            return describe(&format!("{} was the last total to be credited", self.credited));
        }
        Ok(())
    }
}

/// What a response means for the client. `refusals` are problems that end the step.
fn outcome(response: &Response, refusals: &[&str]) -> Outcome {
    let is_refusal = response.problem().is_some_and(|problem| refusals.contains(&problem));
    let retry_after = response.headers["retry-after"].as_str();
    match (response.status, retry_after.and_then(|seconds| seconds.parse().ok())) {
        (200..300, _) => Outcome::Done,
        _ if is_refusal => Outcome::Done,
        (_, Some(seconds)) => Outcome::RetryAfter(seconds),
        (0 | 500.., None) => Outcome::RetryAfter(DEFAULT_RETRY_AFTER),
        (_, None) => Outcome::Unexpected(format!("{response:?}")),
    }
}

/// The outcome of two requests that were sent at the same time.
fn both([one, other]: [Outcome; 2]) -> Outcome {
    match (one, other) {
        (Outcome::Unexpected(what), _) | (_, Outcome::Unexpected(what)) => {
            Outcome::Unexpected(what)
        }
        (Outcome::RetryAfter(one), Outcome::RetryAfter(other)) => {
            Outcome::RetryAfter(one.max(other))
        }
        (Outcome::RetryAfter(seconds), Outcome::Done)
        | (Outcome::Done, Outcome::RetryAfter(seconds)) => Outcome::RetryAfter(seconds),
        (Outcome::Done, Outcome::Done) => Outcome::Done,
    }
}
