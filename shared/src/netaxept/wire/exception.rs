//! Nets' exceptions.

use std::fmt;

use roxmltree::Node;

use super::Garbled;
use super::codes::{Meaning, short, told};
use super::xml::{only, text_at};
use crate::secret::Secret;

/// Nets' refusal; comes with HTTP status 200.
#[derive(Debug)]
pub(in super::super) struct Exception {
    pub(in super::super) kind: Kind,
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
pub(in super::super) enum Kind {
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

impl Exception {
    pub(super) fn read(root: Node<'_, '_>) -> Result<Self, Garbled> {
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

    /// The same, should Nets have repeated a secret that it was asked with.
    pub(super) fn without(self, secret: &Secret) -> Self {
        let hidden = |text: String| text.replace(secret.expose(), "[secret]");
        Self {
            kind: self.kind,
            message: hidden(self.message),
            result: self.result.map(|result| ResponseResult {
                source: hidden(result.source),
                code: hidden(result.code),
                text: hidden(result.text),
            }),
        }
    }

    /// What the response code means, where there is one. Nothing is accepted by an exception.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        let result = self.result.as_ref()?;
        let meaning = told(&result.source, &result.code);
        Some(if meaning == Meaning::Accepted { Meaning::Unclear } else { meaning })
    }

    /// "Unable to find transaction", as `QueryException` or as `GenericError`: both were seen.
    pub(in super::super) fn is_unknown_transaction(&self) -> bool {
        matches!(self.kind, Kind::Query | Kind::Generic)
            && self.message.contains("Unable to find transaction")
    }

    /// "Issuer is undetermined": no card was entered.
    pub(in super::super) fn is_no_card(&self) -> bool {
        self.kind == Kind::Validation && self.message.contains("Issuer is undetermined")
    }

    /// Whether Nets certainly did nothing: it did not get so far.
    pub(in super::super) fn did_nothing(&self) -> bool {
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
