//! The sequential specification: the behaviour of one customer's wallet for operations in sequence, as api.md defines it.
//!
//! It is written from the contract (§6, with the numbers of its rules, and §7) and from `docs/DECISIONS.md`, not
//! from `shared`. Instants are milliseconds since 1970. Clocks of callers differ; an instant in the future counts as now.

mod changes;
mod events;
mod history;
mod reconciliation;
mod responses;
mod time;

pub use changes::{decide, refused_by_request_parsing};
pub use events::{CardEvent, EventKind, LifecycleEvent, PrimaryChange};
pub use history::{HistoryEntry, Origin};
pub use reconciliation::{
    PossibleReconciliations, Reconciliation, apply_reconciliation, authorize_responses,
};
pub use responses::{Expected, Problem, instant};

/// A second.
pub const SECOND: i64 = 1000;
/// A minute.
pub const MINUTE: i64 = 60 * SECOND;
/// An hour.
pub const HOUR: i64 = 60 * MINUTE;
/// A day.
pub const DAY: i64 = 24 * HOUR;

/// Maximum number of CREATED and ACTIVE recurring payments (rule 14).
const MAX_LIVE: usize = 16;
/// Number of EXPIRED and CANCELLED ones that are kept (rule 14).
const MAX_ENDED: usize = 16;
/// Maximum number of CREATED ones (rule 8).
const MAX_CREATED: usize = 5;
/// The largest sequence number of a recurring payment in its wallet: ten bits of the id.
const MAX_SEQUENCE: u16 = 1023;

/// A customer's wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// The key in the table; the first part of every id in the wallet.
    pub slot: u64,
    /// The organisation of the customer.
    pub organisation: u64,
    /// The customer number.
    pub customer: String,
    /// The last sequence number that was used.
    pub last_sequence: u16,
    /// The recurring payments, in the order of their creation.
    pub payments: Vec<Payment>,
    /// Explicit choices of the primary, newest first.
    pub choices: Vec<u16>,
    /// When terminals were opened.
    pub opened: Vec<i64>,
    /// The last changes, oldest first; empty in a wallet read from the table.
    pub history: Vec<HistoryEntry>,
}

/// A recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The sequence number in the wallet; the second part of the id.
    pub sequence: u16,
    /// When it was created.
    pub created_at: i64,
    /// The nickname, if any.
    pub nickname: Option<String>,
    /// The idempotency key that it was created with.
    pub key: Option<Key>,
    /// Its state.
    pub state: State,
}

/// An idempotency key and the original request and response (rule 16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key; empty in a wallet read from the table, which has only a hash.
    pub text: String,
    /// The requested nickname.
    pub nickname: Option<String>,
    /// Whether `isPrimary` was requested.
    pub primary_requested: bool,
    /// The value of `primary` in the response.
    pub primary_in_response: bool,
}

/// The state of a recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// CREATED: has no card yet. Contains the terminal sessions, oldest first.
    Created(Vec<TerminalSession>),
    /// ACTIVE.
    Active(Card),
    /// EXPIRED.
    Expired(Card),
    /// CANCELLED, with the instant and the card, if it had one.
    Cancelled(Reason, i64, Option<Card>),
}

/// The reason of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Ended by the customer.
    Ended,
    /// Not completed in time.
    Abandoned,
}

/// A card, as in responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// `VISA`, …
    pub kind: String,
    /// The last four digits.
    pub last_four: String,
    /// `2027-03`.
    pub expiry: String,
    /// When it was activated.
    pub activated_at: i64,
    /// The first instant at which the recurring payment is not valid.
    pub expires_at: i64,
}

/// A terminal session. Its index is the last part of the transaction id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalSession {
    /// When it was opened.
    pub opened_at: i64,
    /// The outcome so far.
    pub outcome: Outcome,
    /// When the service reconciles the session (rule 7).
    pub reconcile_at: Option<i64>,
    /// The idempotency key; empty in a wallet read from the table.
    pub key: Option<String>,
}

