//! A transaction: its state, the operations on it, and its XML in replies.

mod card;
mod ledger;
mod operations;
mod query;
mod registration;
mod replies;
mod session;
mod visible;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::Parameters;
pub(super) use card::{Card, numbers};
use operations::Note;
pub(super) use registration::{card_from_parameters, check_registration};

/// The `AuthorizationId` of every authorization.
const AUTHORIZATION_ID: &str = "098068";
/// The `BatchNumber` of every operation.
const BATCH: &str = "26";

/// A registered transaction.
pub(super) struct Transaction {
    id: String,
    parameters: Parameters,
    registered_at: Timestamp,
    pub(super) card: Option<Card>,
    pub(super) step: Step,
    /// The known card, for which the customer must still enter the security code.
    stored_card: Option<Card>,
    /// When the page was opened for the customer: at Register, or when the issuer required authentication.
    page_opened_at: Timestamp,
    authentication: Authentication,
    entered_at: Option<Timestamp>,
    redirected_at: Option<Timestamp>,
    browser: String,
    is_cancelled: bool,
    /// Whether a merchant's page posted a card that is not valid.
    is_card_rejected: bool,
    state: State,
    captured: u64,
    credited: u64,
    pan_hash: Option<String>,
    history: Vec<HistoryLine>,
    errors: Vec<Failure>,
    /// The number of successful operations, by name.
    successes: BTreeMap<&'static str, u32>,
    /// The number of executed calls of Process, also of those that were refused, by operation.
    calls: BTreeMap<&'static str, u32>,
    /// Whether an operation has succeeded since the last callback.
    has_changed: bool,
}

/// What the transaction knows about 3-D Secure.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Authentication {
    /// The customer has not passed 3-D Secure.
    #[default]
    None,
    /// The issuer has declined the card without 3-D Secure, and the page is open again.
    Requested,
    /// The customer has passed 3-D Secure.
    Passed,
}

/// The last of the operations that are possible only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Registered,
    Verified,
    Authorized,
    Annulled,
}

struct HistoryLine {
    at: Timestamp,
    operation: &'static str,
    amount: Option<u64>,
    note: Note,
}

struct Failure {
    at: Timestamp,
    operation: &'static str,
    code: String,
    source: &'static str,
    text: String,
}

/// The phase of a terminal session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Authenticating,
    TimedOut,
    Ended,
}

/// The step of a terminal session. An accepted card and a cancellation are recorded in the transaction.
#[derive(Debug, Default)]
pub(super) enum Step {
    /// The form is shown.
    #[default]
    Form,
    /// A card was entered, and the 3-D Secure page of the bank is shown.
    Bank(Card),
    /// The customer was denied by 3-D Secure.
    Denied,
    /// A tester ended the session's time with the button on the page.
    TimedOut,
}

fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn amount(parameters: &Parameters, name: &str) -> u64 {
    parameters.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}

impl Transaction {
    /// Returns a new transaction, with the card that Register identified, if any. Secrets in `parameters` are not stored.
    pub(super) fn new(
        id: String,
        mut parameters: Parameters,
        registered_card: Option<Card>,
        now: Timestamp,
    ) -> Self {
        for secret in ["token", "pan", "expirydate", "securitycode"] {
            parameters.remove(secret);
        }
        let history =
            vec![HistoryLine::new(now, "Register", None, Note::from_parameters(&parameters))];
        let pan_hash = parameters.get("panhash").cloned();
        let (card, stored_card) = if registration::needs_security_code(&parameters) {
            (None, registered_card)
        } else {
            (registered_card, None)
        };
        Self {
            id,
            parameters,
            registered_at: now,
            card,
            step: Step::default(),
            stored_card,
            page_opened_at: now,
            authentication: Authentication::default(),
            entered_at: None,
            redirected_at: None,
            browser: String::new(),
            is_cancelled: false,
            is_card_rejected: false,
            state: State::Registered,
            captured: 0,
            credited: 0,
            pan_hash,
            history,
            errors: Vec::new(),
            successes: BTreeMap::new(),
            calls: BTreeMap::new(),
            has_changed: false,
        }
    }

    /// Returns the transaction as JSON without secrets, for tests and the console. Amounts are in minor units. They are `null`, as
    /// is the currency, if Register had none.
    pub(super) fn public_json(&self) -> Value {
        let mut parameters = self.parameters.clone();
        parameters.remove("panhash");
        json!({
            "orderNumber": self.parameter("ordernumber"),
            "currency": self.parameters.get("currencycode"),
            "amountMinor": self.parameters.get("amount").map(|_| amount(&self.parameters, "amount")),
            "capturedMinor": self.captured,
            "creditedMinor": self.credited,
            "annulled": self.state == State::Annulled,
            "parameters": parameters,
            "cardEntered": self.card.is_some(),
            "cancelled": self.is_cancelled,
            "authorized": self.state != State::Registered,
            "done": self.successes,
            "calls": self.calls,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Returns the phase of the terminal session. The page is open for 15 minutes. This limit is a choice of the sandbox, because
    /// Nets documents none.
    pub(super) fn phase(&self, now: Timestamp) -> Phase {
        let is_timed_out = now >= self.page_opened_at + 15.minutes();
        let has_card = self.card.is_some() && self.authentication != Authentication::Requested;
        match self.step {
            _ if has_card || self.is_cancelled || self.is_card_rejected => Phase::Ended,
            Step::Denied => Phase::Ended,
            Step::TimedOut => Phase::TimedOut,
            Step::Form | Step::Bank(_) if is_timed_out => Phase::TimedOut,
            Step::Form => Phase::Waiting,
            Step::Bank(_) => Phase::Authenticating,
        }
    }

    pub(super) fn enter_card(&mut self, card: Card, now: Timestamp) {
        self.card = Some(card);
        self.authentication = Authentication::None;
        self.redirected_at = Some(now);
    }

    pub(super) fn cancel(&mut self, now: Timestamp) {
        self.is_cancelled = true;
        self.log_failure(now, "Terminal", "17", "Terminal", "Cancelled by customer.");
    }

    /// Records that 3-D Secure was denied. The card is not used.
    pub(super) fn deny(&mut self, now: Timestamp) {
        self.step = Step::Denied;
        self.log_failure(now, "Terminal", "MZ", "Netaxept", "Denied by 3D Secure");
    }

    fn log_failure(
        &mut self,
        at: Timestamp,
        operation: &'static str,
        code: &str,
        source: &'static str,
        text: &str,
    ) {
        let (code, text) = (code.to_owned(), text.to_owned());
        self.errors.push(Failure { at, operation, code, source, text });
    }

    fn stores_only(&self) -> bool {
        is_true(&self.parameters, "updatestoredpaymentinfo")
    }
}

impl HistoryLine {
    fn new(at: Timestamp, operation: &'static str, amount: Option<u64>, note: Note) -> Self {
        Self { at, operation, amount, note }
    }
}

/// Returns a random pan hash: 28 characters of base 64.
fn random_hash() -> String {
    let mut bytes = [0; 20];
    // If this fails, the pan hash is constant, which the sandbox can accept.
    getrandom::fill(&mut bytes).unwrap_or_default();
    STANDARD.encode(bytes)
}
