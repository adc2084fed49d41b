//! The configurations: who does what, and what can go wrong meanwhile. Each is explored to its last state.

use chrono::{DateTime, TimeDelta, Utc};

use crate::event::Event;
use crate::nets::Page;
use crate::operation::{Operation, Place};
use crate::world::steps::Wait;

mod card;
mod primary;
mod time;
mod words;

/// How far a configuration goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How often a change is decided before Busy. In the service five times.
    pub tries: u32,
    /// How many messages are lost.
    pub losses: u8,
    /// How many functions are killed.
    pub kills: u8,
    /// How often the clock moves.
    pub steps_of_clock: u8,
    /// How it can move.
    pub waits: Vec<Wait>,
    /// Whether a client's clock can be two seconds behind.
    pub skewed: bool,
    /// Whether the engine says what beat a write, as Amazon's does.
    pub telling: bool,
    /// What the customer can do at a page.
    pub pages: Vec<Page>,
}

/// Who does what, and what was there before.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// What has happened before anybody begins.
    pub before: Vec<Before>,
    /// Each party's operations, one after the other.
    pub scripts: Vec<Vec<Operation>>,
}

/// Something that has happened before.
#[derive(Debug, Clone, Copy)]
pub enum Before {
    /// An operation, from beginning to end.
    Done(Operation),
    /// The customer entered something at the newest page of this one.
    Entered(Place, Page),
    /// The clock moved.
    Passed(TimeDelta),
    /// Nets knows the first transaction id of this one from long ago.
    Remembered(Place),
}

/// One configuration.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in a sentence.
    pub about: &'static str,
    /// How far it goes.
    pub bounds: Bounds,
    /// Where it begins.
    pub scenarios: Vec<Scenario>,
    /// What has to happen in it.
    pub expects: Vec<Event>,
}

/// How large a configuration is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Size {
    /// For `cargo test`, without optimisation.
    Small,
    /// For CI.
    Medium,
    /// By hand.
    Large,
}

/// Makes a configuration of a size.
pub type Make = fn(Size) -> Configuration;

/// Every configuration, by its name.
pub const ALL: &[(&str, Make)] = &[
    ("primary", primary::primary),
    ("chains", primary::chains),
    ("doubt", primary::telling),
    ("silent", primary::silent),
    ("keys", primary::keys),
    ("many", primary::many),
    ("card", card::card),
    ("found", card::found),
    ("visits", card::visits),
    ("repeats", card::repeats),
    ("told", card::told),
    ("time", time::time),
    ("late", time::late),
    ("absence", time::absence),
];

/// The configuration with this name.
#[must_use]
pub fn configuration(name: &str, size: Size) -> Option<Configuration> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, make)| make(size))
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            tries: 3,
            losses: 0,
            kills: 0,
            steps_of_clock: 0,
            waits: Vec::new(),
            skewed: false,
            telling: true,
            pages: vec![Page::Card],
        }
    }
}

/// When every scenario begins: a Monday.
#[must_use]
pub fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_428_000)
}

/// Every way to give so many parties a script each, whatever their order.
#[must_use]
pub fn each_of(parties: usize, scripts: &[Vec<Operation>]) -> Vec<Vec<Vec<Operation>>> {
    if parties == 0 {
        return vec![Vec::new()];
    }
    let with = |first: usize| {
        let rest = each_of(parties - 1, &scripts[first..]);
        rest.into_iter().map(move |rest| {
            let mut all = vec![scripts[first].clone()];
            all.extend(rest);
            all
        })
    };
    (0..scripts.len()).flat_map(with).collect()
}
