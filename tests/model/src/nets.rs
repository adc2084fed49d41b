//! Nets, as the service meets it (and as the sandbox in `tests/local/src/netaxept` plays it): a transaction a
//! visit, registered at most once, verified at most once, and always ready to say what it knows.

use chrono::{DateTime, TimeDelta, Utc};
use shared::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use shared::domain::id::TransactionId;
use shared::domain::terminal::Visit;
use shared::error::Decline;
use shared::netaxept::{Progress, Registered, Verification};
use shared::secret::Secret;

use crate::wire::Reply;

/// For how long the page is there (Entur's prose).
const PAGE: TimeDelta = TimeDelta::minutes(15);

/// What the customer did at the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Page {
    /// Nothing yet.
    Open,
    /// Entered a card that is good for years.
    Card,
    /// Entered a card that is over soon.
    ShortCard,
    /// Entered a card that the issuer declines once, and then accepts.
    SlowCard,
    /// That card, once it was declined.
    SlowCardAgain,
    /// Entered a card that the issuer declines.
    BadCard,
    /// Pressed cancel.
    Cancelled,
}

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// The instant in its order number; none: it is from long ago, when the id meant something else.
    pub ordered_at: Option<DateTime<Utc>>,
    /// What the customer did.
    pub page: Page,
    /// How often its card was verified.
    pub verified: u8,
}

impl Transaction {
    /// Whether the customer has done all that it takes: whoever asks for the card now has it.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.verified > 0 || matches!(self.page, Page::Card | Page::ShortCard)
    }

    /// Whether VERIFY can change anything, now or when the customer has done something.
    #[must_use]
    pub fn can_be_verified(&self) -> bool {
        self.verified == 0 && !matches!(self.page, Page::Cancelled | Page::BadCard)
    }
}

/// Every transaction, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Nets(Vec<Transaction>);

impl Nets {
    /// All of them.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.0.iter()
    }

    /// The transaction that a visit is.
    #[must_use]
    pub fn of(&self, visit: &Visit) -> Option<&Transaction> {
        let ordered_at = Some(visit.terminal.opened_at);
        self.0.iter().find(|one| one.id == visit.transaction_id && one.ordered_at == ordered_at)
    }

    /// A transaction from long ago.
    pub fn remember(&mut self, id: TransactionId) {
        self.add(Transaction { id, ordered_at: None, page: Page::Card, verified: 1 });
    }

    fn add(&mut self, transaction: Transaction) {
        self.0.push(transaction);
        self.0.sort_unstable();
    }

    fn with_id(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.0.iter_mut().find(|one| one.id == id)
    }

    /// Register.
    pub fn register(&mut self, visit: &Visit) -> Reply {
        let id = visit.transaction_id;
        if self.with_id(id).is_some() {
            return Reply::Registered(Registered::IdTaken);
        }
        let ordered_at = Some(visit.terminal.opened_at);
        self.add(Transaction { id, ordered_at, page: Page::Open, verified: 0 });
        Reply::Registered(Registered::Yes)
    }

    /// Query.
    #[must_use]
    pub fn query(&self, visit: &Visit) -> Reply {
        Reply::Progress(match self.of(visit) {
            None => Progress::NeverRegistered,
            Some(Transaction { verified: 1.., id, page, .. }) => {
                Progress::Verified(card(*id, *page))
            }
            Some(Transaction { page: Page::Cancelled, .. }) => Progress::Cancelled,
            Some(_) => Progress::Unverified,
        })
    }

    /// Process VERIFY.
    pub fn verify(&mut self, visit: &Visit) -> Reply {
        let Some(one) = self.with_id(visit.transaction_id) else { return Reply::RefusedByNets };
        Reply::Verification(match one.page {
            _ if one.verified > 0 => Verification::AlreadyProcessed,
            Page::Open => Verification::NoCard,
            Page::Cancelled => Verification::Cancelled,
            Page::BadCard => Verification::Declined(Decline::Hard),
            Page::SlowCard => {
                one.page = Page::SlowCardAgain;
                Verification::Declined(Decline::Soft)
            }
            Page::Card | Page::ShortCard | Page::SlowCardAgain => {
                one.verified += 1;
                Verification::Verified
            }
        })
    }

    /// Whether the customer can still do something at the page of a transaction.
    #[must_use]
    pub fn is_open(&self, id: TransactionId, now: DateTime<Utc>) -> bool {
        self.0.iter().any(|one| {
            one.id == id
                && one.page == Page::Open
                && one.ordered_at.is_some_and(|at| now < at + PAGE)
        })
    }

    /// The customer does something at the page.
    pub fn visit(&mut self, id: TransactionId, does: Page) {
        if let Some(one) = self.with_id(id) {
            one.page = does;
        }
    }
}

/// The last digits of the card that is entered at a visit: each visit has another card.
#[must_use]
pub fn last_digits(id: TransactionId) -> u16 {
    // A place and an attempt: the lowest bits of the id, far below 10,000 here.
    u16::try_from(id.number() % 4096).unwrap_or_default()
}

/// The month of the card that is over soon: it ends within days of the model's beginning.
pub const SHORT: (i32, u32) = (2026, 11);
/// First instant at which the card that is over soon is not good: 2026-12-01T00:00:00Z.
#[must_use]
pub fn short_card_ends() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_796_083_200)
}

/// The month of any other card.
pub const LONG: (i32, u32) = (2049, 12);

fn card(id: TransactionId, page: Page) -> VerifiedCard {
    let (year, month) = if page == Page::ShortCard { SHORT } else { LONG };
    let masked = format!("492500******{:04}", last_digits(id));
    #[expect(clippy::expect_used, reason = "four digits, and a month")]
    let (last_four, expiry) = (
        LastFour::of_masked(&masked).expect("four digits"),
        CardExpiry::new(year, month).expect("a month"),
    );
    VerifiedCard {
        card: Card { payment_type: PaymentType::Visa, last_four, expiry },
        pan_hash: Secret::new(format!("pan hash of {id}")),
    }
}
