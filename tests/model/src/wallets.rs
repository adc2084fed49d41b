//! The wallets as a [`System`]: their keys, their requests, and names for the types of the model.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::customer::Organisation;
use shared::domain::id::TransactionId;
use shared::domain::notification::{Notification, WalletEvent};
use shared::domain::owner::Owner;
use shared::domain::terminal::TerminalSession;
use shared::domain::text::CallbackUrl;
use shared::domain::wallet::{Contents, LifecycleRules, Wallet};
use shared::error::Refusal;
use shared::netaxept::{Progress, Registered, Verification};

use crate::annotation::Annotation;
use crate::configuration::SetupStep;
use crate::nets::PageState;
use crate::operation::Operation;
use crate::protocol::{self, Success, slot};
use crate::system::{Entries, System};

/// The part of the service that changes wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wallets;

/// The stored item of a wallet.
pub type Item = crate::item::Item<Wallets>;
/// A request of a function.
pub type Request = crate::wire::Request<Wallets>;
/// A conditional write of a wallet.
pub type Put = crate::wire::Put<Wallets>;
/// The reply to a request.
pub type Reply = crate::wire::Reply<Wallets>;
/// Why a run stops.
pub type Stop = crate::wire::Stop<Wallets>;
/// The error that a caller gets.
pub type Failure = crate::wire::Failure<Refusal>;
/// The connection of a run.
pub type Wire<'a> = crate::wire::Wire<'a, Wallets>;
/// A run of an operation.
pub type Run = crate::run::Run<Wallets>;
/// A wallet as it was read.
pub type LoadedWallet = crate::storage::Loaded<Wallets>;

/// How a wallet is found. The keys differ only while no item is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletKey {
    /// The wallet of the customer. It may be empty.
    Customer,
    /// The wallet of a recurring payment.
    Payment,
    /// The wallet in a slot, for background tasks.
    Slot,
}

/// A request to Nets or to a receiver of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Nets' Register.
    Register(TerminalSession),
    /// Nets' Query.
    Query(TerminalSession),
    /// Nets' Process with the operation VERIFY.
    Verify(TerminalSession),
    /// A POST to a `callbackUrl`.
    Notify(Arc<Notification<WalletEvent>>),
}

/// The reply to a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Nets' answer to Register.
    Registered(Registered),
    /// Nets' answer to Query.
    Progress(Progress),
    /// Nets' answer to VERIFY.
    Verification(Verification),
    /// Nets refused the request. It had no effect.
    RefusedByNets,
    /// The receiver answered 202.
    Delivered,
}

/// The facts when a run began, for the properties.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AtBegin {
    /// The version in the table.
    pub version: u64,
    /// The sessions that were verified.
    pub verified: Vec<TransactionId>,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(Failure::Refused(refusal))
    }
}

/// The empty wallet of the model's customer, with the number of its organisation.
#[must_use]
pub fn empty(organisation: u64, now: DateTime<Utc>) -> Wallet {
    Wallet::empty(slot(), Organisation::new(organisation), Owner([7; 32]), now)
}

/// The organisation of the customer, without an address for events.
const ORGANISATION: u64 = 1;
/// An organisation with an address for events. Its customer already has an empty wallet.
pub const ORGANISATION_WITH_EVENTS: u64 = 2;
/// How long before its expiry a card is announced.
pub const NOTICE: TimeDelta = TimeDelta::days(2);

/// The rules for lifecycle events that the operator has configured.
fn lifecycle_rules(organisation: Organisation) -> Option<Arc<LifecycleRules>> {
    static RULES: LazyLock<Option<Arc<LifecycleRules>>> = LazyLock::new(|| {
        let address = CallbackUrl::from_stored("https://events.example/hook").ok()?;
        Some(Arc::new(LifecycleRules { notice: NOTICE, address }))
    });
    RULES.clone().filter(|_| organisation == Organisation::new(ORGANISATION_WITH_EVENTS))
}

impl System for Wallets {
    type Aggregate = Wallet;
    type Contents = Contents;
    type Key = WalletKey;
    type Refusal = Refusal;
    type Operation = Operation;
    type Success = Success;
    type SetupStep = SetupStep;
    type CustomerAction = PageState;
    const USUAL_ACTION: PageState = PageState::Card;
    type Call = Call;
    type Answer = Answer;
    type AtBegin = AtBegin;
    type Annotation = Annotation;

    fn open(contents: Contents, now: DateTime<Utc>) -> Wallet {
        let rules = lifecycle_rules(contents.organisation);
        Wallet::as_stored(slot(), contents).with_lifecycle_rules(rules).at(now)
    }

    fn missing(key: WalletKey, now: DateTime<Utc>) -> Result<(Wallet, Contents), Refusal> {
        match key {
            WalletKey::Customer => {
                let wallet = empty(ORGANISATION, now);
                let contents = wallet.contents().clone();
                Ok((wallet, contents))
            }
            WalletKey::Payment | WalletKey::Slot => Err(Refusal::NotFound),
        }
    }

    fn contents(wallet: &Wallet) -> &Contents {
        wallet.contents()
    }

    fn stored(wallet: &Wallet) -> Contents {
        let terminals_opened_at = wallet.terminals_opened_within_hour().collect();
        Contents { terminals_opened_at, ..wallet.contents().clone() }
    }

    fn due(wallet: &Wallet) -> Entries {
        let due = wallet.due();
        Entries { expiry: due.expiry, task: due.task }
    }

    fn entries(wallet: &Wallet, _: Option<&Item>, _: DateTime<Utc>) -> Entries {
        Self::due(wallet)
    }

    fn run(wire: &mut Wire<'_>, operation: Operation, now: DateTime<Utc>) -> Result<Success, Stop> {
        protocol::run(wire, operation, now)
    }
}
