//! What Process does to a transaction, and what it refuses.

use jiff::{Timestamp, ToSpan};

use super::replies::Refusal;
use super::{Line, Phase, Standing, Step, Transaction, amount, is_true, random_hash};
use crate::netaxept::Parameters;
use crate::netaxept::exception::Exception;
use crate::netaxept::xml::Element;

/// An operation, as asked for, as logged, and as it fails.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) logged: &'static str,
    pub(super) unable: &'static str,
}

impl Operation {
    const VERIFY: Self = Self { name: "VERIFY", logged: "Verify", unable: "Unable to verify" };
    const AUTH: Self = Self { name: "AUTH", logged: "Auth", unable: "Unable to auth" };
    const SALE: Self = Self { name: "SALE", logged: "Sale", unable: "Unable to sale" };
    const CAPTURE: Self = Self { name: "CAPTURE", logged: "Capture", unable: "Unable to capture" };
    const CREDIT: Self = Self { name: "CREDIT", logged: "Credit", unable: "Unable to credit" };
    const ANNUL: Self = Self { name: "ANNUL", logged: "Annul", unable: "Unable to annul" };

    /// Whether money is reserved or taken, so that the issuer is asked for it.
    fn asks_for_money(&self) -> bool {
        matches!(self.name, "AUTH" | "SALE")
    }
}

/// What a call says for the history.
#[derive(Default)]
pub(super) struct Note {
    pub(super) description: String,
    pub(super) reference: String,
}

impl Note {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let description = parameters.get("description").map(|text| from_here(text));
        let reference = parameters.get("transactionreconref").cloned();
        Self {
            description: description.unwrap_or_default(),
            reference: reference.unwrap_or_default(),
        }
    }
}

/// The history names the address of whoever called; here that is always this machine.
fn from_here(text: &str) -> String {
    format!("127.0.0.1: {text}")
}

impl Transaction {
    pub(in crate::netaxept) fn process(
        &mut self,
        asked: &Parameters,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        let given = asked.get("operation").map(String::as_str).unwrap_or_default();
        let operation = given.to_ascii_uppercase();
        let wanted =
            asked.contains_key("transactionamount").then(|| amount(asked, "transactionamount"));
        let note = Note::of(asked);
        match operation.as_str() {
            "VERIFY" | "AUTH" | "SALE" | "CAPTURE" | "CREDIT" | "ANNUL"
                if now > self.registered_at + (365 * 24).hours() =>
            {
                Err(Exception::generic("Transaction is too old to be processed"))
            }
            "VERIFY" => self.initial(&Operation::VERIFY, note, now),
            "AUTH" => self.initial(&Operation::AUTH, note, now),
            "SALE" => self.initial(&Operation::SALE, note, now),
            "CAPTURE" | "CREDIT" | "ANNUL" if self.stores_only() => Err(not_supported()),
            "CAPTURE" => self.capture(wanted, note, now),
            "CREDIT" => self.credit(wanted, note, now),
            "ANNUL" => self.annul(note, now),
            "ADJUST" => Err(not_supported()),
            _ => Err(Exception::validation(&format!("Unknown operation: {given}"))),
        }
    }

