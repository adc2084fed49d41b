//! The business rules as pure functions: no I/O, no clock, no JSON. Every result depends only on the arguments.

pub mod audit;
pub mod caller;
pub mod card;
pub mod customer;
pub mod history;
pub mod id;
pub mod money;
pub mod notification;
pub mod order;
pub mod owner;
pub mod payment;
pub mod recurring_payment;
pub mod terminal;
pub mod text;
pub mod wallet;
