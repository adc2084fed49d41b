//! Nets' words: the XML, and the one table of response codes.
//!
//! Elements may come in any order, and new ones may appear (Nets' REST documentation): what is looked for is found by name,
//! and nothing else is looked at.

use std::fmt;

use roxmltree::{Document, Node, ParsingOptions};

use crate::domain::card::{Card, CardExpiry, LastFour, PaymentType, VerifiedCard};
use crate::error::Decline;
use crate::secret::Secret;

/// A reply that is not Netaxept's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Garbled {
    #[error("not UTF-8")]
    Encoding,
    #[error("not XML: {0}")]
    Xml(#[from] roxmltree::Error),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("an unknown kind of reply")]
    Kind,
}

/// What Nets replied.
#[derive(Debug)]
pub(super) enum Reply {
    Registered { transaction_id: String },
    Processed { response_code: String },
    PaymentInfo(Box<PaymentInfo>),
    Exception(Exception),
}

/// What `Query` tells of a transaction, as far as we need it.
#[derive(Debug)]
pub(super) struct PaymentInfo {
    pub(super) order_number: String,
    /// The initial transaction went well; only then does Nets name the card for good.
    pub(super) verified: bool,
    pub(super) cancelled: bool,
    pub(super) card: Option<VerifiedCard>,
}

/// Nets' refusal; comes with HTTP status 200.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) kind: Kind,
    message: String,
    result: Option<ResponseResult>,
}

#[derive(Debug)]
struct ResponseResult {
    source: String,
    code: String,
    text: String,
}

/// The nine exceptions of Nets' contract, and whatever else may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Authentication,
    Bbs,
    Generic,
    MerchantTranslation,
    NotSupported,
    Query,
    Security,
    UniqueTransactionId,
    Validation,
    Other,
}

/// What a response code means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Cancelled,
    Declined(Decline),
    AlreadyProcessed,
    Unclear,
}

/// The one table of response codes, by source and code (netaxept.md §6.3 and §6.4; soft and hard are ours).
///
/// A code of the issuer's that we have never met is a refusal all the same; of anybody else's, we cannot tell.
fn meaning(source: &str, code: &str) -> Meaning {
    use Meaning::{AlreadyProcessed, Cancelled, Declined, Unclear};
    match (source, code) {
        ("Netaxept" | "Terminal" | "05" | "01", "17") => Cancelled,
        ("Netaxept", "25" | "97" | "98") => AlreadyProcessed,
        ("Netaxept" | "Issuer", "TB") => Declined(Decline::Soft),
        ("Netaxept" | "Issuer", "PB") => Declined(Decline::Hard),
        // 99 is "several errors": Nets did answer that it failed, and asks not to be asked again.
        ("Netaxept" | "Terminal", "14" | "30" | "84" | "99" | "MZ") => Declined(Decline::Hard),
        ("Issuer", "05" | "19" | "31" | "51" | "61" | "65" | "68" | "91" | "92" | "96") => {
            Declined(Decline::Soft)
        }
        ("Issuer", _) => Declined(Decline::Hard),
        _ => Unclear,
    }
}

/// Nets' names of payment methods. One that we have never met is `Unknown`, never an error.
fn payment_type(name: &str) -> PaymentType {
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

impl Reply {
    /// Reads a body of at most 64 KiB. No entity is followed: a document type is not even allowed.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Garbled> {
        let text = std::str::from_utf8(body).map_err(|_| Garbled::Encoding)?;
        let options =
            ParsingOptions { allow_dtd: false, nodes_limit: 4096, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)?;
        let root = document.root_element();
        let needed = |name: &'static str| {
            text_at(root, &[name]).map(str::to_owned).ok_or(Garbled::Missing(name))
        };
        match root.tag_name().name() {
            "RegisterResponse" => Ok(Self::Registered { transaction_id: needed("TransactionId")? }),
            "ProcessResponse" => Ok(Self::Processed { response_code: needed("ResponseCode")? }),
            "PaymentInfo" => Ok(Self::PaymentInfo(Box::new(PaymentInfo::read(root)?))),
            "Exception" => Ok(Self::Exception(Exception::read(root)?)),
            _ => Err(Garbled::Kind),
        }
    }

    /// What the response code means, where there is one.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Processed { response_code } => Some(meaning("Netaxept", response_code)),
            Self::Exception(exception) => {
                exception.result.as_ref().map(|result| meaning(&result.source, &result.code))
            }
            Self::Registered { .. } | Self::PaymentInfo(_) => None,
        }
    }
}

