//! The operations of Process, and the automatic operations.

use jiff::{Timestamp, ToSpan};

use super::replies::Refusal;
use super::{
    Authentication, HistoryLine, Phase, State, Step, Transaction, amount, is_true, random_hash,
};
use crate::netaxept::Parameters;
use crate::netaxept::card_data::is_expired;
use crate::netaxept::exception::Exception;
use crate::netaxept::xml::Element;

/// How long an authorization can be captured or annulled.
const AUTHORIZATION_DAYS: i64 = 7;

/// An operation: its name in requests, its name in the history, and its message when it is refused.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) log_name: &'static str,
    pub(super) failure_message: &'static str,
}

impl Operation {
    pub(super) const VERIFY: Self =
        Self { name: "VERIFY", log_name: "Verify", failure_message: "Unable to verify" };
    pub(super) const AUTH: Self =
        Self { name: "AUTH", log_name: "Auth", failure_message: "Unable to auth" };
    pub(super) const SALE: Self =
        Self { name: "SALE", log_name: "Sale", failure_message: "Unable to sale" };
    pub(super) const CAPTURE: Self =
        Self { name: "CAPTURE", log_name: "Capture", failure_message: "Unable to capture" };
    pub(super) const CREDIT: Self =
        Self { name: "CREDIT", log_name: "Credit", failure_message: "Unable to credit" };
    pub(super) const ANNUL: Self =
        Self { name: "ANNUL", log_name: "Annul", failure_message: "Unable to annul" };

    /// The operations of Process that the sandbox knows.
    pub(super) const ALL: [Self; 6] =
        [Self::VERIFY, Self::AUTH, Self::SALE, Self::CAPTURE, Self::CREDIT, Self::ANNUL];

    /// Whether the issuer reserves or debits money. The expiry date, blocks and test amounts apply to these operations only.
    fn is_payment(&self) -> bool {
        matches!(self.name, "AUTH" | "SALE")
    }
}

/// The texts of a call that the history contains.
#[derive(Default)]
pub(super) struct Note {
    pub(super) description: String,
    pub(super) reference: String,
    /// Whether the operation was not called, but belongs to `autoAuth` or `autoSale`.
    pub(super) is_automatic: bool,
}

impl Note {
    pub(super) fn from_parameters(parameters: &Parameters) -> Self {
        let description = parameters.get("description").map(|text| with_address(text));
        let reference = parameters.get("transactionreconref").cloned();
        Self {
            description: description.unwrap_or_default(),
            reference: reference.unwrap_or_default(),
            is_automatic: false,
        }
    }
}

/// Adds the address of the caller, as in Nets' history. In the sandbox the address is always 127.0.0.1.
fn with_address(text: &str) -> String {
    format!("127.0.0.1: {text}")
}

impl Transaction {
    pub(in crate::netaxept) fn process(
        &mut self,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        let name = parameters.get("operation").map(String::as_str).unwrap_or_default();
        let operation = name.to_ascii_uppercase();
        let requested = parameters
            .contains_key("transactionamount")
            .then(|| amount(parameters, "transactionamount"));
        let note = Note::from_parameters(parameters);
        if let Some(known) = Operation::ALL.iter().find(|known| known.name == operation) {
            *self.calls.entry(known.name).or_default() += 1;
        }
        match operation.as_str() {
            "VERIFY" | "AUTH" | "SALE" | "CAPTURE" | "CREDIT" | "ANNUL"
                if now > self.registered_at + (365 * 24).hours() =>
            {
                Err(Exception::generic("Transaction is too old to be processed"))
            }
            "VERIFY" => self.run_initial(&Operation::VERIFY, note, now),
            "AUTH" => self.run_initial(&Operation::AUTH, note, now),
            "SALE" => self.run_initial(&Operation::SALE, note, now),
            "CAPTURE" | "CREDIT" | "ANNUL" if self.stores_only() => Err(not_supported()),
            "CAPTURE" => self.capture(requested, note, now),
            "CREDIT" => self.credit(requested, note, now),
            "ANNUL" => self.annul(note, now),
            "ADJUST" => Err(not_supported()),
            _ => Err(Exception::validation(&format!("Unknown operation: {name}"))),
        }
    }

    /// Runs the operation of `autoAuth` or `autoSale`. Returns `None` if neither is set.
    pub(in crate::netaxept) fn run_automatic(
        &mut self,
        now: Timestamp,
    ) -> Option<Result<Element, Exception>> {
        let operation =
            match (is_true(&self.parameters, "autoauth"), is_true(&self.parameters, "autosale")) {
                (true, _) => Operation::AUTH,
                (_, true) => Operation::SALE,
                _ => return None,
            };
        let description = with_address(&format!("Auto {}", operation.name));
        let note = Note { description, is_automatic: true, ..Note::default() };
        Some(self.run_initial(&operation, note, now))
    }

    /// Runs VERIFY, AUTH or SALE, which is possible once, after a card was entered.
    fn run_initial(
        &mut self,
        operation: &Operation,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if self.stores_only() && operation.name == "SALE" {
            return Err(not_supported());
        }
        if let Some(refusal) = self.terminal_refusal() {
            return Err(self.refuse(operation, &refusal, now));
        }
        let is_requested = self.authentication == Authentication::Requested;
        if let Some(refusal) = self.authentication_refusal().filter(|_| is_requested) {
            return Err(self.refuse(operation, &refusal, now));
        }
        // The card is used only after the terminal session has ended.
        if self.card.is_none() || self.phase(now) != Phase::Ended {
            return Err(Exception::validation("Issuer is undetermined"));
        }
        if self.state != State::Registered {
            return Err(self.refuse(operation, &Refusal::already_processed(), now));
        }
        if self.redirected_at.is_some_and(|at| now > at + 24.hours()) {
            return Err(Exception::generic("Too late to authorize the transaction"));
        }
        if let Some(refusal) = self.card_refusal(operation, now) {
            return Err(self.refuse(operation, &refusal, now));
        }
        if let Some(refusal) = self.authentication_refusal() {
            self.reopen_page(now);
            return Err(self.refuse(operation, &refusal, now));
        }
        Ok(self.approve(operation, note, now))
    }

