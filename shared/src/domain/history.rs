//! The history of a wallet: its last changes, for support. It has no personal data, and the texts of callers are cut.

mod changes;

use chrono::{DateTime, Utc};

use crate::domain::id::{RecurringPaymentId, Sequence, Slot};
use crate::domain::recurring_payment::RecurringStatus;

/// A text that a caller chose, cut to at most `MAX` bytes. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label<const MAX: usize>(String);

impl<const MAX: usize> Label<MAX> {
    /// The first `MAX` bytes of a text, in whole characters. `None` if the text is empty.
    #[must_use]
    pub fn cut(text: &str) -> Option<Self> {
        let end = text.floor_char_boundary(MAX);
        Some(Self(text[..end].to_owned())).filter(|label| !label.0.is_empty())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a client: `ET-Client-Name`.
pub type ClientName = Label<32>;
/// The distribution channel of a request: `Entur-Distribution-Channel`.
pub type Channel = Label<16>;
/// The correlation id of a request. A UUID is not cut.
pub type CorrelationId = Label<36>;

/// Who caused a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A request of a client.
    Client {
        /// The name that the client sent.
        name: Option<ClientName>,
        /// The distribution channel that the client sent.
        channel: Option<Channel>,
    },
    /// Nothing but the time.
    Time,
    /// The result of a terminal at Nets, which the service found out by itself.
    Nets,
}

impl Actor {
    /// The name in the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client { .. } => "CLIENT",
            Self::Time => "TIME",
            Self::Nets => "NETS",
        }
    }
}

/// Where a change comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who caused it.
    pub actor: Actor,
    /// The correlation id of the request that caused it.
    pub correlation_id: Option<CorrelationId>,
}

impl Origin {
    /// A change that depends only on time. It has no correlation id, so that it does not depend on the request that stores it.
    pub const TIME: Self = Self { actor: Actor::Time, correlation_id: None };
}

/// The cause of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryCause {
    /// It was created when the customer had no primary recurring payment, so it is the primary.
    First,
    /// A request created it, or chose it as primary.
    Requested,
    /// Its card was stored.
    CardStored,
    /// A request ended it.
    Ended,
    /// Its card or its registration expired.
    Expired,
    /// Its setup was not completed in time.
    Abandoned,
    /// Like [`EntryCause::Abandoned`], and it was an explicit choice of primary.
    ChoiceAbandoned,
}

/// The primary recurring payment before or after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Primary {
    /// The recurring payment.
    pub sequence: Sequence,
    /// Whether it is ACTIVE. Otherwise it is CREATED.
    pub is_active: bool,
}

/// One change of a wallet: the change of one recurring payment, and the change of the primary that it causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened. For a change by time, the instant at which it was due, and not the one at which it was stored.
    pub at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: Origin,
    /// The recurring payment that changed, or was chosen as primary.
    pub subject: Sequence,
    /// Its status before. `None` if it is new.
    pub before: Option<RecurringStatus>,
    /// Its status after.
    pub after: RecurringStatus,
    /// Why it changed.
    pub cause: EntryCause,
    /// The primary before.
    pub primary_before: Option<Primary>,
    /// The primary after.
    pub primary_after: Option<Primary>,
}

/// Why a recurring payment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "see EntryCause, and the names")]
pub enum Reason {
    First,
    Requested,
    CardStored,
    Ended,
    Expired,
    Abandoned,
    PromotedAfterEnd,
    PromotedAfterExpiry,
    PromotedAfterAbandonment,
    /// The primary was an explicit choice and was abandoned. Without this choice it is this one (rule 1).
    HandedBack,
}

impl Reason {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "FIRST",
            Self::Requested => "REQUESTED",
            Self::CardStored => "CARD_STORED",
            Self::Ended => "ENDED",
            Self::Expired => "EXPIRED",
            Self::Abandoned => "ABANDONED",
            Self::PromotedAfterEnd => "PROMOTED_AFTER_END",
            Self::PromotedAfterExpiry => "PROMOTED_AFTER_EXPIRY",
            Self::PromotedAfterAbandonment => "PROMOTED_AFTER_ABANDONMENT",
            Self::HandedBack => "HANDED_BACK",
        }
    }
}