impl PaymentInfo {
    fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
        let order_number = text_at(root, &["OrderInformation", "OrderNumber"]);
        let authorized = text_at(root, &["Summary", "Authorized"])
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let is = |wanted| move |operation: &str| operation.eq_ignore_ascii_case(wanted);
        let verified =
            children(root, "History").flat_map(|history| children(history, "TransactionLogLine"));
        let verified = verified.filter_map(|line| text_at(line, &["Operation"])).any(is("verify"));
        let error = children(root, "Error").next();
        let cancelled = error.is_some_and(|error| {
            let text = |name| text_at(error, &[name]).unwrap_or_default();
            meaning(text("ResponseSource"), text("ResponseCode")) == Meaning::Cancelled
        });
        Ok(Self {
            order_number: order_number.ok_or(Garbled::Missing("OrderNumber"))?.to_owned(),
            verified: authorized || verified,
            cancelled,
            card: card(root),
        })
    }
}

fn card(root: Node<'_, '_>) -> Option<VerifiedCard> {
    let text = |name| text_at(root, &["CardInformation", name]);
    let pan_hash = text("PanHash").or_else(|| text_at(root, &["Recurring", "PanHash"]))?;
    let card = Card {
        payment_type: payment_type(
            text("PaymentMethod").or_else(|| text("Issuer")).unwrap_or_default(),
        ),
        last_four: LastFour::of_masked(text("MaskedPAN")?)?,
        expiry: expiry(text("ExpiryDate")?)?,
    };
    Some(VerifiedCard { card, pan_hash: Secret::new(pan_hash.to_owned()) })
}

/// `YYMM`, as Query tells it. (Register wants `MMYY`.)
fn expiry(text: &str) -> Option<CardExpiry> {
    if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month) = text.split_at(2);
    CardExpiry::new(2000 + year.parse::<i32>().ok()?, month.parse().ok()?)
}

impl Exception {
    fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
        let error = children(root, "Error").next().ok_or(Garbled::Missing("Error"))?;
        let kind = error
            .attributes()
            .find(|attribute| attribute.name() == "type")
            .map(|attribute| attribute.value());
        let result = children(error, "Result").next().map(|result| {
            let text = |name| text_at(result, &[name]).unwrap_or_default().to_owned();
            ResponseResult {
                source: text("ResponseSource"),
                code: text("ResponseCode"),
                text: text("ResponseText"),
            }
        });
        Ok(Self {
            kind: kind.map_or(Kind::Other, Kind::named),
            message: text_at(error, &["Message"]).unwrap_or_default().to_owned(),
            result,
        })
    }

    /// "Unable to find transaction", as `QueryException` or as `GenericError`: both were seen.
    pub(super) fn is_unknown_transaction(&self) -> bool {
        matches!(self.kind, Kind::Query | Kind::Generic)
            && self.message.contains("Unable to find transaction")
    }

    /// "Issuer is undetermined": no card was entered.
    pub(super) fn is_no_card(&self) -> bool {
        self.kind == Kind::Validation && self.message.contains("Issuer is undetermined")
    }

    /// Whether Nets certainly did nothing: it did not get so far.
    pub(super) fn did_nothing(&self) -> bool {
        match self.kind {
            Kind::Authentication
            | Kind::MerchantTranslation
            | Kind::NotSupported
            | Kind::Security
            | Kind::UniqueTransactionId
            | Kind::Validation => true,
            Kind::Bbs | Kind::Generic | Kind::Query | Kind::Other => false,
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        match &self.result {
            Some(result) => write!(f, " ({} {}: {})", result.source, result.code, result.text),
            None => Ok(()),
        }
    }
}

impl Kind {
    /// The kind of an `xsi:type`, with or without a namespace prefix.
    fn named(name: &str) -> Self {
        match name.rsplit(':').next().unwrap_or_default() {
            "AuthenticationException" => Self::Authentication,
            "BBSException" => Self::Bbs,
            "GenericError" => Self::Generic,
            "MerchantTranslationException" => Self::MerchantTranslation,
            "NotSupportedException" => Self::NotSupported,
            "QueryException" => Self::Query,
            "SecurityException" => Self::Security,
            "UniqueTransactionIdException" => Self::UniqueTransactionId,
            "ValidationException" => Self::Validation,
            _ => Self::Other,
        }
    }
}

fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The text of the first element at a path, unless it is empty.
fn text_at<'a>(node: Node<'a, '_>, path: &[&'static str]) -> Option<&'a str> {
    let mut node = node;
    for name in path {
        node = children(node, name).next()?;
    }
    node.text().map(str::trim).filter(|text| !text.is_empty())
}
