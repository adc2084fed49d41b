//! Models of the protocols of wallets and payments, and a model checker ([`stateright`]) that explores every state of them.
//!
//! Other tests run some orders of events. The model checker runs all of them, within bounds: two to four processes on one wallet or
//! on one payment (clients, Nets' callback, the schedules). Between any two steps of one process it tries each step of the others,
//! a killed function, a lost message, a late message, an action of the customer on Nets' page, and a step of the clock. Every
//! property in [`violation`] must hold in every state.
//!
//! # Modules
//!
//! Both models use these modules:
//!
//! | module | content |
//! |---|---|
//! | [`system`] | what the protocol needs to know of a wallet or a payment |
//! | [`storage`] | a transcription of `storage/change.rs`: load, decide, and write under a condition |
//! | [`wire`] | how sequential code is divided into steps: each request that leaves a function is one step |
//! | [`run`] | the progress of an operation |
//! | [`item`], [`table`] | the stored item, and how the table executes a request |
//! | [`violation`] | the properties |
//! | [`subject`] | what a notification is about |
//! | [`event`] | events that must occur at least once, so that no property holds only because nothing happened |
//! | [`configuration`] | the bounds, and the processes and operations of wallets |
//! | [`defect`] | defects that can be added to the protocols, as a test of the properties |
//! | [`exploration`], [`report`] | the interface to `stateright`, and the output |
//!
//! The module [`payment`] is the model of payments, with its own documentation. The other modules are the model of wallets, which the
//! following sections describe:
//!
//! | module | content |
//! |---|---|
//! | [`wallets`] | the keys and requests of wallets |
//! | [`operation`] | the operations of a process |
//! | [`protocol`] | what an operation does: a transcription of `Terminals::open`, `App::complete`, `App::finish`, `Store::expire` and `NotificationSender::deliver`, with the same names |
//! | [`nets`] | how Nets executes a request |
//! | [`world`] | a state, the steps that are possible in it, and their effects |
//! | [`annotation`] | the effect of a write in terms of api.md §6 |
//! | [`specification`] | api.md §6 a second time, written from the contract: the expected state, independent of the wallet |
//! | [`model`] | the interface to `stateright` |
//!
//! # Code of the service
//!
//! The model uses the wallet of `shared`: `create`, `update`, `end`, `erase`, `open_terminal`, `resume_registration`, `setup_progress`,
//! `apply_reconciliation`, `begin_delivery_attempts`, `remove_notification`, `expire_notifications`, `drop_undeliverable_events`,
//! `due`, and the rules that depend on time, with and without lifecycle events. It also uses the ids, the terminal sessions, the
//! reconciliations, and the types of Nets' answers. So the model finds an error in these rules as well as one in the protocol.
//!
//! # Transcribed code
//!
//! These files are transcribed: `shared/src/storage.rs`, `storage/change.rs`, `storage/table.rs`,
//! `storage/uncertain_write.rs`, `storage/write_ids.rs`, `storage/due.rs`, the parts of `storage/item.rs` that they use (the version
//! and the two indexes), `app.rs`, `app/reconciliation.rs`, `app/notification_sender.rs` and `app/terminals.rs`; and for payments `app/payments.rs`,
//! `app/payment_terminals.rs`, `app/charges.rs`, `app/settlement.rs`, `app/credits.rs` and `app/payment_tasks.rs`. Change the
//! transcription together with the file. It is short, so that both can be compared side by side.
//!
//! # Possible steps
//!
//! - A request is executed, and its reply arrives. Or the request or its reply is lost: the sender gets no reply and continues,
//!   and the request may still be executed at any later time, or never.
//! - A write is executed, its reply is lost, and the SDK sends the write again.
//! - A function is killed (SIGKILL, timeout, closed connection): its memory is lost, and its last request may still arrive.
//! - When the condition of a write fails, the database returns the stored item (`ALL_OLD`), as Amazon's does, or it does not, like
//!   dynalite.
//! - The customer enters a valid card, a card that expires soon, or a card with a soft or a hard decline, or cancels. This is
//!   possible for 15 minutes, on a page whose address was returned to a client.
//! - Nets sends a callback at any time after the customer has acted.
//! - The clock moves: to the next due time, to a millisecond before it, or by a second, 1, 2 or 16 minutes, 24 or 73 hours, or
//!   three years. The clock of a client can be two seconds behind.
//! - A schedule starts when an index has a due entry. The entry may be stale when the schedule reads the wallet.
//!
//! # Eventual properties
//!
//! A property such as "a completed card is stored in the end" is checked from every state, not only from final states. For
//! this, [`world::recovery`] kills all processes, drops all messages, and runs the two schedules as the indexes demand. Then
//! every completed card has to be stored, every expiry applied, and every notification delivered. This is stronger than
//! `stateright`'s `eventually`, which considers only the last state of a path.
//!
//! # Limits of the model
//!
//! - There is one customer and one slot. Wallets are independent of each other, and the probing of slots has tests of its own.
//! - Access control is not modelled. It is decided before any change.
//! - Pauses between attempts are not modelled. A process can be delayed between any two of its steps.
//! - An item keeps the ids of all writes, not of eight. Within the bounds no write is followed by eight others before its writer
//!   looks for it. `shared/tests/storage.rs` tests this limit.
//! - A change has two or three attempts, not five.
//! - A function is not killed while it waits for a read. The state would be the same as before the read was sent.
//! - Of two processes with the same script, the first starts first. The other order is equivalent.
//! - VERIFY is possible as long as the recurring payment is CREATED. Nets accepts VERIFY only for 24 hours after the session.
//! - Rules that depend on a single read are not modelled: texts, lists, rate limits, the limit of sixteen ended recurring
//!   payments.
//!
//! # Assumptions
//!
//! - No request takes 30 seconds, and no run of a schedule takes 90 (`template.yaml`). The clock does not move further than
//!   that while one is in progress.
//! - `DynamoDB`'s conditional writes and consistent reads are correct. Nets verifies a transaction once, even if VERIFY is
//!   repeated (`netaxept.md` §4). The properties check that the service repeats VERIFY only when two processes run at the same
//!   time.
//! - Nets starts a Register within 30 seconds after its sender stopped waiting, or never.
//!
//! # Usage
//!
//! ```sh
//! cargo test -p model                                      # small bounds, every defect
//! cargo model --all           # the bounds of CI
//! cargo model --all --size large
//! cargo model --config card --defect closes-session-during-registration
//! ```
//!
//! The program prints one row for each configuration. If a property does not hold, it prints the shortest path to a violation.
//! It exits with 1 if a property does not hold, or if an expected event never occurs. `--events` prints the number of each
//! event. `--depth` limits the length of the paths.

pub mod annotation;
pub mod configuration;
pub mod defect;
pub mod event;
pub mod exploration;
pub mod item;
pub mod model;
pub mod nets;
pub mod operation;
pub mod payment;
pub mod protocol;
pub mod report;
pub mod run;
pub mod specification;
pub mod storage;
pub mod subject;
pub mod system;
pub mod table;
pub mod violation;
pub mod wallets;
pub mod wire;
pub mod world;
