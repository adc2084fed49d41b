//! The configurations: the scripts of the processes, and the bounds of faults and time. All states of each are explored.

use chrono::{DateTime, TimeDelta, Utc};

use crate::event::Event;
use crate::nets::PageState;
use crate::operation::{Operation, SequenceNumber};
use crate::system::System;
use crate::wallets::Wallets;
use crate::world::steps::ClockStep;

mod builders;
mod card;
mod lifecycle;
mod primary;
mod time;

/// The bounds of a configuration.
#[derive(Debug, Clone)]
pub struct Bounds<S: System = Wallets> {
    /// How often a change is decided before Busy. In the service: five times.
    pub attempts: u32,
    /// How many messages can be lost.
    pub losses: u8,
    /// How many functions can be killed.
    pub kills: u8,
    /// How often the clock can move.
    pub clock_steps: u8,
    /// How the clock can move.
    pub allowed_clock_steps: Vec<ClockStep>,
    /// Whether a client's clock can be two seconds behind.
    pub clock_skew: bool,
    /// Whether the database returns the stored item when the condition of a write fails, as Amazon's does.
    pub returns_winner: bool,
    /// The actions of the customer that are possible on a page.
    pub customer_actions: Vec<S::CustomerAction>,
}

/// The initial state, and the scripts of the processes.
#[derive(Debug, Clone)]
pub struct Scenario<S: System = Wallets> {
    /// The steps that lead to the initial state.
    pub setup: Vec<S::SetupStep>,
    /// The operations of each process, in sequence.
    pub scripts: Vec<Vec<S::Operation>>,
}

/// A step before the exploration starts.
#[derive(Debug, Clone, Copy)]
pub enum SetupStep {
    /// The customer's organisation has an address for lifecycle events. The first step, if it is used.
    OrganisationWithEvents,
    /// An operation, from beginning to end.
    Run(Operation),
    /// An action of the customer on the newest page of this recurring payment.
    CustomerActs(SequenceNumber, PageState),
    /// The clock moves by this duration.
    AdvanceClock(TimeDelta),
    /// Nets already has an old transaction with the first id of this recurring payment.
    OldTransaction(SequenceNumber),
}

/// One configuration.
#[derive(Debug, Clone)]
pub struct Configuration<S: System = Wallets> {
    /// Its name.
    pub name: &'static str,
    /// A description of the cases that it covers.
    pub about: &'static str,
    /// Its bounds.
    pub bounds: Bounds<S>,
    /// Its initial states and scripts.
    pub scenarios: Vec<Scenario<S>>,
    /// The events that must occur at least once.
    pub expected_events: Vec<Event>,
}

/// The size of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Size {
    /// For `cargo test`, without optimisation.
    Small,
    /// For CI.
    Medium,
    /// For manual runs.
    Large,
}

/// Builds a configuration of a given size.
pub type Builder = fn(Size) -> Configuration;

/// All configurations of wallets, by name.
pub const ALL: &[(&str, Builder)] = &[
    ("primary", primary::primary),
    ("sequences", primary::sequences),
    ("uncertain-writes", primary::uncertain_writes),
    ("conflicts-without-item", primary::conflicts_without_item),
    ("idempotency-keys", primary::idempotency_keys),
    ("created-limit", primary::created_limit),
    ("card", card::card),
    ("card-kinds", card::card_kinds),
    ("sessions", card::sessions),
    ("repeated-terminals", card::repeated_terminals),
    ("notifications", card::notifications),
    ("expiry", time::expiry),
    ("expired-card", time::expired_card),
    ("abandonment", time::abandonment),
    ("lifecycle-events", lifecycle::lifecycle_events),
];

/// The configuration of wallets with this name.
#[must_use]
pub fn configuration(name: &str, size: Size) -> Option<Configuration> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, build)| build(size))
}

impl<S: System> Default for Bounds<S> {
    fn default() -> Self {
        Self {
            attempts: 3,
            losses: 0,
            kills: 0,
            clock_steps: 0,
            allowed_clock_steps: Vec::new(),
            clock_skew: false,
            returns_winner: true,
            customer_actions: vec![S::USUAL_ACTION],
        }
    }
}

/// The instant at which every scenario starts: a Monday.
#[must_use]
pub fn start_instant() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_428_000)
}

/// All combinations of one script for each process, without regard to the order of the processes.
#[must_use]
pub fn combinations<O: Clone>(processes: usize, scripts: &[Vec<O>]) -> Vec<Vec<Vec<O>>> {
    if processes == 0 {
        return vec![Vec::new()];
    }
    let starting_with = |first: usize| {
        let rest = combinations(processes - 1, &scripts[first..]);
        rest.into_iter().map(move |rest| {
            let mut all = vec![scripts[first].clone()];
            all.extend(rest);
            all
        })
    };
    (0..scripts.len()).flat_map(starting_with).collect()
}
