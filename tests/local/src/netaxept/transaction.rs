//! One transaction: what can be done to it, in which order, and how Nets tells of it.

mod query;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Parameters;
use super::xml::Element;
use query::precise;

/// Nets' refusal.
#[derive(Debug)]
pub(super) struct Exception {
    kind: &'static str,
    message: String,
    result: Option<Box<Element>>,
}

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
    entered_at: Option<Timestamp>,
    cancelled: bool,
    authorized: bool,
    annulled: bool,
    captured: u64,
    credited: u64,
    pan_hash: Option<String>,
    history: Vec<Line>,
    errors: Vec<Failure>,
    done: BTreeMap<&'static str, u32>,
}

struct Line {
    at: Timestamp,
    operation: &'static str,
    amount: Option<u64>,
}

struct Failure {
    at: Timestamp,
    operation: &'static str,
    code: &'static str,
    source: &'static str,
    text: &'static str,
}

/// Where a visit to the terminal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    TimedOut,
    Over,
}

impl Exception {
    pub(super) fn new(kind: &'static str, message: &str) -> Self {
        Self { kind, message: message.to_owned(), result: None }
    }

    pub(super) fn element(self) -> Element {
        let error =
            Element::new("Error").attribute("xsi:type", self.kind).with("Message", &self.message);
        Element::root("Exception").and(error.and_all(self.result.map(|result| *result)))
    }
}

/// The checks of Register, in the order that was observed; the one for the id comes last.
pub(super) fn check_registration(parameters: &Parameters) -> Result<(), Exception> {
    let validation = |message: &str| Exception::new("ValidationException", message);
    let has = |name: &str| parameters.contains_key(name);
    let stores_only = is_true(parameters, "updatestoredpaymentinfo");
    if !has("ordernumber") {
        return Err(validation("Missing parameter: 'Order Number'"));
    }
    if !has("amount") && !stores_only {
        return Err(validation("Missing parameter: 'Amount'"));
    }
    if !has("currencycode") && !stores_only {
        return Err(validation("Missing parameter: 'Currency Code'"));
    }
    if has("amount") && amount(parameters, "amount") == 0 {
        return Err(validation("Transaction amount must be greater than zero."));
    }
    if parameters
        .get("currencycode")
        .is_some_and(|code| !["NOK", "SEK", "DKK", "EUR"].contains(&code.as_str()))
    {
        let message = "Unable to translate supermerchant to submerchant, please check currency code and merchant ID";
        return Err(Exception::new("GenericError", message));
    }
    let has_window = !matches!(parameters.get("servicetype").map(String::as_str), Some("C" | "c"));
    let automatic = is_true(parameters, "autoauth") || is_true(parameters, "autosale");
    if has_window && !automatic && !has("redirecturl") {
        return Err(validation("Missing redirect URL"));
    }
    Ok(())
}

fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn amount(parameters: &Parameters, name: &str) -> u64 {
    parameters.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}

