//! The sequential specification: one customer's wallet, as `api.md` says that it behaves when one thing happens after the other.
//!
//! Written from the contract (§6, by the numbers of its rules) and from what README.md calls ours, not from `shared`. Instants
//! are milliseconds since 1970. Clients' clocks differ a little; what seems to lie in the future counts as now.

mod changes;
mod looks;
mod picture;
mod time;

pub use changes::{decide, refused_at_the_door};
pub use looks::{Finding, Findings, answers, conclude};
pub use picture::{Expected, Problem};

/// A second.
pub const SECOND: i64 = 1000;
/// A minute.
pub const MINUTE: i64 = 60 * SECOND;
/// An hour.
pub const HOUR: i64 = 60 * MINUTE;
/// A day.
pub const DAY: i64 = 24 * HOUR;

/// How many can be CREATED or ACTIVE at once (rule 14).
const LIVE: usize = 16;
/// How many EXPIRED and CANCELLED ones are kept (rule 14, ours).
const ENDED: usize = 16;
/// How many can be CREATED at once (rule 8).
const OPEN: usize = 5;
/// The largest place of a recurring payment in its wallet: ten bits of the id.
const LAST_PLACE: u16 = 1023;

/// A customer's wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Where it lies; the first part of every id in it.
    pub slot: u64,
    /// Whose customer it is.
    pub organisation: u64,
    /// Which customer.
    pub customer: String,
    /// The place that was given out last.
    pub last: u16,
    /// In the order in which they were created.
    pub payments: Vec<Payment>,
    /// Explicit choices of primary, newest first.
    pub choices: Vec<u16>,
    /// When terminals were opened.
    pub opened: Vec<i64>,
}

/// A recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its place in the wallet; the second part of its id.
    pub place: u16,
    /// When it was created.
    pub created_at: i64,
    /// What the customer calls it.
    pub nickname: Option<String>,
    /// The idempotency key that it was created with.
    pub key: Option<Key>,
    /// How far it has come.
    pub state: State,
}

/// An idempotency key, and how it was answered (rule 16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key; empty where only the table was looked at, which has a hash of it.
    pub text: String,
    /// The nickname that was asked for.
    pub nickname: Option<String>,
    /// Whether it was asked for as primary.
    pub chosen: bool,
    /// Whether it was primary in the answer.
    pub primary: bool,
}

/// How far a recurring payment has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits for a card.
    Created(Vec<Visit>),
    /// Has one.
    Active(Card),
    /// Its time is over.
    Expired(Card),
    /// Ended, or abandoned, since an instant, with the card that it had.
    Cancelled(Reason, i64, Option<Card>),
}

/// Why one is CANCELLED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The customer ended it.
    Ended,
    /// Nobody finished it.
    Abandoned,
}

/// A card, as callers see it.
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
    /// First instant at which it is not valid.
    pub expires_at: i64,
}

/// A visit to Nets' page; its place is the third part of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// When it was opened.
    pub opened_at: i64,
    /// What came of it.
    pub outcome: Outcome,
    /// When the service looks at it by itself (rule 7).
    pub look_at: Option<i64>,
    /// The idempotency key that it was asked for with; empty where only the table was looked at.
    pub key: Option<String>,
}

/// What came of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Open,
    /// Nets does not know of it.
    Failed,
    /// The customer pressed cancel.
    Cancelled,
    /// The card was declined for good.
    Declined,
    /// The card had expired when it came (rule 9).
    CardExpired,
}

impl Wallet {
    /// One in which there was never anything.
    #[must_use]
    pub fn empty(slot: u64, organisation: u64, customer: &str) -> Self {
        let (payments, choices, opened) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            slot,
            organisation,
            customer: customer.to_owned(),
            last: 0,
            payments,
            choices,
            opened,
        }
    }

    /// The id of a place.
    #[must_use]
    pub fn id(&self, place: u16) -> u64 {
        self.slot << 10 | u64::from(place)
    }

    /// The recurring payment of an id.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<&Payment> {
        self.payments.iter().find(|payment| self.id(payment.place) == id)
    }

    fn find_mut(&mut self, id: u64) -> Option<&mut Payment> {
        let slot = self.slot;
        self.payments.iter_mut().find(|payment| slot << 10 | u64::from(payment.place) == id)
    }

    fn is_live(&self, place: u16) -> bool {
        self.payments.iter().any(|payment| payment.place == place && payment.is_live())
    }

    /// Rule 1: the newest explicit choice that is still usable; else the ACTIVE one activated first; else the oldest CREATED.
    #[must_use]
    pub fn primary(&self) -> Option<u16> {
        let chosen = self.choices.iter().copied().find(|place| self.is_live(*place));
        let active = self.payments.iter().filter_map(|payment| match &payment.state {
            State::Active(card) => Some((card.activated_at, payment.place)),
            State::Created(_) | State::Expired(_) | State::Cancelled(..) => None,
        });
        let first = active.min_by_key(|(at, _)| *at).map(|(_, place)| place);
        let waiting = |payment: &&Payment| matches!(payment.state, State::Created(_));
        let oldest = self.payments.iter().find(waiting).map(|payment| payment.place);
        chosen.or(first).or(oldest)
    }
}

impl Payment {
    /// Whether it is CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Created(_) | State::Active(_))
    }

    /// The visits that may still bring a card, with their places.
    pub fn open_visits(&self) -> impl Iterator<Item = (usize, &Visit)> {
        let visits = match &self.state {
            State::Created(visits) => visits.as_slice(),
            State::Active(_) | State::Expired(_) | State::Cancelled(..) => &[],
        };
        visits.iter().enumerate().filter(|(_, visit)| visit.outcome == Outcome::Open)
    }
}

impl Visit {
    /// For how long its page is there.
    const LIFETIME: i64 = 15 * MINUTE;
    /// When the service looks by itself, counted from the opening (rule 7).
    const LOOKS: [i64; 5] = [MINUTE, 5 * MINUTE, 16 * MINUTE, HOUR, DAY];

    /// First instant at which its page is no longer there.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.opened_at + Self::LIFETIME
    }
}

impl Payment {
    /// Whether it is written down that Nets does not know of a visit.
    #[must_use]
    pub fn has_failed(&self, place: u64) -> bool {
        self.has_outcome(place, Outcome::Failed)
    }

    /// Whether it is written down that the card of a visit had expired.
    #[must_use]
    pub fn has_expired_card(&self, place: u64) -> bool {
        self.has_outcome(place, Outcome::CardExpired)
    }

    fn has_outcome(&self, place: u64, outcome: Outcome) -> bool {
        let State::Created(visits) = &self.state else { return false };
        let visit = usize::try_from(place).ok().and_then(|place| visits.get(place));
        visit.is_some_and(|visit| visit.outcome == outcome)
    }
}
