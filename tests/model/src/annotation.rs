//! The annotation of a write: its effect in terms of api.md §6. The service does not send it. The properties compare it with the
//! stored wallet.

use shared::domain::recurring_payment::{RecurringStatus, View};
use shared::domain::terminal::TerminalSession;

use crate::operation::SequenceNumber;
use crate::subject::Subject;

/// The annotation that a writer adds to its write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// The effect on the wallet.
    pub effect: Effect,
    /// The response to the caller, if it is about one recurring payment.
    pub response: Option<ResponseView>,
    /// The delivery attempts that the write stores.
    pub attempts: Vec<Subject>,
}

/// The effect of a write on a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Only changes that depend on the time.
    TimeOnly,
    /// A recurring payment is created.
    Create {
        /// Its sequence number.
        sequence: SequenceNumber,
        /// Whether it is chosen as primary.
        primary: bool,
        /// Its idempotency key.
        key: Option<u8>,
    },
    /// A recurring payment is chosen as primary.
    SetPrimary(SequenceNumber),
    /// A recurring payment gets the nickname with this number.
    Rename(SequenceNumber, u8),
    /// A recurring payment is ended by the customer.
    End(SequenceNumber),
    /// The wallet is erased.
    Erase,
    /// A terminal session is added.
    Open {
        /// The session.
        session: TerminalSession,
        /// Its idempotency key.
        key: Option<u8>,
        /// Whether the request has a `callbackUrl`.
        notify: bool,
    },
    /// A session is closed because Nets has certainly never registered it.
    CloseUnregistered(TerminalSession),
    /// The results of reconciliations are applied.
    ApplyReconciliations(Vec<(TerminalSession, ReconciliationSummary)>),
    /// The notifications with these ids are removed after their delivery.
    RemoveDelivered(Vec<String>),
}

/// The result of a reconciliation, as far as the specification depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReconciliationSummary {
    /// A verified card.
    Card {
        /// Its last four digits.
        digits: u16,
        /// Whether it is the card that expires soon.
        expires_soon: bool,
    },
    /// Nets does not know the session.
    NeverRegistered,
    /// The customer cancelled.
    Cancelled,
    /// A hard decline.
    Declined,
    /// The session stays as it is.
    NoChange,
}

/// The data about one recurring payment in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponseView {
    /// The sequence number of the recurring payment.
    pub sequence: SequenceNumber,
    /// Whether it is primary.
    pub primary: bool,
    /// Its status.
    pub status: RecurringStatus,
}

impl Annotation {
    /// Whether a reconciliation found a card.
    #[must_use]
    pub fn has_card(&self) -> bool {
        let card = |(_, summary): &(TerminalSession, ReconciliationSummary)| {
            matches!(summary, ReconciliationSummary::Card { .. })
        };
        matches!(&self.effect, Effect::ApplyReconciliations(all) if all.iter().any(card))
    }

    /// The annotation of a write that has no response about a recurring payment.
    #[must_use]
    pub fn without_response(effect: Effect) -> Self {
        Self { effect, response: None, attempts: Vec::new() }
    }

    /// The annotation of a write whose response has this view.
    #[must_use]
    pub fn with_response(effect: Effect, view: &View) -> Self {
        let response = ResponseView {
            sequence: view.id.sequence().number(),
            primary: view.primary,
            status: view.status,
        };
        Self { response: Some(response), ..Self::without_response(effect) }
    }
}
