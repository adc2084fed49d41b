//! Payments with stored cards: the operations, the stored items, the rules for their versions and responses, and the checker.
//!
//! The rules are written from payments.md and openapi.yaml, not from `shared`. A payment is an item of its own, so each payment has
//! its own sequence of versions.

pub mod checker;
mod event;
pub mod item;
pub mod operation;
mod representation;
mod responses;
mod settled;
#[cfg(test)]
mod tests;
mod transitions;

pub(super) use event::{TABLE, parts, table_event};
pub(crate) use representation::amount;
pub(crate) use settled::check_payment;
