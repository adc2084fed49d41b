//! Three proofs on the real function binaries: concurrent operations have one sequential order, a function can be killed at any
//! point, and every order of a load with faults is paid as its client was told.
//!
//! The functions run in `local`, which simulates their environment. This crate does not use `shared`: the rules are written a
//! second time here, from the contract, so that a mistake in `shared` is not repeated in its check.
//!
//! # Sequential order (`order`)
//!
//! Concurrent clients list, get (some wait for a second or two), create (with and without idempotency keys, and with repeated keys),
//! rename, make primary, end, erase, open terminals, enter valid and declined cards, cancel, and authorize. There are 24 customers
//! at a time; a quarter of the operations are for one of them. The schedules run concurrently, and Nets sends callbacks. Callers are partners, internal back
//! ends, travellers, and callers without access. The clocks of callers differ by up to 1.4 s.
//!
//! A sixth of the operations pay orders with the same customers' cards, which are ended, erased, made primary and expire meanwhile:
//! clients create payments (again with the same and with other facts), open terminals for the customer and for the merchant, with
//! and without `autoSale`, enter the security code or cancel on the page, capture, cancel, credit a part, everything or too much,
//! and get payments and transactions. Other windows cancel, capture or end the card at the same time.
//!
//! Organisation 1 has an address for lifecycle events: the inbox of the local service. A third of the cards expire within three
//! months, so clock jumps announce and expire them.
//!
//! *Injected faults.* Responses of the table are lost, connections break, and requests fail, are throttled, late or slow. In one
//! phase of eight, late requests exceed the client's timeout, so a write is done after its retry. In another phase of eight, half
//! of the requests fail. Reads would be stale if a function asked for eventually consistent ones. Instances are killed. Events are
//! delivered twice, at once or later. Clients time out and retry. A second window calls authorize while a terminal is opened. Some
//! customers have the same slot. After each 3,000 operations there is an idle period: the clock advances by 17 minutes, the
//! schedules run, and then the clock can jump by up to three years. The inbox refuses some events with status 500. AUTH, CAPTURE, ANNUL and CREDIT also fail at Nets: the reply is
//! lost, the call is not done, or it is done half a minute later. The idle period before a jump of more than a day lets two days
//! pass for `settle-payments`, because Nets releases nothing after seven days.
//!
//! *Check.* Every invocation has a trace id, which the SDK sends to the table with each request. The local service reports every
//! request, so the checker knows which versions an invocation read and wrote, independent of its response. The version is the
//! position in the order. No search is necessary, and each check takes constant time ([`order::checker`]):
//!
//! - The versions of a wallet are 1, 2, 3, …. Each is written once, by a known invocation, in the customer's slot.
//! - Each version is the result of the sequential specification ([`order::spec`]) for the previous version, the call and its
//!   instant: recurring payments, choices, sessions, cards, keys, removed entries, both indexes, and which entries have pan hashes.
//! - Each response (status and whole body) is the specification's response at a version that the invocation read or wrote. Of a
//!   problem, the status, type and `errorReason` are compared, not the texts. The instant is that of the call; for a request that
//!   waits, it can be any instant within its wait.
//! - A read version is not older than the newest version that a response had shown when the call began.
//! - A call takes effect at most once. A refused or busy call writes nothing, and there is no write after a response. A call with
//!   the response 503, or whose response is lost because the function was killed, may have taken effect; its write is checked.
//! - The result of a reconciliation follows from what customers did on the pages at Nets, which is part of the order. Each card
//!   that is entered in time is stored, and in an idle period nothing is due.
//! - No function panics, fails or times out. At most a fifth of the responses may be 503 or busy.
//!
//! *Check of lifecycle events.* There are rules for consecutive versions of a wallet (`order/checker/events.rs`), and for the inbox:
//!
//! - The specification has the wallet directly before and after each instant at which time alone changes it, and directly before and
//!   after the operation ([`order::spec::LifecycleEvent`]). So each `expiring`, `expired` and `primary-changed` is specified with its
//!   instant and all of its facts: those of the card, whether it was primary, or the old one, the new one and the reason. A version
//!   adds these events, each once, and no others.
//! - Events are stored in the order of their instants, at most 16 of a kind. A recurring payment is marked as announced if and only
//!   if its `expiring` was stored.
//! - An event is removed only by a schedule that delivers, and only after the inbox had accepted it or 72 hours after its first
//!   attempt; or because there are more than 16 of its kind and it is the oldest; or with the data of an erased customer.
//! - An attempt is stored only by a schedule that delivers, when it is due. The next one is planned after 1, 2, 4, … minutes, at most
//!   6 hours. `expiryAt` includes the next notice, and `taskAt` the next attempt.
//! - Each delivery is of an event that was stored, and has the body that the contract defines for it. There are at most as many
//!   deliveries as stored attempts.
//! - In an idle period no notice and no attempt is due. After the load, every event that is still stored is delivered.
//! - The wallets of other organisations have no events.
//!
//! *Check of payments* ([`order::payments`]). Each payment is an item with versions of its own. Its checker has no second copy of the
//! whole state machine; it has rules for consecutive versions, for responses, for calls of Nets, and for the end:
//!
//! - The versions of a payment are 1, 2, 3, …, at the id of its order. Each is written once, by a known invocation whose caller may
//!   access the card. Facts of orders, transactions and registrations never change. Every status, and every stored choice and credit,
//!   follows from the one before (the rules are in `order/payments/transitions.rs`). At most one transaction is live or captured. The
//!   captured and credited sums only grow. Work that is left at Nets is in the index.
//! - Each response shows a version that the invocation read or wrote, and not an older one than responses had shown before. A
//!   success has the whole body of that version, and a refusal is true for it. A payment is created only with an ACTIVE card.
//! - AUTH and CAPTURE are sent only for a registration that is stored as chosen. No AUTH is sent after a response that the card is
//!   ended or erased, nor after its expiry, except by an invocation that began before. CREDIT is sent only after it is stored.
//!   Without a request to capture, only a terminal with `autoSale` is captured, and no AUTH is sent for what Nets authorizes itself.
//! - At the end the schedule runs until nothing is planned. Then every payment must agree with the sandbox's ledger: an order is
//!   captured at most once, and only its whole total; at most that is credited; the credited sum is the largest confirmed total, or
//!   a larger one that was requested and whose response is unclear; an answered capture is captured, an answered cancellation is
//!   not; every authorization is captured or annulled; the stored sums are those of the ledger; no credit is in progress.
//!
//! Where the contract does not define a behaviour, the specification follows `docs/DECISIONS.md`. Because
//! clocks differ, an end that appears to be in the future counts as now.
//!
//! # Crash points (`crashes`)
//!
//! Every operation ([`crashes::SCENARIOS`]) first runs without a crash. Its side effects, as recorded by `local`, must be those
//! listed in the scenario, so that a new side effect cannot be overlooked. Then, for each side effect, the function is killed
//! (SIGKILL) before and after it, once with a client that retries and once with a client that does not. The schedules run for a
//! day. The outcome must be that the operation was done once. Without a retry it can also be that the operation was never
//! requested, or was done and the response lost. A retry without an idempotency key may do the operation twice. In all cases:
//! exactly one of the live recurring payments is primary, no session is verified twice, each notification is signed and is repeated
//! only with the same id, only ACTIVE recurring payments have pan hashes, and nothing stays due.
//!
//! A client that pays an order repeats its request until the response is neither 503 nor busy, and then completes the purchase. The
//! schedules run until nothing is planned for the payment. The payment must agree with the sandbox's ledger, as in `order`, and each
//! result must be notified once.
//!
//! # Load with faults (`purchases`)
//!
//! Clients pay orders over HTTP, through the gateway and the authorizer ([`purchases`]): at a terminal or without the customer, with
//! and without `autoSale`; some cancel, credit, leave the page, send two captures at once, or capture and cancel at the same time.
//! Calls of Nets are lost on the way or on the way back, fail, take 10 s, are executed half a minute later, or do not show the
//! last half minute. Requests to the tables are lost, fail, are throttled, late or slow. Clients repeat a request after
//! `Retry-After`, by the local clock, which advances when all of them wait.
//!
//! At the end every order is compared with the stored payment and the sandbox's ledger, by the same rules as in `order`. In
//! addition, an answered capture and an auto sale are captured, an answered cancellation and an abandoned order are not, and the
//! credited sum is the total that was requested last. The report has the responses, their times, the requests to the tables and
//! the calls of Nets. Its times are those of this machine.
//!
//! # Limits
//!
//! - Notifications about setups and payments (`callbackUrl`) and the signatures of all notifications are in `crashes` only. Tokens and
//!   the authorizer are in neither proof: the events of requests are built here.
//! - In `order`, Register, VERIFY and Query do not fail at Nets; `tests/api/nets_failures.rs` and `tests/api/payments` cover these.
//! - Nets' calls have no trace id. So AUTH is attributed to all invocations that are in progress and can have sent it.
//! - Deliveries have no trace id. So it is not checked that the run of a schedule that removes an event is the one that delivered it.
//!   The order of deliveries is not checked either; `tests/api/lifecycle_events.rs` covers it.
//! - `MerchantInitiatedCards` is `any` in both proofs, so that all cards are also charged without the customer.
//! - Random numbers of clients and faults come from the seed. Which request gets which fault depends on timing, so a seed repeats
//!   the same kind of run, not the same run.
//! - One read in eight is compared as a whole with the written item; of the other reads only the version is compared.
//! - Every 250,000 operations a new segment begins with a new service and a new clock. This limits memory use and keeps the expiry
//!   years of cards in one century. Segments can run in parallel (`--services`); most of a run is waiting for retries.
//! - A write that does not reach the table cannot be observed, so attempts are counted by the reads after them. A read or a refused
//!   write whose response is lost and that the SDK repeats counts twice: then "busy" after four attempts is accepted. "Busy" after
//!   a fifth write that did not reach the table is accepted too, if an earlier write was refused.
//! - A wallet uses less than its 1,023 sequence numbers here; `shared` tests what comes after.
//!
//! # Running
//!
//! ```sh
//! cargo test -p proofs           # 900 operations, every crash point of authorize, and 60 orders
//! .ci/release
//! cargo proofs order --operations 200000 --seed 1 --services 4 --functions target/deployed
//! cargo proofs crashes --functions target/deployed  # --only authorize
//! cargo proofs purchases --orders 10000 --functions target/deployed
//! cargo proofs order --functions FOLDER --environment NAME=value
//! ```
//!
//! On dynalite 4.0.0, which processes one request at a time and returns no item when a condition fails:
//!
//! ```sh
//! npx dynalite@4.0.0 --host 127.0.0.1 --port 4567 --createTableMs 0 --deleteTableMs 0 &
//! DYNAMODB_ENGINE=http://127.0.0.1:4567 cargo proofs order --operations 12000 --seed 2 --functions target/deployed
//! ```
//!
//! The exit status is 0 without a violation, 1 with a violation (the last line of the output, after the history of the wallet), and
//! 2 if the proof cannot run.

pub mod crashes;
pub mod ledger;
mod local_access;
pub mod order;
pub mod purchases;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The function binaries to test.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// Folder of the binaries. If absent, they are built from the sources.
    pub folder: Option<PathBuf>,
    /// Additional environment variables of every function.
    pub environment: BTreeMap<String, String>,
}

impl Functions {
    /// Options of a local service with these functions.
    fn options(&self) -> local::Options {
        // Cards are stored without an agreement here, and also charged without the customer.
        let mut environment = self.environment.clone();
        environment
            .entry("MERCHANT_INITIATED_CARDS".to_owned())
            .or_insert_with(|| "any".to_owned());
        local::Options { functions: self.folder.clone(), environment, ..local::Options::default() }
    }
}

/// The reason why a proof did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A violation, in one line, and the events before it.
    #[error("violation: {0}")]
    Violation(String, Vec<String>),
    /// The proof cannot run.
    #[error("cannot run: {0}")]
    CannotRun(String),
}

impl Failure {
    fn cannot_run(error: &dyn std::fmt::Display) -> Self {
        Self::CannotRun(error.to_string())
    }
}
