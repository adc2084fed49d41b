//! The protocol that keeps a wallet, as a model of which every state is visited.
//!
//! A test tries some orders of events. This visits all of them, within bounds: 2 to 4 parties on one wallet (clients, Nets'
//! callback, the two schedules), and between any two of their steps anybody else's, a killed function, a lost message, one
//! that arrives late, a customer at Nets' page, or a step of the clock. In each state every property of [`breach`] has to hold.
//!
//! # Reading order
//!
//! | module | what |
//! |---|---|
//! | [`operation`] | what a party can set off |
//! | [`protocol`] | what then runs: `Store::change_found`, `Terminals::open`, `App::complete`, `App::finish`, `Store::settle`, `Teller::tell`, written down once more, line by line, with the same names |
//! | [`wire`] | how a straight line of code becomes steps: each request that leaves a function is one |
//! | [`item`], [`nets`] | what the table and Nets make of a request |
//! | [`world`] | a state, and all that can happen next |
//! | [`truth`] | api.md §6 once more, written from the page: what is so, whatever the wallet says |
//! | [`breach`] | the properties |
//! | [`event`] | what has to happen somewhere, so that nothing holds for want of trouble |
//! | [`configuration`] | who does what |
//! | [`flaw`] | rules of the protocol that can be broken, to see that it is found |
//!
//! # What is real
//!
//! The wallet is `shared`'s own: `create`, `update`, `end`, `erase`, `open_terminal`, `take_over`, `setup`, `conclude`,
//! `begin_tries`, `heard`, `give_up`, `due`, and whatever time does. So are the ids, the visits, the findings, and the words
//! that Nets' answers are read into. A fault in those rules is found here like one in the protocol.
//!
//! # What is transcribed
//!
//! `shared/src/storage.rs`, `storage/due.rs`, and of `storage/item.rs` what they depend on: version, ids of writes and the
//! two indexes; `app.rs`, `app/look.rs`, `app/teller.rs`, `app/terminals.rs`. Whoever changes one of these changes its
//! transcription. It is kept short, so that both can be read side by side.
//!
//! # What can happen
//!
//! - A request is carried out and answered. Or it is lost on its way there or back: its sender hears nothing, goes on as it
//!   would, and the request may still be carried out at any later moment, or never.
//! - A write is carried out, its answer lost, and the SDK sends it again.
//! - A function is killed (SIGKILL, its time over, its client gone): what it knew is gone, what it sent may still arrive.
//! - The engine says what beat a write (`ALL_OLD`), as Amazon's does, or does not, as dynalite.
//! - The customer enters a good card, one that is over soon, one that is declined for now or for good, or presses cancel; at a
//!   page whose address somebody was given, for 15 minutes.
//! - Nets calls back about whatever the customer has done, whenever it likes.
//! - The clock moves: to when something is due, a millisecond before, by a second, two or 16 minutes, a day, three days, three
//!   years. A client's clock can be two seconds behind.
//! - A schedule begins when the index says that something is due; what the index says may have been overtaken by then.
//!
//! # In the end
//!
//! "In the end the card is there" is checked from every state, not only from those in which a way ends: [`world::aftermath`]
//! kills everybody, drops what is on its way, and lets the two schedules run on, driven by what the indexes say. Whatever
//! customers have completed is then ACTIVE, what time took is gone, and whoever is to be told has been. That is stronger than
//! `stateright`'s `eventually`, which looks at the last state of a way only.
//!
//! # What is left out, and why
//!
//! - One customer, one slot: wallets do not know of each other, and probes have tests of their own.
//! - Who may see what: it is decided before anything is changed.
//! - Pauses between tries: whoever is between two steps waits anyhow, as long as the model likes.
//! - All ids of writes are remembered, not eight: no bound here has nine writes between one and its recognition. What is said
//!   then is held by `shared/tests/storage.rs`, and was found by `tests/proofs`.
//! - A change is tried two or three times, not five. More of the same.
//! - A function that is killed while it waits to *read* is not a step: what it leaves it would have left before.
//! - Of two parties with the same script, the first begins first: the other way round is the same with other names.
//! - Nets' VERIFY is possible for as long as the page's recurring payment waits; in truth for 24 hours after the visit.
//! - Everything else of the contract that is decided by one read: texts, lists, limits per hour, sixteen ended ones.
//!
//! # What is taken for granted
//!
//! - No request lives 30 seconds, and no run of a schedule 90 (`template.yaml`): the clock does not pass them by.
//! - `DynamoDB`'s conditional write and consistent read are what they are said to be. Nets verifies a transaction once, however
//!   often it is asked (`netaxept.md` §4); the properties say that we do not lean on it more than two at once have to.
//! - What Nets was sent and its sender gave up, it begins within 30 seconds or never, if it is a Register.
//!
//! # Running it
//!
//! ```sh
//! cargo test -p model                                      # small bounds, every flaw
//! cargo run --profile proof --bin model -- --all           # CI's bounds
//! cargo run --profile proof --bin model -- --all --size large
//! cargo run --profile proof --bin model -- --config card --flaw writes-off-the-young
//! ```
//!
//! It prints a row for each configuration, and ends with 1 when a property does not hold, with the shortest way to where it
//! does not, or when something that has to happen never did. `--events` says how often each did. `--depth` stops early.

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
