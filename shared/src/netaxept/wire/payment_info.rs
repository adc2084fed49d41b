//! The reply to `Query`.

use roxmltree::Node;

use super::ParseError;
use super::amounts::Amounts;
use super::codes::{ResponseClass, classify, classify_and_log};
use super::xml::{children, flag_at, required_text, single, text_at};
use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::error::Decline;
use crate::secret::Secret;

/// The parts of the reply that are needed.
#[derive(Debug)]
pub(in super::super) struct PaymentInfo {
    /// Present in every reply that was seen so far.
    pub(in super::super) transaction_id: Option<String>,
    pub(in super::super) order_number: String,
    /// Whether the initial transaction succeeded. Only then are Nets' card details final.
    pub(in super::super) verified: bool,
    /// `Summary/Authorized`.
    pub(in super::super) authorized: bool,
    /// Empty if there is none. `ErrorLog` is not read: it proves nothing (netaxept.md §5).
    pub(in super::super) latest_error: LatestError,
    pub(in super::super) card: Option<VerifiedCard>,
    /// The amounts, or why they cannot be used. The setup of a card does not need them.
    pub(in super::super) amounts: Result<Amounts, ParseError>,
}

/// The source and the code of the latest error of a transaction.
#[derive(Debug, Default)]
pub(in super::super) struct LatestError {
    source: String,
    code: String,
}

impl LatestError {
    fn read(error: Node<'_, '_>) -> Result<Self, ParseError> {
        let text = |name| Ok::<_, ParseError>(text_at(error, &[name])?.unwrap_or_default());
        Ok(Self { source: text("ResponseSource")?, code: text("ResponseCode")? })
    }

    fn class(&self) -> ResponseClass {
        classify(&self.source, &self.code).0
    }

    /// Whether it says that the customer cancelled.
    pub(in super::super) fn is_cancelled(&self) -> bool {
        self.class() == ResponseClass::Cancelled
    }

    /// The decline that it says. Logs the code, which is one of the table of codes.
    pub(in super::super) fn decline(&self) -> Option<Decline> {
        match self.class() {
            ResponseClass::Declined(decline) => {
                classify_and_log(&self.source, &self.code);
                Some(decline)
            }
            ResponseClass::Accepted
            | ResponseClass::Cancelled
            | ResponseClass::NoCard
            | ResponseClass::AlreadyProcessed
            | ResponseClass::Undetermined
            | ResponseClass::Unclear => None,
        }
    }
}

impl PaymentInfo {
    pub(super) fn read(root: Node<'_, '_>) -> Result<Self, ParseError> {
        let authorized = flag_at(root, &["Summary", "Authorized"])?;
        let authorized = authorized.ok_or(ParseError::Missing("Authorized"))?;
        let mut verified = false;
        let history = single(root, "History")?;
        for line in history.iter().flat_map(|history| children(*history, "TransactionLogLine")) {
            verified |= text_at(line, &["Operation"])?
                .is_some_and(|operation| operation.eq_ignore_ascii_case("verify"));
        }
        let latest_error = match single(root, "Error")? {
            None => LatestError::default(),
            Some(error) => LatestError::read(error)?,
        };
        Ok(Self {
            transaction_id: text_at(root, &["TransactionId"])?,
            order_number: required_text(root, &["OrderInformation", "OrderNumber"])?,
            verified: authorized || verified,
            authorized,
            latest_error,
            card: card(root)?,
            amounts: Amounts::read(root),
        })
    }
}

fn card(root: Node<'_, '_>) -> Result<Option<VerifiedCard>, ParseError> {
    let text = |name| text_at(root, &["CardInformation", name]);
    let pan_hash = match text("PanHash")? {
        None => text_at(root, &["Recurring", "PanHash"])?,
        some => some,
    };
    let method = match text("PaymentMethod")? {
        None => text("Issuer")?,
        some => some,
    };
    let (Some(pan_hash), Some(masked_pan), Some(expiry_date)) =
        (pan_hash, text("MaskedPAN")?, text("ExpiryDate")?)
    else {
        return Ok(None);
    };
    let card = || {
        Some(Card {
            payment_type: payment_type(method.as_deref().unwrap_or_default()),
            last_four: LastFour::from_masked(&masked_pan)?,
            expiry: expiry(&expiry_date)?,
        })
    };
    Ok(card().map(|card| VerifiedCard { card, pan_hash: Secret::new(pan_hash) }))
}

/// Parses an expiry date in the format of Query, `YYMM`. (Register has `MMYY`.)
fn expiry(text: &str) -> Option<CardExpiry> {
    if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month) = text.split_at(2);
    CardExpiry::new(2000 + year.parse::<i32>().ok()?, month.parse().ok()?)
}

/// The payment type for Nets' name of a payment method. An unknown name gives `Unknown`, never an error.
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