    /// Does what was to be done by itself once the card is there; nothing if there was nothing to do.
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
        let description = from_here(&format!("Auto {}", operation.name));
        Some(self.initial(&operation, Note { description, ..Note::default() }, now))
    }

    /// VERIFY, AUTH and SALE: once, after the customer entered a card.
    fn initial(
        &mut self,
        operation: &Operation,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if self.stores_only() && operation.name == "SALE" {
            return Err(not_supported());
        }
        if let Some(refusal) = self.dead_end() {
            return Err(self.refuse(operation, &refusal, now));
        }
        // A card that has been entered counts when the visit to the terminal is over.
        if self.card.is_none() || self.phase(now) != Phase::Over {
            return Err(Exception::validation("Issuer is undetermined"));
        }
        if self.standing != Standing::Registered {
            return Err(self.refuse(operation, &Refusal::already_processed(), now));
        }
        if self.redirected_at.is_some_and(|at| now > at + 24.hours()) {
            return Err(Exception::generic("Too late to authorize the transaction"));
        }
        if let Some(refusal) = self.decline(operation) {
            return Err(self.refuse(operation, &refusal, now));
        }
        Ok(self.begin(operation, note, now))
    }

    /// How the visit to the terminal ended, if it ended in a way that leaves nothing to do.
    fn dead_end(&self) -> Option<Refusal> {
        if self.cancelled {
            return Some(Refusal::cancelled());
        }
        matches!(self.step, Step::Denied).then(Refusal::denied)
    }

    /// What comes of an operation that the issuer agrees to.
    fn begin(&mut self, operation: &Operation, note: Note, now: Timestamp) -> Element {
        self.standing = Standing::Authorized;
        if operation.name == "VERIFY" {
            self.standing = Standing::Verified;
        }
        if self.pan_hash.is_none() && self.parameters.contains_key("recurringtype") {
            self.pan_hash = Some(random_hash());
        }
        let money = amount(&self.parameters, "amount");
        let sold = (operation.name == "SALE").then_some(money);
        self.captured = sold.unwrap_or_default();
        let reply = self.succeed(operation, sold, note, now);
        if self.stores_only() && operation.name == "AUTH" {
            self.standing = Standing::Annulled;
            self.history.push(Line::new(now, "Annul", None, Note::default()));
        }
        reply
    }

    /// The test cards and test amounts that fail.
    fn decline(&self, operation: &Operation) -> Option<Refusal> {
        let card = self.card.as_ref()?;
        if card.declined {
            return Some(Refusal::by_netaxept(card.issuer_id, "Auth Reg Comp Failure)"));
        }
        if operation.name == "SALE" && card.capture_fails {
            return Some(Refusal::by_netaxept(card.issuer_id, "Capture failed"));
        }
        match amount(&self.parameters, "amount") {
            money @ (1..=99 | 101..=199) if operation.asks_for_money() => {
                Some(Refusal::by_issuer(card.issuer_id, money % 100))
            }
            _ => None,
        }
    }

    fn capture(
        &mut self,
        wanted: Option<u64>,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if matches!(self.standing, Standing::Registered | Standing::Verified) {
            let message = "You cannot run capture on a transaction that never is authorized";
            return Err(Exception::generic(message));
        }
        if let Some(card) = self.card.as_ref().filter(|card| card.capture_fails) {
            let refusal = Refusal::by_netaxept(card.issuer_id, "Capture failed");
            return Err(self.refuse(&Operation::CAPTURE, &refusal, now));
        }
        let left = amount(&self.parameters, "amount") - self.captured;
        let wanted = wanted.unwrap_or(left);
        if self.standing == Standing::Annulled || wanted == 0 || wanted > left {
            return Err(Exception::generic("Unable to capture more than authorized amount"));
        }
        self.captured += wanted;
        Ok(self.succeed(&Operation::CAPTURE, Some(wanted), note, now))
    }

    fn credit(
        &mut self,
        wanted: Option<u64>,
        note: Note,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        if self.captured == 0 {
            let message = "You cannot run credit on a transaction that has not been captured.";
            return Err(Exception::generic(message));
        }
        let left = self.captured - self.credited;
        let wanted = wanted.unwrap_or(left);
        if wanted == 0 || wanted > left {
            return Err(Exception::generic("Unable to credit more than captured amount"));
        }
        self.credited += wanted;
        Ok(self.succeed(&Operation::CREDIT, Some(wanted), note, now))
    }

    fn annul(&mut self, note: Note, now: Timestamp) -> Result<Element, Exception> {
        if self.standing != Standing::Authorized || self.captured > 0 {
            return Err(Exception::generic("Unable to annul, wrong state"));
        }
        self.standing = Standing::Annulled;
        Ok(self.succeed(&Operation::ANNUL, None, note, now))
    }
}

fn not_supported() -> Exception {
    Exception::new("NotSupportedException", "Operation not supported for this transaction")
}
