//! One transaction: what can be done to it, in which order, and how Nets tells of it.

mod operations;
mod query;
mod registration;
mod replies;
mod visit;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::Parameters;
use operations::Note;
pub(super) use registration::{check_registration, told_card};

/// What the issuer calls its consent, which is always the same here.
const AUTHORIZATION_ID: &str = "098068";
/// The acquirer's batch, which is always the same here.
const BATCH: &str = "26";

/// A card as it was entered; its number is not kept.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) masked: String,
    pub(super) method: &'static str,
    pub(super) issuer_id: &'static str,
    pub(super) year_month: String,
    pub(super) declined: bool,
    pub(super) capture_fails: bool,
}

/// One registered transaction.
pub(super) struct Transaction {
    id: String,
    parameters: Parameters,
    registered_at: Timestamp,
    pub(super) card: Option<Card>,
    pub(super) step: Step,
    /// The card of a pan hash whose security code the customer still has to enter.
    stored: Option<Card>,
    arrived_at: Option<Timestamp>,
    redirected_at: Option<Timestamp>,
    browser: String,
    cancelled: bool,
    /// The card that a merchant's own page posted was not fit.
    rejected: bool,
    standing: Standing,
    captured: u64,
    credited: u64,
    pan_hash: Option<String>,
    history: Vec<Line>,
    errors: Vec<Failure>,
    done: BTreeMap<&'static str, u32>,
    changed: bool,
}

/// What was done to it last, of what can be done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Registered,
    Verified,
    Authorized,
    Annulled,
}

struct Line {
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

/// Where a visit to the terminal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Authenticating,
    TimedOut,
    Over,
}

/// What happened on the terminal's pages so far, besides a card that counts and a cancellation.
#[derive(Debug, Default)]
pub(super) enum Step {
    /// The form is shown.
    #[default]
    Form,
    /// A card was entered, and waits for the customer's bank: 3-D Secure.
    Bank(Card),
    /// The customer's bank said no.
    Denied,
    /// Somebody who tests let the time of this visit run out.
    TimedOut,
}

fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn amount(parameters: &Parameters, name: &str) -> u64 {
    parameters.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}

impl Transaction {
    /// A transaction with the card that is known without a terminal, if there is one.
    pub(super) fn new(
        id: String,
        mut parameters: Parameters,
        known: Option<Card>,
        now: Timestamp,
    ) -> Self {
        for secret in ["token", "pan", "expirydate", "securitycode"] {
            parameters.remove(secret);
        }
        let history = vec![Line::new(now, "Register", None, Note::of(&parameters))];
        let pan_hash = parameters.get("panhash").cloned();
        let (card, stored) =
            if registration::needs_code(&parameters) { (None, known) } else { (known, None) };
        Self {
            id,
            parameters,
            registered_at: now,
            card,
            step: Step::default(),
            stored,
            arrived_at: None,
            redirected_at: None,
            browser: String::new(),
            cancelled: false,
            rejected: false,
            standing: Standing::Registered,
            captured: 0,
            credited: 0,
            pan_hash,
            history,
            errors: Vec::new(),
            done: BTreeMap::new(),
            changed: false,
        }
    }

    /// What tests and the console are told.
    pub(super) fn told(&self) -> Value {
        let mut parameters = self.parameters.clone();
        parameters.remove("panhash");
        json!({
            "orderNumber": self.parameter("ordernumber"),
            "parameters": parameters,
            "cardEntered": self.card.is_some(),
            "cancelled": self.cancelled,
            "authorized": self.standing != Standing::Registered,
            "done": self.done,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The page is there for 15 minutes (the sandbox's own choice: Nets says nothing of a limit).
    pub(super) fn phase(&self, now: Timestamp) -> Phase {
        let is_late = now >= self.registered_at + 15.minutes();
        match self.step {
            _ if self.card.is_some() || self.cancelled || self.rejected => Phase::Over,
            Step::Denied => Phase::Over,
            Step::TimedOut => Phase::TimedOut,
            Step::Form | Step::Bank(_) if is_late => Phase::TimedOut,
            Step::Form => Phase::Waiting,
            Step::Bank(_) => Phase::Authenticating,
        }
    }

    pub(super) fn enter(&mut self, card: Card, now: Timestamp) {
        self.card = Some(card);
        self.redirected_at = Some(now);
    }

    pub(super) fn cancel(&mut self, now: Timestamp) {
        self.cancelled = true;
        self.fail(now, "Terminal", "17", "Terminal", "Cancelled by customer.");
    }

    /// The customer's bank says no: the card never counts.
    pub(super) fn deny(&mut self, now: Timestamp) {
        self.step = Step::Denied;
        self.fail(now, "Terminal", "MZ", "Netaxept", "Denied by 3D Secure");
    }

    fn fail(
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

impl Card {
    /// A card of a number that has been checked. The first and the last digits of it are kept.
    pub(super) fn new(number: &str, year_month: String) -> Self {
        let (method, issuer_id) = match number.as_bytes().first() {
            Some(b'5') => ("MasterCard", "4"),
            Some(b'3') => ("AmericanExpress", "2"),
            _ => ("Visa", "3"),
        };
        let shown = |place: usize| place < 6 || place + 4 >= number.len();
        let masked = number.chars().enumerate();
        let masked = masked.map(|(place, digit)| if shown(place) { digit } else { '*' }).collect();
        let (declined, capture_fails) =
            (number == "4925000000000087", number == "4925000000000079");
        Self { masked, method, issuer_id, year_month, declined, capture_fails }
    }
}

impl Line {
    fn new(at: Timestamp, operation: &'static str, amount: Option<u64>, note: Note) -> Self {
        Self { at, operation, amount, note }
    }
}

/// A pan hash is a random name for a card: 28 characters of base 64.
fn random_hash() -> String {
    let mut bytes = [0; 20];
    // Without randomness a pan hash would still be one, only always the same.
    getrandom::fill(&mut bytes).unwrap_or_default();
    STANDARD.encode(bytes)
}
