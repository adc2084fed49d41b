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
    #[error("{0} is there twice")]
    Twice(&'static str),
    #[error("{0} is not what it should be")]
    Wrong(&'static str),
    #[error("an unknown kind of reply")]
    Kind,
}

/// What Nets replied.
#[derive(Debug)]
pub(super) enum Reply {
    Registered { transaction_id: String },
    Processed(Processed),
    PaymentInfo(Box<PaymentInfo>),
    Exception(Exception),
}

/// What came of `Process`.
#[derive(Debug)]
pub(super) struct Processed {
    /// Absent in no reply that was ever seen.
    pub(super) transaction_id: Option<String>,
    source: Option<String>,
    code: String,
}

/// What `Query` tells of a transaction, as far as we need it.
#[derive(Debug)]
pub(super) struct PaymentInfo {
    /// Absent in no reply that was ever seen.
    pub(super) transaction_id: Option<String>,
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
    Accepted,
    Cancelled,
    Declined(Decline),
    AlreadyProcessed,
    Unclear,
}

const SOFT: Meaning = Meaning::Declined(Decline::Soft);
const HARD: Meaning = Meaning::Declined(Decline::Hard);

/// The one table of response codes, by source and code (netaxept.md §6.3 and §6.4; what is soft and what is hard is ours).
/// `01` and `05` are sources of old data.
const CODES: [(&[&str], &[&str], Meaning); 10] = [
    (&["Netaxept"], &["OK", "00"], Meaning::Accepted),
    (&["Netaxept", "Terminal", "01", "05"], &["17"], Meaning::Cancelled),
    // Nets has it already, or says that it has not got it: only a look tells.
    (&["Netaxept"], &["25", "86", "97", "98"], Meaning::AlreadyProcessed),
    // Nets' own blocks for cards that were tried too often: for now, and for ever.
    (&["Netaxept", "Issuer"], &["TB"], SOFT),
    (&["Netaxept", "Issuer"], &["PB"], HARD),
    // 99 is "several errors": Nets did answer that it failed, and asks not to be asked again.
    (&["Netaxept", "Terminal"], &["14", "30", "84", "99", "MZ"], HARD),
    (&["Netaxept", "Terminal"], &["96"], Meaning::Unclear),
    (&["Issuer"], &["05", "19", "31", "51", "61", "65", "68", "91", "92", "96"], SOFT),
    (
        &["Issuer"],
        &[
            "01", "02", "03", "04", "06", "07", "12", "13", "14", "30", "33", "36", "41", "43",
            "52", "54", "56", "57", "58", "59", "62", "63", "78", "79", "80", "93", "C9", "N0",
            "N7", "P1", "P9", "T3", "T8",
        ],
        HARD,
    ),
    (&["Transport", "Module"], &["01", "06", "30"], Meaning::Unclear),
];

/// What a code means, and whether we have met it. A code of the issuer's that we have not is a refusal all the same; of
/// anybody else's, we cannot tell.
fn meaning(source: &str, code: &str) -> (Meaning, bool) {
    let row = |(sources, codes, _): &&(&[&str], &[&str], Meaning)| {
        sources.contains(&source) && codes.contains(&code)
    };
    match CODES.iter().find(row) {
        Some((_, _, meaning)) => (*meaning, true),
        None if source == "Issuer" => (HARD, false),
        None => (Meaning::Unclear, false),
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
        match root.tag_name().name() {
            "RegisterResponse" => {
                Ok(Self::Registered { transaction_id: needed(root, &["TransactionId"])? })
            }
            "ProcessResponse" => Ok(Self::Processed(Processed {
                transaction_id: text_at(root, &["TransactionId"])?,
                source: text_at(root, &["ResponseSource"])?,
                code: needed(root, &["ResponseCode"])?,
            })),
            "PaymentInfo" => Ok(Self::PaymentInfo(Box::new(PaymentInfo::read(root)?))),
            "Exception" => Ok(Self::Exception(Exception::read(root)?)),
            _ => Err(Garbled::Kind),
        }
    }

    /// The same, should Nets have repeated a secret that it was asked with.
    pub(super) fn without(self, secret: &Secret) -> Self {
        let hidden = |text: String| text.replace(secret.expose(), "[secret]");
        match self {
            Self::Exception(exception) => Self::Exception(Exception {
                message: hidden(exception.message),
                result: exception.result.map(|result| ResponseResult {
                    source: hidden(result.source),
                    code: hidden(result.code),
                    text: hidden(result.text),
                }),
                ..exception
            }),
            other @ (Self::Registered { .. } | Self::Processed(_) | Self::PaymentInfo(_)) => other,
        }
    }

    /// What the response code means, where there is one. Nothing is accepted by an exception.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Processed(processed) => {
                Some(told(processed.source.as_deref().unwrap_or("Netaxept"), &processed.code))
            }
            Self::Exception(exception) => {
                let result = exception.result.as_ref()?;
                let meaning = told(&result.source, &result.code);
                Some(if meaning == Meaning::Accepted { Meaning::Unclear } else { meaning })
            }
            Self::Registered { .. } | Self::PaymentInfo(_) => None,
        }
    }
}

/// What a code means. One that we have not met is logged, so that the table can grow.
fn told(source: &str, code: &str) -> Meaning {
    let (meaning, met) = meaning(source, code);
    if !met {
        let (source, code) = (short(source), short(code));
        tracing::warn!(source, code, "a response code of Nets' that is not in the table");
    }
    meaning
}

/// As much of a stranger's word as belongs into a line of the log.
fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

impl PaymentInfo {
    fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
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

impl Exception {
    fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
        let error = only(root, "Error")?.ok_or(Garbled::Missing("Error"))?;
        let kind = error.attributes().find(|attribute| attribute.name() == "type");
        let result = match only(error, "Result")? {
            None => None,
            Some(result) => {
                let text = |name| Ok::<_, Garbled>(text_at(result, &[name])?.unwrap_or_default());
                Some(ResponseResult {
                    source: text("ResponseSource")?,
                    code: text("ResponseCode")?,
                    text: text("ResponseText")?,
                })
            }
        };
        let name = kind.map(|attribute| attribute.value()).unwrap_or_default();
        let kind = Kind::named(name);
        if kind == Kind::Other {
            tracing::warn!(kind = short(name), "an exception of Nets' that is not in its contract");
        }
        let message = text_at(error, &["Message"])?.unwrap_or_default();
        Ok(Self { kind, message, result })
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

/// The element of this name. There twice, nobody can say which one counts.
fn only<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> Result<Option<Node<'a, 'input>>, Garbled> {
    let mut all = children(node, name);
    let first = all.next();
    if all.next().is_some() { Err(Garbled::Twice(name)) } else { Ok(first) }
}

/// The text of the element at a path, unless there is none or it is empty.
fn text_at(node: Node<'_, '_>, path: &[&'static str]) -> Result<Option<String>, Garbled> {
    let (mut node, mut last) = (node, "");
    for name in path {
        let Some(child) = only(node, name)? else { return Ok(None) };
        (node, last) = (child, name);
    }
    if node.children().any(|child| child.is_element()) {
        return Err(Garbled::Wrong(last));
    }
    // Comments may cut a text into pieces.
    let pieces = node.children().filter_map(|child| child.text().filter(|_| child.is_text()));
    let text: String = pieces.collect();
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

fn needed(node: Node<'_, '_>, path: &[&'static str]) -> Result<String, Garbled> {
    let last = path.last().copied().unwrap_or_default();
    text_at(node, path)?.ok_or(Garbled::Missing(last))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
