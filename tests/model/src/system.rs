//! What the models of wallets and of payments have in common: an aggregate in one item of a table, and functions that change it.

use std::fmt::Debug;
use std::hash::Hash;

use chrono::{DateTime, Utc};

use crate::item::Item;
use crate::wire::{Stop, Wire};

/// A part of the service, as far as the protocol of its store needs to know it.
pub trait System: Debug + Clone + Copy + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The aggregate of `shared`.
    type Aggregate: Debug + Clone;
    /// The stored data of the aggregate.
    type Contents: Debug + Clone + PartialEq + Eq + Hash + Send + Sync;
    /// How an aggregate is found. The keys differ only while no item is stored.
    type Key: Debug + Clone + Copy;
    /// Why a rule does not allow a request.
    type Refusal: Debug + Clone + Copy + PartialEq + Eq;
    /// An operation of a process.
    type Operation: Debug + Clone + Copy + PartialEq + Eq + Hash + Send + Sync;
    /// The response to an operation that succeeded.
    type Success: Debug;
    /// A step of the setup of a scenario.
    type SetupStep: Debug + Clone + Copy + Send + Sync;
    /// An action of the customer on a page.
    type CustomerAction: Debug + Clone + Copy + Send + Sync;
    /// The action that most configurations allow.
    const USUAL_ACTION: Self::CustomerAction;
    /// A request to another receiver than the table.
    type Call: Debug + Clone + PartialEq + Eq + Hash + Send + Sync;
    /// The reply to such a request.
    type Answer: Debug + Clone + PartialEq + Eq + Hash + Send + Sync;
    /// The facts when a run began. Only the properties read them.
    type AtBegin: Debug + Clone + Default + PartialEq + Eq + Hash + Send + Sync;
    /// The effect of a write. Only the properties read it.
    type Annotation: Debug + Clone + PartialEq + Eq + Hash + Send + Sync;

    /// The aggregate in an item, as of `now`.
    fn open(contents: Self::Contents, now: DateTime<Utc>) -> Self::Aggregate;
    /// The aggregate if there is no item, and the contents that do not have to be written.
    ///
    /// # Errors
    /// The refusal for a key that needs an item.
    fn missing(
        key: Self::Key,
        now: DateTime<Utc>,
    ) -> Result<(Self::Aggregate, Self::Contents), Self::Refusal>;
    /// The data of the aggregate.
    fn contents(aggregate: &Self::Aggregate) -> &Self::Contents;
    /// The data to store.
    fn stored(aggregate: &Self::Aggregate) -> Self::Contents;
    /// When the aggregate is due.
    fn due(aggregate: &Self::Aggregate) -> Entries;
    /// The index entries of an item that replaces another one.
    fn entries(
        aggregate: &Self::Aggregate,
        replaces: Option<&Item<Self>>,
        now: DateTime<Utc>,
    ) -> Entries;
    /// Runs an operation until it ends or waits for a reply.
    ///
    /// # Errors
    /// `Waiting` with a request that has no reply yet, or `Failed` with the error for the caller.
    fn run(
        wire: &mut Wire<'_, Self>,
        operation: Self::Operation,
        now: DateTime<Utc>,
    ) -> Result<Self::Success, Stop<Self>>;
}

/// The instants at which an aggregate is due, or its entries in the two indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Entries {
    /// For expiries. Payments have none.
    pub expiry: Option<DateTime<Utc>>,
    /// For background tasks.
    pub task: Option<DateTime<Utc>>,
}
