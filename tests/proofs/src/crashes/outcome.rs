//! The outcome of a run, without what may differ between runs: instants, ids and the number of repeated deliveries.

use std::collections::BTreeMap;

use crate::order::spec::{State, Wallet};

/// The outcome of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The recurring payments a few minutes after the operation, oldest first.
    pub(super) after_minutes: Vec<PaymentView>,
    /// The recurring payments a day after the operation, oldest first.
    pub(super) after_a_day: Vec<PaymentView>,
    /// How many different notifications of each type the inbox received.
    pub(super) notifications: BTreeMap<String, usize>,
    /// How many terminal sessions Nets verified.
    pub(super) verified: usize,
}

/// The compared properties of a recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaymentView {
    status: String,
    nickname: Option<String>,
    primary: bool,
    card: Option<String>,
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
