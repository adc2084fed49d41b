//! Two proofs, on the real function binaries: that what many clients see is one order, and that a function may be killed anywhere.
//!
//! The functions run in `local`, which plays everything around them. This crate does not use `shared`: what is right is written
//! down here a second time, from the contract, so that one mistake cannot cancel itself out.
//!
//! # One order (`order`)
//!
//! Many clients list, get, create (with idempotency keys and without, and again with the same), rename, choose, end, erase, open
//! pages, enter cards, have them declined, cancel, and authorize, for 24 customers at a time, a quarter of it for one of them.
//! Both schedules run beside them, and Nets calls back. Callers are partners, our own back ends, travellers, and those who must
//! not see. Their clocks differ by up to 1.4 s.
//!
//! *Trouble.* Answers of the table are lost, its connections break, it fails, throttles, is late (in one phase of eight later
//! than anybody waits, so that a write is done after it was tried again) or slow, in another phase of eight half of what it is
//! asked goes wrong, and it would read stale if it were asked for such reads; instances are killed; events are delivered twice, at once or later; clients do not wait and ask again; an authorize of
//! another window comes while a page is being opened. Some customers' wallets meet in one slot. After each 3,000 operations there
//! is a moment of quiet: time moves by 17 minutes, the schedules do what is due, and then time may jump by up to three years.
//!
//! *Witness.* Every invocation has a trace id, which the SDK sends to the table with each request. So the table's door knows
//! which version an invocation read, and which it wrote, whatever the function says. A version is the place in the order; nothing
//! has to be searched, and everything is checked in constant time ([`order::checker`]):
//!
//! - the versions of a wallet are 1, 2, 3, …, each written once, by somebody known, where the customer's wallet belongs;
//! - each version is what the sequential specification ([`order::spec`]) makes of the one before it, by that call at its instant:
//!   recurring payments, choices, visits, cards, keys, what is forgotten, both indexes, and where pan hashes are;
//! - each answer, status and whole body, is what the specification answers at a version that the invocation read or wrote. Of a
//!   refusal status, type and `errorReason` count, not the words;
//! - a version is not older than what anybody had been told when the call began;
//! - a call is done once at most: what was refused or busy has written nothing, what was answered writes no more. A call that was
//!   answered 503, or whose answer nobody knows because its function was killed, may have been done, and is held against what it
//!   wrote;
//! - what looks at Nets can have found follows from what customers did at its pages, which is part of the order. No card that was
//!   entered in time stays unfetched, and in a moment of quiet nothing is due;
//! - no function panics, fails or takes too long; at most a fifth of the answers may be 503 or busy.
//!
//! Where the contract is silent the specification says what README.md calls ours. Clocks that differ: what seems to have ended in
//! the future ended now.
//!
//! # Crashes (`crashes`)
//!
//! Every operation ([`crashes::SCENES`]) is run undisturbed first: what it changes outside of itself, as it passes `local`'s
//! doors, has to be what is written down for it, so that a new change is not forgotten. Then, for each change, its function is
//! killed (SIGKILL) before and after it, with a client who asks again and one who is gone. The schedules do what is due for a
//! day. It has to end as if the operation had been done once, or, when nobody asked again, as if it had never been asked for, or
//! as if its answer had reached nobody. Asking again for what has no idempotency key may do it twice, as asked. Always: exactly
//! one primary among those that are live, no visit verified twice, each notification signed and at most repeated with its id, pan
//! hashes where they belong, nothing left due.
//!
//! # Limits
//!
//! - What callers are told (`callbackUrl`) is in `crashes` alone; the token and its authorizer are in neither: events are made
//!   here.
//! - Nets makes no trouble in `order`; `tests/api/doubts.rs` has that.
//! - Chance is by seed, for clients and trouble. Which request meets which trouble depends on who comes first, so a seed gives
//!   the same kind of run again, and not the same run.
//! - Of reads one in eight is compared with what was written, whole; of the others the version counts.
//! - Every 250,000 operations everything begins anew: so memory does not grow, and cards do not run out of years. Such chapters
//!   may run side by side (`--services`), each on its own: much of a run's time somebody is waiting to try again.
//! - The door does not see a write that never arrives, so decisions are counted by what an invocation saw after them. A read or a
//!   refused write whose answer was lost, and that was repeated, counts twice: then "busy" after four decisions would pass. So
//!   would "busy" after a fifth write that never arrived, if an earlier one was refused.
//! - A wallet gives out less than its 1,023 places here; `shared` tests what comes after.
//!
//! # Running
//!
//! ```sh
//! cargo test -p proofs                                    # 1,500 operations, and every crash
//! cargo build --profile proof --package model --package proofs && .ci/release
//! target/proof/proofs order --operations 200000 --seed 1 --services 4 --functions target/release
//! target/proof/proofs crashes --functions target/release  # --only authorize
//! target/proof/proofs order --functions FOLDER --environment NAME=value
//! ```
//!
//! On dynalite 4.0.0, which does one thing at a time and brings no item with a refused condition:
//!
//! ```sh
//! npx dynalite@4.0.0 --host 127.0.0.1 --port 4567 --createTableMs 0 --deleteTableMs 0 &
//! DYNAMODB_ENGINE=http://127.0.0.1:4567 target/proof/proofs order --operations 12000 --seed 2 --functions target/release
//! ```
//!
//! The program ends with 0 when all is as it has to be, with 1 and one line (before it, what had happened to the wallet) when
//! something is not, and with 2 when it could not try.

pub mod crashes;
pub mod order;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which functions are put to the proof.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// The folder of their binaries; none: those of the sources, built if need be.
    pub folder: Option<PathBuf>,
    /// More variables for each of them.
    pub environment: BTreeMap<String, String>,
}

impl Functions {
    /// A local service with them.
    fn options(&self) -> local::Options {
        local::Options {
            functions: self.folder.clone(),
            environment: self.environment.clone(),
            ..local::Options::default()
        }
    }
}

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something is not as it has to be: in one line, and what led to it.
    #[error("violation: {0}")]
    Violation(String, Vec<String>),
    /// It could not be tried.
    #[error("can not run: {0}")]
    CannotRun(String),
}

impl Failure {
    fn cannot_run(error: &dyn std::fmt::Display) -> Self {
        Self::CannotRun(error.to_string())
    }
}
