//! Parses Nets' replies, which are XML.
//!
//! Elements can be in any order, and there can be new ones (Nets' REST documentation). So elements are found by name, and
//! unknown ones are ignored.

mod amounts;
mod codes;
mod exception;
mod payment_info;
mod xml;

use std::fmt;

use roxmltree::{Document, ParsingOptions};

use crate::secret::Secret;
pub(super) use amounts::credit_reference;
pub(super) use codes::ResponseClass;
use codes::{classify_and_log, truncate};
pub(super) use exception::{Exception, ExceptionKind};
pub(super) use payment_info::PaymentInfo;
use xml::{required_text, text_at};

/// The reason why a body is not a valid reply of Netaxept.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    #[error("not UTF-8")]
    Encoding,
    #[error("not XML: {0}")]
    Xml(#[from] roxmltree::Error),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} occurs twice")]
    Duplicate(&'static str),
    #[error("{0} has an invalid value")]
    Invalid(&'static str),
    #[error("unknown root element")]
    UnknownRoot,
}

/// A reply of Nets.
#[derive(Debug)]
pub(super) enum Reply {
    Registered { transaction_id: String },
    Processed(ProcessReply),
    PaymentInfo(Box<PaymentInfo>),
    Exception(Exception),
}

/// The reply to `Process`.
#[derive(Debug)]
pub(super) struct ProcessReply {
    /// Present in every reply that was seen so far.
    transaction_id: Option<String>,
    /// Present in every reply that was seen so far.
    operation: Option<String>,
    source: Option<String>,
    code: String,
}

impl ProcessReply {
    /// A reply without a source is from Netaxept.
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or("Netaxept")
    }
}

impl fmt::Display for ProcessReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, code) = (truncate(self.source()), truncate(&self.code));
        write!(f, "ProcessResponse with response code {source} {code}")
    }
}

impl Reply {
    /// Parses a body of at most 64 KiB. A document type is an error, so no entity is ever expanded.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(body).map_err(|_| ParseError::Encoding)?;
        let options =
            ParsingOptions { allow_dtd: false, nodes_limit: 4096, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)?;
        let root = document.root_element();
        match root.tag_name().name() {
            "RegisterResponse" => {
                Ok(Self::Registered { transaction_id: required_text(root, &["TransactionId"])? })
            }
            "ProcessResponse" => Ok(Self::Processed(ProcessReply {
                transaction_id: text_at(root, &["TransactionId"])?,
                operation: text_at(root, &["Operation"])?,
                source: text_at(root, &["ResponseSource"])?,
                code: required_text(root, &["ResponseCode"])?,
            })),
            "PaymentInfo" => Ok(Self::PaymentInfo(Box::new(PaymentInfo::read(root)?))),
            "Exception" => Ok(Self::Exception(Exception::read(root)?)),
            _ => Err(ParseError::UnknownRoot),
        }
    }

    /// Replaces a secret of the request that Nets repeats in its reply.
    pub(super) fn redact(self, secret: &Secret) -> Self {
        match self {
            Self::Exception(exception) => Self::Exception(exception.redact(secret)),
            other @ (Self::Registered { .. } | Self::Processed(_) | Self::PaymentInfo(_)) => other,
        }
    }

    /// Whether the reply is about this transaction and, if it names one, about this operation of `Process`.
    pub(super) fn is_about(&self, id: &str, operation: &str) -> bool {
        let is_other_id = |found: Option<&str>| found.is_some_and(|found| found != id);
        match self {
            Self::Registered { transaction_id } => transaction_id == id,
            Self::Processed(reply) => {
                let is_same = |found: &String| found.eq_ignore_ascii_case(operation);
                !is_other_id(reply.transaction_id.as_deref())
                    && reply.operation.as_ref().is_none_or(is_same)
            }
            Self::PaymentInfo(info) => !is_other_id(info.transaction_id.as_deref()),
            Self::Exception(exception) => !is_other_id(exception.transaction_id()),
        }
    }

    /// The class of the exception or of the response code, if there is one.
    pub(super) fn class(&self) -> Option<ResponseClass> {
        match self {
            Self::Processed(reply) => Some(classify_and_log(reply.source(), &reply.code)),
            Self::Exception(exception) => exception.class(),
            Self::Registered { .. } | Self::PaymentInfo(_) => None,
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
