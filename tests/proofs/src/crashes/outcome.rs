//! How everything ended, without what may differ: instants, ids and how often the same thing was told.

use std::collections::BTreeMap;

use crate::order::spec::{State, Wallet};

/// How everything ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The recurring payments soon after it, oldest first.
    pub(super) soon: Vec<Shown>,
    /// And after a day.
    pub(super) late: Vec<Shown>,
    /// What callers were told, each notification once: how often each kind.
    pub(super) told: BTreeMap<String, usize>,
    /// How many visits Nets verified.
    pub(super) verified: usize,
}

/// A recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    status: String,
    nickname: Option<String>,
    primary: bool,
    card: Option<String>,
}

/// What is to be seen of a wallet.
pub(super) fn shown(wallet: Option<&Wallet>) -> Vec<Shown> {
    let Some(wallet) = wallet else { return Vec::new() };
    let one = |payment: &crate::order::spec::Payment| {
        let (status, card) = match &payment.state {
            State::Created(_) => ("CREATED".to_owned(), None),
            State::Active(card) => ("ACTIVE".to_owned(), Some(card)),
            State::Expired(card) => ("EXPIRED".to_owned(), Some(card)),
            State::Cancelled(reason, _, card) => (format!("CANCELLED {reason:?}"), card.as_ref()),
        };
        Shown {
            status,
            nickname: payment.nickname.clone(),
            primary: wallet.primary() == Some(payment.place),
            card: card.map(|card| card.last_four.clone()),
        }
    };
    wallet.payments.iter().map(one).collect()
}
