//! Nets, with the behaviour that the service depends on (the sandbox in `tests/local/src/netaxept` has the same): there is one
//! transaction for each session. It is registered at most once, verified at most once, and can always be queried.

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use shared::domain::id::TransactionId;
use shared::domain::terminal::TerminalSession;
use shared::error::Decline;
use shared::netaxept::{Progress, Registered, Verification};
use shared::secret::Secret;

use crate::wallets::Answer;

/// How long a page is available (Entur's prose).
const PAGE_LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// The state of a page: the last action of the customer on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PageState {
    /// No action so far.
    Open,
    /// Entered a card that is valid for years.
    Card,
    /// Entered a card that expires soon.
    ExpiringCard,
    /// Entered a card with a soft decline at the first VERIFY. The second VERIFY succeeds.
    RetryCard,
    /// Entered a card with a soft decline, and the first VERIFY has declined it.
    RetriedCard,
    /// Entered a card with a hard decline.
    DeclinedCard,
    /// Cancelled.
    Cancelled,
}

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// The instant in its order number. None: an old transaction, from an earlier use of the id.
    pub ordered_at: Option<DateTime<Utc>>,
    /// The state of its page.
    pub page: PageState,
    /// How often its card was verified.
    pub verified: u8,
}

impl Transaction {
    /// Whether the customer has completed the session, so that VERIFY and Query return a card.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.verified > 0 || matches!(self.page, PageState::Card | PageState::ExpiringCard)
    }

    /// Whether VERIFY can have an effect, now or after an action of the customer.
    #[must_use]
    pub fn can_be_verified(&self) -> bool {
        self.verified == 0 && !matches!(self.page, PageState::Cancelled | PageState::DeclinedCard)
    }
}

/// All transactions, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Nets(Vec<Transaction>);

impl Nets {
    /// All transactions.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.0.iter()
    }

    /// The transaction of a session.
    #[must_use]
    pub fn of(&self, session: &TerminalSession) -> Option<&Transaction> {
        let ordered_at = Some(session.terminal.opened_at);
        self.0.iter().find(|one| one.id == session.transaction_id && one.ordered_at == ordered_at)
    }

    /// Adds an old transaction, from an earlier use of the id.
    pub fn add_old_transaction(&mut self, id: TransactionId) {
        self.add(Transaction { id, ordered_at: None, page: PageState::Card, verified: 1 });
    }

    fn add(&mut self, transaction: Transaction) {
        self.0.push(transaction);
        self.0.sort_unstable();
    }

    fn with_id(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.0.iter_mut().find(|one| one.id == id)
    }

    /// Executes Register.
    pub fn register(&mut self, session: &TerminalSession) -> Answer {
        let id = session.transaction_id;
        if self.with_id(id).is_some() {
            return Answer::Registered(Registered::IdTaken);
        }
        let ordered_at = Some(session.terminal.opened_at);
        self.add(Transaction { id, ordered_at, page: PageState::Open, verified: 0 });
        Answer::Registered(Registered::Yes)
    }

    /// Executes Query.
    #[must_use]
    pub fn query(&self, session: &TerminalSession) -> Answer {
        Answer::Progress(match self.of(session) {
            None => Progress::NeverRegistered,
            Some(Transaction { verified: 1.., id, page, .. }) => {
                Progress::Verified(card(*id, *page))
            }
            Some(Transaction { page: PageState::Cancelled, .. }) => Progress::Cancelled,
            Some(_) => Progress::Unverified,
        })
    }

    /// Executes Process with the operation VERIFY.
    pub fn verify(&mut self, session: &TerminalSession) -> Answer {
        let Some(one) = self.with_id(session.transaction_id) else { return Answer::RefusedByNets };
        Answer::Verification(match one.page {
            _ if one.verified > 0 => Verification::AlreadyProcessed,
            PageState::Open => Verification::NoCard,
            PageState::Cancelled => Verification::Cancelled,
            PageState::DeclinedCard => Verification::Declined(Decline::Hard),
            PageState::RetryCard => {
                one.page = PageState::RetriedCard;
                Verification::Declined(Decline::Soft)
            }
            PageState::Card | PageState::ExpiringCard | PageState::RetriedCard => {
                one.verified += 1;
                Verification::Verified
            }
        })
    }

    /// Whether the page of a transaction is available, and the customer has done nothing on it.
    #[must_use]
    pub fn is_open(&self, id: TransactionId, now: DateTime<Utc>) -> bool {
        self.0.iter().any(|one| {
            one.id == id
                && one.page == PageState::Open
                && one.ordered_at.is_some_and(|at| now < at + PAGE_LIFETIME)
        })
    }

    /// Applies an action of the customer to the page.
    pub fn set_page(&mut self, id: TransactionId, page: PageState) {
        if let Some(one) = self.with_id(id) {
            one.page = page;
        }
    }
}

/// The last digits of the card that is entered in a session. Each session has another card.
#[must_use]
pub fn last_digits(id: TransactionId) -> u16 {
    // The lowest bits of the id are the sequence number and the attempt, and both are small here.
    u16::try_from(id.number() % 4096).unwrap_or_default()
}

/// The expiry month of the card that expires soon, a few days after the start of a scenario.
pub const EXPIRING_CARD_MONTH: (i32, u32) = (2026, 11);
/// The first instant at which that card is expired: 2026-12-01T00:00:00Z.
#[must_use]
pub fn expiring_card_expires_at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_796_083_200)
}

/// The expiry month of any other card.
pub const OTHER_CARD_MONTH: (i32, u32) = (2049, 12);

fn card(id: TransactionId, page: PageState) -> VerifiedCard {
    let (year, month) =
        if page == PageState::ExpiringCard { EXPIRING_CARD_MONTH } else { OTHER_CARD_MONTH };
    let masked = format!("492500******{:04}", last_digits(id));
    #[expect(clippy::expect_used, reason = "four digits, and a month")]
    let (last_four, expiry) = (
        LastFour::from_masked(&masked).expect("four digits"),
        CardExpiry::new(year, month).expect("a month"),
    );
    VerifiedCard {
        card: Card { payment_type: PaymentType::Visa, last_four, expiry },
        pan_hash: Secret::new(format!("pan hash of {id}")),
    }
}
