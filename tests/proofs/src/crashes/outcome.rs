//! The outcome of a run, without what may differ between runs: instants, ids and the number of repeated deliveries.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::order::payments::amount;
use crate::order::payments::item::{Payment, Transaction};
use crate::order::spec::{State, Wallet};

/// The outcome of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The recurring payments a few minutes after the operation, oldest first.
    pub(super) after_minutes: Vec<PaymentView>,
    /// The recurring payments a day after the operation, oldest first.
    pub(super) after_a_day: Vec<PaymentView>,
    /// The history of each of them, without instants and actors: they depend on the crash.
    pub(super) histories: Vec<Vec<String>>,
    /// How many different notifications of each type the inbox received.
    pub(super) notifications: BTreeMap<String, usize>,
    /// How many terminal sessions Nets verified.
    pub(super) verified: usize,
    /// The transactions of the payment at the end, oldest first.
    pub(super) charges: Vec<ChargeView>,
}

impl Outcome {
    /// The outcome of a terminal of a payment that is stored, and that Nets does not know: only its notification differs from a
    /// request that was never sent.
    pub(super) fn cancelled_with_notification(&self) -> Option<Self> {
        let notifications = [("payment.cancelled".to_owned(), 1)].into();
        let is_cancelled = self.charges.iter().all(|charge| charge.status == "CANCELLED");
        (is_cancelled && !self.charges.is_empty()).then(|| Self { notifications, ..self.clone() })
    }
}

/// The compared properties of a transaction. The instants, and the reason of a cancellation, depend on the crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChargeView {
    status: &'static str,
    captured: u64,
    credited: u64,
}

/// Returns the transactions of a payment, oldest first.
pub(super) fn charge_views(payment: &Payment) -> Vec<ChargeView> {
    let view = |transaction: &Transaction| {
        let (captured, credited) = transaction.sums();
        ChargeView { status: transaction.state.status(), captured, credited }
    };
    payment.transactions.iter().map(view).collect()
}

impl fmt::Display for ChargeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, captured, credited } = self;
        let [captured, credited] = [*captured, *credited].map(amount);
        write!(f, "{status}, captured {captured}, credited {credited}")
    }
}

/// The compared properties of a recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaymentView {
    status: String,
    nickname: Option<String>,
    primary: bool,
    card: Option<String>,
}

/// A change in a history: the status before and after, the reason, and the sequence number of the primary before and after.
pub(super) fn history_view(change: &Value) -> String {
    let primary = |name: &str| change[name].as_u64().map_or(0, |id| id & 1023);
    let text = |name: &str| change[name].as_str().unwrap_or("none").to_owned();
    let (before, after) = (text("statusBefore"), text("statusAfter"));
    let [old, new] = ["primaryBefore", "primaryAfter"].map(primary);
    format!("{before}-{after} {} {old}-{new}", text("reason"))
}

/// Returns the recurring payments of a wallet, oldest first.
pub(super) fn payment_views(wallet: Option<&Wallet>) -> Vec<PaymentView> {
    let Some(wallet) = wallet else { return Vec::new() };
    let view = |payment: &crate::order::spec::Payment| {
        let (status, card) = match &payment.state {
            State::Created(_) => ("CREATED".to_owned(), None),
            State::Active(card) => ("ACTIVE".to_owned(), Some(card)),
            State::Expired(card) => ("EXPIRED".to_owned(), Some(card)),
            State::Cancelled(reason, _, card) => (format!("CANCELLED {reason:?}"), card.as_ref()),
        };
        PaymentView {
            status,
            nickname: payment.nickname.clone(),
            primary: wallet.primary() == Some(payment.sequence),
            card: card.map(|card| card.last_four.clone()),
        }
    };
    wallet.payments.iter().map(view).collect()
}
