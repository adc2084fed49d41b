//! What a writer means by a write, in words of api.md §6: the properties compare that with what is stored then.

use shared::domain::id::TransactionId;
use shared::domain::notification::Event;
use shared::domain::recurring_payment::{RecurringStatus, View};
use shared::domain::terminal::Visit;

use crate::operation::Place;

/// A change as its writer would tell it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// What is done.
    pub deed: Deed,
    /// What the caller is going to be answered, if it is about one recurring payment.
    pub answer: Option<Answer>,
    /// The tries to tell something that it writes down.
    pub tries: Vec<(TransactionId, Event)>,
}

/// What is done to a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Deed {
    /// What time does, and nothing else.
    Settle,
    /// A new one.
    Create {
        /// Its place.
        place: Place,
        /// Whether it is chosen.
        primary: bool,
        /// Its key.
        key: Option<u8>,
    },
    /// Made primary.
    Choose(Place),
    /// Called something.
    Rename(Place, u8),
    /// Ended.
    End(Place),
    /// Erased, all of it.
    Erase,
    /// A visit is written down.
    Open {
        /// The visit.
        visit: Visit,
        /// Its key.
        key: Option<u8>,
        /// Whether it named an address to be told at.
        tell: bool,
    },
    /// Nets certainly never registered this visit.
    WriteOff(Visit),
    /// What looks at visits brought.
    Conclude(Vec<(Visit, Brought)>),
    /// Notifications that were heard.
    Hear(Vec<String>),
}

/// What a look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Brought {
    /// A card.
    Card {
        /// Its last digits.
        digits: u16,
        /// Whether it is the one that is over soon.
        short: bool,
    },
    /// Nets knows nothing of the visit.
    NeverRegistered,
    /// The customer pressed cancel.
    Cancelled,
    /// Declined for good.
    Declined,
    /// Nothing that would end the visit.
    Nothing,
}

/// What a caller is answered about one recurring payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Which one.
    pub place: Place,
    /// Whether it is primary.
    pub primary: bool,
    /// Its status.
    pub status: RecurringStatus,
}

impl Intent {
    /// Whether a look found a card.
    #[must_use]
    pub fn brings_a_card(&self) -> bool {
        let card = |(_, brought): &(Visit, Brought)| matches!(brought, Brought::Card { .. });
        matches!(&self.deed, Deed::Conclude(looks) if looks.iter().any(card))
    }

    /// A deed that answers nobody.
    #[must_use]
    pub fn silent(deed: Deed) -> Self {
        Self { deed, answer: None, tries: Vec::new() }
    }

    /// A deed that is answered with what it made.
    #[must_use]
    pub fn answered(deed: Deed, view: &View) -> Self {
        let answer = Answer {
            place: view.id.sequence().number(),
            primary: view.primary,
            status: view.status,
        };
        Self { answer: Some(answer), ..Self::silent(deed) }
    }
}