/// The outcome of a terminal session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The outcome is not known yet.
    Open,
    /// Nets does not know the session.
    Failed,
    /// The customer cancelled.
    Cancelled,
    /// The issuer declined the card.
    Declined,
    /// The card had expired when it was stored (rule 9).
    CardExpired,
}

impl Wallet {
    /// Returns a wallet without any history.
    #[must_use]
    pub fn empty(slot: u64, organisation: u64, customer: &str) -> Self {
        let (payments, choices, opened, history) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            slot,
            organisation,
            customer: customer.to_owned(),
            last_sequence: 0,
            payments,
            choices,
            opened,
            history,
        }
    }

    /// The id of the recurring payment with a sequence number.
    #[must_use]
    pub fn id(&self, sequence: u16) -> u64 {
        self.slot << 10 | u64::from(sequence)
    }

    /// The recurring payment with an id.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<&Payment> {
        self.payments.iter().find(|payment| self.id(payment.sequence) == id)
    }

    fn find_mut(&mut self, id: u64) -> Option<&mut Payment> {
        let slot = self.slot;
        self.payments.iter_mut().find(|payment| slot << 10 | u64::from(payment.sequence) == id)
    }

    fn is_live(&self, sequence: u16) -> bool {
        self.payments.iter().any(|payment| payment.sequence == sequence && payment.is_live())
    }

    /// Rule 1: the newest explicit choice that is still usable; else the ACTIVE one activated first; else the oldest CREATED.
    #[must_use]
    pub fn primary(&self) -> Option<u16> {
        let chosen = self.choices.iter().copied().find(|sequence| self.is_live(*sequence));
        let active = self.payments.iter().filter_map(|payment| match &payment.state {
            State::Active(card) => Some((card.activated_at, payment.sequence)),
            State::Created(_) | State::Expired(_) | State::Cancelled(..) => None,
        });
        let first = active.min_by_key(|(at, _)| *at).map(|(_, sequence)| sequence);
        let is_created = |payment: &&Payment| matches!(payment.state, State::Created(_));
        let oldest = self.payments.iter().find(is_created).map(|payment| payment.sequence);
        chosen.or(first).or(oldest)
    }
}

impl Payment {
    /// Whether it is CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Created(_) | State::Active(_))
    }

    /// The open terminal sessions, with their indexes.
    pub fn open_sessions(&self) -> impl Iterator<Item = (usize, &TerminalSession)> {
        let sessions = match &self.state {
            State::Created(sessions) => sessions.as_slice(),
            State::Active(_) | State::Expired(_) | State::Cancelled(..) => &[],
        };
        sessions.iter().enumerate().filter(|(_, session)| session.outcome == Outcome::Open)
    }
}

impl TerminalSession {
    /// How long the page can be used.
    const LIFETIME: i64 = 15 * MINUTE;
    /// Planned reconciliations, as durations after the opening (rule 7).
    const RECONCILE_AFTER: [i64; 5] = [MINUTE, 5 * MINUTE, 16 * MINUTE, HOUR, DAY];

    /// The first instant at which the page cannot be used.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.opened_at + Self::LIFETIME
    }
}

impl Payment {
    /// Whether a session is stored as failed.
    #[must_use]
    pub fn has_failed(&self, attempt: u64) -> bool {
        self.has_outcome(attempt, Outcome::Failed)
    }

    /// Whether a session is stored with an expired card.
    #[must_use]
    pub fn has_expired_card(&self, attempt: u64) -> bool {
        self.has_outcome(attempt, Outcome::CardExpired)
    }

    fn has_outcome(&self, attempt: u64, outcome: Outcome) -> bool {
        let State::Created(sessions) = &self.state else { return false };
        let session = usize::try_from(attempt).ok().and_then(|attempt| sessions.get(attempt));
        session.is_some_and(|session| session.outcome == outcome)
    }
}
