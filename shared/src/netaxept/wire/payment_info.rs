//! What `Query` tells of a transaction.

use roxmltree::Node;

use super::Garbled;
use super::codes::{Meaning, meaning};
use super::xml::{children, needed, only, text_at};
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::secret::Secret;

/// As much of it as we need.
#[derive(Debug)]
pub(in super::super) struct PaymentInfo {
    /// Absent in no reply that was ever seen.
    pub(in super::super) transaction_id: Option<String>,
    pub(in super::super) order_number: String,
    /// The initial transaction went well; only then does Nets name the card for good.
    pub(in super::super) verified: bool,
    pub(in super::super) cancelled: bool,
    pub(in super::super) card: Option<VerifiedCard>,
}

impl PaymentInfo {
    pub(super) fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
        let authorized =
            match needed(root, &["Summary", "Authorized"])?.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(Garbled::Wrong("Authorized")),
            };
        let mut verified = false;
        for line in
            only(root, "History")?.iter().flat_map(|all| children(*all, "TransactionLogLine"))
        {
            verified |= text_at(line, &["Operation"])?
                .is_some_and(|operation| operation.eq_ignore_ascii_case("verify"));
        }
        let cancelled = match only(root, "Error")? {
            None => false,
            Some(error) => {
                let text = |name| Ok::<_, Garbled>(text_at(error, &[name])?.unwrap_or_default());
                meaning(&text("ResponseSource")?, &text("ResponseCode")?).0 == Meaning::Cancelled
            }
        };
        Ok(Self {
            transaction_id: text_at(root, &["TransactionId"])?,
            order_number: needed(root, &["OrderInformation", "OrderNumber"])?,
            verified: authorized || verified,
            cancelled,
            card: card(root)?,
        })
    }
}

fn card(root: Node<'_, '_>) -> Result<Option<VerifiedCard>, Garbled> {
    let text = |name| text_at(root, &["CardInformation", name]);
    let pan_hash = match text("PanHash")? {
        None => text_at(root, &["Recurring", "PanHash"])?,
        some => some,
    };
    let method = match text("PaymentMethod")? {
        None => text("Issuer")?,
        some => some,
    };
    let (Some(pan_hash), Some(masked), Some(ends)) =
        (pan_hash, text("MaskedPAN")?, text("ExpiryDate")?)
    else {
        return Ok(None);
    };
    let card = || {
        Some(Card {
            payment_type: payment_type(method.as_deref().unwrap_or_default()),
            last_four: LastFour::of_masked(&masked)?,
            expiry: expiry(&ends)?,
        })
    };
    Ok(card().map(|card| VerifiedCard { card, pan_hash: Secret::new(pan_hash) }))
}

/// `YYMM`, as Query tells it. (Register wants `MMYY`.)
fn expiry(text: &str) -> Option<CardExpiry> {
    if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month) = text.split_at(2);
    CardExpiry::new(2000 + year.parse::<i32>().ok()?, month.parse().ok()?)
}

/// Nets' names of payment methods. One that we have never met is `Unknown`, never an error.
pub(super) fn payment_type(name: &str) -> PaymentType {
    match name.to_ascii_lowercase().as_str() {
        "visa" => PaymentType::Visa,
        "mastercard" => PaymentType::Mastercard,
        "americanexpress" | "amex" => PaymentType::Amex,
        "bankaxept" => PaymentType::BankAxept,
        "dinersclubinternational" | "diners" => PaymentType::Diners,
        "maestro" => PaymentType::Maestro,
        "jcb" => PaymentType::Jcb,
        "dankort" => PaymentType::Dankort,
        _ => PaymentType::Unknown,
    }
}