impl Transaction {
    pub(super) fn new(id: String, mut parameters: Parameters, now: Timestamp) -> Self {
        parameters.remove("token");
        let history = vec![Line { at: now, operation: "Register", amount: None }];
        Self {
            id,
            parameters,
            registered_at: now,
            card: None,
            entered_at: None,
            cancelled: false,
            authorized: false,
            annulled: false,
            captured: 0,
            credited: 0,
            pan_hash: None,
            history,
            errors: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    /// What tests and the console are told.
    pub(super) fn told(&self) -> Value {
        json!({
            "orderNumber": self.parameter("ordernumber"),
            "parameters": self.parameters,
            "cardEntered": self.card.is_some(),
            "cancelled": self.cancelled,
            "authorized": self.authorized,
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
        if self.card.is_some() || self.cancelled {
            Phase::Over
        } else if now >= self.registered_at + 15.minutes() {
            Phase::TimedOut
        } else {
            Phase::Waiting
        }
    }

    pub(super) fn enter(&mut self, card: Card, now: Timestamp) {
        self.card = Some(card);
        self.entered_at = Some(now);
    }

    pub(super) fn cancel(&mut self, now: Timestamp) {
        self.cancelled = true;
        self.fail(now, "Terminal", "17", "Terminal", "Cancelled by customer.");
    }

    fn fail(
        &mut self,
        at: Timestamp,
        operation: &'static str,
        code: &'static str,
        source: &'static str,
        text: &'static str,
    ) {
        self.errors.push(Failure { at, operation, code, source, text });
    }

    fn stores_only(&self) -> bool {
        is_true(&self.parameters, "updatestoredpaymentinfo")
    }

    pub(super) fn process(
        &mut self,
        asked: &Parameters,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        let operation =
            asked.get("operation").map(|text| text.to_ascii_uppercase()).unwrap_or_default();
        let wanted =
            asked.contains_key("transactionamount").then(|| amount(asked, "transactionamount"));
        match operation.as_str() {
            "VERIFY" => self.initial("VERIFY", "Verify", "Unable to verify", now),
            "AUTH" => self.initial("AUTH", "Auth", "Unable to auth", now),
            "SALE" | "CAPTURE" | "CREDIT" | "ANNUL" if self.stores_only() => Err(Exception::new(
                "NotSupportedException",
                "Operation not supported for this transaction",
            )),
            "SALE" => {
                let reply = self.initial("SALE", "Sale", "Unable to sale", now)?;
                self.captured = amount(&self.parameters, "amount");
                Ok(reply)
            }
            "CAPTURE" => self.capture(wanted, now),
            "CREDIT" => self.credit(wanted, now),
            "ANNUL" => self.annul(now),
            _ => {
                let given = asked.get("operation").map(String::as_str).unwrap_or_default();
                Err(Exception::new("ValidationException", &format!("Unknown operation: {given}")))
            }
        }
    }

    /// VERIFY, AUTH and SALE: once, after the customer entered a card.
    fn initial(
        &mut self,
        operation: &'static str,
        logged: &'static str,
        unable: &str,
        now: Timestamp,
    ) -> Result<Element, Exception> {
        let Some(card) = self.card.clone() else {
            return Err(Exception::new("ValidationException", "Issuer is undetermined"));
        };
        if self.authorized || self.annulled {
            return Err(self.refused(unable, "50", "98", "Transaction already processed", now));
        }
        if card.declined {
            self.fail(now, logged, "99", "Netaxept", "Auth Reg Comp Failure)");
            return Err(self.refused(unable, card.issuer_id, "99", "Auth Reg Comp Failure)", now));
        }
        self.authorized = true;
        if self.parameters.contains_key("recurringtype") {
            self.pan_hash = Some(random_hash());
        }
        Ok(self.succeed(operation, logged, None, now))
    }

    fn capture(&mut self, wanted: Option<u64>, now: Timestamp) -> Result<Element, Exception> {
        if !self.authorized {
            let message = "You cannot run capture on a transaction that never is authorized";
            return Err(Exception::new("GenericError", message));
        }
        if self.card.as_ref().is_some_and(|card| card.capture_fails) {
            self.fail(now, "Capture", "99", "Netaxept", "Capture failed");
            return Err(self.refused("Unable to capture", "3", "99", "Capture failed", now));
        }
        let left = amount(&self.parameters, "amount") - self.captured;
        let wanted = wanted.unwrap_or(left);
        if self.annulled || wanted == 0 || wanted > left {
            return Err(Exception::new(
                "GenericError",
                "Unable to capture more than authorized amount",
            ));
        }
        self.captured += wanted;
        Ok(self.succeed("CAPTURE", "Capture", Some(wanted), now))
    }

    fn credit(&mut self, wanted: Option<u64>, now: Timestamp) -> Result<Element, Exception> {
        if self.captured == 0 {
            let message = "You cannot run credit on a transaction that has not been captured.";
            return Err(Exception::new("GenericError", message));
        }
        let left = self.captured - self.credited;
        let wanted = wanted.unwrap_or(left);
        if wanted == 0 || wanted > left {
            return Err(Exception::new(
                "GenericError",
                "Unable to credit more than captured amount",
            ));
        }
        self.credited += wanted;
        Ok(self.succeed("CREDIT", "Credit", Some(wanted), now))
    }

    fn annul(&mut self, now: Timestamp) -> Result<Element, Exception> {
        if !self.authorized || self.annulled || self.captured > 0 {
            return Err(Exception::new("GenericError", "Unable to annul, wrong state"));
        }
        self.annulled = true;
        Ok(self.succeed("ANNUL", "Annul", None, now))
    }

    fn succeed(
        &mut self,
        operation: &'static str,
        logged: &'static str,
        amount: Option<u64>,
        now: Timestamp,
    ) -> Element {
        self.history.push(Line { at: now, operation: logged, amount });
        *self.done.entry(operation).or_default() += 1;
        let reply = Element::root("ProcessResponse");
        let reply = if ["AUTH", "SALE", "VERIFY"].contains(&operation) {
            reply.with("AuthorizationId", "098068")
        } else {
            reply
        };
        let reply = if operation == "VERIFY" { reply } else { reply.with("BatchNumber", "26") };
        reply
            .with("ExecutionTime", &precise(now))
            .with("MerchantId", super::MERCHANT_ID)
            .with("Operation", operation)
            .with("ResponseCode", "OK")
            .with("TransactionId", &self.id)
    }

    fn refused(
        &self,
        unable: &str,
        issuer_id: &str,
        code: &str,
        text: &str,
        now: Timestamp,
    ) -> Exception {
        let result = Element::new("Result")
            .with("IssuerId", issuer_id)
            .with("ResponseCode", code)
            .with("ResponseText", text)
            .with("ResponseSource", "Netaxept")
            .with("TransactionId", &self.id)
            .with("ExecutionTime", &precise(now))
            .with("MerchantId", "200970")
            .with("MaskedPan", "")
            .with("MessageId", &Uuid::new_v4().simple().to_string());
        Exception { result: Some(Box::new(result)), ..Exception::new("BBSException", unable) }
    }
}

/// A pan hash is a random name for a card: 28 characters of base 64.
fn random_hash() -> String {
    let mut bytes = [0; 20];
    // Without randomness a pan hash would still be one, only always the same.
    getrandom::fill(&mut bytes).unwrap_or_default();
    STANDARD.encode(bytes)
}