    /// Returns the refusal if the terminal session was cancelled or denied.
    fn terminal_refusal(&self) -> Option<Refusal> {
        if self.is_cancelled {
            return Some(Refusal::cancelled());
        }
        matches!(self.step, Step::Denied).then(Refusal::denied)
    }

    /// Records VERIFY, AUTH or SALE as successful.
    fn approve(&mut self, operation: &Operation, note: Note, now: Timestamp) -> Element {
        self.state = State::Authorized;
        if operation.name == "VERIFY" {
            self.state = State::Verified;
        }
        if self.pan_hash.is_none() && self.parameters.contains_key("recurringtype") {
            self.pan_hash = Some(random_hash());
        }
        let amount = amount(&self.parameters, "amount");
        let captured = (operation.name == "SALE").then_some(amount);
        self.captured = captured.unwrap_or_default();
        let reply = self.succeed(operation, captured, note, now);
        if self.stores_only() && operation.name == "AUTH" {
            self.state = State::Annulled;
            self.history.push(HistoryLine::new(now, "Annul", None, Note::default()));
        }
        reply
    }

    /// Returns the refusal of the card itself: an expired card, a test card or a test amount.
    fn card_refusal(&self, operation: &Operation, now: Timestamp) -> Option<Refusal> {
        let card = self.card.as_ref()?;
        if operation.is_payment() && is_expired(&card.year_month, now) {
            return Some(Refusal::by_issuer(card.issuer_id, "54".to_owned()));
        }
        if card.is_declined {
            return Some(Refusal::by_netaxept(card.issuer_id, "Auth Reg Comp Failure)"));
        }
        if operation.name == "SALE" && card.capture_fails {
            return Some(Refusal::by_netaxept(card.issuer_id, "Capture failed"));
        }
        if let Some(code) = card.block.filter(|_| operation.is_payment()) {
            return Some(Refusal::blocked(card.issuer_id, code));
        }
        match amount(&self.parameters, "amount") {
            amount @ (1..=99 | 101..=199) if operation.is_payment() => {
                Some(Refusal::by_issuer(card.issuer_id, format!("{:02}", amount % 100)))
            }
            _ => None,
        }
    }

    /// Returns the refusal of an issuer that requires 3-D Secure, if the customer has not passed it.
    fn authentication_refusal(&self) -> Option<Refusal> {
        let card = self.card.as_ref().filter(|card| card.requires_authentication)?;
        let has_passed = self.authentication == Authentication::Passed;
        (!has_passed).then(|| Refusal::authentication_required(card))
    }

    /// Whether the authorization can no longer be captured or annulled. Nets guarantees seven days.
    fn is_authorization_expired(&self, now: Timestamp) -> bool {
        let is_auth = |line: &&HistoryLine| line.operation == Operation::AUTH.log_name;
        let authorized = self.history.iter().find(is_auth);
        authorized.is_some_and(|line| now > line.at + (AUTHORIZATION_DAYS * 24).hours())
    }

    fn capture(
        &mut self,
        requested: Option<u64>,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if matches!(self.state, State::Registered | State::Verified) {
            let message = "You cannot run capture on a transaction that never is authorized";
            return Err(Exception::generic(message));
        }
        if let Some(card) = self.card.as_ref().filter(|card| card.capture_fails) {
            let refusal = Refusal::by_netaxept(card.issuer_id, "Capture failed");
            return Err(self.refuse(&Operation::CAPTURE, &refusal, now));
        }
        let remaining = amount(&self.parameters, "amount") - self.captured;
        let requested = requested.unwrap_or(remaining);
        if self.state == State::Annulled || requested == 0 || requested > remaining {
            return Err(Exception::generic("Unable to capture more than authorized amount"));
        }
        if self.is_authorization_expired(now) {
            return Err(authorization_expired());
        }
        self.captured += requested;
        Ok(self.succeed(&Operation::CAPTURE, Some(requested), note, now))
    }

    fn credit(
        &mut self,
        requested: Option<u64>,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if self.captured == 0 {
            let message = "You cannot run credit on a transaction that has not been captured.";
            return Err(Exception::generic(message));
        }
        let remaining = self.captured - self.credited;
        let requested = requested.unwrap_or(remaining);
        if requested == 0 || requested > remaining {
            return Err(Exception::generic("Unable to credit more than captured amount"));
        }
        self.credited += requested;
        Ok(self.succeed(&Operation::CREDIT, Some(requested), note, now))
    }

    fn annul(&mut self, note: Note, now: Timestamp) -> Result<Element, Exception> {
        if self.state != State::Authorized || self.captured > 0 {
            return Err(Exception::generic("Unable to annul, wrong state"));
        }
        if self.is_authorization_expired(now) {
            return Err(authorization_expired());
        }
        self.state = State::Annulled;
        Ok(self.succeed(&Operation::ANNUL, None, note, now))
    }
}

fn authorization_expired() -> Exception {
    Exception::generic("The authorization has expired")
}

fn not_supported() -> Exception {
    Exception::new("NotSupportedException", "Operation not supported for this transaction")
}
