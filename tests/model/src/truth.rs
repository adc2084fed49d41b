//! What is so: api.md §6 written once more, from the page and not from the code.
//!
//! Every write that is made says what it means (`intent`). Here that is carried out by the rules as the contract has them, in
//! the order in which the writes were made, and `judge` compares what callers see with it.

mod deeds;
mod refusals;

pub use refusals::Verdict;

use chrono::{DateTime, Months, TimeDelta, Utc};
use shared::domain::id::TransactionId;
use shared::domain::notification::Event;
use shared::domain::recurring_payment::RecurringStatus;
use shared::domain::terminal::{Outcome, Visit};

use crate::operation::Place;

/// Rule 8: how long nobody may finish it.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// Entur's prose: how long a page is there.
const PAGE: TimeDelta = TimeDelta::minutes(15);
/// Rule 14: how long an ended one answers.
const MEMORY: TimeDelta = TimeDelta::days(30);
/// Rule 8: how many can wait for a card.
const WAITING: usize = 5;
/// Rule 9: the default lifetime of a registration.
const LIFETIME: Months = Months::new(36);
/// Rule 16: how long a key is remembered.
const KEY: TimeDelta = TimeDelta::hours(24);
/// Rule 10: how long something is tried to be told.
const TELLING: TimeDelta = TimeDelta::hours(72);

/// Everything that was done, as far as it matters later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// The recurring payments, oldest first.
    pub facts: Vec<Fact>,
    /// Choices of what is still usable, newest first.
    choices: Vec<Place>,
    /// What somebody has still to be told.
    owed: Vec<Owed>,
}

/// One recurring payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fact {
    /// Which one.
    pub place: Place,
    /// What it is called.
    pub name: Option<u8>,
    /// Its visits, oldest first.
    pub visits: Vec<Seen>,
    /// What has become of it.
    pub fate: Fate,
    created_at: DateTime<Utc>,
    key: Option<u8>,
    tell: bool,
}

/// One visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether Nets was heard not to know it while it was open: it may be written off, or looked at again.
    pub unknown: bool,
    key: Option<u8>,
}

/// What has become of a recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It waits for a card.
    Waiting,
    /// It has one.
    Active(Stored),
    /// It had one.
    Expired(Stored),
    /// It is over.
    Cancelled {
        /// Since when.
        at: DateTime<Utc>,
        /// Whether somebody ended it.
        ended: bool,
        /// The card that it had.
        card: Option<Stored>,
    },
    /// It is forgotten, or erased.
    Gone,
}

/// A card that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Its last digits.
    pub digits: u16,
    /// Since when.
    pub activated_at: DateTime<Utc>,
    /// First instant at which it is not valid.
    pub until: DateTime<Utc>,
}

/// What somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owed {
    visit: TransactionId,
    event: Event,
    first_try: Option<DateTime<Utc>>,
}

impl Fate {
    /// The status that callers see; none: nothing is found.
    #[must_use]
    pub fn status(self) -> Option<RecurringStatus> {
        match self {
            Self::Waiting => Some(RecurringStatus::Created),
            Self::Active(_) => Some(RecurringStatus::Active),
            Self::Expired(_) => Some(RecurringStatus::Expired),
            Self::Cancelled { .. } => Some(RecurringStatus::Cancelled),
            Self::Gone => None,
        }
    }

    /// The card that it has, or had.
    #[must_use]
    pub fn card(self) -> Option<Stored> {
        match self {
            Self::Active(card) | Self::Expired(card) => Some(card),
            Self::Cancelled { card, .. } => card,
            Self::Waiting | Self::Gone => None,
        }
    }

    /// CREATED or ACTIVE.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Active(_))
    }
}

impl Fact {
    /// Rule 8: 24 hours after its last terminal timed out, or after creation when there was none.
    fn abandoned_at(&self) -> DateTime<Utc> {
        let last = self.visits.last().map(|visit| visit.opened_at + PAGE);
        last.unwrap_or(self.created_at) + PATIENCE
    }

    /// The visit with this id, if it is the same.
    fn visit_mut(&mut self, visit: &Visit) -> Option<&mut Seen> {
        let attempt = usize::from(visit.transaction_id.attempt().number());
        let seen = self.visits.get_mut(attempt);
        seen.filter(|seen| seen.opened_at == visit.terminal.opened_at)
    }
}

impl Truth {
    /// The recurring payment at a place.
    #[must_use]
    pub fn fact(&self, place: Place) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.place == place)
    }

    /// Rule 1: the newest explicit choice that is still usable; else the ACTIVE one activated first; else the oldest CREATED.
    #[must_use]
    pub fn primary(&self) -> Option<Place> {
        let live = |place: &&Place| self.fact(**place).is_some_and(|fact| fact.fate.is_live());
        if let Some(chosen) = self.choices.iter().find(live) {
            return Some(*chosen);
        }
        let mut active: Vec<_> = self
            .facts
            .iter()
            .filter_map(|fact| match fact.fate {
                Fate::Active(card) => Some((card.activated_at, fact.place)),
                Fate::Waiting | Fate::Expired(_) | Fate::Cancelled { .. } | Fate::Gone => None,
            })
            .collect();
        active.sort_unstable();
        let waiting = self.facts.iter().find(|fact| fact.fate == Fate::Waiting);
        active.first().map(|(_, place)| *place).or_else(|| waiting.map(|fact| fact.place))
    }

    /// How many explicit choices are still usable.
    #[must_use]
    pub fn choices(&self) -> &[Place] {
        &self.choices
    }

    /// Whether a visit is written down.
    #[must_use]
    pub fn knows(&self, visit: &Visit) -> bool {
        let place = visit.transaction_id.recurring_payment_id().sequence().number();
        let mut fact = self.fact(place).cloned();
        fact.as_mut().is_some_and(|fact| fact.fate == Fate::Gone || fact.visit_mut(visit).is_some())
    }

    /// Whether a notification says what is so. Of what is gone, nobody can say.
    #[must_use]
    pub fn agrees(&self, visit: TransactionId, event: Event) -> bool {
        let place = visit.recurring_payment_id().sequence().number();
        let attempt = usize::from(visit.attempt().number());
        let outcome = |fact: &Fact| fact.visits.get(attempt).map(|seen| seen.outcome);
        self.fact(place).is_some_and(|fact| match (event, fact.fate) {
            (_, Fate::Gone) => true,
            (Event::Activated, fate) => fate.card().is_some(),
            (Event::Declined, _) => outcome(fact) == Some(Outcome::Declined),
            (Event::CardExpired, _) => outcome(fact) == Some(Outcome::CardExpired),
            (Event::Abandoned, fate) => matches!(fate, Fate::Cancelled { ended: false, .. }),
        })
    }

    /// Somebody heard.
    pub fn heard(&mut self, visit: TransactionId, event: Event) {
        self.owed.retain(|owed| (owed.visit, owed.event) != (visit, event));
    }

    /// Whether somebody has still to be told something, and it is not too late.
    #[must_use]
    pub fn owes(&self, now: DateTime<Utc>) -> bool {
        self.owed.iter().any(|owed| owed.first_try.is_none_or(|first| now < first + TELLING))
    }
}
