//! Replies of Process, and the entries that they add to the history or to the error log.

use jiff::Timestamp;
use uuid::Uuid;

use super::operations::{Note, Operation};
use super::query::time_with_offset;
use super::{Card, HistoryLine, Transaction};
use crate::netaxept::MERCHANT_ID;
use crate::netaxept::exception::Exception;
use crate::netaxept::xml::Element;

/// The `IssuerId` of a refusal without an issuer.
const NO_ISSUER: &str = "50";
/// The acquirer's id for the merchant, which differs from Nets' merchant id.
const SUB_MERCHANT: &str = "200970";

/// The reason why a payment was refused.
pub(super) struct Refusal {
    issuer_id: &'static str,
    code: String,
    source: &'static str,
    text: &'static str,
}

impl Refusal {
    pub(super) fn cancelled() -> Self {
        let (code, text) = ("17".to_owned(), "Cancelled by customer.");
        Self { issuer_id: NO_ISSUER, code, source: "Terminal", text }
    }

    pub(super) fn denied() -> Self {
        let (code, text) = ("MZ".to_owned(), "Denied by 3D Secure");
        Self { issuer_id: NO_ISSUER, code, source: "Netaxept", text }
    }

    pub(super) fn already_processed() -> Self {
        let (code, text) = ("98".to_owned(), "Transaction already processed");
        Self { issuer_id: NO_ISSUER, code, source: "Netaxept", text }
    }

    /// Code 99, "several errors". The text has the details.
    pub(super) fn by_netaxept(issuer_id: &'static str, text: &'static str) -> Self {
        Self { issuer_id, code: "99".to_owned(), source: "Netaxept", text }
    }

    /// A refusal of the issuer.
    pub(super) fn by_issuer(issuer_id: &'static str, code: String) -> Self {
        Self { issuer_id, code, source: "Issuer", text: "Refused by issuer" }
    }

    /// A refusal of the issuer until the customer has passed 3-D Secure: 65 for Mastercard, 1A for all other cards.
    pub(super) fn authentication_required(card: &Card) -> Self {
        let code = if card.method == "MasterCard" { "65" } else { "1A" };
        Self::by_issuer(card.issuer_id, code.to_owned())
    }

    /// A block by Netaxept, which limits how often a declined card can be tried again.
    pub(super) fn blocked(issuer_id: &'static str, code: &str) -> Self {
        let text = if code == "PB" { "Permanent block" } else { "Temporary block" };
        Self { issuer_id, code: code.to_owned(), source: "Netaxept", text }
    }
}

impl Transaction {
    /// Adds a successful operation to the history and returns its reply.
    pub(super) fn succeed(
        &mut self,
        operation: &Operation,
        amount: Option<u64>,
        note: Note,
        now: Timestamp,
    ) -> Element {
        self.history.push(HistoryLine::new(now, operation.log_name, amount, note));
        *self.successes.entry(operation.name).or_default() += 1;
        self.has_changed = true;
        let authorization =
            matches!(operation.name, "AUTH" | "SALE" | "VERIFY").then_some(super::AUTHORIZATION_ID);
        let batch = (operation.name != "VERIFY").then_some(super::BATCH);
        Element::root("ProcessResponse")
            .with_some("AuthorizationId", authorization)
            .with_some("BatchNumber", batch)
            .with("ExecutionTime", &time_with_offset(now))
            .with("MerchantId", MERCHANT_ID)
            .with("Operation", operation.name)
            .with("ResponseCode", "OK")
            .with("TransactionId", &self.id)
    }

    /// Adds a refusal to the error log and returns its exception.
    pub(super) fn refuse(
        &mut self,
        operation: &Operation,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Exception {
        let Refusal { issuer_id, code, source, text } = refusal;
        self.log_failure(now, operation.log_name, code, source, text);
        let result = Element::new("Result")
            .with("IssuerId", issuer_id)
            .with("ResponseCode", code)
            .with("ResponseText", text)
            .with("ResponseSource", source)
            .with("TransactionId", &self.id)
            .with("ExecutionTime", &time_with_offset(now))
            .with("MerchantId", SUB_MERCHANT)
            .with("ExtraInfoOut", "2030010")
            .with("MaskedPan", "")
            .with("MessageId", &Uuid::new_v4().simple().to_string());
        Exception::payment(operation.failure_message, code, result)
    }
}
