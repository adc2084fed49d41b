//! The protocol that keeps a wallet, as a model that is explored to its last state.

pub mod breach;
pub mod check;
pub mod configuration;
pub mod event;
pub mod flaw;
pub mod intent;
pub mod item;
pub mod model;
pub mod nets;
pub mod operation;
pub mod protocol;
pub mod report;
pub mod run;
pub mod truth;
pub mod wire;
pub mod world;