/// A change as it concerns one recurring payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryChange {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: Origin,
    /// The status of the recurring payment before. `None` if it is new.
    pub before: Option<RecurringStatus>,
    /// Its status after.
    pub after: RecurringStatus,
    /// Why it changed.
    pub reason: Reason,
    /// The primary recurring payment of the customer before.
    pub primary_before: Option<RecurringPaymentId>,
    /// The primary recurring payment of the customer after.
    pub primary_after: Option<RecurringPaymentId>,
}

impl Entry {
    /// Whether the entry concerns a recurring payment: it changed, or it became the primary, or it is not the primary any more.
    #[must_use]
    pub fn concerns(&self, sequence: Sequence) -> bool {
        self.subject == sequence || self.primary_change(sequence).is_some()
    }

    /// The recurring payment as the primary before or after, if this entry changes the primary from it or to it. Also whether it
    /// became the primary.
    fn primary_change(&self, sequence: Sequence) -> Option<(Primary, bool)> {
        let [before, after] = [self.primary_before, self.primary_after]
            .map(|primary| primary.filter(|primary| primary.sequence == sequence));
        match (before, after) {
            (None, Some(primary)) => Some((primary, true)),
            (Some(primary), None) => Some((primary, false)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The change of one recurring payment. `None` if the entry does not concern it.
    fn of(&self, slot: Slot, sequence: Sequence) -> Option<HistoryChange> {
        let (before, after, reason) = if self.subject == sequence {
            (self.before, self.after, self.reason())
        } else {
            let (primary, became_primary) = self.primary_change(sequence)?;
            let status =
                if primary.is_active { RecurringStatus::Active } else { RecurringStatus::Created };
            let reason = if became_primary { self.reason_of_promotion() } else { self.reason() };
            (Some(status), status, reason)
        };
        let id = |primary: Primary| RecurringPaymentId::new(slot, primary.sequence);
        Some(HistoryChange {
            at: self.at,
            origin: self.origin.clone(),
            before,
            after,
            reason,
            primary_before: self.primary_before.map(id),
            primary_after: self.primary_after.map(id),
        })
    }

    fn reason(&self) -> Reason {
        match self.cause {
            EntryCause::First => Reason::First,
            EntryCause::Requested => Reason::Requested,
            EntryCause::CardStored => Reason::CardStored,
            EntryCause::Ended => Reason::Ended,
            EntryCause::Expired => Reason::Expired,
            EntryCause::Abandoned | EntryCause::ChoiceAbandoned => Reason::Abandoned,
        }
    }

    /// The reason for another recurring payment than the subject, which becomes primary.
    fn reason_of_promotion(&self) -> Reason {
        match self.cause {
            EntryCause::Ended => Reason::PromotedAfterEnd,
            EntryCause::Expired => Reason::PromotedAfterExpiry,
            EntryCause::Abandoned => Reason::PromotedAfterAbandonment,
            EntryCause::ChoiceAbandoned => Reason::HandedBack,
            EntryCause::First | EntryCause::Requested | EntryCause::CardStored => self.reason(),
        }
    }
}

/// The last changes of a wallet, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    entries: Vec<Entry>,
}

impl History {
    /// The maximum number of entries.
    pub const MAX: usize = 16;

    /// Restores a stored history.
    #[must_use]
    pub fn from_entries(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The changes that concern a recurring payment, oldest first.
    #[must_use]
    pub fn of(&self, id: RecurringPaymentId) -> Vec<HistoryChange> {
        self.entries.iter().filter_map(|entry| entry.of(id.slot(), id.sequence())).collect()
    }

    /// Adds entries. Then removes those that concern none of the recurring payments that still exist, and the oldest ones beyond the
    /// maximum.
    fn add(&mut self, entries: Vec<Entry>, existing: impl Fn(&Entry) -> bool) {
        self.entries.extend(entries);
        self.entries.retain(existing);
        let surplus = self.entries.len().saturating_sub(Self::MAX);
        self.entries.drain(..surplus);
    }
}
