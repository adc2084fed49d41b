//! Nets' replies, read from their XML.
//!
//! Elements may come in any order, and new ones may appear (Nets' REST documentation): what is looked for is found by name,
//! and nothing else is looked at.

mod codes;
mod exception;
mod payment_info;
mod xml;

use roxmltree::{Document, ParsingOptions};

use crate::secret::Secret;
pub(super) use codes::Meaning;
use codes::told;
pub(super) use exception::{Exception, Kind};
pub(super) use payment_info::PaymentInfo;
use xml::{needed, text_at};

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
        match self {
            Self::Exception(exception) => Self::Exception(exception.without(secret)),
            other @ (Self::Registered { .. } | Self::Processed(_) | Self::PaymentInfo(_)) => other,
        }
    }

    /// What the response code means, where there is one.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Processed(processed) => {
                Some(told(processed.source.as_deref().unwrap_or("Netaxept"), &processed.code))
            }
            Self::Exception(exception) => exception.meaning(),
            Self::Registered { .. } | Self::PaymentInfo(_) => None,
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
